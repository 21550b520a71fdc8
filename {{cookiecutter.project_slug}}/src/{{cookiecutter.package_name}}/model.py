"""Prepare, train, evaluate: which species is a penguin, from its measurements, its sex and its island?"""

from statistics import mean

import polars as pl
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, classification_report, confusion_matrix
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


def split(rows: pl.DataFrame, test_share: float, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return train and test rows with the same mix of species. Raises EmptyError if a species has too few rows."""
    if rows[TARGET].n_unique() < 2:
        raise EmptyError(f"The only species in the input is {rows[TARGET][0]}. A model needs two or more.")
    species = rows[TARGET].to_list()
    try:
        train, test = train_test_split(range(rows.height), test_size=test_share, random_state=seed, stratify=species)
    except ValueError as error:
        raise EmptyError(f"{rows.height} rows are too few to train and test a model: {error}") from None
    return rows[sorted(train)], rows[sorted(test)]


def train(rows: pl.DataFrame, seed: int) -> Pipeline:
    """Return a model fitted to the rows: missing numbers imputed, all scaled, then logistic regression."""
    numbers = make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler())
    categories = OneHotEncoder(categories=list(CATEGORIES.values()))
    columns = make_column_transformer((numbers, NUMBERS), (categories, list(CATEGORIES)))
    model = make_pipeline(columns, LogisticRegression(max_iter=1000, random_state=seed))
    return model.fit(features(rows), rows[TARGET])


def predict(model: Pipeline, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the most likely species of each row, and its probability between 0 and 1 (rows x 2)."""
    chances = model.predict_proba(features(rows))
    return pl.DataFrame({"predicted": model.classes_[chances.argmax(axis=1)], "probability": chances.max(axis=1)})


def evaluate(model: Pipeline, train_rows: pl.DataFrame, test_rows: pl.DataFrame, seed: int) -> dict[str, object]:
    """Return how well the model does on unseen rows, in shares of 1; the baseline predicts the most common species."""
    known, truth = features(test_rows), test_rows[TARGET]
    guess, labels = model.predict(known), model.classes_.tolist()
    baseline = DummyClassifier().fit(features(train_rows), train_rows[TARGET])
    details = classification_report(truth, guess, labels=labels, output_dict=True, zero_division=0)
    accuracy, importance = model.score(known, truth), {}
    for name in known.columns:  # the accuracy lost when a feature is shuffled, the mean of 20 tries
        tries = (known.with_columns(pl.col(name).shuffle(seed + i)) for i in range(20))
        importance[name] = round(accuracy - mean(model.score(some, truth) for some in tries), 6)
    return {
        "rows": {"train": train_rows.height, "test": test_rows.height},
        "accuracy": round(accuracy, 6),
        "balanced_accuracy": round(balanced_accuracy_score(truth, guess), 6),
        "baseline_accuracy": round(baseline.score(known, truth), 6),
        "species": {name: {key: round(value, 6) for key, value in details[name].items()} for name in labels},
        "confusion": {"labels": labels, "counts": confusion_matrix(truth, guess, labels=labels).tolist()},
        "importance": importance,
    }
