"""What the template offers, read from cookiecutter.json: options, choices, rules, variants."""

import itertools
import json
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TREE = ROOT / "{{cookiecutter.project_slug}}"
CONTEXT = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
OPTIONS = {name: value for name, value in CONTEXT.items() if not name.startswith("_")}
CHOICES = {name: value for name, value in OPTIONS.items() if isinstance(value, list)}

Variant = dict[str, str]


def broken_rule(variant: Variant, rules: list[dict] = CONTEXT["_rules"]) -> str:
    """Return the sentence of the first rule that a variant breaks, or nothing."""
    for rule in rules:
        if all(variant[option] in choices for option, choices in rule["when"].items()):
            return rule["say"]
    return ""


def variants() -> list[Variant]:
    """Return every combination of choices that no rule refuses, the defaults first."""
    product = (dict(zip(CHOICES, values, strict=True)) for values in itertools.product(*CHOICES.values()))
    return [variant for variant in product if not broken_rule(variant)]


def name(variant: Variant) -> str:
    """Return a short name for a variant, for test ids and for messages."""
    return "-".join(variant.values())


def covering(rows: list[Variant], options: list[str]) -> list[Variant]:
    """Return a few of `rows`, the first one always, in which each pair of choices that `rows` has occurs."""

    def pairs(row: Variant) -> set:
        return set(itertools.combinations([(option, row[option]) for option in options], min(2, len(options))))

    chosen = rows[:1]
    wanted = set().union(*map(pairs, rows)) - pairs(rows[0])
    while wanted:
        best = max(rows, key=lambda row: len(pairs(row) & wanted))
        chosen.append(best)
        wanted -= pairs(best)
    return chosen


def tracked(folder: str = ".") -> list[str]:
    """Return the files that git would give to whoever clones this repository, relative to `folder`."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "."]
    done = subprocess.run(command, cwd=ROOT / folder, capture_output=True, check=True)
    return [file for file in done.stdout.decode().split("\0") if file and (ROOT / folder / file).exists()]
