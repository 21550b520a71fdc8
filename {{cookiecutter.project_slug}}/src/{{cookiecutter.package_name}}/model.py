"""Prepare, train, evaluate: gradient-boosted trees that predict the target of schema.py from its features."""

import logging
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import numpy as np
import polars as pl
from sklearn import metrics
from xgboost import XGBClassifier, XGBModel, XGBRegressor
from xgboost.core import XGBoostError

from .errors import ColumnError, EmptyError, SettingError, short
from .schema import DERIVED, FEATURES, TARGET, TASK
from .table import CLASSES, COVERED, TYPES, VALUES, is_text, label, unit

SETTINGS = {"n_estimators": 200, "learning_rate": 0.06, "max_depth": 6, "reg_lambda": 5, "tree_method": "hist"}
SETTINGS |= {"subsample": 0.8, "colsample_bynode": 0.5}  # tried on 100 tables
ANSWER = ["predicted", "probability"] if CLASSES else ["predicted", "lowest", "highest"]
LEVELS = 1000  # values of text that the model tells apart, at most; rarer ones count as missing
AT_ONCE = 1_000_000  # numbers to make from rows: more would take memory twice, fewer take time when rows are few
FEW, FOLDS = 2000, 5  # with fewer rows, one split says little: cross-validation in so many parts says more
LEAST = 8  # rows
LARGEST = 1e38  # number, and -1e38 the lowest
SHUFFLED, TRIES = 5000, 5  # test rows to measure importance on, at most; more change little
log = logging.getLogger(__name__)


@dataclass
class Model:
    """A fitted model: the trees, what turns rows into their numbers, and what turns these into answers."""

    trees: XGBModel
    levels: dict[str, list[str]]  # the values of each feature of text, by their places
    labels: list  # the classes, by their places; none in a regression
    margin: float = float("nan")  # of a regression: `COVERED` of the test rows were this near or nearer
    made_for: tuple = (
        TASK,
        {name: (str(TYPES[name]), VALUES.get(name)) for name in [*FEATURES, TARGET]},
        {name: str(expression) for name, expression in DERIVED.items()},
    )


def features(rows: pl.DataFrame, levels: dict[str, list[str]]) -> tuple[np.ndarray, dict[str, list[int]]]:
    """Return the features of checked rows as numbers (rows x places; NaN is missing), and the places of each feature.

    Text becomes the place of its value in `levels`; a date or time becomes several numbers.
    """
    numbers, places = list[pl.Expr](), dict[str, list[int]]()
    for name in [*FEATURES, *DERIVED]:
        made = _numbers(name, tuple(levels[name]) if name in levels else None)
        places[name] = list(range(len(numbers), len(numbers) + len(made)))
        numbers += made
    matrix = np.empty((rows.height, len(numbers)), "f4", order="F")
    width = max(1, AT_ONCE // max(1, rows.height))
    try:
        for start in range(0, len(numbers), width):
            part = slice(start, start + width)
            matrix[:, part] = rows.select(numbers[part]).to_numpy()
    except pl.exceptions.PolarsError:
        for name, expression in DERIVED.items():
            try:
                rows.select(expression)
            except pl.exceptions.PolarsError as error:
                reason = short(str(error).splitlines()[0], 150)
                raise ColumnError(f"DERIVED in schema.py, {short(name)}: {reason}. Correct it.") from None
        raise
    return matrix, places


@lru_cache(maxsize=10_000)
def _numbers(name: str, levels: tuple[str, ...] | None) -> list[pl.Expr]:
    """Return the expressions of a feature's numbers; kept, as making them takes longer than one row takes."""
    column = DERIVED.get(name, pl.col(name))
    made = [column]
    if levels is not None:
        made = [column.cast(pl.String).cast(pl.Enum(levels), strict=False).to_physical()]
    elif name not in DERIVED and TYPES[name].is_temporal():
        made = _moment(column, TYPES[name])
    # XGBoost takes no number beyond those of 32 bits, such as infinity
    return [each.cast(pl.Float32).clip(-LARGEST, LARGEST).alias(f"{name} {i}") for i, each in enumerate(made)]


def _moment(column: pl.Expr, kind: pl.DataType) -> list[pl.Expr]:
    """Return the numbers of a date or time: how much time has passed, and where in the year, month, week and day."""
    if kind == pl.Duration:
        return [column.dt.total_seconds()]
    hours = [] if kind == pl.Date else [column.dt.hour() + column.dt.minute() / 60]
    if kind == pl.Time:
        return hours
    days = column.dt.epoch("d") if kind == pl.Date else column.dt.epoch("s") / 86400
    return [days, column.dt.year(), column.dt.month(), column.dt.day(), column.dt.weekday(), *hours]


def split(rows: pl.DataFrame, test_share: float, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return train and test rows, with the same mix of classes; a class of one row is in the first only.

    Rows without a target are left out, with a note. Raises EmptyError if the others are too few to learn from.
    """
    known = rows
    if missing := rows[TARGET].null_count():
        known = rows.filter(pl.col(TARGET).is_not_null())
        log.warning("Left out, as they have no %s: %s rows.", short(TARGET), missing)
    if known[TARGET].n_unique() == 1:
        only = f"{short(label(TARGET))} in the input is {short(known[TARGET][0])}"
        raise EmptyError(f"The only {only}. A model needs two values or more.")
    place, count = _shuffled(known, seed)
    tested = place < (count * test_share).ceil().clip(upper_bound=count - 1)
    if known.height < LEAST or tested.sum() < 2:
        raise EmptyError(f"{known.height} rows are too few to train and test a model. Choose an input that has more.")
    return known.filter(~tested), known.filter(tested)


def _shuffled(rows: pl.DataFrame, seed: int) -> tuple[pl.Series, pl.Series]:
    """Return the place of each row among those of its class, shuffled, and how many these are (both: rows).

    scikit-learn's own splits refuse classes that are rarer than the parts.
    """
    group = TARGET if CLASSES else pl.lit(0)
    place, count = pl.int_range(pl.len()).shuffle(seed).over(group), pl.len().cast(pl.Int64).over(group)
    return tuple(rows.select(place=place, count=count).get_columns())


def train(rows: pl.DataFrame, seed: int) -> Model:
    """Return a model fitted to rows that have a target. Missing values and categories need no preparation."""
    levels = {name: _levels(rows[name], VALUES.get(name)) for name in FEATURES if is_text(name)}
    matrix, places = features(rows, levels)
    kinds = ["c" if name in levels else "q" for name, each in places.items() for _ in each]
    options = SETTINGS | {"device": device(), "random_state": seed, "feature_types": kinds, "enable_categorical": True}
    labels = []
    if CLASSES:
        known = set(rows[TARGET].unique())
        labels = [value for value in VALUES.get(TARGET, sorted(known)) if value in known]
    trees = XGBClassifier(**options) if CLASSES else XGBRegressor(**options)
    try:
        trees.fit(matrix, _classes(rows, labels) if CLASSES else rows[TARGET].to_numpy())
    except XGBoostError as error:
        if trees.device == "cpu" and "cuda" not in str(error):  # which fails where there is a driver and no device
            raise
        reason = short(str(error).splitlines()[0].rpartition(": ")[2], 150)
        remedy = "To train it on the processor, set ACCELERATOR=cpu in .env."
        raise SettingError(f"The model cannot be trained on {trees.device}: {reason}. {remedy}") from None
    trees.set_params(device="cpu")  # predicts, so that answers are the same on every machine
    return Model(trees, levels, labels)


@cache
def device() -> str:
    """Return what trains the model: the device in XGBOOST_DEVICE, if it works, else the processor."""
    wanted = os.environ.get("XGBOOST_DEVICE") or "cpu"
    trial = f"import xgboost; xgboost.XGBRegressor(n_estimators=1, device={wanted!r}).fit([[0], [1]], [0, 1])"
    if wanted == "cpu":
        return wanted
    # in a process of its own, as nothing computes any more in one that has found no device
    done = subprocess.run([sys.executable, "-c", trial], capture_output=True, text=True, check=False)
    if done.returncode == 0 and "changed from" not in done.stderr:
        return wanted
    log.warning("XGBOOST_DEVICE is %s, which does not work here: the processor trains the model.", wanted)
    return "cpu"


def _levels(column: pl.Series, listed: list[str] | None) -> list[str]:
    """Return the values of a column of text that are listed in schema.py, else its most frequent ones."""
    counts = column.drop_nulls().cast(pl.String).alias("value").value_counts()
    return listed or counts.sort("count", "value", descending=[True, False])["value"][:LEVELS].to_list()


def _classes(rows: pl.DataFrame, labels: list) -> np.ndarray:
    """Return the class of each row as its place in `labels` (rows,)."""
    return rows[TARGET].replace_strict(labels, range(len(labels)), return_dtype=pl.Int32).to_numpy()


def predict(model: Model, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the answer for each row (rows x 2 or 3: see `ANSWER`).

    That is the most likely class and its probability, 0 to 1; or a number, in the unit of the target, and the bounds
    that hold the truth as often as `COVERED` says.
    """
    matrix, _ = features(rows, model.levels)
    if CLASSES:
        chances = model.trees.predict_proba(matrix)
        labels = _labels(tuple(model.labels))
        chances = chances[:, : len(labels)]  # two, also where the training rows had one class
        return pl.DataFrame([labels[chances.argmax(axis=1)], pl.Series(chances.max(axis=1))], schema=ANSWER)
    guess = model.trees.predict(matrix).astype(float)
    return pl.DataFrame([guess, guess - model.margin, guess + model.margin], schema=ANSWER)


@lru_cache
def _labels(labels: tuple) -> pl.Series:
    """Return the classes with the type of the target; kept, as for the expressions."""
    return pl.Series(labels, dtype=TYPES[TARGET])


def evaluate(model: Model, train_rows: pl.DataFrame, test_rows: pl.DataFrame, seed: int) -> dict[str, Any]:
    """Return how well the model does on unseen rows, against a baseline that knows no features, and set its margin.

    Shares are of 1, errors in the unit of the target. Where rows are few, `cross_validation` tells how much chance is
    in the main score.
    """
    measured = _classification if CLASSES else _regression
    found: dict[str, Any] = {"rows": {"train": train_rows.height, "test": test_rows.height}}
    found |= measured(test_rows[TARGET], predict(model, test_rows)["predicted"], train_rows[TARGET])
    model.margin = found.get("margin", model.margin)
    rows = pl.concat([train_rows, test_rows])
    if rows.height < FEW:
        place, scores = _shuffled(rows, seed)[0], list[float]()
        if CLASSES:  # one class after the other, so that no part is empty where classes are small
            place = rows.select(pl.arg_sort_by(TARGET, place)).to_series().arg_sort()
        part = place % FOLDS
        for fold in range(FOLDS):
            unseen = rows.filter(part == fold)
            answers = predict(train(rows.filter(part != fold), seed), unseen)
            scores.append(_score(unseen[TARGET], answers["predicted"]))
        found["cross_validation"] = {"scores": _rounded(scores), "mean": _rounded(np.mean(scores))}
    some = test_rows.sample(min(SHUFFLED, test_rows.height), seed=seed)
    return found | {"importance": importance(model, some, seed)}


def summary(metrics: dict) -> str:
    """Return the main score and the baseline's in a few words."""
    if CLASSES:
        return f"accuracy {metrics['accuracy']:.3f}, baseline {metrics['baseline_accuracy']:.3f}"
    error, baseline = metrics["mean_absolute_error"], metrics["baseline_mean_absolute_error"]
    return " ".join(f"mean error {error:.4g} {unit()}, baseline {baseline:.4g} {unit()}".split()).replace(" ,", ",")


def _score(truth: pl.Series, guess: pl.Series) -> float:
    """Return the accuracy, between 0 and 1; of a regression the mean absolute error, in the target's unit."""
    return float((truth == guess).mean() if CLASSES else (truth - guess).abs().mean())


def _classification(truth: pl.Series, guess: pl.Series, known: pl.Series) -> dict[str, Any]:
    true, said = truth.cast(pl.String), guess.cast(pl.String)
    present = {*true, *said}
    listed = pl.Series(VALUES.get(TARGET, known.unique().sort())).cast(pl.String)
    names = [name for name in listed if name in present]
    details = metrics.classification_report(true, said, labels=names, output_dict=True, zero_division=0)
    return {
        "accuracy": _rounded(_score(truth, guess)),
        "balanced_accuracy": _rounded(metrics.balanced_accuracy_score(true, said)),
        "baseline_accuracy": _rounded((truth == known.mode().sort()[0]).mean()),
        "classes": {name: {key: _rounded(value) for key, value in details[name].items()} for name in names},
        "confusion": {"labels": names, "counts": metrics.confusion_matrix(true, said, labels=names).tolist()},
    }


def _regression(truth: pl.Series, guess: pl.Series, known: pl.Series) -> dict[str, Any]:
    return {
        "mean_absolute_error": _rounded(_score(truth, guess)),
        "root_mean_squared_error": _rounded(metrics.root_mean_squared_error(truth, guess)),
        "r2": _rounded(metrics.r2_score(truth, guess)),
        "baseline_mean_absolute_error": _rounded((truth - known.median()).abs().mean()),
        "margin": _rounded((truth - guess).abs().quantile(COVERED, "higher")),
    }


def importance(model: Model, rows: pl.DataFrame, seed: int) -> dict[str, float]:
    """Return what is lost when a feature is shuffled: accuracy, or error in its unit; the most important first."""
    matrix, places = features(rows, model.levels)
    truth = np.tile(_classes(rows, model.labels) if CLASSES else rows[TARGET].to_numpy(), TRIES)
    random, lost = np.random.default_rng(seed), dict[str, float]()

    def loss(matrix: np.ndarray) -> float:
        guess = model.trees.predict(matrix)
        return float(np.mean(guess != truth) if CLASSES else np.abs(guess - truth).mean())

    again = np.tile(matrix, (TRIES, 1))
    least = loss(again)
    for name, each in places.items():  # a moment's numbers are shuffled together
        shuffled = again.copy()
        shuffled[:, each] = matrix[np.concatenate([random.permutation(rows.height) for _ in range(TRIES)])][:, each]
        lost[name] = _rounded(loss(shuffled) - least)
    return dict(sorted(lost.items(), key=lambda item: -item[1]))


def _rounded(value: Any) -> Any:
    """Return numbers with 6 digits, which is where processors begin to differ."""
    if np.ndim(value):
        return [_rounded(each) for each in np.asarray(value)]
    return float(f"{float(value):.6g}")
