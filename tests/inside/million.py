"""Measure `adopt` and `run` on many rows against a plain script that does the same; print times and memory.

Run it in a generated project's folder, with its packages. Its arguments are the project's package, the number of rows,
and the number of trees if it is to take less time. The plain script reads with Polars, trains XGBoost with the same
settings, and computes scikit-learn's metrics and the importance. The last line is JSON: megabytes of the file, and
processor seconds and peak megabytes of each.
"""

import importlib
import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

PACKAGE, ROWS = sys.argv[1], int(sys.argv[2])
TREES = int(sys.argv[3]) if len(sys.argv) > 3 else None
PLAIN = """
import sys
import numpy as np, polars as pl
from sklearn import metrics
from xgboost import XGBRegressor
settings, target = eval(sys.argv[1]), "price"
rows = pl.read_csv("data/million.csv", try_parse_dates=True).drop("id")
for name, kind in rows.schema.items():
    if kind == pl.String:
        rows = rows.with_columns(rows[name].cast(pl.Categorical))
        rows = rows.with_columns(pl.col(name).to_physical())
    elif kind.is_temporal():
        parts = ["year", "month", "day", "weekday"] + ["hour"] * (kind != pl.Date)
        days = pl.col(name).dt.epoch("s" if kind != pl.Date else "d").alias(f"{name} days")
        rows = rows.with_columns(days, *(getattr(pl.col(name).dt, part)().alias(f"{name} {part}") for part in parts))
        rows = rows.drop(name)
texts = [name in ("kind", "place", "colour", "shop") for name in rows.columns if name != target]
tested = np.random.default_rng(0).random(rows.height) < 0.25
truth = rows[target].to_numpy()
matrix = rows.drop(target).cast(pl.Float32).to_numpy()
del rows
kinds = ["c" if text else "q" for text in texts]
trees = XGBRegressor(enable_categorical=True, feature_types=kinds, random_state=0, **settings)
trees.fit(matrix[~tested], truth[~tested])
guess = trees.predict(matrix[tested])
for score in (metrics.mean_absolute_error, metrics.root_mean_squared_error, metrics.r2_score):
    print(score.__name__, score(truth[tested], guess))
some, right = matrix[tested][:5000], truth[tested][:5000]
for place in range(some.shape[1]):
    for seed in range(5):
        shuffled = some.copy()
        shuffled[:, place] = np.random.default_rng(seed).permutation(shuffled[:, place])
        metrics.mean_absolute_error(right, trees.predict(shuffled))
"""


def table(count: int) -> pl.DataFrame:
    """Return made-up sales, about 100 bytes a row."""
    random = np.random.default_rng(0)
    weight, size, age = random.gamma(3, 20, count), random.normal(50, 12, count), random.integers(0, 90, count)
    kind, place, shop = random.integers(0, 12, count), random.integers(0, 300, count), random.integers(0, 40, count)
    price = 3 * weight + size * (1 + kind / 6) + 20 * np.sin(place) + age * (shop % 3) + random.normal(0, 20, count)
    seconds = pl.Series(random.integers(1_600_000_000, 1_700_000_000, count))
    weight = pl.Series(np.where(random.random(count) < 0.05, np.nan, weight.round(3)), nan_to_null=True)
    colours = pl.Series(["red", "green", "blue", "black", None])
    return pl.DataFrame(
        {
            "id": range(1, count + 1),
            "sold at": pl.from_epoch(seconds).cast(pl.Datetime("us")).dt.strftime("%Y-%m-%d %H:%M:%S"),
            "made": pl.from_epoch(seconds - 86400 * 400).dt.date(),
            "kind": pl.Series([f"kind {number}" for number in range(12)]).gather(kind),
            "place": pl.Series([f"place number {number}" for number in range(300)]).gather(place),
            "colour": colours.gather(random.integers(0, 5, count)),
            "shop": pl.Series([f"shop-{number:03}" for number in range(40)]).gather(shop),
            "weight": weight,
            "size": size.round(2),
            "age": age,
            "discount": random.random(count).round(4),
            "online": random.random(count) < 0.4,
            "price": price.round(2),
        }
    )


def measure(*arguments: str) -> tuple[float, float]:
    """Run Python; return the processor seconds that it takes, which other programs do not change, and peak MB."""
    environment = os.environ | {"PYTHONPATH": "src"}
    process = os.posix_spawn(sys.executable, [sys.executable, *arguments], environment)
    _, status, used = os.wait4(process, 0)
    if status:
        sys.exit(f"{arguments} failed")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1000


def main() -> None:
    """Measure, and print what was found."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree("src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
        model = folder / f"src/{PACKAGE}/model.py"
        if TREES:
            model.write_text(re.sub(r'"n_estimators": \d+', f'"n_estimators": {TREES}', model.read_text()))
        (folder / ".env").write_text("")
        (folder / "data").mkdir()
        os.chdir(folder)
        sys.path.insert(0, str(folder / "src"))
        if (child := os.fork()) == 0:  # as the peak of this process would count in those that it starts
            table(ROWS).write_csv("data/million.csv")
            os._exit(0)
        os.waitpid(child, 0)
        found = {
            "adopt": measure("-m", PACKAGE, "adopt", "data/million.csv", "--target", "price"),
            "run": measure("-m", PACKAGE, "run"),
        }
        model = importlib.import_module(f"{PACKAGE}.model")
        found["plain"] = measure("-c", PLAIN, repr(model.SETTINGS))
        print(json.dumps({"file": Path("data/million.csv").stat().st_size / 1e6, **found}))


if __name__ == "__main__":
    main()
