"""A plugin of pytest: say at the end what was baked, built and caught, and what it cost."""

import ast
import itertools
from collections import Counter

import baking
import pytest
from template import BUILT, ROOT, Variant, name, variants

PROVED: list[tuple[Variant, list[str]]] = []  # each variant on the engine, and what it has proved
DURATIONS: Counter[str] = Counter()  # seconds by file
FIGURES: list[str] = []  # sentences of single tests
CAUGHT: Counter[str] = Counter()  # deliberate defects by outcome
TOLD: list[list] = [PROVED, FIGURES, baking.TIMES, baking.VARIANTS]  # what a process of pytest-xdist hands over


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add up what each file of tests takes, and count the deliberate defects that were caught."""
    DURATIONS[report.location[0]] += report.duration
    if report.when == "call" and "test_a_defect_is_caught" in report.nodeid:
        CAUGHT[report.outcome] += 1


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node) -> None:
    """Take over what a process of pytest-xdist has gathered; it sends reports by itself."""
    for own, other in zip(TOLD, getattr(node, "workeroutput", {}).get("told", []), strict=False):
        own.extend(other)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand over what this process of pytest-xdist has gathered."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["told"] = TOLD


def pytest_terminal_summary(terminalreporter) -> None:
    """Print the summary."""
    for line in itertools.chain(bakes(), FIGURES, defects(), engine(), durations()):
        terminalreporter.write_line(line)


def bakes() -> list[str]:
    """Say how many projects were baked, and how long one takes."""
    if not baking.TIMES:
        return []
    middle = sorted(baking.TIMES)[len(baking.TIMES) // 2] * 1000
    return [
        f"{len({*map(name, baking.VARIANTS)} & {*map(name, variants())})} of {len(variants())} variants baked",
        f"{len(baking.TIMES)} bakes in all, with forks and odd answers; {middle:.0f} ms of CPU each (median)",
    ]


def defects() -> list[str]:
    """Say how many deliberate defects were caught."""
    return [f"{CAUGHT['passed']} of {CAUGHT.total()} deliberate defects caught"] if CAUGHT else []


def engine() -> list[str]:
    """Say what each variant on the engine has proved, and which pairs of choices were built."""
    if not PROVED:
        return []
    lines = [f"{len(PROVED)} variants built and used by the engine:"]
    for row, facts in PROVED:
        lines += [f"  {name(row)}", *(f"    {fact}" for fact in facts)]
    lines.append("pairs of choices that the engine built, of those that the rules allow:")
    for one, two in itertools.combinations(BUILT, 2):
        have = {(row[one], row[two]) for row, facts in PROVED if facts}
        wanted = {(variant[one], variant[two]) for variant in variants()}
        missing = ", not " + ", ".join(map("-".join, sorted(wanted - have))) if wanted - have else ""
        lines.append(f"  {one + ' x ' + two:<32} {len(have)} of {len(wanted)}{missing}")
    return lines


def durations() -> list[str]:
    """Say what each file of tests took, with its docstring."""
    lines = []
    for file, seconds in DURATIONS.most_common():
        if seconds > 1:
            layer = ast.get_docstring(ast.parse((ROOT / file).read_text(encoding="utf-8")))
            lines.append(f"{seconds:7.0f} s {file}: {layer.splitlines()[0]}")
    return lines
