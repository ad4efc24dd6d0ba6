"""One book from several sources at once: customers behind REST, loans in PostgreSQL, payments as CSV, events in Excel."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from workbench.book.book import Book
from workbench.book.loading.load import LoadResult, import_book
from workbench.core.errors import InputError
from workbench.core.workspace import Workspace

from ..database import Database
from .crm_server import LIST, Crm, Fault, serve

TOKEN = "a-token-of-some-length"
MAPPING = """
source: three systems of a small lender
time_zone: Europe/Berlin
currency: EUR
from: deliveries
sources:
  people:
    rest:
      url: {url}
      resource: {list}
      records: data.items
      paging: {{kind: page, param: page, size_param: limit, page_size: 3, total: meta.total}}
      auth: {{kind: bearer, token: "env:CRM_TOKEN"}}
      key: id
      since: {{param: updated_since, from: updated_at}}
      backoff_seconds: 0.01
      allow_http: true
  contracts:
    sql: {{url: "env:CORE_URL", schema: core, table: contracts}}
  paid: {{files: "payments-*.csv", delimiter: ";", decimal: ",", dates: "%d.%m.%Y"}}
  calls: {{files: events.xlsx, sheet: calls}}
tables:
  customers:
    from: people
    columns:
      customer_id: id
      name: person.name
      monthly_income: person.income
      segment: segment
    known_at: created_at
  loans:
    from: contracts
    columns: {{loan_id: contract, customer_id: customer, product: kind, opened_on: opened, principal: amount}}
    known_at: entered
  payments:
    from: paid
    columns:
      payment_id: contract || '-' || number
      loan_id: contract
      paid_at: day
      amount: amount
      kind: {{sql: type, codes: {{R: scheduled, S: prepayment}}}}
  events:
    from: calls
    columns: {{event_id: call, customer_id: customer, occurred_at: at, kind: "'contact'"}}
"""


def person(
    number: int, *, updated: str = "2024-01-05T08:00:00Z", income: float = 1000.0, **more: Any
) -> dict[str, Any]:
    created = "2023-06-01T08:00:00Z"
    inner = {"name": f"Person {number}", "income": income + number}
    return {"id": f"C{number}", "created_at": created, "updated_at": updated, "person": inner, **more}


@pytest.fixture
def crm() -> Iterator[Crm]:
    with serve(Crm([person(n, segment="retail") for n in range(1, 8)], bearer={TOKEN})) as served:
        yield served


@pytest.fixture
def home(
    crm: Crm, database: Database, new_workspace: Callable[..., Workspace], monkeypatch: pytest.MonkeyPatch
) -> Workspace:
    workspace = new_workspace()
    (workspace.params / "books" / "mixed.yaml").write_text(MAPPING.format(url=crm.url, list=LIST), "utf-8")
    database.run(
        "DROP SCHEMA IF EXISTS core CASCADE", "CREATE SCHEMA core",
        "CREATE TABLE core.contracts (contract text, customer text, kind text, opened date, amount numeric(12, 4), "
        "entered timestamptz)",
        *(f"INSERT INTO core.contracts VALUES ('L{n}', 'C{n}', 'cash', '2023-07-0{n}', {n}000.1250, "
          f"'2023-07-0{n} 09:00+02')" for n in range(1, 8)),
    )  # fmt: skip
    folder = workspace.root / "deliveries"
    folder.mkdir()
    (folder / "payments-1.csv").write_text("contract;number;day;amount;type\nL1;1;01.08.2023;100,50;R\n", "utf-8")
    (folder / "payments-2.csv").write_text("number;contract;day;amount;type\n2;L1;31.08.2023;1.100,00;R\n", "utf-8")
    calls = {"call": ["E1"], "customer": ["C2"], "at": [datetime(2023, 8, 2, 9, 30)]}
    pd.DataFrame(calls).to_excel(folder / "events.xlsx", sheet_name="calls", index=False)
    monkeypatch.setenv("CRM_TOKEN", TOKEN)
    monkeypatch.setenv("CORE_URL", database.url())
    return workspace


def load(home: Workspace, day: int, *, append: bool = False) -> LoadResult:
    return import_book(home, "mixed", delivered_at=datetime(2024, 2, day, tzinfo=UTC), append=append)


def test_one_book_comes_of_four_kinds_of_source(home: Workspace, crm: Crm) -> None:
    (home.root / "deliveries" / "payments-2.csv").write_text(
        "number;contract;day;amount;type\n2;L1;31.08.2023;1100,00;R\n", "utf-8"
    )
    crm.plan = [None, Fault(429, {"Retry-After": "0"}), Fault(500)]
    result = load(home, 1)
    assert {name: facts.keys for name, facts in result.manifest.tables.items()} == {
        "customers": 7, "loans": 7, "payments": 2, "events": 1,
    }  # fmt: skip
    book = Book.open(home, "mixed")
    people = book.as_known("customers", as_of=date(2024, 1, 31)).to_pandas().set_index("customer_id")
    assert people.loc["C7", "monthly_income"] == pytest.approx(1007)
    loans = book.as_known("loans", as_of=date(2023, 7, 2)).to_pandas()
    assert loans["loan_id"].tolist() == ["L1", "L2"]  # known at 07:00 UTC of their own days
    assert [str(amount) for amount in loans["principal"]] == ["1000.13", "2000.13"]  # cents, half away from zero
    paid = book.as_known("payments", as_of=date(2024, 1, 31)).to_pandas().sort_values("payment_id")
    assert paid["paid_at"].tolist() == [
        pd.Timestamp(2023, 7, 31, 22),
        pd.Timestamp(2023, 8, 30, 22),
    ]  # Berlin's midnight
    assert book.as_known("events", as_of=date(2024, 1, 31)).to_pandas()["occurred_at"].tolist() == [
        pd.Timestamp(2023, 8, 2, 7, 30)
    ]
    assert any("tried again" in repair for repair in result.record.sources["people"].repairs)
    stored = "".join(path.read_text("utf-8") for path in home.books.rglob("*.json"))
    assert TOKEN not in stored
    assert "Person 1" not in stored


def test_a_thousands_point_that_nobody_declared_is_no_number(home: Workspace) -> None:
    with pytest.raises(InputError, match=r"payments: 1 of 2 rows rejected: amount: cannot be read as money"):
        load(home, 1)
    rejects = next((home.books / "mixed" / "rejects").rglob("payments-0.csv")).read_text("utf-8")
    assert "1.100,00" in rejects


def test_the_next_load_asks_only_for_what_changed_and_adds_versions(home: Workspace, crm: Crm) -> None:
    (home.root / "deliveries" / "payments-2.csv").unlink()
    load(home, 1)
    crm.asked.clear()
    crm.records[1] = person(2, updated="2024-02-03T08:00:00Z", income=5000.0)  # without its segment
    result = load(home, 5, append=True)
    assert crm.asked[0][1]["updated_since"] == "2024-01-05T08:00:00Z"
    assert result.record.tables["customers"].rows_out == 1
    assert (
        result.record.tables["customers"].corrections == 1
    )  # its created_at is the old one: known since this delivery
    book = Book.open(home, "mixed")

    def income(day: date) -> float:
        people = book.as_known("customers", as_of=day).to_pandas().set_index("customer_id")
        return float(people.loc["C2", "monthly_income"])

    assert (income(date(2024, 2, 4)), income(date(2024, 2, 5))) == (1002, 5002)
    crm.records.clear()
    crm.records.append(person(9, updated="2024-01-01T00:00:00Z"))
    again = load(home, 6, append=True)  # nothing changed since: an empty answer is no error
    assert again.record.status in ("done", "unchanged")
    assert again.manifest.generation == result.manifest.generation


def test_a_refused_token_stops_the_load_and_says_no_secret(home: Workspace, crm: Crm) -> None:
    crm.bearer = {"another"}
    with pytest.raises(InputError) as caught:
        load(home, 1)
    assert TOKEN not in str(caught.value)
    record = json.loads(next((home.books / "mixed" / "loads").glob("*.json")).read_text("utf-8"))
    assert record["status"] == "refused"
    assert Path(home.books / "mixed" / "current.json").exists() is False
