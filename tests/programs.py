"""Run the programs of this Python's environment, such as cookiecutter, ruff and pre-commit."""

import os
import subprocess
import sys
from pathlib import Path


def run(folder: Path, *command: object, code: int = 0, typed: str = "", **environment: str) -> str:
    """Run a program in a folder; fail unless it exits with `code`. Returns all that it said.

    `typed` is what it reads as input.
    """
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        list(map(str, command)),
        cwd=folder,
        input=typed,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        env={**os.environ, "PATH": path, **environment},
    )
    assert done.returncode == code, f"{command} exited with {done.returncode}\n{done.stdout[-6000:]}"
    return done.stdout


def shell(folder: Path, line: str, **options: str) -> str:
    """Run a line of shell; `options` are those of `run`."""
    return run(folder, "sh", "-c", line, **options)


# For commands that commit, and are not given to `git` below
SOMEBODY = {f"GIT_{who}_{what}": "a@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


def git(folder: Path, *arguments: str, **options: object) -> str:
    """Run git as somebody; `options` are those of `run`."""
    return run(folder, "git", "-c", "user.name=A", "-c", "user.email=a@example.com", *arguments, **options)


def commit_all(folder: Path, message: str = "Start") -> None:
    """Commit everything in a folder; make it a repository if it is not one."""
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)
