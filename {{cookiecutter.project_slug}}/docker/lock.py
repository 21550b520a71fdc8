"""Pin every package, with hashes, for both images: requirements/lab.txt and requirements/process.txt.

Both images share the layer of requirements/base.txt: an older process.txt, kept until a version in it changes, so that
adding a package is quick. Versions stay unless pyproject.toml, --upgrade or --upgrade-package NAME asks for others.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

LOCKS = Path("requirements")


def compile_lock(output: Path, *options: str) -> None:
    """Resolve pyproject.toml into `output`, keeping the versions there; exit with one sentence if that fails."""
    python = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    oldest = re.findall(r"\d+\.\d+", python)[0]  # of ">=3.13" and of ">=3.13,<3.15"
    command = "uv pip compile pyproject.toml --quiet --universal --generate-hashes --no-annotate --no-python-downloads"
    options += ("--custom-compile-command", "docker compose run --rm lock", "--output-file", str(output))
    if subprocess.run([*command.split(), "--python-version", oldest, *options], check=False).returncode:
        sys.exit("The locks are unchanged because of the error above.")


def versions(lock: Path) -> set[str]:
    """Return the `name==version` of each package in a lock; none if it does not exist yet."""
    return set(re.findall(r"(?m)^\w\S*", lock.read_text(encoding="utf-8"))) if lock.exists() else set()


def main(options: list[str]) -> None:
    """Write both locks, or neither, and say what changed."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(LOCKS, folder, dirs_exist_ok=True)
        lab, process = Path(folder, "lab.txt"), Path(folder, "process.txt")
        compile_lock(lab, "--group", "lab", *options)
        shutil.copy(lab, process)  # so that process takes the versions of lab
        compile_lock(process)
        for lock in (lab, process):
            old, new = versions(LOCKS / lock.name), versions(lock)
            print(f"requirements/{lock.name}: {len(new)} packages, {len(new - old)} new or changed")
            print(*[f"  {'+' if each in new else '-'} {each}\n" for each in sorted(old ^ new)], sep="", end="")
            shutil.copy(lock, LOCKS / f"{lock.name}.partial")
        if not set() < versions(LOCKS / "base.txt") <= versions(process):
            shutil.copy(process, LOCKS / "base.txt.partial")
        for partial in LOCKS.glob("*.partial"):
            partial.replace(partial.with_suffix(""))


if __name__ == "__main__":
    main(sys.argv[1:])
