

FILES = {
    "as in the sample": b"",
    "missing cells": b"Adelie,Torgersen,NA,18.7,181,,,2007\nGentoo,Biscoe,,15.1,NA,5000.0,NA,2008\n",
    "numbers in other forms": b"Adelie,Torgersen,4e1,18,+181,3750.0,male,2007\n",
    "numbers of other programs": b"Adelie,Torgersen,NaN,18.7,181,3.75e3,male,2007.0\n",
    "quotes": b'"Adelie","Torgersen","39.1",18.7,181,3750,"male","2007"\n',
    "nothing but missing cells": b"Adelie,Torgersen,NA,NA,NA,NA,NA,2007\n",
}


@pytest.mark.parametrize("content", FILES.values(), ids=FILES)
def test_a_query_of_a_file_gives_what_the_file_gives(run, tmp_path, content) -> None:
    header, _, sample = data.SAMPLE.read_bytes().partition(b"\n")
    (tmp_path / "in (1)").mkdir()
    (tmp_path / "in (1)/._mine.csv").write_bytes(b"\0\5\26\7")
    (tmp_path / "in (1)/a folder.csv").mkdir()
    (tmp_path / "in (1)/it's mine.csv").write_bytes(header + b"\n" + (content or sample))
    rows, _ = data.read("in (1)/it's mine.csv")
    assert data.read("SELECT * FROM 'in (1)/it''s mine.csv'")[0].equals(rows)
    assert data.read("FROM 'in*/*.csv' -- don't stop here")[0].equals(rows)
    rows.write_parquet("mine.parquet")
    assert data.read("FROM 'mine.parquet'")[0].equals(rows)


def test_a_query_of_a_file_in_another_form_gives_what_the_file_gives(run, tmp_path) -> None:
    text = data.SAMPLE.read_text().replace(",", ";").replace(".", ",")
    (tmp_path / "mine.csv").write_text(text)
    assert data.read("SELECT * FROM 'mine.csv'")[0].equals(data.read("mine.csv")[0])


def test_text_of_the_schema_stays_text(run, tmp_path) -> None:
    (tmp_path / "mine.csv").write_text("species,number,other\n007,7,1\nNA,,2\n")
    expected = {"species": ["007", None], "number": [7, None], "other": [1, 2]}
    assert database.query("SELECT * FROM 'mine.csv'").to_dict(as_series=False) == expected


BROKEN = {"empty": b"", "cut": b"PAR1 and no more", "hidden": b"\0\5\26\7", "folder": None, "damaged": b"inside"}


@pytest.mark.parametrize(("kind", "content"), BROKEN.items())
def test_a_broken_table_breaks_no_other(run, tmp_path, kind, content) -> None:
    run("store", "--table", "penguins")
    file = tmp_path / "reports/tables" / ("._penguins.parquet" if kind == "hidden" else f"{kind}.parquet")
    whole = (tmp_path / "reports/tables/penguins.parquet").read_bytes()
    damaged = whole[:4] + bytes(99) + whole[103:]
    file.mkdir() if content is None else file.write_bytes(damaged if kind == "damaged" else content)
    assert run("check", "--input", "SELECT * FROM penguins").code == 0
    done = run("check", "--input", f"SELECT * FROM {kind.upper()}")
    assert done.code == 8
    if kind != "hidden":
        assert f"reports/tables/{kind}.parquet cannot be read: " in done.err
        assert "Delete it, and store the table again." in done.err


def test_types_that_polars_lacks_are_text(run) -> None:
    found = database.query('SELECT INTERVAL 3 DAY AS "a ""b", uuid() AS u, 5::HUGEINT AS h, [1, 2] AS l')
    assert found.drop("u").rows() == [("3 days", 5, [1, 2])]
