"""What the documents say is so."""

import os
import re
import subprocess
import sys
from pathlib import Path

import proofs
import pytest
from checks import documents, shown_commands
from conftest import copy_of_template
from template import CHOICES, LOCAL, ROOT, SHAPING, covering, tracked, variants

from scripts.pictures import PICTURES

DOCUMENTS = [file for file in tracked() if file.endswith(".md") and "cookiecutter." not in file]


def test_the_tables_of_the_readme_are_up_to_date() -> None:
    done = subprocess.run([sys.executable, "scripts/readme.py", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_readme_that_is_behind_is_found(fork) -> None:
    options = fork / "cookiecutter.json"
    options.write_text(options.read_text().replace("Licence", "Licence of the project"))
    done = subprocess.run([sys.executable, "scripts/readme.py", "--check"], cwd=fork, capture_output=True, text=True)
    assert done.returncode == 1
    assert "run python scripts/readme.py" in done.stderr


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in target:
            assert (ROOT / document).parent.joinpath(target).exists(), target
    if document == "CONTRIBUTING.md":
        for path in re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE):
            assert (ROOT / path).exists(), path


def test_each_picture_is_shown_and_made_by_the_script() -> None:
    shown = set()
    for document in DOCUMENTS:
        targets = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / document).read_text(encoding="utf-8"))
        shown |= {(ROOT / document).parent.joinpath(target).resolve() for target in targets}
    assert shown == {ROOT / "docs" / name for name in PICTURES}
    assert {file for file in tracked("docs") if not file.endswith(".md")} == set(PICTURES)


def test_the_recording_tells_no_token() -> None:
    tokens = re.findall(r"token=([^<]*)<", (ROOT / "docs/start.svg").read_text(encoding="utf-8"))
    assert set(tokens) == {16 * "*"}


def test_links_of_a_generated_document_lead_somewhere(bake) -> None:
    for variant in variants():
        files = bake(**variant).files
        for name in (name for name in files if name.endswith(".md")):
            for target in re.findall(r"\]\(([^)#]+)\)", files[name].decode()):
                if "://" not in target:
                    assert os.path.normpath(Path(name).parent / target) in files, f"{name}: {target}"


# Commands that the template's own documents show -> the test that runs them
COMMANDS = {
    "python3 -m venv .venv && .venv/bin/pip install --quiet cookiecutter": "test_the_first_command_of_the_readme_makes_a_project",
    "python3 -m venv .venv && .venv/bin/pip install --quiet -r": "test_ci_runs_the_very_command_of_the_readme",
    ".venv/bin/python -m pytest": "test_ci_runs_the_very_command_of_the_readme",
    "cd ../my-project": "test_the_first_command_of_the_readme_makes_a_project",
    "cookiecutter ": "test_the_stock_engine_and_real_hooks_write_the_same_bytes",
    "cruft ": "test_an_update_keeps_local_edits_and_dotenv",
    "python scripts/readme.py": "test_the_tables_of_the_readme_are_up_to_date",
    "python scripts/lock.py": "test_the_locks_are_what_the_project_itself_would_make",
    "pre-commit install": "test_ruff_on_the_template_itself",
}


def test_every_command_that_a_document_shows_is_run_by_a_test(bake) -> None:
    """Those of a generated project are run by the engine, on the variants of the cover."""
    cover = covering([row for row in variants() if all(row[each] == CHOICES[each][0] for each in LOCAL)], SHAPING)
    run = {command for row in cover for command in shown_commands(documents(bake(**row).files))}
    generated = {command for row in variants() for command in shown_commands(documents(bake(**row).files))}
    assert generated - run == set()
    known = {**proofs.COMMANDS, **COMMANDS}
    for document in DOCUMENTS:
        for command in shown_commands((ROOT / document).read_text(encoding="utf-8")):
            assert command in run or command.startswith(tuple(known)), f"{document}: {command} is run by no test"
    tests = "".join(file.read_text(encoding="utf-8") for file in (ROOT / "tests").glob("test_*.py"))
    for test in known.values():
        assert f"def {test}(" in tests, test


def test_the_first_command_of_the_readme_makes_a_project(tmp_path) -> None:
    clone = tmp_path / "ds-docker"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    copy_of_template(clone)  # as the working tree has it
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```sh\n(.+?)\n```$", readme.partition("## Make a project")[2], re.MULTILINE | re.DOTALL)
    done = subprocess.run(["sh", "-c", blocks[0]], cwd=clone, input="\n" * 40, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "my-project is ready." in done.stdout
    first, *_ = blocks[1].splitlines()
    assert first == "cd ../my-project"
    assert (clone / "../my-project/compose.yaml").exists()


def test_ci_runs_the_very_command_of_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    command = re.search(r"^## Run the tests$.*?^```sh\n(.+?)\n```$", readme, re.MULTILINE | re.DOTALL)[1]
    lines = (ROOT / ".ci/run").read_text().splitlines()
    assert lines[-1] == command
    assert "REQUIRE_ENGINE=1" in "\n".join(lines)
    assert (ROOT / ".github/workflows/test.yaml").read_text().rstrip().endswith("run: .ci/run")


def test_no_file_names_a_package_registry() -> None:
    """A house's index is a setting, and the public one is the client's own business."""
    hosts = re.compile(
        "|".join(
            (r"py" + r"pi\.(org|python)", r"python" + r"hosted", r"deb\.debian" + r"\.org", r"registry\.npm" + "js")
        )
    )
    for file in tracked():
        path = Path(ROOT / file)
        if path.suffix != ".png":
            assert not hosts.search(path.read_text(encoding="utf-8")), file
