"""Each check proves its worth: a deliberate defect in a copy of the template is caught by the check named for it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from checks import problems
from template import CHOICES, TREE, covering, variants

# each choice at least once
COVER = covering(variants(), list(CHOICES), together=1)

# defect -> file, what stands there, what is put there, the check that must speak
DEFECTS = {
    "two empty lines": ("Dockerfile", "\n#% endif\nFROM ${PYTHON", "\n\n\n#% endif\nFROM ${PYTHON", "each_file"),
    "a trailing blank": ("Makefile", "help: ## show", "help: ## show this list \n#", "each_file"),
    "a rest of the template": ("README.md", "## Start", "## {% raw %}{% if x %}{% endraw %}", "each_file"),
    "a missing quote filter": (
        "pyproject.toml", "{{ cookiecutter.__description }}", "{{ cookiecutter.description }}", "each_file"
    ),
    "a setting that no file names": ("compose.yaml", "${TZ:-UTC}", "${TIMEZONE:-UTC}", "settings_documented"),
    "a default that two files tell apart": (".env.example", "MEMORY=4g", "MEMORY=8g", "settings_documented"),
    "a constant token": (".env.example", "JUPYTER_TOKEN=", "JUPYTER_TOKEN=secret", "secrets_are_fresh"),
    "a weak token": ("docker/setup.py", "token_hex(24)", "token_hex(4)", "secrets_are_fresh"),
    "a .env for all to read": ("docker/setup.py", "0o600", "0o644", "secrets_are_fresh"),
    "a port on every interface": ("compose.yaml", '"127.0.0.1:${', '"0.0.0.0:${', "loopback_only"),
    "capabilities kept": ("compose.yaml", "  cap_drop: [ALL]\n", "", "hardened"),
    "a process that can write anywhere": ("compose.yaml", "    read_only: true\n", "", "hardened"),
    "a service that does not exist": ("README.md", "docker compose run --rm process\n", "docker compose run --rm proces\n", "services_exist"),
    "an unpinned image": ("Dockerfile", "{{ cookiecutter._versions.uv_image }}:{{ cookiecutter._versions.uv }}", "{{ cookiecutter._versions.uv_image }}:latest", "images_pinned"),
    "an image that is latest": ("compose.yaml", "-process:dev", "-process:latest", "images_pinned"),
    "a stage that was renamed": ("Dockerfile", "FROM packages AS process", "FROM packages AS deploy", "images_pinned"),
    "a source that is ignored": (".dockerignore", "!src/\n", "", "build_sources_exist"),
    "a package that no lock has": ("pyproject.toml", '    "typer>=0.20",', '    "typer>=0.20",\n    "fastapi",', "locks_match"),
    "a lock that is behind": ("pyproject.toml", "typer>=0.20", "typer>=9", "locks_match"),
    "a lock with two versions": ("requirements/process.txt", "typer==", "typer==0.28.0\nold-typer==", "locks_match"),
    "a lock without a hash": ("requirements/lab.txt", "typer==", "added==1.0\ntyper==", "locks_match"),
    "a lock with an address": ("requirements/lab.txt", "# This file", "--index-url https://index.example\n# This file", "locks_match"),
    "a short name that does something else": ("Makefile", "\tdocker compose run --rm test", "\tdocker compose run test", "short_names_match"),
    "another author": ("pyproject.toml", "{{ cookiecutter.__author_name }}", "Your Name", "choices_show"),
    "a base that is behind": ("requirements/base.txt", "{% include", "older==0.0.1\n{% include", "locks_match"),
    "a service that waits for nobody": ("compose.yaml", "      db: {condition: service_healthy}\n#% endif\n#% if cookiecutter.tracking", "      sql: {condition: service_healthy}\n#% endif\n#% if cookiecutter.tracking", "hardened"),
    "a service without a health check": ("compose.yaml", "    healthcheck:\n      <<: *healthcheck\n      test: [CMD, pg_isready", "    x-healthcheck:\n      <<: *healthcheck\n      test: [CMD, pg_isready", "hardened"),
    "a dev container in a service that is gone": (".devcontainer/devcontainer.json", '"service": "lab"', '"service": "jupyter"', "services_exist"),
    "an image that is not in the table": ("compose.yaml", "{{ cookiecutter._versions.postgres_image }}", "postgres:17", "images_pinned"),
    "an action that can move": (".github/workflows/{% if cookiecutter.ci == 'github' %}ci.yaml{% endif %}", "{{ cookiecutter._versions.actions['actions/checkout'] }}", "v5", "images_pinned"),
    "a service that was not chosen": ("compose.yaml", "#% if cookiecutter.deploy == 'dashboard'", "#% if cookiecutter.deploy != 'batch'", "choices_show"),
    "a package that was not chosen": ("pyproject.toml", "#% if cookiecutter.database == 'postgres'", "#% if cookiecutter.database == 'duckdb'", "choices_show"),
    "the other installer": ("../templates/install.Dockerfile", "#% else\n", "", "choices_show"),
}  # fmt: skip


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_is_caught(bake, fork, defect) -> None:
    file, old, new, check = DEFECTS[defect]
    path: Path = fork / TREE.name / file
    source = path.read_text(encoding="utf-8")
    assert old in source, f"{defect}: {file} has changed, so this proves nothing"
    path.write_text(source.replace(old, new), encoding="utf-8")
    answers = {"author_name": 'A "B"', "description": 'C "D"'}
    caught = [problems(bake(template=fork, **answers, **variant)) for variant in COVER]
    assert any(check in found for found in caught), caught


def test_a_file_too_many_or_too_few_is_caught(bake) -> None:
    baked = bake(project_name="Files")
    (baked.path / "data/.gitkeep").rename(baked.path / "data/surplus")
    assert problems(baked)["exact_files"] == ["data/.gitkeep is missing", "data/surplus should not be there"]


def test_a_fork_that_drops_adds_and_reorders_choices_still_bakes_good_projects(bake, fork) -> None:
    options = fork / "cookiecutter.json"
    text = options.read_text(encoding="utf-8")
    changed = text.replace(
        '["MIT", "BSD-3-Clause", "Apache-2.0", "Proprietary"]', '["Proprietary", "MIT", "House-1.0"]'
    )
    changed = changed.replace('"image_prefix": ""', '"image_prefix": "images.example/mirror/"')
    changed = changed.replace('"ca_certificate": ""', '"ca_certificate": "-----BEGIN CERTIFICATE-----"')
    assert changed.count("House-1.0") == 1
    options.write_text(changed, encoding="utf-8")
    (fork / "templates/licenses/House-1.0.txt").write_text("Copyright {{ cookiecutter.author_name }}, of the house.\n")
    for licence in ("Proprietary", "House-1.0"):
        baked = bake(template=fork, license=licence)
        assert problems(baked) == {}
        assert "FROM images.example/mirror/python" in baked.text("Dockerfile").replace("ARG PYTHON_IMAGE=", "FROM ")
        assert baked.text("docker/ca.crt") == "-----BEGIN CERTIFICATE-----\n"
        assert "COPY docker/ca.crt" in baked.text("Dockerfile")


FEWER = {
    "python_version": ["3.14"],
    "dev_image": ["jupyter", "python"],
    "deploy": ["api", "batch"],
    "database": ["postgres"],
    "tracking": ["mlflow", "none"],
    "accelerator": ["cpu"],
    "ci": ["gitlab"],
}


def test_the_tests_of_a_fork_with_fewer_choices_and_other_defaults_stay_green(fork) -> None:
    """No test is touched; the two tables that are generated are generated anew."""
    options = fork / "cookiecutter.json"
    context = json.loads(options.read_text(encoding="utf-8"))
    context["_versions"]["python_image"].pop("3.13")
    options.write_text(json.dumps(context | FEWER), encoding="utf-8")

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=fork, capture_output=True, text=True, check=False)

    run("git", "init", "--quiet")
    run("git", "add", "--all")
    run(sys.executable, "scripts/readme.py")
    files = [f"tests/test_{each}.py" for each in ("choices", "docs", "hooks", "template", "update", "variants")]
    known = ("--write", "--deselect=tests/test_docs.py::test_the_first_command_of_the_readme_makes_a_project")
    done = run(sys.executable, "-m", "pytest", "-q", *known, *files)
    assert done.returncode == 0, done.stdout[-6000:]
