"""Give a column the type that the schema asks for, if there is one way to read all of its values."""

from datetime import time
from itertools import product

import polars as pl

NOTHING = ["", "NA"]  # also in columns of text
MISSING = ["", "na", "n/a", "#n/a", "<na>", "nan", "nat", "none", "null"]  # in small letters; not in columns of text
BOOLEANS = {"true": True, "t": True, "yes": True, "y": True, "1": True, "1.0": True}
BOOLEANS |= {"false": False, "f": False, "no": False, "n": False, "0": False, "0.0": False}
DATES = ["%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y%m%d"]
DATES += ["%d %b %Y", "%d-%b-%Y"]
TIMES = ["%H:%M:%S%.f", "%H:%M", "%I:%M %p", "%I:%M:%S %p"]
BEGIN = r"^(\d{1,4}[-/. ]|\d{8}|\d{1,2}:\d)"  # of each of these
# Numbers whose commas can only be decimal, or only be between thousands; "3,750" can be both
CERTAIN = {
    "decimal": r"^[+-]?(\d{1,3}(\.\d{3})+,\d+|\d+,(\d{1,2}|\d{4,})|(0|\d{4,}),\d+)$",
    "between thousands": r"^[+-]?\d{1,3}((,\d{3})+\.\d+|(,\d{3}){2,})$",
}
# All numbers, where that is what commas are
NUMBER = r"(?i)^[+-]?(\d{1,3}(<\d{3})+|\d+)(>\d+)?(e[+-]?\d+)?$"
NUMBERS = {
    "decimal": NUMBER.replace("<", r"\.").replace(">", ","),
    "between thousands": NUMBER.replace("<", ",").replace(">", r"\."),
}


def commas(columns: list[pl.Series]) -> str:
    """Return what commas are in columns of numbers, as far as these are text: one of `CERTAIN`, else ""."""
    texts = [present(column).drop_nulls() for column in columns if column.dtype == pl.String]
    odd = [text.filter(text.cast(pl.Float64, strict=False).is_null()) for text in texts]
    found = [use for use, form in CERTAIN.items() if any(text.str.contains(form).any() for text in odd)]
    return found[0] if len(found) == 1 else ""


def convert(column: pl.Series, dtype: pl.DataType, comma: str = "") -> tuple[pl.Series, pl.Series]:
    """Return a column as `dtype`, and which of its values are lost by that (both of the column's length).

    `comma` is what `commas` found. Raises ValueError, with the reason, if dates can be read in two ways.
    """
    if column.dtype == dtype and not dtype.is_float():
        if dtype == pl.String and (nothing := column.is_in(NOTHING)).any():
            column = column.set(nothing, None)
        return column, pl.repeat(False, len(column), eager=True)
    if column.dtype.is_numeric() and dtype.is_temporal():
        column = column.cast(pl.String)  # 20240131, not a number of days
    if column.dtype.is_float() and column.is_nan().any():
        column = column.fill_nan(None)
    if column.dtype.is_nested() or (column.dtype.is_temporal() and dtype.is_numeric()):
        new = pl.repeat(None, len(column), dtype=dtype, eager=True)
    elif column.dtype == pl.String and dtype != pl.String:
        raw, column = column, present(column)
        new = _read(column, dtype, comma)
        if dtype.base_type() == pl.Enum:  # one of the values can be "none"
            new = raw.cast(dtype, strict=False).fill_null(new)
    else:
        new = column.cast(dtype, strict=False)
    lost = column.is_not_null() & new.is_null()
    if column.dtype != pl.String and not dtype.is_float() and dtype != pl.String:
        lost |= (new.cast(column.dtype, strict=False) != column).fill_null(False)  # 2007.5 is not a year
    return new, lost


def present(text: pl.Series) -> pl.Series:
    """Return text without blanks around it, and null for the usual words for a missing value."""
    text = text.str.strip_chars()
    return text.set(text.str.to_lowercase().is_in(MISSING), None)


def _read(text: pl.Series, dtype: pl.DataType, comma: str) -> pl.Series:
    """Return text as another type; null where that cannot be told."""
    if dtype.is_temporal() and dtype != pl.Duration:
        return _moments(text, dtype)
    if dtype == pl.Boolean:
        return text.str.to_lowercase().replace_strict(BOOLEANS, default=None, return_dtype=pl.Boolean)
    if dtype.is_numeric() and comma:
        text = text.set(~text.str.contains(NUMBERS[comma]).fill_null(True), None)
        text = text.str.replace_all("." if comma == "decimal" else ",", "", literal=True).str.replace(
            ",", ".", literal=True
        )
    if dtype.is_integer():
        number = text.cast(pl.Float64, strict=False)  # 2007.0 and 1e+05
        whole = number.set(number != number.floor(), None).cast(dtype, strict=False)
        return text.cast(dtype, strict=False).fill_null(whole)
    return text.cast(dtype, strict=False)


def _moments(text: pl.Series, dtype: pl.DataType) -> pl.Series:
    """Return text as dates, times or both. Raises ValueError if its form leaves open which is the month."""
    zones = ["%#z"] if getattr(dtype, "time_zone", None) else ["", "Z"]
    moments = map("".join, product(DATES, " T", TIMES, zones))
    forms = TIMES if dtype == pl.Time else [*moments] if zones == ["%#z"] else [*DATES, *moments]
    some = text.drop_nulls()[:100]
    forms = forms if some.str.contains(BEGIN).any() else []  # most text is ruled out by this, which is quick
    unread = {form: _moment(some, form, dtype).null_count() for form in forms}
    if min(unread.values(), default=len(some)) == len(some):
        return pl.repeat(None, len(text), dtype=dtype, eager=True)
    found = [_moment(text, form, dtype) for form in forms if unread[form] == min(unread.values())]
    least = min(each.null_count() for each in found)
    found = [each for each in found if each.null_count() == least]
    for other in found[1:]:
        differs = other.ne_missing(found[0])
        if differs.any() and least == text.null_count():
            row = differs.arg_true()[0]
            raise ValueError(f"{text[row]!r} can be {found[0][row]} or {other[row]}; write it as the one that is meant")
    return found[0]


def _moment(text: pl.Series, form: str, dtype: pl.DataType) -> pl.Series:
    """Return text in one form as dates, times or both; null where it has another one."""
    if dtype == pl.Time:
        return text.str.to_time(form, strict=False)
    moment = text.str.to_datetime(form, strict=False)
    moment = moment.set(moment.dt.year() < 1000, None)  # %Y would read 24 as the year 24
    if dtype == pl.Date:
        moment = moment.set(moment.dt.time() != time(0), None)
    return moment.cast(dtype, strict=False)
