"""Figures and the page that people read: one HTML file that needs no other."""

import json
from base64 import b64encode
from functools import partial

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.metrics import ConfusionMatrixDisplay

from .model import NUMBERS
from .outputs import content
from .schema import SPECIES

# Okabe and Ito's colours, which colour-blind readers can tell apart, and a marker for each species
STYLES = dict(zip(SPECIES, [("#0072b2", "o"), ("#d55e00", "^"), ("#009e73", "s")], strict=True))

DRAWN = 5000  # points, at most; more would hide each other


def measurements(rows: pl.DataFrame) -> Figure:
    """Draw bill length (mm) against flipper length (mm), a point for each of at most `DRAWN` penguins that has both."""
    axes = _axes(7, 4.5)
    drawn = rows.sample(min(DRAWN, rows.height), seed=0)
    for species, (colour, marker) in STYLES.items():
        some = drawn.filter(species=species)
        across, up = some["flipper_length_mm"], some["bill_length_mm"]
        axes.scatter(across, up, color=colour, marker=marker, alpha=0.75, label=species)
    axes.set(xlabel="Flipper length (mm)", ylabel="Bill length (mm)")
    axes.legend(title="Species")
    return axes.figure


def confusion(metrics: dict) -> Figure:
    """Draw how many penguins of each species (rows) the model took for which (columns)."""
    axes = _axes(5, 4)
    labels, counts = metrics["confusion"]["labels"], pl.DataFrame(metrics["confusion"]["counts"], orient="row")
    ConfusionMatrixDisplay(counts.to_numpy(), display_labels=labels).plot(ax=axes, cmap="Blues", colorbar=False)
    axes.set(xlabel="Predicted", ylabel="True")
    return axes.figure


def importance(metrics: dict) -> Figure:
    """Draw how much accuracy is lost when a feature is shuffled, the most important on top."""
    axes = _axes(5, 4)
    names, lost = zip(*sorted(metrics["importance"].items(), key=lambda item: item[1]), strict=True)
    axes.barh(names, lost, color=STYLES["Adelie"][0])
    axes.set(xlabel="Accuracy lost when shuffled")
    return axes.figure


def files(rows: pl.DataFrame, metrics: dict, record: dict) -> dict[str, bytes]:
    """Return each file of the report by its name, the same bytes for the same data: the page, figures and JSON."""
    drawn = {"measurements": measurements(rows), "confusion": confusion(metrics), "importance": importance(metrics)}
    save = partial(Figure.savefig, format="png", dpi=150, metadata={"Software": None})
    images = {name: content(partial(save, figure)) for name, figure in drawn.items()}
    figures = {name: b64encode(image).decode() for name, image in images.items()}
    numbers = rows.select(NUMBERS).describe([0.5], interpolation="linear").fill_null(0)
    summary = numbers.transpose(include_header=True, column_names="statistic").to_dicts()
    environment = Environment(loader=PackageLoader(__package__, "."), autoescape=True, undefined=StrictUndefined)
    template = environment.get_template("report.html.jinja")
    page = template.render(metrics=metrics, record=record, summary=summary, figures=figures)
    made = {f"figures/{name}.png": image for name, image in images.items()} | {"report.html": page.encode()}
    for name, value in (("metrics.json", metrics), ("run.json", record)):
        # a byte of a file's name that is not UTF-8 is escaped
        made[name] = (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode(errors="backslashreplace")
    return made


def _axes(width: float, height: float) -> Axes:
    """Return the axes of a new figure (sizes in inches), without a box around them."""
    axes = Figure(figsize=(width, height), layout="constrained").subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return axes
