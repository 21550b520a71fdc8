"""Read the input: the packaged sample, one file, or a folder of files."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from .errors import EmptyError, InputError
from .schema import check

SAMPLE = Path(__file__).parent / "sample" / "penguins.csv"
KINDS = (".csv", ".parquet")


@dataclass(frozen=True)
class Source:
    """One file that was read: its path as given, the SHA-256 of its bytes, and its number of rows."""

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
        found = sorted(file for file in path.iterdir() if file.suffix.lower() in KINDS)
        if not found:
            raise InputError(f"The folder {path} holds no file that ends in {' or '.join(KINDS)}. Put one there.")
        return found
    if not path.exists():
        raise InputError(f"There is no file {path}, seen from {Path.cwd()}. Put it there, or change --input.")
    if path.suffix.lower() not in KINDS:
        raise InputError(f"{path} ends in neither {' nor '.join(KINDS)}. Convert it, or name another file.")
    return [path]


def read(path: Path | None = None) -> tuple[pl.DataFrame, list[Source]]:
    """Return the checked rows of all files below `path` (see `schema.Penguins`), and where they came from.

    Raises InputError, ColumnError, ValueRangeError or EmptyError with the file and the place.
    """
    frames, sources = [], []
    for file in files(path):
        frame = check(_read_one(file), file)
        frames.append(frame)
        name = f"packaged sample {file.name}" if file == SAMPLE else file.as_posix()
        sources.append(Source(name, hashlib.sha256(file.read_bytes()).hexdigest(), frame.height))
    rows = pl.concat(frames)
    if rows.is_empty():
        raise EmptyError(f"{path} has no rows below its header. Name an input that has some.")
    return rows, sources


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
