"""Read .env as Docker Compose does; setup and doctor use this too. Standard library only, of Python 3.9 or newer."""

from __future__ import annotations

import errno
import os
import re
from collections import ChainMap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

ENTRY = re.compile(
    r"""(?xs) (?P<comment>\#[^\n]*) | (?!export[BLANK]+\Z) (?:export(?=\s)[BLANK]*)? (?P<name>(?!\s)[\w.\-\[\]BLANK]*)
    (?: \n | \Z | [=:][BLANK]* (?: '(?P<single>[^'\\]*(?:\\.[^'\\]*)*)' | "(?P<double>[^"\\]*(?:\\.[^"\\]*)*)"
    | (?P<plain>(?![BLANK'"])[^\n]*) ) ) | (?P<error>\S)""".replace("BLANK", r"\t\v\f\r\x20\x85\xa0")
)
REFERENCE = re.compile(r"(?a)\$(?:(\$)|([A-Za-z_]\w*)|\{(?:([A-Za-z_]\w*)(?:(:?[-+?]).*)?\})?)")
ESCAPES = dict(zip('abfnrtv"\\$', [*'\a\b\f\n\r\t\v"\\', "$$"]))  # after \ in double quotes
FOREIGN = re.compile("[\udc80-\udcff]")  # a byte that is not UTF-8, as `surrogateescape` decodes it
GIVEN = ("AWS_", "AZURE_", "GOOGLE_")  # secrets that are given, so that setup invents none
UTF_16 = re.compile("\0|\udcff\udcfe|\udcfe\udcff")


class Entry(NamedTuple):
    """One setting: where it is, how it is written, and what Compose makes of its value."""

    line: int
    start: int
    text: str
    name: str = ""
    value: str | None = None  # None: a name alone, or a fault
    fault: str = ""  # why it cannot be read, without any part of it
    dollar: bool = False  # Compose drops or changes a $ in the value


def read(path: Path) -> str:
    """Return the text of a file, byte for byte: what is not UTF-8 becomes surrogates. Raises OSError."""
    if path.is_symlink() and not path.exists():
        raise OSError(errno.ENXIO, "Link to a file that cannot be seen from here")
    return path.read_bytes().decode("utf-8", "surrogateescape")


def settings(text: str) -> dict[str, str]:
    """Return the settings in the text of an .env file. Raises ValueError, which shows no part of a value."""
    found = {}
    for entry in entries(text):
        if entry.fault:
            raise ValueError(f"line {entry.line} {entry.fault}")
        if entry.value is not None:
            found[entry.name] = entry.value
    return found


def changed(text: str, values: Mapping[str, str]) -> str:
    """Return the text of an .env file with other values, which mean the same in any quotes, for settings it has."""
    for entry in reversed([each for each in entries(text) if each.name in values]):
        if written := re.fullmatch(r"""(?s)([^=:]*[=:][ \t]*(["']?)).*?(\2\s*)""", entry.text):
            end = entry.start + len(entry.text)
            text = text[: entry.start] + written[1] + values[entry.name] + written[3] + text[end:]
    return text


def entries(text: str) -> Iterator[Entry]:
    """Yield the settings in the text of an .env file; variables come from the environment, else from earlier lines."""
    found: dict[str, str] = {}
    line, seen = 1, 0
    for match in ENTRY.finditer(text, int(text.startswith("\ufeff"))):
        line, seen = line + text.count("\n", seen, match.start()), match.start()
        entry, kind = Entry(line, seen, match[0], (match["name"] or "").rstrip()), str(match.lastgroup)
        if kind == "error" or " " in entry.name:
            rest = text[seen:].partition("\n")[0]
            fault = "is not UTF-8 text" if FOREIGN.search(rest) else "is not NAME=value or lacks a closing quote"
            yield entry._replace(name="", fault="is UTF-16, not UTF-8 text" if UTF_16.search(rest) else fault)
            return
        if kind not in ("comment", "name"):
            raw = match[kind].partition(" #")[0].rstrip() if kind == "plain" else match[kind]
            try:
                value, dollar = _value(raw, kind, ChainMap(os.environ, found))
                entry = entry._replace(value=value, dollar=dollar)
                found[entry.name] = value
            except (ValueError, RecursionError) as error:
                entry = entry._replace(fault=str(error))
        if kind != "comment":
            yield entry


def _value(raw: str, kind: str, known: Mapping[str, str]) -> tuple[str, bool]:
    """Return the value that is written as `raw`, and whether a $ of it is lost. Raises ValueError with the reason."""
    if FOREIGN.search(raw) or "\0" in raw:
        raise ValueError("has a NUL byte" if "\0" in raw else "is not UTF-8 text")
    if kind == "single":
        return raw.replace(r"\'", "'"), False
    if kind == "plain":
        value, lost = _expand(raw, known)
        return value, lost or "$$" in raw
    value, lost = _expand(re.sub(r"(?s)\\(0[0-9]{0,3}|.)", _unescape, raw), known)
    return value, lost or "$$" in re.sub(r"(?s)\\.", "", raw)


def _unescape(match: re.Match[str]) -> str:
    code = match[1]
    if re.fullmatch("0(?!000)[0-3][0-7]{2}", code):
        return chr(int(code, 8))
    return "\\" + code[1:] if code[0] == "0" else ESCAPES.get(code, match[0])


def _expand(value: str, known: Mapping[str, str]) -> tuple[str, bool]:
    """Return a value with its variables replaced, and whether one is set nowhere."""
    done, at, lost = "", 0, False
    while match := REFERENCE.search(value, at):
        dollar, plain, braced, operator = match.groups()
        found = dollar or known.get(plain or braced or "")
        done, at = done + value[at : match.start()], match.end()
        if operator:
            depth = 0
            for brace in re.finditer(r"(?s)\{.?|\}", match[0]):  # Compose takes no brace right after another for one
                depth += 1 if brace[0] != "}" else -1
                if depth == 0:
                    at = match.start() + brace.end()
                    break
            there = found is not None and bool(found or operator[0] != ":")
            if not there and "?" in operator:
                raise ValueError("needs a variable that is not set")
            if there == ("+" in operator):
                found, inner = _expand(value[match.end(4) : at - 1], known)
                lost = lost or inner
        elif not (dollar or plain or braced):
            raise ValueError("has a ${ that is not ${NAME}")
        else:
            lost = lost or found is None
        done += found or ""
    return done + value[at:], lost
