"""What a load says about the delivery: rows lost on the way, and how it differs from the one before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import ibis
import pandas as pd
from pydantic import BaseModel, ConfigDict

from workbench.book.book import Book
from workbench.book.checks.finding import Finding, Severity
from workbench.book.loading.record import LoadRecord
from workbench.book.schema import TABLES
from workbench.book.store import BookManifest
from workbench.core.dates import month_end
from workbench.core.files import read_json, write_json

BEFORE_FILE, PROFILE_FILE = "before.json", "profile.json"

DROP_ERROR, DROP_WARNING, RISE_WARNING = 0.5, 0.95, 2.0  # keys now over keys in the last delivery; house choices
VOLUME_LOW, VOLUME_HIGH = 0.5, 2.0  # a month's rows over the median of the three before; house choices
MISSING_JUMP = 0.05  # share of missing values more than in the last delivery
SHIFT = 0.5  # of the mean, in standard deviations of the last delivery


class Before(BaseModel):
    """What the generation before held, kept beside the new one so that it can be compared at any later time."""

    model_config = ConfigDict(frozen=True)

    keys: dict[str, int] = {}
    profile: list[dict[str, Any]] = []

    @classmethod
    def read(cls, generation: Path) -> Before:
        """Return what a generation remembers of the one before it; nothing for a first one."""
        return cls.model_validate(read_json(generation / BEFORE_FILE) or {})

    def frame(self) -> pd.DataFrame:
        """Return the profile as a table."""
        return pd.DataFrame(self.profile)


def remember(before: tuple[Path, BookManifest] | None, out: Path) -> None:
    """Write into the new generation `out` what the one `before` it held."""
    if before is not None:
        folder, manifest = before
        keys = {name: table.keys for name, table in manifest.tables.items()}
        write_json(out / BEFORE_FILE, {"keys": keys, "profile": read_json(folder / PROFILE_FILE) or []})


def keep_profile(profile: pd.DataFrame, out: Path) -> None:
    """Keep the profile of a generation, for the delivery after it."""
    write_json(out / PROFILE_FILE, json.loads(profile.to_json(orient="records")))


def load_findings(record: LoadRecord) -> Iterator[Finding]:
    """Return what was rejected, left empty or mended in a load."""
    for name, source in record.sources.items():
        for reason, count in source.rejected_lines.items():
            yield Finding(
                "source.lines", "warning", name, "", f"has lines that hold no record: {reason}", count,
                count / max(source.lines or count, 1), (), "what these lines said is not in the book",
            )  # fmt: skip
        for repair in source.repairs:
            yield Finding("source.repaired", "info", name, "", f"was mended: {repair}", None, None)
    for table, load in record.tables.items():
        total = max(load.rows_in, 1)
        for reason, count in load.rejected.items():
            yield Finding(
                f"{table}.rejected", "warning", table, "", f"rows rejected: {reason}", count, count / total, (),
                f"these rows are not in the book; see {record.rejects or 'rejects/'}",
            )  # fmt: skip
        for reason, count in load.emptied.items():
            column = reason.partition(":")[0]
            yield Finding(
                f"{table}.emptied", "warning", table, column, f"values left empty: {reason}", count, count / total, (),
                "these values are missing in the book",
            )  # fmt: skip
        repeated: tuple[tuple[str, Severity, int, str], ...] = (
            ("conflicts", "warning", load.conflicts, "rows of one key and instant contradict each other: none was taken"),
            ("duplicates", "info", load.duplicates, "rows came more than once: kept once"),
            ("corrections", "warning", load.corrections, "rows contradict what was known for the very same instant: "
             "known since this delivery"),
        )  # fmt: skip
        for name, severity, count, what in repeated:
            if count:
                yield Finding(f"{table}.{name}", severity, table, "", what, count, count / total)


def size_findings(manifest: BookManifest, before: Before) -> Iterator[Finding]:
    """Compare a book's tables with the generation before: tables gone, and keys far fewer or more."""
    for table, old in before.keys.items():
        now = manifest.tables[table].keys if table in manifest.tables else 0
        ratio = now / max(old, 1)
        if ratio < DROP_WARNING:
            yield Finding(
                f"{table}.dropped", "error" if ratio < DROP_ERROR else "warning", table, "",
                f"holds {now:,} keys; the last delivery had {old:,}", old - now, (old - now) / max(old, 1), (),
                "customers, loans or their past are missing",
            )  # fmt: skip
        elif ratio > RISE_WARNING:
            yield Finding(
                f"{table}.rose", "warning", table, "", f"holds {now:,} keys; the last delivery had {old:,}", now - old,
                (now - old) / now, (), "rows may have come twice under other keys",
            )  # fmt: skip


def volume_findings(book: Book, *, as_of: date) -> Iterator[Finding]:
    """Find a last full month whose rows are far fewer or more than in the months before: a source that broke off."""
    last = book.last_month_end
    months = [month_end(last, months=-back) for back in range(4)]
    if months[-1] <= book.manifest.facts.first_day:
        return
    for table in ("payments", "transactions", "events", "performance"):
        if table not in book.tables:
            continue
        rows = book.as_known(table, as_of=as_of)
        moment = rows[str(TABLES[table].occurred)].cast("date")
        month = moment.year() * 12 + moment.month()
        wanted = [day.year * 12 + day.month for day in months]
        counted = rows.group_by(month=month).aggregate(rows=ibis._.count()).to_pandas().set_index("month")["rows"]
        found = [int(counted.get(number, 0)) for number in wanted]
        usual = float(pd.Series(found[1:]).median())
        ratio = found[0] / usual if usual else 1.0
        if not VOLUME_LOW <= ratio <= VOLUME_HIGH:
            yield Finding(
                f"{table}.volume", "warning", table, str(TABLES[table].occurred),
                f"has {found[0]:,} rows in the month to {last}; the three months before had {usual:,.0f} each", None, None, (),
                "indicators of the last month see a break that is the delivery's",
            )  # fmt: skip


def drift_findings(profile: pd.DataFrame, before: Before) -> Iterator[Finding]:
    """Compare the profile of each column with that of the generation before: new gaps, and means that moved."""
    if not before.profile:
        return
    both = profile.merge(before.frame(), on=["table", "column"], suffixes=("", "_before"))
    for record in both.to_dict("records"):
        table, column = str(record["table"]), str(record["column"])
        now, old = float(record["missing_share"]), float(record["missing_share_before"])
        if now - old > MISSING_JUMP:
            yield Finding(
                f"{table}.{column}_gaps", "warning", table, column,
                f"is missing in {now:.1%}; in the last delivery in {old:.1%}", round((now - old) * record["rows"]), now - old,
                (), "models see a shift that is the delivery's",
            )  # fmt: skip
        mean, mean_before, spread = (record[name] for name in ("mean", "mean_before", "deviation_before"))
        if pd.notna(mean) and pd.notna(mean_before) and pd.notna(spread) and spread:
            shift = abs(mean - mean_before) / spread
            if shift > SHIFT:
                yield Finding(
                    f"{table}.{column}_shift", "warning", table, column,
                    f"has the mean {mean:,.4g}; the last delivery had {mean_before:,.4g}: {shift:.1f} standard deviations "
                    "apart", None, None, (), "a changed unit, sign or meaning would look like this",
                )  # fmt: skip
