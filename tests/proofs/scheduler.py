"""The pipeline computes on the scheduler's workers; outside its networks, the scheduler has a page and nothing else."""

import json

import browser
from stack import Stack, wait

RUN = ["run", "--rm", "--env", "DASK_SCHEDULER_ADDRESS=tcp://scheduler:8786", "process"]


def before(stack: Stack) -> dict:
    """Run alone, then on the cluster: a small table has the same results, byte by byte."""
    stack.compose("run", "--rm", "process")
    results = stack.results()
    stack.compose(*RUN)
    assert stack.results() == results
    ports = stack.container("scheduler")["NetworkSettings"]["Ports"]
    assert [port for port, published in ports.items() if published] == ["8787/tcp"]
    assert {each["HostIp"] for each in ports["8787/tcp"]} == {"127.0.0.1"}
    return json.loads((stack.path / "reports/metrics.json").read_text())


def after(stack: Stack, kept: dict) -> str:
    """Run again, and look at the page in a browser."""
    stack.compose(*RUN)
    assert json.loads((stack.path / "reports/metrics.json").read_text()) == kept
    with browser.page(f"http://127.0.0.1:{stack.settings['DASK_PORT']}/status", "Workers") as page:
        wait(lambda: "Data Transfer" in page.find_element("tag name", "body").text)  # which sees what Bokeh draws
    return "a run on the cluster with the results of one process"
