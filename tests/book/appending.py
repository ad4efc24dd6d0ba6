"""Appends as properties: a lender whose deliveries are loaded in any order, and two deliveries that overlap at random."""

from __future__ import annotations

import random
import shutil
from datetime import date, timedelta
from typing import Any

import yaml

from workbench.book.book import Book
from workbench.book.loading.load import LoadResult, import_book
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

    def known(self, table: str, day: date, *, book: Book | None = None) -> list[dict[str, Any]]:
        book = book or Book.open(self.workspace, NAME)
        found = book.connection.to_pyarrow(book.as_known(table, as_of=day, private=True)).to_pylist()
        return sorted(found, key=str)

    def answers(self) -> dict[tuple[str, date], list[dict[str, Any]]]:
        days = [date(2022, 6, 30), date(2023, 9, 30), date(2023, 12, 31), date(2024, 2, 29), date(2024, 3, 12)]
        book = Book.open(self.workspace, NAME)
        return {(table, day): self.known(table, day, book=book) for table in CRM.files for day in days}

    @property
    def parts(self) -> list[str]:
        folder = Book.open(self.workspace, NAME).folder
        return sorted(path.name for path in folder.glob("customers*.parquet"))


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


def check_reads_like_one_delivery(lender: Lender, seed: int) -> None:
    """Load two deliveries as one and as an append: at every date both must read the same."""
    first, second = split(lender.rows, seed)
    lender.forget()
    lender.load(together(first, second))
    wanted = lender.answers()
    lender.forget()
    lender.load(first)
    lender.load(second, day=1, append=True)
    assert lender.answers() == wanted, seed


def check_an_old_delivery_changes_nothing(lender: Lender, seed: int) -> None:
    """Load the first of two deliveries again after the second: nothing may change."""
    first, second = split(lender.rows, seed)
    lender.forget()
    lender.load(first)
    manifest = lender.load(second, day=1, append=True).manifest
    wanted = lender.answers()
    shuffled = {table: list(reversed(rows)) for table, rows in first.items()}  # the same rows in other bytes
    later = lender.load(shuffled, day=3, append=True)
    assert {load.rows_out for load in later.record.tables.values()} == {0}, seed
    assert later.manifest.tables == manifest.tables, seed
    assert lender.answers() == wanted, seed
