"""Loss given default: rates beside the slow reference, intervals by their coverage, and every reason for not estimating."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from datetime import date
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from workbench.book.book import Book
from workbench.book.lgd import _rates, loss_given_default

from .slow_losses import by_product, slow_workout
from .test_workouts import book as cases  # noqa: F401, a fixture

AS_OF = date(2025, 6, 30)
OPTIONS: dict[str, Any] = {"as_of": AS_OF, "workout_months": 6, "discount_rate": 0.05}


def slow_rates(loans: list[dict[str, Any]]) -> dict[str, float]:
    """Return the rates with their intervals from the textbook: a ratio of sums, residuals by customer."""
    answers: dict[str, float] = {}
    for suffix, weight in (("", lambda loan: loan["exposure"]), ("_by_count", lambda loan: 1.0)):
        whole = sum(weight(loan) for loan in loans)
        rate = sum(weight(loan) * loan["loss"] / loan["exposure"] for loan in loans) / whole
        residuals: dict[str, float] = defaultdict(float)
        for loan in loans:
            residuals[loan["customer"]] += weight(loan) * (loan["loss"] / loan["exposure"] - rate)
        count = len(residuals)
        error = math.sqrt(count / (count - 1) * sum(value**2 for value in residuals.values())) / whole
        half = stats.t.ppf(0.975, count - 1) * error
        answers |= {f"lgd{suffix}": rate, f"low{suffix}": max(rate - half, 0), f"high{suffix}": min(rate + half, 1)}
    return answers


def test_rates_are_those_of_the_slow_reference(small_book: Book) -> None:
    groups = by_product(slow_workout(small_book, as_of=AS_OF, workout_months=6, rate=0.05))
    table = loss_given_default(small_book, **OPTIONS, least_defaults=2)
    assert pd.isna(table["product"].iloc[0])
    assert table["product"].tolist()[1:] == sorted(set(table["product"].dropna()))
    assert len(table) == 4  # all, and three products
    for row in table.itertuples():
        loans = groups[None if pd.isna(row.product) else row.product]
        assert (row.defaults, row.cured, row.written_off) == (
            len(loans),
            sum(loan["cured"] for loan in loans),
            sum(loan["lost"] for loan in loans),
        )
        sums = (sum(loan["exposure"] for loan in loans), sum(loan["loss"] for loan in loans))
        assert (row.exposure, row.lost) == pytest.approx(sums)
        assert row.reason == ""
        for name, value in slow_rates(loans).items():
            assert getattr(row, name) == pytest.approx(value, rel=1e-6), name


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """600 samples of 60 customers with one to three loans each; a customer's loans end alike, most lose all or nothing."""
    draw, rows = np.random.default_rng(11), []
    for number in range(600):
        for customer in range(60):
            habit = draw.choice([0.1, 0.85], p=[0.5, 0.5])
            for _loan in range(draw.integers(1, 4)):
                exposure = float(draw.lognormal(8, 0.8))
                share = float(draw.beta(8, 2) if draw.random() < habit else draw.beta(1, 20))
                rows.append((f"S{number}", f"C{customer}", exposure, exposure * share))
    frame = pd.DataFrame(rows, columns=["product", "customer_id", "exposure", "lost"])
    table = _rates(ibis.memtable(frame.assign(cured=False, written_off=True, seen=True)))
    truth = 0.5 * (0.1 + 0.85) * 0.8 + 0.5 * (0.9 + 0.15) / 21
    for suffix in ("", "_by_count"):
        inside = (table[f"low{suffix}"] <= truth) & (truth <= table[f"high{suffix}"])
        assert 0.91 <= inside.mean() <= 0.97


def test_what_is_left_out_is_counted(cases: Book) -> None:  # noqa: F811
    row = loss_given_default(cases, as_of=date(2024, 6, 30), workout_months=6, least_defaults=2).iloc[0]
    assert (row["defaults"], row["left_out"]) == (20, 6)


def test_too_few_defaults_give_no_rate_and_say_so(small_book: Book) -> None:
    table = loss_given_default(small_book, **OPTIONS, least_defaults=1000)
    assert table[["lgd", "low", "high", "lgd_by_count"]].isna().all(axis=None)
    count = table["defaults"].iloc[0]
    assert table["reason"].iloc[0] == f"{count} loans defaulted at least 6 months before; an estimate needs 1000."
    assert table["lost"].iloc[0] > 0  # the sums are facts all the same
    none = loss_given_default(small_book, as_of=date(2023, 4, 30), workout_months=24)
    assert none[["product", "defaults"]].fillna("").to_numpy().tolist() == [["", 0]]
    assert none["reason"].tolist() == ["0 loans defaulted at least 24 months before; an estimate needs 30."]


def test_a_book_that_cannot_tell_says_why(make_book: Callable[..., Book]) -> None:
    ids = [f"L{number:02d}" for number in range(40)]
    lost = date(2023, 6, 30)
    loans = pd.DataFrame({"loan_id": ids, "customer_id": "C1", "opened_on": date(2022, 1, 1), "written_off_on": lost})
    months = pd.DataFrame({"loan_id": ids, "month_end": date(2023, 5, 31), "balance": 100.0, "dpd": 120})
    late = pd.Timestamp(2023, 8, 1)
    paid = pd.DataFrame({"payment_id": ids, "loan_id": ids, "paid_at": late, "amount": 25.0, "kind": "recovery"})
    people = pd.DataFrame({"customer_id": ["C1"]})
    tables = {"customers": people, "loans": loans, "performance": months, "payments": paid}

    def told(**changed: pd.DataFrame | None) -> tuple[float, str]:
        rows = {name: frame for name, frame in {**tables, **changed}.items() if frame is not None}
        table = loss_given_default(make_book(rows), as_of=date(2024, 12, 31), workout_months=12, discount_rate=0.0)
        return table["lgd"].iloc[0], table["reason"].iloc[0]

    assert told() == (0.75, "")
    assert told(payments=None)[1] == "The book has no payments, so nobody knows what came back."
    assert "does not state days past due" in told(performance=None)[1]
    assert "no balance is stated" in told(performance=months.assign(balance=None))[1]
    before = paid.assign(paid_at=pd.Timestamp(2023, 5, 1), kind="scheduled")
    rate, reason = told(payments=before)
    assert math.isnan(rate)
    assert reason == "The book holds no payment after any write-off, so nobody knows what came back."
