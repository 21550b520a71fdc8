"""What a test needs of the machine: what is missing is skipped, or fails where REQUIRE_ENGINE=1 promises it."""

import os
import shutil
import subprocess

import pytest
from template import ROOT


def need(reason: str) -> None:
    """Skip a test that cannot run on this machine, or fail it where the engine is promised."""
    if os.environ.get("REQUIRE_ENGINE") == "1":
        pytest.fail(f"REQUIRE_ENGINE=1, but {reason}")
    pytest.skip(reason)


def need_answer(*command: str) -> None:
    """Need a command that succeeds."""
    if shutil.which(command[0]) is None or subprocess.run(command, capture_output=True).returncode:
        need(f"`{' '.join(command)}` fails")


# Not in a fork that follows docs/forking.md
original = pytest.mark.skipif((ROOT / "organisation").exists(), reason="is about the choices of the original")
