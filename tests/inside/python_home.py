"""Run in an image with Python: pack that Python as uv's own builds are packed, and write the list that uv reads."""

import json
import os
import platform
import shutil
import sys
import sysconfig
import tarfile
from pathlib import Path

HOME = Path("/home/python")

library, (major, minor, patch) = sysconfig.get_path("stdlib"), sys.version_info[:3]
(HOME / "bin").mkdir(parents=True)
shutil.copy(os.path.realpath(sys.executable), HOME / f"bin/python{major}.{minor}")
unwanted = shutil.ignore_patterns("__pycache__", "test", "site-packages", "dist-packages")
shutil.copytree(library, HOME / "lib" / Path(library).name, ignore=unwanted)
with tarfile.open("/home/python.tar.gz", "w:gz") as archive:
    archive.add(HOME, "python")
build = {
    "name": "cpython",
    "arch": {"family": platform.machine(), "variant": None},
    "os": "linux",
    "libc": "gnu",
    "major": major,
    "minor": minor,
    "patch": patch,
    "prerelease": "",
    "variant": None,
    "build": "20260101",
    "url": "file:///home/python.tar.gz",
    "sha256": None,
}
downloads = {f"cpython-{major}.{minor}.{patch}-linux-{platform.machine()}-gnu": build}
Path("/home/downloads.json").write_text(json.dumps(downloads))
