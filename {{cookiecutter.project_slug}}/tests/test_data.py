"""Reading the input: files as people have them, and a refusal that names the place and the reason."""

import gzip
from pathlib import Path

import polars as pl
import pytest

from {{ cookiecutter.package_name }} import data
from {{ cookiecutter.package_name }}.errors import ColumnError, EmptyError, InputError, ValueRangeError
from {{ cookiecutter.package_name }}.schema import COLUMNS


def test_the_sample_has_the_rows_and_gaps_that_its_readme_names() -> None:
    rows, sources = data.read()
    assert rows.height == sources[0]["rows"] == 344
    assert rows.columns == list(COLUMNS)
    assert sum(rows.null_count().row(0)) == 19


def test_a_folder_reads_like_one_file_and_what_is_left_out_is_named(tmp_path, sample, caplog) -> None:
    sample[:100].write_csv(tmp_path / "a.csv", null_value="NA")
    data.read()[0][100:200].write_parquet(tmp_path / "b.parquet")
    (tmp_path / "parts.parquet/year=2009").mkdir(parents=True)
    (tmp_path / "parts.parquet/loop").symlink_to(tmp_path)
    text = sample[200:].drop("year").write_csv(null_value="")
    (tmp_path / "parts.parquet/year=2009/p.csv.gz").write_bytes(gzip.compress(text.encode()))
    (tmp_path / "notes.txt").write_text("not data")
    (tmp_path / "._a.csv").write_bytes(b"\0")  # what macOS leaves on other disks
    rows, sources = data.read(tmp_path)
    assert rows.drop("year").equals(data.read()[0].drop("year"))
    assert rows["year"][200:].unique().to_list() == [2009]
    assert [source["rows"] for source in sources] == [100, 100, 144]
    assert caplog.messages == ["Left out, as hidden: ._a.csv.", "Left out, as not CSV or Parquet: notes.txt."]


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("bill_length_mm", "900", "900 is above 80"),
        ("body_mass_g", "-1", "-1 is below 1000"),
        ("body_mass_g", "inf", "inf is above 10000"),
        ("body_mass_g", "3,750", "'3,750' is not a number; write it with a decimal point"),
        ("flipper_length_mm", "long", "'long' is not a number"),
        ("year", "2007.5", "'2007.5' is not a whole number"),
        ("year", None, "a value is missing"),
        ("species", "Dodo", "'Dodo' is not one of: Adelie, Chinstrap, Gentoo"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(tmp_path, sample, column, value, reason) -> None:
    path = tmp_path / "spoilt.csv"
    row_6 = pl.int_range(pl.len()) == 5
    sample.with_columns(pl.when(row_6).then(pl.lit(value)).otherwise(column).alias(column)).write_csv(path)
    with pytest.raises(ValueRangeError) as caught:
        data.read(path)
    assert f", row 6, column {column}: {reason}" in str(caught.value)
    assert "(1 wrong in all)" in str(caught.value)


def test_what_cannot_be_used_is_refused_with_the_reason(tmp_path: Path, sample: pl.DataFrame) -> None:
    rows = data.read()[0]
    rows.with_columns(year=pl.lit(2007.5)).write_parquet(tmp_path / "fractions.parquet")  # not cut off to 2007
    rows.with_columns(year=pl.lit([2007, 2008])).write_parquet(tmp_path / "lists.parquet")
    sample.drop("sex").write_csv(tmp_path / "narrow.csv")
    sample.drop("sex", "year").write_csv(tmp_path / "narrower.csv")
    sample.clear().write_csv(tmp_path / "header.csv")
    (tmp_path / "empty.csv").touch()
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 but no more")
    (tmp_path / "folder").mkdir()
    (tmp_path / "image.png").touch()
    (tmp_path / "link.csv").symlink_to("/on/another/disk")
    for name, (error, reason) in {
        "fractions.parquet": (ValueRangeError, r"2007\.5 is not a whole number \(344 wrong"),
        "lists.parquet": (ValueRangeError, r"lists\.parquet, row 1, column year: \[2007, 2008\] is not a whole number"),
        "narrow.csv": (ColumnError, r"narrow\.csv lacks 1 column: sex\. It has: species, "),
        "narrower.csv": (ColumnError, r"narrower\.csv lacks 2 columns: sex, year\. "),
        "header.csv": (EmptyError, r"header\.csv has no rows"),
        "empty.csv": (EmptyError, r"empty\.csv is empty"),
        "broken.parquet": (InputError, "cannot be read"),
        "folder": (InputError, r"folder has no file that ends in \.csv or \.parquet"),
        "image.png": (InputError, r"image\.png does not end in \.csv or \.parquet"),
        "link.csv": (InputError, r"link\.csv is a link to /on/another/disk, which this container cannot see"),
        "nowhere.csv": (InputError, r"nowhere\.csv does not exist\. Containers see only data/"),
    }.items():
        with pytest.raises(error, match=reason):
            data.read(tmp_path / name)
