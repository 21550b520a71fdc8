"""What computes: this process alone, one part after the other."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from .settings import memory

PART = 130_000_000  # bytes of memory that it takes to read and check a part, measured


def tell_notebook(done: int, total: int) -> None:
    """Show in a notebook how much of long work is done, on one line."""
    if "ipykernel" in sys.modules and total > 9:
        bar = "#" * (40 * done // total)
        print(f"\r[{bar:<40}] {done} of {total}", end="\n" if done == total else "", file=sys.stderr, flush=True)


class Alone:
    """Calls functions with parts of the input, and trains on them; `tell` learns how many parts or trees are done."""

    def __init__(self, tell: Callable[[int, int], object] = tell_notebook) -> None:
        """Keep whom to tell."""
        self.tell = tell

    def each(self, function: Callable[[Any], Any], parts: Sequence) -> Iterator[Any]:
        """Yield what a function returns for each part, in their order."""
        for done, part in enumerate(parts, 1):
            yield function(part)
            self.tell(done, len(parts))

    def room(self) -> int:
        """Return for how many bytes of training rows there is memory."""
        used = 400_000_000
        with suppress(OSError):  # Linux only
            resident, shared = map(int, Path("/proc/self/statm").read_text().split()[1:3])
            used = (resident - shared) * os.sysconf("SC_PAGE_SIZE")
        return max(0, int(0.8 * (memory() - used - PART)))

    def train(
        self,
        trees: Any,
        kinds: list[str],
        parts: Sequence,
        numbers: Callable[[Any], tuple[Any, Any]],
    ) -> Any:
        """Return an `xgboost.Booster` with the parameters of `trees`, an `xgboost.XGBModel`.

        It is trained on what `numbers` returns for each part: features (rows x places) and target (rows,). `kinds` are
        XGBoost's types of the features.
        """
        from .batches import train  # only now, as most who read the input do not train

        return train(trees, kinds, self.each(numbers, parts), self.tell)


ALONE = Alone()
