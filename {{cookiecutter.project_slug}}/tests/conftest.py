"""What the tests share: the command line in an empty folder, and inputs made from the sample, whatever its columns."""

import importlib
import shutil
import sys
from collections import abc
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import polars as pl
import pytest

from {{ cookiecutter.package_name }} import __main__ as cli
from {{ cookiecutter.package_name }} import data, table


def pytest_sessionstart() -> None:
    """Refuse packages that are older than the locks."""
    try:
        cli.require_current_packages()
    except cli.PipelineError as error:
        pytest.exit(str(error), 2)


class Done(NamedTuple):
    """What a call of the command line left: its exit code and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> abc.Callable[..., Done]:
    """Return a function that calls the command line in the empty folder `tmp_path`, as a user would."""
    monkeypatch.chdir(tmp_path)
    for name in cli.Settings.model_fields:
        monkeypatch.delenv(f"PIPELINE_{name.upper()}", raising=False)

    def call(*arguments: object, program: ModuleType = cli) -> Done:
        monkeypatch.setattr(sys, "argv", ["pipeline", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            program.main()
        said = capsys.readouterr()
        return Done(stop.value.code or 0, said.out, said.err)

    return call


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> abc.Callable[[str], ModuleType]:
    """Return a function that imports a module of a copy of the package, as its files are now: `adopt` changes them."""
    shutil.copytree(Path(cli.__file__).parent, tmp_path / "src/copied", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.syspath_prepend(tmp_path / "src")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def load(name: str) -> ModuleType:
        for module in [each for each in sys.modules if each.partition(".")[0] == "copied"]:
            del sys.modules[module]
        return importlib.import_module(f"copied.{name}")

    return load


@pytest.fixture
def sample() -> pl.DataFrame:
    """Return the sample as it is in its file: every cell a text."""
    rows = pl.read_csv(data.SAMPLE, infer_schema=False, null_values=["", "NA"])
    return rows.rename(lambda name: name.replace('""', '"'))  # polars leaves quotes doubled


@pytest.fixture
def wrong() -> list[tuple[str, str | None, str]]:
    """Return columns, values that schema.py does not allow in them, and what is said of these."""
    found: list[tuple[str, str | None, str]] = []
    for name, column in table.COLUMNS.items():
        kind, values = table.TYPES[name], table.VALUES.get(name, [])
        if kind.is_numeric():
            found += [(name, "long", "'long' is not a"), (name, "3,750", "; write it with a decimal point")]
            found += [(name, str(max(values) + 1), " is not one of: ")] if values else []
        elif not table.is_text(name) or values:
            found.append((name, "no such", "'no such' is not "))
        if kind.is_integer():
            found.append((name, "2007.5", "'2007.5' is not a whole number"))
        for rule in column.checks:
            bound = next(iter(rule.statistics.values()), None)
            if kind.is_numeric() and rule.name == "greater_than_or_equal_to":
                found.append((name, str(bound - max(1, abs(bound))), " is below "))
            if kind.is_numeric() and rule.name == "less_than_or_equal_to":
                found.append((name, str(bound + max(1, abs(bound))), " is above "))
                found += [(name, "inf", "inf is above ")] if kind.is_float() else []
        if not column.nullable:
            found.append((name, None, "a value is missing"))
    return found
#% for fragment in cookiecutter | fragments('conftest.py')
#% include fragment
#% endfor
