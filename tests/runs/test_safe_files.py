"""Files and locks on which long work relies."""

import fcntl
import os

import pytest

from moda.runs import safe_files


def test_failed_write_leaves_the_old_content_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "state"
    safe_files.write(path, b"old")

    def fails(_):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="No space left"):
        safe_files.write(path, b"new")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_lock_of_a_file_that_its_holder_has_removed_is_none(tmp_path, monkeypatch):
    """The holder leaves, and removes the file, after it was opened here and before its lock is granted."""
    path, lock, calls = tmp_path / "lock", fcntl.flock, []

    def flock(file, how):
        lock(file, how)
        if not calls:
            path.unlink()
        calls.append(how)

    monkeypatch.setattr(fcntl, "flock", flock)
    with safe_files.locked(path):
        assert len(calls) == 2, "it was asked for again"
        with path.open("a") as file, pytest.raises(BlockingIOError):
            lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # who comes now has to wait
    assert not path.exists()
