"""Refuse answers that could not work, before any file is written. Standard library only."""

import json
import keyword
import re
import sys
import unicodedata

FREE_TEXT = ("project_name", "description", "author_name", "author_email")
SLUG = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
MODULE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
NAMES = {"project_slug": (SLUG, "my-project"), "package_name": (MODULE, "my_project")}
EMAIL = re.compile(r"[^@\s<>\"\\]+@[^@\s<>\"\\]+\.[^@\s<>\"\\.]+")
LONGEST_NAME = 40  # a container's host name has room for 63, with Compose's own parts around it
LONGEST_TEXT = 300
WINDOWS_DEVICES = {"aux", "con", "nul", "prn", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}


def text_problem(name: str, value: str) -> str:
    """Say what is wrong with a line of free text, or nothing."""
    if not value.strip():
        return f"{name} is empty: type a few words."
    if len(value) > LONGEST_TEXT:
        return f"{name} has {len(value)} characters: type at most {LONGEST_TEXT}."
    for character in value:
        # control characters and line ends, also Unicode's; lone halves of surrogate pairs
        if unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}:
            return f"{name} has a line break or a control character (U+{ord(character):04X}): type it in one line."
    if value != value.strip():
        return f"{name} starts or ends with a blank: type it without."
    # this file is a Jinja template too, so the pattern itself must not hold what it looks for
    if command := re.search(r"\{[#%{]", value):
        return f"{name} has {command[0]}, which a template update would take for a command: type it another way."
    if name == "author_email" and not EMAIL.fullmatch(value):
        return f"author_email {value} is no e-mail address: type one like you@example.com."
    return ""


def name_problem(name: str, value: str, pattern: re.Pattern[str], example: str, reserved: set[str]) -> str:
    """Say why git, Docker, Compose, package indexes or Python could not use a name, or nothing."""
    if len(value) > LONGEST_NAME:
        return f"{name} has {len(value)} characters: type at most {LONGEST_NAME}."
    if not pattern.fullmatch(value):
        return (
            f"{name} '{value}' cannot be used: type lower-case letters, digits and single separators, "
            f"a letter first, like {example}."
        )
    plain = value.replace("-", "_")
    if keyword.iskeyword(plain) or keyword.issoftkeyword(plain):
        return f"{name} '{value}' is a word of the Python language: type another, like {example}."
    if plain in sys.stdlib_module_names:
        return f"{name} '{value}' is a module of Python itself, which it would hide: type another, like {example}."
    if plain in reserved:
        return f"{name} '{value}' is a package that the project uses and would hide: type another, like {example}."
    if plain in WINDOWS_DEVICES:
        return f"{name} '{value}' is the name of a device on Windows: type another, like {example}."
    return ""


def rule_problem(context: dict) -> str:
    """Return the sentence of the first rule in cookiecutter.json that the choices break, or nothing."""
    for rule in context["_rules"]:
        if all(context.get(option) in choices for option, choices in rule["when"].items()):
            return rule["say"]
    return ""


def problem(context: dict) -> str:
    """Return, in one sentence, the first thing that cannot work in the answers given so far, or nothing."""
    reserved = set(context["_reserved_names"].split())
    problems = [text_problem(name, context[name]) for name in FREE_TEXT if name in context]
    for name, (pattern, example) in NAMES.items():
        if name in context:
            problems.append(name_problem(name, context[name], pattern, example, reserved))
    problems.append(rule_problem(context))
    return next(filter(None, problems), "").encode("ascii", "backslashreplace").decode()


def main(context: dict) -> None:
    """Exit with one sentence on standard error if an answer or a combination of choices cannot work."""
    if reason := problem(context):
        sys.exit(f"Not generated. {reason}")


if __name__ == "__main__":
    # Single quotes, because tojson never writes one: no answer can end the literal.
    main(json.loads(r'{{ cookiecutter | tojson }}'))  # fmt: skip
