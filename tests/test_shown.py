"""A complete run fails if a command that a document shows was not run."""

import subprocess
import sys
from pathlib import Path

import pytest
import shown

DOCUMENT = "Make it with `git init`.\n\n```sh\ndocker compose build\ndocker compose build --pull\n```\n"
SUITE = f"""
import pytest, shown
def test_expected():
    shown.expect("README.md", {DOCUMENT!r})
def test_git():
    shown.run(str, {DOCUMENT!r}, "git")
def test_other():
    shown.run(str, {DOCUMENT!r}, "docker compose build")
def test_last():
    LAST
"""
RUN_IT = f'shown.run(str, {DOCUMENT!r}, "docker compose build --pull")'


@pytest.mark.parametrize(
    ("last", "options", "code"),
    [
        (RUN_IT, (), 0),
        ("pass", (), 1),
        ("pass", ("-k", "not last"), 0),
        ("pass", ("tests/test_it.py",), 0),
        ("pytest.skip('no engine')", (), 0),
        (RUN_IT, ("-n", "2"), 0),
        ("pass", ("-n", "2"), 1),
        ("pytest.skip('no engine')", ("-n", "2"), 0),
    ],
    ids=[
        "all run",
        "one not run",
        "deselected",
        "one file only",
        "skipped",
        "all in two",
        "one not in two",
        "skipped in two",
    ],
)
def test_a_command_that_is_never_run_fails_the_run(tmp_path, last, options, code) -> None:
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {Path(shown.__file__).parent}\n")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/conftest.py").write_text('pytest_plugins = ["shown"]\n')
    (tmp_path / "tests/test_it.py").write_text(SUITE.replace("LAST", last))
    (tmp_path / "tests/test_more.py").write_text("def test_more():\n    pass\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == code, done.stdout
    assert ("README.md shows `docker compose build --pull`, which no test has run" in done.stdout) == bool(code)


def test_a_command_is_run_as_it_is_shown() -> None:
    document = "Try `git x`, `git y --one` or `git y --two`."  # not a real command: this does not count as its run
    assert shown.run(str.upper, document, "git x", {"x": "z"}) == "GIT Z"
    with pytest.raises(AssertionError, match="shows 0 commands"):
        shown.run(str, document, "cruft update")
    with pytest.raises(AssertionError, match="shows 2 commands"):
        shown.run(str, document, "git y")
    with pytest.raises(AssertionError, match="does not have"):
        shown.run(str, document, "git x", {"clone": "init"})
