"""Finish the project: check that it is what was chosen, write .env, say what comes next. Standard library only."""

import contextlib
import json
import os
import runpy
import sys
from pathlib import Path

# Folders that are only there for some choices: the engine makes them for all
SOMETIMES = (".github/workflows", ".github")

# What a choice must have brought: file -> text
BROUGHT = {
    "api": {"compose.yaml": "\n  api:\n", "requirements/process.txt": "\nfastapi=="},
    "dashboard": {"compose.yaml": "\n  dashboard:\n", "requirements/process.txt": "\nstreamlit=="},
    "duckdb": {"requirements/process.txt": "\nduckdb=="},
    "postgres": {"compose.yaml": "\n  db:\n", "requirements/process.txt": "\npsycopg=="},
    "mlflow": {"compose.yaml": "\n  mlflow:\n", "requirements/process.txt": "\nmlflow-skinny=="},
    "nvidia": {"compose.gpu.yaml": "driver: nvidia", ".env.example": "\nCOMPOSE_FILE=compose.yaml\n"},
    "github": {".github/workflows/ci.yaml": "docker compose run --rm test"},
    "gitlab": {".gitlab-ci.yml": "docker compose run --rm test"},
}


def proof(context: dict) -> dict[str, list[str]]:
    """Return, for each file that the choices shape, texts that it must hold to be what was chosen."""
    python, versions = context["python_version"], context["_versions"]
    texts = {
        "Dockerfile": [
            versions["python_image"][python],
            f"/root/.cache/{context['installer']} ",
            versions["lab_image"].get(context["dev_image"], ""),
        ],
        ".devcontainer/devcontainer.json": [f'"workspaceFolder": "{context["__lab_folder"]}"'],
        "LICENSE": [context["author_name"]],
        "compose.yaml": [f"name: {context['project_slug']}\n"],
        "pyproject.toml": [f'requires-python = ">={python}"', f'license = "{context["__license_id"]}"'],
        "requirements/lab.txt": ["--hash=sha256:"],
        "requirements/process.txt": ["--hash=sha256:"],
        f"src/{context['package_name']}/__main__.py": [context["package_name"]],
    }
    for option in ("deploy", "database", "tracking", "accelerator", "ci"):
        for file, text in BROUGHT.get(context[option], {}).items():
            texts.setdefault(file, []).append(text)
    return texts


def missing(context: dict, project: Path) -> str:
    """Name the first choice that the generated files do not show, or nothing."""
    for name, texts in proof(context).items():
        file = project / name
        content = file.read_text(encoding="utf-8") if file.exists() else ""
        for text in texts:
            if text not in content:
                return f"{name} does not have {text.strip()!a}"
    return ""


def next_steps(project: Path, addresses: str) -> str:
    """Return what to type next, and the addresses to open then."""
    folder = project
    # where the user is, as the hook itself runs inside the project; on Windows it can be another drive
    if (shell := os.environ.get("PWD")) and Path(shell).anchor == project.anchor:
        folder = Path(os.path.relpath(project, shell))
    return f"""
{project.name} is ready. Next:

  cd "{folder}"
  docker compose up --wait

The first start builds the image and takes a few minutes. Then open

{addresses}

The pipeline runs in the image that ships with

  docker compose run --rm process

README.md has the rest.
"""


def main(context: dict, project: Path) -> None:
    """Check, write .env and report; exit with one sentence if the project is not what was chosen."""
    if problem := missing(context, project):
        sys.exit(f"Not generated. This template has a defect: {problem}. Please report it with your choices.")
    for name in SOMETIMES:
        with contextlib.suppress(OSError):  # it holds something
            (project / name).rmdir()
    # the very code that teammates run in a fresh clone
    setup = runpy.run_path(str(project / "docker" / "setup.py"))
    settings = setup["write_env"](project)
    # the token on a terminal only, never in a log
    text = next_steps(project, setup["addresses"](settings, token=sys.stdout.isatty()))
    print(text.encode("ascii", "backslashreplace").decode())


if __name__ == "__main__":
    # Single quotes, because tojson never writes one: no answer can end the literal.
    main(json.loads(r'{{ cookiecutter | tojson }}'), Path.cwd())  # fmt: skip
