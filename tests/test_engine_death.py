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
from stack import project

pytestmark = pytest.mark.usefixtures("engine")

SUDO = [] if os.geteuid() == 0 else ["sudo", "-n"]
MACHINE = [*SUDO, "unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "sh", "-ec"]
# As after a boot, /run is empty. Nothing of the first engine is mounted.
BOOT = "umount --all --types nsfs,overlay || echo some are in use; mount -t tmpfs run /run; ip link set lo up"
# A line of input kills the engine. The end of the input ends this shell, and with it the kernel kills all processes.
ENGINE = 'while true; do dockerd --config-file "$0" & read -r _; kill -9 $!; wait $! || sleep 2; done'
SERVICE = '{{index .Config.Labels "com.docker.compose.service"}} {{.State.StartedAt}}'
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
        """Return for each service when it was started, and how it is."""
        containers = self.run("docker", "ps", "--all", "--quiet").split()
        lines = self.run("docker", "inspect", "--format", f"{SERVICE} {STATE}", *containers) if containers else ""
        return {line.split()[0]: line.split(" ", 2)[1:] for line in lines.splitlines()}

    def wait(self, before: dict[str, list[str]]) -> None:
        """Wait until each service of before was started again and is healthy."""
        end, down = time.monotonic() + 150, ["engine"]
        while down:
            assert time.monotonic() < end, f"down for 150 seconds: {', '.join(down)}"
            time.sleep(1)
            try:
                now = self.services()
            except AssertionError:
                down = [f"engine ({(self.folder / 'log').read_text()[-2000:]})"]
            else:
                back = {name for name in before if now[name][0] != before[name][0] and now[name][1] == HEALTHY}
                down = [f"{name} ({now[name][1]})" for name in before if name not in back]


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
            images = made.compose("config", "--images").replace("\n", " ")
            made.shell(f"docker save {images} | docker --host {second.host} load")
            yield second
        finally:
            second.end()
            groups = ("-path", f"*/{made.path.name}*", "-type", "d")  # nothing else removes them
            made.run(*SUDO, "find", "/sys/fs/cgroup", "-depth", *groups, "-delete")
    finally:
        made.run("docker", "volume", "rm", "--force", volume)
        made.remove()


@pytest.mark.parametrize("end", [Machine.kill_the_engine, Machine.reboot], ids=lambda end: end.__name__)
def test_what_runs_comes_back(machine, end) -> None:
    """Each service is healthy again, and no command has started it."""
    machine.run("docker", "compose", "up", "--wait", "--no-build")
    before = machine.services()
    assert {*before} == {"api", "db", "lab", "mlflow"}
    end(machine)
    machine.wait(before)
