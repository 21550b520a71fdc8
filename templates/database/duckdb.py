"""Tables in files: DuckDB answers queries inside this process, and a table is a Parquet file in reports/tables."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import polars as pl

from .errors import DatabaseError
from .settings import Settings, load

NAME = re.compile(r"[a-z][a-z0-9_]*")


def query(sql: str, settings: Settings | None = None) -> pl.DataFrame:
    """Return what a query answers. It may name stored tables, and files as 'data/mine.parquet'.

    Raises DatabaseError with DuckDB's own reason.
    """
    folder = _folder(settings or load())
    with duckdb.connect() as connection:
        for file in sorted(folder.glob("*.parquet")):
            path = str(file).replace("'", "''")
            connection.execute(f"CREATE VIEW \"{file.stem}\" AS FROM read_parquet('{path}')")
        try:
            return pl.DataFrame(connection.sql(sql))
        except duckdb.Error as error:
            reason = str(error).splitlines()[0].rstrip(".")
            raise DatabaseError(f"The query failed: {reason}. Correct it, or store the table first.") from None


@contextmanager
def storing(tables: dict[str, pl.DataFrame], settings: Settings) -> Iterator[dict[Path, bytes]]:
    """Give the files that hold the tables; they count once they are written, in place of older ones.

    Raises DatabaseError for a name that no query could use.
    """
    reserved = "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category = 'reserved'"
    words = {word for (word,) in duckdb.sql(reserved).fetchall()}
    for name in tables:
        if not NAME.fullmatch(name) or name in words:
            raise DatabaseError(f"A table cannot be named '{name}': use a-z, 0-9 and _, and no SQL word.")
    yield {_folder(settings) / f"{name}.parquet": _parquet(frame) for name, frame in tables.items()}


def _folder(settings: Settings) -> Path:
    return settings.reports / "tables"


def _parquet(frame: pl.DataFrame) -> bytes:
    """Return the bytes of a Parquet file, the same for the same frame."""
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()
