"""Files written atomically, even across a power cut, and locks between processes."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock


def write(path: Path, content: bytes) -> None:
    """Replace the content of `path` atomically; an OSError leaves the old file intact.

    The content reaches the disk before the name, and the name before this returns.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """Flush the names in `folder` to disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace(new: Path, final: Path) -> None:
    """Rename the folder `new` to `final`, in place of the folder that may be there.

    OSError if that cannot be done. What is killed between its two renames is undone by `undo_replace`.
    """
    shutil.rmtree(aside_of(final), ignore_errors=True)
    if final.exists():
        final.rename(aside_of(final))
    new.rename(final)
    _sync(final.parent)
    shutil.rmtree(aside_of(final), ignore_errors=True)


def undo_replace(final: Path) -> None:
    if aside_of(final).exists() and not final.exists():
        aside_of(final).rename(final)


def aside_of(folder: Path) -> Path:
    """Where a folder is while another takes its place."""
    return folder.with_name(f".{folder.name}.replaced")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let in one process at a time for each `path`; the others wait.

    The file is removed on exit, and a process that dies inside releases the lock.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # Without flock, filelock's own substitute would survive a process that is killed.
    with FileLock(path, fallback_to_soft=False):
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
