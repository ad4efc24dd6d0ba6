"""Loans by when they were opened: how many of each vintage went bad by a given age."""

from __future__ import annotations

from datetime import date

import ibis
import pandas as pd
from ibis import _

from workbench.book.book import Book
from workbench.book.performance import performance
from workbench.core.dates import month_end, month_ends


def vintages(book: Book, *, as_of: date, age_months: int = 12) -> pd.DataFrame:
    """Return the share of each quarter's new loans that were bad within `age_months` months of opening.

    Bad: `bad_dpd` days past due at a month end, or written off. Loans opened before the book begins are left out, and
    quarters whose last loans are not yet so old at `as_of`.

    Returns
    -------
    DataFrame
        month (last day of the quarter), loans, bads, bad_rate, and low and high: its 95 % interval (Wilson 1927, JASA 22).
    """
    first = book.manifest.facts.first_day
    days = month_ends(first, as_of)
    columns = ["month", "loans", "bads", "bad_rate", "low", "high"]
    if not days:
        return pd.DataFrame(columns=columns)
    rows = performance(book, as_of=as_of, days=days).filter(_.opened_on >= ibis.literal(first))
    age = (rows.month_end.year() - rows.opened_on.year()) * 12 + rows.month_end.month() - rows.opened_on.month()
    goes_bad = (rows.dpd >= book.definitions.target.bad_dpd) | rows.written_off
    by_loan = rows.filter(age <= age_months).mutate(bad=ibis.ifelse(goes_bad.fill_null(False), 1, 0))
    by_loan = by_loan.group_by("loan_id", "opened_on").aggregate(bad=_.bad.max())
    by_month = by_loan.group_by(year=_.opened_on.year(), number=_.opened_on.month()).aggregate(
        loans=_.count(), bads=_.bad.sum()
    )
    monthly: pd.DataFrame = by_month.to_pandas()
    quarter = pd.PeriodIndex(
        [
            pd.Period(year=int(year), month=int(number), freq="M")
            for year, number in monthly[["year", "number"]].to_numpy()
        ]
    ).asfreq("Q")
    table = monthly.groupby(quarter)[["loans", "bads"]].sum().sort_index()
    complete = [month_end(period.end_time.date(), months=age_months) <= as_of for period in table.index]
    table = table.loc[complete]
    table.insert(0, "month", [period.end_time.normalize() for period in table.index])
    return _with_interval(table.reset_index(drop=True))[columns]


def _with_interval(table: pd.DataFrame) -> pd.DataFrame:
    n, z = table["loans"].astype(float), 1.959964
    rate = table["bads"] / n
    centre = (rate + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (rate * (1 - rate) / n + z**2 / (4 * n**2)) ** 0.5
    return table.assign(bad_rate=rate, low=centre - half, high=centre + half)
