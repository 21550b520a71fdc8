"""Each trouble that the doctor of a generated project knows, provoked for real where a machine allows it, and named."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from stack import Stack, free_port, project
from template import CHOICES

pytestmark = pytest.mark.usefixtures("engine")

SETUP = "`docker compose --env-file .env.example run --rm setup`"


def doctor(made: Stack, *options: str, python: str = sys.executable, **environment: str) -> list[str]:
    """Return what the doctor finds on this machine, each finding with its remedy on one line."""
    done = subprocess.run(
        [python, "docker/doctor.py", *options],
        cwd=made.path,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    return findings(done.stdout, done.returncode)


def findings(said: str, code: int) -> list[str]:
    """Take a report apart; it fits a terminal, keeps commands whole, and ends as its exit code says."""
    assert not [
        line for line in said.splitlines() if len(line) > 80 and " " in line.strip()
    ]  # one word, such as a path
    assert not re.search(r"`[^`]*\n[^`]*`", re.sub("`[^`\n]+`", "", said))
    found = [line[4:] for line in re.sub(r"\n {4,}", " ", said).splitlines() if line.startswith("!! ")]
    assert all(" -> " in line for line in found), said
    count = {0: "Nothing is wrong.", 1: "1 thing is wrong."}.get(len(found), f"{len(found)} things are wrong.")
    assert f"\n\n{count}\n" in said
    assert code == bool(found)
    return found


def write(made: Stack, **settings: str) -> None:
    """Change settings in .env."""
    env = made.path / ".env"
    text = env.read_text()
    for name, value in settings.items():
        text, changed = re.subn(rf"(?m)^{name}=.*$", f"{name}={value}", text)
        assert changed == 1, name
    env.write_text(text)


def fake(made: Stack, case: str) -> dict[str, str]:
    """Put a docker command before the real one that answers one question, a line of a shell's `case`, otherwise."""
    program = made.path.parent / "bin/docker"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nreal={shutil.which("docker")}\ncase "$*" in {case} ;; esac\nexec "$real" "$@"\n')
    program.chmod(0o755)
    return {"PATH": f"{program.parent}:{os.environ['PATH']}"}


@pytest.fixture
def made(bake, tmp_path) -> Stack:
    """Return a project of which nothing is built or started."""
    return project(bake, tmp_path)


@pytest.fixture
def image(made) -> str:
    """Return an image that the engine needs anyway."""
    return re.search(r"^ARG PYTHON_IMAGE=(\S+)", (made.path / "Dockerfile").read_text(), re.MULTILINE)[1]


# ---- what Docker is, and what it has: the engine's own answers, but one

DOCKER = {
    "a Compose that is old": ("'compose version'*) echo 2.23.3; exit", "Docker Compose 2.24 or newer: docker has 2.23.3. -> Update Docker"),
    "no Compose": ("compose*) exit 125", "Docker Compose 2.24 or newer: docker has none. -> Update Docker"),
    "a buildx that is old": ("'buildx version') echo github.com/docker/buildx v0.16.2 1e2f4a; exit", "buildx 0.17 or newer: docker has v0.16.2 1e2f4a. -> Update Docker"),
    "no buildx": ("buildx*) exit 1", "buildx 0.17 or newer: docker has none. -> Update Docker"),
    "an engine that is old": ("info*) \"$real\" \"$@\" | sed 's/\"ServerVersion\":\"[^\"]*\"/\"ServerVersion\":\"27.2.1\"/'; exit", "Docker Engine 27.3 or newer: it is 27.2.1. -> Update Docker"),
    "an engine with little memory": ("info*) \"$real\" \"$@\" | sed 's/\"MemTotal\":[0-9]*/\"MemTotal\":1900000000/'; exit", "cores and memory: Docker has 1.8 GB; the lab needs 2. -> Use a larger machine"),
    "an engine on a full disk": ("info*) \"$real\" \"$@\" | sed 's#\"DockerRootDir\":\"[^\"]*\"#\"DockerRootDir\":\"/proc\"#'; exit", "disk: images need 5 GB, 0.0 are free. -> `docker system df` shows"),
}  # fmt: skip


@pytest.mark.parametrize("trouble", DOCKER)
def test_what_docker_lacks_is_found(made, trouble) -> None:
    case, sentence = DOCKER[trouble]
    found = doctor(made, **fake(made, case))
    assert found[0].startswith(sentence), found
    # without Compose, nothing says that its files are right
    assert len(found) == (2 if trouble == "no Compose" else 1), found


def test_a_machine_without_docker_and_one_that_is_stopped(made) -> None:
    empty = made.path.parent / "empty"
    empty.mkdir()
    (found,) = doctor(made, PATH=str(empty))
    assert found.startswith("docker command: there is none. -> Install Docker: https://docs.docker.com/")
    (found,) = doctor(made, DOCKER_HOST=f"unix://{empty}/docker.sock")
    assert found.startswith("Docker Engine 27.3 or newer: Cannot connect to the Docker daemon at unix:///")
    assert "sudo systemctl start docker" in found
    assert "`docker context ls`" in found
    (found,) = doctor(made, DOCKER_CONTEXT="elsewhere")
    assert 'context "elsewhere": context not found' in found


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_user_whom_the_engine_refuses(made) -> None:
    (found,) = doctor(made, **fake(made, 'info*) exec setpriv --reuid 65534 --regid 65534 --clear-groups "$real" "$@"'))
    assert found.startswith("Docker Engine 27.3 or newer: you may not use it. -> `sudo usermod -aG docker $USER`")


def test_a_rootless_engine_wants_the_ids_of_its_root_and_lets_files_be(made) -> None:
    uid = made.path.stat().st_uid or 1234  # as which a person works
    if os.geteuid() == 0:
        made.run("chown", "--recursive", f"{uid}:{uid}", ".")
    rootless = """info*) "$real" "$@" | sed 's/"SecurityOptions":\\[/&"name=rootless",/'; exit"""
    write(made, HOST_UID=uid, HOST_GID=uid)
    found = doctor(made, **fake(made, rootless))
    assert [each.partition(" ->")[0] for each in found] == [
        f".env: HOST_UID is {uid}, and should be 0.",
        f".env: HOST_GID is {uid}, and should be 0.",
    ]


def test_an_engine_that_never_answers(made) -> None:
    source = made.path / "docker/doctor.py"
    source.write_text(source.read_text().replace("timeout=30", "timeout=1"))
    (found,) = doctor(made, **fake(made, "info*) exec sleep 20"))
    assert found.startswith("Docker Engine 27.3 or newer: `docker info` does not answer")


# ---- settings and files: what is done to a project, and what is found; some of it also from inside of a container


def other(made: Stack) -> str:
    return str(made.path.stat().st_uid + 1)


FILES = {
    "no .env": (lambda made: (made.path / ".env").unlink(), f".env: there is none. -> {SETUP} writes it."),
    "no text": (lambda made: (made.path / ".env").write_bytes(b"\xff\xfe"), f".env: it cannot be read as text. -> Move it away, and {SETUP} writes a new one."),
    "no token": (lambda made: write(made, JUPYTER_TOKEN=""), f".env: JUPYTER_TOKEN is empty. -> {SETUP} writes a random one."),
    "a setting too few": (lambda made: (made.path / ".env").write_text((made.path / ".env").read_text().replace("PIPELINE_SEED", "#")), f".env: PIPELINE_SEED is not in it. -> {SETUP} adds what is missing, and keeps the rest."),
    "a .env for all to read": (lambda made: (made.path / ".env").chmod(0o644), ".env: others can read the secrets in it. -> `chmod 600 .env`"),
    "another user": (lambda made: write(made, HOST_UID=other(made)), ".env: HOST_UID is {other}, and should be {uid}. -> In .env, set HOST_UID={uid}."),
    "another group": (lambda made: write(made, HOST_GID="4321"), ".env: HOST_GID is 4321, and should be {gid}. -> In .env, set HOST_GID={gid}."),
    "too much memory": (lambda made: write(made, MEMORY="9999g"), "cores and memory: MEMORY is 9999g, but Docker has {memory:.1f} GB. -> In .env, set MEMORY={whole}g"),
    "too many cores": (lambda made: write(made, CPUS="999"), "cores and memory: CPUS is 999, but Docker has {cores} and refuses more. -> In .env, set CPUS={cores}."),
    "half a core": (lambda made: write(made, CPUS="1.5"), "cores and memory: CPUS is 1.5, which is no number of whole cores. -> In .env, set CPUS={cores}."),
    "no models": (lambda made: shutil.rmtree(made.path / "models"), "folders: models is not there. -> `mkdir models`."),
    "no data": (lambda made: write(made, DATA_FOLDER="./none"), "folders: ./none is not there. -> `mkdir ./none`, or set DATA_FOLDER in .env to one that is there."),
    "closed reports": (lambda made: (made.path / "reports").chmod(0o555), "folders: reports is closed for writing. -> `chmod u+w reports`"),
}  # fmt: skip


@pytest.mark.parametrize("options", [(), ("--inside",)], ids=["outside", "inside"])
@pytest.mark.parametrize("trouble", FILES)
def test_what_is_wrong_with_settings_and_files_is_found(made, trouble, options) -> None:
    change, sentence = FILES[trouble]
    change(made)
    facts = json.loads(made.run("docker", "info", "--format", "{{json .}}"))
    folder = made.path.stat()
    sentence = sentence.format(
        uid=folder.st_uid,
        gid=folder.st_gid,
        other=other(made),
        cores=facts["NCPU"],
        memory=facts["MemTotal"] / 2**30,
        whole=facts["MemTotal"] // 2**30,
    )
    found = doctor(made, *options)
    assert found[0].startswith(sentence), found
    # what is no text, Compose cannot read either
    assert [each.partition(":")[0] for each in found[1:]] == ["compose.yaml"] * (trouble == "no text" and not options)


def test_a_setting_of_the_environment_counts_and_an_empty_one_does_not(made) -> None:
    write(made, CPUS="999", MEMORY="", DATA_FOLDER="")
    assert doctor(made, CPUS="1") == []
    shutil.rmtree(made.path / "data")
    assert doctor(made, CPUS="1", DATA_FOLDER=str(made.path.parent)) == []
    (found,) = doctor(made, CPUS="1")
    assert found.startswith("folders: ./data is not there.")


def test_what_compose_refuses_is_shown_without_secrets(made) -> None:
    token, password = made.settings["JUPYTER_TOKEN"], "s3cret-of-the-index"
    write(made, MEMORY="4x")
    (found,) = doctor(made)
    assert re.match(r"compose.yaml: Compose refuses it: .*'services\[\w+\].mem_limit' invalid suffix: 'x'", found)
    write(made, MEMORY="4g", JUPYTER_TOKEN=f'"{token}', PACKAGE_INDEX=f"https://me:{password}@index.example/simple")
    (found,) = doctor(made)
    assert "unterminated quoted value" in found
    assert token not in found
    assert password not in found


def test_files_of_another_user_are_found_outside_and_inside(made, image) -> None:
    """A container writes as root, or as whoever it was told to be: here, as one that nobody is."""

    def as_root(script: str) -> None:
        made.run("docker", "run", "--rm", "--volume", f"{made.path}:/x", "--workdir", "/x", image, "sh", "-c", script)

    folder = made.path.stat()
    as_root("mkdir models/old && touch models/old/a models/old/b && chown -R 4321 models/old && chmod a+rwx models/old")
    shutil.rmtree(made.path / "reports")
    write(made, JUPYTER_TOKEN="")
    try:
        compose = ["docker", "compose", "--env-file", ".env.example", "run", "--rm", "doctor"]
        inside = subprocess.run(compose, cwd=made.path, capture_output=True, text=True, check=False)
        for found in (doctor(made), findings(inside.stdout[inside.stdout.index("!! ") :], inside.returncode)):
            assert [each.partition(":")[0] for each in found] == [".env", "folders", "owners of files"]
            assert re.fullmatch(
                r"owners of files: not all are yours \(3\): models/old, models/old/[ab], models/old/[ab] -> "
                rf"In this folder, `sudo chown -R {folder.st_uid}:{folder.st_gid} .`",
                found[-1],
            )
        assert "python3 docker/doctor.py also checks Docker and ports" in inside.stdout
        as_root("chown 4321 . && chmod a+rwx .")
        write(made, HOST_UID=os.geteuid(), HOST_GID=os.getegid())
        (*_, found) = doctor(made)
        assert found.startswith("owners of files: not all are yours (4): ., models/old, models/old/")
        assert f", ... -> In this folder, `sudo chown -R {os.geteuid()}:{os.getegid()} .`" in found
        # in a container everybody is root, so that says nothing
        assert f".env: HOST_UID is {os.geteuid()}, and should be 4321." in "".join(doctor(made, "--inside"))
    finally:
        made.remove()


def test_a_small_disk_is_found(made, image) -> None:
    """A real one, of a few megabytes, in memory."""
    script = "cp -r /from/. /app && exec python /app/docker/doctor.py --inside"
    command = ["docker", "run", "--rm", "--tmpfs", "/app:size=9m", "--volume", f"{made.path}:/from:ro", image]
    done = subprocess.run([*command, "sh", "-c", script], capture_output=True, text=True, check=False)
    assert "!!  disk: 0.0 GB are free in this folder.\n    -> Free some, or move data" in done.stdout, done


# ---- ports and containers


def test_a_port_that_is_taken_twice_or_is_none_is_found(made) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        write(made, JUPYTER_PORT=port)
        (found,) = doctor(made)
        suggested = re.fullmatch(
            rf"ports: JUPYTER_PORT is {port}, which another program has. -> "
            r"In .env, set JUPYTER_PORT to a number that is free, such as (\d+).",
            found,
        )
        write(made, JUPYTER_PORT=suggested[1])
        assert doctor(made) == []
    for file in (".env.example", ".env"):  # a second service, as some choices bring one
        with (made.path / file).open("a") as lines:
            lines.write("OTHER_PORT=1\n")
    write(made, JUPYTER_PORT=(port := free_port()), OTHER_PORT=port)
    (found,) = doctor(made)
    assert found.startswith(f"ports: OTHER_PORT and JUPYTER_PORT are both {port}. -> In .env, set OTHER_PORT to")
    write(made, JUPYTER_PORT="web", OTHER_PORT="70000")
    jupyter, second = (each for each in doctor(made) if each.startswith("ports:"))
    assert "JUPYTER_PORT is web, which is no port. -> In .env, set JUPYTER_PORT to" in jupyter
    assert "OTHER_PORT is 70000, which is no port. -> In .env, set OTHER_PORT to" in second


def test_a_project_that_runs_has_nothing_wrong(bake, tmp_path, made) -> None:
    """It has its own port; another project cannot have that too, and a server that was killed is no longer well."""
    running = project(bake, tmp_path)
    try:
        running.compose("up", "--wait")
        assert doctor(running, python="python3") == []
        running.compose("--env-file", ".env.example", "run", "--rm", "doctor")
        write(made, JUPYTER_PORT=(port := running.settings["JUPYTER_PORT"]))
        (found,) = doctor(made)
        assert found.startswith(
            f"ports: JUPYTER_PORT is {port}, which the container {running.path.name}-lab-1 has. -> In .env"
        )
        running.compose("stop")
        assert doctor(running) == []
        running.compose("start")
        running.compose("kill", "lab")
        (found,) = doctor(running)
        assert found.startswith("containers: lab has ended with code 137. -> `docker compose logs lab` says why")
    finally:
        running.remove()


ILL = """
services:
  ill: {image: IMAGE, init: true, command: [sleep, "99"], healthcheck: {test: [CMD, "false"], interval: 1s, retries: 1}}
  ended: {image: IMAGE, command: [sh, -c, exit 3]}
  once: {image: IMAGE, scale: 0, entrypoint: [sh, -c, exit 5]}
  over: {image: IMAGE, command: ["true"]}
  stopped: {image: IMAGE, command: [sh, -c, exit 143]}
"""


def test_a_container_that_is_ill_is_found(made, image) -> None:
    (made.path / "compose.yaml").write_text(f"name: {made.path.name}\n{ILL.replace('IMAGE', image)}")
    try:
        made.compose("run", "once", code=5)
        made.compose("up", "--detach")
        end = time.monotonic() + 20
        while len(found := doctor(made)) < 2 and time.monotonic() < end:
            time.sleep(0.5)
        assert sorted(found) == [
            "containers: ended has ended with code 3. -> `docker compose logs ended` says why.",
            "containers: ill is unhealthy. -> `docker compose logs ill` says why.",
        ]
    finally:
        made.compose("down", "--remove-orphans", "--timeout", "1")


# ---- what only some projects have


@pytest.mark.parametrize("accelerator", [choice for choice in CHOICES["accelerator"] if choice == "nvidia"])
def test_gpus_are_missed_only_where_env_asks_for_them(bake, tmp_path, accelerator) -> None:
    made = project(bake, tmp_path, accelerator=accelerator)
    assert doctor(made) == []
    write(made, COMPOSE_FILE="compose.yaml:compose.gpu.yaml")
    if "nvidia" not in made.run("docker", "info", "--format", "{{json .}}"):
        (found,) = doctor(made)
        assert found.startswith(
            "GPUs, if .env asks for them: Docker cannot use any. -> Install the NVIDIA Container Toolkit"
        )
    runtime = '\'s/"Runtimes":{/"Runtimes":{"nvidia":{"path":"x"},/\''
    assert doctor(made, **fake(made, f'info*) "$real" "$@" | sed {runtime}; exit')) == []


def test_the_doctor_needs_nothing_newer_than_python_3_9(made) -> None:
    command = [Path(sys.executable).parent / "ruff", "check", "--isolated", "--no-cache", "--target-version", "py39"]
    subprocess.run([*command, "docker/doctor.py", "docker/setup.py"], cwd=made.path, check=True)
