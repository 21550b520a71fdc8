"""Each choice touches the files that docs/choices.md says it touches, and no other."""

import hashlib
import itertools
import re
from collections import defaultdict

import pytest
from template import BUILT, CHOICES, LOCAL, ROOT, WRITE, Variant, variants

HEAD = f"""# What each choice touches

Against the default of the same option, whatever else is chosen. Made by the tests; after a change of the template run
`{WRITE}`.

| option | choice | files that it adds or takes away | files that it changes |
| --- | --- | --- | --- |
"""


@pytest.fixture(scope="module")
def hashes(bake) -> dict[tuple, dict[str, str]]:
    """Return, by the choices of each variant, the hash of each file; .env is another in every project."""
    found = {}
    for variant in variants():
        files = bake(**variant).files
        found[tuple(variant.items())] = {
            name: hashlib.sha256(content).hexdigest() for name, content in files.items() if name != ".env"
        }
    return found


def touched(hashes: dict[tuple, dict[str, str]]) -> dict[tuple[str, str], tuple[set[str], set[str]]]:
    """Return, for each choice that is no default, the files it adds or takes away, and those it changes."""
    found = {(option, choice): (set(), set()) for option, choices in CHOICES.items() for choice in choices[1:]}
    for key, files in hashes.items():
        variant: Variant = dict(key)
        for option, choice in variant.items():
            other = hashes.get(tuple((variant | {option: CHOICES[option][0]}).items()))
            if choice != CHOICES[option][0] and other is not None:
                some, changed = found[option, choice]
                some |= files.keys() ^ other.keys()
                changed |= {name for name in files.keys() & other.keys() if files[name] != other[name]}
    return found


def test_each_choice_touches_what_the_document_says(hashes, bake, document) -> None:
    rows, context = [], bake().context
    for (option, choice), (some, changed) in touched(hashes).items():
        names = (", ".join(f"`{name}`" for name in sorted(each)) for each in (some, changed))
        rows.append(f"| `{option}` | {choice} | {' | '.join(names)} |\n".replace("|  |", "| |"))
    text = (HEAD + "".join(rows)).replace(f"/{context['package_name']}/", "/<package>/")
    document(ROOT / "docs/choices.md", text)


def test_the_engine_sees_nothing_of_an_option_that_it_need_not_build(hashes) -> None:
    seen = re.compile("compose|Dockerfile|docker/|production/compose|requirements/|src/|tests/|pyproject.toml")
    for (option, choice), (some, changed) in touched(hashes).items():
        if option not in BUILT and option not in LOCAL:
            assert not [file for file in {*some, *changed} if seen.match(file)], (option, choice)


def test_a_local_option_looks_at_no_other_and_no_other_at_it(hashes, bake) -> None:
    """An option in LOCAL is tried with the defaults of all others: so its effect must be the same everywhere."""
    for option, files in LOCAL.items():
        for choice in CHOICES[option][1:]:
            effects = defaultdict(set)
            for row in itertools.islice(variants(), 0, None, 37):
                here, there = bake(**row).files, bake(**row | {option: choice}).files
                different = {name for name in here.keys() & there.keys() if here[name] != there[name]} - {".env"}
                touched_here = different | (here.keys() ^ there.keys())
                assert all(name.startswith(tuple(files)) for name in touched_here), (row, touched_here)
                for name in different:
                    old, new = here[name].decode().splitlines(), there[name].decode().splitlines()
                    effects[name].add((frozenset(old) - set(new), frozenset(new) - set(old)))
            assert all(len(each) == 1 for each in effects.values()), effects
