"""Put the folder `organisation` of a fork over the template: `python scripts/organise.py`.

organisation/cookiecutter.json changes values of cookiecutter.json; each other file takes the place of the template's,
or adds one. So a merge of the original conflicts with nothing: run this after it. docs/forking.md shows how.
"""

import json
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OVER = ROOT / "organisation"


def merged(old: object, new: object) -> object:
    """Return a value with another one over it: objects are merged, key by key; all else is replaced."""
    if isinstance(old, dict) and isinstance(new, dict):
        return old | {key: merged(old[key], value) if key in old else value for key, value in new.items()}
    return new


def main() -> None:
    """Write the files."""
    changes = OVER / "cookiecutter.json"
    if not changes.exists():
        sys.exit("organisation/cookiecutter.json is missing: docs/forking.md shows what goes there.")
    try:
        options = merged(*(json.loads(file.read_text(encoding="utf-8")) for file in (ROOT / changes.name, changes)))
    except ValueError as error:
        sys.exit(f"organisation/cookiecutter.json is not JSON: {error}. Correct it there.")
    shutil.copytree(OVER, ROOT, dirs_exist_ok=True)
    text = json.dumps(options, indent=2, ensure_ascii=False)
    (ROOT / changes.name).write_text(f"{text}\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
