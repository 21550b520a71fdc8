"""Which answers cannot work, and the sentence that says so. `problem` is what everybody calls.

A project that cruft updates keeps the answers it has, whatever the template has learned since: `advice` says what.
"""

import contextlib
import functools
import json
import keyword
import re
import sys
import unicodedata
from pathlib import Path

# Read on import: when cruft asks, the template is in a folder that is soon gone.
HERE = Path(__file__).resolve().parent
CONTEXT = json.loads((HERE.parent / "cookiecutter.json").read_text(encoding="utf-8"))
RETIRED: dict[str, dict[str, str]] = CONTEXT["_retired"]  # option: choice: what takes its place
RESERVED = frozenset((HERE / "reserved_names.txt").read_text(encoding="utf-8").split())

FREE_TEXT = ("project_name", "description", "author_name", "author_email")
SLUG = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
MODULE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
NAMES = {"project_slug": (SLUG, "my-project"), "package_name": (MODULE, "my_project")}
EMAIL = re.compile(r"[^@\s<>\"\\]+@[^@\s<>\"\\]+\.[^@\s<>\"\\.]+")
LONGEST_NAME = 40  # a container's host name has room for 63, with Compose's own parts around it
LONGEST_TEXT = 300
WINDOWS_DEVICES = {"aux", "con", "nul", "prn", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))}


def answers_before() -> dict:
    """Return the answers of the project that cruft updates or compares, here or where its command says; else none."""
    named = re.findall(r"\0(?:-p|--project-dir)[\0=]([^\0]+)", "\0".join(sys.argv))
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
        state = json.loads(Path(*named, ".cruft.json").read_text(encoding="utf-8"))
        return state["context"]["cookiecutter"] | {"_commit": state["commit"]}
    return {}


BEFORE = answers_before()


def problem(answers: dict, before: dict = BEFORE) -> str:
    """Return, in one sentence, the first thing that cannot work in the answers given so far, or nothing.

    What answers of a project have said before is no problem.
    """
    new = {name for name, answer in answers.items() if answer != before.get(name)}
    problems = [text_problem(name, answers[name]) for name in FREE_TEXT if name in new]
    problems += [name_problem(name, answers[name]) for name in NAMES if name in new]
    problems += [choice_problem(name, answers[name]) for name in CONTEXT if name in new]
    domain = answers.get("_organisation", {}).get("email_domain")
    if domain and "author_email" in new and not answers["author_email"].endswith(f"@{domain}"):
        problems.append(f"author_email '{answers['author_email']}' must end with @{domain}.")
    problems.append(rule_problem(answers, new))
    return next(filter(None, problems), "").encode("ascii", "backslashreplace").decode()


def advice(answers: dict, before: dict = BEFORE) -> list[str] | None:
    """Return what to tell about the answers of a project that is updated; None for a new project."""
    if not before or before.get("project_slug") != answers["project_slug"]:
        return None
    if before.get("_commit") == answers.get("_commit"):  # cruft generates the old version too, and first
        return []
    change = "To change it, run: cruft update --skip-apply-ask --variables-to-update '{}'"
    told = [
        f"{option} '{choice}' is retired, and stays in this project. " + change.format(json.dumps({option: instead}))
        for option, retired in RETIRED.items()
        for choice, instead in retired.items()
        if answers[option] == choice
    ]
    if (reason := problem(answers, {})) and not problem(answers, before):
        told.append(f"For new projects: {reason} This one stays as it is. To change an answer: docs/updating.md.")
    return told


def choice_problem(name: str, value: object) -> str:
    """Say that an option does not have this choice, which a replay file can ask for, or nothing."""
    offered = CONTEXT[name]
    if name.startswith("_") or not isinstance(offered, list) or value in offered:
        return ""
    return f"{name} '{value}' is not offered: choose {', '.join(offered)}."


def rule_problem(answers: dict, new: set[str], rules: list[dict] = CONTEXT["_rules"]) -> str:
    """Return the sentence of the first rule in cookiecutter.json that new answers break, or nothing.

    A rule refuses what matches all of `when`, unless it matches all of `unless`; each maps an option to a list of
    choices, or to a regular expression for the whole answer. It counts once all of its options are answered.
    """
    for rule in rules:
        when, unless = rule.get("when", {}), rule.get("unless", {})
        options = {*when, *unless}
        if options <= answers.keys() and options & new and matches(when, answers):
            if not unless or not matches(unless, answers):
                return rule["say"]
    return ""


def matches(wanted: dict[str, list[str] | str], answers: dict) -> bool:
    """Return whether each answer is one of a list, or matches a regular expression."""
    return all(
        re.fullmatch(some, answers[option]) if isinstance(some, str) else answers[option] in some
        for option, some in wanted.items()
    )


@functools.cache
def text_problem(name: str, value: str) -> str:
    """Say what is wrong with a line of free text, or nothing."""
    if not value.strip():
        return f"{name} is empty: type a few words."
    if len(value) > LONGEST_TEXT:
        return f"{name} has {len(value)} characters: type at most {LONGEST_TEXT}."
    for character in value:
        # control characters and line ends, also Unicode's; lone halves of surrogate pairs
        if unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}:
            return f"{name} has a line break or a control character (U+{ord(character):04X}): type it on one line."
    if value != value.strip():
        return f"{name} starts or ends with a space: remove it."
    if command := re.search(r"\{[#%{]", value):
        return f"{name} contains {command[0]}, which a template update would run as a command: remove it."
    if name == "author_email" and not EMAIL.fullmatch(value):
        return f"author_email '{value}' is not an e-mail address: type one like you@example.com."
    return ""


@functools.cache
def name_problem(name: str, value: str) -> str:
    """Say why git, Docker, Compose, package indexes or Python could not use a name, or nothing."""
    pattern, example = NAMES[name]
    if len(value) > LONGEST_NAME:
        return f"{name} has {len(value)} characters: type at most {LONGEST_NAME}."
    if not pattern.fullmatch(value):
        return (
            f"{name} '{value}' cannot be used: start with a letter, then type lower-case letters, digits and single "
            f"separators, like {example}."
        )
    plain = value.replace("-", "_")
    if keyword.iskeyword(plain) or keyword.issoftkeyword(plain):
        return f"{name} '{value}' is a Python keyword: type another name, like {example}."
    if plain in sys.stdlib_module_names:
        return f"{name} '{value}' would hide Python's own module of that name: type another name, like {example}."
    if plain in RESERVED:
        return f"{name} '{value}' would hide a package that the project uses: type another name, like {example}."
    if plain in WINDOWS_DEVICES:
        return f"{name} '{value}' is a device name on Windows: type another name, like {example}."
    return ""
