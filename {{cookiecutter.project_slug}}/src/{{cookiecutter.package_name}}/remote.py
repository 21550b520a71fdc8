"""Read inputs from where large data lives: S3, Google Cloud Storage, Azure, or a web server."""

import io
import logging
import os
import re
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import obstore
from obstore import exceptions, store

from .errors import InputError, SettingError, short, shown

LIMIT = 30  # seconds without progress, after which a read gives up as soon as its request has ended
CLIENT = {"connect_timeout": "5s", "read_timeout": "10s", "timeout": "60s"}  # of one request
BLOCK, PROGRESS = 2**24, 2**20  # bytes of one request, and bytes that are progress
STORES = {"s3": store.S3Store, "gs": store.GCSStore, "az": store.AzureStore}
KEYS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "gs": "GOOGLE_SERVICE_ACCOUNT_KEY",
    "az": "AZURE_STORAGE_ACCOUNT_KEY or AZURE_STORAGE_SAS_TOKEN",
}
OTHER_KEYS = {  # which a cloud gives to its own machines
    "s3": {
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    },
    "gs": {"GOOGLE_APPLICATION_CREDENTIALS"},
    "az": {"AZURE_FEDERATED_TOKEN_FILE"},
}
SERVER = {"s3": "AWS_ENDPOINT_URL", "az": "AZURE_STORAGE_ACCOUNT_NAME"}  # which server is asked
SETTINGS = ("AWS_", "AZURE_", "GOOGLE_", "STORAGE_")
ADDRESS = re.compile(  # plain HTTP is for tests: on the way, anybody could read and change the rows
    r"(?P<scheme>s3|gs|az)://(?P<place>\w[\w.-]*)(?:/(?P<path>.*))?|https://.+|http://(?:localhost|127\.0\.0\.1)[:/].*",
    re.ASCII | re.DOTALL,
)
RAISED = (FileNotFoundError, ValueError, exceptions.BaseError)  # by obstore
log = logging.getLogger(__name__)  # tells why a read takes long


class Remote(NamedTuple):
    """A file as it was found. It can be sent to other processes, and shows no secret."""

    name: str  # its address as messages show it
    size: int  # in bytes
    version: str  # another one after each change: an ETag, which is in quotes, or the time of the last change
    secret: str = ""  # the rest of its address, which can have a signature

    def __repr__(self) -> str:
        """Return its address."""
        return self.name


def is_remote(source: str) -> bool:
    """Say whether an input is an address."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", source) is not None


def find(address: str) -> list[Remote]:
    """Return the file at an address, or all files below it in the order of their names; of a web server, one file.

    Raises InputError or SettingError.
    """
    name, query = shown(address), re.search(r"\?[^#]*", address)
    scheme, place, path = _parts(name)
    secret = query[0] if query and not scheme else ""
    if not scheme or (path and not path.endswith("/")):  # else it is a folder
        if meta := _patiently(name, _look, scheme, place + secret, path):
            return [Remote(name, meta["size"], _version(meta), secret)]
    found = _patiently(name, _list, scheme, place, path)
    if not found:
        raise InputError(_refusal(FileNotFoundError(), name))
    return sorted(Remote(f"{scheme}://{place}/{meta['path']}", meta["size"], _version(meta)) for meta in found)


def read(remote: Remote, start: int = 0, end: int | None = None) -> bytes:
    """Return the bytes of a file, or of a part of it. Raises InputError, also if it has changed since it was found."""
    end, content, patience = remote.size if end is None else min(end, remote.size), io.BytesIO(), _Patience(remote.name)
    while (at := start + content.tell()) < end:
        with patience:
            for chunk in _get(remote, at, min(at + BLOCK, end)).stream(PROGRESS):
                content.write(chunk)
                patience.renew()
    return content.getvalue()


class _Patience:
    """Repeats what fails while a network is cut or a server is busy, until nothing went well for `LIMIT` seconds."""

    def __init__(self, name: str) -> None:
        self.name, self.told = name, False
        self.renew()

    def renew(self) -> None:
        """Start to count again."""
        self.since, self.pause = time.monotonic(), 0.25

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: TracebackType | None) -> bool:
        if not isinstance(error, RAISED):
            return False
        if sentence := _refusal(error, self.name):
            raise InputError(sentence) from None
        reason = f"{short(self.name, 150)} cannot be read: {_reason(str(error))}"
        if time.monotonic() - self.since > LIMIT:
            remedy = "Check the network; OUTBOUND=true in .env lets the pipeline reach other machines"
            raise InputError(f"{reason}. {remedy}.") from None
        if not self.told:
            log.warning("%s. Trying again for %d seconds.", reason, LIMIT)
            self.told = True
        time.sleep(self.pause)
        self.pause = min(2 * self.pause, 4)
        return True


def _patiently(name: str, action: Callable[..., Any], *arguments: str) -> Any:
    """Return what an action returns, after a network that was cut has healed."""
    patience = _Patience(name)
    while True:
        with patience:
            return action(*arguments)


def _look(scheme: str, place: str, path: str) -> Any | None:
    """Return what is known of a file; None if it does not exist, but could be a folder."""
    try:
        return obstore.get(_store(scheme, place), path).meta
    except FileNotFoundError as error:
        if scheme and "NoSuchBucket" not in str(error) and "ContainerNotFound" not in str(error):
            return None
        raise


def _list(scheme: str, place: str, path: str) -> list[Any]:
    """Return what is known of all files below a folder."""
    return [meta for metas in obstore.list(_store(scheme, place), path or None, chunk_size=1000) for meta in metas]


def _get(remote: Remote, start: int, end: int) -> Any:
    """Return the answer that has a part of a file."""
    scheme, place, path = _parts(remote.name)
    options: dict[str, object] = {} if (start, end) == (0, remote.size) else {"range": (start, end)}
    if remote.version.startswith('"'):  # else it is not an ETag, or a weak one, which servers do not compare
        options["if_match"] = remote.version
    answer = obstore.get(_store(scheme, place + remote.secret), path, options=options)
    if (answer.meta["size"], _version(answer.meta)) != (remote.size, remote.version):
        raise exceptions.PreconditionError
    return answer


def _version(meta: Any) -> str:
    """Return the version of a file; some servers leave out the quotes of its ETag in lists."""
    tag = meta["e_tag"] or meta["last_modified"].isoformat()
    return f'"{tag}"' if meta["e_tag"] and '"' not in tag else tag


def _parts(name: str) -> tuple[str, str, str]:
    """Return kind, bucket and path of an address; no kind and the whole address for a web server.

    Raises InputError if it is none.
    """
    if not (match := ADDRESS.fullmatch(name)):
        if name.startswith("http://"):
            raise InputError(f"{short(name, 150)} is not encrypted, so that others could change it. Use https://.")
        kinds = "s3://BUCKET/PATH, gs://BUCKET/PATH, az://CONTAINER/PATH or https://SERVER/PATH"
        raise InputError(f"{short(name, 150)} is not an address of the form {kinds}. Correct PIPELINE_INPUT in .env.")
    return (match["scheme"], match["place"], match["path"] or "") if match["scheme"] else ("", name, "")


def _store(scheme: str, place: str) -> Any:
    """Return the client for a bucket or a page, with the settings of now."""
    known = {name: value for name, value in os.environ.items() if name.startswith(SETTINGS)}
    for name in [name for name, value in known.items() if not value]:
        del os.environ[name], known[name]  # obstore would take an empty key for a key
    return _made(scheme, place, tuple(sorted(known.items())))


@lru_cache(maxsize=32)
def _made(scheme: str, place: str, settings: tuple[tuple[str, str], ...]) -> Any:
    """Return a new client. Raises SettingError."""
    known = dict(settings)
    server = known.get("AWS_ENDPOINT_URL") if scheme == "s3" else None
    if server and not re.fullmatch(r"https?://[\w.-]+(:\d+)?/?", server):
        raise SettingError(f"AWS_ENDPOINT_URL is {server!r}, which is not an address such as https://s3.example.com.")
    options: dict[str, object] = {**CLIENT, "allow_http": (server or place).startswith("http:")}
    if bundle := known.get("STORAGE_CA_FILE"):
        try:
            options["root_certificate"] = Path(bundle).read_bytes()
        except OSError as error:
            reason = (error.strerror or "").lower()
            raise SettingError(f"STORAGE_CA_FILE is {bundle!r}, which cannot be read: {reason}.") from None
    common = {"client_options": options, "retry_config": {"max_retries": 0}}  # `_Patience` tries again
    if not scheme:
        return store.HTTPStore(place, **common)
    return STORES[scheme](place, skip_signature=not _keys(scheme) & {*known}, **common)


def _keys(scheme: str) -> set[str]:
    """Return the settings that can hold a key."""
    return {*KEYS[scheme].replace(" or ", " and ").split(" and ")} | OTHER_KEYS[scheme]


def _refusal(error: BaseException, name: str) -> str:
    """Return the sentence on what another try would not change; empty if the network or the server can recover."""
    (scheme, place, _), where, text = _parts(name), short(name, 150), str(error)
    code, number = re.search(r"<Code>(\w+)", text), re.search(r"status: (\d+)", text)
    status, said = int(number[1]) if number else 0, code[1] if code else number[1] if number else "the key is damaged"
    correct = "Correct the address: PIPELINE_INPUT in .env"
    if isinstance(error, exceptions.PreconditionError):
        return f"{where} changed while it was read. Run it again when nothing writes to the file."
    if said in ("NoSuchBucket", "ContainerNotFound"):
        server = f", or {SERVER[scheme]}" if scheme in SERVER else ""
        return f"{where} cannot be read: the bucket {place} does not exist. {correct}{server}."
    if isinstance(error, FileNotFoundError) or status in (404, 410):
        return f"{where} does not exist. {correct}."
    if "BareRedirect" in text or said in ("AuthorizationHeaderMalformed", "PermanentRedirect"):
        return f"{where} is in another region. Set AWS_REGION in .env."
    if isinstance(error, ValueError | exceptions.InvalidPathError):
        wrong = short((re.search(r'Path "(.*?)" ', text) or ["", place])[1])
        return f"{where} cannot be read: a name like {wrong} is not possible here. Rename the file."
    if isinstance(error, exceptions.NotSupportedError) or "NotPartial" in text or "MissingContentLength" in text:
        return f"{where} cannot be read: its server does not send parts of files. Put the file into data/ instead."
    if problem := re.search(r"InvalidCertificate\(\s*(\w+)", text):
        remedy = "Set STORAGE_CA_FILE in .env to a file below data/ that has the certificate of its authority"
        return f"{where} cannot be read: the certificate of its server is not trusted ({problem[1]}). {remedy}."
    if re.search("Name or service not known|No address associated", text):
        server = f"{SERVER[scheme]} in .env, or the address" if scheme in SERVER else "the address"
        return f"{where} cannot be read: nobody knows its server. Correct {server}."
    if "MissingAccount" in text:
        return f"{where} cannot be read without an account. Set AZURE_STORAGE_ACCOUNT_NAME in .env."
    if status in (408, 425, 429) or status >= 500 or (not status and "HttpError" in text):
        return ""
    if not scheme:
        remedy = "If the address has a signature, it may have expired. "
        return f"{where} cannot be read: its server answers {status}. {remedy}{correct}."
    if not _keys(scheme) & {*os.environ}:
        return f"{where} cannot be read without a key. Set {KEYS[scheme]} in .env."
    return f"{where} cannot be read: access is denied ({said}). Correct {KEYS[scheme]} in .env."


def _reason(text: str) -> str:
    """Return why an answer failed to come."""
    reasons = {
        "ConnectionRefused": "its server refuses connections",
        "dns error": "the name of its server cannot be looked up",
        "TimedOut|Timeout": "its server does not answer",
        r"status: \d+": "its server is busy or out of order",
    }
    return next((reason for sign, reason in reasons.items() if re.search(sign, text)), "the connection is cut")
