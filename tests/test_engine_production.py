"""A project on a server: from a registry, behind the proxy, through updates, failures, backups and new secrets."""

import base64
import http.client
import os
import re
import shutil
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import browser
import pytest
import shown
import ssh
from programs import run
from proofs.api import PENGUIN
from stack import Stack, container_of, docker_config, free_port, project, remove_images, send, wait
from summary import FIGURES

pytestmark = pytest.mark.usefixtures("engine")

IMAGES = {"process": "", "db": "/db", "mlflow": "/mlflow"}  # what follows the name, by target
OTHER_MODEL = (
    "DERIVED: dict[str, pl.Expr] = {}",
    'DERIVED: dict[str, pl.Expr] = {"twice": pl.col("bill_depth_mm") * 2}',
)


class Server(Stack):
    """The folder `production` on a server, whose Docker has a proxy in its settings: one that does not answer."""

    def run(self, *command: object, code: int = 0) -> str:
        """Run a program there."""
        return run(self.path, *command, code=code, DOCKER_CONFIG=docker_config(self.path, "http://127.0.0.1:9"))

    def ask(self, path: str, body: object = None, user: str = "admin", password: str = "") -> tuple[int, str]:
        """Return the status and the text that the proxy answers with over TLS, from its own authority."""
        return self.request(path, body, user, password or self.setting("LOGIN_PASSWORD"))

    def request(self, path: str, body: object, user: str, password: str, port: int = 0) -> tuple[int, str]:
        """Ask as somebody, or as nobody."""
        login = base64.b64encode(f"{user}:{password}".encode()).decode()
        headers = {"Authorization": f"Basic {login}"} if user else {}
        port = port or int(self.setting("HTTPS_PORT"))
        connection = http.client.HTTPSConnection("localhost", port, context=self.trust, timeout=60)
        answer = send(connection, path, body, headers)
        text = answer.read().decode(errors="replace")
        connection.close()
        return answer.status, text

    @property
    def trust(self) -> ssl.SSLContext:
        """Trust the proxy's own authority, and nobody else."""
        file = self.path / "root.crt"
        if not file.exists():
            self.compose("cp", "proxy:/data/caddy/pki/authorities/local/root.crt", file)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(file)
        return context

    def setting(self, name: str) -> str:
        """Return what .env says now."""
        return re.search(rf"(?m)^{name}=(.*)$", (self.path / ".env").read_text())[1]

    def predict(self) -> tuple[int, str]:
        """Ask for a prediction with the API key."""
        return self.ask("/predict", [PENGUIN], "api", self.setting("API_KEY"))

    def state(self, service: str) -> str:
        """Return how a service is."""
        return self.container(service)["State"]["Health"]["Status"]


def publish(made: Stack, registry: str, version: str, document: str) -> None:
    """Publish a version as the document says, and leave none of it on this machine."""
    changes = {"registry.example.com": registry, ":1.0.0": f":{version}"}
    for target, name in IMAGES.items():
        shown.run(made.shell, document, f"docker build --target {target}", changes)
        made.run("docker", "rmi", f"{registry}/team/project{name}:{version}")


def install(made: Stack, registry: str, document: str, machine: ssh.Machine, name: str = "server") -> Server:
    """Bring the first version to a server that has only the folder `production`, as the document says."""
    server = Server(made.path.parent / name)
    over_ssh = {"scp": f"scp -F {machine.settings('server.example.com')}", ":project": f":{server.path}"}
    shown.run(made.shell, document, "scp", over_ssh)
    shown.run(server.shell, document, "IMAGE=", {"registry.example.com": registry, "DOMAIN=server.example.com ": ""})
    server.set(COMPOSE_PROJECT_NAME=f"{made.name}-{name}", HTTP_PORT=free_port(), HTTPS_PORT=free_port())
    return server


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """Let this machine be the server, over SSH."""
    machine = ssh.Machine(tmp_path_factory.mktemp("ssh"))
    with machine.running():
        yield machine


@pytest.fixture(scope="module")
def made(bake, tmp_path_factory, registry):
    """Publish versions: one, one whose code needs another model, one that does not start, one for another machine."""
    made = project(bake, tmp_path_factory.mktemp("made"), deploy="api", database="postgres", tracking="mlflow")
    document = (made.path / "docs/production.md").read_text()
    schema, serve = (made.path / "src" / made.package / name for name in ("schema.py", "serve.py"))
    publish(made, registry, "1.0.0", document)
    text = schema.read_text()
    assert OTHER_MODEL[0] in text
    schema.write_text(text.replace(*OTHER_MODEL))
    publish(made, registry, "1.1.0", document)
    serve.write_text("raise SystemExit('broken')\n")
    publish(made, registry, "1.2.0", document)
    for image in IMAGES.values():
        first, other = (f"{registry}/team/project{image}:{version}" for version in ("1.0.0", "1.3.0"))
        made.run("docker", "manifest", "create", "--insecure", other, first)
        made.run("docker", "manifest", "annotate", "--arch", "s390x", other, first)
        made.run("docker", "manifest", "push", "--insecure", "--purge", other)
    yield made
    made.remove()


@pytest.fixture(scope="module")
def document(made) -> str:
    """Return the page that says all this."""
    return (made.path / "docs/production.md").read_text()


@pytest.fixture(scope="module")
def server(made, registry, document, machine):
    """Start the first version."""
    server = install(made, registry, document, machine)
    try:
        start = time.monotonic()
        shown.run(server.shell, document, "docker compose up --wait")
        FIGURES.append(f"a server started from published images within {time.monotonic() - start:.0f} s")
        wait(lambda: (server.predict()[0], server.ask("/reports/")[0]) == (200, 200))
        yield server
    finally:
        server.remove()


def test_only_the_proxy_is_open_and_asks_for_a_login(server, document) -> None:
    assert (server.path / ".env").stat().st_mode & 0o777 == 0o600
    for service in server.running:
        ports = server.container(service)["NetworkSettings"]["Ports"]
        open_at = {place["HostIp"] for places in ports.values() for place in places or ()}
        assert open_at == ({"127.0.0.1"} if service == "proxy" else set())
    for path in ("/", "/docs", "/metrics", "/reports/", "/reports/report.html", "/mlflow/"):
        assert server.request(path, None, "", "")[0] == 401
        assert server.ask(path, password="wrong")[0] == 401
        assert server.ask(path)[0] in (200, 307), path
    assert server.ask("/reports/", user="api", password=server.setting("API_KEY"))[0] == 401
    assert server.ask("/mlflow/", user="api", password=server.setting("API_KEY"))[0] == 401
    for hidden in ("/reports/.runs/", "/reports/.lock", "/reports/.schedule/state.json"):
        assert server.ask(hidden)[0] == 404
    assert "Which penguin is it?" in server.ask("/reports/")[1]
    assert server.ask("/predict", "x" * 11_000_000)[0] == 413
    logs = server.compose("logs")
    assert not [name for name in ("LOGIN_PASSWORD", "API_KEY", "POSTGRES_PASSWORD") if server.setting(name) in logs]
    said = shown.run(server.shell, document, "docker compose run --rm status")
    assert re.search(r"(?m)^Version +1\.0\.0$", said)
    assert re.search(r"(?m)^Last run .*: good$", said)
    assert "PROBLEM" not in said


def test_it_is_looked_after_from_afar(server, machine) -> None:
    program = machine.home / "bin/ssh"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {machine.settings("server.example.com")} "$@"\n')
    program.chmod(0o755)
    away = {"DOCKER_HOST": "ssh://server.example.com", "PATH": f"{program.parent}:{os.environ['PATH']}"}
    before = server.container("api")["Id"]
    for command in (["up", "--wait"], ["run", "--rm", "status"], ["run", "--rm", "backup", "now"]):
        run(server.path, "env", *(f"{name}={value}" for name, value in away.items()), "docker", "compose", *command)
    assert server.container("api")["Id"] == before


def test_updates_and_the_way_back_fail_no_request(server, document) -> None:
    end, before, key = Event(), server.predict(), server.setting("API_KEY")  # .env changes meanwhile
    port = int(server.setting("HTTPS_PORT"))

    def keep_asking() -> list[tuple[int, float]]:
        answers = []
        while not end.wait(0.1):  # bcrypt for each is work enough
            start = time.monotonic()
            status = server.request("/predict", [PENGUIN], "api", key, port)[0]
            answers.append((status, time.monotonic() - start))
        return answers

    with ThreadPoolExecutor() as pool:
        clients = [pool.submit(keep_asking) for _ in range(4)]
        try:
            shown.run(server.shell, document, "sed -i")
            shown.run(server.shell, document, "docker compose up --wait")
            wait(lambda: server.predict() != before)
            server.set(VERSION="1.2.0")
            assert "unhealthy" in server.compose("up", "--wait", code=1)
            running = server.container("api")["Id"]
            for version, reason in (("9.9.9", "not found"), ("1.3.0", "no matching manifest for linux/")):
                server.set(VERSION=version)
                assert reason in server.compose("up", "--wait", code=1)
                assert server.container("api")["Id"] == running
            server.set(VERSION="1.0.0")
            server.compose("up", "--wait")
            wait(lambda: server.predict() == before)
            server.compose("run", "--rm", "process", "run", "--seed", "7")
            time.sleep(1)
        finally:
            end.set()
    answers = [answer for client in clients for answer in client.result()]
    assert {status for status, _ in answers} == {200}
    slowest = max(seconds for _, seconds in answers)
    FIGURES.append(
        f"update, bad version, rollback, new model: 0 of {len(answers)} requests failed, slowest {slowest:.1f} s"
    )


def test_runs_that_are_long_and_fail_keep_the_results_and_are_seen(server, document) -> None:
    before = server.ask("/reports/")
    server.set(SCHEDULE_RUN="* * * * *", PIPELINE_INPUT="SELECT pg_sleep(65)::text AS y")
    server.compose("up", "--wait", "schedule")
    wait(lambda: server.compose("logs", "schedule").count("the run starts") == 2, 240)
    log = shown.run(server.shell, document, "docker compose logs schedule")
    assert re.findall(r"the run (starts|ended)", log) == ["starts", "ended", "starts"]  # it was due meanwhile
    wait(lambda: server.state("schedule") == "unhealthy")
    said = server.compose("run", "--rm", "status", code=1)
    assert re.search(r"(?m)^Last run .*exit code 4.*PROBLEM$", said)
    server.run("docker", "kill", server.container("schedule")["Id"])
    server.set(PIPELINE_INPUT="data/none.csv")
    server.compose("up", "--detach", "schedule")
    wait(lambda: "data/none.csv does not exist" in server.compose("logs", "schedule"))
    assert server.ask("/reports/") == before
    server.set(SCHEDULE_RUN="", PIPELINE_INPUT="")
    server.compose("up", "--detach")
    assert server.state("schedule") != "healthy"
    server.compose("run", "--rm", "process")
    wait(lambda: server.state("schedule") == "healthy")
    server.compose("up", "--wait")


def test_a_backup_makes_another_server_the_same(server, made, registry, document, machine) -> None:
    sql = "CREATE TABLE pipeline.kept AS SELECT 42 AS answer"
    server.compose("exec", "--no-TTY", "db", "psql", "--username", "postgres", "pipeline", "--command", sql)
    saved = re.search(r"Saved: (\S+)", shown.run(server.shell, document, "docker compose run --rm backup now"))[
        1
    ].strip(",")
    assert saved in shown.run(server.shell, document, "docker compose exec backup ls /backups")
    shown.run(server.shell, document, "docker compose cp backup:", {"FILE": saved})
    other = install(made, registry, document, machine, "other")
    other.set(SCHEDULE_RUN="")
    try:
        shutil.move(server.path / saved, other.path)
        other.compose("up", "--wait")
        wait(lambda: other.predict()[0] == 200)
        (other.path / f"{saved[:-8]}0.tar.gz").write_bytes((other.path / saved).read_bytes())
        other.compose("cp", f"{saved[:-8]}0.tar.gz", "backup:/backups/")
        assert "is damaged" in other.compose("run", "--rm", "restore", f"{saved[:-8]}0.tar.gz", code=1)
        shown.run(other.shell, document, "docker compose cp FILE", {"FILE": saved})
        shown.run(other.shell, document, "docker compose run --rm restore", {"FILE": saved})
        shown.run(other.shell, document, "docker compose restart")
        wait(lambda: other.predict() == server.predict())
        rows = "SELECT (SELECT answer FROM pipeline.kept), (SELECT count(*) FROM runs), (SELECT count(*) FROM metrics)"
        ask = (
            "exec",
            "--no-TTY",
            "db",
            "psql",
            "--username",
            "postgres",
            "pipeline",
            "--tuples-only",
            "--command",
            rows,
        )
        assert other.compose(*ask) == server.compose(*ask)
        files = (
            "exec",
            "--no-TTY",
            "schedule",
            "sh",
            "-c",
            "cd results && find . -path '*/.runs/*' -type f -exec sha256sum {} + | sort",
        )
        assert other.compose(*files) == server.compose(*files)
    finally:
        other.remove()


def test_a_new_secret_locks_out_the_old_one_and_loses_nothing(server, document) -> None:
    old = {name: server.setting(name) for name in ("LOGIN_PASSWORD", "API_KEY", "POSTGRES_PASSWORD")}
    before = server.predict()
    for name in old:
        shown.run(server.shell, document, "docker compose run --rm setup --new", {"LOGIN_PASSWORD": name})
    server.compose("up", "--wait")
    assert server.ask("/reports/", password=old["LOGIN_PASSWORD"])[0] == 401
    assert server.ask("/predict", [PENGUIN], "api", old["API_KEY"])[0] == 401
    assert server.ask("/reports/")[0] == 200
    shown.run(server.shell, document, "docker compose run --rm process")
    assert server.predict()[0] == before[0]
    server.compose("exec", "schedule", "mkdir", "results/0.9.0")
    shown.run(server.shell, document, "docker compose exec schedule rm", {"1.0.0": "0.9.0"})
    assert "0.9.0" not in server.compose("exec", "schedule", "ls", "results")


@pytest.fixture
def local(request, bake, tmp_path):
    """Return a server that has the images of this machine, in two versions that are the same; it does not run yet."""
    made = project(bake, tmp_path, deploy=request.param, cluster="dask")
    made.compose("build", "process")
    image = f"{made.name}-process"
    server = Server(shutil.copytree(made.path / "production", tmp_path / "server"))
    try:
        for version in ("1.0.0", "1.1.0"):
            made.run("docker", "tag", image, f"{image}:{version}")
        setup = ("docker", "compose", "--env-file", ".env.example", "run", "--rm", "setup")
        server.run("env", f"IMAGE={image}", "VERSION=1.0.0", *setup)
        server.set(HTTP_PORT=free_port(), HTTPS_PORT=free_port())
        yield server
    finally:
        server.remove()
        remove_images(made, image)
        made.remove()


@pytest.mark.parametrize(
    ("local", "text"), [("batch", "Which penguin is it?"), ("dashboard", "The last run")], indirect=["local"]
)
def test_people_see_the_results_in_a_browser(local, chromium, text) -> None:
    """Of runs that the server's own workers compute."""
    local.set(DASK_SCHEDULER_ADDRESS="tcp://scheduler:8786")
    local.compose("up", "--wait")
    wait(lambda: local.ask("/reports/")[0] == 200)
    address = f"localhost:{local.setting('HTTPS_PORT')}/"
    login = f"https://admin:{local.setting('LOGIN_PASSWORD')}@{address}reports/"
    with browser.page(login, "Which penguin is it?") as page:
        for version in ("1.0.0", "1.1.0"):
            local.set(VERSION=version)
            local.compose("up", "--wait")
            # without the login, which the browser keeps: a script whose address has one would be loaded twice
            browser.load(page, f"https://{address}", (text,))
            assert browser.errors(page) == []
            assert "Receive client connection" in local.compose("logs", "scheduler")


@pytest.mark.parametrize("local", ["batch"], indirect=True)
def test_a_disk_that_is_full_or_read_only_is_said_and_loses_nothing(local) -> None:
    for name in ("results", "backups"):
        options = ("--opt=type=tmpfs", "--opt=device=tmpfs", "--opt=o=size=20m,mode=777")
        local.run("docker", "volume", "create", *options, f"{local.name}_{name}")
    (local.path / "read-only.yaml").write_text('services: {proxy: {volumes: ["certificates:/data:ro"]}}\n')
    read_only = ("--file", "compose.yaml", "--file", "read-only.yaml")
    assert "proxy" in local.compose(*read_only, "up", "--wait", code=1)
    assert "read-only file system" in local.compose("logs", "proxy")
    local.compose("up", "--wait")
    wait(lambda: local.ask("/reports/")[0] == 200)
    before, backup = local.ask("/reports/"), ("run", "--rm", "backup", "now")
    local.compose(*backup)
    saved = local.compose("exec", "backup", "ls", "-A", "/backups")
    for service, file in (("schedule", "results/full"), ("backup", "/backups/full")):
        local.compose("exec", service, "sh", "-c", f"cat /dev/zero >{file}", code=1)
    assert "no space left on device" in local.compose("run", "--rm", "process", "run", "--seed", "7", code=7)
    local.set(SCHEDULE_RUN="* * * * *", PIPELINE_SEED=7)
    local.compose("up", "--detach")
    wait(lambda: local.state("schedule") == "unhealthy")
    assert "no space left on device" in local.compose("logs", "schedule")
    assert re.search(r"(?m)^Disk .*PROBLEM$", local.compose("run", "--rm", "status", code=1))
    assert "No space left on device" in (said := local.compose(*backup, code=1))
    assert "The older ones are as they were." in said
    local.compose("exec", "backup", "rm", "/backups/full")
    assert local.compose("exec", "backup", "ls", "-A", "/backups") == saved
    assert local.ask("/reports/") == before
    local.compose("exec", "schedule", "rm", "results/full")
    wait(lambda: local.state("schedule") == "healthy" and local.ask("/reports/") != before)
    local.set(BACKUP_KEEP=0)
    assert "BACKUP_KEEP is '0', which is not a whole number from 1." in local.compose(*backup, code=1)
    local.set(BACKUP_KEEP=1)
    [last] = re.findall(r"Saved: (\S+),", local.compose(*backup))
    assert local.compose("exec", "backup", "ls", "/backups").split() == [last]


def test_a_fault_is_said_and_loses_nothing(server, registry) -> None:
    before = server.predict()
    server.run("docker", "stop", container_of(registry))
    running = {service: server.container(service)["Id"] for service in server.running}
    server.set(VERSION="9.9.9")
    assert "connection refused" in server.compose("up", "--wait", code=1)
    server.set(VERSION="1.0.0")
    server.compose("up", "--wait")
    server.run("docker", "start", container_of(registry))
    assert running == {service: server.container(service)["Id"] for service in server.running}
    server.set(SCHEDULE_RUN="daily")
    assert "schedule" in server.compose("up", "--wait", code=1)
    assert "SCHEDULE_RUN is 'daily', which is not minute, hour, day" in server.compose("logs", "schedule")
    server.set(SCHEDULE_RUN="", DOMAIN="not a domain {")
    assert "proxy" in server.compose("up", "--wait", code=1)
    server.set(DOMAIN="localhost")
    server.compose("up", "--wait")
    # a backup that is killed leaves no file, and the next one cleans up after it
    server.compose("run", "--rm", "backup", "now")
    saved = server.compose("exec", "backup", "ls", "/backups")
    name = server.compose("run", "--detach", "backup", "now").split()[-1]
    server.run("docker", "kill", name)
    server.run("docker", "rm", name)
    assert server.compose("exec", "backup", "ls", "/backups") == saved
    server.compose("run", "--rm", "backup", "now")
    assert ".partial" not in server.compose("exec", "backup", "ls", "-A", "/backups")
    # a database that is killed in the middle of a run comes back with its rows
    rows = ("exec", "--no-TTY", "db", "psql", "--username", "postgres", "pipeline", "--tuples-only", "--command")
    count = server.compose(*rows, "SELECT count(*) FROM pipeline.predictions")
    name = server.compose("run", "--detach", "process").split()[-1]
    server.run("docker", "kill", server.container("db")["Id"])
    server.run("docker", "wait", name)
    server.run("docker", "rm", name)
    server.compose("up", "--wait")
    assert server.compose(*rows, "SELECT count(*) FROM pipeline.predictions") == count
    assert server.predict() == before
