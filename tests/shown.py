"""A plugin of pytest: every command that a document shows is run by a test, word for word.

A test takes a command with `run`, which finds it in the document's text. At the end of a complete run (every test
selected, none skipped) the run fails if a command was shown to `expect` that no test has run.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

Answer = TypeVar("Answer")

EXPECTED: dict[str, str] = {}  # command -> a document that shows it
DONE: set[str] = set()
LEFT_OUT: list[str] = []  # tests that were deselected or skipped
MISSED: list[str] = []  # a sentence for each command that a complete run has not run

SHELL_BLOCK = re.compile(r"^```sh\n(.+?)\n```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(
    r"`((?:docker|kubectl|make|pre-commit|python3?|cookiecutter|cruft|git|\.venv/bin/\S+) (?!\|)[^`\n]+)`"
)


def commands(markdown: str) -> list[str]:
    """Return the commands that a document shows, in its order: lines of shell blocks, and `commands` in the text."""
    found = []
    for number, part in enumerate(re.split(SHELL_BLOCK, markdown)):
        found += part.splitlines() if number % 2 else COMMAND.findall(part)
    return list(dict.fromkeys(found))


def documents(project: Path) -> str:
    """Return the text of a project's README.md and docs/, one after the other."""
    return "\n".join(file.read_text("utf-8") for file in (project / "README.md", *sorted(project.glob("docs/*.md"))))


def expect(document: str, markdown: str) -> None:
    """Demand that a complete run has run every command of a document."""
    EXPECTED.update(dict.fromkeys(commands(markdown), document))


def run(runner: Callable[[str], Answer], markdown: str, start: str, changes: dict[str, str] | None = None) -> Answer:
    """Let `runner` run the one command of a document that starts with `start`, and return its answer.

    `changes` replaces parts of the command that cannot be the same in a test, such as a port. Raises AssertionError if
    the document does not show exactly one such command; one that equals `start` is preferred.
    """
    shown = commands(markdown)
    found = [start] if start in shown else [command for command in shown if command.startswith(start)]
    assert len(found) == 1, f"the document shows {len(found)} commands that start with {start!r}: {found}"
    changed = found[0]
    for old, new in (changes or {}).items():
        assert old in changed, f"{changed!r} does not have {old!r}"
        changed = changed.replace(old, new)
    answer = runner(changed)
    DONE.add(found[0])
    return answer


def apply_diffs(project: Path, document: str) -> None:
    """Edit the files of a project as the `diff` blocks of a document say; each follows the name of its file.

    Raises AssertionError if a file has a block's old lines not once.
    """
    file = None
    for named, block in re.findall(r"^In `([^`]+)`:$|^```diff\n(.*?)^```$", document, re.MULTILINE | re.DOTALL):
        file = project / named if named else file
        if block:
            lines = block.splitlines(keepends=True)
            old, new = ("".join(line[1:] for line in lines if line[0] in kept) for kept in (" -", " +"))
            assert file.read_text().count(old) == 1, f"{file}: {old}"
            file.write_text(file.read_text().replace(old, new))


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Note that the run is not complete."""
    LEFT_OUT.extend(item.nodeid for item in items)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note that the run is not complete."""
    if report.skipped:
        LEFT_OUT.append(report.nodeid)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Note that the run is not complete."""
    every_file = set((session.config.rootpath / "tests").glob("test_*.py"))
    LEFT_OUT.extend(file.name for file in every_file - {item.path for item in session.items})


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node) -> None:
    """Take over what a process of pytest-xdist has noted."""
    expected, done, left_out = getattr(node, "workeroutput", {}).get("shown", ({}, [], ["a process that died"]))
    EXPECTED.update(expected)
    DONE.update(done)
    LEFT_OUT.extend(left_out)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail a complete run that has not run every command."""
    if hasattr(session.config, "workeroutput"):  # of a process of pytest-xdist
        session.config.workeroutput["shown"] = (EXPECTED, [*DONE], LEFT_OUT)
    elif exitstatus == pytest.ExitCode.OK and not LEFT_OUT:
        missed = sorted(EXPECTED.keys() - DONE)
        MISSED.extend(f"{EXPECTED[command]} shows `{command}`, which no test has run" for command in missed)
    if MISSED:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter) -> None:
    """Say which commands were not run."""
    for sentence in MISSED:
        terminalreporter.write_line(sentence, red=True)
