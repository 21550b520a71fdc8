"""A project that was made with cruft follows the template, and keeps what its people changed."""

import json
import shlex
from functools import partial
from pathlib import Path

import shown
from programs import commit_all, run, shell
from template import OPTIONS, ROOT, TREE

README = (ROOT / "README.md").read_text(encoding="utf-8")


def create(upstream: Path, **answers: str) -> Path:
    """Return a project made by `cruft create`, committed, beside the template."""
    options = shlex.join(("--no-input", "--default-config", "--extra-context", json.dumps(answers), str(upstream)))
    shown.run(lambda line: shell(upstream.parent, f"{line} {options}"), README, "cruft create")
    (project,) = (path.parent for path in upstream.parent.glob("*/.cruft.json"))
    commit_all(project)
    run(project, "cruft", "diff", "--exit-code")
    return project


def test_an_update_keeps_local_edits_and_dotenv(upstream) -> None:
    project = create(upstream)
    env, licence = (project / ".env").read_text(), (project / "LICENSE").read_text()
    token = env.partition("JUPYTER_TOKEN=")[2].split()[0]
    assert token not in (project / ".cruft.json").read_text()

    readme, makefile = project / "README.md", upstream / TREE.name / "Makefile"
    readme.write_text(readme.read_text().replace("## Everyday work", "## Our own words\n\nKept.\n\n## Everyday work"))
    commit_all(project, "Edit")
    makefile.write_text(f"{makefile.read_text()}# newer\n")
    options = json.loads((upstream / "cookiecutter.json").read_text())
    # an option, and a choice of an old one, that did not exist when the project was made
    added = {"colour": ["blue", "red"], "license": [*options["license"], "Example-1.0"]}
    (upstream / "templates/license/Example-1.0").mkdir()
    (upstream / "templates/license/Example-1.0/LICENSE").write_text("Copyright {{ cookiecutter.author_name }}\n")
    (upstream / "cookiecutter.json").write_text(json.dumps({**options, **added}))
    commit_all(upstream, "Newer")

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


def test_an_answer_with_every_kind_of_quote_survives_an_update(upstream) -> None:
    create(upstream, description="""A "B" 'C' \\ D""", project_slug="quoted")
