"""Rows that nobody measured, from the rules of a schema alone: a sample that everybody may see."""

from datetime import datetime, timedelta

import numpy as np
import pandera.polars as pa
import polars as pl

LIMITS = {"greater_than_or_equal_to", "greater_than", "less_than_or_equal_to", "less_than", "in_range"}
WORDS = 12  # different texts in a column whose values are not listed
MISSING = 0.04  # share of the cells of a column that may be empty


def rows(schema: pa.DataFrameSchema, target: str, count: int, seed: int = 0) -> pl.DataFrame:
    """Return `count` rows that keep limits and listed values; the target is never missing.

    A hidden number drives all columns of a row, some more and some less, so that a model finds something to learn.
    """
    random = np.random.default_rng(seed)
    hidden = random.random(count)
    made = list[pl.Series]()
    for name, column in schema.columns.items():
        weight = 0.9 if name == target or not made else random.uniform(0.5, 0.9)
        share = weight * hidden + (1 - weight) * random.random(count)  # from 0 to 1: where in its range a value is
        values = _values(name, column, share if random.random() < 0.5 else 1 - share)
        if column.nullable and name != target:
            some = pl.DataFrame({"value": values, "there": random.random(count) >= MISSING})
            values = some.select(pl.when("there").then("value")).to_series()
        made.append(values.alias(name))
    return pl.DataFrame(made)


def _values(name: str, column: pa.Column, share: np.ndarray) -> pl.Series:
    """Return values of a column at places in its range (rows,), 0 being its lower end and 1 its upper."""
    kind = column.dtype.type
    rules = {check.name: check.statistics for check in column.checks}
    listed = list(rules["isin"]["allowed_values"]) if "isin" in rules else []
    if kind.base_type() in (pl.String, pl.Enum):
        listed = listed or [f"{name} {number}" for number in range(1, WORDS + 1)]
    if kind == pl.Boolean:
        listed = [False, True]
    if listed:
        return pl.Series(listed, dtype=kind).gather((share * len(listed)).astype(int))
    if kind.is_temporal():
        start = datetime(2024, 1, 1)
        seconds = share * (24 * 3600 - 1) if kind == pl.Time else (share * 365).astype(int) * 24 * 3600 + share * 80000
        moments = pl.Series([start + timedelta(seconds=int(each)) for each in seconds])
        return moments.dt.replace_time_zone(getattr(kind, "time_zone", None)).cast(kind)
    known = [value for rule in LIMITS & {*rules} for value in rules[rule].values() if not isinstance(value, bool)]
    low, high = (min(known), max(known)) if len(known) > 1 else (min([0, *known]), max([100, *known]))
    # most values are near the middle, as limits are generous
    numbers = low + (high - low) * (0.3 + 0.4 * share)
    digits = 2 - int(np.floor(np.log10(high - low or 1)))
    numbers = pl.Series(numbers.round(0 if kind.is_integer() else min(max(digits, 0), 300)))
    return (numbers.clip(-9.2e18, 9.2e18) if kind.is_integer() else numbers).cast(kind)
