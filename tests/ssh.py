"""This machine as a server that is reached over SSH."""

import contextlib
import getpass
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from needs import need
from programs import run
from stack import free_port


class Machine:
    """This machine, for whoever has the key that it makes; it listens on 127.0.0.1 only."""

    def __init__(self, folder: Path) -> None:
        """Make keys: its own, another one, and that of who may log in."""
        self.home, self.port, self.user = folder, free_port(), getpass.getuser()
        for key in ("host", "other", "key"):
            run(folder, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key)

    def known(self, key: str) -> str:
        """Return the line of a file known_hosts that knows it by a key."""
        return f"[127.0.0.1]:{self.port} {(self.home / f'{key}.pub').read_text()}"

    def settings(self, host: str) -> Path:
        """Return a file with settings of ssh, by which it is called `host`."""
        (self.home / "known_hosts").write_text(self.known("host"))
        settings = {"HostName": "127.0.0.1", "Port": self.port, "User": self.user, "IdentityFile": self.home / "key"}
        settings |= {"UserKnownHostsFile": self.home / "known_hosts", "IdentitiesOnly": "yes", "BatchMode": "yes"}
        file = self.home / "config"
        file.write_text(f"Host {host}\n" + "".join(f"  {name} {value}\n" for name, value in settings.items()))
        return file

    @contextlib.contextmanager
    def running(self, path: str = "/usr/local/bin:/usr/bin:/bin") -> Iterator[None]:
        """Let it listen; `path` is where programs are found there."""
        program = Path("/usr/sbin/sshd")
        if not program.exists():
            need("this machine has no SSH server (openssh-server)")
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        settings = {"ListenAddress": f"127.0.0.1:{self.port}", "HostKey": self.home / "host", "PidFile": "none"}
        settings |= {"AuthorizedKeysFile": self.home / "key.pub", "StrictModes": "no", "PasswordAuthentication": "no"}
        settings |= {"SetEnv": f"PATH={path}", "Subsystem": "sftp internal-sftp"}
        options = [f"-o{name}={value}" for name, value in settings.items()]
        server = subprocess.Popen([program, "-D", "-e", "-f", "/dev/null", *options], stderr=subprocess.DEVNULL)
        try:
            for _ in range(100):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
                    break
                time.sleep(0.1)
            yield
        finally:
            server.terminate()
            server.wait()
