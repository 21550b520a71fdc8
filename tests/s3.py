"""A real S3 server, SeaweedFS, and a network before it that can be cut."""

import contextlib
import http.client
import json
import select
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import quote

from stack import free_port

KEY, SECRET = "a-key", "s3cret-of-the-store"
USERS = {
    "identities": [
        {"name": "me", "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": ["Read", "List"]},
        {"name": "anonymous", "actions": ["Read:public", "List:public"]},
    ]
}


class Store:
    """A server on this machine. Objects come in by its other, open door."""

    def __init__(self, folder: Path) -> None:
        """Start it, and wait until it takes objects."""
        (folder / "users.json").write_text(json.dumps(USERS))
        self.port, self.door = free_port(), free_port()
        ports = {"s3.port": self.port, "s3.port.grpc": free_port(), "filer.port": self.door}
        ports |= {f"{name}.port": free_port() for name in ("master", "volume")}
        ports |= {f"{name}.port.grpc": free_port() for name in ("filer", "master", "volume")}
        options = {"ip": "127.0.0.1", "ip.bind": "127.0.0.1", "dir": folder, "s3": "true", **ports}
        options |= {"master.telemetry": "false", "master.volumeSizeLimitMB": 64, "volume.max": 100}
        options |= {"s3.config": folder / "users.json", "s3.port.iceberg": 0, "s3.port.lance": 0}
        command = [Path(sys.executable).with_name("weed"), "server", *(f"-{key}={options[key]}" for key in options)]
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)
        end = time.monotonic() + 60
        while True:
            try:
                self.put("public/ready", b"ready")
                assert _ask(self.port, "GET", "/public/ready") == 200
                return
            except (OSError, AssertionError):
                assert time.monotonic() < end, (folder / "log").read_text()
                time.sleep(0.2)

    def put(self, name: str, content: bytes) -> None:
        """Make an object: bucket, slash, name."""
        assert _ask(self.door, "PUT", f"/buckets/{quote(name)}", content) == 201

    def stop(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()


def _ask(port: int, method: str, path: str, content: bytes | None = None) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    with contextlib.closing(connection):
        connection.request(method, path, content)
        return connection.getresponse().status


class Wire:
    """A way to a port of this machine, from an address of it that containers reach."""

    def __init__(self, address: str, target: int, certificate: Path | None = None) -> None:
        """Open it; with a certificate and its key in one file, it is encrypted."""
        self.target, self.left, self.cuts = target, float("inf"), 0
        self.listening = socket.create_server((address, 0))
        self.port = self.listening.getsockname()[1]
        self.tls = None
        if certificate:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(certificate)
        threading.Thread(target=self._serve, daemon=True).start()

    def cut(self, after: int, seconds: float) -> None:
        """Cut it when so many more bytes have come from the server, for so long."""
        self.left, self.seconds = after, seconds

    def heal(self) -> None:
        """Let everything pass."""
        self.left = float("inf")

    def close(self) -> None:
        """End it."""
        self.listening.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._carry, args=[self.listening.accept()[0]], daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client, socket.create_connection(("127.0.0.1", self.target)) as server:
            if self.left <= 0:
                return
            client = self.tls.wrap_socket(client, server_side=True) if self.tls else client
            while True:
                ready, _, _ = select.select([client, server], [], [], 60)
                for end in ready:
                    data = end.recv(65536)
                    if end is server:
                        self._count(len(data))
                    if not data or self.left <= 0:
                        return
                    (client if end is server else server).sendall(data)

    def _count(self, size: int) -> None:
        if self.left > 0 >= self.left - size:
            self.cuts += 1
            threading.Timer(self.seconds, self.heal).start()
        self.left -= size
