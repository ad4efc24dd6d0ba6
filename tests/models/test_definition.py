"""The evidence for the definition of bad: cases named by their outcome, then random loans against slow references."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pandas as pd
import pytest

from workbench.book.book import Book
from workbench.book.performance import performance
from workbench.core.dates import month_ends
from workbench.core.errors import BookError, ParameterError
from workbench.models import definition
from workbench.models.definition import (
    BUCKETS,
    WRITTEN_OFF,
    bad_rate_by_window,
    evidence_dates,
    roll_directions,
    roll_rates,
)
from workbench.models.sample import sample

MakeBook = Callable[..., Book]
Loan = dict[str, Any]

ENDS = month_ends(date(2022, 12, 31), date(2025, 6, 30))  # 30 month ends, from 31 January 2023
AS_OF = date(2024, 1, 31)
NAMES = [name for name, _start in BUCKETS]

# customer: (DPD by month end, else 0; what else its loan has; worst bucket in the year to 31 January 2024, and in the next)
CASES: dict[str, tuple[dict[str, int], dict[str, Any], tuple[str, str] | None]] = {
    "stays": ({}, {}, ("current", "current")),
    "a-day-late": ({"2024-03": 1}, {}, ("current", "1-29")),
    "late-a-year-ago": ({"2023-01": 95, "2023-02": 29}, {}, ("1-29", "current")),
    "late-in-the-first-month": ({"2023-02": 30, "2025-01": 59}, {}, ("30-59", "30-59")),
    "late-on-the-day": ({"2024-01": 60, "2024-02": 89}, {}, ("60-89", "60-89")),
    "late-after-the-window": ({"2025-02": 120}, {}, ("current", "current")),
    "rolls-on": ({"2023-12": 60, "2024-04": 90}, {}, ("60-89", "90+")),
    "cures": ({"2023-05": 90}, {}, ("90+", "current")),
    "bad-and-stays": ({"2024-01": 400, "2024-02": 430}, {}, ("90+", "90+")),
    "bad-and-written-off": ({"2024-01": 90}, {"written_off_on": date(2024, 3, 3)}, ("90+", WRITTEN_OFF)),
    "written-off-at-once": ({}, {"written_off_on": date(2024, 5, 31)}, ("current", WRITTEN_OFF)),
    "repaid": ({"2023-07": 31}, {"closed_on": date(2024, 2, 9), "close_reason": "repaid"}, ("30-59", "current")),
    "sold": ({"2024-02": 31}, {"closed_on": date(2024, 3, 5), "close_reason": "sold"}, None),
    "bad-then-sold": ({"2024-02": 91}, {"closed_on": date(2024, 3, 5), "close_reason": "sold"}, ("current", "90+")),
    "sold-after": ({}, {"closed_on": date(2025, 2, 1), "close_reason": "sold"}, ("current", "current")),
    "new": ({"2024-06": 30}, {"opened_on": date(2024, 1, 20)}, ("current", "30-59")),
    "opened-after": ({"2024-06": 30}, {"opened_on": date(2024, 2, 1)}, None),
    "gone-before": ({"2023-06": 95}, {"closed_on": AS_OF, "close_reason": "repaid"}, None),
}
# a customer of several loans stands in the worst bucket of those that are active at the date
SEVERAL = {
    "several": [
        ({"2023-08": 45, "2024-03": 5}, {}),
        ({"2024-08": 70}, {}),
        *[CASES[name][:2] for name in ("opened-after", "gone-before")],
    ]
}


def loan(customer: str, loan_id: str, dpd: dict[str, int | None], terms: dict[str, Any]) -> Loan:
    missing = {"opened_on": date(2022, 6, 1), "closed_on": None, "close_reason": None, "written_off_on": None}
    more = {"credit_limit": None, "balance": 100.0, "restructured_on": None}
    return {"customer_id": customer, "loan_id": loan_id, **missing, **more, **terms, "dpd": dpd}


def open_at(row: Loan, day: date) -> bool:
    ended = [end for end in (row["closed_on"], row["written_off_on"]) if end]
    return row["opened_on"] <= day and all(day < end for end in ended)


def tables(rows: list[Loan]) -> dict[str, pd.DataFrame]:
    months = [
        {
            "loan_id": row["loan_id"],
            "month_end": day,
            "dpd": row["dpd"].get(f"{day:%Y-%m}", 0),
            "balance": row["balance"],
        }
        for row in rows
        for day in ENDS
        if open_at(row, day)
    ]
    restructured = [(row["loan_id"], row["restructured_on"], True) for row in rows if row["restructured_on"]]
    columns = ["loan_id", "customer_id", "opened_on", "closed_on", "close_reason", "written_off_on", "credit_limit"]
    return {
        "customers": pd.DataFrame({"customer_id": sorted({row["customer_id"] for row in rows})}),
        "loans": pd.DataFrame(rows)[columns],
        "performance": pd.DataFrame(months).astype({"dpd": "Int64"}),
        "restructurings": pd.DataFrame(restructured, columns=["loan_id", "effective_on", "distressed"]),
    }


def case_loans() -> list[Loan]:
    rows = [loan(name, name, dpd, terms) for name, (dpd, terms, _expected) in CASES.items()]
    rows += [loan(name, f"{name}-{n}", *case) for name, cases in SEVERAL.items() for n, case in enumerate(cases)]
    return rows


def random_loans(seed: int, count: int = 150) -> list[Loan]:
    """Return loans of 100 customers: sticky random arrears, some months not stated, some loans that end in each way."""
    rng = random.Random(seed)

    def some_day() -> date:
        return date(2023, 6, 1) + timedelta(days=rng.randrange(700))

    rows = []
    for number in range(count):
        terms: dict[str, Any] = {"opened_on": date(2022, 6, 1) + timedelta(days=rng.randrange(800))}
        ending = rng.choices(["", "repaid", "prepaid", "sold", "left_file", "written_off"], [60, 8, 8, 3, 3, 10])[0]
        if ending:
            ended = max(some_day(), terms["opened_on"])
            terms |= {"closed_on": ended, "close_reason": ending}
            terms |= {"written_off_on": ended} if ending == "written_off" else {}
        if rng.random() < 0.1:
            terms["restructured_on"] = some_day()
        if rng.random() < 0.1:
            terms |= {"balance": 0.0, "credit_limit": rng.choice([None, 0.0, 500.0])}
        dpd: dict[str, int | None] = {}
        late = 0
        for day in ENDS:
            if rng.random() < 0.3:
                late = rng.choices([0, 1, 29, 30, 59, 60, 89, 90, 200], [90, 4, 4, 3, 3, 2, 2, 1, 1])[0]
            dpd[f"{day:%Y-%m}"] = late if rng.random() < 0.95 else None
        rows.append(loan(f"C{rng.randrange(100):02d}", f"L{number:03d}", dpd, terms))
    return rows


def defined(book: Book, **changes: Any) -> Book:
    """Return the book under other definitions of the target."""
    target = book.definitions.target.model_copy(update=changes)
    return Book(book.folder, book.manifest, book.workspace, book.definitions.model_copy(update={"target": target}))


class Slow:
    """The definitions, loan by loan and month by month."""

    def __init__(self, rows: list[Loan], day: date, end: date) -> None:
        """Find the loans active at the day, by customer, and the month ends of the window."""
        self.day, self.end, self.rows = day, end, rows
        self.window = [moment for moment in ENDS if day < moment <= end]
        self.customers: dict[str, list[Loan]] = {}
        for row in rows:
            if open_at(row, day) and (row["balance"] > 0 or (row["credit_limit"] or 0) > 0):
                self.customers.setdefault(row["customer_id"], []).append(row)

    def dpd(self, row: Loan, moment: date) -> int:
        return (row["dpd"].get(f"{moment:%Y-%m}", 0) or 0) if open_at(row, moment) else 0

    def written_off(self, row: Loan, moment: date) -> bool:
        return row["written_off_on"] is not None and row["written_off_on"] <= moment

    def is_bad(self, row: Loan) -> bool:
        by_arrears = any(self.dpd(row, moment) >= 90 or self.written_off(row, moment) for moment in self.window)
        changed = row["restructured_on"]
        return by_arrears or (changed is not None and self.day < changed <= self.end)

    def lately_bad(self, row: Loan) -> bool:
        place = ENDS.index(self.day)
        late = any(self.dpd(row, end) >= 90 or self.written_off(row, end) for end in ENDS[max(place - 3, 0) : place])
        year_before = (pd.Timestamp(self.day) - pd.DateOffset(months=12)).date()
        return late or (row["restructured_on"] is not None and year_before < row["restructured_on"] <= self.day)

    def leaves(self, row: Loan) -> bool:
        return row["close_reason"] in ("sold", "left_file") and self.day < row["closed_on"] <= self.end

    def outcome(self, customer: str) -> str:
        loans = self.customers[customer]
        if any(self.dpd(row, self.day) >= 90 for row in loans):
            return "already bad"
        if any(self.lately_bad(row) for row in self.rows if row["customer_id"] == customer):
            return "already bad"  # or in probation: left out alike
        if any(self.is_bad(row) for row in loans):
            return "bad"
        return "incomplete" if any(self.leaves(row) for row in loans) else "not bad"

    def move(self, customer: str, months: int) -> tuple[str, str] | None:
        loans = self.customers[customer]
        if any(self.leaves(row) for row in loans) and not any(self.is_bad(row) for row in loans):
            return None
        place = ENDS.index(self.day)
        before = max(self.dpd(row, moment) for row in loans for moment in ENDS[place - months + 1 : place + 1])
        after = max(self.dpd(row, moment) for row in loans for moment in self.window)
        lost = any(self.written_off(row, moment) for row in loans for moment in self.window)
        return bucket(before), WRITTEN_OFF if lost else bucket(after)


def bucket(dpd: int) -> str:
    if dpd == 0:
        return "current"
    return "1-29" if dpd < 30 else "30-59" if dpd < 60 else "60-89" if dpd < 90 else "90+"


def slow_windows(rows: list[Loan], day: date, windows: list[int], last: date, limit: float) -> list[tuple[Any, ...]]:
    place = ENDS.index(day)
    ends = {months: ENDS[place + months] for months in windows if place + months < len(ENDS)}
    outcomes = {
        months: [slow.outcome(customer) for customer in slow.customers]
        for months, end in ends.items()
        if end <= last
        for slow in [Slow(rows, day, end)]
    }

    def cut_share(found: list[str]) -> float:
        return found.count("incomplete") / (len(found) - found.count("already bad"))

    longest = max((months for months, found in outcomes.items() if cut_share(found) <= limit), default=0)
    kept = len(outcomes.get(longest, [])) - sum(
        outcomes.get(longest, []).count(x) for x in ("already bad", "incomplete")
    )
    return [
        (pd.Timestamp(day), months, kept, found.count("bad"), found.count("bad") / kept)
        for months, found in outcomes.items()
        if months <= longest
    ]


def moves_of(rolls: pd.DataFrame) -> Counter[tuple[str, str]]:
    return Counter({(row.from_bucket, row.to_bucket): row.customers for row in rolls.itertuples() if row.customers})


@pytest.fixture(scope="module")
def cases(make_book: MakeBook) -> Book:
    return make_book(tables(case_loans()), last_day=ENDS[-1])


@pytest.fixture(scope="module")
def loans() -> list[Loan]:
    return random_loans(seed=11)


@pytest.fixture(scope="module")
def book(make_book: MakeBook, loans: list[Loan]) -> Book:
    return make_book(tables(loans), last_day=ENDS[-1])


def test_every_case_moves_as_its_line_says(cases: Book) -> None:
    expected = Counter(moved for _dpd, _terms, moved in CASES.values() if moved)
    expected["30-59", "60-89"] += 1  # the customer of several loans
    assert moves_of(roll_rates(cases, as_of=[AS_OF])) == expected


def test_moves_are_those_of_the_slow_reference(book: Book, loans: list[Loan]) -> None:
    dates, months = [ENDS[6], ENDS[12], ENDS[20]], 7
    expected = Counter()
    for day in dates:
        slow = Slow(loans, day, ENDS[ENDS.index(day) + months])
        expected += Counter(moved for customer in slow.customers if (moved := slow.move(customer, months)))
    assert len(expected) > 20
    assert moves_of(roll_rates(book, as_of=dates, months=months)) == expected


def test_every_pair_is_there_and_shares_are_of_the_row(book: Book) -> None:
    rolls = roll_rates(book, as_of=[ENDS[12]])
    pairs = list(zip(rolls["from_bucket"], rolls["to_bucket"], strict=True))
    assert pairs == [(before, after) for before in NAMES for after in [*NAMES, WRITTEN_OFF]]
    for _name, row in rolls.groupby("from_bucket"):
        assert row["share"].tolist() == [count / row["customers"].sum() for count in row["customers"]]


def test_directions_are_sums_of_the_row(cases: Book) -> None:
    rolls = roll_rates(cases, as_of=[AS_OF])
    table = roll_directions(rolls)
    assert table["from_bucket"].tolist() == NAMES
    found = table.set_index("from_bucket")[["customers", "better", "same", "worse", "reached_90"]].to_dict("index")
    # from current: stays, late-after-the-window, sold-after; a-day-late, new, bad-then-sold, written-off-at-once
    assert found["current"] == {"customers": 7, "better": 0, "same": 3 / 7, "worse": 4 / 7, "reached_90": 2 / 7}
    assert found["60-89"] == {"customers": 2, "better": 0, "same": 1 / 2, "worse": 1 / 2, "reached_90": 1 / 2}
    assert found["90+"] == {"customers": 3, "better": 1 / 3, "same": 1 / 3, "worse": 1 / 3, "reached_90": 2 / 3}
    wide = table.set_index("from_bucket")[[*NAMES, WRITTEN_OFF]].stack()  # in the order of the rolls
    assert wide.tolist() == rolls["share"].tolist()


def test_a_bucket_without_anybody_has_no_shares(make_book: MakeBook) -> None:
    calm = make_book(tables([loan("A", "A", {}, {})]), last_day=ENDS[-1])
    rolls = roll_rates(calm, as_of=[AS_OF])
    assert rolls.loc[rolls["from_bucket"] != "current", "share"].isna().all()
    assert roll_directions(rolls)["better"].isna().tolist() == [False, True, True, True, True]


def test_nobody_is_active_yet(make_book: MakeBook) -> None:
    late = make_book(tables([loan("A", "A", {}, {"opened_on": date(2025, 1, 1)})]), last_day=ENDS[-1])
    assert roll_rates(late, as_of=[AS_OF])["customers"].sum() == 0
    rates = bad_rate_by_window(late, as_of=[AS_OF], windows=[12])
    assert rates[["customers", "bads"]].to_numpy().tolist() == [[0, 0]]
    assert rates["bad_rate"].isna().all()


@pytest.mark.parametrize(
    ("limit", "last", "longest"),
    [
        (0.0, ENDS[-1], [12, 1]),  # in the third cohort somebody leaves within a month
        (0.05, ENDS[-1], [12, 3, 1]),
        (0.5, ENDS[-1], [24, 12, 12]),
        (0.5, ENDS[18] - timedelta(days=1), [12, 3]),
    ],
)
def test_bad_rates_are_those_of_the_slow_reference(
    book: Book, loans: list[Loan], limit: float, last: date, longest: list[int]
) -> None:
    dates, windows = [ENDS[2], ENDS[12], ENDS[17]], [1, 3, 6, 12, 18, 24]
    expected = [row for day in dates for row in slow_windows(loans, day, windows, last, limit)]
    read = defined(book, max_incomplete_share=limit)
    table = bad_rate_by_window(read, as_of=dates, windows=windows, known_by=last)
    assert [tuple(row) for row in table.itertuples(index=False)] == expected
    assert table.groupby("as_of")["window_months"].max().tolist() == longest


def test_a_window_is_the_samples(cases: Book) -> None:
    read = defined(cases, max_incomplete_share=0.5)
    table = bad_rate_by_window(read, as_of=[AS_OF], windows=[6, 12]).set_index("window_months")
    for months in (6, 12):
        (losses,) = sample(read, as_of=[AS_OF], window_months=months).losses.to_dict("records")
        assert table.loc[months, "bads"] == losses["bad"]
    assert table.loc[12, ["customers", "bad_rate"]].tolist() == [losses["kept"], losses["bad_rate"]]


def test_a_simulated_lender_has_the_samples_bad_rate(small_book: Book) -> None:
    dates = [date(2023, 12, 31), date(2024, 6, 30)]
    table = bad_rate_by_window(small_book, as_of=dates, windows=[3, 6, 12])
    losses = sample(small_book, as_of=dates, window_months=12).losses
    year = table[table["window_months"] == 12].reset_index(drop=True)
    assert year["bads"].sum() > 0
    assert (
        year[["customers", "bads", "bad_rate"]].to_numpy().tolist()
        == losses[["kept", "bad", "bad_rate"]].to_numpy().tolist()
    )
    assert table.groupby("as_of")["customers"].nunique().tolist() == [1, 1]
    assert table.groupby("as_of")["bads"].apply(lambda bads: bads.is_monotonic_increasing).all()


def test_what_the_sample_has_followed_is_not_read_again(small_book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    days = [date(2024, 3, 31), date(2024, 6, 30)]
    sampled = sample(small_book, as_of=days)
    anew = roll_rates(small_book, as_of=days, months=12)
    monkeypatch.setattr(definition, "follow_up", None)
    pd.testing.assert_frame_equal(roll_rates(small_book, as_of=days, months=12, followed=sampled.followed), anew)


def test_a_simulated_lender_rolls_as_its_loans_do(small_book: Book) -> None:
    day, end = date(2024, 6, 30), date(2024, 12, 31)
    before = performance(small_book, as_of=day, days=month_ends(date(2023, 12, 31), day)).to_pandas()
    after = performance(small_book, as_of=end, days=month_ends(day, end)).to_pandas()
    now = before[before["month_end"].astype(str) == str(day)]
    owing = (now["balance"].isna() | (now["balance"] > 0)) | (now["credit_limit"] > 0)
    owner = now[now["open"] & owing].set_index("loan_id")["customer_id"].to_dict()
    worst, later, lost = Counter(), Counter(), set()
    for row in before.itertuples():
        if row.loan_id in owner:
            worst[owner[row.loan_id]] = max(worst[owner[row.loan_id]], row.dpd)
    for row in after.itertuples():
        if row.loan_id in owner:
            later[owner[row.loan_id]] = max(later[owner[row.loan_id]], row.dpd)
            lost |= {owner[row.loan_id]} if row.written_off else set()
    expected = Counter((bucket(worst[name]), WRITTEN_OFF if name in lost else bucket(later[name])) for name in worst)
    assert sample(small_book, as_of=[day], window_months=6).losses["incomplete"].tolist() == [0]
    assert moves_of(roll_rates(small_book, as_of=[day], months=6)) == expected


def test_what_came_later_changes_nothing(book: Book, loans: list[Loan], make_book: MakeBook) -> None:
    known = ENDS[20]  # 30 September 2024
    others = []
    for row in loans:
        dpd = {month: days if month <= f"{known:%Y-%m}" else 400 for month, days in row["dpd"].items()}
        later = {
            key: None for key in ("closed_on", "written_off_on", "restructured_on") if row[key] and row[key] > known
        }
        later |= {"close_reason": None} if "closed_on" in later else {}
        if not (row["closed_on"] or row["written_off_on"]):
            later = {"written_off_on": date(2024, 10, 1), "closed_on": date(2024, 10, 1), "close_reason": "written_off"}
        others.append({**row, **later, "dpd": dpd})
    rewritten = tables(others)
    restated = rewritten["performance"].assign(dpd=300, known_at=pd.Timestamp(2024, 10, 2))
    told = rewritten["performance"].assign(known_at=pd.Timestamp(2000, 1, 1))
    rewritten["performance"] = pd.concat([told, restated], ignore_index=True)
    changed = make_book(rewritten, last_day=ENDS[-1])
    dates = [ENDS[14]]
    for read in (roll_rates, bad_rate_by_window):
        options: dict[str, Any] = {"months": 6} if read is roll_rates else {}
        before, after = (read(found, as_of=dates, known_by=known, **options) for found in (book, changed))
        pd.testing.assert_frame_equal(before, after)
        assert len(before)
    later = bad_rate_by_window(defined(changed, max_incomplete_share=1.0), as_of=dates, windows=[6, 12])
    assert later["bad_rate"].tolist() == [1, 1]  # what is restated does count once it is known


def test_windows_that_have_not_ended_are_absent(book: Book) -> None:
    read = defined(book, max_incomplete_share=1.0)
    table = bad_rate_by_window(read, as_of=[ENDS[23], ENDS[17], ENDS[17]], windows=[12, 6, 3, 6])
    assert list(zip(table["as_of"].dt.date, table["window_months"], strict=True)) == [
        (ENDS[17], 3),
        (ENDS[17], 6),
        (ENDS[17], 12),
        (ENDS[23], 3),
        (ENDS[23], 6),
    ]
    none = bad_rate_by_window(read, as_of=[ENDS[-1]])
    assert none.empty
    assert list(none.columns) == list(table.columns)


def test_dates_of_the_evidence_are_few_spread_and_have_their_history(book: Book) -> None:
    dates = ENDS[2:24:3]  # 8 of them, the first with 3 months of the book behind it
    assert evidence_dates(book, dates) == dates[::2]
    assert evidence_dates(book, [*dates, *dates][::-1], at_most=8) == dates
    assert evidence_dates(book, dates, at_most=3) == dates[::3]
    assert evidence_dates(book, dates, history_months=12) == [ENDS[place] for place in (11, 14, 17, 20, 23)][::2]
    assert evidence_dates(book, dates, history_months=12, at_most=1) == [ENDS[11]]
    assert evidence_dates(book, dates, history_months=25) == []


def test_bad_input_is_refused_in_words(book: Book) -> None:
    for function in (roll_rates, bad_rate_by_window):
        with pytest.raises(ParameterError, match="as_of: found no date, expected one or more"):
            function(book, as_of=[])
        with pytest.raises(
            ParameterError, match=r"as_of: found 2026-01-31, but book .* covers 2023-01-01 to 2025-06-30"
        ):
            function(book, as_of=[AS_OF, date(2026, 1, 31)])
    for windows, found in (([], "nothing"), ([12, 0], "0, 12"), ([-3], "-3")):
        with pytest.raises(ParameterError, match=f"windows: found {found}, expected whole numbers of 1 or more"):
            bad_rate_by_window(book, as_of=[AS_OF], windows=windows)
    with pytest.raises(ParameterError, match="months: found 0, expected"):
        roll_rates(book, as_of=[AS_OF], months=0)
    with pytest.raises(ParameterError, match="at_most: found 0, expected"):
        evidence_dates(book, [AS_OF], at_most=0)


def test_rolls_need_the_months_before_and_after(book: Book) -> None:
    assert roll_rates(book, as_of=[date(2023, 12, 31)])["customers"].sum() > 0
    message = r"as_of 2023-11-30: book .* begins 2023-01-01, less than the 12 months before it\. Choose a date from 2023-12-31"
    with pytest.raises(ParameterError, match=message):
        roll_rates(book, as_of=[date(2023, 11, 30)])
    with pytest.raises(ParameterError, match=r"window of 12 months ends 2025-07-31, .* Choose a date up to 2024-06-30"):
        roll_rates(book, as_of=[date(2024, 7, 31)])
    with pytest.raises(ParameterError, match=r"is read up to 2025-01-30\. Choose a date up to 2023-12-31"):
        roll_rates(book, as_of=[AS_OF], known_by=date(2025, 1, 30))


def test_a_book_that_does_not_say_how_loans_are_paid_is_refused(make_book: MakeBook) -> None:
    bare = {name: frame for name, frame in tables(case_loans()).items() if name in ("customers", "loans")}
    book = make_book(bare, last_day=ENDS[-1])
    for function in (roll_rates, bad_rate_by_window):
        with pytest.raises(BookError, match="days past due need the tables instalments and payments, or performance"):
            function(book, as_of=[AS_OF])
