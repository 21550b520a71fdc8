"""A worker has the limits of its container, the packages of the pipeline, and no way to change the project."""

import json

from stack import INSIDE, Stack

STATE = "import json, urllib.request as u; print(u.urlopen('http://127.0.0.1:8790/health').read().decode(), end='')"


def before(stack: Stack) -> dict:
    """Ask a worker how it is, and try to write."""
    assert stack.compose("exec", "worker", "python", "-c", STATE) == "ok"
    assert not any(stack.container("worker")["NetworkSettings"]["Ports"].values())
    for folder in ("/app/src", "/app/data", "/app"):
        assert "Read-only file system" in stack.compose("exec", "worker", "touch", f"{folder}/new", code=1)
    stack.compose("exec", "worker", "touch", "/tmp/new")
    return installed(stack, "worker")


def installed(stack: Stack, service: str) -> dict:
    """Return the packages of a running service."""
    return json.loads(stack.compose("exec", service, "python", "-c", (INSIDE / "environment.py").read_text()))


def after(stack: Stack, kept: dict) -> str:
    """Compare its packages with those of the scheduler and of before."""
    assert kept == installed(stack, "worker") == installed(stack, "scheduler")
    return "the scheduler's packages, read-only"
