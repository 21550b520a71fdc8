"""Reading the input: files as people have them, and a refusal that names the place and the reason."""

import gzip
import io
import re
import zipfile
from hashlib import sha256
from pathlib import Path
from xml.sax.saxutils import escape

import polars as pl
import pytest

from {{ cookiecutter.package_name }} import data
from {{ cookiecutter.package_name }}.errors import ColumnError, EmptyError, InputError, ValueRangeError, short
from {{ cookiecutter.package_name }}.schema import TARGET
from {{ cookiecutter.package_name }}.table import COLUMNS, TYPES

OFFICE = "http://schemas.openxmlformats.org"


def excel(rows: pl.DataFrame) -> bytes:
    """Return rows of text as the least that is an Excel file."""

    def relation(kind: str, target: str) -> str:
        relations = f'xmlns="{OFFICE}/package/2006/relationships"'
        kind = f"{OFFICE}/officeDocument/2006/relationships/{kind}"
        return f'<Relationships {relations}><Relationship Id="a" Type="{kind}" Target="{target}"/></Relationships>'

    cells = [[f'<c t="inlineStr"><is><t>{escape(each or "")}</t></is></c>' for each in row] for row in rows.iter_rows()]
    head = [f'<c t="inlineStr"><is><t>{escape(name)}</t></is></c>' for name in rows.columns]
    lines = "".join(f"<row>{''.join(line)}</row>" for line in [head, *cells])
    main = f'xmlns="{OFFICE}/spreadsheetml/2006/main" xmlns:r="{OFFICE}/officeDocument/2006/relationships"'
    with zipfile.ZipFile(file := io.BytesIO(), "w") as book:
        book.writestr("_rels/.rels", relation("officeDocument", "xl/workbook.xml"))
        book.writestr("xl/_rels/workbook.xml.rels", relation("worksheet", "worksheets/sheet1.xml"))
        sheets = '<sheets><sheet name="A" sheetId="1" r:id="a"/></sheets>'
        book.writestr("xl/workbook.xml", f"<workbook {main}>{sheets}</workbook>")
        book.writestr("xl/worksheets/sheet1.xml", f"<worksheet {main}><sheetData>{lines}</sheetData></worksheet>")
    return file.getvalue()


def test_the_sample_has_the_columns_of_the_schema_and_a_target_in_each_row(sample) -> None:
    rows, sources = data.read()
    digest = sha256(data.SAMPLE.read_bytes()).hexdigest()
    place = {"path": f"packaged sample {data.SAMPLE.name}", "sha256": digest}
    assert sources == [place | {"rows": sample.height, "columns_left_out": []}]
    assert dict(rows.schema) == TYPES
    assert rows.null_count().row(0) == sample.select(rows.columns).null_count().row(0)
    assert rows[TARGET].null_count() == 0


def test_files_of_every_kind_read_alike(tmp_path, sample) -> None:
    rows = data.read()[0]
    sample.write_csv(tmp_path / "a.csv", null_value="NA")
    (tmp_path / "a.tsv").write_bytes(sample.write_csv(separator="\t").encode("utf-16"))
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(rows.write_csv(quote_style="always").encode()))
    rows.write_parquet(tmp_path / "a.parquet")
    rows.write_ndjson(tmp_path / "a.jsonl")
    (tmp_path / "a.xlsx").write_bytes(excel(sample))
    for file in tmp_path.iterdir():
        assert data.read(file)[0].equals(rows), file.name


def test_a_folder_reads_like_one_file_and_what_is_left_out_is_named(tmp_path, sample, caplog) -> None:
    third = sample.height // 3
    sample[:third].write_csv(tmp_path / "a.csv")
    data.read()[0][third : 2 * third].write_parquet(tmp_path / "b.parquet")
    (tmp_path / "parts.parquet").mkdir()
    (tmp_path / "parts.parquet/loop").symlink_to(tmp_path)
    sample[2 * third :].write_csv(tmp_path / "parts.parquet/c.csv")
    (tmp_path / "notes.txt").write_text("not data")
    (tmp_path / "._a.csv").write_bytes(b"\0")  # what macOS leaves on other disks
    rows, sources = data.read(tmp_path)
    assert rows.equals(data.read()[0])
    assert [source["rows"] for source in sources] == [third, third, sample.height - 2 * third]
    assert caplog.messages == ["Left out, as hidden: ._a.csv.", "Left out, as no table: notes.txt."]


def test_a_folder_such_as_name_value_is_a_column(tmp_path, sample) -> None:
    name = next((name for name in COLUMNS if re.fullmatch(r"\w{1,60}", name)), None)
    if not name:
        pytest.skip("no column has a name that folders can have")
    rows = data.read()[0].sort(name, nulls_last=True, maintain_order=True)[:1]
    value = rows.write_csv(include_header=False, quote_style="never").split(",")[rows.columns.index(name)]
    (tmp_path / f"{name}={value}").mkdir()
    rows.drop(name).write_parquet(tmp_path / f"{name}={value}/a.parquet")
    assert data.read(tmp_path)[0].equals(rows)


def test_a_wrong_value_is_named_with_its_place(tmp_path, monkeypatch, sample, wrong) -> None:
    monkeypatch.chdir(tmp_path)
    for column, value, reason in wrong:
        row_2 = pl.int_range(pl.len()) == 1
        sample.with_columns(pl.when(row_2).then(pl.lit(value)).otherwise(column).alias(column)).write_csv("spoilt.csv")
        with pytest.raises(ValueRangeError) as caught:
            data.read("spoilt.csv")
        said = str(caught.value)
        assert said.startswith(f"spoilt.csv, row 2, column {short(column)}: "), said
        assert reason in said
        assert "(1 wrong in all)" in said


def test_what_cannot_be_used_is_refused_with_the_reason(tmp_path: Path, monkeypatch, sample: pl.DataFrame) -> None:
    monkeypatch.chdir(tmp_path)
    first, *others = COLUMNS
    data.read()[0].with_columns(pl.lit([2007, 2008]).alias(first)).write_parquet("lists.parquet")
    sample.drop(first).write_csv("narrow.csv")
    sample.select(first).write_csv("narrower.csv")
    sample.clear().write_csv("header.csv")
    Path("empty.csv").touch()
    Path("broken.parquet").write_bytes(b"PAR1 but no more")
    Path("broken.xlsx").write_bytes(b"PK\3\4 but no more")
    Path("broken.jsonl").write_bytes(b'{"a": 1')
    Path("folder").mkdir()
    Path("image.png").touch()
    Path("link.csv").symlink_to("/on/another/disk")
    for name, error, reason in (
        ("lists.parquet", ValueRangeError, f", row 1, column {short(first)}: [2007, 2008] is not "),
        ("narrow.csv", ColumnError, f" lacks 1 column: {short(first, 30)}. It has: "),
        ("narrower.csv", ColumnError, f" lacks {len(others)} column"),
        ("header.csv", EmptyError, " has no rows"),
        ("empty.csv", EmptyError, " is empty"),
        ("broken.parquet", InputError, " cannot be read: "),
        ("broken.xlsx", InputError, " cannot be read: "),
        ("broken.jsonl", InputError, " cannot be read: "),
        ("folder", InputError, " has no file that ends in .csv, .parquet, .xlsx or .jsonl. "),
        ("image.png", InputError, " does not end in .csv, .parquet, .xlsx or .jsonl. "),
        ("link.csv", InputError, " is a link to /on/another/disk, which this container cannot see"),
        ("nowhere.csv", InputError, " does not exist. Containers see only data/"),
    ):
        with pytest.raises(error) as caught:
            data.read(name)
        assert str(caught.value).startswith(f"{name}{reason}"), name
