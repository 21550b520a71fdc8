"""Whoever works on a project, and wherever its data is: files belong to the person, and nothing else is needed."""

import contextlib
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import shown
from stack import Stack, free_ports, project
from template import CHOICES

pytestmark = pytest.mark.usefixtures("engine")

# Only root can give a folder to somebody else; another user can try it for themselves.
UIDS = [0, 1000, 1234] if os.geteuid() == 0 else [os.geteuid()]
DEFAULT, *OTHERS = CHOICES["dev_image"]
CLONES = [(DEFAULT, uid) for uid in UIDS] + [(other, UIDS[-1]) for other in OTHERS]
YOU = "Zo\u00eb O'Hara <zoe@example.com>"


def of_others(stack: Stack, uid: int, gid: int) -> Iterator[Path]:
    """Yield what belongs to somebody else in the project's folder; a file that is gone again does not count."""
    for path in stack.path.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            if (path.lstat().st_uid, path.lstat().st_gid) != (uid, gid):
                yield path


@pytest.mark.parametrize(("dev_image", "uid"), CLONES)
def test_a_clone_works_for_any_user_and_its_files_are_theirs(bake, tmp_path, monkeypatch, dev_image, uid) -> None:
    answers = {} if dev_image == DEFAULT else {"dev_image": dev_image, "tracking": CHOICES["tracking"][-1]}
    origin = project(bake, tmp_path, **answers)
    origin.run("git", "init", "--quiet")
    origin.run("git", "add", "--all")
    origin.run("git", "-c", "user.name=A", "-c", "user.email=a@example.com", "commit", "--quiet", "--message", "Start")
    clone = Stack(tmp_path / "clone" / origin.path.name)
    origin.run("git", "clone", "--quiet", ".", clone.path)
    gid = uid if os.geteuid() == 0 else os.getegid()
    origin.run("chown", "-R", f"{uid}:{gid}", clone.path)

    setup = "docker compose --env-file .env.example run --rm setup"
    assert f"To write it, run: {setup}" in clone.compose("up", "--wait", code=1)
    (tmp_path / "you").mkdir()
    (tmp_path / "you/.gitconfig").write_text("[user]\n\tname = {}\n\temail = {}\n".format(*YOU[:-1].split(" <")))
    with monkeypatch.context() as person:
        person.setenv("HOME", str(tmp_path / "you"))
        said = shown.run(clone.shell, shown.documents(clone.path), setup)
    assert clone.settings["JUPYTER_TOKEN"] not in said
    assert (clone.settings["HOST_UID"], clone.settings["HOST_GID"]) == (str(uid), str(gid))
    env = clone.path / ".env"
    free_ports(env)
    del clone.settings

    try:
        clone.compose("up", "--wait")
        clone.compose("run", "--rm", "process")
        clone.compose("run", "--rm", "lock")
        clone.in_terminal("touch notebooks/new.ipynb && git status --short && whoami && pre-commit install")
        clone.in_terminal("git commit --quiet --allow-empty --no-verify --message Mine")
        assert (
            clone.run("git", "-c", "safe.directory=*", "log", "-1", "--format=%an <%ae>, %cn <%ce>")
            == f"{YOU}, {YOU}\n"
        )
        clone.in_kernel("from pathlib import Path; Path('from-kernel/deep').mkdir(parents=True)")
        clone.in_kernel("from pathlib import Path; Path('from-kernel/deep/file').write_text('x')")
        end = time.monotonic() + 10  # where the server is root, its files are handed over within moments
        while any(of_others(clone, uid, gid)) and time.monotonic() < end:
            time.sleep(0.2)
        assert list(of_others(clone, uid, gid)) == []
        assert (clone.path / "notebooks/from-kernel/deep/file").read_text() == "x"
        assert env.stat().st_mode & 0o777 == 0o600
        clone.compose("exec", "lab", "bash", "-lc", "touch notebooks/last")
        clone.compose("stop")
        assert list(of_others(clone, uid, gid)) == []
    finally:
        clone.remove()


def test_a_new_project_gets_git_and_its_hooks_in_the_lab(default) -> None:
    default.compose("up", "--wait")
    document = shown.documents(default.path)
    shown.run(default.in_terminal, document, "git init")
    shown.run(default.in_terminal, document, "pre-commit install")
    hook, owner = (default.path / ".git/hooks/pre-commit").stat(), default.path.stat()
    assert (hook.st_uid, hook.st_gid) == (owner.st_uid, owner.st_gid)


def test_data_can_lie_elsewhere(default, tmp_path) -> None:
    elsewhere = tmp_path / "a large disk"
    elsewhere.mkdir()
    shutil.copy(default.path / "src" / default.package / "sample/penguins.csv", elsewhere)
    env = default.path / ".env"
    env.write_text(env.read_text().replace("DATA_FOLDER=./data\n", f"DATA_FOLDER={elsewhere}\n"))
    assert "344 rows from data/penguins.csv" in default.compose("run", "--rm", "process", "run", "--input", "data")
    default.compose("up", "--wait")
    default.compose("exec", "lab", "touch", "data/of-the-lab")
    assert "of-the-lab" in default.compose("run", "--rm", "--entrypoint", "ls", "test", "data")
    assert {file.name for file in elsewhere.iterdir()} == {"penguins.csv", "of-the-lab"}
    assert default.run("ls", "data") == ""
    shutil.rmtree(elsewhere)
    assert "bind source path does not exist" in default.compose("run", "--rm", "process", code=1)
