"""Past month ends scored by one model version: mean score and PD, PD x exposure, grades, and who moved between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from workbench.book.book import Book
from workbench.book.flows import NEW
from workbench.book.portfolio import exposures
from workbench.core.dates import add_months, month_end, month_ends
from workbench.core.errors import SampleError
from workbench.core.languages import say
from workbench.indicators.stored import load_panel, stored_panel
from workbench.models.scorecard import Scorecard
from workbench.models.scoring import kept_scores, mark_defaulted
from workbench.models.tracking import ModelVersion

LEFT = "left"
HISTORY_MONTHS = 6
"""Months of the book before the first date that is scored, as for the first observation of a scorecard (30_scorecard)."""
LossGivenDefault = Callable[[date], pd.Series]
"""Gives, for a date, what is lost of each customer's exposure: a Series by customer."""


@dataclass(frozen=True)
class ScoreTrend:
    """What one model version says of past month ends.

    Attributes
    ----------
    table : DataFrame
        One row a date that was scored: month_end; source (`panel` or `kept scores`); in_fit; customers (active); defaulted (of
        them `bad_dpd` days past due or more); exposure; score_mean (of those not defaulted: the model does not speak of the
        others); pd_mean (the defaulted at 1); pd_exposure (the sum of PD x exposure); expected_loss (that times the loss
        given default, where one was given); share_A, ... of the customers and exposure_share_A, ... of the exposure by grade
        (the defaulted in the last). `in_fit`: whether the model was fitted on observations or outcomes of that time; null
        where it does not say. What needs an exposure that the book does not state is null.
    flows : DataFrame
        Of the last dates that follow each other month by month: month_end, before, after (grades, `new`, `left`), customers,
        exposure_before, exposure_after. All of the first of them come from `new`.
    grades : list of str
        The safest first.
    missing : list of date
        Month ends that were not scored: neither a panel of them is stored, nor scores of this version.
    book : str
        The book's name.
    """

    table: pd.DataFrame
    flows: pd.DataFrame
    grades: list[str]
    missing: list[date]
    book: str


def score_trend(
    book: Book,
    scorecard: Scorecard,
    version: ModelVersion,
    *,
    as_of: date,
    months: int = 36,
    build: bool = False,
    lgd: LossGivenDefault | None = None,
    told: Callable[[int, int], None] = lambda _done, _all: None,
) -> ScoreTrend:
    """Score the customers of each month end up to `as_of` with one scorecard, as they were known then.

    A date is scored on its stored panel. Where there is none, the scores that the book's history keeps of this version are
    taken, whichever delivery they were made of, with the exposure that the book now states. A PD of a time at which the model
    was fitted, or whose outcomes it was fitted on, is no forecast made then: see `in_fit`.

    Parameters
    ----------
    months
        Month ends looked back on, without those within `HISTORY_MONTHS` of the book's first day.
    build
        Make, and store, the panels of dates that have neither; by default these dates are left out.
    lgd
        Loss given default of the customers at a date, for an expected loss, as `book.expected_loss.customer_lgd` has it.
    told
        Called with the number of dates done and of all.

    Raises
    ------
    SampleError
        Neither a panel nor scores of any of the dates.
    """
    first = max(
        month_end(book.manifest.facts.first_day, months=HISTORY_MONTHS - 2), month_end(as_of, months=-months)
    )  # the last month end that is not looked at
    days = month_ends(first, as_of)
    grades = [grade for grade, _pd in scorecard.grades]
    rows: list[dict[str, Any]] = []
    flows: list[pd.DataFrame] = []
    missing: list[date] = []
    before: pd.DataFrame | None = None
    for done, day in enumerate(days, start=1):
        found = _customers(book, scorecard, version, day, build=build)
        if found is None:
            missing.append(day)
            before, flows = None, []
        else:
            source, customers = found
            scored = _marked(book, customers, grades, day, lgd)
            rows.append({"month_end": pd.Timestamp(day), "source": source} | _row(scored, grades))
            flows.append(_moved(before, scored, day))
            before = scored
        told(done, len(days))
    if not rows:
        raise SampleError(
            say(
                "scores of book {book}: no panel and no scores of {version} are stored of the {count} month ends up to "
                "{as_of}. Make them: workbench indicators build --months {months} --book {book}",
                book=book.name,
                version=version,
                count=len(days),
                as_of=as_of,
                months=months,
            )
        )
    table = pd.DataFrame(rows)
    table.insert(2, "in_fit", _in_fit(scorecard, table["month_end"]))
    last = pd.concat(flows, ignore_index=True) if flows else _moved(None, scored.head(0), days[-1])
    return ScoreTrend(table, last, grades, missing, book.name)


def fit_period(scorecard: Scorecard) -> tuple[date, date] | None:
    """Return the first observation date of the fit and the end of its last outcome window; None where it is not told.

    Dates that were kept out of time are no part of it.
    """
    provenance = scorecard.provenance
    dates = sorted(date.fromisoformat(str(day)) for day in provenance.get("dates", []))
    late = int(provenance.get("split", {}).get("out_of_time_dates", 0))
    window = scorecard.target.get("window_months")
    fitted = dates[: len(dates) - late]
    return (fitted[0], add_months(fitted[-1], window)) if fitted and isinstance(window, int) else None


def _in_fit(scorecard: Scorecard, days: pd.Series) -> pd.Series:
    period = fit_period(scorecard)
    if period is None:
        return pd.Series(pd.NA, index=days.index, dtype="boolean")
    return days.between(pd.Timestamp(period[0]), pd.Timestamp(period[1])).astype("boolean")


def _customers(
    book: Book, scorecard: Scorecard, version: ModelVersion, day: date, *, build: bool
) -> tuple[str, pd.DataFrame] | None:
    """Return where the scores are from, and customer_id, score, pd, grade, exposure, dpd_now; None where there are none."""
    wanted = list(dict.fromkeys(["customer_id", *scorecard.inputs, "exposure", "dpd_now"]))
    panel = stored_panel(book, as_of=day, columns=wanted)
    kept = None if panel is not None else kept_scores(book, version, as_of=day)
    if panel is None and kept is None and build:
        load_panel(book, as_of=day)
        panel = stored_panel(book, as_of=day, columns=wanted)
    if panel is not None:
        known = panel[["customer_id", "exposure", "dpd_now"]]
        return "panel", pd.concat([scorecard.score(panel, reasons=False), known], axis=1)
    if kept is None:
        return None
    held = exposures(book, as_of=day)[["customer_id", "exposure", "dpd"]].rename(columns={"dpd": "dpd_now"})
    return "kept scores", kept[["customer_id", "score", "pd", "grade"]].merge(held, on="customer_id", how="left")


def _marked(
    book: Book, customers: pd.DataFrame, grades: list[str], day: date, lgd: LossGivenDefault | None
) -> pd.DataFrame:
    """Return the customers with the defaulted marked, as no score and a PD of 1, and what is at risk."""
    bad_dpd = book.definitions.target.bad_dpd
    scored = mark_defaulted(customers, bad_dpd=bad_dpd, worst_grade=grades[-1])
    scored["grade"] = pd.Categorical(scored["grade"], grades, ordered=True)
    scored["score"] = scored["score"].mask(scored["dpd_now"] >= bad_dpd)
    scored["at_risk"] = scored["pd"] * scored["exposure"]
    if lgd is not None:
        scored["loss"] = scored["at_risk"] * scored["customer_id"].map(lgd(day))
    return scored


def _row(scored: pd.DataFrame, grades: list[str]) -> dict[str, float]:
    by_grade = scored.groupby("grade", observed=False)["exposure"].agg(["size", "sum"]).reindex(grades, fill_value=0)
    customers, exposure = len(scored), scored["exposure"].sum(min_count=1)
    row = {
        "customers": customers,
        "defaulted": int(scored["score"].isna().sum()),
        "exposure": exposure,
        "score_mean": scored["score"].mean(),
        "pd_mean": scored["pd"].mean(),
        "pd_exposure": scored["at_risk"].sum(min_count=1),
    }
    if "loss" in scored:
        row["expected_loss"] = scored["loss"].sum(min_count=1)
    shares = {f"share_{grade}": count / customers if customers else np.nan for grade, count in by_grade["size"].items()}
    money = {f"exposure_share_{grade}": s / exposure if exposure else np.nan for grade, s in by_grade["sum"].items()}
    return row | shares | money


def _moved(before: pd.DataFrame | None, now: pd.DataFrame, day: date) -> pd.DataFrame:
    """Return how many customers, with how much exposure, went from each grade to each."""
    columns = ["customer_id", "grade", "exposure"]
    then = now[columns].head(0) if before is None else before[columns]
    both = then.merge(now[columns], on="customer_id", how="outer", suffixes=("_before", "_after"))
    both["before"] = both["grade_before"].cat.add_categories(NEW).fillna(NEW)
    both["after"] = both["grade_after"].cat.add_categories(LEFT).fillna(LEFT)
    moves = both.groupby(["before", "after"], observed=True).agg(
        customers=("customer_id", "size"),
        exposure_before=("exposure_before", "sum"),
        exposure_after=("exposure_after", "sum"),
    )
    table = moves.reset_index().astype({"before": "str", "after": "str"})
    table.insert(0, "month_end", pd.Timestamp(day))
    return table
