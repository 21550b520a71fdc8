"""Reading and checking the input."""

from pathlib import Path

import polars as pl
import pytest

from {{ cookiecutter.package_name }} import data
from {{ cookiecutter.package_name }}.errors import ColumnError, EmptyError, InputError, ValueRangeError
from {{ cookiecutter.package_name }}.schema import COLUMNS


def test_the_sample_has_the_rows_and_gaps_that_its_readme_names() -> None:
    rows, sources = data.read()
    assert rows.height == 344
    assert rows.columns == list(COLUMNS)
    assert sum(rows.null_count().row(0)) == 19
    assert sources[0].rows == 344


def test_a_folder_of_csv_and_parquet_reads_like_one_file(tmp_path: Path, sample: pl.DataFrame) -> None:
    sample[:100].write_csv(tmp_path / "a.csv")
    data.read()[0][100:].write_parquet(tmp_path / "b.parquet")
    (tmp_path / "notes.txt").write_text("not data")
    (tmp_path / "._a.csv").write_bytes(b"\0")  # what macOS leaves on other disks
    (tmp_path / "parts.parquet").mkdir()
    rows, sources = data.read(tmp_path)
    assert rows.equals(data.read()[0])
    assert [source.rows for source in sources] == [100, 244]


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("bill_length_mm", "900", "'900' is above 80"),
        ("body_mass_g", "-1", "'-1' is below 1000"),
        ("body_mass_g", "inf", "'inf' is above 10000"),
        ("flipper_length_mm", "long", "'long' is not a number"),
        ("year", "2007.5", "'2007.5' is not a whole number"),
        ("year", None, "a value is missing"),
        ("species", "Dodo", "'Dodo' is none of ['Adelie', 'Chinstrap', 'Gentoo']"),
    ],
)
def test_a_wrong_value_is_named_with_its_place(tmp_path, spoilt, column, value, reason) -> None:
    path = tmp_path / "spoilt.csv"
    spoilt(column, value).write_csv(path, null_value="NA")
    with pytest.raises(ValueRangeError) as caught:
        data.read(path)
    assert f"{path}, row 6, column {column}: {reason} (1 wrong in all)" in str(caught.value)


def test_a_fraction_in_a_column_of_whole_numbers_is_not_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "years.parquet"
    data.read()[0].with_columns(year=pl.lit(2007.5)).write_parquet(path)
    with pytest.raises(ValueRangeError, match=r"2007\.5 is not a whole number \(344 wrong"):
        data.read(path)


def test_a_column_of_lists_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lists.parquet"
    data.read()[0].with_columns(year=pl.lit([2007, 2008])).write_parquet(path)
    with pytest.raises(ValueRangeError, match=r"lists\.parquet has a column of another kind"):
        data.read(path)


def test_a_missing_column_is_named(tmp_path: Path, sample: pl.DataFrame) -> None:
    path = tmp_path / "narrow.csv"
    sample.drop("sex").write_csv(path)
    with pytest.raises(ColumnError, match=r"narrow\.csv has no column sex; it has species"):
        data.read(path)


@pytest.mark.parametrize(("content", "error"), [("", EmptyError), (",".join(COLUMNS) + "\n", EmptyError)])
def test_an_input_without_rows_is_refused(tmp_path: Path, content: str, error: type[Exception]) -> None:
    path = tmp_path / "empty.csv"
    path.write_text(content)
    with pytest.raises(error, match=r"empty\.csv"):
        data.read(path)


def test_what_is_no_input_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 but no more")
    (tmp_path / "folder").mkdir()
    (tmp_path / "image.png").touch()
    for name, reason in {
        "broken.parquet": "cannot be read",
        "folder": "holds no file",
        "image.png": "ends in neither",
        "nowhere.csv": "There is no file",
    }.items():
        with pytest.raises(InputError, match=reason):
            data.read(tmp_path / name)
