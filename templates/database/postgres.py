"""Tables in PostgreSQL: the service `db`, or the server that PIPELINE_DATABASE names."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import psycopg
from psycopg import sql as SQL  # noqa: N812

from .errors import DatabaseError
from .settings import Settings, load

NAME = re.compile(r"[a-z][a-z0-9_]*")
SCHEMA = "pipeline"  # a schema of its own, so that no other program's tables are in the way


def query(sql: str, settings: Settings | None = None) -> pl.DataFrame:
    """Return what a query answers; it can read and not write. It names stored tables, or any others.

    Raises DatabaseError with PostgreSQL's own reason.
    """
    with _connected(settings or load()) as connection:
        connection.execute("SET TRANSACTION READ ONLY")
        return pl.read_database(sql, connection, infer_schema_length=None)


@contextmanager
def storing(tables: dict[str, pl.DataFrame], settings: Settings) -> Iterator[dict[Path, bytes]]:
    """Store tables in place of older ones, in one transaction that ends well only if the block does.

    Gives the files that hold the tables: none, as the server has them. Raises DatabaseError.
    """
    reserved = "SELECT word FROM pg_get_keywords() WHERE catcode IN ('R', 'T')"
    with _connected(settings) as connection:
        words = {word for (word,) in connection.execute(reserved)}
        for name in tables:
            if not NAME.fullmatch(name) or name in words:
                raise DatabaseError(f"A table cannot be named '{name}': use a-z, 0-9 and _, and no SQL word.")
        connection.execute(SQL.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(SQL.Identifier(SCHEMA)))
        for name, frame in tables.items():
            _replace(connection, SQL.Identifier(SCHEMA, name), frame)
        yield {}


def _replace(connection: psycopg.Connection, table: SQL.Identifier, frame: pl.DataFrame) -> None:
    """Make the table anew from a frame."""
    columns = [SQL.Identifier(name) + SQL.SQL(f" {_kind(dtype)}") for name, dtype in frame.schema.items()]
    connection.execute(SQL.SQL("DROP TABLE IF EXISTS {}").format(table))
    connection.execute(SQL.SQL("CREATE TABLE {} ({})").format(table, SQL.SQL(", ").join(columns)))
    with connection.cursor().copy(SQL.SQL("COPY {} FROM STDIN").format(table)) as copy:
        for row in frame.iter_rows():
            copy.write_row(row)


def _kind(dtype: pl.DataType) -> str:
    """Return PostgreSQL's type for a column."""
    if dtype.is_integer():
        return "bigint"
    if dtype.is_float():
        return "double precision"
    return {pl.Boolean: "boolean", pl.Date: "date", pl.Datetime: "timestamp"}.get(dtype.base_type(), "text")


@contextmanager
def _connected(settings: Settings) -> Iterator[psycopg.Connection]:
    """Give a connection; what was done on it counts when the block ends well. No message shows the password."""
    address = settings.database.get_secret_value()
    if not address:
        raise DatabaseError("PIPELINE_DATABASE is not set. Write it as postgresql://user:password@host:5432/name.")
    try:
        connection = psycopg.connect(address, connect_timeout=10)
    except psycopg.OperationalError as error:
        raise DatabaseError(
            f"The database does not answer: {_reason(error)}. Start it with `docker compose up --wait db`, "
            "or correct PIPELINE_DATABASE in .env."
        ) from None
    except psycopg.Error:  # its text would show the password
        raise DatabaseError(
            "PIPELINE_DATABASE is no address of a database. Write it as postgresql://user:password@host:5432/name."
        ) from None
    try:
        with connection:
            connection.execute(SQL.SQL("SET search_path TO {}, public").format(SQL.Identifier(SCHEMA)))
            connection.commit()
            yield connection
    except psycopg.Error as error:
        reason = f"The database refused: {_reason(error)}."
        raise DatabaseError(f"{reason} Correct the query, or store the table first.") from None


def _reason(error: psycopg.Error) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
