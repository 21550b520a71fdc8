"""Write results: all of them or none, so that the last good ones stay until the new ones are complete."""

import errno
import io
import os
import platform
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from hashlib import file_digest, sha256
from pathlib import Path

from .errors import OutputError

# In the folder of the reports: a folder for each of the last runs, and what leads to that of the last one
RUNS, CURRENT = ".runs", ".current"


def content(save: Callable[[io.BytesIO], object]) -> bytes:
    """Return the bytes that `save` writes to the file that it gets."""
    save(buffer := io.BytesIO())
    return buffer.getvalue()


@contextmanager
def alone(reports: Path, *folders: Path) -> Iterator[None]:
    """Make missing folders, prove before any work that all can be written, and keep out whoever writes results, too.

    Raises OutputError.
    """
    for folder in (reports, *folders):
        with _refused(folder):
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
    with _refused(reports):
        file = (reports / ".lock").open("ab")
    with file:
        try:
            _lock(file.fileno())
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK):  # others: a disk that has no locks
                wait = "Wait until it has ended, then try again"
                raise OutputError(f"Another run writes its results into {reports}. {wait}.") from None
        yield


def _lock(file: int) -> None:
    """Lock an open file until it is closed. Raises OSError."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def current(reports: Path) -> Path:
    """Return the folder that has all results of the last run, and that the next run leaves as it is."""
    pointer = reports / CURRENT
    try:
        return reports / (pointer.readlink() if pointer.is_symlink() else pointer.read_text())
    except OSError:
        return reports  # of an older version, or none


def published(reports: Path) -> float:
    """Return when a run last had results, in seconds since 1970; they may be as before. Raises OSError."""
    return (reports / CURRENT).lstat().st_mtime


@contextmanager
def draft(reports: Path) -> Iterator[Path]:
    """Make a folder for results that are too large for the memory; what is still in it at the end goes."""
    with _refused(reports):
        (reports / RUNS).mkdir(exist_ok=True)
        folder = Path(tempfile.mkdtemp(suffix=".partial", dir=reports / RUNS))
    try:
        with _refused(reports):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(files: Mapping[Path, bytes | Path], reports: Path) -> None:
    """Make files the results, all in one step. A file is its content, or one in a `draft`. Raises OutputError.

    The step is to rename `CURRENT`; the files are links by way of it. Where there are no links, it is a file that names
    the folder. What cannot be a link is copied after the step.
    """
    names = {path: path.relative_to(reports) if path.is_relative_to(reports) else Path(path.name) for path in files}
    before = current(reports)
    links = _can_link(reports)
    with _refused(reports):
        older = {names[path]: path for path in files if before == reports and path.is_file()}
    if older:
        before = _folder(older, reports)
        _point(reports, before, links)
    folder = _folder({names[path]: data for path, data in files.items()}, reports)
    linked = [path for path in files if links and (path.is_relative_to(reports) or _beside(path.parent, reports))]
    for path in linked:
        with _refused(path):
            _link(path, Path(os.path.realpath(reports), CURRENT, names[path]))
    _point(reports, folder, links)
    for path in files.keys() - linked:
        with _refused(path, f"the new results are complete in {folder}"):
            _put(path, partial(shutil.copyfile, folder / names[path]))
    with suppress(OSError):
        for other in {*(reports / RUNS).iterdir()} - {folder, before}:
            shutil.rmtree(other, ignore_errors=True)
        for path in reports.rglob("*"):
            if path.is_symlink() and not path.exists() and CURRENT in path.readlink().parts:  # no run has it any more
                path.unlink()


def _can_link(reports: Path) -> bool:
    """Say whether the disk has links, and whoever looks at it can follow them."""
    if "microsoft" in platform.release():  # Windows cannot follow those that Linux makes on its disks
        return False
    with suppress(OSError), tempfile.TemporaryDirectory(dir=reports) as folder:
        Path(folder, "link").symlink_to("nothing")
        return True
    return False


def _beside(first: Path, second: Path) -> bool:
    """Say whether the way from one folder to another is the same outside a container, whatever is mounted where."""
    inside = os.path.relpath(os.path.realpath(first), os.path.realpath(second))
    (disk, place), (other_disk, other_place) = _outside(first), _outside(second)
    return disk == other_disk and os.path.relpath(place, other_place) == inside


def _outside(folder: Path) -> tuple[str, str]:
    """Return the disk of a folder and its place there, by the mounts that Linux lists."""
    real, mounts = Path(os.path.realpath(folder)), [["", "/", "/"]]
    with suppress(OSError):
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
        mounts = [line.split()[2:5] for line in lines]  # disk, folder on it, folder here
    disk, place, here = max((each for each in mounts if real.is_relative_to(each[2])), key=lambda each: len(each[2]))
    return disk, os.path.normpath(f"{place}/{os.path.relpath(real, here)}")


def _folder(files: Mapping[Path, bytes | Path], reports: Path) -> Path:
    """Return a folder that has these files, called after what is in it. Raises OutputError."""
    with _refused(reports):
        parts = {name: _digest(data) for name, data in files.items()}
    made = reports / RUNS / sha256(repr(sorted(parts.items())).encode()).hexdigest()[:16]
    if made.exists():
        with suppress(OSError):
            if all(_digest(made / name) == digest for name, digest in parts.items()):
                return made
        made = made.with_name(secrets.token_hex(8))  # somebody has changed that one
    begun = made.with_suffix(".partial")
    try:
        for name, data in files.items():
            with _refused(reports / name):
                if isinstance(data, Path) and data.is_relative_to(reports / RUNS):  # a draft, which may be large
                    (begun / name).parent.mkdir(parents=True, exist_ok=True)
                    data.replace(begun / name)
                else:
                    _write(data, begun / name)
        with _refused(reports):
            begun.rename(made)
    finally:
        shutil.rmtree(begun, ignore_errors=True)
    return made


def _digest(data: bytes | Path) -> str:
    """Return the SHA-256 of a content, or of a file."""
    if isinstance(data, bytes):
        return sha256(data).hexdigest()
    with data.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _link(path: Path, target: Path) -> None:
    """Make a path a link to another, by a relative way."""
    if path.is_dir() and not path.is_symlink():
        raise IsADirectoryError("it is a folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    way = os.path.relpath(target, os.path.realpath(path.parent))
    if not path.is_symlink() or str(path.readlink()) != way:
        _put(path, partial(os.symlink, way))


def _point(reports: Path, folder: Path, links: bool) -> None:
    """Make a folder the one with the last results."""
    name = folder.relative_to(reports).as_posix()
    with _refused(reports):
        _put(reports / CURRENT, partial(os.symlink, name) if links else partial(_write, name.encode()))


def _put(path: Path, make: Callable[[Path], object]) -> None:
    """Make a file or a link next to its place, then move it there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f".{path.name}.partial")
    made.unlink(missing_ok=True)
    try:
        make(made)
        made.replace(path)
    finally:
        made.unlink(missing_ok=True)


def write(files: Mapping[Path, bytes | Path]) -> None:
    """Write every file next to its place, then move all into place. Raises OutputError, and leaves no partial file.

    A file is its content, or another file with it.
    """
    partials: dict[Path, Path] = {}
    try:
        for target, data in files.items():
            with _refused(target):
                if target.is_dir():
                    raise IsADirectoryError("it is a folder")
                partials[target] = target.with_name(f".{target.name}.partial")
                _write(data, partials[target], like=target)
        for target, begun in partials.items():
            with _refused(target):  # on Windows, while another program has the file open
                begun.replace(target)
    finally:
        for begun in partials.values():
            begun.unlink(missing_ok=True)


def _write(data: bytes | Path, path: Path, like: Path | None = None) -> None:
    """Write a file so that it is on the disk, with the permissions of another one if that exists."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file, io.BytesIO(data) if isinstance(data, bytes) else data.open("rb") as source:
        if like and like.exists():
            shutil.copymode(like, path)  # only its owner may read .env
        shutil.copyfileobj(source, file, 1_000_000)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _refused(path: Path, left: str = "the last results are unchanged") -> Iterator[None]:
    """Turn an OSError into OutputError, which names the path and the reason."""
    try:
        yield
    except OSError as error:
        reason = f"Cannot write {path}: {(error.strerror or str(error)).lower()}"
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "Free some space" if full else "Run `python3 docker/doctor.py`, or choose another folder"
        raise OutputError(f"{reason}. {remedy}; {left}.") from None
