"""A project's own check of its standard finds each breach, and nothing in a new project."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from programs import commit_all, run
from template import CHOICES, covering, name, variants

pytestmark = pytest.mark.usefixtures("compose_client")


@pytest.fixture
def made(bake, tmp_path) -> Path:
    """Return the default project in Git, which knows its template."""
    return copy(bake().path, tmp_path)


def copy(project: Path, folder: Path) -> Path:
    """Return a copy of a project, committed."""
    made = Path(shutil.copytree(project, folder / "made"))
    (made / ".cruft.json").write_text("{}")
    commit_all(made)
    return made


def check(made: Path, *options: str, code: int = 0) -> str:
    """Return what the check says."""
    return run(made, "python3", "docker/check.py", *options, code=code)


@pytest.mark.parametrize("variant", covering(variants(), list(CHOICES), together=1), ids=name)
def test_a_new_project_meets_its_standard(bake, tmp_path, variant) -> None:
    said = check(copy(bake(**variant).path, tmp_path))
    assert {line.split()[0] for line in said.splitlines()} == {"ok"}


def write(file: str, old: str, new: str) -> Callable[[Path], None]:
    """Return what puts a breach into a file."""

    def change(made: Path) -> None:
        text = (made / file).read_text()
        found = re.search(old, text, re.MULTILINE)
        assert found, old
        (made / file).write_text(text[: found.start()] + new + text[found.end() :])

    return change


PYTHON, USER = r"(?<=^FROM )\S+(?= AS python_image)", r"^USER 1000:1000$(?=\nCOPY src)"
OLD = f"python:{CHOICES['python_version'][0]}"
SOCKET = ", /var/run/docker.sock:/x"
BREACHES = {
    "no version": (
        write("Dockerfile", PYTHON, "python"),
        "images-pinned",
        "python has no version",
    ),
    "latest": (
        write("Dockerfile", PYTHON, "a.example:5000/x:latest"),
        "images-pinned",
        "a.example",
    ),
    "a service's latest": (
        write("compose.yaml", r"^services:\n", "services:\n  mine:\n    <<: *service\n    image: redis\n"),
        "images-pinned",
        "redis has no version",
    ),
    "no mirror": (
        write("docker/check.py", r'(?<=^MIRROR = ").*(?=")', "a.example/"),
        "images-pinned",
        "is not from a.example/",
    ),
    "no label": (
        write("docker/check.py", r"(?<=^LABELS: list\[str\] = )\[.*\]", '["org.example.other"]'),
        "images-labelled",
        "the label org.example.other is missing",
    ),
    "an update's two versions": (
        write("Makefile", r"\Z", "<<<<<<< ours\na\n=======\nb\n>>>>>>> theirs\n"),
        "updates-finished",
        "an update has left <<<<<<< ours",
    ),
    "a file with a colon": (
        lambda made: (made / "a:b").write_text("<<<<<<< ours\n"),
        "updates-finished",
        "a:b:1: an update has left <<<<<<< ours",
    ),
    "past its end": (
        write("docker/check.py", rf'(?<="{OLD}": ")[\d-]+', "2020-01-01"),
        "versions-supported",
        f"{OLD} got its last fixes on 2020-01-01",
    ),
    "root": (
        write("Dockerfile", USER, "USER 0"),
        "production-unprivileged",
        "runs as root",
    ),
    "rights": (
        write("compose.yaml", r"^services:\n", "services:\n  mine:\n    build: .\n    privileged: true\n"),
        "services-confined",
        "mine lacks cap_drop: [ALL], no-new-privileges, mem_limit, pids_limit",
    ),
    "socket": (
        write("compose.yaml", r"(?<=    volumes: \[\*folder, \*hidden, \*data)(?=, )", SOCKET),
        "services-confined",
        "lab may do everything on the machine",
    ),
    "port": (write("compose.yaml", r"\$\{BIND_ADDRESS:-127.0.0.1\}:", ""), "ports-local", "lab publishes port"),
    "secret": (write(".gitignore", r"^\.env\n\.env\.\*", ""), "secrets-untracked", ".env:1: Git has a file"),
    "no lock": (
        write("pyproject.toml", r"^dependencies = \[", 'dependencies = ["six",'),
        "packages-locked",
        "six is in",
    ),
    "no hash": (write("requirements/lab.txt", r"\Z", "six==1.0\n"), "packages-locked", "six==1.0 has no hash"),
    "no hook": (write(".pre-commit-config.yaml", r"id: secrets", "id: none"), "commits-checked", "the check secrets"),
    "no template": (lambda made: (made / ".cruft.json").unlink(), "template-known", "does not know its template"),
}


@pytest.mark.parametrize("breach", BREACHES)
def test_each_breach_is_found_with_its_reason_and_remedy(made, breach) -> None:
    change, identifier, wrong = BREACHES[breach]
    change(made)
    run(made, "git", "add", "--all")
    said = check(made, code=1)
    assert re.findall(r"^!!  (\S+)$", said, re.MULTILINE) == [identifier]
    assert wrong in said
    assert re.search(rf"^!!  {identifier}\n(      \S+:\d+: .+\n)+      \S.+\n      -> \S", said, re.MULTILINE)


def test_a_group_of_packages_can_include_another(made) -> None:
    write("pyproject.toml", r"^lab = \[", 'more = []\nlab = [{include-group = "more"},')(made)
    assert "ok  packages-locked" in check(made)


def test_what_is_accepted_has_a_reason_and_ends(made) -> None:
    BREACHES["port"][0](made)
    project = made / "pyproject.toml"
    text = project.read_text()
    entry = '\n[[tool.check.accepted]]\ncheck = "ports-local"\nreason = "a firewall"\nuntil = 2999-12-31\n'
    project.write_text(text + entry)
    assert "--  ports-local: accepted, as a firewall, until 2999-12-31" in check(made)
    (finding,) = json.loads(check(made, "--format", "json"))
    assert (finding["check"], finding["accepted"]) == ("ports-local", "a firewall, until 2999-12-31")
    project.write_text(text + entry.replace("2999", "2020"))
    assert "!!  ports-local" in check(made, code=1)
    for old, new in (("ports-local", "none"), ("a firewall", ""), ("2999-12-31", "1")):
        project.write_text(text + entry.replace(old, new))
        assert check(made, code=1).startswith("pyproject.toml: each [[tool.check.accepted]] needs check (one of ")


def test_code_scanning_and_machines_without_compose_can_use_it(made) -> None:
    BREACHES["port"][0](made)
    command = ["docker", "compose", "--env-file", ".env.example", "--profile", "*", "config", "--format", "json"]
    services = subprocess.run(command, cwd=made, capture_output=True, text=True, check=True).stdout
    said = run(made, "python3", "docker/check.py", "--compose", "-", "--format", "sarif", code=1, typed=services)
    (scan,) = json.loads(said)["runs"]
    (result,) = scan["results"]
    assert result["ruleId"] in {rule["id"] for rule in scan["tool"]["driver"]["rules"]}
    place = result["locations"][0]["physicalLocation"]
    line = (made / place["artifactLocation"]["uri"]).read_text().splitlines()[place["region"]["startLine"] - 1]
    assert line.startswith("  lab:")
    (made / "pyproject.toml").write_text("[")
    assert check(made, code=1).count("\n") == 1
