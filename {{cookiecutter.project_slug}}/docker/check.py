"""Check that this project still meets its standard: `python3 docker/check.py`; with --format, as json or sarif.

Standard library only, of Python 3.11 or newer. It asks Docker Compose what the services are; where that is elsewhere,
--compose - reads the output of `docker compose --env-file .env.example --profile "*" config --format json`.
What is accepted is in pyproject.toml, with its reason and its last day:

    [[tool.check.accepted]]
    check = "ports-local"
    reason = "the team's server has a firewall"
    until = 2027-06-30
"""

import argparse
import datetime
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).resolve().parent.parent
NOT_READ = (ValueError, LookupError)  # what comes of other files than these
CONFIG = ["docker", "compose", "--env-file", ".env.example", "--profile", "*", "config", "--format", "json"]
MIRROR = "{{ cookiecutter._organisation.image_prefix }}"  # where images must come from, if anywhere
LABELS: list[str] = {{ cookiecutter._organisation.image_labels | list | tojson }}  # that images must have
#% set bases = cookiecutter | brought('base')
ENDS = {  # what an image's name says, and the last day of its fixes
#% for name, day in cookiecutter._versions.end_of_life.items() if name.startswith('python:') or ':' not in name or name in bases
    "{{ name }}": "{{ day }}",
#% endfor
}
Found = Iterator[tuple[str, int, str]]  # file, line, what is wrong


class Project(NamedTuple):
    """What the checks look at."""

    dockerfile: list[str]
    services: dict
    document: dict  # pyproject.toml


def images_pinned(project: Project) -> Found:
    """An image without a version changes while nobody looks. -> Write a tag or a digest, and your mirror, if any."""
    stages = [line.split()[-1] for line in project.dockerfile if line.startswith("FROM ")]
    for number, line in enumerate(project.dockerfile, 1):
        image = re.match(r"FROM ([^\s$]+)|ARG \w+_IMAGE=(\S+)", line)
        name = image and (image[1] or image[2])
        if name and name not in stages:
            yield from _image("Dockerfile", number, name)
    for name, service in project.services.items():
        if "build" not in service:
            yield from _image("compose.yaml", _line(name), service.get("image", ""))


def versions_supported(project: Project) -> Found:
    """Unsupported versions get no security fixes. -> Take a newer one: docs/updating.md, docs/newer-versions.md."""
    today = datetime.date.today().isoformat()
    for number, line in enumerate(project.dockerfile, 1):
        for name, day in ENDS.items():
            if re.match("(FROM|ARG) ", line) and name in line and day < today:
                yield "Dockerfile", number, f"{name} got its last fixes on {day}"


def production_unprivileged(project: Project) -> Found:
    """A process that is root can do more harm. -> End the stage `process` with USER 1000:1000."""
    users = [line.split()[1] for line in project.dockerfile[_stage(project, "process") :] if line.startswith("USER ")]
    if not users or users[-1].partition(":")[0] in ("0", "root"):
        yield "Dockerfile", _stage(project, "process") + 1, "the production image runs as root"


def services_confined(project: Project) -> Found:
    """A service needs no rights on the machine. -> Give it `<<: *service`, as the others have."""
    for name, service in project.services.items():
        lacking = [
            *(["cap_drop: [ALL]"] if service.get("cap_drop") != ["ALL"] else []),
            *(["no-new-privileges"] if "no-new-privileges:true" not in service.get("security_opt", []) else []),
            *(key for key in ("mem_limit", "pids_limit") if not service.get(key)),
        ]
        if lacking:
            yield "compose.yaml", _line(name), f"{name} lacks {', '.join(lacking)}"
        mounted = [each.get("source", "") for each in service.get("volumes", [])]
        if service.get("privileged") or any(each.endswith("docker.sock") for each in mounted):
            yield "compose.yaml", _line(name), f"{name} may do everything on the machine"


def ports_local(project: Project) -> Found:
    """A port on all addresses is open to the network. -> Publish it on ${BIND_ADDRESS:-127.0.0.1}."""
    for name, service in project.services.items():
        for port in service.get("ports", []):
            if port.get("host_ip") != "127.0.0.1":
                wrong = f"{name} publishes port {port.get('published', port['target'])} to everybody"
                yield "compose.yaml", _line(name), wrong


def secrets_untracked(project: Project) -> Found:
    """What is in Git is everybody's, for ever. -> Take it out of Git, and make the secret anew."""
    for file in _git("ls-files").splitlines():
        if re.search(r"(^|/)(\.env(\.(?!example$).*)?|id_\w+|.*\.(pem|key|p12|pfx))$", file):
            yield file, 1, "Git has a file that holds secrets"


def packages_locked(project: Project) -> Found:
    """A package without a version and a hash can be another one tomorrow. -> Run `docker compose run --rm lock`."""
    groups = {
        "process": project.document["project"].get("dependencies", []),
        "lab": project.document.get("dependency-groups", {}).get("lab", []),
    }
    for lock, wanted in groups.items():
        file = f"requirements/{lock}.txt"
        text = (FOLDER / file).read_text(encoding="utf-8") if (FOLDER / file).exists() else ""
        blocks = re.split(r"(?m)^(?=\w)", text)
        have = {re.split(r"[=\[ ]", block)[0].lower() for block in blocks}
        for line in (each for each in wanted if isinstance(each, str)):  # the others name groups
            name = re.split(r"[^\w.-]", line)[0].lower().replace("_", "-").replace(".", "-")
            if name not in have:
                yield file, 1, f"{name} is in pyproject.toml, but not locked"
        for block in blocks:
            if "==" in block.partition("\n")[0] and "--hash=sha256:" not in block:
                yield file, text.count("\n", 0, text.index(block)) + 1, f"{block.split()[0]} has no hash"


def commits_checked(project: Project) -> Found:
    """Checks before a commit keep secrets and large files out. -> Restore the hook in .pre-commit-config.yaml."""
    file = FOLDER / ".pre-commit-config.yaml"
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    for hook in ("secrets", "large-files", "conflicts"):
        if not re.search(rf"(?m)^ +- id: {hook}$", text):
            yield file.name, 1, f"the check {hook} is missing"


def template_known(project: Project) -> Found:
    """A project without a template gets none of its fixes. -> Take .cruft.json back from Git: it has your answers."""
    if not (FOLDER / ".cruft.json").exists():
        yield ".cruft.json", 1, "the project does not know its template"


def updates_finished(project: Project) -> Found:
    """A file with both versions of a line does not work. -> Keep what you need of both, as docs/updating.md shows."""
    found = _git("grep", "-InE", "^(<<<<<<<|>>>>>>>) ")
    for file, number, text in re.findall(r"(?m)^(.+?):(\d+):(.+)$", found):
        yield file, int(number), f"an update has left {text}"


def images_labelled(project: Project) -> Found:
    """Labels tell whose image it is. -> Restore them in the Dockerfile."""
    for label in LABELS:
        if not any(line.startswith(f"LABEL {label}=") for line in project.dockerfile):
            yield "Dockerfile", 1, f"the label {label} is missing"


CHECKS = {
    check.__name__.replace("_", "-"): check
    for check in (
        images_pinned,
        versions_supported,
        images_labelled,
        production_unprivileged,
        services_confined,
        ports_local,
        secrets_untracked,
        packages_locked,
        commits_checked,
        template_known,
        updates_finished,
    )
}


def _image(file: str, line: int, name: str) -> Found:
    """Say what is wrong with the name of an image."""
    if not re.search(r":(?!latest)[\w][^/]*$", name):
        yield file, line, f"{name} has no version"
    if not name.startswith(MIRROR):
        yield file, line, f"{name} is not from {MIRROR}"


def _stage(project: Project, name: str) -> int:
    """Return the line, from 0, at which a stage begins, or the last line."""
    found = (number for number, line in enumerate(project.dockerfile) if re.match(rf"FROM \S+ AS {name}$", line))
    return next(found, len(project.dockerfile) - 1)


def _line(service: str) -> int:
    """Return the number of the line of compose.yaml at which a service begins, or 1."""
    lines = (FOLDER / "compose.yaml").read_text(encoding="utf-8").splitlines()
    return next((number for number, line in enumerate(lines, 1) if line.startswith(f"  {service}:")), 1)


def _git(*question: str) -> str:
    """Return what Git answers, or nothing where it is missing."""
    try:
        return subprocess.run(["git", *question], cwd=FOLDER, capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""


def read(compose: str) -> Project:
    """Read the project; exit with a sentence if something cannot be read."""
    try:
        import tomllib
    except ImportError:
        sys.exit("docker/check.py needs Python 3.11 or newer.")
    try:
        text = sys.stdin.read() if compose == "-" else subprocess.run(CONFIG, cwd=FOLDER, capture_output=True).stdout
        document = tomllib.loads((FOLDER / "pyproject.toml").read_text(encoding="utf-8"))
        dockerfile = (FOLDER / "Dockerfile").read_text(encoding="utf-8").splitlines()
        return Project(dockerfile, json.loads(text)["services"], document)
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}.")
    except NOT_READ:
        sys.exit("pyproject.toml is not TOML, or Compose refuses compose.yaml: `docker compose config` shows why.")


def accepted(document: dict) -> dict[str, dict]:
    """Return what is accepted, by check; exit with a sentence if an entry is not complete or its day is over."""
    found = {}
    for entry in document.get("tool", {}).get("check", {}).get("accepted", []):
        name, until = entry.get("check"), entry.get("until")
        if name not in CHECKS or not entry.get("reason") or not isinstance(until, datetime.date):
            needed = f"check (one of {', '.join(CHECKS)}), reason, and until, a date"
            sys.exit(f"pyproject.toml: each [[tool.check.accepted]] needs {needed}.")
        if until >= datetime.date.today():
            found[name] = entry
    return found


def sarif(findings: list[dict]) -> dict:
    """Return the findings in the form that code scanning reads."""
    rules = [{"id": name, "fullDescription": {"text": check.__doc__}} for name, check in CHECKS.items()]
    results = [
        {
            "ruleId": each["check"],
            "level": "error",
            "message": {"text": f"{each['wrong']}. {each['remedy']}"},
            "locations": [
                {"physicalLocation": {"artifactLocation": {"uri": each["file"]}, "region": {"startLine": each["line"]}}}
            ],
            "suppressions": [{"kind": "external", "justification": each["accepted"]}] if each["accepted"] else [],
        }
        for each in findings
    ]
    run = {"tool": {"driver": {"name": "check", "rules": rules}}, "results": results}
    return {"version": "2.1.0", "$schema": "https://json.schemastore.org/sarif-2.1.0.json", "runs": [run]}


def main() -> int:
    """Make each check, show what it finds, and return 1 if something is not accepted."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--format", choices=("table", "json", "sarif"), default="table")
    parser.add_argument("--compose", default="", metavar="-", help="read what Compose says from the standard input")
    options = parser.parse_args()
    project = read(options.compose)
    known, findings = accepted(project.document), []
    for name, check in CHECKS.items():
        why, _, remedy = (check.__doc__ or "").partition(" -> ")
        reason = f"{known[name]['reason']}, until {known[name]['until']}" if name in known else ""
        about = {"check": name, "why": why, "remedy": remedy, "accepted": reason}
        found = [about | {"file": file, "line": line, "wrong": wrong} for file, line, wrong in check(project)]
        findings += found
        if options.format == "table":
            print("--" if reason else "!!" if found else "ok", f" {name}{f': accepted, as {reason}' if reason else ''}")
            for each in found:
                print(f"      {each['file']}:{each['line']}: {each['wrong']}.")
            print(f"      {why}\n      -> {remedy}\n" if found and not reason else "", end="")
    if options.format != "table":
        print(json.dumps(sarif(findings) if options.format == "sarif" else findings, indent=2, default=str))
    return int(any(not each["accepted"] for each in findings))


if __name__ == "__main__":
    sys.exit(main())
