"""Roll rates: how loans move from one delinquency bucket to another from one month end to the next."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import ibis
import pandas as pd
from ibis import _

from workbench.book.book import Book
from workbench.book.flows import CLOSED, WRITTEN_OFF, days_to_compare, summed, with_state_before
from workbench.book.performance import performance
from workbench.book.portfolio import BUCKETS

STATES = (*(name for name, _high in BUCKETS), WRITTEN_OFF, CLOSED)
_BEFORE = STATES[: len(BUCKETS)]


def roll_rates(book: Book, *, as_of: date, months: int = 12) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return where the open loans of each bucket were a month later, over the last `months` together and month by month.

    Buckets are those of `portfolio.BUCKETS`, all as known at `as_of`. A loan counts in each month at whose beginning it is
    open and at both of whose ends the book states its days past due. Its exposure is the balance at the beginning. Another
    question than `monthly_flows` asks, where the first default ends a loan's life: here it may come back.

    Returns
    -------
    DataFrame
        The months together, one row a pair, also where nothing moved so: from_bucket (of `BUCKETS`), to_bucket (of `STATES`),
        loans, exposure, loan_share, exposure_share (of all of from_bucket; null if there are none, or no balances are stated).
    DataFrame
        The roll rates proper, month by month, of the buckets that have a next one: month_end, from_bucket, to_bucket (the next
        one), loans and exposure (of from_bucket at the beginning), loan_rate and exposure_rate: the share that a month later is
        in the next bucket or a worse one, or written off. A bucket that was empty has no row.
    """
    moves = _moves(book, as_of, months)
    pairs = pd.MultiIndex.from_product([_BEFORE, STATES], names=["from_bucket", "to_bucket"])
    matrix = moves.groupby(["from_bucket", "to_bucket"])[["loans", "exposure"]].sum(min_count=1).reindex(pairs)
    for name, share in (("loans", "loan_share"), ("exposure", "exposure_share")):
        whole = matrix[name].groupby(level="from_bucket", sort=False).transform("sum", min_count=1)
        matrix[name] = matrix[name].fillna(0).where(whole.notna())
        matrix[share] = matrix[name] / whole.where(whole > 0)
    matrix = matrix.fillna({"loans": 0}).astype({"loans": "int64"}).reset_index()
    return matrix, _by_month(moves)


def _moves(book: Book, as_of: date, months: int) -> pd.DataFrame:
    """Return month_end, from_bucket, to_bucket, loans, exposure."""
    days = days_to_compare(book, as_of=as_of, months=months)
    names = {"before": "from_bucket", "after": "to_bucket", "balance_before": "exposure"}
    if not days:
        return pd.DataFrame(columns=["month_end", *names.values(), "loans"])
    rows = performance(book, as_of=as_of, days=days)
    buckets = [(rows.dpd <= high, name) for name, high in BUCKETS]
    state = ibis.cases((rows.written_off, WRITTEN_OFF), (~rows.open, CLOSED), *buckets, else_=ibis.null("string"))
    moved = with_state_before(rows, state).filter(_.before.isin(_BEFORE) & ~_.state.isnull())
    return summed(moved).rename(columns=names).drop(columns="balance_after")


def _by_month(moves: pd.DataFrame) -> pd.DataFrame:
    place = {name: rank for rank, name in enumerate(STATES)}
    begun = moves[moves["from_bucket"] != _BEFORE[-1]]
    start, end = begun["from_bucket"].map(place), begun["to_bucket"].map(place)
    worse = (end > start) & (begun["to_bucket"] != CLOSED)
    keys = ["month_end", "from_bucket"]
    whole = begun.groupby(keys)[["loans", "exposure"]].sum(min_count=1)
    rolled = begun[worse].groupby(keys)[["loans", "exposure"]].sum(min_count=1).reindex(whole.index).fillna(0.0)
    rates = (rolled / whole.where(whole > 0)).rename(columns={"loans": "loan_rate", "exposure": "exposure_rate"})
    table = whole.join(rates).reset_index()
    following = dict(pairwise(_BEFORE))
    table.insert(2, "to_bucket", table["from_bucket"].map(following))
    order = table.assign(place=table["from_bucket"].map(place)).sort_values(["month_end", "place"], ignore_index=True)
    return order.drop(columns="place")
