"""Real images, really built, started and used: what a user would see, on a cover of all pairs of choices."""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import time
import uuid
from pathlib import Path

import browser
import proofs
import pytest
import yaml
from checks import documents, pins, shown_commands
from conftest import PROVED
from packaging.requirements import Requirement
from stack import Stack, free_ports, project
from template import CHOICES, HOSTILE, LOCAL, SHAPING, covering, name, variants

pytestmark = pytest.mark.usefixtures("engine")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Let every test that takes a `stack` run on a cover of all pairs of choices, or of all triples."""
    if "stack" in metafunc.fixturenames:
        together = 3 if metafunc.config.getoption("--triples") else 2
        rows = [row for row in variants() if all(row[option] == CHOICES[option][0] for option in LOCAL)]
        metafunc.parametrize("stack", covering(rows, SHAPING, together), ids=name, indirect=True, scope="module")


# The base image of the lab, with a home of Python to download from: a copy of PYTHON_IMAGE's, where uv looks for it.
BASE_WITH_A_HOME = """
ARG PYTHON_IMAGE
ARG LAB_IMAGE
FROM ${PYTHON_IMAGE} AS python
RUN python - <<'CODE'
import json, os, platform, shutil, sys, sysconfig, tarfile
library, (major, minor, patch) = sysconfig.get_path("stdlib"), sys.version_info[:3]
os.makedirs("/home/python/bin")
shutil.copy(os.path.realpath(sys.executable), f"/home/python/bin/python{major}.{minor}")
unwanted = shutil.ignore_patterns("__pycache__", "test", "site-packages", "dist-packages")
shutil.copytree(library, "/home/python/lib/" + os.path.basename(library), ignore=unwanted)
with tarfile.open("/home/python.tar.gz", "w:gz") as archive:
    archive.add("/home/python", "python")
entry = {"name": "cpython", "arch": {"family": platform.machine(), "variant": None}, "os": "linux", "libc": "gnu",
         "major": major, "minor": minor, "patch": patch, "prerelease": "", "variant": None, "build": "20260101",
         "url": "file:///home/python.tar.gz", "sha256": None}
with open("/home/downloads.json", "w") as file:
    json.dump({f"cpython-{major}.{minor}.{patch}-linux-{platform.machine()}-gnu": entry}, file)
CODE
FROM ${LAB_IMAGE}
COPY --from=python /home/python.tar.gz /home/downloads.json /home/
COPY <<X /etc/uv/uv.toml
python-downloads-json-url = "/home/downloads.json"
X
"""


def reachable(host: str) -> bool:
    """Say whether this machine reaches a host of the Internet."""
    try:
        with socket.create_connection((host, 443), timeout=10):
            return True
    except OSError:
        return False


def give_a_home_of_python(made: Stack) -> None:
    """Where uv's own home of Python is out of reach, let the lab start from an image that brings a small one."""
    default = dict(re.findall(r"^ARG (\w+_IMAGE)=(\S+)", (made.path / "Dockerfile").read_text(), re.MULTILINE))
    if "LAB_IMAGE" not in default or reachable("github.com"):
        return
    tag = f"{made.path.name}-base:dev"
    arguments = [f"--build-arg={name}={default[name]}" for name in ("PYTHON_IMAGE", "LAB_IMAGE")]
    command = ["docker", "build", "--quiet", "--tag", tag, *arguments, "-"]
    subprocess.run(command, input=BASE_WITH_A_HOME, text=True, check=True, capture_output=True)
    made.extra_images.append(tag)
    env = made.path / ".env"
    env.write_text(env.read_text().replace("#LAB_IMAGE=", f"LAB_IMAGE={tag}"))


@pytest.fixture(scope="module")
def stack(request, bake, engine, tmp_path_factory):
    """Build and start one variant, as its README says."""
    made = project(bake, tmp_path_factory.mktemp("project"), **request.param)
    PROVED.append((request.param, made.proved))
    try:
        give_a_home_of_python(made)
        made.compose("build")
        made.compose("up", "--wait")
        made.proved.append("built, healthy")
        yield made
    finally:
        made.remove()


def test_every_service_does_what_it_is_for(stack, chromium) -> None:
    running = stack.compose("ps", "--services", "--status", "running").split()
    assert "lab" in running
    started = {service: proofs.SERVICES[service](stack) for service in running}
    for service, proof in started.items():
        assert stack.container(service)["State"]["Health"]["Status"] == "healthy", service
        next(proof)
    logs = stack.compose("logs")
    stack.compose("down")
    stack.compose("up", "--wait")
    for service, proof in started.items():
        with pytest.raises(StopIteration) as end:
            next(proof)
        stack.proved.append(f"{service}: {end.value.value}")
    logs += stack.compose("logs")
    for secret, value in stack.settings.items():
        if secret.endswith(("_TOKEN", "_PASSWORD")):
            assert value not in logs, secret


IN_KERNEL = """
import importlib, importlib.metadata as metadata, json, os, shutil, sys
package = importlib.import_module({package!r})
installed = metadata.distributions(path=[path for path in sys.path if path.startswith("/opt/venv")])
print(json.dumps({{
    "python": sys.version.split()[0], "prefix": sys.prefix, "file": package.__file__, "pytest": shutil.which("pytest"),
    "installed": {{each.name: each.version for each in installed}},
}}))
"""


def test_the_kernel_of_a_notebook_has_the_projects_python_and_the_locked_versions(stack) -> None:
    package = next((stack.path / "src").iterdir()).name
    answer = json.loads(stack.in_kernel(IN_KERNEL.format(package=package)))
    assert answer["prefix"] == "/opt/venv"
    assert answer["pytest"] == "/opt/venv/bin/pytest"
    assert answer["file"].endswith(f"/src/{package}/__init__.py")
    assert f'requires-python = ">={answer["python"].rpartition(".")[0]}"' in (stack.path / "pyproject.toml").read_text()
    found = pins("\n".join(f"{package}=={version}" for package, version in answer["installed"].items()))
    assert found == locked_on_linux((stack.path / "requirements/lab.txt").read_text(), answer["python"])
    stack.proved.append(f"kernel: Python {answer['python']}, {len(found)} locked packages")


def test_the_base_images_own_packages_are_untouched(stack) -> None:
    found = dict(re.findall(r"^ARG (\w+_IMAGE)=(\S+)", (stack.path / "Dockerfile").read_text(), re.MULTILINE))
    show = "import importlib.metadata as m; print(sorted({(d.name, d.version) for d in m.distributions()}))"
    folder = "/opt/conda/bin/python" if "LAB_IMAGE" in found else "/usr/bin/env"
    arguments = ["-I", "-c", show] if "LAB_IMAGE" in found else ["-i", "python3", "-I", "-c", show]
    images = (found.get("LAB_IMAGE", found["PYTHON_IMAGE"]), f"{stack.path.name}-lab:dev")
    before, after = (stack.run("docker", "run", "--rm", "--entrypoint", folder, image, *arguments) for image in images)
    assert before == after


def test_services_are_confined(stack) -> None:
    for service in stack.compose("ps", "--services", "--status", "running").split():
        container = stack.container(service)
        bindings = [binding for ports in container["NetworkSettings"]["Ports"].values() for binding in ports or []]
        assert {binding["HostIp"] for binding in bindings} <= {"127.0.0.1"}
        limits = container["HostConfig"]
        assert limits["CapDrop"] == ["ALL"]
        assert limits["SecurityOpt"] == ["no-new-privileges:true"]
        assert limits["Memory"] == 4 * 2**30
        assert limits["PidsLimit"] == 1024
        assert limits["NanoCpus"] == int(stack.settings["CPUS"]) * 10**9
        assert limits["ReadonlyRootfs"] == (service != "lab")
    lab = stack.container("lab")
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "LOKY_MAX_CPU_COUNT"):
        assert f"{variable}={stack.settings['CPUS']}" in lab["Config"]["Env"]


def test_the_projects_own_tests_and_notebooks_pass(stack) -> None:
    said = stack.compose("run", "--rm", "test")
    passed = re.search(r"^=+ (\d+) passed", said, re.MULTILINE)
    assert passed, said[-3000:]
    assert not re.search(r"\d+ (skipped|xfailed|failed|error)", said)
    stack.proved.append(f"{passed[1]} tests of its own")


def test_process_gives_the_same_results_twice_and_the_same_as_lab(stack) -> None:
    said = stack.compose("run", "--rm", "process")
    assert re.search(r"^5/[56] report", said, re.MULTILINE)
    first = stack.results()
    assert {"reports/report.html", "reports/metrics.json", "models/model.joblib"} <= set(first)
    stack.compose("run", "--rm", "process")
    assert stack.results() == first
    package = next((stack.path / "src").iterdir()).name
    stack.compose("exec", "lab", "/opt/venv/bin/python", "-m", package, "run")
    assert stack.results() == first
    stack.proved.append("process: the same results twice, and in lab")


def test_process_holds_the_environment_and_nothing_else(stack) -> None:
    image = f"{stack.path.name}-process:dev"

    def inside(script: str) -> str:
        return stack.run("docker", "run", "--rm", "--user", "0:0", "--entrypoint", "sh", image, "-c", script)

    assert inside("ls -A /app").split() == ["data", "models", "reports", "src"]
    assert inside("for tool in jupyter uv gcc cc g++ make git pytest; do command -v $tool; done; true") == ""
    unwanted = "-name '.env*' -o -name .git -o -name '*.ipynb' -o -name 'test_*.py' -path '/app/*' -o -type d -path '*/site-packages/jupyter*'"
    assert inside(f"find / -xdev \\( {unwanted} \\) 2>/dev/null; true") == ""
    assert inside("find /root/.cache /tmp /var/lib/apt/lists -type f 2>/dev/null; true") == ""
    config = json.loads(stack.run("docker", "inspect", image))[0]["Config"]
    assert config["User"] == "1000:1000"
    history = stack.run("docker", "history", "--no-trunc", image)
    assert stack.settings["JUPYTER_TOKEN"] not in history


VERSIONS = """
import importlib.metadata, json, sys
installed = importlib.metadata.distributions(path=[path for path in sys.path if path.startswith("/opt/venv")])
print(json.dumps({"python": sys.version.split()[0], "installed": {each.name: each.version for each in installed}}))
"""


def locked_on_linux(lock: str, python: str) -> dict[str, str]:
    """Return the versions that a lock asks for on Linux."""
    here = {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "python_full_version": python}
    lines = [line.removesuffix(" \\") for line in lock.splitlines() if "==" in line]
    wanted = [
        requirement
        for requirement in map(Requirement, lines)
        if not requirement.marker or requirement.marker.evaluate(here)
    ]
    return pins("\n".join(f"{requirement.name}{requirement.specifier}" for requirement in wanted))


def test_both_images_have_exactly_the_locked_versions(stack) -> None:
    found = {}
    for image in ("lab", "process"):
        python = ("--entrypoint", "/opt/venv/bin/python")
        command = ("docker", "run", "--rm", *python, f"{stack.path.name}-{image}:dev", "-c", VERSIONS)
        answer = json.loads(stack.run(*command))
        found[image] = pins("\n".join(f"{package}=={version}" for package, version in answer["installed"].items()))
        lock = (stack.path / f"requirements/{image}.txt").read_text()
        assert found[image] == locked_on_linux(lock, answer["python"])
        minor = answer["python"].rpartition(".")[0]
        assert f'requires-python = ">={minor}"' in (stack.path / "pyproject.toml").read_text()
    assert found["process"].items() < found["lab"].items()


def test_a_gpu_is_asked_for_only_where_env_says_so(stack) -> None:
    def devices() -> set[str]:
        services = json.loads(stack.compose("--profile", "*", "config", "--format", "json"))["services"]
        return {
            name
            for name, body in services.items()
            if "devices" in body.get("deploy", {}).get("resources", {}).get("reservations", {})
        }

    env = stack.path / ".env"
    before = env.read_text()
    assert devices() == set()
    if not (stack.path / "compose.gpu.yaml").exists():
        assert "COMPOSE_FILE" not in before
        return
    env.write_text(before.replace("COMPOSE_FILE=compose.yaml\n", "COMPOSE_FILE=compose.yaml:compose.gpu.yaml\n"))
    try:
        assert {"lab", "process", "test"} <= devices()
        if "nvidia" not in stack.run("docker", "info", "--format", "{{json .Runtimes}}"):
            refused = stack.compose("run", "--rm", "--no-deps", "process", "check", code=1)
            assert 'could not select device driver "nvidia"' in refused
        else:
            assert "NVIDIA" in stack.compose("run", "--rm", "--no-deps", "--entrypoint", "nvidia-smi", "process")
    finally:
        env.write_text(before)
    stack.proved.append("gpu: asked for when switched on")


def test_the_locks_are_what_the_project_itself_would_make(stack) -> None:
    requirements = stack.path / "requirements"
    before = {file.name: file.read_bytes() for file in requirements.iterdir()}
    assert stack.compose("run", "--rm", "lock").count(" 0 new or changed") == 2
    assert {file.name: file.read_bytes() for file in requirements.iterdir()} == before
    stack.proved.append("locks: as it would make them")


DONE: set[str] = set()


def test_every_command_of_its_documents_does_what_it_says(stack) -> None:
    """Those that no earlier variant has run, in their order."""
    package = next((stack.path / "src").iterdir())
    shutil.copy(package / "sample/penguins.csv", stack.path / "data/penguins.csv")
    files = {str(file.relative_to(stack.path)): file.read_bytes() for file in stack.path.rglob("*.md")}
    commands = shown_commands(documents(files))
    assert len(commands) > 5
    for command in commands:
        if command in DONE or command.startswith(tuple(proofs.COMMANDS)):
            continue
        DONE.add(command)
        with_port = command.replace("127.0.0.1:8000", f"127.0.0.1:{stack.settings.get('API_PORT')}")
        said = stack.run("sh", "-c", f"{with_port} </dev/null")
        if command.startswith("curl"):
            assert '"species":"Chinstrap"' in said
        stack.proved.append(f"README: {command[:90]}")
    (stack.path / "data/penguins.csv").unlink()
    stack.compose("up", "--wait")  # one of them is `down`


def test_every_service_stops_by_itself_and_the_dev_container_opens(stack, devcontainer) -> None:
    """Last, as the tool for dev containers starts `lab` anew."""
    sleeper = stack.compose(
        "run", "--detach", "--rm", "--entrypoint", "python", "process", "-c", "import time; time.sleep(60)"
    ).split()[-1]
    running = set(stack.compose("ps", "--services", "--status", "running").split()) - {"process"}
    containers = {service: stack.container(service)["Id"] for service in running}
    for service, container in {"process": sleeper, **containers}.items():
        start = time.monotonic()
        stack.run("docker", "stop", container)
        # a second or two on an idle machine; after ten, Docker would kill what does not listen
        assert time.monotonic() - start < 5, service
    for service, container in containers.items():
        assert stack.run("docker", "inspect", "--format", "{{.State.ExitCode}}", container).strip() != "137", service
    stack.compose("down")
    package = next((stack.path / "src").iterdir()).name
    stack.run(devcontainer, "up", "--workspace-folder", ".")
    command = ("/opt/venv/bin/python", "-c", f"import {package}; print({package}.__file__)")
    assert f"/src/{package}/__init__.py" in stack.run(devcontainer, "exec", "--workspace-folder", ".", *command)
    stack.proved.append(f"{len(running)} services stopped in time, dev container opened")


@pytest.fixture
def default(bake, tmp_path):
    """Return the default project, not built or started; the builds before it filled the cache."""
    made = project(bake, tmp_path)
    yield made
    made.remove()


def test_a_notebook_sees_an_edit_of_the_package_at_once(default) -> None:
    default.compose("up", "--wait")
    package = next((default.path / "src").iterdir()).name
    start = f"%load_ext autoreload\n%autoreload 2\nfrom pathlib import Path\nfrom {package} import model"
    edit = "file = Path(model.__file__); file.write_text(file.read_text() + 'ADDED = 6 * 7\\n')"
    assert default.in_kernel(start, edit, "print(model.ADDED)") == "42\n"


def test_an_edit_of_the_code_is_one_new_layer(default) -> None:
    default.compose("build", "process")
    source = next((default.path / "src").iterdir()) / "model.py"
    source.write_text(f"{source.read_text()}# {uuid.uuid4()}\n")
    said = default.compose("build", "--progress", "plain", "process")
    cached = set(re.findall(r"^#(\d+) CACHED$", said, re.MULTILINE))
    steps = dict(re.findall(r"^#(\d+) \[\S+ +\d+/\d+\] (.+)$", said, re.MULTILINE))
    assert [step for number, step in steps.items() if number not in cached and "FROM" not in step] == ["COPY src src"]


def test_data_can_lie_elsewhere(default, tmp_path) -> None:
    package = next((default.path / "src").iterdir())
    elsewhere = tmp_path / "a large disk"
    elsewhere.mkdir()
    shutil.copy(package / "sample/penguins.csv", elsewhere)
    env = default.path / ".env"
    env.write_text(env.read_text().replace("DATA_FOLDER=./data\n", f"DATA_FOLDER={elsewhere}\n"))
    assert "344 rows from data/penguins.csv" in default.compose("run", "--rm", "process", "run", "--input", "data")
    default.compose("up", "--wait")
    default.compose("exec", "lab", "touch", "data/of-the-lab")
    assert "of-the-lab" in default.compose("run", "--rm", "--entrypoint", "ls", "test", "data")
    assert {file.name for file in elsewhere.iterdir()} == {"penguins.csv", "of-the-lab"}
    assert default.run("ls", "data") == ""
    shutil.rmtree(elsewhere)
    assert "bind source path does not exist" in default.compose("run", "--rm", "process", code=1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 800), (390, 844)], ids=["laptop", "phone"])
def test_the_report_looks_right(default, chromium, size, scheme) -> None:
    default.compose("run", "--rm", "process")
    with browser.page((default.path / "reports/report.html").as_uri(), *size, scheme) as page:
        browser.wait_for(page, "Which penguin is it?", "right on penguins it had not seen", "What the model relies on")
        assert browser.fits(page)
        assert browser.errors(page) == []
        paper, ink = (
            browser.brightness(page, colour) for colour in ("background-color", "color")
        )  # of the page and of its text
        assert (paper > 0.9 and ink < 0.2) if scheme == "light" else (paper < 0.2 and ink > 0.8)


def apply_diffs(project: Path, document: str) -> None:
    """Edit the files of a project as the `diff` blocks of a document say; each follows the name of its file."""
    file = None
    for named, block in re.findall(r"^In `([^`]+)`:$|^```diff\n(.*?)^```$", document, re.MULTILINE | re.DOTALL):
        file = project / named if named else file
        if block:
            lines = block.splitlines(keepends=True)
            old, new = ("".join(line[1:] for line in lines if line[0] in kept) for kept in (" -", " +"))
            assert file.read_text().count(old) == 1, f"{file}: {old}"
            file.write_text(file.read_text().replace(old, new))


def test_the_way_from_a_notebook_to_production_is_as_its_document_says(bake, tmp_path) -> None:
    made = project(bake, tmp_path, deploy="api")
    package = next((made.path / "src").iterdir()).name
    document = (made.path / "docs/from-notebook-to-production.md").read_text()
    try:
        made.compose("up", "--wait")
        made.compose("run", "--rm", "process")
        (cell,) = re.findall(r"^```python\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)
        first, last = cell.splitlines()
        shown = made.in_kernel(
            f"import polars as pl; from {package} import data; rows, _ = data.read()\n{first}\n"
            f"for row in ({last}).iter_rows(): print('|', *row, sep=' ')"
        )
        table = re.findall(r"^\| (\w+) \| ([\d.]+) \|$", document, re.MULTILINE)
        assert [tuple(line.split()[1:]) for line in shown.splitlines()] == table
        assert made.ask("API", "/predict", [proofs.PENGUIN])[0] == 200

        apply_diffs(made.path, document)
        for block in re.findall(r"^```sh\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)[:-1]:
            made.run("sh", "-ec", block)
        metrics = json.loads((made.path / "reports/metrics.json").read_text())
        assert "bill_ratio" in metrics["importance"]
        status, text = made.ask("API", "/predict", [proofs.PENGUIN])
        assert (status, "made by other code" in text) == (503, True)
        made.compose("up", "--wait")
        assert made.ask("API", "/predict", [proofs.PENGUIN])[0] == 200
    finally:
        made.remove()


# Only root can give a folder to somebody else; another user can try it for themselves.
UIDS = [0, 1000, 1234] if os.geteuid() == 0 else [os.geteuid()]
DEFAULT, *OTHERS = CHOICES["dev_image"]
CLONES = [(DEFAULT, uid) for uid in UIDS] + [(other, UIDS[-1]) for other in OTHERS]


@pytest.mark.parametrize(("dev_image", "uid"), CLONES)
def test_a_fresh_clone_works_for_any_user_and_its_files_are_theirs(bake, tmp_path, dev_image, uid) -> None:
    answers = {} if dev_image == DEFAULT else {"dev_image": dev_image, "tracking": CHOICES["tracking"][-1]}
    origin = project(bake, tmp_path, **answers)
    origin.run("git", "init", "--quiet")
    origin.run("git", "add", "--all")
    origin.run("git", "-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "--quiet", "--message", "Start")
    clone = Stack(tmp_path / "clone" / origin.path.name)
    origin.run("git", "clone", "--quiet", ".", clone.path)
    gid = uid if os.geteuid() == 0 else os.getegid()
    origin.run("chown", "-R", f"{uid}:{gid}", clone.path)

    refused = clone.compose("up", "--wait", code=1)
    assert "To make it, run: docker compose --env-file .env.example run --rm setup" in refused
    said = clone.compose("--env-file", ".env.example", "run", "--rm", "setup")
    assert clone.settings["JUPYTER_TOKEN"] not in said
    assert (clone.settings["HOST_UID"], clone.settings["HOST_GID"]) == (str(uid), str(gid))
    env = clone.path / ".env"
    free_ports(env)
    del clone.settings

    def strangers() -> list[Path]:
        """Return what belongs to somebody else; a file that is gone again does not count."""
        found = []
        for path in clone.path.rglob("*"):
            with contextlib.suppress(FileNotFoundError):
                if (path.lstat().st_uid, path.lstat().st_gid) != (uid, gid):
                    found.append(path)
        return found

    try:
        clone.compose("up", "--wait")
        clone.compose("run", "--rm", "process")
        clone.compose("run", "--rm", "lock")
        script = "touch notebooks/new.ipynb && git status --short && whoami && pre-commit install && python -c 'import polars'"
        clone.compose("exec", "lab", "bash", "-lc", script)
        clone.in_kernel("from pathlib import Path; Path('from-kernel/deep').mkdir(parents=True)")
        clone.in_kernel("from pathlib import Path; Path('from-kernel/deep/file').write_text('x')")
        end = time.monotonic() + 10  # what a server that can only be root makes is given back within moments
        while strangers() and time.monotonic() < end:
            time.sleep(0.2)
        assert strangers() == []
        assert (clone.path / "notebooks/from-kernel/deep/file").read_text() == "x"
        assert env.stat().st_mode & 0o777 == 0o600
        clone.compose("exec", "lab", "bash", "-lc", "touch notebooks/last")
        clone.compose("stop")
        assert strangers() == []
    finally:
        clone.remove()


@pytest.mark.parametrize("ci", [choice for choice in CHOICES["ci"] if choice != "none"])
def test_what_runs_after_a_push_runs(bake, tmp_path, ci) -> None:
    """The commands of the workflow's test job, in their order; what only its platform has (caches, logins) left out."""
    made = project(bake, tmp_path, ci=ci)
    (made.path / ".env").unlink()
    # what `remove` knows its images by; Bake gives them no label
    ours = f'--set "*.labels.com.docker.compose.project={made.path.name}"'
    if ci == "github":
        steps = yaml.safe_load((made.path / ".github/workflows/ci.yaml").read_text())["jobs"]["test"]["steps"]
        bake_step = next(step["with"] for step in steps if "bake-action" in step.get("uses", ""))
        images = " ".join(bake_step["targets"].split(","))
        build = f"docker buildx bake --file {bake_step['files']} --load {ours} {images}"
        commands = [
            step["run"] if "run" in step else build for step in steps if "run" in step or step.get("with") is bake_step
        ]
    else:
        job = yaml.safe_load((made.path / ".gitlab-ci.yml").read_text())["test"]
        commands = [re.sub(r'--set "\S+"', ours, command) for command in job["script"] + job["after_script"]]
    try:
        said = "".join(made.run("sh", "-c", command) for command in commands)
        assert re.search(r"^=+ \d+ passed", said, re.MULTILINE)
        assert "Done. Open reports/report.html" in said
        assert made.run("docker", "ps", "--all", "--quiet", "--filter", f"name={made.path.name}") == ""
    finally:
        made.remove()


@pytest.mark.parametrize("installer", CHOICES["installer"])
def test_a_dependency_is_added_and_taken_out_by_one_command(bake, tmp_path, installer) -> None:
    stack = project(bake, tmp_path, installer=installer)
    stack.compose("build", "process")
    requirements = stack.path / "requirements"
    before = {file.name: file.read_bytes() for file in requirements.iterdir()}
    pyproject = stack.path / "pyproject.toml"
    original = pyproject.read_text()
    pyproject.write_text(original.replace('    "typer', '    "humanize>=4",\n    "typer'))
    try:
        assert "  + humanize==" in stack.compose("run", "--rm", "lock")
        assert (requirements / "base.txt").read_bytes() == before["base.txt"]  # so both images keep that layer
        owner = stack.path.stat()
        assert all(
            (file.stat().st_uid, file.stat().st_gid) == (owner.st_uid, owner.st_gid) for file in requirements.iterdir()
        )
        with (requirements / "process.txt").open("a") as lock:
            lock.write(f"# {uuid.uuid4()}\n")  # so that no layer of an earlier run of this test fits
        said = stack.compose("build", "--progress", "plain", "process")
        installed = {"uv": r" \+ (\S+)==", "pip": r" Successfully installed (.+)-\S+\n"}
        assert re.findall(installed[installer], said) == ["humanize"]  # and nothing that was there before
        assert "humanize" in stack.compose(
            "run", "--rm", "--entrypoint", "python", "process", "-c", "import humanize as h; print(h)"
        )
        pyproject.write_text(original.replace('    "typer', '    "humanize>=999",\n    "typer'))
        kept = (requirements / "lab.txt").read_bytes()
        assert "The locks are unchanged" in stack.compose("run", "--rm", "lock", code=1)
        assert (requirements / "lab.txt").read_bytes() == kept
        pyproject.write_text(re.sub(r'    "pandera.*\n', "", original))
        assert "  - pandera==" in stack.compose("run", "--rm", "lock")
        assert (requirements / "base.txt").read_bytes() == (requirements / "process.txt").read_bytes()
        pyproject.write_text(original)
        assert stack.compose("run", "--rm", "lock", "--upgrade").count(" packages, ") == 2
        assert stack.compose("run", "--rm", "lock", "--upgrade-package", "typer").count(" 0 new or changed") == 2
        assert sorted(file.name for file in requirements.iterdir()) == sorted(before)
    finally:
        stack.remove()


def test_a_failed_run_says_why_and_leaves_the_last_results(default) -> None:
    default.compose("run", "--rm", "process")
    before = default.results()
    bad = default.path / "data/bad.csv"
    bad.write_text("species,island\nAdelie,Dream\n")
    assert "Error: data/bad.csv has no column bill_length_mm" in default.compose(
        "run", "--rm", "process", "run", "--input", "data", code=4
    )
    bad.unlink()
    assert "Error: There is no file data/none.csv" in default.compose(
        "run", "--rm", "process", "check", "--input", "data/none.csv", code=3
    )
    image = f"{default.path.name}-process:dev"
    alone = ("docker", "run", "--rm", "--tmpfs")
    full = default.run(*alone, "/app/reports:size=40k,uid=1000", image, code=7)
    assert "Error: Cannot write reports/" in full
    assert ": no space left on device. Free some space" in full
    locked = default.run(*alone, "/app/reports:ro", image, code=7)
    assert "Error: Cannot write reports: " in locked
    assert default.results() == before


def test_down_leaves_nothing_but_files_and_settings_survive_it(default) -> None:
    default.compose("up", "--wait")
    default.compose("exec", "lab", "touch", "/home/lab/kept")
    default.compose("down")
    default.compose("up", "--wait")
    default.compose("exec", "lab", "test", "-e", "/home/lab/kept")
    default.compose("down", "--volumes")
    of_project = f"label=com.docker.compose.project={default.path.name}"
    for kind in (["ps", "--all"], ["volume", "ls"], ["network", "ls"]):
        assert default.run("docker", *kind, "--quiet", "--filter", of_project) == ""


@pytest.mark.parametrize("installer", CHOICES["installer"])
def test_readmes_line_for_life_without_docker_gives_the_same_results(bake, tmp_path, installer) -> None:
    made = project(bake, tmp_path, installer=installer)
    try:
        made.compose("run", "--rm", "process")
        expected = json.loads((made.path / "reports/metrics.json").read_text())
        shutil.rmtree(made.path / "reports")
        readme = (made.path / "README.md").read_text()
        line = re.search(r"^## Without Docker$.*?^```sh\n(.+?)\n```$", readme, re.MULTILINE | re.DOTALL)[1]
        # a machine with Python, and uv where the line needs it, and nothing of this project
        image = re.search(r"^ARG PYTHON_IMAGE=(\S+)", (made.path / "Dockerfile").read_text(), re.MULTILINE)[1]
        get_uv = "python -m venv /tmp/uv && /tmp/uv/bin/pip install --quiet uv && PATH=/tmp/uv/bin:$PATH && "
        script = (get_uv if installer == "uv" else "") + line
        me = ("--user", f"{os.getuid()}:{os.getgid()}", "--env", "HOME=/tmp", "--volume", f"{made.path}:/work")
        made.run("docker", "run", "--rm", *me, "--workdir", "/work", image, "sh", "-c", script)
        assert json.loads((made.path / "reports/metrics.json").read_text()) == expected
    finally:
        made.remove()


def test_labels_carry_hostile_text_unchanged(bake, tmp_path) -> None:
    texts = ["""quotes " ' ` \\ and $HOME ${PATH} # \U0001f427""", *HOSTILE]
    tag = f"dsd-labels-{uuid.uuid4().hex[:8]}"
    for text in texts:
        baked = bake(project_slug="labels", project_name=text, description=text, author_name=text)
        label = re.search(r"^LABEL (?:.*\\\n)*.*", baked.text("Dockerfile"), re.MULTILINE)[0]
        stack = Stack(tmp_path)
        (tmp_path / "Dockerfile").write_text(f"FROM scratch\n{label}\n")
        stack.run("docker", "build", "--quiet", "--tag", tag, ".")
        labels = json.loads(stack.run("docker", "inspect", tag))[0]["Config"]["Labels"]
        stack.run("docker", "image", "rm", tag)
        assert labels["org.opencontainers.image.description"] == text
        assert labels["org.opencontainers.image.title"] == "labels"


def test_a_house_sets_its_certificate_and_mirror_in_one_place(bake, fork, tmp_path) -> None:
    made_by = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=House CA"]
    subprocess.run([*made_by, "-keyout", tmp_path / "key", "-out", tmp_path / "ca"], check=True, capture_output=True)
    certificate = (tmp_path / "ca").read_text().strip()
    options = fork / "cookiecutter.json"
    context = json.loads(options.read_text())
    context["_house"] = {
        "image_prefix": "",
        "package_index": "https://index.example/simple",
        "ca_certificate": certificate,
    }
    options.write_text(json.dumps(context))
    baked = bake(template=fork)
    image = f"dsd-house-{uuid.uuid4().hex[:8]}"
    stack = Stack(baked.path)
    try:
        stack.run("docker", "build", "--quiet", "--target", "base", "--tag", image, ".")
        bundle = stack.run("docker", "run", "--rm", image, "cat", "/etc/ssl/certs/ca-certificates.crt")
        assert certificate in bundle
        assert "PACKAGE_INDEX=https://index.example/simple" in baked.text(".env")
    finally:
        stack.run("docker", "image", "rm", "--force", image)


@pytest.mark.parametrize("installer", CHOICES["installer"])
def test_a_password_of_the_package_index_is_used_and_told_nobody(bake, tmp_path, installer) -> None:
    made = project(bake, tmp_path, installer=installer)
    env, lock = made.path / ".env", made.path / "requirements/process.txt"
    index = "PACKAGE_INDEX=https://me:s3cret-of-the-index@127.0.0.1:9/simple"
    env.write_text(env.read_text().replace("PACKAGE_INDEX=", index))
    # a package that no cache has: the build must ask the index, where nobody listens
    lock.write_text(f"humanize==4.0.0 --hash=sha256:{'0' * 64}\n")
    try:
        said = made.compose("build", "--progress", "plain", "process", code=1)
        assert "127.0.0.1" in said
        assert "s3cret" not in said
    finally:
        made.remove()
