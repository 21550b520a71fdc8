"""Inputs as people have them, in the production image: broken, untidy, unreadable and large ones."""

import json
import os

import pytest
from stack import INSIDE, Stack, project
from summary import FIGURES
from template import CHOICES

pytestmark = pytest.mark.usefixtures("engine")


def test_no_input_ends_in_a_traceback_or_is_left_out_in_silence(default) -> None:
    done = default.script("fuzz.py")
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout.splitlines()[-1])
    FIGURES.append("Odd tables and folders: " + ", ".join(f"{count} {name}" for name, count in counts.items()))
    assert (counts["tracebacks"], counts["long"], counts["silent"]) == (0, 0, 0), done.stderr
    assert counts["inputs"] > counts["refusals"] > 100


def test_each_form_of_a_table_and_each_rule_is_told_apart(default) -> None:
    run_inside(default, "check", "forms", "adopt", "faults")


@pytest.mark.parametrize("database", CHOICES["database"])
def test_a_query_can_have_any_form(bake, tmp_path, database) -> None:
    made = project(bake, tmp_path, database=database)
    try:
        run_inside(made, "queries")
    finally:
        made.remove()


def run_inside(stack: Stack, *names: str) -> None:
    """Run tests for which a project is not the place: they concern what it does, not what its owner may change."""
    files = [f"tests/test_{name}.py" for name in names]
    for name, file in zip(names, files, strict=True):
        text = (INSIDE / f"{name}.py").read_text(encoding="utf-8")
        (stack.path / file).write_text(text.replace("my_project", stack.package), encoding="utf-8")
    stack.compose("run", "--rm", "test", *files)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_a_folder_of_somebody_else_is_refused(default) -> None:
    closed = default.path / "data/closed"
    closed.mkdir()
    (closed / "p.csv").write_text("x")
    closed.chmod(0o700)
    os.chown(closed, 4321, 4321)
    for path in ("data", "data/closed", "data/closed/p.csv"):
        said = default.compose("run", "--rm", "process", "check", "--input", path, code=3)
        assert "cannot be read: permission denied. `python3 docker/doctor.py` finds files of other owners." in said


PEAK = """
import resource, subprocess, sys
subprocess.run([sys.executable, "-m", *sys.argv[1:]], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)
"""


def test_a_large_input_takes_memory_of_six_times_its_size(default) -> None:
    """Above what the libraries themselves take; no warning of one is shown."""
    header, _, rows = (default.path / "src" / default.package / "sample/penguins.csv").read_text().partition("\n")
    peaks, sizes = [], []
    for times in (1, 1000):
        large = default.path / "data/large.csv"
        large.write_text(f"{header}\n{rows * times}")
        command = ("run", "--rm", "--entrypoint", "python", "process", "-c", PEAK, default.package, "run")
        said = default.compose(*command, "--input", "data/large.csv")
        assert f"{344 * times} rows from data/large.csv" in said
        assert "warning" not in said.lower()
        peaks.append(int(said.split()[-1]))
        sizes.append(large.stat().st_size)
    FIGURES.append(f"{sizes[1] / 1e6:.0f} MB of CSV take {(peaks[1] - peaks[0]) / 1e6:.0f} MB more than the sample")
    assert peaks[1] - peaks[0] < 6 * sizes[1]
    small = ("docker", "run", "--rm", "--memory=200m", f"--volume={default.path / 'data'}:/app/data:ro")
    said = default.run(*small, f"{default.name}-process", "run", "--input", "data/large.csv", code=11)
    assert "Error: The memory is used up. Use less data, or give it more: MEMORY in .env." in said
