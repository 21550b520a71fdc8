"""The locked packages can be installed on every Python that the template offers."""

import re

import pytest
from programs import run
from template import CHOICES, variants


@pytest.mark.parametrize("python", CHOICES["python_version"])
def test_every_package_has_wheels_for_every_python(bake, tmp_path, python) -> None:
    """With all choices that the rules allow for it: where a wheel is missing, a rule must refuse what needs it."""
    lock: dict[str, str] = {}
    for variant in variants():
        if variant["python_version"] == python:
            for block in re.split(r"\n(?=\w)", bake(**variant).text("requirements/lab.txt")):
                lock[block.partition("==")[0]] = block
    command = ("uv", "pip", "install", "--dry-run", "--no-deps", "--only-binary", ":all:", "--python-version", python)
    command += ("--python-platform", "x86_64-manylinux_2_28", "--target", tmp_path, "--requirements", "-")
    run(tmp_path, *command, typed="\n".join(lock.values()))
