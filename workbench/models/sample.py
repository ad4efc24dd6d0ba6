"""Modelling samples: who was observed when, and what came of them in the window after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import ibis
import numpy as np
import numpy.typing as npt
import pandas as pd
from ibis import _

from workbench.book.book import Book
from workbench.book.performance import is_active, performance
from workbench.core.dates import add_months, last_month_end, month_end, month_ends
from workbench.core.errors import ParameterError, SampleError

INCOMPLETE_REASONS = ("sold", "deceased", "left_file")  # a loan that ends so leaves its window cut off


@dataclass(frozen=True)
class Sample:
    """Observed customers with their outcome, and the losses by cause on the way to it.

    Attributes
    ----------
    frame
        customer_id, as_of, outcome (good, bad, indeterminate), bad (0 or 1; indeterminate is 0), exposure.
    losses
        One row an observation date: active, already_bad, in_probation, incomplete, kept, bad, indeterminate, good, bad_rate.
    window_months
        Length of the outcome window.
    followed
        What `follow_up` returned, by observation date and end of the window: evidence of the definition needs it again.
    """

    frame: pd.DataFrame
    losses: pd.DataFrame
    window_months: int
    followed: Mapping[tuple[date, date], pd.DataFrame] = field(default_factory=dict, compare=False, repr=False)


def latest_observation(known_by: date, *, window_months: int) -> date:
    """Return the latest month end whose window has ended by `known_by`.

    >>> latest_observation(date(2025, 12, 15), window_months=12)
    datetime.date(2024, 11, 30)
    """
    return month_end(last_month_end(known_by), months=-window_months)


def read_until(book: Book, known_by: date | None) -> date:
    """Return the last day of which anything is read: `known_by`, or the book's last day if that is earlier or none is given."""
    return min(known_by or book.manifest.facts.last_day, book.manifest.facts.last_day)


def window_end(book: Book, *, as_of: date, window_months: int, known_by: date | None) -> date:
    """Return the last day of the window after `as_of`.

    Raises
    ------
    ParameterError
        If it lies after `known_by` or after the book.
    """
    end, last = add_months(as_of, window_months), read_until(book, known_by)
    if end > last:
        raise ParameterError(
            f"as_of {as_of}: its window of {window_months} months ends {end}, but book {book.name!r} is read up to {last}. "
            f"Choose a date up to {latest_observation(last, window_months=window_months)}."
        )
    return end


def sample(
    book: Book, *, as_of: Sequence[date], known_by: date | None = None, window_months: int | None = None
) -> Sample:
    """Observe the active customers at each date of `as_of` and tell good from bad in the window after it.

    A customer is *bad* when any loan active at the date reaches `bad_dpd` at a month end of the window, is written off or
    enters a distressed restructuring in it; *good* when the worst DPD stays below `good_below_dpd`; else *indeterminate*.
    Customers already bad at the date, those whose cure is still in probation (`in_probation`), and those whose loans leave
    the window unfinished (sold, deceased), are counted in `losses` and left out (docs/architecture.md, "Definitions").

    Parameters
    ----------
    as_of
        The observation dates.
    known_by
        The date of the work itself: no window may end after it, so that nothing later is read. By default the book's
        last day.

    Raises
    ------
    ParameterError
        If a window ends after `known_by` or after the book does.
    SampleError
        If more than `max_incomplete_share` of a cohort has no complete window.
    """
    target = book.definitions.target
    window = window_months or target.window_months
    frames, losses, followed = [], [], {}
    for day in sorted(set(as_of)):
        end = window_end(book, as_of=day, window_months=window, known_by=known_by)
        followed[day, end] = follow_up(book, as_of=day, until=end)
        cohort = _cohort(book, day, followed[day, end])
        loss = _losses(cohort, day)
        incomplete = loss["incomplete"] / max(loss["active"] - loss["already_bad"] - loss["in_probation"], 1)
        if incomplete > target.max_incomplete_share:
            raise SampleError(
                f"as_of {day}: {incomplete:.1%} of the customers lack a complete window to {end} "
                f"(limit {target.max_incomplete_share:.1%}). Move as_of, or raise max_incomplete_share in definitions.yaml."
            )
        losses.append(loss)
        frames.append(cohort.loc[cohort["outcome"].isin(["good", "bad", "indeterminate"])])
    frame = pd.concat(frames, ignore_index=True)
    frame["bad"] = (frame["outcome"] == "bad").astype("int8")
    return Sample(frame=frame, losses=pd.DataFrame(losses), window_months=window, followed=followed)


def _cohort(book: Book, day: date, customers: pd.DataFrame) -> pd.DataFrame:
    good = customers["worst_dpd"].fillna(0) < book.definitions.target.good_below_dpd
    outcome = np.select(
        [
            customers["bad_now"],
            customers["in_probation"],
            customers["bad_on"].notna(),
            customers["left_on"].notna(),
            good,
        ],
        ["already_bad", "in_probation", "bad", "incomplete", "good"],
        default="indeterminate",
    )
    return customers.assign(as_of=pd.Timestamp(day), outcome=outcome)[["customer_id", "as_of", "outcome", "exposure"]]


def in_probation(book: Book, lately: ibis.Table, *, as_of: date) -> pd.Series:
    """Return the ids of customers who were bad so lately that a cure is not yet believed (EBA/GL/2016/07, 71 and 72).

    A loan of theirs was at `bad_dpd` or more, or written off, at one of the month ends of the `probation_months` before
    `as_of`, or had a distressed restructuring in the `restructured_probation_months` up to it.

    Parameters
    ----------
    lately
        `performance` at `as_of` on these month ends; later days in it are not looked at.
    """
    target = book.definitions.target
    before = lately.filter(lately.month_end < as_of)
    late = before.filter(((before.dpd >= target.bad_dpd) | before.written_off).fill_null(False))
    found = [late.select("customer_id").distinct().to_pandas()["customer_id"]]
    if target.restructured_probation_months:
        since = add_months(as_of, -target.restructured_probation_months)
        restructured = _restructured(book, since, as_of)
        loans = book.as_known("loans", as_of=as_of).select("loan_id", "customer_id").to_pandas()
        found.append(loans.loc[loans["loan_id"].isin(restructured["loan_id"]), "customer_id"])
    together: pd.Series = pd.concat(found).drop_duplicates()
    return together


def _probation_days(book: Book, as_of: date) -> list[date]:
    months = book.definitions.target.probation_months
    return [day for day in month_ends(month_end(as_of, months=-months - 1), as_of) if day < as_of] if months else []


def follow_up(book: Book, *, as_of: date, until: date) -> pd.DataFrame:
    """Return the customers active at `as_of`, and when the loans that make them so went bad, or left, by `until`.

    Returns
    -------
    DataFrame
        One row a customer, by customer_id: bad_now (bool), in_probation (bool: see there), bad_on (the first month end at
        `bad_dpd` or more or written off, or the day of a distressed restructuring; NaT if neither), written_off (bool: by a
        month end), left_on (the day on which a loan was sold, or left the book unfinished otherwise; NaT if none), worst_dpd
        (days, at the month ends after `as_of`; null where the book does not say), exposure (balance at `as_of`).
    """
    target = book.definitions.target
    lately = book.keep(performance(book, as_of=as_of, days=[*_probation_days(book, as_of), as_of]))
    now = lately.filter(lately.month_end == as_of)
    active = now.filter(is_active(now)).select("loan_id", "customer_id", "dpd", balance=now.balance.cast("float64"))
    active = active.to_pandas()
    after = performance(book, as_of=until, days=month_ends(as_of, until))
    after = after.filter(after.open | after.written_off)
    is_bad = ((after.dpd >= target.bad_dpd) | after.written_off).fill_null(False)
    worst = after.group_by("loan_id").aggregate(
        worst_dpd=after.dpd.max(), written_off=after.written_off.any(), late_on=after.month_end.min(where=is_bad)
    )
    loans = active
    for dated in (worst.to_pandas(), _left_unfinished(book, as_of, until), _restructured(book, as_of, until)):
        loans = loans.merge(dated, on="loan_id", how="left")
    days = loans[["late_on", "restructured_on", "left_on"]].apply(pd.to_datetime)
    loans = loans.assign(
        bad_now=loans["dpd"] >= target.bad_dpd,
        bad_on=days[["late_on", "restructured_on"]].min(axis="columns"),
        written_off=loans["written_off"].eq(True),
        left_on=days["left_on"],
    )
    customers: pd.DataFrame = loans.groupby("customer_id", as_index=False).agg(
        bad_now=("bad_now", "any"),
        bad_on=("bad_on", "min"),
        written_off=("written_off", "any"),
        left_on=("left_on", "min"),
        worst_dpd=("worst_dpd", "max"),
        exposure=("balance", "sum"),
    )
    return customers.assign(in_probation=customers["customer_id"].isin(in_probation(book, lately, as_of=as_of)))


def _left_unfinished(book: Book, day: date, end: date) -> pd.DataFrame:
    loans = book.as_known("loans", as_of=end)
    left = loans.filter(_.close_reason.isin(INCOMPLETE_REASONS), _.closed_on > day)
    frame: pd.DataFrame = left.select("loan_id", left_on="closed_on").to_pandas()
    return frame


def _restructured(book: Book, day: date, end: date) -> pd.DataFrame:
    if "restructurings" not in book.tables or not book.definitions.target.distressed_restructuring_is_bad:
        return pd.DataFrame({"loan_id": pd.Series(dtype="str"), "restructured_on": pd.Series(dtype="datetime64[us]")})
    rows = book.as_known("restructurings", as_of=end)
    distressed = rows.filter(_.distressed, _.effective_on > day)
    first = distressed.group_by("loan_id").aggregate(restructured_on=_.effective_on.min())
    frame: pd.DataFrame = first.to_pandas()
    return frame


_CAUSES = ("already_bad", "in_probation", "incomplete", "bad", "indeterminate", "good")


def _losses(cohort: pd.DataFrame, day: date) -> dict[str, Any]:
    counts = cohort["outcome"].value_counts()
    row = {name: int(counts.get(name, 0)) for name in _CAUSES}
    kept = row["bad"] + row["indeterminate"] + row["good"]
    rate = row["bad"] / kept if kept else float("nan")
    return {"as_of": pd.Timestamp(day), "active": len(cohort), **row, "kept": kept, "bad_rate": rate}


def hash_share(ids: pd.Series, *, seed: int) -> npt.NDArray[np.float64]:
    """Return a stable number in [0, 1) for each id: a customer falls on the same side of a split in every run.

    >>> bool(hash_share(pd.Series(["C1"]), seed=7)[0] == hash_share(pd.Series(["C1", "C2"]), seed=7)[0])
    True
    """
    hashed = pd.util.hash_array(ids.to_numpy(dtype=object), hash_key=f"{seed:016d}"[:16])
    return hashed / float(2**64)
