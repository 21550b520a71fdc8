"""Pin every package, with hashes, for both images: requirements/lab.txt and requirements/process.txt.

requirements/base.txt is the older part of process.txt: the layer that both images start from. It stays as it is while
packages are only added, so that adding one is quick, and becomes process.txt again when a version in it changes.

Runs as `docker compose run --rm lock`. Versions stay as they are unless pyproject.toml asks for others;
`docker compose run --rm lock --upgrade` takes the newest, `--upgrade-package NAME` the newest of one.
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
    """Resolve pyproject.toml into `output`, keeping the versions that `output` already holds.

    Raises subprocess.CalledProcessError when the requirements contradict each other or a package is not to be had.
    """
    python = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
    oldest = re.findall(r"\d+\.\d+", python)[0]  # of ">=3.13" and of ">=3.13,<3.15"
    command = ["uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes"]
    command += ["--python-version", oldest, "--no-python-downloads", "--no-annotate"]
    command += ["--custom-compile-command", "docker compose run --rm lock", "--output-file", str(output), *options]
    subprocess.run([*command, "pyproject.toml"], check=True, stdout=subprocess.DEVNULL)


def versions(lock: Path) -> set[str]:
    """Return the `name==version` of each package in a lock; none where there is no lock yet."""
    lines = lock.read_text(encoding="utf-8").splitlines() if lock.exists() else []
    return {line.split(" ")[0] for line in lines if line[:1].isalnum()}


def main(options: list[str]) -> None:
    """Write both locks, or neither, and say what changed."""
    with tempfile.TemporaryDirectory() as folder:
        lab, process = Path(folder, "lab.txt"), Path(folder, "process.txt")
        if (LOCKS / lab.name).exists():
            shutil.copy(LOCKS / lab.name, lab)
        try:
            compile_lock(lab, "--group", "lab", *options)
            # Seeded with the lock of lab, the lock of process takes the same versions.
            shutil.copy(lab, process)
            compile_lock(process)
        except subprocess.CalledProcessError:
            sys.exit(
                "The locks are unchanged: no set of versions satisfies pyproject.toml, "
                "or the package index did not answer (see above)."
            )
        for lock in (lab, process):
            old, new = versions(LOCKS / lock.name), versions(lock)
            print(f"requirements/{lock.name}: {len(new)} packages, {len(new - old)} new or changed")
            print(*[f"  - {package}\n" for package in sorted(old - new)], sep="", end="")
            print(*[f"  + {package}\n" for package in sorted(new - old)], sep="", end="")
            shutil.copy(lock, LOCKS / f"{lock.name}.partial")
        if not set() < versions(LOCKS / "base.txt") <= versions(process):
            shutil.copy(process, LOCKS / "base.txt.partial")
        for partial in LOCKS.glob("*.partial"):
            partial.replace(partial.with_suffix(""))


if __name__ == "__main__":
    main(sys.argv[1:])
