"""The web service answers right and wrong requests, with and without a model."""

import http.client
import json
from threading import Event

import browser
from stack import Stack

PENGUIN = {"island": "Biscoe", "bill_length_mm": 50, "bill_depth_mm": 15, "flipper_length_mm": 220, "body_mass_g": 5000}


def before(stack: Stack) -> None:
    """Ask without a model, with one, and for something that the schema does not allow."""
    (stack.path / "models/model.joblib").unlink(missing_ok=True)
    assert json.loads(stack.ask("API", "/health")[1]) == {"status": "ok", "model": False}
    status, text = stack.ask("API", "/predict", [PENGUIN])
    assert (status, json.loads(text)["detail"].partition(". ")[0]) == (503, "No model exists yet")
    assert stack.ask("API", "/ready") == (status, text)
    assert stack.ask("API", "/health", host="evil.example")[0] == 400  # a page whose name leads here
    assert stack.answer("API", "/docs").headers["X-Frame-Options"] == "DENY"  # no other page shows it as its own
    stack.compose("run", "--rm", "process")
    status, text = stack.ask("API", "/predict", [PENGUIN])
    assert status == 200, text
    assert json.loads(text)[0]["predicted"] == "Gentoo"
    status, text = stack.ask("API", "/predict", [PENGUIN, PENGUIN | {"bill_length_mm": 4}])
    assert (status, json.loads(text)["detail"][0]["loc"]) == (422, ["body", 1, "bill_length_mm"])
    assert stack.ask("API", "/ready")[0] == 200
    assert 'http_requests_total{handler="/predict",status="503"} 1.0' in stack.ask("API", "/metrics")[1]
    processes = stack.compose("top", "api")
    assert processes.count("--multiprocessing-fork") == int(stack.settings["API_WORKERS"]), processes
    with browser.page(f"http://127.0.0.1:{stack.settings['API_PORT']}/", "Which penguin is it?", "/predict") as page:
        assert browser.errors(page) == []


def keep_asking(port: int, end: Event) -> list[tuple[int, str]]:
    """Return the statuses and the answers of one client that asks on one connection until the end."""
    answers, body, head = [], json.dumps([PENGUIN]), {"Content-Type": "application/json"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    while not end.is_set():
        connection.request("POST", "/predict", body, head)
        answer = connection.getresponse()
        answers.append((answer.status, answer.read().decode()))
    return answers


def after(stack: Stack, kept: None) -> str:
    """Ask whether the model is still there."""
    assert json.loads(stack.ask("API", "/health")[1]) == {"status": "ok", "model": True}
    return "503 without a model, 200 right, 422 wrong"
