"""What can go wrong with somebody's data or disk: each kind has a sentence and an exit code of its own."""


class PipelineError(Exception):
    """A failure that the user can mend; its text says what is wrong, where, and what to do."""

    exit_code = 1


class SettingError(PipelineError):
    """A setting has a value that makes no sense."""

    exit_code = 2


class InputError(PipelineError):
    """The input is not there or cannot be read."""

    exit_code = 3


class ColumnError(PipelineError):
    """The input lacks a column."""

    exit_code = 4


class ValueRangeError(PipelineError):
    """A value is of the wrong type, missing, or outside of what the schema allows."""

    exit_code = 5


class EmptyError(PipelineError):
    """The input has no rows, or too few to learn from."""

    exit_code = 6


class OutputError(PipelineError):
    """The results cannot be written."""

    exit_code = 7


#% if cookiecutter.tracking == 'mlflow'
class TrackingError(PipelineError):
    """The results are written, but the run could not be logged."""

    exit_code = 9


#% endif
class DatabaseError(PipelineError):
    """A query makes no sense to the database, or the database does not answer."""

    exit_code = 8
