"""Read one file: CSV, whatever its encoding and separator, if these are certain; Parquet; Excel; JSON Lines.

A large file of CSV or Parquet is read in pieces.
"""

import bz2
import csv
import gzip
import io
import lzma
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import file_digest, sha256
from pathlib import Path
from typing import NamedTuple

import fastexcel
import polars as pl
from fastexcel import FastExcelError

from .check import BY_ROW, require
from .convert import NOTHING, Forms
from .errors import EmptyError, InputError, short
from .remote import Remote, read
from .settings import memory

NAMES = re.compile(r"(?i)\.((parquet)|(xlsx|xlsm|xlsb|xls|ods)|((jsonl|ndjson)|csv|tsv)(\.gz|\.bz2|\.xz)?)$")
ENDINGS = ".csv, .parquet, .xlsx or .jsonl"  # the common ones, for messages
COMPRESSED: dict[bytes, Callable] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ\0": lzma.open}
BROKEN = (pl.exceptions.PolarsError, pl.exceptions.PanicException, FastExcelError)  # what readers raise
DAMAGED = (OSError, EOFError, ValueError, lzma.LZMAError, zlib.error)  # what these raise
FOREIGN = {  # how files begin that are called a table and are something else
    rb"\s*<(!doctype|html|\?xml)": "is a web page or XML. Download the data itself",
    rb"version https://git-lfs": "is a pointer of Git LFS, not the data. Run `git lfs pull`",
    rb"PK\x03\x04": "is a ZIP archive or an Excel file. Unpack it, or name it .xlsx",
    rb"\xd0\xcf\x11\xe0": "is an old Excel file. Name it .xls",
}
MARKS = {b"\xff\xfe\0\0": "utf-32", b"\0\0\xfe\xff": "utf-32", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
SEPARATORS = {",": ",", ";": ";", "\t": "a tab", "|": "|"}
DECLARED = re.compile(rb'"?sep=([\t -~])"?\r?\n', re.IGNORECASE)  # the separator, as Excel writes it
BYTES, VALUES = 16_000_000, 2_000_000  # of a piece of CSV, of a piece of Parquet


@dataclass(eq=False)
class Piece:
    """What is read at one time: a file, or a part of a large one."""

    file: Path | Remote
    shown: str  # its name in messages
    added: Mapping[str, str | None]  # columns that the names of its folders give
    size: int  # bytes of the file
    changed: float = 0  # when it last was, if it is on this machine
    start: int = 0  # of a part: the first of its bytes in CSV, of its rows in Parquet
    stop: int = 0  # where the next part starts; 0: this is a whole file
    sha256: str = ""  # of the file
    head: bytes = b""  # the header, which other parts than the first lack
    line: int = 0  # lines of the file that come before, less those in `head`
    forms: Forms | None = None  # how the texts of the file are to be read, once it is known
    before: int = 0  # rows of the file that come before, for messages

    @property
    def weight(self) -> int:
        """About how many bytes of memory it takes to read it."""
        plain = self.file.name.lower().endswith((".csv", ".tsv"))  # others are compressed
        return self.size * (1 if plain else 5)

    @property
    def whole(self) -> bool:
        """Say whether it is a whole file."""
        return not self.stop

    @property
    def place(self) -> str:
        """Say for messages where in its file it begins, if it is a part of one."""
        unit, at = ("line", self.line + self.head.count(b"\n")) if self.head else ("row", self.start)
        return "" if self.whole else f" from {unit} {at + 1} on"

    def content(self) -> bytes:
        """Return its bytes. Raises InputError if the file has changed, and OSError."""
        return self.head + self.block(self.start, self.stop or self.size)

    def block(self, start: int, stop: int) -> bytes:
        """Return some bytes of its file. Raises InputError if that has changed, and OSError."""
        if isinstance(self.file, Remote):
            return read(self.file, start, stop)
        with self.file.open("rb") as file:
            file.seek(start)
            content = file.read(stop - start)
        self.require_unchanged()
        return content

    def require_unchanged(self) -> None:
        """Raise InputError if a file of this machine is another one than it was, and OSError if it is not there."""
        if isinstance(self.file, Path):
            now = self.file.stat()
            if (now.st_size, now.st_mtime) != (self.size, self.changed):
                raise InputError(f"{self.shown} has changed while it was read. Run again, once it is complete.")


class Table(NamedTuple):
    """A table as it was read: no rule is checked yet."""

    frame: pl.DataFrame  # (rows x columns); the columns of CSV are text
    shown: str  # its name in messages
    sha256: str = ""  # of its file
    notes: Sequence[str] = ()  # on how it was read
    others: Sequence[str] = ()  # names of columns that the schema does not have


def pieces(file: Piece) -> list[Piece]:
    """Return a file as the pieces in which it is read: one, unless it is large and can be divided. Raises OSError."""
    name = NAMES.search(file.file.name)
    assert name  # others are not asked for
    if not BY_ROW:
        return [file]
    if name[2] and isinstance(file.file, Path):
        try:
            table = pl.scan_parquet(file.file, glob=False, hive_partitioning=False)
            rows, step = table.select(pl.len()).collect().item(), VALUES // (len(table.collect_schema()) or 1) or 1
        except BROKEN:  # reading it says what is wrong
            return [file]
        if rows <= step:
            return [file]
        with file.file.open("rb") as opened:
            digest = file_digest(opened, "sha256").hexdigest()
        return [replace(file, start=at, stop=min(at + step, rows), sha256=digest) for at in range(0, rows, step)]
    if not name[4] or name[5] or name[6] or file.size <= BYTES:
        return [file]
    return _cut(file)


def _cut(file: Piece) -> list[Piece]:
    """Return a file of CSV in pieces that end where a line does, or whole if it is not plain UTF-8. Raises OSError."""
    found, digest, rest, at, line, head = list[Piece](), sha256(), b"", 0, 0, b""
    for start in range(0, file.size, BYTES):
        block = file.block(start, min(start + BYTES, file.size))
        digest.update(block)
        rest += block
        head = head or _head(rest)
        if not head or rest.startswith((*MARKS, *COMPRESSED)) or b"\0" in rest[:1000]:
            return [file]
        if len(rest) > 4 * BYTES:  # a quote that is never closed
            return [file]
        end = _end(rest) if start + BYTES < file.size else len(rest)
        if rest[:end].strip():
            found.append(replace(file, start=at, stop=at + end, head=head if at else b"", line=line))
            line += rest.count(b"\n", 0, end) - (0 if at else head.count(b"\n"))
            at, rest = at + end, rest[end:]
    return [replace(each, sha256=digest.hexdigest()) for each in found] if len(found) > 1 else [file]


def _end(content: bytes, before: int | None = None) -> int:
    """Return where the last line ends whose end is not inside quotes; 0 if none does."""
    end = content.rfind(b"\n", 0, before) + 1
    quotes = content.count(b'"', 0, end)
    while end and quotes % 2:
        before, end = end, content.rfind(b"\n", 0, end - 1) + 1
        quotes -= content.count(b'"', end, before)
    return end


def _head(content: bytes) -> bytes:
    """Return the lines up to the header; nothing if it has no end."""
    end = 0
    while not content[:end].strip() or DECLARED.fullmatch(content[:end]) or content.count(b'"', 0, end) % 2:
        end = content.find(b"\n", end) + 1
        if not end:
            return b""
    return content[:end]


def read_piece(piece: Piece, types: Mapping[str, pl.DataType]) -> Table:
    """Return the table of a file, or of a part of it.

    `types` are those of the schema's columns, which are then the only ones; empty: all columns are wanted. Raises
    InputError, EmptyError, ColumnError or OSError.
    """
    name, shown, others = NAMES.search(piece.file.name), piece.shown, list[str]()
    assert name  # others are not asked for
    if name[2] and not piece.whole:
        return _read_part(piece, types)
    content = piece.content()
    digest = piece.sha256 or sha256(content).hexdigest()
    content = _unpacked(content, shown, memory() // (8 if name[2] or name[3] else 3))
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
            content, notes = _as_utf8(content, piece)
            frame = pl.read_ndjson(content, infer_schema_length=None)
        else:
            frame, notes, others = _read_csv(content, piece, types)
        frame = _with_folders(frame.lazy(), piece).collect()
    except BROKEN as error:
        raise _unreadable(piece, error) from None
    others = others or [name for name in frame.columns if types and name not in types]
    return Table(frame.select(require(frame.columns, shown, types)), shown, digest, notes, others)


def _read_part(piece: Piece, types: Mapping[str, pl.DataType]) -> Table:
    """Return some rows of a file of Parquet."""
    try:
        table = _with_folders(pl.scan_parquet(piece.file, glob=False, hive_partitioning=False), piece)
        names = table.collect_schema().names()
        wanted = table.select(require(names, piece.shown, types))
        frame = wanted.slice(piece.start, piece.stop - piece.start).collect()
    except BROKEN as error:
        raise _unreadable(piece, error) from None
    piece.require_unchanged()
    return Table(frame, piece.shown, piece.sha256, [], [name for name in names if types and name not in types])


def _with_folders(table: pl.LazyFrame, piece: Piece) -> pl.LazyFrame:
    """Return a table with the columns that the names of folders give."""
    names = [name.strip() for name in table.collect_schema().names()]
    added = [pl.lit(value, pl.String).alias(name) for name, value in piece.added.items() if name not in names]
    return table.rename(str.strip).with_columns(added)


def _unreadable(piece: Piece, error: Exception) -> InputError:
    """Return the error for a file that is damaged."""
    reason = short(str(error).splitlines()[0].rstrip("."), 150)
    return InputError(f"{piece.shown} cannot be read{piece.place}: {reason}. Check that it is complete.")


def _unpacked(content: bytes, shown: str, most: int) -> bytes:
    """Return the content of a file, unpacked if it is compressed. Raises InputError, also if it has more bytes."""
    try:
        for begin, unpack in COMPRESSED.items():
            if content.startswith(begin):
                with unpack(io.BytesIO(content)) as file:
                    content = file.read(most + 1)
    except DAMAGED:
        raise InputError(f"{shown} cannot be decompressed: it is damaged or cut off. Copy it again.") from None
    if len(content) > most:
        remedy = "Divide it, store it as Parquet, or give it more: MEMORY in .env"
        raise InputError(f"{shown} is too large for the memory, as it can only be read as a whole. {remedy}.")
    return content


def _read_excel(content: bytes) -> tuple[pl.DataFrame, list[str]]:
    """Return the first sheet of an Excel file, and a note if there are more."""
    book = fastexcel.read_excel(content)
    notes = [f"only its first sheet, {short(book.sheet_names[0])}, is read"] if len(book.sheet_names) > 1 else []
    frame = book.load_sheet(0, schema_sample_rows=None, dtype_coercion="coerce").to_polars()
    empty = [name for name in frame.columns if name.startswith("__UNNAMED__") and frame[name].is_null().all()]
    return frame.drop(empty), notes


def _read_csv(
    content: bytes, piece: Piece, types: Mapping[str, pl.DataType]
) -> tuple[pl.DataFrame, list[str], list[str]]:
    """Return a CSV file as text, so that no type is guessed, notes on how it was read, and what is not wanted."""
    content, notes = _as_utf8(content, piece)
    if b"\n" not in content:
        content = content.replace(b"\r", b"\n")  # as old Macs write it
    if declared := DECLARED.match(content):
        content = content[declared.end() :]
    headers = {each: _header(content, each) for each in ([declared[1].decode()] if declared else SEPARATORS)}
    # the separator that gives most columns of the schema; if none gives any, most columns
    separator = max(headers, key=lambda each: (len({*headers[each]} & {*types}), len(headers[each])))
    header, kind = headers[separator], SEPARATORS.get(separator, separator)
    source = piece.shown if separator == "," else f"{piece.shown}, whose separator looks like {kind},"
    names = {raw: raw.replace('""', '"').strip() for raw in header}  # polars leaves quotes doubled
    wanted = require([*names.values(), *(name for name in piece.added if name not in names.values())], source, types)
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
            _require_even(content, separator, len(header), piece)
            raise
    if frame[header[-1]].null_count() or len(header) == 1:  # lines that are empty, or too short
        nothing = pl.all_horizontal(pl.all().cast(pl.String).str.strip_chars().fill_null("") == "")
        empty = frame.select(nothing).to_series().arg_true()
        if frame[header[-1]].null_count() > len(empty):
            _require_even(content, separator, len(header), piece)
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


def _as_utf8(content: bytes, piece: Piece) -> tuple[bytes, list[str]]:
    """Return text in UTF-8, and a note if it was not. Raises InputError if its encoding cannot be told for sure."""
    shown = piece.shown
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
        line = piece.line + content.count(b"\n", 0, error.start) + 1
        remedy = "Save it as CSV in UTF-8, or convert it: iconv -f WINDOWS-1252 -t UTF-8 OLD >NEW"
        raise InputError(f"{shown}, line {line}: this is not UTF-8, but perhaps Windows-1252. {remedy}") from None
    return content, []


def _header(content: bytes, separator: str) -> list[str]:
    """Return the names of the columns, if this is the separator; none if these cannot be told."""
    try:
        return pl.read_csv(content, separator=separator, n_rows=0, infer_schema=False).columns
    except pl.exceptions.PolarsError:
        return []


def _require_even(content: bytes, separator: str, width: int, piece: Piece) -> None:
    """Raise InputError for the first line that does not have as many fields as the header."""
    lines = csv.reader(io.TextIOWrapper(io.BytesIO(content), "utf-8", newline=""), delimiter=separator)
    try:
        for cells in lines:
            if len(cells) not in (0, width) and any(cell.strip() for cell in cells):
                place = f"{piece.shown}, line {piece.line + lines.line_num}"
                raise InputError(
                    f"{place}: fields: {len(cells)}, but in the header: {width}. Complete the line, or put quotes "
                    f"around each field with the separator, {SEPARATORS.get(separator, separator)}"
                )
    except csv.Error:  # polars has its own reason
        return
