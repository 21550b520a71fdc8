"""Tables as files: DuckDB reads them with SQL, each name being a Parquet file in reports/tables."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape, glob
from pathlib import Path

import duckdb
import polars as pl

from .errors import DatabaseError
from .outputs import current
from .settings import Settings, load
from .table import COLUMNS

# Comments, and what is in quotes: a name of files, if it ends so
QUOTED = re.compile(r"""(?s)--[^\n]*|/\*.*?\*/|'((?:[^']|'')*)'|"((?:[^"]|"")*)\"""")
FILES = re.compile(r"(?is).*\.(?:(csv)(?:\.\w+)?|parquet)")
PREDICTIONS = "tables/predictions.parquet"  # of the last run, in the folder of the reports
ODD = re.compile("INTERVAL|UNION|BIT|BIGNUM|VARIANT|GEOMETRY")  # types that Polars cannot have


LOCKED = [  # a query reads the files that it names and no others, loads no extension, and changes none of this
    *("autoinstall_known_extensions = false", "autoload_known_extensions = false"),
    *("enable_external_access = false", "lock_configuration = true"),
]


def query(sql: str, settings: Settings | None = None) -> pl.DataFrame:
    """Return the result of a query on stored tables, or files as 'data/mine.csv'. Raises DatabaseError.

    It is one statement that cannot write, and sees no files but those with the name of a table, such as .csv.
    """
    reports = (settings or load()).reports
    files = [*(reports / "tables").glob("*.parquet"), current(reports) / PREDICTIONS]
    stored = sorted({file.stem: file for file in files if file.exists()}.values())
    # without replacements, a query cannot name the variables of this function
    with duckdb.connect(config={"python_enable_replacements": "false"}) as connection:
        for file in stored:
            with suppress(duckdb.Error):  # a broken one concerns only queries that name it
                connection.read_parquet(escape(str(file))).create_view(file.stem)
        try:
            statements = connection.extract_statements(sql.encode().decode())  # which text that is none fails
            if [each.type.name for each in statements] not in (["SELECT"], ["MULTI"]):  # MULTI: PIVOT
                raise DatabaseError("A query is one statement that returns rows. Write one such as SELECT * FROM mine.")
            seen = [*map(str, stored)]
            for single, double in QUOTED.findall(sql):
                seen += _name_files(connection, single.replace("''", "'") or double.replace('""', '"'))
            connection.execute("SET allowed_paths = ?", [seen])
            for setting in LOCKED:
                connection.execute(f"SET {setting}")
            connection.execute(f'CREATE VIEW "the query" AS {sql}')  # no view writes, but a WITH could
            found = connection.view("the query")
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


def _name_files(connection: duckdb.DuckDBPyConnection, name: str) -> list[str]:
    """Give the files of this name, as written in a query, the rows and types that they have as an input.

    Return what the query may then read: the name and the files.
    """
    if not (kind := FILES.fullmatch(name)):
        return []
    found = glob(escape(name)) or glob(name, recursive=True)  # noqa: PTH207 - unlike Path's, it leaves out hidden files
    files = [file for file in sorted(found) if Path(file).is_file()]
    escaped = [escape(file) for file in files]
    if not files:
        return [name]  # DuckDB says what is wrong with it
    if kind[1]:
        options = {"header": True, "na_values": ["", "NA"], "union_by_name": True, "sample_size": -1}
        known = connection.read_csv(escaped, **options).columns
        # `check` gives dates and the like their types, as in files
        texts = {column for column, rule in COLUMNS.items() if not rule.dtype.type.is_numeric()}
        types = dict.fromkeys(texts.intersection(known), "VARCHAR")
        connection.read_csv(escaped, dtype=types, **options).create_view(name)
    else:
        connection.read_parquet(escaped).create_view(name)
    return [name, *files, *escaped]


def _reason(error: Exception) -> str:
    """Return the first line of an error."""
    lines = str(error).removeprefix("got external error: ").splitlines() or [type(error).__name__]
    return lines[0][:500].rstrip(".")


@contextmanager
def storing(tables: dict[str, Path], settings: Settings) -> Iterator[dict[Path, Path]]:
    """Yield where to put tables, which are Parquet files. Raises DatabaseError for a name that no query could use."""
    reserved = "SELECT keyword_name FROM duckdb_keywords() WHERE keyword_category = 'reserved'"
    words = {word for (word,) in duckdb.sql(reserved).fetchall()}
    for name in tables:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in words:
            rule = "start with a letter; then a-z, 0-9 and _; not a reserved SQL word"
            raise DatabaseError(f"A table cannot be named '{name}': {rule}.")
    folder = settings.reports / "tables"
    yield {folder / f"{name}.parquet": file for name, file in tables.items()}
