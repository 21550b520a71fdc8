"""What the tests share: the command line in an empty folder, and inputs made from the sample."""

#% if cookiecutter.database == 'postgres'
import secrets
#% endif
import sys
#% if cookiecutter.database == 'postgres'
from collections.abc import Callable, Iterator
#% else
from collections.abc import Callable
#% endif
from dataclasses import dataclass
from pathlib import Path

import polars as pl
#% if cookiecutter.database == 'postgres'
import psycopg
#% endif
import pytest

from {{ cookiecutter.package_name }} import cli, data


@dataclass
class Done:
    """What a call of the command line left: its exit code and what it said."""

    code: int
    out: str
    err: str


#% if cookiecutter.database == 'postgres'
@pytest.fixture(scope="session", autouse=True)
def test_database() -> Iterator[None]:
    """Give the tests a database of their own on the server, and take it away again."""
    address = cli.load().database.get_secret_value()
    name = f"test_{secrets.token_hex(8)}"  # others may test on the same server
    with psycopg.connect(address, autocommit=True) as connection, pytest.MonkeyPatch.context() as patch:
        connection.execute(f"CREATE DATABASE {name}")
        patch.setenv("PIPELINE_DATABASE", psycopg.conninfo.make_conninfo(address, dbname=name))
        try:
            yield
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


#% endif
@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Return a function that calls the command line in the empty folder `tmp_path`, as a user would."""
    monkeypatch.chdir(tmp_path)
#% if cookiecutter.tracking == 'mlflow'
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
#% endif
    for name in ("INPUT", "SEED", "MODELS", "REPORTS"):
        monkeypatch.delenv(f"PIPELINE_{name}", raising=False)

    def call(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["pipeline", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        said = capsys.readouterr()
        return Done(stop.value.code or 0, said.out, said.err)

    return call


@pytest.fixture
def sample() -> pl.DataFrame:
    """Return the sample as it stands in its file: 344 rows, every cell a text."""
    return pl.read_csv(data.SAMPLE, infer_schema=False, null_values="NA")


@pytest.fixture
def spoilt(sample: pl.DataFrame) -> Callable[[str, str | None], pl.DataFrame]:
    """Return a function that puts a value into row 6 of one column of the sample."""

    def spoil(column: str, value: str | None) -> pl.DataFrame:
        row_6 = pl.int_range(pl.len()) == 5
        return sample.with_columns(pl.when(row_6).then(pl.lit(value)).otherwise(column).alias(column))

    return spoil
