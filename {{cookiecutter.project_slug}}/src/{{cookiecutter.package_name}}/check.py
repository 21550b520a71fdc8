"""Check rows against the schema, and say in a sentence what is wrong and where."""

import re
from collections.abc import Collection, Iterable

import polars as pl
from pandera.errors import SchemaError, SchemaErrorReason

from .convert import Forms, convert, forms
from .errors import ColumnError, ValueRangeError, listed, short
from .table import COLUMNS, SCHEMA

KINDS = {
    pl.Boolean: "true or false",
    pl.Date: "a date like 2024-01-31",
    pl.Datetime: "a date and time like 2024-01-31 12:30:00",
    pl.Time: "a time like 12:30:00",
}
RULES = {
    "equal_to": "is not {value}",
    "not_equal_to": "is {value}",
    "greater_than": "is not above {min_value}",
    "greater_than_or_equal_to": "is below {min_value}",
    "less_than": "is not below {max_value}",
    "less_than_or_equal_to": "is above {max_value}",
    "in_range": "is not between {min_value} and {max_value}",
    "isin": "is not one of: {allowed_values}",
    "notin": "is one of: {forbidden_values}",
    "str_matches": "does not start with the pattern {pattern}",
    "str_contains": "does not contain the pattern {pattern}",
    "str_startswith": "does not start with {string}",
    "str_endswith": "does not end with {string}",
    "unique_values_eq": "is among values that are not exactly: {values}",
    "str_length": "is shorter or longer than allowed, which is {min_value} to {max_value} characters",
}
# Whether each rule of the schema is about one row; a rule about several needs all rows of a file
BY_ROW = not (SCHEMA.checks or SCHEMA.unique) and not any(
    column.unique or any(rule.name not in RULES.keys() - {"unique_values_eq"} for rule in column.checks)
    for column in COLUMNS.values()
)


def require(names: Iterable[str], source: object, wanted: Collection[str]) -> list[str]:
    """Return the names that are wanted, or all if none are. Raises ColumnError if one is missing, or there twice."""
    names = list(names)
    if missing := [name for name in wanted if COLUMNS[name].required and name not in names]:
        lacks = f"{source} lacks {len(missing)} column{'s' if len(missing) > 1 else ''}: {listed(missing)}"
        raise ColumnError(f"{lacks}. It has: {listed(names)}. Rename columns, or change schema.py.")
    if twice := [name for name in wanted or names if f"{name}_duplicated_0" in names]:
        raise ColumnError(f"{source} has more than one column {listed(twice)}. Rename or delete one of them.")
    return [name for name in wanted or names if name in names]


def check(frame: pl.DataFrame, source: object, known: Forms | None = None, before: int | None = None) -> pl.DataFrame:
    """Return the columns of the schema, typed, of a frame read from `source`. Raises ColumnError or ValueRangeError.

    Of a frame that is a part of a file, `known` says how its texts are to be read, and `before` how many rows of the
    file come before it.
    """
    types = {name: COLUMNS[name].dtype.type for name in require(frame.columns, source, COLUMNS)}
    known, first = known or forms([frame], types), before or 0

    def wrong(row: int | None, column: str | None, reason: str, count: int) -> ValueRangeError:
        """Return the error that names the place of the first wrong value."""
        row_at = "" if row is None else f", row {row + first + 1}"
        place = f"{source}{row_at}{'' if column is None else f', column {short(column)}'}"
        among = "in all" if before is None else f"in rows {first + 1} to {first + len(frame)}"
        return ValueRangeError(f"{place}: {reason} ({count} wrong {among}). Correct the input, or change schema.py.")

    typed = []
    for name, dtype in types.items():
        if name in known.doubts:
            raise wrong(None, name, known.doubts[name], len(frame))
        try:
            new, lost = convert(frame[name], dtype, known.comma, known.moments.get(name))
        except (ValueError, pl.exceptions.PolarsError) as error:
            raise wrong(None, name, str(error).splitlines()[0], len(frame)) from None
        if lost.any():
            row = lost.arg_true()[0]
            raise wrong(row, name, _not_of_type(frame[name][row], dtype, known.comma), lost.sum())
        typed.append(new.alias(name))
    rows = pl.DataFrame(typed)
    try:
        return SCHEMA.validate(rows)
    except SchemaError as error:
        row, count = _where(error, rows)
        where = error.schema.name if error.schema.name in COLUMNS and error.schema is not SCHEMA else None
        value = None if row is None or where is None else rows[where][row]
        raise wrong(row, where, _reason(error, value), count) from None


def _shown(value: object) -> str:
    """Return a value as messages show it."""
    value = value.to_list() if isinstance(value, pl.Series) else value
    return short(repr(value) if isinstance(value, str) else str(value).removesuffix(".0"))


def _not_of_type(value: object, dtype: pl.DataType, comma: str) -> str:
    """Return why a value cannot have a type, where `comma` is what commas in numbers are."""
    kind = "a whole number" if dtype.is_integer() else "a number" if dtype.is_numeric() else "text"
    kind = KINDS.get(dtype.base_type(), kind) + "+01:00" * bool(getattr(dtype, "time_zone", None))
    if dtype.base_type() == pl.Enum:
        kind = f"one of: {listed(dtype.categories)}"
    advice = ""
    if isinstance(value, str) and dtype.is_numeric() and re.fullmatch(r"\D?\d+([^\w]\d+)+", value.strip()):
        others = f", as commas are {comma} elsewhere" if comma else ""
        advice = f"{others}; write it with a decimal point, and with nothing between thousands"
    return f"{_shown(value)} is not {kind}{advice}"


def _where(error: SchemaError, rows: pl.DataFrame) -> tuple[int | None, int]:
    """Return the first row that breaks a rule, if it is one about rows, and how many do."""
    name = error.schema.name
    if error.reason_code == SchemaErrorReason.SERIES_CONTAINS_NULLS:
        wrong = rows[name].is_null()
    elif error.reason_code == SchemaErrorReason.SERIES_CONTAINS_DUPLICATES:
        wrong = rows[name].is_duplicated()
    elif error.reason_code == SchemaErrorReason.DUPLICATES:
        wrong = rows.select(SCHEMA.unique).is_duplicated()
    elif isinstance(error.check_output, pl.DataFrame | pl.LazyFrame):
        wrong = ~error.check_output.lazy().collect().to_series().fill_null(True)
    else:
        wrong = pl.Series()
    if len(wrong) != len(rows) or not wrong.any():
        return None, 1
    return wrong.arg_true()[0], wrong.sum()


def _reason(error: SchemaError, value: object) -> str:
    """Return what a broken rule says of a value; None for a rule that is not about one value."""
    rule = error.check
    if error.reason_code == SchemaErrorReason.SERIES_CONTAINS_NULLS:
        return "a value is missing"
    if error.reason_code == SchemaErrorReason.SERIES_CONTAINS_DUPLICATES:
        return f"{_shown(value)} is there more than once"
    if error.reason_code == SchemaErrorReason.DUPLICATES:
        return f"another row has the same {listed(SCHEMA.unique)}"
    if isinstance(rule, str):
        return short(str(error).splitlines()[0], 150)
    if error.reason_code == SchemaErrorReason.CHECK_ERROR:
        reason = str(error).splitlines()[0].removeprefix("Error while executing check function: ")
        return f"the rule '{rule.name}' of schema.py fails with {short(reason, 150)}"
    if rule.name in RULES:
        limits = {key: _limit(each) for key, each in rule.statistics.items()}
        return f"{_shown(value)} {RULES[rule.name].format(**limits)}"
    said = rule.error or rule.description or rule.title or rule.name
    return f"{'it' if value is None else _shown(value)} breaks the rule '{short(said, 150)}'"


def _limit(value: object) -> object:
    """Return a limit of a rule as messages show it."""
    if value is None:
        return "any number of"
    return listed(value) if isinstance(value, Collection) and not isinstance(value, str) else value
