"""Each trouble that the doctor of a generated project knows, provoked for real where a machine allows it, and named."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from stack import Stack, free_port, project
from template import CHOICES, CONTEXT

pytestmark = pytest.mark.usefixtures("engine")

SETUP = "`docker compose --env-file .env.example run --rm setup`"
COMPOSE, ENGINE, BUILDX = (
    f"Docker: {tool} {CONTEXT['_versions']['minimum'][tool]} or newer is needed; "
    for tool in ("Docker Compose", "Docker Engine", "buildx")
)


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
    # a single word or command may be longer
    assert not [line for line in said.splitlines() if len(line) > 80 and " " in re.sub("`[^`]+`", "", line.strip())]
    assert not re.search(r"`[^`]*\n[^`]*`", re.sub("`[^`\n]+`", "", said))
    found = [line[4:] for line in re.sub(r"\n {4,}", " ", said).splitlines() if line.startswith("!! ")]
    assert all(" -> " in line for line in found), said
    count = {0: "No problems found.", 1: "1 problem found."}.get(len(found), f"{len(found)} problems found.")
    assert f"\n\n{count}\n" in said
    assert code == bool(found)
    return found


def write(made: Stack, **settings: str) -> None:
    """Change settings in .env."""
    env = made.path / ".env"
    text = env.read_text()
    for name, value in settings.items():
        text, changed = re.subn(rf"(?m)^{name}=.*$", lambda _, line=f"{name}={value}": line, text)
        assert changed == 1, name
    env.write_text(text)


def fake(made: Stack, case: str) -> dict[str, str]:
    """Put a docker command before the real one that answers one question, a line of a shell's `case`, otherwise."""
    program = made.path.parent / "bin/docker"
    program.parent.mkdir(exist_ok=True)
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
    return re.search(r"^FROM (\S+) AS python_image", (made.path / "Dockerfile").read_text(), re.MULTILINE)[1]


# ---- Docker: its own answers, except for one


class Docker(NamedTuple):
    """One answer that differs, as a line of a shell's `case`, and the start of what is then found."""

    answer: str
    finding: str


def edited(old: str, new: str) -> str:
    """Return the line that replaces a text in what `docker info` says."""
    return f"""'info --format json') "$real" "$@" | sed 's#{old}#{new}#'; exit"""


DOCKER = {
    "an old Compose": Docker(
        "'compose version'*) echo 2.23.3; exit", f"{COMPOSE}2.23.3 is installed. -> Update Docker"
    ),
    "no Compose": Docker("compose*) exit 125", f"{COMPOSE}none is installed. -> Update Docker"),
    "an old buildx": Docker(
        "'buildx version') echo github.com/docker/buildx v0.16.2 1e2f4a; exit",
        f"{BUILDX}github.com/docker/buildx v0.16.2 1e2f4a is installed. -> Update Docker",
    ),
    "no buildx": Docker("buildx*) exit 1", f"{BUILDX}none is installed. -> Update Docker"),
    "an old engine": Docker("info*ServerVersion*) echo 27.2.1; exit", f"{ENGINE}27.2.1 is installed. -> Update Docker"),
    "Podman in Docker's place": Docker(
        """version) echo 'Client: Podman Engine'; exit ;; 'info --format json') printf '{\n  "host": {}\n}'; exit""",
        "Docker: this is Podman, which cannot build or start this project.",
    ),
    "an engine that cannot limit CPUs": Docker(
        edited('"CpuCfsQuota":true', '"CpuCfsQuota":false'),
        "cores, memory and disk: Docker cannot enforce the limits of compose.yaml, as it lacks CpuCfsQuota. -> https://",
    ),
    "little memory": Docker(
        edited('"MemTotal":[0-9]*', '"MemTotal":1900000000'),
        "cores, memory and disk: Docker has 1.8 GB of memory; the lab needs 2 GB, and MEMORY is 4g. -> In .env, set",
    ),
    "a full disk": Docker(
        edited('"DockerRootDir":"[^"]*"', '"DockerRootDir":"/proc"'),
        "cores, memory and disk: /proc has 0.0 GB free; 5 GB are needed. -> Delete files, or run",
    ),
}


@pytest.mark.parametrize("trouble", DOCKER)
def test_what_docker_lacks_is_found(made, trouble) -> None:
    answer, finding = DOCKER[trouble]
    found = doctor(made, **fake(made, answer))
    assert found[0].startswith(finding), found
    assert len(found) == 1, found


@pytest.mark.parametrize("dev_image", [each for each in CHOICES["dev_image"] if "disk" in CONTEXT["_lab_images"][each]])
def test_each_base_image_needs_its_own_room(bake, tmp_path, dev_image) -> None:
    made = project(bake, tmp_path, dev_image=dev_image)
    full = edited('"DockerRootDir":"[^"]*"', '"DockerRootDir":"/proc"')
    (found,) = doctor(made, **fake(made, full))
    assert f"; {CONTEXT['_lab_images'][dev_image]['disk']} GB are needed." in found
    (found,) = doctor(made, **fake(made, f"{full} ;; 'compose images'*) echo 1f2e; exit"))
    assert "; 2 GB are needed." in found  # an image that is built has its room


def test_a_missing_and_a_stopped_docker_are_found(made) -> None:
    empty = made.path.parent / "empty"
    empty.mkdir()
    (found,) = doctor(made, PATH=str(empty))
    assert found.startswith("Docker: its command is missing. -> Install it: https://docs.docker.com/")
    (found,) = doctor(made, DOCKER_HOST=f"unix://{empty}/docker.sock")
    assert found.startswith("Docker: Cannot connect to the Docker daemon at unix:///")
    assert "`sudo systemctl start docker`" in found
    assert "`docker context ls` shows the one in use." in found
    (found,) = doctor(made, DOCKER_CONTEXT="elsewhere")
    assert 'context "elsewhere": context not found' in found


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_user_whom_the_engine_refuses_is_told(made) -> None:
    (found,) = doctor(made, **fake(made, 'info*) exec setpriv --reuid 65534 --regid 65534 --clear-groups "$real" "$@"'))
    assert found.startswith("Docker: you may not use it. -> `sudo usermod -aG docker $USER`")


def test_a_rootless_engine_wants_the_ids_of_its_root(made) -> None:
    uid = made.path.stat().st_uid or 1234  # as which a person works
    if os.geteuid() == 0:
        made.run("chown", "--recursive", f"{uid}:{uid}", ".")
    write(made, HOST_UID=uid, HOST_GID=uid)
    found = doctor(made, **fake(made, edited(r'"SecurityOptions":\[', '&"name=rootless",')))
    assert found == [
        f".env: it says HOST_UID={uid} and HOST_GID={uid}. -> In .env, set HOST_UID=0 and HOST_GID=0. "
        "After `docker compose down`, `docker compose run --rm chown` gives the volumes' files to the ids in .env."
    ]


def test_an_engine_that_never_answers_is_found(made) -> None:
    source = made.path / "docker/doctor.py"
    source.write_text(source.read_text().replace("timeout=30", "timeout=1"))
    (found,) = doctor(made, **fake(made, "info*) exec sleep 20"))
    assert found.startswith("Docker: `docker info` does not answer")


# ---- settings and files, also as seen from inside a container


class Trouble(NamedTuple):
    """What is done to a project, and the start of what is then found."""

    cause: Callable[[Stack], object]
    finding: str


def other(made: Stack) -> int:
    """Return a user id that the project does not belong to."""
    return made.path.stat().st_uid + 1


def drop(made: Stack, setting: str) -> None:
    """Take a setting out of .env."""
    env = made.path / ".env"
    env.write_text(env.read_text().replace(f"{setting}=", "#"))


FILES = {
    "no .env": Trouble(lambda made: (made.path / ".env").unlink(), f".env: it is missing. -> {SETUP} writes it."),
    "no text": Trouble(
        lambda made: (made.path / ".env").write_bytes(b"# caf\xe9\nA=\xe9"),
        ".env: line 2 is not UTF-8 text. -> Correct that in an editor, and save it as UTF-8.",
    ),
    "UTF-16": Trouble(
        lambda made: (made.path / ".env").write_text((made.path / ".env").read_text(), encoding="utf-16"),
        ".env: line 1 is UTF-16, not UTF-8 text. -> Correct that in an editor, and save it as UTF-8.",
    ),
    "a folder": Trouble(
        lambda made: (made.path / ".env").unlink() or (made.path / ".env").mkdir(),
        ".env: it cannot be read: Is a directory. -> It must be a file, and yours.",
    ),
    "an open quote": Trouble(
        lambda made: write(made, JUPYTER_TOKEN='"secret'),
        ".env: line {token} is not NAME=value or lacks a closing quote. -> Correct that",
    ),
    "no token": Trouble(
        lambda made: write(made, JUPYTER_TOKEN=""),
        f".env: it has no value for JUPYTER_TOKEN. -> {SETUP} adds what is missing and keeps the rest.",
    ),
    "a setting too few": Trouble(
        lambda made: drop(made, "PIPELINE_SEED"),
        f".env: it has no value for PIPELINE_SEED. -> {SETUP} adds what is missing and keeps the rest.",
    ),
    "a .env for all to read": Trouble(
        lambda made: (made.path / ".env").chmod(0o644),
        ".env: others can read the secrets in it. -> `chmod 600 .env`",
    ),
    "another user": Trouble(
        lambda made: write(made, HOST_UID=other(made)),
        ".env: it says HOST_UID={other} and HOST_GID={gid}. -> In .env, set HOST_UID={uid} and HOST_GID={gid}. After `docker",
    ),
    "another group": Trouble(
        lambda made: write(made, HOST_GID="4321"),
        ".env: it says HOST_UID={uid} and HOST_GID=4321. -> In .env, set HOST_UID={uid} and HOST_GID={gid}. After `docker",
    ),
    "an input out of reach": Trouble(
        lambda made: write(made, PIPELINE_INPUT="https://example.com/a.csv"),
        "input: PIPELINE_INPUT is on another machine, and OUTBOUND lets only JupyterLab reach those."
        " -> In .env, set OUTBOUND=true, then run `docker compose down`.",
    ),
    "an input without its key": Trouble(
        lambda made: write(made, PIPELINE_INPUT="s3://bucket/folder", OUTBOUND="true"),
        "input: .env has no AWS_ACCESS_KEY_ID and no AWS_SECRET_ACCESS_KEY, so PIPELINE_INPUT can only be one that is"
        " public. -> In .env, set what its owner gave you.",
    ),
    "too much memory": Trouble(
        lambda made: write(made, MEMORY="9999g"),
        "cores, memory and disk: Docker has {memory:.1f} GB of memory; the lab needs 2 GB, and MEMORY is 9999g."
        " -> In .env, set MEMORY={whole}g",
    ),
    "too many cores": Trouble(
        lambda made: write(made, CPUS="999"),
        "cores, memory and disk: CPUS is 999; it must be a whole number up to {cores}. -> In .env, set CPUS={cores}.",
    ),
    "half a core": Trouble(
        lambda made: write(made, CPUS="1.5"),
        "cores, memory and disk: CPUS is 1.5; it must be a whole number up to {cores}. -> In .env, set CPUS={cores}.",
    ),
    "no models": Trouble(
        lambda made: shutil.rmtree(made.path / "models"), "files: models is missing. -> `mkdir models`"
    ),
    "no data": Trouble(
        lambda made: write(made, DATA_FOLDER="./none"),
        "files: ./none is missing. -> `mkdir ./none`, or correct DATA_FOLDER in .env.",
    ),
    "a conflict": Trouble(
        lambda made: (made.path / "docs/mine.md").write_text("a\n\n<<<<<<< ours\nb\n=======\nc\n>>>>>>> theirs\n"),
        "what an update left: docs/mine.md has two versions of the same lines, at line 3. -> "
        "docs/updating.md shows what to keep.",
    ),
    "a conflict of locks": Trouble(
        lambda made: (made.path / "requirements/lab.txt").write_text("<<<<<<< ours\n=======\n>>>>>>> theirs\n"),
        "what an update left: requirements/lab.txt has two versions of the same lines, at line 1. -> "
        "`docker compose run --rm lock`",
    ),
    "a rejected change": Trouble(
        lambda made: (made.path / "src/model.py.rej").write_text("x"),
        "what an update left: src/model.py.rej has changes that an update could not make. -> "
        "Make them by hand, then delete that file.",
    ),
    "closed reports": Trouble(
        lambda made: (made.path / "reports").chmod(0o555), "files: reports is read-only. -> `chmod u+w reports`"
    ),
}


@pytest.mark.parametrize("options", [(), ("--inside",)], ids=["outside", "inside"])
@pytest.mark.parametrize("trouble", FILES)
def test_wrong_settings_and_files_are_found(made, trouble, options) -> None:
    cause, finding = FILES[trouble]
    token = [line.partition("=")[0] for line in (made.path / ".env").read_text().splitlines()].index("JUPYTER_TOKEN")
    cause(made)
    facts = json.loads(made.run("docker", "info", "--format", "{{json .}}"))
    folder = made.path.stat()
    finding = finding.format(
        uid=folder.st_uid,
        gid=folder.st_gid,
        other=other(made),
        cores=facts["NCPU"],
        memory=facts["MemTotal"] / 2**30,
        whole=facts["MemTotal"] // 2**30,
        token=token + 1,
    )
    (found,) = doctor(made, *options)
    assert found.startswith(finding), found


def test_the_environment_wins_and_an_empty_value_is_none(made) -> None:
    write(made, CPUS="999", MEMORY="", DATA_FOLDER="")
    assert doctor(made, CPUS="1") == []
    shutil.rmtree(made.path / "data")
    assert doctor(made, CPUS="1", DATA_FOLDER=str(made.path.parent)) == []
    (found,) = doctor(made, CPUS="1")
    assert found.startswith("files: ./data is missing.")


def test_settings_are_read_as_compose_reads_them(made) -> None:
    """Variables, quotes and comments: none of it is a trouble."""
    env, port = made.path / ".env", free_port()
    text = re.sub("(?m)^(?=[A-Z])", "export ", env.read_text())
    text = re.sub("JUPYTER_PORT=.*", f"JUPYTER_PORT=${{MY_PORT:-${{OUR_PORT:-{port}}}}} # mine", text)
    text = text.replace("DATA_FOLDER=./data", 'DATA_FOLDER="${MY_FOLDER}/data"').replace("MEMORY=4g", "MEMORY='2g' # x")
    env.write_text(text, newline="\r\n")
    assert doctor(made, MY_FOLDER=str(made.path)) == []
    assert doctor(made, "--inside", MY_FOLDER=str(made.path)) == []
    (found,) = doctor(made, MY_FOLDER="/none")
    assert found.startswith("files: /none/data is missing.")


def test_what_compose_refuses_is_found_without_secrets(made) -> None:
    write(made, JUPYTER_PORT="s3cret")
    (found,) = doctor(made)
    assert found == (
        ".env: Compose refuses it or compose.yaml. -> `docker compose config --quiet` shows why. Correct what it names."
    )
    assert "s3cret" in made.compose("config", "--quiet", code=1)
    write(made, JUPYTER_PORT=free_port(), PACKAGE_INDEX="https://me:s3cret@${index/simple")
    (found,) = doctor(made)
    assert re.match(r"\.env: line \d+ has a \$\{ that is not \$\{NAME\}\. -> Correct that", found)
    assert "s3cret" in made.compose("config", "--quiet", code=1)


def test_a_dollar_that_compose_takes_away_is_found(made) -> None:
    line = (made.path / ".env").read_text().splitlines().index("TZ=UTC") + 1
    for value, lost in {
        "s3$$cret": True,
        '"s3$$cret"': True,
        "s3$cret": True,
        "s3${cret}": True,
        "x${TZ:-s3$cret}": True,
        "'s3$$cret'": False,
        r'"s3\$cret"': False,
        "s3$5cret$": False,
        "${HOME}": False,
        "${cret:-s3}${cret-}": False,
    }.items():
        write(made, TZ=value)
        wrong = f".env: line {line}: Compose changes or drops a $ in the value. -> Put the value into single quotes."
        assert doctor(made) == [wrong] * lost, value
        write(made, TZ="UTC")


def test_files_of_another_user_are_found(made, image) -> None:
    """A container writes as root, or as whoever it was told to be: here, as a user that does not exist."""

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
            assert [each.partition(":")[0] for each in found] == [".env", "files", "files"]
            assert re.fullmatch(
                r"files: 3 of them belong to another user: models/old, models/old/[ab], models/old/[ab] -> "
                rf"In this folder, `sudo find \. ! -user {folder.st_uid} .* -exec chown -h {folder.st_uid}:{folder.st_gid} .*`",
                found[-1],
            )
        assert "python3 docker/doctor.py also checks Docker and ports" in inside.stdout
        as_root("chown 4321 . && chmod a+rwx .")
        write(made, HOST_UID=os.geteuid(), HOST_GID=os.getegid())
        (*_, found) = doctor(made)
        assert found.startswith("files: 4 of them belong to another user: ., models/old, models/old/")
        assert f", ... -> In this folder, `sudo find . ! -user {os.geteuid()} " in found
        # in a container everybody is root, so that says nothing
        assert f".env: it says HOST_UID={os.geteuid()} and " in "".join(doctor(made, "--inside"))
    finally:
        made.remove()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_files_that_are_in_another_folder_too_keep_their_owner(made) -> None:
    """As the objects of a local clone do: they are hard links to the colleague's own."""
    theirs, own, old = made.path.parent / "theirs", made.path / "linked", made.path / "models/old"
    theirs.write_text("x")
    os.chown(theirs, 4321, 4321)
    own.hardlink_to(theirs)
    assert doctor(made) == []
    old.mkdir()
    for path in (old / "file", old):
        path.touch()
        os.chown(path, 4321, 4321)
    (found,) = doctor(made)
    assert found.startswith("files: 2 of them belong to another user: models/old, models/old/file -> ")
    made.shell(re.search("`sudo (.*)`", found)[1])
    assert doctor(made) == []
    assert (theirs.stat().st_uid, (old / "file").stat().st_uid) == (4321, made.path.stat().st_uid)


def test_a_small_disk_is_found(made, image) -> None:
    """A real one, of a few megabytes, in memory."""
    script = "cp -r /from/. /app && exec python /app/docker/doctor.py --inside"
    command = ["docker", "run", "--rm", "--tmpfs", "/app:size=9m", "--volume", f"{made.path}:/from:ro", image]
    done = subprocess.run([*command, "sh", "-c", script], capture_output=True, text=True, check=False)
    assert "/app has 0.0 GB free; 2 GB are needed." in done.stdout, done


# ---- ports and containers


def test_a_port_in_use_is_found_with_a_free_one(made) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        write(made, JUPYTER_PORT=port)
        (found,) = doctor(made)
        suggested = re.fullmatch(
            rf"ports and containers: Port {port} \(JUPYTER_PORT\) is in use by another program. -> "
            r"In .env, set JUPYTER_PORT to a free port, such as (\d+).",
            found,
        )
        write(made, JUPYTER_PORT=suggested[1])
        assert doctor(made) == []


def test_a_port_that_is_used_twice_or_wrong_is_found(made) -> None:
    for file in (".env.example", ".env"):  # a second service, as some choices bring one
        with (made.path / file).open("a") as lines:
            lines.write("OTHER_PORT=1\n")
    write(made, JUPYTER_PORT=(port := free_port()), OTHER_PORT=port)
    (found,) = doctor(made)
    assert found.startswith(
        f"ports and containers: JUPYTER_PORT and OTHER_PORT are both {port}. -> In .env, set OTHER_PORT to"
    )
    write(made, JUPYTER_PORT="web", OTHER_PORT=free_port())
    (found,) = doctor(made)
    assert found.startswith(".env: Compose refuses it or compose.yaml. -> `docker compose config --quiet` shows why.")


def test_a_project_that_runs_has_nothing_wrong(bake, tmp_path, made) -> None:
    """It has its own port; another project cannot have that too, and a server that was killed is no longer well."""
    running = project(bake, tmp_path)
    try:
        running.compose("up", "--wait")
        assert doctor(running, python="python3") == []
        running.compose("--env-file", ".env.example", "run", "--rm", "doctor")
        write(made, JUPYTER_PORT=(port := running.settings["JUPYTER_PORT"]))
        (found,) = doctor(made)
        user = f"the container {running.name}-lab-1 of {running.path}"
        assert found.startswith(f"ports and containers: Port {port} (JUPYTER_PORT) is in use by {user}. -> In .env")
        running.compose("stop")
        assert doctor(running) == []
        running.compose("start")
        running.compose("kill", "lab")
        (found,) = doctor(running)
        assert found.startswith(
            "ports and containers: lab stopped with exit code 137, often for lack of MEMORY. -> `docker"
        )
    finally:
        running.remove()


ILL = """
services:
  ill: {image: IMAGE, init: true, command: [sleep, "99"], healthcheck: {test: [CMD, "false"], interval: 1s, retries: 1}}
  ended: {image: IMAGE, command: [sh, -c, exit 3]}
  once: {image: IMAGE, scale: 0, entrypoint: [sh, -c, exit 5]}
  over: {image: IMAGE, command: ["true"]}
  stopped: {image: IMAGE, command: [sh, -c, exit 143]}
  hungry: {image: IMAGE, scale: 0, mem_limit: 20m, command: [python, -c, "bytearray(10 ** 8)"]}
"""


def test_a_container_that_is_ill_is_found(made, image) -> None:
    (made.path / "compose.yaml").write_text(ILL.replace("IMAGE", image))
    try:
        made.compose("run", "once", code=5)
        made.compose("run", "--rm", "hungry", code=137)
        made.compose("up", "--detach")
        end = time.monotonic() + 20
        while len(found := doctor(made)) < 3 and time.monotonic() < end:
            time.sleep(0.5)
        assert sorted(found) == [
            "ports and containers: ended stopped with exit code 3. -> `docker compose logs ended` shows why.",
            "ports and containers: hungry ran out of memory in the last hour; MEMORY is 4g. -> "
            "In .env, set a higher MEMORY, then `docker compose up --wait`; or use less data.",
            "ports and containers: ill is unhealthy. -> `docker compose logs ill` shows why.",
        ]
    finally:
        made.compose("down", "--remove-orphans", "--timeout", "1")


# ---- what only some projects have


@pytest.mark.parametrize("accelerator", [choice for choice in CHOICES["accelerator"] if choice == "nvidia"])
def test_gpus_are_missed_only_if_env_asks_for_them(bake, tmp_path, accelerator) -> None:
    made = project(bake, tmp_path, accelerator=accelerator)
    assert doctor(made) == []
    write(made, ACCELERATOR="gpu")
    if "nvidia" not in made.run("docker", "info", "--format", "{{json .}}"):
        (found,) = doctor(made)
        assert found.startswith("GPUs, if .env asks for them: Docker cannot use any. -> Install the NVIDIA Container")
    toolkit = fake(made, edited('"Runtimes":{', '&"nvidia":{"path":"x"},'))
    assert doctor(made, **toolkit) == []
    with (made.path / ".env").open("a") as lines:  # as older versions of the template had it
        lines.write("COMPOSE_FILE=compose.yaml:compose.gpu.yaml\n")
    assert doctor(made, **toolkit)[1:] == [
        "GPUs, if .env asks for them: COMPOSE_FILE names compose.gpu.yaml. -> In .env, delete COMPOSE_FILE and set "
        "ACCELERATOR=gpu."
    ]


def test_the_doctor_needs_nothing_newer_than_python_3_9(made) -> None:
    command = [Path(sys.executable).parent / "ruff", "check", "--isolated", "--no-cache", "--target-version", "py39"]
    parser = next((made.path / "src").glob("*/env_file.py"))
    subprocess.run([*command, "docker/doctor.py", "docker/setup.py", parser], cwd=made.path, check=True)
