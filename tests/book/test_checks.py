"""Checks of a book: each fires on a hand-made fault, and none on a clean book; numbers worked by hand."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import ibis
import numpy as np
import pandas as pd
import pytest
from scipy.special import rel_entr

from workbench.book import schema
from workbench.book.attached import attach_book
from workbench.book.book import Book
from workbench.book.checks import check_book, examine_book
from workbench.book.checks import retold as retelling
from workbench.book.checks.catalogue import check_names, checks_by_kind
from workbench.book.checks.deliveries import Before, load_findings, size_findings
from workbench.book.checks.drift import drift_findings, drift_table, psi, psi_by_chance
from workbench.book.checks.finding import ERROR_SHARE, Finding, as_frame, lowered, verdict, worst_first
from workbench.book.checks.gaps import gaps_by_month
from workbench.book.checks.history import load_table, rejected_table
from workbench.book.checks.timing import monthly_rows, volume_findings
from workbench.book.days import day_start, local_day
from workbench.book.loading.load import import_book
from workbench.book.loading.record import LoadRecord, SourceLoad, TableLoad, list_loads
from workbench.book.store import Lowered, TableFacts
from workbench.core.workspace import Workspace
from workbench.models.stability import psi_table

from ..database import Database

MakeBook = Callable[..., Book]
Tables = dict[str, pd.DataFrame]
MONTHS = pd.date_range("2024-01-31", periods=6, freq="ME")
LAST = date(2024, 6, 30)
ZONE = "America/New_York"


def clean(*names: str) -> Tables:
    """Return one loan of one customer, paid on the tenth of six months, in which nothing is wrong; of `names`, if given."""
    people = pd.DataFrame(
        {"customer_id": ["C1"], "birth_date": date(1980, 1, 1), "occupation": "clerk", "monthly_income": 2000.0,
         "education": "school", "relationship_since": date(2010, 1, 1), "name": "secret"}
    )  # fmt: skip
    loans = pd.DataFrame(
        {"loan_id": ["L1"], "customer_id": "C1", "opened_on": date(2024, 1, 2), "principal": 1000.0, "annual_rate": 0.1,
         "term_months": 12, "known_at": datetime(2024, 1, 2, 12)}
    )  # fmt: skip
    tenth = [month.replace(day=10) for month in MONTHS]
    dues = pd.DataFrame(
        {"loan_id": "L1", "schedule_version": 1, "instalment_no": range(1, 7), "effective_from": date(2024, 1, 2),
         "due_on": tenth, "due_amount": 100.0}
    )  # fmt: skip
    paid = [moment + pd.Timedelta(hours=12) for moment in tenth]
    payments = pd.DataFrame(
        {"payment_id": [f"P{n}" for n in range(1, 7)], "loan_id": "L1", "paid_at": paid, "amount": 100.0,
         "kind": "scheduled", "known_at": paid}
    )  # fmt: skip
    balances = pd.DataFrame(
        {"loan_id": "L1", "month_end": MONTHS, "balance": [900.0, 800, 700, 600, 500, 400], "due_amount": 100.0,
         "paid_amount": 100.0, "known_at": MONTHS + pd.Timedelta(hours=18)}
    )  # fmt: skip
    tables = {"customers": people, "loans": loans, "instalments": dues, "payments": payments, "performance": balances}
    return {name: tables[name] for name in names or tables}


def moving() -> Tables:
    """Return a transaction, an event, an application, a bureau report and a restructuring, in which nothing is wrong."""
    noon = datetime(2024, 3, 5, 12)
    return {
        "transactions": pd.DataFrame(
            {"transaction_id": ["T1"], "customer_id": "C1", "booked_at": noon, "amount": -5.0, "known_at": noon}
        ),
        "events": pd.DataFrame(
            {"event_id": ["E1"], "customer_id": "C1", "occurred_at": noon, "kind": "login", "known_at": noon}
        ),
        "applications": pd.DataFrame(
            {"application_id": ["A1"], "customer_id": "C1", "applied_at": noon, "known_at": noon}
        ),
        "bureau": pd.DataFrame({"customer_id": ["C1"], "reported_on": date(2024, 3, 5), "known_at": noon}),
        "restructurings": pd.DataFrame({"loan_id": ["L1"], "effective_on": date(2024, 3, 5), "distressed": True}),
    }


@pytest.fixture
def found(make_book: MakeBook) -> Callable[..., dict[str, Finding]]:
    """Return a function that checks tables as a book and returns the findings by name."""

    def check(tables: Tables, *, as_of: date | None = None, **facts: Any) -> dict[str, Finding]:
        facts = {"first_day": date(2024, 1, 1), "last_day": LAST, **facts}
        findings, _profile = check_book(make_book(tables, **facts), as_of=as_of)
        named = {finding.check: finding for finding in findings}
        assert len(named) == len(findings)
        return named

    return check


def test_a_clean_book_has_no_findings(found: Callable[..., dict[str, Finding]]) -> None:
    assert found(clean()) == {}
    assert found({**clean(), **moving()}) == {}
    assert found(clean("customers", "loans")) == {}


FAULTS: dict[str, tuple[str, int, str, Any, str]] = {
    # check: table, row, column, value, severity
    "customers.age": ("customers", 0, "birth_date", date(2010, 1, 1), "warning"),
    "customers.income_not_positive": ("customers", 0, "monthly_income", 0.0, "warning"),
    "customers.before_birth": ("customers", 0, "relationship_since", date(1979, 1, 1), "warning"),
    "customers.education_missing": ("customers", 0, "education", None, "info"),
    "customers.formula": ("customers", 0, "occupation", "=1+1", "info"),
    "loans.no_amount": ("loans", 0, "principal", None, "warning"),
    "loans.principal_negative": ("loans", 0, "principal", -1.0, "error"),
    "loans.credit_limit_negative": ("loans", 0, "credit_limit", -1.0, "error"),
    "loans.principal_huge": ("loans", 0, "principal", 2e12, "error"),
    "loans.not_a_rate": ("loans", 0, "annual_rate", 12.5, "warning"),
    "loans.not_a_term": ("loans", 0, "term_months", 0, "warning"),
    "loans.closed_before_opening": ("loans", 0, "written_off_on", date(2024, 1, 1), "error"),
    "loans.close_reason_unstated": ("loans", 0, "closed_on", LAST, "warning"),
    "loans.orphans": ("loans", 0, "customer_id", "C9", "error"),
    "instalments.due_amount_negative": ("instalments", 0, "due_amount", -1.0, "error"),
    "instalments.after_due": ("instalments", 0, "effective_from", date(2024, 1, 11), "warning"),
    "instalments.orphans": ("instalments", 0, "loan_id", "L9", "error"),
    "loans.customer_id_unstated": ("loans", 0, "customer_id", None, "error"),
    "instalments.due_amount_unstated": ("instalments", 0, "due_amount", None, "error"),
    "payments.kind_not_allowed": ("payments", 0, "kind", "Repayment", "error"),
    "payments.kind_unstated": ("payments", 0, "kind", None, "error"),
    "payments.paid_at_unstated": ("payments", 0, "paid_at", None, "error"),
    "payments.payment_id_unstated": ("payments", 0, "payment_id", None, "error"),
    "applications.undated": ("applications", 0, "decision", "accepted", "warning"),
    "payments.amount_negative": ("payments", 0, "amount", -1.0, "warning"),
    "payments.reversal_not_negative": ("payments", 1, "kind", "reversal", "error"),
    "payments.orphans": ("payments", 0, "loan_id", "L9", "error"),
    "payments.reverses_nothing": ("payments", 0, "reverses", "P99", "warning"),
    "performance.balance_negative": ("performance", 5, "balance", -1.0, "warning"),
    "performance.dpd_negative": ("performance", 0, "dpd", -1, "error"),
    "performance.not_a_month_end": ("performance", 0, "month_end", pd.Timestamp("2024-01-30"), "error"),
    "performance.orphans": ("performance", 5, "loan_id", "L9", "error"),
    "performance.balance_missing": ("performance", 0, "balance", None, "info"),
    "performance.paid_differs": ("performance", 0, "paid_amount", 102.0, "warning"),
    "transactions.amount_zero": ("transactions", 0, "amount", 0.0, "info"),
    "transactions.orphans": ("transactions", 0, "customer_id", "C9", "error"),
    "events.orphans": ("events", 0, "customer_id", "C9", "error"),
    "applications.orphans": ("applications", 0, "customer_id", "C9", "error"),
    "bureau.orphans": ("bureau", 0, "customer_id", "C9", "error"),
    "restructurings.orphans": ("restructurings", 0, "loan_id", "L9", "error"),
}  # fmt: skip


def rounds() -> list[list[str]]:
    """Return the faults in lists that hold one of each table at most: a book each."""
    made: list[list[str]] = []
    for check, (table, *_fault) in FAULTS.items():
        fitting = (faults for faults in made if table not in {FAULTS[other][0] for other in faults})
        faults = next(fitting, None)
        if faults is None:
            made.append(faults := [])
        faults.append(check)
    return made


@pytest.mark.parametrize("faults", rounds(), ids=", ".join)
def test_a_fault_is_found_by_its_check(faults: list[str], found: Callable[..., dict[str, Finding]]) -> None:
    needed = {"customers", "loans", "payments", *(FAULTS[check][0] for check in faults)}
    tables = {name: rows for name, rows in {**clean(), **moving()}.items() if name in needed}
    for check in faults:
        table, row, column, value, _severity = FAULTS[check]
        rows = tables[table]
        if column not in rows:
            rows[column] = None
        rows[column] = rows[column].astype(object)
        rows.loc[row, column] = value
    findings = found(tables)
    for check in faults:
        table, row, _column, _value, severity = FAULTS[check]
        finding = findings[check]
        assert (finding.severity, finding.rows) == (severity, 1), check
        assert finding.share == pytest.approx(1 / len(tables[table]))
        key = str(tables[table].loc[row, schema.TABLES[table].key[0]])
        assert len(finding.examples) == (len(tables[table]) > 1 or check.endswith("orphans")), check
        assert all(example.startswith(key) for example in finding.examples)


def test_a_condition_that_reads_a_column_of_the_present_alone_is_not_asked(
    found: Callable[..., dict[str, Finding]],
) -> None:
    tables = clean("customers", "loans", "performance")
    tables["loans"] = tables["loans"].assign(principal=None, credit_limit=500.0)
    tables["performance"]["credit_limit"] = 500.0
    assert found(tables) == {}
    assert found(tables, current_only={"loans": ["credit_limit"]}) == {}


def test_few_faulty_rows_are_a_slip_and_one_row_of_a_huge_amount_is_not() -> None:
    from workbench.book.checks.rules import rules_of

    rules = {rule.check.key: rule.check for rule in rules_of("loans")}
    negative, huge = rules["loans.principal_negative"], rules["loans.principal_huge"]
    assert ERROR_SHARE == 0.01
    assert [negative.finding(rows, 1000).severity for rows in (1, 10, 11)] == ["warning", "warning", "error"]
    assert huge.finding(1, 1_000_000).severity == "error"


def test_yearly_incomes(found: Callable[..., dict[str, Finding]]) -> None:
    tables = clean("customers", "loans")
    people = pd.concat([tables["customers"]] * 10, ignore_index=True)
    people["customer_id"] = [f"C{n}" for n in range(10)]
    people["monthly_income"] = [2000.0] * 8 + [16_000.0, 16_000.01]  # 8 times the median is not over it
    finding = found({**tables, "customers": people})["customers.yearly_income"]
    assert (finding.rows, finding.share, finding.examples) == (1, 0.1, ("C9",))


# Local days: New York is at UTC-5 in winter, so 2 January there begins at 05:00 UTC.


def test_payments_before_the_loan_by_the_day_of_the_books_zone(found: Callable[..., dict[str, Finding]]) -> None:
    for second, expected in ((datetime(2024, 1, 2, 5), False), (datetime(2024, 1, 2, 4, 59, 59), True)):
        tables = clean("customers", "loans", "payments")
        tables["payments"].loc[0, ["paid_at", "known_at"]] = [pd.Timestamp(second)] * 2
        findings = found(tables, time_zone=ZONE)
        assert ("payments.before_loan" in findings) == expected
        if expected:
            assert findings["payments.before_loan"].severity == "error"
            assert findings["payments.before_loan"].examples == ("P1",)


def test_payments_of_the_month_by_the_day_of_the_books_zone(found: Callable[..., dict[str, Finding]]) -> None:
    tables = clean(
        "customers", "loans", "payments", "performance"
    )  # the last evening of February in New York is March in UTC
    tables["payments"].loc[1, ["paid_at", "known_at"]] = [pd.Timestamp("2024-03-01 04:59:59")] * 2
    assert found(tables, time_zone=ZONE) == {}
    tables["payments"].loc[1, ["paid_at", "known_at"]] = [pd.Timestamp("2024-03-01 05:00:00")] * 2
    finding = found(tables, time_zone=ZONE)["performance.paid_differs"]
    assert (finding.rows, finding.examples) == (2, ("L1 2024-02-29", "L1 2024-03-31"))


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"])
def test_days_are_those_of_the_zone(zone: str, make_book: MakeBook) -> None:
    tables = clean("customers", "loans")
    book = make_book(tables, first_day=date(2015, 6, 1), last_day=date(2025, 12, 31), time_zone=zone)
    days = [date(2015, 1, 1) + timedelta(days=number) for number in range(4017)]
    starts = [
        datetime.combine(day, datetime.min.time(), ZoneInfo(zone)).astimezone(UTC).replace(tzinfo=None) for day in days
    ]
    rows = ibis.memtable(pd.DataFrame({"day": days, "at": starts}), schema={"day": "date", "at": "timestamp"})
    asked = rows.mutate(
        start=day_start(book, rows.day),
        first=local_day(book, rows["at"]),
        before=local_day(book, rows["at"] - ibis.interval(seconds=1)),
        noon=local_day(book, rows["at"] + ibis.interval(hours=12)),
    )
    answers = book.connection.to_pyarrow(asked).to_pylist()
    assert len(answers) == 4017
    for answer in answers:
        assert answer["start"] == answer["at"]
        assert answer["first"] == answer["noon"] == answer["day"]
        assert answer["before"] == answer["day"] - timedelta(days=1)


# Between tables


def test_dues_outside_the_term(found: Callable[..., dict[str, Finding]]) -> None:
    tables = clean("customers", "loans", "instalments")
    tables["loans"]["term_months"] = 2  # January and two months, and three of slack: June is the last
    assert found(tables) == {}
    tables["loans"]["term_months"] = 1
    finding = found(tables)["instalments.outside_term"]
    assert (finding.severity, finding.rows, finding.examples) == ("warning", 1, ("L1 1 6",))
    for first in (0, 1):  # versions may be counted from 0
        tables["instalments"]["schedule_version"] = first
        assert found(tables)["instalments.outside_term"].examples == (f"L1 {first} 6",)
        tables["instalments"].loc[1:, "schedule_version"] = first + 1  # a new schedule may be longer
        assert found(tables) == {}
    tables["instalments"].loc[0, "due_on"] = pd.Timestamp("2024-01-01")
    tables["instalments"]["effective_from"] = date(2024, 1, 1)
    assert found(tables)["instalments.outside_term"].examples == ("L1 1 1",)


def test_gaps_in_months_and_loans_that_stop(found: Callable[..., dict[str, Finding]]) -> None:
    tables = clean("customers", "loans", "performance")
    tables["performance"] = tables["performance"].drop(index=[2, 3])
    findings = found(tables)
    assert set(findings) == {"performance.gaps"}
    assert (findings["performance.gaps"].rows, findings["performance.gaps"].examples) == (1, ("L1 2024-05-31",))
    tables = clean("customers", "loans", "performance")
    second = tables["loans"].assign(loan_id="L2")
    rows = tables["performance"].assign(loan_id="L2", paid_amount=None).head(3)
    tables["loans"] = pd.concat([tables["loans"], second])
    tables["performance"] = pd.concat([tables["performance"], rows])
    finding = found(tables)["performance.stops"]
    assert (finding.rows, finding.share, finding.examples) == (1, 0.5, ("L2",))
    ended = second.assign(closed_on=date(2024, 3, 31), close_reason="repaid", known_at=datetime(2024, 3, 31, 12))
    tables["loans"] = pd.concat([tables["loans"], ended])
    assert found(tables) == {}


def test_balance_against_payments(found: Callable[..., dict[str, Finding]]) -> None:
    tables = clean("customers", "loans", "performance")
    tables["performance"].loc[3:, "balance"] -= 1.0  # a rounding
    assert found(tables) == {}
    tables["performance"].loc[3:, "balance"] -= 0.01
    finding = found(tables)["performance.balance_unpaid"]
    assert (finding.severity, finding.rows, finding.examples) == ("warning", 1, ("L1 2024-04-30",))
    sold = {"closed_on": date(2024, 4, 30), "known_at": datetime(2024, 4, 30, 12)}
    gone = {**tables, "loans": pd.concat([tables["loans"], tables["loans"].assign(close_reason="sold", **sold)])}
    assert "performance.balance_unpaid" not in found(gone)
    agreed = pd.DataFrame({"loan_id": ["L1"], "effective_on": date(2024, 4, 3), "forgiven_amount": 1.01})
    assert "performance.balance_unpaid" not in found({**tables, "restructurings": agreed})


# Time


def test_rows_known_before_they_happened(found: Callable[..., dict[str, Finding]]) -> None:
    tables = clean("customers", "loans", "payments", "performance")
    tables["payments"].loc[0, "known_at"] -= pd.Timedelta(seconds=1)
    tables["performance"].loc[1, "known_at"] = pd.Timestamp("2024-02-29 04:59:59")  # the evening of the 28th
    findings = found(tables, time_zone=ZONE)
    assert {name: (one.severity, one.rows, one.examples) for name, one in findings.items()} == {
        "payments.known_before": ("error", 1, ("P1",)),
        "performance.known_before": ("error", 1, ("L1 2024-02-29",)),
    }
    tables["performance"].loc[1, "known_at"] = pd.Timestamp("2024-02-29 05:00:00")
    assert set(found(tables, time_zone=ZONE)) == {"payments.known_before"}


def test_loans_much_older_than_the_book_open_at_midnight_of_their_own_summer(
    found: Callable[..., dict[str, Finding]],
) -> None:
    tables = clean("customers", "loans")
    opened, midnight = date(2005, 7, 1), pd.Timestamp("2005-06-30 22:00")  # in Berlin, at UTC+2
    tables["loans"] = tables["loans"].assign(opened_on=opened, term_months=300, known_at=midnight)
    book = {"time_zone": "Europe/Berlin", "first_day": date(2020, 1, 1)}
    assert found(tables, **book) == {}
    tables["loans"]["known_at"] = midnight - pd.Timedelta(microseconds=1)
    assert set(found(tables, **book)) == {"loans.known_before"}


def test_a_row_of_the_future_is_known_before_it_happened(found: Callable[..., dict[str, Finding]]) -> None:
    tables = clean("customers", "loans", "payments")
    tables["payments"].loc[0, "paid_at"] = pd.Timestamp("2034-01-10 12:00")
    assert found(tables)["payments.known_before"].examples == ("P1",)


def test_later_versions_are_looked_at_too_but_are_not_late(found: Callable[..., dict[str, Finding]]) -> None:
    tables = clean("customers", "loans", "payments")
    restated = tables["payments"].tail(1).assign(amount=100.5, known_at=pd.Timestamp("2024-06-28"))
    tables["payments"] = pd.concat([tables["payments"], restated])
    assert found(tables) == {}
    restated = restated.assign(paid_at=pd.Timestamp("2024-06-29"))
    tables["payments"] = pd.concat([tables["payments"].head(6), restated])
    assert found(tables)["payments.known_before"].rows == 1


def test_late_rows_by_business_days(found: Callable[..., dict[str, Finding]]) -> None:
    tables = clean("customers", "loans", "payments")
    tables["payments"].loc[4, "known_at"] = pd.Timestamp("2024-05-16 03:59:59")  # in New York the evening of the 15th
    assert found(tables, time_zone=ZONE) == {}
    tables["payments"].loc[4, "known_at"] = pd.Timestamp("2024-05-16 04:00:00")
    finding = found(tables, time_zone=ZONE)["payments.late"]
    assert (finding.severity, finding.rows, finding.share) == ("info", 1, pytest.approx(1 / 6))
    assert finding.examples == ("P5",)
    assert "payments.late" not in found(tables, as_of=date(2024, 5, 15), time_zone=ZONE)  # not known yet


def test_delays_and_last_days(make_book: MakeBook) -> None:
    tables = clean()
    tables["payments"]["known_at"] = tables["payments"]["paid_at"] + pd.to_timedelta([0, 1, 2, 3, 4, 40], unit="D")
    book = make_book(tables, first_day=date(2024, 1, 1), last_day=date(2024, 7, 31), time_zone=ZONE)
    row = examine_book(book).timeliness.set_index("table").loc["payments"]
    assert row.to_dict() == {
        "rows": 6, "last_day": date(2024, 6, 10), "delay_median": 2, "delay_p95": 40, "late_share": pytest.approx(1 / 6),
    }  # fmt: skip


def arrivals_of(rows: list[int]) -> pd.DataFrame:
    return pd.DataFrame(
        {"table": "payments", "month": [2024 * 12 + n for n in range(1, len(rows) + 1)], "delay_days": 0, "rows": rows}
    )


@pytest.mark.parametrize(
    ("rows", "broken"),
    [
        ([100, 100, 100, 100, 100, 100, 100], []),
        ([100, 100, 100, 49, 100, 100, 100], [4]),
        ([100, 100, 100, 50, 100, 100, 100], []),
        ([100, 100, 100, 201, 100, 100, 100], [4]),
        ([100, 100, 100, 0, 0, 100, 100, 100], [4, 5]),
        ([100, 100, 100, 100, 49], [5]),  # the last month: nothing after it
        ([100, 100, 100, 40, 40, 40, 40], []),  # it shrank for good: no hole
        ([20, 20, 20, 5, 20, 20, 20], []),  # so few swing by chance
        ([49, 100, 100, 100], []),  # the first months: nothing to compare with
    ],
)
def test_breaks_in_the_rows_by_month(rows: list[int], broken: list[int]) -> None:
    monthly = monthly_rows(arrivals_of(rows), first=date(2024, 1, 1), last=date(2024, len(rows), 28))
    assert monthly.loc[monthly["broken"], "month"].map(lambda day: day.month).tolist() == broken
    findings = list(volume_findings(monthly))
    assert len(findings) == bool(broken)
    if broken:
        assert findings[0].check == "payments.volume"
        assert f"{rows[broken[0] - 1]} rows in 2024-{broken[0]:02d}, usually 100" in findings[0].what


def test_a_month_without_rows_is_counted(make_book: MakeBook) -> None:
    moments = [month.replace(day=2) for month in MONTHS for _ in range(40) if month.month != 4]
    events = pd.DataFrame(
        {"event_id": [f"E{n}" for n in range(len(moments))], "customer_id": "C1", "occurred_at": moments,
         "kind": "login", "known_at": moments}
    )  # fmt: skip
    book = make_book({**clean(), "events": events}, first_day=date(2024, 1, 1), last_day=LAST)
    (finding,) = check_book(book).findings
    assert finding.check == "events.volume"
    assert finding.what == "has 0 rows in 2024-04, usually 40"


def test_rows_known_after_the_last_delivery_are_seen_at_no_date(found: Callable[..., dict[str, Finding]]) -> None:
    tables = clean("customers", "loans", "payments")
    tables["payments"].loc[5, ["paid_at", "known_at"]] = [
        pd.Timestamp("2024-07-01 03:59:59")
    ] * 2  # 30 June in New York
    assert found(tables, time_zone=ZONE) == {}
    tables["payments"].loc[5, ["paid_at", "known_at"]] = [pd.Timestamp("2034-06-10 12:00")] * 2
    finding = found(tables, time_zone=ZONE)["payments.known_later"]
    assert (finding.severity, finding.rows, finding.share) == ("warning", 1, pytest.approx(1 / 6))
    assert found(tables, time_zone=ZONE, as_of=date(2024, 5, 31)) == {}  # at an earlier date, later rows are no wonder


def test_ages_are_those_of_the_books_last_day(make_book: MakeBook) -> None:
    tables = clean("customers", "loans")
    tables["customers"]["birth_date"] = date(1915, 1, 1)  # 109 years on 30 June 2024
    book = make_book(tables, last_day=LAST)
    late = {
        "load_id": "1",
        "book": "b",
        "mode": "import",
        "status": "done",
        "delivered_at": datetime(2034, 1, 1, tzinfo=UTC),
    }
    assert check_book(book, load=LoadRecord(**late)).findings == []
    tables["customers"]["birth_date"] = date(1914, 1, 1)
    assert [one.check for one in check_book(make_book(tables, last_day=LAST)).findings] == ["customers.age"]


# Private columns and those of the present alone


def test_the_profile_counts_what_it_does_not_show(make_book: MakeBook) -> None:
    people = pd.concat([clean()["customers"]] * 4, ignore_index=True)
    people["customer_id"] = [f"C{n}" for n in range(4)]
    people["name"] = ["Zoe Secret", None, "Ann Secret", "Bob Secret"]
    people["segment"] = ["mass", None, None, "private bank"]
    people["region"] = ["north", "north", "south", None]
    tables = {"customers": people, "loans": clean()["loans"]}
    roles = {"customers": {"region": "private"}}
    book = make_book(tables, last_day=LAST, current_only={"customers": ["segment"]}, roles=roles)
    examined = examine_book(book)
    profile = examined.profile.set_index(["table", "column"])
    for column, share in (("name", 0.25), ("segment", 0.5), ("region", 0.25)):
        row = profile.loc[("customers", column)]
        assert row["missing_share"] == share
        assert row["shown"] != ""
        assert row[["distinct", "lowest", "highest", "bins"]].isna().all()
    assert profile.loc[("customers", "birth_date"), "lowest"] == "1980-01-01"
    said = examined.profile.to_json() + as_frame(examined.findings).to_json()
    for value in ("Secret", "mass", "private bank", "north", "south"):
        assert value not in said


def test_a_finding_about_a_hidden_column_is_not_made(found: Callable[..., dict[str, Finding]]) -> None:
    tables = clean("customers", "loans")
    tables["customers"]["monthly_income"] = 0.0
    assert set(found(tables)) == {"customers.income_not_positive"}
    assert found(tables, current_only={"customers": ["monthly_income"]}) == {}
    assert found(tables, roles={"customers": {"monthly_income": "private"}}) == {}


def test_rows_that_break_a_rule_are_counted_once(make_book: MakeBook) -> None:
    tables = clean()
    tables["payments"].loc[0, ["amount", "loan_id"]] = [-1.0, "=L1"]
    tables["performance"]["dpd"] = [-1, 0, 0, 0, 0, 0]
    tables["performance"].loc[0, "balance"] = -5.0
    validity = examine_book(make_book(tables, last_day=LAST)).validity.set_index("table")
    assert validity["faulty"].to_dict() == {
        "customers": 0, "instalments": 0, "loans": 0, "payments": 1, "performance": 1,
    }  # fmt: skip
    assert validity.loc["performance", "faulty_share"] == pytest.approx(1 / 6)


def test_gaps_by_month(make_book: MakeBook) -> None:
    tables = clean("customers", "loans", "performance")
    tables["performance"]["due_amount"] = [1.0, 1.0, None, 1.0, None, None]
    book = make_book(tables, last_day=LAST)
    gaps = gaps_by_month(book, check_book(book).profile, as_of=LAST, months=3)
    told = gaps[gaps["column"] == "due_amount"]
    assert told["missing_share"].tolist() == [0, 1, 1]
    assert told["month"].tolist() == [date(2024, 4, 30), date(2024, 5, 31), LAST]


# Severities


def test_a_mapping_lowers_with_a_reason_and_never_raises(found: Callable[..., dict[str, Finding]]) -> None:
    tables = clean("customers", "loans")
    tables["loans"]["annual_rate"] = 12.5
    reason = "rates are filed in per cent"
    low = {"loans.not_a_rate": {"severity": "info", "reason": reason}}
    finding = found(tables, lowered={name: Lowered(**value) for name, value in low.items()})["loans.not_a_rate"]
    assert (finding.severity, finding.lowered_from, finding.reason) == ("info", "warning", reason)
    high = lowered([finding], {"loans.not_a_rate": Lowered(severity="error", reason=reason)})
    assert high == [finding]


def test_the_verdict_and_what_comes_first() -> None:
    info = Finding("a.late", "info", "a", "x", "was late", 5, 0.5)
    small = Finding("b.one", "warning", "b", "y", "is odd", 1, 0.01, breaks="nothing much")
    large = Finding("c.two", "warning", "c", "", "shrank", None, None, breaks="all of it")
    bad = Finding("d.bad", "error", "d", "z", "is wrong", 3, 0.001, breaks="sums")
    assert worst_first([info, small, large, bad]) == [bad, large, small, info]
    assert verdict([info]).answer == "This book can be used: 1 to know."
    assert verdict([info]).mend_first == ""
    assert verdict([info, small, large]).answer == "This book can be used with care: 2 warnings, 1 to know."
    assert verdict([small, bad]) == (
        "error",
        "This book cannot be used as it is: 1 error, 1 warning.",
        "Mend first: d.z is wrong (3 rows). It breaks: sums.",
    )


# The load


def test_what_a_load_says() -> None:
    record = LoadRecord(
        load_id="1", book="b", mode="import", status="done", delivered_at=datetime(2024, 7, 1, tzinfo=UTC),
        sources={"crm": SourceLoad(files=[], lines=200, rejected_lines={"too few fields": 2}, repairs=["a BOM was cut"])},
        tables={
            "loans": TableLoad(
                rows_in=100, rejected_rows=4, rejected={"opened_on is missing": 1, "currency is not EUR": 3},
                emptied={"annual_rate: cannot be read as float": 5}, duplicates=6, conflicts=2, corrections=1, belated=7,
                rows_out=88,
            )
        },
        rejects="rejects/1",
    )  # fmt: skip
    told = {finding.check: finding for finding in load_findings(record)}
    assert {name: (one.severity, one.table, one.rows, one.share) for name, one in told.items()} == {
        "source.lines": ("warning", "crm", 2, 0.01),
        "source.repaired": ("info", "crm", None, None),
        "loans.rejected": ("warning", "loans", 1, 0.01),
        "loans.currency": ("warning", "loans", 3, 0.03),
        "loans.emptied": ("warning", "loans", 5, 0.05),
        "loans.conflicts": ("warning", "loans", 2, 0.02),
        "loans.corrections": ("warning", "loans", 1, 0.01),
        "loans.duplicates": ("info", "loans", 6, 0.06),
        "loans.belated": ("info", "loans", 7, 0.07),
    }
    assert told["loans.emptied"].column == "annual_rate"
    assert "rejects/1" in told["loans.rejected"].breaks
    assert rejected_table(record).to_dict("split")["data"] == [
        ["loans", "row taken once", "came more than once", 6, 0.06],
        ["loans", "value left empty", "annual_rate: cannot be read as float", 5, 0.05],
        ["loans", "row rejected", "currency is not EUR", 3, 0.03],
        ["loans", "row rejected", "contradicts a row of the same key and instant", 2, 0.02],
        ["source crm", "line rejected", "too few fields", 2, 0.01],
        ["loans", "row rejected", "opened_on is missing", 1, 0.01],
    ]
    refused = record.model_copy(
        update={
            "status": "refused",
            "reason": "book b: stopped:\n  loans: 4 rows\n  crm: 2 lines\nSee /home/x/rejects.",
        }
    )
    loads = load_table([record, refused])
    assert loads["status"].tolist() == ["refused", "done"]
    assert loads["why"].tolist() == ["loans: 4 rows; crm: 2 lines", ""]
    assert loads[["rows_in", "rows_out", "rejected"]].iloc[1].tolist() == [100, 88, 6]


@pytest.mark.parametrize(
    ("text", "words", "values"),
    [
        ("opened_on is missing", "{column} is missing", {"column": "opened_on"}),
        ("kind: not one of a, b", "{column}: not one of {allowed}", {"column": "kind", "allowed": "a, b"}),
        ("1,204 blank lines hold no record", "{count} blank lines hold no record", {"count": "1,204"}),
        ("a.b.csv: 3 NUL bytes removed", "{file}: {count} NUL bytes removed", {"file": "a.b.csv", "count": "3"}),
        ("missing columns", "missing columns", {}),
    ],
)
def test_what_a_load_has_kept_is_told_again(
    text: str, words: str, values: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = []
    monkeypatch.setattr(retelling, "say", lambda text, /, **places: said.append((text, places)) or "")
    assert retelling.retold(text) == ""
    assert said == [(words, values)]
    assert retelling.retold("what no one has heard of: 5") == "what no one has heard of: 5"


@pytest.mark.parametrize(
    ("now", "check", "severity"),
    [(100, "", ""), (95, "", ""), (94, "loans.dropped", "warning"), (50, "loans.dropped", "warning"),
     (49, "loans.dropped", "error"), (200, "", ""), (201, "loans.rose", "warning")],
)  # fmt: skip
def test_tables_that_shrink_or_grow(now: int, check: str, severity: str, make_book: MakeBook) -> None:
    manifest = make_book(clean("customers", "loans")).manifest
    manifest = manifest.model_copy(update={"tables": {"loans": TableFacts(rows=now, keys=now, sha256="")}})
    findings = list(size_findings(manifest, Before(keys={"loans": 100})))
    assert [(one.check, one.severity) for one in findings] == ([(check, severity)] if check else [])


def test_a_table_that_the_mapping_leaves_out_is_a_warning_and_an_empty_one_an_error(make_book: MakeBook) -> None:
    manifest = make_book(clean("customers", "loans")).manifest
    (finding,) = size_findings(manifest, Before(keys={"payments": 7}))
    assert (finding.check, finding.severity, finding.rows, finding.share) == ("payments.dropped", "warning", 7, 1.0)
    assert finding.what == "is in the mapping no longer; the last delivery had 7 keys"
    emptied = manifest.model_copy(update={"tables": {"payments": TableFacts(rows=0, keys=0, sha256="")}})
    assert [one.severity for one in size_findings(emptied, Before(keys={"payments": 7}))] == ["error"]


# Drift


def test_psi_by_hand_and_against_others() -> None:
    old, new = [50, 30, 20, 0], [40, 30, 20, 10]
    pad = 0.5 / 100
    by_hand = (0.4 - 0.5) * math.log((0.4 + pad) / (0.5 + pad)) + (0.1 - 0) * math.log((0.1 + pad) / pad)
    assert psi(old, new) == pytest.approx(by_hand, rel=1e-12)
    assert psi(old, old) == 0
    assert psi(old, new) == pytest.approx(psi(new, old))
    a, b = (np.array(counts) / sum(counts) for counts in ([500, 300, 200], [400, 350, 250]))
    jeffreys = float((rel_entr(a, b) + rel_entr(b, a)).sum())
    assert psi([500_000, 300_000, 200_000], [400_000, 350_000, 250_000]) == pytest.approx(jeffreys, rel=1e-4)
    values, later = np.arange(200) % 20, np.arange(200) % 13
    table = psi_table(values, later, bins=[4, 9, 14])
    assert psi(table["expected"].astype(int).tolist(), table["actual"].astype(int).tolist()) == pytest.approx(
        table["psi"].sum(), rel=1e-12
    )


def test_psi_by_chance_is_seldom_exceeded() -> None:
    assert psi_by_chance([100, 100, 0], [100, 100, 0]) == pytest.approx(3.841459 * 2 / 200, rel=1e-6)  # 1 degree
    draw = np.random.default_rng(3)
    over = 0
    for _ in range(2000):
        old, new = (draw.multinomial(5000, [0.1] * 10).tolist() for _side in range(2))
        over += psi(old, new) > psi_by_chance(old, new)
    assert 0.03 < over / 2000 < 0.07


def test_drift_findings_by_column() -> None:
    before = pd.DataFrame(
        {"table": "loans", "column": ["a", "b", "c", "d", "e"], "missing_share": [0.0, 0.1, 0.1, 0.1, 0.1],
         "mean": [10.0, 10.0, 10.0, None, 10.0], "deviation": [4.0, 4.0, 4.0, None, 0.0]}
    )  # fmt: skip
    now = before.assign(
        missing_share=[0.051, 0.1, 0.15, 0.1, 0.1], mean=[10.0, 12.01, 12.0, None, 11.0], deviation=4.0,
        rows=1000, psi=[0.3, 0.3, 0.26, 0.2, 0.2], psi_by_chance=[0.01, 0.01, 0.01, 0.01, 0.21],
    )  # fmt: skip
    told = {one.check: (one.severity, one.rows) for one in drift_findings(drift_table(now, before))}
    assert told == {
        "loans.a_gaps": ("warning", 51),
        "loans.b_shift": ("warning", None),
        "loans.c_psi": ("warning", None),
        "loans.d_psi": ("info", None),
    }
    assert drift_table(now, pd.DataFrame()).empty


MAPPING = """
source: a lender
time_zone: Europe/Paris
currency: EUR
first_day: 2024-01-01
last_day: 2024-06-30
sources:
  people: {files: people.csv}
  loans: {files: loans.csv}
tables:
  customers:
    from: people
    columns: {customer_id: id, monthly_income: income, segment: segment, birth_date: born, education: school}
    known_at: DATE '2024-01-01'
  loans:
    from: loans
    columns: {loan_id: id, customer_id: person, opened_on: opened, principal: amount, annual_rate: rate, term_months: '12'}
"""


def deliver(folder: Path, *, incomes: list[float], segments: list[str]) -> None:
    folder.mkdir()
    ids = [f"C{n:04d}" for n in range(len(incomes))]
    pd.DataFrame({"id": ids, "income": incomes, "segment": segments, "born": "1980-01-01", "school": "x"}).to_csv(
        folder / "people.csv", index=False
    )
    pd.DataFrame({"id": ids, "person": ids, "opened": "2024-01-02", "amount": 1000, "rate": 0.1}).to_csv(
        folder / "loans.csv", index=False
    )


def test_drift_between_two_imports(new_workspace: Callable[..., Workspace], tmp_path: Path) -> None:
    workspace = new_workspace()
    (workspace.params / "books" / "two.yaml").write_text(MAPPING, "utf-8")
    incomes = [1000.0 + number for number in range(1000)]
    halves = ["mass"] * 500 + ["affluent"] * 500
    deliver(tmp_path / "first", incomes=incomes, segments=halves)
    deliver(
        tmp_path / "second", incomes=[*incomes[:900], *[1000.0] * 100], segments=["mass"] * 900 + ["affluent"] * 100
    )
    deliver(tmp_path / "third", incomes=[100 * income for income in incomes], segments=halves)

    def load(name: str, day: int) -> Book:
        moment = datetime(2024, 7, day, tzinfo=UTC)
        import_book(workspace, "two", delivered_at=moment, base=str(tmp_path / name))
        return Book.open(workspace, "two")

    first = examine_book(load("first", 1))
    assert first.findings == []
    assert first.drift.empty
    bins = first.profile.set_index("column")["bins"]
    assert bins["monthly_income"]["rows"] == [100] * 10 + [0]
    assert bins["segment"] == {"values": ["affluent", "mass"], "rows": [500, 500, 0, 0]}

    second = examine_book(load("second", 2))  # a tenth of the incomes moved from the top bin to the lowest
    moved = second.drift.set_index("column")
    assert moved.loc["monthly_income", "psi"] == pytest.approx(psi([100] * 10, [200, *[100] * 8, 0]), rel=1e-12)
    assert moved.loc["segment", "psi"] == pytest.approx(psi([500, 500], [100, 900]), rel=1e-12)
    mean, before = moved.loc["monthly_income", ["mean_now", "mean_before"]]
    assert (mean, before) == (pytest.approx((sum(incomes[:900]) + 100_000) / 1000), pytest.approx(1499.5))
    told = {one.check: one.severity for one in second.findings if one.severity != "info"}
    assert told == {"customers.monthly_income_psi": "warning", "customers.segment_psi": "warning"}
    assert check_book(Book.open(workspace, "two")).findings == second.findings  # later on as at the load
    (workspace.params / "books" / "two.yaml").write_text(f"{MAPPING}\n# read again", "utf-8")
    again = load("second", 2)
    assert again.manifest == Book.open(workspace, "two").manifest
    told = {one.check: one.severity for one in check_book(again).findings if one.severity != "info"}
    assert told == {"customers.monthly_income_psi": "warning", "customers.segment_psi": "warning"}  # not against itself
    earlier = examine_book(Book.open(workspace, "two"), as_of=date(2024, 5, 31))
    assert earlier.drift.empty  # another date is no delivery

    third = examine_book(load("third", 3))  # cents for euros
    told = {one.check: one.severity for one in third.findings if one.severity != "info"}
    assert told == {"customers.monthly_income_shift": "warning", "customers.segment_psi": "warning"}
    fresh = third.profile.set_index("column")["bins"]["monthly_income"]
    assert fresh["rows"] == [100] * 10 + [0]  # the old edges told nothing apart
    history = load_table(list_loads(workspace.books / "two"))
    assert history["rows_in"].tolist() == [2000] * 4
    assert history["warnings"].tolist() == [len(told), 0, 2, 0]


# PostgreSQL


def test_the_checks_say_the_same_on_postgresql(workspace: Workspace, make_book: MakeBook, database: Database) -> None:
    tables = {**clean(), **moving()}
    tables["payments"].loc[0, ["loan_id", "known_at"]] = ["L9", pd.Timestamp("2024-01-10 11:00")]
    tables["payments"] = pd.concat(
        [tables["payments"], tables["payments"].tail(1).assign(amount=99.0, known_at=pd.Timestamp("2024-06-20"))]
    )
    tables["performance"].loc[1, ["balance", "month_end"]] = [2e12, pd.Timestamp("2024-02-28")]
    tables["customers"].loc[0, ["birth_date", "education"]] = [date(2030, 1, 1), None]
    tables["restructurings"] = pd.concat([tables["restructurings"]] * 2).assign(
        distressed=[True, False], effective_on=[date(2024, 3, 5), date(2024, 4, 5)]
    )
    here = make_book(tables, first_day=date(2024, 1, 1), last_day=LAST, time_zone=ZONE)
    database.load(here, "checked")
    attach_book(workspace, "checked", url=database.url(), schema="checked", time_zone=ZONE)
    there = Book.open(workspace, "checked")
    ours, theirs = (examine_book(book, as_of=LAST) for book in (here, there))
    assert len(ours.findings) >= 8
    assert theirs.findings == ours.findings
    pd.testing.assert_frame_equal(theirs.timeliness, ours.timeliness)
    pd.testing.assert_frame_equal(theirs.monthly, ours.monthly)
    pd.testing.assert_frame_equal(theirs.validity, ours.validity)
    same = ["table", "column", "shown", "rows", "missing_share", "distinct", "mean", "deviation"]
    pd.testing.assert_frame_equal(theirs.profile[same], ours.profile[same], check_dtype=False)
    latest = examine_book(there)  # with the spread of each column
    bins = {row.column: row.bins for row in latest.profile.itertuples() if row.table == "payments" and row.bins}
    assert bins["kind"] == {"values": ["scheduled"], "rows": [6, 0, 0]}
    assert sum(bins["amount"]["rows"]) == 6
    gaps = [gaps_by_month(book, ours.profile, as_of=LAST) for book in (here, there)]
    pd.testing.assert_frame_equal(*gaps)


# The catalogue


def test_every_finding_has_a_check_of_its_name() -> None:
    own = [check for checks in checks_by_kind().values() for check in checks]
    assert len({check.key for check in own}) == len(own)
    names = set(check_names())
    assert set(FAULTS) <= names
    assert {"payments.volume", "loans.currency", "customers.monthly_income_psi", "source.lines"} <= names
    for table in schema.TABLES:
        from workbench.book.checks.rules import rules_of

        keys = [rule.check.key for rule in rules_of(table)]
        assert len(set(keys)) == len(keys)
        assert set(keys) <= names


def test_the_page_of_checks_is_that_of_the_code() -> None:
    root = Path(__file__).parents[2]
    spec = importlib.util.spec_from_file_location("checks_page", root / ".ci" / "checks.py")
    assert spec is not None
    assert spec.loader is not None
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    assert (root / "docs" / "checks.md").read_text("utf-8") == page.catalogue(), "run: python .ci/checks.py"
