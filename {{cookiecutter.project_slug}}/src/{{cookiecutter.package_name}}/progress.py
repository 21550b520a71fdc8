"""Say what the pipeline is doing: a spinner and a tick on a terminal, plain lines in a log."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

console = Console(stderr=True, highlight=False, soft_wrap=True)


class Steps:
    """Counts the steps of a run, and says how long (seconds) each took."""

    def __init__(self, total: int) -> None:
        """Expect `total` steps."""
        self.total = total
        self.done = 0

    @contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """Announce one step; what is appended to the list it yields is shown when the step is done."""
        self.done += 1
        label = f"{self.done}/{self.total} {name}"
        notes: list[str] = []
        start = time.perf_counter()
        with console.status(label):
            yield notes
        console.print(" ".join([f"{label:<13}", *notes, f"({time.perf_counter() - start:.1f} s)"]), markup=False)
