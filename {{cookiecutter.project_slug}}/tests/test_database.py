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


FORMS = [
    "(SELECT * FROM penguins)",
    "((TABLE penguins))",
    "SELECT*FROM penguins",
    "-- all of them\nSELECT * FROM penguins; -- really",
    "\n\t/* all /* of */ them */ TABLE penguins;",
    "with\np AS (SELECT * FROM penguins) select/**/* FROM p",
]


@pytest.mark.parametrize("sql", FORMS)
def test_a_query_can_have_any_form(run, sql) -> None:
    run("store", "--table", "penguins")
    done = run("check", "--input", sql)
    assert (done.code, done.out) == (0, "Good: 344 rows in 1 file.\n"), done.err
    assert run("check", "--input", "VALUES (1, 'a'), (2, NULL)").code == 4


PATHS = ["select.csv", "from/x.csv", "with-head.csv", "with head.csv", "table_1.parquet", "values", "(select) 1.csv"]


@pytest.mark.parametrize("path", PATHS)
def test_the_name_of_a_file_can_start_like_a_query(run, path) -> None:
    done = run("check", "--input", path)
    assert (done.code, "does not exist" in done.err) == (3, True)


STARTS, ENDS = ("SELECT ", "(", "--\n", "TABLE ", "VALUES ("), ("", "'", '"', ")", ";", "\0", "%s")
CELLS = ["'\x1b[31m'", "'\udce9'", "1; SELECT 2", "1 AS a, 2 AS a", "1 / 0", "'a'::integer", "$$a$$", r"E'\'"]
CELLS += ["*", "'\U0001f427'", "NULL", "DATE 'infinity'", "1e300::decimal", "interval '3 days', 1.5::numeric"]
ODD = [
    *(start + end for start in STARTS for end in ENDS),
    *(f"SELECT {cell}" for cell in CELLS),
    "SELECT " + "(" * 9999 + "1" + ")" * 9999,
    "SELECT 1 AS " + "a" * 99999,
    "SELECT '" + "a" * 999999 + "'",
    "SELECT * FROM predictions, predictions",
    "EXPLAIN SELECT 1",
    "SHOW all",
    "/* no end */",
    "WITH x AS (SELECT 1)",
    "FROM a.b.c.d",
]


def test_no_query_ends_in_a_traceback(run) -> None:
    for sql in ODD:  # `run` raises what the command line lets through
        done = run("check", "--input", sql)
        assert done.code in (3, 4, 5, 6, 8), sql
        assert done.err.startswith("Error: "), sql
        assert len(done.err.splitlines()) == 1, sql


@pytest.mark.parametrize("name", ["", "Upper", "a-b", "a b", "x; DROP TABLE y", "../x", "order"])
def test_a_name_that_no_query_could_use_is_refused(run, name) -> None:
    done = run("store", "--table", name)
    assert (done.code, "A table cannot be named" in done.err) == (8, True)
#% for fragment in cookiecutter | fragments('test_database.py')
#% include fragment
#% endfor
