"""What a row must look like: the only place that names columns, types and allowed values."""

import pandera.polars as pa
import polars as pl
from pandera.errors import SchemaErrors

from .errors import ColumnError, ValueRangeError

SPECIES = ["Adelie", "Chinstrap", "Gentoo"]
ISLANDS = ["Biscoe", "Dream", "Torgersen"]
SEXES = ["female", "male"]


class Penguins(pa.DataFrameModel):
    """One penguin per row. Lengths in millimetres, mass in grams; limits are generous bounds for adult birds."""

    species: str = pa.Field(isin=SPECIES)
    island: str = pa.Field(isin=ISLANDS)
    bill_length_mm: float = pa.Field(ge=20, le=80, nullable=True)
    bill_depth_mm: float = pa.Field(ge=5, le=40, nullable=True)
    flipper_length_mm: float = pa.Field(ge=100, le=300, nullable=True)
    body_mass_g: float = pa.Field(ge=1000, le=10000, nullable=True)
    sex: str = pa.Field(isin=SEXES, nullable=True)
    year: int = pa.Field(ge=2000, le=2100)


RULES = {"isin": "is not one of:", "greater_than_or_equal_to": "is below", "less_than_or_equal_to": "is above"}
COLUMNS = Penguins.to_schema().columns


def check(frame: pl.DataFrame, source: object) -> pl.DataFrame:
    """Return the columns of `Penguins`, typed, of a frame read from `source`. Raises ColumnError or ValueRangeError."""

    def wrong(row: int, column: str, reason: str, count: int) -> ValueRangeError:
        place = f"{source}, row {row + 1}, column {column}: {reason} ({count} wrong in all)"
        return ValueRangeError(f"{place}. Correct the input, or change schema.py.")

    if missing := [name for name in COLUMNS if name not in frame.columns]:
        lacks = f"{source} lacks {len(missing)} column{'s' if len(missing) > 1 else ''}: {', '.join(missing)}"
        raise ColumnError(f"{lacks}. It has: {', '.join(frame.columns)}. Rename columns, or change schema.py.")
    try:
        typed = frame.select(pl.col(name).cast(column.dtype.type, strict=False) for name, column in COLUMNS.items())
    except pl.exceptions.PolarsError as error:  # for example lists
        reason = str(error).splitlines()[0].rstrip(".")
        raise ValueRangeError(f"{source} has a column of another type: {reason}. Correct it.") from None
    for old, new in zip(frame.select(typed.columns), typed, strict=True):
        lost = old.is_not_null() & new.is_null()
        if old.dtype.is_numeric() and new.dtype.is_integer():  # 2007.5 is not a year
            lost |= (old != new).fill_null(False)
        if lost.any():
            row = lost.arg_true()[0]
            kind = "a whole number" if new.dtype.is_integer() else "a number" if new.dtype.is_float() else "text"
            raise wrong(row, new.name, f"{old[row]!r} is not {kind}", lost.sum())
    try:
        return Penguins.validate(typed, lazy=True)
    except SchemaErrors as error:
        cases = error.failure_cases.sort("index")
        row, name, number = cases.select("index", "column", "check_number").row(0)
        reason = "a value is missing"
        if number is not None:
            rule = COLUMNS[name].checks[number]
            (limit,) = rule.statistics.values()
            limit = ", ".join(limit) if rule.name == "isin" else limit
            reason = f"{frame[name][row]!r} {RULES[rule.name]} {limit}"
        raise wrong(row, name, reason, cases.height) from None
