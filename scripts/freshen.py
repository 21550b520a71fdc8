"""Take up newer versions of what the template pins: `python scripts/freshen.py`, or of some, such as `images actions`.

    images     tags and digests in cookiecutter.json; new major versions are only reported, as old data may need the old
    actions    of GitHub, there and in .github/workflows/
    packages   those of new projects, by scripts/lock.py; the tools in `_versions`; what the tests need
    support    the days on which Pythons and systems get their last fixes

Reports what is new and whose support ends soon, then runs the tests. Packages from PyPI are at least a week old, unless
UV_EXCLUDE_NEWER says otherwise; nothing else waits. Needs git, npm and skopeo, which uses the logins of Docker.
"""

import datetime
import functools
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import lock

ROOT, OPTIONS = lock.ROOT, lock.OPTIONS
PINS = [*ROOT.glob("cookiecutter.json"), *ROOT.glob("organisation/cookiecutter.json"), *ROOT.glob(".github/*/*.yaml")]
REQUIREMENTS, NPM = ROOT / "tests/requirements.txt", ROOT / "tests/package.json"
CALENDAR = os.environ.get("CALENDAR", "https://endoflife.date/api/v1/products")
PRODUCTS = {"postgres": "postgresql"}  # images that have another name there; names without a version are of Debian
TOOLS = ("uv", "detect-secrets", "nbstripout", "pre-commit-hooks", "ruff")
LINUX = ("manylinux2014_x86_64", "manylinux_2_28_aarch64", "musllinux_1_1_x86_64", "musllinux_1_1_aarch64")
TODAY = datetime.date.today()


def ask(*command: str, **options: Any) -> str:
    """Return what a program answers; exit with a sentence if it is missing or fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, **options).stdout.strip()
    except FileNotFoundError:
        sys.exit(f"{command[0]} is missing: install it.")
    except subprocess.CalledProcessError as error:
        sys.exit(f"`{' '.join(command)}` failed: {error.stderr.strip()}")


def take(name: str, old: str, new: str) -> None:
    """Write a new version in place of an old one, wherever that is pinned, and say so."""
    for file in PINS if old != new else []:
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace(old, new), encoding="utf-8", newline="\n")
    if old != new:
        print(f"- {name}: {new}", flush=True)


def texts(value: Any) -> Iterator[str]:
    """Return each text in a value of JSON."""
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from texts(each)
    if isinstance(value, str):
        yield value


def numbers(tag: str) -> tuple[int, ...]:
    """Return the numbers in a tag such as v1.2.3."""
    return tuple(map(int, re.findall(r"\d+", tag)))


def major(tag: str) -> int:
    """Return the major version in a tag; those that start with a year have none."""
    first = (*numbers(tag), 0)[0]
    return first if first < 2000 else 0


def images(context: dict) -> None:
    """Take the newest tag of each image that is written in the same way, and its digest where there is one."""
    prefix, versions = context["_organisation"]["image_prefix"], context["_versions"]
    fixed = {*texts(versions["python_image"])}  # a row is for one Python
    for image in sorted({*texts(versions), *texts(context["_lab_images"])}):
        if not (found := re.fullmatch(r"([a-z][\w./-]*):(\w[\w.-]*)(@sha256:\w+)?", image)):
            continue
        name, tag, digest = found.groups()
        listed = [] if image in fixed else json.loads(ask("skopeo", "list-tags", f"docker://{prefix}{name}"))["Tags"]
        alike = re.compile(re.sub(r"\d+", r"\\d+", re.escape(tag)))
        tags = sorted(filter(alike.fullmatch, {*listed, tag}), key=numbers)
        same = [each for each in tags if major(each) == major(tag)]
        newest = f"{name}:{same[-1]}"
        if digest:
            newest += "@" + ask("skopeo", "inspect", "--format", "{{.Digest}}", f"docker://{prefix}{newest}")
        take(name, f'"{image}"', f'"{newest}"')
        if tags[-1] != same[-1]:
            print(f"- {name}:{tags[-1]} is a new major version: try it by hand.", flush=True)


def actions(context: dict) -> None:
    """Take the commit of each action's newest version."""
    text = "".join(file.read_text(encoding="utf-8") for file in PINS)
    for name, old in sorted(set(re.findall(r'([\w-]+/[\w-]+)(?:@|": ")([0-9a-f]{40} # v[\d.]+)', text))):
        said = ask("git", "ls-remote", "--tags", f"https://github.com/{name}")
        # the commit of an annotated tag is on a second line, and comes later
        commits = {
            tag: commit for commit, tag in re.findall(r"(\w{40})\trefs/tags/(v\d+\.\d+\.\d+)(?:\^{})?$", said, re.M)
        }
        newest = max(commits, key=numbers)
        take(name, old, f"{commits[newest]} # {newest}")


def wheel_hashes(requirement: str) -> list[str]:
    """Return the SHA-256 of a package's wheel for each platform of Linux, sorted."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        for platform in LINUX:
            ask(*command, "--dest", folder, "--platform", platform, requirement)
        return sorted(hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in Path(folder).iterdir())


def set_version(key: str, value: str | list | dict) -> None:
    """Set a value in `_versions` of cookiecutter.json, and leave the layout of the file as it is."""
    new = json.dumps(value, indent=2).replace("\n", "\n    ")
    pattern = rf'(?<="{re.escape(key)}": )("[^"]*"|\[[^\]]*\]|\{{[^}}]*\}})'
    text, count = re.subn(pattern, lambda _: new, OPTIONS.read_text(encoding="utf-8"))
    if count != 1:
        sys.exit(f"cookiecutter.json must name {key} once, not {count} times.")
    OPTIONS.write_text(text, encoding="utf-8", newline="\n")


def packages(context: dict) -> None:
    """Take newer packages for new projects, for the tools that they name, and for the tests."""
    os.environ.setdefault("UV_EXCLUDE_NEWER", str(TODAY - datetime.timedelta(weeks=1)))
    text = REQUIREMENTS.read_text(encoding="utf-8")
    old = dict(re.findall(r"(?m)^([\w-]+)==(\S+)$", text)) | {tool: context["_versions"][tool] for tool in TOOLS}
    command = (Path(sys.executable).with_name("uv"), "pip", "compile", "--quiet", "--python-version", "3.11", "-")
    said = ask(*map(str, command), input="\n".join(old))
    new = {name: version for name, version in re.findall(r"(?m)^([\w-]+)==(\S+)$", said) if name in old}
    for name in sorted(name for name in new if new[name] != old[name]):
        text = re.sub(rf"(?m)^{name}==\S+$", f"{name}=={new[name]}", text)
        print(f"- {name}: {new[name]}", flush=True)
    REQUIREMENTS.write_text(text, encoding="utf-8", newline="\n")
    for tool in TOOLS:
        set_version(tool, new[tool])
    set_version("uv_hashes", wheel_hashes(f"uv=={new['uv']}"))
    for name, version in json.loads(NPM.read_text(encoding="utf-8"))["devDependencies"].items():
        newest = ask("npm", "view", name, "version")
        if newest != version:
            print(f"- {name}: {newest}", flush=True)
        changed = NPM.read_text(encoding="utf-8").replace(f'"{name}": "{version}"', f'"{name}": "{newest}"')
        NPM.write_text(changed, encoding="utf-8", newline="\n")
    lock.main(["--upgrade"])


def support(context: dict) -> None:
    """Write the last day of fixes for each Python on offer, and for each system."""

    @functools.cache
    def releases(product: str) -> list[dict]:
        try:
            with urlopen(f"{CALENDAR}/{product}/", timeout=60) as answer:
                return json.load(answer)["result"]["releases"]
        except OSError as error:
            sys.exit(f"{CALENDAR} does not answer: {error}.")

    old = context["_versions"]["end_of_life"]
    names = [f"python:{version}" for version in context["python_version"]]
    ends = {}
    for name in [*names, *(name for name in old if not name.startswith("python:"))]:
        image, _, version = name.partition(":")
        found = releases(PRODUCTS.get(image, image if version else "debian"))
        wanted = version or image
        days = [each["eolFrom"] for each in found if wanted in (each["name"], str(each["codename"]).lower())]
        if day := next(filter(None, days), old.get(name)):
            ends[name] = day
        else:
            print(f"- {name}: {CALENDAR} does not know when its support ends.", flush=True)
    set_version("end_of_life", ends)
    for name, day in ends.items():
        if datetime.date.fromisoformat(day) < TODAY + datetime.timedelta(days=180):
            print(f"- {name} gets its last fixes on {day}: offer a newer version.", flush=True)


WHAT = {each.__name__: each for each in (images, actions, packages, support)}


def main(*names: str) -> None:
    """Take up what is named, or all, and run the tests; their output goes to the standard error."""
    if unknown := set(names) - WHAT.keys():
        sys.exit(f"{', '.join(sorted(unknown))}: choose from {', '.join(WHAT)}.")
    before = REQUIREMENTS.read_bytes()
    for name in names or WHAT:
        WHAT[name](json.loads(OPTIONS.read_text(encoding="utf-8")))
    if REQUIREMENTS.read_bytes() != before:
        ask(sys.executable, "-m", "pip", "install", "--quiet", "--requirement", str(REQUIREMENTS))
    sys.exit(subprocess.run([sys.executable, "-m", "pytest"], cwd=ROOT, stdout=sys.stderr).returncode)


if __name__ == "__main__":
    main(*sys.argv[1:])
