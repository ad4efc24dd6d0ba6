"""A made-up book of any size, written by SQL in seconds: for the time and memory of indicators, not for their meaning."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import duckdb

from workbench.book.schema import TABLES
from workbench.book.store import BookFacts, store_book
from workbench.core.workspace import Workspace

LAST_DAY, AS_OF = date(2025, 12, 31), date(2025, 6, 30)
SQL_TYPES = {"string": "varchar", "date": "date", "timestamp": "timestamp", "money": "decimal(18, 2)", "float": "double",
             "int": "bigint", "bool": "boolean"}  # fmt: skip
LOANS_A_CUSTOMER, DUES_A_LOAN = 1.5, 20


def big_book(workspace: Workspace, name: str, *, customers: int, transactions: int, events: int) -> None:
    """Store a book: 1.5 loans a customer, 20 monthly dues a loan, one payment a due, transactions over two years.

    Everything that looks random is a hash of the row's number, so that the same size is the same book.
    """

    def write(out: Path) -> BookFacts:
        connection = duckdb.connect()
        connection.execute("set preserve_insertion_order = false")
        for table, (source, columns) in _tables(customers, transactions, events).items():
            schema = TABLES[table]
            selected = [
                f"cast({columns.get(column.name, 'null')} as {SQL_TYPES[column.dtype]}) as {column.name}"
                for column in schema.columns
            ]
            known = f"cast({columns['known_at']} as timestamp) as known_at"
            connection.execute(
                f"copy (select {', '.join([*selected, known])} from {source}) to '{out / table}.parquet' (compression zstd)"
            )
        return BookFacts(first_day=date(2023, 1, 1), last_day=LAST_DAY, source="made by bench/_big_book.py")

    store_book(workspace, name, write)


def _random(salt: str, below: int, row: str = "i") -> str:
    return f"(hash({row}, '{salt}') % {below})::bigint"


def _tables(customers: int, transactions: int, events: int) -> dict[str, tuple[str, Mapping[str, str]]]:
    loans = int(customers * LOANS_A_CUSTOMER)
    loan = f"(select i, {_random('months', 24)} as age, i % 4 = 0 as card from range({loans}) r(i))"
    opened = "(date '2023-12-05' + to_months(age - 8))::date"
    due = f"(select *, {opened} as opened_on, n from {loan}, range(1, {DUES_A_LOAN + 1}) d(n))"
    due_on = "(opened_on + to_months(n))::date"
    late = "case when hash(i, 'l') % 20 = 0 then hash(i, n, 'd') % 90 else hash(i, n, 'd') % 4 end"
    owner = f"'C' || lpad((i % {customers})::varchar, 8, '0')"
    someone = f"'C' || lpad({_random('who', customers)}::varchar, 8, '0')"
    loan_id = "'L' || lpad(i::varchar, 8, '0')"
    moment = f"timestamp '2023-12-31' + to_seconds({_random('when', 2 * 365 * 86_400)})"
    month = f"(select *, last_day({due_on}) as month_end from {due} where {due_on} <= date '{LAST_DAY}')"
    return {
        "customers": (
            f"range({customers}) r(i)",
            {
                "customer_id": owner, "birth_date": f"date '1950-01-01' + {_random('b', 18_000)}::int",
                "monthly_income": f"1200 + {_random('m', 4_000)}", "segment": "'S' || (i % 5)",
                "branch_id": "'B' || (i % 40)", "relationship_since": f"date '2010-01-01' + {_random('r', 4_700)}::int",
                "known_at": "timestamp '2022-12-31'",
            },
        ),
        "loans": (
            loan,
            {
                "loan_id": loan_id, "customer_id": owner, "product": "case when card then 'card' else 'personal' end",
                "opened_on": opened, "principal": "case when not card then 6000 end",
                "credit_limit": "case when card then 2000 end", "instalment_amount": "case when not card then 330 end",
                "collateral_value": "case when i % 10 = 1 then 9000 end", "known_at": opened,
            },
        ),
        "instalments": (
            due,
            {
                "loan_id": loan_id, "schedule_version": "1", "instalment_no": "n", "effective_from": "opened_on",
                "due_on": due_on, "due_amount": "330", "known_at": "opened_on",
            },
        ),
        "payments": (
            f"(select * from {due} where hash(i, n, 'paid') % 50 > 0 and {due_on} <= date '{LAST_DAY}')",
            {
                "payment_id": "'P' || lpad((i * 20 + n)::varchar, 9, '0')", "loan_id": loan_id,
                "paid_at": f"{due_on}::timestamp + to_days(({late})::int) + interval 9 hour", "amount": "330",
                "kind": "case when hash(i, n, 'k') % 200 = 0 then 'prepayment' else 'scheduled' end",
                "known_at": f"{due_on}::timestamp + to_days(({late})::int) + interval 10 hour",
            },
        ),
        "performance": (
            month,
            {
                "loan_id": loan_id, "month_end": "month_end", "balance": "greatest(6000 - 300 * n, 0)",
                "credit_limit": "case when card then 2000 end", "due_amount": "330",
                "paid_amount": "case when hash(i, n, 'q') % 15 = 0 then 0 else 330 end",
                "known_at": "month_end::timestamp + interval 20 hour",
            },
        ),
        "restructurings": (
            f"(select *, {opened} as opened_on from {loan} where i % 50 = 0)",
            {
                "loan_id": loan_id, "effective_on": "(opened_on + to_months(9))::date", "kind": "'term_extension'",
                "distressed": "true", "known_at": "(opened_on + to_months(9))::date",
            },
        ),
        "transactions": (
            f"(select i, {_random('kind', 100)} as kind, {moment} as moment from range({transactions}) r(i))",
            {
                "transaction_id": "'T' || lpad(i::varchar, 10, '0')", "customer_id": someone, "booked_at": "moment",
                "amount": f"case when kind < 6 then 1500 + {_random('s', 2_000)} "
                f"else -({_random('a', 20_000)} / 100.0 + 1) end",
                "channel": "case when kind < 20 then 'transfer' when kind < 28 then 'atm' else 'card' end",
                "category": "case when kind < 5 then 'salary' when kind = 5 then 'other_lender' when kind < 12 then 'rent' "
                "when kind < 16 then 'loan_payment' when kind < 28 then 'cash' when kind < 30 then 'gambling' "
                "else 'shopping' end",
                "counterparty_id": f"'X' || {_random('x', 500)}", "balance_after": f"{_random('ba', 400_000)} / 100.0 - 500",
                "known_at": "moment + interval 1 hour",
            },
        ),
        "events": (
            f"(select i, {moment} as moment from range({events}) r(i))",
            {
                "event_id": "'V' || lpad(i::varchar, 9, '0')", "customer_id": someone, "occurred_at": "moment",
                "kind": f"(['login', 'login', 'login', 'login', 'login_failed', 'contact', 'phone_changed', 'complaint', "
                f"'limit_requested', 'device_changed'])[1 + {_random('ev', 10)}]",
                "known_at": "moment",
            },
        ),
        "applications": (
            f"(select *, {opened} as opened_on from {loan})",
            {
                "application_id": "'A' || i", "customer_id": owner, "applied_at": "opened_on::timestamp - interval 3 day",
                "decision": "case when i % 9 = 0 then 'declined' else 'accepted' end",
                "decided_at": "opened_on::timestamp - interval 2 day", "score": f"400 + {_random('sc', 300)}",
                "known_at": "opened_on::timestamp - interval 2 day",
            },
        ),
        "bureau": (
            f"(select * from range({customers}) r(i), range(4) q(n) where hash(i, n) % 10 > 0)",
            {
                "customer_id": owner, "reported_on": "(date '2024-09-30' + to_months(3 * n::int))::date",
                "enquiries_6m": f"{_random('en', 6)}", "other_debt": f"{_random('od', 20_000)}",
                "worst_status": "case when hash(i, n, 'w') % 8 = 0 then '30-59' else 'ok' end",
                "known_at": "(date '2024-10-15' + to_months(3 * n::int))::date",
            },
        ),
    }  # fmt: skip
