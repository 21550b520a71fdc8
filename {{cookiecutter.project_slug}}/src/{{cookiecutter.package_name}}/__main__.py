"""Run the pipeline, or a part of it: `python -m {{ cookiecutter.package_name }} COMMAND`."""

import logging
import os
import platform
import re
import signal
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer

from . import __version__
from .errors import PipelineError, listed, short, shown
from .settings import Settings, load, require_current_packages

# The commands import the rest themselves, so that help and refused settings need not wait for large packages.
STEPS = {{ (["read", "prepare", "train", "evaluate", "report"] + (cookiecutter | brought("step"))) | tojson }}

PAUSE = 30  # seconds between two lines in a log on how far a step has come

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)


def _option(name: str) -> typer.models.OptionInfo:
    return typer.Option(help=Settings.model_fields[name].description, show_default="the setting, see .env")


Input = Annotated[str | None, _option("input")]
Models = Annotated[Path | None, _option("models")]
Reports = Annotated[Path | None, _option("reports")]
Seed = Annotated[int | None, _option("seed")]
Table = Annotated[str, typer.Option(help="Name of the table: a letter, then a-z, 0-9 and _; not a reserved SQL word")]


class Steps:
    """Shows the steps of a run: on a terminal how far each has come, then a line with its notes and seconds."""

    def __init__(self) -> None:
        """Find out where it is shown."""
        from rich.console import Console

        self.console = Console(stderr=True, highlight=False, soft_wrap=True)

    @contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """Show a step, with the notes that are put into the list that it yields."""
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn

        self.label, self.start = f"{STEPS.index(name) + 1}/{len(STEPS)} {name}", time.perf_counter()
        self.told, notes = self.start, list[str]()
        columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
        with Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal) as self.bar:
            self.bar.add_task(self.label, total=None)
            yield notes
        self._print(*notes)

    def tell(self, done: int, total: int) -> None:
        """Show how many parts of the input, or trees, are done: in a log by a line each half a minute."""
        self.bar.update(self.bar.task_ids[0], completed=done, total=total)
        if self.bar.disable and time.perf_counter() - self.told > PAUSE:
            self.told = time.perf_counter()
            self._print(f"{done} of {total}")

    def _print(self, *notes: str) -> None:
        seconds = f"({time.perf_counter() - self.start:.1f} s)"
        self.console.print(" ".join([f"{self.label:<13}", *notes, seconds]), markup=False)


@app.command()
def run(input: Input = None, models: Models = None, reports: Reports = None, seed: Seed = None) -> None:
    """Read, check, prepare, train, evaluate and report."""
    settings = load(input=input, models=models, reports=reports, seed=seed)
    from . import outputs

    with outputs.alone(settings.reports, settings.models):
        take_steps(settings)


def take_steps(settings: Settings) -> None:
    """Run the pipeline, and make what comes of it the results."""
    import joblib
    import xgboost

    from . import data, database, model, outputs, report
#% for module in cookiecutter | brought('workers')
    from .{{ module }} import workers as computing

#% else
    from .workers import Alone

#% endfor
    steps = Steps()
#% for _ in cookiecutter | brought('workers')
    workers = computing(steps.tell)
#% else
    workers = Alone(steps.tell)
#% endfor
    page, saved = settings.reports / "report.html", settings.models / "model.joblib"
    with steps.step("read") as notes:
        table = data.examine(settings.input, settings, workers.each)
        total = table.total
        notes.append(f"{total.rows} rows from {listed([source['path'] for source in table.sources], 80)}")
    with steps.step("prepare") as notes:
        rows = model.divide(table, settings.test_share, settings.seed)
        notes.append(f"{rows.training} training rows, {total.known - rows.training} test rows")
    with steps.step("train"):
        fitted = model.learn(rows, settings.seed, workers)
    with outputs.draft(settings.reports) as folder:
        with steps.step("evaluate") as notes:
            metrics, judged = model.judge(fitted, rows, settings.seed, workers, folder)
            notes.append(model.summary(metrics))
        with steps.step("report") as notes:
            versions = {name: version(name) for name in ("polars", "scikit-learn", "numpy", "matplotlib")}
            versions["xgboost"] = xgboost.__version__  # its package has more than one name
            record = {  # what it takes to repeat this run
                "inputs": table.sources,
                "settings": settings.model_dump(mode="json") | {"input": settings.input and shown(settings.input)},
                "versions": {"python": platform.python_version(), __package__: __version__, **versions},
            }
            made = report.files(judged, total, metrics, record)
            files: dict[Path, bytes | Path] = {settings.reports / name: content for name, content in made.items()}
            files[saved] = outputs.content(partial(joblib.dump, fitted))
            predictions = data.joined(folder, partial(model.bounded, model=fitted))
            files[settings.reports / database.PREDICTIONS] = predictions
            with database.storing({"predictions": predictions}, settings):
                outputs.publish(files, settings.reports)
            notes.append(str(page))
#% for module in cookiecutter | brought('step')
    with steps.step("{{ module }}") as notes:
        from . import {{ module }}

        notes.append({{ module }}.log(record, metrics, outputs.current(settings.reports)))
#% endfor
    typer.echo(f"Done. Open {page} in a browser; the model is {saved}.")


@app.command()
def check(input: Input = None) -> None:
    """Read and check the input; write nothing."""
    from . import data

    settings = load(input=input)
    table = data.examine(settings.input, settings, keep=0)
    rows, files = table.total.rows, len(table.sources)
    typer.echo(f"Good: {rows} row{'s' * (rows > 1)} in {files} file{'s' * (files > 1)}.")


@app.command()
def store(table: Table, input: Input = None) -> None:
    """Read and check the input, and store it as a table that queries can name."""
    from . import data, database, outputs

    settings = load(input=input)
    with outputs.alone(settings.reports), outputs.draft(settings.reports) as folder:
        found = data.examine(settings.input, settings)
        for number, part in enumerate(found.parts):
            data.put(part.rows(), folder, number)
        with database.storing({table: data.joined(folder)}, settings) as tables:
            outputs.write(tables)
    typer.echo(f"Stored {found.total.rows} rows. To use them: run --input 'SELECT * FROM {table}'")


@app.command()
def adopt(
    input: Annotated[str, typer.Argument(help=f"{Settings.model_fields['input'].description}: your table")],
    target: Annotated[str, typer.Option(help="The column to predict")],
    task: Annotated[Literal["classification", "regression"] | None, typer.Option(help="What to predict it as")] = None,
    ignore: Annotated[list[str], typer.Option(help="A column to leave out; can be given again")] = [],  # noqa: B006
    check: Annotated[bool, typer.Option("--check", help="Say what would change; write nothing")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite changes that are not committed")] = False,
) -> None:
    """Make this project one about your table: write its schema.py, made-up rows, and the setting PIPELINE_INPUT."""
    from . import adopt

    made = adopt.adopt(input, target, task, ignore, load())
    show(made.columns, target)
    if made.changes:
        typer.echo(f"\n{made.changes}")
    if check:
        typer.echo("\nNothing is written.")
        return
    adopt.write(made, force=force)
    typer.echo(f"\nWritten: {listed([os.path.relpath(file) for file in made.files], 200)}.")
    typer.echo("The limits and listed values in schema.py come from your data: look at them before you share it.")
    # a JupyterLab that runs has the old PIPELINE_INPUT, and sees the .env that has just been replaced
    typer.echo("Next: docker compose run --rm process. If JupyterLab runs, renew it, too: docker compose up --wait")


def show(columns: dict, target: str) -> None:
    """Print what was decided on each column, as a table."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for head in ("Column", "Type", "Missing", "Use"):
        table.add_column(head, justify="right" if head == "Missing" else "left", overflow="fold")
    for name, column in columns.items():
        use = "target" if name == target else f"left out: {column.left_out}" if column.left_out else "feature"
        missing = column.values.null_count() / len(column.values)
        table.add_row(short(name), column.kind, f"{missing:.0%}" if missing else "", use)
    Console(highlight=False, markup=False).print(table)


def main() -> None:
    """Run the command line; a failure that the user can fix is one sentence and an exit code of its own."""
    # Without this, `docker stop` would kill Python before it removes half-written files.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    warnings.simplefilter("ignore")  # those of libraries, which are for programmers
    notes = logging.StreamHandler()
    notes.setFormatter(logging.Formatter("Note: %(message)s"))
    logging.getLogger(__package__).handlers = [notes]
    try:
        require_current_packages()
        app()
    except PipelineError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)
    except MemoryError:
        out_of_memory()


def out_of_memory() -> NoReturn:
    """Say that the memory is used up, and exit."""
    typer.echo("Error: The memory is used up. Use less data, or give it more: MEMORY in .env.", err=True)
    sys.exit(11)


def supervise() -> None:
    """Run the command line in a process of its own, so that one is left that can say why it was killed."""
    if not hasattr(os, "fork"):  # Windows
        main()
    kills = killed_for_memory()
    child = os.fork()
    if child == 0:
        main()
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to both
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code == -signal.SIGKILL and killed_for_memory() > kills:
        out_of_memory()
    sys.exit(code if code >= 0 else 128 - code)


def killed_for_memory() -> int:
    """Return how many processes of this container the kernel has killed because the memory was used up."""
    events = ""
    for name in ("memory.events", "memory/memory.oom_control"):  # of both versions of cgroups
        with suppress(OSError):
            events += Path("/sys/fs/cgroup", name).read_text()
    return sum(map(int, re.findall(r"^oom_kill (\d+)$", events, re.MULTILINE)))


if __name__ == "__main__":
    supervise()
