"""A platform team gets from a fork to its first project and to the next version, by the commands of docs/forking.md."""

import json
import re
import sys
from functools import partial
from pathlib import Path

import pytest
import shown
from baking import copy_of_template
from needs import original
from programs import SOMEBODY, commit_all, git, run, shell
from template import CONTEXT, ROOT, TREE, WRITE
from test_update import newer

pytestmark = original

PAGE = (ROOT / "docs/forking.md").read_text(encoding="utf-8")
EVERYTHING = {
    "image_prefix": "artifactory.example.com:8443/docker-virtual/",
    "image_mirror_login": True,
    "package_index": "https://artifactory.example.com/api/python/simple",
    "extra_index": "https://artifactory.example.com/api/torch/simple",
    "apt_mirrors": {"debian": "https://artifactory.example.com/debian"},
    "python_mirror": "https://artifactory.example.com/python",
    "ca_certificates": [f"-----BEGIN CERTIFICATE-----\n{each}\n-----END CERTIFICATE-----" for each in "AB"],
    "registry": "registry.example.com:5000/data",
    "ci_runner": ["self-hosted", "docker"],
    "image_labels": {"com.example.team": 'data "science" $1'},
    "settings": {"MEMORY": "8g", "JUPYTER_PORT": "9888", "TZ": "Europe/Berlin", "NO_PROXY": ".example.com"},
    "email_domain": "example.com",
    "code_owners": ["@example/data"],
    "security_contact": "security@example.com",
    "update_bot": "dependabot",
}
FEWER = {
    "license": ["Proprietary", "LicenseRef-Example", "Verbatim-1.0"],
    "python_version": ["3.14", "3.13"],
    "dev_image": ["jupyter", "python"],
    "deploy": ["api", "batch"],
    "database": ["duckdb"],
    "tracking": ["none"],
    "cluster": ["none"],
    "accelerator": ["cpu"],
    "ci": ["gitlab", "github"],
    "kubernetes": ["yes"],
}
GERMAN = {
    "project_name": "Name des Projekts",
    "deploy": {"__prompt__": "Dienst", "api": "api    für Vorhersagen", "batch": "batch  keiner"},
    "license": {"LicenseRef-Example": "eigene", "Verbatim-1.0": "frei"},
}
ELSEWHERE = (
    "--ignore=tests/test_doctor.py",  # it finds that there is no such mirror
    "--deselect=tests/test_tools.py::test_docker_checks_every_dockerfile",  # which asks the mirror, too
    "--deselect=tests/test_scripts.py::test_the_locks_are_what_the_script_makes",  # the page says what makes them anew
    "--ignore=tests/test_update.py",  # the fork of test_mutations.py tries it
    *(f"--ignore=tests/test_{each}.py" for each in ("env_file", "lock_refusals", "old_cookiecutter")),  # long
)
LICENCES = {"LicenseRef-Example": "Copyright {{ cookiecutter.author_name }}\n", "Verbatim-1.0": "Free for all.\n"}


def settings() -> dict:
    """Return the page's own example, with all that an organisation can set."""
    example = json.loads(re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)[1])
    assert example["_organisation"].keys() <= EVERYTHING.keys()
    images = {"postgres_image": f"postgres:18-trixie@sha256:{'2' * 64}"}
    images["python_image"] = {each: f"python:{each}-slim@sha256:{'1' * 64}" for each in FEWER["python_version"]}
    return example | FEWER | {"_organisation": EVERYTHING, "_versions": images, "__prompts__": GERMAN}


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> Path:
    """Return the template on its server."""
    folder = copy_of_template(tmp_path_factory.mktemp("original") / "ds-docker")
    commit_all(folder)
    return folder


@pytest.fixture(scope="module")
def clone(original, tmp_path_factory) -> Path:
    """Return a clone of a fork, in which the page's steps up to the commit are done."""
    home = tmp_path_factory.mktemp("home")
    server = home / "server.git"
    git(home, "clone", "--quiet", "--bare", original, server)
    change = {"https://git.example.com/data/ds-docker.git": f"{server} ds-docker"}
    shown.run(partial(shell, home), PAGE, "git clone", change)
    change = {"https://github.com/org/ds-docker.git": str(original)}
    shown.run(partial(shell, home), PAGE, "cd ds-docker && git remote add", change)
    folder = home / "ds-docker"
    here = {"python3 -m venv .venv": f"ln -s {sys.prefix} .venv"}  # which has the packages
    shown.run(partial(shell, folder), PAGE, "python3 -m venv .venv && .venv/bin/pip install --quiet -r", here)
    over = folder / "organisation"
    for name, text in LICENCES.items():
        licence = over / f"templates/license/{name}/LICENSE"
        licence.parent.mkdir(parents=True)
        licence.write_text(text)
    (over / "cookiecutter.json").write_text(json.dumps(settings()))
    (folder / ".git/info/exclude").write_text(".venv\n")  # .gitignore has it as a folder
    put_over(folder)
    return folder


def put_over(folder: Path) -> None:
    """Do what the page says after each change and after each merge, up to the commit."""
    for start in (".venv/bin/python scripts/organise.py", WRITE, "git add --all"):
        shown.run(partial(shell, folder, **SOMEBODY), PAGE, start)


def test_a_fork_that_sets_everything_has_green_tests(clone) -> None:
    options = " ".join(("-q", "-p no:cacheprovider", *ELSEWHERE))
    shown.run(partial(shell, clone, PYTEST_ADDOPTS=options), PAGE, '.venv/bin/python -m pytest -k "not engine"')


def test_its_first_project_has_all_of_it_and_the_next_version_too(clone, original, tmp_path) -> None:
    shown.run(partial(shell, clone), PAGE, "git push")
    server = git(clone, "remote", "get-url", "origin").strip()
    changes = {"https://git.example.com/data/ds-docker.git": f"git+file://{server}", "..": str(tmp_path)}
    asked = partial(shell, clone, typed="\n" * 40, HOME=str(tmp_path))
    said = shown.run(asked, PAGE, ".venv/bin/cookiecutter", changes)
    assert "Name des Projekts" in said
    assert "Experiment tracking" not in said  # which has one choice
    project = tmp_path / "my-project"
    assert json.loads((project / ".cruft.json").read_text())["template"].endswith(server)
    made = "".join(path.read_text() for path in project.rglob("*") if path.is_file())
    for text in (
        "docker-virtual/quay.io/",
        "/python/simple",
        "registry.example.com:5000/data",
        "self-hosted",
        "9888",
        ",${NO_PROXY:-.example.com}",
        f"index-url = ${{PACKAGE_INDEX:-{EVERYTHING['package_index']}}}",  # for a .env that has none
    ):
        assert text in made
    commit_all(project)

    def change(file: str, old: str, new: str) -> None:
        text = (original / file).read_text()
        assert old in text, file
        (original / file).write_text(text.replace(old, new))

    change("cookiecutter.json", '"MIT", "BSD-3-Clause"', '"MIT", "EUPL-1.2", "BSD-3-Clause"')
    change("cookiecutter.json", '"uv": "', '"uv": "9')
    change("README.md", "## The questions", "## Questions")
    change(f"{TREE.name}/Makefile", ".PHONY", "# newer\n.PHONY")
    commit_all(original, "Newer")
    for start in ("git fetch", "git merge", "git checkout"):
        shown.run(partial(shell, clone, **SOMEBODY), PAGE, start)
    put_over(clone)
    context = json.loads((clone / "cookiecutter.json").read_text())
    assert (context["_organisation"], context["license"]) == (EVERYTHING, FEWER["license"])
    assert context["_versions"]["uv"].startswith("9")
    assert "## Questions" in (clone / "README.md").read_text()
    shown.run(partial(shell, clone), PAGE, "git push")
    run(project, "cruft", "update", "--skip-apply-ask", HOME=str(tmp_path))
    assert "# newer\n" in (project / "Makefile").read_text()
    assert "registry.example.com:5000/data" in (project / ".gitlab-ci.yml").read_text()


def test_the_pages_own_example_makes_projects(tmp_path) -> None:
    folder = copy_of_template(tmp_path / "fork")
    (folder / "organisation").mkdir()
    example, text = (
        re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)[1],
        re.search(r"```text\n(.*?)```", PAGE, re.DOTALL)[1],
    )
    rule = json.loads(re.search(r'```json\n(\{"when".*?)```', PAGE, re.DOTALL)[1])
    (folder / "organisation/cookiecutter.json").write_text(json.dumps(json.loads(example) | {"_rules": [rule]}))
    (path,) = re.findall(r"^`(organisation/\S+/LICENSE)`:$", PAGE, re.MULTILINE)
    (folder / path).parent.mkdir(parents=True)
    (folder / path).write_text(text)
    commit_all(folder)
    options = folder / "cookiecutter.json"
    options.write_text(options.read_text().replace('"My Project"', '"Not Committed"'))
    for _ in range(2):  # the second time changes nothing
        run(folder, sys.executable, "scripts/organise.py")
    options = json.loads(options.read_text())
    assert options["project_name"] == "Not Committed"
    assert options["_rules"] == [*CONTEXT["_rules"], rule]
    make = ("cookiecutter", "--no-input", "--default-config", folder)
    run(tmp_path, *make, HOME=str(tmp_path))
    assert "For use inside Example only." in (tmp_path / "not-committed/LICENSE").read_text()
    said = run(tmp_path, *make, "deploy=api", "project_slug=other", code=1, HOME=str(tmp_path))
    assert f"Not generated. {rule['say']}" in re.sub(r"\s+", " ", said)
    commit_all(folder)
    run(folder, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_template.py")


def test_what_a_person_sets_without_a_fork_counts_for_updates_too(upstream, tmp_path) -> None:
    (tmp_path / ".cookiecutterrc").write_text(re.search(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[1])
    home = {"HOME": str(tmp_path)}
    run(tmp_path, "cookiecutter", "--no-input", upstream, **home)
    project = tmp_path / "my-project"
    commit_all(project)
    newer(upstream)
    run(project, "cruft", "update", "--skip-apply-ask", **home)
    assert (project / "Makefile").read_text().endswith("# newer\n")
    assert "PACKAGE_INDEX=https://packages.example.com/simple\n" in (project / ".env.example").read_text()


REFUSED = {
    "a login": ({"package_index": "https://me:s3cret@a.example/simple"}, "package_index has a login in it"),
    "a login with a slash": ({"extra_index": "https://me:s3cret/@a.example"}, "extra_index has a login in it"),
    "a registry's login": ({"registry": "me:s3cret@a.example"}, "registry has a login in it"),
    "a token": ({"apt_mirrors": {"debian": "https://t0ken@a.example"}}, "apt_mirrors has a login in it"),
    "no text": ({"settings": {"CPUS": 8}}, "settings has 8: write it as a text"),
    "no certificate": ({"ca_certificates": ["MIIB"]}, "ca_certificates has what is not a certificate"),
    "no slash": ({"image_prefix": "a.example/hub"}, "image_prefix is in front of each image: end it with a slash"),
    "no bot": ({"update_bot": "bender"}, "update_bot is 'bender': choose renovate or dependabot."),
    "a slash": ({"registry": "a.example/data/"}, "registry ends with a slash: remove it, as in a.example/data."),
    "a command": ({"package_index": "https://a.example/$(id)"}, "package_index has '$' in it"),
    "a fragment": ({"apt_mirrors": {"debian": "https://a.example/#debian"}}, "apt_mirrors has '#' in it"),
    "two lines": ({"image_labels": {"a": "b\nUSER 0"}}, "image_labels has a line break"),
    "a wrong name": ({"package_indx": ""}, "has no package_indx: choose from image_prefix, "),
    "a wrong kind": ({"ca_certificates": "-----BEGIN"}, "ca_certificates must be a list"),
    "no setting": ({"settings": {"MEMROY": "8g"}}, "settings: MEMROY is not a setting of .env.example"),
    "a secret": ({"settings": {"JUPYTER_TOKEN": "abc"}}, "settings: JUPYTER_TOKEN is a secret"),
    "an odd value": ({"settings": {"TZ": "$(id)"}}, "settings has '$' in it"),
    "an address": ({"email_domain": "example.org"}, "author_email 'me@example.com' must end with @example.org"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_an_organisation_cannot_set_is_refused_in_a_sentence(tmp_path, case) -> None:
    table, reason = REFUSED[case]
    config = {"default_context": {"_organisation": table}, "replay_dir": str(tmp_path / "replay")}
    (tmp_path / "config").write_text(json.dumps(config))
    command = ("cookiecutter", "--no-input", "--config-file", tmp_path / "config", "-o", tmp_path, ROOT)
    said = run(tmp_path, *command, "author_email=me@example.com", code=1)
    assert reason in said
    assert said.startswith("Not generated. ")
    assert said.count("\n") == 1
    assert "t0ken" not in said
    assert "s3cret" not in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config"]
