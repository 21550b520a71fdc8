"""Prepare, train, evaluate: gradient-boosted trees that predict the target of schema.py from its features."""

import logging
import math
import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from sklearn import metrics
from xgboost import XGBClassifier, XGBModel, XGBRegressor
from xgboost.core import XGBoostError

from .data import Input, Part, of, put
from .errors import ColumnError, EmptyError, SettingError, short
from .schema import DERIVED, FEATURES, TARGET, TASK
from .settings import memory
from .table import CLASSES, COVERED, TYPES, VALUES, is_text, label, unit
from .workers import ALONE, Alone

SETTINGS = {"n_estimators": 200, "learning_rate": 0.06, "max_depth": 6, "reg_lambda": 5, "tree_method": "hist"}
SETTINGS |= {"subsample": 0.8, "colsample_bynode": 0.5}  # tried on 100 tables
ANSWER = ["predicted", "probability"] if CLASSES else ["predicted", "lowest", "highest"]
LEVELS = 1000  # values of text that the model tells apart, at most; rarer ones count as missing
AT_ONCE = 1_000_000  # numbers to make from rows: more would take memory twice, fewer take time when rows are few
FEW, FOLDS = 2000, 5  # with fewer rows, one split says little: cross-validation in so many parts says more
LEAST = 8  # rows
SMALL = 1_000_000  # numbers, up to which one thread trains faster than several, which wait for each other
LARGEST = 1e38  # number, and -1e38 the lowest
SHUFFLED, TRIES = 5000, 5  # test rows to measure importance on, at most; more change little
COUNTED = 5_000_000  # rows, up to which each class is divided exactly; of more, each row is drawn
DRAWN, MEASURED = 20, 400  # memory / bytes of the rows to draw and describe; memory / rows to measure a regression on
TEXTS = 100_000  # different texts of a column that are counted at the same time, at most
log = logging.getLogger(__name__)


@dataclass
class Model:
    """A fitted model: the trees, what turns rows into their numbers, and what turns these into answers."""

    trees: XGBModel
    levels: dict[str, list[str]]  # the values of each feature of text, by their places
    labels: list  # the classes, by their places; none in a regression
    learned: float = 1.0  # share of the training rows
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


@dataclass(eq=False)
class Share:
    """A part of the input, and which of its rows that have a target are for training, which for the test."""

    part: Part
    test: dict[Any, np.ndarray] | float  # of each class (True: that is a test row), or the share of all rows
    first: int = 0  # rows with a target in the parts before
    total: int = 0  # rows with a target in all parts
    seed: int = 0

    def rows(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return the training rows and the test rows."""
        rows = self.part.rows()
        known = rows.filter(pl.col(TARGET).is_not_null()) if rows[TARGET].has_nulls() else rows
        if isinstance(self.test, float):
            tested = self._draw(known.height, 0) < self.test
        elif CLASSES:
            tested = np.zeros(known.height, bool)
            for value, flags in self.test.items():
                tested[(known[TARGET] == value).to_numpy()] = flags
        else:
            tested = self.test[None]
        return known.filter(~tested), known.filter(tested)

    def learned(self, share: float) -> pl.DataFrame:
        """Return a share of the training rows."""
        rows, _ = self.rows()
        return rows if share == 1 else rows.filter(self._draw(rows.height, 1) < share)

    def drawn(self, rows: pl.DataFrame, most: float) -> np.ndarray:
        """Return which of the training or test rows are among about `most` of all rows; all, if these are no more."""
        return np.ones(rows.height, bool) if self.total <= most else self._draw(rows.height, 2) < most / self.total

    def _draw(self, count: int, stream: int) -> np.ndarray:
        """Return random numbers between 0 and 1 (count,), which are the same wherever they are drawn."""
        return np.random.default_rng([self.seed, stream, self.first]).random(count)


class Given(Share):
    """Training and test rows that somebody has divided already."""

    def __init__(self, train_rows: pl.DataFrame, test_rows: pl.DataFrame | None = None) -> None:
        """Keep the rows."""
        super().__init__(Part(), 0.0)
        self.pair = train_rows, train_rows.clear() if test_rows is None else test_rows

    def rows(self) -> tuple[pl.DataFrame, pl.DataFrame]:
        """Return them."""
        return self.pair


class Division(NamedTuple):
    """All rows that have a target, divided into those for training and those for the test."""

    shares: list[Share]
    training: int  # rows
    classes: set  # in the training rows; none in a regression
    most: float = math.inf  # rows to draw and describe


def split(rows: pl.DataFrame, test_share: float, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return train and test rows, with the same mix of classes; a class of one row is in the first only.

    Rows without a target are left out, with a note. Raises EmptyError if the others are too few to learn from.
    """
    return divide(of(rows), test_share, seed).shares[0].rows()


def divide(table: Input, test_share: float, seed: int) -> Division:
    """Return the rows of all parts as `split` divides them. Raises EmptyError."""
    seen = table.total
    if missing := seen.rows - seen.known:
        log.warning("Left out, as they have no %s: %s rows.", short(TARGET), missing)
    _, low, high = seen.columns[TARGET]
    counts = dict(seen.targets.iter_rows()) if CLASSES else {None: seen.known}
    if seen.known and (len(counts) == 1 if CLASSES else low == high):
        only = f"{short(label(TARGET))} in the input is {short(next(iter(counts)) if CLASSES else low)}"
        raise EmptyError(f"The only {only}. A model needs two values or more.")
    tests = {value: min(math.ceil(count * test_share), count - 1) for value, count in counts.items()}
    if seen.known < LEAST or sum(tests.values()) < 2:
        raise EmptyError(f"{seen.known} rows are too few to train and test a model. Choose an input that has more.")
    flags, at = dict[Any, np.ndarray](), dict.fromkeys(counts, 0)
    if seen.known <= COUNTED:  # a row is for the test by its place among those of its class, which are shuffled
        for value, count in counts.items():
            flags[value] = pl.int_range(count, eager=True).shuffle(seed).to_numpy() < tests[value]
    shares, first = list[Share](), 0
    for part, here in zip(table.parts, table.seen, strict=True):
        test: dict[Any, np.ndarray] | float = test_share
        if flags:
            more = here.targets.iter_rows() if CLASSES else [(None, here.known)]
            ends = {value: at[value] + count for value, count in more}
            test = {value: flags[value][at[value] : end] for value, end in ends.items()}
            at |= ends
        shares.append(Share(part, test, first, seen.known, seed))
        first += here.known
    training = seen.known - (sum(tests.values()) if flags else round(seen.known * test_share))
    return Division(shares, training, {*counts} if CLASSES else set(), memory() / DRAWN * seen.known / seen.size)


def _shuffled(rows: pl.DataFrame, seed: int) -> pl.Series:
    """Return the place of each row among those of its class, shuffled (rows,).

    scikit-learn's own splits refuse classes that are rarer than the parts.
    """
    group = TARGET if CLASSES else pl.lit(0)
    return rows.select(pl.int_range(pl.len()).shuffle(seed).over(group)).to_series()


def train(rows: pl.DataFrame, seed: int) -> Model:
    """Return a model fitted to rows that have a target. Missing values and categories need no preparation."""
    return learn(Division([Given(rows)], rows.height, set(rows[TARGET].unique()) if CLASSES else set()), seed)


def learn(rows: Division, seed: int, workers: Alone = ALONE) -> Model:
    """Return a model fitted to the training rows, read part by part; logs a note if not all fit the memory."""
    levels = _levels(rows.shares, workers)
    labels = [value for value in VALUES.get(TARGET, sorted(rows.classes)) if value in rows.classes]
    _, places = features(pl.DataFrame(schema=TYPES), levels)
    kinds = ["c" if name in levels else "q" for name, each in places.items() for _ in each]
    # the bytes of a row, measured: those of XGBoost, and while it takes the rows over, those of its numbers
    share = min(1.0, workers.room() / max(64 + 6 * len(kinds) + 12 * len(labels), 10 * len(kinds)) / rows.training)
    if share * rows.training < min(LEAST, rows.training):
        raise MemoryError
    if share < 1:
        some = f"{round(share * rows.training)} of {rows.training}"
        log.warning("The model learns from %s training rows: more need more MEMORY, see docs/scale.md.", some)
    threads = 1 if rows.training * len(kinds) < SMALL else None
    options = SETTINGS | {"device": device(), "random_state": seed, "n_jobs": threads}
    if CLASSES and len(labels) > 2:
        options |= {"objective": "multi:softprob", "num_class": len(labels)}
    trees = XGBClassifier(**options) if CLASSES else XGBRegressor(**options)
    try:
        booster = workers.train(trees, kinds, rows.shares, partial(_numbers_of, levels, labels, share))
    except XGBoostError as error:
        if trees.device == "cpu" and "cuda" not in str(error):  # which fails where there is a driver and no device
            raise
        reason = short(str(error).splitlines()[0].rpartition(": ")[2], 150)
        remedy = "To train it on the processor, set ACCELERATOR=cpu in .env."
        raise SettingError(f"The model cannot be trained on {trees.device}: {reason}. {remedy}") from None
    trees.load_model(booster.save_raw())
    trees.set_params(device="cpu", n_jobs=None)  # predicts, so that answers are the same on every machine
    return Model(trees, levels, labels, share)


def _numbers_of(levels: dict, labels: list, learned: float, share: Share) -> tuple[np.ndarray, np.ndarray]:
    """Return what a model learns of a part: the features (rows x places), and the target (rows,)."""
    rows = share.learned(learned)
    matrix, _ = features(rows, levels)
    return matrix, _classes(rows, labels) if CLASSES else rows[TARGET].to_numpy()


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


def _levels(shares: list[Share], workers: Alone) -> dict[str, list[str]]:
    """Return the values of each feature of text: those listed in schema.py, else the most frequent ones."""
    levels = {name: VALUES.get(name, []) for name in FEATURES if is_text(name)}
    unlisted = [name for name in levels if not levels[name]]
    counts = dict[str, pl.DataFrame]()
    for found in workers.each(partial(_texts, unlisted), shares) if unlisted else []:
        for name, more in found.items():
            both = pl.concat([counts.get(name, more.clear()), more]).group_by("value").sum()
            counts[name] = both.sort("count", "value", descending=[True, False]).head(TEXTS)
    return levels | {name: each["value"][:LEVELS].to_list() for name, each in counts.items()}


def _texts(names: list[str], share: Share) -> dict[str, pl.DataFrame]:
    """Return how often each text occurs in the training rows of a part."""
    rows, _ = share.rows()
    return {name: rows[name].drop_nulls().cast(pl.String).alias("value").value_counts() for name in names}


def _classes(rows: pl.DataFrame, labels: list) -> np.ndarray:
    """Return the class of each row as its place in `labels` (rows,)."""
    return rows[TARGET].replace_strict(labels, range(len(labels)), return_dtype=pl.Int32).to_numpy()


def predict(model: Model, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the answer for each row (rows x 2 or 3: see `ANSWER`).

    That is the most likely class and its probability, 0 to 1; or a number, in the unit of the target, and the bounds
    that hold the truth as often as `COVERED` says.
    """
    if rows.is_empty():  # of which XGBoost makes other shapes
        kinds = [TYPES[TARGET], pl.Float32] if CLASSES else [pl.Float64] * 3
        return pl.DataFrame(schema=dict(zip(ANSWER, kinds, strict=True)))
    matrix, _ = features(rows, model.levels)
    if CLASSES:
        chances = model.trees.predict_proba(matrix)
        labels = _labels(tuple(model.labels))
        chances = chances[:, : len(labels)]  # two, also where the training rows had one class
        return pl.DataFrame([labels[chances.argmax(axis=1)], pl.Series(chances.max(axis=1))], schema=ANSWER)
    guess = model.trees.predict(matrix).astype(float)
    ends = guess - model.margin, guess + model.margin
    return pl.DataFrame(dict(zip(ANSWER, (guess, *ends), strict=True)))


@lru_cache
def _labels(labels: tuple) -> pl.Series:
    """Return the classes with the type of the target; kept, as for the expressions."""
    return pl.Series(labels, dtype=TYPES[TARGET])


class Answered(NamedTuple):
    """What came of asking a model about the test rows of a part, or of all."""

    trained: int  # training rows
    tested: int  # test rows
    measured: pl.DataFrame  # true and said: (kinds of answers x 3), counted; of a regression (rows x 2), drawn
    known: pl.DataFrame  # target of the training rows: (classes x 2), counted; of a regression (rows x 1), drawn
    train_rows: pl.DataFrame  # those to draw and describe
    test_rows: pl.DataFrame  # these, too
    answers: pl.DataFrame  # about these


def evaluate(model: Model, train_rows: pl.DataFrame, test_rows: pl.DataFrame, seed: int) -> dict[str, Any]:
    """Return how well the model does on unseen rows, against a baseline that knows no features, and set its margin.

    Shares are of 1, errors in the unit of the target. Where rows are few, `cross_validation` tells how much chance is
    in the main score.
    """
    return judge(model, Division([Given(train_rows, test_rows)], train_rows.height, set()), seed)[0]


def judge(
    model: Model, rows: Division, seed: int, workers: Alone = ALONE, folder: Path | None = None
) -> tuple[dict[str, Any], Answered]:
    """Return what `evaluate` returns, and the rows to draw with the answers about them, from rows read part by part.

    All test rows with their answers go to a folder, if one is given, as a file for each part; `lowest` and `highest`
    are not known yet.
    """
    found = list[Answered]()
    for number, (each, predictions) in enumerate(workers.each(partial(_answer, model, rows.most), rows.shares)):
        found.append(each)
        if folder:
            put(predictions, folder, number)
    trained, tested, *frames = zip(*found, strict=True)
    measured, known, train_rows, test_rows, answers = map(pl.concat, frames)
    said: dict[str, Any] = {"rows": {"train": sum(trained), "test": sum(tested)}}
    if model.learned < 1:
        said["rows"]["learned"] = round(model.learned * sum(trained))
    said |= (_classification if CLASSES else _regression)(measured, known)
    model.margin = said.get("margin", model.margin)
    answers = bounded(answers.lazy(), model).collect()
    if sum(trained) + sum(tested) < FEW:
        scores = _cross_validated(pl.concat([train_rows, test_rows]), seed)
        said["cross_validation"] = {"scores": _rounded(scores), "mean": _rounded(np.mean(scores))}
    some = test_rows.sample(min(SHUFFLED, test_rows.height), seed=seed)
    said["importance"] = importance(model, some, seed)
    return said, Answered(sum(trained), sum(tested), measured, known, train_rows, test_rows, answers)


def _cross_validated(rows: pl.DataFrame, seed: int) -> list[float]:
    """Return the main score of a model for each of some parts of the rows, from those that it has not seen."""
    place, scores = _shuffled(rows, seed), list[float]()
    if CLASSES:  # one class after the other, so that no part is empty where classes are small
        place = rows.select(pl.arg_sort_by(TARGET, place)).to_series().arg_sort()
    part = place % FOLDS
    for fold in range(FOLDS):
        unseen = rows.filter(part == fold)
        guess = predict(train(rows.filter(part != fold), seed), unseen)["predicted"]
        scores.append(_score(unseen[TARGET], guess))
    return scores


def _answer(model: Model, most: float, share: Share) -> tuple[Answered, pl.DataFrame]:
    """Return what comes of asking a model about a part, and its test rows with the answers."""
    train_rows, test_rows = share.rows()
    answers = predict(model, test_rows)
    measured = pl.DataFrame([test_rows[TARGET].alias("true"), answers["predicted"].alias("said")])
    known = train_rows.select(true=TARGET)
    if CLASSES:
        measured = measured.group_by("true", "said", maintain_order=True).len("count")
        known = known.group_by("true", maintain_order=True).len("count")
    else:
        measured = measured.filter(share.drawn(test_rows, memory() / MEASURED))
        known = known.filter(share.drawn(train_rows, memory() / MEASURED))
    train, test = share.drawn(train_rows, most), share.drawn(test_rows, most)
    some = [rows.filter(each) for rows, each in ((train_rows, train), (test_rows, test), (answers, test))]
    # text that is made anew, as what a filter returns would keep all texts in memory
    some = [rows.with_columns(pl.col(pl.String) + "") for rows in some]
    predictions = test_rows.drop(ANSWER, strict=False).hstack(answers)
    return Answered(train_rows.height, test_rows.height, measured, known, *some), predictions


def bounded(answers: pl.LazyFrame, model: Model) -> pl.LazyFrame:
    """Return answers of a regression with the bounds that `evaluate` has found."""
    ends = {} if CLASSES else {"lowest": -model.margin, "highest": model.margin}
    return answers.with_columns(**{name: pl.col("predicted") + end for name, end in ends.items()})


def summary(metrics: dict) -> str:
    """Return the main score and the baseline's in a few words."""
    if CLASSES:
        return f"accuracy {metrics['accuracy']:.3f}, baseline {metrics['baseline_accuracy']:.3f}"
    error, baseline = metrics["mean_absolute_error"], metrics["baseline_mean_absolute_error"]
    return " ".join(f"mean error {error:.4g} {unit()}, baseline {baseline:.4g} {unit()}".split()).replace(" ,", ",")


def _score(truth: pl.Series, guess: pl.Series) -> float:
    """Return the accuracy, between 0 and 1; of a regression the mean absolute error, in the target's unit."""
    return float((truth == guess).mean() if CLASSES else (truth - guess).abs().mean())


def _classification(measured: pl.DataFrame, known: pl.DataFrame) -> dict[str, Any]:
    true, said, counts = measured.group_by("true", "said", maintain_order=True).sum()
    known = known.group_by("true").sum().sort("count", "true", descending=[True, False])["true"]
    right, common, total = (counts.filter(each).sum() for each in (true == said, true == known[0], counts > 0))
    listed = pl.Series(VALUES.get(TARGET, known.sort())).cast(pl.String)
    true, said, weights = true.cast(pl.String), said.cast(pl.String), counts.to_numpy()
    present = {*true, *said}
    names = [name for name in listed if name in present]
    details = metrics.classification_report(
        true, said, labels=names, sample_weight=weights, output_dict=True, zero_division=0
    )
    matrix = metrics.confusion_matrix(true, said, labels=names, sample_weight=weights)
    return {
        "accuracy": _rounded(right / total),
        "balanced_accuracy": _rounded(metrics.balanced_accuracy_score(true, said, sample_weight=weights)),
        "baseline_accuracy": _rounded(common / total),
        "classes": {name: {key: _rounded(value) for key, value in details[name].items()} for name in names},
        "confusion": {"labels": names, "counts": matrix.tolist()},
    }


def _regression(measured: pl.DataFrame, known: pl.DataFrame) -> dict[str, Any]:
    truth, guess = measured["true"], measured["said"]
    return {
        "mean_absolute_error": _rounded(_score(truth, guess)),
        "root_mean_squared_error": _rounded(metrics.root_mean_squared_error(truth, guess)),
        "r2": _rounded(metrics.r2_score(truth, guess)),
        "baseline_mean_absolute_error": _rounded((truth - known["true"].median()).abs().mean()),
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
