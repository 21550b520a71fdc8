"""The web service under load: nobody who asks notices another model, a stop, or a crowd."""

import http.client
import json
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event

import pytest
from proofs.api import PENGUIN
from stack import Stack, project

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


def keep_asking(stack: Stack, end: Event) -> list[tuple[int, str]]:
    """Return the statuses and the answers of one client that asks on one connection until the end."""
    answers = []
    connection = http.client.HTTPConnection(*address(stack), timeout=30)
    while not end.is_set():
        connection.request("POST", "/predict", json.dumps([PENGUIN]), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answers.append((answer.status, answer.read().decode()))
    return answers


def test_another_model_is_taken_without_an_error(served) -> None:
    end, before = Event(), served.ask("API", "/predict", [PENGUIN])
    with ThreadPoolExecutor() as pool:
        clients = [pool.submit(keep_asking, served, end) for _ in range(4)]
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


def test_a_request_that_has_begun_is_answered_before_a_stop(served) -> None:
    body = json.dumps([PENGUIN] * 1000).encode()
    head = f"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    with socket.create_connection(address(served), timeout=30) as connection:
        connection.sendall(f"{head}\r\n\r\n".encode() + body[:1000])
        time.sleep(1)
        stop = subprocess.Popen(["docker", "compose", "stop", "api"], cwd=served.path, stderr=subprocess.DEVNULL)
        time.sleep(2)
        connection.sendall(body[1000:])
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        assert (answer.status, len(json.loads(answer.read()))) == (200, 1000)
        assert stop.wait(timeout=30) == 0
    served.compose("up", "--wait", "api")


def test_a_crowd_that_says_nothing_harms_nobody(served) -> None:
    with ExitStack() as crowd:
        for _ in range(500):
            crowd.enter_context(socket.create_connection(address(served), timeout=10))
        start = time.monotonic()
        assert served.ask("API", "/predict", [PENGUIN])[0] == 200
        assert time.monotonic() - start < 5
