"""An input larger than the memory: read in parts, it has the results of one that is read whole."""

import json
import re

import polars as pl
import pytest

from {{ cookiecutter.package_name }} import data, formats, model, workers
from {{ cookiecutter.package_name }}.convert import forms
from {{ cookiecutter.package_name }}.errors import InputError, ValueRangeError
from {{ cookiecutter.package_name }}.schema import TARGET
from {{ cookiecutter.package_name }}.settings import memory

if not formats.BY_ROW:
    pytest.skip("rules about several rows need whole files", allow_module_level=True)


@pytest.fixture
def in_parts(monkeypatch):
    """Return a function after which files are read in small parts, and none is kept in memory."""

    def divide(size: int = 2000) -> None:
        for module in (data, formats):
            monkeypatch.setattr(module, "BYTES", size)
            monkeypatch.setattr(module, "VALUES", 50 * len(data.TYPES))
        monkeypatch.setattr(data, "memory", lambda: 0)

    return divide


def test_a_run_in_parts_has_the_results_of_one_that_reads_whole_files(run, tmp_path, sample, in_parts) -> None:
    (tmp_path / "in").mkdir()
    sample.write_csv(tmp_path / "in/a.csv", null_value="NA")
    data.read()[0].write_parquet(tmp_path / "in/b.parquet")
    assert run("run", "--input", "in").code == 0
    folder = tmp_path / "reports"
    before = {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()}
    in_parts()
    assert len(data.examine("in").parts) > 6
    assert run("run", "--input", "in").code == 0
    assert {file: file.read_bytes() for file in folder.rglob("*") if file.is_file()} == before


def test_files_in_other_forms_are_cut_where_a_row_ends(tmp_path, monkeypatch, sample, in_parts) -> None:
    expected, odd = data.read()[0], pl.lit('a "word",\n\r\n"; and\tmore').alias("no such column")
    sample.with_columns(odd).write_csv(tmp_path / "quotes.csv")
    sample.select(odd, pl.all()).write_csv(tmp_path / "crlf.csv", line_terminator="\r\n", include_bom=True)
    expected.write_csv(tmp_path / "europe.csv", separator=";", decimal_comma=True)
    text = sample.write_csv(separator=";", quote_style="always")
    (tmp_path / "excel.csv").write_text(f"sep=;\n{text}\n\n", "utf-8")
    for file in tmp_path.glob("*.csv"):
        in_parts(file.stat().st_size // 4)
        parts = data.examine(file).parts
        assert len(parts) > 3, file.name
        assert pl.concat([part.rows() for part in parts]).equals(expected), file.name
    monkeypatch.setattr(data, "memory", memory)
    assert data.read(tmp_path / "europe.csv")[0].equals(expected)


def test_a_wrong_value_is_named_by_its_row_in_the_file(tmp_path, monkeypatch, sample, wrong, in_parts) -> None:
    monkeypatch.chdir(tmp_path)
    in_parts(len(sample.write_csv()) // 2)
    last = pl.int_range(pl.len()) == sample.height - 1
    for column, value, reason in wrong:
        sample.with_columns(pl.when(last).then(pl.lit(value)).otherwise(column).alias(column)).write_csv("spoilt.csv")
        with pytest.raises(ValueRangeError) as caught:
            data.examine("spoilt.csv")
        assert str(caught.value).startswith(f"spoilt.csv, row {sample.height}, column "), caught.value
        assert reason in str(caught.value)
        assert re.search(rf"\(1 wrong in rows \d+ to {sample.height}\)", str(caught.value))


def test_a_file_that_changes_during_a_run_is_refused(tmp_path, sample, in_parts) -> None:
    sample.write_csv(file := tmp_path / "grows.csv")
    in_parts()
    parts = data.examine(file).parts
    with file.open("a") as more:
        more.write("\n")
    with pytest.raises(InputError, match=r"has changed while it was read\. Run again"):
        parts[-1].rows()


def test_a_table_that_does_not_fit_the_memory_is_not_read_as_a_whole(monkeypatch) -> None:
    monkeypatch.setattr(data, "memory", lambda: 2000)
    with pytest.raises(InputError, match="does not fit the memory as a whole"):
        data.read(data.SAMPLE)


def test_what_the_memory_has_no_room_for_is_left_out_of_the_training_and_said(run, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(workers.Alone, "room", lambda _: 10_000)
    done = run("run")
    assert done.code == 0, done.err
    rows = json.loads((tmp_path / "reports/metrics.json").read_text())["rows"]
    assert 0 < rows["learned"] < rows["train"]
    assert f"Note: The model learns from {rows['learned']} of {rows['train']} training rows: more need" in done.err
    assert f"of which the model learned from {rows['learned']}" in (tmp_path / "reports/report.html").read_text("utf-8")


def test_all_parts_of_a_file_tell_how_its_texts_are_read() -> None:
    types = {"day": pl.Date(), "number": pl.Float64()}
    first = pl.DataFrame({"day": ["01/02/2024", "03/04/2024"], "number": ["3,750", "1"]})
    second = pl.DataFrame({"day": ["13/02/2024", None], "number": ["12,5", None]})
    assert not forms([first], types).sure
    assert "can be 2024-02-01 or 2024-01-02" in forms([first], types).doubts["day"]
    found = forms([first, second], types)
    assert (found.comma, found.moments, found.doubts) == ("decimal", {"day": "%d/%m/%Y"}, {})


def test_parts_are_divided_as_all_rows_are_and_rows_without_a_target_are_left_out() -> None:
    rows = data.read()[0].with_columns(pl.when(pl.int_range(pl.len()) % 7 > 0).then(TARGET).alias(TARGET))
    some = [data.of(part) for part in (rows[:30], rows[30:])]
    table = data.Input([each.parts[0] for each in some], [each.seen[0] for each in some])
    pairs = [share.rows() for share in model.divide(table, 0.25, 0).shares]
    assert sum(train.height + test.height for train, test in pairs) == rows[TARGET].count()
    for found, expected in zip(zip(*pairs, strict=True), model.split(rows, 0.25, 0), strict=True):
        assert pl.concat(found).equals(expected)
