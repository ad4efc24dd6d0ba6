"""A hand-made book with one customer for each gap that a customer may have."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta

import pandas as pd

LEAP_DAY = date(2024, 2, 29)
DAYS = {"first_day": date(2022, 1, 1), "last_day": date(2024, 6, 30)}


def edge_tables() -> dict[str, pd.DataFrame]:
    """Return a hand-made book with one customer for each gap.

    C1 two loans (one secured, one card whose limit changed; paid early, late, in part, with a reversal within a day and one
    after three days, a prepayment and a new schedule) and everything else; C2 no transactions and no events; C3 a
    loan closed a month ago and a card unused; C4 a card only, income 0; C5 income missing, transactions long ago or in the
    last days only; C6 nothing but a closed loan (not active); C7 written off a loan, another open; C8 not in customers.
    """
    people = pd.DataFrame(
        [
            ("C1", 3000.0, date(1980, 2, 29), date(2015, 2, 28), "retail", "B1"),
            ("C2", 2500.0, date(1990, 1, 1), date(2023, 1, 1), "retail", None),
            ("C3", 2000.0, None, None, "private", "B1"),
            ("C4", 0.0, date(1970, 6, 1), date(2000, 1, 1), None, "B2"),
            ("C5", None, date(1999, 12, 31), date(2024, 2, 29), "retail", "B2"),
            ("C6", 1000.0, date(1960, 1, 1), date(1999, 1, 1), "retail", "B1"),
            ("C7", 1800.0, date(1985, 5, 5), date(2010, 5, 5), "private", "B1"),
        ],
        columns=["customer_id", "monthly_income", "birth_date", "relationship_since", "segment", "branch_id"],
    )
    loan_columns = [
        "loan_id",
        "customer_id",
        "opened_on",
        "principal",
        "credit_limit",
        "instalment_amount",
        "collateral_value",
    ]
    loans = pd.DataFrame(
        [
            ("L1", "C1", date(2023, 2, 28), 12_000.0, None, 300.0, 15_000.0),
            ("L2", "C1", date(2023, 3, 1), None, 1_000.0, None, None),
            ("L3", "C2", date(2023, 2, 1), 5_000.0, None, 200.0, None),
            ("L4", "C3", date(2022, 1, 1), 5_000.0, None, 200.0, 0.0),
            ("L5", "C3", date(2024, 2, 29), None, 800.0, None, None),
            ("L6", "C4", date(2023, 6, 1), None, 2_000.0, None, None),
            ("L7", "C5", date(2024, 1, 5), 900.0, None, 90.0, None),
            ("L8", "C6", date(2022, 1, 1), 900.0, None, 90.0, None),
            ("L9", "C7", date(2022, 12, 1), 4_000.0, None, 100.0, None),
            ("LA", "C7", date(2023, 12, 1), 1_000.0, None, 50.0, None),
            ("LB", "C8", date(2023, 9, 1), 1_000.0, None, 50.0, None),
        ],
        columns=loan_columns,
    )
    loans["closed_on"] = loans["loan_id"].map({"L4": date(2024, 1, 20), "L8": date(2023, 5, 5), "L9": date(2023, 9, 9)})
    loans["written_off_on"] = loans["loan_id"].map({"L9": date(2023, 9, 9)})
    dues, months, payments = [], [], []
    for loan in loans.itertuples():
        asks = (
            300.0
            if loan.loan_id == "L1"
            else loan.credit_limit * 0.05
            if loan.principal != loan.principal
            else loan.instalment_amount
        )
        start = loan.opened_on
        for number in range(1, 27):
            year, month = divmod(start.year * 12 + start.month - 1 + number, 12)
            due_on = date(year, month + 1, 12)
            if due_on > date(2024, 6, 30):
                break
            dues.append((loan.loan_id, number, start, due_on, asks))
            skipped = {"L1": (8, 9), "L2": (5,), "L9": tuple(range(3, 30)), "LB": (2, 3, 4, 5, 6), "L3": (5, 6, 13)}
            if number not in skipped.get(loan.loan_id, ()):
                days_late = {("L1", 10): 3, ("L1", 11): -2, ("LA", 2): 40, ("L3", 3): 1}.get((loan.loan_id, number), 0)
                paid_at = datetime(year, month + 1, 12, 9) + timedelta(days=days_late)
                share = 0.4 if (loan.loan_id, number) == ("L3", 9) else 1.0
                payments.append(
                    (f"P{loan.loan_id}-{number:02d}", loan.loan_id, paid_at, share * asks, "scheduled", None)
                )
    payments += [
        ("R1", "L1", datetime(2023, 6, 12, 8), -300.0, "reversal", "PL1-04"),  # and paid again within the day
        ("P1", "L1", datetime(2023, 6, 12, 20), 300.0, "scheduled", None),
        ("R2", "L3", datetime(2023, 10, 15, 8), -200.0, "reversal", "PL3-08"),  # three days after, for good
        (
            "P2",
            "L3",
            datetime(2023, 9, 20, 8),
            400.0,
            "scheduled",
            None,
        ),  # two dues at once: cured, and late again later
        ("X1", "L1", datetime(2023, 12, 1, 8), 500.0, "prepayment", None),
        ("X2", "L5", datetime(2023, 7, 1, 8), 80.0, "prepayment", None),  # before the last six months
    ]
    dues += [("L3", number, date(2024, 1, 20), date(2024, number - 11, 12), 120.0) for number in range(13, 17)]
    for loan in loans.itertuples():
        for ago, end in enumerate(pd.date_range("2023-01-31", LEAP_DAY, freq="ME")[::-1]):
            if end.date() < loan.opened_on or (
                loan.closed_on == loan.closed_on and loan.closed_on and end.date() > loan.closed_on
            ):
                continue
            limit = None if math.isnan(loan.credit_limit) else loan.credit_limit * (2 if ago > 3 else 1)
            balance = None if loan.loan_id == "LB" and ago == 0 else 0.0 if loan.loan_id == "L5" else 100.0 * (ago + 3)
            balance = 1_000.01 if (loan.loan_id, ago) == ("L2", 2) else balance
            due = None if loan.loan_id == "L6" and ago == 1 else 50.0 + ago
            share = {1: 0.5, 4: 0.0}.get(ago, 1.0)
            months.append((loan.loan_id, end.date(), balance, limit, due, due and due * share))
    due_columns = ["loan_id", "instalment_no", "effective_from", "due_on", "due_amount"]
    schedules = pd.DataFrame(dues, columns=due_columns)
    schedules["schedule_version"] = schedules["effective_from"].eq(date(2024, 1, 20)).astype(int) + 1
    month_columns = ["loan_id", "month_end", "balance", "credit_limit", "due_amount", "paid_amount"]
    return {
        "customers": people,
        "loans": loans.assign(product="x", close_reason=loans["closed_on"].map(lambda day: "repaid" if day else None)),
        "instalments": schedules,
        "payments": pd.DataFrame(
            payments, columns=["payment_id", "loan_id", "paid_at", "amount", "kind", "reverses"]
        ),
        "restructurings": pd.DataFrame(
            {"loan_id": ["L3", "L1", "L1"], "effective_on": [date(2024, 1, 20), date(2022, 2, 28), date(2022, 3, 1)]}
        ).assign(kind="term_extension", distressed=[True, False, False]),
        "bureau": pd.DataFrame(
            {
                "customer_id": ["C1", "C1", "C3", "C4"],
                "reported_on": [date(2023, 9, 30), date(2023, 12, 31), date(2024, 2, 29), date(2023, 1, 1)],
                "enquiries_6m": [3, 1, None, 0],
                "other_debt": [900.0, 4500.0, 0.0, None],
                "worst_status": ["90+", "ok", "30-59", None],
            }
        ),
        "performance": pd.DataFrame(months, columns=month_columns),
        "transactions": edge_transactions(),
        "events": edge_events(),
        "applications": pd.DataFrame(
            {
                "application_id": ["A1", "A2", "A3", "A4", "A5"],
                "customer_id": ["C1", "C1", "C1", "C2", "C4"],
                "applied_at": pd.to_datetime(["2023-01-01", "2023-02-01", "2024-01-01", "2023-01-15", "2023-05-01"]),
                "decision": ["accepted", "accepted", "declined", "declined", "accepted"],
                "decided_at": pd.to_datetime(["2023-01-02", "2023-02-02", "2024-01-02", "2023-01-16", "2023-05-02"]),
                "score": [700.0, 650.0, 500.0, 480.0, None],
            }
        ),
    }  # fmt: skip


def edge_transactions() -> pd.DataFrame:
    rows = []
    for customer, days in (
        ("C1", sorted({*range(0, 200, 3), *(n * n for n in range(14))})),
        ("C4", (0, 1, 5)),
        ("C5", (179, 150)),
        ("C3", (29, 30, 59, 60, 89, 90, 180)),
    ):
        for number, ago in enumerate(days):
            moment = datetime.combine(LEAP_DAY - timedelta(days=ago), datetime.min.time()) + timedelta(
                hours=(7 * ago + 2) % 24
            )
            salary = ago % 30 == 0
            amount = 1500.0 + ago if salary else -(10.0 + (ago * 37) % 101) * (9 if ago == 3 else 1)
            channel = "atm" if number % 5 == 1 else "card"
            category = "salary" if salary else ["gambling", "food", "other_lender", "rent", "loan_payment"][number % 5]
            other = None if number % 7 == 3 else f"X{(number * number + ago // 60) % 11}"
            amount = 30.0 + ago if category == "other_lender" and number % 2 else amount
            amount = -200.0 if ago == 9 else 250.0 if ago == 12 else amount
            rows.append((customer, moment, amount, channel, category, 400.0 - 7 * ago if ago % 4 else -20.0, other))
    columns = ["customer_id", "booked_at", "amount", "channel", "category", "balance_after", "counterparty_id"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(transaction_id=[f"T{n:04d}" for n in range(len(table))], account_id=table["customer_id"])


def edge_events() -> pd.DataFrame:
    kinds = [
        "login",
        "login_failed",
        "phone_changed",
        "complaint",
        "login",
        "device_changed",
        "limit_requested",
        "contact",
        "hardship_requested",
    ]
    rows = [("C1", LEAP_DAY - timedelta(days=ago), kinds[ago % len(kinds)]) for ago in range(185)]
    rows += [("C4", LEAP_DAY, "login"), ("C7", LEAP_DAY - timedelta(days=90), "address_changed")]
    table = pd.DataFrame(rows, columns=["customer_id", "day", "kind"])
    moments = pd.to_datetime(table["day"]) + pd.Timedelta(hours=23)
    return table.assign(event_id=[f"V{n:04d}" for n in range(len(table))], occurred_at=moments)
