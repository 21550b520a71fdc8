"""Each check proves its worth: a deliberate defect in a copy of the template is caught by the check named for it."""

from pathlib import Path

import pytest
from checks import problems
from template import CHOICES, TREE

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
    "another author": ("pyproject.toml", "{{ cookiecutter.__author_name }}", "Your Name", "choices_show"),
    "a base that is behind": ("requirements/base.txt", "typer==", "typer==0.0.1\nold-typer==", "locks_match"),
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
    caught = [problems(bake(template=fork, **answers, installer=installer)) for installer in CHOICES["installer"]]
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
