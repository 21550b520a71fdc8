"""Decide on each column of a table that nobody has described: its type and rules, or why a model cannot use it."""

import math
import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from .convert import commas, convert, present
from .errors import ColumnError, EmptyError, listed, short

LISTED = 30  # different texts that are listed as the only ones allowed, at most; with more, any text is
CLASSES = 10  # different whole numbers in a target that are classes and not amounts, at most
LEAST = 8  # rows that have a target
MOST = 100  # classes; more take long to learn
KINDS = {  # in the order in which they are tried
    pl.Boolean: "yes or no",
    pl.Int64: "whole number",
    pl.Float64: "number",
    pl.Date: "date",
    pl.Datetime("us"): "date and time",
    pl.Datetime("us", "UTC"): "date and time",
    pl.Time: "time",
    pl.String: "category",
}
COUNTING = re.compile(r"(?i)(.*[\W_])?(id|uuid|guid|key|index|idx|no|nr|row|rows|rownames|rownum)|unnamed.*|column_1|")
DATED = r"^\d+[-/.: ]\w"  # how dates and times begin
TIED = 1 - 1e-9  # correlation from which on two numbers are one


@dataclass
class Column:
    """What is decided on a column."""

    values: pl.Series  # typed
    rules: dict[str, Any] = field(default_factory=dict)  # arguments of pandera's Field
    left_out: str = ""  # the reason

    @property
    def kind(self) -> str:
        """The type in words."""
        listed_numbers = "isin" in self.rules and self.values.dtype.is_numeric()
        return "category" if listed_numbers else KINDS.get(self.values.dtype, "other")


def decide(
    rows: pl.DataFrame, target: str, task: str | None = None, ignored: Collection[str] = ()
) -> tuple[dict[str, Column], str]:
    """Return what is decided on each column, and the task; this empties `rows`.

    Raises ColumnError if the target cannot be predicted, and EmptyError if it is known in too few rows.
    """
    for name in (target, *ignored):
        if name not in rows.columns:
            raise ColumnError(f"The table has no column {short(name)}. It has: {listed(rows.columns)}.")
    if target in ignored:
        raise ColumnError(f"The target {short(target)} is also among the columns to ignore. Ignore another one.")
    comma = commas([column for column in rows if column.dtype == pl.String])
    # each column leaves `rows`, as both forms of all of them would take much memory
    columns = {name: Column(_typed(rows.drop_in_place(name), comma)) for name in rows.columns}
    aim = columns[target]
    known = aim.values.drop_nulls()
    if len(known) < LEAST:
        raise EmptyError(f"Rows that have a target: {len(known)}, too few for a model. Choose an input that has more.")
    problem = "a date or time" if known.dtype.is_temporal() else _useless(aim.values, is_target=True)
    if known.dtype.is_float() and not known.is_finite().all():
        problem = "infinite in some rows"
    distinct = known.n_unique()
    amounts = known.dtype.is_numeric() and distinct > (CLASSES if known.dtype.is_integer() else 2)
    task = task or ("regression" if amounts else "classification")
    if task == "regression" and not known.dtype.is_numeric():
        problem = "not a number, which a regression needs"
    elif task == "regression" and not 1e-30 < max(known.max(), -known.min()) < 1e30:
        problem = problem or "beyond what a model can tell apart in 32 bits, if its unit is not another one"
    elif task == "classification" and distinct > max(len(known) / 2, 2):
        problem = problem or "another value in most rows, which no classification can learn"
    elif task == "classification" and distinct > MOST:
        problem = problem or f"one of {distinct} different values, and a classification learns {MOST} at most"
    if problem:
        raise ColumnError(f"The target {short(target)} cannot be predicted: it is {problem}. Choose another one.")
    for name, column in columns.items():
        if name != target:
            column.left_out = "as you asked" if name in ignored else _useless(column.values)
            if not column.left_out and _tells(column.values, aim.values, task):
                column.left_out = "a copy of the target"
        column.rules = _rules(column.values.drop_nulls(), name == target and task == "classification")
        column.rules |= {"nullable": True} if column.values.has_nulls() else {}
    if all(column.left_out for name, column in columns.items() if name != target):
        raise ColumnError(f"No column is left to predict {short(target)} from. Choose a table that has more.")
    return columns, task


def _typed(raw: pl.Series, comma: str) -> pl.Series:
    """Return a column as the first of `KINDS` that loses no value, nor the form of numbers such as 007."""
    if raw.dtype != pl.String:
        if raw.dtype.base_type() in (pl.Enum, pl.Categorical):
            return convert(raw.cast(pl.String), pl.String)[0]
        if raw.dtype.is_numeric():
            whole, lost = convert(raw, pl.Int64)  # whole numbers with gaps are often written as 3.0
            return convert(raw, pl.Float64)[0] if lost.any() else whole
        if raw.dtype == pl.Datetime:
            days, lost = convert(raw, pl.Date)  # spreadsheets write dates as midnights
            if not (raw.dtype.time_zone or lost.any()):
                return days
            return raw.cast(pl.Datetime("us", raw.dtype.time_zone and "UTC"))
        return raw
    coded = raw.str.contains(r"^\s*[+-]?0\d").any()
    digits = raw.str.contains(r"^\s*[\d.]+\s*$").any()
    dated = present(raw.head(1000)).drop_nulls().str.contains(DATED).all()  # to try all forms of dates takes long
    none = raw.str.contains(r"(?i)^\s*none\s*$").any()  # beside yes and no it is a third answer
    for kind in KINDS:
        unlike = not dated if kind.is_temporal() else coded if kind.is_numeric() else digits or none
        if unlike and kind != pl.String:
            continue
        try:
            for part in (raw.head(1000), raw):
                values, lost = convert(part, kind, comma)
                if lost.any() or values.null_count() == len(values):
                    break
            else:
                return values
        except ValueError:  # dates that can be read in two ways stay text
            continue
    return raw


def _useless(values: pl.Series, *, is_target: bool = False) -> str:
    """Return why a model cannot learn from a column, if so."""
    known = values.drop_nulls()
    if len(known) == 0:
        return "empty"
    if not values.name:
        return "without a name"
    if values.dtype not in KINDS:
        return "neither text nor number, date or time"
    distinct = known.n_unique()
    if distinct == 1:
        return f"always {short(known[0])}"
    if is_target:
        return ""
    if values.dtype == pl.Int64 and distinct == len(values):
        counted = len(values) > 9 and known.min() in (0, 1) and known.max() - known.min() == distinct - 1
        if counted or COUNTING.fullmatch(values.name):
            return "an identifier, another in each row"
    if values.dtype == pl.String and distinct > max(5, len(known) / 2):
        words = known.str.count_matches(r"\S+").mean()
        return "free text" if words > 3 else "text that differs in most rows"
    return ""


def _tells(values: pl.Series, target: pl.Series, task: str) -> bool:
    """Say whether a column tells the target without any model, value by value."""
    both = pl.DataFrame([values.alias("one"), target.alias("other")]).drop_nulls()
    if task == "regression":
        if both.height < 10 or not values.dtype.is_numeric():
            return False
        return abs(both.select(pl.corr("one", "other")).item() or 0) > TIED
    pairs = both.unique()
    return both.height > 0 and pairs.height == pairs["one"].n_unique() == pairs["other"].n_unique()


def _rules(known: pl.Series, is_class: bool) -> dict[str, object]:
    """Return rules that allow what was seen and more of its kind: listed values, or wide limits of a number."""
    distinct = known.unique().sort()
    binary = known.dtype == pl.Int64 and set(distinct[:3]) <= {0, 1}
    listable = known.dtype in (pl.String, pl.Int64, pl.Float64)
    if listable and len(distinct) and (is_class or binary or (known.dtype == pl.String and len(distinct) <= LISTED)):
        return {"isin": distinct.to_list()}
    if not known.dtype.is_numeric() or len(known) == 0:
        return {}
    # round limits, as far beyond the lowest and the highest value as these are apart, and a tenth at least
    low, high = known.min(), known.max()
    if max(abs(high), abs(low)) > 1e300:
        return {}
    room = max(high - low, abs(high) / 10, abs(low) / 10) or 1
    step = 10.0 ** math.floor(math.log10(room))
    under, over = math.floor((low - room) / step) * step, math.ceil((high + room) / step) * step
    under, over = max(under, 0) if low >= 0 else under, min(over, 0) if high <= 0 else over
    return {"ge": _plain(under), "le": _plain(over)}


def _plain(value: float) -> float:
    """Return a number without the digits that arithmetic adds, and whole if it is."""
    value = float(f"{value:.12g}")
    return int(value) if value.is_integer() and abs(value) < 1e15 else value
