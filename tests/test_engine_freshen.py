"""Newer versions of what the template pins are found, written and proposed."""

import datetime
import http.server
import json
import re
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import shown
import yaml
from needs import need_answer, original
from programs import commit_all, git, run, shell
from template import CHOICES, CONTEXT, ROOT

pytestmark = original

CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
WORKFLOW = yaml.safe_load((ROOT / ".github/workflows/freshen.yaml").read_text())
VERSIONS, DIGEST = CONTEXT["_versions"], f"sha256:{'1' * 64}"
LAB = CONTEXT["_lab_images"]["jupyter"]["image"]
PYTHON = f"python:{CHOICES['python_version'][0]}-slim-trixie"
NEWER = {  # tags that the registry has
    VERSIONS["caddy_image"]: ["2.11.4", "2.11.5", "2.12.0", "2.13.0-alpine", "3.0.0"],
    VERSIONS["postgres_image"]: ["18-trixie", "19-trixie"],
    LAB: ["2026-07-28", "2027-01-04", "latest"],
    PYTHON: [PYTHON.partition(":")[2], "3.99-slim-trixie"],
}


def change(template: Path, old: str, new: str) -> None:
    """Change cookiecutter.json, and commit that."""
    options = template / "cookiecutter.json"
    assert old in options.read_text()
    options.write_text(options.read_text().replace(old, new))
    commit_all(template, "Change")


@pytest.fixture
def hub(registry, upstream, tmp_path) -> dict[str, str]:
    """Return the settings with which skopeo asks the fork's mirror, which has all images, and newer ones of some."""
    need_answer("skopeo", "--version")
    change(upstream, '"image_prefix": ""', f'"image_prefix": "{registry}/hub/"')
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    run(tmp_path, "docker", "build", "--quiet", "--tag", f"{registry}/new", ".")
    for image in set(
        re.findall(r'"([a-z][\w./-]*:\w[\w.-]*)"', json.dumps([VERSIONS, CONTEXT["_lab_images"], PYTHON]))
    ):
        name, tag = image.split(":")
        for each in NEWER.get(image, [tag]):
            there = f"{registry}/hub/{name}:{each}"
            for command in (("tag", f"{registry}/new", there), ("push", "--quiet", there), ("rmi", there)):
                run(tmp_path, "docker", *command)
    run(tmp_path, "docker", "rmi", f"{registry}/new")
    conf = tmp_path / ".config/containers/registries.conf"
    conf.parent.mkdir(parents=True)
    conf.write_text(f'[[registry]]\nlocation = "{registry}"\ninsecure = true\n')
    return {"HOME": str(tmp_path), "REGISTRY_AUTH_FILE": str(Path.home() / ".docker/config.json")}


@pytest.fixture
def github(tmp_path) -> dict[str, str]:
    """Return the settings that make git ask repositories here, which have the actions' versions, and some newer."""
    for action in {"actions/setup-python", *VERSIONS["actions"]}:
        repository = tmp_path / "github" / action
        repository.mkdir(parents=True, exist_ok=True)
        git(repository, "init", "--quiet")
        for tag in ("v1.0.0", "v9.9.9-rc.1"):
            git(repository, "commit", "--quiet", "--allow-empty", "--message", tag)
            git(repository, "tag", tag)
        git(repository, "tag", "--annotate", "--message", "v10.0.0", "v10.0.0")
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{tmp_path / 'github'}/.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/",
    }


@pytest.fixture
def calendar() -> Iterator[dict[str, str]]:
    """Serve days on which support ends; one of them is near."""
    near = str(datetime.date.today() + datetime.timedelta(days=100))
    releases = {
        "python": [{"name": each, "codename": None, "eolFrom": "2033-10-31"} for each in CHOICES["python_version"]],
        "debian": [{"name": "13", "codename": "Trixie", "eolFrom": near}],
        "postgresql": [{"name": "18", "codename": None, "eolFrom": "2030-11-14"}],
    }

    class Calendar(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"result": {"releases": releases[self.path.strip("/")]}}).encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Calendar) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield {"CALENDAR": f"http://127.0.0.1:{server.server_port}", "NEAR": near}
        server.shutdown()


def test_images_actions_and_days_are_brought_up_to_date_and_proposed(upstream, hub, github, calendar, tmp_path) -> None:
    options, pinned = upstream / "cookiecutter.json", f"{VERSIONS['grype_image']}@{DIGEST}"
    change(upstream, f'"{VERSIONS["grype_image"]}"', f'"{pinned}"')
    rows = {CHOICES["python_version"][0]: f"{PYTHON}@{DIGEST}"}
    change(upstream, f'"python_image": "{VERSIONS["python_image"]}"', f'"python_image": {json.dumps(rows)}')
    settings = hub | github | calendar | {"PYTEST_ADDOPTS": "-q -p no:cacheprovider tests/test_template.py"}
    only = {"freshen.py": "freshen.py images actions support"}  # the packages of today are another matter
    said = shown.run(partial(shell, upstream, **settings), CONTRIBUTING, "python scripts/freshen.py", only)
    new = json.loads(options.read_text())
    versions, lab = new["_versions"], LAB.partition(":")[0]
    assert versions["caddy_image"] == "caddy:2.12.0"
    assert "- caddy:3.0.0 is a new major version: try it by hand.\n" in said
    assert versions["postgres_image"] == VERSIONS["postgres_image"]
    assert new["_lab_images"]["jupyter"]["image"] == f"{lab}:2027-01-04"
    assert f"- {lab}: " in said
    digest = re.fullmatch(rf"{VERSIONS['grype_image']}@(sha256:\w{{64}})", versions["grype_image"])[1]
    assert versions["grype_image"] != pinned
    assert versions["python_image"] == {python: row.replace(DIGEST, digest) for python, row in rows.items()}
    heads = {name: git(tmp_path / "github" / name, "rev-parse", "HEAD").strip() for name in versions["actions"]}
    assert versions["actions"] == {name: f"{head} # v10.0.0" for name, head in heads.items()}
    pin = f"actions/checkout@{heads['actions/checkout']} # v10.0.0\n"
    assert pin in (upstream / ".github/workflows/test.yaml").read_text()
    assert versions["end_of_life"]["trixie"] == calendar["NEAR"]
    assert f"- trixie gets its last fixes on {calendar['NEAR']}: offer a newer version.\n" in said
    assert git(upstream, "diff", "--name-only").split() == [
        ".github/workflows/freshen.yaml",
        ".github/workflows/test.yaml",
        "cookiecutter.json",
    ]

    steps = [step["run"] for step in WORKFLOW["jobs"]["freshen"]["steps"] if "run" in step]
    remote, asked = tmp_path / "remote.git", tmp_path / "asked"
    run(tmp_path, "git", "init", "--quiet", "--bare", remote)
    git(upstream, "remote", "add", "origin", remote)
    (tmp_path / "gh").write_text(f"#!/bin/sh\necho $* >>{asked}\n")
    (tmp_path / "gh").chmod(0o755)
    (tmp_path / "newer.md").write_text("- newer\n")
    summary = {"RUNNER_TEMP": str(tmp_path)}
    shell(upstream, f"PATH={tmp_path}:$PATH\n{steps[-1]}", **summary)
    assert git(remote, "log", "-1", "--format=%s", "newer-versions") == "Take up newer versions\n"
    assert asked.read_text().startswith("auth setup-git\npr create --title ")
    shell(upstream, f"PATH={tmp_path}:$PATH\n{steps[-1]}", **summary)  # which has nothing to propose
    assert asked.read_text().count("pr create") == 1


ALONE = "import json, freshen; freshen.lock.main = print; freshen.packages(json.loads(freshen.OPTIONS.read_text()))"


def test_packages_of_projects_and_of_the_tests_are_brought_up_to_date(fork) -> None:
    """Without the new locks, which test_scripts.py makes."""
    need_answer("npm", "--version")
    options, requirements, tool = fork / "cookiecutter.json", fork / "tests/requirements.txt", VERSIONS["ruff"]
    for file, old, new in (
        (options, f'"ruff": "{tool}"', '"ruff": "0.9.0"'),
        (requirements, f"ruff=={tool}", "ruff==0.9.0"),
        (fork / "tests/package.json", '": "0.', '": "0.0.'),
    ):
        assert file.read_text().count(old) == 1
        file.write_text(file.read_text().replace(old, new))
    before = json.loads(options.read_text())
    said = run(fork, sys.executable, "-c", ALONE, PYTHONPATH="scripts")
    newest = re.search(r"(?m)^- ruff: (.+)$", said)[1]
    assert tuple(map(int, newest.split("."))) >= tuple(map(int, tool.split(".")))
    assert f"\nruff=={newest}\n" in requirements.read_text()
    after = json.loads(options.read_text())
    assert after["_versions"]["ruff"] == newest
    assert len(set(after["_versions"]["uv_hashes"])) == 4
    changed = {name for name, value in after["_versions"].items() if value != before["_versions"][name]}
    assert changed <= {"uv", "uv_hashes", "detect-secrets", "nbstripout", "pre-commit-hooks", "ruff"}
    newest = re.search(r"(?m)^- @devcontainers/cli: (.+)$", said)[1]
    assert f'"@devcontainers/cli": "{newest}"' in (fork / "tests/package.json").read_text()
    assert said.endswith("['--upgrade']\n")


@pytest.mark.parametrize(
    ("names", "settings", "reason"),
    [
        ("image", {}, "image: choose from images, actions, packages, support."),
        ("images", {"PATH": "/nowhere"}, "skopeo is missing: install it."),
        ("support", {"CALENDAR": "http://127.0.0.1:9"}, "http://127.0.0.1:9 does not answer: "),
    ],
)
def test_what_it_cannot_do_is_said_in_a_sentence(fork, names, settings, reason) -> None:
    before = (fork / "cookiecutter.json").read_text()
    said = run(fork, sys.executable, "scripts/freshen.py", names, code=1, **settings)
    assert said.startswith(reason)
    assert said.count("\n") == 1
    assert (fork / "cookiecutter.json").read_text() == before
