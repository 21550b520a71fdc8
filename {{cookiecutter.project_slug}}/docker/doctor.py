"""Find what keeps this project from running on this machine, and say how to fix it: `python3 docker/doctor.py`.

Standard library only, of Python 3.9 or newer. The service `doctor` adds --inside: it sees neither Docker nor ports.
"""

import contextlib
import json
import os
import re
import runpy
import shutil
import socket
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from subprocess import TimeoutExpired, run

MINIMUM = {{ cookiecutter._versions.minimum | tojson }}
SHOW = {"Docker Compose": "compose version --short", "buildx": "buildx version"}  # else the engine's own version
FOLDER = Path(__file__).resolve().parent.parent
SETUP = runpy.run_path(str(FOLDER / "docker/setup.py"))  # it reads .env, and knows who owns files
INSIDE, TRANSLATED = "--inside" in sys.argv[1:], SETUP["TRANSLATED"]
try:
    KNOWN, FAULT = {**SETUP["settings"]((FOLDER / ".env").read_bytes()), **os.environ}, None
except (OSError, ValueError) as error:
    KNOWN, FAULT = dict(os.environ), error
DEFAULTS = SETUP["settings"]((FOLDER / ".env.example").read_bytes())  # of empty settings
RUN_SETUP = "`docker compose --env-file .env.example run --rm setup`"
Findings = Iterator[tuple[str, str]]  # what is wrong, and its remedy


def ask(command: str, sent: bytes = b"") -> tuple[str, str]:
    """Return what a docker command answers, or nothing and its complaint, in which words of .env alone are hidden."""
    try:
        done = run(["docker", *command.split()], cwd=FOLDER, input=sent, capture_output=True, timeout=30, check=False)
    except (OSError, TimeoutExpired):
        return "", f"`docker {command.split()[0]}` does not answer"
    if done.returncode == 0:
        return done.stdout.decode(), ""
    complaint = done.stderr.decode(errors="replace") or "it fails without a reason"
    with contextlib.suppress(OSError):
        files = [(FOLDER / name).read_text("utf-8", "replace") for name in (".env", ".env.example")]
        private, public = (set(re.findall(r"[^\s\"'=]{6,}", file)) for file in files)
        for word in sorted(private - public, key=len, reverse=True):
            complaint = complaint.replace(word, "***")
    return "", textwrap.shorten(complaint, 200, placeholder=" ...")


def rows(command: str) -> list[dict]:
    """Return what a docker command answers as JSON, an object a line; none if it fails."""
    return [json.loads(line) for line in ask(f"{command} --format json")[0].splitlines() if line.startswith("{")]


def busy(port: int) -> bool:
    """Say whether a port of this machine is in use."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2):
        return True  # macOS would let a second program bind it
    try:
        socket.create_server(("127.0.0.1", port)).close()  # Windows reserves ports on which nothing listens
    except OSError as error:  # the engine may bind ports below 1024, even if you may not
        return os.name != "posix" or not isinstance(error, PermissionError)
    return False


ECHO = {"image": "x", "environment": {name: "${" + name + "-}" for name in DEFAULTS}}
ANSWER = ask("compose --file - config --format json", json.dumps({"services": {"echo": ECHO}}).encode())[0]
FOUND = json.loads(ANSWER)["services"]["echo"]["environment"] if ANSWER else KNOWN  # as Compose reads .env
SETTINGS = {name: (FOUND.get(name) or default).replace("$$", "$") for name, default in DEFAULTS.items()}
UID, GID = SETUP["owner"](FOLDER)
if not INSIDE and not TRANSLATED and "{HOST_UID} {HOST_GID}".format(**SETTINGS) == f"{os.geteuid()} {os.getegid()}":
    UID, GID = os.geteuid(), os.getegid()  # .env names you


def _docker() -> Findings:
    for tool, least in MINIMUM.items():
        answer, complaint = ask(SHOW.get(tool, "info --format {% raw %}{{.ServerVersion}}{% endraw %}"))
        have, want = ([int(number) for number in re.findall(r"\d+", text)[:2]] for text in (answer, least))
        if not shutil.which("docker"):
            return (yield "its command is missing.", "Install it: https://docs.docker.com/get-started/get-docker/")
        if "permission denied" in complaint.lower():
            yield "you may not use it.", "`sudo usermod -aG docker $USER`, then log out and in again."
        elif complaint and tool not in SHOW:
            yield complaint, "Start it; Linux: `sudo systemctl start docker`. `docker context ls` shows the one in use."
        elif complaint or (have and have < want):
            wrong = f"{tool} {least} or newer is needed; {answer.strip() or 'none'} is installed."
            yield wrong, "Update Docker: https://docs.docker.com/engine/install/"


def _env() -> Findings:
    if isinstance(FAULT, FileNotFoundError):
        return (yield "it is missing.", f"{RUN_SETUP} writes it.")
    if FAULT:
        return (yield f"{FAULT}.", "Correct that in an editor, and save it as UTF-8.")
    empty = [name for name, value in KNOWN.items() if name.endswith(("_TOKEN", "_PASSWORD")) and not value]
    if lacking := [name for name in SETTINGS if name not in KNOWN or name in empty]:
        yield f"it has no value for {', '.join(lacking)}.", f"{RUN_SETUP} adds what is missing and keeps the rest."
    mode, usual = ((FOLDER / name).stat().st_mode & 0o777 for name in (".env", "compose.yaml"))
    if not TRANSLATED and mode & 0o077 and usual != 0o777:  # without permissions, as on Windows, all files have 0o777
        yield "others can read the secrets in it.", "`chmod 600 .env`"
    rootless = not INSIDE and "name=rootless" in (INFO.get("SecurityOptions") or [])  # you are its containers' root
    for name, number in {"HOST_UID": 0 if rootless else UID, "HOST_GID": 0 if rootless else GID}.items():
        if SETTINGS[name] != str(number):
            yield f"{name} is {SETTINGS[name]} but should be {number}.", f"In .env, set {name}={number}."
    if not INSIDE and ask(SHOW["Docker Compose"])[0] and (complaint := ask("compose config --quiet")[1]):
        yield f"Compose refuses it or compose.yaml: {complaint}", "Correct what this names, in either file."


def _services() -> Findings:
    wanted = {name: value for name, value in SETTINGS.items() if name.endswith("_PORT")}
    containers = rows("compose ps --all")
    own = [each["PublishedPort"] for row in containers for each in row.get("Publishers") or []]
    for name, value in wanted.items():
        port = int(value) if re.fullmatch("[0-9]{1,5}", value) else 0
        if not 0 < port < 65536:
            wrong = f"{name} is {value}, which is not a port."
        elif (first := next(each for each in wanted if wanted[each] == value)) != name:
            wrong = f"{first} and {name} are both {value}."
        elif port not in own and busy(port):
            users = [f"the container {row['Names']}" for row in rows(f"ps --filter publish={port}")]
            wrong = f"Port {port} ({name}) is in use by {', '.join(users) or 'another program'}."
        else:
            continue
        free = next(each for each in range(8889, 65536) if str(each) not in wanted.values() and not busy(each))
        yield wrong, f"In .env, set {name} to a free port, such as {free}."
    for row in (each for each in containers if "oneoff=True" not in each["Labels"]):  # `run` has shown its own errors
        name, state, code = row["Service"], row["State"], row["ExitCode"]
        if row["Health"] == "unhealthy" or state in ("restarting", "dead"):
            yield f"{name} is {row['Health'] or state}.", f"`docker compose logs {name}` shows why."
        elif state == "exited" and code not in (0, 130, 143):  # 130 and 143: it was asked to stop
            memory = "; 137 often means too little MEMORY in .env" if code == 137 else ""
            yield f"{name} stopped with exit code {code}.", f"`docker compose logs {name}` shows why{memory}."


def _machine() -> Findings:
    cores, memory, cpus, gb = INFO["NCPU"], INFO["MemTotal"], SETTINGS["CPUS"], 2**30
    if not re.fullmatch("[1-9][0-9]*", cpus) or int(cpus) > cores:
        yield f"CPUS is {cpus}; it must be a whole number up to {cores}.", f"In .env, set CPUS={cores}."
    size = re.fullmatch(r"(\d+(?:\.\d+)?)([kmgt]?)i?b?", limit := SETTINGS["MEMORY"].lower())
    needed = max(2, float(size[1]) * 1024 ** (" kmgt".index(size[2] or " ") - 3) * 0.9 if size else 0)
    if memory / gb < needed:  # 4 GB as sold shows less
        wrong = f"Docker has {memory / gb:.1f} GB of memory; the lab needs 2 GB, and MEMORY is {limit}."
        yield wrong, f"In .env, set MEMORY={memory // gb}g; with Docker Desktop, give it more: Settings, Resources."
    disks = [FOLDER, Path(INFO.get("DockerRootDir", "/"))]  # the engine's may be in a virtual machine
    free, path = min((shutil.disk_usage(path).free / gb, path) for path in disks if path.exists())
    if free < 5:
        yield f"{path} has {free:.1f} GB free; 5 GB are needed.", "Delete files there, or run `docker builder prune`."


def _files() -> Findings:
    for name in (SETTINGS["DATA_FOLDER"], "models", "reports"):
        path = Path(FOLDER, Path(name).expanduser()).resolve()
        seen = not INSIDE or FOLDER in path.parents  # a container cannot see other folders
        if seen and not (os.access(path, os.F_OK) and path.is_dir()):
            yield f"{name} is missing.", f"`mkdir {name}`, or correct DATA_FOLDER in .env."
        elif seen and name in ("models", "reports") and not path.stat().st_mode & 0o200 and not TRANSLATED:
            yield f"{name} is read-only.", f"`chmod u+w {name}`"
    paths = (Path(folder, name) for folder, _, files in os.walk(FOLDER) for name in (".", *files))
    if found := [path for path in paths if os.path.lexists(path) and path.lstat().st_uid != UID and not TRANSLATED]:
        some = ", ".join(path.relative_to(FOLDER).as_posix() for path in found[:3]) + ", ..." * (len(found) > 3)
        yield f"{len(found)} of them belong to another user: {some}", f"In this folder, `sudo chown -R {UID}:{GID} .`"


SEEN = {"NCPU": os.cpu_count(), "MemTotal": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")} if INSIDE else {}
INFO: dict = next(iter(rows("info")), SEEN)  # what the engine says of itself, or what is seen inside a container
CHECKS = [("Docker", not INSIDE, _docker), (".env", True, _env), ("ports and containers", not INSIDE, _services)]
CHECKS += [("cores, memory and disk", bool(INFO), _machine), ("files", True, _files)]


#% for fragment in cookiecutter | fragments('doctor.py')
{% include fragment %}


#% endfor
def show(mark: str, text: str) -> None:
    """Print a line of the report, wrapped to 80 columns; a `command` stays whole."""
    text = re.sub(r"`[^`]+`", lambda match: match[0].replace(" ", "\0"), text)
    wrap = textwrap.TextWrapper(80, mark, " " * len(mark), break_long_words=False, break_on_hyphens=False)
    print(wrap.fill(text).replace("\0", " ").encode("ascii", "backslashreplace").decode())  # on any console


def main() -> int:
    """Make each check, print what it finds, and return the exit code."""
    wrong, hint = 0, "\nOutside containers, python3 docker/doctor.py also checks Docker and ports." * INSIDE
    for title, possible, function in CHECKS:
        findings = list(function()) if possible else []
        if not findings:
            show(*("ok  ", title) if possible else ("--  ", f"{title}: cannot be checked from here"))
        for problem, remedy in findings:
            show("!!  ", f"{title}: {problem}")
            show("    -> ", remedy)
        wrong += len(findings)
    print(f"\n{wrong or 'No'} problem{'s' * (wrong != 1)} found.{hint}")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
