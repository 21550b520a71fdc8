"""The pipeline as a whole, called as a user calls it, and every notebook."""

import json
import os
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from unittest.mock import Mock

import joblib
import nbformat
import polars as pl
import pytest
from nbclient import NotebookClient

from {{ cookiecutter.package_name }} import data, model, outputs, remote
from {{ cookiecutter.package_name }}.errors import OutputError
from {{ cookiecutter.package_name }}.schema import DERIVED, FEATURES, TARGET

ROOT = Path(__file__).parents[1]
NOTEBOOKS = [path for path in sorted(ROOT.glob("notebooks/**/*.ipynb")) if ".ipynb_checkpoints" not in path.parts]
STEPS = {{ (["read", "prepare", "train", "evaluate", "report"] + (cookiecutter | brought("step"))) | tojson }}
RESULTS = {"models/model.joblib", "reports/metrics.json", "reports/report.html", "reports/run.json"}
RESULTS.add("reports/tables/predictions.parquet")
FIGURES = "reports/figures/"


def snapshot(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file below `folder` that is not hidden."""
    files = {file.relative_to(folder).as_posix(): file for file in folder.rglob("*") if file.is_file()}
    return {name: sha256(file.read_bytes()).hexdigest() for name, file in files.items() if "/." not in name}


def test_two_runs_write_the_same_results_and_check_writes_none(run, tmp_path: Path) -> None:
    done = run("check")
    assert (done.code, done.out, snapshot(tmp_path)) == (0, f"Good: {data.read()[0].height} rows in 1 file.\n", {})
    done = run("run")
    assert done.code == 0, done.err
    before = snapshot(tmp_path)
    figures = {name for name in before if name.startswith(FIGURES)}
    assert len(figures) > 2
    assert set(before) - figures == RESULTS
    assert (run("run").code, snapshot(tmp_path)) == (0, before)


def test_a_run_leaves_a_good_model_a_page_and_a_record_and_logs_its_steps_as_plain_lines(run, tmp_path: Path) -> None:
    done = run("run", "--seed", 7, "--input", data.SAMPLE)
    labels = [[f"{number}/{len(STEPS)}", step] for number, step in enumerate(STEPS, 1)]
    assert [line.split()[:2] for line in done.err.splitlines()] == labels
    assert "\x1b" not in done.err
    assert done.out.startswith("Done. Open ")
    metrics = json.loads((tmp_path / "reports/metrics.json").read_text())
    if model.CLASSES:
        assert metrics["accuracy"] > metrics["baseline_accuracy"]
    else:
        assert metrics["mean_absolute_error"] < metrics["baseline_mean_absolute_error"]
    rows = data.read()[0]
    assert sum(metrics["rows"].values()) == rows.height
    assert set(metrics["importance"]) == {*FEATURES, *DERIVED}
    answers = model.predict(joblib.load(tmp_path / "models/model.joblib"), rows)
    assert (answers.columns, answers.height) == (model.ANSWER, rows.height)
    assert not any(column.null_count() or (column.dtype.is_float() and column.is_nan().any()) for column in answers)
    page = (tmp_path / "reports/report.html").read_text(encoding="utf-8")
    assert 'src="http' not in page
    assert "<link" not in page
    record = json.loads((tmp_path / "reports/run.json").read_text())
    assert record["inputs"][0]["sha256"] == sha256(data.SAMPLE.read_bytes()).hexdigest()
    assert record["settings"]["seed"] == 7
    assert {"python", "polars", "xgboost"} <= set(record["versions"])


def test_settings_come_from_the_command_line_then_the_environment_then_dotenv(run, tmp_path, monkeypatch) -> None:
    def seed(*arguments: object) -> int:
        assert run("run", *arguments).code == 0
        return json.loads((tmp_path / "reports/run.json").read_text())["settings"]["seed"]

    (tmp_path / ".env").write_bytes(b"# caf\xe9\nexport PIPELINE_SEED=${NONE:-1} # mine\nPIPELINE_INPUT=\n")
    assert seed() == 1
    monkeypatch.setenv("PIPELINE_SEED", "2")
    assert (seed(), seed("--seed", 3)) == (2, 3)
    monkeypatch.setenv("PIPELINE_SEED", "abc")
    done = run("run")
    assert (done.code, done.err) == (2, "Error: PIPELINE_SEED is 'abc', which is not a whole number.\n")
    (tmp_path / ".env").write_text("A='1")
    done = run("run")
    assert (done.code, "line 1 is not NAME=value or lacks a closing quote" in done.err) == (2, True)


def test_a_failure_is_one_sentence_with_a_code_of_its_kind_and_changes_nothing(run, tmp_path, sample, wrong) -> None:
    run("run")
    (tmp_path / "in-the-way").touch()
    before = snapshot(tmp_path)
    column, value, _ = wrong[0]
    for frame, code in (
        (sample.drop(TARGET), 4),
        (sample.with_columns(pl.lit(value).alias(column)), 5),
        (sample.clear(), 6),
        (sample.filter(pl.col(TARGET) == sample[TARGET][0]), 6),
        (sample[: model.LEAST - 1], 6),
    ):
        path = tmp_path / "wrong.csv"
        frame.write_csv(path, null_value="NA")
        done = run("run", "--input", path)
        path.unlink()
        assert done.code == code, done.err
        assert "Traceback" not in done.err
        assert done.err.splitlines()[-1].startswith("Error: ")
        assert snapshot(tmp_path) == before
    assert run("run", "--input", "nowhere.csv").code == 3
    assert run("run", "--seed", -1).code == 2
    done = run("run", "--reports", "in-the-way")
    assert (done.code, done.err[:33]) == (7, "Error: Cannot write in-the-way: f")  # before the first step
    assert snapshot(tmp_path) == before


def test_an_image_with_other_packages_than_the_locks_is_refused(run, tmp_path, monkeypatch) -> None:
    (tmp_path / "requirements").mkdir()
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "environment"))
    for folder, lock in (("environment", "polars==1\n"), ("requirements", "polars==2\n")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "process.txt").write_text(lock)
    done = run("check")
    assert (done.code, done.err.partition(". ")[2]) == (2, "Rebuild it: docker compose --profile tools build\n")
    (tmp_path / "requirements/process.txt").write_text("polars==1\n")
    assert run("check").code == 0


def test_a_disk_that_fills_up_leaves_the_last_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    outputs.write({first: b"old", second: b"old"})
    monkeypatch.setattr(outputs.os, "fsync", Mock(side_effect=[None, OSError(28, "No space left on device")]))
    with pytest.raises(OutputError, match="no space left on device"):
        outputs.write({first: b"new", second: b"new"})
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"first": b"old", "second": b"old"}


@pytest.mark.parametrize("write", [lambda folder: data.put(data.read()[0], folder, 2), data.joined])
def test_a_disk_that_has_no_room_for_a_part_is_said(write, tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with pytest.raises(OutputError, match="file too large"), outputs.draft(tmp_path) as folder:
        data.put(data.read()[0], folder, 1)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
        try:
            write(folder)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [*tmp_path.glob(".runs/*")] == []


def test_a_second_run_at_the_same_time_is_refused(run, tmp_path: Path) -> None:
    with outputs.alone(tmp_path / "reports"):
        done = run("run")
    assert (done.code, done.err.partition(".")[0]) == (7, "Error: Another run writes its results into reports")


def test_it_runs_as_a_module_and_loads_large_packages_only_when_needed(tmp_path: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", data.__package__, "check", "--input", "nowhere.csv"]
    environment = os.environ | {"PYTHONPATH": str(Path(data.__file__).parents[1])}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert "\nError: nowhere.csv does not exist. " in done.stderr
    assert not {"sklearn", "matplotlib"} & {line.split("|")[-1].strip() for line in done.stderr.splitlines()}


LOGGING = """
import logging, warnings
from {{ cookiecutter.package_name }} import logs
logs.configure()
logging.getLogger("mine").info("two\\nlines", extra={"color_message": "red"})
warnings.warn("old")
raise ValueError("broken")
"""


def test_logs_are_text_or_one_json_object_on_each_line() -> None:
    def log(kind: str) -> str:
        command = [sys.executable, "-c", LOGGING]
        return subprocess.run(command, env=os.environ | {"LOG_FORMAT": kind}, capture_output=True, text=True).stderr

    for kind in ("", "text"):
        assert log(kind).startswith("INFO:     two\nlines\n")
    first, warning, error = map(json.loads, log("json").splitlines())
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", first.pop("time"))
    assert first == {"level": "INFO", "logger": "mine", "message": "two\nlines"}
    assert (warning["level"], "old" in warning["message"]) == ("WARNING", True)
    assert error["level"] == "CRITICAL"
    assert "ValueError: broken" in error["traceback"]
    assert "LOG_FORMAT is 'xml', which is not one of: text, json." in log("xml")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_top_to_bottom(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if remote.is_remote(os.environ.get("PIPELINE_INPUT", "")):  # tests have no keys for it
        monkeypatch.delenv("PIPELINE_INPUT")
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(path.parent)}}).execute()
    assert any(cell.get("outputs") for cell in notebook.cells)
