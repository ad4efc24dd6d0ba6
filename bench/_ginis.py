"""How well the risk of a simulated lender can be ranked: by the truth, by a scorecard on the book, by one without arrears."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tests.simulation.estimates import Estimate, gini
from workbench.book.book import Book
from workbench.book.simulated import START
from workbench.book.simulation import true_pd
from workbench.core.workspace import Workspace
from workbench.core.yaml_files import read_yaml
from workbench.indicators.registry import select
from workbench.models.development import candidates, modelling_set, observation_dates
from workbench.models.fitting import FitOptions, fit_scorecard
from workbench.models.sample import sample

BRANCHES = 40
FROM_ARREARS = {found.name for found in select() if found.family == "payment"} | {
    "historical_default_rate",
    "restructurings_24m",
    "days_since_contact",
}
"""Indicators that know of days past due, arrears or earlier defaults; those who are late are called and restructured."""


def ginis(workspace: Workspace, name: str, *, customers: int, months: int, seed: int) -> dict[str, Estimate]:
    """Return the Ginis at the last date with a complete window, of customers not bad before, on the 12-month outcome.

    `latent`: the true PD, by living on from the true state in 40 futures. `scorecard`: fitted on the earlier dates with
    every indicator. `without_dpd`: fitted without those in `FROM_ARREARS`. `gap`: between the two scorecards. `held_out`:
    the first one at the earlier dates, on the 30 % of customers who were kept from its fit.
    """
    book = Book.open(workspace, name)
    dates = observation_dates(book, as_of=book.last_month_end, window_months=12, every_months=3, history_months=6)
    rows = modelling_set(book, sample(book, as_of=dates), out_of_time_dates=2, test_share=0.3, out_of_group="", seed=7)
    train = rows[(rows["part"] == "train") & (rows["outcome"] != "indeterminate")].reset_index(drop=True)
    late = rows[rows["as_of"] == pd.Timestamp(dates[-1])].reset_index(drop=True)
    month = (dates[-1].year - START.year) * 12 + dates[-1].month - START.month + 1
    truth = true_pd(customers=customers, months=months, seed=seed, start=START, month=month, branches=BRANCHES)
    late = late.merge(truth, on="customer_id", validate="1:1")
    offered = {column: found for column, found in candidates().items() if column in rows}
    options = FitOptions(grades=read_yaml(workspace.params / "grades.yaml")["pd_upper"], max_variables=10)
    found = {"latent": gini(late["bad"], late["true_pd"])}
    for model, left_out in (("scorecard", set()), ("without_dpd", FROM_ARREARS)):
        chosen = {column: candidate for column, candidate in offered.items() if column not in left_out}
        fitted = fit_scorecard(
            train, train["bad"], candidates=chosen, options=options, name=model, provenance={}, target={}
        )
        found[model] = gini(late["bad"], -fitted.scorecard.score(late, reasons=False)["score"])
        if model == "scorecard":
            kept = rows[(rows["part"] == "test") & (rows["outcome"] != "indeterminate")]
            found["held_out"] = gini(kept["bad"], -fitted.scorecard.score(kept, reasons=False)["score"])
    with_dpd, without = found["scorecard"], found["without_dpd"]
    gap = with_dpd.value - without.value
    return {**found, "gap": Estimate(gap, float(np.hypot(with_dpd.error, without.error)))}
