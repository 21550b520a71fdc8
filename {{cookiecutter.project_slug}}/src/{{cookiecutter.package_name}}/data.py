"""Read the input: the packaged sample, one file, a folder of files, or the result of a query."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from . import database
from .errors import EmptyError, InputError
from .schema import check
from .settings import Settings

SAMPLE = Path(__file__).parent / "sample" / "penguins.csv"
KINDS = (".csv", ".parquet")
QUERY = re.compile(r"\s*(SELECT|WITH|FROM)\s", re.IGNORECASE)


@dataclass(frozen=True)
class Source:
    """One file or query that was read: its name as given, the SHA-256 of its content, and its number of rows."""

    path: str
    sha256: str
    rows: int


def files(path: Path | None) -> list[Path]:
    """Return the files that `path` stands for, in the order of their names; None stands for the sample.

    Raises InputError if there is none.
    """
    if path is None:
        return [SAMPLE]
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if _counts(file))
        if not found:
            raise InputError(f"The folder {path} holds no file that ends in {' or '.join(KINDS)}. Put one there.")
        return found
    if not path.exists():
        raise InputError(f"There is no file {path}, seen from {Path.cwd()}. Put it there, or change --input.")
    if path.suffix.lower() not in KINDS:
        raise InputError(f"{path} ends in neither {' nor '.join(KINDS)}. Convert it, or name another file.")
    return [path]


def read(source: str | Path | None = None, settings: Settings | None = None) -> tuple[pl.DataFrame, list[Source]]:
    """Return the checked rows (see `schema.Penguins`) of a file, of all files in a folder, or of a query.

    Also returns where they came from. None stands for the packaged sample. Raises InputError, ColumnError,
    ValueRangeError, EmptyError or DatabaseError with the file and the place.
    """
    if source is not None and QUERY.match(str(source)):
        return _read_query(str(source), settings)
    frames, sources = [], []
    for file in files(Path(source) if source else None):
        frame = check(_read_one(file), file)
        frames.append(frame)
        name = f"packaged sample {file.name}" if file == SAMPLE else file.as_posix()
        sources.append(Source(name, hashlib.sha256(file.read_bytes()).hexdigest(), frame.height))
    rows = pl.concat(frames)
    if rows.is_empty():
        raise EmptyError(f"{source} has no rows below its header. Name an input that has some.")
    return rows, sources


def _counts(file: Path) -> bool:
    """Say whether a file of a folder is input; hidden ones, which macOS leaves on other disks, are not."""
    return file.suffix.lower() in KINDS and file.is_file() and not file.name.startswith(".")


def _read_query(sql: str, settings: Settings | None) -> tuple[pl.DataFrame, list[Source]]:
    """Return the checked rows that the database answers with, and the query as their source."""
    rows = check(database.query(sql, settings), "The query's result")
    if rows.is_empty():
        raise EmptyError("The query's result has no rows. Change the query, or store some first.")
    return rows, [Source(sql, hashlib.sha256(rows.write_csv().encode()).hexdigest(), rows.height)]


def _read_one(file: Path) -> pl.DataFrame:
    """Return one file as it is; from CSV every column comes as text, so that no type is guessed."""
    try:
        if file.suffix.lower() == ".parquet":
            return pl.read_parquet(file)
        return pl.read_csv(file, infer_schema=False, null_values=["", "NA"])
    except pl.exceptions.NoDataError:
        raise EmptyError(f"{file} is empty. Name an input that has rows.") from None
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise InputError(f"{file} cannot be read: {reason}. Check that it is a whole file that you may read.") from None
