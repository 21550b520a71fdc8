"""What the hooks refuse, with which sentence, and that nothing stays behind; and what they make of hostile text."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import tomllib
import yaml
from checks import env_settings, problems
from conftest import load_hook
from hypothesis import given, settings
from hypothesis import strategies as st
from template import CHOICES, CONTEXT, HOSTILE, OPTIONS, ROOT, broken_rule, covering, name, refused, variants

PRE, POST = load_hook("pre_gen_project"), load_hook("post_gen_project")

GOOD = {
    **{name: value[0] if isinstance(value, list) else value for name, value in OPTIONS.items()},
    "project_slug": "my-project",
    "package_name": "my_project",
    "_rules": CONTEXT["_rules"],
    "_reserved_names": CONTEXT["_reserved_names"],
}

REFUSED = {
    "project_name": {
        "": "is empty",
        "  ": "is empty",
        " padded": "starts or ends with a blank",
        "two\nlines": "has a line break or a control character (U+000A)",
        "bell\a": "(U+0007)",
        "separator\u2028": "has a line break",
        "x" * 301: "has 301 characters: type at most 300",
        "{{ 7 * 7 }}": "has {{, which a template update would take for a command",
        "{% raw %}": "has {%",
        "{# note": "has {#",
    },
    "author_email": {
        "nobody": "is no e-mail address",
        "a@b": "is no e-mail",
        'a"@b.c': "is no e-mail",
        "a b@c.de": "is no",
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
        "con": "name of a device on Windows",
        "scikit-learn": "a package that the project uses",
        "async": "a word of the Python language",
    },
    "package_name": {
        "my-package": "cannot be used",
        "_private": "cannot be used",
        "class": "a word of the Python language",
        "match": "a word of the Python language",
        "statistics": "a module of Python itself",
        "sklearn": "a package that the project uses",
        "polars": "a package that the project uses",
        "com1": "name of a device on Windows",
        "a\\b": "cannot be used",
    },
}


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [(option, value, reason) for option, cases in REFUSED.items() for value, reason in cases.items()],
)
def test_an_answer_that_cannot_work_is_refused_in_one_sentence(option, value, reason) -> None:
    with pytest.raises(SystemExit) as stop:
        PRE.main(GOOD | {option: value})
    said = stop.value.code
    assert said.startswith(f"Not generated. {option} ")
    assert reason in said
    assert said.isascii()
    assert "\n" not in said


def test_good_answers_pass() -> None:
    assert PRE.main(GOOD) is None


def test_every_refused_combination_is_refused_with_the_sentence_of_its_rule() -> None:
    for variant, sentence in refused():
        with pytest.raises(SystemExit) as stop:
            PRE.main(GOOD | variant)
        assert stop.value.code == f"Not generated. {sentence}"
    sentences = {sentence for _, sentence in refused()}
    for rule in CONTEXT["_rules"]:
        possible = all(set(choices) & set(CHOICES[option]) for option, choices in rule["when"].items())
        assert (rule["say"] in sentences) == possible


def test_a_rule_that_a_fork_adds_is_obeyed() -> None:
    rules = [
        {"when": {"license": ["Proprietary"], "installer": ["pip"]}, "say": "Here, Proprietary needs uv: take it."}
    ]
    bad = GOOD | {"_rules": rules, "license": "Proprietary", "installer": "pip"}
    with pytest.raises(SystemExit, match=r"Not generated\. Here, Proprietary needs uv"):
        PRE.main(bad)
    assert PRE.main(bad | {"installer": "uv"}) is None
    assert broken_rule(bad, rules) == rules[0]["say"]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("Dockerfile", f"python:{CHOICES['python_version'][0]}"),
        ("LICENSE", "Your Name"),
        ("pyproject.toml", f">={CHOICES['python_version'][0]}"),
        ("requirements/lab.txt", "--hash"),
    ],
)
def test_post_gen_refuses_a_tree_that_is_not_what_was_chosen(bake, file, text) -> None:
    baked = bake(project_name=f"Broken {file}")
    path = baked.path / file
    path.write_text(path.read_text().replace(text, ""))
    with pytest.raises(SystemExit, match=f"This template has a defect: {file} does not have "):
        POST.main(baked.context, baked.path)


@pytest.mark.parametrize("variant", covering(variants(), list(CHOICES), together=1), ids=name)
def test_next_steps_show_the_folder_the_addresses_and_the_token_on_a_terminal_only(
    bake, capsys, monkeypatch, variant
) -> None:
    baked = bake(project_name="Steps", **variant)
    known = env_settings(baked.text(".env"))
    monkeypatch.setenv("PWD", str(baked.path.parent))
    POST.main(baked.context, baked.path)
    shown = capsys.readouterr().out
    assert 'cd "steps"' in shown
    assert "http://127.0.0.1:8888/lab\n" in shown
    for setting, value in known.items():
        if setting.endswith("_PORT"):
            assert f"http://127.0.0.1:{value}" in shown
        if setting.endswith(("_TOKEN", "_PASSWORD")):
            assert value not in shown
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    POST.main(baked.context, baked.path)
    assert f"http://127.0.0.1:8888/lab?token={known['JUPYTER_TOKEN']}\n" in capsys.readouterr().out


def test_setup_completes_an_older_dotenv_and_keeps_its_values(bake) -> None:
    baked = bake(project_name="Setup")
    env = baked.path / ".env"
    before = env.read_text()
    env.write_text("JUPYTER_TOKEN=\nJUPYTER_PORT=9000\nMINE=kept")
    subprocess.run([sys.executable, "docker/setup.py"], cwd=baked.path, check=True, capture_output=True)
    after = env.read_text()
    assert re.match(r"JUPYTER_TOKEN=[0-9a-f]{48}\nJUPYTER_PORT=9000\nMINE=kept\n", after)
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
    assert text in baked.text("LICENSE")
    shown = text.replace("<", "&lt;")
    assert baked.text("README.md").startswith(f"# {shown}\n\n{shown}\n")
    assert not (baked.path / "pwned").exists()


LINE = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=300)
SYNTAX = st.text("\"'`\\\\#:%$&*!|>-[]{}()<>@?~=,. \t" + "aZ0", min_size=1, max_size=60)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(text=st.one_of(LINE, SYNTAX))
def test_any_line_of_text_arrives_unchanged_or_is_refused_in_one_sentence(bake, text) -> None:
    fields = {"project_name": text, "description": text, "author_name": text}
    if reason := PRE.text_problem("description", text):
        with pytest.raises(SystemExit, match="Not generated"):
            PRE.main(GOOD | fields)
        assert reason.count("\n") == 0
        return
    baked = bake(project_slug="anything", **fields)
    assert problems(baked) == {}
    project = tomllib.loads(baked.text("pyproject.toml"))["project"]
    assert (project["description"], project["authors"][0]["name"]) == (text, text)
    assert json.loads(baked.text(".devcontainer/devcontainer.json"))["name"] == text
    assert text in baked.text("LICENSE")
    shown = text.replace("<", "&lt;")
    assert baked.text("README.md").startswith(f"# {shown}\n\n{shown}\n")


NAME = st.one_of(LINE, SYNTAX, st.from_regex(PRE.SLUG, fullmatch=True), st.from_regex(PRE.MODULE, fullmatch=True))
ADDRESS = st.one_of(LINE, SYNTAX, st.from_regex(PRE.EMAIL, fullmatch=True))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(slug=NAME, package=NAME, email=ADDRESS)
def test_any_name_or_address_arrives_unchanged_or_is_refused_in_one_sentence(bake, slug, package, email) -> None:
    for option, value in {"project_slug": slug, "package_name": package, "author_email": email}.items():
        if reason := PRE.problem(GOOD | {option: value}):
            assert reason.startswith(f"{option} ")
            assert reason.count("\n") == 0
            continue
        baked = bake(**{option: value})
        assert problems(baked) == {}
        project = tomllib.loads(baked.text("pyproject.toml"))["project"]
        shown = {"project_slug": project["name"], "author_email": project["authors"][0]["email"]}
        assert shown.get(option, value) == value
        assert f"src/{baked.context['package_name']}/cli.py" in baked.files


def command_line(*answers: str, folder) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "cookiecutter",
        "--no-input",
        "--default-config",
        "-o",
        str(folder),
        str(ROOT),
        *answers,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_refusal_reaches_the_user_and_leaves_nothing(tmp_path) -> None:
    done = command_line("project_slug=Bad Name", folder=tmp_path)
    assert done.returncode == 1
    sentence = "Not generated. project_slug 'Bad Name' cannot be used: type lower-case letters"
    assert done.stdout.startswith(sentence)
    assert done.stdout.count("\n") == 1
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_choice_that_cannot_work_with_an_earlier_one_is_refused_at_once(tmp_path) -> None:
    """Each refused pair of choices, typed at the prompts: nothing is asked after the second of the two."""
    asked = list(OPTIONS)
    for rule in CONTEXT["_rules"]:
        typed = next((variant for variant, sentence in refused() if sentence == rule["say"]), None)
        if typed is None:  # a house has dropped the choice
            continue
        numbers = [str(CHOICES[each].index(typed[each]) + 1) if each in CHOICES else "" for each in asked]
        command = [sys.executable, "-m", "cookiecutter", "--default-config", "-o", str(tmp_path), str(ROOT)]
        done = subprocess.run(command, input="\n".join(numbers) + "\n", capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert done.stdout.endswith(f"Not generated. {rule['say']}\n")
        last = max(asked.index(option) for option in rule["when"])
        assert f"[{last + 1}/{len(asked)}]" in done.stdout
        assert f"[{last + 2}/{len(asked)}]" not in done.stdout
        assert "Traceback" not in done.stderr
        assert list(tmp_path.iterdir()) == []


STOCK = [*covering(variants(), list(CHOICES), together=1), {"author_name": 'A "B" \\ C', "project_slug": "stock"}]


@pytest.mark.parametrize("answers", STOCK, ids=name)
def test_the_stock_engine_and_real_hooks_write_the_same_bytes(bake, tmp_path, answers) -> None:
    done = command_line(*(f"{key}={value}" for key, value in answers.items()), folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "docker compose up --wait" in done.stdout
    fast = bake(**answers)
    real = tmp_path / fast.path.name

    def paths(root: Path) -> set[str]:
        return {path.relative_to(root).as_posix() for path in root.rglob("*")}

    assert paths(real) == paths(fast.path)
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


def test_compose_project_is_named_after_the_slug(bake) -> None:
    baked = bake(project_name="Other name")
    assert yaml.safe_load(baked.text("compose.yaml"))["name"] == "other-name"
