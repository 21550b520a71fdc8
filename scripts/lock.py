"""Make the locks that every new project starts with, and the list of names that a package must not have.

    python scripts/lock.py              after a requirement changed in the template
    python scripts/lock.py --upgrade    to renew all packages

Runs the generated project's own docker/lock.py. Needs only what tests/requirements.txt names.
"""

import functools
import itertools
import json
import os
import re
import subprocess
import sys
import tempfile
from importlib.metadata import distributions
from pathlib import Path

import tomllib
from cookiecutter.exceptions import FailedHookException
from cookiecutter.prompt import prompt_for_config
from cookiecutter.utils import create_env_with_context
from jinja2 import FileSystemLoader

ROOT = Path(__file__).resolve().parents[1]
OPTIONS = ROOT / "cookiecutter.json"
TREE = ROOT / "{{cookiecutter.project_slug}}"
LOCKS = TREE / "requirements"

Chosen = tuple[tuple[str, str], ...]  # options, each with its choice


def required_by(context: dict, python: str) -> dict[Chosen, set[tuple[str, str]]]:
    """Return the requirements, each with its lock, of no choice and of each choice or pair that brings some."""
    offered = {name: value for name, value in context.items() if isinstance(value, list) and name[0] != "_"}
    environment = create_env_with_context({"cookiecutter": context})
    environment.loader = FileSystemLoader([TREE, ROOT / "templates"])
    template = environment.get_template("pyproject.toml")
    defaults = prompt_for_config({"cookiecutter": dict(context)}, no_input=True)
    others = {name: value for name, value in defaults.items() if name not in offered} | {"python_version": python}

    @functools.cache
    def required(chosen: Chosen) -> set[tuple[str, str]]:
        try:
            project = tomllib.loads(template.render(cookiecutter=others | dict(chosen)))
        except FailedHookException:  # a rule in cookiecutter.json refuses this pair
            return set()
        groups = {"process": project["project"]["dependencies"], **project["dependency-groups"]}
        return {(name, requirement) for name, requirements in groups.items() for requirement in requirements}

    choices = sorted((option, choice) for option in offered for choice in offered[option])
    found: dict[Chosen, set[tuple[str, str]]] = {(): required(())}
    for size in (1, 2):
        # Two choices of one option count as the second alone, which adds nothing.
        for chosen in itertools.combinations(choices, size):
            if required(chosen) - set().union(*map(required, itertools.combinations(chosen, size - 1))):
                found[chosen] = required(chosen)
    return found


def resolve(requirements: set[tuple[str, str]], python: str, pinned: str, options: list[str]) -> dict[str, dict]:
    """Return the blocks of each lock, made by the generated project's own script with the versions of `pinned`."""
    lists = {name: sorted(each for group, each in requirements if group == name) for name in ("process", "lab")}
    project = f'[project]\nname = "all"\nversion = "0"\nrequires-python = ">={python}"\n'
    project += f"dependencies = {json.dumps(lists['process'])}\n[dependency-groups]\nlab = {json.dumps(lists['lab'])}\n"
    with tempfile.TemporaryDirectory() as folder:
        locks = Path(folder, "requirements")
        locks.mkdir()
        Path(folder, "pyproject.toml").write_text(project, encoding="utf-8")
        (locks / "lab.txt").write_text(pinned, encoding="utf-8")
        command = [sys.executable, "-c", "import lock, sys; lock.main(sys.argv[2:], sys.argv[1])", python, *options]
        path = {"PYTHONPATH": str(TREE / "docker")}
        subprocess.run(command, cwd=folder, env=os.environ | path, check=True, stdout=subprocess.DEVNULL)
        return {name: blocks((locks / f"{name}.txt").read_text(encoding="utf-8")) for name in lists}


def blocks(lock: str) -> dict[str, str]:
    """Return the lines of each package in a lock, by its name; the empty name has the lines before the first."""
    parts = re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)
    return {re.split(r"[=\[ ]", part)[0] if part[0] != "#" else "": part for part in parts}


def condition(chosen: Chosen) -> str:
    """Return the condition under which a template has these choices; empty if there are none."""
    text = " and ".join(f"cookiecutter.{option} == '{choice}'" for option, choice in chosen)
    return f"({text})" if len(chosen) > 1 else text


def lock(context: dict, python: str, options: list[str]) -> str:
    """Write the locks of all choices as one template each, and return the lock of the lab with every package.

    A package that only some choices need is under `#% if` with their conditions. All choices are resolved together
    once, so that a version is the same in every project.
    """
    found = required_by(context, python)
    lines = (LOCKS / "lab.txt").read_text(encoding="utf-8").splitlines(keepends=True)
    old = "".join(line for line in lines if not line.startswith("#%"))
    everything = resolve(set().union(*found.values()), python, old, options)
    pinned = "".join(everything["lab"].values())
    locks = {chosen: resolve(requirements, python, pinned, []) for chosen, requirements in found.items()}
    for name, packages in everything.items():
        needs = {}
        for package, block in packages.items():
            needed_by: list[Chosen] = []
            for chosen, variant in locks.items():
                if variant[name].get(package, block) != block:
                    sys.exit(f"{name}.txt: {package} has another version or marker with {condition(chosen)}.")
                if package in variant[name] and not any(set(fewer) < set(chosen) for fewer in needed_by):
                    needed_by.append(chosen)
            if not needed_by:
                sys.exit(f"{name}.txt: {package} is needed only by several choices together.")
            needs[package] = " or ".join(map(condition, needed_by))
        parts = []
        for needed, group in itertools.groupby(packages, needs.get):
            body = "".join(packages[package] for package in group)
            parts.append(f"#% if {needed}\n{body}#% endif\n" if needed else body)
        (LOCKS / f"{name}.txt").write_text("".join(parts), encoding="utf-8", newline="\n")
    return pinned


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
    sys.path.insert(0, str(ROOT))  # for local_extensions, which Jinja loads
    context = json.loads(OPTIONS.read_text(encoding="utf-8"))
    # A lock that was resolved for the oldest Python on offer, for every platform, holds for the newer ones too.
    python = min(context["python_version"], key=lambda version: [int(part) for part in version.split(".")])
    names = "\n".join(sorted(importable(python, lock(context, python, options))))
    (ROOT / "local_extensions/reserved_names.txt").write_text(f"{names}\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
