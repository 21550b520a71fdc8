"""Finish the project: check that it is what was chosen, write .env, say what comes next. Standard library only."""

import json
import os
import runpy
import sys
from pathlib import Path


def proof(context: dict) -> dict[str, list[str]]:
    """Return, for each file that the choices shape, texts that it must hold to be what was chosen."""
    python = context["python_version"]
    return {
        "Dockerfile": [context["_versions"]["python_image"][python], f"/root/.cache/{context['installer']} "],
        "LICENSE": [context["author_name"]],
        "compose.yaml": [f"name: {context['project_slug']}\n"],
        "pyproject.toml": [f'requires-python = ">={python}"', f'license = "{context["__license_id"]}"'],
        "requirements/lab.txt": ["--hash=sha256:"],
        "requirements/process.txt": ["--hash=sha256:"],
        f"src/{context['package_name']}/__main__.py": [context["package_name"]],
    }


def missing(context: dict, project: Path) -> str:
    """Name the first choice that the generated files do not show, or nothing."""
    for name, texts in proof(context).items():
        file = project / name
        content = file.read_text(encoding="utf-8") if file.exists() else ""
        for text in texts:
            if text not in content:
                return f"{name} does not have {text.strip()!a}"
    return ""


def next_steps(project: Path, settings: dict[str, str], *, terminal: bool) -> str:
    """Return what to type next; the address carries the token only on a terminal, never in a log."""
    folder = project
    # where the user is, as the hook itself runs inside the project; on Windows it can be another drive
    if (shell := os.environ.get("PWD")) and Path(shell).anchor == project.anchor:
        folder = Path(os.path.relpath(project, shell))
    token = f"?token={settings['JUPYTER_TOKEN']}" if terminal else ""
    return f"""
{project.name} is ready. Next:

  cd "{folder}"
  docker compose up --wait

The first start builds the image and takes a few minutes. Then JupyterLab is at

  http://127.0.0.1:{settings["JUPYTER_PORT"]}/lab{token}

and the pipeline runs in the image that ships with

  docker compose run --rm process

README.md has the rest.
"""


def main(context: dict, project: Path) -> None:
    """Check, write .env and report; exit with one sentence if the project is not what was chosen."""
    if problem := missing(context, project):
        sys.exit(f"Not generated. This template has a defect: {problem}. Please report it with your choices.")
    # the very code that teammates run in a fresh clone
    settings = runpy.run_path(str(project / "docker" / "setup.py"))["write_env"](project)
    text = next_steps(project, settings, terminal=sys.stdout.isatty())
    print(text.encode("ascii", "backslashreplace").decode())


if __name__ == "__main__":
    # Single quotes, because tojson never writes one: no answer can end the literal.
    main(json.loads(r'{{ cookiecutter | tojson }}'), Path.cwd())  # fmt: skip
