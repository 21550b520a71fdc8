"""Measure a generated project against plain ways to do the same, all in one run; write README.md and chart.svg here.

    python benchmarks          everything; about a quarter of an hour
    python benchmarks bake     only how long a bake takes, and no page

Needs an engine, 30 GB of disk (build cache, most of it) and what tests/requirements.txt names, and removes containers
and images that it made. A figure is the median of several rounds, in which each way has its turn; the ratio is what can
be compared between machines.
"""

import contextlib
import datetime
import http.client
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Event
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))
from programs import run  # noqa: E402
from proofs.api import keep_asking  # noqa: E402
from stack import Stack, free_port, free_ports  # noqa: E402
from template import CONTEXT, ROOT  # noqa: E402

PLAIN = "one stage"
ADDED = ("humanize", "tomli-w")  # small packages that no lock has yet
ROWS = (100, 10_000, 1_000_000)
CLIENTS = (1, 8, 64)
SECONDS = 5  # that the web service is asked, each time
JUPYTER = "jupyter lab --ip 0.0.0.0 --port 8888 --allow-root --no-browser --IdentityProvider.token=x"
BARE = (
    "python -m uvicorn --app-dir /bare bare_api:app --host 0.0.0.0 --port 8000 --lifespan off --no-access-log --workers"
)
PAGE = """# Benchmarks

Made by `python benchmarks` on {date}, on {cores} cores ({machine}), with Docker {engine}. All figures are of one
run: in rounds, each way had its turn, and the table has the medians. A ratio under 1 is better, except for requests.
Times on other machines differ; ratios differ less.

"One stage" is [plain.Dockerfile](plain.Dockerfile), "uv, two stages" is [uv.Dockerfile](uv.Dockerfile), both with the
packages of the lab. ds-docker builds both images each time. Its pipeline also checks, explains and draws, which a plain
script does not: that takes the same time for 100 rows as for a million. The bare web service is
[bare_api.py](bare_api.py); a process of it has a thread for each core, as libraries choose.

![The ratios of the table below](chart.svg)

| what | ds-docker | compared with | its figure | ratio |
| --- | --- | --- | --- | --- |
"""


class Figure(NamedTuple):
    """What was measured of a project, and of another way to do the same."""

    what: str  # with its unit
    ours: float
    by: str  # the other way
    theirs: float


class Recipe(NamedTuple):
    """A way to build the same packages: a folder, the command that builds there, and the image of the pipeline."""

    folder: Path
    command: tuple[str, ...]
    image: str

    def build(self, *options: str) -> None:
        """Build."""
        run(self.folder, *self.command, *options)

    def edit(self) -> None:
        """Change the code."""
        module = next((self.folder / "src").iterdir()) / "model.py"
        module.write_text(f"{module.read_text()}# {uuid.uuid4()}\n")

    def write(self, files: dict[str, str]) -> None:
        """Write files."""
        for name, text in files.items():
            (self.folder / name).write_text(text)


FIGURES: list[Figure] = []


def note(what: str, found: dict[str, float]) -> None:
    """Keep and print the figures of each way; the first one is ours."""
    (_, ours), *others = found.items()
    for by, theirs in others:
        FIGURES.append(Figure(what, ours, by, theirs))
        print(f"{what:<45} {ours:>9.2f}  {by:<24} {theirs:>9.2f}  {ours / theirs:.2f}", flush=True)


def timed(action: Callable[[], object]) -> float:
    """Return the seconds that an action takes."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def compare(what: str, ways: dict[str, Callable[[], float]], rounds: int) -> None:
    """Note the median of what each way returns, in rounds in which each has its turn."""
    found: dict[str, list[float]] = {by: [] for by in ways}
    for _ in range(rounds):
        for by, way in ways.items():
            found[by].append(way())
    note(what, {by: statistics.median(values) for by, values in found.items()})


def size(image: str) -> int:
    """Return the size of an image in bytes."""
    return int(run(HERE, "docker", "inspect", "--format", "{{.Size}}", image))


def bake(template: Path, folder: Path, **answers: str) -> None:
    """Make a project of a template in a folder, as its author would."""
    options = ("--no-input", "--default-config", "--overwrite-if-exists", "--output-dir", folder)
    run(HERE, "cookiecutter", template, *options, *(f"{option}={answer}" for option, answer in answers.items()))


def bakes(folder: Path) -> None:
    """Bake, against a template of one empty file."""
    empty = folder / "empty"
    (empty / "{{cookiecutter.slug}}").mkdir(parents=True)
    (empty / "{{cookiecutter.slug}}/README.md").touch()
    (empty / "cookiecutter.json").write_text('{"slug": "of-one-file"}')
    templates = {"ds-docker": ROOT, "an empty template": empty}
    ways = {by: partial(timed, partial(bake, template, folder / "baked")) for by, template in templates.items()}
    compare("bake, s", ways, 9)


def recipes(ours: Stack) -> dict[str, Recipe]:
    """Return the ways to build, all with layers and package caches of this run's own."""
    name, base = ours.name, ours.base_images()["PYTHON_IMAGE"]
    found = {"ds-docker": Recipe(ours.path, ("docker", "compose", "build", "lab", "process"), f"{name}-process")}
    for by, file in {PLAIN: "plain", "uv, two stages": "uv"}.items():
        folder, image = ours.path.parent / file, f"{name}-{file}"
        shutil.copytree(ours.path, folder)
        text = (HERE / f"{file}.Dockerfile").read_text()
        text = text.replace("UV_VERSION", CONTEXT["_versions"]["uv"]).replace("CACHE", name)
        (folder / "Dockerfile").write_text(text)
        if by == PLAIN:
            (folder / ".dockerignore").unlink()
        label = f"com.docker.compose.project={name}"  # what `remove` finds the images of rebuilds by
        options = ("--build-arg", f"PYTHON_IMAGE={base}", "--label", label, "--tag", image)
        found[by] = Recipe(folder, ("docker", "build", ".", *options), image)
    dockerfile = (ours.path / "Dockerfile").read_text().replace("type=cache,", f"type=cache,id={name},")
    (ours.path / "Dockerfile").write_text(dockerfile.replace("AS base\n", f"AS base\nENV MEASURED={name}\n"))
    return found


def more_packages(ours: Stack) -> list[dict[str, str]]:
    """Return the project's files that a new package changes: as they are, and with one more package each time."""
    names = ["pyproject.toml", *(f"requirements/{lock}.txt" for lock in ("base", "lab", "process"))]
    states = [{name: (ours.path / name).read_text() for name in names}]
    for package in ADDED:
        pyproject = ours.path / "pyproject.toml"
        pyproject.write_text(pyproject.read_text().replace('    "typer', f'    "{package}",\n    "typer', 1))
        ours.compose("run", "--rm", "lock")
        states.append({name: (ours.path / name).read_text() for name in names})
    return states


def builds(ours: Stack, ways: dict[str, Recipe]) -> None:
    """Build in four situations, and look at the images."""

    def each(setup: Callable[[Recipe], object], *options: str) -> dict[str, Callable[[], float]]:
        def build(recipe: Recipe) -> float:
            setup(recipe)
            return timed(lambda: recipe.build(*options))

        return {by: partial(build, recipe) for by, recipe in ways.items()}

    compare("build, nothing cached, s", each(lambda _: None, "--no-cache"), 1)  # package caches are cold only once
    compare("build, nothing changed, s", each(lambda _: None), 5)
    compare("build after an edit, s", each(Recipe.edit), 5)
    before, *states = more_packages(ours)
    left = {recipe.image: iter(states) for recipe in ways.values()}
    compare("build with one more package, s", each(lambda recipe: recipe.write(next(left[recipe.image]))), len(states))
    for recipe in ways.values():
        recipe.write(before)
        recipe.build()
    used = ours.compose("run", "--rm", "--entrypoint", "du", "process", "-s", "--block-size=1", "/opt/venv").split()
    sizes = {by: size(recipe.image) / 1e6 for by, recipe in ways.items()}
    packages = int(used[used.index("/opt/venv") - 1])
    sizes["base image and packages"] = (size(ours.base_images()["PYTHON_IMAGE"]) + packages) / 1e6
    note("image of the pipeline, MB", sizes)
    ours.run("docker", "image", "prune", "--force", "--filter", f"label=com.docker.compose.project={ours.name}")


def starts(ours: Stack, ways: dict[str, Recipe]) -> None:
    """Start JupyterLab until it answers, and the pipeline."""
    name, port = f"{ours.name}-jupyter", free_port()

    def start() -> None:
        options = ("--detach", "--name", name, "--publish", f"127.0.0.1:{port}:8888")
        run(HERE, "docker", "run", *options, ways[PLAIN].image, *JUPYTER.split())
        wait(port, "/api")

    def plain() -> float:
        seconds = timed(start)
        run(HERE, "docker", "rm", "--force", name)
        return seconds

    def compose() -> float:
        seconds = timed(lambda: ours.compose("up", "--wait", "lab"))
        ours.compose("rm", "--stop", "--force", "lab")
        return seconds

    compare("JupyterLab answers, s", {"ds-docker": compose, f"docker run, {PLAIN}": plain}, 5)
    ask = ("run", "--rm", "process", "--help")
    direct = ("docker", "run", "--rm", ways["ds-docker"].image, "--help")
    ways_to_ask = {"docker compose run": lambda: timed(lambda: ours.compose(*ask))}
    compare("process --help, s", ways_to_ask | {"docker run": lambda: timed(lambda: run(HERE, *direct))}, 5)


def wait(port: int, path: str) -> None:
    """Wait until a container answers, whatever it says."""
    while True:
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", path)
            connection.getresponse()
            return
        time.sleep(0.05)


def pipeline(ours: Stack) -> None:
    """Run the pipeline on more and more rows, against a script that does the same without it, in one container."""
    for rows in ROWS:
        done = ours.script("million.py", str(rows))
        if done.returncode:
            sys.exit(done.stdout + done.stderr)
        found = json.loads(done.stdout.splitlines()[-1])
        for place, unit in enumerate(("processor s", "MB of memory")):
            figures = {"ds-docker": found["run"][place], "a plain script": found["plain"][place]}
            note(f"pipeline on {rows:,} rows, {unit}", figures)


def requests(ours: Stack) -> None:
    """Ask the web service, and the least that can answer with the same model, limits and processes."""
    ours.compose("run", "--rm", "process")
    ours.compose("up", "--wait", "api")
    ports = {"ds-docker": int(ours.settings["API_PORT"])}
    for workers in ("1", ours.settings.get("API_WORKERS", "2")):
        port = free_port()
        options = ("--publish", f"127.0.0.1:{port}:8000", "--volume", f"{HERE}:/bare:ro")
        options += ("--env", f"PACKAGE={ours.package}", "--entrypoint", f"{BARE} {workers}")
        for library in ("OMP_NUM", "POLARS_MAX"):  # as in a container that nobody tuned for requests
            options += ("--env", f"{library}_THREADS={ours.settings['CPUS']}")
        ours.compose("run", "--detach", "--no-deps", *options, "api")
        wait(port, "/")
        ports[f"bare uvicorn, {workers} process{'es' * (workers != '1')}"] = port
    for clients in CLIENTS:
        ways = {by: partial(throughput, port, clients) for by, port in ports.items()}
        compare(f"web service, {clients} client{'s' * (clients > 1)}, requests/s", ways, 3)


def throughput(port: int, clients: int) -> float:
    """Return how many requests a second are answered, each client asking again on its one connection."""
    end = Event()
    with ThreadPoolExecutor(clients) as pool:
        asking = [pool.submit(keep_asking, port, end) for _ in range(clients)]
        time.sleep(SECONDS)
        end.set()
    return sum(status == 200 for client in asking for status, _ in client.result()) / SECONDS


def rounded(value: float) -> str:
    """Return a number with as many digits as mean something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def bar(figure: Figure) -> tuple[str, float]:
    """Return the name and the length of a figure in the chart, where less is always better."""
    ratio = figure.ours / figure.theirs
    name = f"{figure.what} – {figure.by}"  # noqa: RUF001
    return (name.replace("requests/s", "s a request"), 1 / ratio) if "requests/s" in name else (name, ratio)


def page(ours: Stack) -> None:
    """Write the table and the chart."""
    with (HERE / "chart.py").open() as script:
        draw = ("docker", "run", "--rm", "--interactive", "--entrypoint", "python", f"{ours.name}-process", "-")
        rows = json.dumps([bar(each) for each in FIGURES])
        drawn = subprocess.run([*draw, rows], stdin=script, capture_output=True, text=True, check=True).stdout
    (HERE / "chart.svg").write_text(drawn)
    engine = run(HERE, "docker", "version", "--format", "{{.Server.Version}}").strip()
    date, machine = datetime.date.today().isoformat(), f"{platform.system()}, {platform.machine()}"
    text = PAGE.format(date=date, cores=os.cpu_count(), machine=machine, engine=engine)
    for each in FIGURES:
        ratio = each.ours / each.theirs
        text += f"| {each.what} | {rounded(each.ours)} | {each.by} | {rounded(each.theirs)} | {ratio:.2f} |\n"
    (HERE / "README.md").write_text(text)


def main() -> None:
    """Measure everything, then write the page."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bakes(folder)
        if sys.argv[1:] == ["bake"]:
            return
        slug = f"measured-{uuid.uuid4().hex[:6]}"
        bake(ROOT, folder, project_slug=slug, package_name="measured", deploy="api")
        ours = Stack(folder / slug)
        free_ports(ours.path / ".env")
        try:
            ways = recipes(ours)
            builds(ours, ways)
            starts(ours, ways)
            pipeline(ours)
            requests(ours)
            page(ours)
        finally:
            ours.remove()


if __name__ == "__main__":
    main()
