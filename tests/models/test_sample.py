"""Who is observed, and what came of them: a hand-made book with one customer for each case of the definition."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from workbench.book.book import Book
from workbench.book.performance import is_active, performance
from workbench.core.errors import ParameterError, SampleError
from workbench.models.sample import hash_share, latest_observation, sample

AS_OF = date(2024, 1, 31)  # with a window of 12 months: month ends from 29 February 2024 to 31 January 2025
MakeBook = Callable[..., Book]

# customer: (worst DPD by month end, what else its loan has); unnamed month ends have DPD 0
LOANS: dict[str, tuple[dict[str, int], dict[str, Any]]] = {
    "bad-90": ({"2024-06": 90}, {}),
    "bad-last-day": ({"2025-01": 90}, {}),
    "bad-written-off": ({"2024-07": 60}, {"written_off_on": date(2024, 8, 10)}),
    "bad-sold-later": ({"2024-03": 95}, {"closed_on": date(2024, 5, 5), "close_reason": "sold"}),
    "bad-restructured": ({}, {}),
    "good-after-window": ({"2025-02": 120}, {}),
    "good-29": ({"2024-04": 29}, {}),
    "good-prepaid": ({}, {"closed_on": date(2024, 3, 5), "close_reason": "prepaid"}),
    "good-repaid": ({}, {"closed_on": date(2025, 1, 31), "close_reason": "repaid"}),
    "good-sold-after": ({}, {"closed_on": date(2025, 2, 1), "close_reason": "sold"}),
    "good-unused-card": ({}, {"balance": 0.0, "credit_limit": 500.0}),
    "probation-restructured": ({}, {}),
    "good-restructured-after": ({}, {}),
    "good-mildly-restructured": ({}, {}),
    "indeterminate-30": ({"2024-04": 30}, {}),
    "indeterminate-89": ({"2024-11": 89}, {}),
    "incomplete-sold": ({"2024-02": 31}, {"closed_on": date(2024, 3, 5), "close_reason": "sold"}),
    "already-90": ({"2024-01": 90}, {}),
    "absent-repaid": ({}, {"closed_on": AS_OF, "close_reason": "repaid"}),
    "absent-written-off": ({"2024-01": 95}, {"written_off_on": AS_OF}),
    "absent-nothing-owed": ({}, {"balance": 0.0}),
    "absent-new": ({"2024-09": 120}, {"opened_on": date(2024, 2, 1)}),
}
OTHER_LOANS = {
    "two-bad": ({"2024-06": 91}, {}),  # beside a loan that stays good
    "two-good": ({"2024-09": 120}, {"opened_on": date(2024, 2, 1)}),  # opened after the date: no part of the outcome
}
RESTRUCTURED = [
    ("bad-restructured", date(2024, 2, 1), True),
    ("probation-restructured", AS_OF, True),
    ("good-restructured-after", date(2025, 2, 1), True),
    ("good-mildly-restructured", date(2024, 6, 1), False),
]


def tables() -> dict[str, pd.DataFrame]:
    loans, months = [], []
    described = [(name, name, *case) for name, case in LOANS.items()]
    described += [(name, f"{name}-1", {}, {}) for name in OTHER_LOANS]
    described += [(name, f"{name}-2", *case) for name, case in OTHER_LOANS.items()]
    described += [(f"plain-{number}", f"plain-{number}", {}, {}) for number in range(4)]
    for customer, loan_id, dpd, terms in described:
        loan = {"opened_on": date(2023, 1, 1), "credit_limit": None, "written_off_on": None, "closed_on": None, **terms}
        loans.append({"loan_id": loan_id, "customer_id": customer, "close_reason": None, **loan})
        for end in pd.date_range("2023-12-31", "2025-03-31", freq="ME"):
            stopped = [day for day in (loan["closed_on"], loan["written_off_on"]) if day]
            if end.date() >= loan["opened_on"] and all(end.date() < day for day in stopped):
                days = dpd.get(f"{end:%Y-%m}", 0)
                months.append(
                    {"loan_id": loan_id, "month_end": end, "dpd": days, "balance": terms.get("balance", 100.0)}
                )
            elif loan["written_off_on"]:
                months.append({"loan_id": loan_id, "month_end": end, "dpd": 60, "balance": 0.0})
    return {
        "customers": pd.DataFrame({"customer_id": sorted({row["customer_id"] for row in loans})}),
        "loans": pd.DataFrame(loans).drop(columns="balance"),
        "performance": pd.DataFrame(months),
        "restructurings": pd.DataFrame(RESTRUCTURED, columns=["loan_id", "effective_on", "distressed"]),
    }


@pytest.fixture(scope="module")
def book(make_book: MakeBook) -> Book:
    return make_book(tables(), last_day=date(2025, 3, 31))


def defined(book: Book, **changes: Any) -> Book:
    """Return the book under other definitions of the target."""
    target = book.definitions.target.model_copy(update=changes)
    return Book(book.folder, book.manifest, book.workspace, book.definitions.model_copy(update={"target": target}))


def outcomes(book: Book, **options: Any) -> dict[str, str]:
    frame = sample(book, as_of=[AS_OF], **options).frame
    return dict(zip(frame["customer_id"], frame["outcome"], strict=True))


def expected(customers: list[str]) -> dict[str, str]:
    """Read each customer's outcome off its name."""
    words = {"plain": "good", "two": "?"}
    named = {name: words.get(name.split("-")[0], name.split("-")[0]) for name in customers}
    named |= {"two-bad": "bad", "two-good": "good"}
    return {name: outcome for name, outcome in named.items() if outcome in ("good", "bad", "indeterminate")}


def test_every_case_of_the_definition(book: Book) -> None:
    everybody = book.as_known("customers", as_of=date(2025, 3, 31)).customer_id.to_pandas().tolist()
    assert outcomes(book) == expected(everybody)


def test_what_was_lost_on_the_way_is_counted(book: Book) -> None:
    found = sample(book, as_of=[AS_OF])
    (losses,) = found.losses.to_dict("records")
    counts = {"already_bad": 1, "in_probation": 1, "incomplete": 1, "bad": 6, "indeterminate": 2, "good": 13}
    assert {name: losses[name] for name in counts} == counts
    assert (losses["active"], losses["kept"], losses["bad_rate"]) == (24, 21, 6 / 21)
    assert found.window_months == 12
    assert found.frame["bad"].sum() == 6
    assert set(found.frame.loc[found.frame["outcome"] == "indeterminate", "bad"]) == {0}


def test_a_cure_is_believed_after_its_probation(make_book: MakeBook) -> None:
    # At 90+ days at month ends before AS_OF, and clean in the window after it.
    cases: dict[str, dict[str, int]] = {
        "in-october": {"2023-10": 95}, "in-december": {"2023-12": 90}, "in-september": {"2023-09": 120},
        "at-89": {"2023-12": 89}, "now": {"2023-12": 95, "2024-01": 95},
    }  # fmt: skip
    loans = [{"loan_id": name, "customer_id": name, "opened_on": date(2022, 1, 1), "credit_limit": None,
              "written_off_on": None, "closed_on": None, "close_reason": None}
             for name in [*cases, "restructured-9-months", "restructured-13-months", "clean"]]  # fmt: skip
    # another loan of the customer was written off in November
    other = {**loans[-1], "customer_id": "other-loan-lost"}
    loans += [{**other, "loan_id": "lost", "written_off_on": date(2023, 11, 15)}, {**other, "loan_id": "kept"}]
    months = [
        {"loan_id": loan["loan_id"], "month_end": end, "dpd": cases.get(str(loan["loan_id"]), {}).get(f"{end:%Y-%m}", 0),
         "balance": 100.0}
        for loan in loans for end in pd.date_range("2023-08-31", "2025-03-31", freq="ME")
        if not (loan["written_off_on"] and end.date() > loan["written_off_on"])
    ]  # fmt: skip
    restructured = [
        ("restructured-9-months", date(2023, 4, 15), True),
        ("restructured-13-months", date(2022, 12, 15), True),
    ]
    book = make_book(
        {
            "customers": pd.DataFrame({"customer_id": sorted({str(loan["customer_id"]) for loan in loans})}),
            "loans": pd.DataFrame(loans),
            "performance": pd.DataFrame(months),
            "restructurings": pd.DataFrame(restructured, columns=["loan_id", "effective_on", "distressed"]),
        },
        last_day=date(2025, 3, 31),
    )
    kept = set(outcomes(book))
    assert kept == {"in-september", "at-89", "restructured-13-months", "clean"}
    (losses,) = sample(book, as_of=[AS_OF]).losses.to_dict("records")
    assert (losses["already_bad"], losses["in_probation"], losses["kept"]) == (1, 4, 4)
    free = defined(book, probation_months=0, restructured_probation_months=0)
    assert set(outcomes(free)) == {str(loan["customer_id"]) for loan in loans} - {"now"}


def test_exposure_is_the_balance_of_the_active_loans(book: Book) -> None:
    frame = sample(book, as_of=[AS_OF]).frame.set_index("customer_id")
    assert frame.loc[["two-bad", "two-good", "good-unused-card"], "exposure"].tolist() == [200, 100, 0]


def test_distressed_restructuring_can_be_switched_off(book: Book) -> None:
    before, after = outcomes(book), outcomes(defined(book, distressed_restructuring_is_bad=False))
    changed = {name: after[name] for name in after if after[name] != before.get(name)}
    assert changed == {"bad-restructured": "good", "probation-restructured": "good"}


def test_the_bounds_are_those_of_the_definitions(book: Book) -> None:
    stricter = outcomes(defined(book, bad_dpd=89, good_below_dpd=31))
    assert (stricter["indeterminate-89"], stricter["indeterminate-30"]) == ("bad", "good")


def test_another_window(book: Book) -> None:
    shorter = outcomes(book, window_months=4)  # to 31 May 2024
    assert shorter["bad-90"] == shorter["bad-written-off"] == shorter["indeterminate-89"] == "good"
    assert shorter["bad-sold-later"] == "bad"
    assert outcomes(defined(book, max_incomplete_share=0.1), window_months=13)["good-after-window"] == "bad"


def test_several_dates_are_in_order_and_each_once(book: Book) -> None:
    found = sample(book, as_of=[AS_OF, date(2023, 12, 31), AS_OF])
    assert [day.date() for day in found.losses["as_of"]] == [date(2023, 12, 31), AS_OF]
    assert not found.frame.duplicated(["customer_id", "as_of"]).any()


def test_too_many_cut_off_windows_are_refused(book: Book) -> None:
    # 1 of the 22 who are neither already bad nor in probation = 4.5 %
    message = (
        r"as_of 2024-01-31: 4\.5% of the customers lack a complete window to 2025-01-31 \(limit 4\.0%\)\. Move as_of"
    )
    with pytest.raises(SampleError, match=message):
        sample(defined(book, max_incomplete_share=0.04), as_of=[AS_OF])


def test_a_window_beyond_the_book_is_refused_with_the_latest_date(book: Book) -> None:
    with pytest.raises(ParameterError, match=r"window of 12 months ends 2025-04-30, .* Choose a date up to 2024-03-31"):
        sample(book, as_of=[AS_OF, date(2024, 4, 30)])
    with pytest.raises(
        ParameterError, match=r"ends 2025-01-31, but book .* is read up to 2025-01-30\. .* to 2023-12-31"
    ):
        sample(book, as_of=[AS_OF], known_by=date(2025, 1, 30))
    assert len(sample(defined(book, max_incomplete_share=0.1), as_of=[date(2024, 3, 31)]).frame)


def test_the_latest_observation_has_a_window_that_has_ended() -> None:
    ended = {
        date(2025, 2, 27): date(2024, 1, 31),
        date(2025, 2, 28): date(2024, 2, 29),
        date(2024, 2, 29): date(2023, 2, 28),
    }
    assert {day: latest_observation(day, window_months=12) for day in ended} == ended


def test_active_is_open_with_a_balance_or_an_unused_limit(book: Book) -> None:
    rows = performance(book, as_of=AS_OF)
    active = set(rows.filter(is_active(rows)).customer_id.to_pandas())
    assert not any(name.startswith("absent") for name in active)
    assert {"good-unused-card", "already-90"} <= active


def test_hash_shares_are_even_stable_and_differ_by_seed() -> None:
    ids = pd.Series([f"C{number:05d}" for number in range(5000)])
    shares = hash_share(ids, seed=7)
    assert ((shares >= 0) & (shares < 1)).all()
    # the share below .3 of 5,000 even draws has a standard error of .0065
    assert abs((shares < 0.3).mean() - 0.3) < 4 * 0.0065
    assert (hash_share(ids[::-1], seed=7)[::-1] == shares).all()
    assert abs(np.corrcoef(shares, hash_share(ids, seed=8))[0, 1]) < 0.06
