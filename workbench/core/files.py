"""Whole or not at all: files and folders appear under their name only when they are complete."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from workbench.core.errors import InputError

ABANDONED_SECONDS = 2 * 24 * 3600  # nothing writes into one staging folder for two days


def _permitted(mode: int) -> int:
    """Return the rights that a new file of `mode` gets from the user's umask; `tempfile` leaves the owner's alone."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mode & ~mask


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it replaces `path` in one step, else it is removed.

    Raises
    ------
    InputError
        Nothing can be written there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error}). Name another place.") from error
    os.close(handle)
    temporary = Path(name)
    temporary.chmod(_permitted(0o666))
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON with sorted keys, whole or not at all."""
    with whole_file(path) as temporary:
        temporary.write_text(
            json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, default=str) + "\n", "utf-8"
        )


def read_json(path: Path) -> Any:
    """Read a JSON file, or return None where there is none."""
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None


@contextmanager
def staging_folder(parent: Path) -> Iterator[Path]:
    """Yield a new folder under `parent` for a result in the making; what is still there at the end is removed.

    Raises
    ------
    InputError
        If `parent` is no folder and cannot be made one.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(
            f"{parent}: found no folder, and none can be made there ({error}). Name another one."
        ) from error
    for leftover in parent.glob(".staging-*"):  # of a process that was killed
        if time.time() - leftover.stat().st_mtime > ABANDONED_SECONDS:
            shutil.rmtree(leftover, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(dir=parent, prefix=".staging-"))
    folder.chmod(_permitted(0o777))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def locked(path: Path, *, seconds: float, what: str) -> Iterator[None]:
    """Hold a lock file for as long as the block runs.

    Raises
    ------
    InputError
        If another process still holds it after `seconds`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path, timeout=seconds):
            yield
    except Timeout:
        raise InputError(
            f"{what}: another process has held {path} for over {seconds:g} s. Wait for it to end, or end it; "
            "the lock goes with the process."
        ) from None
