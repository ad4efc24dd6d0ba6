"""Loads as properties: what was delivered, in whatever order and however often, is known exactly since it was known."""

from __future__ import annotations

import copy
import random
import shutil
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import yaml

from workbench.book.book import Book
from workbench.book.loading.append import MAX_PARTS
from workbench.book.loading.load import LoadResult, import_book
from workbench.core.errors import BookError
from workbench.core.workspace import Workspace

from .crm_delivery import CRM, DELIVERED, Row, clean_rows, write_delivery

NAME = CRM.name
Rows = dict[str, list[Row]]


class Lender:
    """A workspace of its own, its clean rows, and loads of any rows; the checks of the content are left out."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace, self.rows = workspace, clean_rows(CRM, customers=12)
        self.describe()

    def describe(self, **options: Any) -> None:
        text = yaml.safe_dump(CRM.mapping(**options), allow_unicode=True, sort_keys=False)
        (self.workspace.params / "books" / f"{NAME}.yaml").write_text(text, "utf-8")

    def load(self, rows: Rows | None, *, day: int = 0, append: bool = False) -> LoadResult:
        """Load rows, or the very files of the last delivery again."""
        folder = self.workspace.root / "delivery"
        if rows is not None:
            shutil.rmtree(folder, ignore_errors=True)
            write_delivery(folder, CRM, rows)
        moment = DELIVERED + timedelta(days=day)
        return import_book(self.workspace, NAME, delivered_at=moment, base=str(folder), append=append)

    def forget(self) -> None:
        shutil.rmtree(self.workspace.books / NAME, ignore_errors=True)

    def known(self, table: str, day: date) -> list[dict[str, Any]]:
        book = Book.open(self.workspace, NAME)
        found = book.connection.to_pyarrow(book.as_known(table, as_of=day, private=True)).to_pylist()
        return sorted(found, key=str)

    def answers(self) -> dict[tuple[str, date], list[dict[str, Any]]]:
        days = [date(2022, 6, 30), date(2023, 9, 30), date(2023, 12, 31), date(2024, 2, 29), date(2024, 3, 12)]
        return {(table, day): self.known(table, day) for table in CRM.files for day in days}

    @property
    def parts(self) -> list[str]:
        folder = Book.open(self.workspace, NAME).folder
        return sorted(path.name for path in folder.glob("customers*.parquet"))


@pytest.fixture(scope="module")
def lender(new_workspace: Callable[..., Workspace]) -> Iterator[Lender]:
    made = Lender(new_workspace())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("workbench.book.loading.load._Load._check", lambda _load, _book: None)
        yield made


def split(rows: Rows, seed: int) -> tuple[Rows, Rows]:
    """Split rows in two deliveries that overlap; new versions of some customers come in the second one."""
    chance = random.Random(seed)
    first: Rows = {table: [] for table in rows}
    second: Rows = {table: [] for table in rows}
    for table, all_rows in rows.items():
        for row in all_rows:
            where = chance.choice([(first,), (second,), (first, second)])
            for delivery in where:
                delivery[table].append(row)
    for customer in chance.sample(rows["customers"], 4):
        moved = {
            **customer,
            "region": "Moved",
            "updated_at": customer["updated_at"] + timedelta(days=chance.randrange(1, 500)),
        }
        second["customers"].append(moved)
    for delivery in (first, second):
        for table, some in delivery.items():
            chance.shuffle(some)
            if not some:
                some.append(rows[table][0])
    return first, second


def together(first: Rows, second: Rows) -> Rows:
    """Return both deliveries as one, rows that are in both once."""
    return {table: [*first[table], *(row for row in second[table] if row not in first[table])] for table in first}


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


@pytest.mark.parametrize("seed", range(6))
def test_an_append_reads_like_one_delivery_at_every_date(lender: Lender, seed: int) -> None:
    first, second = split(lender.rows, seed)
    lender.forget()
    lender.load(together(first, second))
    wanted = lender.answers()
    lender.forget()
    lender.load(first)
    lender.load(second, day=1, append=True)
    assert lender.answers() == wanted


@pytest.mark.parametrize("seed", range(3))
def test_the_first_delivery_again_after_the_second_changes_nothing(lender: Lender, seed: int) -> None:
    first, second = split(lender.rows, seed)
    lender.forget()
    lender.load(first)
    manifest = lender.load(second, day=1, append=True).manifest
    wanted = lender.answers()
    shuffled = {table: list(reversed(rows)) for table, rows in first.items()}  # the same rows in other bytes
    later = lender.load(shuffled, day=3, append=True)
    assert {load.rows_out for load in later.record.tables.values()} == {0}
    assert later.manifest.tables == manifest.tables
    assert lender.answers() == wanted


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


def test_many_appends_are_merged_and_read_the_same(lender: Lender) -> None:
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
