"""What each service of a generated project must prove on the engine, and how.

A proof does what it can, yields while all services are stopped and started again, and goes on; its last word says what
it proved.
"""

import json
import time
from collections.abc import Generator

import browser
from stack import Stack, code_cells

Proof = Generator[None, None, str]

PENGUIN = {"island": "Biscoe", "bill_length_mm": 50, "bill_depth_mm": 15, "flipper_length_mm": 220, "body_mass_g": 5000}


def lab(stack: Stack) -> Proof:
    """Lets nobody in without the token; has a notebook, a terminal and Git that work, and says what it uses."""
    token = stack.settings["JUPYTER_TOKEN"]
    assert stack.ask("JUPYTER", "/api/status")[0] == 403
    assert stack.ask("JUPYTER", "/api/status?token=wrong")[0] == 403
    assert stack.ask("JUPYTER", f"/api/status?token={token}")[0] == 200
    own = (stack.path / "docker/jupyter_server_config.py").exists()  # other images have a server of their own
    status, page = stack.ask("JUPYTER", f"/lab?token={token}")
    assert status == 200
    if stack.container("lab")["Config"]["User"] != "0:0":  # ml-workspace's own server has no such plugin
        assert '"@jupyterlab/apputils-extension:announcements"' in page  # among the disabled extensions
    assert "/opt/venv/bin/pytest" in stack.in_terminal("git --version; command -v pytest; echo $((6*7))", "\n42")

    notebook = stack.path / "notebooks/01-explore.ipynb"
    committed = notebook.read_bytes()
    cells = len(code_cells(notebook))
    address = f"http://127.0.0.1:{stack.settings['JUPYTER_PORT']}/lab/tree/notebooks/{notebook.name}"
    with browser.page(address) as page:
        browser.log_in(page, token)
        browser.run_notebook(page, cells)
        assert browser.figures(page) > 0
        if own:
            browser.wait_for(page, "CPU: ", f" / {stack.container('lab')['HostConfig']['Memory'] / 2**20:.2f} MB")
    end = time.monotonic() + 10
    while True:  # the browser saves in its own time
        saved = code_cells(notebook)
        done = [cell["execution_count"] for cell in saved] == list(range(1, cells + 1))
        if done and notebook.stat().st_uid == stack.path.stat().st_uid:
            break
        assert time.monotonic() < end, saved
        time.sleep(0.2)
    assert sum("image/png" in output.get("data", {}) for cell in saved for output in cell["outputs"]) == 2
    notebook.write_bytes(committed)
    yield
    return "opens with the token only; notebook run, seen and saved in Chromium; terminal with Git"


def api(stack: Stack) -> Proof:
    """Answers right and wrong requests, with and without a model."""
    (stack.path / "models/model.joblib").unlink(missing_ok=True)
    assert json.loads(stack.ask("API", "/health")[1]) == {"status": "ok", "model": False}
    status, text = stack.ask("API", "/predict", [PENGUIN])
    assert (status, json.loads(text)["detail"].partition(". ")[0]) == (503, "There is no model yet")
    stack.compose("run", "--rm", "process")
    status, text = stack.ask("API", "/predict", [PENGUIN])
    assert status == 200, text
    assert json.loads(text)[0]["species"] == "Gentoo"
    status, text = stack.ask("API", "/predict", [PENGUIN, PENGUIN | {"bill_length_mm": 4}])
    assert (status, json.loads(text)["detail"][0]["loc"]) == (422, ["body", 1, "bill_length_mm"])
    processes = stack.compose("top", "api")
    assert processes.count("--multiprocessing-fork") == int(stack.settings["API_WORKERS"]), processes
    with browser.page(f"http://127.0.0.1:{stack.settings['API_PORT']}/") as page:
        browser.wait_for(page, "Which penguin is it?", "/predict")
        assert browser.errors(page) == []
    yield
    assert json.loads(stack.ask("API", "/health")[1]) == {"status": "ok", "model": True}
    return "503 without a model, 200 right, 422 wrong"


def dashboard(stack: Stack) -> Proof:
    """Shows what there is, on a laptop and on a phone."""
    address = f"http://127.0.0.1:{stack.settings['DASHBOARD_PORT']}/"
    (stack.path / "reports/metrics.json").unlink(missing_ok=True)
    with browser.page(address) as page:
        browser.wait_for(page, "There are no results yet", "344 of 344 penguins")
    stack.compose("run", "--rm", "process")
    metrics = json.loads((stack.path / "reports/metrics.json").read_text())
    for width, height in ((1280, 800), (390, 844)):
        with browser.page(address, width, height) as page:
            accuracy = f"{100 * metrics['accuracy']:.1f} %"
            browser.wait_for(page, "Which penguin is it?", accuracy, "344 of 344 penguins", "What the model relies on")
            assert browser.fits(page)
            assert browser.errors(page) == []
    yield
    return "seen in Chromium at 1280 and 390"


def db(stack: Stack) -> Proof:
    """Keeps what the pipeline writes, and lets nobody in without the password."""

    def psql(query: str) -> str:
        return stack.compose("exec", "db", "psql", "--username=pipeline", "-qtA", "-c", query).strip()

    assert not any(stack.container("db")["NetworkSettings"]["Ports"].values())
    assert psql("SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid WHERE rolname = 'pipeline'") == "t"
    wrong = ("--env", "PIPELINE_DATABASE=postgresql://pipeline:wrong@db:5432/pipeline")
    refused = stack.compose("run", "--rm", *wrong, "process", "check", "--input", "SELECT 1", code=8)
    assert "password authentication failed" in refused
    stack.compose("run", "--rm", "process", "store", "--table", "penguins")
    assert psql("SELECT count(*) FROM pipeline.penguins") == "344"
    psql("INSERT INTO pipeline.penguins SELECT * FROM pipeline.penguins WHERE species = 'Gentoo'")
    said = stack.compose("run", "--rm", "process", "run", "--input", "SELECT * FROM penguins WHERE species <> 'Adelie'")
    assert "316 rows from SELECT" in said
    assert psql("SELECT count(*) FROM pipeline.predictions") == "79"
    yield
    assert psql("SELECT count(*) FROM pipeline.penguins") == "468"
    return "rows written, read, and there after down and up"


def mlflow(stack: Stack) -> Proof:
    """Has the runs of the pipeline, also after a restart."""
    said = stack.compose("run", "--rm", "process")
    name = said.partition("6/6 log       run ")[2].split()[0]
    metrics = json.loads((stack.path / "reports/metrics.json").read_text())
    yield
    experiments = json.loads(stack.ask("MLFLOW", "/api/2.0/mlflow/experiments/search?max_results=9")[1])["experiments"]
    package = next((stack.path / "src").iterdir()).name
    number = next(each["experiment_id"] for each in experiments if each["name"] == package)
    found = json.loads(stack.ask("MLFLOW", "/api/2.0/mlflow/runs/search", {"experiment_ids": [number]})[1])["runs"]
    run = next(each for each in found if each["info"]["run_name"] == name)
    assert {each["key"]: each["value"] for each in run["data"]["metrics"]}["accuracy"] == metrics["accuracy"]
    listed = stack.ask("MLFLOW", f"/api/2.0/mlflow/artifacts/list?run_id={run['info']['run_id']}")[1]
    assert {"report.html", "model.joblib"} <= {file["path"] for file in json.loads(listed)["files"]}
    assert stack.ask("MLFLOW", "/api/2.0/mlflow/experiments/search?max_results=9", host="evil.example")[0] == 403
    assert name in stack.in_kernel(
        f"import mlflow; print(mlflow.search_runs(experiment_names=['{package}'])['tags.mlflow.runName'].tolist())"
    )
    with browser.page(f"http://127.0.0.1:{stack.settings['MLFLOW_PORT']}/") as page:
        browser.wait_for(page, package)
    return "a run found after a restart"


SERVICES = {"lab": lab, "api": api, "dashboard": dashboard, "db": db, "mlflow": mlflow}

# Commands that a generated README.md shows and the test of all its commands leaves out -> the test that runs them
COMMANDS = {
    "docker compose run --rm --entrypoint nvidia-smi": "test_a_gpu_is_asked_for_only_where_env_says_so",
    "docker compose run --rm lock --upgrade": "test_a_dependency_is_added_and_taken_out_by_one_command",
    "git init": "test_a_fresh_clone_works_for_any_user_and_its_files_are_theirs",
    "pre-commit install": "test_a_fresh_clone_works_for_any_user_and_its_files_are_theirs",
    "PYTHONPATH=": "test_readmes_line_for_life_without_docker_gives_the_same_results",
    "python3 docker/doctor.py": "test_a_project_that_runs_has_nothing_wrong",
    "python3.": "test_readmes_line_for_life_without_docker_gives_the_same_results",
}
