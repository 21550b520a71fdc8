"""What a project's continuous integration runs after a push, run here."""

import base64
import contextlib
import http.client
import http.server
import json
import os
import re
import secrets
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import ssh
import yaml
from programs import commit_all, run
from stack import Stack, free_port, project
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


@contextlib.contextmanager
def registry() -> Iterator[str]:
    """Start a registry of images on this machine, and give its address."""
    address = f"127.0.0.1:{free_port()}"
    name = run(Path("/"), "docker", "run", "--detach", "--publish", f"{address}:5000", "registry:3.1.2").split()[-1]
    try:
        for _ in range(100):
            with contextlib.suppress(OSError, http.client.HTTPException):
                ask(address, "")
                break
            time.sleep(0.1)
        yield address
    finally:
        run(Path("/"), "docker", "rm", "--force", "--volumes", name)


def ask(address: str, path: str) -> tuple[dict, str]:
    """Return what a registry answers, and the digest of that."""
    connection = http.client.HTTPConnection(address, timeout=30)
    kinds = ("docker.distribution.manifest.v2", "oci.image.manifest.v1", "oci.image.index.v1")
    connection.request(
        "GET", f"/v2/{path}", headers={"Accept": ",".join(f"application/vnd.{kind}+json" for kind in kinds)}
    )
    answer = connection.getresponse()
    assert answer.status == 200, path
    return json.load(answer), answer.headers["Docker-Content-Digest"]


def publish_on_github(stack: Stack, address: str) -> list[str]:
    """Return the commands of the job, with those that its build steps stand for.

    The outputs of a step are lines of a file of its name.
    """
    steps = yaml.safe_load((stack.path / ".github/workflows/ci.yaml").read_text())["jobs"]["publish"]["steps"]
    commands = []
    for step in steps:
        command = ""
        if "build-push-action" in step.get("uses", ""):
            options = step["with"]
            command = f"docker buildx build --target {options['target']} --push --tag {options['tags']} "
            command += " ".join(f'--label "{label}"' for label in options["labels"].splitlines())
            for name, variable in (secret.split("=") for secret in options["secret-envs"].split()):
                command += f" --secret id={name},env={variable}"
            command += f" --metadata-file built.json {options['context']}\n"
            command += r'''sed -n 's/.*"containerimage.digest": "\(.*\)".*/digest=\1/p' built.json >"$GITHUB_OUTPUT"'''
        elif "run" in step:
            command = "".join(f'export {name}="{value}"\n' for name, value in step.get("env", {}).items()) + step["run"]
        if command:
            command = f"GITHUB_OUTPUT=../{step.get('id', 'none')}\n{command}".replace("ghcr.io", address)
            command = re.sub(r"\$\{\{ steps\.(\w+)\.outputs\.(\w+) }}", r"$(sed -n s/^\2=//p ../\1)", command)
            commands.append(re.sub(r"\$\{\{ github\.(\w+) }}", lambda each: f"$GITHUB_{each[1].upper()}", command))
    return commands


def publish_on_gitlab(stack: Stack, address: str) -> list[str]:
    """Return the commands of the job without those that bring it an emulator and the signer.

    The builder of an engine can neither build for a platform that needs an emulator, nor describe what it built.
    """
    commands = [command for command in of_gitlab(stack, "", "publish") if "$EMULATOR" not in command]
    changed = re.compile(r"--platform \S+ |--(?:sbom|provenance)=\S+\s")
    return [changed.sub("", command) for command in commands if "$SIGNER" not in command]


@pytest.mark.parametrize("ci", [choice for choice in CHOICES["ci"] if choice != "none"])
def test_a_tag_publishes_signed_images_of_its_version(bake, tmp_path, ci) -> None:
    """For this machine's platform, into a registry here; a `cosign` writes down what it is asked."""
    made, signed = project(bake, tmp_path, ci=ci, tracking="mlflow"), tmp_path / "signed"
    (tmp_path / "cosign").write_text(f"#!/bin/sh\necho $* >>{signed}\n")
    (tmp_path / "cosign").chmod(0o755)
    issuer = {"github": "https://token.actions.githubusercontent.com", "gitlab": "https://gitlab.com"}[ci]
    server = {"github": "https://github.com", "gitlab": issuer}[ci]
    variables = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    variables |= {"GITHUB_REPOSITORY": "Some/Project", "GITHUB_REF_NAME": "v1.2.0-rc.1", "GITHUB_SHA": "abc"}
    variables |= {"GITHUB_SERVER_URL": server, "GITHUB_STEP_SUMMARY": str(tmp_path / "summary")}
    variables |= {"GITHUB_WORKFLOW_REF": "Some/Project/.github/workflows/ci.yaml@refs/tags/v1.2.0-rc.1"}
    variables |= {"CI_COMMIT_TAG": "v1.2.0-rc.1", "CI_COMMIT_SHA": "abc", "CI_SERVER_URL": server}
    identity = {"github": ".github/workflows/ci.yaml", "gitlab": "/.gitlab-ci.yml"}[ci]
    try:
        with registry() as address:
            image = f"{address}/some/project"
            variables |= {
                "CI_REGISTRY_IMAGE": image,
                "CI_PROJECT_URL": f"{server}/Some/Project",
                "CACHE": f"{image}/cache",
            }
            commands = {"github": publish_on_github, "gitlab": publish_on_gitlab}[ci](made, address)
            said = "".join(run(made.path, "bash", "-ec", command, **variables) for command in commands)
            expected = ""
            for path in ("some/project", "some/project/mlflow"):
                assert ask(address, f"{path}/tags/list")[0]["tags"] == ["1.2.0-rc.1"]
                manifest, digest = ask(address, f"{path}/manifests/1.2.0-rc.1")
                made.extra_images.append(f"{address}/{path}:1.2.0-rc.1")  # which the engine keeps
                labels = ask(address, f"{path}/blobs/{manifest['config']['digest']}")[0]["config"]["Labels"]
                labels = {name.removeprefix("org.opencontainers.image."): label for name, label in labels.items()}
                assert labels["title"].startswith(made.path.name)
                assert (labels["version"], labels["revision"]) == ("1.2.0-rc.1", "abc")
                assert labels["source"] == f"{server}/Some/Project"
                reference = f"{address}/{path}:1.2.0-rc.1@{digest}"
                assert f"\n{reference}\n" in f"\n{said}"
                expected += f"sign --yes {reference}\nverify --certificate-oidc-issuer {issuer} --certificate-identity "
                expected += f"{server}/Some/Project/{identity}@refs/tags/v1.2.0-rc.1 {reference}\n"
            assert signed.read_text() == expected
            if ci == "gitlab":  # a server that Sigstore does not know
                variables["CI_SERVER_URL"] = "https://git.example"
                assert "Not signed: " in run(made.path, "bash", "-ec", commands[-1], **variables)
                assert signed.read_text() == expected
    finally:
        made.remove()


class Server(ssh.Machine):
    """A server with the .env of production, and a `docker` that writes down what it is asked."""

    def __init__(self, folder: Path) -> None:
        """Make both."""
        super().__init__(folder)
        self.asked, self.folder = folder / "asked", folder / "in production"
        self.folder.mkdir()
        self.env = self.folder / ".env"
        self.env.write_text("OTHER=VERSION=0\nVERSION=1.2.0\nLAST=1\n")
        (folder / "key").chmod(0o666)  # as GitLab's runner writes it
        (folder / "jobs").mkdir()
        (folder / "docker").write_text(f"""#!/bin/sh
echo "$PWD: docker $*" >>{self.asked}
stat -c %a {folder}/jobs/*/key >>{self.asked}
exec cat {folder}/answer
""")
        (folder / "docker").chmod(0o755)
        (folder / "answer").write_text("healthy\n")


@pytest.fixture
def server(tmp_path) -> Iterator[Server]:
    """Return a server that listens."""
    (tmp_path / "server").mkdir()
    made = Server(tmp_path / "server")
    with made.running(f"{made.home}:/usr/bin:/bin"):
        yield made


UNSET = {"bash": 1, "sh": 2}  # how a shell exits where `${NAME:?}` has nothing
HOSTILE_VERSIONS = [
    "1.3.0; touch pwned",
    "1.3.0/;e touch pwned;#",
    "$(touch pwned)",
    "1.3.0' .env; touch pwned; '",
    "`id`",
]
HOSTILE_VERSIONS += ["1.3.0\n2.0.0", "1.3.0\n", "1.3.0&", "-1.3.0", "1.3", "latest", ""]


@pytest.mark.parametrize("ci", [choice for choice in CHOICES["ci"] if choice != "none"])
def test_a_version_is_deployed_and_taken_back(bake, server, ci) -> None:
    """Over SSH to this machine, and back; what is wrong changes nothing there, and the key is gone after each run."""
    if ci == "github":
        workflow = yaml.safe_load(bake(ci=ci).text(".github/workflows/deploy.yaml"))
        [command] = [step["run"] for step in workflow["jobs"]["deploy"]["steps"]]
        variable, prefix, key, shell = "VERSION", "", (server.home / "key").read_text().rstrip(), "bash"
    else:
        [command] = yaml.safe_load(bake(ci=ci).text(".gitlab-ci.yml"))["deploy"]["script"]
        variable, prefix, key, shell = "CI_COMMIT_TAG", "v", str(server.home / "key"), "sh"
    good = {"DEPLOY_HOST": f"ssh://{server.user}@127.0.0.1:{server.port}", "DEPLOY_FOLDER": str(server.folder)}
    good |= {"DEPLOY_KNOWN_HOSTS": server.known("host"), "DEPLOY_KEY": key, "TMPDIR": str(server.home / "jobs")}

    def deploy(version: str, code: int = 0, **changed: str) -> str:
        said = run(server.home, shell, "-ec", command, code=code, **good | {variable: prefix + version} | changed)
        assert list((server.home / "jobs").iterdir()) == []
        assert "PRIVATE KEY" not in said
        return said

    expected = ""
    for version in ("1.3.0", f"1.3.1-rc.1@sha256:{'0' * 64}", "1.2.0"):
        assert "healthy" in deploy(version)
        assert server.env.read_text() == f"OTHER=VERSION=0\nVERSION={version}\nLAST=1\n"
        expected += f"{server.folder}: docker compose up --wait\n600\n"
        assert server.asked.read_text() == expected
    before = server.env.read_text()
    for version in HOSTILE_VERSIONS:
        assert "so nothing changed: give one that was published" in deploy(version, code=1)
    assert "Host key verification failed" in deploy("1.3.0", code=255, DEPLOY_KNOWN_HOSTS=server.known("other"))
    for name in ("DEPLOY_HOST", "DEPLOY_FOLDER", "DEPLOY_KNOWN_HOSTS", "DEPLOY_KEY"):
        assert f"{name}: is not set: README.md says where" in deploy("1.3.0", code=UNSET[shell], **{name: ""})
    assert (server.env.read_text(), server.asked.read_text()) == (before, expected)
    assert not list(server.home.rglob("pwned"))
    (server.home / "answer").unlink()
    deploy("1.3.0", code=1)  # the server's command fails
