"""What can go wrong with the data, the settings or the disk: each kind has a class and an exit code of its own."""

import re
from collections.abc import Collection


class PipelineError(Exception):
    """A failure that the user can fix; its text says what is wrong, where, and what to do."""

    exit_code: int

    def __init_subclass__(cls, exit_code: int) -> None:
        """Give the kind its exit code."""
        cls.exit_code = exit_code

    def __str__(self) -> str:
        """Return the text, at most 5 lines of a terminal, whatever a file or a setting has brought into it."""
        return short(super().__str__(), 390)


def short(value: object, length: int = 60) -> str:
    """Return a value as text of at most `length` characters, in which nothing can control a terminal."""
    text = str(value)
    if len(text) > length:  # the end names the remedy
        text = f"{text[: length * 2 // 3]} ... {text[-length // 3 + 5 :]}"
    # a byte of a name that is not UTF-8 is \udcNN in Python
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text).replace("\\udc", "\\x")


def shown(source: object) -> str:
    """Return an input as messages and records show it: an address on the web without what can be a secret."""
    return re.sub(r"(?is)^(https?://)(?:[^/?#]*@)?([^?#]*).*", r"\1\2", str(source))


def listed(values: Collection[object], length: int = 30) -> str:
    """Return the first of some values, and how many there are if these are not all."""
    some = ", ".join(short(value, length) for value in list(values)[:8])
    return some if len(values) <= 8 else f"{some}, ... ({len(values)} in all)"


class SettingError(PipelineError, exit_code=2):
    """A setting has a value that cannot work."""


class InputError(PipelineError, exit_code=3):
    """The input does not exist or cannot be read."""


class ColumnError(PipelineError, exit_code=4):
    """The input lacks a column."""


class ValueRangeError(PipelineError, exit_code=5):
    """A value is missing, of the wrong type, or breaks a rule of the schema."""


class EmptyError(PipelineError, exit_code=6):
    """The input has no rows, or too few to learn from."""


class OutputError(PipelineError, exit_code=7):
    """The results cannot be written."""


class DatabaseError(PipelineError, exit_code=8):
    """The database rejects a query or a table name, or does not answer."""


class ChangedError(PipelineError, exit_code=10):
    """A file that would be overwritten has changes that Git does not have."""
