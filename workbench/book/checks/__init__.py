"""Checks of a book: of rows, between tables, in time, and against the delivery before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import NamedTuple
from zoneinfo import ZoneInfo

import pandas as pd

from workbench.book.book import Book
from workbench.book.checks.across import across_findings
from workbench.book.checks.deliveries import Before, load_findings, size_findings
from workbench.book.checks.drift import Spread, drift_findings, drift_table, spreads
from workbench.book.checks.finding import Check, Finding, lowered, worst_first
from workbench.book.checks.seen import unseen_findings
from workbench.book.checks.tables import income_findings, table_findings
from workbench.book.checks.timing import arrivals, monthly_rows, time_findings, timeliness, volume_findings
from workbench.book.loading.record import LoadRecord, read_history
from workbench.core.languages import mark, say

UNSEEN_SHARE = (
    0.5  # house choice: if more customers become known only after the last month end, nothing can be observed
)
UNSEEN = Check(
    "customers", "unseen", "known_at", mark("lies after the last month end for most customers: at that date nobody is seen"),
    "warning", mark("all pages at month ends up to then are empty; give known_at an earlier moment, such as "
                    "relationship_since, and list columns without history as current_only"),
    when=f"more than {UNSEEN_SHARE:.0%} of them",
)  # fmt: skip
CHECKS = (UNSEEN,)


class Checked(NamedTuple):
    """What the checks found, the worst first, and a profile of every column."""

    findings: list[Finding]
    profile: pd.DataFrame


class Examined(NamedTuple):
    """All that a report on a book's data shows.

    Attributes
    ----------
    day
        The day up to which rows are read: that of the last delivery, unless an earlier one was asked for.
    findings
        The worst first.
    profile
        One row a column: `table_findings`, with the bins that are kept for the next delivery.
    validity
        table, rows, faulty (rows that break any rule of their own table), faulty_share.
    timeliness, monthly
        By table, and by table and month: `timing`.
    drift
        How each column moved since the last delivery; empty where there was none, or at an earlier date.
    """

    day: date
    findings: list[Finding]
    profile: pd.DataFrame
    validity: pd.DataFrame
    timeliness: pd.DataFrame
    monthly: pd.DataFrame
    drift: pd.DataFrame


def check_book(book: Book, *, as_of: date | None = None, load: LoadRecord | None = None) -> Checked:
    """Check a book as known at `as_of`, by default with everything that its last delivery brought.

    The severities are those of the contract, or lower where the book's mapping lowers them with a reason.

    Parameters
    ----------
    load
        The load that is made just now; by default the last one that the book remembers.
    """
    examined = examine_book(book, as_of=as_of, load=load)
    return Checked(examined.findings, examined.profile)


def examine_book(book: Book, *, as_of: date | None = None, load: LoadRecord | None = None) -> Examined:
    """Check a book as `check_book` does, and return what the findings rest on as well.

    A column's values are compared with the last delivery only where `as_of` is not given: at an earlier date they would
    differ for no fault of the delivery.
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
    profiles, validity = [], []
    for table in sorted(book.tables):
        checked = table_findings(book, table, as_of=day)
        findings += checked.findings
        validity.append((table, checked.rows, checked.faulty, checked.faulty / max(checked.rows, 1)))
        spread = spreads(book, table, checked.profile, before.bins(table), as_of=day) if as_of is None else {}
        profiles.append(_with_spreads(checked.profile, spread))
    profile = pd.concat(profiles, ignore_index=True)
    if "customers" in book.tables:
        findings += income_findings(book, as_of=day)
    arrived = arrivals(book, as_of=day)
    monthly = monthly_rows(arrived, first=facts.first_day, last=min(book.last_month_end, day))
    moved = drift_table(profile, before.frame() if as_of is None else pd.DataFrame())
    findings += time_findings(book, arrived, as_of=day)
    findings += across_findings(book, as_of=day)
    findings += unseen_findings(book, as_of=day, is_whole=as_of is None)
    findings += _unseen(book, day)
    findings += size_findings(book.manifest, before)
    findings += volume_findings(monthly)
    findings += drift_findings(moved)
    return Examined(
        day,
        worst_first(lowered(findings, facts.lowered)),
        profile,
        pd.DataFrame(validity, columns=["table", "rows", "faulty", "faulty_share"]),
        timeliness(arrived),
        monthly,
        moved,
    )


def _with_spreads(profile: pd.DataFrame, found: dict[str, Spread]) -> pd.DataFrame:
    none = Spread({}, None, None)
    spread = [found.get(str(column), none) for column in profile["column"]]
    return profile.assign(
        bins=pd.Series([one.bins or None for one in spread], dtype=object),
        psi=pd.Series([one.psi for one in spread], dtype="float64"),
        psi_by_chance=pd.Series([one.by_chance for one in spread], dtype="float64"),
    )


def _unseen(book: Book, day: date) -> Iterator[Finding]:
    """Find that most customers are known only since after the last month end: every page at it would be empty."""
    month = book.last_month_end
    total = book.manifest.tables["customers"].keys
    if not total or month >= day:
        return
    unseen = total - int(book.connection.to_pyarrow(book.as_known("customers", as_of=month).count()).as_py())
    if unseen > UNSEEN_SHARE * total:
        what = say(
            "lies after {month_end}, the last month end, for most customers: at that date nobody is seen",
            month_end=month,
        )
        yield UNSEEN.finding(unseen, total, what=what)
