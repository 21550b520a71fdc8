"""Run in an image or in a notebook: print which Python this is, and which packages its environment has, as JSON."""

import importlib.metadata
import json
import shutil
import sys

installed = importlib.metadata.distributions(path=[path for path in sys.path if path.startswith("/opt/venv")])
print(
    json.dumps(
        {
            "python": sys.version.split()[0],
            "prefix": sys.prefix,
            "pytest": shutil.which("pytest"),
            "installed": {each.name: each.version for each in installed},
        }
    )
)
