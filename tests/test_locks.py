"""The locked packages can be installed on every Python that the template offers."""

import pytest
from programs import run
from template import CHOICES, TREE


@pytest.mark.parametrize("python", CHOICES["python_version"])
def test_every_package_has_wheels_for_every_python(tmp_path, python) -> None:
    lines = (TREE / "requirements/lab.txt").read_text(encoding="utf-8").splitlines(keepends=True)
    lock = "".join(line for line in lines if not line.startswith("#%"))  # the packages of all choices
    command = ("uv", "pip", "install", "--dry-run", "--no-deps", "--only-binary", ":all:", "--python-version", python)
    command += ("--python-platform", "x86_64-manylinux_2_28", "--target", tmp_path, "--requirements", "-")
    run(tmp_path, *command, typed=lock)
