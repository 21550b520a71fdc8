"""Fixtures that several modules share, and the switches of a test run."""

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import browser
import hypothesis
import pytest
from baking import Bake, bake_once, copy_of_template, fast_cookiecutter
from needs import need, need_answer
from programs import commit_all
from stack import Stack, container_of, free_port, project, remove_images
from template import ROOT, WRITE

pytest_plugins = ["shown", "summary"]
pytest.register_assert_rewrite("proofs")
# Where one example of a failure is enough, and it need not be a small one
hypothesis.settings.register_profile("first", phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate])

ENGINE = ("tests/test_engine_", "tests/test_doctor.py")  # files that start containers


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the switches of this test run."""
    parser.addoption("--triples", action="store_true", help="build all triples of choices on the engine, not pairs")
    parser.addoption("--write", action="store_true", help="write the tables in README.md and docs/ anew")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Run each file in one process, and those that start containers in the same, as they would disturb each other.

    The variants on the engine and the server take as long as all of these, and each is a project of its own.
    """
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            alone = "variants" in file or "production" in file
            return "the engine" if file.startswith(ENGINE) and not alone else file

    config.option.loadscopereorder = False  # by the names of the files: those with many tests are not the long ones
    return Scheduling(config, log)


@pytest.fixture(scope="session")
def bake(cookies_session) -> Iterator[Bake]:
    """Return a function that bakes the template with some answers, once for each set of answers."""
    with fast_cookiecutter():
        yield bake_once(cookies_session)


@pytest.fixture
def document(request) -> Callable[[Path, str], None]:
    """Return a function that fails unless a document has a text; with --write, it writes that first."""

    def check(path: Path, text: str) -> None:
        if request.config.getoption("--write"):
            path.write_text(text, encoding="utf-8", newline="\n")
        assert path.read_text(encoding="utf-8") == text, f"run: {WRITE}"

    return check


@pytest.fixture(scope="session", autouse=True)
def no_litter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what cookiecutter leaves in the folder for temporary files in one that pytest removes."""
    old = tempfile.tempdir
    tempfile.tempdir = str(tmp_path_factory.mktemp("temporary"))
    yield
    tempfile.tempdir = old


@pytest.fixture
def fork(tmp_path: Path) -> Path:
    """Return a copy of the template that a test may change."""
    return copy_of_template(tmp_path / "fork")


@pytest.fixture
def upstream(fork: Path) -> Path:
    """Return such a copy in a git repository, committed."""
    commit_all(fork)
    return fork


@pytest.fixture(scope="session")
def compose_client() -> None:
    """Need the Docker command line with Compose; the engine need not run."""
    need_answer("docker", "compose", "version")


@pytest.fixture(scope="session")
def engine(compose_client) -> None:
    """Need an engine that answers."""
    need_answer("docker", "info")


@pytest.fixture(scope="module")
def registry(engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a registry that asks for a login, and log in; return its address."""
    folder, port = tmp_path_factory.mktemp("registry"), free_port()
    address = f"127.0.0.1:{port}"
    name = container_of(address)
    stack = Stack(folder)
    hashed = stack.shell(
        "echo secret | docker run --rm --interactive caddy:2.11.4 caddy hash-password --bcrypt-cost 4"
    ).strip()
    (folder / "htpasswd").write_text(f"me:{hashed}\n")
    login = ("REGISTRY_AUTH=htpasswd", "REGISTRY_AUTH_HTPASSWD_REALM=me", "REGISTRY_AUTH_HTPASSWD_PATH=/login/htpasswd")
    options = [*(f"--env={each}" for each in login), f"--volume={folder}:/login:ro", f"--publish={address}:5000"]
    stack.run("docker", "run", "--detach", "--name", name, *options, "registry:3")
    try:
        log_in = f"echo secret | docker login --username me --password-stdin {address}"
        stack.shell(f"for try in $(seq 50); do {log_in} && exit; sleep 0.2; done; exit 1")
        yield address
    finally:
        stack.run("docker", "logout", address)
        stack.run("docker", "rm", "--force", "--volumes", name)
        remove_images(stack, f"{address}/*/*", f"{address}/*/*/*")


@pytest.fixture
def default(bake, engine, tmp_path: Path) -> Iterator[Stack]:
    """Return the default project, neither built nor started."""
    made = project(bake, tmp_path)
    yield made
    made.remove()


@pytest.fixture(scope="session")
def chromium() -> None:
    """Need a browser."""
    if reason := browser.missing():
        need(reason)


@pytest.fixture(scope="session")
def devcontainer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the reference implementation's command line for dev containers, installed by npm."""
    need_answer("npm", "--version")
    folder = tmp_path_factory.mktemp("npm")
    shutil.copy(ROOT / "tests/package.json", folder)
    subprocess.run(["npm", "install", "--silent", "--no-package-lock"], cwd=folder, check=True)
    return folder / "node_modules/.bin/devcontainer"
