"""A cookiecutter that is too old is refused in one sentence and writes nothing; the oldest allowed makes a project."""

import runpy
import sys
from collections.abc import Callable
from importlib.metadata import version as version_here
from pathlib import Path

import cookiecutter
import pytest
from programs import run
from template import ROOT

NAME, OLDEST = "template_needs_cookiecutter_2_2_or_newer", "2.2"
REFUSED = f"Not generated. cookiecutter {{}} is too old: install {OLDEST} or newer with pip.\n"

# What cookiecutter itself says, and what it says in cruft, which does look for extensions in the template
SAID = {
    "1.7.3": (f"Unable to load extension: No module named '{NAME}'\n", REFUSED.format("1.7.3")),
    "2.1.1": (REFUSED.format("2.1.1"),) * 2,
}


@pytest.fixture(scope="module")
def program(tmp_path_factory) -> Callable[[str, str], Path]:
    """Return a function that installs a version of cookiecutter, with cruft, and returns the path of one of the two."""
    root = tmp_path_factory.mktemp("installed")

    def install(version: str, name: str) -> Path:
        folder = root / version
        if not folder.exists():
            run(root, "uv", "venv", "--quiet", "--python", sys.executable, folder)
            packages = (f"cookiecutter=={version}", f"cruft=={version_here('cruft')}")
            run(root, "uv", "pip", "install", "--quiet", "--python", folder, *packages)
        return folder / ("Scripts" if sys.platform == "win32" else "bin") / name

    return install


def make(folder: Path, *command: object, code: int = 0) -> str:
    """Run a program that makes a project in a folder, which is also where it would keep the answers."""
    home = {"HOME": str(folder), "USERPROFILE": str(folder)}
    return run(folder, *command, "--default-config", code=code, typed="\n" * 40, **home)


@pytest.mark.parametrize("options", [[], ["--no-input"]], ids=["asked", "not asked"])
@pytest.mark.parametrize("version", SAID)
def test_an_old_cookiecutter_is_refused_in_one_sentence(program, tmp_path, version, options) -> None:
    assert make(tmp_path, program(version, "cookiecutter"), ROOT, *options, code=1) == SAID[version][0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("version", SAID)
def test_cruft_with_an_old_cookiecutter_is_refused_too(program, upstream, tmp_path, version) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    assert make(folder, program(version, "cruft"), "create", upstream, code=1) == SAID[version][1]
    assert list(folder.iterdir()) == []


def test_the_oldest_cookiecutter_makes_a_project(program, tmp_path) -> None:
    assert "is ready. Next:" in make(tmp_path, program(f"{OLDEST}.0", "cookiecutter"), ROOT)


@pytest.mark.parametrize("version", ["2.10.0", "3.0.0b1"])
def test_a_newer_cookiecutter_is_let_through(monkeypatch, version) -> None:
    monkeypatch.setattr(cookiecutter, "__version__", version)
    runpy.run_path(str(ROOT / f"{NAME}.py"), run_name=NAME)


def test_the_readme_names_the_oldest_cookiecutter() -> None:
    assert f"With cookiecutter {OLDEST} or newer installed" in (ROOT / "README.md").read_text(encoding="utf-8")
