"""Real images, really built, started and used: what a user would see, on a cover of all pairs of choices."""

import functools
import hashlib
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import time
import uuid
from pathlib import Path

import pytest
from checks import pins
from conftest import BUILT
from packaging.requirements import Requirement
from template import CHOICES, covering, name, variants

pytestmark = pytest.mark.usefixtures("engine")

# `license` changes texts and no image: tests/test_variants.py looks at all of them.
SHAPING = [option for option in CHOICES if option != "license"]
ROWS = covering([row for row in variants() if row["license"] == CHOICES["license"][0]], SHAPING)


class Stack:
    """One generated project, driven by its own Compose commands as its owner would."""

    def __init__(self, path: Path) -> None:
        """Take a project that has its .env."""
        self.path = path

    @functools.cached_property
    def settings(self) -> dict[str, str]:
        """Return what .env says."""
        lines = (line for line in (self.path / ".env").read_text().splitlines() if line and line[0] != "#")
        return dict(line.split("=", 1) for line in lines)

    def run(self, *command: object, code: int = 0) -> str:
        """Run a program in the project; fail unless it exits with `code`. Returns all that it said."""
        done = subprocess.run(
            list(map(str, command)),
            cwd=self.path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == code, f"{command} exited with {done.returncode}\n{done.stdout[-6000:]}"
        return done.stdout

    def compose(self, *arguments: object, code: int = 0) -> str:
        """Run `docker compose` in the project."""
        return self.run("docker", "compose", *arguments, code=code)

    def get(self, path: str) -> tuple[int, str]:
        """Return the status and the page that JupyterLab answers with."""
        connection = http.client.HTTPConnection("127.0.0.1", int(self.settings["JUPYTER_PORT"]), timeout=10)
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    def container(self, service: str) -> dict:
        """Return what the engine knows about the running container of a service."""
        return json.loads(self.run("docker", "inspect", self.compose("ps", "--quiet", service).strip()))[0]

    def results(self) -> dict[str, str]:
        """Return the SHA-256 of each result."""
        files = [file for folder in ("models", "reports") for file in (self.path / folder).rglob("*") if file.is_file()]
        return {str(file.relative_to(self.path)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}

    def remove(self) -> None:
        """Take away containers, volumes, networks and images of this project, and nothing else."""
        self.compose("--profile", "*", "down", "--volumes", "--rmi", "local", "--remove-orphans")
        # images that a rebuild took the tag from
        label = f"label=com.docker.compose.project={self.path.name}"
        self.run("docker", "image", "prune", "--force", "--filter", label)


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def project(bake, folder: Path, **answers: str) -> Stack:
    """Generate a project of its own name and port into `folder`."""
    slug = f"dsd-{uuid.uuid4().hex[:8]}"
    path = Path(shutil.copytree(bake(project_slug=slug, **answers).path, folder / slug, copy_function=shutil.copy2))
    env = path / ".env"
    env.write_text(env.read_text().replace("JUPYTER_PORT=8888", f"JUPYTER_PORT={free_port()}"))
    return Stack(path)


@pytest.fixture(scope="module", params=ROWS, ids=name)
def stack(request, bake, engine, tmp_path_factory):
    """Build and start one variant, as its README says."""
    made = project(bake, tmp_path_factory.mktemp("project"), **request.param)
    try:
        made.compose("build")
        made.compose("up", "--wait")
        BUILT.append(name(request.param))
        yield made
    finally:
        made.remove()


def test_lab_is_healthy_and_lets_nobody_in_without_the_token(stack) -> None:
    assert stack.container("lab")["State"]["Health"]["Status"] == "healthy"
    token = stack.settings["JUPYTER_TOKEN"]
    assert stack.get("/api/status")[0] == 403
    assert stack.get("/api/status?token=wrong")[0] == 403
    assert stack.get(f"/api/status?token={token}")[0] == 200
    status, page = stack.get(f"/lab?token={token}")
    assert status == 200
    assert '"@jupyterlab/apputils-extension:announcements"' in page  # among the disabled extensions
    assert token not in stack.compose("logs")


def test_services_are_confined(stack) -> None:
    lab = stack.container("lab")
    bindings = [binding for ports in lab["NetworkSettings"]["Ports"].values() for binding in ports or []]
    assert {binding["HostIp"] for binding in bindings} == {"127.0.0.1"}
    limits = lab["HostConfig"]
    assert limits["CapDrop"] == ["ALL"]
    assert limits["SecurityOpt"] == ["no-new-privileges:true"]
    assert limits["Memory"] == 4 * 2**30
    assert limits["PidsLimit"] == 1024
    assert limits["NanoCpus"] == int(stack.settings["CPUS"]) * 10**9
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "LOKY_MAX_CPU_COUNT"):
        assert f"{variable}={stack.settings['CPUS']}" in lab["Config"]["Env"]


def test_the_projects_own_tests_and_notebooks_pass(stack) -> None:
    said = stack.compose("run", "--rm", "test")
    assert re.search(r"^=+ \d+ passed in", said, re.MULTILINE), said[-3000:]
    assert not re.search(r"\d+ (skipped|xfailed|failed|error)", said)


def test_process_gives_the_same_results_twice_and_the_same_as_lab(stack) -> None:
    said = stack.compose("run", "--rm", "process")
    assert "5/5 report" in said
    first = stack.results()
    assert {"reports/report.html", "reports/metrics.json", "models/model.joblib"} <= set(first)
    stack.compose("run", "--rm", "process")
    assert stack.results() == first
    package = next((stack.path / "src").iterdir()).name
    stack.compose("exec", "lab", "python", "-m", package, "run")
    assert stack.results() == first


def test_a_failed_run_says_why_and_leaves_the_last_results(stack) -> None:
    stack.compose("run", "--rm", "process")
    before = stack.results()
    bad = stack.path / "data/bad.csv"
    bad.write_text("species,island\nAdelie,Dream\n")
    assert "Error: data/bad.csv has no column bill_length_mm" in stack.compose(
        "run", "--rm", "process", "run", "--input", "data", code=4
    )
    bad.unlink()
    assert "Error: There is no file data/none.csv" in stack.compose(
        "run", "--rm", "process", "check", "--input", "data/none.csv", code=3
    )
    image = f"{stack.path.name}-process:dev"
    full = stack.run("docker", "run", "--rm", "--tmpfs", "/app/reports:size=40k,uid=1000", image, code=7)
    assert "Error: Cannot write reports/" in full
    assert ": no space left on device. Free some space" in full
    locked = stack.run("docker", "run", "--rm", "--tmpfs", "/app/reports:ro", image, code=7)
    assert "Error: Cannot write reports: " in locked
    assert stack.results() == before


def test_process_holds_the_environment_and_nothing_else(stack) -> None:
    image = f"{stack.path.name}-process:dev"

    def inside(script: str) -> str:
        return stack.run("docker", "run", "--rm", "--user", "0:0", "--entrypoint", "sh", image, "-c", script)

    assert inside("ls -A /app").split() == ["data", "models", "reports", "src"]
    assert inside("for tool in jupyter uv gcc cc g++ make git pytest; do command -v $tool; done; true") == ""
    unwanted = "-name '.env*' -o -name .git -o -name '*.ipynb' -o -name 'test_*.py' -path '/app/*' -o -type d -iname 'jupyter*'"
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
        command = ("docker", "run", "--rm", "--entrypoint", "python", f"{stack.path.name}-{image}:dev", "-c", VERSIONS)
        answer = json.loads(stack.run(*command))
        found[image] = pins("\n".join(f"{package}=={version}" for package, version in answer["installed"].items()))
        lock = (stack.path / f"requirements/{image}.txt").read_text()
        assert found[image] == locked_on_linux(lock, answer["python"])
        minor = answer["python"].rpartition(".")[0]
        assert f'requires-python = ">={minor}"' in (stack.path / "pyproject.toml").read_text()
    assert found["process"].items() < found["lab"].items()


def test_every_service_stops_within_two_seconds(stack) -> None:
    sleeper = stack.compose(
        "run", "--detach", "--rm", "--entrypoint", "python", "process", "-c", "import time; time.sleep(60)"
    ).split()[-1]
    stack.compose("up", "--wait")
    for container in (sleeper, stack.container("lab")["Id"]):
        start = time.monotonic()
        stack.run("docker", "stop", container)
        assert time.monotonic() - start < 2
    stack.compose("up", "--wait")


def test_a_dependency_is_added_by_one_command(stack) -> None:
    requirements = stack.path / "requirements"
    before = {file.name: file.read_bytes() for file in requirements.iterdir()}
    assert "0 new or changed" in stack.compose("run", "--rm", "lock")
    assert {file.name: file.read_bytes() for file in requirements.iterdir()} == before
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
        assert "humanize" in stack.compose(
            "run", "--rm", "--entrypoint", "python", "process", "-c", "import humanize as h; print(h)"
        )
        pyproject.write_text(original.replace('    "typer', '    "humanize>=999",\n    "typer'))
        kept = (requirements / "lab.txt").read_bytes()
        assert "The locks are unchanged" in stack.compose("run", "--rm", "lock", code=1)
        assert (requirements / "lab.txt").read_bytes() == kept
        pyproject.write_text(original.replace('    "jinja2>=3.1",\n', ""))
        assert "  - jinja2==" in stack.compose("run", "--rm", "lock")
        assert (requirements / "base.txt").read_bytes() == (requirements / "process.txt").read_bytes()
        assert sorted(file.name for file in requirements.iterdir()) == sorted(before)
    finally:
        pyproject.write_text(original)
        for file, content in before.items():
            (requirements / file).write_bytes(content)


@pytest.fixture
def default(bake, tmp_path):
    """Return the default project, not built or started; the builds before it filled the cache."""
    made = project(bake, tmp_path)
    yield made
    made.remove()


# Only root can give a folder to somebody else; another user can try it for themselves.
UIDS = [0, 1000, 1234] if os.geteuid() == 0 else [os.geteuid()]


@pytest.mark.parametrize("uid", UIDS)
def test_a_fresh_clone_works_for_any_user_and_its_files_are_theirs(default, tmp_path, uid) -> None:
    default.run("git", "init", "--quiet")
    default.run("git", "add", "--all")
    default.run("git", "-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "--quiet", "--message", "Start")
    clone = Stack(tmp_path / "clone")
    default.run("git", "clone", "--quiet", ".", clone.path)
    gid = uid if os.geteuid() == 0 else os.getegid()
    default.run("chown", "-R", f"{uid}:{gid}", clone.path)

    refused = clone.compose("up", "--wait", code=1)
    assert "To make it, run: docker compose --env-file .env.example run --rm setup" in refused
    said = clone.compose("--env-file", ".env.example", "run", "--rm", "setup")
    assert clone.settings["JUPYTER_TOKEN"] not in said
    assert (clone.settings["HOST_UID"], clone.settings["HOST_GID"]) == (str(uid), str(gid))
    env = clone.path / ".env"
    env.write_text(env.read_text().replace("JUPYTER_PORT=8888", f"JUPYTER_PORT={free_port()}"))
    del clone.settings
    try:
        clone.compose("up", "--wait")
        clone.compose("run", "--rm", "process")
        clone.compose("run", "--rm", "lock")
        clone.compose("exec", "lab", "bash", "-lc", "touch notebooks/new.ipynb && whoami && python -c 'import polars'")
        strangers = [path for path in clone.path.rglob("*") if path.lstat().st_uid != uid or path.lstat().st_gid != gid]
        assert strangers == []
        assert env.stat().st_mode & 0o777 == 0o600
    finally:
        clone.remove()


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
    text = """quotes " ' ` \\ and $HOME ${PATH} # \U0001f427"""
    made = project(bake, tmp_path, description=text, license="Proprietary")
    try:
        made.compose("build", "process")
        labels = json.loads(made.run("docker", "inspect", f"{made.path.name}-process:dev"))[0]["Config"]["Labels"]
        assert labels["org.opencontainers.image.description"] == text
        assert labels["org.opencontainers.image.licenses"] == "LicenseRef-Proprietary"
    finally:
        made.remove()


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
