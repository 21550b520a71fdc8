"""Find what keeps this project from running on this machine, and say how to fix it: `python3 docker/doctor.py`.

Standard library only, of Python 3.9 or newer. The service `doctor` adds --inside: it sees neither Docker nor ports.
"""

import base64
import json
import os
import re
import runpy
import shutil
import ssl
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from subprocess import TimeoutExpired, run
from urllib.error import HTTPError
from urllib.parse import SplitResult, unquote, urlsplit
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

MINIMUM = {{ cookiecutter._versions.minimum | tojson }}
SHOW = {"Docker Compose": "compose version --short", "buildx": "buildx version"}  # else the engine's own version
FOLDER = Path(__file__).resolve().parent.parent
SETUP = runpy.run_path(str(FOLDER / "docker/setup.py"))  # it reads .env, and knows owners and ports
INSIDE, TRANSLATED = "--inside" in sys.argv[1:], SETUP["TRANSLATED"]
RUN_SETUP = "`docker compose --env-file .env.example run --rm setup`"
DEFAULTS = SETUP["settings"](SETUP["read"](FOLDER / ".env.example"))  # of empty settings
KNOWN, TEXT, FAULT = dict(os.environ), "", ("", "")
try:
    TEXT = SETUP["read"](FOLDER / ".env")
    KNOWN = {**SETUP["settings"](TEXT), **KNOWN}
except FileNotFoundError:
    FAULT = "it is missing.", f"{RUN_SETUP} writes it."
except OSError as error:
    FAULT = f"it cannot be read: {error.strerror}.", "It must be a file, and yours."
except ValueError as error:
    FAULT = f"{error}.", "Correct that in an editor, and save it as UTF-8."
SETTINGS = {name: KNOWN.get(name) or default for name, default in DEFAULTS.items()}
UID, GID = SETUP["owner"](FOLDER)
if not INSIDE and not TRANSLATED and "{HOST_UID} {HOST_GID}".format(**SETTINGS) == f"{os.geteuid()} {os.getegid()}":
    UID, GID = os.geteuid(), os.getegid()  # .env names you
#% if cookiecutter | own_volumes
CHOWN = "After `docker compose down`, `docker compose run --rm chown` gives the volumes' files to the ids in .env."
#% else
CHOWN = ""
#% endif
LABEL = "com.docker.compose.project.working_dir"  # of a container: the folder with its compose.yaml
FROM = rf"{LABEL}=([^,]*)"
KEYS = {  # of inputs on other machines
    "s3": ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
    "gs": ["GOOGLE_SERVICE_ACCOUNT_KEY"],
    "az": ["AZURE_STORAGE_ACCOUNT_NAME"],
}
LOGIN = "USER:PASSWORD"  # apart from an address, where the check before a commit takes it for a real one
AUTHORITIES = FOLDER / "docker/ca.crt"  # of an organisation
Findings = Iterator[tuple[str, str]]  # what is wrong, and its remedy


def ask(command: str, sent: bytes = b"") -> tuple[str, str]:
    """Return what a docker command answers, or nothing and its complaint."""
    try:
        done = run(["docker", *command.split()], cwd=FOLDER, input=sent, capture_output=True, timeout=30, check=False)
    except (OSError, TimeoutExpired):
        return "", f"`docker {command.split()[0]}` does not answer"
    if done.returncode == 0:
        return done.stdout.decode(errors="replace"), ""
    complaint = done.stderr.decode(errors="replace") or "it fails without a reason"
    return "", textwrap.shorten(complaint, 200, placeholder=" ...")


def rows(command: str) -> list[dict]:
    """Return what a docker command answers as JSON, an object a line; none if it fails, or is Podman's."""
    return [json.loads(line) for line in ask(f"{command} --format json")[0].splitlines() if re.match("{.*}$", line)]


def _docker() -> Findings:
    if "podman" in ask("version")[0].lower():
        return (yield "this is Podman, which cannot build or start this project.", "Install Docker Engine or Desktop.")
    for tool, least in MINIMUM.items():
        answer, complaint = ask(SHOW.get(tool, "info --format {% raw %}{{.ServerVersion}}{% endraw %}"))
        have, want = ([int(number) for number in re.findall(r"\d+", text)[:2]] for text in (answer, least))
        if not shutil.which("docker"):
            return (yield "its command is missing.", "Install it: https://docs.docker.com/get-started/get-docker/")
        if "permission denied" in complaint.lower():
            yield "you may not use it.", "`sudo usermod -aG docker $USER`, then log out and in again."
        elif complaint and tool not in SHOW:
            start = "Linux: `sudo systemctl start docker`; if it is rootless: `systemctl --user start docker`."
            yield complaint, f"Start it. {start} `docker context ls` shows the one in use."
        elif complaint or (have and have < want):
            wrong = f"{tool} {least} or newer is needed; {answer.strip() or 'none'} is installed."
            yield wrong, "Update Docker: https://docs.docker.com/engine/install/"


def _env() -> Findings:
    if FAULT[0]:
        return (yield FAULT)
    for entry in SETUP["entries"]("" if INSIDE else TEXT):  # inside, variables of the host are not set
        if entry.dollar:
            yield f"line {entry.line}: Compose changes or drops a $ in the value.", "Put the value into single quotes."
    empty = SETUP["empty"](KNOWN)
    if lacking := [name for name in SETTINGS if name not in KNOWN or name in empty]:
        yield f"it has no value for {', '.join(lacking)}.", f"{RUN_SETUP} adds what is missing and keeps the rest."
    mode, usual = ((FOLDER / name).stat().st_mode & 0o777 for name in (".env", "compose.yaml"))
    if not TRANSLATED and mode & 0o077 and usual != 0o777:  # without permissions, as on Windows, all files have 0o777
        yield "others can read the secrets in it.", "`chmod 600 .env`"
    rootless = not INSIDE and "name=rootless" in (INFO.get("SecurityOptions") or [])  # you are its containers' root
    uid, gid = (0, 0) if rootless else (UID, GID)
    ids, now = SETUP["IDS"].format(HOST_UID=uid, HOST_GID=gid), SETUP["IDS"].format(**SETTINGS)
    if ids != now and (INSIDE or INFO):  # an engine that does not answer can be rootless
        yield f"it says {now}.", f"In .env, set {ids}. {CHOWN}"
    if not INSIDE and ask(SHOW["Docker Compose"])[0] and ask("compose config --quiet")[1]:  # which can show a secret
        yield "Compose refuses it or compose.yaml.", "`docker compose config --quiet` shows why. Correct what it names."


def _input() -> Findings:
    kind = SETTINGS["PIPELINE_INPUT"].partition("://")[0]
    if kind in ("s3", "gs", "az", "https") and SETTINGS["OUTBOUND"] != "true":
        wrong = "PIPELINE_INPUT is on another machine, and OUTBOUND lets only JupyterLab reach those."
        yield wrong, "In .env, set OUTBOUND=true, then run `docker compose down`."
    if lacking := [name for name in KEYS.get(kind, []) if not KNOWN.get(name)]:
        wrong = f".env has no {' and no '.join(lacking)}, so PIPELINE_INPUT can only be one that is public."
        yield wrong, "In .env, set what its owner gave you."


def reach(url: SplitResult) -> str:
    """Ask a package index, with its login, through the proxy in .env; return what is wrong: a status, or a reason."""
    login, _, host = url.netloc.rpartition("@")
    request = Request(url._replace(netloc=host).geturl())
    if login:
        request.add_header("Authorization", f"Basic {base64.b64encode(unquote(login).encode()).decode()}")
    named = {scheme: KNOWN.get(f"{scheme.upper()}_PROXY") for scheme in ("http", "https")}
    near = [each.strip().lstrip("*.") for each in KNOWN.get("NO_PROXY", "").split(",")]
    direct = any(each and (url.hostname or "").endswith(each) for each in near)
    proxy = ProxyHandler({scheme: address for scheme, address in named.items() if address and not direct})
    trust = ssl.create_default_context()
    try:
        if AUTHORITIES.exists():
            trust.load_verify_locations(AUTHORITIES)
        build_opener(proxy, HTTPSHandler(context=trust)).open(request, timeout=15).close()
    except HTTPError as error:
        return str(error.code)
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        return "certificate" if isinstance(reason, ssl.SSLCertVerificationError) else str(reason)
    return ""


def _sources() -> Findings:
    for name in ("PACKAGE_INDEX", "EXTRA_INDEX"):
        try:
            url = urlsplit(KNOWN.get(name, ""))
        except ValueError as error:
            yield f"{name} is not an address: {error}.", "Correct it in .env."
            continue
        host, wrong = url.netloc.rpartition("@")[2], reach(url) if url.netloc else ""
        if wrong in ("401", "403"):
            asks = "refuses the login" if "@" in url.netloc else "asks for a login"
            yield f"{name}: {host} {asks}.", f"In .env, set {name}={url.scheme}://{LOGIN}@{host}{url.path}"
        elif wrong == "certificate":
            wrong = f"{name}: the certificate of {host} is not trusted."
            yield wrong, "Add the authority that signed it to docker/ca.crt, in PEM form, and build again."
        elif wrong and wrong != "404":  # of an index that has no start page
            yield f"{name}: {host} does not answer ({wrong}).", "Correct it in .env, or set HTTPS_PROXY there."
    dockerfile = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
    for image, stage in re.findall(r"(?m)^FROM (\S+) AS (\w+_image)$", dockerfile):
        name = stage.upper()
        image = KNOWN.get(name) or image
        host = image.partition("/")[0]
        if re.search("[.:]", host) and "/" in image and not ask(f"image inspect {image}")[0]:
            complaint = ask(f"buildx imagetools inspect {image}")[1]
            if re.search("(?i)authoriz|denied|forbidden", complaint):
                yield f"{host} does not let you have {image}.", f"`docker login {host}`"
            elif complaint:
                yield f"{image} cannot be had: {complaint}", f"Correct {name} in .env, or the network."


def _services() -> Findings:
    wanted = {name: value for name, value in SETTINGS.items() if name.endswith("_PORT")}
    containers = rows("compose ps --all")
    own = [str(each["PublishedPort"]) for row in containers for each in row.get("Publishers") or []]
    copies = [Path(path) for row in containers for path in re.findall(FROM, row["Labels"]) if Path(path).is_dir()]
    if other := next((path for path in copies if not path.samefile(FOLDER)), None):
        wrong = f"{other} has the same COMPOSE_PROJECT_NAME, so that each takes the other's containers and volumes."
        yield wrong, f"In .env, set COMPOSE_PROJECT_NAME={SETUP['PROJECT']}-{os.urandom(2).hex()}, and other ports."
    for name, value in wanted.items():
        if (first := next(each for each in wanted if wanted[each] == value)) != name:
            wrong = f"{first} and {name} are both {value}."
        elif value not in own and value in map(str, range(65536)) and SETUP["busy"](int(value)):
            found = rows(f"ps --filter publish={value}")
            users = [" of ".join([f"the container {row['Names']}", *re.findall(FROM, row["Labels"])]) for row in found]
            wrong = f"Port {value} ({name}) is in use by {', '.join(users) or 'another program'}."
        else:
            continue
        free = next(each for each in range(8889, 65536) if str(each) not in wanted.values() and not SETUP["busy"](each))
        wanted[name] = str(free)  # so that the next one is another
        yield wrong, f"In .env, set {name} to a free port, such as {free}."
    events = [row["Actor"]["Attributes"] for row in rows("events --since 1h --until 0s --filter event=oom")]
    killed = {each["com.docker.compose.service"] for each in events if each.get(LABEL) == str(FOLDER)}
    for name in sorted(killed):
        wrong = f"{name} ran out of memory in the last hour; MEMORY is {SETTINGS['MEMORY']}."
        yield wrong, "In .env, set a higher MEMORY, then `docker compose up --wait`; or use less data."
    for row in containers:
        name, state, code, health = (row[key] for key in ("Service", "State", "ExitCode", "Health"))
        if "oneoff=True" in row["Labels"] or name in killed:  # `run` has shown its own errors
            continue
        count = "inspect --format {% raw %}{{.RestartCount}}{% endraw %} " + row["ID"]
        restarts = health != "healthy" and ask(count)[0].strip() not in ("", "0")
        if state in ("exited", "dead") and code not in (0, 130, 143):  # 130 and 143: it was asked to stop
            wrong = f"{name} stopped with exit code {code}{', often for lack of MEMORY' * (code == 137)}."
        elif restarts or health == "unhealthy":
            wrong = f"{name} {'keeps restarting' if restarts else 'is unhealthy'}."
        else:
            continue
        denied = "ermission denied" in ask(f"compose logs --tail 99 {name}")[0]
        # the volumes' owner is another one after a change of HOST_UID
        yield wrong, (denied and CHOWN) or f"`docker compose logs {name}` shows why."


def _machine() -> Findings:
    cores, memory, cpus, gb = INFO["NCPU"], INFO["MemTotal"], SETTINGS["CPUS"], 2**30
    if not re.fullmatch("[1-9][0-9]{0,5}", cpus) or int(cpus) > cores:
        yield f"CPUS is {cpus}; it must be a whole number up to {cores}.", f"In .env, set CPUS={cores}."
    if missing := [each for each in ("CpuCfsQuota", "MemoryLimit", "PidsLimit") if INFO.get(each) is False]:
        wrong = f"Docker cannot enforce the limits of compose.yaml, as it lacks {', '.join(missing)}."
        remedy = "https://docs.docker.com/engine/security/rootless/tips/#limiting-resources shows how it can."
        yield wrong, f"{remedy} Until then, if `up` complains of NanoCPUs, write `cpus: 0` in compose.yaml."
    size = re.fullmatch(r"(\d+(?:\.\d+)?)([kmgt]?)i?b?", limit := SETTINGS["MEMORY"].lower())
    needed = max(2, float(size[1]) * 1024 ** (" kmgt".index(size[2] or " ") - 3) * 0.9 if size else 0)
    if memory / gb < needed:  # 4 GB as sold shows less
        wrong = f"Docker has {memory / gb:.1f} GB of memory; the lab needs 2 GB, and MEMORY is {limit}."
        yield wrong, f"In .env, set MEMORY={memory // gb}g; with Docker Desktop, give it more: Settings, Resources."
    disks = [FOLDER, Path(INFO.get("DockerRootDir", "/"))]  # the engine's may be in a virtual machine
    free, path = min((shutil.disk_usage(path).free / gb, path) for path in disks if path.exists())
    built = INSIDE or ask("compose images --quiet")[0]  # what is built has its room; inside, nobody can tell
    if free < (needed := 2 if built else {{ cookiecutter._lab_images[cookiecutter.dev_image].disk | default(12) }}):
        yield f"{path} has {free:.1f} GB free; {needed} GB are needed.", "Delete files, or run `docker builder prune`."


def _files() -> Findings:
    for name in (SETTINGS["DATA_FOLDER"], "models", "reports"):
        path = Path(os.path.realpath(FOLDER / re.sub("^~", lambda _: str(Path.home()), name)))
        seen = not INSIDE or FOLDER in path.parents  # a container cannot see other folders
        if seen and not (os.access(path, os.F_OK) and path.is_dir()):
            wrong_name = "" if name in ("models", "reports") else ", or correct DATA_FOLDER in .env"
            yield f"{name} is missing.", f"`mkdir {name}`{wrong_name}."
        elif seen and name in ("models", "reports") and not path.stat().st_mode & 0o200 and not TRANSLATED:
            yield f"{name} is read-only.", f"`chmod u+w {name}`"
    paths = (Path(folder, name) for folder, _, files in os.walk(FOLDER) for name in (".", *files))
    others = [path for path in paths if os.path.lexists(path) and path.lstat().st_uid != UID and not TRANSLATED]
    # a hard link is in another folder too, such as a Git object of a local clone: that owner stays
    if found := [path for path in others if path.is_dir() or path.lstat().st_nlink == 1]:
        some = ", ".join(path.relative_to(FOLDER).as_posix() for path in found[:3]) + ", ..." * (len(found) > 3)
        command = rf"sudo find . ! -user {UID} \( -type d -o -links 1 \) -exec chown -h {UID}:{GID} " + "{} +"
        yield f"{len(found)} of them belong to another user: {some}", f"In this folder, `{command}`"


def _update() -> Findings:
    for folder, folders, names in os.walk(FOLDER):
        folders[:] = [each for each in folders if each not in (".git", ".venv", "data", "models", "reports")]
        for path in (Path(folder, name) for name in names):
            name = path.relative_to(FOLDER).as_posix()
            if path.suffix == ".rej":
                yield f"{name} has changes that an update could not make.", "Make them by hand, then delete that file."
            elif os.access(path, os.R_OK) and path.is_file() and path.stat().st_size < 10**6:
                before, marker, _ = (b"\n" + path.read_bytes()).partition(b"\n<<<<<<< ")
                if marker:
                    wrong = f"{name} has two versions of the same lines, at line {before.count(10) + 1}."
                    locks = name.startswith("requirements/")
                    yield wrong, "`docker compose run --rm lock`" if locks else "docs/updating.md shows what to keep."


SEEN = {"NCPU": os.cpu_count(), "MemTotal": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")} if INSIDE else {}
INFO: dict = next(iter(rows("info")), SEEN)  # what the engine says of itself, or what is seen inside a container
CHECKS = [
    ("Docker", not INSIDE, _docker),
    (".env", True, _env),
    ("input", not FAULT[0], _input),
    ("package indexes and base images", not INSIDE, _sources),
    ("ports and containers", not (INSIDE or FAULT[0]), _services),
    ("cores, memory and disk", bool(INFO), _machine),
    ("files", True, _files),
    ("what an update left", True, _update),
]


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
    wrong = 0
    for title, possible, function in CHECKS:
        findings = list(function()) if possible else []
        if not findings:
            show(*("ok  ", title) if possible else ("--  ", f"{title}: cannot be checked from here"))
        for problem, remedy in findings:
            show("!!  ", f"{title}: {problem}")
            show("    -> ", remedy)
        wrong += len(findings)
    print(f"\n{wrong or 'No'} problem{'s' * (wrong != 1)} found.")
    print("Outside containers, python3 docker/doctor.py also checks Docker and ports.\n" * INSIDE, end="")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
