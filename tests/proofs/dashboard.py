"""The dashboard shows what there is, on a laptop and on a phone."""

import json

import browser
import pytest
import websocket
from stack import Stack


def before(stack: Stack) -> None:
    """Look at it without results, and let the pipeline make some."""
    (stack.path / "reports/metrics.json").unlink(missing_ok=True)
    with browser.page(address(stack), "No results exist yet", "344 of 344 rows"):
        pass
    with pytest.raises(websocket.WebSocketBadStatusException):
        ask(stack, "evil.example")  # of a page whose name leads here
    ask(stack, "localhost").close()
    stack.compose("run", "--rm", "process")
    look(stack)


def ask(stack: Stack, host: str) -> websocket.WebSocket:
    """Open the channel of the page as a browser does that calls this machine by a name."""
    port = stack.settings["DASHBOARD_PORT"]
    options = {"host": f"{host}:{port}", "origin": f"http://{host}:{port}", "timeout": 30}
    return websocket.create_connection(f"ws://127.0.0.1:{port}/_stcore/stream", **options)


def after(stack: Stack, kept: None) -> str:
    """Look at it again."""
    look(stack)
    return "seen in Chromium at 1280 and 390"


def address(stack: Stack) -> str:
    """Return the address of its page."""
    return f"http://127.0.0.1:{stack.settings['DASHBOARD_PORT']}/"


def look(stack: Stack) -> None:
    """See the results in both sizes."""
    metrics = json.loads((stack.path / "reports/metrics.json").read_text())
    accuracy = f"{metrics['accuracy']:.1%}"
    texts = ("Which penguin is it?", accuracy, "344 of 344 rows", "What the model relies on")
    browser.look(address(stack), *texts)
