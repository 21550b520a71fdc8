"""Write .env from .env.example, once for each machine, and make the folders for results. Standard library only.

Values that .env has stay as they are; an empty secret gets a random value, and new settings are added at the end.
"""

import contextlib
import os
import platform
import re
import secrets
import socket
import sys
from pathlib import Path
from urllib.parse import quote

PROJECT, IDS = "{{ cookiecutter.project_slug }}", "HOST_UID={HOST_UID} and HOST_GID={HOST_GID}"
ADDRESSES = [  # what can be opened: name, setting of its port, path
    ("JupyterLab", "JUPYTER_PORT", "/lab"),
#% for address in cookiecutter | brought('address')
    ("{{ address.name }}", "{{ address.port }}", "{{ address.path }}"),
#% endfor
]

# What Compose understands in .env: comments and settings; anything else is an error
ENTRY = re.compile(
    r"""(?x) \#.* | (?:export\s+)? (?P<name>[\w.-]+) [^\S\n]* (?: (?m:$) | [=:][^\S\n]* (?: (?P<plain>(?!['"]).*)
    | '(?P<single>(?:[^'\\]|\\.)*)' | "(?P<double>(?:[^"\\]|\\.)*)" ) ) | (?P<error>\S.*)"""
)
SECRET = re.compile(r"""(?m)^(\ufeff?(?:export +)?\w+_(?:TOKEN|PASSWORD) *=)[ \t]*(?:""|'')?[ \t]*(?=\r?$)""")  # empty
TRANSLATED = sys.platform != "linux" or "linuxkit" in platform.release()  # ownership: macOS, Windows, Docker Desktop
ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$$"}  # after \ in double quotes
VARIABLE = re.compile(r"\$(?:(\$)|([^\W\d]\w*)|\{([^\W\d]\w*)(?::?-((?:[^{}]|\{[^}]*\})*))?\})")


def owner(folder: Path) -> tuple[int, int]:
    """Return the user and group id that own `folder`, or 1000 where the host translates ownership."""
    return (1000, 1000) if TRANSLATED else (folder.stat().st_uid, folder.stat().st_gid)


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
        user = re.findall(r'(?im)^\s*(name|email)\s*=\s*"?([^"#;\n]*[^"#;\s])', "\n".join(sections))
        quoted = {key.upper(): "'" + value.replace("'", r"\'") + "'" for key, value in user}
        return {f"GIT_{role}_{key}": quoted[key] for key in quoted for role in ("AUTHOR", "COMMITTER")}
    return {}


def settings(content: bytes) -> dict[str, str]:
    """Return the settings in an .env file by Compose's rules. Raises ValueError, which shows no value of it."""
    text, found = content.decode("utf-8-sig", "replace"), dict[str, str]()

    def expand(value: str) -> str:
        values = {**found, **os.environ}
        return VARIABLE.sub(lambda each: each[1] or values.get(each[2] or each[3]) or expand(each[4] or ""), value)

    for entry in ENTRY.finditer(text):
        name, single, double, plain = entry.group("name", "single", "double", "plain")
        if entry["error"] or "\ufffd" in entry[0]:
            reason = "is not UTF-8 text" if "\ufffd" in entry[0] else "is not NAME=value or lacks a closing quote"
            raise ValueError(f"line {text.count(chr(10), 0, entry.start()) + 1} {reason}")
        if single is not None:
            found[name] = single.replace(r"\'", "'")
        elif double is not None:
            found[name] = expand(re.sub(r"\\(.)", lambda each: ESCAPES.get(each[1], each[0]), double))
        elif plain is not None:
            found[name] = expand(plain.partition(" #")[0].rstrip())
    return found


def write_env(folder: Path, *, rootless: bool = False, alone: bool = False) -> dict[str, str]:
    """Make or complete `folder`/.env and make the folders; return all settings, with the defaults of .env.example.

    In containers of a rootless engine, you are root. A copy that is not alone on its machine gets a name. The file is
    readable by its owner alone and appears whole. Raises OSError if it cannot be written, and ValueError if the one
    that is there cannot be read, which then stays as it is.
    """
    target, (uid, gid) = (folder / ".env").resolve(), (0, 0) if rootless else owner(folder)
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else min(os.cpu_count() or 1, 2)  # Docker's VM
    example = (folder / ".env.example").read_text(encoding="utf-8")
    old = target.read_bytes() if target.exists() else b""
    # older versions of compose.yaml had the project's name: volumes are called so
    copy = PROJECT if old else "" if alone else f"{PROJECT}-{secrets.token_hex(2)}"
    values: dict[str, object] = {"COMPOSE_PROJECT_NAME": copy, "HOST_UID": uid, "HOST_GID": gid, "CPUS": cores, **you()}
    for name, port in re.findall(r"(?m)^(\w+_PORT)=(\d+)$", example):
        values[name] = next(each for each in range(int(port), 65536) if each not in values.values() and not busy(each))
    for name, value in values.items():
        example = re.sub(rf"(?m)^#?{name}=.*$", f"{name}={value}".replace("\\", r"\\"), example)
    known, end = settings(old or example.encode()), "\r\n" if b"\r\n" in old else "\n"
    text = old.decode() or example
    for entry in ENTRY.finditer(example):
        if entry["name"] and entry["name"] not in known:
            text += (end if text[-1] != "\n" else "") + entry[0] + end
    text = SECRET.sub(lambda match: match[1] + secrets.token_hex(24), text)  # safe in a URL, a shell and Compose
    new = [path for name in ("data", "models", "reports") if not os.path.lexists(path := folder / name)]
    for path in new:
        path.mkdir()
    partial = target.with_name(".env.partial")
    partial.unlink(missing_ok=True)
    partial.touch(0o600)
    partial.write_bytes(text.encode())
    for path in (partial, *new) if hasattr(os, "geteuid") and os.geteuid() == 0 else ():
        os.chown(path, *owner(folder))
    partial.replace(target)
    return {**settings(example.encode()), **{name: value for name, value in settings(text.encode()).items() if value}}


def addresses(values: dict[str, str], *, token: bool) -> str:
    """Return a line for each address that this project can be opened at, JupyterLab's with its token or without."""
    secret = f"?token={quote(values['JUPYTER_TOKEN'])}" if token else "  (the token is JUPYTER_TOKEN in .env)"
    lines = [f"  {name:<11} http://127.0.0.1:{values[port]}{path}" for name, port, path in ADDRESSES]
    return "\n".join([lines[0] + secret, *lines[1:]])


def main() -> None:
    """Write .env here and show the addresses; the token appears on a terminal only."""
    try:
        values = write_env(Path.cwd())
    except (OSError, ValueError) as error:
        sys.exit(f".env is unchanged: {error}. Correct that, and run this again as the owner of this folder.")
    uid, gid = owner(Path.cwd())
    if (ids := IDS.format(HOST_UID=uid, HOST_GID=gid)) != IDS.format(**values):
        print(f"In .env, set {ids}: those there are not the ids of this folder's owner.\n")
    print(f".env is ready. After `docker compose up --wait`, open\n\n{addresses(values, token=sys.stdout.isatty())}")


if __name__ == "__main__":
    main()
