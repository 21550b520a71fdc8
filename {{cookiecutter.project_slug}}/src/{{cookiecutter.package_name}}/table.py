"""What the other modules ask about the table of schema.py: task, rules, types, labels, units."""

import re

import polars as pl

from .schema import FEATURES, TARGET, TASK, Rows

CLASSES = TASK == "classification"
COVERED = 0.9  # of the test rows of a regression are between `lowest` and `highest`
SCHEMA = Rows.to_schema()
VALUES = {  # the allowed values of a column, where these are listed
    name: list(rule.statistics["allowed_values"])
    for name, column in SCHEMA.columns.items()
    for rule in column.checks
    if rule.name == "isin"
}
for name, column in SCHEMA.columns.items():
    # Text that can only be one of some values takes a byte for each row, not 16
    if column.dtype.type == pl.String and name in VALUES and len(column.checks) == 1:
        SCHEMA = SCHEMA.update_column(name, dtype=pl.Enum(VALUES[name]))
COLUMNS = SCHEMA.columns
TYPES = {name: column.dtype.type for name, column in COLUMNS.items()}


def is_text(name: str) -> bool:
    """Say whether a column holds text, of some listed values or of any."""
    return TYPES[name].base_type() in (pl.String, pl.Enum, pl.Categorical)


NUMBERS = [name for name in FEATURES if TYPES[name].is_numeric()]
CATEGORIES = [name for name in FEATURES if is_text(name) or TYPES[name] == pl.Boolean]
MOMENTS = [name for name in FEATURES if TYPES[name].is_temporal()]


def label(name: str) -> str:
    """Return how people see a column: its title in schema.py, else its name."""
    return getattr(COLUMNS.get(name), "title", None) or name


def unit(name: str = TARGET) -> str:
    """Return the unit in brackets at the end of a column's title, else ""."""
    found = re.search(r"\(([^()]+)\)\s*$", label(name))
    return found[1] if found else ""
