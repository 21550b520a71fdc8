"""Inputs that are not on this machine: read from a server with the faults that networks have."""

import pickle
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from {{ cookiecutter.package_name }} import data, remote
from {{ cookiecutter.package_name }}.errors import InputError, PipelineError
from {{ cookiecutter.package_name }}.table import COLUMNS

ROWS = bytes(range(256)) * 40
LIST = '<?xml version="1.0"?><ListBucketResult><IsTruncated>false</IsTruncated>{}</ListBucketResult>'
TIME = "<LastModified>2026-01-01T00:00:00Z</LastModified>"
ENTRY = "<Contents><Key>{}</Key><Size>{}</Size><ETag>1</ETag>" + TIME + "</Contents>"


class Handler(BaseHTTPRequestHandler):
    """Answers from `Server.files`; each of `Server.faults` goes wrong once."""

    protocol_version = "HTTP/1.1"
    server: Any

    def do_GET(self) -> None:
        """Answer a request for a file, for a part of one, or for a list of them."""
        self.server.asked.append(self)
        path, query = unquote(urlsplit(self.path).path), parse_qs(urlsplit(self.path).query)
        fault = self.server.faults.pop(0) if self.server.faults else ""
        content, status = self.server.files.get(path), 200
        if fault.isdigit() or ("list-type" not in query and content is None):
            return self.answer(int(fault or 404), f"<Error><Code>{self.server.code}</Code></Error>".encode())
        if "list-type" in query:
            begin = f"{path}/{query.get('prefix', [''])[0]}"
            names = [name for name in self.server.files if name.startswith(begin)]
            entries = [ENTRY.format(name[len(path) + 1 :], len(self.server.files[name])) for name in names]
            return self.answer(200, LIST.format("".join(entries)).encode())
        if self.headers.get("If-Match", self.server.tag) != self.server.tag:
            return self.answer(412, b"")
        extent = self.server.ranges and re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        headers = {"ETag": self.server.tag} if self.server.tag else {}
        if extent:
            status, (start, last) = 206, map(int, extent.groups())
            headers["Content-Range"] = f"bytes {start}-{last}/{len(content)}"
            content = content[start : last + 1]
        time.sleep(2 if fault == "slow" else 0)
        return self.answer(status, content, headers, cut=fault == "cut")

    def answer(self, status: int, content: bytes, headers: dict[str, str] | None = None, *, cut: bool = False) -> None:
        """Send an answer, or its first half."""
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if cut else content)
        self.close_connection = cut

    def log_message(self, *_: object) -> None:
        """Be quiet."""


class Server(ThreadingHTTPServer):
    """What it has, and what goes wrong with it."""

    def __init__(self) -> None:
        """Listen on a port of this machine only."""
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.faults, self.asked = {"/a.csv": ROWS}, list[str](), list[Handler]()
        self.tag, self.code, self.ranges, self.url = '"1"', "NoSuchKey", True, f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_: object) -> None:
        """Be quiet."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Return a server that runs, and is also the one for S3; requests and patience are short."""
    with Server() as started:
        threading.Thread(target=started.serve_forever, args=[0.05], daemon=True).start()
        for name in {*remote.os.environ}:
            if name.startswith(("AWS_", "GOOGLE_", "AZURE_", "STORAGE_")):
                monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_ENDPOINT_URL", started.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setattr(remote, "CLIENT", {"connect_timeout": "1s", "read_timeout": "1s", "timeout": "2s"})
        monkeypatch.setattr(remote, "BLOCK", 4000)
        monkeypatch.setattr(remote, "PROGRESS", 100)
        remote._made.cache_clear()
        yield started
        started.shutdown()


def test_a_file_is_read_whole_and_in_parts(server: Server) -> None:
    (found,) = remote.find(f"{server.url}/a.csv?signature=secret")
    found = pickle.loads(pickle.dumps(found))
    assert (found.name, found.size) == (f"{server.url}/a.csv", len(ROWS))
    assert "secret" not in f"{found} {found!r}"
    assert remote.read(found) == ROWS
    assert remote.read(found, 10, 9000) == ROWS[10:9000]
    assert remote.read(found, 5000) == ROWS[5000:]
    assert remote.read(found, 7, 7) == b""
    assert {urlsplit(request.path).query for request in server.asked} == {"signature=secret"}


def test_a_network_that_heals_is_waited_for(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    server.faults = ["503", "slow"]
    (found,) = remote.find(f"{server.url}/a.csv")
    server.faults = ["cut", "", "cut", "429", "slow"]
    assert remote.read(found) == ROWS
    assert [message.partition(" cannot ")[2] for message in caplog.messages] == [
        "be read: its server is busy or out of order. Trying again for 30 seconds.",
        "be read: the connection is cut. Trying again for 30 seconds.",
    ]


@pytest.mark.parametrize("fault", ["cut", "slow", "500"])
def test_a_network_that_stays_cut_ends_in_a_sentence(server: Server, monkeypatch, fault: str) -> None:
    (found,) = remote.find(f"{server.url}/a.csv")
    monkeypatch.setattr(remote, "LIMIT", 0.5)
    monkeypatch.setattr(remote, "PROGRESS", 10**6)
    server.faults, start = ["", *[fault] * 100], time.monotonic()
    with pytest.raises(InputError, match=r"/a\.csv cannot be read: .*\. Check the network; OUTBOUND=true in "):
        remote.read(found)
    assert time.monotonic() - start < 4


def test_a_file_that_changes_is_refused(server: Server) -> None:
    for before, after in (('"1"', '"2"'), ("", '"1"'), ('W/"1"', 'W/"2"')):
        server.tag = before
        (found,) = remote.find(f"{server.url}/a.csv")
        assert remote.read(found) == ROWS
        server.tag = after
        with pytest.raises(InputError, match=r"/a\.csv changed while it was read\. "):
            remote.read(found)


def test_what_cannot_be_read_is_refused_with_the_setting_to_change(server: Server, monkeypatch) -> None:
    def refused(address: str, fault: str = "") -> str:
        server.faults = [fault] * 2
        with pytest.raises(PipelineError) as caught:
            remote.read(remote.find(address.replace("URL", server.url))[0])
        return str(caught.value).replace(server.url, "URL")

    server.ranges = False
    correct = "Correct the address: PIPELINE_INPUT in .env"
    assert refused("URL/b.csv?signature=secret") == f"URL/b.csv does not exist. {correct}."
    expired = "If the address has a signature, it may have expired."
    assert refused("URL/a.csv?signature=secret", "403") == (
        f"URL/a.csv cannot be read: its server answers 403. {expired} {correct}."
    )
    assert "a.csv cannot be read: its server does not send parts of files. Put the file into" in refused("URL/a.csv")
    assert refused("s3://b/a.csv") == f"s3://b/a.csv does not exist. {correct}."
    server.code = "NoSuchBucket"
    assert refused("s3://b/a.csv") == (
        f"s3://b/a.csv cannot be read: the bucket b does not exist. {correct}, or AWS_ENDPOINT_URL."
    )
    keys = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in .env"
    server.code = "AccessDenied"
    assert refused("s3://b/", "403") == f"s3://b/ cannot be read without a key. Set {keys}."
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    server.code = "SignatureDoesNotMatch"
    for address in ("s3://b/a.csv", "s3://b/"):
        assert refused(address, "403") == (
            f"{address} cannot be read: access is denied (SignatureDoesNotMatch). Correct {keys}."
        )
    assert refused("s3://b/a.csv", "301") == "s3://b/a.csv is in another region. Set AWS_REGION in .env."
    assert "a name like a//b.csv is not possible here" in refused("s3://b/a//b.csv")
    assert refused("az://b/a.csv").endswith("without an account. Set AZURE_STORAGE_ACCOUNT_NAME in .env.")
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT_KEY", "no key")
    assert refused("gs://b/a.csv").endswith("(the key is damaged). Correct GOOGLE_SERVICE_ACCOUNT_KEY in .env.")
    assert "is not an address of the form s3://BUCKET/PATH, gs://" in refused("ftp://b/a.csv")
    assert "a.csv is not encrypted, so that others could change it. Use http" in refused("http://example.com/a.csv")
    monkeypatch.setenv("STORAGE_CA_FILE", "none.pem")
    assert refused("s3://b/a.csv").startswith("STORAGE_CA_FILE is 'none.pem', which cannot be read: no such file")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "minio:9000")
    assert refused("s3://b/a.csv").startswith("AWS_ENDPOINT_URL is 'minio:9000', which is not an address such as")


def test_a_bucket_is_read_like_a_folder(server: Server, monkeypatch, caplog) -> None:
    name = next((name for name in COLUMNS if re.fullmatch(r"\w{1,60}", name)), None)
    rows = data.read()[0]
    first, others = (rows[:1], rows[1:]) if name is None else (rows[:1].drop(name), rows[1:])
    values = rows[:1].write_csv(include_header=False, quote_style="never").strip().split(",")
    folder = f"{name}={values[rows.columns.index(name)]}" if name else "first"
    server.files = {
        f"/b/all/{folder}/a.csv": first.write_csv().encode(),
        "/b/all/z.csv": others.write_csv().encode(),
        "/b/all/_SUCCESS": b"",
        "/b/all/notes.txt": b"not data",
        "/b/alles.csv": b"not below",
    }
    for address in ("s3://b/all", "s3://b/all/"):
        caplog.clear()
        found, sources = data.read(address)
        assert found.sort(found.columns).equals(rows.sort(rows.columns))
        assert [source["path"] for source in sources] == sorted([f"s3://b/all/{folder}/a.csv", "s3://b/all/z.csv"])
        assert caplog.messages == ["Left out, as hidden: _SUCCESS.", "Left out, as no table: notes.txt."]
    assert not [request for request in server.asked if request.headers["Authorization"]]
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(key, "key")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "")  # an empty setting is none
    server.asked.clear()
    assert data.read("s3://b/all/z.csv")[0].height == rows.height - 1
    assert all(request.headers["Authorization"] for request in server.asked)
    assert not [request for request in server.asked if "X-Amz-Security-Token" in request.headers]
    with pytest.raises(InputError, match=r"notes\.txt does not end in "):
        data.read("s3://b/all/notes.txt")


def test_a_signature_is_neither_shown_nor_recorded(server: Server, run, tmp_path) -> None:
    server.files["/a.csv"] = data.SAMPLE.read_bytes()
    done = run("run", "--input", f"{server.url}/a.csv?signature=secret")
    assert done.code == 0, done.err
    assert f"rows from {server.url}/a.csv " in done.err
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert any(b"/a.csv" in file.read_bytes() for file in files)
    assert not [file for file in files if b"signature" in file.read_bytes()]
