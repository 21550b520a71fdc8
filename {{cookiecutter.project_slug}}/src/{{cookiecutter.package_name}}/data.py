"""Read the input: the packaged sample, one file, a folder of files, or the result of a query."""

import logging
import os
import re
from collections import defaultdict
from hashlib import sha256
from pathlib import Path
from typing import NoReturn
from urllib.parse import unquote

import polars as pl

from .check import check
from .errors import EmptyError, InputError, listed, short
from .formats import NAMES, read_file
from .settings import Settings

SAMPLE = Path(__file__).parent / "sample" / "penguins.csv"
QUERY = re.compile(  # what starts like one and is not the name of a file, such as `select.csv` or `with head.csv`
    r"""(?isx) (?! (?:(?!\bFROM\b).)* \.(?:csv|parquet)\s*$ ) [\s(]* (?: --.*\n | /\*.*\*/
    | SELECT (?= [\s*'"($+@~\[{] | -[\s\d(-] | /\* ) | VALUES (?= \s*\( | \s*-- | \s*/\* )
    | (?:WITH|FROM|TABLE|DESCRIBE|DESC|SHOW|SUMMARIZE|PIVOT|UNPIVOT|EXPLAIN) (?= [\s'"(] | -- | /\* ) )"""
)
log = logging.getLogger(__name__)  # tells what was left out, and how a file was read


def read(source: str | Path | None = None, settings: Settings | None = None) -> tuple[pl.DataFrame, list[dict]]:
    """Return the checked rows (see `schema.Penguins`) of a file, a folder, a query or the packaged sample (None).

    Also returns the `path`, `sha256` and number of `rows` of each file or query. Raises InputError, ColumnError,
    ValueRangeError, EmptyError or DatabaseError.
    """
    if source and not os.path.lexists(source) and QUERY.match(str(source)):
        from . import database  # only now, as most inputs are files

        rows = check(database.query(str(source), settings), "The query's result")
        sources = [{"path": str(source), "sha256": sha256(rows.write_csv().encode()).hexdigest(), "rows": rows.height}]
    else:
        rows, sources = _read_files(Path(source or SAMPLE))
    if rows.is_empty():
        raise EmptyError(f"{source} has no rows. Choose an input that has some.")
    return rows, sources


def _read_files(path: Path) -> tuple[pl.DataFrame, list[dict]]:
    """Return the checked rows of a file, or of all files in a folder, and what each of them is."""
    frames, sources, notes = [], [], defaultdict(list)
    for file in _files(path):
        shown = f"packaged sample {file.name}" if file == SAMPLE else short(file.as_posix(), 150)
        # folders such as year=2007 are a column
        folders = [part.split("=", 1) for part in file.relative_to(path).parts[:-1] if "=" in part]
        added = {name: None if value == "__HIVE_DEFAULT_PARTITION__" else unquote(value) for name, value in folders}
        try:
            frame, digest, said = read_file(file, shown, added)
        except OSError as error:
            _refuse(error, file)
        frames.append(check(frame, shown))
        sources.append({"path": shown, "sha256": digest, "rows": len(frames[-1])})
        for note in said:
            notes[note].append(shown)
    for note, files in notes.items():
        log.warning("%s: %s.", listed(files, 80), note)
    return pl.concat(frames), sources


def _files(path: Path) -> list[Path]:
    """Return the file, or the files below a folder in the order of their names. Raises InputError.

    What is left out is logged, with the reason.
    """
    _require_visible(path)
    if not path.is_dir():
        if not (path.is_file() and NAMES.search(path.name)):
            problem = "does not end in .csv or .parquet" if path.is_file() else "is neither a file nor a folder"
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
    for reason, files in {"hidden": hidden, "not CSV or Parquet": others}.items():
        if files:
            log.warning("Left out, as %s: %s.", reason, listed([file.relative_to(path).as_posix() for file in files]))
    if not found:
        raise InputError(
            f"{short(path)} has no file that ends in .csv or .parquet. Convert the data, or choose another input."
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
