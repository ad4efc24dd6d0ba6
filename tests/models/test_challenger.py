"""The challenger: directions hold, folds respect time and customers. The comparison: differences by their definitions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from workbench.core.errors import ParameterError, SampleError
from workbench.models.challenger import Challenger, fit_challenger, folds
from workbench.models.duel import accepted_share, bad_rate_accepted, compare, swap_set
from workbench.models.evaluation import gini, ks
from workbench.models.fitting import Candidate
from workbench.models.sample import hash_share

ROWS = 4000
GRID = {"learning_rate": (0.1,), "max_leaf_nodes": (4, 8), "min_samples_leaf": (50,)}
CANDIDATES = {
    "dpd": Candidate(
        "higher", specials={-1: "no loan"}, reason={"en": "Days late: {value:.0f}"}, label={"en": "Days late"}
    ),
    "income": Candidate("lower"),
    "job": Candidate(categorical=True),
    "noise": Candidate(),
    "day": Candidate(),
}


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(4)
    dpd, income, job = rng.poisson(4, ROWS).astype(float), rng.normal(3, 1, ROWS), rng.choice(["a", "b", "c"], ROWS)
    risk = -2.5 + 0.25 * dpd - 0.4 * (income - 3) + 0.8 * (job == "c") + 0.5 * (dpd > 6) * (income < 2)
    dpd[rng.random(ROWS) < 0.1] = -1
    return pd.DataFrame(
        {
            "customer_id": [f"C{i % 1500:04d}" for i in range(ROWS)],
            "as_of": pd.to_datetime(np.repeat(["2025-01-31", "2025-02-28", "2025-03-31", "2025-04-30"], 1000)),
            "bad": (rng.random(ROWS) < 1 / (1 + np.exp(-risk))).astype(int),
            "dpd": dpd,
            "income": income,
            "job": job,
            "noise": rng.normal(size=ROWS),
            "day": pd.Timestamp("2025-01-01"),
        }
    )


@pytest.fixture(scope="module")
def challenger(rows: pd.DataFrame) -> Challenger:
    return fit_challenger(
        rows,
        rows["bad"],
        candidates=CANDIDATES,
        customers=rows["customer_id"],
        dates=rows["as_of"],
        seed=1,
        grid=GRID,
        max_trees=50,
    )


def test_it_ranks_and_says_what_it_tried(challenger: Challenger, rows: pd.DataFrame) -> None:
    assert gini(rows["bad"], challenger.score(rows)) > 0.3
    assert len(challenger.search) == 2
    assert challenger.search["log_loss"].is_monotonic_increasing
    assert "day" not in challenger.candidates  # dates are no numbers
    assert challenger.tuned["trees"] == challenger.search["trees"][0]


def test_the_declared_directions_hold_everywhere(challenger: Challenger, rows: pd.DataFrame) -> None:
    some = rows.head(200)
    for column, sign, values in (("dpd", -1, np.arange(0, 15)), ("income", 1, np.linspace(0, 6, 15))):
        scores = np.array([challenger.score(some.assign(**{column: float(value)})) for value in values])
        assert (np.diff(scores, axis=0) * sign >= -1e-9).all()


def test_a_special_code_is_no_amount(challenger: Challenger, rows: pd.DataFrame) -> None:
    some = rows[rows["dpd"] >= 0].head(50)
    apart = challenger.score(some.assign(dpd=-1.0)), challenger.score(some.assign(dpd=0.0))
    assert not np.allclose(*apart)


def test_folds_respect_time_and_customers(rows: pd.DataFrame) -> None:
    outcome = rows["bad"].to_numpy().astype(bool)
    for dates in (rows["as_of"], None):
        parts = folds(outcome, rows["customer_id"], dates, seed=3)
        assert len(parts) == 3
        for train, test in parts:
            assert not set(rows["customer_id"].iloc[train]) & set(rows["customer_id"].iloc[test])
            if dates is not None:
                assert dates.iloc[train].max() < dates.iloc[test].min()
    with pytest.raises(SampleError, match="no fold"):
        folds(np.array([True, False, False]), pd.Series(list("abc")), None, seed=1)


def test_folds_are_even_whatever_the_split_and_on_daily_dates() -> None:
    who = pd.Series([f"C{i:05d}" for i in range(9000)])
    outcome = np.random.default_rng(0).random(9000) < 0.1
    train = hash_share(who, seed=3) >= 0.3  # the split of the same seed
    sizes = [len(test) for _, test in folds(outcome[train], who[train].reset_index(drop=True), None, seed=3)]
    assert min(sizes) > 0.9 * max(sizes)
    days = pd.Series(pd.date_range("2020-01-01", periods=9000 // 6).repeat(6))
    parts = folds(outcome, who, days.reset_index(drop=True), seed=3)
    assert len(parts) == 3
    assert min(len(test) for _, test in parts) > 250


def test_reasons_name_what_raised_the_risk(challenger: Challenger, rows: pd.DataFrame) -> None:
    late = rows.head(1).assign(dpd=14.0, income=9.0, job="a", noise=0.0)
    said = challenger.reasons(late)[0]
    assert said[0] == "Days late: 14"
    assert len(said) <= 4
    assert challenger.reasons(late.assign(dpd=-1.0, income=0.0))[0][0].startswith("income")


def test_the_comparison_is_that_of_the_definitions(rows: pd.DataFrame) -> None:
    rng = np.random.default_rng(1)
    bad = rows["bad"].to_numpy()
    good, poor = (pd.DataFrame({"score": -bad + noise * rng.normal(size=ROWS), "pd": 0.2}) for noise in (1.0, 3.0))
    table = compare(rows, poor, good, approve=0.8, seed=1, repeats=100).set_index("measure")
    assert table.loc["Gini", "difference"] == pytest.approx(gini(bad, good["score"]) - gini(bad, poor["score"]))
    assert table.loc["KS", "difference"] == pytest.approx(ks(bad, good["score"]) - ks(bad, poor["score"]))
    assert table.loc["Gini", "better"] == table.loc["KS", "better"] == "challenger"
    rate = table.loc["Bad rate of the best 80%"]
    best = good.assign(bad=bad).nlargest(int(0.8 * ROWS), "score")["bad"].mean()
    assert rate["challenger"] == pytest.approx(best)
    assert rate["better"] == "challenger"  # lower is better there
    assert table.loc["Brier score", "better"] == "no difference shown"
    turned = compare(rows, good, poor, approve=0.8, seed=1, repeats=100).set_index("measure")
    assert turned.loc["Gini", "better"] == "champion"
    with pytest.raises(ParameterError, match="approve"):
        compare(rows, good, poor, approve=90, seed=1)


def test_money_gone_bad_at_equal_approval_is_that_of_the_accepted_rows(rows: pd.DataFrame) -> None:
    rng = np.random.default_rng(5)
    amounts, bad = rng.gamma(2, 500, ROWS), rows["bad"].to_numpy()
    good, poor = (pd.DataFrame({"score": -bad + noise * rng.normal(size=ROWS), "pd": 0.2}) for noise in (1.0, 3.0))
    table = compare(rows, poor, good, approve=0.8, seed=1, repeats=100, amounts=amounts).set_index("measure")
    lost = table.loc["Money gone bad, of the best 80%"]
    for side, score in (("champion", poor), ("challenger", good)):
        taken = score.assign(bad=bad, amount=amounts).nlargest(int(0.8 * ROWS), "score")
        assert lost[side] == pytest.approx((taken["bad"] * taken["amount"]).sum() / taken["amount"].sum())
    assert lost["difference"] == pytest.approx(lost["challenger"] - lost["champion"])
    assert lost["low"] < lost["difference"] < lost["high"] < 0
    assert lost["better"] == "challenger"
    swaps = swap_set(rows, poor, good, approve=0.8, amounts=amounts)
    assert swaps["amount"].sum() == pytest.approx(amounts.sum())
    assert swaps["amount_bad"].sum() == pytest.approx(amounts @ bad)
    taken = swaps[swaps["challenger"] == "accepts"]
    assert taken["amount_bad"].sum() / taken["amount"].sum() == pytest.approx(lost["challenger"])
    few = np.where(np.arange(ROWS) < 4, 1000.0, 0.0)  # a draw may hold none of these
    sparse = compare(rows, poor, good, approve=0.5, seed=1, repeats=100, amounts=few).set_index("measure")
    assert np.isfinite(sparse.loc["Money gone bad, of the best 50%", ["low", "high"]].astype(float)).all()
    for wrong in (
        np.full(ROWS, "a"),
        np.full(ROWS, 1e308),
        amounts[1:],
        np.where(amounts > 900, np.nan, amounts),
        -amounts,
        0 * amounts,
    ):
        with pytest.raises(SampleError, match="amounts: "):
            compare(rows, poor, good, approve=0.8, seed=1, amounts=wrong)


def test_the_swap_set_adds_up_and_a_score_swaps_nobody_with_itself(rows: pd.DataFrame) -> None:
    rng = np.random.default_rng(2)
    one, two = (pd.DataFrame({"score": rng.integers(0, 20, ROWS).astype(float)}) for _ in range(2))
    swaps = swap_set(rows, one, two, approve=0.7).set_index(["champion", "challenger"])
    assert swaps["rows"].sum() == pytest.approx(ROWS)
    assert swaps["bads"].sum() == pytest.approx(rows["bad"].sum())
    for level in ("champion", "challenger"):
        assert swaps.xs("accepts", level=level)["share"].sum() == pytest.approx(0.7)
    assert swaps.loc[("accepts", "refuses"), "rows"] == pytest.approx(swaps.loc[("refuses", "accepts"), "rows"])
    own = swap_set(rows, one, one, approve=0.7).set_index(["champion", "challenger"])
    assert own.loc[("accepts", "refuses"), "rows"] == 0
    assert np.isnan(own.loc[("accepts", "refuses"), "bad_rate"])


def test_the_accepted_share_is_exact_whatever_ties() -> None:
    score = np.array([1.0, 2, 2, 2, 3])
    for approve in (0.1, 0.4, 0.5, 0.99):
        assert accepted_share(score, approve).sum() == pytest.approx(5 * approve)
    assert bad_rate_accepted([1, 1, 0, 0, 0], score, 0.4) == pytest.approx((1 / 3) / 2)
    assert accepted_share(score, 0.5, [1, 1, 1, 1, 4])[4] == 1
