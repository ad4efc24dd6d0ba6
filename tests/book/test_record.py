"""The list of a book's loads."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from workbench.book.loading.record import LoadRecord, list_loads, write_record


def test_loads_are_listed_as_they_were_made_whatever_their_delivery_says(tmp_path: Path) -> None:
    for name, year in (("b", 2026), ("c", 2019), ("a", 2024)):
        moment = datetime(year, 1, 1, tzinfo=UTC)
        made = LoadRecord(load_id=f"{moment:%Y}-{name}", book="x", mode="import", status="done", delivered_at=moment)
        write_record(tmp_path, made)
    assert [load.load_id for load in list_loads(tmp_path)] == ["2026-b", "2019-c", "2024-a"]
