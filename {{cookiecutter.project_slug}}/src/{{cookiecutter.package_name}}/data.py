"""Read the input: the packaged sample, one file, a folder of files, or the result of a query."""

import logging
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import NoReturn
from urllib.parse import unquote

import polars as pl

from . import schema
from .check import check
from .errors import EmptyError, InputError, listed, short
from .formats import ENDINGS, NAMES, Table, read_file
from .settings import Settings
from .table import TYPES

SAMPLE = Path(__file__).parent / "sample" / schema.SAMPLE
QUERY = re.compile(  # what starts like one and is not the name of a file, such as `select.csv` or `with head.csv`
    r"""(?isx) (?! (?:(?!\bFROM\b).)* \.(?:csv|parquet)\s*$ ) [\s(]* (?: --.*\n | /\*.*\*/
    | SELECT (?= [\s*'"($+@~\[{] | -[\s\d(-] | /\* ) | VALUES (?= \s*\( | \s*-- | \s*/\* )
    | (?:WITH|FROM|TABLE|DESCRIBE|DESC|SHOW|SUMMARIZE|PIVOT|UNPIVOT|EXPLAIN) (?= [\s'"(] | -- | /\* ) )"""
)
QUERIED = "The query's result"
log = logging.getLogger(__name__)  # tells what was left out, and how a file was read


def read(source: str | Path | None = None, settings: Settings | None = None) -> tuple[pl.DataFrame, list[dict]]:
    """Return the checked rows (see `schema.Rows`) of a file, a folder, a query or the packaged sample (None).

    Also returns the `path`, `sha256`, number of `rows` and `columns_left_out` of each file or query. Raises InputError,
    ColumnError, ValueRangeError, EmptyError or DatabaseError.
    """
    frames, sources = [], []
    for table in tables(source, TYPES, settings):
        frames.append(check(table.frame, table.shown))
        sources.append(
            {
                "path": str(source) if table.shown == QUERIED else table.shown,
                "sha256": table.sha256 or sha256(frames[-1].write_csv().encode()).hexdigest(),
                "rows": table.frame.height,
                "columns_left_out": list(table.others),
            }
        )
    rows = pl.concat(frames)
    if rows.is_empty():
        raise EmptyError(f"{source} has no rows. Choose an input that has some.")
    return rows, sources


def tables(
    source: str | Path | None, types: dict[str, pl.DataType], settings: Settings | None = None
) -> Iterator[Table]:
    """Yield each table of a file, a folder, a query or the packaged sample (None).

    A table has the columns that `types` names, or all if it is empty; those of CSV are text. Raises InputError,
    ColumnError, EmptyError or DatabaseError.
    """
    if source and not os.path.lexists(source) and QUERY.match(str(source)):
        from . import database  # only now, as most inputs are files

        frame = database.query(str(source), settings)
        yield Table(frame, QUERIED, others=[name for name in frame.columns if types and name not in types])
        return
    path, notes = Path(source or SAMPLE), defaultdict(list)
    for file in _files(path):
        shown = f"packaged sample {file.name}" if file == SAMPLE else short(file.as_posix(), 150)
        # folders such as year=2007 are a column
        folders = [part.split("=", 1) for part in file.relative_to(path).parts[:-1] if "=" in part]
        added = {name: None if value == "__HIVE_DEFAULT_PARTITION__" else unquote(value) for name, value in folders}
        try:
            table = read_file(file, shown, added, types)
        except OSError as error:
            _refuse(error, file)
        yield table
        for note in table.notes:
            notes[note].append(shown)
    for note, files in notes.items():
        log.warning("%s: %s.", listed(files, 80), note)


def _files(path: Path) -> list[Path]:
    """Return the file, or the files below a folder in the order of their names. Raises InputError.

    What is left out is logged, with the reason.
    """
    _require_visible(path)
    if not path.is_dir():
        if not (path.is_file() and NAMES.search(path.name)):
            problem = f"does not end in {ENDINGS}" if path.is_file() else "is neither a file nor a folder"
            raise InputError(f"{short(path)} {problem}. Convert the data, or choose another input.")
        return [path]
    found, hidden, others, seen = list[Path](), list[Path](), list[Path](), set[tuple[int, int]]()
    for folder, folders, names in os.walk(path, onerror=_refuse, followlinks=True):
        here = Path(folder).stat()
        if (here.st_dev, here.st_ino) in seen:  # a link to a folder above it
            folders.clear()
            continue
        seen.add((here.st_dev, here.st_ino))
        hidden += [Path(folder, name) for name in [*folders, *names] if name.startswith(".")]
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for file in (Path(folder, name) for name in sorted(names) if not name.startswith(".")):
            _require_visible(file)
            (found if NAMES.search(file.name) and file.is_file() else others).append(file)
    for reason, files in {"hidden": hidden, "no table": others}.items():
        if files:
            log.warning("Left out, as %s: %s.", reason, listed([file.relative_to(path).as_posix() for file in files]))
    if not found:
        raise InputError(
            f"{short(path)} has no file that ends in {ENDINGS}. Convert the data, or choose another input."
        )
    return found


def _require_visible(path: Path) -> None:
    """Raise InputError if there is nothing to read at a path."""
    try:
        path.stat()
    except FileNotFoundError:
        if path.is_symlink():
            where = f"is a link to {short(path.readlink())}, which this container cannot see"
            raise InputError(f"{short(path)} {where}. Copy the file there instead.") from None
        remedy = f"put it there and write data/{short(path.name)}"
        raise InputError(f"{short(path)} does not exist. Containers see only data/: {remedy}.") from None
    except (OSError, ValueError) as error:  # ValueError: it has a character that no path has
        _refuse(error, path)


def _refuse(error: OSError | ValueError, path: Path | None = None) -> NoReturn:
    """Raise InputError for a path that cannot be read."""
    reason = (getattr(error, "strerror", None) or str(error)).lower()
    remedy = "`python3 docker/doctor.py` finds files of other owners"
    raise InputError(f"{short(path or getattr(error, 'filename', ''))} cannot be read: {reason}. {remedy}.") from None
