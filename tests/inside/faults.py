"""Kill a run, stop it, or fill the disk, at each step that changes a file: results of two runs never mix."""

import os
import shutil
import signal
import sys

import pytest
from my_project import outputs

STARTS = ["no results", "results of an older version", "results"]
FAULTS = [(signal.SIGKILL, start) for start in STARTS] + [(signal.SIGTERM, "results"), (0, "results")]


def die(signal_: int, at: int) -> None:
    """Send this process a signal at a step that changes files, or fill the disk (0) from that step on."""
    left, steps = iter(range(at, -9999, -1)), {"open", "os.mkdir", "os.rename", "os.remove", "os.symlink"}

    def step(event: str, arguments: tuple = ()) -> None:
        reads = event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR)
        if event in steps and not reads and (now := next(left)) <= 0:
            if signal_ and now == 0:
                os.kill(os.getpid(), signal_)
            elif not signal_ and event not in ("os.remove", "os.rename"):
                raise OSError(28, "No space left on device")

    outputs.os.fsync = lambda _: step("os.mkdir")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # as the command line does
    sys.addaudithook(step)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("links", [True, False], ids=["links", "copies"])
@pytest.mark.parametrize(("signal_", "start"), FAULTS, ids=lambda value: str(value).replace(" ", "-"))
def test_results_of_two_runs_never_mix(tmp_path, monkeypatch, start, links, signal_) -> None:
    reports = tmp_path / "reports"
    names = {tmp_path / "models/model.joblib": "model.joblib"}
    names |= {reports / name: name for name in ("report.html", "figures/a.svg", "tables/b.parquet", "figures/c.svg")}
    monkeypatch.setattr(outputs, "_can_link", lambda _: links)
    monkeypatch.setattr(outputs.os, "fsync", lambda _: None)  # saves time here; the process that dies has it
    for at in range(200):
        shutil.rmtree(tmp_path / "models", ignore_errors=True)
        shutil.rmtree(reports, ignore_errors=True)
        for path in names:
            path.parent.mkdir(parents=True, exist_ok=True)
            if start == "results of an older version":
                path.write_bytes(b"old")
        if start == "results":
            outputs.publish(dict.fromkeys(names, b"old"), reports)
        if not (child := os.fork()):
            try:
                die(signal_, at)
                outputs.publish(dict.fromkeys(names, b"new"), reports)
                os._exit(0)
            finally:
                os._exit(1)
        status = os.waitpid(child, 0)[1]
        old = outputs.current(reports) == reports
        found = names if links or old else [outputs.current(reports) / name for name in names.values()]
        assert len({path.read_bytes() if path.exists() else b"none" for path in found}) == 1, at
        outputs.publish(dict.fromkeys(names, b"last"), reports)
        assert {path.read_bytes() for path in names} == {b"last"}
        assert not [*tmp_path.rglob("*.partial")]
        if status == 0:
            break
    assert at > 10
