"""Make the locks that every new project is born with, and the list of names that it must not take.

    python scripts/lock.py              after a requirement changed in the template's pyproject.toml
    python scripts/lock.py --upgrade    to bump all packages, and the tools in `_versions` of cookiecutter.json

Runs the generated project's own docker/lock.py. Needs only what tests/requirements.txt names.
"""

import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OPTIONS = ROOT / "cookiecutter.json"
TREE = ROOT / "{{cookiecutter.project_slug}}"
LOCKS = TREE / "requirements"
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


def chosen(pyproject: str, conditions: set[str], python: str) -> str:
    """Return the template's pyproject.toml with the lines that stand under no condition, or under one of these."""
    lines, condition = [], None
    for line in pyproject.splitlines():
        if line.startswith("#% if "):
            condition = line.removeprefix("#% if ")
        elif line == "#% endif":
            condition = None
        elif line.startswith("#%"):
            sys.exit(f"pyproject.toml: this script knows no '{line}', only '#% if' and '#% endif'.")
        elif condition is None or condition in conditions:
            lines.append(line)
    text = "\n".join(lines).replace("{{ cookiecutter.python_version }}", python)
    return re.sub(r"\{\{.*?\}\}", "placeholder", text)


def blocks(lock: str) -> dict[str, str]:
    """Return the lines of each package in a lock, by its name; the empty name has the lines before the first."""
    parts = re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)
    return {re.split(r"[=\[ ]", part)[0] if part[0] != "#" else "": part for part in parts}


def resolve(pyproject: str, pinned: str, options: list[str]) -> dict[str, str]:
    """Return the text of each lock, made by the generated project's own script, with the versions of `pinned`."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        (project / "requirements").mkdir()
        (project / "pyproject.toml").write_text(pyproject, encoding="utf-8")
        (project / "requirements/lab.txt").write_text(pinned, encoding="utf-8")
        command = [sys.executable, str(TREE / "docker/lock.py"), *options]
        subprocess.run(command, cwd=project, check=True, stdout=subprocess.DEVNULL)
        return {
            name: (project / "requirements" / name).read_text(encoding="utf-8") for name in ("lab.txt", "process.txt")
        }


def lock(python: str, options: list[str]) -> str:
    """Write the locks of all choices as one template each, and return the lock of the lab with every package.

    A package that only some choices need stands under their conditions, as its requirement does in pyproject.toml.
    All choices are resolved together once, so that a version is the same whatever is chosen with it.
    """
    pyproject = (TREE / "pyproject.toml").read_text(encoding="utf-8")
    conditions = sorted(set(re.findall(r"^#% if (.+)$", pyproject, re.MULTILINE)))
    old = "".join(line for line in (LOCKS / "lab.txt").read_text().splitlines(True) if not line.startswith("#%"))
    everything = resolve(chosen(pyproject, set(conditions), python), old, options)
    core = resolve(chosen(pyproject, set(), python), everything["lab.txt"], [])
    added = {each: resolve(chosen(pyproject, {each}, python), everything["lab.txt"], []) for each in conditions}
    for name, text in everything.items():
        parts, needs = [], {}
        for package, block in blocks(text).items():
            needed_by = [each for each in conditions if package in blocks(added[each][name])]
            always = package in blocks(core[name])
            if not always and not needed_by:
                sys.exit(f"{name}: {package} is needed by several choices together; this script cannot say that.")
            for variant in (core, *added.values()):
                if blocks(variant[name]).get(package, block) != block:
                    sys.exit(f"{name}: {package} has another version or marker where less is chosen.")
            needs[package] = (
                "" if always else " or ".join(each if " and " not in each else f"({each})" for each in needed_by)
            )
        for condition, group in itertools.groupby(blocks(text).items(), lambda item, needs=needs: needs[item[0]]):
            body = "".join(block for _, block in group)
            parts.append(f"#% if {condition}\n{body}#% endif\n" if condition else body)
        (LOCKS / name).write_text("".join(parts), encoding="utf-8", newline="\n")
    return everything["lab.txt"]


def importable(python: str, lock: str) -> set[str]:
    """Return the names of all packages in a lock, and of the modules that they bring."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["uv", "pip", "install", "--quiet", "--no-deps", "--target", folder, "--python-version", python]
        subprocess.run([*command, "--only-binary", ":all:", "-r", "-"], input=lock, text=True, check=True)
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
    everything = lock(python, options)
    set_text("_reserved_names", " ".join(sorted(importable(python, everything))))


if __name__ == "__main__":
    main(sys.argv[1:])
