"""Bake, once for each set of answers and as fast as it can be done; and reach the engine."""

import ast
import contextlib
import importlib.util
import io
import itertools
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import browser
import cookiecutter.environment
import cookiecutter.hooks
import pytest
from cookiecutter.exceptions import FailedHookException
from template import CHOICES, OPTIONS, ROOT, SHAPING, TREE, name, tracked, variants


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the switches of this test run."""
    parser.addoption("--triples", action="store_true", help="let the engine build all triples of choices, not pairs")
    parser.addoption("--write", action="store_true", help="write docs/choices.md anew")


@dataclass(frozen=True)
class Baked:
    """A generated project, the answers that made it, and the template's own folder for it."""

    path: Path
    context: dict
    template: Path

    @cached_property
    def files(self) -> dict[str, bytes]:
        """Return the content of each file by its path in the project."""
        paths = sorted(path for path in self.path.rglob("*") if path.is_file())
        return {path.relative_to(self.path).as_posix(): path.read_bytes() for path in paths}

    def text(self, name: str) -> str:
        """Return one file as text."""
        return self.files[name].decode()


Bake = Callable[..., Baked]


def load_hook(name: str):
    """Import a hook as it stands, unrendered."""
    specification = importlib.util.spec_from_file_location(name, ROOT / "hooks" / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def fast_engine() -> Iterator[None]:
    """Make bakes fast: each template is compiled once, not again for each bake; hooks are called, not started.

    tests/test_hooks.py proves that the stock engine, started as a user starts it, writes the same bytes.
    """
    with pytest.MonkeyPatch.context() as patch:
        stock = cookiecutter.environment.StrictEnvironment.compile
        compiled: dict[tuple, object] = {}
        hooks = {name: load_hook(name) for name in ("pre_gen_project", "post_gen_project")}

        def compile_once(self, source: str, *name: str | None) -> object:
            syntax = (self.line_statement_prefix, self.trim_blocks, self.lstrip_blocks)
            if (key := (source, name, syntax)) not in compiled:
                compiled[key] = stock(self, source, *name)
            return compiled[key]

        def run_hook(name: str, project_dir: str, context: dict) -> None:
            if name not in hooks:
                return
            answers = (json.loads(json.dumps(context["cookiecutter"])),)
            arguments = answers if name == "pre_gen_project" else (*answers, Path(project_dir).resolve())
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    hooks[name].main(*arguments)
            except SystemExit as stop:
                raise FailedHookException(str(stop.code)) from None

        patch.setattr(cookiecutter.environment.StrictEnvironment, "compile", compile_once)
        patch.setattr(cookiecutter.hooks, "run_hook", run_hook)
        yield


@pytest.fixture(scope="session")
def bake_times() -> list[float]:
    """Collect the CPU time (seconds) of each bake; shown at the end of the run."""
    return BAKE_TIMES


BAKE_TIMES: list[float] = []
PROVED: list[tuple[dict[str, str], list[str]]] = []
BAKED_VARIANTS: set[str] = set()


@pytest.fixture(scope="session")
def bake(cookies_session, fast_engine) -> Bake:
    """Return a function that bakes the template with some answers, once for each set of answers.

    It refuses options that the template does not have, and fails with the engine's own reason.
    """
    baked: dict[str, Baked] = {}

    def call(template: Path = ROOT, **answers: str) -> Baked:
        if unknown := set(answers) - set(OPTIONS):
            pytest.fail(f"The template has no option {', '.join(sorted(unknown))}")
        key = json.dumps([str(template), answers], sort_keys=True)
        if key not in baked:
            start = time.process_time()
            result = cookies_session.bake(template=str(template), extra_context=answers)
            BAKE_TIMES.append(time.process_time() - start)
            if result.exception is not None:
                pytest.fail(f"{answers}: {result.exception!r}")
            baked[key] = Baked(result.project_path, result.context, template / TREE.name)
            if template == ROOT and set(answers) == set(CHOICES):
                BAKED_VARIANTS.add(name(answers))
        return baked[key]

    return call


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


def copy_of_template(folder: Path) -> Path:
    """Copy what git would give to whoever clones this repository into `folder`, and return it."""
    for file in tracked():
        target = folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, target)
    return folder


def need(reason: str) -> None:
    """Skip a test that cannot run on this machine, or fail it where the engine is promised."""
    if os.environ.get("REQUIRE_ENGINE") == "1":
        pytest.fail(f"REQUIRE_ENGINE=1, but {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def compose_client() -> None:
    """Need the Docker command line with Compose; no engine has to run."""
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode
    ):
        need("there is no docker command with Compose")


@pytest.fixture(scope="session")
def engine(compose_client) -> None:
    """Need an engine that answers."""
    if subprocess.run(["docker", "info"], capture_output=True).returncode:
        need("no Docker engine answers")


@pytest.fixture(scope="session")
def chromium() -> None:
    """Need a browser."""
    if reason := browser.missing():
        need(reason)


@pytest.fixture(scope="session")
def devcontainer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the reference implementation's command line for dev containers, installed by npm."""
    if shutil.which("npm") is None:
        need("there is no npm")
    folder = tmp_path_factory.mktemp("npm")
    shutil.copy(ROOT / "tests/package.json", folder)
    subprocess.run(["npm", "install", "--silent", "--no-package-lock"], cwd=folder, check=True)
    return folder / "node_modules/.bin/devcontainer"


DURATIONS: Counter[str] = Counter()
CAUGHT: Counter[str] = Counter()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Add up what each file of tests takes (seconds), and count the deliberate defects that were caught."""
    DURATIONS[report.location[0]] += report.duration
    if report.when == "call" and "test_a_defect_is_caught" in report.nodeid:
        CAUGHT[report.outcome] += 1


def pytest_terminal_summary(terminalreporter) -> None:
    """Say how much was generated, built and caught, at what cost, and what each variant on the engine has proved."""
    write = terminalreporter.write_line
    if BAKE_TIMES:
        middle = sorted(BAKE_TIMES)[len(BAKE_TIMES) // 2] * 1000
        done = {name(variant) for variant in variants()} & BAKED_VARIANTS
        write(f"{len(done)} of {len(variants())} variants baked")
        write(f"{len(BAKE_TIMES)} bakes in all, with forks and odd answers; {middle:.0f} ms of CPU each (median)")
    if CAUGHT:
        write(f"{CAUGHT['passed']} of {sum(CAUGHT.values())} deliberate defects caught")
    if PROVED:
        write(f"{len(PROVED)} variants built and used by the engine:")
    for row, facts in PROVED:
        write(f"  {name(row)}")
        for fact in facts:
            write(f"    {fact}")
    built = [row for row, facts in PROVED if facts]
    if built:
        write("pairs of choices that the engine built, of those that the rules allow:")
        for one, two in itertools.combinations(SHAPING, 2):
            have = {(row[one], row[two]) for row in built}
            wanted = {(variant[one], variant[two]) for variant in variants()}
            missing = ", ".join(map("-".join, sorted(wanted - have)))
            write(f"  {one + ' x ' + two:<32} {len(have)} of {len(wanted)}" + (f", not {missing}" if missing else ""))
    for file, seconds in DURATIONS.most_common():
        if seconds > 1:
            layer = ast.get_docstring(ast.parse((ROOT / file).read_text(encoding="utf-8")))
            write(f"{seconds:7.0f} s {file}: {layer}")
