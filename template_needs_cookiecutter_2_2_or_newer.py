"""Refuses a cookiecutter that is too old. It is the first of `_extensions` in cookiecutter.json, so it is loaded first.

The version is in the name: before 2.1, cookiecutter does not look for extensions in the template, and the only thing
it shows is the name of the module that it does not find. Before 2.2, it does not find the files in templates/ either.
"""

import re
import sys

import cookiecutter
from jinja2 import Environment
from jinja2.ext import Extension

# 2.2.0 to 2.2.2 call themselves 2.1.2.dev0
if [int(number) for number in re.findall(r"\d+", cookiecutter.__version__)[:3]] < [2, 1, 2]:
    # Not an exception: cruft would show it with a traceback.
    sys.exit(f"Not generated. cookiecutter {cookiecutter.__version__} is too old: install 2.2 or newer with pip.")

# Two versions of a file can have the same size and second, by which Python would take the older one's bytecode
sys.dont_write_bytecode = True


class Check(Extension):
    """Lets the extensions that are loaded next be those of the template on the disk.

    In an update, cruft generates the project twice in one process, from the old and from the new version of the
    template, in the same folder. Python alone would give both the modules of the old one.
    """

    def __init__(self, environment: Environment) -> None:
        """Forget the modules that are loaded, unless they say that they are current."""
        super().__init__(environment)
        loaded = sys.modules.get("local_extensions")
        if loaded and not getattr(loaded, "is_current", bool)():
            for name in [name for name in sys.modules if name.partition(".")[0] == "local_extensions"]:
                del sys.modules[name]
