"""Each check proves its worth: a deliberate defect in a copy of the template is caught by what must catch it."""

import json
import re
import shutil
import sys
from functools import partial
from pathlib import Path

import pytest
import shown
from baking import copy_of_template
from checks import CHECKS, problems
from defects import DEFECTS, Defect
from needs import original
from programs import run, shell
from template import CHOICES, ROOT, TREE, WRITE, broken_rule, covering, tracked, variants

pytestmark = original

# each choice at least once
COVER = covering(variants(), list(CHOICES), together=1)

OF_CHECKS = [(check.__name__, defect) for check in CHECKS for defect in DEFECTS.get(check.__name__, [])]
OF_TESTS = [(test, defect) for test in DEFECTS if test.startswith("test_") for defect in DEFECTS[test]]

CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def put(defect: Defect, folder: Path) -> None:
    """Put a defect into a copy of the template. Raises AssertionError if it fits no longer."""
    unconditional = {re.sub(r"\{%.*?%\}", "", name): name for name in tracked(TREE.name)}
    path = folder / TREE.name / unconditional.get(defect.file, defect.file)
    path.parent.mkdir(parents=True, exist_ok=True)
    source = path.read_text(encoding="utf-8") if path.exists() else ""
    assert defect.old in source, f"{defect.name}: {defect.file} has changed, so this proves nothing"
    changed = source.replace(defect.old, defect.new) if defect.old else source + defect.new
    path.write_text(changed, encoding="utf-8")


@pytest.mark.parametrize(("check", "defect"), OF_CHECKS, ids=[defect.name for _, defect in OF_CHECKS])
def test_a_defect_is_caught_by_its_check(bake, fork, check, defect) -> None:
    put(defect, fork)
    answers = {"author_name": 'A "B"', "description": 'C "D"'}
    found = [problems(bake(template=fork, **answers, **variant)) for variant in COVER]
    assert any(check in each for each in found), found


def test_every_defect_names_what_catches_it() -> None:
    assert len(OF_CHECKS) + len(OF_TESTS) == sum(map(len, DEFECTS.values()))


def test_a_file_too_many_or_too_few_is_caught(bake) -> None:
    baked = bake(project_name="Files")
    (baked.path / "Makefile").rename(baked.path / "surplus")
    (baked.path / "docs/more").mkdir()
    found = problems(baked)["exact_files"]
    assert found == ["Makefile is missing", "surplus should not be there", "docs/more is empty"]


def test_a_fork_with_other_choices_bakes_good_projects(bake, fork) -> None:
    options = fork / "cookiecutter.json"
    context = json.loads(options.read_text(encoding="utf-8"))
    context["license"] = [*context["license"][:0:-1], "Example-1.0"]
    context["_organisation"] |= {
        "image_prefix": "images.example/mirror/",
        "update_bot": "dependabot",
        "ca_certificates": ["-----BEGIN CERTIFICATE-----"],
    }
    pinned = {choice: row for choice, row in context["_lab_images"].items() if "image" in row}
    for choice, row in pinned.items():
        row["image"] = f"example/{choice[:3]}:1@sha256:{'0' * 64}"
    versions = context["_versions"]
    versions["python_image"] = {each: f"python:{each}@sha256:{'1' * 64}" for each in context["python_version"]}
    for name in (name for name in versions if name.endswith("_image") and name != "python_image"):
        versions[name] += f"@sha256:{'2' * 64}"
    options.write_text(json.dumps(context), encoding="utf-8")
    text = "Copyright {{ cookiecutter.author_name }}, of the example.\n"
    folder = fork / "templates/license/Example-1.0"
    folder.mkdir()
    (folder / "LICENSE").write_text(text)
    (folder / "choice.yaml").write_text("proof: {LICENSE: of the example}\n")
    for licence in (context["license"][0], "Example-1.0"):
        baked = bake(template=fork, license=licence)
        assert problems(baked) == {}
        assert "FROM images.example/mirror/python" in baked.text("Dockerfile")
        assert baked.text("docker/ca.crt") == "-----BEGIN CERTIFICATE-----\n"
        bot = baked.path / ".github/dependabot.yml"
        run(fork, "check-jsonschema", "--builtin-schema", "vendor.dependabot", bot)
        assert "source=docker/ca.crt" in baked.text("Dockerfile")
    for choice, row in pinned.items():
        baked = bake(template=fork, dev_image=choice)
        assert problems(baked) == {}
        assert f"FROM images.example/mirror/{row['image']} AS lab_image\n" in baked.text("Dockerfile")


def fewer_choices() -> dict[str, list[str]]:
    """Return, of three choices or more, the second and the first, and of two the second, where the rules allow it."""
    kept = dict(CHOICES)
    for option, choices in CHOICES.items():
        fewer = choices[1::-1] if len(choices) > 2 else choices[1:]
        defaults = {each: some[0] for each, some in (kept | {option: fewer}).items()}
        if not broken_rule(defaults):
            kept[option] = fewer
    return kept


@pytest.fixture(scope="module")
def fewer(tmp_path_factory) -> Path:
    """Return a fork with fewer choices and other defaults; its tests are not touched."""
    folder = copy_of_template(tmp_path_factory.mktemp("fewer") / "fork")
    options = folder / "cookiecutter.json"
    context = json.loads(options.read_text(encoding="utf-8")) | fewer_choices()
    options.write_text(json.dumps(context), encoding="utf-8")
    run(folder, "git", "init", "--quiet")
    (folder / ".venv").symlink_to(sys.prefix)
    run(folder, "git", "add", "--all")
    shown.run(partial(shell, folder), CONTRIBUTING, WRITE)
    return folder


# Of the fork's own tests, those that take long and do not depend on its choices; and its locks, which it has to make
SLOW = (
    "--ignore=tests/test_mutations.py",
    "--ignore=tests/test_forking.py",
    "--ignore=tests/test_adding.py",  # the guide's diffs are for this template's own options
    "--ignore=tests/test_doctor.py",
    "--ignore=tests/test_env_file.py",
    "--ignore=tests/test_scripts.py",
    "--ignore=tests/test_shown.py",
    "--ignore=tests/test_lock_refusals.py",
    "--ignore=tests/test_old_cookiecutter.py",
    "--deselect=tests/test_docs.py::test_the_first_command_of_the_readme_makes_a_project",
    "--ignore=tests/test_tools.py",  # they look at one file at a time, and have seen each
)


def test_the_tests_of_a_fork_with_fewer_choices_stay_green(fewer) -> None:
    options = " ".join(("-q", "-p no:cacheprovider", *SLOW))
    command = '.venv/bin/python -m pytest -k "not engine"'
    shown.run(partial(shell, fewer, PYTEST_ADDOPTS=options), CONTRIBUTING, command)


def file_of(test: str) -> str:
    """Return the path of the file that has a test."""
    (file,) = (file for file in (ROOT / "tests").glob("test_*.py") if f"\ndef {test}(" in file.read_text("utf-8"))
    return f"tests/{file.name}"


@pytest.mark.parametrize(("test", "defect"), OF_TESTS, ids=[defect.name for _, defect in OF_TESTS])
def test_a_defect_is_caught_by_its_test(fewer, tmp_path, request, test, defect) -> None:
    test = f"{file_of(test)}::{test}"
    if "docker_checks" in test or "doctor" in test:
        request.getfixturevalue("engine")
    fork = Path(shutil.copytree(fewer, tmp_path / "fork", symlinks=True))
    put(defect, fork)
    # the file that is ignored must not be known to git already
    run(fork, "git", "rm", "--quiet", "-rf", "--cached", ".")
    run(fork, "git", "add", "--all")
    options = ("-p", "no:cacheprovider", "-x", "--hypothesis-profile", "first")
    alone = str(tmp_path)  # pytest fails where two end at once with the same folder
    said = run(fork, "python", "-m", "pytest", *options, test, code=1, PYTEST_DEBUG_TEMPROOT=alone)
    assert f"FAILED {test}" in said, said[-3000:]
