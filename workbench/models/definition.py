"""Evidence for the definition of bad: who comes back from which arrears, and how long it takes until the bads are known.

Siddiqi (2006), Credit Risk Scorecards, ch. 3: bad is a state that few come back from, and the window is long enough where the
curve of the bad rate by its length flattens. Curves by vintage, the third piece, are `workbench.book.vintages.vintage_curves`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import pandas as pd
from ibis import _

from workbench.book.book import Book
from workbench.book.performance import is_active, performance
from workbench.core.dates import add_months, month_end, month_ends
from workbench.core.errors import ParameterError
from workbench.core.languages import mark
from workbench.models.sample import follow_up, read_until, window_end

# Each bucket with the days past due at which it begins: those of Siddiqi (2006), on whose bounds lie the usual 30 of good
# and 90 of bad. Portfolio reports use the supervisors' buckets, 1-30 to over 90 (`workbench.book.portfolio`).
BUCKETS: tuple[tuple[str, int], ...] = ((mark("current"), 0), ("1-29", 1), ("30-59", 30), ("60-89", 60), ("90+", 90))
WRITTEN_OFF = mark("written off")  # the worst of all; nobody active is in it
_FROM = [name for name, _start in BUCKETS]
_TO = [*_FROM, WRITTEN_OFF]
WINDOWS = (3, 6, 9, 12, 15, 18, 24)  # months


def evidence_dates(book: Book, dates: Sequence[date], *, history_months: int = 0, at_most: int = 4) -> list[date]:
    """Return at most `at_most` of `dates`, evenly spread, from the first with `history_months` of the book before it.

    The first is among them because its windows are the longest. Without such a date the list is empty.

    Raises
    ------
    ParameterError
        If `at_most` is below 1.
    """
    _check_months("at_most", [at_most])
    fit = sorted({day for day in dates if day >= _first_with_history(book, history_months)})
    return fit[:: -(-len(fit) // at_most)] if fit else []


def roll_rates(
    book: Book,
    *,
    as_of: Sequence[date],
    months: int = 12,
    known_by: date | None = None,
    followed: Mapping[tuple[date, date], pd.DataFrame] | None = None,
) -> pd.DataFrame:
    """Return how the customers active at the dates moved from their worst arrears before to their worst arrears after.

    A customer is in the worst bucket in which any loan active at the date was at a month end of the `months` months up to it
    (`from_bucket`), and of the `months` after it (`to_bucket`), there with written off as the worst. Customers already bad
    are in: whether they come back is the question. As in `sample`, days past due that nobody states count as none, and
    customers with a loan that left unfinished (sold, deceased), not bad before, are left out. What came before a date is
    read as known at the date, what came after as known at the end of its window.

    Parameters
    ----------
    as_of
        The observation dates; a customer counts at each.
    known_by
        No window may end after it. By default the book's last day.
    followed
        `Sample.followed`: a window that it holds is not read again.

    Returns
    -------
    DataFrame
        One row a pair of buckets, also where nobody moved so, from the best to the worst: from_bucket (of `BUCKETS`),
        to_bucket (of `BUCKETS`, and written off), customers, share (of the customers of from_bucket; null if there are none).

    Raises
    ------
    ParameterError
        If there is no date, one lies outside the book, `months` is below 1, the book begins less than `months` before a
        date, or a window ends after `known_by` or the book.
    """
    _check_months("months", [months])
    moves = pd.concat([_moves(book, day, months, known_by, followed or {}) for day in _checked(book, as_of)])
    table = moves.groupby(["from_bucket", "to_bucket"], observed=False).size().rename("customers").reset_index()
    table["share"] = table["customers"] / table.groupby("from_bucket", observed=False)["customers"].transform("sum")
    return table.astype({"from_bucket": "str", "to_bucket": "str"})


def roll_directions(rolls: pd.DataFrame) -> pd.DataFrame:
    """Return, by the worst bucket before, the shares of customers whose worst bucket after was better, the same or worse.

    Parameters
    ----------
    rolls
        What `roll_rates` returns.

    Returns
    -------
    DataFrame
        from_bucket, customers, their share in each bucket after (a column each), better, same, worse, and reached_90 (90+ or
        written off). Shares are 0 to 1, null where from_bucket is empty.

    Examples
    --------
    >>> rolls = pd.DataFrame({"from_bucket": "60-89", "to_bucket": ["30-59", "90+"], "customers": [1, 3]})
    >>> rolls["share"] = rolls["customers"] / 4
    >>> roll_directions(rolls)[["customers", "better", "same", "worse", "reached_90"]].to_dict("records")
    [{'customers': 4, 'better': 0.25, 'same': 0.0, 'worse': 0.75, 'reached_90': 0.75}]
    """
    rank = {name: place for place, name in enumerate(_TO)}
    step = rolls["to_bucket"].map(rank) - rolls["from_bucket"].map(rank)
    chosen = {
        "better": step < 0,
        "same": step == 0,
        "worse": step > 0,
        "reached_90": rolls["to_bucket"].isin(["90+", WRITTEN_OFF]),
    }
    moved = rolls.assign(**{name: rolls["customers"].where(rows, 0) for name, rows in chosen.items()})
    counts = moved.groupby("from_bucket", sort=False)[["customers", *chosen]].sum()
    by_bucket = rolls.groupby("to_bucket", sort=False)
    after = {str(name): rows.set_index("from_bucket")["share"] for name, rows in by_bucket}
    shares = {name: counts[name] / counts["customers"] for name in chosen}
    return pd.DataFrame({"customers": counts["customers"], **after, **shares}, index=counts.index).reset_index()


def bad_rate_by_window(
    book: Book, *, as_of: Sequence[date], windows: Sequence[int] = WINDOWS, known_by: date | None = None
) -> pd.DataFrame:
    """Return the share of each date's customers who have gone bad by the end of windows of several lengths.

    Active, already bad, in probation, bad and incomplete are those of `sample`. A cohort is the same customers at every
    length: those with a loan that leaves unfinished before the longest window ends, not bad before, are out of all. What
    happened is read once, as known at the end of the longest window; a correction that came after a shorter one ended is
    therefore in that one too.

    Parameters
    ----------
    as_of
        The observation dates, a cohort each.
    windows
        Lengths in months.
    known_by
        A window that ends later is absent, as is one that more than `max_incomplete_share` of the cohort would not complete.
        By default the book's last day.

    Returns
    -------
    DataFrame
        One row a date and length, in order: as_of, window_months, customers, bads, bad_rate (null where there are no
        customers).

    Raises
    ------
    ParameterError
        If there is no date, one lies outside the book, or there is no window or one below 1 month.
    """
    lengths = sorted(set(windows))
    _check_months("windows", lengths)
    last = read_until(book, known_by)
    rows = []
    for day in _checked(book, as_of):
        ends = {length: add_months(day, length) for length in lengths}
        rows += _cumulated(book, day, {length: end for length, end in ends.items() if end <= last})
    return pd.DataFrame(rows, columns=["as_of", "window_months", "customers", "bads", "bad_rate"])


def _cumulated(book: Book, day: date, ends: dict[int, date]) -> list[tuple[pd.Timestamp, int, int, int, float]]:
    if not ends:
        return []
    cohort = follow_up(book, as_of=day, until=max(ends.values()))
    cohort = cohort.loc[~cohort["bad_now"] & ~cohort["in_probation"]]
    bad = {length: cohort["bad_on"] <= pd.Timestamp(end) for length, end in ends.items()}
    cut = {length: (cohort["left_on"] <= pd.Timestamp(end)) & ~bad[length] for length, end in ends.items()}
    limit = book.definitions.target.max_incomplete_share
    complete = [length for length in ends if cut[length].sum() / max(len(cohort), 1) <= limit]
    if not complete:
        return []
    customers = int((~cut[complete[-1]]).sum())
    bads = {length: int(bad[length].sum()) for length in ends if length <= complete[-1]}
    return [
        (pd.Timestamp(day), length, customers, count, count / customers if customers else float("nan"))
        for length, count in bads.items()
    ]


def _moves(
    book: Book, day: date, months: int, known_by: date | None, followed: Mapping[tuple[date, date], pd.DataFrame]
) -> pd.DataFrame:
    """Return from_bucket and to_bucket of each customer active at the day."""
    first = _first_with_history(book, months)
    if day < first:
        raise ParameterError(
            f"as_of {day}: book {book.name!r} begins {book.manifest.facts.first_day}, less than the {months} months before it. "
            f"Choose a date from {first}, or fewer months."
        )
    end = window_end(book, as_of=day, window_months=months, known_by=known_by)
    after = followed[day, end] if (day, end) in followed else follow_up(book, as_of=day, until=end)
    after = after.loc[after["left_on"].isna() | after["bad_on"].notna()]
    before = performance(book, as_of=day, days=sorted({*month_ends(add_months(day, -months), day), day}))
    before = before.mutate(active=is_active(before) & (before.month_end == day))
    loans = before.group_by("loan_id", "customer_id").aggregate(worst_dpd=_.dpd.max(), active=_.active.any())
    worst = loans.filter(_.active).group_by("customer_id").aggregate(worst_before=_.worst_dpd.max()).to_pandas()
    customers = after.merge(worst, on="customer_id", how="left")
    to_bucket = _bucket(customers["worst_dpd"], _TO).mask(customers["written_off"], WRITTEN_OFF)
    return pd.DataFrame({"from_bucket": _bucket(customers["worst_before"], _FROM), "to_bucket": to_bucket})


def _bucket(dpd: pd.Series, names: Sequence[str]) -> pd.Series:
    starts = [start for _name, start in BUCKETS]
    cut = pd.cut(dpd.fillna(0).astype(float), [*starts, float("inf")], right=False, labels=_FROM)
    return cut.cat.set_categories(names)


def _first_with_history(book: Book, months: int) -> date:
    """Return the first month end with `months` month ends in the book up to it."""
    return month_end(book.manifest.facts.first_day, months=months - 1)


def _checked(book: Book, dates: Sequence[date]) -> list[date]:
    if not dates:
        raise ParameterError("as_of: found no date, expected one or more within the book. Name the observation dates.")
    return sorted({book.check_as_of(day) for day in dates})


def _check_months(what: str, values: Sequence[int]) -> None:
    if not values or min(values) < 1:
        found = ", ".join(map(str, values)) or "nothing"
        raise ParameterError(f"{what}: found {found}, expected whole numbers of 1 or more.")
