"""What README.md takes from cookiecutter.json: the tables of options and rules, and the minimum versions."""

import re

from jinja2 import Template
from template import CONTEXT, ROOT

README = ROOT / "README.md"


def options(context: dict) -> str:
    """Return a row for each option: its name, its question, its choices or its default, the default first."""
    rows = ["| option | question | choices, the default first |", "| --- | --- | --- |"]
    for option, value in context.items():
        if option.startswith("_"):
            continue
        prompt = context["__prompts__"][option]
        labels = prompt if isinstance(prompt, dict) else {"__prompt__": prompt}
        if isinstance(value, list):
            offered = [choice for choice in value if choice not in context["_retired"].get(option, {})]
            shown = "<br>".join(re.sub(r"\s{2,}", ": ", labels.get(choice, choice), count=1) for choice in offered)
        else:
            made = "cookiecutter.project" in value
            shown = "made from the name above" if made else Template(value).render(cookiecutter=context)
        rows.append(f"| `{option}` | {labels['__prompt__']} | {shown} |")
    return "\n".join(rows)


def rules(context: dict) -> str:
    """Return a row for each combination that is refused, with the sentence that the user gets."""
    if not context["_rules"]:
        return "All combinations are allowed."
    rows = ["| refused | message |", "| --- | --- |"]
    for rule in context["_rules"]:
        refused = " and ".join(map(answer, rule.get("when", {}).items()))
        needed = " and ".join(map(answer, rule.get("unless", {}).items()))
        rows.append(f"| {' unless '.join(filter(None, (refused or 'any answer', needed)))} | {rule['say']} |")
    return "\n".join(rows)


def answer(wanted: tuple[str, list[str] | str]) -> str:
    """Return an option with its choices, or with the regular expression for its answer."""
    option, some = wanted
    pattern = f"`{some}`".replace("|", "\\|") if isinstance(some, str) else ""
    return f"`{option}` {pattern or ' or '.join(some)}"


def minimum(context: dict) -> str:
    """Return the sentence that says what a project needs to run."""
    versions = context["_versions"]["minimum"]
    needed = " with ".join(f"{tool} {versions[tool]} or newer" for tool in ("Docker Engine", "Docker Compose"))
    return f"To run the project, you need {needed}."


def scripts(context: dict) -> str:
    """Return the sentence with an example of answers that are not the defaults."""
    others = [f" {option}={context[option][1]}" for option in ("python_version", "deploy") if len(context[option]) > 1]
    return f"Scripts answer on the command line: `cookiecutter . --no-input{''.join(others)}`."


def filled(text: str, context: dict) -> str:
    """Return README.md's text with each part between its marks as it should be."""
    for part in (options, scripts, rules, minimum):
        mark, new = part.__name__, part(context)
        pattern = rf"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)"
        text, count = re.subn(pattern, lambda match, new=new: f"{match[1]}{new}\n{match[2]}", text, flags=re.DOTALL)
        assert count == 1, f"README.md has {count} places marked <!-- {mark} -->; it needs one."
    return text


def test_the_tables_of_the_readme_are_up_to_date(document) -> None:
    document(README, filled(README.read_text(encoding="utf-8"), CONTEXT))
