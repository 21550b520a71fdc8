"""Tables: stored by name, read with SQL, and an error that says what to do."""

import polars as pl
import pytest

from {{ cookiecutter.package_name }} import data, database, outputs
from {{ cookiecutter.package_name }}.settings import load


def test_a_stored_table_is_read_with_sql_and_runs_through_the_pipeline(run) -> None:
    done = run("store", "--table", "penguins")
    assert (done.code, done.out[:16]) == (0, "Stored 344 rows."), done.err
    rows, sources = data.read("SELECT * FROM penguins WHERE island <> 'Torgersen'")
    assert rows.height == sources[0]["rows"] == 292
    assert rows.schema == data.read()[0].schema
    assert run("run", "--input", "SELECT * FROM penguins").code == 0
    assert run("check", "--input", "SELECT * FROM penguins WHERE year = 1900").code == 6
    done = run("check", "--input", "SELECT species FROM penguins")
    assert (done.code, "The query's result lacks 7 columns: island, " in done.err) == (4, True)


def test_a_run_stores_its_predictions(run) -> None:
    assert run("run").code == 0
    stored = database.query("SELECT species, predicted, probability FROM predictions")
    assert stored.height == 86
    assert stored.filter(pl.col("species") == pl.col("predicted")).height > 80
    assert stored["probability"].is_between(1 / 3, 1).all()


def test_missing_values_and_every_kind_of_text_survive(run) -> None:
    frame = pl.DataFrame({"a": [1, None], "b": [0.1, None], "c": ["tab\t 'quote' \\N \U0001f427", None]})
    with database.storing({"odd": frame}, load()) as tables:
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
#% for fragment in cookiecutter | fragments('test_database.py')
#% include fragment
#% endfor
