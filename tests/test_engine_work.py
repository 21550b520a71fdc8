"""Everyday work on a project: notebook, report, errors, and the way from a notebook to production."""

import json
import os
import re
from pathlib import Path

import browser
import pytest
from proofs.api import PENGUIN
from stack import project

pytestmark = pytest.mark.usefixtures("engine")


def test_a_notebook_sees_an_edit_of_the_package(default) -> None:
    default.compose("up", "--wait")
    start = f"%load_ext autoreload\n%autoreload 2\nfrom pathlib import Path\nfrom {default.package} import model"
    edit = "file = Path(model.__file__); file.write_text(file.read_text() + 'ADDED = 6 * 7\\n')"
    assert default.in_kernel(start, edit, "print(model.ADDED)") == "42\n"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 800), (390, 844)], ids=["laptop", "phone"])
def test_the_report_looks_right(default, chromium, size, scheme) -> None:
    default.compose("run", "--rm", "process")
    texts = ("Which penguin is it?", "accuracy on unseen rows", "What the model relies on")
    width, height = size
    report = (default.path / "reports/report.html").as_uri()
    with browser.page(report, *texts, width=width, height=height, scheme=scheme) as page:
        assert browser.fits(page)
        assert browser.errors(page) == []
        paper = browser.brightness(page, "background-color")
        text = browser.brightness(page, "color")
        assert (paper > 0.9 and text < 0.2) if scheme == "light" else (paper < 0.2 and text > 0.8)


def test_a_failed_run_says_why_and_leaves_the_last_results(default) -> None:
    default.compose("run", "--rm", "process")
    before = default.results()
    bad = default.path / "data/bad.csv"
    bad.write_text("species,island\nAdelie,Dream\n")
    said = default.compose("run", "--rm", "process", "run", "--input", "data", code=4)
    assert "Error: data/bad.csv lacks " in said
    bad.unlink()
    said = default.compose("run", "--rm", "process", "check", "--input", "data/none.csv", code=3)
    assert "Error: data/none.csv does not exist. " in said
    image = f"{default.name}-process"
    full = default.run("docker", "run", "--rm", "--tmpfs", "/app/reports:size=40k,uid=1000", image, code=7)
    assert "Error: Cannot write reports/" in full
    assert ": no space left on device. Free some space" in full
    locked = default.run("docker", "run", "--rm", "--tmpfs", "/app/reports:ro", image, code=7)
    assert "Error: Cannot write reports: " in locked
    assert default.results() == before
    elsewhere = default.path / "data/elsewhere"  # without the reports, no link to the model would lead anywhere
    elsewhere.mkdir()
    here = (f"--user={os.getuid()}:{os.getgid()}", f"--volume={elsewhere}:/app/models", "--tmpfs=/app/reports")
    default.run("docker", "run", "--rm", *here, image)
    assert (elsewhere / "model.joblib").stat().st_size > 100_000
    assert not (elsewhere / "model.joblib").is_symlink()


def test_down_leaves_files_only_and_settings_survive_it(default) -> None:
    default.compose("up", "--wait")
    default.compose("exec", "lab", "touch", "/home/lab/kept")
    default.compose("down")
    default.compose("up", "--wait")
    default.compose("exec", "lab", "test", "-e", "/home/lab/kept")
    default.compose("down", "--volumes")
    of_project = f"label=com.docker.compose.project={default.name}"
    for kind in (["ps", "--all"], ["volume", "ls"], ["network", "ls"]):
        assert default.run("docker", *kind, "--quiet", "--filter", of_project) == ""


def apply_diffs(project: Path, document: str) -> None:
    """Edit the files of a project as the `diff` blocks of a document say; each follows the name of its file."""
    file = None
    for named, block in re.findall(r"^In `([^`]+)`:$|^```diff\n(.*?)^```$", document, re.MULTILINE | re.DOTALL):
        file = project / named if named else file
        if block:
            lines = block.splitlines(keepends=True)
            old, new = ("".join(line[1:] for line in lines if line[0] in kept) for kept in (" -", " +"))
            assert file.read_text().count(old) == 1, f"{file}: {old}"
            file.write_text(file.read_text().replace(old, new))


def test_the_way_from_a_notebook_to_production_works(bake, tmp_path) -> None:
    made = project(bake, tmp_path, deploy="api")
    document = (made.path / "docs/from-notebook-to-production.md").read_text()
    try:
        made.compose("up", "--wait")
        made.compose("run", "--rm", "process")
        (cell,) = re.findall(r"^```python\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)
        first, last = cell.splitlines()
        printed = made.in_kernel(
            f"import polars as pl; from {made.package} import data; rows, _ = data.read()\n{first}\n"
            f"for row in ({last}).iter_rows(): print('|', *row, sep=' ')"
        )
        table = re.findall(r"^\| (\w+) \| ([\d.]+) \|$", document, re.MULTILINE)
        assert [tuple(line.split()[1:]) for line in printed.splitlines()] == table
        assert made.ask("API", "/predict", [PENGUIN])[0] == 200

        apply_diffs(made.path, document)
        test_and_process, up = re.findall(r"^```sh\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)
        made.shell(test_and_process)
        metrics = json.loads((made.path / "reports/metrics.json").read_text())
        assert "bill_ratio" in metrics["importance"]
        status, text = made.ask("API", "/predict", [PENGUIN])
        assert (status, "a different version of the code" in text) == (503, True)
        made.shell(up)
        assert made.ask("API", "/predict", [PENGUIN])[0] == 200
    finally:
        made.remove()
