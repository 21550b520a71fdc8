"""The pipeline as a whole, called as a user calls it."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import joblib
import polars as pl
import pytest

from {{ cookiecutter.package_name }} import data, model, outputs
from {{ cookiecutter.package_name }}.errors import OutputError

RESULTS = {
    "models/model.joblib",
    "reports/figures/confusion.png",
    "reports/figures/importance.png",
    "reports/figures/measurements.png",
    "reports/metrics.json",
    "reports/report.html",
    "reports/run.json",
#% if cookiecutter.database == 'duckdb'
    "reports/tables/predictions.parquet",
#% endif
}


def snapshot(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file below `folder`."""
    files = (file for file in folder.rglob("*") if file.is_file())
    return {file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_two_runs_write_the_same_results(run, tmp_path: Path) -> None:
    first = run("run")
    assert first.code == 0, first.err
    before = snapshot(tmp_path)
    assert set(before) == RESULTS
    assert run("run").code == 0
    assert snapshot(tmp_path) == before


def test_the_model_beats_the_baseline_and_can_be_loaded_again(run, tmp_path: Path) -> None:
    run("run")
    metrics = json.loads((tmp_path / "reports/metrics.json").read_text())
    assert metrics["accuracy"] > metrics["baseline_accuracy"] + 0.3
    fitted = joblib.load(tmp_path / "models/model.joblib")
    rows = data.read()[0]
    features, species = model.prepare(rows)
    assert features.shape == (344, 6)
    assert sum(guess == truth for guess, truth in zip(fitted.predict(features), species, strict=True)) > 330


def test_a_run_records_its_input_its_seed_and_its_versions(run, tmp_path: Path) -> None:
    run("run", "--seed", 7, "--input", data.SAMPLE)
    record = json.loads((tmp_path / "reports/run.json").read_text())
    assert record["inputs"][0]["sha256"] == hashlib.sha256(data.SAMPLE.read_bytes()).hexdigest()
    assert record["settings"]["seed"] == 7
    assert {"python", "polars", "scikit-learn"} <= set(record["versions"])


def test_the_page_needs_nothing_beside_it(run, tmp_path: Path) -> None:
    run("run")
    page = (tmp_path / "reports/report.html").read_text()
    assert page.count("data:image/png;base64,") == 3
    assert 'src="http' not in page
    assert "<link" not in page


def test_settings_come_from_the_command_line_then_the_environment_then_dotenv(run, tmp_path, monkeypatch) -> None:
    def seed() -> int:
        return json.loads((tmp_path / "reports/run.json").read_text())["settings"]["seed"]

    (tmp_path / ".env").write_text("PIPELINE_SEED=1\nPIPELINE_INPUT=\n")
    run("run")
    assert seed() == 1
    monkeypatch.setenv("PIPELINE_SEED", "2")
    run("run")
    assert seed() == 2
    run("run", "--seed", 3)
    assert seed() == 3


def test_progress_in_a_log_is_plain_lines(run) -> None:
    done = run("run")
    assert [line.split()[:2] for line in done.err.splitlines()] == [
#% if cookiecutter.tracking == 'mlflow'
        ["1/6", "read"], ["2/6", "prepare"], ["3/6", "train"], ["4/6", "evaluate"], ["5/6", "report"], ["6/6", "log"]
#% else
        ["1/5", "read"], ["2/5", "prepare"], ["3/5", "train"], ["4/5", "evaluate"], ["5/5", "report"]
#% endif
    ]  # fmt: skip
    assert "\x1b" not in done.err
    assert done.out.startswith("Done. Open ")


def failing_inputs(sample: pl.DataFrame) -> dict[str, tuple[pl.DataFrame, int]]:
    """Return spoilt inputs with the exit code of each."""
    return {
        "column.csv": (sample.drop("year"), 4),
        "range.csv": (sample.with_columns(year=pl.lit("1066")), 5),
        "empty.csv": (sample.clear(), 6),
        "one-species.csv": (sample.filter(species="Gentoo"), 6),
        "too-few.csv": (sample.unique("species"), 6),
    }


def test_a_failure_is_one_sentence_with_a_code_of_its_kind_and_changes_nothing(run, tmp_path, sample) -> None:
    run("run")
    before = snapshot(tmp_path)
    for name, (frame, code) in failing_inputs(sample).items():
        path = tmp_path / name
        frame.write_csv(path, null_value="NA")
        done = run("run", "--input", path)
        path.unlink()
        assert done.code == code, name
        assert "Traceback" not in done.err, name
        assert done.err.splitlines()[-1].startswith("Error: "), name
        assert snapshot(tmp_path) == before, name
    assert run("run", "--input", "nowhere.csv").code == 3
    assert run("run", "--seed", -1).code == 2
    assert snapshot(tmp_path) == before


def test_an_output_folder_that_cannot_be_written_is_found_before_any_work(run, tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("a file where the folder should be")
    done = run("run")
    assert done.code == 7
    assert done.err.startswith("Error: Cannot write reports: ")
    assert not list((tmp_path / "models").iterdir())


def test_a_disk_that_fills_up_leaves_the_last_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    outputs.write({first: b"old", second: b"old"})
    synced = []

    def full_at_the_second_file(descriptor: int) -> None:
        synced.append(descriptor)
        if len(synced) == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(outputs.os, "fsync", full_at_the_second_file)
    with pytest.raises(OutputError, match="no space left on device"):
        outputs.write({first: b"new", second: b"new"})
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {"first": b"old", "second": b"old"}


def test_it_runs_as_a_module(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "{{ cookiecutter.package_name }}", "check", "--input", "nowhere.csv"]
    environment = os.environ | {"PYTHONPATH": str(Path(data.__file__).parents[1])}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("Error: There is no file nowhere.csv, seen from ")


def test_check_reads_and_writes_nothing(run, tmp_path: Path) -> None:
    done = run("check")
    assert (done.code, done.out) == (0, "Good: 344 rows in 1 file.\n")
    assert not snapshot(tmp_path)
