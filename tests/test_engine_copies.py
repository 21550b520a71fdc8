"""Copies of a project on one machine are strangers to each other, and nothing changes that nobody changed."""

import functools
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import shown
from programs import commit_all
from stack import Stack, free_ports, project

pytestmark = pytest.mark.usefixtures("engine")

SETUP = "docker compose --env-file .env.example run --rm setup"


def identities(stack: Stack) -> set[str]:
    """Return the ids of the containers that run."""
    return set(stack.compose("ps", "--quiet").split())


def of_project(stack: Stack, *kind: str) -> list[str]:
    """Return the project's containers or volumes."""
    label = f"label=com.docker.compose.project={stack.name}"
    return stack.run("docker", *kind, "--filter", label, "--quiet").split()


def test_what_nobody_changed_stays_and_two_runs_end_well(bake, tmp_path) -> None:
    made = project(bake, tmp_path, deploy="api", tracking="mlflow")
    try:
        made.compose("up", "--wait")
        before = identities(made)
        assert len(before) == 3
        for again in (("run", "--rm", "process"), ("run", "--rm", "test", "--collect-only"), ("up", "--wait")):
            made.compose(*again)
            assert identities(made) == before, again
        command = ["docker", "compose", "run", "--rm", "process", "check"]
        runs = [subprocess.Popen(command, cwd=made.path, stderr=subprocess.PIPE, text=True) for _ in range(2)]
        assert [(run.communicate()[1].count("Conflict"), run.returncode) for run in runs] == [(0, 0)] * 2
        assert identities(made) == before
    finally:
        made.remove()


def clone(origin: Stack, folder: Path) -> Stack:
    """Clone a committed project into a folder of the same name, and write its .env as README.md says."""
    copy = Stack(folder / origin.path.name)
    origin.run("git", "clone", "--quiet", ".", copy.path)
    shown.run(copy.shell, shown.documents(copy.path), SETUP)
    return copy


def with_free_ports(made: Stack) -> Stack:
    """Give a project other ports, as tests that run at the same time can have taken those that setup found."""
    free_ports(made.path / ".env")
    return Stack(made.path)


def test_a_second_clone_leaves_the_first_one_alone(bake, tmp_path) -> None:
    first = project(bake, tmp_path / "first", database="postgres")
    commit_all(first.path)
    second = with_free_ports(clone(first, tmp_path / "second"))
    assert first.name == first.path.name
    assert second.name.startswith(f"{first.name}-")
    try:
        first.compose("up", "--wait")
        containers, volumes = identities(first), of_project(first, "volume", "ls")
        second.compose("up", "--wait")
        assert second.run("docker", "inspect", *identities(second)).count(str(first.path)) == 0
        second.compose("down", "--volumes")
        assert identities(first) == containers
        assert of_project(first, "volume", "ls") == volumes
        assert len(volumes) == 2
    finally:
        first.remove()
        second.remove()


@pytest.fixture(scope="module")
def first(bake, tmp_path_factory) -> Iterator[Stack]:
    """Return a project that runs; .env.example names a port that it has taken."""
    made = project(bake, tmp_path_factory.mktemp("first"))
    example = made.path / ".env.example"
    taken = f"JUPYTER_PORT={made.settings['JUPYTER_PORT']}"
    example.write_text(example.read_text().replace("JUPYTER_PORT=8888", taken))
    commit_all(made.path)
    try:
        made.compose("up", "--wait")
        yield made
    finally:
        made.remove()


def test_a_clone_beside_a_running_copy_gets_free_ports(first, tmp_path) -> None:
    second = clone(first, tmp_path / "second")
    try:
        assert second.settings["JUPYTER_PORT"] != first.settings["JUPYTER_PORT"]
        second.compose("up", "--wait")
    finally:
        second.remove()


def test_a_copy_in_a_folder_of_another_name_is_its_own(first, tmp_path) -> None:
    """Copied with its .env, and with other ports."""
    containers = identities(first)
    copy = with_free_ports(Stack(Path(shutil.copytree(first.path, tmp_path / "other"))))
    try:
        copy.compose("up", "--wait")
        assert identities(first) == containers
        copy.compose("down", "--volumes")
        assert identities(first) == containers
    finally:
        copy.remove()


def test_a_copy_of_the_same_name_is_found(first, tmp_path) -> None:
    copy = Stack(Path(shutil.copytree(first.path, tmp_path / "again" / first.path.name)))
    said = copy.run("python3", "docker/doctor.py", code=1)
    assert f"{first.path} has the same COMPOSE_PROJECT_NAME" in " ".join(said.split())
    (copy.path / ".env").unlink()
    shown.run(copy.shell, shown.documents(copy.path), SETUP)
    assert copy.name != first.name
    assert "No problems found." in first.run("python3", "docker/doctor.py")


def test_an_older_project_keeps_its_name_and_volumes(bake, tmp_path) -> None:
    """An .env from before there was the setting: Compose took the project's name."""
    made = project(bake, tmp_path)
    env = made.path / ".env"
    env.write_text("".join(line for line in env.read_text().splitlines(True) if "COMPOSE_PROJECT_NAME" not in line))
    made.run("python3", "docker/setup.py")
    assert made.settings["COMPOSE_PROJECT_NAME"] == made.path.name


def test_a_path_may_have_colons_and_blanks(bake, tmp_path) -> None:
    made = project(bake, tmp_path / "2024-01-01T10:00 a")
    (made.path / ".env").unlink()
    try:
        shown.run(made.shell, shown.documents(made.path), SETUP)
        made = with_free_ports(made)
        made.compose("up", "--wait")
        for service in (("process",), ("test", "--collect-only"), ("lock",)):
            made.compose("run", "--rm", *service)
        assert "No problems found." in made.compose("run", "--rm", "doctor")
        assert "No problems found." in made.run("python3", "docker/doctor.py")
    finally:
        made.remove()


OLDER = """services:
  db: {environment: {POSTGRES_USER: pipeline}, build: {dockerfile_inline: "FROM IMAGE AS db"}}
  mlflow:
    environment: {MLFLOW_BACKEND_STORE_URI: "postgresql://pipeline@db/pipeline", PGPASSWORD: "${POSTGRES_PASSWORD}"}
"""


def test_a_database_of_an_older_version_or_with_another_password_needs_one_command(bake, tmp_path) -> None:
    """The password has all that an address cannot have, and an older .env has it in there."""
    made = project(bake, tmp_path, database="postgres", tracking="mlflow")
    env, password, query = made.path / ".env", "@s3cret/?#: %41$$x", f"from {made.package} import database, errors"
    text = re.sub("(?m)^POSTGRES_PASSWORD=.*", f"POSTGRES_PASSWORD='old{password}'", env.read_text())
    env.write_text(text.replace("//pipeline@", "//pipeline:${POSTGRES_PASSWORD}@"))
    override = made.path / "compose.override.yaml"
    (image,) = re.findall("(?m)^FROM (.*postgres.*) AS db$", (made.path / "Dockerfile").read_text())
    override.write_text(OLDER.replace("IMAGE", image))
    all_said = ""

    def told(of_pipeline: str, of_doctor: str) -> None:
        """Bring the lab up, read what is wrong with the database, and run the commands that both name."""
        nonlocal all_said
        made.compose("up", "--wait", "lab", "db")  # not mlflow, which asks for minutes
        said = made.in_kernel(query, FAILING_QUERY)
        found = " ".join(made.run("python3", "docker/doctor.py", code=1).split())
        assert of_pipeline in said
        assert of_doctor in found
        (command,) = set(re.findall("`(docker compose exec [^`]*)`", said + found))
        for each in ("docker compose up --wait db", command):
            runs = functools.partial(shown.run, made.shell, shown.documents(made.path))
            made.shell(each) if "--username pipeline" in each else runs(each)  # README.md tells that one in words
        made.compose("up", "--wait")
        assert "344 rows" in made.compose("run", "--rm", "process", "check", "--input", "TABLE penguins")
        assert "No problems found." in made.run("python3", "docker/doctor.py")
        all_said += said + found

    try:
        made.compose("up", "--wait")
        made.compose("run", "--rm", "process", "store", "--table", "penguins")
        run = re.search(r"run (\S+) of experiment", made.compose("run", "--rm", "process"))[1]
        override.unlink()
        made.compose("build", "db")
        told("No query runs as a user who may do anything", "the pipeline is its superuser")
        assert run in made.in_kernel("import mlflow; print(mlflow.search_runs(search_all_experiments=True).to_dict())")
        env.write_text(env.read_text().replace("'old", "'new"))
        told(
            "The database has another password than POSTGRES_PASSWORD", "it has another password than POSTGRES_PASSWORD"
        )
        assert "s3cret" not in all_said + made.compose("logs")
        for service, code in (("mlflow", 9), ("db", 8)):
            made.compose("pause", service)
            start = time.monotonic()
            run_in_lab = ("exec", "lab", "/opt/venv/bin/python", "-m", made.package, "run")  # Compose refuses process
            assert f"`docker compose unpause {service}`" in made.compose(*run_in_lab, code=code)
            assert time.monotonic() - start < 40  # 10 are the wait
            made.compose("unpause", service)
        made.compose("stop", "db")
        made.compose("up", "--wait", "lab")
        assert "Start it with `docker compose up --wait db`" in made.in_kernel(query, FAILING_QUERY)
    finally:
        made.remove()


FAILING_QUERY = """try:
    database.query("SELECT 1")
except errors.DatabaseError as error:
    print(error)"""


def test_new_ids_leave_a_volume_that_two_commands_mend(bake, tmp_path) -> None:
    """As after a move to a rootless engine, or to a machine with another user."""
    made = project(bake, tmp_path, tracking="mlflow")
    env, old = made.path / ".env", made.settings["HOST_UID"]
    try:
        made.compose("up", "--wait")
        made.compose("exec", "lab", "sh", "-c", "mkdir -m 700 ~/kept && touch ~/kept/file")
        env.write_text(env.read_text().replace(f"HOST_UID={old}\nHOST_GID={old}", "HOST_UID=4321\nHOST_GID=4321"))
        made.run("chown", "--recursive", "4321:4321", ".")
        made.compose("up", "--wait", code=1)
        said = made.run("python3", "docker/doctor.py", code=1)
        command = "docker compose run --rm chown"
        assert f"`{command}`" in said
        made.compose("down")  # else `up` could meet the lab between two of its starts, and call it unhealthy
        shown.run(made.shell, shown.documents(made.path), command)
        made.compose("up", "--wait")
        assert made.compose("exec", "lab", "stat", "-c", "%u", "/home/lab/kept/file").strip() == "4321"
        assert "6/6 tracking" in made.compose("run", "--rm", "process")
        assert "No problems found." in made.run("python3", "docker/doctor.py")
    finally:
        made.remove()


def test_other_machines_reach_it_only_if_env_says_so(bake, tmp_path) -> None:
    made = project(bake, tmp_path, tracking="mlflow")
    env = made.path / ".env"
    try:
        for address, hosts, status in (("127.0.0.1", "", 403), ("0.0.0.0", "elsewhere.example:*", 200)):
            text = env.read_text().replace("BIND_ADDRESS=127.0.0.1", f"BIND_ADDRESS={address}")
            env.write_text(text.replace("ALLOWED_HOSTS=\n", f"ALLOWED_HOSTS={hosts}\n"))
            made.compose("up", "--wait")
            for service in ("lab", "mlflow"):
                (published,) = made.container(service)["HostConfig"]["PortBindings"].values()
                assert published[0]["HostIp"] == address
            assert (
                made.ask("MLFLOW", "/api/2.0/mlflow/experiments/search?max_results=9", host="elsewhere.example:1")[0]
                == status
            )
            assert made.ask("JUPYTER", "/api/status")[0] == 403
            assert made.ask("JUPYTER", "/api", host="elsewhere.example:1")[0] == status
    finally:
        made.remove()
