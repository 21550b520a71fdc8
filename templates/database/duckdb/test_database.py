ATTACKS = [
    *("COPY mine TO 'x.csv'", "COPY mine TO 'reports/tables/mine.parquet' (USE_TMP_FILE false)", "EXPORT DATABASE 'x'"),
    *("COPY (SELECT 1) TO 'x' (FORMAT parquet)", "ATTACH 'x.db'", "ATTACH 'x.db' AS x; CREATE TABLE x.y AS SELECT 1"),
    *("CREATE PERSISTENT SECRET s (TYPE s3)", "INSTALL httpfs", "LOAD httpfs", "DROP VIEW mine", "CHECKPOINT"),
    *("SET temp_directory = '.'", "PRAGMA enable_external_access", "SET VARIABLE x = 1", "CREATE TABLE x AS SELECT 1"),
    *("PRAGMA enable_profiling = 'json'; PRAGMA profiling_output = 'x.json'", "PREPARE x AS COPY mine TO 'x.csv'"),
]


def everything() -> dict[Path, bytes]:
    """Return all that a query could change: the files here."""
    return {file: file.read_bytes() for file in Path().rglob("*") if file.is_file()}


SECRETS = ["read_text('secret.txt')", "read_blob('/proc/self/environ')", "read_csv('secret.txt')", "'secret.txt'"]
SECRETS += ["read_text('secret.tx' || 't')", "glob('*')", "read_text('mine.csv/../secret.txt')"]
SECRETS += ["sniff_csv('secret.txt')", "read_csv('http://127.0.0.1/mine.csv')", "duckdb_secrets()"]


@pytest.mark.parametrize("source", SECRETS)
def test_no_query_reads_what_is_no_table(run, tmp_path, source) -> None:
    (tmp_path / "secret.txt").write_text("s3cret")
    with pytest.raises(database.DatabaseError, match="The query failed"):
        database.query(f"SELECT * FROM {source}")


NUMBERS = pl.col([name for name, kind in table.TYPES.items() if kind.is_numeric()])
FORMS = {
    "as in the sample": lambda text: text.write_csv(null_value="NA"),
    "quotes": lambda text: text.write_csv(quote_style="always"),
    "numbers with an exponent": lambda text: text.with_columns(NUMBERS + "e0").write_csv(),
    "numbers of other programs": lambda text: text.with_columns(NUMBERS.str.replace(r"^(\d+)$", "+$1.0")).write_csv(),
    "one cell of each column is missing": lambda text: text.with_columns(
        pl.when(pl.int_range(pl.len()) != 1).then(name) for name, column in table.COLUMNS.items() if column.nullable
    ).write_csv(),
    "nothing but missing cells": lambda text: text.with_columns(
        pl.lit("NA").alias(name) for name, column in table.COLUMNS.items() if column.nullable
    ).write_csv(),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_query_of_a_file_gives_what_the_file_gives(run, tmp_path, sample, form) -> None:
    (tmp_path / "in (1)").mkdir()
    (tmp_path / "in (1)/._mine.csv").write_bytes(b"\0\5\26\7")
    (tmp_path / "in (1)/a folder.csv").mkdir()
    (tmp_path / "in (1)/it's mine.csv").write_text(form(sample), encoding="utf-8")
    rows, _ = data.read("in (1)/it's mine.csv")
    assert data.read("SELECT * FROM 'in (1)/it''s mine.csv'")[0].equals(rows)
    assert data.read("FROM 'in*/*.csv' -- don't stop here")[0].equals(rows)
    rows.write_parquet("mine.parquet")
    assert data.read("FROM 'mine.parquet'")[0].equals(rows)


def test_a_query_of_a_file_in_another_form_gives_what_the_file_gives(run) -> None:
    data.read()[0].write_csv("mine.csv", separator=";", decimal_comma=True)
    assert data.read("SELECT * FROM 'mine.csv'")[0].equals(data.read("mine.csv")[0])


def test_text_of_the_schema_stays_text(run) -> None:
    name = next((name for name in table.COLUMNS if table.is_text(name)), None)
    if not name:
        pytest.skip("no column is text")
    rows = pl.DataFrame({name: ["1.50", None], "a number": ["7", None], "other": ["1", "2"]})
    rows.write_csv("mine.csv", null_value="NA")
    expected = {name: ["1.50", None], "a number": [7, None], "other": [1, 2]}
    assert database.query("SELECT * FROM 'mine.csv'").to_dict(as_series=False) == expected


BROKEN = {"empty": b"", "cut": b"PAR1 and no more", "hidden": b"\0\5\26\7", "folder": None, "damaged": b"inside"}


@pytest.mark.parametrize(("kind", "content"), BROKEN.items())
def test_a_broken_table_breaks_no_other(run, tmp_path, kind, content) -> None:
    run("store", "--table", "mine")
    file = tmp_path / "reports/tables" / ("._mine.parquet" if kind == "hidden" else f"{kind}.parquet")
    whole = (tmp_path / "reports/tables/mine.parquet").read_bytes()
    damaged = whole[:4] + bytes(99) + whole[103:]
    file.mkdir() if content is None else file.write_bytes(damaged if kind == "damaged" else content)
    assert run("check", "--input", "SELECT * FROM mine").code == 0
    done = run("check", "--input", f"SELECT * FROM {kind.upper()}")
    assert done.code == 8
    if kind != "hidden":
        assert f"reports/tables/{kind}.parquet cannot be read: " in done.err
        assert "Delete it, and store the table again." in done.err


def test_types_that_polars_lacks_are_text(run) -> None:
    found = database.query('SELECT INTERVAL 3 DAY AS "a ""b", uuid() AS u, 5::HUGEINT AS h, [1, 2] AS l')
    assert found.drop("u").rows() == [("3 days", 5, [1, 2])]
