"""Release a version: `python scripts/release.py 1.0.0`.

Refuses a working tree with changes, a version that is not newer, and tests that fail; arguments after the version go to
pytest. Then dates the entry in CHANGELOG.md, commits it and tags the commit. Nothing is pushed.
"""

import datetime
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHANGELOG = ROOT / "CHANGELOG.md"
HEAD = "## Unreleased\n"


def git(*arguments: str) -> str:
    """Return what git says."""
    return subprocess.run(["git", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def numbers(version: str) -> list[int]:
    """Return the parts of a version such as 1.2.3. Exits if it is none."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        sys.exit(f"{version} is not a version such as 1.2.3.")
    return [int(part) for part in version.split(".")]


def main(version: str = "", *tests: str) -> None:
    """Check, test, write, commit and tag; exit with a sentence if something is not ready."""
    released = max([numbers(tag) for tag in git("tag").split() if re.fullmatch(r"\d+\.\d+\.\d+", tag)], default=[0])
    if numbers(version) <= released:
        sys.exit(f"{version} is not newer than {'.'.join(map(str, released))}.")
    if changed := git("status", "--porcelain"):
        sys.exit(f"These files are not committed: commit them, or put them away.\n{changed}")
    before, head, after = CHANGELOG.read_text(encoding="utf-8").partition(HEAD)
    if not re.match(r"\s*(?!## )\S", after):
        sys.exit(f"CHANGELOG.md has nothing below {HEAD.strip()!r}: write what an update changes, and what to do.")
    needed = os.environ | {"REQUIRE_ENGINE": "1"}  # no test is skipped
    if subprocess.run([sys.executable, "-m", "pytest", *tests], cwd=ROOT, env=needed).returncode:
        sys.exit("Not released: the tests above fail.")
    dated = f"{before}{head}\n## {version} ({datetime.date.today()})\n{after}"
    CHANGELOG.write_text(dated, encoding="utf-8", newline="\n")
    git("commit", "--quiet", "--message", f"Release {version}", "--", CHANGELOG.name)
    git("tag", "--annotate", "--message", f"Release {version}", version)
    print(f"Released {version}. To publish it: git push --follow-tags")


if __name__ == "__main__":
    main(*sys.argv[1:])
