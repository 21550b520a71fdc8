"""Tables larger than the memory, by the commands of docs/scale.md."""

import json
import re

import pytest
import shown
from stack import Stack, project

pytestmark = pytest.mark.usefixtures("engine")

FEWER = {"range(20)": "range(6)"}  # 3 million rows: read as a whole, they took 730 MB


@pytest.fixture(scope="module")
def made(bake, tmp_path_factory):
    """Return a project with the page's table; its model has few trees, as these take most of the time."""
    stack = project(bake, tmp_path_factory.mktemp("scale"))
    model = stack.path / "src" / stack.package / "model.py"
    model.write_text(re.sub(r'"n_estimators": \d+', '"n_estimators": 5', model.read_text()))
    shown.run(stack.shell, page(stack), "docker compose run --rm --entrypoint python test", FEWER)
    yield stack
    stack.remove()


def page(stack: Stack) -> str:
    """Return the text of the page."""
    return (stack.path / "docs/scale.md").read_text()


def results(stack: Stack) -> tuple[str, dict, str]:
    """Run on the page's table; return what the run says, its metrics, and what its test rows are."""
    said = shown.run(stack.shell, page(stack), "docker compose run --rm process run")
    code = "import polars as pl; rows = pl.scan_parquet('reports/tables/predictions.parquet'); "
    code += "print(rows.drop('predicted', 'probability').collect().hash_rows().sum())"
    tested = stack.compose("run", "--rm", "--entrypoint", "python", "process", "-c", code).split()[-1]
    return said, json.loads((stack.path / "reports/metrics.json").read_text()), tested


def test_memory_bounds_a_run_and_changes_nothing_before_the_training(made) -> None:
    made.set(MEMORY="4g")
    checked = shown.run(made.shell, page(made), "docker compose run --rm process check")
    assert "Good: 3000000 rows in 6 files." in checked
    _, all_of_them, expected = results(made)
    made.set(MEMORY="400m")
    said, some, tested = results(made)
    learned, trained = some["rows"]["learned"], some["rows"]["train"]
    assert f"Note: The model learns from {learned} of {trained} training rows" in said
    assert learned < trained / 2
    assert (tested, trained, some["baseline_accuracy"]) == (
        expected,
        all_of_them["rows"]["train"],
        all_of_them["baseline_accuracy"],
    )
    assert some["accuracy"] == pytest.approx(all_of_them["accuracy"], abs=0.01)


def test_a_broken_part_is_named_and_the_last_results_stay(made) -> None:
    made.set(MEMORY="400m")
    before = (made.path / "reports/report.html").read_bytes()
    with (made.path / "data/large/05.csv").open("a") as file:
        file.write("Dodo,Dream,40,18,190,4000,male,2008\n")
    said = made.compose("run", "--rm", "process", "run", "--input", "data/large", code=5)
    assert "Error: data/large/05.csv, row 500001, column species: 'Dodo' is not one of: Adelie, " in said
    assert (made.path / "reports/report.html").read_bytes() == before
