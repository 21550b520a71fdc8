"""What a project's continuous integration runs after a push, run here."""

import re

import pytest
import yaml
from programs import commit_all
from stack import Stack, project
from template import CHOICES

pytestmark = pytest.mark.usefixtures("engine")


def of_github(stack: Stack, label: str, job: str = "test") -> list[str]:
    """Return the commands of a job of the workflow; its build step is an action that runs Bake."""
    steps = yaml.safe_load((stack.path / ".github/workflows/ci.yaml").read_text())["jobs"][job]["steps"]
    commands = []
    for step in steps:
        if "bake-action" in step.get("uses", ""):
            images = step["with"]["targets"].replace(",", " ")
            commands.append(f"docker buildx bake --file {step['with']['files']} --load {label} {images}")
        commands += [step["run"]] if "run" in step else []
    return commands


def of_gitlab(stack: Stack, label: str) -> list[str]:
    """Return the commands of the pipeline's test job."""
    job = yaml.safe_load((stack.path / ".gitlab-ci.yml").read_text())["test"]
    commands = [command for command in job["script"] if "grype" not in command]  # which has a database of its own
    return [re.sub(r'--set "\S+"', label, command) for command in commands + job["after_script"]]


@pytest.mark.parametrize("ci", [choice for choice in CHOICES["ci"] if choice != "none"])
def test_what_runs_after_a_push_works(bake, tmp_path, ci) -> None:
    """In its order; what only its platform has (caches, logins, the scan) is left out."""
    made = project(bake, tmp_path, ci=ci)
    (made.path / ".env").unlink()
    # what `remove` finds its images by; Bake labels none
    label = f'--set "*.labels.com.docker.compose.project={made.path.name}"'
    try:
        commands = {"github": of_github, "gitlab": of_gitlab}[ci](made, label)
        said = "".join(made.run("sh", "-c", command) for command in commands)
        assert re.search(r"^=+ \d+ passed", said, re.MULTILINE)
        assert "Done. Open reports/report.html" in said
        assert made.run("docker", "ps", "--all", "--quiet", "--filter", f"name={made.path.name}") == ""
    finally:
        made.remove()


@pytest.mark.skipif("github" not in CHOICES["ci"], reason="this fork has no GitHub Actions")
def test_newer_packages_are_proposed(bake, tmp_path) -> None:
    """The job's own tests are those of the job above; `gh` is a program that writes down what it is asked."""
    made, remote = project(bake, tmp_path, ci="github"), tmp_path / "remote.git"
    for lock in (made.path / "requirements").iterdir():
        lock.write_text(re.sub(r"(?m)^typer==\S+", "typer==0.20.0", lock.read_text()))
    commit_all(made.path)
    made.shell(f"git init --quiet --bare {remote} && git remote add origin {remote}")
    program = tmp_path / "gh"
    program.write_text(f"#!/bin/sh\necho $* >>{tmp_path}/asked\n")
    program.chmod(0o755)
    try:
        for command in of_github(made, "", "update"):
            if "run --rm test" not in command:
                made.shell(f"PATH={tmp_path}:$PATH\n{command}")
        assert (tmp_path / "asked").read_text() == "auth setup-git\npr create --fill\n"
        proposed = made.shell(f"git --git-dir {remote} log -1 --format=%s --patch newer-packages")
        assert proposed.startswith("Lock newer packages\n")
        assert "\n-typer==0.20.0" in proposed
        assert set(re.findall(r"(?m)^diff --git a/(\w+)", proposed)) == {"requirements"}
    finally:
        made.remove()
