"""The template itself, before anything is rendered."""

import ast
import json
import re
from pathlib import Path

import pytest
import tomllib
import yaml
from jinja2 import Environment, nodes
from template import CHOICES, CONTEXT, OPTIONS, ROOT, TREE, tracked

ENVIRONMENT = Environment(**CONTEXT["_jinja2_env_vars"])
RAW = tuple(pattern.lstrip("*") for pattern in CONTEXT["_copy_without_render"])
RENDERED = [path for folder in (TREE, ROOT / "templates", ROOT / "hooks") for path in sorted(folder.rglob("*"))]
RENDERED = [
    path for path in RENDERED if path.is_file() and "__pycache__" not in path.parts and not path.name.endswith(RAW)
]
SHORT = [path.relative_to(ROOT).as_posix() for path in RENDERED]


# A fork that drops a choice may leave its label, and with it what the template has for it.
LABELS = CONTEXT["__prompts__"]


def undeclared(source: str) -> list[str]:
    """Say which options and choices a template names that cookiecutter.json does not have."""
    tree = ENVIRONMENT.parse(source)
    known = set(CONTEXT) | {"_template", "_output_dir"}
    found = []
    for node in tree.find_all(nodes.Getattr):
        if isinstance(node.node, nodes.Name) and node.node.name == "cookiecutter" and node.attr not in known:
            found.append(f"there is no option {node.attr}")
    for node in tree.find_all(nodes.Compare):
        option = getattr(node.expr, "attr", None)
        for operand in node.ops:
            values = operand.expr.items if isinstance(operand.expr, (nodes.List, nodes.Tuple)) else [operand.expr]
            for value in values:
                if option in CHOICES and getattr(value, "value", None) not in LABELS[option]:
                    found.append(f"{option} has no choice {getattr(value, 'value', value)!r}")
    return found


@pytest.mark.parametrize("path", RENDERED, ids=SHORT)
def test_only_declared_options_and_choices_are_named(path: Path) -> None:
    assert undeclared(path.read_text(encoding="utf-8")) == []
    assert undeclared(path.relative_to(ROOT).as_posix()) == []


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("{{ cookiecutter.licence }}", "there is no option licence"),
        ("#% if cookiecutter.license == 'None'\n#% endif", "license has no choice 'None'"),
        ("{% if cookiecutter.license in ['None'] %}{% endif %}", "license has no choice 'None'"),
    ],
)
def test_what_is_undeclared_is_found(source: str, problem: str) -> None:
    assert undeclared(source) == [problem]


def test_git_has_every_file_of_the_template() -> None:
    on_disk = {path.relative_to(TREE).as_posix() for path in TREE.rglob("*") if path.is_file()}
    on_disk = {name for name in on_disk if "__pycache__" not in name}
    assert on_disk == set(tracked(TREE.name))


def test_no_folder_name_is_conditional() -> None:
    folders = [path.relative_to(TREE).as_posix() for path in TREE.rglob("*") if path.is_dir()]
    assert [name for name in folders if "{%" in name] == []


PARSERS = {
    ".py": ast.parse,
    ".toml": tomllib.loads,
    ".yaml": lambda source: [*yaml.safe_load_all(source)],
    ".ipynb": json.loads,
    ".json": json.loads,
}


def suffix(path: Path) -> str:
    """Return the ending of a file's name, whatever condition the name stands under."""
    return Path(re.sub(r"\{%.*?%\}", "", path.name)).suffix


@pytest.mark.parametrize("path", [path for path in RENDERED if suffix(path) in PARSERS], ids=lambda path: path.name)
def test_a_file_is_valid_in_its_language_before_it_is_rendered(path: Path) -> None:
    """Line statements are comments there; an expression stands for one word."""
    if path.parent.name == "hooks":
        source = path.read_text(encoding="utf-8")
    else:
        source = re.sub(r"\{\{.*?\}\}", "placeholder", path.read_text(encoding="utf-8"))
        source = re.sub(r"^\{%.*?%\}$", "", source, flags=re.MULTILINE)
    if suffix(path) == ".yaml":
        named, own = (set(re.findall(rf"(?<=[ \[])\{sign}([\w-]+)", source)) for sign in "*&")
        shared = "".join(f"x-{name}: &{name} {{}}\n" for name in sorted(named - own))  # anchors of other files
        indented = re.match(r"(#.*\n|\n)* ", source)
        source = shared + ("services:\n" if indented else "") + source
    PARSERS[suffix(path)](source)


def test_every_option_and_every_choice_has_a_prompt() -> None:
    prompts = CONTEXT["__prompts__"]
    assert list(prompts) == list(OPTIONS)
    for option, choices in CHOICES.items():
        if isinstance(prompts[option], dict):  # a choice may also speak for itself
            assert {"__prompt__", *choices} <= set(prompts[option])
            # on a terminal of 80 columns, each has a line of its own
            assert max(len(f"    1 - {label}") for label in prompts[option].values()) <= 80


def test_an_image_of_which_a_choice_names_the_base_has_a_last_day_of_fixes() -> None:
    facts = [yaml.safe_load(file.read_text("utf-8")) for file in (ROOT / "templates").glob("*/*/choice.yaml")]
    assert {fact["base"] for fact in facts if "base" in fact} <= CONTEXT["_versions"]["end_of_life"].keys()


def test_tool_versions_are_the_same_everywhere() -> None:
    ours = dict(re.findall(r"^([\w-]+)==(\S+)$", (ROOT / "tests/requirements.txt").read_text(), re.MULTILINE))
    for tool in ("ruff", "uv"):
        assert ours[tool] == CONTEXT["_versions"][tool]
    assert set(CONTEXT["_lab_images"]) >= set(CHOICES["dev_image"])
    workflow = (ROOT / ".github/workflows/test.yaml").read_text()
    assert f"actions/checkout@{CONTEXT['_versions']['actions']['actions/checkout']}" in workflow
