"""Write .env from .env.example, once for each machine, and make the folders for results. Standard library only.

Values that .env has stay as they are; an empty secret gets a random value, and new settings are added at the end.
"""

import contextlib
import os
import platform
import re
import runpy
import secrets
import socket
import sys
from pathlib import Path
from urllib.parse import quote

PROJECT, IDS = "{{ cookiecutter.project_slug }}", "HOST_UID={HOST_UID} and HOST_GID={HOST_GID}"
ROOT = """Root owns this folder, so containers run as root. To change that, run `chown -R 1000:1000 .` here, and write
HOST_UID=1000 and HOST_GID=1000 into .env.
"""
ADDRESSES = [  # what can be opened: name, setting of its port, path
    ("JupyterLab", "JUPYTER_PORT", "/lab"),
#% for address in cookiecutter | brought('address')
    ("{{ address.name }}", "{{ address.port }}", "{{ address.path }}"),
#% endfor
]
PARSER = Path(__file__).resolve().parents[1] / "src/{{ cookiecutter.package_name }}/env_file.py"
parser = runpy.run_path(str(PARSER))
read, settings, changed, entries = map(parser.__getitem__, ("read", "settings", "changed", "entries"))
GIVEN = parser["GIVEN"]
TRANSLATED = sys.platform != "linux" or "linuxkit" in platform.release()  # ownership: macOS, Windows, Docker Desktop


def owner(folder: Path) -> tuple[int, int]:
    """Return the user and group id that own `folder`, or 1000 where the host translates ownership."""
    return (1000, 1000) if TRANSLATED else (folder.stat().st_uid, folder.stat().st_gid)


def as_root(values: dict[str, str]) -> bool:
    """Say whether containers run as this machine's root; the root of a rootless engine's containers is you."""
    ids = Path("/proc/self/uid_map")
    return values["HOST_UID"] == "0" and ids.exists() and ids.read_text().split()[1] == "0"


def empty(values: dict[str, str]) -> list[str]:
    """Return the secrets that have no value and that setup can invent."""
    names = [name for name, value in values.items() if not value and not name.startswith(GIVEN)]
    return [name for name in names if name.endswith(("_TOKEN", "_PASSWORD"))]


def busy(port: int) -> bool:
    """Say whether a port of this machine is in use."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2):
        return True  # macOS would let a second program bind it
    try:
        socket.create_server(("127.0.0.1", port)).close()  # Windows reserves ports on which nothing listens
    except OSError as error:  # the engine may bind ports below 1024, even if you may not
        return os.name != "posix" or not isinstance(error, PermissionError)
    return False


def you() -> dict[str, str]:
    """Return the settings that sign your commits, as far as your own Git settings have them."""
    with contextlib.suppress(OSError, UnicodeError):
        sections = re.findall(r"(?im)^\s*\[user\]([^\[]*)", (Path.home() / ".gitconfig").read_text(encoding="utf-8"))
        user = re.findall(r'(?im)^\s*(name|email)\s*=\s*"?([^"#;\\\n]*[^"#;\\\s])', "\n".join(sections))
        quoted = {key.upper(): "'" + value.replace("'", r"\'") + "'" for key, value in user}
        return {f"GIT_{role}_{key}": quoted[key] for key in quoted for role in ("AUTHOR", "COMMITTER")}
    return {}


def write_env(folder: Path, *, rootless: bool = False, alone: bool = False) -> dict[str, str]:
    """Make or complete `folder`/.env and make the folders; return all settings, with the defaults of .env.example.

    In containers of a rootless engine, you are root. A copy that is not alone on its machine gets a name. The file is
    readable by its owner alone and appears whole. Raises OSError if it cannot be written, and ValueError if the one
    that is there cannot be read, which then stays as it is.
    """
    path = folder / ".env"
    old = read(path) if os.path.lexists(path) else ""
    uid, gid = (0, 0) if rootless else owner(folder)
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else min(os.cpu_count() or 1, 2)  # Docker's VM
    example = read(folder / ".env.example")
    # older versions of compose.yaml had the project's name: volumes are called so
    copy = PROJECT if old else "" if alone else f"{PROJECT}-{secrets.token_hex(2)}"
    values: dict[str, object] = {"COMPOSE_PROJECT_NAME": copy, "HOST_UID": uid, "HOST_GID": gid, "CPUS": cores, **you()}
    for name, port in re.findall(r"(?m)^(\w+_PORT)=(\d+)$", example):
        values[name] = next(each for each in range(int(port), 65536) if each not in values.values() and not busy(each))
    for name, value in values.items():
        example = re.sub(rf"(?m)^#?{name}=.*$", f"{name}={value}".replace("\\", r"\\"), example)
    text, end = old or example, "\r\n" if "\r\n" in old else "\n"
    known = settings(text)
    for entry in entries(example):
        if entry.value is not None and entry.name not in known:
            text += (end if text[-1] != "\n" else "") + entry.text + end
    random = {name: secrets.token_hex(24) for name in empty(settings(text))}  # safe in a URL, a shell and Compose
    text = changed(text, random)
    new = [each for name in ("data", "models", "reports") if not os.path.lexists(each := folder / name)]
    for each in new:
        each.mkdir()
    target = path.resolve()  # a link stays one
    partial = target.with_name(".env.partial")
    partial.unlink(missing_ok=True)
    try:
        partial.touch(0o600)
        partial.write_bytes(text.encode("utf-8", "surrogateescape"))
        for each in (partial, *new) if hasattr(os, "geteuid") and os.geteuid() == 0 else ():
            os.chown(each, *owner(folder))
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return {**settings(example), **{name: value for name, value in settings(text).items() if value}}


def addresses(values: dict[str, str], *, token: bool) -> str:
    """Return a line for each address that this project can be opened at, JupyterLab's with its token or without."""
    secret = f"?token={quote(values['JUPYTER_TOKEN'])}" if token else "  (the token is JUPYTER_TOKEN in .env)"
    lines = [f"  {name:<11} http://127.0.0.1:{values[port]}{path}" for name, port, path in ADDRESSES]
    return "\n".join([lines[0] + secret, *lines[1:]])


def main() -> None:
    """Write .env here and show the addresses; the token appears on a terminal only."""
    new = not os.path.lexists(".env")
    try:
        values = write_env(Path.cwd())
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        sys.exit(f".env is unchanged: {reason}. Correct that, and run this again as the owner of this folder.")
    uid, gid = owner(Path.cwd())
    if (ids := IDS.format(HOST_UID=uid, HOST_GID=gid)) != IDS.format(**values):
        print(f"In .env, set {ids}: those there are not the ids of this folder's owner.\n")
    elif new and as_root(values):
        print(ROOT)
    print(f".env is ready. After `docker compose up --wait`, open\n\n{addresses(values, token=sys.stdout.isatty())}")


if __name__ == "__main__":
    main()
