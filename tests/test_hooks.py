"""What the hooks refuse, with which sentence, and that nothing stays behind; and what they make of hostile text."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import tomllib
import yaml
from baking import load_hook
from checks import env_settings, problems
from hypothesis import given, settings
from hypothesis import strategies as st
from template import CHOICES, CONTEXT, HOSTILE, OPTIONS, ROOT, covering, name, refused, variants

from local_extensions import answers, choices, offer

POST = load_hook()

GOOD = {
    **{name: value[0] if isinstance(value, list) else value for name, value in OPTIONS.items()},
    "project_slug": "my-project",
    "package_name": "my_project",
    "author_email": f"you@{CONTEXT['_organisation']['email_domain'] or 'example.com'}",
    "_organisation": CONTEXT["_organisation"],
}

# Does the default licence name the author? A verbatim text of an organisation need not.
NAMED = "author_name" in (ROOT / f"templates/license/{CHOICES['license'][0]}/LICENSE").read_text(encoding="utf-8")

REFUSED = {
    "project_name": {
        "": "is empty",
        "  ": "is empty",
        " padded": "starts or ends with a space",
        "two\nlines": "has a line break or a control character (U+000A)",
        "bell\a": "(U+0007)",
        "separator\u2028": "has a line break",
        "x" * 301: "has 301 characters: type at most 300",
        "{{ 7 * 7 }}": "contains {{, which a template update would run as a command",
        "{% raw %}": "contains {%",
        "{# note": "contains {#",
    },
    "author_email": {
        "nobody": "is not an e-mail address",
        "a@b": "is not an e-mail",
        'a"@b.c': "is not an e-mail",
        "a b@c.de": "is not",
    },
    "project_slug": {
        "": "cannot be used",
        "Upper": "cannot be used",
        "3d": "cannot be used",
        "-a": "cannot be used",
        "a-": "cannot be used",
        "a--b": "cannot be used",
        "a.b": "cannot be used",
        "a/b": "cannot be used",
        "..": "cannot be used",
        "a b": "cannot be used",
        "\u00e4pfel": "cannot be used",
        "x" * 41: "has 41 characters: type at most 40",
        "con": "device name on Windows",
        "scikit-learn": "hide a package that the project uses",
        "async": "is a Python keyword",
    },
    "package_name": {
        "my-package": "cannot be used",
        "_private": "cannot be used",
        "class": "is a Python keyword",
        "match": "is a Python keyword",
        "statistics": "hide Python's own module",
        "sklearn": "hide a package that the project uses",
        "polars": "hide a package that the project uses",
        "com1": "device name on Windows",
        "a\\b": "cannot be used",
    },
}


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [(option, value, reason) for option, cases in REFUSED.items() for value, reason in cases.items()],
)
def test_an_answer_that_cannot_work_is_refused_in_one_sentence(option, value, reason) -> None:
    said = answers.problem(GOOD | {option: value})
    assert said.startswith(f"{option} ")
    assert reason in said
    assert said.isascii()
    assert "\n" not in said


def test_good_answers_pass() -> None:
    assert answers.problem(GOOD) == ""


def test_a_choice_that_is_not_offered_is_refused() -> None:
    option, offered = next(iter(CHOICES.items()))
    assert answers.problem(GOOD | {option: "x"}) == f"{option} 'x' is not offered: choose {', '.join(offered)}."


def test_a_refused_combination_gets_the_sentence_of_its_rule() -> None:
    for variant, sentence in refused():
        assert answers.problem(GOOD | variant) == sentence
    plain = [rule for rule in CONTEXT["_rules"] if rule.keys() == {"when", "say"}]
    for rule in plain:  # also one that another always comes before
        worst = {option: some[-1] for option, some in rule["when"].items() if isinstance(some, list)}
        assert len(worst) < len(rule["when"]) or answers.rule_problem(GOOD | worst, {*GOOD}, [rule]) == rule["say"]


def test_a_rule_that_a_fork_adds_is_obeyed(bake, fork) -> None:
    first, other, *_ = CHOICES["license"]
    options = fork / "cookiecutter.json"
    context = json.loads(options.read_text())
    context["_rules"] = [
        {"when": {"license": [other]}, "say": f"Here, {other} is not allowed: choose {first}."},
        {"unless": {"author_name": "Team .*"}, "say": "author_name must start with Team."},
        {
            "when": {"project_name": "(?i).*institute.*"},
            "unless": {"license": [first], "description": ".*[.]"},
            "say": "Projects of an institute are described in a sentence.",
        },
    ]
    options.write_text(json.dumps(context))
    team = {"template": fork, "author_name": "Team A"}
    with pytest.raises(pytest.fail.Exception, match=rf"Not generated\. Here, {other} is not allowed"):
        bake(**team, license=other)
    with pytest.raises(pytest.fail.Exception, match=r"Not generated\. author_name must start with Team\."):
        bake(template=fork, author_name="A Team")
    with pytest.raises(pytest.fail.Exception, match=r"Not generated\. Projects of an institute"):
        bake(**team, project_name="The Institute", description="no sentence")
    assert bake(**team, project_name="The Institute", description="A sentence.").path.exists()


WITH_PROOF = [tuple(each["choice"].split(" ")) for each in choices.proofs(CONTEXT)]


@pytest.mark.parametrize(("option", "choice"), WITH_PROOF, ids=map("-".join, WITH_PROOF))
def test_the_hook_refuses_what_was_not_chosen(bake, option, choice) -> None:
    """Both ways: a choice that does not show, and one that shows although another was made."""
    chosen = bake(**next(variant for variant in variants() if variant[option] == choice))
    assert POST.problems(choices.proofs(chosen.context), chosen.path) == []
    # an organisation may offer a single choice
    if row := next((row for row in variants() if row[option] != choice), None):
        other = bake(**row)
        found = "\n".join(POST.problems(choices.proofs(other.context), chosen.path))
        assert f"{option} {choice} was not chosen, but " in found
        found = "\n".join(POST.problems(choices.proofs(chosen.context), other.path))
        assert f"{option} {choice} was chosen, but " in found
        with pytest.raises(SystemExit, match=r"^Not generated\. The template has a defect: .*\. Please report it"):
            POST.main(choices.proofs(chosen.context), other.path)


@pytest.mark.parametrize("variant", covering(variants(), list(CHOICES), together=1), ids=name)
def test_next_steps_show_the_token_on_a_terminal_only(bake, capsys, monkeypatch, variant) -> None:
    """And the folder and the addresses everywhere."""
    baked = bake(project_name="Steps", **variant)
    known = env_settings(baked.text(".env"))
    lab = f"http://127.0.0.1:{known['JUPYTER_PORT']}/lab"
    monkeypatch.setenv("PWD", str(baked.path.parent))
    POST.main(choices.proofs(baked.context), baked.path)
    shown = capsys.readouterr().out
    assert 'cd "steps"' in shown
    assert f"{lab}  (the token is JUPYTER_TOKEN in .env)\n" in shown
    for setting, value in known.items():
        if setting.endswith("_PORT"):
            assert f"http://127.0.0.1:{value}" in shown
        if value and setting.endswith(("_TOKEN", "_PASSWORD")):  # keys of an input are given, not made
            assert value not in shown
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    POST.main(choices.proofs(baked.context), baked.path)
    assert f"{lab}?token={known['JUPYTER_TOKEN']}\n" in capsys.readouterr().out


def test_setup_completes_an_older_dotenv_and_keeps_its_values(bake) -> None:
    baked = bake(project_name="Setup")
    env = baked.path / ".env"
    before = env.read_text()
    env.write_text("JUPYTER_TOKEN=\nJUPYTER_PORT=9000\nMINE=kept\nAWS_SESSION_TOKEN=")
    subprocess.run([sys.executable, "docker/setup.py"], cwd=baked.path, check=True, capture_output=True)
    after = env.read_text()
    assert re.match(r"JUPYTER_TOKEN=[0-9a-f]{48}\nJUPYTER_PORT=9000\nMINE=kept\nAWS_SESSION_TOKEN=\n", after)
    assert after.count("JUPYTER_PORT=") == after.count("JUPYTER_TOKEN=") == 1
    assert "PIPELINE_SEED=0\n" in after
    assert before != after
    assert env.stat().st_mode & 0o777 == 0o600
    subprocess.run([sys.executable, "docker/setup.py"], cwd=baked.path, check=True, capture_output=True)
    assert env.read_text() == after


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_arrives_unchanged(bake, text) -> None:
    baked = bake(project_name=text, project_slug="hostile", description=text, author_name=text)
    assert problems(baked) == {}
    project = tomllib.loads(baked.text("pyproject.toml"))["project"]
    assert project["description"] == text
    assert project["authors"][0]["name"] == text
    assert json.loads(baked.text(".devcontainer/devcontainer.json"))["name"] == text
    assert text in baked.text("LICENSE") or not NAMED
    shown = text.replace("<", "&lt;")
    assert baked.text("README.md").startswith(f"# {shown}\n\n{shown}\n")
    assert not (baked.path / "pwned").exists()


LINE = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=300)
SYNTAX = st.text("\"'`\\\\#:%$&*!|>-[]{}()<>@?~=,. \t" + "aZ0", min_size=1, max_size=60)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(text=st.one_of(LINE, SYNTAX))
def test_any_line_arrives_unchanged_or_is_refused(bake, text) -> None:
    fields = {"project_name": text, "description": text, "author_name": text}
    if reason := answers.text_problem("description", text):
        assert answers.problem(GOOD | fields)
        assert reason.count("\n") == 0
        return
    baked = bake(project_slug="anything", **fields)
    assert problems(baked) == {}
    project = tomllib.loads(baked.text("pyproject.toml"))["project"]
    assert (project["description"], project["authors"][0]["name"]) == (text, text)
    assert json.loads(baked.text(".devcontainer/devcontainer.json"))["name"] == text
    assert text in baked.text("LICENSE") or not NAMED
    shown = text.replace("<", "&lt;")
    assert baked.text("README.md").startswith(f"# {shown}\n\n{shown}\n")


MODULE = st.from_regex(answers.MODULE, fullmatch=True)
NAME = st.one_of(LINE, SYNTAX, st.from_regex(answers.SLUG, fullmatch=True), MODULE)
ADDRESS = st.one_of(LINE, SYNTAX, st.from_regex(answers.EMAIL, fullmatch=True))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(slug=NAME, package=NAME, email=ADDRESS)
def test_any_name_or_address_arrives_unchanged_or_is_refused(bake, slug, package, email) -> None:
    for option, value in {"project_slug": slug, "package_name": package, "author_email": email}.items():
        if reason := answers.problem(GOOD | {option: value}):
            assert reason.startswith(f"{option} ")
            assert reason.count("\n") == 0
            continue
        baked = bake(**{option: value})
        assert problems(baked) == {}
        project = tomllib.loads(baked.text("pyproject.toml"))["project"]
        shown = {"project_slug": project["name"], "author_email": project["authors"][0]["email"]}
        assert shown.get(option, value) == value
        assert f"src/{baked.context['package_name']}/__main__.py" in baked.files


def command_line(folder: Path, *arguments: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    """Run cookiecutter as a user does; projects go to `folder`."""
    command = [sys.executable, "-m", "cookiecutter", "--default-config", "-o", str(folder), str(ROOT), *arguments]
    return subprocess.run(command, input=typed, capture_output=True, text=True, check=False)


def test_a_refusal_reaches_the_user_and_leaves_nothing(tmp_path) -> None:
    done = command_line(tmp_path, "--no-input", "project_slug=Bad Name")
    assert done.returncode == 1
    sentence = "Not generated. project_slug 'Bad Name' cannot be used: start with a letter"
    assert done.stdout.startswith(sentence)
    assert done.stdout.count("\n") == 1
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_choice_is_refused_as_soon_as_it_is_made(tmp_path) -> None:
    """Each refused pair of choices, typed at the prompts: nothing is asked after the second of the two."""
    offered = {option: offer(lambda name, some: some)(option, [*some]) for option, some in CHOICES.items()}
    asked = [option for option in OPTIONS if isinstance(offered.get(option, []), list)]
    for rule in CONTEXT["_rules"]:
        typed = next((variant for variant, sentence in refused() if sentence == rule["say"]), None)
        options = {*rule.get("when", {}), *rule.get("unless", {})}
        if typed is None or any(typed[each] not in offered[each] for each in options):  # a fork has dropped the choice
            continue
        numbers = [str(offered[each].index(typed[each]) + 1) if each in typed else "" for each in asked]
        done = command_line(tmp_path, typed="\n".join(numbers) + "\n")
        assert done.returncode == 1
        assert done.stdout.endswith(f"Not generated. {rule['say']}\n")
        last = max(map(list(OPTIONS).index, options))
        assert f"[{last + 1}/{len(OPTIONS)}]" in done.stdout
        assert f"[{last + 2}/{len(OPTIONS)}]" not in done.stdout
        assert "Traceback" not in done.stderr
        assert list(tmp_path.iterdir()) == []


STOCK = [*covering(variants(), list(CHOICES), together=1), {"author_name": 'A "B" \\ C', "project_slug": "stock"}]


@pytest.mark.parametrize("answers", STOCK, ids=name)
def test_unchanged_cookiecutter_writes_the_same_bytes(bake, tmp_path, answers) -> None:
    done = command_line(tmp_path, "--no-input", *(f"{key}={value}" for key, value in answers.items()))
    assert done.returncode == 0, done.stderr
    assert "docker compose up --wait" in done.stdout
    fast = bake(**answers)
    real = tmp_path / fast.path.name

    def paths(root: Path) -> set[str]:
        return {path.relative_to(root).as_posix() for path in root.rglob("*")}

    assert paths(real) == paths(fast.path) | {".cruft.json"}  # tests/test_update.py tries that one
    token = env_settings((real / ".env").read_text())["JUPYTER_TOKEN"]
    assert token not in done.stdout
    for file, content in fast.files.items():
        if file == ".env":
            assert (real / file).read_bytes() != content
            assert (real / file).stat().st_size == len(content)
        else:
            assert (real / file).read_bytes() == content, file


def test_no_answer_of_a_project_is_a_secret(bake) -> None:
    baked = bake()
    token = baked.text(".env").partition("JUPYTER_TOKEN=")[2].split()[0]
    assert token not in json.dumps(baked.context)


@pytest.fixture
def docker(tmp_path, monkeypatch):
    """Return a function that puts a `docker` in place of the real one, a line of shell."""
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    def put(line: str) -> None:
        (tmp_path / "docker").write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / "docker").chmod(0o755)

    return put


def test_a_project_is_named_after_its_folder_unless_another_one_is(bake, docker) -> None:
    baked = bake(project_name="Other name")
    assert "name" not in yaml.safe_load(baked.text("compose.yaml"))
    env = baked.path / ".env"
    assert env_settings(env.read_text())["COMPOSE_PROJECT_NAME"] == ""
    docker("case $* in 'volume ls'*project=other-name) echo other-name_lab-home;; esac")
    env.unlink()
    POST.main(choices.proofs(baked.context), baked.path)
    assert re.fullmatch("other-name-[0-9a-f]{4}", env_settings(env.read_text())["COMPOSE_PROJECT_NAME"])


def test_a_rootless_engine_gets_the_ids_of_its_root(bake, docker, monkeypatch) -> None:
    baked = bake(project_name="Rootless")
    env = baked.path / ".env"
    for said, expected in (("name=rootless", "0 0"), ("", f"{baked.path.stat().st_uid} {baked.path.stat().st_gid}")):
        docker(f"""echo '{{"SecurityOptions": ["{said}"]}}'""")
        env.unlink()
        monkeypatch.setattr(os, "geteuid", lambda: 1000)  # so that nothing is given away
        POST.main(choices.proofs(baked.context), baked.path)
        written = env_settings(env.read_text())
        assert f"{written['HOST_UID']} {written['HOST_GID']}" == expected


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
def test_root_is_told_once_that_containers_run_as_root(bake, capsys, docker) -> None:
    """By the hook or by the first setup; not where an engine is rootless, whose root is somebody else."""
    baked = bake(project_name="Root")
    env = baked.path / ".env"
    for uid, engine, told in ((0, "", True), (0, "name=rootless", False), (1000, "", False)):
        docker(f"""echo '{{"SecurityOptions": ["{engine}"]}}'""")
        env.unlink()
        os.chown(baked.path, uid, uid)
        POST.main(choices.proofs(baked.context), baked.path)
        assert ("containers run as root" in capsys.readouterr().out) == told


def test_next_steps_ask_for_git_init_outside_a_repository_only(bake, tmp_path) -> None:
    baked = bake(project_name="Steps")
    project = tmp_path / "one/steps"
    project.mkdir(parents=True)
    assert 'steps"\n  git init\n  docker compose up' in POST.next_steps(project, "")
    for repository in (tmp_path / ".git", project.parent / ".git"):
        repository.write_text("gitdir: elsewhere")  # as in a worktree
        assert 'steps"\n  docker compose up' in POST.next_steps(project, "")
        repository.unlink()
    assert "git init" in POST.next_steps(baked.path, "")
