"""Intervals: against slow definitions, and by how often they hold the truth (the long proof is bench/coverage.py)."""

from __future__ import annotations

import numpy as np
import pytest

from workbench.core.errors import SampleError
from workbench.models.evaluation import gini, ks
from workbench.models.intervals import delong_interval, difference, gini_difference, interval
from workbench.models.stability import psi, psi_interval


def rows(seed: int, customers: int = 150, dates: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Customers seen at several dates: their score and outcome hang together."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(customers), dates)
    own = rng.normal(size=customers)[who]
    bad = (own + 0.7 * rng.normal(size=who.size) < -0.9).astype(int)
    one, two = (own + noise * rng.normal(size=who.size) for noise in (0.8, 1.2))
    return bad, one, two, who


def slow_variance(bad: np.ndarray, score: np.ndarray, who: np.ndarray, other: np.ndarray | None = None) -> float:
    """Obuchowski (1997) written out: pairs, sums by customer, three variances."""

    def wins(value: np.ndarray) -> np.ndarray:
        return (value[bad == 0][:, None] > value[bad == 1][None, :]) + 0.5 * (
            value[bad == 0][:, None] == value[bad == 1][None, :]
        )

    pairs = wins(score) - (0 if other is None else wins(other))
    area, (m, n) = pairs.mean(), pairs.shape
    of_good, of_bad = pairs.mean(axis=1), pairs.mean(axis=0)
    customers = np.unique(who)
    good_sums = [sum(of_good[who[bad == 0] == c] - area) for c in customers]
    bad_sums = [sum(of_bad[who[bad == 1] == c] - area) for c in customers]
    with_good, with_bad = len(set(who[bad == 0])), len(set(who[bad == 1]))
    total = with_good / (with_good - 1) * sum(x * x for x in good_sums) / m**2
    total += with_bad / (with_bad - 1) * sum(x * x for x in bad_sums) / n**2
    total += 2 * len(customers) / (len(customers) - 1) * sum(x * y for x, y in zip(good_sums, bad_sums)) / (m * n)  # noqa: B905
    return float(total)


@pytest.mark.parametrize("seed", range(3))
def test_delong_by_customer_equals_obuchowski_written_out(seed: int) -> None:
    bad, one, two, who = rows(seed)
    one = one.round(1)  # with ties
    found = delong_interval(bad, one, groups=who)
    assert found.value == pytest.approx(gini(bad, one))
    assert found.high - found.value == pytest.approx(2 * 1.959964 * np.sqrt(slow_variance(bad, one, who)), rel=1e-6)
    apart = gini_difference(bad, one, two, groups=who)
    assert apart.value == pytest.approx(gini(bad, one) - gini(bad, two))
    assert apart.high - apart.value == pytest.approx(
        2 * 1.959964 * np.sqrt(slow_variance(bad, one, who, two)), rel=1e-6
    )


def test_rows_of_one_customer_are_no_new_evidence() -> None:
    bad, one, _two, who = rows(1)
    alone, by_customer = delong_interval(bad, one), delong_interval(bad, one, groups=who)
    assert by_customer.high - by_customer.low > alone.high - alone.low
    copied = delong_interval(np.tile(bad, 4), np.tile(one, 4), groups=np.tile(np.arange(bad.size), 4))
    assert copied.low == pytest.approx(alone.low, abs=2e-3)


def test_bootstrap_and_delong_say_much_the_same() -> None:
    bad, one, two, who = rows(2, customers=600)
    drawn, exact = interval(gini, bad, one, groups=who, seed=1, repeats=400), delong_interval(bad, one, groups=who)
    assert drawn.low == pytest.approx(exact.low, abs=0.02)
    drawn = difference(gini, bad, one, two, groups=who, seed=1, repeats=400)
    exact = gini_difference(bad, one, two, groups=who)
    assert (drawn.low, drawn.high) == pytest.approx((exact.low, exact.high), abs=0.02)
    assert difference(ks, bad, one, one, groups=who, seed=1) == (0, 0, 0, 0.95)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    # 200 draws of 95 %: between 180 and 200 with a chance of 99.9 %. The truth is the mean over many large samples.
    truth = np.mean([gini(*rows(10_000 + i, customers=3000)[:2]) for i in range(30)])
    held = [delong_interval(bad, one, groups=who) for bad, one, _two, who in map(rows, range(200))]
    assert 180 <= sum(found.low <= truth <= found.high for found in held) <= 200


def test_psi_interval_holds_no_shift_and_a_shift() -> None:
    edges = np.array([-1.0, 0.0, 1.0])
    for shift in (0.0, 0.4):
        rng = np.random.default_rng(5)
        truth = psi(rng.normal(size=400_000), rng.normal(shift, size=400_000), bins=edges)
        held = 0
        for seed in range(100):
            rng = np.random.default_rng(seed)
            then, now = rng.normal(size=400), rng.normal(shift, size=400)
            found = psi_interval(
                then, now, edges=edges, expected_groups=np.arange(400), actual_groups=np.arange(400), seed=seed
            )
            held += found.low <= truth <= max(found.high, found.value)
        assert held >= 85


def test_errors() -> None:
    with pytest.raises(SampleError, match="one id a row"):
        delong_interval([0, 1, 0, 1], [1, 2, 3, 4], groups=[1, 2])
    with pytest.raises(SampleError, match="at least 2 of each"):
        delong_interval([0, 1, 0, 0], [1, 2, 3, 4])
    with pytest.raises(SampleError, match="one customer only"):
        delong_interval([0, 1, 0, 1], [1, 2, 3, 4], groups=[1, 1, 1, 1])
