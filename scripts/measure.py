"""Measure builds of a generated project against the plain recipe, with the same packages, in one run.

    python scripts/measure.py [--rounds N] [answer=value ...]

The plain recipe is one stage: `COPY . .`, then `pip install -r requirements.txt`, for lab and pipeline alike.
Times are medians of N rounds (3, at most 5), in seconds; a cold build starts with no layer and no package cache.
Needs an engine, and removes the containers and images that it made.
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from cookiecutter.main import cookiecutter

ROOT = Path(__file__).resolve().parents[1]
PLAIN = """FROM {image}
WORKDIR /app
COPY . .
RUN pip install --root-user-action ignore --ignore-installed -r requirements/lab.txt
ENV PYTHONPATH=/app/src
CMD ["python", "-m", "{package}", "run"]
"""


def timed(*command: object, cwd: Path) -> float:
    """Run a command and return how long it took, in seconds. Raises CalledProcessError if it fails."""
    start = time.perf_counter()
    subprocess.run(list(map(str, command)), cwd=cwd, check=True, capture_output=True)
    return time.perf_counter() - start


def size(image: str) -> int:
    """Return the size of an image in bytes."""
    done = subprocess.run(
        ["docker", "inspect", "--format", "{{.Size}}", image], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def median(rounds: int, action: Callable[[], float]) -> float:
    """Return the median of several runs of `action`."""
    return statistics.median(action() for _ in range(rounds))


def measure(project: Path, build: list[str], rounds: int) -> dict[str, float]:
    """Return the seconds of a cold build, of one with no change, after an edit, and after one more dependency."""
    module = next((project / "src").iterdir()) / "model.py"
    locks = [project / "requirements" / f"{image}.txt" for image in ("lab", "process")]

    def edit() -> float:
        module.write_text(module.read_text() + f"# {uuid.uuid4()}\n")
        return timed(*build, cwd=project)

    # each a small package of pure Python that the locks do not have yet
    packages = iter(("humanize", "tomli-w", "inflection", "colorlog", "toolz"))

    def add() -> float:
        pyproject = project / "pyproject.toml"
        pyproject.write_text(pyproject.read_text().replace('    "typer', f'    "{next(packages)}",\n    "typer', 1))
        timed("docker", "compose", "run", "--rm", "lock", cwd=project)
        return timed(*build, cwd=project)

    kept = [lock.read_text() for lock in locks]
    result = {
        "cold": timed(*build, "--no-cache", cwd=project),
        "no change": median(rounds, lambda: timed(*build, cwd=project)),
        "edit": median(rounds, edit),
        "one dependency": median(rounds, add),
    }
    for lock, text in zip(locks, kept, strict=True):
        lock.write_text(text)
    return result


def main(arguments: list[str]) -> None:
    """Measure and print a table."""
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # uv, for the locks
    rounds = int(arguments[arguments.index("--rounds") + 1]) if "--rounds" in arguments else 3
    answers = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    with tempfile.TemporaryDirectory() as folder:
        slug = os.environ["COMPOSE_PROJECT_NAME"] = f"measure-{uuid.uuid4().hex[:6]}"
        options = {"no_input": True, "default_config": True, "output_dir": folder}
        ours = Path(cookiecutter(str(ROOT), extra_context={"project_slug": slug, **answers}, **options))
        plain = Path(cookiecutter(str(ROOT), extra_context={"project_slug": f"{slug}-plain", **answers}, **options))
        image = re.search(r"^ARG PYTHON_IMAGE=(\S+)", (ours / "Dockerfile").read_text(), re.MULTILINE)[1]
        # layers and package caches of this run's own: none of an earlier run may serve
        dockerfile = (ours / "Dockerfile").read_text().replace("type=cache,", f"type=cache,id={slug},")
        (ours / "Dockerfile").write_text(dockerfile.replace("AS base\n", f"AS base\nENV MEASURED={slug}\n"))
        (plain / "Dockerfile").write_text(PLAIN.format(image=image, package=f"{slug}_plain".replace("-", "_")))
        (plain / ".dockerignore").unlink()
        try:
            print(f"{'seconds':<16}{'ds-docker':>12}{'plain':>12}")
            results = {
                "ours": measure(ours, ["docker", "compose", "build"], rounds),
                "plain": measure(
                    plain,
                    ["docker", "build", "--tag", f"{slug}-plain", "--label", f"measured={slug}", str(plain)],
                    rounds,
                ),
            }
            for name, seconds in results["ours"].items():
                print(f"{name:<16}{seconds:>12.2f}{results['plain'][name]:>12.2f}")
            for name, over in (("edit", "no change"), ("one dependency", "cold")):
                ratios = [each[name] / each[over] for each in results.values()]
                print(f"{name} / {over}: {ratios[0]:.2f}, plain {ratios[1]:.2f}")
            sizes = {name: size(f"{slug}-{name}") for name in ("lab", "process")} | {"plain": size(f"{slug}-plain")}
            print(", ".join(f"{name} {bytes_ / 1e6:.0f} MB" for name, bytes_ in sizes.items()))
            for other in ("lab", "plain"):
                print(f"process / {other}: {sizes['process'] / sizes[other]:.2f}")
            up = median(rounds, lambda: timed("docker", "compose", "up", "--wait", "--force-recreate", cwd=ours))
            print(f"up to healthy: {up:.1f} s")
        finally:
            subprocess.run(["docker", "compose", "down", "--volumes", "--rmi", "local"], cwd=ours, capture_output=True)
            subprocess.run(["docker", "image", "rm", "--force", f"{slug}-plain"], capture_output=True)
            for label in (f"com.docker.compose.project={slug}", f"measured={slug}"):  # left untagged by rebuilds
                subprocess.run(
                    ["docker", "image", "prune", "--force", "--filter", f"label={label}"], capture_output=True
                )


if __name__ == "__main__":
    main(sys.argv[1:])
