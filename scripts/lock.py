"""Make the locks that every new project is born with, and the list of names that it must not take.

    python scripts/lock.py              after a requirement changed in the template's pyproject.toml
    python scripts/lock.py --upgrade    to bump all packages, and the tools in `_versions` of cookiecutter.json

Generates a project and runs its own docker/lock.py. Needs only what tests/requirements.txt names.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import distributions
from pathlib import Path

from cookiecutter.main import cookiecutter

ROOT = Path(__file__).resolve().parents[1]
OPTIONS = ROOT / "cookiecutter.json"
LOCKS = ROOT / "{{cookiecutter.project_slug}}" / "requirements"
TOOLS = ("uv", "detect-secrets", "nbstripout", "pre-commit-hooks", "ruff")


def newest(package: str) -> str:
    """Return the newest version of a package on the package index."""
    command = ["uv", "pip", "compile", "--quiet", "--no-deps", "--no-header", "--no-annotate", "-"]
    done = subprocess.run(command, input=package, capture_output=True, text=True, check=True)
    return done.stdout.strip().partition("==")[2]


def set_text(key: str, value: str) -> None:
    """Set a text in cookiecutter.json and leave its layout as it is."""
    text, count = re.subn(rf'("{re.escape(key)}": )"[^"]*"', rf'\g<1>"{value}"', OPTIONS.read_text(encoding="utf-8"))
    if count != 1:
        sys.exit(f"cookiecutter.json must name {key} once, not {count} times.")
    OPTIONS.write_text(text, encoding="utf-8", newline="\n")


def lock(python: str, options: list[str]) -> None:
    """Write the locks by the generated project's own means."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(
            cookiecutter(
                str(ROOT), no_input=True, default_config=True, accept_hooks=False, output_dir=folder,
                extra_context={"python_version": python},
            )
        )  # fmt: skip
        subprocess.run([sys.executable, "docker/lock.py", *options], cwd=project, check=True)
        for file in (project / "requirements").iterdir():
            shutil.copy(file, LOCKS / file.name)


def importable(python: str) -> set[str]:
    """Return the names of all packages in the lock of the lab, and of the modules that they bring."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["uv", "pip", "install", "--quiet", "--no-deps", "--target", folder, "--python-version", python]
        subprocess.run([*command, "--only-binary", ":all:", "-r", str(LOCKS / "lab.txt")], check=True)
        names = set()
        for package in distributions(path=[folder]):
            names.add(package.metadata["Name"].lower().replace("-", "_").replace(".", "_"))
            names |= {file.parts[0].removesuffix(".py") for file in package.files or []}
    return {name for name in names if re.fullmatch(r"[a-z][a-z0-9_]*", name)} - {"bin", "etc", "share"}


def main(options: list[str]) -> None:
    """Write everything; the arguments go to `uv pip compile`."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # uv of this environment
    if "--upgrade" in options:
        for tool in TOOLS:
            set_text(tool, newest(tool))
    # A lock that was resolved for the oldest Python on offer, for every platform, holds for the newer ones too.
    pythons = json.loads(OPTIONS.read_text(encoding="utf-8"))["python_version"]
    python = min(pythons, key=lambda version: [int(part) for part in version.split(".")])
    lock(python, options)
    set_text("_reserved_names", " ".join(sorted(importable(python))))


if __name__ == "__main__":
    main(sys.argv[1:])
