"""Books are stored whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from workbench.book.frames import canonical_table
from workbench.book.schema import TABLES
from workbench.book.store import BookFacts, current_generation, list_books, store_book
from workbench.core.errors import BookError, ParameterError, WorkbenchError
from workbench.core.files import locked, write_json
from workbench.core.workspace import Workspace

FACTS = BookFacts(first_day=date(2024, 1, 1), last_day=date(2024, 12, 31))


@pytest.fixture
def home(new_workspace: Callable[..., Workspace]) -> Workspace:
    return new_workspace(lock_seconds=0.2)


def writer(customers: int = 3, *, extra: Callable[[Path], None] = lambda out: None) -> Callable[[Path], BookFacts]:
    def write(out: Path) -> BookFacts:
        known = pd.Timestamp(2024, 1, 1)
        ids = [f"C{n}" for n in range(customers)]
        people = pd.DataFrame({"customer_id": ids, "known_at": known})
        loans = pd.DataFrame({"loan_id": ids, "customer_id": ids, "known_at": known})
        pq.write_table(canonical_table("customers", people), out / "customers.parquet")
        pq.write_table(canonical_table("loans", loans), out / "loans.parquet")
        extra(out)
        return FACTS

    return write


def files(workspace: Workspace) -> list[str]:
    return sorted(str(path.relative_to(workspace.books)) for path in workspace.books.rglob("*") if path.is_file())


def test_the_manifest_tells_the_tables(home: Workspace) -> None:
    manifest = store_book(home, "demo", writer())
    folder, read = current_generation(home, "demo")
    assert read == manifest
    assert folder.name == manifest.generation
    assert {name: facts.rows for name, facts in read.tables.items()} == {"customers": 3, "loans": 3}
    assert not any(facts.keys_versioned for facts in read.tables.values())
    assert list_books(home) == ["demo"]


def test_the_same_content_is_the_same_generation(home: Workspace) -> None:
    first, again, other = (store_book(home, "demo", writer(count)) for count in (3, 3, 4))
    assert first == again
    assert other.generation != first.generation


def test_the_same_delivery_again_keeps_the_generation_that_a_notebook_may_still_read(home: Workspace) -> None:
    old = store_book(home, "demo", writer(3))
    new = store_book(home, "demo", writer(4))
    store_book(home, "demo", writer(4))
    kept = {folder.name for folder in (home.books / "demo" / "generations").iterdir()}
    assert kept == {old.generation, new.generation}
    last = store_book(home, "demo", writer(5))
    kept = {folder.name for folder in (home.books / "demo" / "generations").iterdir()}
    assert kept == {new.generation, last.generation}


def break_off(out: Path) -> None:
    raise RuntimeError("source lost")


def no_loans(out: Path) -> None:
    (out / "loans.parquet").unlink()


def unknown_table(out: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), out / "payment.parquet")


def wrong_columns(out: Path) -> None:
    table = pq.read_table(out / "loans.parquet")
    table = table.drop_columns(["product"]).append_column("colour", pa.nulls(9, pa.string()))
    position = table.schema.get_field_index("principal")
    table = table.set_column(position, "principal", table["principal"].cast(pa.float64()))
    pq.write_table(table, out / "loans.parquet")


@pytest.mark.parametrize(
    ("fault", "error", "message"),
    [
        (break_off, RuntimeError, "source lost"),
        (no_loans, BookError, "table 'loans' is missing; customers and loans are required"),
        (unknown_table, BookError, "unknown table 'payment'. Did you mean 'payments'"),
        (wrong_columns, BookError, r"wrong or missing \['product', 'principal'\], unexpected \['colour'\]"),
    ],
)
def test_a_failed_load_leaves_the_old_book(
    fault: Callable[[Path], None], error: type[Exception], message: str, home: Workspace
) -> None:
    store_book(home, "demo", writer())
    before = files(home)
    with pytest.raises(error, match=message):
        store_book(home, "demo", writer(9, extra=fault))
    assert files(home) == before


def test_a_failed_first_load_leaves_no_book(home: Workspace) -> None:
    with pytest.raises(RuntimeError, match="source lost"):
        store_book(home, "demo", writer(extra=break_off))
    assert list_books(home) == []


def test_what_a_killed_load_left_is_cleaned_by_the_next(home: Workspace) -> None:
    left = home.books / "demo" / ".staging-killed"
    left.mkdir(parents=True)
    (left / "loans.parquet").write_bytes(b"half")
    store_book(home, "demo", writer())
    assert not left.exists()


def test_a_second_load_does_not_wait_for_ever(home: Workspace) -> None:
    with (
        locked(home.books / "demo" / "write.lock", seconds=1, what="the first load"),
        pytest.raises(WorkbenchError, match=r"book demo: another process has held .* for over 0.2 s"),
    ):
        store_book(home, "demo", writer())


def test_a_key_with_two_versions_is_noticed(home: Workspace) -> None:
    def second_version(out: Path) -> None:
        rows = pd.DataFrame({"customer_id": ["C1", "C1"], "known_at": pd.to_datetime(["2024-01-01", "2024-02-01"])})
        pq.write_table(canonical_table("customers", rows), out / "customers.parquet")

    tables = store_book(home, "demo", writer(extra=second_version)).tables
    assert (tables["customers"].keys_versioned, tables["loans"].keys_versioned) == (True, False)


def test_two_rows_of_a_key_at_one_instant_are_refused(home: Workspace) -> None:
    def twice(out: Path) -> None:
        rows = pd.DataFrame({"customer_id": ["C1", "C1"], "known_at": pd.to_datetime(["2024-01-01", "2024-01-01"])})
        pq.write_table(canonical_table("customers", rows), out / "customers.parquet")

    with pytest.raises(BookError, match="table customers: several rows of one customer_id have the same known_at"):
        store_book(home, "demo", writer(extra=twice))


def test_an_unknown_book_is_answered_with_the_nearest(home: Workspace) -> None:
    store_book(home, "demo", writer())
    with pytest.raises(BookError, match=r"unknown book 'dmo'. Did you mean 'demo'.* workbench book simulate dmo"):
        current_generation(home, "dmo")


def test_a_book_of_another_schema_version_is_refused(home: Workspace) -> None:
    manifest = store_book(home, "demo", writer())
    folder, _read = current_generation(home, "demo")
    write_json(folder / "book.json", {**manifest.model_dump(mode="json"), "schema_version": 99})
    with pytest.raises(BookError, match="schema version 99, this workbench reads 1"):
        current_generation(home, "demo")


@pytest.mark.parametrize("name", ["", "Demo", "../demo", "7days", "a" * 41, "a b"])
def test_a_name_that_is_no_folder_is_refused(name: str, home: Workspace) -> None:
    with pytest.raises(ParameterError, match="expected up to 40 small letters"):
        store_book(home, name, writer())


def test_canonical_tables_have_storage_types_and_total_order() -> None:
    frame = pd.DataFrame(
        {
            "payment_id": ["P2", "P1"],
            "amount": [0.1 + 0.2, 2.68],
            "paid_at": pd.to_datetime(["2024-01-02 00:00:00.000000", "2024-01-01 23:59:59.999999"]),
            "known_at": pd.Timestamp(2024, 1, 3),
        }
    )
    table = canonical_table("payments", frame)
    assert table.schema.equals(TABLES["payments"].arrow_schema())
    assert table["payment_id"].to_pylist() == ["P1", "P2"]
    assert [str(amount) for amount in table["amount"].to_pylist()] == ["2.68", "0.30"]
    assert str(table["paid_at"].to_pylist()[0]) == "2024-01-01 23:59:59.999999"
    assert table["loan_id"].null_count == 2
