"""What a generated project makes of an .env file as people leave it: what Compose does, and never a traceback."""

import json
import os
import random
import re
import runpy
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from programs import run
from summary import FIGURES

# What people write, as Compose and setup must both read it: the value of A, or a refusal
LINES = {
    "plain": "A=1",
    "blanks around": " A = 1 ",
    "export": "export A=1",
    "export and a tab": "export\tA=1",
    "a colon": "A: 1",
    "equals in the value": "A=x=y",
    "accents": "A=caf\u00e9",
    "nothing": "A=",
    "two values": "A=1\nA=2",
    "a name alone": "A",
    "a name alone of the environment": "FOLDER\nA=${FOLDER}",
    "no name": "=1\nA=2",
    "a name with a dot": "A.b-c[0]=1\nA=2",
    "a tab in a name": "A\tb=1\nA=2",
    "a comment behind": "A=1  # mine",
    "a hash inside": "A=1#2",
    "a hash first": "A= #2",
    "single quotes": "A='x # y' # mine",
    "double quotes": 'A="x # y" # mine',
    "empty quotes": 'A="" # mine',
    "quotes inside": 'A=a"b"',
    "an escaped quote": r'A="a\"b"',
    "an escaped single quote": r"A='a\'b'",
    "an escaped line break": r'A="a\nb"',
    "a real line break that is escaped": 'A="a\\\nb"',
    "an escaped backslash": r'A="a\\nb"',
    "other escapes": r'A="a\tb\zc\\$FOLDER\'\a"',
    "octal escapes": r'A="\0101\012\0\0999\0777"',
    "a backslash": r"A=a\nb",
    "several lines": "A='x\nB=3\ny'",
    "two on one line": 'A="x" B=1',
    "a variable": "B=1\nA=$B/${B}",
    "a variable that comes later": "A=$B\nB=1",
    "a variable of the environment": "FOLDER=x\nA=${FOLDER}/data",
    "a variable in single quotes": "A='$FOLDER'",
    "a variable in double quotes": 'A="$FOLDER"',
    "an escaped variable": r'A="\$FOLDER$\$FOLDER"',
    "two dollars": "A=$$FOLDER",
    "a lone dollar": "A=p@$5$ w$ $\u00e9",
    "a missing variable": "A=${NONE}",
    "a default": "A=${NONE:-19811}",
    "a default with a default": "A=${NONE:-${NONE:-x}}:${FOLDER:-${NONE}}:${NONE:-${FOLDER}}",
    "a default with braces": "A=${NONE:-{}}|${NONE:-{x}y}|${NONE-a}b}|${NONE:-$$}",
    "a default that is not used": "A=${FOLDER:-19811}",
    "a default without a colon": "B=\nA=${NONE-19811}${B-2}",
    "another value": "B=\nA=${NONE:+1}${NONE+2}${B:+3}${B+4}${FOLDER:+5}${FOLDER+$FOLDER}",
    "a variable that must be there": "B=\nA=${FOLDER:?no}${B?no}",
    "a variable that must not be empty": "B=\nA=${B:?p@ss}",
    "a variable that must be there, and is not": "A=${NONE?p@ss}",
    "an open variable": "A=p@ss${NONE",
    "a variable without a name": "A=p@ss${}",
    "Windows line ends": "B=1\r\nA='x' # mine\r\nC=2\r",
    "old Mac line ends": "A=1\rB=2\r",
    "a byte order mark": "\ufeffA=1",
    "other blanks": "\u00a0\u2003A\u00a0=\u00a01\u2003",
    "another blank in a name": "A\u2003=1",
    "an open quote": "A='x",
    "a blank in the name": "A b=1",
    "no assignment": "A=1\np@ssword",
    "export alone": "A=1\nexport\nB=2",
    "Latin-1 comments": "A=1 # \udce9\n# \udce9\nB=2",
    "a NUL in a comment": "# \0\nA=1",
    "a Latin-1 name": "\udce9=1",
}
REASONS = "is not NAME=value or lacks a closing quote|has a \\$\\{ that is not \\$\\{NAME\\}"
REASONS += "|needs a variable that is not set|has a NUL byte|is not UTF-8 text|is UTF-16, not UTF-8 text"


@pytest.fixture(scope="module")
def setup(bake) -> dict:
    """Return what docker/setup.py defines."""
    return runpy.run_path(str(bake().path / "docker/setup.py"))


def compose(folder: Path, content: bytes, names: str) -> dict[str, str] | None:
    """Return what Compose makes of an .env file with this content; nothing if it refuses."""
    folder.mkdir(exist_ok=True)
    (folder / ".env").write_bytes(content)
    probe = {"image": "none", "environment": {name: f"${{{name}-not there}}" for name in names.split()}}
    done = subprocess.run(
        ["docker", "compose", "--file", "-", "config", "--format", "json"],
        input=json.dumps({"name": "probe", "services": {"probe": probe}}).encode(),
        cwd=folder,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        assert b"failed to read" in done.stderr
        return None
    found = json.loads(done.stdout)["services"]["probe"]["environment"]
    return {name: value.replace("$$", "$") for name, value in found.items()}


def ours(setup: dict, content: bytes, names: str) -> dict[str, str] | None:
    """Return what the project makes of it; nothing if it refuses, with a reason that shows no part of it."""
    try:
        found = setup["settings"](content.decode("utf-8", "surrogateescape"))
    except ValueError as error:
        assert re.fullmatch(rf"line \d+ ({REASONS})", str(error))
        return None
    return {name: found.get(name, "not there") for name in names.split()}


@pytest.mark.parametrize("case", LINES)
def test_env_is_read_as_compose_reads_it(setup, compose_client, tmp_path, monkeypatch, case) -> None:
    monkeypatch.setenv("FOLDER", "/from/outside")
    content = f"{LINES[case]}\n".encode("utf-8", "surrogateescape")
    assert ours(setup, content, "A") == compose(tmp_path, content, "A")


NAMES = "A B C JUPYTER_PORT JUPYTER_TOKEN X_PASSWORD"


def piece(pick: random.Random) -> str:
    """Return a part of a value."""
    name = pick.choice(["A", "B", "C", "NONE", "HOME"])
    inner = pick.choice(["", "d", "}", f"${name}", "${B:-e}", "$$"])
    odd = [f"${{{name}:?s3cret}}", f"${{{name}?s3cret}}", "'", '"', "${}", f"{{${name}"]
    usual = [*"x1:=#\\", " ", "\t", "\r", " #", "\u00e9", "\u00a0", "\u2003", "$", "$$", "{}", "}", "s3cret"]
    escapes = [r"\n", r"\\", r"\$", r"\0101", r"\012", r"\'", r"\"", r"\c"]
    references = [f"${name}", f"${{{name}}}", *(f"${{{name}{operator}{inner}}}" for operator in (":-", "-", ":+", "+"))]
    return pick.choice([*usual, *escapes, *references, *references, pick.choice(odd)])


def line(pick: random.Random) -> str:
    """Return a line of an .env file, as people and programs write one."""
    if pick.random() < 0.2:
        rare = ["A b=1", "p@ss", "A.b[0]=1", "=x", "export", f"export {pick.choice(NAMES.split())}"]
        return pick.choice(["", " ", "\t", f"# {piece(pick)}", pick.choice(NAMES.split()), pick.choice(rare)])
    value = "".join(piece(pick) for _ in range(pick.randrange(5)))
    quote = pick.choice(["", "", "'", '"'])
    if quote and pick.random() < 0.9:
        value = value.replace(quote, pick.choice(["", f"\\{quote}"]))
    if quote and pick.random() < 0.2:
        value += "\nX_TOKEN=\n# x"
    start = pick.choice(["", "", "", "export ", "export\t", " "]) + pick.choice(NAMES.split())
    sign = pick.choice(["=", "=", "=", " = ", ":", ": ", "\t=\t"])
    return start + sign + quote + value + quote + pick.choice(["", "", "", " ", "  # c", "#c", " B=2"])


def odd(pick: random.Random) -> bytes:
    """Return an odd .env file: most of its lines are settings, and some of its bytes can be wrong."""
    end = pick.choice(["\n", "\n", "\n", "\r\n", "\r"])
    text = end.join(line(pick) for _ in range(pick.randrange(6))) + pick.choice([end, ""])
    text = pick.choice(["", "", "", "", "", "\ufeff"]) + text
    content = text.encode()
    wrong = {
        "a Latin-1 comment": content + b"\n# pr\xe9par\xe9\nA=1 # \xe9",
        "a Latin-1 value": text.encode("latin-1", "replace"),
        "UTF-16": text.encode("utf-16"),
        "UTF-16 without a mark": text.encode(pick.choice(["utf-16-le", "utf-16-be"])),
        "a NUL": content.replace(b"=", b"=\0", 1),
        "half a file": content[: len(content) // 2],
        "a stray byte": content[:5] + bytes([pick.randrange(256)]) + content[5:],
        "a long line": content + b"\nC=" + b"x${A:-y}" * 2000,
        "a deep one": content + b"\nC=" + b"${A:-" * 2000 + b"}" * 2000,
    }
    return wrong[pick.choice([*wrong])] if pick.random() < 0.3 else content


def test_odd_env_files_are_read_as_compose_reads_them(setup, compose_client, tmp_path) -> None:
    pick, seen = random.Random(1), 0
    contents = [content for content in (odd(pick) for _ in range(100)) if b"${A:-${A:-" not in content]
    with ThreadPoolExecutor(2) as threads:
        answers = threads.map(lambda each: compose(tmp_path / str(each[0]), each[1], NAMES), enumerate(contents))
    for content, answer in zip(contents, answers, strict=True):
        mine = ours(setup, content, NAMES)
        if mine is None and answer and (b"\0" in content or "\ufffd" in content.decode(errors="replace")):
            continue  # Compose passes on bytes that are no text; nothing else can
        assert mine == answer, content
        seen += answer is not None
    FIGURES.append(f"{len(contents)} odd .env files read as Compose reads them, which refuses {len(contents) - seen}")
    assert seen > 50


def test_setup_changes_no_value_whatever_env_holds(bake, setup, tmp_path) -> None:
    project = shutil.copytree(bake(project_name="Fuzz").path, tmp_path / "fuzz")
    env, pick = project / ".env", random.Random(2)
    refused, changed, count = 0, 0, 300
    for content in [b"X_PASSWORD='' B=2\n", *(odd(pick) for _ in range(count - 1))]:
        env.write_bytes(content)
        try:
            setup["write_env"](project)
        except ValueError as error:
            assert re.fullmatch(rf"line \d+ ({REASONS}|maximum recursion depth exceeded.*)", str(error))
            assert env.read_bytes() == content
            refused += 1
            continue
        finally:
            assert not (project / ".env.partial").exists()
        before, after = (
            setup["settings"](content.decode("utf-8", "surrogateescape")),
            setup["settings"](setup["read"](env)),
        )
        empty = {name for name, value in before.items() if not value and name.endswith(("_TOKEN", "_PASSWORD"))}
        changed += sum(after.get(name) != value for name, value in before.items() if name not in empty)
        assert changed == 0, content
        assert all(after[name] for name in ("JUPYTER_PORT", "HOST_UID") if name not in before)
        if content:
            setup["write_env"](project)
            assert setup["settings"](setup["read"](env)) == after
    FIGURES.append(f"{count} odd .env files for setup: {refused} refused, 0 tracebacks, {changed} settings changed")
    assert 40 < refused < 200


EXTREME = [  # values that a check works with
    b"",
    b"\nDATA_FOLDER=~nobody-here/x",
    b"\nDATA_FOLDER=" + b"x" * 5000,
    b"\nJUPYTER_PORT=70000",
    b"\nCPUS=" + b"9" * 5000,
    b"\nMEMORY=" + b"9" * 500,
    b"\nHOST_UID={}",
]


def test_the_doctor_reports_whatever_env_holds(bake, tmp_path) -> None:
    project = shutil.copytree(bake(project_name="Fuzz").path, tmp_path / "fuzz")
    pick, warned = random.Random(3), 0
    for number in range(40):
        content = odd(pick) + pick.choice(EXTREME)
        (project / ".env").write_bytes(content)
        command = [sys.executable, "docker/doctor.py", *["--inside"][: number % 2]]
        done = subprocess.run(command, cwd=project, capture_output=True, env={"PATH": str(tmp_path)}, check=False)
        assert done.stderr == b"", content
        assert b" problem" in done.stdout
        assert b"s3cret" not in re.sub(rb"\(?JUPYTER_PORT.*|Port .*", b"", done.stdout), content
        warned += b"Compose changes or drops a $" in done.stdout
    FIGURES.append(f"40 odd .env files for the doctor: 0 tracebacks, {warned} with a $ that is lost")
    assert warned > 2


# ---- files that are not what they should be


def folder(env: Path) -> None:
    env.mkdir()


def loop(env: Path) -> None:
    env.symlink_to(".env")


def link_into_nothing(env: Path) -> None:
    env.symlink_to(env.parent.parent / "nothing")


def closed(env: Path) -> None:
    env.write_text("A=1")
    env.chmod(0)
    env.parent.chmod(0o555)


@pytest.mark.parametrize("cause", [folder, loop, link_into_nothing, closed])
def test_setup_says_in_one_sentence_what_it_cannot_read_or_write(bake, tmp_path, cause) -> None:
    as_anybody = ("setpriv", "--bounding-set=-all") if os.geteuid() == 0 else ()  # else root could read every file
    project = shutil.copytree(bake(project_name="Closed").path, tmp_path / "closed")
    (project / ".env").unlink()
    cause(project / ".env")
    before = sorted(project.rglob("*"))
    said = run(project, *as_anybody, sys.executable, "docker/setup.py", code=1)
    assert re.fullmatch(r"\.env is unchanged: [A-Z][a-z ]+\. Correct that, and run this again as [a-z ]+\.\n", said)
    assert sorted(project.rglob("*")) == before


def test_setup_keeps_an_env_that_is_a_link(bake, tmp_path) -> None:
    project, elsewhere = shutil.copytree(bake(project_name="Link").path, tmp_path / "link"), tmp_path / "elsewhere"
    elsewhere.write_text("A=1\n")
    (project / ".env").unlink()
    (project / ".env").symlink_to("../elsewhere")
    run(project, sys.executable, "docker/setup.py")
    assert (project / ".env").is_symlink()
    assert elsewhere.read_text().startswith("A=1\n")
    assert "\nJUPYTER_PORT=" in elsewhere.read_text()
