"""Figures and the page that people read: one HTML file that needs no other. All of it follows from schema.py."""

import json
import math
import unicodedata
import warnings
from base64 import b64encode
from functools import partial

import matplotlib as mpl
import numpy as np
import polars as pl
from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from . import schema
from .data import Seen
from .model import Answered
from .outputs import content
from .schema import FEATURES, TARGET
from .table import CLASSES, COVERED, MOMENTS, NUMBERS, TYPES, is_text, label, unit

DRAWN = 5000  # rows, at most; more would hide each other
PANELS, BARS, LARGEST, LISTED = 24, 15, 12, 30  # at most: distributions, features, classes in a matrix, in a table
# Okabe and Ito's colours, which colour-blind readers can tell apart; further classes are grey
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#f0e442"]
MARKERS, OTHERS, GREY = "o^sDvPX*h", "others", "#9aa0a6"
KINDS = {pl.Boolean: "yes or no", pl.Date: "date", pl.Datetime: "date and time", pl.Time: "time"}
KINDS |= {pl.Duration: "duration", pl.Enum: "category"}
HEADLINE = {
    "accuracy": "accuracy on unseen rows",
    "baseline_accuracy": "baseline: always the most common class",
    "balanced_accuracy": "balanced accuracy: the mean over classes",
    "mean_absolute_error": "mean error on unseen rows",
    "baseline_mean_absolute_error": "baseline: always the median",
}
CAPTIONS = {  # of the figures, in the order of the page
    "features": "The most important feature and the target.",
    "predicted": f"Test rows: on the line the model is right; {COVERED:.0%} are in the band.",
    "residuals": "Test rows: by how much the model is wrong.",
}
if CLASSES:
    about = "two most important numbers" if len(NUMBERS + MOMENTS) > 1 else "most important feature"
    CAPTIONS = {"features": f"The {about}, coloured by class."}
    CAPTIONS |= {"confusion": "Test rows: correct on the diagonal, errors off it."}
CAPTIONS |= {
    "importance": "What the model relies on: what is lost when a feature is shuffled.",
    "distributions": "The target and the features, the most important first, without missing values and far outliers.",
}
# Browsers draw the text, as they have fonts for every script; a $ is money, not mathematics
mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "report", "text.parse_math": False})
mpl.rcParams.update({"axes.spines.top": False, "axes.spines.right": False})
warnings.filterwarnings("ignore", "Glyph .* missing from|AutoDateLocator was unable")


def brief(value: object, width: int = 24) -> str:
    """Return a text for a figure: shortened in its middle, as names often differ at their ends."""
    text = "".join(letter for letter in str(value) if unicodedata.category(letter) not in ("Cc", "Cs", "Cn"))
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    if len(text) + wide > width:
        room = width * len(text) // (len(text) + wide)
        return brief(f"{text[: room - room // 3 - 1]}…{text[-(room // 3) :]}", width + 2)
    # matplotlib takes wide letters for narrow; browsers drop spaces at the start, so they only make room
    return " " * wide + text


def number(value: object) -> str:
    """Return a number with 4 digits or all before its point; anything else as its text."""
    if not isinstance(value, int | float):
        return "" if value is None else str(value)
    return f"{value:,.0f}" if 9999 < abs(value) < 1e15 else f"{value:.4g}"


def headline(metrics: dict) -> dict[str, str]:
    """Return the numbers that matter most: what each one is, and its value."""
    shown = "{:.1%}".format if CLASSES else lambda value: f"{number(value)} {unit()}".strip()
    found = {words: shown(metrics[key]) for key, words in HEADLINE.items() if key in metrics}
    if "r2" in metrics:
        found["R²: share of the variance explained"] = f"{metrics['r2']:.3f}"
    if folds := metrics.get("cross_validation"):
        low, high, count = min(folds["scores"]), max(folds["scores"]), len(folds["scores"])
        found[f"mean of {count}-fold cross-validation, {shown(low)} to {shown(high)}"] = shown(folds["mean"])
    rows = metrics["rows"]
    some = f", of which the model learned from {number(rows['learned'])}" if "learned" in rows else ""
    return found | {f"training rows{some}": number(rows["train"]), "test rows": number(rows["test"])}


def colours(target: pl.Series) -> dict[str, str]:
    """Return the colour of each class, as text; if there are more than 8, of the most frequent and of the others."""
    names = target.drop_nulls().unique().sort().cast(pl.String).to_list()
    if len(names) <= len(COLOURS):
        return dict(zip(names, COLOURS, strict=False))
    return dict(zip(_counts(target), COLOURS, strict=False)) | {OTHERS: GREY}


def grouped(target: pl.Series, known: dict[str, str]) -> pl.Series:
    """Return the class of each row as text; `OTHERS` if it is not one of the known."""
    names = target.cast(pl.String)
    return names.set(~names.is_in([*known]).fill_null(False), OTHERS)


def sampled(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows to draw: at most `DRAWN`, the same ones each time."""
    return rows.sample(min(DRAWN, rows.height), seed=0)


def places(column: pl.Series) -> pl.Series:
    """Return a column as numbers to draw: days since 1970, hours of a time. What is far outside is missing."""
    most = 1e100
    if column.dtype in (pl.Time, pl.Duration):
        column = column.cast(pl.Duration).dt.total_seconds() / 3600
    elif column.dtype.is_temporal():
        column, most = column.dt.epoch("us") / 86_400_000_000, 350_000  # the year 9999 means: never
    values = column.cast(pl.Float64)
    values = values.set(~(values.abs() < most).fill_null(False), None)
    low, high = values.quantile(0.01), values.quantile(0.99)
    if low is None or low == high:
        return values
    return values.set(~values.is_between(3 * low - 2 * high, 3 * high - 2 * low).fill_null(True), None)


def features(rows: pl.DataFrame, order: list[str] = FEATURES) -> Figure:
    """Draw the first features of `order`: two numbers and the classes, or one against the target of a regression."""
    axes, some, best = _axes(6 if CLASSES else 5, 4), sampled(rows), order[0]
    groups, known = _groups(some)
    numbers = [name for name in order if name in NUMBERS + MOMENTS]
    pair = numbers[:2] if CLASSES else [name for name in (best, TARGET) if name in (*numbers, TARGET)]
    if len(pair) == 2:
        across, up = (places(some[name]) for name in pair)
        for (group, colour), marker in zip(known.items(), MARKERS, strict=False):
            _points(axes, across.set(groups != group, None), up, colour, marker)
        _name(axes.xaxis, pair[0])
        _name(axes.yaxis, pair[1])
    elif CLASSES:
        distribution(axes, some, best)
        axes.set_xlabel(brief(label(best), 44))
    else:
        names = [*_counts(some[best])][7::-1]  # the most frequent on top
        parts = [places(some[TARGET]).filter(some[best].cast(pl.String) == name).drop_nulls() for name in names]
        axes.boxplot(parts, orientation="horizontal", widths=0.3)
        axes.set_yticks(range(1, len(names) + 1), [brief(name) for name in names])
        _name(axes.xaxis, TARGET)
        axes.set_title(brief(label(best), 50), loc="left", fontsize="medium")
    if CLASSES:
        marks = zip(known.values(), MARKERS if len(pair) == 2 else "s" * len(MARKERS), strict=False)
        handles = [Line2D([], [], color=colour, marker=marker, linestyle="") for colour, marker in marks]
        style = {"loc": "upper left", "bbox_to_anchor": (1, 1), "frameon": False, "alignment": "left"}
        axes.legend(handles, [brief(name, 16) for name in known], title=brief(label(TARGET), 18), **style)
    return axes.figure


def confusion(metrics: dict) -> Figure:
    """Draw how many rows of each class (rows) the model took for which (columns); rare classes are put together."""
    names, counts = metrics["confusion"]["labels"], np.array(metrics["confusion"]["counts"])
    if len(names) > LARGEST:
        order = np.argsort(-counts.sum(axis=1), kind="stable")
        merge = np.eye(LARGEST + 1, dtype=int)[np.minimum(np.argsort(order), LARGEST)]
        kept = [names[place] for place in order[:LARGEST]]
        names, counts = [*kept, f"{OTHERS} ({len(names) - LARGEST})"], merge.T @ counts @ merge
    axes = _axes(5, 4 if len(names) < 8 else 5)
    size = 10 if len(names) < 6 else 7
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axes.pcolormesh(shares, cmap="Blues", vmin=0, vmax=1, edgecolors="white")
    for (down, across), count in np.ndenumerate(counts):
        style = {"color": "white" if shares[down, across] > 0.5 else "black", "fontsize": size}
        axes.text(across + 0.5, down + 0.5, f"{count}" if count else "·", ha="center", va="center", **style)
    texts, middle = [brief(name, 16) for name in names], np.arange(len(names)) + 0.5
    short = len(names) * max(map(len, texts)) <= 36
    axes.set_xticks(middle, texts, **({} if short else {"rotation": 40, "ha": "right", "rotation_mode": "anchor"}))
    axes.set_yticks(middle, texts)
    axes.tick_params(length=0, labelsize=size)
    axes.invert_yaxis()
    axes.set(xlabel="Predicted", ylabel="True")
    axes.spines[:].set_visible(False)
    return axes.figure


def importance(metrics: dict) -> Figure:
    """Draw what is lost when a feature is shuffled, the most important on top."""
    names = [*metrics["importance"]][:BARS]
    axes = _axes(5, max(4, 0.9 + 0.3 * len(names)))
    lost = [metrics["importance"][name] for name in names]
    _bars(axes, [brief(label(name), 56) for name in names], {COLOURS[0]: lost})
    axes.xaxis.set_major_locator(MaxNLocator(5))
    axes.set_xlabel("Accuracy lost when shuffled" if CLASSES else _with_unit("Error added when shuffled"))
    return axes.figure


def errors(truth: pl.Series, answers: pl.DataFrame) -> dict[str, Figure]:
    """Draw the predicted numbers against the true ones, with the band of the bounds; and their differences."""
    some = sampled(pl.DataFrame([truth.alias("true"), answers["predicted"]]))
    true, guess = some.select(places(column) for column in some).drop_nulls()
    first, second = _axes(5, 4), _axes(5, 4)
    _points(first, true, guess)
    ends, margin = [true.min() or 0, true.max() or 0], answers["highest"][0] - answers["predicted"][0]
    first.plot(ends, ends, color="black", linewidth=1)
    first.fill_between(ends, *([end + side * margin for end in ends] for side in (-1, 1)), color=GREY, alpha=0.2)
    _name(first.xaxis, TARGET, "True: ")
    _name(first.yaxis, TARGET, "Predicted: ")
    _points(second, guess, guess - true)
    second.axhline(0, color="black", linewidth=1)
    _name(second.xaxis, TARGET, "Predicted: ")
    second.set_ylabel(_with_unit("Predicted - true"))
    return {"predicted": first.figure, "residuals": second.figure}


def distributions(rows: pl.DataFrame, order: list[str] = FEATURES) -> Figure:
    """Draw the distribution of the target and the first columns of `order`, each in a panel."""
    names, some = [TARGET, *order][:PANELS], sampled(rows)
    across = min(len(names), 4)
    down = math.ceil(len(names) / across)
    figure = Figure(figsize=(8.8, 0.2 + 1.8 * down), layout="constrained")
    for place, name in enumerate(names, 1):
        axes = figure.add_subplot(down, across, place)
        distribution(axes, some, name, 7)
        axes.set_title(brief(label(name), 30), loc="left", fontsize=8)
    return figure


def distribution(axes: Axes, rows: pl.DataFrame, name: str, size: float = 10) -> None:
    """Draw how often the values of a column occur; in a classification, with the classes in their colours."""
    groups, known = _groups(rows)
    axes.tick_params(labelsize=size)
    if is_text(name) or TYPES[name] == pl.Boolean or (CLASSES and name == TARGET):
        texts = rows[name].cast(pl.String)
        counts = _counts(texts)
        shown = [value for value in known if value in counts] if name == TARGET else [*counts][:6]
        heads, parts = [brief(value, 28 if size < 10 else 60) for value in shown], dict[str, list[int]]()
        if rest := len(counts) - len(shown):
            heads.append(f"{OTHERS} ({rest})")
        for group, colour in known.items():
            part = _counts(texts.filter(groups == group))
            lengths = [part.get(value, 0) for value in shown]
            parts[colour] = [*lengths, sum(part.values()) - sum(lengths)][: len(heads)]
        _bars(axes, heads, parts, size)
        axes.set_xticks([])
        return
    values = places(rows[name])
    low, high = (values.min(), values.max()) if values.count() else (0, 1)
    few = TYPES[name].is_integer() and high - low < 30  # a bar for each number, which is in its middle
    around = 0.5 if few or low == high else 0
    edges = np.linspace(low - around, high + around, round(high - low) + 2 if around else 25)
    below = np.zeros(len(edges) - 1)
    for group, colour in known.items():
        counted, _ = np.histogram(values.filter(groups == group).drop_nulls(), edges)
        # many paths would make a large file
        axes.stairs(below + counted, edges, baseline=below, fill=True, color=colour, rasterized=len(known) > 4)
        below = below + counted
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    _name(axes.xaxis, name, ticks=4)
    axes.xaxis.get_offset_text().set_size(size)
    axes.set_xlabel("")


def _groups(rows: pl.DataFrame) -> tuple[pl.Series, dict[str, str]]:
    """Return the class of each row, and the colours of the classes; in a regression, all rows are one class."""
    known = colours(rows[TARGET]) if CLASSES else {"": COLOURS[0]}
    return grouped(rows[TARGET], known) if CLASSES else pl.repeat("", rows.height, eager=True), known


def _counts(column: pl.Series) -> dict[str, int]:
    """Return how often each value occurs, as text, the most frequent first."""
    counts = column.cast(pl.String).drop_nulls().rename("value").value_counts(name="times")
    return dict(counts.sort("times", "value", descending=[True, False]).iter_rows())


def _axes(width: float, height: float) -> Axes:
    """Return the axes of a new figure (sizes in inches)."""
    return Figure(figsize=(width, height), layout="constrained").subplots()


def _points(axes: Axes, across: pl.Series, up: pl.Series, colour: str = COLOURS[0], marker: str = "o") -> None:
    """Draw points, as an image if there are so many that a file of them would be large."""
    many = len(across) > 1000
    style = {"color": colour, "marker": marker, "alpha": 0.7, "s": 10 if many else 26, "linewidths": 0}
    axes.scatter(across.fill_null(math.nan), up.fill_null(math.nan), rasterized=many, **style)


def _name(axis: mpl.axis.Axis, name: str, before: str = "", ticks: int = 6) -> None:
    """Write what an axis shows; give it about so many ticks."""
    hours = " (hours)" if TYPES[name] in (pl.Time, pl.Duration) else ""
    axis.set_label_text(before + brief(label(name), 44 - len(before)) + hours)
    if name in MOMENTS and not hours:
        axis.set_major_locator(locator := AutoDateLocator(maxticks=ticks))
        axis.set_major_formatter(ConciseDateFormatter(locator))
    else:
        axis.set_major_locator(MaxNLocator(ticks, integer=TYPES[name].is_integer()))


def _bars(axes: Axes, names: list[str], parts: dict[str, list], size: float = 9) -> None:
    """Draw a bar for each name from top to bottom, of parts by colour; names are above, with room in any script."""
    left = np.zeros(len(names))
    for colour, lengths in parts.items():
        axes.barh(range(len(names)), lengths, 0.4, left, color=colour)
        left = left + lengths
    style = {"va": "bottom", "fontsize": min(size, 54 / max(len(names), 1)) if size < 9 else size}
    for place, name in enumerate(names):
        axes.text(0.005, place - 0.22, name, transform=axes.get_yaxis_transform(), **style)
    axes.set_ylim(max(len(names), 3) - 0.7, -0.85)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)


def _with_unit(text: str) -> str:
    return f"{text} ({brief(unit(), 12)})" if unit() else text


def figures(rows: pl.DataFrame, truth: pl.Series, answers: pl.DataFrame, metrics: dict) -> dict[str, Figure]:
    """Return all figures by their names; `truth` and `answers` are those of the test rows."""
    order = [name for name in metrics["importance"] if name in FEATURES]
    found = {"features": features(rows, order)}
    found |= {"confusion": confusion(metrics)} if CLASSES else errors(truth, answers)
    return found | {"importance": importance(metrics), "distributions": distributions(rows, order)}


def quality(rows: pl.DataFrame, seen: Seen) -> list[dict[str, str]]:
    """Return what each column of the schema holds, in words and numbers that people read.

    `seen` is about all rows; the others can be some of them.
    """
    table = []
    for name, dtype in TYPES.items():
        known, (missing, low, high) = rows[name].drop_nulls(), seen.columns[name]
        other = "number" if dtype.is_numeric() else "text"
        row: dict[str, object] = {
            "label": label(name),
            "kind": "whole number" if dtype.is_integer() else KINDS.get(dtype.base_type(), other),
            "use": "target" if name == TARGET else "feature" if name in FEATURES else "not used",
            "missing": f"{missing / seen.known:.1%}" if missing else "",
        }
        if dtype.is_numeric() or dtype.is_temporal():
            row |= {"smallest": low, "median": known.median(), "largest": high}
        elif len(known):
            most = known.mode().sort()[0]
            share = f"{(known == most).mean():.0%}"
            row |= {"count": known.n_unique(), "most": pl.Series([most]).cast(pl.String)[0], "share": share}
        table.append({key: number(value) for key, value in row.items()})
    return table


def files(judged: Answered, seen: Seen, metrics: dict, record: dict) -> dict[str, bytes]:
    """Return each file of the report by its name, the same bytes for the same data: the page, figures and JSON.

    `judged` has the rows to draw, with answers, and `seen` what is known about all rows.
    """
    rows, truth = pl.concat([judged.train_rows, judged.test_rows]), judged.test_rows[TARGET]
    drawn = figures(rows, truth, judged.answers, metrics)
    save = partial(Figure.savefig, format="svg", dpi=130, metadata={"Date": None})
    images = {name: content(partial(save, figure)) for name, figure in drawn.items()}
    environment = Environment(loader=PackageLoader(__package__, "."), autoescape=True, undefined=StrictUndefined)
    environment.filters["number"] = number
    best = next(iter(metrics["importance"]))
    classes = sorted(metrics.get("classes", {}).items(), key=lambda item: -item[1]["support"])
    page = environment.get_template("report.html.jinja").render(
        title=schema.TITLE,
        target=label(TARGET),
        count=len(FEATURES),
        best=label(best) if metrics["importance"][best] > 0 else None,
        headline=headline(metrics),
        captions=CAPTIONS,
        figures={name: b64encode(image).decode() for name, image in images.items()},
        classes=classes[:LISTED],
        more=len(classes[LISTED:]),
        quality=quality(rows, seen),
        left_out=seen.rows - seen.known,
        some=rows.height if rows.height < seen.known else None,
        inputs=record["inputs"][:LISTED],
        more_inputs=len(record["inputs"][LISTED:]),
        others=list(dict.fromkeys(name for source in record["inputs"] for name in source["columns_left_out"])),
        record=record,
    )
    texts = {"report.html": page}
    for name, value in (("metrics.json", metrics), ("run.json", record)):
        texts[name] = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    # a byte of a file's name that is not UTF-8 is escaped
    made = {name: text.encode(errors="backslashreplace") for name, text in texts.items()}
    return made | {f"figures/{name}.svg": image for name, image in images.items()}
