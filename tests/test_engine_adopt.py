"""A table of one's own in place of the penguins, through the whole project, without an edit."""

import csv
import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

import browser
import pytest
import shown
from stack import OWN_TESTS, Stack, own_tests, project
from template import CHOICES

pytestmark = pytest.mark.usefixtures("engine")

WITH = {"api": {"database": "postgres"}, "dashboard": {"tracking": "mlflow"}}  # each service once


@pytest.fixture(scope="module", params=CHOICES["deploy"])
def made(request, bake, tmp_path_factory) -> Iterator[Stack]:
    """Return a project with its images."""
    answers = {option: choice for option, choice in WITH.get(request.param, {}).items() if choice in CHOICES[option]}
    stack = project(bake, tmp_path_factory.mktemp("adopt"), deploy=request.param, **answers)
    stack.compose("--profile", "tools", "build")
    yield stack
    stack.remove()


@pytest.fixture
def tests(request) -> str:
    """Return what runs the project's own tests."""
    return own_tests(request.node.callspec.params["made"] != CHOICES["deploy"][0])


def write_table(path: Path) -> None:
    """Write 300 rows about houses, as a spreadsheet of another country writes them."""
    chance = random.Random(0)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(["id", "Preis (€)", "Fläche.m²", "部屋", "gebaut", "class", "balcony", "notes", "empty"])
        for number in range(300):
            area = chance.randint(30, 200)
            kind = chance.choice(["flat", "house", 'loft "L"'])
            price = area * 3500 + 90000 * (kind == "house") + chance.gauss(0, 20000)
            rooms = "" if chance.random() < 0.1 else area // 25
            built = f"{chance.randint(1, 28)}.{chance.randint(1, 12)}.{chance.randint(1950, 2020)}"
            notes = " ".join(chance.choice(["quiet", "sunny", "old", "near", "the", "park"]) for _ in range(9))
            row = [number, f"{price:.2f}".replace(".", ","), area, rooms, built, kind, chance.choice(["yes", "no"])]
            writer.writerow([*row, f"{notes} {number}", ""])


def test_a_table_of_another_country_and_a_number_to_predict(made, chromium, tests) -> None:
    write_table(made.path / "data/houses.csv")
    changes = {"data/mine.csv": "data/houses.csv", "COLUMN": "'Preis (€)'"}
    said = shown.run(made.shell, (made.path / "README.md").read_text(), "docker compose run --rm adopt data", changes)
    assert re.search(r"id +whole number +left out: an identifier", said), said
    assert (made.path / ".env").read_text().count("\nPIPELINE_INPUT=data/houses.csv\n") == 1
    made.compose("up", "--wait")
    inside = ("/opt/venv/bin/python", "-m", made.package, "adopt", "data/houses.csv", "--target", "class", "--force")
    assert ".env cannot be written here" in made.compose("exec", "lab", *inside, code=7)  # its secrets are hidden there
    made.compose("run", "--rm", "process")
    metrics = json.loads((made.path / "reports/metrics.json").read_text())
    assert metrics["mean_absolute_error"] < metrics["baseline_mean_absolute_error"] / 2
    made.shell(tests)  # they use the made-up rows, and run the notebook
    look_at_what_people_see(made, 300, "Fläche.m²", "Fläche m²")


def test_the_page_about_it_can_be_followed_with_classes(made, chromium, tests) -> None:
    document = (made.path / "docs/your-own-table.md").read_text()
    for command in shown.commands(document):
        shown.run(made.shell, document, command, {OWN_TESTS: tests} if command == OWN_TESTS else {})
    assert json.loads((made.path / "reports/metrics.json").read_text())["accuracy"] > 0.9
    look_at_what_people_see(made, 178, "proline", "Proline")


def look_at_what_people_see(made: Stack, rows: int, number: str, title: str) -> None:
    """Look at the report, and at the service of the project; `number` is a column of numbers, `title` what it shows."""
    browser.look((made.path / "reports/report.html").as_uri(), title)
    services = made.compose("config", "--services").split()
    if "api" in services:
        ask(made, number)
    if "dashboard" in services:
        port = made.settings["DASHBOARD_PORT"]
        browser.look(f"http://127.0.0.1:{port}/", f"{rows} of {rows} rows", "What the model relies on")


def ask(made: Stack, number: str) -> None:
    """Send the example of its page, and a row in which a number is a word."""
    document = json.loads(made.ask("API", "/openapi.json")[1])
    body = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    (example,) = body["examples"]
    status, text = made.ask("API", "/predict", example)
    assert status == 200, text
    assert {"predicted"} < json.loads(text)[0].keys()
    status, text = made.ask("API", "/predict", [example[0] | {number: "large"}])
    assert (status, json.loads(text)["detail"][0]["loc"]) == (422, ["body", 0, number])
