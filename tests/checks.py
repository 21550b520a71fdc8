"""What must hold for every generated project, whatever was chosen. Each check yields sentences on what is wrong."""

import ast
import itertools
import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import nbformat
import tomllib
import yaml
from baking import Baked
from jinja2 import Environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from local_extensions import choices

Problems = Iterator[str]

# Files that are not text, and one that is a Jinja template itself
BINARY = (".png", ".parquet")
RAW = ".html.jinja"
VARIABLE = re.compile(r"(?<!\$)\$\{(\w+)")
SERVICE = re.compile(
    r"docker compose(?: --\S+(?: \.env\.example)?)* (?:run|exec|logs|up|build)"
    r"(?: --(?:entrypoint|env|progress)[ =]\S+| --[a-z-]+)* ([a-z][a-z-]*)\b"
)


# ---- one file at a time; the same file is checked once, however many projects have it


@cache
def file_problems(name: str, content: bytes) -> list[str]:
    """Return what is wrong with one file, from its name and bytes alone."""
    if name.endswith(BINARY):
        return []
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        return [f"{name} is not UTF-8: {error}"]
    return [f"{name}{problem}" for check in (whitespace, leftovers, syntax) for problem in check(name, text)]


def whitespace(name: str, text: str) -> Problems:
    """No blanks at line ends, no runs of empty lines, one line end at the end, and LF only."""
    if not text:
        return
    if "\r" in text:
        yield " has a carriage return"
    if not text.endswith("\n") or text.endswith("\n\n") or text.startswith("\n"):
        yield " does not begin with text and end with exactly one line end"
    for number, line in enumerate(text.split("\n"), 1):
        if line != line.rstrip():
            yield f":{number} ends in a blank"
        if "\t" in line and name != "Makefile":
            yield f":{number} has a tab"
    allowed = 2 if name.endswith(".py") else 1
    prose = re.sub(r"^```python\n.*?^```$", "code", text, flags=re.MULTILINE | re.DOTALL)
    if "\n" * (allowed + 2) in prose and name != "LICENSE":
        yield f" has more than {allowed} empty lines in a row"


def leftovers(name: str, text: str) -> Problems:
    """No trace of the template engine."""
    if name.endswith(RAW):
        return
    for number, line in enumerate(text.split("\n"), 1):
        if re.search(r"cookiecutter[.\[]|\{%|[\s+-]%\}|^\s*#%", line):
            yield f":{number} has a rest of the template: {line.strip()}"


@cache
def documents(content: bytes) -> list[dict]:
    """Return what a YAML file says; the same content is parsed once. Not to be changed by who gets it."""
    return [*yaml.load_all(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))]


def parsed(content: bytes) -> dict:
    """Return what a YAML file says that has one document."""
    (document,) = documents(content)
    return document


def syntax(name: str, text: str) -> Problems:
    """Parse the file as what its name says it is."""
    path = Path(name)
    parse: dict[str, Callable] = {
        ".py": ast.parse,
        ".toml": tomllib.loads,
        ".yaml": lambda source: documents(source.encode()),
        ".json": json.loads,
        ".ipynb": lambda source: nbformat.validate(nbformat.reads(source, as_version=4)),
        ".env": env_settings,
        ".env.example": env_settings,
    }
    parser = parse.get(path.name) or parse.get(path.suffix)
    if parser:
        try:
            parser(text)
        except Exception as error:
            yield f" does not parse: {type(error).__name__} {error}"


def env_settings(text: str) -> dict[str, str]:
    """Return the settings in an .env file; `#NAME=` is a setting that is switched off. Raises ValueError."""
    found = {}
    for line in text.splitlines():
        if match := re.fullmatch(r"""#?([A-Z][A-Z0-9_]*)=(\S*|'[^']*'|"[^"]*")""", line):
            if match[1] in found:
                raise ValueError(f"{match[1]} stands twice")
            found[match[1]] = match[2]
        elif line and not line.startswith("# "):
            raise ValueError(f"not a setting: {line}")
    return found


# ---- the whole project


name_of = cache(Environment().from_string)


def exact_files(baked: Baked) -> Problems:
    """The project has the files that the template's names stand for, .env, and no others; nor has it empty folders."""
    expected = {".env"}
    for path in baked.template.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            name = name_of(path.relative_to(baked.template).as_posix()).render(cookiecutter=baked.context)
            if name and not name.endswith("/"):
                expected.add(name)
    for name in sorted(expected - set(baked.files)):
        yield f"{name} is missing"
    for name in sorted(set(baked.files) - expected):
        yield f"{name} should not be there"
    for folder in sorted({each for each in baked.path.rglob("*") if each.is_dir() and not any(each.iterdir())}):
        if folder.name not in ("data", "models", "reports"):
            yield f"{folder.relative_to(baked.path)} is empty"


def each_file(baked: Baked) -> Problems:
    """Every file is clean by itself."""
    for name, content in baked.files.items():
        yield from file_problems(name, content)


def settings_documented(baked: Baked) -> Problems:
    """compose.yaml, .env.example and .env agree on which settings there are, and on their defaults."""
    compose = baked.text("compose.yaml")
    example, own = env_settings(baked.text(".env.example")), env_settings(baked.text(".env"))
    whole = parsed(baked.files["compose.yaml"])
    used = set(VARIABLE.findall(compose))
    used |= set(whole["x-build"]["args"])
    used |= {secret["environment"] for secret in whole.get("secrets", {}).values()}
    used |= {name for name, value in whole["services"]["lab"]["environment"].items() if value is None}
    used -= {"HOME"}  # every shell sets it
    for name in sorted(used - set(example)):
        yield f"compose.yaml uses {name}, which .env.example does not name"
    used |= set(VARIABLE.findall(baked.text(".env.example")))
    for name in sorted(set(example) - used):
        if not name.startswith("COMPOSE_"):  # those are for Compose itself
            yield f".env.example names {name}, which compose.yaml does not use"
    for name in sorted(set(example) ^ set(own)):
        yield f"{name} is in only one of .env.example and .env"
    for name, default in re.findall(r"\$\{(\w+):-([^${}]*)\}", compose):
        if name in used and example.get(name) != default:
            yield f"compose.yaml takes {default!r} for {name}, .env.example says {example.get(name)!r}"


def secrets_are_fresh(baked: Baked) -> Problems:
    """Every secret in .env is long and random; none has a value in .env.example."""
    example, own = env_settings(baked.text(".env.example")), env_settings(baked.text(".env"))
    for name in own:
        if name.endswith(("_TOKEN", "_PASSWORD")) and name not in STORAGE:
            if example[name]:
                yield f".env.example has a value for {name}"
            if not re.fullmatch(r"[0-9a-zA-Z]{32,}", own[name]):
                yield f".env has a weak {name}"
    if (baked.path / ".env").stat().st_mode & 0o077:
        yield ".env can be read by others"


STORAGE = {  # keys for inputs on other machines, and settings that go with them
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_ENDPOINT_URL",
    "GOOGLE_SERVICE_ACCOUNT_KEY",
    "AZURE_STORAGE_ACCOUNT_NAME",
    "AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
    "STORAGE_CA_FILE",
}
READERS = {
    "compose.yaml": {"lab", "process", "adopt", "worker"},
    "production/compose.yaml": {"schedule", "process", "worker"},
}


PROXIES = {"HTTP_PROXY", "HTTPS_PROXY"}


def storage_keys_are_given_to_readers(baked: Baked) -> Problems:
    """The services that read the input have all keys for it, the others have none, and .env.example has no value.

    Those and a few others have the proxy, which is not for the project's own servers.
    """
    for file, readers in READERS.items():
        services = parsed(baked.files[file])["services"]
        servers = {name for body in services.values() for name in body.get("depends_on") or ()}
        servers |= {name for name, body in services.items() if "proxy" in body.get("networks", ())}
        servers -= {"proxy", "roles", "status"}  # which no service asks by a name
        for service, body in services.items():
            variables = body.get("environment") or {}
            has = STORAGE & {*variables}
            if has != (STORAGE if service in readers else set()):
                yield f"{file} gives {service} {', '.join(sorted(has)) or 'no key'} for the input"
            has = PROXIES & {*variables}
            if has != (PROXIES if service in {*readers, "lock", "proxy"} else set()):
                yield f"{file} gives {service} {', '.join(sorted(has)) or 'no proxy'}"
            if has:
                for name in ("NO_PROXY", "no_proxy"):
                    if not servers <= {*variables[name].partition("$")[0].split(",")}:
                        yield f"{file} sends {service} to {', '.join(sorted(servers))} by a proxy, see {name}"
        example = env_settings(baked.text(file.replace("compose.yaml", ".env.example")))
        for name in sorted(STORAGE):
            if example.get(name) != "":
                yield f"{file.replace('compose.yaml', '.env.example')} has {example.get(name)!r} for {name}"


def loopback_only(baked: Baked) -> Problems:
    """Ports are published on 127.0.0.1, and no container that stays shares the host's network or has a fixed name."""
    for name, address in env_settings(baked.text(".env")).items():
        if name.endswith("BIND_ADDRESS") and address != ("127.0.0.1" if name == "BIND_ADDRESS" else ""):
            yield f".env publishes ports on {address}"
    for service, body in parsed(baked.files["compose.yaml"])["services"].items():
        for port in body.get("ports", []):
            if not re.match(r"(\$\{\w+_BIND_ADDRESS:-)?\$\{BIND_ADDRESS:-127\.0\.0\.1\}(?(1)\}):", str(port)):
                yield f"service {service} publishes {port}"
        for key in ("container_name", "privileged", "ipc", "pid"):
            if key in body:
                yield f"service {service} sets {key}"
        if body.get("network_mode") == "host" and service != "setup":  # it looks for free ports, and ends
            yield f"service {service} uses the host's network"


def confined(baked: Baked) -> Problems:
    """Only lab and lock reach other machines, services share no flat network, and no environment has an index."""
    compose = parsed(baked.files["compose.yaml"])
    for service, body in compose["services"].items():
        if "internet" in body.get("networks", []) and service not in ("lab", "lock"):
            yield f"service {service} reaches other machines"
        if "_INDEX" in str(body.get("environment")):
            yield f"service {service} shows a package index, which can have a password, to `docker inspect`"
    alone = {"com.docker.network.bridge.enable_icc": "false"}
    closed = {"com.docker.network.bridge.enable_ip_masquerade": "${OUTBOUND:-false}"}
    known = {"internet": {"driver_opts": alone}, "default": {"driver_opts": alone | closed}, "lab": {"internal": True}}
    for name, network in compose["networks"].items():
        if network != known.get(name.partition("-")[0], {"driver_opts": closed}):
            yield f"network {name} is open"
    for service in ("lab", "test", "lock"):
        if not re.search(r"'target': '[^']+/\.env'", str(compose["services"][service]["volumes"])):
            yield f"service {service} reads .env"


def hardened(baked: Baked) -> Problems:
    """Every service has an init, no capabilities, no way to gain any, a user, and limits; what ships is read-only."""
    wanted = {
        "init": lambda value: value is True,
        "cap_drop": lambda value: value == ["ALL"],
        "security_opt": lambda value: "no-new-privileges:true" in value,
        "user": bool,
        "cpus": bool,
        "mem_limit": bool,
        "pids_limit": bool,
    }
    services = parsed(baked.files["compose.yaml"])["services"]
    for service, body in services.items():
        for key, good in wanted.items():
            if key not in body or not good(body[key]):
                yield f"service {service} has no good {key}"
    for service in set(services) - {"lab", "test", "adopt", "lock", "setup"}:
        if not services[service].get("read_only"):
            yield f"service {service} can write to its root file system"
        if "healthcheck" not in services[service] and service not in ("process", "doctor", "chown"):  # they end
            yield f"service {service} has no health check"
    for service, body in services.items():
        for needed, how in (body.get("depends_on") or {}).items():
            if needed not in services or how.get("condition") != "service_healthy":
                yield f"service {service} does not wait until {needed} is healthy"


def production_is_safe(baked: Baked) -> Problems:
    """On a server, only the proxy is published, services are confined, and settings are documented."""
    text, example = baked.text("production/compose.yaml"), env_settings(baked.text("production/.env.example"))
    used = set(VARIABLE.findall(text)) | STORAGE | PROXIES
    for name in sorted(used ^ set(example) - {"COMPOSE_PROJECT_NAME"}):
        yield f"{name} is in only one of production/compose.yaml and production/.env.example"
    for name, default in re.findall(r"\$\{(\w+):?-([^$}]+)\}", text):
        if example.get(name, "").strip('"') != default:
            yield f"production/compose.yaml takes {default!r} for {name}, not {example.get(name)!r}"
    for name, value in example.items():
        if value and name.endswith(("_PASSWORD", "_KEY")):
            yield f"production/.env.example has a value for {name}"
    named = baked.context["_versions"].items()
    images = [name for key, name in named if key.endswith("_image") and isinstance(name, str)]
    services = parsed(baked.files["production/compose.yaml"])["services"]
    for service, body in services.items():
        limited = all(body.get(key) for key in ("init", "read_only", "cpus", "mem_limit", "pids_limit", "logging"))
        if not limited or body["cap_drop"] != ["ALL"] or body["security_opt"] != ["no-new-privileges:true"]:
            yield f"production's service {service} is not confined"
        if body["image"].removeprefix(baked.context["_organisation"]["image_prefix"]) not in images:
            if not re.match(r"\$\{(\w+_)?IMAGE\b", body["image"]) or "build" in body:
                yield f"production's service {service} uses the image {body['image']}"
        ports = body.get("ports", [])
        if (service == "proxy") != bool(ports) or not all(each.startswith("${BIND_ADDRESS:-1") for each in ports):
            yield f"production's service {service} publishes {ports}"
        for volume in body.get("volumes", []):
            if not re.match(r"[a-z]|\$\{DATA_FOLDER:-data\}", volume) and service != "setup":
                yield f"production's service {service} mounts {volume}, which a remote engine cannot"
        ends = "tools" in body.get("profiles", []) or body["restart"].startswith("on-failure")
        if not ends and (body["restart"] != "always" or "healthcheck" not in body):
            yield f"production's service {service} does not come back, or has no health check"
        if "internet" in body.get("networks", []) and service != "proxy":
            yield f"production's service {service} reaches other machines"


def services_exist(baked: Baked) -> Problems:
    """Every service that a file tells people to use is in compose.yaml, or in production's."""
    services = set(parsed(baked.files["compose.yaml"])["services"])
    on_server = set(parsed(baked.files["production/compose.yaml"])["services"])
    for name, content in baked.files.items():
        if not name.endswith(BINARY):
            there = on_server if name.startswith(("production/", "docs/production")) else services
            for service in set(SERVICE.findall(content.decode())) - there:
                yield f"{name} names the service {service}, which compose.yaml does not have"
    container = json.loads(baked.text(".devcontainer/devcontainer.json"))
    if (service := container["service"]) not in services:
        yield f".devcontainer/devcontainer.json names the service {service}, which compose.yaml does not have"


def images_pinned(baked: Baked) -> Problems:
    """Base images are those of the versions table, with a tag, and no image is `latest`."""
    context = baked.context
    versions, prefix = context["_versions"], context["_organisation"]["image_prefix"]
    listed = [prefix + image for name, image in versions.items() if name.endswith("_image") and isinstance(image, str)]
    allowed = {choices.python_image(context)}
    allowed |= {prefix + row["image"] for row in context["_lab_images"].values() if "image" in row}
    dockerfile = baked.text("Dockerfile")
    stages = re.findall(r"^FROM (\S+) AS (\S+)$", dockerfile, re.MULTILINE)
    if len(stages) != len(re.findall(r"^FROM", dockerfile, re.MULTILINE)):
        yield "Dockerfile has a stage without a name"
    known = {"${PYTHON_IMAGE}", "${LAB_IMAGE}", *(stage for _, stage in stages)}
    for source, stage in stages:
        if source not in (allowed if stage.endswith("_image") else {*known, *listed}):
            yield f"Dockerfile starts from {source}, which is not in the versions table"
    for service, body in parsed(baked.files["compose.yaml"])["services"].items():
        build = body.get("build", {})
        if not build and body["image"] not in listed:
            yield f"service {service} uses the image {body['image']}, which is not in the versions table"
        if build and "image" in body:  # two services with one tag take it from each other
            yield f"service {service} shares the image {body['image']}"
        if build and build["target"] not in {stage for _, stage in stages}:
            yield f"service {service} builds a stage that the Dockerfile does not have"
    for name in (".github/workflows/ci.yaml", ".gitlab-ci.yml"):
        text = baked.files.get(name, b"").decode()
        for action in re.findall(r"uses: (.+)$", text, re.MULTILINE):
            if not re.fullmatch(r"\S+@[0-9a-f]{40} # v\d+(\.\d+)*", action):
                yield f"{name} does not pin {action} by its commit"
        images = re.findall(r"(?:image|name): (?:&\w+ )?(\S*(?:docker|grype|cosign|binfmt):[^\s$]\S*)", text)
        images += map(":".join, re.findall(r"depName=(\S+)\n +\w+_VERSION: (\S+)", text))
        for image in images:
            if image not in listed:
                yield f"{name} uses the image {image}, which is not in the versions table"


SCANS = {  # of an image, with the least severity that fails; what runs each week; what publishes after that
    ".github/workflows/ci.yaml": (
        r"image: (?P<image>\S+)\n +only-fixed: true\n +severity-cutoff: (?P<least>\w+)\n(?! +fail-build)",
        r"\n  schedule:\n    - cron:(?s:.*)\n  publish:\n(?:    .+\n)*?    needs: test\n",
    ),
    ".gitlab-ci.yml": (
        r'"\$SCANNER" --config /\.grype\.yaml --only-fixed --fail-on (?P<least>\w+)\n +docker:(?P<image>\S+)\n',
        r'PIPELINE_SOURCE == "schedule"\n(?s:.*)\npublish:\n(?:  .+\n)*?  needs: \[test\]\n',
    ),
}


def published(baked: Baked) -> list[str]:
    """Return the stages of the Dockerfile that continuous integration publishes."""
    return ["process", *choices.brought(baked.context, "target")]


def images_scanned(baked: Baked) -> Problems:
    """Continuous integration looks for vulnerabilities in all images, each week too, before it publishes one."""
    slug, lab = baked.context["project_slug"], baked.context["_lab_images"][baked.context["dev_image"]]
    wanted = {f"{slug}-{target}": "high" for target in published(baked)}
    wanted |= {} if "unmaintained" in lab else {f"{slug}-lab": "critical"}
    for name in SCANS.keys() & baked.files.keys():
        (scan, order), text = SCANS[name], baked.text(name)
        found = {each["image"]: each["least"] for each in re.finditer(scan, text)}
        if found != wanted:
            yield f"{name} lets vulnerabilities pass: it looks for {found}, not {wanted}"
        if not re.search(order, text):
            yield f"{name} does not look each week, or publishes before it has looked"
        if ".grype.yaml" not in baked.files:
            yield f"{name} has no list of vulnerabilities that do not count"


RELEASES = {  # a target that is built for two platforms, and signed after that; which tags start that
    ".github/workflows/ci.yaml": (
        r"\n +target: (\S+)\n +platforms: linux/amd64,linux/arm64\n(?:.*\n)+? +cosign sign --yes",
        r"\n    tags: (\[.+\])\n",
    ),
    ".gitlab-ci.yml": (
        r"build --target (\S+) --platform linux/amd64,linux/arm64 --push (?:.*\n)+? +cosign sign --yes",
        r"\n    - &version\n      if: \$CI_COMMIT_TAG =~ /(.+)/\n",
    ),
}
TAGS = dict.fromkeys(["v1.2.0", "v10.0.11", "v1.2.0-rc.1"], True)
TAGS |= dict.fromkeys(
    ["v2", "v1.2", "1.2.0", "v1.2.0.1", "v1.2.0-", "v1.2.0x", "v1.2.0+x.1", "v1.2.0\n", "latest"], False
)


def images_published(baked: Baked) -> Problems:
    """What ships is published for two platforms and signed, and a tag either is a version, or publishes nothing."""
    for name in RELEASES.keys() & baked.files.keys():
        (target, tags), text = RELEASES[name], baked.text(name)
        if (found := re.findall(target, text)) != published(baked):
            yield f"{name} publishes {found}, not {published(baked)}"
        pattern = re.search(tags, text)[1]
        if pattern.startswith("["):  # GitHub's own patterns, of which these use [], + and plain characters only
            pattern = "|".join(rf"^{each.replace('.', '[.]')}\Z" for each in parsed(pattern.encode()))
        for tag, good in TAGS.items():
            if bool(re.search(pattern.replace("$", r"\Z"), tag)) != good:
                yield f"{name} {'does not publish' if good else 'publishes'} {tag!r}"


def deployed_by_hand(baked: Baked) -> Problems:
    """Only a person changes what the server runs, in the environment `production`, and to a version only."""
    for name in (".github/workflows/deploy.yaml", ".gitlab-ci.yml"):
        if name not in baked.files:
            continue
        whole, text = parsed(baked.files[name]), baked.text(name)
        job = whole["deploy"] if "deploy" in whole else whole["jobs"]["deploy"]
        # YAML 1.1 reads `on` as true
        if list(whole.get(True, [])) != ["workflow_dispatch"] and [rule["when"] for rule in job["rules"]] != ["manual"]:
            yield f"{name} deploys by itself"
        if job["environment"] != "production":
            yield f"{name} deploys without the environment production"
        pattern = re.search(r"grep -Eqx '(.+)'", text)[1]
        for tag, good in TAGS.items():
            if tag.startswith("v") and bool(re.fullmatch(pattern, tag[1:])) != good:
                yield f"{name} {'does not deploy' if good else 'deploys'} {tag[1:]!r}"


MANAGERS = {  # of Renovate, and the files that each reads by itself
    "dockerfile": "Dockerfile",
    "docker-compose": r"(.+/)?compose[^/]*\.yaml",
    "gitlabci": r"\.gitlab-ci\.yml",
    "github-actions": r"\.github/workflows/[^/]+\.yaml",
    "pre-commit": r"\.pre-commit-config\.yaml",
    "custom.regex": r"\.github/workflows/[^/]+\.yaml",
}
READ = {  # how a line names a version, and what reads it
    r"(?:FROM |ARG \w+_IMAGE=)\S+:": ["dockerfile"],
    r"(?:image|- name): (?:&\w+ )?[^\s$]+:[^\s$/]+(?: |$)": ["docker-compose", "gitlabci"],
    r"(?:- )?uses: \S+@": ["github-actions"],
    r"\w+_VERSION: [^\s$]": ["custom.regex"],
    r"additional_dependencies: ": ["pre-commit"],
}


def renovate(baked: Baked) -> Callable[[str, str], bool]:
    """Return whether a manager is on, and told to read a file that it does not read by itself."""
    settings = json.loads(baked.text("renovate.json"))

    def reads(manager: str, name: str) -> bool:
        own = {"enabled": manager != "pre-commit"} | settings.get(manager, {})
        known = re.fullmatch(MANAGERS.get(manager, ""), name) or name in own.get("managerFilePatterns", [])
        return bool(manager in settings["enabledManagers"] and own["enabled"] and known)

    return reads


def dependabot(baked: Baked) -> Callable[[str, str], bool]:
    """Return whether a file is in a folder of the ecosystem that stands for a manager; it has nothing for some."""
    rows = parsed(baked.files[".github/dependabot.yml"])["updates"]
    folders = {row["package-ecosystem"]: row.get("directories", [row.get("directory")]) for row in rows}

    def reads(manager: str, name: str) -> bool:
        if manager in ("custom.regex", "pre-commit"):
            return True
        folder = name.removeprefix(".github/workflows/").rpartition("/")[0]
        known = re.fullmatch(MANAGERS.get(manager, ""), name)
        return bool(known and f"/{folder}" in folders.get({"dockerfile": "docker"}.get(manager, manager), []))

    return reads


def updates_proposed(baked: Baked) -> Problems:
    """A bot reads all that names an image, an action or a commit's check, and takes nothing else for an image."""
    files = {"renovate.json": renovate, ".github/dependabot.yml": dependabot}
    bots = [bot for name, bot in files.items() if name in baked.files]
    if len(bots) != (baked.context["ci"] != "none"):
        yield f"{len(bots)} bots propose updates"
    if not bots:
        return
    reads = bots[0](baked)
    texts = {name: baked.text(name) for name in baked.files if not name.endswith((*BINARY, ".md"))}
    for (name, text), (line, managers) in itertools.product(texts.items(), READ.items()):
        found = re.search(rf"^ *{line}.*", text, re.MULTILINE)
        if found and not any(reads(manager, name) for manager in managers):
            yield f"No bot reads {found[0].strip()} in {name}"
    stages = re.findall(r"^FROM \S+ AS (\S+)$", texts["Dockerfile"], re.MULTILINE)
    for name in ("Dockerfile", "compose.yaml"):  # where it also reads a line of Python, in any case
        for image in re.findall(r"^ *from ([a-z][\w.-]*) ", texts[name], re.MULTILINE | re.IGNORECASE):
            if image not in stages:
                yield f"A bot takes {image} in {name} for an image"


def build_sources_exist(baked: Baked) -> Problems:
    """Whatever the Dockerfile copies or mounts exists and is let through by .dockerignore."""
    allowed = [line[1:].rstrip("/") for line in baked.text(".dockerignore").splitlines() if line.startswith("!")]
    dockerfile = baked.text("Dockerfile")
    sources = re.findall(r"^COPY (?:--chmod=\d+ )?(?!--|<<)(\S+) ", dockerfile, re.MULTILINE)
    sources += re.findall(r"--mount=type=bind,source=([^,\s]+)", dockerfile)
    for source in sources:
        if not (baked.path / source).exists():
            yield f"Dockerfile takes {source}, which does not exist"
        if not any(path.match(pattern) for path in (Path(source), *Path(source).parents) for pattern in allowed):
            yield f"Dockerfile takes {source}, which .dockerignore keeps out"


def pins(lock: str) -> dict[str, str]:
    """Return the version of each package in a lock."""
    return {canonicalize_name(name): version for name, version in re.findall(r"^(\S+?)==(\S+)", lock, re.MULTILINE)}


def pinned_on_linux(lock: str, python: str) -> dict[str, str]:
    """Return the version of each package that a lock asks for on Linux with this version of Python."""
    here = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "python_full_version": python}
    lines = [line.removesuffix(" \\") for line in lock.splitlines() if "==" in line]
    wanted = [each for each in map(Requirement, lines) if not each.marker or each.marker.evaluate(here)]
    return pins("\n".join(f"{each.name}{each.specifier}" for each in wanted))


def locks_match(baked: Baked) -> Problems:
    """The locks hold what pyproject.toml asks for, with hashes and no address; process is a part of lab."""
    project = tomllib.loads(baked.text("pyproject.toml"))
    lab, process, base = (pins(baked.text(f"requirements/{lock}.txt")) for lock in ("lab", "process", "base"))
    wanted = {"process": project["project"]["dependencies"]}
    wanted["lab"] = wanted["process"] + project["dependency-groups"]["lab"]
    for image, lock in (("lab", lab), ("process", process)):
        for line in wanted[image]:
            requirement = Requirement(line)
            version = lock.get(canonicalize_name(requirement.name))
            if version is None or not requirement.specifier.contains(version, prereleases=True):
                yield f"requirements/{image}.txt has {version} for {line}: run scripts/lock.py"
        text = baked.text(f"requirements/{image}.txt")
        if "://" in text:
            yield f"requirements/{image}.txt holds an address"
        for block in re.split(r"\n(?=\S)", text):
            if "==" in block and "--hash=sha256:" not in block:
                yield f"requirements/{image}.txt has no hash for {block.strip()}"
    for package in process:
        if lab.get(package) != process[package]:
            yield f"{package} is {process[package]} in process and {lab.get(package)} in lab"
    if not base or not base.items() <= process.items():
        yield "requirements/base.txt is no part of requirements/process.txt"
    if "jupyterlab" in process:
        yield "Jupyter is in the lock of process"


def choices_show(baked: Baked) -> Problems:
    """What was chosen is what is there, and nothing of what was not chosen."""
    context = baked.context
    project = tomllib.loads(baked.text("pyproject.toml"))["project"]
    if project["name"] != context["project_slug"] or project["description"] != context["description"]:
        yield "pyproject.toml has another name or description"
    if project["authors"] != [{"name": context["author_name"], "email": context["author_email"]}]:
        yield "pyproject.toml has another author"
    if project["requires-python"] != f">={context['python_version']}":
        yield "pyproject.toml asks for another Python"
    if project["license"] != context["__license_id"]:
        yield "pyproject.toml names another licence"
    if not baked.text("LICENSE").strip():
        yield "LICENSE is empty"


def short_names_match(baked: Baked) -> Problems:
    """A short name in README.md is a target of the Makefile, and runs the very command beside it."""
    makefile = dict(re.findall(r"^([a-z]+): ## .*\n\t((?:docker|python3) .+)$", baked.text("Makefile"), re.MULTILINE))
    rows = re.findall(r"^\| `((?:docker|python3) [^`]+)` \| `make ([a-z]+)` \|", baked.text("README.md"), re.MULTILINE)
    if not rows:
        yield "README.md has no table of commands"
    for command, target in rows:
        if makefile.get(target) != command:
            yield f"README.md says that make {target} runs {command!r}, the Makefile runs {makefile.get(target)!r}"


CHECKS: list[Callable[[Baked], Problems]] = [
    exact_files,
    each_file,
    settings_documented,
    secrets_are_fresh,
    storage_keys_are_given_to_readers,
    loopback_only,
    confined,
    hardened,
    production_is_safe,
    services_exist,
    images_pinned,
    images_scanned,
    images_published,
    deployed_by_hand,
    updates_proposed,
    build_sources_exist,
    locks_match,
    short_names_match,
    choices_show,
]


def problems(baked: Baked) -> dict[str, list[str]]:
    """Return what each check that fails has to say."""
    return failing(CHECKS, baked)


def failing(checks: list[Callable], subject: object) -> dict[str, list[str]]:
    """Return what each of some checks that fails has to say."""
    found = {}
    for check in checks:
        try:
            found[check.__name__] = list(check(subject))
        except Exception as error:  # a check that cannot even read its file has found something
            found[check.__name__] = [f"{type(error).__name__}: {error}"]
    return {name: sentences for name, sentences in found.items() if sentences}
