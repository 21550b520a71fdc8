"""What a row must look like: the one place that names columns, types and allowed values."""

from pathlib import Path

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

    class Config:
        """Columns that the schema does not name are left out."""

        strict = "filter"


RULES = {"isin": "is none of", "greater_than_or_equal_to": "is below", "less_than_or_equal_to": "is above"}
COLUMNS = Penguins.to_schema().columns


def check(frame: pl.DataFrame, source: Path | str) -> pl.DataFrame:
    """Return the columns of `Penguins`, in their types, of a `frame` read from `source`; same number of rows.

    Raises ColumnError or ValueRangeError, which name the first wrong place. Rows count from 1, after the header.
    """
    missing = [name for name in COLUMNS if name not in frame.columns]
    if missing:
        raise ColumnError(
            f"{source} has no column {' and no column '.join(missing)}; it has {', '.join(frame.columns)}. "
            "Rename the column in the file, or change schema.py."
        )
    try:
        typed = frame.select(pl.col(name).cast(column.dtype.type, strict=False) for name, column in COLUMNS.items())
    except pl.exceptions.PolarsError as error:  # a kind that nothing can be made of, such as lists
        reason = f"{source} has a column of another kind: {str(error).splitlines()[0].rstrip('.')}"
        raise ValueRangeError(f"{reason}. Correct it, or change schema.py.") from None
    for name in COLUMNS:
        old, new = frame[name], typed[name]
        lost = old.is_not_null() & new.is_null()
        if old.dtype.is_float():  # 2007.5 is no year
            lost |= (old != new).fill_null(False)
        if lost.any():
            row = lost.arg_true()[0]
            kind = "a whole number" if new.dtype.is_integer() else "a number" if new.dtype.is_float() else "text"
            raise ValueRangeError(_sentence(source, row, name, f"{old[row]!r} is not {kind}", lost.sum()))
    try:
        return Penguins.validate(typed, lazy=True)
    except SchemaErrors as error:
        first = error.failure_cases.sort("index").row(0, named=True)
        row, name = first["index"], first["column"]
        rule, _, limit = first["check"].rstrip(")").partition("(")
        reason = f"{frame[name][row]!r} {RULES.get(rule, rule)} {limit}" if limit else "a value is missing"
        raise ValueRangeError(_sentence(source, row, name, reason, error.failure_cases.height)) from None


def _sentence(source: Path | str, row: int, column: str, reason: str, wrong: int) -> str:
    """Say where the first wrong value is, why it is wrong, how many there are, and what to do."""
    return (
        f"{source}, row {row + 1}, column {column}: {reason} ({wrong} wrong in all). "
        "Correct the file, or change schema.py."
    )
