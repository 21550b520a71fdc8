"""What runs comes back without a command: after the engine is killed, and after the machine starts again.

Other tests need the engine of this machine. So these start a second one, in namespaces that end as a machine does.
"""

import json
import os
import subprocess
import time
from pathlib import Path

import pytest
from needs import need_answer
from programs import run
from stack import Stack, project

pytestmark = pytest.mark.usefixtures("engine")

SUDO = [] if os.geteuid() == 0 else ["sudo", "-n"]
MACHINE = [*SUDO, "unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-ec"]
# As after a boot, /run is empty. Nothing of the first engine is mounted.
BOOT = "umount --all --types nsfs,overlay || echo some are in use; mount -t tmpfs run /run; ip link set lo up"
# A line of input kills the engine. The end of the input ends this shell, and with it the kernel kills all processes.
ENGINE = 'while true; do dockerd --config-file "$0" & read -r _; kill -9 $!; wait $! || sleep 2; done'
SETUP = ("docker", "compose", "--env-file", ".env.example", "run", "--rm", "setup")
SERVICE = '{{index .Config.Labels "com.docker.compose.service"}} {{.State.StartedAt}}'
LONGEST = 240  # seconds
STATE, HEALTHY = "{{.State.Status}}, {{.State.Health.Status}}", "running, healthy"


class Machine:
    """A machine with an engine of its own, in the folder of a project."""

    def __init__(self, path: Path, folder: Path, data: str) -> None:
        """Take the project's folder, one with a short path for the engine's files, and one for its data."""
        self.path, self.folder, self.host = path, folder, f"unix://{folder}/docker.sock"
        settings = {"hosts": [self.host], "group": str(os.getgid()), "data-root": data}
        settings |= {"cgroup-parent": f"/{path.name}"}
        (folder / "daemon.json").write_text(json.dumps(settings))
        self.start()

    def start(self) -> None:
        """Start it."""
        command = [*MACHINE, f"{BOOT}; {ENGINE}", self.folder / "daemon.json"]
        with (self.folder / "log").open("w") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, text=True)

    def end(self) -> None:
        """Kill all its processes together."""
        self.process.communicate()

    def reboot(self) -> None:
        """Kill all its processes together, and start it again."""
        self.end()
        self.start()

    def kill_the_engine(self) -> None:
        """Kill the engine only. It starts again two seconds later, as with systemd."""
        print(file=self.process.stdin, flush=True)

    def run(self, *command: str) -> str:
        """Run a program in the project's folder, with this engine."""
        return run(self.path, *command, DOCKER_HOST=self.host)

    def services(self) -> dict[str, list[str]]:
        """Return for each service that runs when it was started, and how it is."""
        containers = self.run("docker", "ps", "--quiet").split()
        lines = self.run("docker", "inspect", "--format", f"{SERVICE} {STATE}", *containers) if containers else ""
        return {line.split()[0]: line.split(" ", 2)[1:] for line in lines.splitlines()}

    def wait(self, before: dict[str, list[str]]) -> None:
        """Wait until each service of before was started again and is healthy."""
        end, down = time.monotonic() + LONGEST, ["engine"]
        while down:
            if time.monotonic() > end:
                said = (
                    self.run("docker", "logs", "--tail=30", each) for each in self.run("docker", "ps", "-q").split()
                )
                pytest.fail("\n".join([f"down for {LONGEST} seconds: {', '.join(down)}", *said]))
            time.sleep(1)
            try:
                now = self.services()
            except AssertionError:
                down = [f"engine ({(self.folder / 'log').read_text()[-2000:]})"]
            else:
                down = [name for name in before if now.get(name) in (None, before[name]) or now[name][1] != HEALTHY]


@pytest.fixture(scope="module")
def machine(bake, tmp_path_factory):
    """Return a machine that has the images of a project with most services."""
    need_answer(*MACHINE, f"{BOOT}; dockerd --version")
    made = project(bake, tmp_path_factory.mktemp("death"), deploy="api", database="postgres", tracking="mlflow")
    volume = f"{made.name}-engine"  # on the first engine's disk, which suits images
    try:
        made.compose("build")
        made.run("docker", "volume", "create", volume)
        data = made.run("docker", "volume", "inspect", "--format", "{{.Mountpoint}}", volume).strip()
        second = Machine(made.path, tmp_path_factory.mktemp("engine"), data)
        try:
            second.wait({})
            server = Stack(made.path / "production")
            for target, image in (("process", made.name), ("db", f"{made.name}/db"), ("mlflow", f"{made.name}/mlflow")):
                made.extra_images.append(f"{image}:1")
                made.run("docker", "build", "--target", target, "--tag", f"{image}:1", ".")
            server.run("env", f"IMAGE={made.name}", "VERSION=1", *SETUP)
            images = {image for each in (made, server) for image in each.compose("config", "--images").split()}
            made.shell(f"docker save {' '.join(images)} | docker --host {second.host} load")
            yield second
        finally:
            second.end()
            groups = ("-path", f"*/{made.path.name}*", "-type", "d")  # nothing else removes them
            made.run(*SUDO, "find", "/sys/fs/cgroup", "-depth", *groups, "-delete")
    finally:
        made.run("docker", "volume", "rm", "--force", volume)
        made.remove()


@pytest.mark.parametrize(
    ("folder", "end"),
    [(".", Machine.kill_the_engine), (".", Machine.reboot), ("production", Machine.reboot)],
    ids=["the engine dies", "a reboot", "a server reboots"],
)
def test_what_runs_comes_back(machine, folder, end) -> None:
    """Each service is healthy again, and no command has started it."""
    compose = ("docker", "compose", "--project-directory", folder)
    machine.run(*compose, "up", "--wait", "--no-build")
    before = machine.services()
    services = {"api", "db", "mlflow"}
    assert {*before} == services | ({"lab"} if folder == "." else {"backup", "previous", "proxy", "schedule"})
    end(machine)
    machine.wait(before)
    machine.run(*compose, "down")
