"""Pin every package, with hashes, for both images: requirements/lab.txt and requirements/process.txt.

Both images share the layer of requirements/base.txt: an older process.txt, kept until a version in it changes, so that
adding a package is quick. Versions stay unless pyproject.toml, --upgrade or --upgrade-package NAME asks for others.
`--add NAME` adds a package to pyproject.toml first, under lab.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

PROJECT, LOCKS = Path("pyproject.toml"), Path("requirements")
COMPILE = "uv pip compile pyproject.toml --quiet --universal --generate-hashes --no-annotate --no-python-downloads"
AGAIN = ("--custom-compile-command", "docker compose run --rm lock")


def versions(lock: Path) -> set[str]:
    """Return the `name==version` of each package in a lock; none if it does not exist yet."""
    return set(re.findall(r"(?m)^\w\S*", lock.read_text(encoding="utf-8"))) if lock.exists() else set()


def main(options: list[str]) -> None:
    """Write both locks and say what changed, or leave everything as it is and exit with one sentence."""
    before, made = PROJECT.read_bytes(), dict[str, bytes]()
    try:
        if options[:1] == ["--add"]:
            subprocess.run(["uv", "add", "--quiet", "--frozen", "--group", "lab", *options[1:]], check=True)
            options = []
        python = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["requires-python"]
        oldest = re.findall(r"\d+\.\d+", python)[0]  # of ">=3.13" and of ">=3.13,<3.15"
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(LOCKS, folder, dirs_exist_ok=True)
            for name, wanted in {"lab.txt": ["--group", "lab", *options], "process.txt": []}.items():
                lock = Path(folder, name)  # uv keeps the versions in it
                command = [*COMPILE.split(), "--python-version", oldest, *AGAIN, *wanted, "--output-file", str(lock)]
                subprocess.run(command, check=True)
                old, new = versions(LOCKS / name), versions(lock)
                print(f"requirements/{name}: {len(new)} packages, {len(new - old)} new or changed")
                print(*[f"  {'+' if each in new else '-'} {each}\n" for each in sorted(old ^ new)], sep="", end="")
                made[name] = lock.read_bytes()
                Path(folder, "process.txt").write_bytes(made[name])  # so that process takes the versions of lab
            if not set() < versions(LOCKS / "base.txt") <= new:
                made["base.txt"] = made["process.txt"]
    except subprocess.CalledProcessError:  # uv has said why
        PROJECT.write_bytes(before)
        sys.exit("The locks are unchanged because of the error above.")
    for name, content in made.items():
        (LOCKS / f"{name}.partial").write_bytes(content)
    for name in made:
        (LOCKS / f"{name}.partial").replace(LOCKS / name)


if __name__ == "__main__":
    main(sys.argv[1:])
