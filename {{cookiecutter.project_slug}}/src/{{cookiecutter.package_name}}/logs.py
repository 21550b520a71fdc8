"""How a service logs: text for people, or with LOG_FORMAT=json one JSON object on each line, for programs."""

import logging.config
import os
import sys

from pythonjsonlogger.core import RESERVED_ATTRS

from .errors import SettingError, short

FORMATS = {
    "text": {"format": "%(levelname)s:     %(message)s"},
    "json": {
        "()": "pythonjsonlogger.json.JsonFormatter",
        "fmt": ["levelname", "name", "message"],
        "timestamp": "time",
        "rename_fields": {"levelname": "level", "name": "logger", "exc_info": "traceback"},
        "reserved_attrs": [*RESERVED_ATTRS, "color_message"],  # the message again, with colours for a terminal
    },
}


def as_json() -> bool:
    """Say whether LOG_FORMAT is json. Raises SettingError if it is neither json nor text."""
    return _chosen() == "json"


def configure() -> None:
    """Log to stderr in the format of LOG_FORMAT, from now on and in this process. Raises SettingError."""
    chosen = _chosen()
    if chosen == "json":  # what Python itself would print
        logging.captureWarnings(True)
        sys.excepthook = lambda *error: logging.critical("Stopped by an error.", exc_info=error)
    handler = {"class": "logging.StreamHandler", "formatter": chosen}
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": FORMATS,
            "handlers": {"stderr": handler},
            "root": {"handlers": ["stderr"], "level": "INFO"},
        }
    )


def _chosen() -> str:
    chosen = os.environ.get("LOG_FORMAT") or "text"
    if chosen not in FORMATS:
        raise SettingError(f"LOG_FORMAT is {short(chosen)!r}, which is not one of: {', '.join(FORMATS)}.")
    return chosen
