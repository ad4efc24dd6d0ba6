"""Loss given default, measured on the book's own defaults by the workout method."""

from __future__ import annotations

from datetime import date

import ibis
import numpy as np
import pandas as pd
from ibis import _

from workbench.book.book import Book
from workbench.book.losses import after_write_off, cash, written_off
from workbench.book.performance import states_dpd
from workbench.book.workouts import workouts
from workbench.core.languages import say, say_count

_COUNTS = ["defaults", "left_out", "cured", "written_off", "exposure", "lost"]
_RATES = ["lgd", "low", "high", "lgd_by_count", "low_by_count", "high_by_count"]


def loss_given_default(
    book: Book, *, as_of: date, workout_months: int = 24, discount_rate: float = 0.05, least_defaults: int = 30
) -> pd.DataFrame:
    """Return the share of the exposure that was lost in past defaults, those of `workouts`, in all and by product.

    Returns
    -------
    DataFrame
        First all loans (product null), then each product: product; defaults (of which exposure and loss are known), left_out
        (of which they are not), cured, written_off; exposure and lost (money); lgd, lost / exposure, with low and high; the
        mean over defaults, lgd_by_count, which EBA/GL/2017/16 asks for, with low_by_count and high_by_count; reason. Intervals
        are of 95 %, by linearisation, a customer's loans together (Cochran 1977, Sampling Techniques, ch. 6). With fewer
        defaults than `least_defaults`, or where nothing can be told, the rates are null and `reason` says why; else it is "".
    """
    table, reason = pd.DataFrame(), ""
    if "payments" not in book.tables:
        reason = say("The book has no payments, so nobody knows what came back.")
    elif not states_dpd(book.tables):
        reason = say("The book does not state days past due, so nobody knows what defaulted.")
    else:
        loans = workouts(book, as_of=as_of, workout_months=workout_months, discount_rate=discount_rate)
        every = _rates(loans.mutate(product=ibis.null("string")))
        table = pd.concat([every, _rates(loans.filter(~_["product"].isnull()))], ignore_index=True)
        reason = _doubt(book, as_of, every)
    if table.empty:
        table = pd.DataFrame([dict.fromkeys(_COUNTS, 0)])
    table = table.reindex(columns=["product", *_COUNTS, *_RATES])
    no_rate = (table["defaults"] < least_defaults) | bool(reason)
    table.loc[no_rate, _RATES] = float("nan")
    reasons = [reason or _too_few(int(count), workout_months, least_defaults) for count in table["defaults"]]
    return table.assign(reason=pd.Series(reasons, dtype=object).where(no_rate, ""))


def _doubt(book: Book, as_of: date, every: pd.DataFrame) -> str:
    """Say why these defaults, a row of `_rates` or none, tell nothing of losses; or nothing."""
    if every["left_out"].sum() and not every["defaults"].sum():
        return say("Of no loan that defaulted it is known what was lost: no balance is stated, or it left the book.")
    if not every["written_off"].sum():
        return ""
    rows = cash(book, as_of=as_of).join(written_off(book, as_of=as_of), "loan_id")
    if rows.filter(after_write_off(rows)).count().execute():
        return ""
    return say("The book holds no payment after any write-off, so nobody knows what came back.")


def _too_few(count: int, months: int, least: int) -> str:
    return say_count(
        count,
        "{count:,} loan defaulted at least {months} months before; an estimate needs {least}.",
        "{count:,} loans defaulted at least {months} months before; an estimate needs {least}.",
        months=months,
        least=least,
    )


def _rates(loans: ibis.Table) -> pd.DataFrame:
    """Return counts, sums and rates of `workouts` by product, with intervals; customers are the clusters."""
    seen = loans.seen
    from scipy.stats import t as student

    customers = loans.group_by("product", "customer_id").aggregate(
        n=seen.sum().cast("float64"),
        left_out=(~seen).sum(),
        cured=loans.cured.sum(where=seen),
        written_off=loans.written_off.sum(where=seen),
        exposure=loans.exposure.sum(where=seen).fill_null(0.0),
        lost=loans.lost.sum(where=seen).fill_null(0.0),
        ratio=(loans.lost / loans.exposure.nullif(0)).sum(where=seen).fill_null(0.0),
    )
    sums = {name: customers[name].sum() for name in customers.columns if name not in ("product", "customer_id")}
    kinds = {"": ("lost", "exposure"), "_by_count": ("ratio", "n")}
    for part, whole in kinds.values():
        for a, b in ((part, part), (part, whole), (whole, whole)):
            sums[f"{a} {b}"] = (customers[a] * customers[b]).sum()
    by_product = customers.group_by("product").aggregate(clusters=(customers.n > 0).sum(), **sums)
    table: pd.DataFrame = by_product.order_by("product").to_pandas()
    clusters = table["clusters"].where(table["clusters"] > 1).astype(float)
    quantile = student.ppf(0.975, clusters - 1)
    for suffix, (part, whole) in kinds.items():
        rate = table[part] / table[whole].where(table[whole] > 0)
        # a customer's residual is part - rate x whole; the sum of its squares, from sums that are there
        squares = table[f"{part} {part}"] - 2 * rate * table[f"{part} {whole}"] + rate**2 * table[f"{whole} {whole}"]
        half = quantile * np.sqrt(squares.clip(lower=0) * clusters / (clusters - 1)) / table[whole]
        table[f"lgd{suffix}"], table[f"low{suffix}"] = rate, (rate - half).clip(lower=0)
        table[f"high{suffix}"] = np.minimum(rate + half, np.maximum(rate, 1.0))
    return table.assign(defaults=table["n"].astype("int64"))
