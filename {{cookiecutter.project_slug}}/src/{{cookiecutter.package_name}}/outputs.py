"""Write results: all of them or none, so that the last good ones stay until new ones are complete."""

import errno
import os
import tempfile
from pathlib import Path

from .errors import OutputError


def writable(*folders: Path) -> None:
    """Make the folders where needed and prove that they can be written, before any work is done.

    Raises OutputError with the folder and the reason.
    """
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                pass
        except OSError as error:
            raise _refused(folder, error) from None


def write(files: dict[Path, bytes]) -> None:
    """Write every file, each next to its place first, then all into place.

    Raises OutputError with the file and the reason; then nothing half-written is left, and no file has changed unless
    the system refused the very last step.
    """
    partials: dict[Path, Path] = {}
    try:
        for target, content in files.items():
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                partial = target.with_name(f".{target.name}.partial")
                partials[partial] = target
                if target.is_dir():
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
                with partial.open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                raise _refused(target, error) from None
        for partial, target in partials.items():
            try:
                partial.replace(target)
            except OSError as error:  # Windows: another program has it open
                raise _refused(target, error) from None
    finally:
        for partial in partials:
            partial.unlink(missing_ok=True)


def _refused(path: Path, error: OSError) -> OutputError:
    return OutputError(
        f"Cannot write {path}: {(error.strerror or str(error)).lower()}. Free some space, or give yourself the right "
        "to write there; the last results are as they were."
    )
