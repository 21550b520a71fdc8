"""Run the pipeline, and ask for backups, at their times: `python -m {{ cookiecutter.package_name }}.schedule`.

With --check, fail if the last run did, and no other has made results since. `status` tells more.
"""

import errno
import json
import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections import deque
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.cron import CronTrigger
from pydantic import AfterValidator, Field

from . import logs
from .errors import PipelineError
from .outputs import published
from .settings import FromEnvironment, Settings, SettingsConfigDict, load

DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
PAUSE = 30  # seconds before a run is tried again
NOT_UP, AT_START = {8, 9}, 3  # exit codes of a server that does not answer; retries then: it can start later than this
LATE = 60  # seconds: what is later was missed
SHOWN = 5  # seconds after which people see the first results of a version, also of a run by hand
KEPT, LINES = 30, 10_000  # logs of runs, and the last lines of each

log = logging.getLogger(__name__)


def trigger(expression: str) -> CronTrigger | None:
    """Return the times of a cron expression, or None if it is empty. Raises ValueError."""
    fields = expression.split()
    if not fields:
        return None
    if len(fields) == 5 and "*" not in (fields[2][0], fields[4][0]):
        raise ValueError("cannot name days of the month and of the week")  # cron means either, the library both
    try:
        return CronTrigger.from_crontab(" ".join([*fields[:4], *map(_days, fields[4:])]))
    except ValueError:
        raise ValueError("is not minute, hour, day, month and day of the week, such as 0 3 * * *") from None


def _days(field: str) -> str:
    """Return days of the week by their names: cron counts them from Sunday, the library from Monday."""
    names = list[str]()
    for part in field.lower().split(","):
        if match := re.fullmatch(r"(?:\*(?=/)|([0-7])(?:-([0-7]))?)(?:/(\d+))?", part):
            first, last, step = match.groups()
            until = int(last or first or 6) if last or not (first and step) else 6
            names += [DAYS[day] for day in range(int(first or 0), until + 1, int(step or 1))]
        else:
            names.append(part)
    return ",".join(names)


def _valid(expression: str) -> str:
    trigger(expression)
    return expression


class Schedule(FromEnvironment):
    """When to run what."""

    model_config = SettingsConfigDict(env_prefix="SCHEDULE_")

    run: Annotated[str, AfterValidator(_valid)] = Field("", description="When to run the pipeline, as for cron")
    backup: Annotated[str, AfterValidator(_valid)] = Field("", description="When to back up, as for cron")
    catch_up: bool = Field(True, description="Whether to run when a time was missed")
    retries: int = Field(0, ge=0, le=100, description="How often to try again after a failure")


class State:
    """What happened so far, in a folder with the results; and in memory, which is there if the disk is full."""

    def __init__(self, reports: Path) -> None:
        """Take the folder of the reports."""
        self.folder = reports / ".schedule"
        self.files = [Path("/tmp/schedule.json"), self.folder / "state.json"]

    def read(self) -> dict[str, Any]:
        """Return the last run (`started`, `ended`, `code`, `log`), and since when one is `running`, as far as known."""
        for file in self.files:
            with suppress(OSError, ValueError):
                return json.loads(file.read_text("utf-8"))
        return {}

    def write(self, state: dict[str, Any]) -> None:
        """Keep what happened, at least until this container ends."""
        for file in self.files:
            with suppress(OSError):
                file.parent.mkdir(parents=True, exist_ok=True)
                begun = file.with_suffix(".partial")
                begun.write_text(json.dumps(state), "utf-8")
                begun.replace(file)

    def failed(self, reports: Path) -> bool:
        """Say whether the last run failed, and no other one has made results since."""
        last = self.read()
        if not last.get("code"):
            return False
        with suppress(OSError):
            return published(reports) < datetime.fromisoformat(last["ended"]).timestamp()
        return True


class Runner:
    """Runs the pipeline in a process of its own, and keeps what it said."""

    def __init__(self, schedule: Schedule, settings: Settings) -> None:
        """Take the settings."""
        self.schedule, self.settings, self.state = schedule, settings, State(settings.reports)
        self.process: subprocess.Popen | None = None

    def due(self) -> bool:
        """Say whether to run now: there are no results yet, or a run was missed or interrupted, or met no server."""
        state, times = self.state.read(), trigger(self.schedule.run)
        if not (self.settings.reports / "run.json").exists() and not state.get("code"):
            return True
        if not self.schedule.catch_up or "started" not in state:
            return False
        started = datetime.fromisoformat(state["started"])
        missed = times.get_next_fire_time(started, started) if times else None
        known = "running" in state or state.get("code") in NOT_UP
        return known or bool(missed and missed < datetime.now().astimezone())

    def start(self) -> None:
        """Run the pipeline if that is due, and outlast servers that start later, as after a reboot."""
        if self.due():
            self.run(AT_START)

    def run(self, outlast: int = 0) -> None:
        """Run the pipeline; retry a failure as the settings say, and a server that does not answer `outlast` times."""
        failures = 0
        while code := self._once():
            failures += 1
            if failures > max(self.schedule.retries, outlast if code in NOT_UP else 0):
                return
            log.warning("trying again in %s seconds", PAUSE)
            time.sleep(PAUSE)

    def _once(self) -> int:
        started = datetime.now().astimezone()
        name = f"{started:%Y-%m-%dT%H%M%S}.log"
        self.state.write({**self.state.read(), "running": started.isoformat()})
        log.info("the run starts")
        command = [sys.executable, "-m", __package__, "run"]
        said = deque[str](maxlen=LINES)
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as self.process:
            for line in self.process.stdout or ():
                log.info(line.rstrip())
                said.append(line)
        code = self.process.returncode if self.process.returncode >= 0 else 128 - self.process.returncode
        with suppress(OSError):  # the disk may be full, which the run has said
            (self.state.folder / name).write_text("".join([*said, f"Exit code: {code}\n"]), "utf-8")
            for old in sorted(self.state.folder.glob("*.log"))[:-KEPT]:
                old.unlink()
        ended = datetime.now().astimezone().isoformat()
        done = {"started": started.isoformat(), "ended": ended, "code": code, "log": name}
        self.state.write({"since": self.state.read().get("since"), **done})
        log.log(logging.ERROR if code else logging.INFO, "the run ended with exit code %s", code)
        return code

    def show(self) -> None:
        """Make the results of this version those that people see, if it has some: a link beside its folder."""
        own, link = self.settings.reports.parent, Path("results/current")
        if (self.settings.reports / "run.json").exists() and os.path.realpath(link) != os.path.realpath(own):
            begun = link.with_name(".current.partial")
            with suppress(OSError):
                begun.unlink(missing_ok=True)
                begun.symlink_to(own.name)
                begun.replace(link)

    def back_up(self) -> None:
        """Ask the service `backup` for one."""
        try:
            requests = os.open("results/.backup-requests", os.O_WRONLY | os.O_NONBLOCK)
            os.write(requests, b"\n")
            os.close(requests)
        except OSError as error:
            log.error("the service backup does not run (%s)", errno.errorcode.get(error.errno or 0, "unknown"))

    def stop(self, *_: object) -> None:
        """End this program, and the run first, which then leaves no half-written file."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(25)
        os._exit(0)  # the thread of the run would go on


def main() -> None:
    """Wait for the times and run, until a signal says to stop."""
    logs.configure()
    try:
        schedule, settings = Schedule.load(), load()
    except PipelineError as error:
        sys.exit(f"Error: {error}")
    if "--check" in sys.argv:
        sys.exit(State(settings.reports).failed(settings.reports))
    logging.getLogger("apscheduler").setLevel(logging.WARNING)
    runner = Runner(schedule, settings)
    signal.signal(signal.SIGTERM, runner.stop)
    runner.state.write({**runner.state.read(), "since": datetime.now().astimezone().isoformat()})
    late = None if schedule.catch_up else LATE
    scheduler = BlockingScheduler(
        executors={"default": ThreadPoolExecutor(1), "beside": ThreadPoolExecutor(1)},  # a backup waits for the run
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": late},
    )
    for job, times in ((runner.run, schedule.run), (runner.back_up, schedule.backup)):
        if times:
            scheduler.add_job(job, trigger(times))
    scheduler.add_job(runner.show, "interval", seconds=SHOWN, next_run_time=datetime.now(), executor="beside")
    scheduler.add_job(runner.start)
    scheduler.start()


if __name__ == "__main__":
    main()
