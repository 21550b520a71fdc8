"""Read the input: the packaged sample, one file, a folder of files, or the result of a query.

It is read in parts that fit the memory one after the other, however large it is.
"""

import logging
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, NoReturn
from urllib.parse import unquote

import polars as pl

from . import remote, schema
from .check import check
from .convert import Forms, forms
from .errors import EmptyError, InputError, PipelineError, listed, short, shown
from .formats import BYTES, ENDINGS, NAMES, VALUES, Piece, Table, pieces, read_piece
from .remote import Remote
from .settings import Settings, memory
from .table import CLASSES, TYPES
from .workers import ALONE

SAMPLE = Path(__file__).parent / "sample" / schema.SAMPLE
QUERY = re.compile(  # what starts like one and is not the name of a file, such as `select.csv` or `with head.csv`
    r"""(?isx) (?! (?:(?!\bFROM\b).)* \.(?:csv|parquet)\s*$ ) [\s(]* (?: --.*\n | /\*.*\*/
    | SELECT (?= [\s*'"($+@~\[{] | -[\s\d(-] | /\* ) | VALUES (?= \s*\( | \s*-- | \s*/\* )
    | (?:WITH|FROM|TABLE|DESCRIBE|DESC|SHOW|SUMMARIZE|PIVOT|UNPIVOT|EXPLAIN) (?= [\s'"(] | -- | /\* ) )"""
)
QUERIED = "The query's result"
log = logging.getLogger(__name__)  # tells what was left out, and how a file was read


@dataclass(eq=False)
class Part:
    """Rows of the input that are in memory at the same time."""

    pieces: list[Piece] = field(default_factory=list)  # of the files that have them
    kept: pl.DataFrame | None = None  # the rows, if they need not be read again

    def rows(self) -> pl.DataFrame:
        """Return the checked rows (see `schema.Rows`). Raises InputError if a file has changed."""
        if self.kept is not None:
            return self.kept
        return pl.concat([_checked(piece) for piece in self.pieces])

    def __getstate__(self) -> dict[str, Any]:
        """Return what a worker needs, which can read the files itself."""
        return self.__dict__ | {"kept": None if self.pieces else self.kept}


class Read(NamedTuple):
    """What came of reading one piece."""

    rows: int = 0
    sha256: str = ""
    forms: Forms = Forms()
    notes: tuple[str, ...] = ()  # on how it was read
    others: tuple[str, ...] = ()  # names of columns that the schema does not have
    error: PipelineError | None = None


class Seen(NamedTuple):
    """What is to be known about the rows of a part, or of all."""

    rows: int
    known: int  # rows that have a target; what follows is about these
    size: int  # bytes of memory
    columns: dict[str, tuple[int, Any, Any]]  # of each: how many values are missing, the smallest and the largest
    targets: pl.DataFrame  # (classes x 2): each, and how many rows are of it; empty in a regression


@dataclass
class Input:
    """The whole input: its parts, and what is known about their rows."""

    parts: list[Part]
    seen: list[Seen]  # of each part
    sources: list[dict] = field(default_factory=list)  # of each file or query, for the record of the run

    @cached_property
    def total(self) -> Seen:
        """What is to be known about the rows of all parts."""
        columns = dict[str, tuple[int, Any, Any]]()
        for name in self.seen[0].columns:
            missing, lows, highs = zip(*(seen.columns[name] for seen in self.seen), strict=True)
            low, high = ([value for value in ends if value is not None] for ends in (lows, highs))
            columns[name] = (sum(missing), min(low, default=None), max(high, default=None))
        rows, known, size = (sum(each) for each in zip(*(seen[:3] for seen in self.seen), strict=True))
        targets = pl.concat([seen.targets for seen in self.seen]).group_by("value", maintain_order=True).sum()
        return Seen(rows, known, size, columns, targets)


def read(source: str | Path | None = None, settings: Settings | None = None) -> tuple[pl.DataFrame, list[dict]]:
    """Return the checked rows (see `schema.Rows`) of a file, a folder, a query or the packaged sample (None).

    Also returns the `path`, `sha256`, number of `rows` and `columns_left_out` of each file or query. Raises InputError,
    ColumnError, ValueRangeError, EmptyError or DatabaseError.
    """
    table = examine(source, settings, keep=memory() / 2)
    if any(part.kept is None for part in table.parts):
        remedy = "Run the pipeline on it, which needs it in parts only; or read one of its files"
        raise InputError(f"{short(shown(source))} does not fit the memory as a whole. {remedy}.")
    return pl.concat([part.rows() for part in table.parts]), table.sources


def examine(
    source: str | Path | None = None,
    settings: Settings | None = None,
    each: Callable[[Callable, list], Iterable] = ALONE.each,
    keep: float | None = None,
) -> Input:
    """Read and check an input, part by part, and return what is to be known about it. Raises what `read` raises.

    `each` calls a function with each part, here or on other machines. `keep` is how many bytes of rows may stay in
    memory, so that they need not be read again.
    """
    keep = memory() / 8 if keep is None else keep
    if _is_query(source):
        from . import database  # only now, as most inputs are files

        frame = database.query(str(source), settings)
        known = forms([frame], TYPES)
        rows = check(frame, QUERIED, known)
        _tell((note, QUERIED) for note in _on_commas(known))
        step = VALUES // rows.width
        parts = [Part(kept=rows[at : at + step]) for at in range(0, rows.height or 1, step)]
        digest = sha256(rows.write_csv().encode()).hexdigest()
        others = [name for name in frame.columns if name not in TYPES]
        sources = [_source(str(source), digest, rows.height, others)]
        table = Input(parts, [_summary(part.kept) for part in parts], sources)
    else:
        table = _examine_files(_parts(_files(source), each), each, keep)
    if not table.total.rows:
        raise EmptyError(f"{short(shown(source))} has no rows. Choose an input that has some.")
    return table


def of(rows: pl.DataFrame) -> Input:
    """Return checked rows as an input of one part."""
    return Input([Part(kept=rows)], [_summary(rows)])


def put(rows: pl.DataFrame, folder: Path, number: int) -> None:
    """Write rows to a folder, as the part with this number of what `joined` makes one. Raises OSError."""
    with _disk():
        rows.write_parquet(folder / f"{number:08}.parquet")


def joined(folder: Path, change: Callable[[pl.LazyFrame], pl.LazyFrame] = lambda rows: rows) -> Path:
    """Return a new file with the rows of all parts in a folder, changed if need be. Raises OSError."""
    file = folder / "joined"
    with _disk():
        change(pl.scan_parquet(sorted(folder.glob("*.parquet")), glob=False)).sink_parquet(file)
    return file


@contextmanager
def _disk() -> Iterator[None]:
    """Give an OSError its number, which Polars has only in the text, and often in an error of another kind."""
    try:
        yield
    except (OSError, pl.exceptions.ComputeError) as error:
        if not (system := re.search(r"\(os error (\d+)\)", str(error))):
            raise
        number = int(system[1])
        raise OSError(number, os.strerror(number)) from None


def tables(source: str | Path | None, settings: Settings | None = None) -> Iterator[Table]:
    """Yield each table of a file, a folder, a query or the packaged sample (None), whole and with all its columns.

    The columns of CSV are text. Raises InputError, ColumnError, EmptyError or DatabaseError.
    """
    if _is_query(source):
        from . import database

        yield Table(database.query(str(source), settings), QUERIED)
        return
    notes = list[tuple[str, str]]()
    for file in _files(source):
        yield (table := _read(file, {}))
        notes += [(note, table.shown) for note in table.notes]
    _tell(notes)


def _is_query(source: str | Path | None) -> bool:
    return bool(source and not os.path.lexists(source) and QUERY.match(str(source)))


def _source(path: str, sha256: str, rows: int, others: Iterable[str]) -> dict[str, Any]:
    """Return what the record of a run says about a file or a query."""
    return {"path": path, "sha256": sha256, "rows": rows, "columns_left_out": list(others)}


def _tell(notes: Iterable[tuple[str, str]]) -> None:
    """Log notes, each once, with the names of the files that it is about."""
    files = defaultdict[str, list[str]](list)
    for note, file in dict.fromkeys(notes):
        files[note].append(file)
    for note, names in files.items():
        log.warning("%s: %s.", listed(names, 80), note)


def _parts(files: list[Piece], each: Callable) -> list[Part]:
    """Return files as parts: small ones together, large ones divided. Raises InputError."""
    large = [file for file in files if file.size > BYTES]  # to divide them is to read them
    divided = dict(zip(large, each(_divided, large), strict=True))
    parts, room = list[Part](), -1  # bytes, in the last one
    for file in files:
        found = divided.get(file) or _divided(file)
        if len(found) == 1 and file.weight <= room:
            parts[-1].pieces += found
            room -= file.weight
        else:
            parts += [Part([piece]) for piece in found]
            room = BYTES - file.weight if len(found) == 1 else -1
    return parts


def _divided(file: Piece) -> list[Piece]:
    """Return a file as the pieces in which it is read. Raises InputError."""
    try:
        return pieces(file)
    except OSError as error:
        _refuse(error, Path(file.shown))


def _examine_files(parts: list[Part], each: Callable, keep: float) -> Input:
    """Read and check files; see `examine`."""
    seen, reads, divided = dict[Part, Seen](), dict[Piece, Read](), defaultdict[object, list[Part]](list)
    for part in _results(parts, each, seen, reads):
        keep = _hold(part, keep)
        if not part.pieces[0].whole:
            divided[part.pieces[0].file].append(part)
    for its_parts in divided.values():
        its_reads = [reads[part.pieces[0]] for part in its_parts]
        moments = {name: form for read in its_reads for name, form in read.forms.moments.items()}
        agreed = all(
            not read.error and read.forms.sure and read.forms.moments.items() <= moments.items() for read in its_reads
        )
        known = Forms(moments=moments) if agreed else forms((_read(part.pieces[0]).frame for part in its_parts), TYPES)
        for part in its_parts:
            part.pieces[0].forms = known
            if not agreed and part.kept is not None:
                keep, part.kept = keep + part.kept.estimated_size(), None
        for part in [] if agreed else _results(its_parts, each, seen, reads):
            keep = _hold(part, keep)
    sources = dict[object, dict[str, Any]]()
    notes = list[tuple[str, str]]()
    for piece, read in reads.items():
        source = sources.setdefault(piece.file, _source(piece.shown, read.sha256, 0, read.others))
        source["rows"] += read.rows
        notes += [(note, piece.shown) for note in read.notes]
    _tell(notes)
    return Input(parts, [seen[part] for part in parts], [*sources.values()])


def _hold(part: Part, keep: float) -> float:
    """Keep the rows of a part in memory, if they are no more than `keep` bytes; return how many may still stay."""
    size = part.kept.estimated_size() if part.kept is not None else 0
    part.kept = part.kept if size <= keep else None
    return keep - size if part.kept is not None else keep


def _results(parts: list[Part], each: Callable, seen: dict[Part, Seen], reads: dict[Piece, Read]) -> Iterator[Part]:
    """Examine parts; yield each once it is in `seen`, and its pieces in `reads`. Raises what `read` raises.

    An error that may come of how texts are read, which only the whole file tells, is left in `reads`.
    """
    before, unsure = Counter[object](), set[object]()
    for part, (summary, its_reads) in zip(parts, each(_examine, parts), strict=True):
        for piece, read in zip(part.pieces, its_reads, strict=False):  # an error is the last
            reads[piece] = read
            if read.error and (piece.whole or piece.forms or (read.forms.sure and piece.file not in unsure)):
                if not piece.whole:  # again, as it now can say which row of the file it is
                    piece.forms, piece.before = read.forms, before[piece.file]
                    _checked(piece)
                raise read.error
            if read.error:
                unsure.add(piece.file)
            before[piece.file] += read.rows
        seen[part] = summary
        yield part


def _examine(part: Part) -> tuple[Seen | None, list[Read]]:
    """Read and check a part; return what its rows are, unless one of its pieces has an error, and what came of each."""
    frames, reads = list[pl.DataFrame](), list[Read]()
    for piece in part.pieces:
        known = Forms()
        try:
            table = _read(piece)
            known = piece.forms or forms([table.frame], TYPES)
            frames.append(_checked(piece, table, known))
            notes = (*table.notes, *_on_commas(known))
            reads.append(Read(table.frame.height, table.sha256, known, notes, (*table.others,)))
        except PipelineError as error:
            return None, [*reads, Read(forms=known, error=error)]
    part.kept = pl.concat(frames)
    return _summary(part.kept), reads


def _on_commas(known: Forms) -> list[str]:
    """Return the note on commas in numbers, if there is something to say."""
    return [f"commas in numbers are {known.comma}"] if known.comma else []


def _read(piece: Piece, types: dict[str, pl.DataType] = TYPES) -> Table:
    """Return the table of a piece. Raises InputError, ColumnError or EmptyError."""
    try:
        return read_piece(piece, types)
    except OSError as error:
        _refuse(error, Path(piece.shown))


def _checked(piece: Piece, table: Table | None = None, known: Forms | None = None) -> pl.DataFrame:
    """Return the rows of a piece. Raises what `read` raises."""
    table = table or _read(piece)
    return check(table.frame, table.shown, known or piece.forms, None if piece.whole else piece.before)


def _summary(rows: pl.DataFrame) -> Seen:
    """Return what is to be known about rows."""
    known = rows.filter(pl.col(schema.TARGET).is_not_null()) if rows[schema.TARGET].has_nulls() else rows
    columns = {}
    for column in known:
        ends = (column.min(), column.max()) if column.dtype.is_numeric() or column.dtype.is_temporal() else (None, None)
        columns[column.name] = (column.null_count(), *ends)
    targets = known.select(value=schema.TARGET) if CLASSES else known.select(value=schema.TARGET).clear()
    counts = targets.group_by("value", maintain_order=True).len("count")
    return Seen(rows.height, known.height, known.estimated_size(), columns, counts)


def _files(source: str | Path | None) -> list[Piece]:
    """Return the file, or the files below a folder in the order of their names. Raises InputError or SettingError.

    What is left out is logged, with the reason.
    """
    if remote.is_remote(str(source)):
        return [_file(file, file.name, path.split("/"), file.size) for file, path in _far(str(source)).items()]
    files, path = list[Piece](), Path(source or SAMPLE)
    for file in _near(path):
        try:
            status = file.stat()
        except OSError as error:
            _refuse(error, file)
        name = f"packaged sample {file.name}" if file == SAMPLE else file.as_posix()
        files.append(_file(file, name, file.relative_to(path).parts, status.st_size, status.st_mtime))
    return files


def _file(file: Path | Remote, name: str, inside: Sequence[str], size: int, changed: float = 0) -> Piece:
    """Return a file that has a path inside the input."""
    # folders such as year=2007 are a column
    folders = [part.split("=", 1) for part in inside[:-1] if "=" in part]
    added = {key: None if value == "__HIVE_DEFAULT_PARTITION__" else unquote(value) for key, value in folders}
    return Piece(file, short(name, 150), added, size, changed)


def _far(address: str) -> dict[Remote, str]:
    """Return the files of an address, each with its path below it."""
    name = shown(address).rstrip("/")
    inside = {file: file.name.removeprefix(name).lstrip("/") for file in remote.find(address)}
    hidden = [file for file, path in inside.items() if re.search(r"(^|/)[._]", path)]  # such as Spark's _SUCCESS
    others = [file for file in inside if file not in hidden and not NAMES.search(file.name)]
    tables = sorted({*inside} - {*hidden, *others})
    if not tables:
        problem = "does not end in" if "" in inside.values() else "has no file that ends in"
        raise InputError(f"{short(name, 150)} {problem} {ENDINGS}. Convert the data, or choose another input.")
    _tell_left_out("hidden", [inside[file] for file in hidden])
    _tell_left_out("no table", [inside[file] for file in others])
    return {file: inside[file] for file in tables}


def _near(path: Path) -> list[Path]:
    """Return the files of a path."""
    _require_visible(path)
    if not path.is_dir():
        if not (path.is_file() and NAMES.search(path.name)):
            problem = f"does not end in {ENDINGS}" if path.is_file() else "is neither a file nor a folder"
            raise InputError(f"{short(path)} {problem}. Convert the data, or choose another input.")
        return [path]
    found, hidden, others, seen = list[Path](), list[Path](), list[Path](), set[tuple[int, int]]()
    for folder, folders, names in os.walk(path, onerror=_refuse, followlinks=True):
        here = Path(folder).stat()
        if (here.st_dev, here.st_ino) in seen:  # a link to a folder above it
            folders.clear()
            continue
        seen.add((here.st_dev, here.st_ino))
        hidden += [Path(folder, name) for name in [*folders, *names] if name.startswith(".")]
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for file in (Path(folder, name) for name in sorted(names) if not name.startswith(".")):
            _require_visible(file)
            (found if NAMES.search(file.name) and file.is_file() else others).append(file)
    for reason, files in {"hidden": hidden, "no table": others}.items():
        _tell_left_out(reason, [file.relative_to(path).as_posix() for file in files])
    if not found:
        raise InputError(
            f"{short(path)} has no file that ends in {ENDINGS}. Convert the data, or choose another input."
        )
    return found


def _tell_left_out(reason: str, names: list[str]) -> None:
    if names:
        log.warning("Left out, as %s: %s.", reason, listed(names))


def _require_visible(path: Path) -> None:
    """Raise InputError if there is nothing to read at a path."""
    try:
        path.stat()
    except FileNotFoundError:
        if path.is_symlink():
            where = f"is a link to {short(path.readlink())}, which this container cannot see"
            raise InputError(f"{short(path)} {where}. Copy the file there instead.") from None
        remedy = f"put it there and write data/{short(path.name)}"
        raise InputError(f"{short(path)} does not exist. Containers see only data/: {remedy}.") from None
    except (OSError, ValueError) as error:  # ValueError: it has a character that no path has
        _refuse(error, path)


def _refuse(error: OSError | ValueError, path: Path | None = None) -> NoReturn:
    """Raise InputError for a path that cannot be read."""
    reason = (getattr(error, "strerror", None) or str(error)).lower()
    remedy = "`python3 docker/doctor.py` finds files of other owners"
    raise InputError(f"{short(path or getattr(error, 'filename', ''))} cannot be read: {reason}. {remedy}.") from None
