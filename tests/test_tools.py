"""The field's own tools, on every distinct file that the template can generate and on the template's own."""

import functools
import itertools
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import shown
from programs import commit_all, git, run, shell
from template import CHOICES, PYTHONS, ROOT, TREE, Variant, covering, name, tracked, variants

WORKFLOWS = (".github/workflows/ci.yaml", ".github/workflows/deploy.yaml")


@pytest.fixture(scope="module")
def distinct(bake, tmp_path_factory):
    """Return a function that gives each distinct rendering of some files, as paths by the variant's name.

    A file that no variant has, as a fork dropped its choice, gives none; tests/test_mutations.py shows that this does
    not happen by mistake.
    """
    folder = tmp_path_factory.mktemp("distinct")

    def find(*files: str, rows: list[Variant] | None = None) -> list[Path]:
        found: dict[bytes, Path] = {}
        for variant, file in itertools.product(rows or variants(), files):
            content = bake(**variant).files.get(file)
            if content is not None and content not in found:
                found[content] = folder / name(variant) / file
                found[content].parent.mkdir(parents=True, exist_ok=True)
                found[content].write_bytes(content)
        return list(found.values())

    return find


def test_hadolint(distinct) -> None:
    run(ROOT, "hadolint", *distinct("Dockerfile"))


def test_compose_schema(distinct) -> None:
    run(
        ROOT,
        "check-jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        *distinct("compose.yaml", "production/compose.yaml"),
    )


def test_compose_reads_every_variant_with_every_profile(bake, compose_client) -> None:
    texts = set()
    for variant in variants():
        baked = bake(**variant)
        if baked.text("compose.yaml") in texts:
            continue
        texts.add(baked.text("compose.yaml"))
        command = ["docker", "compose", "--profile", "*", "config", "--format", "json"]
        done = subprocess.run(command, cwd=baked.path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        for service, body in json.loads(done.stdout)["services"].items():
            assert all(port["host_ip"] == "127.0.0.1" for port in body.get("ports", [])), service
    assert len(texts) > 1


@pytest.mark.parametrize("accelerator", [choice for choice in CHOICES["accelerator"] if choice == "nvidia"])
def test_a_gpu_and_an_override_file_go_together(bake, compose_client, tmp_path, accelerator) -> None:
    made = shutil.copytree(bake(accelerator=accelerator).path, tmp_path / "made")
    more = {"api"} if bake().context["deploy"] == "api" else set()
    (made / "compose.override.yaml").write_text("services: {lab: {environment: {MINE: here}}}")
    env = (made / ".env").read_text()
    for hardware, asking in (("cpu", set()), ("", set()), ("gpu", {"adopt", "lab", "process", "test"} | more)):
        (made / ".env").write_text(env.replace("ACCELERATOR=cpu", f"ACCELERATOR={hardware}"))
        services = json.loads(run(made, "docker", "compose", "--profile", "*", "config", "--format", "json"))[
            "services"
        ]
        assert {name for name, body in services.items() if "devices" in json.dumps(body.get("deploy"))} == asking
        assert services["lab"]["environment"]["MINE"] == "here"
        assert services["lab"]["cap_drop"] == ["ALL"]


@pytest.mark.parametrize("deploy", [choice for choice in CHOICES["deploy"] if choice == "api"])
def test_the_web_service_can_be_opened_alone(bake, compose_client, tmp_path, deploy) -> None:
    made = shutil.copytree(bake(deploy=deploy).path, tmp_path / "made")
    env = (made / ".env").read_text()
    for own, others, address in (
        ("", "127.0.0.1", "127.0.0.1"),
        ("", "192.0.2.7", "192.0.2.7"),
        ("0.0.0.0", "127.0.0.1", "0.0.0.0"),
    ):
        text = re.sub("(?m)^BIND_ADDRESS=.*", f"BIND_ADDRESS={others}", env)
        (made / ".env").write_text(text.replace("API_BIND_ADDRESS=", f"API_BIND_ADDRESS={own}"))
        services = json.loads(run(made, "docker", "compose", "config", "--format", "json"))["services"]
        assert [services[name]["ports"][0]["host_ip"] for name in ("api", "lab")] == [address, others]


def test_docker_checks_every_dockerfile(bake, engine) -> None:
    seen = set()
    for variant in variants():
        baked = bake(**variant)
        if baked.text("Dockerfile") in seen:
            continue
        seen.add(baked.text("Dockerfile"))
        stages = set(re.findall(r"target: (\w+)", baked.text("compose.yaml")))
        assert stages >= {"base", "lab", "process", "lock"}
        for stage in stages:
            command = ["docker", "build", "--check", "--target", stage, "."]
            done = subprocess.run(command, cwd=baked.path, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{name(variant)}, {stage}: {done.stdout}{done.stderr}"


def test_types_of_every_variant(bake, tmp_path) -> None:
    """Packages of the project are not installed here: what comes from them counts as known."""
    seen = set()
    for variant in variants():
        baked = bake(**variant)
        sources = tuple(item for item in baked.files.items() if item[0].startswith(("src/", "docker/")))
        if sources not in seen:
            seen.add(sources)
            options = (f"--cache-dir={tmp_path}", f"--python-version={variant['python_version']}")
            run(baked.path, "mypy", "--ignore-missing-imports", *options, "src", "docker")


YAMLLINT = """
extends: default
rules:
  braces: disable
  brackets: disable
  comments: {min-spaces-from-content: 1}
  document-start: disable
  line-length: disable
  truthy: {check-keys: false}
"""


def test_yaml_of_every_variant(distinct) -> None:
    workflows = (*WORKFLOWS, ".gitlab-ci.yml", ".pre-commit-config.yaml")
    files = distinct("compose.yaml", "compose.gpu.yaml", "production/compose.yaml", *workflows)
    run(ROOT, "yamllint", "--strict", "--config-data", YAMLLINT, *files)
    run(ROOT, "pre-commit", "validate-config", *distinct(".pre-commit-config.yaml"))


def test_markdown_of_the_variants_and_of_the_template(distinct) -> None:
    """Of all other choices: a version of Python is only a number."""
    rows = [row for row in variants() if row["python_version"] == PYTHONS[0]]
    own = [ROOT / file for file in tracked() if file.endswith(".md") and not file.startswith(("templates/", TREE.name))]
    files = [*own, *distinct("README.md", rows=rows)]
    run(ROOT, "pymarkdown", "--disable-rules", "line-length,no-inline-html", "scan", *files)


def test_dev_container_schema(distinct) -> None:
    """The properties of the dev container specification that a project with Compose can have."""
    run(
        ROOT,
        "check-jsonschema",
        "--schemafile",
        ROOT / "tests/devcontainer.schema.json",
        *distinct(".devcontainer/devcontainer.json"),
    )


def test_ruff_on_every_variant(bake) -> None:
    trees = [bake(**variant).path for variant in variants()]
    longest = {"project_slug": "x" * 40, "package_name": "y" * 40}
    trees += [bake(**variant, **longest).path for variant in covering(variants(), list(CHOICES), together=1)]
    run(ROOT, "ruff", "check", "--no-cache", *trees)
    run(ROOT, "ruff", "format", "--no-cache", "--check", *trees)


def test_ruff_on_the_template_itself() -> None:
    own = ["benchmarks", "hooks", "local_extensions", "scripts", "tests", *ROOT.glob("*.py")]
    run(ROOT, "ruff", "check", "--no-cache", *own)
    run(ROOT, "ruff", "format", "--no-cache", "--check", *own)


def test_shellcheck(distinct) -> None:
    scripts = [
        file for file in tracked() if (ROOT / file).read_bytes().startswith((b"#!/usr/bin/env bash", b"#!/bin/"))
    ]
    assert scripts == [".ci/run", "{{cookiecutter.project_slug}}/docker/backup"]
    run(ROOT, "shellcheck", scripts[0], *distinct("docker/backup"))


def test_workflows() -> None:
    workflows = sorted((ROOT / ".github/workflows").glob("*.yaml"))
    run(ROOT, "check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows)
    run(ROOT, "zizmor", "--offline", "--quiet", "--pedantic", *workflows)


def test_workflows_of_every_variant(bake, distinct) -> None:
    checked = {
        "vendor.github-workflows": distinct(*WORKFLOWS),
        "vendor.gitlab-ci": distinct(".gitlab-ci.yml"),
        "vendor.renovate": distinct("renovate.json"),
    }
    for schema, files in checked.items():
        if files:
            run(ROOT, "check-jsonschema", "--builtin-schema", schema, *files)
    if files := distinct(*WORKFLOWS):
        run(ROOT, "zizmor", "--offline", "--quiet", "--pedantic", *files)


def test_the_projects_own_hooks_catch_what_they_are_for(bake, tmp_path) -> None:
    project = shutil.copytree(bake().path, tmp_path / "project")
    check = functools.partial(run, project, "pre-commit", "run", "--all-files", PRE_COMMIT_HOME=tmp_path / "hooks")
    (project / "scratch.py").write_text("print(1)\n")  # it may be as short as that
    commit_all(project)
    check()
    for number, variant in enumerate(covering(variants(), list(CHOICES), together=1)):
        other = shutil.copytree(bake(**variant).path, tmp_path / f"other{number}")
        commit_all(other)
        run(other, "pre-commit", "run", "--all-files", "secrets", PRE_COMMIT_HOME=tmp_path / "hooks")

    notebook = project / "notebooks/01-explore.ipynb"
    clean = json.loads(notebook.read_text())
    dirty = json.loads(notebook.read_text())
    dirty["cells"][1]["outputs"] = [{"name": "stdout", "output_type": "stream", "text": ["seen\n"]}]
    notebook.write_text(json.dumps(dirty))
    (project / "secret.py").write_text('"""Keys."""\n\nAWS = "AKIA" "IOSFODNN7EXAMPLE"\nKEY = "AKIAIOSFODNN7EXAMQLE"\n')
    (project / "unused.py").write_text('"""Unused."""\n\nimport os\nx=undefined\n')
    (project / "big.bin").write_bytes(b"\0" * 600_000)
    (project / "merged.txt").write_text("<<<<<<< ours\na\n=======\nb\n>>>>>>> theirs\n")
    run(project, "git", "add", "--all")
    said = check(code=1)
    assert {line.split(".")[0] for line in said.splitlines() if line.endswith("Failed")} == {
        "lint Python and notebooks",
        "format Python and notebooks",
        "take output out of notebooks",
        "no file above 500 kB",
        "no passwords, no keys",
        "no line of which an update left two versions",
    }, said
    assert json.loads(notebook.read_text())["cells"] == clean["cells"]

    # the project as a folder of a larger repository, as README.md says
    larger = tmp_path / "larger"
    shutil.copytree(bake().path, larger / "p")
    run(larger, "git", "init", "--quiet")
    install = "pre-commit install --config"
    shown.run(functools.partial(shell, larger), shown.documents(larger / "p"), install, {"FOLDER": "p"})
    commit = functools.partial(git, larger, "commit", "--message", "x", PRE_COMMIT_HOME=tmp_path / "hooks")
    git(larger, "add", "--all")
    commit()
    (larger / "p/big.bin").write_bytes(b"\0" * 600_000)
    git(larger, "add", "--all")
    assert "no file above 500 kB" in commit(code=1)
