"""Tables as files: DuckDB reads them with SQL, each name being a Parquet file in reports/tables."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape, glob
from pathlib import Path

import duckdb
import polars as pl

from .errors import DatabaseError
from .outputs import content
from .settings import Settings, load
from .table import COLUMNS

# Comments, and what is in quotes: a name of files, if it ends so
QUOTED = re.compile(r"""(?s)--[^\n]*|/\*.*?\*/|'((?:[^']|'')*)'|"((?:[^"]|"")*)\"""")
FILES = re.compile(r"(?is).*\.(?:(csv)(?:\.\w+)?|parquet)")
ODD = re.compile("INTERVAL|UNION|BIT|BIGNUM|VARIANT|GEOMETRY")  # types that Polars cannot have


def query(sql: str, settings: Settings | None = None) -> pl.DataFrame:
    """Return the result of a query on stored tables, or files as 'data/mine.csv'. Raises DatabaseError."""
    stored = sorted(((settings or load()).reports / "tables").glob("*.parquet"))
    # without replacements, a query cannot name the variables of this function
    with duckdb.connect(config={"python_enable_replacements": "false"}) as connection:
        for file in stored:
            with suppress(duckdb.Error):  # a broken one concerns only queries that name it
                connection.read_parquet(escape(str(file))).create_view(file.stem)
        try:
            for single, double in QUOTED.findall(sql):
                _name_files(connection, single.replace("''", "'") or double.replace('""', '"'))
            found = connection.sql(sql)
            if found is None:
                raise DatabaseError("The query has no result. Write one that returns rows, such as SELECT * FROM mine.")
            if ODD.search(" ".join(map(str, found.types))):
                names = ['"' + name.replace('"', '""') + '"' for name in found.columns]
                casts = ["::VARCHAR" if ODD.search(str(kind)) else "" for kind in found.types]
                columns = zip(names, casts, strict=True)
                found = found.project(", ".join(f"{name}{cast} AS {name}" for name, cast in columns))
            return pl.DataFrame(found)
        except (duckdb.Error, pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError) as error:
            named = [file for file in stored if re.search(rf"(?i)\b{re.escape(file.stem)}\b", sql)]
            for file in [] if isinstance(error, duckdb.ParserException) else named:
                try:
                    connection.read_parquet(escape(str(file))).aggregate("max(COLUMNS(*)::VARCHAR)").fetchall()
                except duckdb.Error as fault:
                    reason = f"{file} cannot be read: {_reason(fault)}"
                    raise DatabaseError(f"{reason}. Delete it, and store the table again.") from None
            raise DatabaseError(f"The query failed: {_reason(error)}. Correct it, or store the table first.") from None


def _name_files(connection: duckdb.DuckDBPyConnection, name: str) -> None:
    """Give the files of this name, as written in a query, the rows and types that they have as an input."""
    if not (kind := FILES.fullmatch(name)):
        return
    found = glob(escape(name)) or glob(name, recursive=True)  # noqa: PTH207 - unlike Path's, it leaves out hidden files
    files = [escape(file) for file in sorted(found) if Path(file).is_file()]
    if not files:
        return  # DuckDB says what is wrong with the name
    if not kind[1]:
        connection.read_parquet(files).create_view(name)
        return
    options = {"header": True, "na_values": ["", "NA"], "union_by_name": True, "sample_size": -1}
    known = connection.read_csv(files, **options).columns
    # `check` gives dates and the like their types, as in files
    texts = {column for column, rule in COLUMNS.items() if not rule.dtype.type.is_numeric()}
    connection.read_csv(files, dtype=dict.fromkeys(texts.intersection(known), "VARCHAR"), **options).create_view(name)


def _reason(error: Exception) -> str:
    """Return the first line of an error."""
    lines = str(error).removeprefix("got external error: ").splitlines() or [type(error).__name__]
    return lines[0][:500].rstrip(".")


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
