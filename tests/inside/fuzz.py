"""Feed broken tables and untidy folders to the pipeline of a generated project, inside its image; print the counts.

The first argument is the package's name. Whatever it meets must end in one short sentence, and no file may be left out
unsaid.
"""

import contextlib
import gzip
import importlib
import io
import json
import os
import random
import re
import sys
import traceback
from collections import Counter
from pathlib import Path

package = sys.argv[1]
cli, data = (importlib.import_module(f"{package}.{name}") for name in ("__main__", "data"))
PICK = random.Random(1)
SAMPLE = data.SAMPLE.read_bytes()
PARQUET = io.BytesIO()
data.read()[0].write_parquet(PARQUET)
NASTY = [b"\0", b'"', b"'", b"\r", b"\n", b"\n\n", b",", b";", b"\t", b"\xe9", b"\xff\xfe", b"\x1b[31m", b"9" * 400]
NASTY += [b"NaN", b"inf", b"1,5", b"=1+1", b"\xf0\x9f\x90\xa7", b"\xef\xbb\xbf", b"sep=;\n", b"x" * 70000, b"-", b" "]
NAMES = ["a.csv", "b.CSV", "c.tsv", "d.csv.gz", "e.parquet", "f.txt", "g.xlsx", ".h.csv", "i", "j.csv.zip", "k l.csv"]
NAMES += ["caf\udce9.csv", "sub/m.csv", "year=2008/n.csv", ".hid/o.csv", "[1].csv", "*.csv", "\x1b[31m.csv", "-p.csv"]
COUNTS = Counter(inputs=0, refusals=0, tracebacks=0, long=0, silent=0)


def mutated() -> bytes:
    """Return a table as a slip of the hand, a cut download or another program leaves it."""
    content = PARQUET.getvalue() if PICK.random() < 0.2 else SAMPLE
    for _ in range(PICK.choice((1, 1, 2, 5))):
        kind, spot = PICK.randrange(8), PICK.randrange(len(content) + 1)
        if kind == 0:
            content = content[:spot]
        elif kind == 1:
            content = content[:spot] + content[spot + PICK.randrange(1, 30) :]
        elif kind == 2:
            content = content.replace(b",", PICK.choice((b";", b"\t", b"|", b" ", b"::")))
        elif kind == 3:
            old = PICK.choice((b"2007", b"Adelie", b"NA", b".", b"species", b"\n"))
            content = content.replace(old, PICK.choice(NASTY), PICK.choice((1, -1)))
        elif kind == 4:
            with contextlib.suppress(UnicodeError):
                content = content.decode().encode(PICK.choice(("utf-16", "utf-16-le", "utf-32", "utf-8-sig")))
        else:
            content = content[:spot] + PICK.choice(NASTY) + content[spot:]
    return gzip.compress(content)[: PICK.choice((None, 99))] if PICK.random() < 0.1 else content


def check(source: Path) -> tuple[int, str]:
    """Return the exit code and all that the command line says of an input."""
    said = io.StringIO()
    sys.argv = ["pipeline", "check", "--input", str(source)]
    code = 99
    COUNTS["inputs"] += 1
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            cli.main()
    except SystemExit as stop:
        code = stop.code or 0
    except BaseException:
        COUNTS["tracebacks"] += 1
        print(f"{source}\n{traceback.format_exc()}", file=sys.stderr)
    COUNTS["refusals"] += code != 0
    sentence = ["", *said.getvalue().splitlines()][-1]
    if len(sentence) > 410 or not sentence.isprintable():
        COUNTS["long"] += 1
        print(f"{source}: {said.getvalue()[:2000]!r}", file=sys.stderr)
    return code, said.getvalue()


def folder(path: Path) -> None:
    """Check a folder of a few files of any kind; each is read, or named, or the reason of a refusal."""
    for name in PICK.sample(NAMES, PICK.randrange(1, 6)):
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        table = {".gz": gzip.compress(SAMPLE), ".parquet": PARQUET.getvalue()}.get(file.suffix, SAMPLE)
        file.write_bytes(mutated() if PICK.random() < 0.1 else table)
        if PICK.random() < 0.1:
            file.unlink()
            file.symlink_to("/not/in/this/container.csv")
    code, said = check(path)
    if code:
        return
    read = int(re.search(r" in (\d+) file", said)[1])
    files = [Path(root, name) for root, _, names in os.walk(path) for name in names]
    named = sum(line.count(",") for line in said.splitlines() if line.startswith("Note: Left out"))
    # "Left out, as hidden: a, b." has a comma for each name; a hidden folder is named once
    if read + named < len(files):
        COUNTS["silent"] += 1
        print(f"{[str(file) for file in files]}: {said!r}", file=sys.stderr)


for number in range(500):
    table = Path(f"/tmp/fuzz/{number}.{PICK.choice(('csv', 'csv', 'tsv', 'parquet'))}")
    table.parent.mkdir(exist_ok=True)
    table.write_bytes(mutated())
    check(table)
for number in range(100):
    folder(Path(f"/tmp/fuzz/folder-{number}"))
print(json.dumps(COUNTS))
