"""`adopt`, in a copy of the package: it makes a project about any table."""

import importlib
import os
import random
import re
import shutil
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from unittest.mock import Mock

import polars as pl
import pytest
from xgboost.core import XGBoostError

COUNT = 200
LEFT_OUT = {
    "row": "an identifier, another in each row",
    "code": "text that differs in most rows",
    "remark": "free text",
    "unit": "always m2",
    "nothing": "empty",
    "price again": "a copy of the target",
    "secret": "as you asked",
}
KEPT = {
    "area": "Float64",
    "rooms": "Int64",
    "class": "Enum(categories=['A', 'B', 'C'])",
    "größe": "Enum(categories=['groß', 'klein'])",
    "sold on": "Date",
    "garden": "Boolean",
    "street": "String",
}

KILLED = """
import os, sys
left, move = int(sys.argv.pop(1)), os.replace
def replace(*paths):
    global left
    left -= 1
    move(*paths) if left >= 0 else os._exit(137)
os.replace = replace
from copied.__main__ import main
main()
"""


@pytest.fixture
def table(run, tmp_path) -> pl.DataFrame:
    """Return a table that the project knows nothing of; it is in the working folder too, as text that people write."""
    chance = random.Random(1)
    area = [chance.uniform(20, 200) for _ in range(COUNT)]
    columns = {
        "row": range(1, COUNT + 1),
        "code": [f"x{number:04}" for number in range(COUNT)],
        "area": area,
        "rooms": [round(each / 25) or None for each in area],
        "class": [chance.choice("ABC") for _ in area],
        "größe": ["groß" if each > 99 else "klein" for each in area],
        'odd "name", \\ {x} #': [chance.choice(['say "a"', "b, c", "d\\", "'{e}'", None]) for _ in area],
        "sold on": [date(2020, 1, 1) + timedelta(chance.randrange(900)) for _ in area],
        "garden": [chance.choice(["yes", "no"]) for _ in area],
        "street": [f"Street {chance.randrange(60)}" for _ in area],
        "remark": [f"It is the house number {number} in a row" for number in range(COUNT)],
        "unit": ["m2"] * COUNT,
        "nothing": [None] * COUNT,
        "secret": [chance.random() for _ in area],
        "price": [round(2000 * each + chance.uniform(0, 9000), 2) for each in area],
    }
    rows = pl.DataFrame(columns).with_columns((pl.col("price") * 2).alias("price again"))
    rows.write_csv("mine.csv")
    return rows


def files(folder: Path) -> dict[str, bytes]:
    """Return the content of each file below a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def adopt(run, copied, table):
    """Return a function that adopts mine.csv in the copied package."""

    def call(*more: str, target: str = "price"):
        arguments = ("mine.csv", "--target", target, "--ignore", "secret", *more)
        return run("adopt", *arguments, program=copied("__main__"))

    return call


@pytest.mark.parametrize(("target", "task"), [("price", "regression"), ("class", "classification")])
def test_it_makes_a_project_about_any_table(run, copied, tmp_path, table, adopt, target, task) -> None:
    before = b"# caf\xe9\nPIPELINE_INPUT=old.csv\r\nPIPELINE_SEED='4' # mine"
    Path(".env").write_bytes(before)
    mode = 0o600 if target == "price" else 0o400  # of somebody who protects it
    Path(".env").chmod(mode)
    done = adopt(target=target)
    assert done.code == 0, done.err
    assert Path(".env").read_bytes() == before.replace(b"old.csv", b"mine.csv")
    assert Path(".env").stat().st_mode & 0o777 == mode
    schema, known, data = (copied(name) for name in ("schema", "table", "data"))
    assert (schema.TARGET, schema.TASK) == (target, task)
    left_out = {name: reason for name, reason in LEFT_OUT.items() if target == "price" or name != "price again"}
    assert [*known.COLUMNS] == [name for name in table.columns if name not in left_out]
    code = Path(schema.__file__).read_text(encoding="utf-8")
    assert all(f"    # Left out: {name}, {reason}\n" in code for name, reason in left_out.items())
    assert {name: str(known.TYPES[name]) for name in KEPT} == KEPT
    rows, (source,) = data.read("mine.csv")
    assert (rows.height, source["path"]) == (COUNT, "mine.csv")
    sample, (source,) = data.read()
    assert source["path"] == "packaged sample mine.csv"
    assert sample.join(rows, on=rows.columns, how="semi", nulls_equal=True).is_empty()
    assert {path.name for path in data.SAMPLE.parent.iterdir()} == {"README.md", "mine.csv"}
    for source in ("mine.csv", data.SAMPLE):
        done = run("run", "--input", source, program=copied("__main__"))
        assert done.code == 0, done.err


def test_check_writes_nothing_and_a_table_that_cannot_be_used_changes_nothing(run, copied, tmp_path, adopt) -> None:
    Path(".env").touch()
    before = files(tmp_path)
    done = adopt("--check")
    assert (done.code, done.out.splitlines()[-1]) == (0, "Nothing is written."), done.err
    assert files(tmp_path) == before
    for target, *more in (["no such"], ["remark"], ["unit"], ["class", "--task", "regression"]):
        assert adopt(*more, target=target).code == 4, target
    assert files(tmp_path) == before


def test_a_disk_that_fills_up_leaves_the_project_as_it_was(copied, tmp_path, adopt, monkeypatch) -> None:
    Path(".env").touch()
    before = files(tmp_path)
    for written in range(4):
        full = [None] * written + [OSError(28, "No space left on device")]
        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", Mock(side_effect=full))
            assert adopt().code == 7
        assert files(tmp_path) == before
    assert adopt().code == 0


def test_killed_between_any_two_files_it_leaves_a_project_that_works(run, copied, tmp_path, adopt) -> None:
    Path(".env").touch()
    command = [sys.executable, "-c", KILLED]
    arguments = ["adopt", "mine.csv", "--target", "price", "--ignore", "secret"]
    for moved in range(5):
        done = subprocess.run([*command, str(moved), *arguments], env=os.environ | {"PYTHONPATH": "src"}, check=False)
        assert done.returncode == (137 if moved < 4 else 0)
        assert run("check", program=copied("__main__")).code == 0, moved
    assert not [*tmp_path.rglob("*.partial")]


def test_what_git_does_not_have_is_not_overwritten_without_force(copied, tmp_path, adopt) -> None:
    if not shutil.which("git"):
        pytest.skip("there is no git")
    schema = tmp_path / "src/copied/schema.py"
    user = ("-c", "user.name=A", "-c", "user.email=a@example.com")
    for command in (("init",), ("add", "."), (*user, "commit", "-m", "Start")):
        subprocess.run(["git", *command], cwd=tmp_path / "src", check=True, capture_output=True)
    with schema.open("a") as file:
        file.write("# mine\n")
    done = adopt()
    assert (done.code, "schema.py has changes that are not committed" in done.err) == (10, True)
    assert schema.read_text(encoding="utf-8").endswith("# mine\n")
    shutil.rmtree("src/.git")
    Path(".git").write_text("gitdir: /of/a/worktree\n")
    done = adopt()
    assert (done.code, "Git cannot tell here" in done.err) == (10, True)
    assert adopt("--force").code == 0
    assert not schema.read_text(encoding="utf-8").endswith("# mine\n")


def test_adopted_again_it_keeps_what_was_edited_and_says_what_changes(run, copied, tmp_path, table, adopt) -> None:
    assert adopt().code == 0
    schema = tmp_path / "src/copied/schema.py"
    old = schema.read_text(encoding="utf-8")
    area = next(line for line in old.splitlines() if line.startswith("    area: "))
    edited = '    area: float = pa.Field(title="Living area (m2)", ge=1, le=5000)'
    title = next(line for line in old.splitlines() if line.startswith("TITLE = "))
    double = 'DERIVED: dict[str, pl.Expr] = {\n    "double": pl.col("area") * 2,  # mine\n}'
    text = old.replace(area, edited).replace(title, 'TITLE = "How much is it?"')
    schema.write_text(re.sub("DERIVED.*", double, text), encoding="utf-8")
    table.with_columns(pl.col("class").replace("A", "D"), größe=pl.lit(0.5) + pl.col("area")).write_csv("mine.csv")
    done = adopt("--force")
    assert done.code == 0, done.err
    new = schema.read_text(encoding="utf-8")
    assert edited in new
    assert 'TITLE = "How much is it?"' in new
    assert double in new
    assert copied("table").VALUES["class"] == ["A", "B", "C", "D"]
    assert "area" not in done.out.partition("--- schema.py")[2]
    assert '"D"' in done.out.partition("--- schema.py")[2]
    assert copied("table").TYPES["größe"] == pl.Float64
    assert run("run", "--input", "mine.csv", program=copied("__main__")).code == 0
    assert adopt("--force", "--ignore", "area").code == 0
    assert not copied("schema").DERIVED


WEEK = [date(2024, 1, 1) + timedelta(each) for each in range(200)]
NUMBERS = [each * 37 % 101 / 7 for each in range(200)]
TABLES = {  # the columns, and the exit code and the words of `adopt` or of `run`
    "rare classes": ({"x": NUMBERS, "y": ["a", "b"] * 98 + ["c", "d", "e", "e"]}, 0, "Done."),
    "a target with missing values": ({"x": NUMBERS, "y": ["a", None, "b", "b"] * 50}, 0, "have no y: 50 rows."),
    "a number with missing values": ({"x": NUMBERS, "y": [*NUMBERS[1:], None]}, 0, "have no y: 1 rows."),
    "small classes": ({"x": NUMBERS[:60], "y": [f"c{each // 4}" for each in range(60)]}, 0, "Done."),
    "a name of the old schema": (
        {"sex": [0, 1] * 100, "island": NUMBERS, "year": ["x", "y"] * 100, "y": NUMBERS},
        0,
        "",
    ),
    "300 categories": ({"x": [f"c{each % 300}" for each in range(900)], "y": [1.5, 2.5, 9.5] * 300}, 0, "Done."),
    "300 classes": ({"x": [*range(900)], "y": [f"c{each % 300}" for each in range(900)]}, 4, "learns 100 at most"),
    "10 rows": ({"x": NUMBERS[:10], "y": ["a", "b"] * 5}, 0, "Done."),
    "10 rows of a number": ({"x": NUMBERS[:10], "y": NUMBERS[5:15]}, 0, "Done."),
    "3 rows": ({"x": NUMBERS[:3], "y": ["a", "b", "a"]}, 6, "too few for a model"),
    "a column without values": ({"x": NUMBERS, "y": ["a", "b"] * 100, "none": [None] * 200}, 0, "left out: empty"),
    "a column that is nearly empty": ({"x": NUMBERS, "y": ["a", "b"] * 100, "z": [*[None] * 199, 1]}, 0, "Done."),
    "one class": ({"x": NUMBERS, "y": ["a"] * 200}, 4, "it is always a"),
    "only dates": ({"x": WEEK, "y": [each.weekday() > 4 for each in WEEK]}, 0, "accuracy 1.000"),
    "nothing to learn from": ({"x": [1] * 200, "y": ["a", "b"] * 100}, 4, "No column is left"),
    "huge numbers": ({"x": [each * 1e300 for each in NUMBERS], "y": [each * 1e12 for each in NUMBERS]}, 0, "Done."),
    "numbers of one value": ({"x": NUMBERS, "y": [5.5] * 200}, 4, "it is always 5.5"),
    "infinity": ({"x": [float("inf"), *NUMBERS[1:]], "y": ["a", "b"] * 100}, 0, "Done."),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_with_little_in_it_gives_a_report_or_a_sentence(run, copied, name) -> None:
    columns, code, words = TABLES[name]
    pl.DataFrame(columns, strict=False).write_csv("mine.csv")
    done = run("adopt", "mine.csv", "--target", "y", program=copied("__main__"))
    said = done.out + done.err
    if not done.code:
        done = run("run", "--input", "mine.csv", program=copied("__main__"))
        said += done.out + done.err
    assert done.code == code, said
    assert words in said
    assert said.count("Error: ") == (code > 0)


def test_a_device_that_is_not_there_or_fails_is_said(run, copied, table, adopt, monkeypatch) -> None:
    monkeypatch.setenv("XGBOOST_DEVICE", "cuda:7")
    assert adopt().code == 0
    done = run("run", "--input", "mine.csv", program=copied("__main__"))
    assert done.code == 0, done.err
    assert "XGBOOST_DEVICE is cuda:7, which does not work here" in done.err
    before = files(Path())
    program = copied("__main__")
    model = importlib.import_module("copied.model")
    monkeypatch.setattr(model, "device", lambda: "cuda:7")
    full = XGBoostError("[1:2:3] a.cu:16: out of memory\nat 0x7f")
    monkeypatch.setattr(model.Alone, "train", Mock(side_effect=full))
    done = run("run", "--input", "mine.csv", program=program)
    assert (done.code, "cannot be trained on cuda:7: out of memory. To train" in done.err) == (2, True)
    assert files(Path()) == before
