"""Tables: stored by name, read with SQL, and an error that says what to do."""

import contextlib
import json
from pathlib import Path

import polars as pl
import pytest

from {{ cookiecutter.package_name }} import data, database, model, outputs, table
from {{ cookiecutter.package_name }}.schema import TARGET
from {{ cookiecutter.package_name }}.settings import load


def quoted(name: str) -> str:
    """Return the name of a column as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def test_a_stored_table_is_read_with_sql_and_runs_through_the_pipeline(run) -> None:
    expected, _ = data.read()
    done = run("store", "--table", "mine")
    assert (done.code, done.out.partition(" rows.")[0]) == (0, f"Stored {expected.height}"), done.err
    rows, sources = data.read("SELECT * FROM mine")
    assert rows.equals(expected)
    assert dict(rows.schema) == table.TYPES
    assert sources[0]["rows"] == expected.height
    assert run("run", "--input", "SELECT * FROM mine").code == 0
    assert run("check", "--input", "SELECT * FROM mine WHERE 1 = 0").code == 6
    done = run("check", "--input", f"SELECT {quoted(expected.columns[0])} FROM mine")
    assert (done.code, f"The query's result lacks {expected.width - 1} column" in done.err) == (4, True)


def test_a_run_stores_its_predictions(run) -> None:
    assert run("run").code == 0
    metrics = json.loads(Path("reports/metrics.json").read_text())
    stored = database.query("SELECT * FROM predictions")
    assert stored.height == metrics["rows"]["test"]
    assert stored.columns[-len(model.ANSWER) :] == model.ANSWER
    truth = stored[TARGET]
    if model.CLASSES:
        right = (truth.cast(pl.String) == stored["predicted"].cast(pl.String)).mean()
        assert right == pytest.approx(metrics["accuracy"], abs=1e-5)
        assert stored["probability"].is_between(0, 1).all()
    else:
        assert (truth - stored["predicted"]).abs().mean() == pytest.approx(metrics["mean_absolute_error"], rel=1e-5)
        assert stored.select(pl.col("predicted").is_between("lowest", "highest")).to_series().all()


def test_missing_values_and_every_kind_of_text_survive(run) -> None:
    frame = pl.DataFrame({"a": [1, None], "b": [0.1, None], "c": ["tab\t 'quote' \\N \U0001f427", None]})
    frame.write_parquet("odd.parquet")
    with database.storing({"odd": Path("odd.parquet")}, load()) as tables:
        outputs.write(tables)
    assert database.query("SELECT a, b, c FROM odd").equals(frame)


@pytest.mark.parametrize("sql", ["SELECT * FROM nothing_like_this", "SELECT FROM WHERE", "WITH x AS (SELECT 1) FROM y"])
def test_a_query_that_fails_is_one_sentence(run, sql) -> None:
    done = run("run", "--input", sql)
    assert (done.code, done.err.splitlines()[-1][:11]) == (8, "Error: The ")
    assert "Traceback" not in done.err


@pytest.mark.parametrize("name", ["", "Upper", "a-b", "a b", "x; DROP TABLE y", "../x", "order"])
def test_a_name_that_no_query_could_use_is_refused(run, name) -> None:
    done = run("store", "--table", name)
    assert (done.code, "A table cannot be named" in done.err) == (8, True)


WRAPPED = [
    *("{}", "SELECT 1; {}", "{}; SELECT 1", "SELECT 1; COMMIT; {}", "ROLLBACK; {}; BEGIN", "/* ; */ {} -- ;"),
    *("EXPLAIN {}", "EXPLAIN ANALYZE {}", "WITH x AS ({}) SELECT * FROM x", "SELECT * FROM ({}) AS x"),
]


@pytest.mark.parametrize("wrapped", WRAPPED)
def test_no_query_changes_anything(run, wrapped) -> None:
    run("store", "--table", "mine")
    before = everything()
    for attack in ATTACKS:
        with contextlib.suppress(database.DatabaseError):
            database.query(wrapped.format(attack))
    assert everything() == before


#% for fragment in cookiecutter | fragments('test_database.py')
#% include fragment
#% endfor
