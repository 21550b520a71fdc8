"""Packages are added, removed and moved by the commands of the README, and the lock works without Docker too."""

import json
import os
import re
import shutil
import uuid

import pytest
import shown
from stack import project
from template import CHOICES

pytestmark = pytest.mark.usefixtures("engine")


def test_one_command_adds_and_removes_a_package(bake, tmp_path) -> None:
    stack = project(bake, tmp_path)
    stack.compose("build", "process")
    requirements = stack.path / "requirements"
    before = {file.name: file.read_bytes() for file in requirements.iterdir()}
    pyproject = stack.path / "pyproject.toml"
    original = pyproject.read_text()

    def lock(*arguments: str, code: int = 0) -> str:
        return stack.compose("run", "--rm", "lock", *arguments, code=code)

    try:
        pyproject.write_text(original.replace('    "typer', '    "humanize>=4",\n    "typer'))
        assert "  + humanize==" in lock()
        assert (requirements / "base.txt").read_bytes() == before["base.txt"]  # so both images keep that layer
        owner = stack.path.stat()
        owners = {(file.stat().st_uid, file.stat().st_gid) for file in requirements.iterdir()}
        assert owners == {(owner.st_uid, owner.st_gid)}
        with (requirements / "process.txt").open("a") as file:
            file.write(f"# {uuid.uuid4()}\n")  # so that no layer of an earlier run of this test fits
        said = stack.compose("build", "--progress", "plain", "process")
        assert re.findall(r" \+ (\S+)==", said) == ["humanize"]  # and nothing that was there before
        python = ("--entrypoint", "python", "process", "-c", "import humanize; print(humanize)")
        assert "humanize" in stack.compose("run", "--rm", *python)

        pyproject.write_text(original.replace('    "typer', '    "humanize>=999",\n    "typer'))
        kept = (requirements / "lab.txt").read_bytes()
        assert "The locks are unchanged" in lock(code=1)
        assert (requirements / "lab.txt").read_bytes() == kept

        pyproject.write_text(re.sub(r'    "pandera.*\n', "", original))
        assert "  - pandera==" in lock()
        assert (requirements / "base.txt").read_bytes() == (requirements / "process.txt").read_bytes()

        pyproject.write_text(original)
        said = shown.run(stack.shell, shown.documents(stack.path), "docker compose run --rm lock --upgrade")
        assert said.count(" packages, ") == 2
        assert lock("--upgrade-package", "typer").count(" 0 new or changed") == 2
        assert sorted(file.name for file in requirements.iterdir()) == sorted(before)
    finally:
        stack.remove()


def test_what_pip_says_adds_a_package_for_notebooks(default) -> None:
    """In the README's words; a package that cannot be had leaves everything as it is."""
    default.compose("up", "--wait")
    files = [default.path / name for name in ("pyproject.toml", "requirements/lab.txt", "requirements/process.txt")]
    before = [file.read_bytes() for file in files]
    for wrong in ("no-such-package-in-any-index", "hum anize", "humanize>999"):
        assert "The locks are unchanged" in default.compose("run", "--rm", "lock", "--add", wrong, code=1)
        assert [file.read_bytes() for file in files] == before
    said = default.in_kernel("!pip install humanize").replace("\r", "")
    first, second = re.findall("^  (docker .*)$", said, re.MULTILINE)
    assert "  + humanize==" in shown.run(default.shell, shown.documents(default.path), first)
    assert files[2].read_bytes() == before[2]
    shown.run(default.shell, shown.documents(default.path), second)
    assert default.in_kernel("import humanize; print(humanize.ordinal(1))") == "1st\n"


@pytest.mark.parametrize("python_version", CHOICES["python_version"])
def test_the_results_are_the_same_without_docker(bake, tmp_path, python_version) -> None:
    made = project(bake, tmp_path, python_version=python_version)
    # a machine with Python, and uv where the command needs it, and nothing of this project
    machine = ("docker", "run", "--rm", "--user", f"{os.getuid()}:{os.getgid()}", "--env", "HOME=/tmp")
    machine += ("--volume", f"{made.path}:/work", "--workdir", "/work", made.base_images()["PYTHON_IMAGE"])

    def there(command: str) -> str:
        get_uv = "python -m venv /tmp/uv && /tmp/uv/bin/pip install --quiet uv && PATH=/tmp/uv/bin:$PATH && "
        return made.run(*machine, "sh", "-c", (get_uv if "uv run" in command else "") + command)

    try:
        made.compose("run", "--rm", "process")
        expected = json.loads((made.path / "reports/metrics.json").read_text())
        shutil.rmtree(made.path / "reports")
        section = shown.documents(made.path).partition("## Without Docker")[2].partition("\n## ")[0]
        (command,) = shown.commands(section)
        shown.run(there, section, command)
        assert json.loads((made.path / "reports/metrics.json").read_text()) == expected
    finally:
        made.remove()
