"""In an organisation's network: mirror and index with logins, a certificate of its own, a proxy as the only way out."""

import base64
import hashlib
import http.server
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from baking import copy_of_template
from needs import original
from packaging.utils import canonicalize_name
from programs import commit_all, git, run
from stack import Stack, docker_config, gateway, without_packages
from template import CHOICES, CONTEXT, ROOT
from test_lock_refusals import wheel
from test_update import newer

pytestmark = [original, pytest.mark.usefixtures("engine")]

HOST, LOGIN = "packages.example.test", f"me:{uuid.uuid4().hex}"
INDEX, EXTRA = f"https://{HOST}/simple", f"https://{HOST}/extra"  # the second one has torch
VERSIONS, PYTHON = CONTEXT["_versions"], CHOICES["python_version"][0]


class Network(NamedTuple):
    """What is there besides the machine."""

    authorities: list[str]  # in PEM form; the last one has signed what there is
    proxy: str  # as containers reach it
    asked: list[str]  # the hosts that the proxy was asked for
    template: Path  # its repository; `publish` puts it on the server
    archives: dict[str, str]  # Debian's, such as debian-security, and their addresses
    served: set[str]  # how the paths begin that the server was asked for

    def outside(self) -> dict[str, str]:
        """Return what a machine of such a network sets for git."""
        return {
            "HTTPS_PROXY": self.proxy.replace(gateway(), "127.0.0.1"),
            "GIT_SSL_CAINFO": str(self.template.parent / "ca.crt"),
        }


def certificates(folder: Path) -> str:
    """Make a certificate authority, and what it signed for the index: `key` and `crt`. Returns the authority."""
    new = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2")
    usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")  # else Python 3.13 and newer refuse it
    run(folder, *new, "-subj", "/CN=Example", *usage, "-keyout", "ca.key", "-out", "ca.crt")
    named = ("-addext", f"subjectAltName=DNS:{HOST}", "-addext", "basicConstraints=critical,CA:FALSE")
    run(
        folder,
        *new,
        "-subj",
        f"/CN={HOST}",
        *named,
        "-CA",
        "ca.crt",
        "-CAkey",
        "ca.key",
        "-keyout",
        "key",
        "-out",
        "crt",
    )
    return (folder / "ca.crt").read_text().strip()


def index_of(folder: Path, archives: dict[str, str], served: set[str]) -> type[http.server.BaseHTTPRequestHandler]:
    """Return what serves packages to those who have the login, and archives of Debian and repositories to all.

    A folder has `packages`, and bare repositories. An archive has its name and its address. The start of each path that
    was asked for goes to `served`.
    """

    class Index(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # apt's requests share a connection

        def do_GET(self) -> None:
            start, _, rest = urllib.parse.unquote(self.path.strip("/")).partition("/")
            served.add(start)
            if start in archives:
                try:
                    with urllib.request.urlopen(f"{archives[start]}/{rest}", timeout=60) as there:
                        return self.answer(200, there.read())
                except urllib.error.HTTPError as error:
                    return self.answer(error.code)
            if start in ("simple", "extra", "files"):
                if self.headers["Authorization"] != f"Basic {base64.b64encode(LOGIN.encode()).decode()}":
                    return self.answer(401)
                if start != "files":
                    return self.answer(200, self.page(rest, start).encode(), "text/html")
                start = "packages"
            file = folder / start / rest.partition("?")[0]
            return self.answer(200, file.read_bytes()) if file.is_file() else self.answer(404)

        do_HEAD = do_GET  # noqa: N815

        def page(self, name: str, index: str) -> str:
            files = [
                each for each in sorted((folder / "packages").iterdir()) if (name == "torch") == (index == "extra")
            ]
            files = [each for each in files if canonicalize_name(each.name.partition("-")[0]) == name]
            digests = {each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in files}
            return "".join(f'<a href="/files/{each}#sha256={digest}">{each}</a>' for each, digest in digests.items())

        def answer(self, status: int, body: bytes = b"", kind: str = "application/octet-stream") -> None:
            self.send_response(status)
            if status == 401:
                self.send_header("WWW-Authenticate", "Basic realm=packages")
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Index


def proxy_to(port: int, asked: list[str]) -> type[http.server.BaseHTTPRequestHandler]:
    """Return a proxy that lets through to the index, and to nothing else."""

    class Proxy(http.server.BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            asked.append(self.path)
            if self.path != f"{HOST}:443":
                return self.send_error(403)
            with socket.create_connection(("127.0.0.1", port)) as there:
                self.send_response(200)
                self.end_headers()
                back = threading.Thread(target=copy, args=(there, self.connection), daemon=True)
                back.start()
                copy(self.connection, there)
                back.join()

        def log_message(self, *_: object) -> None:
            pass

    def copy(one: socket.socket, other: socket.socket) -> None:
        try:
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    return Proxy


@pytest.fixture(scope="module")
def network(engine, tmp_path_factory) -> Iterator[Network]:
    """Start the index, with what a small lab has, and the proxy."""
    folder = tmp_path_factory.mktemp("network")
    (folder / "other").mkdir()
    authorities = [certificates(folder / "other"), certificates(folder)]
    template = copy_of_template(folder / "template")
    commit_all(template)
    packages = folder / "packages"
    packages.mkdir()
    image = VERSIONS["python_image"].format(PYTHON)
    names = (f"{name}=={VERSIONS[name]}" for name in ("uv", "pre-commit-hooks"))
    me = ("--user", f"{os.getuid()}:{os.getgid()}", "--env", "HOME=/tmp")
    inside = ("docker", "run", "--rm", *me, "--volume", f"{packages}:/packages", "--workdir", "/packages", image)
    run(folder, *inside, "pip", "download", "--quiet", *names, "pre-commit", "requests", "setuptools")
    for version in ("1.0", "2.0"):
        wheel(packages, "humanize", version)
    wheel(packages, "torch", "9.9+cpu")
    trust = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trust.load_cert_chain(folder / "crt", folder / "key")
    asked: list[str] = []
    served: set[str] = set()
    sources = run(folder, *inside, "grep", "-rhE", "^(deb|URIs:) ", "/etc/apt")
    archives = {each.rpartition("/")[2]: each for each in re.findall(r"https?://[^ \n]*[^ \n/]", sources)}
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), index_of(folder, archives, served)) as index:
        # each handshake in its own thread: a client that only connects keeps nobody waiting
        index.socket = trust.wrap_socket(index.socket, server_side=True, do_handshake_on_connect=False)
        with http.server.ThreadingHTTPServer(("0.0.0.0", 0), proxy_to(index.server_port, asked)) as proxy:
            for server in (index, proxy):
                threading.Thread(target=server.serve_forever, daemon=True).start()
            yield Network(authorities, f"http://{gateway()}:{proxy.server_port}", asked, template, archives, served)
            for server in (index, proxy):
                server.shutdown()


def publish(template: Path) -> None:
    """Put what is committed on the server, beside the template, as files that git reads."""
    server = template.parent / "ds-docker.git"
    if not server.exists():
        git(template, "clone", "--quiet", "--bare", template, server)
    git(template, "push", "--quiet", server, "main")
    git(server, "update-server-info")


@pytest.fixture(scope="module")
def mirror(registry) -> str:
    """Return the prefix of images that are there for those who have logged in; nobody has."""
    prefix = f"{registry}/hub/"
    image = VERSIONS["python_image"].format(PYTHON)
    for command in (("tag", image, prefix + image), ("push", prefix + image), ("rmi", prefix + image)):
        run(ROOT, "docker", *command)
    run(ROOT, "docker", "logout", registry)
    return prefix


@pytest.fixture(scope="module")
def clone(network, mirror, tmp_path_factory) -> Iterator[Stack]:
    """Return a fresh clone of a project that such an organisation has made; its packages are few and small."""
    home = tmp_path_factory.mktemp("home")
    table = {
        "image_prefix": mirror,
        "image_mirror_login": True,
        "package_index": INDEX,
        "extra_index": EXTRA,
        "apt_mirrors": {archive: f"https://{HOST}/{archive}" for archive in network.archives},
        "ca_certificates": network.authorities,
    }
    (home / ".cookiecutterrc").write_text(json.dumps({"default_context": {"_organisation": table}}))
    publish(network.template)
    bake = ("cookiecutter", "--no-input", f"https://{HOST}/ds-docker.git", "project_slug=closed")
    run(home, *bake, HOME=str(home), **network.outside())
    project = home / "closed"
    pyproject = project / "pyproject.toml"
    text = without_packages(pyproject.read_text())
    text = text.replace("dependencies = []", 'dependencies = ["humanize<2", "torch"]')
    text = text.replace("lab = []", 'lab = ["pre-commit", "requests"]')
    pyproject.write_text(f'{text}\n[tool.uv.sources]\ntorch = {{ index = "extra" }}\n')
    dockerfile = project / "Dockerfile"
    dockerfile.write_text(dockerfile.read_text().replace("git openssh-client", "git openssh-client curl"))
    for lock in (project / "requirements").iterdir():
        lock.write_text("")
    commit_all(project)
    copy = home / f"dsd-{uuid.uuid4().hex[:8]}"
    git(home, "clone", "--quiet", project, copy)
    stack = Stack(copy)
    try:
        yield stack
    finally:
        stack.remove()
        run(home, "docker", "rmi", "--force", f"{copy.name}-setup")  # made before the copy had a name of its own


def doctor(stack: Stack) -> str:
    """Return what the doctor says of the index, in one line."""
    command = [sys.executable, "docker/doctor.py"]
    done = subprocess.run(command, cwd=stack.path, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    said = re.sub(r"\s+", " ", done.stdout)
    return said.partition("package indexes and base images")[2].partition(" ok ")[0]


def test_a_clone_gets_its_settings_packages_and_locks_by_the_proxy_alone(clone, network, mirror, tmp_path) -> None:
    setup, host = "docker compose --env-file .env.example run --rm setup", mirror.partition("/")[0]
    clone.shell(setup, code=1)  # it needs the base image, and no package
    assert f"{host} does not let you have {mirror}" in doctor(clone)
    (login,) = re.findall(rf"run `(docker login {host})` once", (clone.path / "README.md").read_text())
    clone.shell(f"echo secret | {login} --username me --password-stdin")
    said = clone.shell(setup)
    assert f"PACKAGE_INDEX={INDEX}\n" in (clone.path / ".env").read_text()
    assert f"{HOST} does not answer" in doctor(clone)
    clone.set(HTTPS_PROXY=network.proxy.replace(gateway(), "127.0.0.1"))
    remedy = "-> In .env, set PACKAGE_INDEX=https://USER:PASSWORD@"
    assert f"PACKAGE_INDEX: {HOST} asks for a login. {remedy}" in doctor(clone)
    clone.set(PACKAGE_INDEX=INDEX.replace("//", "//me:wrong@"))
    assert f"PACKAGE_INDEX: {HOST} refuses the login." in doctor(clone)
    clone.set(PACKAGE_INDEX=INDEX.replace("//", f"//{LOGIN}@"))
    assert f"EXTRA_INDEX: {HOST} asks for a login." in doctor(clone)
    clone.set(EXTRA_INDEX=EXTRA.replace("//", f"//{LOGIN}@"))
    (clone.path / "docker/ca.crt").rename(tmp_path / "ca.crt")
    assert f"the certificate of {HOST} is not trusted. -> Add the authority" in doctor(clone)
    (tmp_path / "ca.crt").rename(clone.path / "docker/ca.crt")
    assert doctor(clone) == ""

    # the proxy from .env, then from the shell, then from Docker's own settings
    clone.set(HTTPS_PROXY=network.proxy)
    said += clone.compose("run", "--rm", "lock")
    assert "requirements/process.txt: 2 packages, 2 new or changed" in said
    assert "humanize==1.0" in (clone.path / "requirements/lab.txt").read_text()
    clone.set(HTTPS_PROXY="")
    said += clone.shell(f"HTTPS_PROXY={network.proxy} docker compose build --progress plain process")
    docker = f"DOCKER_CONFIG={docker_config(tmp_path, network.proxy)} docker"
    env = (clone.path / ".env").read_text()
    (clone.path / ".env").write_text(re.sub(r"(?m)^HTTPS_PROXY=\n", "", env))
    said += clone.shell(f"{docker} compose run --rm lock --upgrade")
    assert set(network.asked) == {f"{HOST}:443"}

    trusted = f"import urllib.request as u; u.urlopen('{INDEX}/humanize/')"
    ask = f"{docker} compose run --rm --entrypoint python lock -c"
    assert "HTTP Error 401" in clone.shell(f'{ask} "{trusted}"', code=1)  # which only its login ends
    said += clone.compose(
        "run", "--rm", "--entrypoint", "python", "process", "-c", "import humanize, torch; print('there')"
    )
    assert "there" in said
    image = f"{clone.name}-process"
    said += clone.run("docker", "history", "--no-trunc", image) + clone.run("docker", "inspect", image)
    metadata = tmp_path / "metadata.json"
    bake = f"docker buildx bake --file compose.yaml --metadata-file {metadata} --set process.tags={image} process"
    said += clone.shell(f"HTTPS_PROXY={network.proxy} BUILDX_METADATA_PROVENANCE=max {bake}") + metadata.read_text()
    assert "buildkit" in metadata.read_text()
    clone.run("docker", "save", "--output", tmp_path / "image.tar", image)
    clone.run("tar", "xf", tmp_path / "image.tar", "-C", tmp_path)
    secret = LOGIN.partition(":")[2]
    assert secret not in said
    found = [path for path in tmp_path.rglob("*") if path.is_file() and secret.encode() in unpacked(path)]
    assert found == []
    home = clone.path.parent
    kept = [path for path in home.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
    assert kept == [clone.path / ".env"]


def test_a_lab_uses_git_and_the_index_and_a_project_is_updated(clone, network) -> None:
    env = clone.path / ".env"
    env.write_text(f"{env.read_text()}HTTPS_PROXY={network.proxy}\n")
    said = clone.compose("run", "--rm", "lock") + clone.compose("build", "lab")
    assert {"simple", "files", *network.archives} <= network.served  # the lab has system packages
    network.asked.clear()
    asks = {
        "git": f"git ls-remote https://{HOST}/ds-docker.git main",
        "curl": f"curl --fail --silent https://{HOST}/ds-docker.git/HEAD",
        "requests": f"python -c \"import requests as r; print(r.get('https://{HOST}/ds-docker.git/HEAD').text)\"",
        "Python": f"python -c \"import urllib.request as u; print(u.urlopen('https://{HOST}/ds-docker.git/HEAD').read())\"",
        "pip": "/usr/local/bin/python3 -m pip download --dest /tmp --no-deps humanize",
        "pre-commit": "pre-commit run --all-files conflicts",
    }
    for program, command in asks.items():
        asked = len(network.asked)
        said += clone.compose("run", "--rm", "lab", "bash", "-lc", command)
        assert len(network.asked) > asked, program
    assert "Passed" in said
    assert set(network.asked) == {f"{HOST}:443"}
    said += clone.run("docker", "inspect", f"{clone.name}-lab")
    commit_all(clone.path, "Lock")
    newer(network.template)
    publish(network.template)
    said += run(clone.path, "cruft", "update", "--skip-apply-ask", HOME=str(clone.path.parent), **network.outside())
    assert (clone.path / "Makefile").read_text().endswith("# newer\n")
    assert f"https://{HOST}/debian" in (clone.path / "Dockerfile").read_text()
    assert LOGIN.partition(":")[2] not in said


def unpacked(path: Path) -> bytes:
    """Return the content of a file, without compression if it is a layer of an image."""
    content = path.read_bytes()
    if content[:2] != b"\x1f\x8b":
        return content
    return subprocess.run(["gzip", "--decompress", "--stdout", path], capture_output=True, check=True).stdout
