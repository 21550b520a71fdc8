"""JupyterLab opens with the token only; its notebook, terminal and Git work, and it shows what it uses."""

import contextlib
import json
import time

import browser
from stack import Stack, code_cells


def before(stack: Stack) -> None:
    """Ask with and without the token, use the terminal, and run the notebook in a browser."""
    token = stack.settings["JUPYTER_TOKEN"]
    assert stack.ask("JUPYTER", "/api/status")[0] == 403
    assert stack.ask("JUPYTER", "/api/status?token=wrong")[0] == 403
    assert stack.ask("JUPYTER", f"/api/status?token={token}")[0] == 200
    status, page = stack.ask("JUPYTER", f"/lab?token={token}")
    assert status == 200
    if stack.container("lab")["Config"]["User"] != "0:0":  # ml-workspace's own server has no such plugin
        assert '"@jupyterlab/apputils-extension:announcements"' in page  # among the disabled extensions
        assert stack.ask("JUPYTER", f"/api/status?token={token}", host="evil.example")[0] == 403
    stack.in_terminal("git --version && python -c 'import polars'")  # tests/test_engine_bases.py asks every shell
    run_the_notebook(stack, token)


def run_the_notebook(stack: Stack, token: str) -> None:
    """Run the notebook as a person does, and look at its figures and at the file that JupyterLab saves."""
    notebook = stack.path / "notebooks/01-explore.ipynb"
    committed = notebook.read_bytes()
    cells = len(code_cells(notebook))
    address = f"http://127.0.0.1:{stack.settings['JUPYTER_PORT']}/lab/tree/notebooks/{notebook.name}"
    with browser.page(address) as page:
        browser.log_in(page, token)
        browser.run_notebook(page, cells)
        assert browser.figures(page) > 0
        if "ResourceUseDisplay" in (stack.path / "Dockerfile").read_text():  # other images have a server of their own
            browser.wait_for(page, "CPU: ", f" / {stack.container('lab')['HostConfig']['Memory'] / 2**20:.2f} MB")
        end = time.monotonic() + 10
        while True:  # JupyterLab saves in its own time, while the page is open
            saved = []
            with contextlib.suppress(json.JSONDecodeError):  # half of it, as ml-workspace's server saves in place
                saved = code_cells(notebook)
            done = [cell["execution_count"] for cell in saved] == list(range(1, cells + 1))
            if done and notebook.stat().st_uid == stack.path.stat().st_uid:
                break
            assert time.monotonic() < end, saved
            time.sleep(0.2)
    assert sum("image/svg+xml" in output.get("data", {}) for cell in saved for output in cell["outputs"]) == 4
    notebook.write_bytes(committed)


def after(stack: Stack, kept: None) -> str:
    """Ask with the token again."""
    assert stack.ask("JUPYTER", f"/api/status?token={stack.settings['JUPYTER_TOKEN']}")[0] == 200
    return "opens with the token only; notebook run, seen and saved in Chromium; terminal with Git"
