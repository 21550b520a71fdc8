"""Everyday work on a project: notebook, report, errors, the way from a notebook to production, and newer versions."""

import json
import os
import re

import browser
import pytest
import shown
from proofs.api import PENGUIN
from proofs.db import psql
from stack import project
from template import PYTHONS

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

        shown.apply_diffs(made.path, document)
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


def test_the_way_to_a_newer_python_works(bake, tmp_path) -> None:
    old, new, *_ = PYTHONS
    made = project(bake, tmp_path, python_version=old)
    document = (made.path / "docs/newer-versions.md").read_text()

    def last_run() -> tuple[str, str]:
        """Return the version of Python and the numbers."""
        versions = json.loads((made.path / "reports/run.json").read_text())["versions"]
        return versions["python"], (made.path / "reports/metrics.json").read_text()

    try:
        made.compose("run", "--rm", "process")
        python_before, numbers_before = last_run()
        assert python_before.startswith(f"{old}.")
        shown.apply_diffs(made.path, document)
        _, *commands = shown.commands(document)  # the first one upgrades packages
        said = "".join(shown.run(made.shell, document, command) for command in commands)
        assert re.search(r"=+ \d+ passed", said)
        python, numbers = last_run()
        assert python.startswith(f"{new}.")
        assert numbers == numbers_before
        assert made.compose("exec", "lab", "python", "--version").split()[-1] == python
    finally:
        made.remove()


def test_the_way_to_a_newer_postgresql_works(bake, tmp_path) -> None:
    """From a version to itself, as there is no newer image yet: its old files are moved aside all the same."""
    made = project(bake, tmp_path, database="postgres", tracking="mlflow")
    document = (made.path / "docs/newer-versions.md").read_text().partition("## PostgreSQL")[2]
    dockerfile = made.path / "Dockerfile"
    image = re.search(r"FROM (postgres:\S+)", dockerfile.read_text())[1]
    before_edit, after_edit = (block.splitlines() for block in re.findall(r"```sh\n(.*?)\n```", document, re.DOTALL))

    def content() -> list[str]:
        owners = "SELECT schemaname, tablename, tableowner FROM pg_tables WHERE schemaname !~ '^(pg|info)' ORDER BY 1,2"
        rows = "SELECT count(*) FROM pipeline.predictions, people.mine", "SELECT count(*) FROM public.runs"
        return [psql(made, owners, "postgres"), psql(made, rows[0], "people"), psql(made, rows[1], "mlflow")]

    try:
        made.compose("run", "--rm", "process")
        psql(made, "CREATE TABLE mine AS SELECT 1", "people")
        before = content()
        for command in before_edit:
            shown.run(made.shell, document, command)
        shown.apply_diffs(made.path, document)
        dockerfile.write_text(re.sub(r"FROM postgres:\S+", f"FROM {image}", dockerfile.read_text()))
        shown.run(made.shell, document, after_edit[0])
        assert psql(made, "SELECT count(*) FROM pg_tables WHERE schemaname = 'pipeline'", "postgres") == "0"
        for command in after_edit[1:]:
            shown.run(made.shell, document, command)
        assert content() == before
        made.compose("run", "--rm", "process")
        shown.run(made.shell, document, "docker compose exec db rm")  # which frees the space
        assert made.compose("exec", "db", "ls", f"/var/lib/postgresql/{image[9:11]}").split() == ["docker"]
    finally:
        made.remove()
