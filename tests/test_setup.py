"""What setup.py of a generated project writes into .env, and never less than is there."""

import os
import re
import runpy
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from template import CHOICES


@pytest.fixture(scope="module")
def setup(bake) -> dict:
    """Return what docker/setup.py defines."""
    return runpy.run_path(str(bake().path / "docker/setup.py"))


def run(project: Path, code: int = 0) -> str:
    """Run setup in a project as its owner does; return all that it says."""
    command = [sys.executable, "docker/setup.py"]
    done = subprocess.run(
        command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == code, done.stdout
    return done.stdout


UNTIDY = {
    "export": "export JUPYTER_PORT=19811\nexport JUPYTER_TOKEN=mine",
    "quotes and comments": "# mine\nJUPYTER_PORT='19811' # port\nJUPYTER_TOKEN=\"mine\" # token\n",
    "variables": "JUPYTER_PORT=${MINE:-19811}\nJUPYTER_TOKEN=${MINE:-mine}\n",
    "blanks": " JUPYTER_PORT = 19811 \n\n JUPYTER_TOKEN = mine \n\n",
    "Windows": "\ufeffJUPYTER_PORT=19811\r\nJUPYTER_TOKEN=mine\r\n",
    "several lines": "JUPYTER_PORT=19811\nMINE='\nA_TOKEN=\n'\nJUPYTER_TOKEN=mine",
    "Latin-1 comments": "# pr\udce9par\udce9\nJUPYTER_PORT=19811 # \udce9\nJUPYTER_TOKEN=mine\n",
    "old Mac line ends": "# mine\r\nJUPYTER_PORT=19811\nJUPYTER_TOKEN=mine\r",
}


@pytest.mark.parametrize("case", UNTIDY)
def test_setup_keeps_an_untidy_env_and_adds_what_lacks(bake, setup, case) -> None:
    baked = bake(project_name=f"Untidy {case}")
    env, text = baked.path / ".env", UNTIDY[case]
    lacking = list(setup["settings"](setup["read"](env)))
    lacking.remove("JUPYTER_PORT")
    lacking.remove("JUPYTER_TOKEN")
    env.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert "http://127.0.0.1:19811/lab  (the token is" in run(baked.path)
    after = env.read_bytes().decode("utf-8", "surrogateescape")
    assert after.startswith(text)
    end = "\r\n" if "\r\n" in text else "\n"
    assert re.findall(rf"(?:^|\n)(\w+)=[^\n]*?{end}", after[len(text) :].replace(end, end * 2)) == lacking
    assert ("\r\n" in after) == ("\r\n" in text)
    assert env.stat().st_mode & 0o777 == 0o600
    run(baked.path)
    assert env.read_bytes().decode("utf-8", "surrogateescape") == after


@pytest.mark.parametrize(
    "line",
    [
        "JUPYTER_TOKEN=",
        "JUPYTER_TOKEN = ",
        "export\tJUPYTER_TOKEN=",
        'JUPYTER_TOKEN="" # mine',
        "JUPYTER_TOKEN: ''",
        "\ufeffJUPYTER_TOKEN=",
    ],
)
def test_setup_fills_an_empty_secret_once(bake, setup, line) -> None:
    baked = bake(project_name="Secret")
    env = baked.path / ".env"
    env.write_text(f"{line}\r\n", encoding="utf-8", newline="")
    run(baked.path)
    assert re.fullmatch("[0-9a-f]{48}", setup["settings"](setup["read"](env))["JUPYTER_TOKEN"])
    assert env.read_text(encoding="utf-8").count("JUPYTER_TOKEN") == 1


BROKEN = {
    "Latin-1": ("A=1\nB=pr\u00e9par\u00e9\n".encode("latin-1"), "line 2 is not UTF-8 text"),
    "UTF-16": ("A=1\n".encode("utf-16"), "line 1 is UTF-16, not UTF-8 text"),
    "UTF-16 without a mark": ("# mine\nA=1\n".encode("utf-16-le"), "line 2 is UTF-16, not UTF-8 text"),
    "an open quote": (b"A=1\nB='secret\n", "line 2 is not NAME=value or lacks a closing quote"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_setup_leaves_alone_what_it_cannot_read(bake, case) -> None:
    baked = bake(project_name=f"Broken {case}")
    content, reason = BROKEN[case]
    (baked.path / ".env").write_bytes(content)
    said = run(baked.path, code=1)
    assert said.startswith(f".env is unchanged: {reason}. Correct that"), said
    assert (baked.path / ".env").read_bytes() == content


def test_setup_writes_free_ports_and_a_name_for_each_copy(bake, setup, tmp_path) -> None:
    baked = bake(project_name="Ports", **{option: CHOICES[option][-1] for option in ("deploy", "tracking")})
    names = set()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        example = baked.path / ".env.example"
        example.write_text(re.sub(r"_PORT=\d+", f"_PORT={port}", example.read_text()))
        for _ in range(3):
            (baked.path / ".env").unlink()
            run(baked.path)
            written = setup["settings"](setup["read"](baked.path / ".env"))
            ports = [int(value) for name, value in written.items() if name.endswith("_PORT")]
            assert len(set(ports)) == len(ports) == example.read_text().count("_PORT=")
            assert min(ports) > port
            names.add(written["COMPOSE_PROJECT_NAME"])
    assert len(names) > 1
    assert all(re.fullmatch("ports-[0-9a-f]{4}", name) for name in names)


GITCONFIG = """[core]
\tname = wrong
[user]
\tname = "Zo\u00eb O'Hara" # me
\temail = zoe@example.com
\tsigningkey = x
[sendemail "x"]
\temail = wrong
"""


def test_setup_takes_who_you_are_from_your_gitconfig(bake, setup, tmp_path, monkeypatch) -> None:
    baked = bake(project_name="Who")
    env = baked.path / ".env"
    monkeypatch.setenv("HOME", str(tmp_path))
    wanted = {"GIT_AUTHOR_NAME": "Zo\u00eb O'Hara", "GIT_COMMITTER_EMAIL": "zoe@example.com"}
    for content, expected in (("", {}), (GITCONFIG, wanted), (b"\xff", {})):
        (tmp_path / ".gitconfig").write_bytes(content if isinstance(content, bytes) else content.encode())
        env.unlink()
        run(baked.path)
        written = setup["settings"](setup["read"](env))
        assert {name: value for name, value in written.items() if name in wanted} == expected


def test_setup_says_that_ids_are_wrong(bake) -> None:
    baked = bake(project_name="Ids")
    env, folder = baked.path / ".env", baked.path.stat()
    env.write_text(re.sub(r"HOST_UID=\d+", "HOST_UID=54321", env.read_text()))
    assert f"In .env, set HOST_UID={folder.st_uid} and HOST_GID={folder.st_gid}: " in run(baked.path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_setup_tells_root_once(bake) -> None:
    """A folder of root's; one of somebody else's has nothing to be told."""
    baked = bake(project_name="Roots")
    for owner, told in ((0, True), (4321, False)):
        (baked.path / ".env").unlink()
        os.chown(baked.path, owner, owner)
        assert ("containers run as root" in run(baked.path)) == told
        assert "containers run as root" not in run(baked.path)


def test_setup_makes_the_folders_that_are_missing(bake) -> None:
    baked = bake(project_name="Folders")
    for name in ("data", "models", "reports"):
        for file in (baked.path / name).iterdir():
            file.unlink()
        (baked.path / name).rmdir()
    (baked.path / "data").symlink_to("/on/another/disk")
    run(baked.path)
    assert (baked.path / "data").is_symlink()
    for name in ("models", "reports"):
        assert (baked.path / name).is_dir()
        assert (baked.path / name).stat().st_uid == baked.path.stat().st_uid
