"""Loans by when they were opened: how many of each vintage had gone bad by which age."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Literal

import ibis
import pandas as pd
from ibis import _

from workbench.book.book import Book
from workbench.book.performance import performance
from workbench.core.dates import last_month_end, month_ends


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
        (quarter.end_time.normalize(), *_bad_by(ages, age_months))
        for quarter, ages, oldest in _by_opening(book, as_of, "quarter")
        if age_months <= oldest
    ]
    return _with_interval(pd.DataFrame(rows, columns=["month", "loans", "bads"]))


def vintage_curves(
    book: Book, *, as_of: date, every: Literal["quarter", "year"] = "quarter", max_age_months: int = 24
) -> pd.DataFrame:
    """Return the share of each quarter's or year's new loans that had gone bad by each age; bad and left out as in `vintages`.

    Ages run from 0, the month of opening, to that which the vintage's last loans have reached at `as_of`, and no further
    than `max_age_months`; a vintage with no age but 0 has no curve yet and is left out.

    Returns
    -------
    DataFrame
        vintage (as 2024Q1 or 2024), age_months, loans (the same at every age), bads, bad_rate; by vintage and age.
    """
    rows = [
        (str(period), age, *_bad_by(ages, age))
        for period, ages, oldest in _by_opening(book, as_of, every)
        for age in range(min(oldest, max_age_months) + 1)
        if oldest > 0
    ]
    table = pd.DataFrame(rows, columns=["vintage", "age_months", "loans", "bads"])
    return table.assign(bad_rate=table["bads"] / table["loans"])


def _bad_by(ages: pd.DataFrame, age_months: int) -> tuple[int, int]:
    return int(ages["loans"].sum()), int(ages.loc[ages["bad_age"] <= age_months, "loans"].sum())


def _by_opening(
    book: Book, as_of: date, every: Literal["quarter", "year"]
) -> Iterator[tuple[pd.Period, pd.DataFrame, int]]:
    """Yield each period of opening, its loans by the age at which they were bad first, and the age of its last loans."""
    last, counts = last_month_end(as_of), _first_bad_ages(book, as_of)
    months = counts[["year", "month"]].to_numpy()
    opened = pd.PeriodIndex([pd.Period(year=int(year), month=int(month), freq="M") for year, month in months], freq="M")
    for period, ages in counts.groupby(opened.asfreq(every[0].upper())):
        oldest = (last.year - period.end_time.year) * 12 + last.month - period.end_time.month
        if oldest >= 0:
            yield period, ages, oldest


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
