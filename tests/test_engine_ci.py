"""What a project's continuous integration runs after a push, run here."""

import base64
import contextlib
import http.server
import os
import re
import secrets
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from programs import commit_all, run
from stack import Stack, project
from template import CHOICES

pytestmark = pytest.mark.usefixtures("engine")


def of_github(stack: Stack, label: str, job: str = "test") -> list[str]:
    """Return the commands of a job of the workflow; its build step is an action that runs Bake."""
    steps = yaml.safe_load((stack.path / ".github/workflows/ci.yaml").read_text())["jobs"][job]["steps"]
    commands = []
    for step in steps:
        if "bake-action" in step.get("uses", ""):
            images = step["with"]["targets"].replace(",", " ")
            commands.append(f"docker buildx bake --file {step['with']['files']} --load {label} {images}")
        commands += [step["run"]] if "run" in step else []
    return commands


def of_gitlab(stack: Stack, label: str, job: str = "test") -> list[str]:
    """Return the commands of a job of the pipeline."""
    steps = yaml.safe_load((stack.path / ".gitlab-ci.yml").read_text())[job]
    commands = [command for command in steps["script"] if "grype" not in command]  # which has a database of its own
    return [re.sub(r'--set "\S+"', label, command) for command in commands + steps.get("after_script", [])]


COMMANDS = {"github": of_github, "gitlab": of_gitlab}


@pytest.mark.parametrize("ci", [choice for choice in CHOICES["ci"] if choice != "none"])
def test_what_runs_after_a_push_works(bake, tmp_path, ci) -> None:
    """In its order; what only its platform has (caches, logins, the scan) is left out."""
    made = project(bake, tmp_path, ci=ci)
    (made.path / ".env").unlink()
    # what `remove` finds its images by; Bake labels none
    label = f'--set "*.labels.com.docker.compose.project={made.path.name}"'
    try:
        commands = COMMANDS[ci](made, label)
        said = "".join(made.run("sh", "-c", command) for command in commands)
        assert re.search(r"^=+ \d+ passed", said, re.MULTILINE)
        assert "Done. Open reports/report.html" in said
        assert made.run("docker", "ps", "--all", "--quiet", "--filter", f"name={made.path.name}") == ""
    finally:
        made.remove()


@contextlib.contextmanager
def git_server(repositories: Path, login: str) -> Iterator[str]:
    """Serve the repositories in a folder to whoever has the login, as GitLab does, and give the address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.headers["Authorization"] != f"Basic {base64.b64encode(login.encode()).decode()}":
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="GitLab"')
                self.end_headers()
                return
            path, _, query = self.path.partition("?")
            asked = {"PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": self.command, "REMOTE_USER": "someone"}
            asked |= {"CONTENT_TYPE": self.headers["Content-Type"] or "", "GIT_PROJECT_ROOT": str(repositories)}
            body = self.rfile.read(int(self.headers["Content-Length"] or 0))
            environment = {**os.environ, **asked, "GIT_HTTP_EXPORT_ALL": "1", "CONTENT_LENGTH": str(len(body))}
            done = subprocess.run(["git", "http-backend"], input=body, stdout=subprocess.PIPE, env=environment)
            self.wfile.write(b"HTTP/1.0 200 OK\r\n" + done.stdout)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@pytest.mark.parametrize("ci", [choice for choice in CHOICES["ci"] if choice != "none"])
def test_newer_packages_are_proposed(bake, tmp_path, ci) -> None:
    """The job's own tests are those of the job above; `gh`, or the server, writes down what it is asked."""
    made, remote, asked = project(bake, tmp_path, ci=ci), tmp_path / "remote.git", tmp_path / "asked"
    for lock in (made.path / "requirements").iterdir():
        lock.write_text(re.sub(r"(?m)^typer==\S+", "typer==0.20.0", lock.read_text()))
    commit_all(made.path)
    made.shell(f"git init --quiet --bare {remote} && git remote add origin {remote} && git push --quiet origin main")
    run(remote, "git", "config", "receive.advertisePushOptions", "true")
    program = {"github": tmp_path / "gh", "gitlab": remote / "hooks/post-receive"}[ci]
    program.write_text(f"#!/bin/sh\necho $* $GIT_PUSH_OPTION_0 >>{asked}\n")
    program.chmod(0o755)
    token, said = secrets.token_hex(), ""
    try:
        with git_server(tmp_path, f"oauth2:{token}") as address:
            variables = {"CI_PROJECT_URL": f"{address}/remote", "UPDATE_TOKEN": token, "GIT_TERMINAL_PROMPT": "0"}
            variables |= {"GITLAB_USER_NAME": "A B", "GITLAB_USER_EMAIL": "a@b.example"}
            # a runner of GitLab gives the job a token that cannot push, in one of these ways
            made.run("git", "config", f"url.{address.replace('//', '//job:wrong@')}.insteadOf", address)
            made.run("git", "config", f"credential.{address}.helper", "!echo username=job; echo password=wrong; :")
            for command in COMMANDS[ci](made, "", "update"):
                if "run --rm test" not in command:
                    said += run(made.path, "sh", "-ec", f"PATH={tmp_path}:$PATH\n{command}", **variables)
        expected = {"github": "auth setup-git\npr create --fill\n", "gitlab": "merge_request.create\n"}
        assert asked.read_text() == expected[ci]
        assert token not in said
        proposed = made.shell(f"git --git-dir {remote} log -1 --format=%s --patch newer-packages")
        assert proposed.startswith("Lock newer packages\n")
        assert "\n-typer==0.20.0" in proposed
        assert set(re.findall(r"(?m)^diff --git a/(\w+)", proposed)) == {"requirements"}
    finally:
        made.remove()
