"""A generated project on the engine, and what tests read of it."""

import contextlib
import functools
import hashlib
import http.client
import itertools
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import programs
import websocket

INSIDE = Path(__file__).with_name("inside")
PORTS = itertools.count(secrets.randbelow(1500))  # none is given twice
OWN_TESTS = "docker compose run --rm test"  # of a project, by its README
ALIKE = ["test_parts.py", "test_production.py", "test_remote.py"]  # of these: only the Python and the table change them


def docker_config(folder: Path, proxy: str) -> str:
    """Write Docker's settings of this user, and a proxy for all containers, into a folder, and return their own."""
    own = Path.home() / ".docker"
    settings = json.loads((own / "config.json").read_text()) if (own / "config.json").exists() else {}
    settings |= {"proxies": {"default": {"httpProxy": proxy, "httpsProxy": proxy}}}
    settings["cliPluginsExtraDirs"] = [*settings.get("cliPluginsExtraDirs", []), str(own / "cli-plugins")]
    if not (folder / ".docker").exists():
        (folder / ".docker").mkdir()
        (folder / ".docker/contexts").symlink_to(own / "contexts")
    (folder / ".docker/config.json").write_text(json.dumps(settings))
    return str(folder / ".docker")


class Stack:
    """One generated project, driven by its own Compose commands as its owner would."""

    def __init__(self, path: Path) -> None:
        """Take a project that has its .env."""
        self.path = path
        self.proved: list[str] = []
        self.extra_images: list[str] = []

    @functools.cached_property
    def settings(self) -> dict[str, str]:
        """Return what .env says."""
        lines = (line for line in (self.path / ".env").read_text().splitlines() if line and line[0] != "#")
        return dict(line.split("=", 1) for line in lines)

    def set(self, **values: object) -> None:
        """Change settings in .env, which may have them as a comment."""
        env = self.path / ".env"
        for name, value in values.items():
            env.write_text(re.sub(rf"(?m)^#?{name}=.*$", lambda _, line=f"{name}={value}": line, env.read_text()))
        self.__dict__.pop("settings", None)  # those that were read before

    @property
    def name(self) -> str:
        """Return what the project's containers, volumes and images are called after."""
        return self.settings.get("COMPOSE_PROJECT_NAME") or self.path.name

    def run(self, *command: object, code: int = 0) -> str:
        """Run a program in the project; fail unless it exits with `code`. Returns all that it said."""
        return programs.run(self.path, *command, code=code)

    def shell(self, script: str, code: int = 0) -> str:
        """Run a line of shell in the project, as somebody types it there."""
        return self.run("sh", "-ec", script, code=code)

    def compose(self, *arguments: object, code: int = 0) -> str:
        """Run `docker compose` in the project."""
        return self.run("docker", "compose", *arguments, code=code)

    def script(self, name: str, *arguments: str) -> subprocess.CompletedProcess:
        """Run a script of tests/inside in the production image, with the package's name as its first argument."""
        command = ["docker", "compose", "run", "--rm", "--no-TTY", "--entrypoint", "python", "process", "-"]
        with (INSIDE / name).open() as script:
            return subprocess.run(
                [*command, self.package, *arguments], cwd=self.path, stdin=script, capture_output=True, text=True
            )

    def ask(self, service: str, path: str, body: object = None, host: str | None = None) -> tuple[int, str]:
        """Return the status and the text that a service answers with on the host; `body` is sent as JSON."""
        answer = self.answer(service, path, body, host)
        return answer.status, answer.read().decode()

    def answer(self, service: str, path: str, body: object = None, host: str | None = None) -> http.client.HTTPResponse:
        """Return the same answer with its headers, not yet read."""
        connection = http.client.HTTPConnection("127.0.0.1", int(self.settings[f"{service}_PORT"]), timeout=30)
        return send(connection, path, body, {"Host": host} if host else {})

    def channel(self, path: str) -> websocket.WebSocket:
        """Return an open channel of JupyterLab's server."""
        token = self.settings["JUPYTER_TOKEN"]
        address = f"ws://127.0.0.1:{self.settings['JUPYTER_PORT']}/{path}?token={token}"
        return websocket.create_connection(address, timeout=60)

    def start(self, kind: str, body: object) -> dict:
        """Start a notebook's session or a terminal on JupyterLab's server, and return the server's answer."""
        status, text = self.ask("JUPYTER", f"/api/{kind}?token={self.settings['JUPYTER_TOKEN']}", body)
        assert status in (200, 201), text
        return json.loads(text)

    def in_terminal(self, command: str) -> str:
        """Return what a new terminal of JupyterLab shows for a command; fail unless the command succeeds."""
        channel = self.channel(f"terminals/websocket/{self.start('terminals', {})['name']}")
        channel.send(json.dumps(["stdin", f"{command}; echo exit=$?\r"]))
        shown = ""
        while not (end := re.search(r"exit=(\d+)", shown)):
            kind, *parts = json.loads(channel.recv())
            shown += "".join(parts) if kind == "stdout" else ""
        channel.close()
        assert end[1] == "0", shown
        return shown

    def in_kernel(self, *cells: str) -> str:
        """Return what cells print in a new notebook of the folder `notebooks`, whose kernel is the default one."""
        notebook = {"type": "notebook", "name": "", "path": f"notebooks/{uuid.uuid4().hex}.ipynb"}
        channel = self.channel(f"api/kernels/{self.start('sessions', notebook)['kernel']['id']}/channels")
        printed = ""
        for code in cells:
            header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "version": "5.3"}
            header |= {"username": "", "session": uuid.uuid4().hex}
            content = {"code": code, "silent": False}
            message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
            channel.send(json.dumps(message))
            state = ""
            while state != "idle":
                answer = json.loads(channel.recv())
                if answer["parent_header"].get("msg_id") != header["msg_id"]:
                    continue
                if answer["msg_type"] == "error":
                    raise AssertionError("\n".join(answer["content"]["traceback"]))
                if answer["msg_type"] == "stream":
                    printed += answer["content"]["text"]
                state = answer["content"].get("execution_state", "")
        channel.close()
        return printed

    @property
    def package(self) -> str:
        """Return the name of the project's Python package."""
        return next((self.path / "src").iterdir()).name

    @property
    def running(self) -> list[str]:
        """Return the services that run."""
        return self.compose("ps", "--services", "--status", "running").split()

    def base_images(self) -> dict[str, str]:
        """Return the images that the Dockerfile starts from, by the name of their argument."""
        found = re.findall(r"^FROM (\S+) AS (\w+_image)$", (self.path / "Dockerfile").read_text(), re.MULTILINE)
        return {stage.upper(): image for image, stage in found}

    def container(self, service: str) -> dict:
        """Return what the engine knows about the running container of a service."""
        return json.loads(self.run("docker", "inspect", self.compose("ps", "--quiet", service).strip()))[0]

    def results(self, *, python: str = "") -> dict[str, str]:
        """Return the SHA-256 of each result that is not hidden, as if this version of Python had made it."""
        own = json.loads((self.path / "reports/run.json").read_text())["versions"]["python"].encode()
        found = {}
        for file in (file for folder in ("models", "reports") for file in (self.path / folder).rglob("*")):
            if file.is_file() and "/." not in str(file.relative_to(self.path)):
                content = file.read_bytes().replace(own, python.encode() or own)
                found[str(file.relative_to(self.path))] = hashlib.sha256(content).hexdigest()
        return found

    def remove(self) -> None:
        """Take away containers, volumes, networks and images of this project, and nothing else."""
        self.compose("--profile", "*", "down", "--volumes", "--rmi", "local", "--remove-orphans")
        for image in self.extra_images:
            self.run("docker", "image", "rm", image)
        # images that a rebuild took the tag from
        label = f"label=com.docker.compose.project={self.name}"
        self.run("docker", "image", "prune", "--force", "--filter", label)


def send(connection: http.client.HTTPConnection, path: str, body: object, headers: dict) -> http.client.HTTPResponse:
    """Return the answer to a request, not yet read; a body that is not None is sent as JSON."""
    text = None if body is None else json.dumps(body)
    connection.request("POST" if text else "GET", path, text, {"Content-Type": "application/json"} | headers)
    return connection.getresponse()


def wait(condition: Callable[[], bool], seconds: float = 120, every: float = 0.5) -> float:
    """Return after how many seconds a condition holds, checked again after `every`. Raises AssertionError."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, f"not true within {seconds} seconds"
        time.sleep(every)
    return time.monotonic() - start


def code_cells(notebook: Path) -> list[dict]:
    """Return the code cells of a notebook."""
    return [cell for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]


def free_port() -> int:
    """Return a port that is not in use, and that no other process of the tests, nor the system, gives away."""
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:]) % 8
    while True:
        port = 20000 + 1500 * process + next(PORTS) % 1500
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


def free_ports(env: Path) -> None:
    """Give every port in an .env file a number that is free on this machine."""
    env.write_text(re.sub(r"(?m)^(\w+_PORT)=\d+$", lambda match: f"{match[1]}={free_port()}", env.read_text()))


def project(bake, folder: Path, **answers: str) -> Stack:
    """Generate a project with a name and ports of its own into `folder`.

    Its package has the usual name, so that the commands of all projects are the same.
    """
    names = {"project_slug": f"dsd-{uuid.uuid4().hex[:8]}", "package_name": bake().context["package_name"]}
    path = shutil.copytree(bake(**names, **answers).path, folder / names["project_slug"], copy_function=shutil.copy2)
    free_ports(path / ".env")
    (path / ".cruft.json").write_text("{}")  # as cookiecutter and cruft leave it
    return Stack(path)


def own_tests(known: bool) -> str:
    """Return what runs a project's own tests, where those that are alike are known to pass without them."""
    return " ".join([OWN_TESTS, *(f"--ignore=tests/{name}" for name in ALIKE if known)])


def bring_python_within_reach(made: Stack) -> None:
    """Where this machine cannot reach the builds of Python that uv downloads, use a base image that has one."""
    images = made.base_images()
    if "LAB_IMAGE" not in images or reachable("github.com"):
        return
    tag = f"{made.name}-base:dev"
    arguments = [f"--build-arg={argument}={images[argument]}" for argument in ("PYTHON_IMAGE", "LAB_IMAGE")]
    made.run("docker", "build", "--tag", tag, *arguments, "--file", INSIDE / "python_home.Dockerfile", INSIDE)
    made.extra_images.append(tag)
    env = made.path / ".env"
    env.write_text(env.read_text().replace("#LAB_IMAGE=", f"LAB_IMAGE={tag}"))


def reachable(host: str) -> bool:
    """Say whether this machine reaches a host of the Internet."""
    try:
        with socket.create_connection((host, 443), timeout=10):
            return True
    except OSError:
        return False


def gateway() -> str:
    """Return the address of this machine, as builds and containers reach it."""
    bridge = ("docker", "network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}")
    return programs.run(Path(), *bridge).strip()


def without_packages(pyproject: str) -> str:
    """Return the text of a pyproject.toml that asks for no package, so that builds are quick."""
    return re.sub(r"(?s)\n(dependencies|lab) = \[.*?\n\]", r"\n\1 = []", pyproject)


def container_of(registry: str) -> str:
    """Return the name of a registry's container."""
    return f"dsd-registry-{registry.partition(':')[2]}"


def remove_images(stack: Stack, *references: str) -> None:
    """Take away all images that are called so."""
    filters = (f"--filter=reference={reference}" for reference in references)
    found = stack.run("docker", "images", "--format", "{{.Repository}}:{{.Tag}}", *filters).split()
    if found:
        stack.run("docker", "rmi", *found)
