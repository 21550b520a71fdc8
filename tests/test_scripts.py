"""The commands that CONTRIBUTING.md has for whoever works on the template."""

from functools import partial

import shown
from programs import run, shell
from template import ROOT, TREE

CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_the_locks_are_what_the_script_makes(fork) -> None:
    shown.run(partial(shell, fork), CONTRIBUTING, "python scripts/lock.py")
    made = ["cookiecutter.json", "local_extensions/reserved_names.txt"]
    for name in (*made, *(f"{TREE.name}/requirements/{each}.txt" for each in ("base", "lab", "process"))):
        assert (fork / name).read_text() == (ROOT / name).read_text(), f"{name}: run python scripts/lock.py"


def test_a_commit_to_the_template_is_checked_first(fork) -> None:
    run(fork, "git", "init", "--quiet")
    shown.run(partial(shell, fork), CONTRIBUTING, "pre-commit install")
    assert "pre-commit" in (fork / ".git/hooks/pre-commit").read_text()
    run(fork, "pre-commit", "validate-config", ".pre-commit-config.yaml")


def test_the_benchmarks_measure_a_bake(fork) -> None:
    """Only that, as the others take long, and an engine."""
    said = shown.run(partial(shell, fork), CONTRIBUTING, "python benchmarks", {"benchmarks": "benchmarks bake"})
    assert float(said.split()[-1]) > 0.5
