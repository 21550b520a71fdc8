"""Packages are added, removed and moved by the commands of the README, and the lock works without Docker too."""

import functools
import http.server
import io
import json
import os
import re
import shutil
import tarfile
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import shown
from stack import gateway, project, without_packages
from template import CHOICES
from test_lock_refusals import wheel

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

        pyproject.write_text(original.replace('    "typer', '    "numpy<2",\n    "typer'))
        assert "numpy that pyproject.toml allows has no wheel for Python 3." in lock(code=1)
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


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Answers without a word."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def index(tmp_path) -> Iterator[Path]:
    """Return a folder that builds reach as a package index without hashes; the file `port` has its port."""
    folder = tmp_path / "index"
    folder.mkdir()
    handler = functools.partial(QuietHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("0.0.0.0", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        (tmp_path / "port").write_text(str(server.server_port))
        yield folder
        server.shutdown()


SOURCE = {  # of a package in C, which nobody has built
    "PKG-INFO": "Metadata-Version: 2.1\nName: in-c\nVersion: 1.0\n",
    "pyproject.toml": '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n',
    "setup.py": "from setuptools import Extension, setup\n"
    'setup(name="in-c", version="1.0", py_modules=[], ext_modules=[Extension("in_c", ["in_c.c"])])\n',
    "in_c.c": "int answer(void) { return 42; }\n",  # without Python's own headers, which not every base image has
}


def test_a_second_index_a_library_and_a_compiler(default, index, tmp_path) -> None:
    """As the README says: of packages that name the index, with hashes that lock computes."""
    for name, version in {"torch": "9.9+cpu", "humanize": "999.0"}.items():
        (index / name).mkdir()
        wheel(index / name, name, version)
    (index / "in-c").mkdir()
    with tarfile.open(index / "in-c/in_c-1.0.tar.gz", "w:gz") as archive:
        for name, text in SOURCE.items():
            entry = tarfile.TarInfo(f"in_c-1.0/{name}")
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text.encode()))
    address = f"http://me:s3cret-of-extra@{gateway()}:{(tmp_path / 'port').read_text()}"
    env, pyproject, dockerfile = (default.path / file for file in (".env", "pyproject.toml", "Dockerfile"))
    env.write_text(env.read_text().replace("EXTRA_INDEX=", f"EXTRA_INDEX={address}"))
    readme = (default.path / "README.md").read_text()
    shown_for = dict(re.findall(r"(?m)^(\[tool\.uv.*|RUN apt-get .*)(\n.*)$", readme))
    (library,) = (line for line in shown_for if "libgomp1" in line)

    text = without_packages(pyproject.read_text())

    def ask(*names: str, end: str) -> None:
        pyproject.write_text(text.replace("dependencies = []", f"dependencies = {json.dumps(names)}") + end)

    def python(code: str, exit_code: int = 0) -> str:
        return default.compose("run", "--rm", "--entrypoint", "python", "process", "-c", code, code=exit_code)

    second = "[tool.uv.sources]" + shown_for["[tool.uv.sources]"]
    ask("humanize", "lightgbm", "torch", end=second)
    said = default.compose("run", "--rm", "lock")
    assert "  + torch==9.9+cpu" in said
    assert "humanize==999" not in said
    said += default.compose("build", "--progress", "plain", "process")
    python("import torch, humanize")
    assert "libgomp.so.1" in python("import lightgbm", 1)

    ask("humanize", "lightgbm", "torch", "in-c", end=f'{second}\nin-c = {{ index = "extra" }}\n')
    refusal = default.compose("run", "--rm", "lock", code=1)
    assert "in-c==1.0 has no wheel" in refusal
    assert '"Add a system library or a compiler" in README.md' in refusal
    assert "**Add a system library or a compiler.**" in readme
    source = ("[tool.uv]" + shown_for["[tool.uv]"]).replace("NAME", "in-c")
    ask("humanize", "lightgbm", "torch", "in-c", end=f'{source}\n{second}\nin-c = {{ index = "extra" }}\n')
    place = re.compile(r"^# RUN apt-get .*$", re.MULTILINE)
    assert len(place.findall(dockerfile.read_text())) == 1
    dockerfile.write_text(place.sub(library.replace("\\", "\\\\"), dockerfile.read_text()))
    shown.run(default.shell, readme, "docker compose build lock")
    said += default.compose("run", "--rm", "lock")
    said += default.compose("build", "--progress", "plain", "process")
    load = "ctypes.CDLL(importlib.util.find_spec('in_c').origin)"
    python(f"import ctypes, importlib.util, torch, lightgbm; assert {load}.answer() == 42")
    assert "s3cret-of-extra" not in said + default.run("docker", "history", "--no-trunc", f"{default.name}-process")
