"""What a project's continuous integration runs after a push, run here."""

import re

import pytest
import yaml
from stack import Stack, project
from template import CHOICES

pytestmark = pytest.mark.usefixtures("engine")


def of_github(stack: Stack, label: str) -> list[str]:
    """Return the commands of the workflow's test job; its build step is an action that runs Bake."""
    steps = yaml.safe_load((stack.path / ".github/workflows/ci.yaml").read_text())["jobs"]["test"]["steps"]
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
    return [re.sub(r'--set "\S+"', label, command) for command in job["script"] + job["after_script"]]


@pytest.mark.parametrize("ci", [choice for choice in CHOICES["ci"] if choice != "none"])
def test_what_runs_after_a_push_works(bake, tmp_path, ci) -> None:
    """In its order; what only its platform has (caches, logins) is left out."""
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
