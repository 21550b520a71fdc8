"""Read one file: CSV, whatever its encoding and separator, if these are certain; Parquet; Excel; JSON Lines."""

import bz2
import csv
import gzip
import io
import lzma
import re
import zlib
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import fastexcel
import polars as pl
from fastexcel import FastExcelError

from .check import require
from .convert import NOTHING
from .errors import EmptyError, InputError, short

NAMES = re.compile(r"(?i)\.((parquet)|(xlsx|xlsm|xlsb|xls|ods)|((jsonl|ndjson)|csv|tsv)(\.gz|\.bz2|\.xz)?)$")
ENDINGS = ".csv, .parquet, .xlsx or .jsonl"  # the common ones, for messages
COMPRESSED = {b"\x1f\x8b": gzip.decompress, b"BZh": bz2.decompress, b"\xfd7zXZ\0": lzma.decompress}
DAMAGED = (OSError, EOFError, ValueError, lzma.LZMAError, zlib.error)  # what these raise
FOREIGN = {  # how files begin that are called a table and are something else
    rb"\s*<(!doctype|html|\?xml)": "is a web page or XML. Download the data itself",
    rb"version https://git-lfs": "is a pointer of Git LFS, not the data. Run `git lfs pull`",
    rb"PK\x03\x04": "is a ZIP archive or an Excel file. Unpack it, or name it .xlsx",
    rb"\xd0\xcf\x11\xe0": "is an old Excel file. Name it .xls",
}
MARKS = {b"\xff\xfe\0\0": "utf-32", b"\0\0\xfe\xff": "utf-32", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
SEPARATORS = {",": ",", ";": ";", "\t": "a tab", "|": "|"}


class Table(NamedTuple):
    """A table as it was read: no rule is checked yet."""

    frame: pl.DataFrame  # (rows x columns); the columns of CSV are text
    shown: str  # its name in messages
    sha256: str = ""  # of its file
    notes: Sequence[str] = ()  # on how it was read
    others: Sequence[str] = ()  # names of columns that the schema does not have


def read_file(path: Path, shown: str, added: dict[str, str | None], types: dict[str, pl.DataType]) -> Table:
    """Return the table of a file.

    `added` are columns that the names of its folders give. `types` are those of the schema's columns, which are then
    the only ones; empty: all columns are wanted. Raises InputError, EmptyError, ColumnError or OSError.
    """
    name = NAMES.search(path.name)
    assert name  # others are not asked for
    content = path.read_bytes()
    digest, others = sha256(content).hexdigest(), list[str]()
    try:
        for begin, decompress in COMPRESSED.items():
            content = decompress(content) if content.startswith(begin) else content
    except DAMAGED:
        raise InputError(f"{shown} cannot be decompressed: it is damaged or cut off. Copy it again.") from None
    for begin, problem in FOREIGN.items():
        if re.match(begin, content[:200], re.IGNORECASE) and not name[3]:
            raise InputError(f"{shown} {problem}.")
    if not content[:1000].strip() and not content.strip():
        raise EmptyError(f"{shown} is empty. Choose an input that has rows.")
    try:
        if name[2]:
            frame, notes = pl.read_parquet(content), list[str]()
        elif name[3]:
            frame, notes = _read_excel(content)
        elif name[5]:
            content, notes = _as_utf8(content, shown)
            frame = pl.read_ndjson(content, infer_schema_length=None)
        else:
            frame, notes, others = _read_csv(content, shown, list(added), types)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, FastExcelError) as error:
        reason = short(str(error).splitlines()[0].rstrip("."), 150)
        raise InputError(f"{shown} cannot be read: {reason}. Check that it is complete.") from None
    values = [pl.lit(value, pl.String).alias(name) for name, value in added.items() if name not in frame.columns]
    frame = frame.rename(str.strip).with_columns(values)
    others = others or [name for name in frame.columns if types and name not in types]
    return Table(frame.select(require(frame.columns, shown, types)), shown, digest, notes, others)


def _read_excel(content: bytes) -> tuple[pl.DataFrame, list[str]]:
    """Return the first sheet of an Excel file, and a note if there are more."""
    book = fastexcel.read_excel(content)
    notes = [f"only its first sheet, {short(book.sheet_names[0])}, is read"] if len(book.sheet_names) > 1 else []
    frame = book.load_sheet(0, schema_sample_rows=None, dtype_coercion="coerce").to_polars()
    empty = [name for name in frame.columns if name.startswith("__UNNAMED__") and frame[name].is_null().all()]
    return frame.drop(empty), notes


def _read_csv(
    content: bytes, shown: str, added: list[str], types: dict[str, pl.DataType]
) -> tuple[pl.DataFrame, list[str], list[str]]:
    """Return a CSV file as text, so that no type is guessed, notes on how it was read, and what is not wanted."""
    content, notes = _as_utf8(content, shown)
    if b"\n" not in content:
        content = content.replace(b"\r", b"\n")  # as old Macs write it
    if declared := re.match(rb'"?sep=([\t -~])"?\r?\n', content, re.IGNORECASE):  # as Excel writes it
        content = content[declared.end() :]
    headers = {each: _header(content, each) for each in ([declared[1].decode()] if declared else SEPARATORS)}
    # the separator that gives most columns of the schema; if none gives any, most columns
    separator = max(headers, key=lambda each: (len({*headers[each]} & {*types}), len(headers[each])))
    header, kind = headers[separator], SEPARATORS.get(separator, separator)
    source = shown if separator == "," else f"{shown}, whose separator looks like {kind},"
    names = {raw: raw.replace('""', '"').strip() for raw in header}  # polars leaves quotes doubled
    wanted = require([*names.values(), *(name for name in added if name not in names.values())], source, types)
    if separator != ",":
        notes.append(f"its separator is {kind}")
    options = {"separator": separator, "infer_schema": False, "null_values": NOTHING}
    columns = [raw for raw in header if names[raw] in wanted or raw == header[-1]]
    types = types or _numbers(content, options)
    of_names = {raw: types[names[raw]] for raw in columns if names[raw] in types}
    quick = {raw: dtype for raw, dtype in of_names.items() if dtype.is_numeric() or dtype == pl.Enum}
    try:
        frame = pl.read_csv(content, columns=columns, schema_overrides=quick, **options)  # takes least memory
    except pl.exceptions.PolarsError:
        try:
            frame = pl.read_csv(content, columns=columns, **options)
        except pl.exceptions.PolarsError:
            _require_even(content, separator, len(header), shown)
            raise
    if frame[header[-1]].null_count() or len(header) == 1:  # lines that are empty, or too short
        nothing = pl.all_horizontal(pl.all().cast(pl.String).str.strip_chars().fill_null("") == "")
        empty = frame.select(nothing).to_series().arg_true()
        if frame[header[-1]].null_count() > len(empty):
            _require_even(content, separator, len(header), shown)
        lines = pl.scan_csv(content, **options).with_columns(nothing=nothing).select("nothing")
        frame = frame.filter(~lines.collect()["nothing"]) if len(empty) else frame
    others = [name for name in names.values() if name not in wanted]
    return frame.rename({raw: names[raw] for raw in columns}), notes, others


def _numbers(content: bytes, options: dict) -> dict[str, pl.DataType]:
    """Return the types of the columns that begin as plain numbers, so that they need not be read as text first."""
    head = pl.read_csv(content, n_rows=1000, **options)
    found = dict[str, pl.DataType]()
    for column in head:
        for dtype in (pl.Int64, pl.Float64):
            plain = not column.str.contains(r"^[+-]?0\d|[^-+\d.eE]").any()  # 007 is not 7
            if plain and column.cast(dtype, strict=False).null_count() == column.null_count() < len(column):
                found.setdefault(column.name.strip(), dtype)
    return found


def _as_utf8(content: bytes, shown: str) -> tuple[bytes, list[str]]:
    """Return text in UTF-8, and a note if it was not. Raises InputError if its encoding cannot be told for sure."""
    for mark, encoding in MARKS.items():
        if content.startswith(mark):
            try:
                return content.decode(encoding).encode(), [f"its encoding is {encoding.upper()}"]
            except UnicodeError:
                raise InputError(f"{shown} is damaged or cut off: it is not whole {encoding.upper()} text.") from None
    if b"\0" in content[:1000]:
        raise InputError(f"{shown} is not text, or is UTF-16 without a mark. Save it as CSV in UTF-8.")
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        remedy = "Save it as CSV in UTF-8, or convert it: iconv -f WINDOWS-1252 -t UTF-8 OLD >NEW"
        raise InputError(f"{shown}, line {line}: this is not UTF-8, but perhaps Windows-1252. {remedy}") from None
    return content, []


def _header(content: bytes, separator: str) -> list[str]:
    """Return the names of the columns, if this is the separator; none if these cannot be told."""
    try:
        return pl.read_csv(content, separator=separator, n_rows=0, infer_schema=False).columns
    except pl.exceptions.PolarsError:
        return []


def _require_even(content: bytes, separator: str, width: int, shown: str) -> None:
    """Raise InputError for the first line that does not have as many fields as the header."""
    lines = csv.reader(io.TextIOWrapper(io.BytesIO(content), "utf-8", newline=""), delimiter=separator)
    try:
        for cells in lines:
            if len(cells) not in (0, width) and any(cell.strip() for cell in cells):
                raise InputError(
                    f"{shown}, line {lines.line_num}: fields: {len(cells)}, but in the header: {width}. Complete the "
                    f"line, or put quotes around each field with the separator, {SEPARATORS.get(separator, separator)}"
                )
    except csv.Error:  # polars has its own reason
        return
