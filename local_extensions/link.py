"""What cruft needs to update a project that cookiecutter has made: .cruft.json, which the hook writes."""

import re
import subprocess

from .answers import HERE


def git(*question: str) -> str:
    """Return what git answers in the template's folder, or nothing."""
    try:
        done = subprocess.run(["git", *question], cwd=HERE, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()


def link(answers: dict) -> dict | None:
    """Return the address and the version of the template, and the answers; None where cruft or nobody knows them.

    Where the template's server does not have this version yet, the address is the folder. A login in it is left out.
    """
    if "_repo_dir" not in answers or git("rev-parse", "--show-prefix") != f"{HERE.name}/":
        return None
    commit, origin = git("rev-parse", "HEAD"), git("remote", "get-url", "origin")
    published = origin and git("branch", "--remotes", "--contains", commit)
    return {
        "template": re.sub(r"^(https?://)[^/]*@", r"\1", origin) if published else str(HERE.parent),
        "commit": commit,
        "checkout": answers.get("_checkout"),
        "context": {"cookiecutter": {name: answer for name, answer in answers.items() if name[0] != "_"}},
        "directory": None,
    }
