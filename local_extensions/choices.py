"""What a choice brings to files that others share: the folder `templates/<option>/<choice>/`.

Such a folder holds fragments, which a shared file of the same purpose includes, and `choice.yaml`, the facts that
other files need. docs/adding-a-service.md names them all.
"""

import re
from typing import Any

import yaml

from .answers import CONTEXT, HERE

# Read on import, as the answers' rules are
OPTIONS = {name: value for name, value in CONTEXT.items() if isinstance(value, list) and name[0] != "_"}
FOLDERS = {
    (option, choice): {file.name: file for file in (HERE.parent / "templates" / option / choice).glob("*")}
    for option, offered in OPTIONS.items()
    for choice in offered
}
FACTS = {
    choice: yaml.safe_load(files["choice.yaml"].read_text(encoding="utf-8"))
    for choice, files in FOLDERS.items()
    if "choice.yaml" in files
}

SERVICES = dict[tuple[str, str], list[str]]()
for choice, files in FOLDERS.items():
    both = [files[name].read_text(encoding="utf-8") for name in ("compose.yaml", "production.yaml") if name in files]
    SERVICES[choice] = [*dict.fromkeys(re.findall(r"(?m)^  (\w+):", "".join(both)))]


def chosen(answers: dict) -> list[tuple[str, str]]:
    """Return the option and the choice of each answer, in the order of the questions."""
    return [(option, answers[option]) for option in OPTIONS if option in answers]


def brought(answers: dict, key: str) -> list[Any]:
    """Return what choice.yaml says under `key`, for each chosen choice that says something."""
    found = (FACTS.get(choice, {}).get(key) for choice in chosen(answers))
    return [value for value in found if value is not None]


def fragments(answers: dict, *files: str) -> list[str]:
    """Return the path below templates/ of the first of these files that it has, for each chosen choice that has one."""
    found = (
        (option, choice, [file for file in files if file in FOLDERS[option, choice]])
        for option, choice in chosen(answers)
    )
    return [f"{option}/{choice}/{names[0]}" for option, choice, names in found if names]


def networks(answers: dict, service: str = "", *, production: bool = False) -> list[str]:
    """Return the networks of a service, or of all: what uses servers shares with them a network of its name.

    Each choice's servers are used by a lab, which production lacks, by the services before which they start, and by
    those in `also`; a test is like process. Servers of one user reach each other, unless one is `apart`. In production,
    the proxy uses what it serves.
    """
    lab = [] if production else ["lab"]
    there = {*lab, "process", *(each for choice in chosen(answers) for each in SERVICES[choice])}
    found = dict[str, None]()
    for server in brought(answers, "service"):
        for user in (*lab, *server["before"], *server.get("also", [])):
            if user in there and service in ("", user, server["name"]):
                found[f"{user}-{server['name']}" if "apart" in server else user] = None
    if production and service in ("", *served(answers)):
        found["proxy"] = None
    return [*found]


def served(answers: dict) -> list[str]:
    """Return the services that people reach through the proxy of production."""
    routed = (choice for choice in chosen(answers) if "Caddyfile" in FOLDERS[choice])
    return [service for choice in routed for service in SERVICES[choice]]


def direct(answers: dict) -> str:
    """Return what is reached without a proxy, as NO_PROXY lists it: the container itself and the project's servers."""
    servers = [*(server["name"] for server in brought(answers, "service")), *served(answers)]
    return ",".join(dict.fromkeys(["localhost", "127.0.0.1", *servers]))


def own_volumes(answers: dict) -> list[str]:
    """Return the volumes whose files belong to HOST_UID; the home folder of a lab that must run as root does not."""
    home = [] if "user" in answers["_lab_images"][answers["dev_image"]] else ["lab-home"]
    return home + [volume["name"] for volume in brought(answers, "volume") if "own" in volume]


def image(answers: dict, name: str) -> str:
    """Return where an image comes from: its public name, behind the organisation's mirror if there is one."""
    return answers["_organisation"]["image_prefix"] + name


def python_image(answers: dict, version: str = "") -> str:
    """Return the image of the chosen Python, or of another: a pattern for all versions, or a row for each.

    A row can have a digest; of a version without a row, nobody knows it.
    """
    named, own = answers["_versions"]["python_image"], answers["python_version"]
    if isinstance(named, str):
        return image(answers, named.format(version or own))
    return image(answers, named.get(version or own) or named[own].replace(own, version).partition("@")[0])


def proofs(answers: dict) -> list[dict]:
    """Return, for each choice that has one, its proof and whether it was chosen; see `proof` in choice.yaml.

    Of a base image for the lab, the Dockerfile shows the image of its row.
    """
    found = {choice: facts["proof"] for choice, facts in FACTS.items() if "proof" in facts}
    for choice in OPTIONS["dev_image"]:
        if name := answers["_lab_images"][choice].get("image"):
            proof = {"Dockerfile": f"^FROM .*{re.escape(name)} AS lab_image$"}
            found["dev_image", choice] = proof | found.get(("dev_image", choice), {})
    return [
        {"choice": f"{option} {choice}", "chosen": answers.get(option) == choice, "proof": proof}
        for (option, choice), proof in found.items()
    ]
