"""A cover of all pairs of choices, built, started and used: what holds for every variant."""

import json
import re
import secrets
import shutil
import time
from concurrent.futures import ThreadPoolExecutor

import proofs
import pytest
import shown
from checks import pinned_on_linux, pins
from stack import INSIDE, OWN_TESTS, Stack, bring_python_within_reach, own_tests, project
from summary import PROVED
from template import built, name

from local_extensions.choices import FACTS

pytestmark = pytest.mark.usefixtures("engine")

ENVIRONMENT = (INSIDE / "environment.py").read_text()
OPENED: set[str] = set()  # dev containers: most variants have the same one
TESTED: set[str] = set()  # versions of Python
CRASHED: set[tuple[str, ...]] = set()  # services: those of other variants have the same image


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run every test that takes a `stack` on a cover of all pairs of choices, or of all triples."""
    if "stack" in metafunc.fixturenames:
        together = 3 if metafunc.config.getoption("--triples") else 2
        metafunc.parametrize("stack", built(together), ids=name, indirect=True, scope="module")


@pytest.fixture(scope="module")
def stack(request, bake, engine, tmp_path_factory):
    """Build and start one variant, as its README says."""
    made = project(bake, tmp_path_factory.mktemp("project"), **request.param)
    with (made.path / ".env").open("a") as env:
        env.write(f"AWS_SECRET_ACCESS_KEY={secrets.token_hex(24)}\n")
    PROVED.append((request.param, made.proved))
    if image := made.base_images().get("LAB_IMAGE"):  # the public ones name their maintainer
        facts = made.shell(f"docker image inspect {image} || echo maintainer: it will be pulled")
        made.proved += [] if "maintainer" in facts else [f"on a stand-in for {image}"]
    try:
        bring_python_within_reach(made)
        made.compose("build")
        made.compose("up", "--wait")
        made.proved.append("built, healthy")
        yield made
    finally:
        made.remove()


def test_every_service_does_what_it_is_for(stack, chromium) -> None:
    found = {service: proofs.of(service) for service in stack.running}
    assert "lab" in found
    for service in found:
        assert stack.container(service)["State"]["Health"]["Status"] == "healthy", service
    kept = {service: proof.before(stack) for service, proof in found.items()}
    logs = stack.compose("logs")
    stack.compose("down")
    stack.compose("up", "--wait")
    for service, proof in found.items():
        stack.proved.append(f"{service}: {proof.after(stack, kept[service])}")
    logs += stack.compose("logs")
    for secret, value in stack.settings.items():
        if secret.endswith(("_TOKEN", "_PASSWORD")):
            assert value not in logs, secret


def check_environment(stack: Stack, said: str, lock: str) -> dict:
    """Compare what inside/environment.py printed with a lock, and return it."""
    answer = json.loads(said)
    assert f'requires-python = ">={answer["python"].rpartition(".")[0]}"' in (stack.path / "pyproject.toml").read_text()
    found = pins("\n".join(f"{package}=={version}" for package, version in answer["installed"].items()))
    assert found == pinned_on_linux((stack.path / f"requirements/{lock}.txt").read_text(), answer["python"])
    return answer | {"pins": found}


def test_a_notebook_has_the_projects_python_and_packages(stack) -> None:
    environment, file = stack.in_kernel(ENVIRONMENT, f"import {stack.package} as p; print(p.__file__)").splitlines()
    answer = check_environment(stack, environment, "lab")
    assert answer["prefix"] == "/opt/venv"
    assert answer["pytest"] == "/opt/venv/bin/pytest"
    assert file.endswith(f"/src/{stack.package}/__init__.py")
    stack.proved.append(f"kernel: Python {answer['python']}, {len(answer['pins'])} locked packages")


def test_both_images_have_exactly_the_locked_versions(stack) -> None:
    found = {}
    for image in ("lab", "process"):
        python = ("--entrypoint", "/opt/venv/bin/python", f"{stack.name}-{image}")
        said = stack.run("docker", "run", "--rm", *python, "-c", ENVIRONMENT)
        found[image] = check_environment(stack, said, image)["pins"]
    assert found["process"].items() < found["lab"].items()


def test_the_base_images_own_packages_are_untouched(stack) -> None:
    images = stack.base_images()
    base = images.get("LAB_IMAGE", images["PYTHON_IMAGE"])
    python = "/opt/conda/bin/python" if "LAB_IMAGE" in images else "/usr/local/bin/python3"
    # ml-workspace's Python is 3.8
    show = "import importlib.metadata as m; print(sorted({(d.metadata['Name'], d.version) for d in m.distributions()}))"
    before, after = (
        stack.run("docker", "run", "--rm", "--entrypoint", python, image, "-I", "-c", show)
        for image in (base, f"{stack.name}-lab")
    )
    assert before == after


def test_services_are_confined(stack) -> None:
    for service in stack.running:
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
        assert limits["RestartPolicy"]["Name"] == "always"  # what an engine that crashed stops counts as stopped
        assert set(limits["LogConfig"]["Config"]) == {"max-size", "max-file"}
    lab = stack.container("lab")
    for variable in ("OMP_NUM_THREADS", "POLARS_MAX_THREADS", "PYTHON_CPU_COUNT"):
        assert f"{variable}={stack.settings['CPUS']}" in lab["Config"]["Env"]
    find = ("docker", "run", "--rm", "--user=0", "--entrypoint=find", f"{stack.name}-process")
    assert stack.run(*find, "/", "-xdev", "-type", "f", "-perm", "/6000") == ""  # no program makes its user root


def look(stack: Stack, services: set[str], script: str) -> dict[str, str]:
    """Return what a line of Bash says inside each service that runs, and inside others, where it is the program."""
    inside = {service: ("run", "--rm", "--no-TTY", "--entrypoint", "bash", service) for service in services}
    inside |= {service: ("exec", "--no-TTY", service, "bash") for service in stack.running}
    with ThreadPoolExecutor() as pool:  # it is waiting more than work
        said = pool.map(lambda command: stack.compose(*command, "-c", script), inside.values())
        return dict(zip(inside, said, strict=True))


KNOWN = {  # secret: who knows it
    "JUPYTER_TOKEN": {"lab"},
    "AWS_SECRET_ACCESS_KEY": {"lab", "process", "worker"},
    "POSTGRES_PASSWORD": {"lab", "process", "test", "dashboard", "db"},
    "MLFLOW_DATABASE_PASSWORD": {"mlflow", "db"},
}


def test_a_service_knows_its_own_secrets(stack) -> None:
    """From its environment, its files and Compose's; adopt, setup and doctor work on .env itself."""
    script = "cat /proc/self/environ .env* /run/secrets/* 2>/dev/null; true"
    for service, said in look(stack, {"process", "test", "lock"}, script).items():
        for secret in {*KNOWN} & {*stack.settings}:
            assert (stack.settings[secret] in said) == (service in KNOWN[secret]), f"{service} {secret}"


def test_a_service_reaches_only_what_it_uses(stack) -> None:
    """By each address; a server also reaches those who use it, and lab the place that Debian's packages come from."""
    services = json.loads(stack.compose("config", "--format", "json"))["services"]
    uses = {service: {*body.get("depends_on", {})} for service, body in services.items()}
    for server in (facts["service"] for facts in FACTS.values() if "service" in facts):
        for user in server.get("also", []):
            uses.setdefault(user, set()).update({server["name"]} & {*services})
    uses["lab"] = {"outside"}.union(*uses.values())
    sources = ("--entrypoint=grep", f"{stack.name}-process", "-rhoEm1", "https?://[^/ ]+", "/etc/apt")
    scheme, _, host = stack.run("docker", "run", "--rm", *sources).split()[0].partition("://")
    places = {f"{host}/{'443' if scheme == 'https' else '80'}": "outside"}
    running = stack.running
    for service in running:
        seen = stack.container(service)["NetworkSettings"]
        for network in seen["Networks"].values():
            places |= {f"{network['IPAddress']}/{port.partition('/')[0]}": service for port in seen["Ports"]}
    tries = f"for place in {' '.join(places)}; do"
    tries += ' (timeout 3 bash -c "</dev/tcp/$place" 2>&- && echo $place) & done; wait'
    assert {*places.values()} >= {*running}
    for service, said in look(stack, {"process"}, tries).items():
        reached = {places[place] for place in said.split() if place in places}
        users = {user for user in uses if service in uses[user]}
        assert reached - users - {service} == uses[service] & {*places.values()}, service


def test_the_projects_own_tests_and_notebooks_pass(stack) -> None:
    (python,) = re.findall(r"^requires-python = (.+)$", (stack.path / "pyproject.toml").read_text(), re.MULTILINE)
    changes = {OWN_TESTS: own_tests(python in TESTED)}
    TESTED.add(python)
    said = shown.run(stack.shell, shown.documents(stack.path), OWN_TESTS, changes)
    passed = re.search(r"^=+ (\d+) passed", said, re.MULTILINE)
    assert passed, said[-3000:]
    assert not re.search(r"\d+ (skipped|xfailed|failed|error)", said)
    stack.proved.append(f"{passed[1]} tests of its own")


def test_process_repeats_its_results_and_lab_gets_the_same(stack) -> None:
    nowhere = ("--env=HTTP_PROXY=http://127.0.0.1:9", "--env=http_proxy=http://127.0.0.1:9")  # not for its own servers
    said = stack.compose("run", "--rm", *nowhere, "process")
    assert re.search(r"^5/[56] report", said, re.MULTILINE)
    first = stack.results()
    assert {"reports/report.html", "reports/metrics.json", "models/model.joblib"} <= set(first)
    stack.compose("run", "--rm", "process")
    assert stack.results() == first
    python = json.loads((stack.path / "reports/run.json").read_text())["versions"]["python"]
    stack.compose("exec", "lab", "/opt/venv/bin/python", "-m", stack.package, "run")
    own = json.loads((stack.path / "reports/run.json").read_text())["versions"]["python"]
    # a base image with a Python of its own can be a patch release apart, and the record says so
    assert own.rpartition(".")[0] == python.rpartition(".")[0]
    assert stack.results(python=python) == first
    stack.proved.append("process: the same results twice, and in lab")


def test_process_holds_the_environment_and_nothing_else(stack) -> None:
    image = f"{stack.name}-process"

    def inside(script: str) -> str:
        return stack.run("docker", "run", "--rm", "--user", "0:0", "--entrypoint", "sh", image, "-c", script)

    assert inside("ls -A /app").split() == ["data", "models", "reports", "results", "src"]
    assert inside("for tool in jupyter uv gcc cc g++ make git pytest; do command -v $tool; done; true") == ""
    files = "-name '.env*' -o -name .git -o -name '*.ipynb' -o -name 'test_*.py' -path '/app/*'"
    folders = "-type d -path '*/site-packages/jupyter*'"
    assert inside(f"find / -xdev \\( {files} -o {folders} \\) 2>/dev/null; true") == ""
    assert inside("find /root/.cache /tmp /var/lib/apt/lists -type f 2>/dev/null; true") == ""
    packages = "find / -xdev -name '*.dist-info' -not -path '/opt/venv/*' 2>/dev/null; true"
    base = ("docker", "run", "--rm", "--entrypoint", "sh", stack.base_images()["PYTHON_IMAGE"], "-c", packages)
    assert sorted(inside(packages).split()) == sorted(stack.run(*base).split())
    assert inside("echo $LANG") == "C.UTF-8\n"  # Python's own image no longer sets it
    config = json.loads(stack.run("docker", "inspect", image))[0]["Config"]
    assert config["User"] == "1000:1000"
    history = stack.run("docker", "history", "--no-trunc", image)
    assert stack.settings["JUPYTER_TOKEN"] not in history


def asking_for_a_gpu(stack: Stack) -> set[str]:
    """Return the services that ask the engine for a device."""
    services = json.loads(stack.compose("--profile", "*", "config", "--format", "json"))["services"]
    reservations = {
        service: body.get("deploy", {}).get("resources", {}).get("reservations", {})
        for service, body in services.items()
    }
    return {service for service, reserved in reservations.items() if "devices" in reserved}


def test_a_gpu_is_asked_for_only_where_env_says_so(stack) -> None:
    env = stack.path / ".env"
    before = env.read_text()
    assert asking_for_a_gpu(stack) == set()
    if not (stack.path / "compose.gpu.yaml").exists():
        assert "ACCELERATOR" not in before
        return
    env.write_text(before.replace("ACCELERATOR=cpu\n", "ACCELERATOR=gpu\n"))
    try:
        assert {"lab", "process", "test"} <= asking_for_a_gpu(stack)
        there = "nvidia" in stack.run("docker", "info", "--format", "{{json .Runtimes}}")
        said = shown.run(
            lambda command: stack.shell(command, code=0 if there else 1),
            shown.documents(stack.path),
            "docker compose run --rm --entrypoint nvidia-smi process",
        )
        assert ("NVIDIA" if there else 'could not select device driver "nvidia"') in said
    finally:
        env.write_text(before)
    stack.proved.append("gpu: asked for when switched on")


def test_the_locks_are_what_the_project_itself_would_make(stack) -> None:
    requirements = stack.path / "requirements"
    before = {file.name: file.read_bytes() for file in requirements.iterdir()}
    assert stack.compose("run", "--rm", "lock").count(" 0 new or changed") == 2
    assert {file.name: file.read_bytes() for file in requirements.iterdir()} == before
    stack.proved.append("locks: as it would make them")


# What needs a GPU, new locks, a new password, a newer server, an edit, a terminal of JupyterLab, or a machine without
# Docker: tests of their own run these commands, and a complete run fails if one is not run.
ELSEWHERE = (
    "docker compose run --rm adopt",
    "docker compose run --rm --entrypoint python test",
    "docker compose run --rm --entrypoint nvidia-smi",
    "docker compose run --rm lock --upgrade",
    "docker compose run --rm lock --add",
    "docker compose up --wait db",
    "docker compose exec db psql --username postgres",
    "docker compose exec db pg_",
    "docker compose exec db rm",
    "docker compose run --rm --entrypoint mv db",
    "docker compose up --build --wait db",
    "docker compose up --watch",
    "git init",
    "git status",
    "git diff",
    "cruft update",
    "python3 -m pip",
    "pre-commit install",
    "PYTHONPATH=",
    "python3.",
)


def test_every_command_of_its_documents_works(stack) -> None:
    """Those that no test has run yet, in their order."""
    shutil.copy(stack.path / "src" / stack.package / "sample/penguins.csv", stack.path / "data/penguins.csv")
    document = shown.documents(stack.path)
    for page in ("production", "scale"):  # test_engine_production.py and test_engine_scale.py run these
        document = document.replace((stack.path / f"docs/{page}.md").read_text(), "")
    commands = shown.commands(document)
    assert len(commands) > 5
    for command in commands:
        if command in shown.DONE or command.startswith(ELSEWHERE):
            continue
        asked = command.startswith("curl")
        if asked:
            stack.compose("run", "--rm", "process")  # the model is of the packaged data again
        port = {"127.0.0.1:8000": f"127.0.0.1:{stack.settings['API_PORT']}"} if asked else {}
        said = shown.run(lambda line: stack.shell(f"{line} </dev/null"), document, command, port)
        assert not asked or '"predicted":"Chinstrap"' in said
        if command.endswith("down"):
            stack.compose("up", "--wait")
        stack.proved.append(f"README: {command[:90]}")
    (stack.path / "data/penguins.csv").unlink()


def users_first(stack: Stack) -> list[str]:
    """Return the services that run, those that use others before these, as Compose stops them."""
    services = json.loads(stack.compose("config", "--format", "json"))["services"]
    servers = {name for body in services.values() for name in body.get("depends_on", {})}
    return sorted(stack.running, key=lambda name: name in servers)


def test_a_service_that_crashes_comes_back(stack) -> None:
    """All its processes are killed but the first, which sees to the others."""
    for service in users_first(stack):
        kind = (service, *stack.base_images().values())
        if kind in CRASHED:
            continue
        CRASHED.add(kind)
        before = stack.container(service)["RestartCount"]
        stack.compose("exec", "--detach", service, "sh", "-c", "kill -9 -1")  # a shell to wait for could be killed, too
        end = time.monotonic() + 30
        while stack.container(service)["RestartCount"] == before and time.monotonic() < end:
            time.sleep(0.5)
        assert stack.container(service)["RestartCount"] == before + 1, service
        stack.compose("up", "--wait", service)
        stack.proved.append(f"{service}: back after a crash")


def test_services_stop_in_time_and_the_dev_container_opens(stack, devcontainer) -> None:
    """Last, as the tool for dev containers starts `lab` anew."""
    sleep = ("--entrypoint", "python", "process", "-c", "import time; time.sleep(60)")
    sleeper = stack.compose("run", "--detach", "--rm", *sleep).split()[-1]
    containers = {service: stack.container(service)["Id"] for service in users_first(stack) if service != "process"}
    for service, container in {"process": sleeper, **containers}.items():
        start = time.monotonic()
        stack.run("docker", "stop", container)
        # a second or two on an idle machine; after thirty, Docker would kill what does not listen
        assert time.monotonic() - start < 15, service
    for service, container in containers.items():
        code = stack.run("docker", "inspect", "--format", "{{.State.ExitCode}}", container).strip()
        assert code in ("0", "143"), service
    stack.proved.append(f"{len(containers)} services stopped in time")
    container = (stack.path / ".devcontainer/devcontainer.json").read_text().replace(stack.path.name, "")
    if container in OPENED:
        return
    OPENED.add(container)
    stack.compose("down")
    stack.run(devcontainer, "up", "--workspace-folder", ".")
    command = ("python", "-c", f"import sys, {stack.package} as p; print(sys.prefix, p.__file__)")
    said = stack.run(devcontainer, "exec", "--workspace-folder", ".", *command)
    assert "/opt/venv " in said
    assert f"/src/{stack.package}/__init__.py" in said
    stack.proved.append("dev container opened")
