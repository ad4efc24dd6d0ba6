"""A simulated lender, delivered and imported: the tables come back, and what was planted is what the import tells."""

from __future__ import annotations

import csv
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml

from workbench.book.book import Book
from workbench.book.checks import check_book
from workbench.book.checks import retold as retelling
from workbench.book.frames import canonical_table
from workbench.book.loading.load import import_book
from workbench.book.loading.record import LoadRecord
from workbench.book.schema import TABLES
from workbench.book.simulated import simulated_lender
from workbench.book.simulation.delivery import Planted, WrittenDelivery, deliver_lender, write_delivery
from workbench.book.simulation.delivery import write as writing
from workbench.book.simulation.delivery.database import URL_VARIABLE
from workbench.book.sources.opened import listed
from workbench.book.store import BookFacts, current_generation, list_books, table_files
from workbench.core.errors import InputError
from workbench.core.workspace import Workspace

from ..database import Database

SEED = 11
DELIVERED = datetime(2035, 1, 1, tzinfo=UTC)
TEXTS = (".csv", ".jsonl", ".yaml", ".json")
CORE = ("loans", "instalments", "payments", "restructurings")


@dataclass(frozen=True)
class Lender:
    """A lender's tables, and what is known of the book."""

    folder: Path
    facts: BookFacts

    @property
    def tables(self) -> list[str]:
        return sorted(name for name in TABLES if (self.folder / f"{name}.parquet").exists())


@dataclass(frozen=True)
class Imported:
    """A delivery and the book that an import made of it."""

    delivery: WrittenDelivery
    workspace: Workspace
    record: LoadRecord

    def planted(self, table: str, effect: str) -> int:
        return sum(found.rows for found in self.delivery.planted if (found.table, found.effect) == (table, effect))


@pytest.fixture(scope="module")
def lender(tmp_path_factory: pytest.TempPathFactory) -> Lender:
    folder = tmp_path_factory.mktemp("lender")
    return Lender(folder, simulated_lender(customers=320, months=8, seed=SEED)(folder))


def imported(delivery: WrittenDelivery, workspace: Workspace) -> Imported:
    shutil.copy(delivery.mapping, workspace.params / "books")
    name = delivery.mapping.stem
    record = import_book(workspace, name, delivered_at=DELIVERED, base=str(delivery.folder)).record
    return Imported(delivery, workspace, record)


@pytest.fixture(scope="module")
def files(
    lender: Lender, tmp_path_factory: pytest.TempPathFactory, new_workspace: Callable[..., Workspace]
) -> Imported:
    out = tmp_path_factory.mktemp("delivery") / "shop"
    delivery = write_delivery(lender.folder, out, name="shop", facts=lender.facts, seed=SEED)
    return imported(delivery, new_workspace())


@pytest.fixture(scope="module")
def in_database(
    lender: Lender,
    database: Database,
    tmp_path_factory: pytest.TempPathFactory,
    new_workspace: Callable[..., Workspace],
) -> Imported:
    out = tmp_path_factory.mktemp("with-database") / "shop"
    delivery = write_delivery(lender.folder, out, name="shop", facts=lender.facts, seed=SEED, url=database.url())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(URL_VARIABLE, database.url())
        return imported(delivery, new_workspace())


@pytest.fixture(params=["files", "in_database"])
def either(request: pytest.FixtureRequest) -> Imported:
    return request.getfixturevalue(request.param)  # type: ignore[no-any-return]


def book_of(found: Imported) -> Path:
    return current_generation(found.workspace, found.delivery.mapping.stem)[0]


def differences(lender: Path, book: Path, table: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows that the lender alone has, and those that the book alone has."""
    one, two = (f"read_parquet({listed(table_files(folder, table))})" for folder in (lender, book))
    with duckdb.connect() as sql:
        return (
            sql.execute(f"SELECT * FROM {one} EXCEPT ALL SELECT * FROM {two} ORDER BY ALL").df(),
            sql.execute(f"SELECT * FROM {two} EXCEPT ALL SELECT * FROM {one} ORDER BY ALL").df(),
        )


# --- what comes back ---------------------------------------------------------------------------------------------------


def test_every_table_comes_back_apart_from_what_was_planted(lender: Lender, either: Imported) -> None:
    assert lender.tables == sorted(TABLES), "the simulator writes every table"
    assert sorted(either.record.tables) == lender.tables
    for table in lender.tables:
        lost, more = differences(lender.folder, book_of(either), table)
        if table == "customers":  # birth dates that no calendar has
            assert 1 <= len(lost) == len(more) <= either.planted(table, "emptied")
            assert more["birth_date"].isna().all()
            assert lost.drop(columns="birth_date").equals(more.drop(columns="birth_date"))
        elif table == "payments":  # of loans that nobody knows
            assert lost.empty
            assert len(more) == either.planted(table, "found") > 0
            assert more["loan_id"].str.startswith("GONE-").all()
        else:
            assert (len(lost), len(more)) == (0, 0), table


def test_the_import_tells_what_was_planted(lender: Lender, either: Imported) -> None:
    assert either.record.status == "done"
    for table, load in either.record.tables.items():
        planted = [found for found in either.delivery.planted if found.table == table and found.rows]
        assert load.rejected == told(planted, "rejected"), table
        assert load.emptied == told(planted, "emptied"), table
        assert load.duplicates == either.planted(table, "duplicate"), table
        assert load.conflicts == either.planted(table, "conflict"), table
    lines = Counter[str]()
    for source in either.record.sources.values():
        lines.update(source.rejected_lines)
    assert lines == {"missing columns": 1, "is no JSON object": 1}
    assert lines.total() == sum(found.rows for found in either.delivery.planted if found.effect == "line")
    everything = {
        effect: either.planted(table, effect) for table in ("payments",) for effect in ("rejected", "conflict")
    }
    assert all(everything.values())


def test_what_the_import_tells_can_be_told_in_any_language(either: Imported, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retelling, "say", lambda words, **_values: f"known: {words}")
    record = either.record
    texts = [text for source in record.sources.values() for text in (*source.rejected_lines, *source.repairs)]
    texts += [text for load in record.tables.values() for text in (*load.rejected, *load.emptied)]
    assert len(texts) > 5
    assert [text for text in texts if not retelling.retold(text).startswith("known: ")] == []


def told(planted: list[Planted], effect: str) -> dict[str, int]:
    counts = Counter[str]()
    for found in planted:
        if found.effect == effect:
            counts[found.told] += found.rows
    return dict(counts)


def test_what_was_mended_is_told_by_file(files: Imported) -> None:
    repairs = [repair for source in files.record.sources.values() for repair in source.repairs]
    breaks = next(found.rows for found in files.delivery.planted if found.fault == "line_breaks")
    assert breaks > 0
    assert f"{breaks:,} lines go on with a text in quotes that the line before began" in repairs
    assert "customers.csv: a byte order mark was skipped" in repairs
    assert len([repair for repair in repairs if "may have been cut" in repair]) == 2


def test_a_check_finds_the_payments_of_no_loan(files: Imported) -> None:
    findings, _profile = check_book(Book.open(files.workspace, "shop"))
    assert "payments.orphans" in [finding.check for finding in findings]
    assert not [finding for finding in findings if finding.severity == "error"]


def test_offers_are_left_out(files: Imported) -> None:
    offers = files.planted("loans", "left out")
    sheet = openpyxl.load_workbook(files.delivery.folder / "core" / "loans.xlsx")["Loans"]
    assert offers == sum(row[2] == "OFFER" for row in sheet.iter_rows(values_only=True)) > 0
    assert sheet.max_row - 1 == files.record.tables["loans"].rows_in + offers


def test_the_book_is_that_of_the_lender(lender: Lender, files: Imported) -> None:
    facts = Book.open(files.workspace, "shop").manifest.facts
    assert facts.model_copy(update={"source": ""}) == lender.facts.model_copy(update={"source": ""})
    assert "as delivered" in facts.source


# --- what is in the files ----------------------------------------------------------------------------------------------


def count(delivery: WrittenDelivery, file: str, fault: str) -> int:
    return next(found.rows for found in delivery.planted if (found.file, found.fault) == (file, fault))


def test_the_customers_file_holds_what_the_truth_says(files: Imported) -> None:
    path = files.delivery.folder / "crm" / "customers.csv"
    raw = path.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")
    assert raw.count(b"\n") == raw.count(b"\r\n")
    with path.open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter=";"))
    seen = {
        "other_dates": sum(bool(re.match(r"\d{4}-", row["Employed since"] or row["Customer since"])) for row in rows),
        "thousands_signs": sum(bool(re.search(r"\d\.\d{3},\d\d", row["Monthly income"])) for row in rows),
        "currency_signs": sum(bool(re.search(r"€ |EUR", row["Monthly income"])) for row in rows),
        "stray_blanks": sum(row["Name"] != " ".join(row["Name"].split()) for row in rows),
        "other_case_codes": sum(row["Sex"].islower() for row in rows),
        "line_breaks": sum("\n" in row["Notes"] for row in rows),
        "impossible_births": sum(row["Born"].startswith("31.02.") for row in rows),
        "without_number": sum(not row["Customer no"] for row in rows),
        "exact_duplicates": len(rows) - len({tuple(row.values()) for row in rows}),
        "other_case_twins": sum(row["Customer no"].startswith("c") for row in rows),
    }
    assert seen == {fault: count(files.delivery, "crm/customers.csv", fault) for fault in seen}
    assert all(seen[fault] for fault in ("other_dates", "currency_signs", "impossible_births", "without_number"))


def test_the_payments_file_holds_what_the_truth_says(files: Imported) -> None:
    with (files.delivery.folder / "core" / "payments.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    pairs = Counter(row["payment_no"] for row in rows if row["payment_no"].startswith("C"))
    seen = {
        "utc_moments": sum(row["booked"].endswith("Z") for row in rows),
        "other_case_codes": sum(row["contract_no"].startswith("l") for row in rows),
        "unreadable_moments": sum(row["booked"].startswith("00.00.") for row in rows),
        "orphans": sum(row["contract_no"].startswith("GONE-") for row in rows),
        "conflicting_pairs": pairs.total(),
        "exact_duplicates": len(rows) - len({tuple(row.values()) for row in rows}),
        "other_case_twins": sum(row["payment_no"].startswith("p") for row in rows),
    }
    assert seen == {fault: count(files.delivery, "core/payments.csv", fault) for fault in seen}
    assert all(seen.values())


def test_the_truth_lies_beside_the_files(lender: Lender, files: Imported) -> None:
    rows = json.loads((files.delivery.folder / "truth" / "delivery.json").read_text("utf-8"))
    assert [Planted(**row) for row in rows] == files.delivery.planted
    for path in (lender.folder / "truth").iterdir():
        assert (files.delivery.folder / "truth" / path.name).read_bytes() == path.read_bytes()
    written = {
        str(path.relative_to(files.delivery.folder)) for path in files.delivery.folder.rglob("*") if path.is_file()
    }
    assert written == files.delivery.files.keys()
    assert {row["file"] for row in rows} <= written


def test_the_mapping_is_one_that_somebody_could_read(files: Imported, in_database: Imported) -> None:
    for found in (files, in_database):
        text = found.delivery.mapping.read_text("utf-8")
        assert text.count("#") > 10
        assert yaml.safe_load(text)["tables"].keys() == TABLES.keys()
        assert max(map(len, text.splitlines())) <= 128


# --- the same again ----------------------------------------------------------------------------------------------------


def test_same_seed_same_bytes_another_seed_other_bytes(lender: Lender, files: Imported, tmp_path: Path) -> None:
    first = files.delivery.folder
    again, other = (
        write_delivery(
            lender.folder, tmp_path / str(seed), name="shop", facts=lender.facts, seed=seed, threads=1
        ).folder
        for seed in (SEED, SEED + 1)
    )
    names = [name for name in files.delivery.files if name.endswith(TEXTS)]
    assert len(names) > 10
    assert [name for name in names if (first / name).read_bytes() != (again / name).read_bytes()] == []
    for name in ("core/loans.xlsx", "core/restructurings.xlsx", "crm/branches.xlsx"):
        assert cells(first / name) == cells(again / name)
    assert (first / "crm/customers.csv").read_bytes() != (other / "crm/customers.csv").read_bytes()


def cells(path: Path) -> list[list[Any]]:
    book = openpyxl.load_workbook(path)
    return [list(row) for sheet in book for row in sheet.iter_rows(values_only=True)]


# --- tables made by hand -----------------------------------------------------------------------------------------------

NIGHT = [  # the night in which the clocks of Berlin go back: 02:00 to 03:00 comes twice; and the one in which they go forward
    *(
        "2023-10-28 23:59:59",
        "2023-10-29 00:00:00",
        "2023-10-29 00:30:00",
        "2023-10-29 01:00:00",
        "2023-10-29 01:59:59",
    ),
    *("2023-10-29 02:00:00", "2023-03-26 00:59:59", "2023-03-26 01:00:00"),
]


def odd_lender(folder: Path) -> Lender:
    """Write a lender of few rows, all of them odd: times in the doubled hour, signs within texts, nulls everywhere."""
    moments = [pd.Timestamp(moment) for moment in NIGHT]
    n = len(moments)
    numbers = [f"{i:07d}" for i in range(n)]
    customer, loan = [f"C{i}" for i in numbers], [f"L{i}" for i in numbers]
    names = ['A "B" C', "x; y", "Zoë, née 'O'", "王小明", "-", None, "a\\b", "=1+1"]
    opened = [date(2023, 1, 2)] * n
    frames = {
        "customers": {
            "customer_id": customer, "name": names, "gender": ["female", "male", None, "diverse"] * 2,
            "monthly_income": [0.01, 999.99, 1000, 1234567.89, None, 0, 2500.5, 100000], "branch_id": ["B1", None] * 4,
            "education": [None] * n, "birth_date": [date(1900, 1, 1), None] * 4, "known_at": moments,
        },
        "loans": {
            "loan_id": loan, "customer_id": customer, "product": ["personal", None] * 4, "opened_on": opened,
            "annual_rate": [0, 0.0799, 0.12345678, None, 0.3333, 1, 0.0001, 0.07], "principal": [None, 1e6] * 4,
            "known_at": moments,
        },
        "payments": {
            "payment_id": [f"P{i}" for i in numbers], "loan_id": loan, "paid_at": moments,
            "amount": [-0.01, 0, 12.34, 1e9, 0.1, 0.2, 0.3, 99.99], "kind": ["reversal", *["scheduled"] * 7],
            "reverses": ["P0000001", *[None] * 7], "known_at": moments,
        },
        "restructurings": {
            "loan_id": loan, "effective_on": opened, "kind": ["term_extension", None] * 4,
            "distressed": [True, False, None, True] * 2, "forgiven_amount": [0, None, 1.5, 2] * 2, "known_at": moments,
        },
        "applications": {
            "application_id": [f"A{i}" for i in numbers], "customer_id": customer, "applied_at": moments,
            "decision": ["accepted", "declined", "withdrawn", None] * 2, "score": [None, 0.5, 1 / 3, 600] * 2,
            "requested_amount": [None, 1e6, 0.01, 5] * 2, "decided_at": [None, *moments[1:]], "known_at": moments,
        },
        "bureau": {
            "customer_id": customer, "reported_on": opened, "enquiries_6m": [0, None, 3, 4] * 2,
            "other_debt": [None, 0, 1.25, 1e6] * 2, "worst_status": [None, "ok"] * 4, "known_at": moments,
        },
        "events": {
            "event_id": [f"E{i}" for i in numbers], "customer_id": customer, "occurred_at": moments,
            "kind": ["login"] * n, "detail": [None] * n, "known_at": moments,
        },
    }  # fmt: skip
    folder.mkdir()
    for table, columns in frames.items():
        pq.write_table(canonical_table(table, pd.DataFrame(columns)), folder / f"{table}.parquet")
    facts = BookFacts(
        first_day=date(2023, 1, 1), last_day=date(2023, 10, 31), time_zone="Europe/Berlin", source="by hand"
    )
    return Lender(folder, facts)


def test_odd_rows_come_back(tmp_path: Path, new_workspace: Callable[..., Workspace]) -> None:
    odd = odd_lender(tmp_path / "lender")
    delivery = write_delivery(odd.folder, tmp_path / "out", name="odd", facts=odd.facts, seed=1)
    payments = (delivery.folder / "core" / "payments.csv").read_text()
    assert "29.10.2023 02:30:00+02:00" in payments
    assert "29.10.2023 02:59:59+01:00" in payments
    assert "26.03.2023 03:00:00," in payments
    found = imported(delivery, new_workspace())
    assert sorted(found.record.tables) == odd.tables
    for table in odd.tables:
        lost, more = differences(odd.folder, book_of(found), table)
        assert (len(lost), len(more)) == (0, 0), (table, lost, more)


def test_a_table_of_several_files_and_a_lender_of_few_tables(lender: Lender, tmp_path: Path) -> None:
    few, one_file = tmp_path / "few", tmp_path / "one-file"
    few.mkdir()
    one_file.mkdir()
    for table in ("customers", "loans"):
        whole = pq.read_table(lender.folder / f"{table}.parquet")
        pq.write_table(whole, one_file / f"{table}.parquet")
        pq.write_table(whole.slice(0, 50), few / f"{table}.parquet")
        pq.write_table(whole.slice(50), few / f"{table}+0001.parquet")
    written = write_delivery(few, tmp_path / "out", name="shop", facts=lender.facts, seed=SEED)
    whole_delivery = write_delivery(one_file, tmp_path / "whole", name="shop", facts=lender.facts, seed=SEED)
    assert yaml.safe_load(written.mapping.read_text("utf-8"))["tables"].keys() == {"customers", "loans"}
    for name in ("crm/customers.csv", "crm/marital_states.csv"):
        assert (written.folder / name).read_bytes() == (whole_delivery.folder / name).read_bytes()


def test_an_address_changes_with_a_move_alone(files: Imported, lender: Lender) -> None:
    rows = pd.read_csv(files.delivery.folder / "crm/customers.csv", sep=";", dtype=str, keep_default_na=False)
    rows = rows[rows["Customer no"] != ""]
    events = pd.concat([pd.read_parquet(file) for file in table_files(lender.folder, "events")])
    moves = events[events["kind"] == "address_changed"].groupby("customer_id").size()
    homes = rows.groupby(rows["Customer no"].str.strip().str.upper())["Address"].nunique()
    assert (homes[~homes.index.isin(moves.index)] == 1).all()
    assert (homes <= 1 + moves.reindex(homes.index, fill_value=0)).all()
    assert rows["Address"].str.contains("ZZ-").all()


# --- in PostgreSQL -----------------------------------------------------------------------------------------------------


def test_core_banking_lies_in_a_schema_and_the_address_in_a_variable(in_database: Imported, database: Database) -> None:
    sources = yaml.safe_load(in_database.delivery.mapping.read_text("utf-8"))["sources"]
    for name in ("loans", "plans", "payments", "restructurings"):
        assert sources[f"core_{name}"] == {"sql": {"url": "env:CORE_BANKING_URL", "schema": "shop_core", "table": name}}
    assert (in_database.delivery.schema, in_database.delivery.variable) == ("shop_core", URL_VARIABLE)
    everything = b"".join(path.read_bytes() for path in in_database.delivery.folder.rglob("*") if path.is_file())
    assert database.socket.encode() not in everything
    assert not [name for name in in_database.delivery.files if re.match(r"core/(loans|plans|payments|restr)", name)]


def test_a_schema_with_tables_is_refused_and_stays_as_it_is(
    in_database: Imported, lender: Lender, database: Database, tmp_path: Path
) -> None:
    before = tables_in(database, "shop_core")
    words = "schema shop_core holds 4 tables already .*loans.*DROP SCHEMA shop_core CASCADE"
    with pytest.raises(InputError, match=words):
        write_delivery(
            lender.folder, tmp_path / "out", name="shop", facts=lender.facts, seed=SEED + 1, url=database.url()
        )
    assert tables_in(database, "shop_core") == before != {}
    assert list(tmp_path.iterdir()) == []


def tables_in(database: Database, schema: str) -> dict[str, int]:
    with database.connect() as connection:
        names = connection.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = %s ORDER BY 1", [schema]
        ).fetchall()
        return {name: connection.execute(f"SELECT count(*) FROM {schema}.{name}").fetchone()[0] for (name,) in names}


def test_what_fails_leaves_neither_folder_nor_schema(
    lender: Lender, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_desk: object) -> None:
        raise RuntimeError("in the middle")

    monkeypatch.setitem(writing.WRITERS, "transactions", fails)
    with pytest.raises(RuntimeError, match="in the middle"):
        write_delivery(lender.folder, tmp_path / "out", name="half", facts=lender.facts, seed=1, url=database.url())
    assert list(tmp_path.iterdir()) == []
    assert tables_in(database, "half_core") == {}
    with database.connect() as connection:
        assert connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'half_core'").fetchone() is None


def test_a_database_that_dies_in_the_last_moment_leaves_no_folder(
    lender: Lender, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    move = writing._move

    def moved_then_cut_off(target: Path, out: Path) -> None:
        move(target, out)
        database.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'workbench' AND state = 'idle in transaction'"
        )

    monkeypatch.setattr(writing, "_move", moved_then_cut_off)
    with pytest.raises(InputError, match="postgresql://"):
        write_delivery(lender.folder, tmp_path / "out", name="late", facts=lender.facts, seed=1, url=database.url())
    assert list(tmp_path.iterdir()) == []
    assert tables_in(database, "late_core") == {}


def test_a_full_disk_is_one_message(lender: Lender, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_desk: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setitem(writing.WRITERS, "events", full)
    with pytest.raises(InputError, match=r"nothing was written: .*No space left.*Make room on the disk"):
        write_delivery(lender.folder, tmp_path / "out", name="shop", facts=lender.facts, seed=1)
    assert list(tmp_path.iterdir()) == []


# --- what is refused ---------------------------------------------------------------------------------------------------


def never(_out: Path) -> BookFacts:
    raise AssertionError("the lender must not be simulated before this is told")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sqlite://core.db", "found a database of kind sqlite, expected postgresql://"),
        ("postgresql://u:hidden@host/db", "found a password in it"),
        ("env:NO_SUCH_URL", "no such variable"),
        ("postgresql://u@127.0.0.1:1/db", "Check that the server runs"),
    ],
)
def test_a_wrong_address_is_told_before_anything_is_made(
    workspace: Workspace, tmp_path: Path, url: str, words: str
) -> None:
    with pytest.raises(InputError, match=words) as caught:
        deliver_lender(workspace, "shop", tmp_path / "out", never, seed=1, url=url)
    assert "hidden" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_files_a_file_and_a_folder_below_one_are_refused(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="found a folder with files in it, expected an empty folder or none"):
        deliver_lender(workspace, "shop", tmp_path / "out", never, seed=1)
    with pytest.raises(InputError, match="found a file, expected an empty folder"):
        deliver_lender(workspace, "shop", tmp_path / "out" / "mine.txt", never, seed=1)
    with pytest.raises(InputError, match="found no folder, and none can be made there"):
        deliver_lender(workspace, "shop", tmp_path / "out" / "mine.txt" / "a" / "b", never, seed=1)
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "mine.txt"]


def test_an_empty_folder_will_do_and_no_book_is_stored(workspace: Workspace, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    books = list_books(workspace)
    written = deliver_lender(workspace, "tiny", out, simulated_lender(customers=50, months=2, seed=3), seed=3)
    assert written.mapping == out / "tiny.yaml"
    assert list_books(workspace) == books
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_names_and_tables_are_checked(lender: Lender, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="book name 'No Book'"):
        write_delivery(lender.folder, tmp_path / "out", name="No Book", facts=lender.facts, seed=1)
    with pytest.raises(InputError, match=r"found no customers.parquet, expected the tables of a lender"):
        write_delivery(tmp_path, tmp_path / "out", name="shop", facts=lender.facts, seed=1)
