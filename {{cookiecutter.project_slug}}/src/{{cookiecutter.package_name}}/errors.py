"""What can go wrong with the data, the settings or the disk: each kind has a class and an exit code of its own."""


class PipelineError(Exception):
    """A failure that the user can fix; its text says what is wrong, where, and what to do."""

    exit_code: int

    def __init_subclass__(cls, exit_code: int) -> None:
        """Give the kind its exit code."""
        cls.exit_code = exit_code


class SettingError(PipelineError, exit_code=2):
    """A setting has a value that cannot work."""


class InputError(PipelineError, exit_code=3):
    """The input does not exist or cannot be read."""


class ColumnError(PipelineError, exit_code=4):
    """The input lacks a column."""


class ValueRangeError(PipelineError, exit_code=5):
    """A value is missing, of the wrong type, or outside the schema's limits."""


class EmptyError(PipelineError, exit_code=6):
    """The input has no rows, or too few to learn from."""


class OutputError(PipelineError, exit_code=7):
    """The results cannot be written."""


class DatabaseError(PipelineError, exit_code=8):
    """The database rejects a query or a table name, or does not answer."""
