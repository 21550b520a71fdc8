"""Tables in PostgreSQL: the service `db`, or the server that PIPELINE_DATABASE names."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl
import psycopg
from psycopg import sql as SQL  # noqa: N812
from pydantic import SecretStr
from pydantic_settings import BaseSettings

from .errors import DatabaseError
from .settings import Settings

SCHEMA = "pipeline"  # a schema of its own, so that other programs' tables are not in the way
ADDRESS = "postgresql://user:password@host:5432/name"
# PostgreSQL's type for a column that is neither a number nor text
TYPES = {pl.Boolean: "boolean", pl.Date: "date", pl.Datetime: "timestamp"}


class Server(BaseSettings):
    """The server's address, from PIPELINE_DATABASE in the environment, else in .env."""

    model_config = Settings.model_config

    database: SecretStr = SecretStr("")


def query(sql: str, settings: Settings | None = None) -> pl.DataFrame:
    """Return the result of a query on stored tables, or any others; it cannot write. Raises DatabaseError."""
    with _connected() as connection:
        connection.execute("SET TRANSACTION READ ONLY")
        return pl.read_database(sql, connection, infer_schema_length=None)


@contextmanager
def storing(tables: dict[str, pl.DataFrame], settings: Settings) -> Iterator[dict[Path, bytes]]:
    """Store tables in a transaction that is committed only if the block succeeds. Raises DatabaseError.

    Yields the files that hold the tables: none, as the server has them.
    """
    reserved = "SELECT word FROM pg_get_keywords() WHERE catcode IN ('R', 'T')"
    with _connected() as connection:
        words = {word for (word,) in connection.execute(reserved)}
        for name in tables:
            if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in words:
                rule = "start with a letter; then a-z, 0-9 and _; not a reserved SQL word"
                raise DatabaseError(f"A table cannot be named '{name}': {rule}.")
        connection.execute(SQL.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(SQL.Identifier(SCHEMA)))
        for name, frame in tables.items():
            _replace(connection, SQL.Identifier(SCHEMA, name), frame)
        yield {}


def _replace(connection: psycopg.Connection, table: SQL.Identifier, frame: pl.DataFrame) -> None:
    """Create the table again from a frame."""
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
    return "double precision" if dtype.is_float() else TYPES.get(dtype.base_type(), "text")


@contextmanager
def _connected() -> Iterator[psycopg.Connection]:
    """Yield a connection; its changes are committed when the block succeeds. No message shows the password."""
    address = Server().database.get_secret_value()
    if not address:
        raise DatabaseError(f"PIPELINE_DATABASE is not set. Write it as {ADDRESS}.")
    try:
        connection = psycopg.connect(address, connect_timeout=10)
    except psycopg.OperationalError as error:
        raise DatabaseError(
            f"The database does not answer: {_reason(error)}. Start it with `docker compose up --wait db`, "
            "or correct PIPELINE_DATABASE in .env."
        ) from None
    except psycopg.Error:  # its text would show the password
        raise DatabaseError(f"PIPELINE_DATABASE is not the address of a database. Write it as {ADDRESS}.") from None
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
