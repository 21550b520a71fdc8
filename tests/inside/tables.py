"""Adopt real tables, run and predict in a project; print a line for each, and scikit-learn's score on the same rows.

Run in a project's folder with its packages; the arguments are its package, and for each table the name of a CSV file
and its target. Scores are accuracy, or R2 of a regression; "theirs" is of HistGradientBoosting with its defaults.
"""

import json
import os
import re
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from statistics import median

# Those that take long to import, once for all tables; none may start a thread before a fork
import joblib
import matplotlib.figure  # noqa: F401
import numpy as np
import pandera.polars  # noqa: F401
import polars
import rich.table  # noqa: F401
import xgboost  # noqa: F401
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import accuracy_score, r2_score

PACKAGE, *FILES = sys.argv[1:]


def compare() -> None:
    """Print the task, the numbers of rows and features, our score and theirs, on the same features and split."""
    package = __import__(PACKAGE, fromlist=["data", "model", "schema", "settings"])
    settings, model, target = package.settings.load(), package.model, package.schema.TARGET
    rows, _ = package.data.read(settings.input, settings)
    train, test = model.split(rows, settings.test_share, settings.seed)
    saved = joblib.load("models/model.joblib")
    known, places = model.features(train, saved.levels)
    new, _ = model.features(test, saved.levels)
    texts = [place for name in saved.levels for place in places[name]]
    for matrix in (known, new):  # it takes 255 categories at most
        matrix[:, texts] = np.where(matrix[:, texts] < 254, matrix[:, texts], np.nan)
    kind = str if model.CLASSES else float
    goal, truth, guess = (column.cast(kind).to_numpy() for column in (train[target], test[target], answer(saved, test)))
    made = HistGradientBoostingClassifier if model.CLASSES else HistGradientBoostingRegressor
    other = made(categorical_features=texts, random_state=0)
    if model.CLASSES and np.unique(goal, return_counts=True)[1].min() < 2:
        other.set_params(early_stopping=False)  # it cannot split a class of one row
    score = accuracy_score if model.CLASSES else r2_score
    theirs = score(truth, other.fit(known, goal).predict(new))
    print(json.dumps([package.schema.TASK, rows.height, len(package.schema.FEATURES), score(truth, guess), theirs]))


def answer(saved: object, rows: polars.DataFrame) -> polars.Series:
    """Return what the saved model predicts for rows."""
    return __import__(f"{PACKAGE}.model", fromlist=["predict"]).predict(saved, rows)["predicted"]


def command(*arguments: str) -> Callable[[], None]:
    """Return a function that calls the package's command line."""

    def call() -> None:
        sys.argv = [PACKAGE, *arguments]
        __import__(f"{PACKAGE}.__main__", fromlist=["main"]).main()

    return call


def in_child(folder: Path, function: Callable[[], None]) -> tuple[int, str]:
    """Run a function in a process of its own in a folder; return its exit code and all that it printed."""
    output = folder / "output.txt"
    if not (child := os.fork()):
        os.chdir(folder)
        sys.path.insert(0, str(folder / "src"))
        with output.open("wb") as file:
            os.dup2(file.fileno(), 1)
            os.dup2(file.fileno(), 2)
        code = 1
        try:
            function()
            code = 0
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        except BaseException:
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), output.read_text("utf-8", "replace")


def try_out(file: str, target: str) -> tuple[str, list, str]:
    """Return how it went with one table ("report", "refusal" or "traceback"), the figures, and what was said."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copytree("src", folder / "src", ignore=shutil.ignore_patterns("__pycache__"))
        (folder / ".env").touch()
        (folder / "data").mkdir()
        shutil.copy(file, folder / "data/table.csv")
        start = time.perf_counter()
        for arguments in (["adopt", "data/table.csv", "--target", target], ["run"]):
            code, said = in_child(folder, command(*arguments))
            if code:
                kind = "refusal" if re.search(r"^Error: ", said, re.MULTILINE) and code > 1 else "traceback"
                return kind, [], said
        seconds = time.perf_counter() - start
        code, said = in_child(folder, compare)
        return ("traceback", [], said) if code else ("report", [*json.loads(said.splitlines()[-1]), seconds], said)


def main() -> None:
    """Try all tables; the last line is JSON: how often each outcome was, and the median gain of each task."""
    kinds, gains = [], {"classification": [], "regression": []}
    print("| table | task | rows | columns | ours | theirs | seconds |\n|---|---|---|---|---|---|---|")
    for file, target in zip(FILES[::2], FILES[1::2], strict=True):
        kind, figures, said = try_out(file, target)
        kinds.append(kind)
        name = f"{Path(file).stem}: {target}"
        if kind == "report":
            task, rows, columns, ours, theirs, seconds = figures
            gains[task].append(ours - theirs)
            print(f"| {name} | {task} | {rows} | {columns} | {ours:.3f} | {theirs:.3f} | {seconds:.0f} |", flush=True)
        else:
            print(f"| {name} | {said if kind == 'traceback' else said.strip().splitlines()[-1]} |", flush=True)
    found = {f"{kind}s": kinds.count(kind) for kind in ("report", "refusal", "traceback")}
    print(json.dumps(found | {task: round(median(each), 6) for task, each in gains.items() if each}))


if __name__ == "__main__":
    main()
