"""A project that was made with cruft follows the template, and keeps what its people changed."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from template import TREE

IDENTITY = ["-c", "user.name=A", "-c", "user.email=a@example.com"]


def git(folder: Path, *arguments: str) -> str:
    command = ["git", *IDENTITY, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def cruft(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cruft", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def upstream(fork) -> Path:
    """Return a copy of the template in a repository of its own."""
    git(fork, "init", "--quiet", "--initial-branch", "main")
    git(fork, "add", "--all")
    git(fork, "commit", "--quiet", "--message", "Template")
    return fork


@pytest.fixture
def project(upstream, tmp_path) -> Path:
    """Return a project made by cruft from it, committed."""
    done = cruft(tmp_path, "create", "--no-input", "--default-config", "--output-dir", str(tmp_path), str(upstream))
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "my-project"
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Start")
    return folder


def test_an_update_keeps_local_edits_and_dotenv(upstream, project) -> None:
    same = cruft(project, "diff", "--exit-code")
    assert same.returncode == 0, same.stdout
    env = (project / ".env").read_text()
    token = env.partition("JUPYTER_TOKEN=")[2].split()[0]
    assert token not in (project / ".cruft.json").read_text()

    readme, makefile = project / "README.md", upstream / TREE.name / "Makefile"
    readme.write_text(readme.read_text().replace("## Everyday work", "## Our own words\n\nKept.\n\n## Everyday work"))
    git(project, "commit", "--quiet", "--all", "--message", "Edit")
    makefile.write_text(makefile.read_text().replace("follow what the services say", "read what the services say"))
    options = json.loads((upstream / "cookiecutter.json").read_text())
    # an option, and a choice of an old one, that did not exist when the project was made
    added = {"colour": ["blue", "red"], "license": [*options["license"], "House-1.0"]}
    (upstream / "templates/licenses/House-1.0.txt").write_text("Copyright {{ cookiecutter.author_name }}\n")
    (upstream / "cookiecutter.json").write_text(json.dumps({**options, **added}))
    git(upstream, "add", "--all")
    git(upstream, "commit", "--quiet", "--all", "--message", "Newer")

    done = cruft(project, "update", "--skip-apply-ask", "--allow-untracked-files")
    assert done.returncode == 0, done.stderr + done.stdout
    assert "read what the services say" in (project / "Makefile").read_text()
    assert "## Our own words" in readme.read_text()
    assert (project / ".env").read_text() == env
    assert list(project.rglob("*.rej")) == []
    assert json.loads((project / ".cruft.json").read_text())["context"]["cookiecutter"]["colour"] == "blue"
    assert (project / "LICENSE").read_text().startswith("MIT License")

    # and both can be taken up later
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "Update")
    answers = json.dumps({"license": "House-1.0", "colour": "red"})
    done = cruft(project, "update", "--skip-apply-ask", "--allow-untracked-files", "--variables-to-update", answers)
    assert done.returncode == 0, done.stderr + done.stdout
    assert (project / "LICENSE").read_text() == "Copyright Your Name\n"
    assert list(project.rglob("*.rej")) == []


def test_an_answer_with_every_kind_of_quote_survives_an_update(upstream, tmp_path) -> None:
    text = """A "B" 'C' \\ D"""
    answers = json.dumps({"description": text, "project_slug": "quoted"})
    done = cruft(tmp_path, "create", "--no-input", "--default-config", "--output-dir", str(tmp_path), "--extra-context", answers, str(upstream))  # fmt: skip
    assert done.returncode == 0, done.stderr
    folder = tmp_path / "quoted"
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Start")
    same = cruft(folder, "diff", "--exit-code")
    assert same.returncode == 0, same.stdout
