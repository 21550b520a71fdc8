"""Pin every package, with hashes, for both images: requirements/lab.txt and requirements/process.txt.

Both images share the layer of requirements/base.txt: an older process.txt, kept until a version in it changes, so that
adding a package is quick. Versions stay unless pyproject.toml, --upgrade or --upgrade-package NAME asks for others.
`--add NAME` adds a package to pyproject.toml first, under lab. What the images could not install is refused.
Of locks in which an update left two versions, the newer version of each package is kept.
"""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import NoReturn

INDEXES = Path("/run/secrets/indexes")  # settings of .env
if INDEXES.exists():
    os.environ |= dict(line.split("=", 1) for line in INDEXES.read_text().splitlines())
PROJECT, LOCKS = Path("pyproject.toml"), Path("requirements")
PYTHON, INDEX = "{}.{}".format(*sys.version_info), os.environ.get("EXTRA_INDEX", "")
# Wheels only, except for packages that pyproject.toml names in tool.uv.no-binary-package
COMPILE = "uv pip compile pyproject.toml --quiet --universal --generate-hashes --no-annotate --only-binary :all:"
INSTALL = "uv pip install --quiet --dry-run --no-deps --require-hashes --target none --only-binary :all: --requirements"
AGAIN = ("--no-python-downloads", "--custom-compile-command", "docker compose run --rm lock")

ASKED, SOURCE = r"^\.(?:project\.dependencies|dependency-groups\.lab) = (\w[\w.-]*+)?", r"^\.tool\.uv\.sources\.(\S+)"
CONFLICT = re.compile(r"^<{7} .*?^>{7}.*?$", re.MULTILINE | re.DOTALL)  # two versions, and with diff3 what was before
NOT_TOML = (UnicodeDecodeError, RecursionError)
REFUSED = {  # as flat() shows it: why
    rf"{ASKED}.*(?:\+\w+:|ssh:|git@|\.git\b)|{SOURCE}\.git = ": "{} comes from Git, where it has no hash. Ask for a "
    "release, or for the https:// address of a wheel.",
    rf"{ASKED}(?:[^@\n]*@ *(?!https?:)\S|[.~]*/(?!/))|{SOURCE}\.(?:path|workspace|url) = (?!https?:)": "{} is on a "
    "local path, which no build sees. Move its code to src/, or ask for the https:// address of a wheel.",
    rf"{SOURCE}\.index = {'(?!extra$)' if INDEX else ''}|^\.tool\.uv\.(?:pip\.)?(index|extra-index|find-links)\b": "no "
    "build reads an index from pyproject.toml. Write its address into .env as EXTRA_INDEX, and only its name, "
    '"extra", into [tool.uv.sources].',
}


def versions(lock: Path) -> set[str]:
    """Return the `name==version` of each package in a lock; none if it does not exist yet."""
    return set(re.findall(r"(?m)^\w\S*", lock.read_text("utf-8", "replace"))) if lock.exists() else set()


def newest(lock: str) -> str:
    """Return a line for each package of a lock with conflicts: the newer of its versions, without hashes."""
    found: dict[tuple[str, ...], str] = {}
    both = re.sub(r"^\|{7}.*?(?=^={7})", "", lock, flags=re.MULTILINE | re.DOTALL)
    for name, version, marker in re.findall(r"(?m)^(\w[^=\n]*)==([^ \n]+)( ;[^\\\n]*)?", both):
        newer = [found.get((name, marker), version), version]
        found[name, marker] = max(newer, key=lambda each: list(map(int, re.findall(r"\d+", each))))
    return "".join(f"{name}=={version}{marker}\n" for (name, marker), version in found.items())


def flat(part: object, keys: str = "") -> str:
    """Return a line for each value of a TOML document, with the keys that lead to it."""
    if isinstance(part, dict):
        return "".join(flat(value, f"{keys}.{key}") for key, value in part.items())
    return "".join(flat(value, keys) for value in part) if isinstance(part, list) else f"{keys} = {part}\n"


def stop(why: str) -> NoReturn:
    """Exit with a sentence, before anything is written."""
    sys.exit(f"The locks are unchanged: {why}")


def refuse(document: dict) -> None:
    """Stop if a document asks for what the images could not install."""
    for pattern, why in REFUSED.items():
        if found := re.search(pattern, flat(document), re.MULTILINE):
            stop(why.format(next(filter(None, found.groups()), "a package")))


def uv(folder: str, command: str, *more: str, typed: str = "", also: int = 0, **settings: str) -> None:
    """Run uv in a folder; show its error and stop unless it exits with 0 or `also`."""
    line, settings = [*command.split(), *more], {**os.environ, **settings}
    done = subprocess.run(line, cwd=folder, input=typed, env=settings, capture_output=True, encoding="utf-8")
    if done.returncode in (0, also):
        return
    print(done.stderr, end="", file=sys.stderr)
    if found := re.search(r"Because (\S+==\S+) has no .*wheels|Wheels are \w+ for `(\S+)`", done.stderr):
        what = found[1] or f"each version of {found[2]} that pyproject.toml allows"
        stop(
            f"{what} has no wheel for Python {PYTHON} on {platform.system()} {platform.machine()}. Ask for another "
            'version, or have it built from source: see "Add a system library or a compiler" in README.md.'
        )
    if "Building source distributions is disabled" in done.stderr:  # as there are no dependencies that it could read
        stop('in pyproject.toml, [project] must have a list of dependencies, such as "polars>=2".')
    sys.exit("The locks are unchanged because of the error above.")


def make(folder: str, options: list[str], python: str) -> dict[Path, bytes]:
    """Make the new files in a folder, say what changed, and return the content of each."""
    made, copy = dict[Path, bytes](), Path(shutil.copytree(LOCKS, folder, dirs_exist_ok=True), PROJECT)
    text = PROJECT.read_bytes().decode("utf-8-sig")
    if found := CONFLICT.search(text):
        line = text.count("\n", 0, found.start()) + 1
        stop(
            f"in pyproject.toml, an update left two versions at line {line}. Keep what you need of both, delete the "
            "lines with <<<<<<<, ======= and >>>>>>>, and run lock again."
        )
    copy.write_text(text, encoding="utf-8", newline="")
    if options[:1] == ["--add"]:
        refuse({"dependency-groups": {"lab": options[1:]}})
        uv(folder, "uv add --quiet --frozen --no-python-downloads --group lab", *options[1:])
        made[PROJECT], options = copy.read_bytes(), []
    document = tomllib.loads(copy.read_text(encoding="utf-8"))
    refuse(document)
    asked = "\n".join(re.findall(r"(?m)^\.project\.dependencies = (.*)", flat(document)))
    uv(folder, "uv pip compile --quiet --no-deps --offline -", typed=asked, also=1)  # to read them, not to find them
    if INDEX:  # explicit: for the packages that name it, and no other
        with copy.open("a", encoding="utf-8") as file:
            file.write(f'\n[[tool.uv.index]]\nname = "extra"\nurl = {json.dumps(INDEX)}\nexplicit = true\n')
    new = set[str]()
    for name, wanted in {"lab.txt": ["--group", "lab", *options], "process.txt": []}.items():
        lock = Path(folder, name)  # uv keeps the versions in it
        if CONFLICT.search(both := lock.read_text("utf-8", "replace")):
            lock.write_text(newest(both), encoding="utf-8")
        uv(folder, COMPILE, *AGAIN, *wanted, "--python-version", python, "--output-file", name)
        old, new = versions(LOCKS / name), versions(lock)
        if old != new:
            install = f"{INSTALL} {name} --python-version {python}"
            uv(folder, install, UV_INDEX=INDEX, UV_INDEX_STRATEGY="unsafe-best-match")
        print(f"requirements/{name}: {len(new)} packages, {len(new - old)} new or changed")
        print(*[f"  {'+' if each in new else '-'} {each}\n" for each in sorted(old ^ new)], sep="", end="")
        made[LOCKS / name] = lock.read_bytes()
        Path(folder, "process.txt").write_bytes(made[LOCKS / name])  # so that process takes the versions of lab
    base = LOCKS / "base.txt"
    if not set() < versions(base) <= new or CONFLICT.search(base.read_text("utf-8", "replace")):
        made[base] = made[LOCKS / "process.txt"]
    return made


def main(options: list[str], python: str = PYTHON) -> None:
    """Write both locks, or leave everything as it is and exit with one sentence; `python` is the images' version."""
    made: dict[Path, bytes] = {}
    if "--help" in options:
        sys.exit(__doc__)
    try:
        with tempfile.TemporaryDirectory() as folder:
            made = make(folder, options, python)
        for file, content in made.items():
            file.with_suffix(".partial").write_bytes(content)
        for file in made:
            file.with_suffix(".partial").replace(file)
    except NOT_TOML:
        stop("pyproject.toml is not TOML in UTF-8. Save it in this encoding.")
    except ValueError as error:
        stop(f"pyproject.toml is not valid TOML: {error}. Correct it there.")
    except KeyboardInterrupt:
        stop("you interrupted it.")
    except OSError as error:
        for file in made:
            file.with_suffix(".partial").unlink(missing_ok=True)
        stop(f"{error.filename}: {error.strerror}.")


if __name__ == "__main__":
    main(sys.argv[1:])
