"""The tracking server has the runs of the pipeline, also after a restart, and an image of its own without Jupyter."""

import json

import browser
from checks import pins
from stack import INSIDE, Stack


def before(stack: Stack) -> tuple[str, float]:
    """Look into its image, run the pipeline, and return the name of its run and the accuracy."""
    said = stack.compose("exec", "mlflow", "python", "-c", (INSIDE / "environment.py").read_text())
    found = pins("\n".join(f"{name}=={version}" for name, version in json.loads(said)["installed"].items()))
    assert found.items() < pins((stack.path / "requirements/lab.txt").read_text()).items()
    assert not [name for name in found if "jupyter" in name]
    said = stack.compose("run", "--rm", "process")
    name = said.partition("6/6 tracking  run ")[2].split()[0]
    return name, json.loads((stack.path / "reports/metrics.json").read_text())["accuracy"]


def after(stack: Stack, kept: tuple[str, float]) -> str:
    """Find the run on the server, in a notebook and in a browser."""
    name, accuracy = kept
    experiments = json.loads(stack.ask("MLFLOW", "/api/2.0/mlflow/experiments/search?max_results=9")[1])["experiments"]
    number = next(each["experiment_id"] for each in experiments if each["name"] == stack.package)
    found = json.loads(stack.ask("MLFLOW", "/api/2.0/mlflow/runs/search", {"experiment_ids": [number]})[1])["runs"]
    run = next(each for each in found if each["info"]["run_name"] == name)
    assert {each["key"]: each["value"] for each in run["data"]["metrics"]}["accuracy"] == accuracy
    listed = stack.ask("MLFLOW", f"/api/2.0/mlflow/artifacts/list?run_id={run['info']['run_id']}")[1]
    assert {"report.html", "model.joblib"} <= {file["path"] for file in json.loads(listed)["files"]}
    assert stack.ask("MLFLOW", "/api/2.0/mlflow/experiments/search?max_results=9", host="evil.example")[0] == 403
    search = f"mlflow.search_runs(experiment_names=['{stack.package}'])['tags.mlflow.runName'].tolist()"
    assert name in stack.in_kernel(f"import mlflow; print({search})")
    with browser.page(f"http://127.0.0.1:{stack.settings['MLFLOW_PORT']}/", stack.package):
        pass
    return "a run found after a restart"
