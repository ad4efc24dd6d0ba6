"""Random loan books that hold every way in which a loan is agreed, paid, changed, corrected and ended.

Each loan is tagged with the patterns that it shows (`tables["patterns"]`), so that a test can see that none is missing.
"""

from __future__ import annotations

import random
from collections import Counter
from datetime import date, datetime, timedelta
from decimal import Decimal

import pandas as pd

from .slow_dpd import Row, local_day, utc

CENT = Decimal("0.01")
CLOCKS = ("00:00:00", "00:00:01", "07:59:59", "08:00:00", "12:00:00", "23:59:59")
PATTERNS = (
    "paid in part, paid early, paid late, paid a cent short, paid nothing, paid ahead, overpaid, prepayment, reversal, "
    "reversal of a prepayment, several loans a customer, card, schedule version, versions out of order, restructured, "
    "written off, written off before the book, recovery, paid after write-off, repaid, prepaid in full, sold, "
    "loan restated, instalment restated, payment restated, known late"
).split(", ")


def random_tables(*, loans: int, seed: int, zone: str, thresholds: Row) -> dict[str, list[Row]]:
    """Return the rows of a random book: every third customer has several loans, every fourth loan is a card."""
    draw = random.Random(seed)
    tables: dict[str, list[Row]] = {
        name: [] for name in ("customers", "loans", "instalments", "payments", "restructurings", "patterns")
    }
    for number in range(loans):
        customer, loan_id = f"C{number * 2 // 3:05d}", f"L{number:05d}"
        if tables["customers"] and tables["customers"][-1]["customer_id"] == customer:
            tables["patterns"].append({"loan_id": loan_id, "pattern": "several loans a customer"})
        else:
            tables["customers"].append({"customer_id": customer, "known_at": datetime(2020, 1, 1)})
        RandomLoan(draw, loan_id, customer, zone, thresholds).add_to(tables)
    return tables


def frames(tables: dict[str, list[Row]]) -> dict[str, pd.DataFrame]:
    """Return the rows of the canonical tables as frames."""
    return {name: pd.DataFrame(rows) for name, rows in tables.items() if name != "patterns" and rows}


def loans_by_pattern(tables: dict[str, list[Row]]) -> dict[str, int]:
    """Return how many loans show each pattern."""
    shown = Counter(pattern for _loan, pattern in {(row["loan_id"], row["pattern"]) for row in tables["patterns"]})
    return {pattern: shown[pattern] for pattern in PATTERNS}


class RandomLoan:
    """One loan in the making."""

    def __init__(self, draw: random.Random, loan_id: str, customer: str, zone: str, thresholds: Row) -> None:
        self.draw, self.zone = draw, zone
        self.card = draw.random() < 0.25
        self.opened = date(2022, 1, 1) + timedelta(days=draw.randrange(860))
        size = Decimal(draw.choice([900, 2500, 3999, 4000, 4001, 12000, 33333]))
        self.allowed = max(thresholds["absolute"], thresholds["relative"] * size).quantize(CENT, "ROUND_DOWN")
        self.loan: Row = {
            "loan_id": loan_id,
            "customer_id": customer,
            "product": "card" if self.card else "instalment",
            "opened_on": self.opened,
            "principal": None if self.card else size,
            "credit_limit": size if self.card else None,
            "closed_on": None,
            "close_reason": None,
            "written_off_on": None,
            "known_at": utc(self.opened, "09:00", zone),
        }
        self.patterns: set[str] = {"card"} if self.card else set()
        self.restructurings: list[Row] = []
        self.payments: list[Row] = []
        self.dues = self._schedules()
        self._pay()
        self.loans = [self.loan, *self._end()]
        self._restate()

    def add_to(self, tables: dict[str, list[Row]]) -> None:
        """Add the loan's rows to the tables."""
        tables["loans"] += self.loans
        tables["instalments"] += self.dues
        tables["payments"] += self.payments
        tables["restructurings"] += self.restructurings
        tables["patterns"] += [{"loan_id": self.loan["loan_id"], "pattern": name} for name in sorted(self.patterns)]

    def _schedules(self) -> list[Row]:
        draw = self.draw
        day_of_month = draw.choice([1, 5, 15, 28])
        amount = Decimal(draw.randrange(1500, 40000)) / 100
        rows = self._schedule(1, 0, draw.randrange(4, 24), amount, day_of_month)
        if self.card or draw.random() > 0.3:
            return rows
        # new versions: longer and lower; sometimes the third begins before the second, or shortly before a due date
        starts = [self.opened + timedelta(days=draw.randrange(60, 400)) for _version in range(draw.choice([1, 1, 2]))]
        for version, start in enumerate(starts, start=2):
            lower = (amount * 2 / 3).quantize(CENT)
            rows += self._schedule(version, draw.randrange(6), draw.randrange(6, 30), lower, day_of_month, start)
        self.patterns.add("schedule version")
        if starts != sorted(starts):
            self.patterns.add("versions out of order")
        for start in sorted(set(starts)):
            if draw.random() < 0.5:
                self.patterns.add("restructured")
                self.restructurings.append(
                    {
                        "loan_id": self.loan["loan_id"],
                        "effective_on": start,
                        "kind": draw.choice(["extension", "rate_cut"]),
                        "distressed": draw.random() < 0.5,
                        "forgiven_amount": None,
                        "known_at": utc(start, "08:00", self.zone),
                    }
                )
        return rows

    def _schedule(
        self, version: int, first: int, months: int, amount: Decimal, day_of_month: int, effective: date | None = None
    ) -> list[Row]:
        rows = []
        for number in range(first, first + months):
            year, month = divmod(self.opened.year * 12 + self.opened.month + number, 12)
            due_on = date(year, month + 1, day_of_month)
            statement = max(due_on - timedelta(days=20), self.opened)
            start = effective or (statement if self.card else self.opened)
            cents = Decimal(self.draw.randrange(-900, 900)) / 100 if self.card else Decimal(0)  # a card's minimum due
            late = timedelta(days=self.draw.choice([0] * 12 + [40]))
            self._tag("known late", if_=bool(late))
            rows.append(
                {
                    "loan_id": self.loan["loan_id"],
                    "schedule_version": version,
                    "instalment_no": number + 1,
                    "effective_from": start,
                    "due_on": due_on,
                    "due_amount": amount + cents,
                    "known_at": utc(start, "08:00", self.zone) + late,
                }
            )
        return rows

    def _pay(self) -> None:
        draw = self.draw
        habit = draw.choice(["punctual", "punctual", "sloppy", "failing"])
        delays: list[int | None] = {
            "punctual": [0, 0, 0, -3],
            "sloppy": [-9, 0, 1, 5, 20, 31, 62],
            "failing": [0, 10, 40, 95, None, None],
        }[habit]
        for due in list(self.dues):
            if due["schedule_version"] > 1 and draw.random() < 0.5:
                continue
            delay = draw.choice(delays)
            self._tag("paid nothing", if_=delay is None)
            if delay is None:
                continue
            self._tag("paid early", if_=delay < 0)
            self._tag("paid late", if_=delay > 0)
            paid = self._pay_due(due, due["due_on"] + timedelta(days=delay))
            if draw.random() < 0.12:
                day = local_day(paid["paid_at"], self.zone) + timedelta(days=draw.choice([0, 1, 3, 30]))
                self._payment(day, -paid["amount"], "reversal", paid["payment_id"])
                self._tag("reversal")
                self._tag("reversal of a prepayment", if_=paid["kind"] == "prepayment")

    def _pay_due(self, due: Row, day: date) -> Row:
        draw, owed = self.draw, due["due_amount"]
        how = draw.choices(["all", "short", "parts", "half", "over", "extra", "ahead"], [10, 4, 2, 1, 1, 1, 1])[0]
        if how == "short":  # by exactly what is allowed, or a cent more
            self._tag("paid a cent short")
            return self._payment(day, max(owed - self.allowed - draw.choice([Decimal(0), CENT]), CENT))
        if how == "parts":
            self._tag("paid in part")
            half = (owed / 2).quantize(CENT)
            self._payment(day, half)
            return self._payment(day + timedelta(days=draw.choice([0, 7, 35])), owed - half)
        if how == "half":
            self._tag("paid in part")
            return self._payment(day, (owed / 2).quantize(CENT))
        if how == "over":
            self._tag("overpaid")
            return self._payment(day, owed + Decimal(draw.randrange(1, 9000)) / 100)
        if how == "ahead":
            self._tag("paid ahead")
            return self._payment(day, owed * 3)
        paid = self._payment(day, owed)
        if how == "extra":
            self._tag("prepayment")
            return self._payment(day, owed * 2, "prepayment")
        return paid

    def _payment(self, day: date, amount: Decimal, kind: str = "scheduled", reverses: str | None = None) -> Row:
        moment = utc(day, self.draw.choice(CLOCKS), self.zone)
        late = timedelta(days=self.draw.choice([0, 0, 0, 0, 0, 2, 45]))
        row = {
            "payment_id": f"P{self.loan['loan_id']}-{len(self.payments):03d}",
            "loan_id": self.loan["loan_id"],
            "paid_at": moment,
            "amount": amount,
            "kind": kind,
            "reverses": reverses,
            "known_at": moment + late,
        }
        self._tag("known late", if_=bool(late))
        self.payments.append(row)
        return row

    def _end(self) -> list[Row]:
        """Return the version of the loan that says how it ended, if it did."""
        draw, ending = self.draw, self.draw.random()
        if ending >= 0.32:
            return []
        day = self.opened + timedelta(days=draw.randrange(90, 500))
        if ending < 0.16:
            self._tag("written off")
            self._tag("written off before the book", if_=day < date(2023, 1, 1))
            ended = {"written_off_on": day, "closed_on": day, "close_reason": "written_off"}
            for kind, pattern in (("recovery", "recovery"), ("scheduled", "paid after write-off")):
                self._payment(day + timedelta(days=draw.choice([0, 1, 30])), Decimal(250), kind)
                self._tag(pattern)
        else:
            reason = draw.choice(["repaid", "prepaid", "sold"])
            self._tag("prepaid in full" if reason == "prepaid" else reason)
            ended = {"closed_on": day, "close_reason": reason}
            if reason == "prepaid":
                self._payment(day, Decimal(1500), "prepayment")
                self._tag("prepayment")
        late = timedelta(days=draw.choice([0, 0, 3, 50]))
        self._tag("known late", if_=bool(late))
        return [{**self.loan, **ended, "known_at": utc(day, "18:00", self.zone) + late}]

    def _restate(self) -> None:
        """Correct some rows later on: a key gets a second, sometimes a third version."""
        draw = self.draw
        for name, rows in (("loan", self.loans), ("instalment", self.dues), ("payment", self.payments)):
            share = 0.15 if name == "loan" else 0.04
            for row in [row for row in rows if draw.random() < share]:
                for _time in range(draw.choice([1, 1, 2])):
                    newest = max((other["known_at"] for other in rows if _same(other, row)), default=row["known_at"])
                    corrected = {**row, **getattr(self, f"_corrected_{name}")(row)}
                    rows.append({**corrected, "known_at": newest + timedelta(days=draw.choice([1, 20, 90]), hours=1)})
                self._tag(f"{name} restated")

    def _corrected_loan(self, row: Row) -> Row:
        size = "credit_limit" if self.card else "principal"
        changes: list[Row] = [{size: row[size] * 2}, {"opened_on": row["opened_on"] + timedelta(days=9)}]
        if row["written_off_on"]:
            day = row["written_off_on"] - timedelta(days=25)
            changes.append({"written_off_on": day, "closed_on": day})
        if row["closed_on"]:
            changes.append({"written_off_on": None, "closed_on": None, "close_reason": None})  # it was a mistake
        return self.draw.choice(changes)

    def _corrected_instalment(self, row: Row) -> Row:
        changes: list[Row] = [
            {"due_amount": row["due_amount"] + 30},
            {"due_on": row["due_on"] + timedelta(days=self.draw.choice([-3, 14]))},
            {"effective_from": row["effective_from"] + timedelta(days=self.draw.choice([-10, 10, 45]))},
            {"due_amount": Decimal(0)},
        ]
        return self.draw.choice(changes)

    def _corrected_payment(self, row: Row) -> Row:
        changes: list[Row] = [
            {"amount": row["amount"] / 10},
            {"paid_at": row["paid_at"] - timedelta(days=self.draw.choice([2, 12]))},
            {"paid_at": row["paid_at"] + timedelta(days=30)},
        ]
        if row["kind"] in ("scheduled", "prepayment"):
            changes.append({"kind": "prepayment" if row["kind"] == "scheduled" else "scheduled"})
        return {**(change := self.draw.choice(changes)), **_cents(change)}

    def _tag(self, pattern: str, *, if_: bool = True) -> None:
        if if_:
            self.patterns.add(pattern)


def _same(other: Row, row: Row) -> bool:
    keys = ("payment_id",) if "payment_id" in row else ("loan_id", "schedule_version", "instalment_no")
    return all(other.get(key) == row.get(key) for key in keys)


def _cents(change: Row) -> Row:
    return {"amount": change["amount"].quantize(CENT)} if "amount" in change else {}
