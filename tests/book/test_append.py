"""Loads as properties: what was delivered, in whatever order and however often, is known exactly since it was known."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal

import pytest

from workbench.core.errors import BookError
from workbench.core.workspace import Workspace

from .appending import Lender, check_an_old_delivery_changes_nothing, check_reads_like_one_delivery
from .crm_delivery import DELIVERED

MAX_PARTS = 3  # of a table, in place of the 12 that take a dozen loads to reach


@pytest.fixture(scope="module")
def lender(new_workspace: Callable[..., Workspace]) -> Iterator[Lender]:
    made = Lender(new_workspace())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("workbench.book.loading.load._Load._check", lambda _load, _book: None)
        yield made


def test_the_same_delivery_twice_changes_nothing(lender: Lender) -> None:
    lender.forget()
    first = lender.load(lender.rows)
    again, appended = lender.load(None, day=1), lender.load(None, day=2, append=True)
    assert first.record.status == "done"
    assert (again.record.status, appended.record.status) == ("unchanged", "unchanged")
    assert first.manifest == again.manifest == appended.manifest


def test_the_same_rows_in_another_order_change_nothing(lender: Lender) -> None:
    lender.forget()
    first = lender.load(lender.rows)
    other = {table: list(reversed(rows)) for table, rows in lender.rows.items()}
    assert lender.load(other, day=1).manifest.generation == first.manifest.generation
    appended = lender.load(dict(reversed(other.items())), day=2, append=True)
    assert not any(load.rows_out for load in appended.record.tables.values())
    assert appended.manifest.tables == first.manifest.tables


@pytest.mark.parametrize("seed", range(2))  # bench/appends.py: many more
def test_an_append_reads_like_one_delivery_at_every_date(lender: Lender, seed: int) -> None:
    check_reads_like_one_delivery(lender, seed)


@pytest.mark.parametrize("seed", range(2, 4))
def test_the_first_delivery_again_after_the_second_changes_nothing(lender: Lender, seed: int) -> None:
    check_an_old_delivery_changes_nothing(lender, seed)


def test_a_correction_is_known_since_its_delivery_only(lender: Lender) -> None:
    lender.forget()
    lender.load(lender.rows)
    wrong = lender.rows["payments"][0]
    paid_on = wrong["paid_at"].date()
    right = copy.deepcopy(lender.rows)
    right["payments"][0]["amount"] = wrong["amount"] + Decimal("0.50")
    result = lender.load(right, day=5, append=True)
    assert result.record.tables["payments"].corrections == 1
    assert result.record.tables["payments"].rows_out == 1

    def amount(day: date) -> Decimal:
        return next(row["amount"] for row in lender.known("payments", day) if row["payment_id"] == wrong["pay_no"])

    delivered = (DELIVERED + timedelta(days=5)).date()
    assert amount(paid_on) == wrong["amount"]
    assert amount(delivered - timedelta(days=1)) == wrong["amount"]
    assert amount(delivered) == right["payments"][0]["amount"]

    again = copy.deepcopy(right)
    again["payments"].reverse()  # other bytes, or it would count as the same delivery
    repeated = lender.load(again, day=6, append=True)
    assert repeated.record.tables["payments"].rows_out == 0
    assert repeated.record.tables["payments"].unchanged == len(right["payments"])
    assert repeated.manifest.tables == result.manifest.tables


def test_a_value_that_comes_back_is_a_version_where_known_at_is_the_delivery(lender: Lender) -> None:
    """Where known_at is the row's own: test_append_rule.py."""
    lender.forget()
    lender.describe(known_at={"payments": "delivered_at"})
    first = lender.rows["payments"][0]["amount"]
    for day, more in ((0, 0), (5, 1), (9, 0)):
        rows = copy.deepcopy(lender.rows)
        rows["payments"][0]["amount"] += more
        rows["payments"] = rows["payments"][day:] + rows["payments"][:day]  # other bytes each time
        lender.load(rows, day=day, append=day > 0)
    lender.describe()
    number = lender.rows["payments"][0]["pay_no"]
    found = []
    for day in (0, 4, 5, 8, 9):
        known = lender.known("payments", (DELIVERED + timedelta(days=day)).date())
        found += [row["amount"] for row in known if row["payment_id"] == number]
    assert found == [first, first, first + 1, first + 1, first]


def test_many_appends_are_merged_and_read_the_same(lender: Lender, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workbench.book.loading.generation.MAX_PARTS", MAX_PARTS)
    lender.forget()
    lender.load(lender.rows)
    rows = copy.deepcopy(lender.rows)
    for day in range(1, MAX_PARTS + 3):
        for customer in rows["customers"][:3]:
            customer["income"] += 1
            customer["updated_at"] = datetime(2024, 3, 1) + timedelta(hours=day)
        result = lender.load({**rows, "customers": rows["customers"][:3]}, day=day, append=True)
        assert len(lender.parts) <= MAX_PARTS
    versions = result.manifest.tables["customers"]
    assert (versions.rows, versions.keys) == (12 + 3 * (MAX_PARTS + 2), 12)
    changed = rows["customers"][0]
    found = {row["customer_id"]: row["monthly_income"] for row in lender.known("customers", date(2024, 3, 12))}
    assert found[changed["cust_no"]] == changed["income"]
    before = {row["customer_id"]: row["monthly_income"] for row in lender.known("customers", date(2024, 2, 29))}
    assert before[changed["cust_no"]] == lender.rows["customers"][0]["income"]


def test_an_append_needs_a_book_that_was_imported(lender: Lender) -> None:
    lender.forget()
    with pytest.raises(BookError, match="no book to append to"):
        lender.load(lender.rows, append=True)
