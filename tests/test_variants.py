"""Every variant, generated once and checked whole."""

import subprocess

import pytest
from checks import env_settings, problems
from template import OPTIONS, name, variants


@pytest.mark.parametrize("variant", variants(), ids=name)
def test_variant(bake, variant) -> None:
    found = problems(bake(**variant))
    assert not found, f"{name(variant)}: {found}"


def test_nothing_but_secrets_differs_between_two_bakes(bake) -> None:
    name = {"project_name": "Baked Twice"}  # setup would see whether this machine has a project of the default name
    first, second = bake(**name), bake(**name, author_name=OPTIONS["author_name"])
    assert first.path != second.path
    different = {name for name in first.files if first.files[name] != second.files[name]}
    assert different == {".env"}
    lines = zip(first.text(".env").splitlines(), second.text(".env").splitlines(), strict=True)
    changed = {a.partition("=")[0] for a, b in lines if a != b}
    made = {key for key, value in env_settings(first.text(".env")).items() if value}  # others are given
    assert changed == {key for key in made if key.endswith(("_TOKEN", "_PASSWORD"))}


def test_a_fresh_clone_loses_nothing_but_dotenv(bake) -> None:
    baked = bake(project_name="Clone me")
    files = set(baked.files)

    def git(*arguments: str) -> str:
        command = ["git", "-c", "user.name=A", "-c", "user.email=a@example.com", *arguments]
        return subprocess.run(command, cwd=baked.path, capture_output=True, text=True, check=True).stdout

    git("init", "--quiet")
    git("add", "--all")
    git("commit", "--quiet", "--message", "Start")
    assert files - set(git("ls-tree", "-r", "--name-only", "HEAD").splitlines()) == {".env"}
    assert git("check-ignore", ".env", ".env.local", "data/big.csv", "models/model.joblib").count("\n") == 4


def test_the_bake_says_why_it_refuses(bake) -> None:
    with pytest.raises(pytest.fail.Exception, match="no option licence"):
        bake(licence="MIT")
    with pytest.raises(pytest.fail.Exception, match="WTFPL"):
        bake(license="WTFPL")
    with pytest.raises(pytest.fail.Exception, match="Not generated"):
        bake(project_slug="Bad Name")
