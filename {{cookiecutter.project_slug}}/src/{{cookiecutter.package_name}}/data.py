"""Read the input: the packaged sample, one file, a folder of files, or the result of a query."""

import re
from hashlib import sha256
from pathlib import Path

import polars as pl

from .errors import EmptyError, InputError
from .schema import check
from .settings import Settings

SAMPLE = Path(__file__).parent / "sample" / "penguins.csv"
KINDS = (".csv", ".parquet")
QUERY = re.compile(r"\s*(SELECT|WITH|FROM)\s", re.IGNORECASE)


def read(source: str | Path | None = None, settings: Settings | None = None) -> tuple[pl.DataFrame, list[dict]]:
    """Return the checked rows (see `schema.Penguins`) of a file, a folder, a query or the packaged sample (None).

    Also returns the `path`, `sha256` and number of `rows` of each file or query. Raises InputError, ColumnError,
    ValueRangeError, EmptyError or DatabaseError.
    """
    if source and QUERY.match(str(source)):
        from . import database  # only now, as most inputs are files

        rows = check(database.query(str(source), settings), "The query's result")
        sources = [{"path": str(source), "sha256": sha256(rows.write_csv().encode()).hexdigest(), "rows": rows.height}]
    else:
        frames = {file: check(_read_file(file), file) for file in _files(Path(source or SAMPLE))}
        rows, sources = pl.concat(frames.values()), []
        for file, frame in frames.items():
            name = f"packaged sample {file.name}" if file == SAMPLE else file.as_posix()
            sources.append({"path": name, "sha256": sha256(file.read_bytes()).hexdigest(), "rows": frame.height})
    if rows.is_empty():
        raise EmptyError(f"{source} has no rows. Choose an input that has some.")
    return rows, sources


def _files(path: Path) -> list[Path]:
    """Return the file, or the files of a folder in the order of their names. Raises InputError."""
    if not path.exists():
        raise InputError(f"{path} does not exist. Containers see only data/: put it there and write data/{path.name}.")
    candidates = sorted(path.glob("[!.]*")) if path.is_dir() else [path]  # macOS leaves hidden files in folders
    files = [file for file in candidates if file.is_file() and file.suffix.lower() in KINDS]
    if not files:
        problem = "has no file that ends" if path.is_dir() else "does not end"
        raise InputError(f"{path} {problem} in {' or '.join(KINDS)}. Convert the data, or choose another input.")
    return files


def _read_file(file: Path) -> pl.DataFrame:
    """Return one file unchanged; all columns of a CSV file are text, so that no type is guessed."""
    try:
        if file.suffix.lower() == ".parquet":
            return pl.read_parquet(file)
        return pl.read_csv(file, infer_schema=False, null_values=["", "NA"])
    except pl.exceptions.NoDataError:
        raise EmptyError(f"{file} is empty. Choose an input that has rows.") from None
    except (OSError, pl.exceptions.PolarsError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise InputError(f"{file} cannot be read: {reason}. Check that it is complete and readable.") from None
