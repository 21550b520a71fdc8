"""What runs on a server: the schedule, its state, and the settings."""

import json
import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from {{ cookiecutter.package_name }} import outputs, schedule, setup
from {{ cookiecutter.package_name }}.errors import SettingError
from {{ cookiecutter.package_name }}.schedule import Runner, Schedule, State
from {{ cookiecutter.package_name }}.settings import Settings

SATURDAY = datetime(2026, 8, 1, 12, 1).astimezone()
EXAMPLE = "IMAGE=\nVERSION=\nPREVIOUS=\nDOMAIN=localhost\nBIND_ADDRESS=127.0.0.1\n\n# The login\nLOGIN_PASSWORD=\n"
EXAMPLE += "AWS_SECRET_ACCESS_KEY=\n"  # somebody else gives it


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Return one with folders of its own, that runs each night at 3."""
    monkeypatch.chdir(tmp_path)
    made = Runner(Schedule(run="0 3 * * *"), Settings(models=tmp_path / "new/models", reports=tmp_path / "new/reports"))
    made.state.files = made.state.files[1:]
    return made


def ended(days: float, code: int = 0) -> dict:
    """Return the state after a run that many days ago."""
    time = (datetime.now().astimezone() - timedelta(days=days)).isoformat()
    return {"started": time, "ended": time, "code": code, "log": "it.log"}


def give_results(runner: Runner) -> Path:
    """Let it have results, from now."""
    file = runner.settings.reports / "run.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    (pointer := file.with_name(outputs.CURRENT)).touch()  # a run that makes the same results changes only this
    return pointer


@pytest.mark.parametrize(
    ("expression", "day", "time"),
    [
        ("0 3 * * *", 2, "03:00"),
        ("*/20 * * * *", 1, "12:20"),
        ("0 3 * * 0", 2, "03:00"),
        ("0 3 * * 7", 2, "03:00"),
        ("0 3 * * 1-5", 3, "03:00"),
        ("0 3 * * 3,5", 5, "03:00"),
        ("0 3 * * */2", 2, "03:00"),
        ("0 3 * * tue", 4, "03:00"),
        ("30 23 15 * *", 15, "23:30"),
    ],
)
def test_times_are_those_of_cron(expression: str, day: int, time: str) -> None:
    found = schedule.trigger(expression).get_next_fire_time(None, SATURDAY)
    assert (found.day, f"{found:%H:%M}") == (day, time)


@pytest.mark.parametrize("expression", ["3", "0 3 * * * *", "0 25 * * *", "0 3 * * 9", "@daily", "0 3 1 * 1"])
def test_a_wrong_time_is_refused(expression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHEDULE_RUN", expression)
    with pytest.raises(SettingError, match="SCHEDULE_RUN is "):
        Schedule.load()


def test_no_time_is_never() -> None:
    assert schedule.trigger("") is None


@pytest.mark.parametrize(
    ("results", "state", "catch_up", "due"),
    [
        (False, {}, True, True),
        (False, {}, False, True),
        (False, ended(0.01, code=3), True, False),
        (True, {}, True, False),
        (True, ended(2), True, True),
        (True, ended(2), False, False),
        (True, ended(0), True, False),
        (True, ended(0.01, code=8), True, True),
        (True, ended(0) | {"running": "2026-01-01"}, True, True),
        (True, ended(0) | {"running": "2026-01-01"}, False, False),
    ],
)
def test_a_start_makes_up_for_what_was_missed(runner: Runner, results, state, catch_up, due) -> None:
    runner.schedule.catch_up = catch_up
    runner.schedule.run = "0 3 * * *" if state.get("code") == 0 else ""
    if results:
        give_results(runner)
    runner.state.write(state)
    assert runner.due() == due


def test_a_failed_run_is_known_until_another_one_has_results(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIPELINE_INPUT", "data/none.csv")
    monkeypatch.setenv("PIPELINE_REPORTS", str(runner.settings.reports))
    monkeypatch.setattr(schedule, "PAUSE", 0)
    give_results(runner)
    runner.schedule.retries = 1
    runner.run()
    state = runner.state.read()
    assert state["code"] == 3
    assert "running" not in state
    assert len(logs := sorted(runner.state.folder.glob("*.log"))) in (1, 2)  # two within a second share their name
    assert "none.csv does not exist" in logs[-1].read_text()
    assert logs[-1].read_text().endswith("\nExit code: 3\n")
    assert runner.state.failed(runner.settings.reports)
    file = give_results(runner)
    os.utime(file, (datetime.now().timestamp() + 1,) * 2)
    assert not runner.state.failed(runner.settings.reports)


@pytest.mark.parametrize(("codes", "left"), [([8, 9, 0], []), ([9] * 9, [9] * 5), ([3, 0], [0])])
def test_a_run_at_a_start_outlasts_a_server_that_is_not_up_yet(runner: Runner, monkeypatch, codes, left) -> None:
    monkeypatch.setattr(runner, "_once", lambda: codes.pop(0))
    monkeypatch.setattr(schedule, "PAUSE", 0)
    runner.start()
    assert codes == left


def test_people_see_the_last_version_that_has_results(runner: Runner) -> None:
    Path("results").mkdir()
    runner.settings.reports = Path("results/1.0/reports")
    runner.show()
    assert not os.path.lexists("results/current")
    give_results(runner)
    runner.show()
    runner.settings.reports = Path("results/1.1/reports")
    runner.show()
    assert str(Path("results/current").readlink()) == "1.0"
    give_results(runner)
    runner.show()
    assert str(Path("results/current").readlink()) == "1.1"


def test_state_that_is_torn_is_none(tmp_path: Path) -> None:
    state = State(tmp_path)
    state.files = [tmp_path / "state.json"]
    state.files[0].write_text('{"code": ')
    assert state.read() == {}
    state.write({"code": 0})
    assert json.loads(state.files[0].read_text()) == {"code": 0}


def test_settings_are_written_once_with_secrets_that_can_be_renewed(tmp_path: Path) -> None:
    (tmp_path / ".env.example").write_text(EXAMPLE)
    given = {"IMAGE": "team/it", "VERSION": "1.0", "DOMAIN": "data.example.com"}
    first = setup.write(tmp_path, given)
    assert {name: first[name] for name in given} == given
    assert (first["PREVIOUS"], first["BIND_ADDRESS"]) == ("1.0", "0.0.0.0")
    assert (len(first["LOGIN_PASSWORD"]), first["AWS_SECRET_ACCESS_KEY"]) == (48, "")
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert "# The login\n" in (tmp_path / ".env").read_text()
    nothing = dict.fromkeys(given, "")
    assert setup.write(tmp_path, nothing) == first
    renewed = setup.write(tmp_path, nothing, ["LOGIN_PASSWORD"])
    assert renewed["LOGIN_PASSWORD"] != first["LOGIN_PASSWORD"]
    assert renewed | {"LOGIN_PASSWORD": ""} == first | {"LOGIN_PASSWORD": ""}
    before = (tmp_path / ".env").read_text()
    for name in ("DOMAIN", "OTHER_PASSWORD", "AWS_SECRET_ACCESS_KEY"):
        with pytest.raises(ValueError, match=f"no secret {name}"):
            setup.write(tmp_path, nothing, [name])
    assert (tmp_path / ".env").read_text() == before


def test_a_server_without_a_name_is_for_itself_only(tmp_path: Path) -> None:
    (tmp_path / ".env.example").write_text(EXAMPLE)
    assert setup.write(tmp_path, {"IMAGE": "it", "VERSION": "1", "DOMAIN": "localhost"})["BIND_ADDRESS"] == "127.0.0.1"
