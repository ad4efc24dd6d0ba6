"""Loads that are killed, and loads for which there is no room: the old or the new book, whole. bench/kills.py kills fifty."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from workbench.book.loading.load import import_book
from workbench.book.loading.record import list_loads
from workbench.core.workspace import Workspace

from ..commands import shell
from .killing import NAME, Scene

LIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
os.execv(sys.argv[2], sys.argv[2:])
"""


@pytest.fixture(scope="module")
def scene(new_workspace: Callable[..., Workspace]) -> Scene:
    made = Scene(new_workspace())
    made.load(0)
    return made


@pytest.mark.slow
@pytest.mark.parametrize("append", [False, True])
@pytest.mark.parametrize(("late", "after"), [(False, 2.0), (True, 0.0), (True, 0.01)])
def test_a_killed_load_leaves_the_old_or_the_new_book(scene: Scene, append: bool, late: bool, after: float) -> None:
    before = scene.tables()
    delivery = 1 if scene.at == 0 else 0
    scene.killed(delivery, after, append=append, until=scene.nearly_done if late else None)
    found = scene.tables()
    wanted, _seconds = scene.load(delivery, append=append)
    assert found in (before, wanted)
    scene.check_clean()


@pytest.mark.parametrize("limit", [1_000, 20_000])
def test_without_room_the_old_book_stays_and_the_error_says_so(scene: Scene, limit: int) -> None:
    before = scene.tables()
    wrapped = [sys.executable, "-c", LIMITED, str(limit)]
    done = shell(*scene.arguments(1 - scene.at, append=False), home=scene.workspace.root, before=wrapped)
    assert done.code == 2, done.err
    assert "The book is as it was" in done.message()
    assert scene.tables() == before
    scene.check_clean()


def test_a_broken_load_is_not_listed_as_done(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_arguments: object, **_more: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("workbench.book.loading.load.write_tables", broken)
    before, folder = scene.tables(), str(scene.workspace.root / f"delivery-{1 - scene.at}")
    with pytest.raises(ZeroDivisionError):
        import_book(scene.workspace, NAME, delivered_at=datetime(2027, 1, 1, tzinfo=UTC), base=folder)
    last = max(list_loads(scene.home), key=lambda record: record.delivered_at)
    assert (last.status, last.reason) == ("refused", "broke off: ZeroDivisionError")
    assert scene.tables() == before
