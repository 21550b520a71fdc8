"""Tables in files: DuckDB answers queries inside this process, and a table is a Parquet file in reports/tables."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import polars as pl

from .errors import DatabaseError
from .outputs import content
from .settings import Settings, load


def query(sql: str, settings: Settings | None = None) -> pl.DataFrame:
    """Return the result of a query on stored tables, or files as 'data/mine.parquet'. Raises DatabaseError."""
    with duckdb.connect() as connection:
        for file in sorted(((settings or load()).reports / "tables").glob("*.parquet")):
            connection.read_parquet(str(file)).create_view(file.stem)
        try:
            return pl.DataFrame(connection.sql(sql))
        except duckdb.Error as error:
            reason = str(error).splitlines()[0].rstrip(".")
            raise DatabaseError(f"The query failed: {reason}. Correct it, or store the table first.") from None


@contextmanager
def storing(tables: dict[str, pl.DataFrame], settings: Settings) -> Iterator[dict[Path, bytes]]:
    """Yield the files that hold the tables. Raises DatabaseError for a name that no query could use."""
    reserved = "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category = 'reserved'"
    words = {word for (word,) in duckdb.sql(reserved).fetchall()}
    for name in tables:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in words:
            rule = "start with a letter; then a-z, 0-9 and _; not a reserved SQL word"
            raise DatabaseError(f"A table cannot be named '{name}': {rule}.")
    folder = settings.reports / "tables"
    yield {folder / f"{name}.parquet": content(frame.write_parquet) for name, frame in tables.items()}
