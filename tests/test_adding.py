"""docs/adding-a-service.md is right, word for word: it is followed in a copy of the template."""

import re
import sys
from functools import partial
from pathlib import Path

import pytest
import shown
from baking import copy_of_template
from needs import original
from programs import git, run, shell
from template import ROOT, TREE, WRITE, tracked

pytestmark = original

DOCUMENT = (ROOT / "docs/adding-a-service.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+)\n((?:(?!## ).*\n?)*)", DOCUMENT, re.MULTILINE))
STEP = re.compile(r"^`([^`\n]+)`:\n\n(`{3,})(\w+)\n(.*?)^\2$", re.MULTILINE | re.DOTALL)  # file, fence, language, text
# besides the locks
BY_MACHINE = {"README.md", "docs/choices.md", "docs/security.md", "local_extensions/reserved_names.txt"}
FAST = "tests/test_template.py tests/test_variants.py tests/test_hooks.py tests/test_proofs.py"


def follow(section: str, folder: Path) -> set[str]:
    """Do in a copy of the template what a section says, and return the files that it touches."""
    touched = set()
    for file, _, language, text in STEP.findall(SECTIONS[section]):
        path = folder / file
        if language == "diff":
            old = "".join(line[1:] for line in text.splitlines(keepends=True) if line[0] != "+")
            new = "".join(line[1:] for line in text.splitlines(keepends=True) if line[0] != "-")
            source = path.read_text(encoding="utf-8")
            assert source.count(old) == 1, f"{file} does not have once\n{old}"
            text = source.replace(old, new)
        else:
            assert not path.exists(), file
            path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        touched.add(file)
    return touched


@pytest.fixture(scope="module")
def adding(tmp_path_factory) -> Path:
    """Return a copy of the template with Redis and a newer Python, locked, in a git repository."""
    folder = copy_of_template(tmp_path_factory.mktemp("adding") / "fork")
    follow("A Python version", folder)
    options = folder / "cookiecutter.json"
    # few of the variants, as these are not what is added
    text = options.read_text(encoding="utf-8")
    text, count = re.subn(r'("python_version": \["[^"]+").*(, "[^"]+"\])', r"\1\2", text)
    assert count == 1
    for option in ("cluster", "ci", "accelerator"):
        text, count = re.subn(rf'("{option}": \["[^"]+")[^]]*', r"\1", text, count=1)
        assert count
    options.write_text(text, encoding="utf-8")
    (folder / ".venv").symlink_to(sys.prefix)
    git(folder, "init", "--quiet")
    (folder / ".git/info/exclude").write_text(".venv\n")  # .gitignore has it as a folder
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Start")
    follow("A service", folder)
    shown.run(partial(shell, folder), DOCUMENT, "python scripts/lock.py")
    return folder


def bake(template: Path, folder: Path, **answers: str) -> Path:
    """Bake with cookiecutter itself, as the copy has rules of its own. Its hook checks the proofs, both ways."""
    given = (f"{option}={choice}" for option, choice in answers.items())
    home = {"HOME": str(folder), "USERPROFILE": str(folder)}
    run(folder, "cookiecutter", template, "--no-input", *given, **home)
    return folder / "my-project"


def test_by_hand_only_options_a_new_folder_and_a_proof_change(tmp_path) -> None:
    touched = follow("A service", copy_of_template(tmp_path / "fork"))
    elsewhere = {file for file in touched if not file.startswith("templates/cache/redis/")}
    assert elsewhere == {"cookiecutter.json", "tests/proofs/redis.py"}


@pytest.mark.parametrize("more", [{}, {"database": "postgres", "tracking": "mlflow", "deploy": "api"}])
def test_a_project_has_the_service_if_it_was_chosen(adding, tmp_path, more) -> None:
    project = bake(adding, tmp_path, cache="redis", **more)
    assert re.search(r"^REDIS_PASSWORD=\w{48}$", (project / ".env").read_text(), re.MULTILINE)
    assert '"redis>=7",' in (project / "pyproject.toml").read_text()
    assert "redis <--> lab & process" in (project / "README.md").read_text()
    (tmp_path / "without").mkdir()
    bake(adding, tmp_path / "without", **more)


def test_compose_understands_the_service(adding, tmp_path, compose_client) -> None:
    project = bake(adding, tmp_path, cache="redis")
    assert {"lab", "redis"} <= set(run(project, "docker", "compose", "config", "--services").split())


def test_the_machine_writes_only_tables_names_and_locks_and_the_tests_of_the_copy_are_green(adding) -> None:
    shown.run(partial(shell, adding), DOCUMENT, WRITE)
    changed = set(git(adding, "diff", "--name-only").splitlines()) - {"cookiecutter.json"}
    assert {file for file in changed if not file.startswith(f"{TREE.name}/requirements/")} <= BY_MACHINE
    git(adding, "add", "--all")
    options = f"-q -p no:cacheprovider {FAST}"
    shown.run(partial(shell, adding, PYTEST_ADDOPTS=options), DOCUMENT, '.venv/bin/python -m pytest -k "not engine"')


@pytest.mark.parametrize(
    ("section", "answer", "file", "text"),
    [
        ("A base image for the lab", {"dev_image": "scipy"}, "Dockerfile", "scipy-notebook"),
        ("A Python version", {"python_version": "3.16"}, "pyproject.toml", 'requires-python = ">=3.16"'),
    ],
)
def test_an_image_and_a_version_are_one_file(tmp_path, section, answer, file, text) -> None:
    fork = copy_of_template(tmp_path / "fork")
    assert follow(section, fork) == {"cookiecutter.json"}
    assert text in (bake(fork, tmp_path, **answer) / file).read_text()


def test_the_tables_name_every_fragment_and_fact() -> None:
    sources = [file for file in tracked() if file.startswith((TREE.name, "templates/", "cookiecutter.json"))]
    text = "\n".join((ROOT / file).read_text("utf-8") for file in sources)
    used = set(re.findall(r"(?:fragments|brought)\(['\"]([^'\"]+)", text)) | {"proof"}
    used |= set(re.findall(r"/([\w.]+)['\"]", "\n".join(re.findall(r"\{% include .* ~ .*%\}", text))))
    used |= {Path(file).name for file in sources if re.match(r"templates/\w+/[\w.-]+/", file)} - {"choice.yaml"}
    assert set(re.findall(r"^\| `([^`]+)` \|", SECTIONS["All fragments and facts"], re.MULTILINE)) == used
