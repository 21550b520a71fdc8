"""`up --watch` serves an edit within seconds, whatever it is and however it is written, and nothing else restarts."""

import contextlib
import json
import os
import re
import signal
import statistics
import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import shown
from proofs import dashboard
from stack import Stack, project, wait
from summary import FIGURES

pytestmark = pytest.mark.usefixtures("engine")

AFTER = 3  # seconds that an edit may take on an idle machine


@pytest.fixture(params=["api", "dashboard"])
def watched(request, bake, tmp_path) -> Iterator[tuple[Stack, str, Path]]:
    """Return a project whose service is watched by the command of its README, the service, and what Compose says."""
    service, log = request.param, tmp_path / "log"
    made = project(bake, tmp_path, deploy=service)
    try:
        made.compose("build", service)
        with log.open("w") as output:
            start = partial(subprocess.Popen, cwd=made.path, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
            readme = (made.path / "README.md").read_text()
            compose = shown.run(lambda line: start(line.split()), readme, "docker compose up --watch")
            try:
                wait(lambda: "Watch enabled" in log.read_text() and title(made, service) == "Which penguin is it?")
                yield made, service, log
            finally:
                compose.send_signal(signal.SIGINT)
                compose.wait(60)
        assert made.running == []
    finally:
        made.remove()


def title(made: Stack, service: str) -> str:
    """Return the title that a service shows whoever asks it anew; none while it does not answer."""
    with contextlib.suppress(Exception):
        if service == "api":
            return json.loads(made.ask("API", "/openapi.json")[1])["info"]["title"]
        channel = dashboard.ask(made, "localhost")
        with contextlib.closing(channel):
            channel.send_binary(b"\x5a\x00")  # as the page asks for its content: `rerun_script` of Streamlit's BackMsg
            while not (found := re.search(rb"Which penguin is it\?|title \d+", channel.recv())):
                pass
            return found[0].decode()
    return ""


def busy() -> float:
    """Return how much longer things may take on this machine than on an idle one: 1 if no program waits for a core."""
    programs = os.getloadavg()[0] / os.cpu_count()
    return 1 if programs <= 1 else 2 * programs


def test_an_edit_is_served_within_seconds(watched) -> None:
    made, service, log = watched
    own, schema = (made.path / "src" / made.package / f"{name}.py" for name in (service, "schema"))
    original, before = {file: file.read_text() for file in (own, schema)}, busy()

    def edit(file: Path, text: str, *, renamed: bool = False) -> None:
        if renamed:  # as editors do
            new = file.with_name(f".{file.name}.new")
            new.write_text(text)
            new.replace(file)
        else:
            file.write_text(text)

    def served(number: int, file: Path, *, renamed: bool = False) -> float:
        text = re.sub(r"(?m)(^TITLE = ).*$|schema\.TITLE", rf'\1"title {number}"', original[file])
        edit(file, text, renamed=renamed)
        return wait(lambda: title(made, service) == f"title {number}")

    edits = [(schema, False), (schema, True), (schema, False), (own, True), (own, False)]
    took = [served(number, file, renamed=renamed) for number, (file, renamed) in enumerate(edits)]
    median, allowed = statistics.median(took), AFTER * max(before, busy())
    each = ", ".join(f"{seconds:.1f}" for seconds in took)
    FIGURES.append(f"{service}: an edit is served after {median:.1f} s (median of {each}; {allowed:.1f} allowed)")
    assert median < allowed, FIGURES[-1]

    edit(own, original[own])
    edit(schema, original[schema] + "TITLE = (\n")
    wait(lambda: title(made, service) == "")  # a syntax error
    served(5, schema)
    new = own.with_name("added.py")
    new.write_text('TITLE = "title 6"\n')
    edit(schema, f"{original[schema]}from .added import TITLE  # noqa\n")
    wait(lambda: title(made, service) == "title 6")
    new.unlink()
    served(7, schema)
    assert "added.py" not in made.compose("exec", service, "ls", f"src/{made.package}")

    time.sleep(5)  # what has been deleted can make it build once more
    container = made.container(service)["Id"]
    for file in ("notebooks/new.ipynb", "data/new.csv", "README.md", f"src/{made.package}/__pycache__/new.pyc"):
        (made.path / file).parent.mkdir(exist_ok=True)
        (made.path / file).write_text("{}")
    time.sleep(5)
    assert made.container(service)["Id"] == container
    if service == "api":
        assert log.read_text().count("Finished server process") > 10  # as often as it was asked to stop
        lock = made.path / "requirements/process.txt"
        edit(lock, f"{lock.read_text()}# new\n", renamed=True)
        tail = ("exec", "--no-TTY", service, "tail", "--lines=1", "/opt/venv/process.txt")
        wait(
            lambda: (
                subprocess.run(["docker", "compose", *tail], cwd=made.path, capture_output=True).stdout == b"# new\n"
            )
        )
