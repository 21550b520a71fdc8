"""Prepare, train, evaluate: which species is a penguin, from its measurements, its sex and its island?"""

import numpy as np
import polars as pl
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score, classification_report, confusion_matrix
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from .errors import EmptyError
from .schema import ISLANDS, SEXES, SPECIES

NUMBERS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
CATEGORIES = {"island": ISLANDS, "sex": SEXES}
TARGET = "species"
SAMPLE = 5000  # test rows to measure importance on, at most: more take longer and change little


def features(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the features (rows x 6: `NUMBERS`, then `CATEGORIES` as their places) of checked rows."""
    places = (
        pl.col(name).cast(pl.Enum(known)).to_physical().fill_null(len(known)) for name, known in CATEGORIES.items()
    )
    return rows.select(*NUMBERS, *places)


def target(rows: pl.DataFrame) -> np.ndarray:
    """Return the species of checked rows (rows,) as places in `SPECIES`: scikit-learn is slow with text."""
    return rows[TARGET].cast(pl.Enum(SPECIES)).to_physical().to_numpy()


def split(rows: pl.DataFrame, test_share: float, seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return train and test rows with the same mix of species. Raises EmptyError if a species has too few rows."""
    if rows[TARGET].n_unique() < 2:
        raise EmptyError(f"The only species in the input is {rows[TARGET][0]}. A model needs two or more.")
    try:
        train, test = train_test_split(
            np.arange(rows.height), test_size=test_share, random_state=seed, stratify=target(rows)
        )
    except ValueError as error:
        raise EmptyError(f"{rows.height} rows are too few to train and test a model: {error}") from None
    return rows[np.sort(train)], rows[np.sort(test)]


def train(rows: pl.DataFrame, seed: int) -> Pipeline:
    """Return a model fitted to the rows: numbers scaled, missing ones the mean, then logistic regression."""
    numbers = make_pipeline(
        FunctionTransformer(np.float32),
        StandardScaler(copy=False),
        SimpleImputer(strategy="constant", fill_value=0, copy=False, keep_empty_features=True),
    )
    categories = OneHotEncoder(
        categories=[range(len(known) + 1) for known in CATEGORIES.values()], drop="first", dtype="f4"
    )
    columns = make_column_transformer((numbers, NUMBERS), (categories, list(CATEGORIES)))
    model = make_pipeline(columns, LogisticRegression(max_iter=1000, random_state=seed))
    return model.fit(features(rows), target(rows))


def predict(model: Pipeline, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the most likely species of each row, and its probability between 0 and 1 (rows x 2)."""
    chances = model.predict_proba(features(rows))
    names = pl.Series(SPECIES).gather(model.classes_)
    return pl.DataFrame({"predicted": names.gather(chances.argmax(axis=1)), "probability": chances.max(axis=1)})


def evaluate(model: Pipeline, train_rows: pl.DataFrame, test_rows: pl.DataFrame, seed: int) -> dict[str, object]:
    """Return how well the model does on unseen rows, in shares of 1; the baseline predicts the most common species."""
    guess, truth, labels = model.predict(features(test_rows)), target(test_rows), model.classes_
    names = [SPECIES[label] for label in labels]
    details = classification_report(truth, guess, labels=labels, target_names=names, output_dict=True, zero_division=0)
    return {
        "rows": {"train": train_rows.height, "test": test_rows.height},
        "accuracy": round(accuracy_score(truth, guess), 6),
        "balanced_accuracy": round(balanced_accuracy_score(truth, guess), 6),
        "baseline_accuracy": round(float(np.mean(truth == np.bincount(target(train_rows)).argmax())), 6),
        "species": {name: {key: round(value, 6) for key, value in details[name].items()} for name in names},
        "confusion": {"labels": names, "counts": confusion_matrix(truth, guess, labels=labels).tolist()},
        "importance": importance(model, test_rows.sample(min(SAMPLE, test_rows.height), seed=seed), seed),
    }


def importance(model: Pipeline, rows: pl.DataFrame, seed: int) -> dict[str, float]:
    """Return the accuracy lost when a feature is shuffled, in shares of 1: the mean of 10 tries."""
    known = features(rows)
    places = np.repeat(np.arange(rows.height)[:, None], known.width, axis=1)  # scikit-learn shuffles arrays only

    def score(model: Pipeline, places: np.ndarray, truth: np.ndarray) -> float:
        return model.score(pl.DataFrame([column[places[:, i]] for i, column in enumerate(known)]), truth)

    lost = permutation_importance(model, places, target(rows), scoring=score, n_repeats=10, random_state=seed)
    return dict(zip(known.columns, lost.importances_mean.round(6).tolist(), strict=True))
