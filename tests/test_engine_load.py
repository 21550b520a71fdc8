"""Web service and dashboard under load: nobody who asks notices another model, a stop, or a crowd."""

import http.client
import json
import re
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event

import pytest
from proofs import dashboard
from proofs.api import PENGUIN, keep_asking
from stack import Stack, project
from summary import FIGURES

pytestmark = pytest.mark.usefixtures("engine")


@pytest.fixture(scope="module")
def served(bake, tmp_path_factory):
    """Start a project with the web service, and give it a model."""
    made = project(bake, tmp_path_factory.mktemp("load"), deploy="api")
    try:
        made.compose("up", "--wait", "api")
        made.compose("run", "--rm", "process")
        yield made
    finally:
        made.remove()


def address(stack: Stack) -> tuple[str, int]:
    """Return where the web service listens."""
    return "127.0.0.1", int(stack.settings["API_PORT"])


def test_another_model_is_taken_without_an_error(served) -> None:
    end, before = Event(), served.ask("API", "/predict", [PENGUIN])
    with ThreadPoolExecutor() as pool:
        clients = [pool.submit(keep_asking, address(served)[1], end) for _ in range(4)]
        try:
            served.compose("run", "--rm", "process", "run", "--seed", "7")
            after = served.ask("API", "/predict", [PENGUIN])
            time.sleep(1)
        finally:
            end.set()
    for client in clients:
        answers = client.result()
        assert len(answers) > 50
        assert {*answers} == {before, after}
        assert answers == [before] * answers.count(before) + [after] * answers.count(after)
    assert before != after


@pytest.mark.parametrize("command", ["stop api", "up --wait --force-recreate api"])
def test_a_request_that_has_begun_is_answered_before_an_end(served, command) -> None:
    body = json.dumps([PENGUIN] * 1000).encode()
    head = f"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    with socket.create_connection(address(served), timeout=30) as connection:
        connection.sendall(f"{head}\r\n\r\n".encode() + body[:1000])
        time.sleep(1)
        end = subprocess.Popen(["docker", "compose", *command.split()], cwd=served.path, stderr=subprocess.DEVNULL)
        time.sleep(2)
        connection.sendall(body[1000:])
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert (answer.status, len(json.loads(answer.read()))) == (200, 1000)
        assert end.wait(timeout=60) == 0
    served.compose("up", "--wait", "api")


def test_a_crowd_that_says_nothing_harms_nobody(served) -> None:
    with ExitStack() as crowd:
        for _ in range(500):
            crowd.enter_context(socket.create_connection(address(served), timeout=10))
        start = time.monotonic()
        assert served.ask("API", "/predict", [PENGUIN])[0] == 200
        assert time.monotonic() - start < 5


def test_a_port_that_is_taken_is_named_and_the_next_start_works(served) -> None:
    port = served.settings["API_PORT"]
    served.compose("down")
    with socket.create_server(address(served)):
        assert port in served.compose("up", "--wait", "api", code=1)
        said = " ".join(served.run("python3", "docker/doctor.py", code=1).split())
        assert f"Port {port} (API_PORT) is in use by another program. -> In .env, set API_PORT to a free port" in said
    served.compose("up", "--wait", "api")
    assert served.ask("API", "/predict", [PENGUIN])[0] == 200


def test_twenty_people_look_at_a_million_rows(bake, tmp_path) -> None:
    """Each sees the page, and the memory that they take together is bounded."""
    made = project(bake, tmp_path, deploy="dashboard")
    head, *rows = (made.path / "src" / made.package / "sample/penguins.csv").read_text().splitlines(keepends=True)
    (made.path / "data/many.csv").write_text(head + "".join(rows) * 3000)
    env = made.path / ".env"
    env.write_text(env.read_text().replace("PIPELINE_INPUT=", "PIPELINE_INPUT=data/many.csv"))
    many = f"{len(rows) * 3000} of {len(rows) * 3000} rows".encode()

    def look(_: int) -> float:
        """Return after how many seconds one more person sees the rows."""
        start, channel, shown = time.monotonic(), dashboard.ask(made, "localhost"), b""
        channel.settimeout(120)
        channel.send_binary(b"\x5a\x00")  # as the page asks for its content: `rerun_script` of Streamlit's BackMsg
        while many not in shown:
            shown = channel.recv()
        channel.close()
        return time.monotonic() - start

    def megabytes() -> float:
        """Return the memory of the service, as the engine counts it."""
        used = made.run("docker", "stats", "--no-stream", "--format", "{{.MemUsage}}", container)
        number, unit = re.match(r"([\d.]+)([KMG])iB", used).groups()
        return float(number) * 1024 ** ("KMG".index(unit) - 1)

    try:
        made.compose("up", "--wait", "dashboard")
        container = made.container("dashboard")["Id"]
        first, alone = look(0), megabytes()
        peak = 0.0
        with ThreadPoolExecutor(20) as pool:
            people = [pool.submit(look, number) for number in range(20)]
            while not all(person.done() for person in people):
                peak = max(peak, megabytes())
        slowest = max(person.result() for person in people)
        one, all_of_them = f"{first:.1f} s and {alone:.0f} MB", f"{slowest:.1f} s and {peak:.0f} MB"
        FIGURES.append(f"dashboard, a million rows: {one} for the first person, {all_of_them} for 20")
        assert slowest < 60
        assert peak < 4 * alone, FIGURES[-1]
        assert made.container("dashboard")["RestartCount"] == 0
    finally:
        made.remove()
