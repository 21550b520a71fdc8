"""A project follows the template, and keeps what its people changed."""

import json
import re
import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest
import shown
from baking import copy_of_template
from programs import commit_all, git, run, shell
from summary import FIGURES
from template import CHOICES, CONTEXT, HOSTILE, OPTIONS, ROOT, TREE

README = (ROOT / "README.md").read_text(encoding="utf-8")


def create(upstream: Path, *more: str, **answers: str) -> Path:
    """Return a project made by `cruft create`, committed, beside the template."""
    options = ("--no-input", "--default-config", "--extra-context", json.dumps(answers))
    run(upstream.parent, "cruft", "create", *options, *more, upstream)
    (project,) = (path.parent for path in upstream.parent.glob("*/.cruft.json"))
    commit_all(project)
    run(project, "cruft", "diff", "--exit-code")
    return project


def newer(upstream: Path, **changes: object) -> None:
    """Commit another version of the template: a line in the Makefile, and values of cookiecutter.json."""
    makefile, options = upstream / TREE.name / "Makefile", upstream / "cookiecutter.json"
    makefile.write_text(f"{makefile.read_text()}# newer\n")
    options.write_text(json.dumps(json.loads(options.read_text()) | changes))
    commit_all(upstream, "Newer")


def test_an_update_keeps_local_edits_and_dotenv(upstream) -> None:
    project = create(upstream)
    api = f"import cruft, pathlib; assert cruft.diff(pathlib.Path({str(project)!r}), True)"
    run(upstream.parent, "python", "-c", api)  # from a program of one's own, which the template does not see
    env, licence = (project / ".env").read_text(), (project / "LICENSE").read_text()
    token = env.partition("JUPYTER_TOKEN=")[2].split()[0]
    assert token not in (project / ".cruft.json").read_text()

    readme = project / "README.md"
    readme.write_text(readme.read_text().replace("## Everyday work", "## Our own words\n\nKept.\n\n## Everyday work"))
    commit_all(project, "Edit")
    options = json.loads((upstream / "cookiecutter.json").read_text())
    # an option, and a choice of an old one, that did not exist when the project was made
    added = {"colour": ["blue", "red"], "license": [*options["license"], "Example-1.0"]}
    (upstream / "templates/license/Example-1.0").mkdir()
    (upstream / "templates/license/Example-1.0/LICENSE").write_text("Copyright {{ cookiecutter.author_name }}\n")
    newer(upstream, **added)

    shown.run(partial(shell, project), README, "cruft update")
    assert (project / "Makefile").read_text().endswith("# newer\n")
    assert "## Our own words" in readme.read_text()
    assert (project / ".env").read_text() == env
    assert list(project.rglob("*.rej")) == []
    assert json.loads((project / ".cruft.json").read_text())["context"]["cookiecutter"]["colour"] == "blue"
    assert (project / "LICENSE").read_text() == licence

    # and both can be taken up later
    commit_all(project, "Update")
    answers = json.dumps({"license": "Example-1.0", "colour": "red"})
    run(project, "cruft", "update", "--skip-apply-ask", "--variables-to-update", answers)
    assert (project / "LICENSE").read_text() == f"Copyright {OPTIONS['author_name']}\n"
    assert list(project.rglob("*.rej")) == []


def update(project: Path) -> str:
    """Update a project, and return what was said; nothing of it is left open."""
    said = shown.run(partial(shell, project), README, "cruft update")
    assert list(project.rglob("*.rej")) == []
    assert "<<<<<<<" not in run(project, "git", "diff", "HEAD")
    commit_all(project, "Update")
    run(project, "cruft", "diff", "--exit-code")
    return said


def test_an_update_runs_the_code_of_the_newer_template(upstream) -> None:
    """In one process, in which Python has loaded that of the older one."""
    project = create(upstream)
    extensions, makefile = upstream / "local_extensions/__init__.py", upstream / TREE.name / "Makefile"
    extensions.write_text(extensions.read_text().replace('"advice":', '"shout": str.upper,\n            "advice":'))
    makefile.write_text(makefile.read_text() + "# {{ 'shouted' | shout }}\n")
    newer(upstream)
    assert "is ready" not in update(project)
    assert (project / "Makefile").read_text().endswith("# SHOUTED\n# newer\n")


def test_a_retired_choice_stays_with_projects_that_have_it(upstream, tmp_path) -> None:
    kept, instead, *_ = CHOICES["license"][::-1]
    project = create(upstream, license=kept)
    licence = (project / "LICENSE").read_text()
    newer(upstream, _retired={"license": {kept: instead}}, tracking=CHOICES["tracking"][:1])
    said = update(project)
    assert (project / "LICENSE").read_text() == licence
    assert f"license '{kept}' is retired, and stays in this project. To change it, run: cruft update " in said
    newer(upstream)
    assert update(project).count("is retired") == 1  # though cruft generates two versions that know it

    (command,) = re.findall("run: (cruft update .*)", said)
    shell(project, f"{command} --skip-apply-ask")
    assert (project / "LICENSE").read_text() != licence
    home = {"HOME": str(tmp_path)}
    asked = run(tmp_path, "cookiecutter", "--default-config", upstream, "project_name=New", typed="\n" * 40, **home)
    label = CONTEXT["__prompts__"]["license"]
    several = len(CHOICES["license"]) > 2
    assert (label["__prompt__"] in asked, label[instead] in asked) == (several, several)
    assert label[kept] not in asked
    assert CONTEXT["__prompts__"]["tracking"]["__prompt__"] not in asked  # a single choice
    run(
        tmp_path,
        "cookiecutter",
        "--default-config",
        "--no-input",
        upstream,
        f"license={kept}",
        "project_slug=old",
        **home,
    )
    assert (tmp_path / "old/LICENSE").read_text() == licence


def test_a_new_rule_refuses_new_projects_only(upstream) -> None:
    licence, instead, *_ = CHOICES["license"]
    project = create(upstream, license=licence, package_name="flowers")
    say = f"Here, {licence} is not allowed: choose {instead}."
    reserved = upstream / "local_extensions/reserved_names.txt"
    reserved.write_text(reserved.read_text() + "flowers\n")
    newer(upstream, _rules=[{"when": {"license": [licence]}, "say": say}])
    said = update(project)
    assert "For new projects: package_name 'flowers' would hide a package that the project uses" in said
    assert "This one stays as it is. To change an answer: docs/updating.md." in said
    elsewhere = ("cruft", "update", "--skip-apply-ask", f"--project-dir={project}")
    newer(upstream)
    assert "This one stays as it is" in run(upstream.parent, *elsewhere)
    commit_all(project, "Update from elsewhere")
    said = run(upstream.parent, "cruft", "create", "--no-input", "--default-config", upstream, code=1, COLUMNS="200")
    assert f"Not generated. {say}" in said
    assert "Traceback" not in said
    change = json.dumps({"license": instead})
    run(project, "cruft", "update", "--skip-apply-ask", "--variables-to-update", change)
    commit_all(project, "Change")
    change = json.dumps({"license": licence})
    said = run(project, "cruft", "update", "--skip-apply-ask", "--variables-to-update", change, code=1, COLUMNS="200")
    assert f"Not generated. {say}" in said


def test_an_answer_with_every_kind_of_quote_survives_an_update(upstream) -> None:
    create(upstream, description="""A "B" 'C' \\ D""", project_slug="quoted")


def test_a_project_of_cookiecutter_is_updated_by_the_commands_of_its_page(upstream, tmp_path) -> None:
    """With the answers that made it; the address of the template is the one on its server, without a password."""
    git(upstream, "remote", "add", "origin", "https://me:s3cret@git.example.com/team/template.git")
    answers = [f"{option}={HOSTILE[0]}" for option in ("project_name", "description", "author_name")]
    answers += ["project_slug=mine", f"license={CHOICES['license'][-1]}"]
    make = ("cookiecutter", "--default-config", "--no-input", "-o", tmp_path / "out", upstream, *answers)
    run(tmp_path, *make, HOME=str(tmp_path))
    project = tmp_path / "out/mine"
    link = json.loads((project / ".cruft.json").read_text())
    assert link["template"] == str(upstream)  # as the server does not have this version yet
    git(upstream, "update-ref", "refs/remotes/origin/main", "HEAD")
    names = ("project_slug", "package_name")
    run(tmp_path, *make, "project_slug=other", HOME=str(tmp_path))
    assert json.loads((tmp_path / "out/other/.cruft.json").read_text()) == {
        **link,
        "template": "https://git.example.com/team/template.git",
        "context": {"cookiecutter": link["context"]["cookiecutter"] | dict.fromkeys(names, "other")},
    }

    commit_all(project)
    run(project, "cruft", "diff", "--exit-code")
    page = (project / "docs/updating.md").read_text()
    shown.run(partial(shell, project), page, "python3 -m pip install")
    newer(upstream)
    shown.run(partial(shell, project), page, "cruft update --skip-apply-ask")
    assert "Makefile" in shown.run(partial(shell, project), page, "git status")
    assert '-  "commit": ' in shown.run(partial(shell, project), page, "git diff")
    commit_all(project, "Update")
    run(project, "cruft", "diff", "--exit-code")
    shown.run(partial(shell, project), page, "cruft update --skip-apply-ask --variables-to-update")
    assert 'email = "team@example.com"' in (project / "pyproject.toml").read_text()
    assert HOSTILE[0] in json.loads((project / ".cruft.json").read_text())["context"]["cookiecutter"]["description"]


def common(commit: str) -> dict[str, list[str]]:
    """Return, of each option of an older version, the choices that are still there: a fork may have dropped some."""
    asked = subprocess.run(["git", "show", f"{commit}:cookiecutter.json"], cwd=ROOT, capture_output=True, check=True)
    old = json.loads(asked.stdout)
    return {
        option: [each for each in choices if each in old[option]]
        for option, choices in CHOICES.items()
        if option in old
    }


# In place of releases, as long as there are fewer than three
MILESTONES = ("5973d08", "160de67", "c888eac")


def past() -> list[str]:
    """Return the first commit that this repository knows, and the last three releases; a new fork may have none."""
    first, releases = ("--max-parents=0", "--max-count=1"), ("--max-count=3", "--grep=^Release [0-9]")
    found = []
    for asked in ((*first, "--all"), (*releases, "--all"), ("--no-walk", *MILESTONES)):
        command = ["git", "rev-list", *asked]
        found += subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    return [commit for commit in [*dict.fromkeys(found)][:4] if all(common(commit).values())]


LOCKED = "humanize==4.12.3 \\\n    --hash=sha256:00\n"
MONTH = [  # a file, after what, and what a team has put there
    ("pyproject.toml", r"^dependencies = \[\n", '    "humanize>=4",\n'),
    ("requirements/lab.txt", r"^(?=jinja2==)", LOCKED),
    ("requirements/process.txt", r"^(?=jinja2==)", LOCKED),
    ("compose.yaml", r"JUPYTER_PORT:-(?=\d)", "1"),
    ("compose.yaml", r"^services:\n", "  cache:\n    image: redis:8\n"),
    ("src/my_project/schema.py", r"\A", "# Adopted: houses\n"),
    ("README.md", r"\Z", "\nOur own words.\n"),
]


@pytest.mark.parametrize("commit", past())
def test_a_month_of_a_teams_work_survives_an_update(tmp_path, commit) -> None:
    """Where both sides changed the same lines both are there, and doctor names the place; from a release, nowhere."""
    upstream = tmp_path / "upstream"
    git(tmp_path, "clone", "--quiet", ROOT, upstream)
    git(upstream, "rm", "-r", "--quiet", ".")
    copy_of_template(upstream)
    (upstream / "newer").touch()
    commit_all(upstream, "Newer")
    project = create(upstream, "--checkout", commit, **{option: some[0] for option, some in common(commit).items()})
    for file, place, ours in MONTH:
        text = (project / file).read_text()
        found = re.search(place, text, re.MULTILINE)
        assert found, file
        (project / file).write_text(text[: found.end()] + ours + text[found.end() :])
    package = project / "src/my_project"
    (package / "report.py").rename(package / "page.py")
    shutil.rmtree(project / "notebooks")
    commit_all(project, "A month")

    shown.run(partial(shell, project), (upstream / "README.md").read_text(), "cruft update")
    assert list(project.rglob("*.rej")) == []
    for file, _, ours in MONTH:
        assert ours in (project / file).read_text(), file
    assert re.search(r"JUPYTER_PORT:-1\d{4}", (project / "compose.yaml").read_text())
    assert not (project / "notebooks").exists()
    assert (package / "page.py").exists()
    assert not (package / "report.py").exists()
    conflicts = git(project, "diff", "--name-only", "--diff-filter=U").split()
    if git(ROOT, "log", "-1", "--format=%s", commit).startswith("Release "):
        assert conflicts == []
    assert {*conflicts} <= {file for file, _, _ in MONTH}
    doctor = subprocess.run(["python3", "docker/doctor.py"], cwd=project, capture_output=True, text=True, check=False)
    said = re.sub(r"\s+", " ", doctor.stdout)
    assert {*re.findall(r"left: (\S+) has two versions", said)} == {*conflicts}
    FIGURES.append(f"updated from {commit[:7]} with a month of edits: {len(conflicts)} files to merge by hand")
