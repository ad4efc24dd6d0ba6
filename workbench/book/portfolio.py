"""The portfolio month by month: exposure by delinquency bucket, non-performing ratio, credit limits, write-offs."""

from __future__ import annotations

from datetime import date

import ibis
import pandas as pd
from ibis import _

from workbench.book.book import Book
from workbench.book.performance import performance
from workbench.core.dates import month_end, month_ends
from workbench.core.languages import mark

# Days past due up to and including the bound; the Basel and Chinese supervisory reporting buckets M1 to M3 and M3+.
BUCKETS: tuple[tuple[str, int], ...] = (
    (mark("current"), 0),
    ("1-30", 30),
    ("31-60", 60),
    ("61-90", 90),
    (mark("over 90"), 10**9),
)


def monthly_portfolio(book: Book, *, as_of: date, months: int = 24) -> pd.DataFrame:
    """Return one row a month end, up to `months` of them, and `as_of`, all as known at `as_of`.

    Returns
    -------
    DataFrame
        month_end, loans, customers, exposure, the share of exposure of each bucket of `BUCKETS`, npl_ratio (share of
        exposure at `bad_dpd` or more), credit_limit (of open revolving loans; null where there are none), utilisation (their
        balance over it), written_off (loans written off in the month, by their last month end before).
    """
    first = max(book.manifest.facts.first_day, month_end(as_of, months=-months))
    days = sorted({*month_ends(first, as_of), as_of})
    rows = performance(book, as_of=as_of, days=days)
    rows = rows.mutate(exposure=rows.balance.cast("float64"))
    open_loans = rows.filter(rows.open)
    measures = {
        "loans": open_loans.count(),
        "customers": open_loans.customer_id.nunique(),
        "exposure": open_loans.exposure.sum(),
    }
    low = -1
    for name, high in BUCKETS:
        inside = (open_loans.dpd > low) & (open_loans.dpd <= high)
        measures[name] = open_loans.exposure.sum(where=inside)
        low = high
    revolving = open_loans.credit_limit > 0
    measures["credit_limit"] = open_loans.credit_limit.sum(where=revolving).cast("float64")
    measures["utilisation"] = open_loans.exposure.sum(where=revolving)
    measures["npl_ratio"] = open_loans.exposure.sum(where=open_loans.dpd >= book.definitions.target.bad_dpd)
    monthly: pd.DataFrame = open_loans.group_by("month_end").aggregate(**measures).order_by("month_end").to_pandas()
    for name in [*(bucket for bucket, _high in BUCKETS), "npl_ratio"]:
        monthly[name] = monthly[name].fillna(0.0) / monthly["exposure"]
    monthly["utilisation"] /= monthly["credit_limit"]
    ever = rows.group_by("month_end").aggregate(written_off=_.written_off.sum()).to_pandas()
    total = ever.set_index("month_end")["written_off"].reindex(monthly["month_end"])
    monthly["written_off"] = total.diff().to_numpy()
    return monthly


def delinquency(book: Book, *, as_of: date) -> pd.DataFrame:
    """Return customers, loans and exposure by delinquency bucket at `as_of`; a customer counts in the worst of its loans."""
    open_loans = performance(book, as_of=as_of).filter(_.open)
    loans: pd.DataFrame = open_loans.select(
        "loan_id", "customer_id", "dpd", exposure=_.balance.cast("float64")
    ).to_pandas()
    edges = [-1, *[high for _name, high in BUCKETS]]
    names = [name for name, _high in BUCKETS]
    loans["bucket"] = pd.cut(loans["dpd"], edges, labels=names)
    worst = loans.groupby("customer_id")["dpd"].max()
    table = loans.groupby("bucket", observed=False).agg(loans=("loan_id", "size"), exposure=("exposure", "sum"))
    table.insert(0, "customers", pd.cut(worst, edges, labels=names).value_counts().reindex(names))
    return table.reset_index().assign(bucket=names)


def exposures(book: Book, *, as_of: date) -> pd.DataFrame:
    """Return each customer's exposure at `as_of`, bad_exposure (at `bad_dpd` or more), balance and limit of cards, product."""
    open_loans = performance(book, as_of=as_of).filter(_.open)
    revolving = open_loans.credit_limit > 0
    table = open_loans.group_by("customer_id").aggregate(
        exposure=open_loans.balance.sum().cast("float64"),
        bad_exposure=_bad_balance(book, open_loans),
        balance=open_loans.balance.sum(where=revolving).cast("float64"),
        credit_limit=open_loans.credit_limit.sum(where=revolving).cast("float64"),
        dpd=open_loans.dpd.max(),
        product=open_loans["product"].min(),
    )
    frame: pd.DataFrame = table.order_by("customer_id").to_pandas()
    return frame


def product_exposures(book: Book, *, as_of: date) -> pd.DataFrame:
    """Return what each customer owes at `as_of` by product and year of opening, of the open loans.

    Returns
    -------
    DataFrame
        customer_id, product, opened_in (year, as text), exposure, bad_exposure (of loans at `bad_dpd` or more).
    """
    open_loans = performance(book, as_of=as_of).filter(_.open)
    open_loans = open_loans.mutate(opened_in=open_loans.opened_on.year().cast("string"))
    table = open_loans.group_by("customer_id", "product", "opened_in").aggregate(
        exposure=open_loans.balance.sum().cast("float64"), bad_exposure=_bad_balance(book, open_loans)
    )
    frame: pd.DataFrame = table.order_by("customer_id", "product", "opened_in").to_pandas()
    return frame


def _bad_balance(book: Book, loans: ibis.Table) -> ibis.Value:
    late = loans.dpd >= book.definitions.target.bad_dpd
    return loans.balance.sum(where=late).cast("float64").fill_null(0.0)
