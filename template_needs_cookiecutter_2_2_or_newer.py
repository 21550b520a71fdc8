"""Refuses a cookiecutter that is too old. It is the first of `_extensions` in cookiecutter.json, so it is loaded first.

The version is in the name: before 2.1, cookiecutter does not look for extensions in the template, and the only thing
it shows is the name of the module that it does not find. Before 2.2, it does not find the files in templates/ either.
"""

import re
import sys

import cookiecutter
from jinja2.ext import Extension

# 2.2.0 to 2.2.2 call themselves 2.1.2.dev0
if [int(number) for number in re.findall(r"\d+", cookiecutter.__version__)[:3]] < [2, 1, 2]:
    # Not an exception: cruft would show it with a traceback.
    sys.exit(f"Not generated. cookiecutter {cookiecutter.__version__} is too old: install 2.2 or newer with pip.")


class Check(Extension):
    """Adds nothing: loading this file is the check."""
