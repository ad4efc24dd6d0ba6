"""The rule of appends, row by row in plain Python, beside `append_table` on random histories of a few keys."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.parquet as pq
import pytest

from workbench.book.frames import canonical_table
from workbench.book.loading.append import append_table

START = datetime(2024, 1, 1)
Versions = dict[datetime, str]
History = dict[str, Versions]


def at(day: float) -> datetime:
    return START + timedelta(days=day)


def slow_append(
    book: History, delivery: History, now: datetime, stamps: list[datetime], *, dated: bool = True
) -> History:
    """Return the book after a delivery, by the three steps of the rule."""
    result = {key: dict(versions) for key, versions in book.items()}
    for key, delivered in delivery.items():
        known = book.get(key, {})
        merged = {**delivered, **known}  # what is known under a moment stays
        line = sorted(merged)
        kept = dict(known)
        for moment, before in zip(line, [None, *line[:-1]], strict=True):
            if moment in known or (known and not dated):
                continue
            if before is None or merged[before] != merged[moment]:
                kept[moment] = merged[moment]
        usable = [moment for moment in delivered if moment <= now]
        if known and usable:
            newest = max(usable)
            second = timedelta(seconds=1)
            genuine = [moment for moment in known if not any(s <= moment < s + second for s in stamps)]
            present = max((moment for moment in kept if moment < now + second), default=None)
            says = None if present is None else kept[present]
            if (not dated or not genuine or newest >= max(genuine)) and says != delivered[newest]:
                same = [moment for moment in known if now <= moment < now + second]
                kept[max(same) + timedelta(microseconds=1) if same else now] = delivered[newest]
        result[key] = kept
    return result


def write(history: History, path: Path) -> Path:
    rows = [
        {"customer_id": key, "segment": says, "known_at": pd.Timestamp(moment)}
        for key, versions in history.items()
        for moment, says in versions.items()
    ]
    pq.write_table(canonical_table("customers", pd.DataFrame(rows)), path)
    return path


def read(paths: list[Path]) -> History:
    found: History = {}
    for path in paths:
        for row in pq.read_table(path).to_pylist():
            versions = found.setdefault(row["customer_id"], {})
            assert row["known_at"] not in versions, "two rows of one key and instant"
            versions[row["known_at"]] = row["segment"]
    return found


def fast_append(
    folder: Path, paths: list[Path], delivery: History, now: datetime, stamps: list[datetime], *, dated: bool = True
) -> tuple[list[Path], History]:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"CREATE TABLE _delivery AS SELECT '{now.isoformat()}+00'::TIMESTAMPTZ AS delivered_at")
    out = folder / f"part{len(paths)}.parquet"
    added = append_table(
        connection, "customers", write(delivery, folder / "delivered.parquet"), paths, out, folder / "rejects.csv",
        earlier=[stamp.replace(tzinfo=UTC) for stamp in stamps], dated=dated,
    )  # fmt: skip
    assert min(added.unchanged, added.conflicts, added.corrections) >= 0
    assert out.exists() == (added.rows > 0)
    assert added.rows == (pq.read_metadata(out).num_rows if out.exists() else 0)
    found = [*paths, out] if out.exists() else paths
    return found, read(found)


@pytest.mark.parametrize("dated", [True, False])
@pytest.mark.parametrize("seed", range(30))
def test_random_histories_equal_the_rule(seed: int, dated: bool, tmp_path: Path) -> None:
    draw = random.Random(seed)

    def delivery(latest: float) -> History:
        moments = [at(draw.choice([0, 1, 2, 5, 9, latest - 1, latest])) for _ in range(3)]
        return {key: {moment: draw.choice("ABC") for moment in moments} for key in draw.sample("1234", 3)}

    book = delivery(1)
    paths = [write(book, tmp_path / "base.parquet")]
    stamps = [at(10)]
    for number in range(1, 6):
        now = at(10 + 3 * number - draw.choice([0, 0, 3]))  # sometimes a second load of one moment
        delivered = delivery(10 + 3 * number - 3)
        expected = slow_append(book, delivered, now, stamps, dated=dated)
        paths, book = fast_append(tmp_path, paths, delivered, now, stamps, dated=dated)
        assert book == expected
        stamps.append(now)


def test_what_the_source_says_last_is_what_is_known(tmp_path: Path) -> None:
    """A source without history, whose rows keep their first date: gold, silver, gold again."""
    paths, stamps = [write({"1": {at(0): "gold"}}, tmp_path / "base.parquet")], [at(10)]
    for now, says in ((at(20), "silver"), (at(30), "silver"), (at(40), "gold"), (at(50), "gold")):
        paths, book = fast_append(tmp_path, paths, {"1": {at(0): says}}, now, stamps)
        stamps.append(now)
    assert book == {"1": {at(0): "gold", at(20): "silver", at(40): "gold"}}


def test_a_full_export_month_by_month_has_no_conflict(tmp_path: Path) -> None:
    paths, stamps = [write({"1": {at(0): "A"}, "2": {at(0): "A"}}, tmp_path / "base.parquet")], [at(10)]
    for now in (at(20), at(30), at(40)):
        paths, book = fast_append(tmp_path, paths, {"1": {at(0): "B"}, "2": {at(0): "A"}}, now, stamps)
        stamps.append(now)
        assert not (tmp_path / "rejects.csv").exists()
    assert book == {"1": {at(0): "A", at(20): "B"}, "2": {at(0): "A"}}


def test_another_day_of_a_payment_is_a_correction(tmp_path: Path) -> None:
    """Where known_at is the day of the payment itself, a payment moved from the 20th to the 10th is known since now."""
    paths = [write({"P": {at(20): "on the 20th"}}, tmp_path / "base.parquet")]
    _paths, book = fast_append(tmp_path, paths, {"P": {at(10): "on the 10th"}}, at(40), [at(30)], dated=False)
    assert book == {"P": {at(20): "on the 20th", at(40): "on the 10th"}}


def test_an_old_delivery_again_changes_nothing_where_versions_have_dates(tmp_path: Path) -> None:
    paths, stamps = [write({"1": {at(0): "gold"}}, tmp_path / "base.parquet")], [at(10)]
    paths, book = fast_append(tmp_path, paths, {"1": {at(15): "silver"}}, at(20), stamps)
    paths, again = fast_append(tmp_path, paths, {"1": {at(0): "gold"}}, at(30), [*stamps, at(20)])
    assert again == book == {"1": {at(0): "gold", at(15): "silver"}}


def test_a_correction_of_an_older_version_leaves_the_present_and_the_past(tmp_path: Path) -> None:
    paths = [write({"1": {at(0): "bronze", at(5): "gold"}}, tmp_path / "base.parquet")]
    delivered = {"1": {at(0): "iron", at(5): "gold"}}
    _paths, book = fast_append(tmp_path, paths, delivered, at(20), [at(10)])
    assert book == {"1": {at(0): "bronze", at(5): "gold"}}
    told = (tmp_path / "rejects.csv").read_text("utf-8")
    assert "contradicts an older version" in told
    assert "iron" in told


def test_there_and_back_within_one_delivery(tmp_path: Path) -> None:
    paths = [write({"1": {at(0): "B"}}, tmp_path / "base.parquet")]
    _paths, book = fast_append(tmp_path, paths, {"1": {at(12): "C", at(14): "B"}}, at(20), [at(10)])
    assert book == {"1": {at(0): "B", at(12): "C", at(14): "B"}}
