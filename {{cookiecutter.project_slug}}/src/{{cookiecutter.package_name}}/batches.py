"""Train trees on rows that are handed over in batches."""

from collections.abc import Callable, Iterable

import numpy as np
import xgboost


def train(
    trees: xgboost.XGBModel,
    kinds: list[str],
    batches: Iterable[tuple[np.ndarray, np.ndarray]],
    tell: Callable[[int, int], object],
) -> xgboost.Booster:
    """Return trees with the parameters of `trees`, trained on batches of features (rows x places) and targets (rows,).

    `kinds` are XGBoost's types of the features; `tell` learns how many trees are done.
    """
    given = _Batches(kinds, [each for each in batches if len(each[1])])
    matrix = xgboost.QuantileDMatrix(given, enable_categorical=True)
    given.batches.clear()  # XGBoost has its own form of them now
    rounds = _Rounds(tell, trees.n_estimators)
    return xgboost.train(trees.get_xgb_params(), matrix, trees.n_estimators, callbacks=[rounds])


class _Batches(xgboost.DataIter):
    """Gives XGBoost one batch after the other; it asks for all of them several times."""

    def __init__(self, kinds: list[str], batches: list[tuple[np.ndarray, np.ndarray]]) -> None:
        super().__init__()
        self.kinds, self.batches, self.at = kinds, batches, 0

    def reset(self) -> None:
        """Start again."""
        self.at = 0

    def next(self, input_data: Callable) -> bool:
        """Hand over the next batch, and say whether there was one."""
        if self.at == len(self.batches):
            return False
        matrix, target = self.batches[self.at]
        input_data(data=matrix, label=target, feature_types=self.kinds)
        self.at += 1
        return True


class _Rounds(xgboost.callback.TrainingCallback):
    """Tells how many trees are done."""

    def __init__(self, tell: Callable[[int, int], object], total: int) -> None:
        self.tell, self.total = tell, total

    def after_iteration(self, model: xgboost.Booster, epoch: int, evals_log: dict) -> bool:
        """Tell it, and go on."""
        self.tell(epoch + 1, self.total)
        return False
