"""Figures and the page that people read: one HTML file that needs nothing beside it."""

import base64
import io
import json

import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure

from .model import NUMBERS
from .schema import SPECIES

# Okabe and Ito's colours, which colour-blind readers can tell apart, with a mark of its own for each species
STYLES = dict(zip(SPECIES, [("#0072b2", "o"), ("#d55e00", "^"), ("#009e73", "s")], strict=True))


def measurements(rows: pl.DataFrame) -> Figure:
    """Draw bill length (mm) against flipper length (mm), a point for each penguin that has both."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for species, (colour, marker) in STYLES.items():
        some = rows.filter(species=species)
        axes.scatter(
            some["flipper_length_mm"], some["bill_length_mm"], color=colour, marker=marker, alpha=0.75, label=species
        )
    axes.set(xlabel="Flipper length (mm)", ylabel="Bill length (mm)")
    axes.legend(title="Species")
    return _plain(figure)


def confusion(metrics: dict) -> Figure:
    """Draw how many penguins of each species (rows) were taken for which (columns)."""
    labels, counts = metrics["confusion"]["labels"], metrics["confusion"]["counts"]
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    axes.imshow(counts, cmap="Blues")
    axes.set(xlabel="Predicted", ylabel="True", xticks=range(len(labels)), yticks=range(len(labels)))
    axes.set_xticklabels(labels)
    axes.set_yticklabels(labels)
    half = max(max(line) for line in counts) / 2
    for y, line in enumerate(counts):
        for x, count in enumerate(line):
            axes.text(x, y, str(count), ha="center", va="center", color="white" if count > half else "black")
    return _plain(figure)


def importance(metrics: dict) -> Figure:
    """Draw how much accuracy is lost when a feature is shuffled, the most important on top."""
    items = sorted(metrics["importance"].items(), key=lambda item: item[1])
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.subplots()
    axes.barh([name for name, _ in items], [lost for _, lost in items], color=STYLES["Adelie"][0])
    axes.set(xlabel="Accuracy lost when shuffled")
    return _plain(figure)


def png(figure: Figure) -> bytes:
    """Return the figure as a PNG at 150 dots per inch, the same bytes for the same figure."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150, metadata={"Software": None})
    return buffer.getvalue()


def page(rows: pl.DataFrame, metrics: dict, record: dict, figures: dict[str, bytes]) -> str:
    """Return the report as one HTML page, the figures (name to PNG) inside it."""
    environment = Environment(
        loader=PackageLoader(__package__, "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    summary = [
        {
            "name": name,
            "missing": rows[name].null_count(),
            **{key: f"{getattr(rows[name], key)() or 0:g}" for key in ("min", "median", "max")},
        }
        for name in NUMBERS
    ]
    return environment.get_template("report.html.jinja").render(
        metrics=metrics,
        record=record,
        rows=rows.height,
        summary=summary,
        figures={name: base64.b64encode(data).decode() for name, data in figures.items()},
    )


def as_json(value: dict) -> str:
    """Return `value` as readable JSON with a final line end."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _plain(figure: Figure) -> Figure:
    """Take away the box around the axes."""
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    return figure
