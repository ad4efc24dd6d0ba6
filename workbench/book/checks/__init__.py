"""Checks of a book: of rows, between tables, and against the delivery before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pandas as pd

from workbench.book.book import Book
from workbench.book.checks.across import across_findings
from workbench.book.checks.deliveries import Before, drift_findings, load_findings, size_findings, volume_findings
from workbench.book.checks.finding import Finding, lowered, worst_first
from workbench.book.checks.tables import income_findings, table_findings, time_findings
from workbench.book.loading.record import LoadRecord, read_history

UNSEEN_SHARE = (
    0.5  # house choice: if more customers become known only after the last month end, nothing can be observed
)


class Checked(NamedTuple):
    """What the checks found, the worst first, and a profile of every column."""

    findings: list[Finding]
    profile: pd.DataFrame


def check_book(book: Book, *, as_of: date | None = None, load: LoadRecord | None = None) -> Checked:
    """Check a book as known at `as_of`, by default with everything that its last delivery brought.

    The severities are those of the contract, or lower where the book's mapping lowers them with a reason.

    Parameters
    ----------
    load
        The load that is made just now; by default the last one that the book remembers.
    """
    if load is None:
        loads = read_history(book.folder).loads
        load = loads[-1] if loads else None
    facts = book.manifest.facts
    day = as_of or facts.last_day
    if as_of is None and load is not None:
        day = max(day, load.delivered_at.astimezone(ZoneInfo(facts.time_zone)).date())
    before = Before.read(book.folder)
    findings: list[Finding] = [] if load is None else [*load_findings(load)]
    profiles = []
    for table in sorted(book.tables):
        found, profile = table_findings(book, table, as_of=day)
        findings += found
        profiles.append(profile)
    profile = pd.concat(profiles, ignore_index=True)
    if "customers" in book.tables:
        findings += income_findings(book, as_of=day)
    findings += time_findings(book, as_of=day)
    findings += across_findings(book, as_of=day)
    findings += _unseen(book, day)
    findings += size_findings(book.manifest, before)
    findings += volume_findings(book, as_of=day)
    findings += drift_findings(profile, before)
    return Checked(worst_first(lowered(findings, facts.lowered)), profile)


def _unseen(book: Book, day: date) -> Iterator[Finding]:
    """Find that most customers are known only since after the last month end: every page at it would be empty."""
    month = book.last_month_end
    total = book.manifest.tables["customers"].keys
    if not total or month >= day:
        return
    unseen = total - int(book.connection.to_pyarrow(book.as_known("customers", as_of=month).count()).as_py())
    if unseen > UNSEEN_SHARE * total:
        yield Finding(
            "customers.unseen", "warning", "customers", "known_at",
            f"lies after {month}, the last month end, for most customers: at that date nobody is seen", unseen,
            unseen / total, (), "all pages at month ends up to then are empty; give known_at an earlier moment, such as "
            "relationship_since, and list columns without history as current_only",
        )  # fmt: skip
