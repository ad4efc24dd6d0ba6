"""Forecasts: the chain against sums written out, backtests by hand, intervals that hold on simulated histories."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from bench import forecasts
from workbench.book.flows import default_rates
from workbench.core.errors import SampleError
from workbench.models.chains import amounts_chain, default_rate_chain, standing
from workbench.models.forecast import (
    FIRST_ORIGIN,
    WORDS,
    forecast_default_rate,
    forecast_mix,
    forecast_series,
    forecast_sum,
    interval_widths,
    past_errors,
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
    assert default_rate_chain(flows)(origin, 9).tolist() == pytest.approx(chain_by_hand(known, months, 9), rel=1e-12)


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


def random_mix(seed: int, months: int = 34, parts: str = "ABC") -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    days = pd.date_range("2021-01-31", periods=months, freq="ME")
    walk = np.exp(draw.normal(0, 0.1, (months, len(parts))).cumsum(axis=0) + np.arange(len(parts))[::-1])
    return pd.DataFrame(1000 * walk, index=days, columns=list(parts))


def mix_by_hand(shares: np.ndarray, origin: int, ahead: int) -> dict[str, list[float]]:
    """Return the shares of two simple models so many months after an origin, from the definition."""
    angles = [[math.asin(math.sqrt(share)) for share in row] for row in shares[max(origin - 12, 0) : origin]]
    average = [math.sin(sum(column) / len(angles)) ** 2 for column in zip(*angles, strict=True)]
    return {"average": [share / sum(average) for share in average], "last month": list(shares[origin - 1])}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_mix_is_judged_share_by_share_and_sums_to_one(seed: int) -> None:
    amounts = random_mix(seed)
    shares = (amounts.T / amounts.sum(axis=1)).T.to_numpy()
    found = forecast_mix(amounts, horizon=4)
    for model in ("average", "last month"):
        for ahead in (1, 3, 4):
            missed = []
            for origin in range(FIRST_ORIGIN, len(shares) - ahead + 1):
                told = mix_by_hand(shares, origin, ahead)[model]
                came = shares[origin + ahead - 1]
                missed.append((abs(told[0] - came[0]) + abs(told[0] + told[1] - came[0] - came[1])) / 2)
                for part in range(3):
                    error = math.asin(math.sqrt(came[part])) - math.asin(math.sqrt(told[part]))
                    assert found.errors[model][origin - FIRST_ORIGIN, ahead - 1, part] == pytest.approx(
                        error, abs=1e-12
                    )
            row = found.backtest.query("model == @model and horizon == @ahead").iloc[0]
            assert row["mae"] == pytest.approx(sum(missed) / len(missed))
            assert row["origins"] == len(missed)
    assert found.model == found.backtest.groupby("model")["mae"].mean().idxmin()
    assert found.table.groupby("month_end")["value"].sum().tolist() == pytest.approx([1] * 4)
    assert found.table["part"].tolist() == ["A", "B", "C"] * 4
    assert found.history.to_numpy() == pytest.approx(shares)
    rows = found.table[found.table["part"] == "B"]
    widths = interval_widths(found.errors[found.model][..., 1])
    high, middle = (np.arcsin(np.sqrt(rows[name].to_numpy())) for name in ("high", "value"))
    assert high - middle == pytest.approx(widths)


@pytest.mark.parametrize("seed", range(12))
def test_shares_stay_shares_whatever_the_methods_say(seed: int) -> None:
    draw = np.random.default_rng(seed)
    amounts = random_mix(seed, parts="ABCDE") * (draw.random(5) < 0.8)  # some parts are empty all along
    amounts["A"] += 1
    wild = {"migration": lambda origin, ahead: draw.gamma(0.3, 1, (ahead, 5)) + 1e-9}
    found = forecast_mix(amounts, horizon=6, more=wild)
    for values in found.values.values():
        assert values.sum(axis=1) == pytest.approx(np.ones(6))
        assert (values >= 0).all()
    known = found.table.dropna()
    assert (known["low"] >= 0).all()
    assert (known["high"] <= 1).all()
    assert known["value"].between(known["low"] - 1e-12, known["high"] + 1e-12).all()


def test_a_sum_of_parts_has_the_interval_of_its_own_errors() -> None:
    amounts = random_mix(7)
    mix = forecast_mix(amounts, horizon=5)
    found = forecast_sum(mix, ["B", "C"])
    shares = (amounts.T / amounts.sum(axis=1)).T
    alone = forecast_series(shares["B"] + shares["C"], horizon=5, scale="share")
    assert found.model == mix.model
    assert found.errors["last month"] == pytest.approx(alone.errors["last month"], nan_ok=True)
    assert found.backtest.query("model == 'last month'")["mae"].tolist() == pytest.approx(
        alone.backtest.query("model == 'last month'")["mae"].tolist()
    )
    by_part = mix.table.pivot_table(index="month_end", columns="part", values="value")
    assert found.table["value"].tolist() == pytest.approx((by_part["B"] + by_part["C"]).tolist())
    with pytest.raises(SampleError, match="unknown part 'D'"):
        forecast_sum(mix, ["A", "D"])
    everything = forecast_sum(mix, ["A", "B", "C"])
    assert everything.table["value"].tolist() == pytest.approx([1] * 5)
    assert everything.table["low"].tolist() == pytest.approx([1] * 5, abs=1e-6)


def test_a_mix_that_moves_as_it_did_is_forecast_by_its_chain() -> None:
    days = pd.date_range("2020-01-31", periods=37, freq="ME")
    held, rows = np.array([300.0, 700.0]), []
    moves = np.array([[0.98, 0.01], [0.05, 0.90]])  # a hundredth of the first and a twentieth of the second leave
    for day in days[1:]:
        for i, before in enumerate("AB"):
            rows += [(day, before, after, held[i] * moves[i, j]) for j, after in enumerate("AB")]
            rows.append((day, before, "left", held[i] * (1 - moves[i].sum())))
        rows.append((day, "new", "A", 15.0))
        held = held @ moves + np.array([15.0, 0.0])
    flows = pd.DataFrame(rows, columns=["month_end", "before", "after", "customers"])
    amounts = standing(flows, "AB", "customers")
    more = {"migration": amounts_chain(flows, "AB", ("customers", "customers"))}
    found = forecast_mix(amounts, horizon=6, more=more)
    assert found.model == "migration"
    assert found.assumption.startswith("customers move between grades as in the last 12 months")
    assert found.backtest.query("model == 'migration'")["mae"].max() < 1e-12
    for value in found.table.query("part == 'B'")["value"]:
        held = held @ moves + np.array([15.0, 0.0])
        assert value == pytest.approx(held[1] / held.sum())


def test_errors_of_past_forecasts_have_one_shape(history: tuple[pd.DataFrame, pd.Series]) -> None:
    flows, rates = history
    forecasts_made = {"default rate": forecast_default_rate(flows), "mix": forecast_mix(random_mix(3), horizon=4)}
    table = past_errors(forecasts_made)
    assert table.columns.tolist() == ["series", "model", "chosen", "origins", "1", "3", "6", "12", "mean", "to_naive"]
    assert table.groupby("series")["chosen"].sum().to_dict() == {"default rate": 1, "mix": 1}
    assert table[table["chosen"]].index.tolist() == [0, 4]  # the nearest first
    naive = table.query("series == 'default rate' and model == 'last month'").iloc[0]
    by_hand = [abs(rates.iloc[i + 2] - rates.iloc[i - 1]) for i in range(FIRST_ORIGIN, len(rates) - 2)]
    assert naive["3"] == pytest.approx(np.mean(by_hand))
    assert naive["to_naive"] == 1
    for row in table.query("series == 'default rate'").itertuples():
        assert row.to_naive == pytest.approx(row.mean / naive["mean"])
    assert np.isnan(table.query("series == 'mix'")["6"]).all()
    assert past_errors({}).empty


def test_models_and_assumptions_are_said(history: tuple[pd.DataFrame, pd.Series]) -> None:
    for words in WORDS.values():
        assert words.replace("{months}", "").count("{") == 0
    found = forecast_default_rate(history[0])
    assert "12 months" in found.assumption or found.model in ("smoothing", "last month")


def test_mixes_that_are_none_are_refused() -> None:
    amounts = random_mix(1)
    with pytest.raises(SampleError, match="found 18 months, expected 19"):
        forecast_mix(amounts.head(18))
    for wrong in (0.0, float("nan")):
        broken = amounts.copy()
        broken.iloc[5] = wrong
        with pytest.raises(SampleError, match="a month has no value"):
            forecast_mix(broken)
    broken = amounts.copy()
    broken.iloc[5, 1] = -1.0
    with pytest.raises(SampleError, match="below 0"):
        forecast_mix(broken)
    with pytest.raises(SampleError, match="above 1"):
        forecast_series(amounts["A"], scale="share")
