"""Finish the project: check that it is what was chosen, write what is not the template's, show the next steps.

Standard library only.
"""

import contextlib
import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

# Folders that, or whose folders, are empty for some choices: the engine makes them for all
SOMETIMES = (".github", "deploy")
NOT_SEARCHED = (".env", "LICENSE", ".ipynb", ".png")  # other people's words, secrets, binaries; nor are the locks


def problems(proofs: list[dict], project: Path) -> list[str]:
    """Say which choices do not show although they were chosen, and which show although they were not.

    A proof maps a file to a pattern that is in it if, and only if, the choice was made; "*" is any file.
    """
    names = {path.relative_to(project).as_posix(): path for path in sorted(project.rglob("*")) if path.is_file()}
    everywhere = {
        name: f"{name}\n{path.read_text(encoding='utf-8', errors='replace')}"
        for name, path in names.items()
        if not (name.endswith(NOT_SEARCHED) or name.startswith("requirements/") or "__pycache__" in path.parts)
    }
    found = []
    for each in proofs:
        for file, pattern in each["proof"].items():
            path, searched = project / file, everywhere
            if file != "*":
                searched = {file: path.read_text(encoding="utf-8") if path.is_file() else ""}
            shown = [name for name, text in searched.items() if re.search(pattern, text, re.MULTILINE)]
            if each["chosen"] and not shown:
                found.append(f"{each['choice']} was chosen, but {file} does not show it")
            if not each["chosen"] and shown:
                found.append(f"{each['choice']} was not chosen, but {', '.join(shown)} shows it")
    return found


def engine(*question: str) -> str:
    """Return what Docker answers, or nothing where it does not."""
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        return subprocess.run(["docker", *question], capture_output=True, text=True, timeout=10, check=False).stdout
    return ""


def next_steps(project: Path, addresses: str) -> str:
    """Return what to type next, and the addresses to open then."""
    folder = project
    # where the user is, as the hook itself runs inside the project; on Windows it can be another drive
    if (shell := os.environ.get("PWD")) and Path(shell).anchor == project.anchor:
        folder = Path(os.path.relpath(project, shell))
    in_repository = any((each / ".git").exists() for each in project.parents)
    git = "" if in_repository else "  git init\n"
    return f"""
{project.name} is ready. Next:

  cd "{folder}"
{git}  docker compose up --wait

The first start builds the images, which takes a few minutes. Then open

{addresses}

To run the pipeline in the production image:

  docker compose run --rm process

README.md explains the rest.
"""


def show(text: str) -> None:
    """Print a text on any console."""
    print(text.encode("ascii", "backslashreplace").decode())


def main(proofs: list[dict], project: Path, advice: list[str] | None = None, link: dict | None = None) -> None:
    """Check, write .env and .cruft.json, report; exit with one sentence if the project is not what was chosen.

    An update gives advice on the answers. It compares two projects that nobody starts: they need none of the rest.
    """
    if found := problems(proofs, project):
        sys.exit(f"Not generated. The template has a defect: {found[0]}. Please report it with your choices.")
    for folder, _, _ in (each for name in SOMETIMES for each in os.walk(project / name, topdown=False)):
        with contextlib.suppress(OSError):  # it is not empty
            Path(folder).rmdir()
    if advice is not None:
        for sentence in advice:
            show(sentence)
        return
    if link is not None:  # cruft writes it by itself
        text = json.dumps(link, ensure_ascii=False, indent=2)
        (project / ".cruft.json").write_text(f"{text}\n", encoding="utf-8", newline="\n")
    # the very code that teammates run in a fresh clone
    setup = runpy.run_path(str(project / "docker" / "setup.py"))
    # only the engine knows what runs as whom, and whether a project in another folder has the name of this one
    rootless = "name=rootless" in engine("info", "--format", "json")
    same_name = ("--quiet", "--filter", f"label=com.docker.compose.project={project.name}")
    others = engine("ps", "--all", *same_name) or engine("volume", "ls", *same_name)
    try:
        settings = setup["write_env"](project, rootless=rootless, alone=not others)
    except (OSError, ValueError) as error:
        sys.exit(f"Not generated. .env cannot be read: {getattr(error, 'strerror', None) or error}.")
    # the token on a terminal only, never in a log
    text = next_steps(project, setup["addresses"](settings, token=sys.stdout.isatty()))
    text += f"\n{setup['ROOT']}" if setup["as_root"](settings) and not rootless else ""
    show(text)


if __name__ == "__main__":
    # Single quotes, because tojson never writes one: no answer can end the literal.
    DATA = r'''{{ {
        "proofs": cookiecutter | proofs,
        "advice": cookiecutter | advice,
        "link": cookiecutter | link,
    } | tojson }}'''  # fmt: skip
    main(project=Path.cwd(), **json.loads(DATA))
