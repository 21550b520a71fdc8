"""Bake projects from the template: once for each set of answers, and as fast as possible."""

import contextlib
import functools
import importlib.util
import io
import json
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import cookiecutter.environment
import cookiecutter.hooks
import pytest
from cookiecutter.exceptions import FailedHookException
from cookiecutter.utils import create_env_with_context
from template import CHOICES, OPTIONS, ROOT, TREE, Variant, tracked


@dataclass(frozen=True)
class Baked:
    """A generated project, the answers that made it, and the template's own folder for it."""

    path: Path
    context: dict
    template: Path

    @functools.cached_property
    def files(self) -> dict[str, bytes]:
        """Return the content of each file by its path in the project."""
        paths = sorted(path for path in self.path.rglob("*") if path.is_file())
        return {path.relative_to(self.path).as_posix(): path.read_bytes() for path in paths}

    def text(self, name: str) -> str:
        """Return one file as text."""
        return self.files[name].decode()


Bake = Callable[..., Baked]

PROOFS = "{{ cookiecutter | proofs | tojson }}"  # as in the hook
TIMES: list[float] = []  # CPU time of each bake in seconds
VARIANTS: list[Variant] = []  # those of variants() that were baked


def bake_once(cookies) -> Bake:
    """Return a function that bakes the template, or a copy of it, once for each set of answers.

    It fails for an option that the template does not have, and with the reason of cookiecutter's refusal.
    """
    baked: dict[str, Baked] = {}

    def bake(template: Path = ROOT, **answers: str) -> Baked:
        if unknown := set(answers) - set(OPTIONS):
            pytest.fail(f"The template has no option {', '.join(sorted(unknown))}")
        key = json.dumps([str(template), answers], sort_keys=True)
        if key not in baked:
            start = time.process_time()
            with own_extensions(template):
                result = cookies.bake(template=str(template), extra_context=answers)
            TIMES.append(time.process_time() - start)
            if result.exception is not None:
                pytest.fail(f"{answers}: {result.exception!r}")
            baked[key] = Baked(result.project_path, result.context, template / TREE.name)
            if template == ROOT and set(answers) == set(CHOICES):
                VARIANTS.append(answers)
        return baked[key]

    return bake


@contextlib.contextmanager
def own_extensions(template: Path) -> Iterator[None]:
    """Let a copy of the template use its own local_extensions, as in a process of its own."""
    kept = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "local_extensions"}
    if template == ROOT:
        yield
        return
    for name in kept:
        del sys.modules[name]
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(template)
        yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "local_extensions"]:
        del sys.modules[name]
    sys.modules.update(kept)


def load_hook(template: Path = ROOT):
    """Import the hook as it is, unrendered."""
    specification = importlib.util.spec_from_file_location("hook", template / "hooks/post_gen_project.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@contextlib.contextmanager
def fast_cookiecutter() -> Iterator[None]:
    """Compile each template once, not for each bake, and call hooks instead of starting them.

    tests/test_hooks.py proves that the unchanged cookiecutter writes the same bytes.
    """
    stock = cookiecutter.environment.StrictEnvironment.compile
    compiled: dict[tuple, object] = {}
    hook = load_hook()
    # what they answer is the same for all bakes, and most files are
    hook.engine = functools.cache(hook.engine)
    hook.re = SimpleNamespace(search=functools.cache(re.search), MULTILINE=re.MULTILINE)

    def compile_once(self, source: str, *name: str | None) -> object:
        syntax = (self.line_statement_prefix, self.trim_blocks, self.lstrip_blocks)
        if (key := (source, name, syntax)) not in compiled:
            compiled[key] = stock(self, source, *name)
        return compiled[key]

    def run_hook(name: str, project_dir: str, context: dict) -> None:
        if name != "post_gen_project":
            return
        proofs = json.loads(create_env_with_context(context).from_string(PROOFS).render(**context))
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                hook.main(proofs, Path(project_dir).resolve())
        except SystemExit as stop:
            raise FailedHookException(str(stop.code)) from None

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cookiecutter.environment.StrictEnvironment, "compile", compile_once)
        patch.setattr(cookiecutter.hooks, "run_hook", run_hook)
        yield


def copy_of_template(folder: Path) -> Path:
    """Copy what git would give to whoever clones this repository into `folder`, and return it."""
    for file in tracked():
        target = folder / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, target)
    return folder
