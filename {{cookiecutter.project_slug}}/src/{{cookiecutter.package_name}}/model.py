"""Prepare, train, evaluate: which species is a penguin, from its measurements, its sex and its island?"""

from statistics import mean

import polars as pl
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score, classification_report, confusion_matrix
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from .errors import EmptyError
from .schema import ISLANDS, SEXES

NUMBERS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
CATEGORIES = {"island": ISLANDS, "sex": [*SEXES, "unknown"]}
TARGET = "species"


def features(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the features (rows x 6: `NUMBERS`, then `CATEGORIES`) of checked rows."""
    return rows.select(*NUMBERS, "island", pl.col("sex").fill_null("unknown"))


def prepare(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.Series]:
    """Return features (rows x 6) and species (rows) of checked rows."""
    return features(rows), rows[TARGET]


def split(rows: pl.DataFrame, test_share: float, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return train and test rows, each species in both by its share; the same for the same seed.

    Raises EmptyError when there are too few rows of a species for that.
    """
    if rows[TARGET].n_unique() < 2:
        raise EmptyError(f"The input has only the species {rows[TARGET][0]}; a model needs two or more to tell apart.")
    numbers = range(rows.height)
    try:
        train, test = train_test_split(
            numbers, test_size=test_share, random_state=seed, stratify=rows[TARGET].to_list()
        )
    except ValueError as error:
        raise EmptyError(f"{rows.height} rows are too few to learn from and to test with: {error}") from None
    return rows[sorted(train)], rows[sorted(test)]


def train(rows: pl.DataFrame, seed: int) -> Pipeline:
    """Return a model fitted to the rows: missing numbers imputed, all scaled, logistic regression on top."""
    numbers = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    categories = OneHotEncoder(categories=list(CATEGORIES.values()))
    columns = make_column_transformer((numbers, NUMBERS), (categories, list(CATEGORIES)))
    return make_pipeline(columns, LogisticRegression(max_iter=1000, random_state=seed)).fit(*prepare(rows))


def predict(model: Pipeline, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the likeliest species of each row, and its probability between 0 and 1 (rows x 2)."""
    chances = model.predict_proba(features(rows))
    return pl.DataFrame({"predicted": model.classes_[chances.argmax(axis=1)], "probability": chances.max(axis=1)})


def evaluate(model: Pipeline, train_rows: pl.DataFrame, test_rows: pl.DataFrame, seed: int) -> dict[str, object]:
    """Return how well the model does on rows it has not seen, against always naming the commonest species.

    Shares are between 0 and 1, rounded to 6 digits. `importance`: accuracy lost when a feature is shuffled.
    """
    known, truth = prepare(test_rows)
    guess = model.predict(known)
    baseline = DummyClassifier().fit(*prepare(train_rows)).predict(known)
    labels = [str(label) for label in model.classes_]
    details = classification_report(truth, guess, labels=labels, output_dict=True, zero_division=0)
    accuracy = accuracy_score(truth, guess)
    return {
        "rows": {"train": train_rows.height, "test": test_rows.height},
        "accuracy": round(accuracy, 6),
        "balanced_accuracy": round(balanced_accuracy_score(truth, guess), 6),
        "baseline_accuracy": round(accuracy_score(truth, baseline), 6),
        "species": {name: {key: round(value, 6) for key, value in details[name].items()} for name in labels},
        "confusion": {"labels": labels, "counts": confusion_matrix(truth, guess, labels=labels).tolist()},
        "importance": {
            name: round(accuracy - _accuracy_without(name, model, known, truth, seed), 6) for name in known.columns
        },
    }


def _accuracy_without(name: str, model: Pipeline, known: pl.DataFrame, truth: pl.Series, seed: int) -> float:
    """Return the accuracy, the mean of 20 tries, when the values of one feature are shuffled among the rows."""
    shuffled = (known.with_columns(pl.col(name).shuffle(seed + i)) for i in range(20))
    return mean(accuracy_score(truth, model.predict(some)) for some in shuffled)
