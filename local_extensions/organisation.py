"""What a platform team sets: the table `_organisation` of cookiecutter.json, how it is checked, and its settings."""

import re
from typing import Any

from .answers import CONTEXT, HERE

DEFAULTS: dict[str, Any] = CONTEXT["_organisation"]
LOGIN = re.compile(r"://[^/\s@]*@")
SECRET = re.compile(r"(TOKEN|PASSWORD|SECRET|KEY)$")
EXAMPLES = [HERE.parent / "{{cookiecutter.project_slug}}/.env.example", *(HERE.parent / "templates").glob("*/*/env")]
SETTINGS = {
    name for file in EXAMPLES for name in re.findall(r"(?m)^#?([A-Z][A-Z0-9_]*)=", file.read_text(encoding="utf-8"))
}


def problem(table: dict) -> str:
    """Return, in one sentence, the first thing that cannot work in the table, or nothing."""
    for key, value in table.items():
        if key not in DEFAULTS:
            return f"_organisation has no {key}: choose from {', '.join(DEFAULTS)}."
        if not isinstance(value, type(DEFAULTS[key])):
            kinds = {str: "a text", list: "a list", dict: "a table", bool: "true or false"}
            return f"_organisation.{key} must be {kinds[type(DEFAULTS[key])]}."
        if LOGIN.search(str(value)):
            return (
                f"_organisation.{key} has a login in it, which would be in Git: remove it. A login belongs into .env "
                "of each machine, and into a secret of CI."
            )
    for name, value in table.get("settings", {}).items():
        if name not in SETTINGS or SECRET.search(name):
            why = "is a secret" if SECRET.search(name) else "is not a setting of .env.example"
            return f"_organisation.settings: {name} {why}: remove it."
        if not re.fullmatch(r"[\w.,:/*+-]*", value):
            return f"_organisation.settings: {name} is {value!r}: use letters, digits and . , : / * + - only."
    return ""


def with_settings(text: str, answers: dict) -> str:
    """Return a file with the organisation's settings in place of the template's defaults."""
    table = answers["_organisation"]
    own = {"PACKAGE_INDEX": "package_index", "EXTRA_INDEX": "extra_index", "UV_PYTHON_INSTALL_MIRROR": "python_mirror"}
    settings = {name: table[key] for name, key in own.items() if table[key]} | table["settings"]
    for name, value in settings.items():
        text = re.sub(rf"(?m)^#?{name}=.*$", f"{name}={value}", text)
        text = re.sub(rf"(?<=\$\{{{name}:-)[^}}]*", value, text)
    return text
