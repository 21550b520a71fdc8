"""What docs/security.md says about each service is so: the test makes the page from the projects themselves."""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import pytest
from checks import parsed
from template import CHOICES, ROOT, TREE, WRITE

HEAD = f"""# Security, item by item

Sections 4 and 5 of the CIS Docker Benchmark: the line of a project that meets an item for all its services, and the
test that fails without it. The rest of the benchmark is about the host and its engine. After a change of the template:
`{WRITE}`.

| item | what it asks for | line | test | not met by |
| --- | --- | --- | --- | --- |
"""
TAIL = """
Beyond the benchmark, a service shares networks only with the servers that it uses, and knows its own secrets only: see
`test_a_service_reaches_only_what_it_uses` and `test_a_service_knows_its_own_secrets`, both in
`tests/test_engine_variants.py`. What that does not cover: a server reaches the ports of those who use it; names of the
Internet are looked up everywhere; and where an editor, setup or adopt replaces `.env` by a new file while `lab` runs,
`lab` sees that file until its container is made anew.
"""


class Item(NamedTuple):
    """An item of the benchmark, and what a project does about it."""

    number: str
    asks: str
    file: str = ""  # that has the line
    line: str = ""  # none: not met by any service, for the reason in `exceptions`
    test: str = ""
    met: Callable[[dict], object] = lambda service: True  # with what compose.yaml says about a service
    exceptions: Mapping[str, str] = MappingProxyType({})  # service: why
    absent: str = ""  # what meets it by being nowhere


def nowhere(number: str, asks: str, key: str) -> Item:
    """Return an item that is met because what compose.yaml says about services does not have a word."""
    return Item(number, asks, test=OWN, met=lambda service: key not in str(service), absent=key.strip("'"))


def like(*services: str, why: str) -> dict[str, str]:
    """Return the same reason for several services."""
    return dict.fromkeys(services, why)


COMPOSE, DOCKERFILE = "compose.yaml", "Dockerfile"
OWN = "test_security.py `test_each_service_meets_what_the_page_says`"
HARDENED, LOOPBACK, PINNED = (f"checks.py `{check}`" for check in ("hardened", "loopback_only", "images_pinned"))
RUNNING = "test_engine_variants.py `test_services_are_confined`"
CONTENT = "test_engine_variants.py `test_process_holds_the_environment_and_nothing_else`"
INDEX = "test_engine_images.py `test_a_password_of_the_package_index_is_used_and_not_shown`"
HADOLINT = "test_tools.py `test_hadolint`"
ROOT_IS_NEEDED = {
    "setup": "gives `.env` to its owner",
    "doctor": "reads `.env`",
    "chown": "gives volumes away",
    "lab": "only ml-workspace, whose servers need it",
}
ANY = "any"  # other service
TOOLS = ("test", "adopt", "lock", "setup")


def ports(service: dict) -> list[str]:
    """Return the ports that a service publishes."""
    return service.get("ports", [])


ITEMS = [
    Item(
        "4.1",
        "a user",
        COMPOSE,
        'user: "${HOST_UID:-1000}:${HOST_GID:-1000}"',
        HARDENED,
        lambda service: service["user"] not in ("0:0", "0"),
        ROOT_IS_NEEDED,
    ),
    Item("4.2", "trusted base images", DOCKERFILE, "FROM ${PYTHON_IMAGE} AS base", PINNED),
    Item("4.3", "no packages that are not needed", DOCKERFILE, "FROM packages AS process", CONTENT),
    Item(
        "4.4",
        "images that are scanned",
        "ci.yaml",
        "uses: anchore/scan-action@",
        "checks.py `images_scanned`",
        exceptions={"all": "only with `ci`, and not those of servers, which are pulled"},
    ),
    Item("4.5", "content trust", exceptions={"all": "a setting of the machine that pulls"}),
    Item(
        "4.6, 5.27",
        "health checks",
        COMPOSE,
        "healthcheck: *healthcheck",
        HARDENED,
        lambda service: "healthcheck" in service,
        like("process", "doctor", "chown", *TOOLS, why="ends by itself"),
    ),
    Item("4.7", "no update alone", DOCKERFILE, "RUN apt-get update && apt-get install", HADOLINT),
    Item(
        "4.8",
        "no setuid programs",
        DOCKERFILE,
        "-exec chmod a-s {} +",
        RUNNING,
        lambda service: service.get("build", {}).get("target") not in (None, "lab"),
        {ANY: "the base image may have them, without effect: see 5.26"},
    ),
    Item("4.9", "COPY, not ADD", DOCKERFILE, "COPY src src", HADOLINT),
    Item("4.10", "no secrets in images", DOCKERFILE, "--mount=type=secret,id=package_index", INDEX),
    Item("4.11", "verified packages", DOCKERFILE, "--require-hashes", "checks.py `locks_match`"),
    Item(
        "4.12",
        "signed artefacts",
        "ci.yaml",
        "cosign sign --yes",
        "checks.py `images_published`",
        exceptions={"all": "only what `ci` publishes; on GitLab, only at gitlab.com"},
    ),
    Item("5.2", "AppArmor", exceptions={"all": "the engine's own profile, where a machine has AppArmor"}),
    Item("5.3", "SELinux", exceptions={"all": "the engine's own label, where a machine has SELinux"}),
    Item(
        "5.4",
        "few capabilities",
        COMPOSE,
        "cap_drop: [ALL]",
        HARDENED,
        lambda service: "cap_add" not in service,
        ROOT_IS_NEEDED,
    ),
    nowhere("5.5", "no privileges", "privileged"),
    Item(
        "5.6",
        "no folders of the system",
        COMPOSE,
        "source: .,",
        OWN,
        lambda service: "HOME:-" not in str(service.get("volumes")),
        {"setup": "reads your home folder, for `.gitconfig`"},
    ),
    Item(
        "5.7",
        "no SSH server",
        DOCKERFILE,
        "FROM packages AS process",
        OWN,
        lambda service: "SETUID" not in service.get("cap_add", []),
        {"lab": "only ml-workspace, which starts one"},
    ),
    Item(
        "5.8",
        "no privileged ports",
        COMPOSE,
        "JUPYTER_PORT:-8888",
        OWN,
        lambda service: all(int(port.rpartition(":")[2]) > 1023 for port in ports(service)),
    ),
    Item("5.9", "needed ports only", COMPOSE, "JUPYTER_PORT:-8888", OWN, lambda service: len(ports(service)) < 2),
    Item(
        "5.10",
        "no network of the host",
        COMPOSE,
        "network_mode: none",
        LOOPBACK,
        lambda service: service.get("network_mode") != "host",
        {"setup": "looks for free ports, and listens on none"},
    ),
    Item(
        "5.11", "a limit of memory", COMPOSE, "mem_limit: ${MEMORY:-4g}", RUNNING, lambda service: service["mem_limit"]
    ),
    Item("5.12", "a limit of CPUs", COMPOSE, "cpus: &cpus ${CPUS:-1}", RUNNING, lambda service: service["cpus"]),
    Item(
        "5.13",
        "a read-only root",
        COMPOSE,
        "read_only: true",
        HARDENED,
        lambda service: service.get("read_only"),
        like(*TOOLS, why="writes into the project's folder") | {"lab": "people install and try things there"},
    ),
    Item(
        "5.14",
        "ports of one interface",
        COMPOSE,
        '"${BIND_ADDRESS:-127.0.0.1}:',
        LOOPBACK,
        lambda service: all("BIND_ADDRESS:-127.0.0.1" in port for port in ports(service)),
    ),
    Item(
        "5.15",
        "five restarts at most",
        COMPOSE,
        "restart: always",
        RUNNING,
        lambda service: "restart" not in service,
        {ANY: "comes back after each crash and each reboot"},
    ),
    nowhere("5.16", "no processes of the host", "'pid'"),
    nowhere("5.17", "no IPC of the host", "'ipc'"),
    nowhere("5.18", "no devices of the host but a GPU, if `.env` asks for it", "'devices'"),
    nowhere("5.19", "no own limits of files", "'ulimits'"),
    nowhere("5.20", "no shared propagation", "'propagation'"),
    nowhere("5.21", "no UTS of the host", "'uts'"),
    nowhere("5.22", "seccomp", "seccomp"),
    nowhere("5.25", "no own cgroups", "'cgroup"),
    Item(
        "5.26",
        "no new privileges",
        COMPOSE,
        'security_opt: ["no-new-privileges:true"]',
        RUNNING,
        lambda service: service["security_opt"],
    ),
    Item("5.28", "current images", COMPOSE, "pull_policy: build", PINNED),
    Item("5.29", "a limit of processes", COMPOSE, "pids_limit: 1024", RUNNING, lambda service: service["pids_limit"]),
    Item("5.30", "no default bridge", COMPOSE, "networks: #", "checks.py `confined`"),
    nowhere("5.31", "no user namespace of the host", "userns_mode"),
    nowhere("5.32", "no socket of Docker", "docker.sock"),
]


@pytest.fixture(scope="module")
def services(bake) -> list[tuple[str, dict]]:
    """Return each service of the template, with what compose.yaml says about it; of more than one project."""
    rows = [{option: choice} for option, choices in CHOICES.items() for choice in choices]
    found = [parsed(bake(**row).files["compose.yaml"])["services"] for row in rows]
    return [(name, body) for project in found for name, body in project.items()]


def row(item: Item, services: list[tuple[str, dict]]) -> str:
    """Return the row of an item, with who does not meet it and why. Raises KeyError for one without a reason."""
    why = dict(item.exceptions)
    if item.test:
        missed = [name for name, body in services if not item.met(body)] + ["all"] * ("all" in why)
        why = {name: why.get(name) or why[ANY] for name in missed}
    reasons = {each: ", ".join(name for name in why if why[name] == each) for each in why.values()}
    line = f"{item.file}: `{item.line}`" if item.line else f"no `{item.absent}`" if item.absent else ""
    cells = (item.number, item.asks, line, item.test, "<br>".join(f"{some}: {each}" for each, some in reasons.items()))
    return "".join(f"| {cell} " if cell else "| " for cell in cells) + "|\n"


def test_each_service_meets_what_the_page_says(services, document) -> None:
    text = HEAD + "".join(row(item, services) for item in ITEMS) + TAIL
    document(ROOT / "docs/security.md", text)


@pytest.mark.parametrize("item", [item for item in ITEMS if item.line], ids=lambda item: item.number)
def test_the_lines_and_the_tests_that_the_page_names_are_there(item) -> None:
    templates = ROOT / "templates"
    sources = [path for folder in (TREE, templates) for path in folder.rglob(f"*{item.file}*") if path.is_file()]
    sources += [path for path in templates.iterdir() if path.is_file()]  # what files share
    assert any(item.line in source.read_text(encoding="utf-8") for source in sources)
    file, test = item.test.split()
    assert re.search(rf"^def {test.strip('`')}\(", (ROOT / "tests" / file).read_text(encoding="utf-8"), re.MULTILINE)
