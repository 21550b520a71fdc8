"""Write the tables of README.md from cookiecutter.json: options, and the rules between them.

python scripts/readme.py           after cookiecutter.json changed
python scripts/readme.py --check   exits 1 if README.md is behind
"""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"


def options_table(context: dict) -> str:
    """Return a row for each option: its name, its question, its choices or its default, the default first."""
    rows = ["| option | question | choices, the default first |", "| --- | --- | --- |"]
    for option, value in context.items():
        if option.startswith("_"):
            continue
        prompt = context["__prompts__"][option]
        if isinstance(value, list):
            labels = [re.sub(r"\s{2,}", ": ", prompt[choice], count=1) for choice in value]
            rows.append(f"| `{option}` | {prompt['__prompt__']} | {'<br>'.join(labels)} |")
        else:
            shown = "made from the name above" if "{{" in value else f"{value}"
            rows.append(f"| `{option}` | {prompt} | {shown} |")
    return "\n".join(rows)


def rules_table(context: dict) -> str:
    """Return a row for each combination that is refused, with the sentence that the user gets."""
    if not context["_rules"]:
        return "Every combination works; none is refused."
    rows = ["| refused | what you are told |", "| --- | --- |"]
    for rule in context["_rules"]:
        when = " and ".join(f"`{option}` {' or '.join(choices)}" for option, choices in rule["when"].items())
        rows.append(f"| {when} | {rule['say']} |")
    return "\n".join(rows)


def filled(text: str, context: dict) -> str:
    """Return README.md's text with the tables between their marks as they should be."""
    for mark, table in (("options", options_table(context)), ("rules", rules_table(context))):
        pattern = rf"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)"
        text, count = re.subn(pattern, lambda match, new=table: match[1] + new + "\n" + match[2], text, flags=re.DOTALL)
        if count != 1:
            sys.exit(f"README.md has {count} places marked <!-- {mark} -->; it needs one.")
    return text


def main(arguments: list[str]) -> None:
    """Write or check."""
    context = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    old = README.read_text(encoding="utf-8")
    new = filled(old, context)
    if "--check" in arguments:
        sys.exit("README.md is behind cookiecutter.json: run python scripts/readme.py" if new != old else 0)
    README.write_text(new, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
