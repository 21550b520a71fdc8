"""Several workers, by the commands of docs/scale.md: results as of one process, and what comes of each fault."""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import shown
from stack import Stack, project, wait
from test_engine_scale import page

pytestmark = pytest.mark.usefixtures("engine")

FEWER = {"range(20)": "range(4)", "500_000": "100_000"}
AGAIN = ("run", "--rm", "--no-TTY", "process", "run", "--input", "data/large")
SCHEDULER_ENDED = "Error: The scheduler has ended during the run. Run again, once it is back."


@pytest.fixture(scope="module")
def made(bake, tmp_path_factory) -> Iterator[Stack]:
    """Return a project with two workers, the page's table and few trees, as these take most of the time."""
    stack = project(bake, tmp_path_factory.mktemp("cluster"), cluster="dask")
    model = stack.path / "src" / stack.package / "model.py"
    model.write_text(re.sub(r'"n_estimators": \d+', '"n_estimators": 40', model.read_text()))
    shown.run(stack.shell, page(stack), "docker compose run --rm --entrypoint python test", FEWER)
    stack.set(MEMORY="700m", CLUSTER_TIMEOUT=60, DASK_SCHEDULER_ADDRESS="tcp://scheduler:8786")
    try:
        yield stack
    finally:
        stack.remove()


@pytest.fixture
def two(made) -> Iterator[Stack]:
    """Return the project with two healthy workers, whatever a test before has done to them."""
    shown.run(made.shell, page(made), "docker compose up --wait --scale worker=2")
    yield made


def results(stack: Stack) -> tuple[dict, list[dict], str]:
    """Return the metrics of the last run, what it read, and a sum of its test rows."""
    code = "import polars as pl; rows = pl.scan_parquet('reports/tables/predictions.parquet'); "
    code += "print(rows.drop('predicted', 'probability').collect().hash_rows().sum())"
    tested = stack.compose("run", "--rm", "--entrypoint", "python", "process", "-c", code).split()[-1]
    metrics, run = (json.loads((stack.path / f"reports/{name}.json").read_text()) for name in ("metrics", "run"))
    return metrics, run["inputs"], tested


def files(stack: Stack) -> dict[str, str]:
    """Return the content of each result but the record of the run."""
    return {name: digest for name, digest in stack.results().items() if name != "reports/run.json"}


class Run:
    """A run of the pipeline that goes on while a test does something else."""

    def __init__(self, stack: Stack, log: Path, step: str = "2/5 prepare") -> None:
        """Start it, and wait until it has said that a step is done."""
        self.log = log
        with log.open("w") as output:
            command = ["docker", "compose", *AGAIN]
            self.process = subprocess.Popen(command, cwd=stack.path, stdout=output, stderr=output)
        wait(lambda: step in log.read_text(), every=0.02)

    def end(self, seconds: float = 180) -> tuple[int, str]:
        """Return its exit code and what it said."""
        return self.process.wait(seconds), self.log.read_text()


def kill_computing(stack: Stack, container: str) -> None:
    """Kill the process of a worker that computes, and leave the one that starts it again."""
    code = (
        "import os, pathlib; [os.kill(int(p.name), 9) for p in pathlib.Path('/proc').glob('[0-9]*')"
        " if int(p.name) != os.getpid() and b'spawn_main' in (p / 'cmdline').read_bytes()]"
    )
    stack.run("docker", "exec", container, "python", "-c", code)


def containers(stack: Stack) -> list[str]:
    """Return the containers of the workers."""
    return stack.compose("ps", "--quiet", "worker").split()


def test_workers_give_the_results_of_one_process(two) -> None:
    said = two.shell("docker compose run --rm --env DASK_SCHEDULER_ADDRESS= process run --input data/large")
    alone, read, tested = results(two)
    peaks = {each: peak(two, each) for each in containers(two)}
    said = shown.run(two.shell, page(two), "docker compose run --rm --env DASK_SCHEDULER_ADDRESS=tcp://scheduler:8786")
    assert "1/5 read      400000 rows from" in said
    together, read_by_them, tested_by_them = results(two)
    assert (read, tested, alone["rows"]) == (read_by_them, tested_by_them, together["rows"])
    assert alone["baseline_accuracy"] == together["baseline_accuracy"]
    assert together["accuracy"] == pytest.approx(alone["accuracy"], abs=0.01)
    for container, before in peaks.items():
        assert before < peak(two, container) < 700_000_000
    two.compose("up", "--wait", "--scale", "worker=1")
    two.compose(*AGAIN)
    one, _, tested_by_one = results(two)
    assert (one, tested_by_one) == (alone, tested)  # trees, too


def peak(stack: Stack, container: str) -> int:
    """Return how many bytes a container has had in memory at most."""
    files = "cat /sys/fs/cgroup/memory.peak /sys/fs/cgroup/memory/memory.max_usage_in_bytes 2>/dev/null"
    return int(stack.run("docker", "exec", container, "sh", "-c", f"{files} || true").split()[0])


def test_an_edit_reaches_the_workers_and_other_packages_are_refused(two) -> None:
    schema = two.path / "src" / two.package / "schema.py"
    original = schema.read_text()
    schema.write_text(original.replace('"Gentoo"', '"Emperor"'))
    try:
        said = two.compose(*AGAIN, code=5)
        assert re.search(r"Error: data/large/00\.csv, row \d+, column species: 'Gentoo' is not one of: .*Emperor", said)
    finally:
        schema.write_text(original)
    other = two.path / "other.Dockerfile"
    other.write_text(
        f"FROM {two.name}-worker\nUSER root\n"
        "RUN sed -i 's/^Version: .*/Version: 0.0.1/' /opt/venv/lib/*/site-packages/polars-*/METADATA\nUSER 1000\n"
    )
    mixed = two.path / "compose.mixed.yaml"
    mixed.write_text("services: {worker: {build: {dockerfile: other.Dockerfile, target: !reset null}}}\n")
    two.compose("--file", "compose.yaml", "--file", mixed.name, "up", "--wait", "--build", "worker")
    before = files(two)
    said = two.compose(*AGAIN, code=12)
    assert re.search(r"Error: This process and tcp://\S+ differ in: polars\. Build and start both anew: ", said)
    assert files(two) == before


def test_a_notebook_has_the_workers_run_its_edited_code(two) -> None:
    readme = (two.path / "README.md").read_text()
    code = next(block for block in re.findall(r"```python\n(.*?)```", readme, re.DOTALL) if "cluster.Cluster" in block)
    added = two.path / "src" / two.package / "mine.py"
    try:
        added.write_text("def answer(part):\n    return 1\n")
        move = "import os; os.chdir('..')"
        ask = f"from {two.package} import mine; print(sum(workers.each(mine.answer, table.parts)), len(table.parts))"
        said = two.in_kernel(move, code, ask)
        assert len({*said.split()[-2:]}) == 1, said
        added.write_text("def answer(part):\n    return 2\n")
        said = two.in_kernel(move, code, ask)
        total, parts = map(int, said.split()[-2:])
        assert total == 2 * parts
    finally:
        added.unlink()


def test_a_killed_worker_changes_no_result(two, tmp_path) -> None:
    two.compose(*AGAIN)
    expected, (rows, *_) = files(two), results(two)
    for step in ("1/5 read", "2/5 prepare"):
        going = Run(two, tmp_path / "log", step)
        kill_computing(two, containers(two)[0])
        code, said = going.end()
        assert code == 0, said
    metrics, *_ = results(two)
    assert files(two).keys() == expected.keys()
    assert metrics["rows"] == rows["rows"]
    going = Run(two, tmp_path / "log")
    two.run("docker", "kill", containers(two)[1])  # with the process that would start it again
    code, said = going.end()
    assert code == 0, said
    assert results(two)[0]["accuracy"] == pytest.approx(metrics["accuracy"], abs=0.01)


def test_a_worker_that_joins_late_gets_work(two, tmp_path) -> None:
    two.compose("up", "--wait", "--scale", "worker=1")
    script = (
        "import os, sys, time, importlib; cluster = importlib.import_module(sys.argv[1] + '.cluster')\n"
        "workers = cluster.Cluster(os.environ['DASK_SCHEDULER_ADDRESS'])\n"
        "def where(part):\n    import socket, time; time.sleep(0.5); return socket.gethostname()\n"
        "print(len(set(workers.each(where, range(60)))), 'workers')\n"
    )
    command = ["docker", "compose", "run", "--rm", "--no-TTY", "--entrypoint", "python", "process", "-c", script]
    going = subprocess.Popen([*command, two.package], cwd=two.path, stdout=subprocess.PIPE, text=True)
    time.sleep(5)
    two.compose("up", "--wait", "--scale", "worker=2")
    assert going.communicate(timeout=120)[0].split("\n")[-2] == "2 workers"


def test_a_network_cut_for_20_seconds_delays_a_run(two, tmp_path) -> None:
    two.compose(*AGAIN)
    expected, network, container = results(two), f"{two.name}_worker-scheduler", containers(two)[0]
    going = Run(two, tmp_path / "log", "1/5 read")
    two.run("docker", "network", "disconnect", network, container)
    time.sleep(20)
    two.run("docker", "network", "connect", network, container)
    code, said = going.end(240)
    assert code == 0, said
    metrics, read, tested = results(two)
    assert (read, tested, metrics["rows"]) == (*expected[1:], expected[0]["rows"])


def test_without_its_scheduler_a_run_ends_with_a_sentence_and_keeps_the_last_results(two, tmp_path) -> None:
    two.compose(*AGAIN)
    before = two.results()
    going = Run(two, tmp_path / "log")
    two.compose("kill", "scheduler")
    code, said = going.end()
    assert code == 12, said
    assert SCHEDULER_ENDED in said
    assert "Traceback" not in said
    assert two.results() == before
    two.compose("stop", "worker")
    said = two.compose(*AGAIN, code=12)
    assert "Error: DASK_SCHEDULER_ADDRESS is tcp://scheduler:8786, where none answers. Start it with " in said
    assert two.results() == before


def test_a_restarted_scheduler_leaves_the_last_results_or_right_ones(two, tmp_path) -> None:
    two.compose(*AGAIN)
    before, expected = two.results(), results(two)
    going = Run(two, tmp_path / "log")
    two.compose("restart", "scheduler")
    code, said = going.end()
    assert "Traceback" not in said
    if code:
        assert (code, two.results()) == (12, before), said
        assert SCHEDULER_ENDED in said
    else:  # it was back, with its workers, before this was seen: they have trained again
        metrics, read, tested = results(two)
        assert (read, tested, metrics["rows"]) == (*expected[1:], expected[0]["rows"])
        assert metrics["accuracy"] == pytest.approx(expected[0]["accuracy"], abs=0.01)


def test_a_worker_without_memory_is_named_and_no_run_waits_longer_than_a_setting(two) -> None:
    script = (
        "import os, sys, time, importlib; cluster = importlib.import_module(sys.argv[1] + '.cluster')\n"
        "def hog(part):\n    return len(bytearray(os.urandom(1) * 1_500_000_000))\n"
        "def hang(part):\n    import time; time.sleep(6)\n"
        "for function, seconds in ((hang, 2), (hog, 60)):\n"
        "    try:\n        list(cluster.Cluster(os.environ['DASK_SCHEDULER_ADDRESS'], seconds).each(function, [1]))\n"
        "    except cluster.ClusterError as error:\n        print(error)\n"
    )
    said = two.compose("run", "--rm", "--no-TTY", "--entrypoint", "python", "process", "-c", script, two.package)
    assert "Workers were lost, again and again, at the same part. They probably ran out of memory: raise MEMORY" in said
    assert "No worker had a result for 2 s (CLUSTER_TIMEOUT). Run again." in said
    two.compose("restart", "worker")
    two.compose("up", "--wait")
    two.compose(*AGAIN)
