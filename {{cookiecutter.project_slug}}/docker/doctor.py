"""Find what keeps this project from running on this machine, and say what helps. Standard library only.

Runs as `python3 docker/doctor.py`, with Python 3.9 or newer. Where there is none, the service `doctor` runs it with
--inside: it sees the files and the machine, but neither ports nor Docker. Exits with 1 if something is wrong.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import runpy
import shutil
import socket
import stat
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

Problems = Iterator[tuple[str, str]]  # what is wrong, and what helps

FOLDER = Path(__file__).resolve().parent.parent
INSIDE = "--inside" in sys.argv[1:]
SETUP = runpy.run_path(str(FOLDER / "docker" / "setup.py"))  # it knows who owns files, and how .env is written
RUN_SETUP = "`docker compose --env-file .env.example run --rm setup`"
GB = 2**30


# ---- what is asked more than once


def ask(*command: str) -> tuple[str, str]:
    """Return what a command answers, or nothing and its complaint."""
    try:
        done = subprocess.run(
            command, cwd=FOLDER, capture_output=True, encoding="utf-8", errors="replace", timeout=30, check=False
        )
    except subprocess.TimeoutExpired:
        return "", f"`{' '.join(command[:2])}` does not answer"
    except OSError as error:
        return "", str(error)
    return ("", without_secrets(done.stderr)) if done.returncode else (done.stdout, "")


def without_secrets(text: str) -> str:
    """Return a complaint on one line and without the values that only .env has: it may quote a line of that file."""
    example = read(".env.example")
    for name, value in read(".env").items():
        if len(value) > 5 and value != example.get(name):
            text = text.replace(value, "***")
    return textwrap.shorten(text, 200, placeholder=" ...") or "it fails and does not say why"


@functools.cache
def read(file: str) -> dict[str, str]:
    """Return the settings in an .env file as Compose understands them; none where the file cannot be read."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        found = SETUP["settings"]((FOLDER / file).read_text(encoding="utf-8-sig"))
        return {name: re.sub(r"(^|\s+)#.*", "", value).strip("\"'") for name, value in found.items()}
    return {}


@functools.cache
def settings() -> dict[str, str]:
    """Return each setting: the environment's value, else that of .env, else the default, which also empty ones take."""
    found = read(".env.example").copy()
    for source in (read(".env"), dict(os.environ)):
        found.update({name: source[name] for name in found if source.get(name)})
    return found


@functools.cache
def info() -> tuple[dict, str]:
    """Return what the engine says of itself, or nothing and the complaint."""
    answer, complaint = ask("docker", "info", "--format", "{% raw %}{{json .}}{% endraw %}")
    return (json.loads(answer) if answer else {}), complaint


@functools.cache
def containers() -> list[dict]:
    """Return this project's containers; none where Compose refuses to tell."""
    lines = ask("docker", "compose", "ps", "--all", "--format", "json")[0].splitlines()
    return [json.loads(line) for line in lines if line.startswith("{")]


def older(version: str, least: str) -> bool:
    """Say whether a version is older than another by its first two numbers."""
    have, want = ([int(number) for number in re.findall(r"\d+", each)[:2]] for each in (version, least))
    return bool(have) and have < want


def mode(path: Path) -> int:
    """Return the kind and the permissions of a file; 0 where there is none that you may see."""
    try:
        return path.stat().st_mode
    except OSError:
        return 0


def owner() -> tuple[int, int]:
    """Return whose the files should be: yours where .env names you, else those of the owner of the folder."""
    named = (settings().get("HOST_UID", ""), settings().get("HOST_GID", ""))
    if not INSIDE and not SETUP["translated"]() and named == (str(os.geteuid()), str(os.getegid())):
        return os.geteuid(), os.getegid()
    return SETUP["owner"](FOLDER)


def busy(port: int) -> bool:
    """Say whether something on this machine has a port."""
    with socket.socket() as probe:  # macOS lets a second program bind what a first one has on all addresses
        probe.settimeout(2)
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            return True
    with socket.socket() as probe:  # Windows keeps ports for itself, where nothing listens
        if os.name == "posix":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections that have ended do not count
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            # the engine may bind ports below 1024, even if you may not
            return not (os.name == "posix" and isinstance(error, PermissionError))
    return False


# ---- the checks


def docker_command() -> Problems:
    """The docker command is there."""
    if not shutil.which("docker"):
        yield "there is none.", "Install Docker: https://docs.docker.com/get-started/get-docker/"


def compose() -> Problems:
    """Compose is there, and new enough for compose.yaml."""
    version, complaint = ask("docker", "compose", "version", "--short")
    if complaint or older(version, "2.24"):
        yield f"docker has {version.strip() or 'none'}.", "Update Docker: https://docs.docker.com/compose/install/"


def buildx() -> Problems:
    """What Compose builds images with is there, and new enough for Compose."""
    version, complaint = ask("docker", "buildx", "version")
    if complaint or older(version, "0.17"):
        have = version.partition(" ")[2].strip() or "none"
        yield f"docker has {have}.", "Update Docker: https://github.com/docker/buildx#installing"


def engine() -> Problems:
    """The engine answers, and is new enough for the Dockerfile."""
    facts, complaint = info()
    version = facts.get("ServerVersion", "")
    if "permission denied" in complaint.lower():
        yield "you may not use it.", "`sudo usermod -aG docker $USER`, then log out and in again."
    elif not version:
        start = "Start Docker Desktop, or on Linux the service: `sudo systemctl start docker`."
        yield complaint or "it does not answer.", f"{start} Which engine is asked shows `docker context ls`."
    elif older(version, "27.3"):
        yield f"it is {version}.", "Update Docker: https://docs.docker.com/engine/install/"


def env() -> Problems:
    """.env has each setting, is yours alone, and fits this machine."""
    file = FOLDER / ".env"
    if not file.exists():
        yield "there is none.", f"{RUN_SETUP} writes it."
        return
    if not read(".env"):
        yield "it cannot be read as text.", f"Move it away, and {RUN_SETUP} writes a new one."
        return
    if lacking := [name for name in read(".env.example") if name not in read(".env") and name not in os.environ]:
        yield f"{', '.join(lacking)} is not in it.", f"{RUN_SETUP} adds what is missing, and keeps the rest."
    for name, value in settings().items():
        if name.endswith(("_TOKEN", "_PASSWORD")) and name in read(".env") and not value:
            yield f"{name} is empty.", f"{RUN_SETUP} writes a random one."
    # a file system that keeps no permissions, as Windows has, gives all of them to every file
    if not SETUP["translated"]() and mode(file) & 0o077 and mode(FOLDER / "compose.yaml") & 0o777 != 0o777:
        yield "others can read the secrets in it.", "`chmod 600 .env`"
    rootless = not INSIDE and "name=rootless" in (info()[0].get("SecurityOptions") or [])
    uid, gid = (0, 0) if rootless else owner()  # such an engine gives your number to its root
    for name, number in {"HOST_UID": uid, "HOST_GID": gid}.items():
        if settings().get(name) != str(number):
            yield f"{name} is {settings().get(name)}, and should be {number}.", f"In .env, set {name}={number}."


def configuration() -> Problems:
    """Compose understands its files with the settings of .env."""
    complaint = ask("docker", "compose", "config", "--quiet")[1]
    if complaint:
        yield f"Compose refuses it: {complaint}", "Put right what this names, in .env or in the file."


def ports() -> Problems:
    """Each port is a number of its own, and nothing but this project has it."""
    wanted = {name: value for name, value in settings().items() if name.endswith("_PORT")}
    own = {each["PublishedPort"] for container in containers() for each in container.get("Publishers") or []}
    seen: dict[str, str] = {}
    for name, value in wanted.items():
        number = int(value) if re.fullmatch("[0-9]{1,5}", value) else 0
        if not 0 < number < 65536:
            wrong, number = f"{name} is {value}, which is no port.", 8888
        elif value in seen:
            wrong = f"{name} and {seen[value]} are both {value}."
        elif number not in own and busy(number):
            names = ask("docker", "ps", "--filter", f"publish={number}", "--format", "{% raw %}{{.Names}}{% endraw %}")[0].split()
            wrong = f"{name} is {value}, which {f'the container {names[0]}' if names else 'another program'} has."
        else:
            seen[value] = name
            continue
        others = (each for each in range(number + 1, 65536) if str(each) not in wanted.values())
        free = next((each for each in others if not busy(each)), 8888)
        yield wrong, f"In .env, set {name} to a number that is free, such as {free}."


def capacity() -> Problems:
    """The engine has the cores and the memory that .env gives to a container."""
    if INSIDE:
        cores, memory = os.cpu_count() or 1, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    else:
        cores, memory = info()[0]["NCPU"], info()[0]["MemTotal"]
    cpus, limit = settings().get("CPUS", ""), settings().get("MEMORY", "").lower()
    if not re.fullmatch("[1-9][0-9]*", cpus):
        yield f"CPUS is {cpus}, which is no number of whole cores.", f"In .env, set CPUS={cores}."
    elif int(cpus) > cores:
        yield f"CPUS is {cpus}, but Docker has {cores} and refuses more.", f"In .env, set CPUS={cores}."
    more = "with Docker Desktop, give it more: Settings, Resources."
    size = re.fullmatch(r"(\d+(?:\.\d+)?)([kmgt]?)i?b?", limit)
    if memory < 2 * GB:
        yield f"Docker has {memory / GB:.1f} GB; the lab needs 2.", f"Use a larger machine, or {more}"
    # what is sold as 4 GB shows a little less
    elif size and float(size[1]) * 1024 ** " kmgt".index(size[2] or " ") * 0.9 > memory:
        fitting = f"In .env, set MEMORY={memory // GB}g"
        yield f"MEMORY is {limit}, but Docker has {memory / GB:.1f} GB.", f"{fitting}; or {more}"


def disk() -> Problems:
    """There is room for images, and for results."""
    try:
        images = shutil.disk_usage("/" if INSIDE else info()[0].get("DockerRootDir", "")).free
    except OSError:  # the engine runs in a virtual machine, whose disk is a file on this one
        images = shutil.disk_usage(FOLDER).free
    if images < 5 * GB:
        clean = "`docker image prune` and `docker builder prune` remove what nothing uses."
        yield f"images need 5 GB, {images / GB:.1f} are free.", f"`docker system df` shows what Docker has; {clean}"
    here = shutil.disk_usage(FOLDER).free
    if here < GB:
        yield f"{here / GB:.1f} GB are free in this folder.", "Free some, or move data: DATA_FOLDER in .env."


def folders() -> Problems:
    """The folders that containers get are there, and their owner can write."""
    data = settings().get("DATA_FOLDER", "data")
    for name in (data, "models", "reports"):
        path = Path(FOLDER, Path(name).expanduser()).resolve()
        if INSIDE and FOLDER not in path.parents:
            continue  # only the host can see it
        if not stat.S_ISDIR(mode(path)):
            other = ", or set DATA_FOLDER in .env to one that is there" if name == data else ""
            yield f"{name} is not there.", f"`mkdir {name}`{other}."
        elif name != data and not mode(path) & stat.S_IWUSR and not SETUP["translated"]():
            yield f"{name} is closed for writing.", f"`chmod u+w {name}`"


def owners() -> Problems:
    """Each file is yours; on macOS and Windows it always is."""
    if SETUP["translated"]():
        return
    uid, gid = owner()
    found = []
    for folder, _, files in os.walk(FOLDER):
        for path in (Path(folder), *(Path(folder, file) for file in files)):
            with contextlib.suppress(FileNotFoundError):  # gone since
                if path.lstat().st_uid != uid:
                    found.append(path.relative_to(FOLDER).as_posix())
    if found:
        some = ", ".join(found[:3]) + (", ..." if len(found) > 3 else "")
        yield f"not all are yours ({len(found)}): {some}", f"In this folder, `sudo chown -R {uid}:{gid} .`"


#% if cookiecutter.accelerator == 'nvidia'
def gpu() -> Problems:
    """Docker can give GPUs to containers, if .env asks for that."""
    if "compose.gpu.yaml" not in settings().get("COMPOSE_FILE", ""):
        return
    devices = info()[0].get("DiscoveredDevices") or []
    known = [*(info()[0].get("Runtimes") or {}), *(each.get("ID", "") for each in devices)]
    # the engine looks for this program, even where no runtime is set up
    if not any("nvidia" in each for each in known) and not shutil.which("nvidia-container-runtime-hook"):
        install = "Install the NVIDIA Container Toolkit and restart Docker"
        yield "Docker cannot use any.", f"{install}; or go without: in .env, set COMPOSE_FILE=compose.yaml."


#% endif
def running() -> Problems:
    """No container of this project is ill."""
    for each in containers():
        name, state, code = each["Service"], each["State"], each["ExitCode"]
        if "com.docker.compose.oneoff=True" in each["Labels"]:
            continue  # it has said itself what was wrong
        if each["Health"] == "unhealthy" or state in ("restarting", "dead"):
            yield f"{name} is {each['Health'] or state}.", f"`docker compose logs {name}` says why."
        elif state == "exited" and code not in (0, 130, 143):  # 130 and 143: it was asked to stop
            killed = "; 137 is often too little MEMORY in .env" if code == 137 else ""
            yield f"{name} has ended with code {code}.", f"`docker compose logs {name}` says why{killed}."


# title, check, what it needs, and whether the service `doctor` can make it too
CHECKS = [
    ("docker command", docker_command, "", False),
    ("Docker Compose 2.24 or newer", compose, "docker", False),
    ("buildx 0.17 or newer", buildx, "docker", False),
    ("Docker Engine 27.3 or newer", engine, "docker", False),
    (".env", env, "", True),
    ("compose.yaml", configuration, "docker .env", False),
    ("ports", ports, "", False),
    ("cores and memory", capacity, "docker engine", True),
    ("disk", disk, "", True),
    ("folders", folders, "", True),
    ("owners of files", owners, "", True),
#% if cookiecutter.accelerator == 'nvidia'
    ("GPUs, if .env asks for them", gpu, "docker engine", False),
#% endif
    ("containers", running, "docker engine .env", False),
]


def show(mark: str, text: str) -> None:
    """Print a line of the report, wrapped to 80 columns; a `command` stays whole."""
    text = re.sub(r"`[^`]+`", lambda match: match[0].replace(" ", "\0"), text)
    wrap = textwrap.TextWrapper(80, mark, " " * len(mark), break_long_words=False, break_on_hyphens=False)
    text = wrap.fill(text).replace("\0", " ")
    print(text.encode("ascii", "backslashreplace").decode())  # file names in any script, on any console


def main() -> int:
    """Make each check, print what it finds, and return the exit code."""
    have = {"docker": bool(shutil.which("docker")), ".env": (FOLDER / ".env").exists()}
    have["engine"] = have["docker"] and bool(info()[0].get("ServerVersion"))
    wrong = 0
    for title, check, needs, inside in CHECKS:
        if INSIDE and not inside:
            continue
        if not INSIDE and (lacking := [need for need in needs.split() if not have[need]]):
            show("--  ", f"{title}: not checked, as there is no {lacking[0]}")
            continue
        problems = list(check())
        for problem, remedy in problems:
            show("!!  ", f"{title}: {problem}")
            show("    -> ", remedy)
        if not problems:
            show("ok  ", title)
        wrong += len(problems)
    print("\n" + {0: "Nothing is wrong.", 1: "1 thing is wrong."}.get(wrong, f"{wrong} things are wrong."))
    if INSIDE:
        print("Outside of containers, python3 docker/doctor.py also checks Docker and ports.")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
