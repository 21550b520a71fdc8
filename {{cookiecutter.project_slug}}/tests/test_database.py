"""Tables: stored by name, read with SQL, and an error that says what to do."""

import polars as pl
#% if cookiecutter.database == 'postgres'
import psycopg
#% endif
import pytest

from {{ cookiecutter.package_name }} import data, database
from {{ cookiecutter.package_name }}.settings import load


def test_a_stored_table_is_read_with_sql_and_runs_through_the_pipeline(run, tmp_path) -> None:
    done = run("store", "--table", "penguins")
    assert (done.code, done.out.splitlines()[0][:16]) == (0, "Stored 344 rows."), done.err
    rows, sources = data.read("SELECT * FROM penguins WHERE island <> 'Torgersen'")
    assert rows.height == 292
    assert sources[0].rows == 292
    assert rows.schema == data.read()[0].schema
    done = run("run", "--input", "SELECT * FROM penguins")
    assert done.code == 0, done.err


def test_a_run_stores_its_predictions(run) -> None:
    assert run("run").code == 0
    stored = database.query("SELECT species, predicted, probability FROM predictions")
    assert stored.height == 86
    assert stored.filter(pl.col("species") == pl.col("predicted")).height > 80
    assert stored["probability"].is_between(1 / 3, 1).all()


def test_missing_values_and_every_kind_of_text_survive(run, tmp_path) -> None:
    frame = pl.DataFrame({"a": [1, None], "b": [0.1, None], "c": ["tab\t 'quote' \\N \U0001f427", None]})
    run("check")  # in the empty folder
    with database.storing({"odd": frame}, load()) as tables:
        for path, content in tables.items():
            path.parent.mkdir(parents=True)
            path.write_bytes(content)
    assert database.query("SELECT a, b, c FROM odd").equals(frame)


@pytest.mark.parametrize("sql", ["SELECT * FROM nothing_like_this", "SELECT FROM WHERE", "WITH x AS (SELECT 1) FROM y"])
def test_a_query_that_fails_is_one_sentence(run, sql) -> None:
    done = run("run", "--input", sql)
    assert done.code == 8
    assert done.err.splitlines()[-1].startswith("Error: The ")
    assert "Traceback" not in done.err


def test_a_query_without_rows_or_columns_says_so(run) -> None:
    run("store", "--table", "penguins")
    assert run("check", "--input", "SELECT * FROM penguins WHERE year = 1900").code == 6
    done = run("check", "--input", "SELECT species FROM penguins")
    assert done.code == 4
    assert "The query's result has no column island" in done.err


@pytest.mark.parametrize("name", ["", "Upper", "a-b", "a b", "x; DROP TABLE y", "../x", "order"])
def test_a_name_that_no_query_could_use_is_refused(run, name) -> None:
    done = run("store", "--table", name)
    assert done.code == 8
    assert "A table cannot be named" in done.err


#% if cookiecutter.database == 'duckdb'
def test_a_query_can_name_files(run, tmp_path, sample) -> None:
    sample.write_csv(tmp_path / "mine.csv", null_value="")
    assert run("check", "--input", "SELECT * FROM 'mine.csv'").code == 0
#% else
def test_a_query_cannot_write(run) -> None:
    run("store", "--table", "penguins")
    with pytest.raises(database.DatabaseError, match="read-only transaction"):
        database.query("WITH gone AS (DELETE FROM penguins RETURNING 1) SELECT * FROM gone")
    assert database.query("SELECT count(*) AS n FROM penguins")["n"][0] == 344


def test_a_run_that_cannot_write_its_files_leaves_the_tables_too(run, tmp_path) -> None:
    run("run")
    before = database.query("SELECT * FROM predictions")
    (tmp_path / "reports/report.html").unlink()
    (tmp_path / "reports/report.html").mkdir()
    assert run("run", "--seed", 5).code == 7
    assert database.query("SELECT * FROM predictions").equals(before)


@pytest.mark.parametrize("url", ["", "nonsense", "postgresql://me:s3cret@127.0.0.1:9/x", "postgresql://me:s3cret@[/x"])
def test_a_server_that_does_not_answer_is_one_sentence_without_the_password(run, monkeypatch, url) -> None:
    monkeypatch.setenv("PIPELINE_DATABASE", url)
    done = run("run")
    assert done.code == 8
    assert "PIPELINE_DATABASE" in done.err
    assert "s3cret" not in done.err + done.out


def test_no_result_shows_the_password(run, tmp_path, monkeypatch) -> None:
    assert run("run").code == 0
    password = psycopg.conninfo.conninfo_to_dict(load().database.get_secret_value())["password"]
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert password.encode() not in path.read_bytes(), path
#% endif
