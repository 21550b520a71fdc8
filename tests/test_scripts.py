"""The commands that CONTRIBUTING.md has for whoever works on the template."""

import re
from functools import partial

import pytest
import shown
from programs import SOMEBODY, commit_all, git, run, shell
from template import ROOT, TREE

CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_the_locks_are_what_the_script_makes(fork) -> None:
    shown.run(partial(shell, fork), CONTRIBUTING, "python scripts/lock.py")
    made = ["cookiecutter.json", "local_extensions/reserved_names.txt"]
    for name in (*made, *(f"{TREE.name}/requirements/{each}.txt" for each in ("base", "lab", "process"))):
        assert (fork / name).read_text() == (ROOT / name).read_text(), f"{name}: run python scripts/lock.py"


def test_a_release_is_dated_committed_and_tagged(upstream) -> None:
    release = partial(shell, upstream, **SOMEBODY)
    shown.run(release, CONTRIBUTING, "python scripts/release.py", {"1.0.0": "1.0.0 tests/test_readme.py"})
    text = (upstream / "CHANGELOG.md").read_text()
    assert re.search(r"^## Unreleased\n\n## 1\.0\.0 \(\d{4}-\d\d-\d\d\)\n\n### ", text, re.MULTILINE)
    assert git(upstream, "log", "-1", "--format=%s %D").startswith("Release 1.0.0 HEAD -> main, tag: 1.0.0")
    assert git(upstream, "status", "--porcelain") == ""


@pytest.mark.parametrize("case", ["dirty", "red", "old", "no version", "empty"])
def test_what_is_not_ready_is_not_released(upstream, case) -> None:
    version = "1.1.0"
    git(upstream, "tag", "1.0.0")
    (upstream / "tests/test_one.py").write_text(f"def test_one():\n    assert {case != 'red'}\n")
    if case == "empty":
        text = (upstream / "CHANGELOG.md").read_text()
        (upstream / "CHANGELOG.md").write_text(text.replace("## Unreleased\n", "## Unreleased\n\n## 1.0.0\n"))
    if case != "dirty":
        commit_all(upstream, "More")
    version = {"old": "0.9.9", "no version": "next"}.get(case, version)
    before = git(upstream, "rev-parse", "HEAD"), (upstream / "CHANGELOG.md").read_text()
    said = run(upstream, "python", "scripts/release.py", version, "tests/test_one.py", code=1, **SOMEBODY)
    reason = {
        "dirty": "not committed",
        "red": "the tests above fail",
        "old": "0.9.9 is not newer than 1.0.0",
        "no version": "next is not a version such as 1.2.3",
        "empty": "has nothing below",
    }
    assert reason[case] in said
    assert "Traceback" not in said
    assert (git(upstream, "rev-parse", "HEAD"), (upstream / "CHANGELOG.md").read_text()) == before
    assert git(upstream, "tag").split() == ["1.0.0"]


def test_a_commit_to_the_template_is_checked_first(fork) -> None:
    run(fork, "git", "init", "--quiet")
    shown.run(partial(shell, fork), CONTRIBUTING, "pre-commit install")
    assert "pre-commit" in (fork / ".git/hooks/pre-commit").read_text()
    run(fork, "pre-commit", "validate-config", ".pre-commit-config.yaml")


def test_the_benchmarks_measure_a_bake(fork) -> None:
    """Only that, as the others take long, and an engine."""
    said = shown.run(partial(shell, fork), CONTRIBUTING, "python benchmarks", {"benchmarks": "benchmarks bake"})
    assert float(said.split()[-1]) > 0.5
