"""Queries of any form are queries, names of files are not, and none of them ends in a traceback."""

import pytest

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
