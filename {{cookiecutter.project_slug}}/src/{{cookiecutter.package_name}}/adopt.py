"""Make this project one about your table: decide on its columns, and write schema.py and the sample anew."""

import ast
import difflib
import keyword
import os
import re
import shutil
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any, NamedTuple

import pandera.polars as pa
import polars as pl

from . import data, made_up, outputs, schema
from .check import require
from .columns import Column, decide
from .env_file import entries, read
from .errors import ChangedError, EmptyError, OutputError, SettingError, listed, short, shown
from .settings import Settings
from .table import COLUMNS, TYPES, is_text, label

HERE = Path(__file__).parent
ROWS = 300  # made-up rows; or 10 for each class, if these are more
WIDTH = 120  # of a line, as in pyproject.toml
KINDS = {pl.Boolean: "bool", pl.Int64: "int", pl.Float64: "float", pl.String: "str", pl.Date: "pl.Date"}
KINDS |= {pl.Time: "pl.Time", pl.Datetime("us"): "pl.Datetime", pl.Datetime("us", "UTC"): 'pl.Datetime("us", "UTC")'}
SCHEMA = '''"""What a row must look like, and what to predict: the only file that knows the table. `adopt` writes one.

Rules are pandera's. A title is the name that people see, with the unit in brackets at its end. Limits are wide bounds
around what was seen, and listed values are those that were seen: correct what you know better.
"""

import pandera.polars as pa
import polars as pl


class Rows(pa.DataFrameModel):
    """{about}"""

{columns}


TITLE = {title}
TARGET = {target}
TASK = "{task}"  # or "{other}"
{features}
{derived}
SAMPLE = {sample}  # in sample/: rows for the tests, and for a run without an input
'''
DERIVED = 'DERIVED: dict[str, pl.Expr] = {}  # computed features, such as {"area": pl.col("width") * pl.col("height")}'
NOTES = """# The packaged sample: made-up rows

`{sample}`: {rows} rows that nobody measured. `adopt` drew them from the limits and listed values in `../schema.py`, so
that tests, CI and a run without an input work where the data may not go. {same} They say nothing about the world.

You may replace them by real rows that everybody may see.
"""


class Adoption(NamedTuple):
    """What `adopt` decided, and the files that say so."""

    columns: dict[str, Column]
    task: str
    files: dict[Path, bytes]
    changes: str  # of schema.py, line by line, if it was about this target before


def adopt(source: str, target: str, task: str | None, ignored: list[str], settings: Settings) -> Adoption:
    """Decide on the table of an input; write nothing. Raises what `data.tables` and `columns.decide` raise."""
    frames = list[pl.DataFrame]()
    for table in data.tables(source, settings):
        require(table.frame.columns, table.shown, ())
        frames.append(table.frame)
    rows = pl.concat(frames, how="diagonal_relaxed")
    del frames, table  # they would take memory a second time
    if rows.is_empty():
        raise EmptyError(f"{short(shown(source))} has no rows. Choose an input that has some.")
    columns, task = decide(rows, target, task, ignored)
    del rows
    used = {name: column for name, column in columns.items() if not column.left_out}
    for name, column in used.items():
        _keep(name, column)
    stem = "a query" if data.QUERY.match(source) else Path(shown(source)).stem
    begin = re.sub(r"\W+", "-", stem)[:40].strip("-").lower() or "rows"
    names = (f"{begin}{number}.csv" for number in ("", *range(2, 99)))
    sample = next(name for name in names if not (HERE / "sample" / name).exists())
    code = _code(columns, target, task, stem, sample)
    rows, same = _made_up(code, used, target)
    old = (HERE / "schema.py").read_text(encoding="utf-8")
    # in this order: the old sample is there until the new schema is
    files = {HERE / "sample" / sample: rows.write_csv().encode(), HERE / "schema.py": code.encode()}
    if Path(".env").exists():
        files[Path(".env")] = _set(read(Path(".env")), "PIPELINE_INPUT", source).encode("utf-8", "surrogateescape")
    files[HERE / "sample/README.md"] = NOTES.format(sample=sample, rows=rows.height, same=same).encode()
    diff = difflib.unified_diff(old.splitlines(), code.splitlines(), "schema.py", "schema.py, new", lineterm="", n=0)
    return Adoption(columns, task, files, "\n".join(diff) if schema.TARGET == target else "")


def write(adoption: Adoption, *, force: bool) -> None:
    """Write the files, each of them whole, or none. Raises ChangedError, unless forced, and OutputError."""
    command = ["git", "status", "--porcelain", "--untracked-files=no", "--", "schema.py", "sample"]
    if shutil.which("git") and not force:
        done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, errors="replace", check=False)
        if changed := [line[3:].rpartition("/")[2] for line in done.stdout.splitlines()]:
            raise ChangedError(f"{listed(changed)} has changes that are not committed. Commit them, or add --force.")
        if done.returncode and Path(".git").exists():  # of a worktree, whose repository a container does not see
            raise ChangedError("Git cannot tell here whether schema.py has changes. Commit them, then add --force.")
    if Path(".env") in adoption.files and _read_only(".env"):  # as in lab, which sees .env.example in its place
        raise OutputError(".env cannot be written here. Run `docker compose run --rm adopt` outside.")
    outputs.write(adoption.files)
    (HERE / "sample" / schema.SAMPLE).unlink(missing_ok=True)


def _read_only(path: str) -> bool:
    """Say whether a path is on a disk, or a mount of its own, that nobody writes to."""
    return sys.platform != "win32" and bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def _keep(name: str, column: Column) -> None:
    """Keep the title and the rules that schema.py has for a column, as far as they fit what was seen."""
    old, kind = COLUMNS.get(name), column.values.dtype
    words = re.sub(r"[_.\s]+", " ", name).strip()
    column.rules = {"title": label(name) if old else words[:1].upper() + words[1:] or name} | column.rules
    if not old or (TYPES[name].is_numeric(), is_text(name)) != (kind.is_numeric(), kind == pl.String):
        return
    rules = {rule.name: rule.statistics for rule in old.checks}
    known = column.values.drop_nulls()
    if TYPES[name].is_float() and kind == pl.Int64:
        column.values = column.values.cast(pl.Float64)
    for limit, rule, hold in (("ge", "greater_than_or_equal_to", known.ge), ("le", "less_than_or_equal_to", known.le)):
        if rule in rules and limit in column.rules and TYPES[name].is_numeric():
            (bound,) = rules[rule].values()
            column.rules[limit] = bound if hold(bound).all() else column.rules[limit]
    if "isin" in rules and "isin" in column.rules:
        values = list(rules["isin"]["allowed_values"])
        column.rules["isin"] = values + [value for value in column.rules["isin"] if value not in values]
    if old.nullable:
        column.rules["nullable"] = True


def _code(columns: dict[str, Column], target: str, task: str, source: str, sample: str) -> str:
    """Return schema.py."""
    taken = {*dir(pa.DataFrameModel), *keyword.kwlist, *keyword.softkwlist, *KINDS.values(), "pa", "pl", "l"}
    lines, left = list[str](), list[str]()
    features = [name for name, column in columns.items() if not column.left_out and name != target]
    for name, column in columns.items():
        if column.left_out:
            left += [f"    # Left out: {short(name)}, {column.left_out}"]
            continue
        attribute = _attribute(name, taken)
        taken.add(attribute)
        rules = column.rules | ({"alias": name} if attribute != name else {})
        lines += _lines(f"    {attribute}: {KINDS[column.values.dtype]} = pa.Field(", [*rules.items()], ")")
    about = f"A row of {short(source)}."
    title = f"{label(target) if target in COLUMNS else columns[target].rules['title']}, predicted"
    if schema.TARGET == target:
        about, title = schema.Rows.__doc__ or about, schema.TITLE
    about = about.replace("\\", "/").replace('"', "'")
    return SCHEMA.format(
        about=about,
        columns="\n".join(lines + left),
        title=_literal(title),
        target=_literal(target),
        task=task,
        other={"classification": "regression, of a number", "regression": "classification"}[task],
        features="\n".join(_lines("FEATURES = [", [("", name) for name in features], "]")),
        derived=_derived({*features, target}),
        sample=_literal(sample),
    )


def _derived(names: set[str]) -> str:
    """Return the line or lines of schema.py on computed features; without any, if they need other columns."""
    text = Path(str(schema.__file__)).read_text(encoding="utf-8")
    nodes = [node for node in ast.parse(text).body if isinstance(node, ast.AnnAssign)]
    needed = {name for expression in schema.DERIVED.values() for name in expression.meta.root_names()}
    if schema.DERIVED and needed <= names:
        return "\n".join(ast.get_source_segment(text, node) or "" for node in nodes)
    return DERIVED


def _attribute(name: str, taken: set[str]) -> str:
    """Return a name that Python and its conventions allow, and that is not taken."""
    plain = re.sub(r"\W+", "_", unicodedata.normalize("NFKC", name)).strip("_").lower()
    plain = (plain if plain.isidentifier() else f"column_{plain}")[:40].rstrip("_")
    return next(each for n in range(1, 10**6) if (each := plain if n == 1 else f"{plain}_{n}") not in taken)


def _lines(begin: str, arguments: list[tuple[str, object]], end: str) -> list[str]:
    """Return a call or a list as ruff formats it: in one line, if it fits."""
    shown = [f"{key}={_literal(value)}" if key else _literal(value) for key, value in arguments]
    indent = " " * (len(begin) - len(begin.lstrip()) + 4)
    if _width(one := begin + ", ".join(shown) + end) <= WIDTH:
        return [one]
    if begin.endswith("(") and _width(inside := indent + ", ".join(shown)) <= WIDTH:
        return [begin, inside, indent[4:] + end]
    lines = [begin]
    for (key, value), text in zip(arguments, shown, strict=True):
        if isinstance(value, list) and _width(f"{indent}{text},") > WIDTH:
            lines += _lines(f"{indent}{key}=[", [("", each) for each in value], "],")
        else:
            lines.append(f"{indent}{text},")
    return [*lines, indent[4:] + end]


def _width(text: str) -> int:
    """Return the columns that a text takes on a screen, as ruff counts them."""
    marks = sum(unicodedata.combining(character) > 0 for character in text)
    return sum(1 + (unicodedata.east_asian_width(character) in "FW") for character in text) - marks


def _literal(value: object) -> str:
    """Return a value as Python code, with the quotes that ruff chooses."""
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if not isinstance(value, str):
        return repr(value).replace("e+", "e")
    text = repr('"' + value)[2:-1]  # as between single quotes
    if value.count('"') > value.count("'"):
        return f"'{text}'"
    return '"' + text.replace(r"\'", "'").replace('"', r"\"") + '"'


def _made_up(code: str, used: dict[str, Column], target: str) -> tuple[pl.DataFrame, str]:
    """Return rows that keep a new schema.py's rules, and whether none is real, which few different rows rule out."""
    space: dict[str, Any] = {"__name__": "schema"}
    exec(compile(code, "schema.py", "exec"), space)  # our own text, every value in it quoted
    rules = space["Rows"].to_schema()
    count = max(ROWS, 10 * len(used[target].rules.get("isin", [])))
    real = pl.DataFrame([column.values.alias(name) for name, column in used.items()])
    rows = made_up.rows(rules, target, 3 * count)
    others = rows
    for part in real.iter_slices(100_000):  # all at a time would take much memory
        others = others.join(part, on=rows.columns, how="anti", nulls_equal=True, maintain_order="left")
    if others.height >= count:
        return others[:count], "None of them is a row of the real table."
    return rows[:count], "The columns allow so few different rows that some are equal to real ones."


def _set(text: str, name: str, value: str) -> str:
    """Return the text of an .env file in which a setting has a value."""
    quoted = value if re.fullmatch(r"[\w./:=+-]+", value) else "'" + value.replace("'", r"\'") + "'"
    found = [entry for entry in entries(text) if entry.name == name]
    if faults := [entry for entry in entries(text) if entry.fault]:
        raise SettingError(f".env cannot be read: line {faults[0].line} {faults[0].fault}. Correct that line.")
    if not found:
        return text + "\n" * (text[-1:] not in ("", "\n")) + f"{name}={quoted}\n"
    last = found[-1]
    end = last.text[len(last.text.rstrip("\r\n")) :] + text[last.start + len(last.text) :]
    return text[: last.start] + f"{name}={quoted}" + end
