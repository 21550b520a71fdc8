"""What a platform team sets: the table `_organisation` of cookiecutter.json, how it is checked, and its settings."""

import re
from typing import Any

from .answers import CONTEXT, HERE

DEFAULTS: dict[str, Any] = CONTEXT["_organisation"]
LOGIN = re.compile(r"://[^\s@]*@")
NOT_PLAIN = re.compile(r"[\s\"'`\\\\|#${}]")  # what means something in a Dockerfile, in YAML or in a shell
FREE = ("ca_certificates", "image_labels", "code_owners", "security_contact")  # where it means nothing
KINDS = {str: "a text", list: "a list", dict: "a table", bool: "true or false"}
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
        if reason := value_problem(key, value):
            return f"_organisation.{key} {reason}"
    return next(filter(None, (setting_problem(*each) for each in table.get("settings", {}).items())), "")


def value_problem(key: str, value: Any) -> str:
    """Say what is wrong with the value of a key, or nothing."""
    if not isinstance(value, kind := type(DEFAULTS[key])):
        return f"must be {KINDS[kind]}."
    parts = [*value.values()] if isinstance(value, dict) else value if isinstance(value, list) else [value]
    for part in (part for part in parts if not isinstance(part, bool)):
        if not isinstance(part, str):
            return f"has {part!r}: write it as a text."
        if LOGIN.search(part) or (key in ("image_prefix", "registry") and "@" in part):
            why = "has a login in it, which would be in Git: remove it."
            return f"{why} A login belongs into .env of each machine, and into a secret of CI."
        if key == "ca_certificates" and "-----BEGIN CERTIFICATE-----" not in part:
            return "has what is not a certificate in PEM form: it starts with -----BEGIN CERTIFICATE-----."
        if key != "ca_certificates" and not part.isprintable():
            return "has a line break or a control character: remove it."
        if key not in FREE and (found := NOT_PLAIN.search(part)):
            return f"has {found[0]!r} in it: remove it."
    if key == "update_bot" and value not in ("renovate", "dependabot"):
        return f"is {value!r}: choose renovate or dependabot."
    if key == "image_prefix" and value and not value.endswith("/"):
        return f"is in front of each image: end it with a slash, as in {value}/."
    return f"ends with a slash: remove it, as in {value[:-1]}." if key == "registry" and value.endswith("/") else ""


def setting_problem(name: str, value: str) -> str:
    """Say what is wrong with another default of a setting, or nothing."""
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
        text = re.sub(rf"\$\{{{name}:\+([^}}]*)\}}", r"\1", text)  # what stands before a value, as there is always one
    return text
