"""Forecasts: the chain against sums written out, backtests by hand, intervals that hold on simulated histories."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bench import forecasts
from workbench.book.flows import default_rates
from workbench.core.errors import SampleError
from workbench.models.forecast import (
    FIRST_ORIGIN,
    WORDS,
    chain,
    forecast_default_rate,
    forecast_series,
    interval_widths,
)

STATES = ("current", "1-30", "31-60", "61-90")


@pytest.fixture(scope="module")
def history() -> tuple[pd.DataFrame, pd.Series]:
    return forecasts.history(np.random.default_rng(5))


def chain_by_hand(flows: pd.DataFrame, months: list[pd.Timestamp], ahead: int) -> list[float]:
    """Follow the definition: shares of the last twelve months together, their mean new lending, month by month."""
    recent = flows[flows["month_end"].isin(months[-12:])]
    started = {s: recent.loc[recent["before"] == s, "loans"].sum() for s in STATES}
    moved = {(i, j): recent.loc[(recent["before"] == i) & (recent["after"] == j), "loans"].sum() for i in STATES
             for j in (*STATES, "default")}  # fmt: skip
    new = {s: recent.loc[(recent["before"] == "new") & (recent["after"] == s), "loans"].sum() / 12 for s in STATES}
    last = flows[flows["month_end"] == months[-1]]
    standing = {s: float(last.loc[last["after"] == s, "loans"].sum()) for s in STATES}
    rates = []
    for _ in range(ahead):
        falling = sum(standing[i] * moved[i, "default"] / started[i] for i in STATES if started[i])
        rates.append(falling / sum(standing.values()))
        standing = {
            j: new[j] + sum(standing[i] * moved[i, j] / started[i] for i in STATES if started[i]) for j in STATES
        }
    return rates


@pytest.mark.parametrize("origin", [20, 41, 60])
def test_the_chain_is_its_definition(history: tuple[pd.DataFrame, pd.Series], origin: int) -> None:
    flows, rates = history
    months = list(rates.index[:origin])
    known = flows[flows["month_end"].isin(months)]
    assert chain(flows)(origin, 9).tolist() == pytest.approx(chain_by_hand(known, months, 9), rel=1e-12)


def test_a_chain_that_stands_still_goes_on_as_it_was() -> None:
    days = pd.date_range("2020-01-31", periods=30, freq="ME")
    moves = [
        ("current", "current", 900.0),
        ("current", "1-30", 50.0),
        ("1-30", "default", 20.0),
        ("new", "current", 100.0),
    ]
    flows = pd.DataFrame([(day, before, after, 1, money, money) for day in days for before, after, money in moves],
                         columns=["month_end", "before", "after", "loans", "balance_before", "balance_after"])  # fmt: skip
    found = forecast_default_rate(flows, horizon=6)
    assert found.model in WORDS
    assert found.table["value"].tolist() == pytest.approx([20 / 970] * 6)
    assert found.table["month_end"].iloc[0] == pd.Timestamp("2022-07-31")
    assert (found.table["high"] - found.table["low"]).max() == pytest.approx(0, abs=1e-9)


def test_the_backtest_compares_each_origin_with_what_came(history: tuple[pd.DataFrame, pd.Series]) -> None:
    _, rates = history
    found = forecast_series(rates, horizon=6, scale="rate")
    for ahead in (1, 4, 6):
        by_hand = [
            abs(rates.iloc[i + ahead - 1] - rates.iloc[i - 1]) for i in range(FIRST_ORIGIN, len(rates) - ahead + 1)
        ]
        row = found.backtest.query("model == 'last month' and horizon == @ahead").iloc[0]
        assert row["origins"] == len(by_hand)
        assert row["mae"] == pytest.approx(np.mean(by_hand))
    means = found.backtest.groupby("model")["mae"].mean()
    assert found.model == means.idxmin()


def test_no_future_is_in_a_backtest(history: tuple[pd.DataFrame, pd.Series]) -> None:
    flows, rates = history
    cut = rates.index[40]
    early = forecast_default_rate(flows[flows["month_end"] <= cut])
    changed = flows.assign(loans=flows["loans"].where(flows["month_end"] <= cut, 1))
    late = forecast_default_rate(changed[changed["month_end"] <= rates.index[-1]])
    for name, errors in early.errors.items():
        known = np.isfinite(errors)
        assert late.errors[name][: len(errors)][known] == pytest.approx(errors[known])


def test_widths_are_ranks_of_past_errors_and_never_narrow() -> None:
    errors = np.array([[1.0, 5.0], [-2.0, 3.0], [3.0, -1.0], [-4.0, 2.0], [0.5, np.nan]])
    assert (
        interval_widths(errors).tolist() == pytest.approx([4.5, 4.5])
        or interval_widths(errors)[1] >= interval_widths(errors)[0]
    )
    assert interval_widths(errors[:, :1]).tolist() == [4.0]  # the ceil(6 x 0.8) = 5th smallest of five is 4
    assert np.isnan(interval_widths(np.array([[1.0], [2.0]]))).all()  # the third of two is not known


def test_intervals_hold_and_the_choice_is_no_worse_than_naive() -> None:
    found = forecasts.study(histories=24, seed=3)
    assert 0.65 < found["inside"].astype(float).mean() < 0.92  # make proofs: 200 histories, within 5 points of 80 %
    assert found["chosen"].mean() < 1.05 * found["last month"].mean()


def test_too_short_and_broken_series_are_refused() -> None:
    days = pd.date_range("2020-01-31", periods=18, freq="ME")
    with pytest.raises(SampleError, match="found 18 months, expected 19"):
        forecast_series(pd.Series(1.0, index=days))
    days = pd.date_range("2020-01-31", periods=30, freq="ME")
    for wrong in (float("nan"), -0.1):
        series = pd.Series(0.1, index=days)
        series.iloc[7] = wrong
        with pytest.raises(SampleError, match="a month has no value"):
            forecast_series(series, scale="rate")
    level = forecast_series(pd.Series(np.arange(30.0) - 20, index=days), horizon=3)
    assert level.table["value"].notna().all()
    assert default_rates(
        pd.DataFrame(columns=["month_end", "before", "after", "loans", "balance_before", "balance_after"])
    ).empty
