"""Tables in PostgreSQL: the service `db`, or the server that PIPELINE_DATABASE names."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Timer
from urllib.parse import unquote

import polars as pl
import psycopg
from psycopg import sql as SQL  # noqa: N812
from psycopg.types.numeric import FloatLoader
from psycopg.types.string import TextLoader
from pydantic import AliasChoices, Field, SecretStr

from .errors import DatabaseError, OutputError
from .outputs import alone, current
from .settings import FromEnvironment, Settings, load

log = logging.getLogger(__name__)

PREDICTIONS = "tables/predictions.parquet"  # of the last run, in the folder of the reports
SCHEMA = "pipeline"  # a schema of its own, so that other programs' tables are not in the way
UNSURE = ".storing"  # in that folder while the server may have other predictions than it
# PostgreSQL's type for a column that is neither a number nor text
TYPES = {pl.Boolean: "boolean", pl.Date: "date", pl.Datetime: "timestamp"}
# Types that Polars has too; others, such as uuid, json and interval, are read as text
COMMON = re.compile("bool|int[248]|oid|float[48]|date|time|timestamp|timestamptz|bytea")

ROLES = "docker compose exec db psql --username {} --file /docker-entrypoint-initdb.d/roles.sql pipeline"
CHANGED = (
    "The database has another password than POSTGRES_PASSWORD in .env. Put that one back, or give the database the new "
    "one: run `docker compose up --wait db`, then "
    f"`{ROLES.format('postgres')}`."
)
MIGHTIES = ["pg_execute_server_program", "pg_write_server_files"]  # besides superusers
MIGHTY = (
    "No query runs as a user who may do anything, or run programs on the server. Name another in PIPELINE_DATABASE; "
    f"for a volume of `db` from an older version, run `{ROLES.format('pipeline')}`."
)
REFUSED = "The database refuses the user or the password. Correct PIPELINE_DATABASE or POSTGRES_PASSWORD in .env."
SILENT = (
    "The database does not answer. Start it with `docker compose up --wait db`, or after a pause with `docker compose "
    "unpause db`. A server of your own needs the right PIPELINE_DATABASE, and OUTBOUND=true, in .env."
)
UNREADABLE = (
    "PIPELINE_DATABASE is not the address of a PostgreSQL database. In .env, write it as "
    "postgresql://user@host:5432/name, and the password into POSTGRES_PASSWORD."
)
# What libpq or the server says, and the sentence for it; the first that fits
ANSWERS = {
    "invalid response|expected authentication|unsupported frontend": UNREADABLE,
    "starting up|shutting down|recovery": "The database is starting or stopping. Wait a moment, then try again.",
    "too many|connection slots": "The database has no connection left. Close some, such as those of open notebooks.",
    "SSL|certificate|pg_hba": "The database does not accept this machine, or wants another encryption. "
    "Correct sslmode in PIPELINE_DATABASE, as in ?sslmode=require, or ask its administrator.",
    "database .*not exist": "The server has no database of that name. Correct the end of PIPELINE_DATABASE in .env.",
    "invalid |could not parse|not found|unrecognized": UNREADABLE,
}
WAIT = 10  # seconds for a connection; for an answer, until the user is told
INVALID = (psycopg.Error, ValueError)  # ValueError: a host or text that cannot be encoded


class Server(FromEnvironment):
    """The address and the password of the server, from the environment, else from .env."""

    database: SecretStr = SecretStr("")
    # libpq's own name of it, which compose.yaml uses, so that each program in the containers finds it
    password: SecretStr = Field(SecretStr(""), validation_alias=AliasChoices("PGPASSWORD", "POSTGRES_PASSWORD"))

    def split(self) -> tuple[str, str]:
        """Return the address without its password, and the password.

        A password in the address can be encoded or not. It ends at the first @ before what reads host/name?query.
        """
        address, password = self.database.get_secret_value(), self.password.get_secret_value()
        user, rest = r"(postgres(?:ql)?://[^:/?#@]*)", r"(@[^@/?#]*(?:/[^@/?#]*)?(?:\?\w+=.*)?)"
        match = re.fullmatch(rf"(?s){user}:({re.escape(password)}|(?!\d+[/,?]).*?){rest}", address)  # digits: a port
        if not match:
            return address, password
        return match[1] + match[3], match[2] if match[2] == password else unquote(match[2])


def query(sql: str, settings: Settings | None = None) -> pl.DataFrame:
    """Return the result of a query, one statement on stored tables or any others; it cannot write.

    Raises DatabaseError.
    """
    _catch_up(settings or load())
    with _connected() as connection:
        connection.read_only = True
        # also the transaction's first query, after which no statement can make it one that writes
        mighty = "SELECT bool_or(pg_has_role(oid, 'MEMBER')) FROM pg_roles WHERE rolsuper OR rolname = ANY(%s)"
        if connection.execute(mighty, [MIGHTIES]).fetchone()[0]:
            raise DatabaseError(MIGHTY)
        for kind in connection.adapters.types:
            if not COMMON.fullmatch(kind.name):
                connection.adapters.register_loader(kind.oid, FloatLoader if kind.name == "numeric" else TextLoader)
        cursor = connection.execute(sql, prepare=True)  # the server prepares one statement only
        names = [column.name for column in cursor.description or ()]
        if not names:
            raise DatabaseError("A query is one statement that returns rows. Write one such as SELECT * FROM mine.")
        rows = cursor.fetchall()
        connection.rollback()  # PostgreSQL lets EXPLAIN ANALYZE CREATE TABLE write all the same
        try:
            return pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None)
        except (TypeError, pl.exceptions.PolarsError) as error:  # two columns of one name, arrays of unequal depth
            reason = str(error).splitlines()[0].rstrip(".")
            raise DatabaseError(f"The query's result: {reason}. Correct it, as in SELECT x::text AS y.") from None


@contextmanager
def storing(tables: dict[str, Path], settings: Settings) -> Iterator[dict[Path, Path]]:
    """Store tables, which are Parquet files, in a transaction that is committed only if the block succeeds.

    Yields where to put the files: nowhere, as the server has the tables. Raises DatabaseError.
    """
    before, unsure = current(settings.reports), settings.reports / UNSURE
    try:
        if "predictions" in tables:
            unsure.touch()
        with _storing(tables):
            yield {}
        before = current(settings.reports)
    finally:
        if current(settings.reports) == before:  # else the block has published files that the server does not match
            unsure.unlink(missing_ok=True)


def _catch_up(settings: Settings) -> None:
    """Store the last run's predictions if it was killed after it had published its files. Raises DatabaseError."""
    if (settings.reports / UNSURE).exists():
        with suppress(OutputError, OSError), alone(settings.reports):  # a run that has not ended stores its own
            with _storing({"predictions": current(settings.reports) / PREDICTIONS}):
                (settings.reports / UNSURE).unlink()


@contextmanager
def _storing(tables: dict[str, Path]) -> Iterator[None]:
    """Store tables in a transaction that is committed only if the block succeeds. Raises DatabaseError."""
    reserved = "SELECT word FROM pg_get_keywords() WHERE catcode IN ('R', 'T')"
    with _connected() as connection:
        words = {word for (word,) in connection.execute(reserved)}
        for name in tables:
            if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in words:
                rule = "start with a letter; then a-z, 0-9 and _; not a reserved SQL word"
                raise DatabaseError(f"A table cannot be named '{name}': {rule}.")
        connection.execute(SQL.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(SQL.Identifier(SCHEMA)))
        for name, file in tables.items():
            _replace(connection, SQL.Identifier(SCHEMA, name), pl.scan_parquet(file, glob=False))
        yield


def _replace(connection: psycopg.Connection, table: SQL.Identifier, rows: pl.LazyFrame) -> None:
    """Create the table again from rows."""
    columns = [SQL.Identifier(name) + SQL.SQL(f" {_kind(dtype)}") for name, dtype in rows.collect_schema().items()]
    connection.execute(SQL.SQL("DROP TABLE IF EXISTS {}").format(table))
    connection.execute(SQL.SQL("CREATE TABLE {} ({})").format(table, SQL.SQL(", ").join(columns)))
    with connection.cursor().copy(SQL.SQL("COPY {} FROM STDIN").format(table)) as copy:
        for batch in rows.collect_batches(maintain_order=True):
            for row in batch.iter_rows():
                copy.write_row(row)


def _kind(dtype: pl.DataType) -> str:
    """Return PostgreSQL's type for a column."""
    if dtype.is_integer():
        return "bigint"
    return "double precision" if dtype.is_float() else TYPES.get(dtype.base_type(), "text")


def _connect() -> psycopg.Connection:
    """Return a connection. Its errors show no part of the address, which could be one of the password."""
    server = Server()
    address, password = server.split()
    if not address:
        raise DatabaseError(f"PIPELINE_DATABASE is not set. {UNREADABLE.partition('. ')[2]}")
    try:
        options = {"password": password, **psycopg.conninfo.conninfo_to_dict(address), "connect_timeout": WAIT}
        return psycopg.connect(**options)
    except psycopg.OperationalError as error:
        said = re.sub('"[^"]*"', "", str(error))  # names in it could look like a reason
        if known := next((answer for pattern, answer in ANSWERS.items() if re.search(pattern, said)), None):
            raise DatabaseError(known) from None
        asked = error.pgconn and error.pgconn.used_password  # true in whatever language the server answers
        if not asked and not re.search("authentication failed|role .*not exist", said):
            raise DatabaseError(SILENT) from None
        own = ("db", "pipeline", server.password.get_secret_value())
        used = tuple(options.get(name) for name in ("host", "user", "password"))
        raise DatabaseError(CHANGED if used == own else REFUSED) from None
    except INVALID:
        raise DatabaseError(UNREADABLE) from None


@contextmanager
def _connected() -> Iterator[psycopg.Connection]:
    """Yield a connection; its changes are committed when the block succeeds."""
    connection = _connect()
    waiting = Timer(WAIT, log.warning, ["The database is still at work, or it is paused: %s s so far.", WAIT])
    waiting.daemon = True
    waiting.start()
    try:
        with connection:
            connection.execute(SQL.SQL("SET search_path TO {}, public").format(SQL.Identifier(SCHEMA)))
            connection.commit()
            yield connection
    except (psycopg.Error, UnicodeError) as error:
        # the codes: https://www.postgresql.org/docs/18/errcodes-appendix.html
        state = getattr(error, "sqlstate", None) or ""
        if connection.broken or state.startswith(("57P", "08")):
            raise DatabaseError("The connection to the database was lost. Try again once it answers.") from None
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        remedy = "Correct the query, or store the table first"
        if state.startswith("53"):
            remedy = "Free some space on the server's disk, or give it more memory"
        if isinstance(error, psycopg.errors.InsufficientPrivilege):
            remedy = "Ask its administrator to allow that, or name another user in PIPELINE_DATABASE"
        raise DatabaseError(f"The database refused: {reason}. {remedy}.") from None
    finally:
        waiting.cancel()
