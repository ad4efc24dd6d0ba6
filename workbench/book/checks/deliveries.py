"""What a load says about the delivery: rows lost on the way, and tables that shrank or grew since the one before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict

from workbench.book.checks.finding import Check, Finding, Severity
from workbench.book.checks.retold import retold
from workbench.book.loading.record import LoadRecord
from workbench.book.schema import FLOWS
from workbench.book.store import BEFORE_FILE, PROFILE_FILE, BookManifest
from workbench.core.files import read_json, write_json
from workbench.core.languages import mark, say, say_count

HISTORY = ("instalments", *FLOWS)  # what happened is not told otherwise later, but for single rows
REWRITE_ERROR, REWRITE_LEAST = 0.05, 20  # share and number of delivered rows that correct history; house choices
DROP_ERROR, DROP_WARNING, RISE_WARNING = 0.5, 0.95, 2.0  # keys now over keys in the last delivery; house choices
OTHER_CURRENCY = "currency is not"  # how the reason begins with which a load rejects a row in another currency

LINES = Check(
    "source", "lines", "", mark("has lines that hold no record"), "warning",
    mark("what these lines said is not in the book"),
)  # fmt: skip
REPAIRED = Check("source", "repaired", "", mark("was mended"), "info", "")
REJECTED = Check("*", "rejected", "", mark("rows rejected"), "warning", mark("these rows are not in the book"))
CURRENCY = Check(
    "*", "currency", "", mark("rows in another currency than the book's"), "warning",
    mark("these rows are not in the book: their amounts would be added to others as if they were the same money"),
    when="only where the mapping says how the currency is told",
)  # fmt: skip
EMPTIED = Check("*", "emptied", "", mark("values left empty"), "warning", mark("these values are missing in the book"))
CONFLICTS = Check(
    "*", "conflicts", "", mark("rows of one key and instant contradict each other: none was taken"), "warning",
    mark("what these rows said is not in the book"),
)  # fmt: skip
CORRECTIONS = Check(
    "*", "corrections", "", mark("rows say otherwise than the book did: known since this delivery"),
    "warning", mark("numbers of earlier dates stay as they were, although the source now says otherwise"),
    when=f"an error over {REWRITE_ERROR:.0%} of the delivered rows of {', '.join(HISTORY)}",
)  # fmt: skip
DUPLICATES = Check("*", "duplicates", "", mark("rows came more than once: kept once"), "info", "")
DROPPED = Check(
    "*", "dropped", "", mark("holds fewer keys than the last delivery"), "warning",
    mark("customers, loans or their past are missing"),
    when=f"under {DROP_WARNING:.0%} of them; under {DROP_ERROR:.0%} an error, unless the mapping no longer has the table",
)  # fmt: skip
GONE = Check(
    "*", "gone", "", mark("keys of the last delivery are not in this one"), "info",
    mark("what was said of them is not in the book"),
)  # fmt: skip
REWRITTEN = Check(
    "*", "rewritten", "", mark("rows of the last delivery came with another content"), "info",
    mark("numbers of earlier dates, drawn again, may differ"),
)  # fmt: skip
BELATED = Check(
    "*", "belated", "known_at", mark("of new rows lies before the last delivery, but they were not in it"), "info",
    mark("numbers of earlier dates, drawn again, may differ"),
)  # fmt: skip
ROSE = Check(
    "*", "rose", "", mark("holds far more keys than the last delivery"), "warning",
    mark("rows may have come twice under other keys"), when=f"over {RISE_WARNING:g} times as many",
)  # fmt: skip
CHECKS = (
    LINES,
    REPAIRED,
    REJECTED,
    CURRENCY,
    EMPTIED,
    CONFLICTS,
    CORRECTIONS,
    DUPLICATES,
    DROPPED,
    GONE,
    REWRITTEN,
    BELATED,
    ROSE,
)


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

    def bins(self, table: str) -> dict[str, dict[str, Any]]:
        """Return the bins of a table's columns, by column; none where a generation kept none."""
        return {row["column"]: row["bins"] for row in self.profile if row["table"] == table and row.get("bins")}


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
            what = say("has lines that hold no record: {reason}", reason=retold(reason))
            found = LINES.finding(count, source.lines or count, what=what)
            yield replace(found, table=name)
        for repair in source.repairs:
            what = say("was mended: {repair}", repair=retold(repair))
            yield replace(REPAIRED.finding(what=what), table=name)
    for table, load in record.tables.items():
        total = load.rows_in
        for reason, count in load.rejected.items():
            check = CURRENCY if reason.startswith(OTHER_CURRENCY) else REJECTED
            what = say("rows rejected: {reason}", reason=retold(reason))
            breaks = say("{breaks}; see {folder}", breaks=say(check.breaks), folder=record.rejects or "rejects/")
            yield check.finding(count, total, table=table, what=what, breaks=breaks)
        for reason, count in load.emptied.items():
            column = reason.partition(":")[0]
            what = say("values left empty: {reason}", reason=retold(reason))
            yield EMPTIED.finding(count, total, table=table, column=column, what=what)
        repeated = (
            (CONFLICTS, load.conflicts), (DUPLICATES, load.duplicates), (CORRECTIONS, load.corrections),
            (GONE, load.gone), (REWRITTEN, load.rewritten), (BELATED, load.belated),
        )  # fmt: skip
        rewritten = table in HISTORY and load.corrections > max(REWRITE_ERROR * total, REWRITE_LEAST)
        for check, count in repeated:
            if count:
                severity: Severity | None = "error" if check is CORRECTIONS and rewritten else None
                yield check.finding(count, total, table=table, severity=severity)


def size_findings(manifest: BookManifest, before: Before) -> Iterator[Finding]:
    """Compare a book's tables with the generation before: tables gone, and keys far fewer or more."""
    for table, old in before.keys.items():
        if table not in manifest.tables:
            what = say_count(
                old, "is in the mapping no longer; the last delivery had {count:,} key",
                "is in the mapping no longer; the last delivery had {count:,} keys",
            )  # fmt: skip
            yield DROPPED.finding(old, old, table=table, what=what, severity="warning")
            continue
        now = manifest.tables[table].keys
        ratio = now / max(old, 1)
        what = say_count(
            now, "holds {count:,} key; the last delivery had {before:,}",
            "holds {count:,} keys; the last delivery had {before:,}", before=old,
        )  # fmt: skip
        if ratio < DROP_WARNING:
            severity: Severity = "error" if ratio < DROP_ERROR else "warning"
            yield DROPPED.finding(old - now, old, table=table, what=what, severity=severity)
        elif ratio > RISE_WARNING:
            yield ROSE.finding(now - old, now, table=table, what=what)
