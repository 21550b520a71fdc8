"""What the documents say is so."""

import itertools
import os
import re
import shutil
from functools import partial
from pathlib import Path

import pytest
import shown
from programs import shell
from template import CHOICES, LOCAL, PYTHONS, ROOT, TREE, built, name, tracked, variants

from scripts.pictures import PICTURES

README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [file for file in tracked() if file.endswith(".md") and not file.startswith(("templates/", TREE.name))]


def promises() -> list[str]:
    """Return what README.md promises, each with the comments after it, which name its tests."""
    section = re.search(r"## What you get\n\n- (.+?)\n\n", README, re.DOTALL)[1]
    return section.split("\n- ")


@pytest.mark.parametrize("promise", promises(), ids=lambda promise: re.match(r"\*\*(.+?)\.?\*\*", promise)[1])
def test_each_promise_names_its_tests(promise) -> None:
    named = re.findall(r"<!-- (\w+\.py) (\w+) -->", promise)
    assert named
    for file, test in named:
        assert re.search(rf"^def {test}\(", (ROOT / "tests" / file).read_text(encoding="utf-8"), re.MULTILINE), test


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
    assert shown == {ROOT / "docs" / name for name in PICTURES} | {ROOT / "benchmarks/chart.svg"}
    assert {file for file in tracked("docs") if not file.endswith(".md")} == set(PICTURES)


def test_the_recording_tells_no_token() -> None:
    tokens = re.findall(r"token=([^<]*)<", (ROOT / "docs/start.svg").read_text(encoding="utf-8"))
    assert set(tokens) == {16 * "*"}


def test_links_of_a_generated_document_lead_somewhere(bake) -> None:
    for variant in variants():
        files = bake(**variant).files
        for file in (file for file in files if file.endswith(".md")):
            for target in re.findall(r"\]\(([^)#]+)\)", files[file].decode()):
                if "://" not in target:
                    assert os.path.normpath(Path(file).parent / target) in files, f"{file}: {target}"


def test_the_page_names_all_that_a_newer_python_changes(bake, tmp_path) -> None:
    pairs = [(old, new) for old, new in itertools.pairwise(PYTHONS) if int(new[2:]) == int(old[2:]) + 1]
    for (old, new), image in itertools.product(pairs, CHOICES["dev_image"]):
        page = "docs/newer-versions.md"
        changed = shutil.copytree(bake(python_version=old, dev_image=image).path, tmp_path / f"{old}-{image}")
        document = (changed / page).read_text().partition("## PostgreSQL")[0]
        shown.apply_diffs(changed, document)
        (command,) = re.findall(r"In `README.md`, .* write `(--python \S+)`", document)
        readme = (changed / "README.md").read_text().replace(f"--python {old}", command)
        (changed / "README.md").write_text(readme)
        for file, content in bake(python_version=new, dev_image=image).files.items():
            assert file in (page, ".env") or (changed / file).read_bytes() == content, (
                f"{file}, {old} to {new}, {image}"
            )


def test_ci_deploys_with_the_commands_of_the_page(bake) -> None:
    page = bake().text("docs/production.md").partition("## Update")[2]
    commands = " && ".join(shown.commands(page)[:2]).replace("VERSION=1.1.0", "VERSION=$VERSION")
    assert f'&& {commands}"\n' in (ROOT / "templates/deploy.sh").read_text(encoding="utf-8")


def test_every_command_is_shown_by_a_project_of_the_cover(bake) -> None:
    """The engine runs those of the cover; a complete run fails at its end if any of them, or of these, was not run.

    What local options add is run by tests of their own.
    """
    run_there = {each for row in built() for each in shown.commands(shown.documents(bake(**row).path))}
    for variant in variants():
        document = shown.documents(bake(**variant).path)
        shown.expect(f"a project's document ({name(variant)})", document)
        local = any(variant[each] != CHOICES[each][0] for each in LOCAL)
        assert local or set(shown.commands(document)) <= run_there, name(variant)
    for document in DOCUMENTS:
        shown.expect(document, (ROOT / document).read_text(encoding="utf-8"))


def test_the_first_command_of_the_readme_makes_a_project(upstream) -> None:
    command = "python3 -m venv .venv && .venv/bin/pip install --quiet cookiecutter"
    said = shown.run(partial(shell, upstream, typed="My Project" + "\n" * 40), README, command)
    assert "my-project is ready." in said
    said = shown.run(lambda line: shell(upstream, f"{line} && ls"), README, "cd ../my-project")
    assert "compose.yaml" in said


def test_cookiecutter_takes_an_address_and_answers(upstream, tmp_path) -> None:
    home = {"HOME": str(tmp_path)}  # where cookiecutter keeps its copy of the template, and the last answers
    address = {"gh:org/ds-docker": f"git+{upstream.as_uri()}"}
    shown.run(partial(shell, tmp_path, typed="\n" * 40, **home), README, "cookiecutter gh:", address)
    assert len(list(tmp_path.glob("*/compose.yaml"))) == 1
    shown.run(partial(shell, upstream, **home), README, "cookiecutter . --no-input")
    assert len(list(upstream.glob("[!{]*/compose.yaml"))) == 1


def test_ci_runs_the_very_command_of_the_readme() -> None:
    """CI is where this command is run: its last step is the run that checks at its end that all commands were run."""
    lines = (ROOT / ".ci/run").read_text().splitlines()
    command = "python3 -m venv .venv && .venv/bin/pip install --quiet -r"
    assert shown.run(str, README, command) == lines[-1]
    assert "REQUIRE_ENGINE=1" in "\n".join(lines)
    assert (ROOT / ".github/workflows/test.yaml").read_text().rstrip().endswith("run: .ci/run")


def test_no_file_names_a_package_registry() -> None:
    """A private index is a setting, and the public one is the client's own business."""
    names = (r"py" + r"pi\.(org|python)", r"python" + r"hosted", r"deb\.debian" + r"\.org", r"registry\.npm" + "js")
    hosts = re.compile("|".join(names))
    for file in tracked():
        path = Path(ROOT / file)
        if path.suffix != ".png":
            assert not hosts.search(path.read_text(encoding="utf-8")), file
