"""Whatever pyproject.toml says, lock makes locks or refuses in one sentence, and then changes nothing.

The packages are empty wheels in a folder, so that a file that can be locked is locked, without any network.
"""

import base64
import hashlib
import importlib.util
import random
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from baking import Baked
from checks import pins
from summary import FIGURES
from template import TREE

Answer = tuple[str, str]  # the last sentence, empty for success, and all that was shown
GIT = shutil.which("git")  # `lock` takes all else out of reach
INPUTS = 300
PYTHON = "{}.{}".format(*sys.version_info)
TYPES = (
    "3",
    "-1.5",
    "true",
    "[]",
    "{}",
    '""',
    '"x"',
    "[[1], {a = 2}]",
    '["six"]',
    "1979-05-27",
    '{path = "."}',
    "'''\n'''",
)
NASTY = (
    "\0",
    '"',
    "'",
    "[",
    "]",
    "{",
    "}",
    "=",
    ",",
    "#",
    "\\",
    "\n",
    "\r",
    "\t",
    "@",
    "${HOME}",
    ">=",
    "é",
    "\u2028",
    "🐧",
)


def wheel(folder: Path, name: str, version: str, tag: str = "py3-none-any") -> Path:
    """Write a package with an empty module, and return its file."""
    module, info = name.replace("-", "_"), f"{name.replace('-', '_')}-{version}.dist-info"
    files = {
        f"{module}.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: {tag}\n",
    }
    record = f"{info}/RECORD"
    digests = {file: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()) for file, text in files.items()}
    listed = [f"{file},sha256={digest.decode().rstrip('=')},{len(files[file])}" for file, digest in digests.items()]
    with zipfile.ZipFile(folder / f"{module}-{version}-{tag}.whl", "w") as archive:
        for file, text in (files | {record: "\n".join([*listed, f"{record},,"])}).items():
            archive.writestr(file, text)
    return Path(archive.filename)


@pytest.fixture(scope="module")
def packages(bake, tmp_path_factory) -> Path:
    """Return a folder with a wheel of each locked package, and of some that only other machines can install."""
    folder = tmp_path_factory.mktemp("packages")
    for name, version in (pins(bake().text("requirements/lab.txt")) | {"six": "1.0", "x": "1.0"}).items():
        wheel(folder, name, version)
    wheel(folder, "elsewhere", "1.2", "py3-none-win_amd64")
    wheel(folder, "older", "3.4", "cp312-cp312-any")
    return folder


@pytest.fixture
def lock(bake, packages, tmp_path, monkeypatch, capsys) -> Callable[..., Answer]:
    """Return a function that locks a project with some pyproject.toml, in this process."""
    specification = importlib.util.spec_from_file_location("lock", TREE / "docker/lock.py")
    program = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(program)
    (tmp_path / "requirements").mkdir()
    monkeypatch.chdir(tmp_path)
    settings = {"UV_NO_INDEX": "1", "UV_OFFLINE": "1", "UV_FIND_LINKS": packages, "UV_CACHE_DIR": packages / "cache"}
    settings["PATH"] = Path(sys.executable).parent  # uv, and no Python but this one
    for name, value in settings.items():
        monkeypatch.setenv(name, str(value))
    shipped = {Path(file): content for file, content in bake().files.items() if file.startswith("requirements/")}

    def run(project: bytes | None, *options: str, before: dict[Path, bytes] = shipped) -> Answer:
        before = before | ({} if project is None else {Path("pyproject.toml"): project})
        Path("pyproject.toml").unlink(missing_ok=True)
        for file, content in before.items():
            file.write_bytes(content)
        try:
            program.main([*options], PYTHON)
            sentence = ""
        except SystemExit as stop:
            sentence = str(stop.code)
        shown = "".join(capsys.readouterr())
        after = {file.relative_to(tmp_path): file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
        assert "Traceback" not in shown
        assert "panicked" not in shown
        assert after.keys() == before.keys()
        if sentence:
            assert re.fullmatch(r"The locks are unchanged.*\.", sentence)
            assert after == before
        return sentence, shown

    return run


def merged(ours: str, theirs: str, folder: Path, *options: str) -> str:
    """Return what git makes of two versions of a lock that have nothing in common."""
    for name, text in (("ours", ours), ("base", ""), ("theirs", theirs)):
        (folder / name).write_text(text)
    command = [GIT, "merge-file", "--stdout", *options, folder / "ours", folder / "base", folder / "theirs"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize("options", [(), ("--diff3",), ("--zdiff3",)])
def test_of_two_versions_of_an_update_the_newer_ones_are_kept(bake, lock, packages, tmp_path_factory, options) -> None:
    """The owner has added six and x; the template has newer versions of Jinja2 and, by then, an older x."""
    for name, version in (("jinja2", "3.9"), ("jinja2", "3.99"), ("x", "0.9")):
        wheel(packages, name, version)
    baked, folder = bake(), tmp_path_factory.mktemp("merge")
    project = changed(baked, '    "typer', '    "six",\n    "x",\n    "typer')
    both = {}
    for name, text in ((name, baked.text(name)) for name in baked.files if name.startswith("requirements/")):
        ours = text + f"six==1.0 \\\n    --hash=sha256:{'0' * 64}\nx==1.0 \\\n    --hash=sha256:{'1' * 64}\n"
        theirs = re.sub(r"(?m)^jinja2==\S+", "jinja2==3.9", text) + f"x==0.9 \\\n    --hash=sha256:{'2' * 64}\n"
        both[Path(name)] = merged(ours, theirs, folder, *options).encode()
        assert b"<<<<<<<" in both[Path(name)]
    sentence, shown = lock(project, before=both)
    assert not sentence, shown
    for name in ("base", "lab", "process"):
        made = Path(f"requirements/{name}.txt").read_text()
        found = pins(made)
        assert (found["jinja2"], found["six"], found["x"]) == ("3.9", "1.0", "1.0"), name  # and nothing newer than both
        assert "<<<" not in made
        assert made.count("sha256:") >= len(found)


def test_a_project_file_with_two_versions_is_refused_by_line(bake, lock) -> None:
    sides = '    "typer\n<<<<<<< ours\n    "six",\n=======\n    "x",\n>>>>>>> theirs'
    sentence, _ = lock(changed(bake(), '    "typer', sides))
    line = bake().text("pyproject.toml").partition('    "typer')[0].count("\n") + 2
    assert f"in pyproject.toml, an update left two versions at line {line}." in sentence


def changed(baked: Baked, old: str, new: str, end: str = "") -> bytes:
    """Return a project's pyproject.toml with one change, and more at its end."""
    text = baked.text("pyproject.toml")
    assert len(re.findall(old, text)) == 1
    return f"{re.sub(old, lambda _: new, text)}\n{end}\n".encode()


def asking(baked: Baked, requirement: str, end: str = "") -> bytes:
    """Return a project's pyproject.toml with one more dependency."""
    return changed(baked, '    "typer', f'    {requirement},\n    "typer', end)


@pytest.mark.parametrize(
    "python", ["", ">=3", ">=3.13", "<3.15,>=3.13", ">3.12", "~=3.13", "==3.13.*", ">= 3.13, != 3.14.1"]
)
def test_any_required_python_is_right(bake, lock, python) -> None:
    """For uv, the image's own Python counts."""
    line = f'requires-python = "{python}"\n' if python else ""
    sentence, shown = lock(changed(bake(), r"requires-python = .*\n", line))
    assert not sentence
    assert shown.count(" 0 new or changed") == 2


def test_a_byte_order_mark_is_right(bake, lock) -> None:
    assert lock("\ufeff".encode() + bake().files["pyproject.toml"])[0] == ""


@pytest.mark.parametrize(
    ("requirement", "end", "said"),
    [
        ('"a @ git+https://t0ken@host.example/a@main"', "", "a comes from Git"),
        ('"a@git+ssh://git@host.example/a"', "", "a comes from Git"),
        ('"a @ https://host.example/a.git"', "", "a comes from Git"),
        ('"a"', '[tool.uv.sources]\na = { git = "https://t0ken@host.example/a", tag = "1" }', "a comes from Git"),
        ('"a"', '[tool.uv.sources]\na = [{ git = "https://host.example/a", marker = "os_name == \'x\'" }]', "from Git"),
        ('"a @ file:///a"', "", "a is on a local path"),
        ('"a @ ./a"', "", "a is on a local path"),
        ('"./a"', "", "is on a local path"),
        ('"a @ ${PROJECT_ROOT}/a"', "", "a is on a local path"),
        ('"a"', '[tool.uv.sources]\na = { path = "a", editable = true }', "a is on a local path"),
        ('"a"', "[tool.uv.sources]\na = { workspace = true }", "a is on a local path"),
        ('"a"', '[tool.uv.sources]\na = { url = "file:///app/a-1-py3-none-any.whl" }', "a is on a local path"),
        ('"a"', '[tool.uv.sources]\na = { index = "cpu" }', "EXTRA_INDEX"),
        ('"a"', '[tool.uv.sources]\na = { index = "extra" }', "EXTRA_INDEX"),
        ('"a"', '[[tool.uv.index]]\nname = "cpu"\nurl = "https://t0ken@host.example/simple"', "EXTRA_INDEX"),
        ('"a"', '[tool.uv.pip]\nextra-index-url = ["https://host.example/simple"]', "EXTRA_INDEX"),
        ('"elsewhere"', "", "elsewhere==1.2 has no wheel for Python "),
        ('"older"', "", "older==3.4 has no wheel for Python "),
        ('"six>1"', "", "because of the error above"),
        ('"humanize 4"', "", "because of the error above"),
        ('"six >= one"', "", "because of the error above"),
        ('"https://host.example/six-1.0-py3-none-any.whl"', "", "a list of dependencies"),
        ("3", "", "because of the error above"),
        ('"six" "x"', "", "is not valid TOML"),
        ('"six"', "requires-python", "is not valid TOML"),
        ('"six"', f"x = {'[' * 5000}", "is not TOML"),
        ('"six"', f"x = {'9' * 5000}", "is not valid TOML"),
    ],
)
def test_what_no_image_can_install_is_refused_by_name(bake, lock, requirement, end, said) -> None:
    sentence, shown = lock(asking(bake(), requirement, end))
    assert said in sentence
    assert "t0ken" not in sentence + shown
    sentence, shown = lock(bake().files["pyproject.toml"])  # the requirement is taken out again
    assert not sentence
    assert shown.count(" 0 new or changed") == 2


@pytest.mark.parametrize(
    ("project", "said"),
    [
        (None, "pyproject.toml: No such file"),
        ("[project]\nname = 'é'\n".encode("latin-1"), "is not TOML in UTF-8"),
        ("[project]\nname = 'x'\n".encode("utf-16"), "is not TOML in UTF-8"),
        (b"", "a list of dependencies"),
        (b"project = 3", "because of the error above"),
        (b"[project]\nname = 'x'\nversion = '1'\ndynamic = ['dependencies']", "a list of dependencies"),
        (b"[project]\nname = 'x'\nversion = '1'\n[dependency-groups]\ndev = []", "because of the error above"),
        (b"[project]\nname = 'x'\nversion = '1'\n[dependency-groups]\nlab = [{include-group = 'no'}]", "error above"),
        (
            b"[project]\nname = 'x'\nversion = '1'\nrequires-python = 'abc'\n[dependency-groups]\nlab = []",
            "error above",
        ),
    ],
)
def test_what_is_not_a_project_is_refused(lock, project, said) -> None:
    assert said in lock(project)[0]


@pytest.mark.parametrize(
    "options",
    [["--upgade"], ["--add"], ["--add", "git+https://h.example/x"], ["--add", "x y"], ["--add", "./x"], ["--help"]],
)
def test_a_mistyped_option_is_not_about_versions(bake, lock, options) -> None:
    sentence, shown = (
        ("The locks are unchanged.", "") if options == ["--help"] else lock(bake().files["pyproject.toml"], *options)
    )
    assert sentence
    assert "solution" not in sentence + shown


def broken(text: str, chance: random.Random) -> bytes:
    """Return a file as somebody's editor, merge or haste may leave it."""
    lines = text.splitlines(keepends=True)
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        number, kind = chance.randrange(len(lines)), chance.randrange(8)
        line = lines[number]
        spot = chance.randrange(len(line) + 1)
        if kind == 0:
            lines[number] = ""
        elif kind == 1:
            lines[number] = line[:spot] + chance.choice(NASTY) + line[spot:]
        elif kind == 2:
            lines[number] = line[:spot] + line[spot + chance.randrange(1, 9) :]
        elif kind == 3 and "=" in line:
            lines[number] = f"{line.partition('=')[0]}= {chance.choice(TYPES)}\n"
        elif kind == 4:
            lines[number] = line + chance.choice(lines)
        elif kind == 5:
            lines[number] = f"<<<<<<< HEAD\n{line}=======\n{line}>>>>>>> other\n"
        elif kind == 6:
            lines[number] = line.replace('"', "”")
        else:
            lines[number] = re.sub(r'"[a-z]+', lambda match: f'"{chance.choice(NASTY)}{match[0][1:]}', line)
    content = "".join(lines).encode(chance.choice(("utf-8",) * 20 + ("utf-16", "utf-8-sig")))
    return content[: chance.randrange(len(content))] if chance.random() < 0.05 else content


def test_no_broken_file_ends_in_a_traceback(bake, lock) -> None:
    chance = random.Random(1)
    text = re.sub(r'requires-python = ".*"', f'requires-python = ">={PYTHON}"', bake().text("pyproject.toml"))
    refused = 0
    for number in range(INPUTS):
        options = ["--add", "six"] if number % 4 == 0 else []
        sentence, _ = lock(broken(text, chance), *options)
        refused += bool(sentence)
    FIGURES.append(f"{INPUTS} broken pyproject.toml files: {refused} refused, 0 tracebacks, 0 locks changed by them")
    assert INPUTS / 4 < refused < INPUTS * 0.95
