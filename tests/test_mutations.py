"""Each check proves its worth: a deliberate defect in a copy of the template is caught by the check named for it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from checks import problems
from conftest import copy_of_template
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
    "tracking": ["none"],
    "accelerator": ["cpu"],
    "ci": ["gitlab", "github"],
}


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def run_tests(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(folder, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments)


@pytest.fixture(scope="module")
def fewer(tmp_path_factory) -> Path:
    """Return a fork with fewer choices and other defaults, as its house would have it; its tests are not touched."""
    folder = copy_of_template(tmp_path_factory.mktemp("fewer") / "fork")
    options = folder / "cookiecutter.json"
    context = json.loads(options.read_text(encoding="utf-8"))
    context["_versions"]["python_image"].pop("3.13")
    options.write_text(json.dumps(context | FEWER), encoding="utf-8")
    run(folder, "git", "init", "--quiet")
    run(folder, "git", "add", "--all")
    run(folder, sys.executable, "scripts/readme.py")
    run_tests(folder, "--write", "tests/test_choices.py")
    return folder


def test_the_tests_of_a_fork_with_fewer_choices_and_other_defaults_stay_green(fewer) -> None:
    files = [
        f"tests/test_{each}.py" for each in ("choices", "docs", "hooks", "template", "tools", "update", "variants")
    ]
    slow = ("first_command", "own_hooks", "docker_checks")
    done = run_tests(fewer, "-k", " and ".join(f"not {each}" for each in slow), *files)
    assert done.returncode == 0, done.stdout[-6000:]


# Defects that no check of a generated project is for: defect -> file, what stands there, what is put there, the test
# that must fail. An empty text stands for the end of the file; a file that does not exist is made.
IN_TREE = f"{TREE.name}/"
MORE_DEFECTS = {
    "a choice that nobody declared": (IN_TREE + "Dockerfile", "installer == 'uv'", "installer == 'poetry'", "template.py::test_only_declared_options_and_choices_are_named"),
    "an option that nobody declared": (IN_TREE + "Makefile", "", "# {{ cookiecutter.colour }}\n", "template.py::test_only_declared_options_and_choices_are_named"),
    "a file that git ignores": (IN_TREE + ".gitignore", "", "docker/\n", "template.py::test_git_has_every_file_of_the_template"),
    "a folder with a conditional name": (IN_TREE + "{% if cookiecutter.ci == 'gitlab' %}ci{% endif %}/x.txt", "", "x\n", "template.py::test_no_folder_name_is_conditional"),
    "a file that is only valid once rendered": (IN_TREE + "compose.yaml", "#% if cookiecutter.deploy == 'api'", "{% if cookiecutter.deploy == 'api' %}", "template.py::test_a_file_is_valid_in_its_language_before_it_is_rendered"),
    "a choice without a label": ("cookiecutter.json", '"api": "api ', '"apj": "api ', "template.py::test_every_option_and_every_choice_has_a_prompt"),
    "a dropped endif": (IN_TREE + "compose.yaml", "  mlflow-data:\n#% endif\n", "  mlflow-data:\n", "variants.py::test_variant"),
    "a rule that no hook obeys": ("hooks/pre_gen_project.py", "in context[\"_rules\"]:", "in []:", "hooks.py::test_every_refused_combination_is_refused_with_the_sentence_of_its_rule"),
    "a name that hides a module": ("hooks/pre_gen_project.py", "if plain in sys.stdlib_module_names:", "if plain in ():", "hooks.py::test_an_answer_that_cannot_work_is_refused_in_one_sentence"),
    "an answer that turns into markup": (IN_TREE + "README.md", "{{ cookiecutter.description | replace('<', '&lt;') }}", "{{ cookiecutter.description }}", "hooks.py::test_hostile_text_arrives_unchanged"),
    "an answer that ends its string": ("cookiecutter.json", 'cookiecutter.description | replace(\'\\\\\\\\\', \'\\\\\\\\\\\\\\\\\')', "cookiecutter.description", "hooks.py::test_any_line_of_text_arrives_unchanged_or_is_refused_in_one_sentence"),
    "a hook that says a secret": ("hooks/post_gen_project.py", "token=sys.stdout.isatty()", "token=True", "hooks.py::test_next_steps_show_the_folder_the_addresses_and_the_token_on_a_terminal_only"),
    "a project that differs from bake to bake": (IN_TREE + "README.md", "", "\nNumber {{ random_ascii_string(12) }}.\n", "variants.py::test_nothing_but_secrets_differs_between_two_bakes"),
    "a file that a clone would not have": (IN_TREE + ".gitignore", "", "/Makefile\n", "variants.py::test_a_fresh_clone_loses_nothing_but_dotenv"),
    "a choice that touches more than it says": (IN_TREE + "Makefile", "", "# CI: {{ cookiecutter.ci }}\n", "choices.py::test_each_choice_touches_what_the_document_says"),
    "an option that is not local": (IN_TREE + "README.md", "", "\nUnder {{ cookiecutter.license }}.\n", "choices.py::test_a_local_option_looks_at_no_other_and_no_other_at_it"),
    "an update that compares secrets": (IN_TREE + "pyproject.toml", 'skip = [".env"]', "skip = []", "update.py::test_an_update_keeps_local_edits_and_dotenv"),
    "a link that leads nowhere": ("README.md", "(CHANGELOG.md)", "(CHANGES.md)", "docs.py::test_links_lead_somewhere"),
    "a command that no test runs": ("README.md", "`cruft update`", "`git pull`", "docs.py::test_every_command_that_a_document_shows_is_run_by_a_test"),
    "a Dockerfile against good practice": (IN_TREE + "Dockerfile", "WORKDIR /app\n", "WORKDIR app\n", "tools.py::test_hadolint"),
    "a Dockerfile that the builder warns of": (IN_TREE + "Dockerfile", "FROM packages AS process", "FROM packages as process", "tools.py::test_docker_checks_every_dockerfile"),
    "a Compose file against its schema": (IN_TREE + "compose.yaml", "pids_limit: 1024", "pids_limit: [1024]", "tools.py::test_compose_schema"),
    "a Compose file that Compose refuses": (IN_TREE + "compose.yaml", "    volumes: [\".:/app\"]\n\n  setup:", "    volumes: [\"cache:/app\"]\n\n  setup:", "tools.py::test_compose_reads_every_variant_with_every_profile"),
    "a key that stands twice": (IN_TREE + "compose.yaml", "pids_limit: 1024", "pids_limit: 1024\n  pids_limit: 2048", "tools.py::test_yaml_of_every_variant"),
    "a type that does not fit": (IN_TREE + "docker/setup.py", "return len(os.sched_getaffinity(0))", "return os.sched_getaffinity(0)", "tools.py::test_types_of_every_variant"),
    "an import that nobody uses": (IN_TREE + "docker/setup.py", "import secrets\n", "import secrets\nimport shutil\n", "tools.py::test_ruff_on_every_variant"),
    "a heading that skips a level": (IN_TREE + "README.md", "## Start\n", "#### Start\n", "tools.py::test_markdown_of_every_variant_and_of_the_template"),
    "a GitHub workflow against its schema": (IN_TREE + ".github/workflows/{% if cookiecutter.ci == 'github' %}ci.yaml{% endif %}", "timeout-minutes:", "timeout-minute:", "tools.py::test_workflows_of_every_variant"),
    "a GitHub workflow that leaks a login": (IN_TREE + ".github/workflows/{% if cookiecutter.ci == 'github' %}ci.yaml{% endif %}", "\n        with:\n          persist-credentials: false", "", "tools.py::test_workflows_of_every_variant"),
    "a GitLab pipeline against its schema": (IN_TREE + "{% if cookiecutter.ci == 'gitlab' %}.gitlab-ci.yml{% endif %}", "needs: [test]", "needs: {test: 1}", "tools.py::test_workflows_of_every_variant"),
    "a Dependabot file against its schema": (IN_TREE + ".github/{% if cookiecutter.ci == 'github' %}dependabot.yml{% endif %}", "monthly", "sometimes", "tools.py::test_workflows_of_every_variant"),
    "a dev container against its schema": (IN_TREE + ".devcontainer/devcontainer.json", '"runServices": ["lab"]', '"runService": ["lab"]', "tools.py::test_dev_container_schema"),
    "a doctor that is always content": (IN_TREE + "docker/doctor.py", "return min(wrong, 1)", "return 0", "doctor.py::test_a_machine_without_docker_and_one_that_is_stopped"),
    "a doctor that lets an old Compose pass": (IN_TREE + "docker/doctor.py", 'older(version, "2.24")', 'older(version, "2.20")', "doctor.py::test_what_docker_lacks_is_found"),
    "a doctor that tells a secret": (IN_TREE + "docker/doctor.py", 'text = text.replace(value, "***")', "pass", "doctor.py::test_what_compose_refuses_is_shown_without_secrets"),
    "a doctor that sees no stranger's file": (IN_TREE + "docker/doctor.py", "st_uid != uid", "st_uid < 0", "doctor.py::test_files_of_another_user_are_found_outside_and_inside"),
    "a shell script with a bare variable": (".ci/run", 'cd "$(dirname "$0")/.."', "cd $(dirname $0)/..", "tools.py::test_shellcheck"),
}  # fmt: skip


@pytest.mark.parametrize("defect", MORE_DEFECTS)
def test_a_defect_is_caught_by_its_test(fewer, tmp_path, request, defect) -> None:
    file, old, new, test = MORE_DEFECTS[defect]
    if "docker_checks" in test or "doctor" in test:
        request.getfixturevalue("engine")
    fork = Path(shutil.copytree(fewer, tmp_path / "fork", symlinks=True))
    path = fork / file
    path.parent.mkdir(parents=True, exist_ok=True)
    source = path.read_text(encoding="utf-8") if path.exists() else ""
    assert old in source, f"{defect}: {file} has changed, so this proves nothing"
    path.write_text(source.replace(old, new) if old else source + new, encoding="utf-8")
    # the file that is ignored must not be known to git already
    run(fork, "git", "rm", "--quiet", "-rf", "--cached", ".")
    run(fork, "git", "add", "--all")
    done = run_tests(fork, "-x", f"tests/test_{test}")
    assert f"FAILED tests/test_{test}" in done.stdout, f"{done.stdout[-3000:]}{done.stderr[-3000:]}"
