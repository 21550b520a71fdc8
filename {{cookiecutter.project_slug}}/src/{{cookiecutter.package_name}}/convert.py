"""Give a column the type that the schema asks for, if there is one way to read all of its values."""

from collections.abc import Iterable, Mapping
from datetime import time
from itertools import permutations, product
from typing import NamedTuple

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


class Forms(NamedTuple):
    """How the texts of a file are to be read, which only all of them together tell."""

    comma: str = ""  # what commas in numbers are: one of `CERTAIN`, else ""
    moments: Mapping[str, str] = {}  # the form of each column of dates or times
    doubts: Mapping[str, str] = {}  # why a column of dates can be read in two ways
    sure: bool = True  # more rows of the file would change nothing


def forms(frames: Iterable[pl.DataFrame], types: Mapping[str, pl.DataType]) -> Forms:
    """Return how the texts of a file are to be read, from the frames that it consists of."""
    uses, moments, sure = set[str](), dict[str, _Moments](), True
    for frame in frames:
        numbers = [frame[name] for name, dtype in types.items() if dtype.is_numeric() and name in frame.columns]
        uses |= _uses(numbers)
        sure &= not any(column.str.contains(",").any() for column in numbers if column.dtype == pl.String)
        for name, dtype in types.items():
            if dtype.is_temporal() and dtype != pl.Duration and frame.schema.get(name) == pl.String:
                text = present(frame[name])
                if name not in moments and text.count():
                    moments[name] = _Moments(text, dtype)
                if name in moments:
                    moments[name].see(text)
    sure &= all(len(each.unread) < 2 for each in moments.values())
    best = {name: each.best() for name, each in moments.items()}
    found = {name: form for name, (form, _) in best.items()}
    doubts = {name: doubt for name, (_, doubt) in best.items() if doubt}
    return Forms(_only(uses), found, doubts, sure)


def commas(columns: list[pl.Series]) -> str:
    """Return what commas are in columns of numbers, as far as these are text: one of `CERTAIN`, else ""."""
    return _only(_uses(columns))


def _only(uses: set[str]) -> str:
    """Return what commas are, if there is one answer, else ""."""
    return next(iter(uses)) if len(uses) == 1 else ""


def _uses(columns: list[pl.Series]) -> set[str]:
    """Return which of `CERTAIN` the commas of some numbers are."""
    texts = [present(column).drop_nulls() for column in columns if column.dtype == pl.String]
    odd = [text.filter(text.cast(pl.Float64, strict=False).is_null()) for text in texts]
    return {use for use, form in CERTAIN.items() if any(text.str.contains(form).any() for text in odd)}


def convert(
    column: pl.Series, dtype: pl.DataType, comma: str = "", form: str | None = None
) -> tuple[pl.Series, pl.Series]:
    """Return a column as `dtype`, and which of its values are lost by that (both of the column's length).

    `comma` is what `commas` found, `form` that of dates or times, if it is known. Raises ValueError, with the reason,
    if dates can be read in two ways.
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
        new = _read(column, dtype, comma, form)
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


def _read(text: pl.Series, dtype: pl.DataType, comma: str, form: str | None) -> pl.Series:
    """Return text as another type; null where that cannot be told."""
    if dtype.is_temporal() and dtype != pl.Duration:
        if form is None:
            seen = _Moments(text, dtype)
            seen.see(text)
            form, doubt = seen.best()
            if doubt:
                raise ValueError(doubt)
        return _moment(text, form, dtype)
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


class _Moments:
    """The forms that the dates or times of a column can have."""

    def __init__(self, text: pl.Series, dtype: pl.DataType) -> None:
        """Find the forms in which the most of the first values can be read."""
        zones = ["%#z"] if getattr(dtype, "time_zone", None) else ["", "Z"]
        moments = map("".join, product(DATES, " T", TIMES, zones))
        forms = TIMES if dtype == pl.Time else [*moments] if zones == ["%#z"] else [*DATES, *moments]
        some = text.drop_nulls()[:100]
        forms = forms if some.str.contains(BEGIN).any() else []  # most text is ruled out by this, which is quick
        unread = {form: _moment(some, form, dtype).null_count() for form in forms}
        least = min(unread.values(), default=len(some))
        self.dtype, self.missing = dtype, 0
        self.unread = {form: 0 for form, count in unread.items() if count == least < len(some)}  # values, so far
        self.doubts = dict[tuple[str, str], str]()  # a value that two forms read differently

    def see(self, text: pl.Series) -> None:
        """Count the values that each form does not read."""
        if len(self.unread) < 2:
            return
        self.missing += text.null_count()
        found = {form: _moment(text, form, self.dtype) for form in self.unread}
        for form, moments in found.items():
            self.unread[form] += moments.null_count()
        for (first, one), (second, other) in permutations(found.items(), 2):
            if (first, second) not in self.doubts and (differs := one.ne_missing(other)).any():
                row = differs.arg_true()[0]
                self.doubts[first, second] = f"{text[row]!r} can be {one[row]} or {other[row]}"

    def best(self) -> tuple[str, str]:
        """Return the form that reads the most, "" if none reads any, and why not if two read all, differently."""
        least = min(self.unread.values(), default=0)
        first, *others = [form for form, count in self.unread.items() if count == least] or [""]
        for other in others if least == self.missing else []:
            if doubt := self.doubts.get((first, other)):
                return first, f"{doubt}; write it as the one that is meant"
        return first, ""


def _moment(text: pl.Series, form: str, dtype: pl.DataType) -> pl.Series:
    """Return text in one form as dates, times or both; null where it has another one, or where there is no form."""
    if not form:
        return pl.repeat(None, len(text), dtype=dtype, eager=True)
    if dtype == pl.Time:
        return text.str.to_time(form, strict=False)
    moment = text.str.to_datetime(form, strict=False)
    moment = moment.set(moment.dt.year() < 1000, None)  # %Y would read 24 as the year 24
    if dtype == pl.Date:
        moment = moment.set(moment.dt.time() != time(0), None)
    return moment.cast(dtype, strict=False)
