"""How near the simulated scorecard comes to the best that anyone could do: the true risk, by simulating on from the true state.

Run: .venv/bin/python -m bench.ceiling [customers] [seed]
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

from bench._scratch import scratch_workspace
from workbench.book.book import Book
from workbench.book.simulated import START, simulate_book
from workbench.book.simulation import true_pd
from workbench.core.yaml_files import read_yaml
from workbench.indicators.stored import load_panel
from workbench.models.development import candidates, modelling_set, observation_dates
from workbench.models.evaluation import gini
from workbench.models.fitting import FitOptions, fit_scorecard
from workbench.models.intervals import interval
from workbench.models.sample import sample

MONTHS = 36
BRANCHES = 40


def main(customers: int, seed: int) -> None:
    with scratch_workspace() as workspace:
        simulate_book(workspace, "demo", customers=customers, months=MONTHS, seed=seed)
        book = Book.open(workspace, "demo")
        dates = observation_dates(book, as_of=book.last_month_end, window_months=12, every_months=3, history_months=6)
        rows = modelling_set(
            book, sample(book, as_of=dates), out_of_time_dates=2, test_share=0.3, out_of_group="", seed=7
        )
        train = rows.loc[(rows["part"] == "train") & (rows["outcome"] != "indeterminate")].reset_index(drop=True)
        fitted = fit_scorecard(
            train,
            train["bad"],
            candidates={name: found for name, found in candidates().items() if name in rows},
            options=FitOptions(grades=read_yaml(workspace.params / "grades.yaml")["pd_upper"], max_variables=10),
            name="ceiling",
            provenance={},
            target={},
        )
        late = rows.loc[rows["as_of"] == pd.Timestamp(dates[-1])].reset_index(drop=True)
        month = (dates[-1].year - START.year) * 12 + dates[-1].month - START.month + 1
        truth = true_pd(customers=customers, months=MONTHS, seed=seed, start=START, month=month, branches=BRANCHES)
        late = late.merge(truth, on="customer_id", how="left", validate="1:1")
        score = fitted.scorecard.score(late, reasons=False)["score"].to_numpy()
        panel_only = load_panel(book, as_of=dates[-1]).frame.merge(late[["customer_id", "bad"]], on="customer_id")
        counts = f"{len(late)} rows, {int(late['bad'].sum())} bads, {late['true_pd'].isna().sum()} rows without true PD"
        print(f"simulated, {customers} customers, seed {seed}, observed {dates[-1]}: {counts}")
        print(f"bad rate {late['bad'].mean():.4f}; mean true PD {late['true_pd'].mean():.4f}")
        known = late["true_pd"].notna().to_numpy()
        for name, ranking in (
            ("true risk (ceiling)", -late["true_pd"].to_numpy()),
            ("scorecard", score),
            (
                "days past due alone",
                -np.asarray(panel_only.set_index("customer_id").loc[late["customer_id"], "worst_dpd_6m"]),
            ),
        ):
            bad = late["bad"].to_numpy()[known]
            found = interval(gini, bad, ranking[known], groups=late["customer_id"].to_numpy()[known], seed=7)
            print(f"Gini of {name}: {gini(bad, ranking[known]):.3f} ({found.low:.3f} to {found.high:.3f})")


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 20_000,
        int(sys.argv[2]) if len(sys.argv) > 2 else 7,
    )
