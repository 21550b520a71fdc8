"""What the template offers, read from cookiecutter.json: options, choices, rules, variants."""

import itertools
import json
import random
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TREE = ROOT / "{{cookiecutter.project_slug}}"
# The documents that tests make
WRITE = ".venv/bin/python -m pytest tests/test_readme.py tests/test_choices.py tests/test_security.py --write"
CONTEXT = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
OPTIONS = {name: value for name, value in CONTEXT.items() if not name.startswith("_")}
CHOICES = {name: value for name, value in OPTIONS.items() if isinstance(value, list)}

# Versions of Python, the oldest first
PYTHONS = sorted(CHOICES["python_version"], key=lambda version: [int(part) for part in version.split(".")])

# Options whose choices change a few lines of text, or add files of their own, and no behaviour; with these files and
# folders. Their other choices are tried with the defaults of all other options: tests/test_choices.py proves that
# nothing else depends on them, and tests/test_kubernetes.py tries what the manifests depend on.
LOCAL = {
    "license": {"Dockerfile", "LICENSE", "pyproject.toml"},
    "kubernetes": {"README.md", "deploy/kubernetes/", "docs/kubernetes.md", "docs/scale.md"},
}
SHAPING = [option for option in CHOICES if option not in LOCAL]
# Of these, whose choices change what the engine builds and runs. A CI system reads files that nothing else does:
# tests/test_choices.py proves it, and tests/test_engine_ci.py runs them.
BUILT = [option for option in SHAPING if option != "ci"]

# What people type, and what means something in some language that it lands in
HOSTILE = [
    """quotes " ' ` and \\ backslash""",
    "yes",
    "null",
    "1.0",
    "# not a comment: $HOME ${PATH} %d %(x)s $$",
    "- [ ] *markdown* | _table_ | <b>bold</b> & &amp; ~~~",
    "key: value, [list], {map} !tag &anchor *alias",
    "'''triple''' \"\"\"quotes\"\"\"",
    "$(touch pwned) `touch pwned` ; rm -rf . && true",
    "\u6570\u636e\u79d1\u5b66 \u0414\u0430\u043d\u043d\u044b\u0435 "
    "\u0628\u064a\u0627\u0646\u0627\u062a \u05e0\u05ea\u05d5\u05e0\u05d9\u05dd",
    "\U0001f427 and \U0001f1e6\U0001f1f6 and \u202eright to left",
    "x" * 300,
]

Variant = dict[str, str]


def broken_rule(variant: Variant, rules: list[dict] = CONTEXT["_rules"]) -> str:
    """Return the sentence of the first rule about choices that a variant breaks, or nothing."""
    for rule in rules:
        when, unless = rule.get("when", {}), rule.get("unless", {})
        if {*when, *unless} <= variant.keys() and meets(variant, when) and not (unless and meets(variant, unless)):
            return rule["say"]
    return ""


def meets(variant: Variant, wanted: dict[str, list[str] | str]) -> bool:
    """Return whether a variant has one of the choices of each option, which can be a regular expression."""
    return all(
        re.fullmatch(some, variant[option]) if isinstance(some, str) else variant[option] in some
        for option, some in wanted.items()
    )


def variants() -> list[Variant]:
    """Return every combination of choices that no rule refuses, the defaults first."""
    pools = [choices[:1] if option in LOCAL else choices for option, choices in CHOICES.items()]
    product = [dict(zip(CHOICES, values, strict=True)) for values in itertools.product(*pools)]
    product += [product[0] | {option: choice} for option in LOCAL for choice in CHOICES[option][1:]]
    return [variant for variant in product if not broken_rule(variant)]


def refused() -> list[tuple[Variant, str]]:
    """Return every combination of choices that a rule refuses, with its sentence."""
    product = [dict(zip(CHOICES, values, strict=True)) for values in itertools.product(*CHOICES.values())]
    return [(variant, sentence) for variant in product if (sentence := broken_rule(variant))]


def name(variant: Variant) -> str:
    """Return a short name for a variant, for test ids and for messages."""
    return "-".join(variant.values())


def tuples(row: Variant, options: list[str], together: int = 2) -> set[tuple]:
    """Return the combinations of `together` choices that a variant has: pairs, unless told otherwise."""
    choices = [(option, row[option]) for option in options]
    return set(itertools.combinations(choices, min(together, len(options))))


def covering(rows: list[Variant], options: list[str], together: int = 2) -> list[Variant]:
    """Return a few of `rows`, the first one always, in which each combination of choices that `rows` has occurs.

    Takes what adds most, again and again; of several orders to start from, the one that needs the fewest rows.
    """
    having = [(row, tuples(row, options, together)) for row in rows]
    everything = set().union(*(found for _, found in having))
    best: list[Variant] = rows
    for seed in range(20):
        order = having[1:]
        random.Random(seed).shuffle(order)
        chosen, wanted = [having[0][0]], everything - having[0][1]
        while wanted:
            row, found = max(order, key=lambda each, wanted=wanted: len(each[1] & wanted))
            chosen.append(row)
            wanted = wanted - found
        best = min(best, chosen, key=len)
    return best


def built(together: int = 2) -> list[Variant]:
    """Return the variants that the engine builds: a cover of all combinations of so many choices."""
    others = [option for option in CHOICES if option not in BUILT]
    return covering(
        [row for row in variants() if all(row[each] == CHOICES[each][0] for each in others)], BUILT, together
    )


def tracked(folder: str = ".") -> list[str]:
    """Return the files that git would give to whoever clones this repository, relative to `folder`."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "."]
    done = subprocess.run(command, cwd=ROOT / folder, capture_output=True, check=True)
    return [file for file in done.stdout.decode().split("\0") if file and (ROOT / folder / file).exists()]
