"""One small sample with every oddity, and the scorecard fitted on it."""

import numpy as np
import pandas as pd
import pytest

from workbench.models.fitting import Candidate, FitOptions, FittedScorecard, fit_scorecard

GRADES = (("A", 0.02), ("B", 0.1), ("C", 1.0))
CANDIDATES = {
    "dpd": Candidate(
        "higher",
        label={"en": "Worst days past due", "zh": "最长逾期天数"},
        reason={"en": "Worst days past due in 6 months: {value:.0f} days", "zh": "近6个月最长逾期：{value:.0f}天"},
    ),
    "income": Candidate(
        "lower", label={"en": "Income", "zh": "收入"}, reason={"en": "Income: {value:,.0f}", "zh": "收入：{value:,.0f}"}
    ),
    "job": Candidate(
        categorical=True, label={"en": "Job", "zh": "职业"}, reason={"en": "Job: {value}", "zh": "职业：{value}"}
    ),
    "use": Candidate("higher"),
    "noise": Candidate("higher"),
    "twin": Candidate("higher"),
    "gender": Candidate(categorical=True, role="protected"),
    "region": Candidate(categorical=True, role="proxy"),
    "complaints": Candidate("higher", role="care"),
}


def make_sample(rows: int = 4000, seed: int = 5) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    stress, use, job = rng.normal(size=rows), rng.normal(size=rows), rng.integers(0, 4, rows)
    log_odds = -2.5 + 0.9 * stress + 0.6 * use + 0.5 * (job == 3)
    bad = (rng.random(rows) < 1 / (1 + np.exp(-log_odds))).astype(int)
    dpd = np.maximum(0, np.round(20 * (stress + 0.5 * rng.normal(size=rows))))
    income = np.exp(8 - 0.5 * stress + 0.5 * rng.normal(size=rows))
    frame = pd.DataFrame(
        {
            "dpd": dpd,
            "income": income,
            "job": np.array(["clerk", "driver", "teacher", "waiter"], dtype=object)[job],
            "use": use,
            "noise": rng.normal(size=rows),
            "twin": use + 0.1 * rng.normal(size=rows),
            "gender": rng.choice(["f", "m"], rows),
            "region": rng.choice(["n", "s"], rows),
            "complaints": rng.poisson(0.1, rows),
        },
        index=[f"C{i:05d}" for i in range(rows)],
    )
    frame.loc[rng.random(rows) < 0.05, "income"] = np.nan
    frame.loc[rng.random(rows) < 0.02, "job"] = None
    return frame, bad


@pytest.fixture(scope="session")
def sample() -> tuple[pd.DataFrame, np.ndarray]:
    return make_sample()


@pytest.fixture(scope="session")
def fitted(sample) -> FittedScorecard:
    frame, bad = sample
    return fit_scorecard(
        frame,
        bad,
        candidates=CANDIDATES,
        options=FitOptions(grades=GRADES),
        name="pd",
        provenance={"seed": 5},
        target={"bad": "90+ DPD", "window_months": 12},
    )


@pytest.fixture(scope="session")
def fit_options() -> FitOptions:
    return FitOptions(grades=GRADES)


@pytest.fixture(scope="session")
def candidates() -> dict[str, Candidate]:
    return CANDIDATES
