"""Write results: all of them or none, so that the last good ones stay until the new ones are complete."""

import errno
import io
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import OutputError


def content(save: Callable[[io.BytesIO], object]) -> bytes:
    """Return the bytes that `save` writes to the file that it gets."""
    save(buffer := io.BytesIO())
    return buffer.getvalue()


def writable(*folders: Path) -> None:
    """Make missing folders and prove, before any work, that all can be written. Raises OutputError."""
    for folder in folders:
        with _refused(folder):
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()


def write(files: dict[Path, bytes]) -> None:
    """Write every file next to its place, then move all into place. Raises OutputError, and leaves no partial file."""
    partials: dict[Path, Path] = {}
    try:
        for target, data in files.items():
            with _refused(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                if target.is_dir():
                    raise IsADirectoryError("it is a folder")
                partials[target] = target.with_name(f".{target.name}.partial")
                with partials[target].open("wb") as file:
                    if target.exists():
                        shutil.copymode(target, partials[target])  # only its owner may read .env
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
        for target, partial in partials.items():
            with _refused(target):  # on Windows, while another program has the file open
                partial.replace(target)
    finally:
        for partial in partials.values():
            partial.unlink(missing_ok=True)


@contextmanager
def _refused(path: Path) -> Iterator[None]:
    """Turn an OSError into OutputError, which names the path and the reason."""
    try:
        yield
    except OSError as error:
        reason = f"Cannot write {path}: {(error.strerror or str(error)).lower()}"
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "Free some space" if full else "Run `python3 docker/doctor.py`, or choose another folder"
        raise OutputError(f"{reason}. {remedy}; the last results are unchanged.") from None
