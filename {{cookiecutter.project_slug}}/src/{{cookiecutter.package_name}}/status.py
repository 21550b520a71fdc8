"""Say how a server does; fail if something is wrong: `python -m {{ cookiecutter.package_name }}.status`."""

import os
import shutil
import socket
import ssl
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from .errors import PipelineError
from .outputs import published
from .schedule import Schedule, State, trigger
from .settings import Settings, load

FREE = 1_000_000_000  # bytes that a disk should have
LEFT = 1 / 6  # of its life that a certificate should have; the proxy renews it earlier

Line = tuple[str, str, bool]  # what it is about, what is known, whether that is wrong


def lines(schedule: Schedule, settings: Settings) -> Iterator[Line]:
    """Yield what is known."""
    state = State(settings.reports)
    known = state.read()
    yield "Version", os.environ["VERSION"], False
    yield "Runs since", moment(known["since"]) if "since" in known else "not yet", "since" not in known
    if "running" in known:
        yield "Run", f"since {moment(known['running'])}", False
    if "ended" in known:
        said = f"exit code {known['code']}, see reports/.schedule/{known['log']}" if known["code"] else "good"
        yield "Last run", f"{moment(known['started'])}: {said}", state.failed(settings.reports)
    made = ""
    with suppress(OSError):
        made = moment(datetime.fromtimestamp(published(settings.reports)).isoformat())
    yield "Results", made or "none yet", not made and "running" not in known
    yield "Next run", upcoming(schedule.run), False
    yield backup()
    yield "Next backup", upcoming(schedule.backup), False
    disk = shutil.disk_usage(settings.reports.parent if settings.reports.parent.exists() else ".")
    yield "Disk", f"{disk.free / 1e9:.1f} of {disk.total / 1e9:.1f} GB are free", disk.free < FREE
    yield certificate(os.environ["DOMAIN"], int(os.environ["HTTPS_PORT"]))


def moment(text: str) -> str:
    """Return a time for people, in this time zone."""
    return f"{datetime.fromisoformat(text).astimezone():%Y-%m-%d %H:%M}"


def upcoming(expression: str) -> str:
    """Return the next time of a cron expression."""
    times = trigger(expression)
    now = datetime.now().astimezone()
    return moment(found.isoformat()) if times and (found := times.get_next_fire_time(None, now)) else "never"


def backup() -> Line:
    """Return what the last backup did."""
    with suppress(OSError, ValueError):
        code, ended, name = Path("results/.backup").read_text("utf-8").split()
        return "Last backup", f"{moment(ended)}: {name if code == '0' else f'exit code {code}'}", code != "0"
    return "Last backup", "none yet", False


def certificate(domain: str, port: int) -> Line:
    """Return until when the certificate of the proxy is valid."""
    unverified, context = ssl.create_default_context(), ssl.create_default_context()
    unverified.check_hostname = context.check_hostname = False
    unverified.verify_mode = ssl.CERT_NONE  # to get it, whoever issued it
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # Python reads only what it trusts
    try:
        context.load_verify_locations(cadata=_certificate(unverified, domain, port, binary=True))
        found = _certificate(context, domain, port)
    except OSError as error:
        return "Certificate", f"the proxy does not answer ({error.strerror or error})", True
    begin, end = (ssl.cert_time_to_seconds(found[key]) for key in ("notBefore", "notAfter"))
    until = moment(datetime.fromtimestamp(end).isoformat())
    return "Certificate", f"valid until {until}", end - time.time() < LEFT * (end - begin)


def _certificate(context: ssl.SSLContext, domain: str, port: int, *, binary: bool = False) -> Any:
    with socket.create_connection(("proxy", port), 10) as plain:
        tls = context.wrap_socket(plain, server_hostname=domain)
        return tls.getpeercert(binary_form=binary)


def main() -> None:
    """Print what is known, and exit with 1 if something is wrong."""
    try:
        found = [*lines(Schedule.load(), load())]
    except PipelineError as error:
        sys.exit(f"Error: {error}")
    for about, known, wrong in found:
        print(f"{about:<12} {known}{'  <- PROBLEM' if wrong else ''}")
    sys.exit(any(wrong for _, _, wrong in found))


if __name__ == "__main__":
    main()
