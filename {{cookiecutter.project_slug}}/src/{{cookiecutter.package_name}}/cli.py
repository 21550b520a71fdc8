"""The command line: `run` does everything, `check` reads and checks the input, `store` makes it a table."""

import io
import platform
import signal
import sys
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import joblib
import typer

#% if cookiecutter.tracking == 'mlflow'
from . import __version__, data, database, model, outputs, report, tracking
#% else
from . import __version__, data, database, model, outputs, report
#% endif
from .errors import PipelineError
from .progress import Steps
from .settings import Settings, load

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=sys.modules[__package__].__doc__
)


def _option(name: str) -> typer.models.OptionInfo:
    """Return the command line option of a setting, with the setting's own help."""
    return typer.Option(help=Settings.model_fields[name].description, show_default="the setting, see .env")


Input = Annotated[str | None, _option("input")]
Models = Annotated[Path | None, _option("models")]
Reports = Annotated[Path | None, _option("reports")]
Seed = Annotated[int | None, _option("seed")]
Table = Annotated[str, typer.Option(help="Name of the table: a-z, 0-9 and _, no SQL word")]


@app.command()
def run(input: Input = None, models: Models = None, reports: Reports = None, seed: Seed = None) -> None:
    """Read, check, prepare, train, evaluate and report."""
    settings = load(input=input, models=models, reports=reports, seed=seed)
    outputs.writable(settings.models, settings.reports)
    steps = Steps({{ 6 if cookiecutter.tracking == 'mlflow' else 5 }})
    with steps.step("read") as notes:
        rows, sources = data.read(settings.input, settings)
        notes.append(f"{rows.height} rows from {', '.join(source.path for source in sources)}")
    with steps.step("prepare") as notes:
        train_rows, test_rows = model.split(rows, settings.test_share, settings.seed)
        notes.append(f"{train_rows.height} rows to learn from, {test_rows.height} to test with")
    with steps.step("train"):
        fitted = model.train(train_rows, settings.seed)
    with steps.step("evaluate") as notes:
        metrics = model.evaluate(fitted, train_rows, test_rows, settings.seed)
        notes.append(f"accuracy {metrics['accuracy']:.3f}, baseline {metrics['baseline_accuracy']:.3f}")
    with steps.step("report") as notes:
        figures = {
            "measurements": report.png(report.measurements(rows)),
            "confusion": report.png(report.confusion(metrics)),
            "importance": report.png(report.importance(metrics)),
        }
        record = _record(settings, sources)
        page = settings.reports / "report.html"
        files = {
            settings.models / "model.joblib": _dump(fitted),
            **{settings.reports / "figures" / f"{name}.png": content for name, content in figures.items()},
            settings.reports / "metrics.json": report.as_json(metrics).encode(),
            settings.reports / "run.json": report.as_json(record).encode(),
            page: report.page(rows, metrics, record, figures).encode(),
        }
        predictions = test_rows.hstack(model.predict(fitted, test_rows))
        with database.storing({"predictions": predictions}, settings) as tables:
            outputs.write(files | tables)
        notes.append(str(page))
#% if cookiecutter.tracking == 'mlflow'
    with steps.step("log") as notes:
        notes.append(tracking.log(record, metrics, list(files)))
#% endif
    typer.echo(f"Done. Open {page} in a browser; the model is {settings.models / 'model.joblib'}.")


@app.command()
def check(input: Input = None) -> None:
    """Read and check the input, and write nothing."""
    settings = load(input=input)
    rows, sources = data.read(settings.input, settings)
    typer.echo(f"Good: {rows.height} rows in {len(sources)} file{'s' if len(sources) > 1 else ''}.")


@app.command()
def store(table: Table, input: Input = None) -> None:
    """Read and check the input, and store it as a table that queries can name."""
    settings = load(input=input)
    rows, _ = data.read(settings.input, settings)
    with database.storing({table: rows}, settings) as tables:
        outputs.write(tables)
    typer.echo(f"Stored {rows.height} rows. To use them: run --input 'SELECT * FROM {table}'")


def main() -> None:
    """Run the command line; a failure that the user can mend is one sentence and an exit code of its own."""
    # Without this, `docker stop` would end Python at once and leave half-written files behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        app()
    except PipelineError as error:
        typer.echo(f"Error: {error}", err=True)
        sys.exit(error.exit_code)


def _record(settings: Settings, sources: list[data.Source]) -> dict[str, object]:
    """Return what it takes to repeat this run: its inputs, settings and versions."""
    packages = ("polars", "scikit-learn", "numpy", "matplotlib")
    versions = {"python": platform.python_version(), __package__: __version__}
    return {
        "inputs": [asdict(source) for source in sources],
        "settings": settings.model_dump(mode="json"),
        "versions": versions | {name: version(name) for name in packages},
    }


def _dump(fitted: object) -> bytes:
    """Return the bytes that `joblib.load` turns back into the model."""
    buffer = io.BytesIO()
    joblib.dump(fitted, buffer)
    return buffer.getvalue()
