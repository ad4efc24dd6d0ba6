"""Loans by when they were opened: how many of each vintage had gone bad by which age."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Literal

import ibis
import pandas as pd
from ibis import _

from workbench.book.book import Book
from workbench.book.days import month_end_of
from workbench.book.performance import performance
from workbench.core.dates import last_month_end, month_ends

Every = Literal["quarter", "half-year", "year"]
MONTHS: dict[Every, int] = {"quarter": 3, "half-year": 6, "year": 12}
FEW = 12  # curves that a figure can hold, if it does not name all of them


def vintages(book: Book, *, as_of: date, age_months: int = 12) -> pd.DataFrame:
    """Return the share of each quarter's new loans that were bad within `age_months` months of opening.

    Bad: `bad_dpd` days past due at a month end, or written off. Loans opened before the book begins are left out, and
    quarters whose last loans are not yet so old at `as_of`.

    Returns
    -------
    DataFrame
        month (last day of the quarter), loans, bads, bad_rate, and low and high: its 95 % interval (Wilson 1927, JASA 22).
    """
    rows = [
        (pd.Timestamp(month_end_of(last)), *_bad_by(ages, age_months))
        for last, ages, oldest in _by_opening(_first_bad_ages(book, as_of), as_of, 3)
        if age_months <= oldest
    ]
    return _with_interval(pd.DataFrame(rows, columns=["month", "loans", "bads"]))


def vintage_curves(
    book: Book, *, as_of: date, every: Every | Literal["fitting"] = "quarter", max_age_months: int = 24
) -> pd.DataFrame:
    """Return the share of a period's new loans that had gone bad by each age; bad and left out as in `vintages`.

    Ages run from 0, the month of opening, to that which the vintage's last loans have reached at `as_of`, and no further
    than `max_age_months`; a vintage with no age but 0 has no curve yet and is left out.

    Parameters
    ----------
    every
        quarter, half-year or year; `fitting` is the shortest of them that gives at most `FEW` curves, or else the year.

    Returns
    -------
    DataFrame
        vintage (as 2024Q1, 2024H1 or 2024), age_months, loans (the same at every age), bads, bad_rate; by vintage and age.
    """
    counts, table = _first_bad_ages(book, as_of), pd.DataFrame()
    for length in MONTHS if every == "fitting" else [every]:
        months = MONTHS[length]
        rows = [
            (_name(last, months), age, *_bad_by(ages, age))
            for last, ages, oldest in _by_opening(counts, as_of, months)
            for age in range(min(oldest, max_age_months) + 1)
            if oldest > 0
        ]
        table = pd.DataFrame(rows, columns=["vintage", "age_months", "loans", "bads"])
        if table["vintage"].nunique() <= FEW:
            break
    return table.assign(bad_rate=table["bads"] / table["loans"])


def _name(last: int, months: int) -> str:
    year, month = (last - 1) // 12, (last - 1) % 12 + 1
    letter = {3: "Q", 6: "H"}.get(months)
    return f"{year}{letter}{month // months}" if letter else str(year)


def _bad_by(ages: pd.DataFrame, age_months: int) -> tuple[int, int]:
    return int(ages["loans"].sum()), int(ages.loc[ages["bad_age"] <= age_months, "loans"].sum())


def _by_opening(counts: pd.DataFrame, as_of: date, months: int) -> Iterator[tuple[int, pd.DataFrame, int]]:
    """Yield the last month number of each period of opening, its loans by first bad age, and the age of its last loans."""
    now = last_month_end(as_of)
    ends = -(-(counts["year"] * 12 + counts["month"]) // months) * months
    for last, ages in counts.groupby(ends.astype("int64")):
        oldest = now.year * 12 + now.month - int(last)
        if oldest >= 0:
            yield int(last), ages, oldest


def _first_bad_ages(book: Book, as_of: date) -> pd.DataFrame:
    """Count loans by year and month of opening and by bad_age, the months from there to the first in which they were bad."""
    first = book.manifest.facts.first_day
    days = month_ends(first, as_of)
    if not days:
        return pd.DataFrame(columns=["year", "month", "bad_age", "loans"])
    rows = performance(book, as_of=as_of, days=days).filter(_.opened_on >= ibis.literal(first))
    age = (rows.month_end.year() - rows.opened_on.year()) * 12 + rows.month_end.month() - rows.opened_on.month()
    is_bad = (rows.dpd >= book.definitions.target.bad_dpd) | rows.written_off
    by_loan = rows.group_by("loan_id", "opened_on").aggregate(bad_age=age.min(where=is_bad.fill_null(False)))
    counts = by_loan.group_by(year=_.opened_on.year(), month=_.opened_on.month(), bad_age=_.bad_age).aggregate(
        loans=_.count()
    )
    frame: pd.DataFrame = counts.to_pandas()
    return frame


def _with_interval(table: pd.DataFrame) -> pd.DataFrame:
    from statsmodels.stats.proportion import proportion_confint

    low, high = proportion_confint(table["bads"].to_numpy(float), table["loans"].to_numpy(float), method="wilson")
    return table.assign(bad_rate=table["bads"] / table["loans"].astype(float), low=low, high=high)
