"""Write what README.md takes from cookiecutter.json: the tables of options and rules, and the minimum versions.

python scripts/readme.py           after cookiecutter.json changed
python scripts/readme.py --check   exits 1 if README.md is out of date
"""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
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
            shown = "made from the name above" if "{{" in value else value
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
        rows.append(
            f"| {refused}{' ' if refused and needed else ''}{f'unless {needed}' if needed else ''} | {rule['say']} |"
        )
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


def filled(text: str, context: dict) -> str:
    """Return README.md's text with each part between its marks as it should be."""
    for part in (options, rules, minimum):
        mark, new = part.__name__, part(context)
        pattern = rf"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)"
        text, count = re.subn(pattern, lambda match, new=new: f"{match[1]}{new}\n{match[2]}", text, flags=re.DOTALL)
        if count != 1:
            sys.exit(f"README.md has {count} places marked <!-- {mark} -->; it needs one.")
    return text


def main(arguments: list[str]) -> None:
    """Write or check."""
    context = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    old = README.read_text(encoding="utf-8")
    new = filled(old, context)
    if "--check" in arguments:
        sys.exit("README.md does not match cookiecutter.json: run python scripts/readme.py" if new != old else 0)
    README.write_text(new, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
