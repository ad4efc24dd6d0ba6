"""Predicted PDs against what came of the customers: the last window that has ended, graded by one scorecard."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pandas as pd

from workbench.book.book import Book
from workbench.core.errors import SampleError
from workbench.core.languages import say
from workbench.indicators.stored import stored_panel
from workbench.models.sample import latest_observation, sample
from workbench.models.score_trend import fit_period
from workbench.models.scorecard import Scorecard

ALL = ""
"""The grade of the row of all customers."""


@dataclass(frozen=True)
class Backtest:
    """Predicted and realised PDs.

    Attributes
    ----------
    table : DataFrame
        One row a grade that has customers, the safest first, then all with grade `ALL`: grade, customers, bads, pd_mean,
        bad_rate, low, high (Wilson's 95 % interval of the bad rate, which counts chance alone, not good and bad years).
    observed : date
        The date at which the customers were scored; their windows ended by the date asked for.
    in_fit : bool or None
        Whether the scorecard was fitted on observations or outcomes of that time; None where it does not say.
    """

    table: pd.DataFrame
    observed: date
    in_fit: bool | None


def backtest_pd(book: Book, scorecard: Scorecard, *, as_of: date) -> Backtest:
    """Return what the scorecard says of the customers of the last month end whose window has ended by `as_of`, and what came.

    The customers are those of `sample`: not in default and not in probation then, with a whole window; the indeterminate
    are not bad. They are scored on the stored panel of that date.

    Raises
    ------
    SampleError
        If the book does not reach back a window, no panel of the date is stored, or no customer is left.
    """
    observed = latest_observation(as_of, window_months=book.definitions.target.window_months)
    if observed < book.manifest.facts.first_day:
        raise SampleError(say("the book begins after {observed}", observed=observed))
    panel = stored_panel(book, as_of=observed, columns=list(dict.fromkeys(["customer_id", *scorecard.inputs])))
    if panel is None:
        raise SampleError(
            say(
                "no panel of {observed} is stored. Make it: workbench indicators build --as-of {observed} --book {book}",
                observed=observed,
                book=book.name,
            )
        )
    outcomes = sample(book, as_of=[observed], known_by=as_of).frame[["customer_id", "bad"]]
    scored = pd.concat([panel["customer_id"], scorecard.score(panel, reasons=False)[["pd", "grade"]]], axis=1)
    rows = scored.merge(outcomes, on="customer_id")
    if rows.empty:
        raise SampleError(say("no customer of {observed} has a whole window", observed=observed))
    grades = [grade for grade, _pd in scorecard.grades]
    rows["grade"] = pd.Categorical(rows["grade"], grades, ordered=True)
    period = fit_period(scorecard)
    return Backtest(
        table=pd.concat([_by_grade(rows), _by_grade(rows.assign(grade=ALL))], ignore_index=True),
        observed=observed,
        in_fit=None if period is None else period[0] <= observed <= period[1],
    )


def _by_grade(rows: pd.DataFrame) -> pd.DataFrame:
    from statsmodels.stats.proportion import proportion_confint

    table = (
        rows.groupby("grade", observed=True)
        .agg(customers=("bad", "size"), bads=("bad", "sum"), pd_mean=("pd", "mean"))
        .reset_index()
        .astype({"grade": "str", "bads": "int64"})
    )
    low, high = proportion_confint(table["bads"].to_numpy(float), table["customers"].to_numpy(float), method="wilson")
    return table.assign(bad_rate=table["bads"] / table["customers"], low=low, high=high)
