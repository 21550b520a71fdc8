"""Refuse an answer while the questions are asked, and not after the last one.

The rules are those of hooks/pre_gen_project.py, which has the last word: it also sees what is replayed, not asked.
"""

import json
import runpy
from pathlib import Path

from cookiecutter.exceptions import FailedHookException
from jinja2 import Environment
from jinja2.ext import Extension

# Read once: when cruft asks, it has the template in a folder that is soon gone.
HERE = Path(__file__).parent
CONTEXT = json.loads((HERE / "cookiecutter.json").read_text(encoding="utf-8"))
TABLES = {name: CONTEXT[name] for name in ("_rules", "_reserved_names")}
HOOK = runpy.run_path(str(HERE / "hooks/pre_gen_project.py"))


def checked(answers: dict) -> str:
    """Return an empty text if the answers given so far can work.

    Raises FailedHookException, which the command line shows as its one sentence and without a traceback.
    """
    if reason := HOOK["problem"](TABLES | dict(answers)):
        raise FailedHookException(f"Not generated. {reason}")
    return ""


class Checked(Extension):
    """Gives the filter `checked` to cookiecutter.json."""

    def __init__(self, environment: Environment) -> None:
        """Add the filter."""
        super().__init__(environment)
        environment.filters["checked"] = checked
