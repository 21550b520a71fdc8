"""What the tests share: the command line in an empty folder, and inputs made from the sample."""

import sys
from collections import abc
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest

from {{ cookiecutter.package_name }} import __main__ as cli
from {{ cookiecutter.package_name }} import data


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

    def call(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["pipeline", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        said = capsys.readouterr()
        return Done(stop.value.code or 0, said.out, said.err)

    return call


@pytest.fixture
def sample() -> pl.DataFrame:
    """Return the sample as it is in its file: 344 rows, every cell a text."""
    return pl.read_csv(data.SAMPLE, infer_schema=False, null_values="NA")
#% for fragment in cookiecutter | fragments('conftest.py')
#% include fragment
#% endfor
