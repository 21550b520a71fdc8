"""Write .env from .env.example, once for each machine. Standard library only.

Runs when the project is generated and as `docker compose run --rm setup`. A value that .env already has is
kept; a secret without one gets it, and a setting that .env.example gained since is added at the end.
"""

import os
import platform
import re
import secrets
import sys
from pathlib import Path


def translated() -> bool:
    """Say whether the host translates ownership, as macOS, Windows and Docker Desktop do."""
    return sys.platform != "linux" or "linuxkit" in platform.release()


def owner(folder: Path) -> tuple[int, int]:
    """Return the user and group id that own `folder`, or 1000 where the host translates ownership."""
    if translated():
        return 1000, 1000
    status = folder.stat()
    return status.st_uid, status.st_gid


def cores() -> int:
    """Return how many cores Docker has: on Linux this machine's, elsewhere 2 at most, as its virtual machines have."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return min(os.cpu_count() or 1, 2)


def settings(text: str) -> dict[str, str]:
    """Return the settings in the text of an .env file, in its order."""
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip() for key, _, value in pairs}


def with_secrets(text: str) -> str:
    """Return the text of an .env file with a random value for each secret that has none."""
    # letters and digits: safe in a URL, a shell and Compose
    return re.sub(r"(?m)^(\w+_(?:TOKEN|PASSWORD)=)[ \t]*$", lambda match: match[1] + secrets.token_hex(24), text)


def filled(example: str, folder: Path) -> str:
    """Return the text of .env.example with this machine's numbers and fresh secrets in it."""
    uid, gid = owner(folder)
    for key, number in {"HOST_UID": uid, "HOST_GID": gid, "CPUS": cores()}.items():
        example = re.sub(rf"(?m)^{key}=.*$", f"{key}={number}", example)
    return with_secrets(example)


def write_env(folder: Path) -> dict[str, str]:
    """Make or complete `folder`/.env from `folder`/.env.example and return its settings.

    The file is readable by its owner alone and appears whole. Raises OSError where it cannot be written.
    """
    target, partial = folder / ".env", folder / ".env.partial"
    text = filled((folder / ".env.example").read_text(encoding="utf-8"), folder)
    if target.exists():
        old = target.read_text(encoding="utf-8")
        added = [f"{key}={value}\n" for key, value in settings(text).items() if key not in settings(old)]
        text = with_secrets(old.rstrip("\n") + "\n" + "".join(added))
        if settings(text) == settings(old):
            return settings(old)
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(text.encode())
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        os.chown(partial, *owner(folder))
    partial.replace(target)
    return settings(text)


def addresses(values: dict[str, str], *, token: bool) -> str:
    """Return a line for each address that this project can be opened at, JupyterLab's with its token or without."""
    found = {"JupyterLab": f"{values['JUPYTER_PORT']}/lab" + (f"?token={values['JUPYTER_TOKEN']}" if token else "")}
#% if cookiecutter.deploy == 'api'
    found["API"] = f"{values['API_PORT']}/docs"
#% endif
#% if cookiecutter.deploy == 'dashboard'
    found["Dashboard"] = values["DASHBOARD_PORT"]
#% endif
#% if cookiecutter.tracking == 'mlflow'
    found["MLflow"] = values["MLFLOW_PORT"]
#% endif
    return "\n".join(f"  {name:<11} http://127.0.0.1:{rest}" for name, rest in found.items())


def main() -> None:
    """Write .env here and say what will be where; the token is shown on a terminal only."""
    try:
        values = write_env(Path.cwd())
    except OSError as error:
        sys.exit(f"Cannot write .env: {error}. Run this in the project's folder, as its owner.")
    terminal = sys.stdout.isatty()
    hint = "" if terminal else "\n\nJupyterLab's token is JUPYTER_TOKEN in .env."
    print(".env is ready. Once all is up (docker compose up --wait), open\n")
    print(addresses(values, token=terminal) + hint)


if __name__ == "__main__":
    main()
