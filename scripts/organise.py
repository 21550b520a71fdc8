"""Put the folder `organisation` of a fork over the template: `python scripts/organise.py`.

organisation/cookiecutter.json changes values of the original's; each other file replaces the template's, or adds one.
So a merge of the original conflicts with nothing: run this after it. docs/forking.md shows how.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OVER = ROOT / "organisation"


def merged(old: object, new: object, key: str = "") -> object:
    """Return a value with another one over it: objects are merged, rules are added; all else is replaced."""
    if isinstance(old, dict) and isinstance(new, dict):
        return old | {name: merged(old[name], value, name) if name in old else value for name, value in new.items()}
    if key == "_rules":
        return old + [rule for rule in new if rule not in old]
    return new


def original() -> str:
    """Return cookiecutter.json of the original that was merged last, or the file if Git knows none."""
    line = 'base=$(git merge-base HEAD upstream/main) && git show "$base:cookiecutter.json"'
    done = subprocess.run(line, shell=True, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", check=False)
    return (ROOT / "cookiecutter.json").read_text(encoding="utf-8") if done.returncode else done.stdout


def main() -> None:
    """Write the files."""
    changes = OVER / "cookiecutter.json"
    if not changes.exists():
        sys.exit("organisation/cookiecutter.json is missing: docs/forking.md shows what goes there.")
    try:
        options = merged(json.loads(original()), json.loads(changes.read_text(encoding="utf-8")))
    except ValueError as error:
        sys.exit(f"organisation/cookiecutter.json is not JSON: {error}. Correct it there.")
    shutil.copytree(OVER, ROOT, dirs_exist_ok=True)
    text = json.dumps(options, indent=2, ensure_ascii=False)
    (ROOT / changes.name).write_text(f"{text}\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
