"""Write .env of a server from .env.example, or fill its empty secrets: the service `setup` of production/."""

import argparse
import os
import secrets
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

from .env_file import GIVEN, changed, read, settings

SECRETS = ("_PASSWORD", "_TOKEN", "_KEY")  # the ends of their names
TAKEN = ("IMAGE", "VERSION", "DOMAIN")


def completed(text: str, given: Mapping[str, str], renew: Collection[str] = ()) -> str:
    """Return the text of an .env file with these settings, a value for each empty secret, and new ones for `renew`.

    Raises ValueError if the text cannot be read, or does not have what is to be renewed.
    """
    known = settings(text)
    own = {name for name in known if name.endswith(SECRETS) and not name.startswith(GIVEN)}
    if missing := [name for name in renew if name not in own]:
        raise ValueError(f"it has no secret {missing[0]}")
    new = {name for name in own if not known[name]} | {*renew}
    random = {name: secrets.token_hex(24) for name in new}  # safe in a URL, a shell and Compose
    return changed(text, {name: value for name, value in given.items() if value} | random)


def write(folder: Path, given: Mapping[str, str], renew: Collection[str] = ()) -> dict[str, str]:
    """Write or complete .env, for its owner alone and as a whole; return the settings. Raises OSError or ValueError."""
    path = folder / ".env"
    if path.exists():
        text = completed(read(path), given, renew)
    else:
        given = dict(given, PREVIOUS=given["VERSION"])
        if given["DOMAIN"] not in ("", "localhost"):
            given["BIND_ADDRESS"] = "0.0.0.0"  # a name is for others
        text = completed(read(folder / ".env.example"), given)
    begun = folder / ".env.partial"
    begun.unlink(missing_ok=True)
    try:
        begun.touch(0o600)
        begun.write_bytes(text.encode("utf-8", "surrogateescape"))
        owner = folder.stat()
        os.chown(begun, owner.st_uid, owner.st_gid)
        begun.replace(path)
    finally:
        begun.unlink(missing_ok=True)
    return settings(text)


def main() -> None:
    """Write .env here; a failure is one sentence."""
    parser = argparse.ArgumentParser(prog="setup", description=__doc__)
    parser.add_argument("--new", metavar="SECRET", action="append", default=[], help="a secret to renew")
    try:
        found = write(Path.cwd(), {name: os.environ.get(name, "") for name in TAKEN}, parser.parse_args().new)
    except (OSError, ValueError) as error:
        sys.exit(f".env is unchanged: {getattr(error, 'strerror', None) or error}.")
    print(".env is ready. Next, run: docker compose up --wait")
    print(f"Then open https://{found['DOMAIN']} as {found['LOGIN_NAME']}; the password is LOGIN_PASSWORD in .env.")


if __name__ == "__main__":
    main()
