"""Every measure on lenders written by hand, against numbers counted by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import duckdb
import pytest

from workbench.book.simulation.story import LOOSE_MONTHS

from . import band_values as values
from . import behaviour, dirt, risk, rolls, truths
from .hand_made import card, day_of, end_of, noon, payment, person, term_loan, write
from .lender import MissingTableError, open_lender

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")


@pytest.fixture
def sql(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_lender(write(tmp_path, *request.param)) as connection:
        yield connection


def lender(*parts: dict, truth: dict | None = None) -> object:
    return pytest.mark.parametrize("sql", [parts], indirect=True, ids=["by hand"])


# 26 months, January 2023 to February 2025. A: never late. B: at 90+ in month 5 (June 2023), cured in month 8, late again in
# months 12 to 14. C: written off in month 7. D: prepaid in month 10. E opens in month 6, is at 90+ in months 17 and 18. F:
# two late dues.
LOANS = (
    term_loan("A", "1", "o" + "0" * 25),
    term_loan("B", "2", "o0123" "4320" "0001" "2300" + "0" * 9),
    term_loan("C", "3", "o012" "345W"),
    term_loan("D", "1", "o000" "0000" "00P", product="auto"),
    term_loan("E", "4", "o000" "0000" "1234" "4320" "0000", first=6),
    term_loan("F", "5", "o012" "1000" + "0" * 18),
)  # fmt: skip


@lender(*LOANS)
def test_days_past_due_by_month(sql: duckdb.DuckDBPyConnection) -> None:
    found = dict(sql.execute("select m - 24276, dpd from loan_month where loan_id = 'B' and m < 24276 + 9").fetchall())
    # month 2 is March 2023, whose due of the 10th is missing on the 31st; in month 7 those of 10 July and 10 August are
    assert found == {0: 0, 1: 0, 2: 21, 3: 51, 4: 82, 5: 112, 6: 82, 7: 52, 8: 0}


@lender(*LOANS)
def test_bad_rates_of_cohorts(sql: duckdb.DuckDBPyConnection) -> None:
    rates = risk.bad_rates(sql).set_index("month_end")
    # end of January 2023: customers 1, 2, 3, 5 are active; 2 and 3 go bad by January 2024; 4 has no loan yet
    assert tuple(rates.loc["2023-01-31", ["customers", "bad"]]) == (4, 2)
    # end of June 2023: 2 and 3 (months 5 of the lines: 4 dues missing) are bad already; 1 and 5 stay good
    assert tuple(rates.loc["2023-06-30", ["customers", "bad"]]) == (2, 0)
    # end of August: 3 is written off, 2 is at 60-89 with 90+ behind and none ahead; 4 has opened, bad in May 2024
    assert tuple(rates.loc["2023-08-31", ["customers", "bad"]]) == (4, 1)
    assert rates.index.max() == datetime(2024, 2, 29)
    products = risk.bad_rates_by_product(sql).set_index(["product", "month_end"])
    assert tuple(products.loc[("auto", datetime(2023, 1, 31)), ["loans", "bad"]]) == (1, 0)
    assert tuple(products.loc[("personal", datetime(2023, 1, 31)), ["loans", "bad"]]) == (4, 2)
    # cohorts a year apart, from the last: February 2024 (1, 2, 4, 5; 4 goes bad) and February 2023 (1, 2, 3, 5; 2 and 3)
    assert values.bad_rate(sql).value == pytest.approx(3 / 8)


@lender(*LOANS)
def test_defaults_vintages_and_hazard(sql: duckdb.DuckDBPyConnection) -> None:
    defaults = risk.new_defaults(sql).set_index("month_end")["defaults"]
    assert defaults[defaults > 0].to_dict() == {datetime(2023, 6, 30): 2, datetime(2024, 6, 30): 1}
    table = risk.hazard(sql).set_index("age_months")
    # C has four dues missing at month 5 like B; E at month 11 of its line
    assert table["defaults"][table["defaults"] > 0].to_dict() == {5: 2, 11: 1}
    assert table.loc[1, "at_risk"] == 6
    assert table.loc[6, "at_risk"] == 4  # B and C have been bad
    vintage = risk.vintages(sql).set_index(["vintage", "age_months"])
    assert vintage.loc[("2023Q1", 5), "bad_rate"] == pytest.approx(2 / 5)
    assert vintage.loc[("2023Q3", 10), "bad_rate"] == 0
    assert vintage.loc[("2023Q3", 11), "bad_rate"] == 1
    assert ("2023Q3", 20) not in vintage.index  # E was opened 19 months before the end


@lender(*LOANS)
def test_rolls_and_cures(sql: duckdb.DuckDBPyConnection) -> None:
    matrix, sizes = rolls.roll_matrix(sql), rolls.roll_sizes(sql)
    # 1-29: B twice (to 30-59), C once (to 30-59), E once (to 30-59), F twice (30-59, then 0)
    assert sizes["1-29"] == 6
    assert matrix.loc["1-29", "30-59"] == pytest.approx(5 / 6)
    assert matrix.loc["1-29", "0"] == pytest.approx(1 / 6)
    # 90+: B once, C twice (months 5, 6 and then written off: 4, 5 missing), E twice
    assert sizes["90+"] == 5
    assert matrix.loc["90+", "60-89"] == pytest.approx(2 / 5)
    assert matrix.loc["90+", "written off"] == pytest.approx(1 / 5)
    assert matrix.loc["0", "closed"] == pytest.approx(1 / sizes["0"])
    assert matrix.sum(axis=1).tolist() == pytest.approx([1] * 5)
    assert rolls.cures(sql).loc["30-59", "cured"] == pytest.approx(2 / sizes["30-59"])
    outcomes = rolls.default_outcomes(sql)
    # entries to 90+ with 12 months behind them: B and C in June 2023; E in June 2024 has only 8
    assert outcomes == {"defaults": 2, "cured": 0.5, "written_off": 0.5}


@lender(*LOANS)
def test_again_after_a_cure(sql: duckdb.DuckDBPyConnection) -> None:
    # cures from 30+ with 12 months after: B in month 8 (again at 60-89 in month 13, then cured in 14: 10 months left), F
    assert rolls.after_cure(sql, from_dpd=30, to_dpd=30) == (2, 0.5)
    assert rolls.after_cure(sql, from_dpd=30, to_dpd=90) == (2, 0.0)
    assert rolls.after_cure(sql, from_dpd=90, to_dpd=60) == (1, 1.0)


def test_the_downturn_against_calm_months(tmp_path: Path) -> None:
    economy = [
        {"month_end": end_of(month), "kind": "downturn", "name": "downturn", "value": float(month == 1)}
        for month in range(26)
    ]
    with open_lender(write(tmp_path, *LOANS, truth={"economy": economy})) as sql:
        # four months after month 1: 2 of 5 loans; calm from month 14 on: 1 of 4 x 4, 3 + 3 (E is bad), 6 x 4 loan-months
        assert values.downturn(sql).value == pytest.approx((2 / 5) / (1 / 46))


LOOSE = (
    term_loan("A", "1", "o" + "0" * 39),
    term_loan("B", "2", "o" + "0123" + "4" * 20, first=LOOSE_MONTHS[0] - 1),
    term_loan("C", "3", "o" + "0" * 20, first=LOOSE_MONTHS[1] - 1),
    term_loan("D", "4", "o" + "0" * 20, first=LOOSE_MONTHS[0] - 2),
    term_loan("E", "5", "o" + "01234" + "0" * 10, first=LOOSE_MONTHS[1]),
    term_loan("F", "6", "o" + "0" * 12 + "1234" + "0" * 4, first=LOOSE_MONTHS[0] - 7),
    term_loan("G", "7", "o" + "01234" + "0" * 10, first=LOOSE_MONTHS[0] - 8),
)


@lender(*LOOSE)
def test_the_loose_vintage_against_those_around(sql: duckdb.DuckDBPyConnection) -> None:
    # B and C are loose, B bad; D, E and F around, E bad within 12 months; A and G too early
    assert values.loose_vintage(sql).value == pytest.approx((1 / 2) / (1 / 3))


RESTRUCTURED = {
    "restructurings": [
        {"loan_id": loan, "effective_on": day_of(month, 1), "kind": "extension", "distressed": True,
         "known_at": noon(day_of(month, 1))}
        for loan, month in (("B", 8), ("A", 3), ("E", 20))
    ]
}  # fmt: skip


@lender(*LOANS, RESTRUCTURED)
def test_after_a_restructuring(sql: duckdb.DuckDBPyConnection) -> None:
    # E's has fewer than 12 months after it; B comes to 80 days again in month 13
    assert rolls.after_restructuring(sql, to_dpd=60) == (2, 0.5)
    assert rolls.after_restructuring(sql, to_dpd=90) == (2, 0.0)
    distressed = risk.bad_rates(sql).set_index("month_end")["with_distressed"]
    assert distressed["2023-01-31"] == pytest.approx(3 / 4)  # customers 2 and 3 by arrears, 1 by its restructuring
    assert behaviour.happenings(sql)["restructured"] == (3, 3 / 6)


@lender(*LOANS)
def test_prepayments(sql: duckdb.DuckDBPyConnection) -> None:
    table = behaviour.prepayment(sql).set_index(["product", "age_months"])
    assert table.loc[("auto", 10), "rate"] == 1
    assert table.loc[("auto", 9), "surviving"] == 1
    assert table.loc[("auto", 10), "surviving"] == 0
    assert table.xs("personal")["prepaid"].sum() == 0
    assert values.prepaid_monthly(sql, "auto").value == pytest.approx(1 / 10)
    assert values.prepaid_by_24(sql, "auto").value == 1
    assert values.prepaid_by_24(sql, "personal").value == 0


CARDS = (
    term_loan("T", "9", "o" + "0" * 15),  # 16 months, so that the book ends in April 2024
    card("X", "1", [100] * 16, [0] + [100] * 15, limits=[1_000] * 16),
    card("Y", "2", [500] * 16, [0] + [100] * 10 + [500] * 5, limits=[1_000] * 8 + [2_000] * 8),
    card("Z", "3", [0] * 16, [0] * 16, limits=[1_000] * 12 + [500] * 4),
)


@lender(*CARDS)
def test_cards(sql: duckdb.DuckDBPyConnection) -> None:
    found = behaviour.utilisation(sql)
    assert found["card_months"] == 48
    assert found["of_all"] == pytest.approx(16 * 600 / (16_000 + 8_000 + 16_000 + 12_000 + 2_000))
    assert found["mean"] == pytest.approx((16 * 0.1 + 8 * 0.5 + 8 * 0.25) / 48)
    assert values.used(sql).value == pytest.approx(found["of_all"])
    assert values.used_between(sql, above=0.1, upto=0.3).value == pytest.approx(8 / 48)
    bands = behaviour.utilisation_bands(sql).set_index("used_to")["share"].to_dict()
    # Z without a balance in 16 months, X at a tenth in 16, Y at a half in 8 and at a quarter in 8
    assert bands == {
        0.0: pytest.approx(1 / 3),
        0.1: pytest.approx(1 / 3),
        0.3: pytest.approx(1 / 6),
        0.5: pytest.approx(1 / 6),
    }
    kinds = behaviour.card_types(sql)
    # at the end of the book (in December there is no balance before January's): X in full, Y not in 10 of 12 months, Z nothing
    assert [day.date() for day in kinds["month_end"]] == [date(2024, 4, 30)]
    assert kinds[["transactor", "revolver", "dormant"]].to_numpy().tolist() == [[pytest.approx(1 / 3)] * 3]
    changes = behaviour.limit_changes(sql).set_index("month")
    assert changes.loc["2023-09-30", ["cards", "raised", "cut"]].tolist() == [3, 1, 0]
    assert changes.loc["2024-01-31", ["cards", "raised", "cut"]].tolist() == [3, 0, 1]
    assert values.per_card_year(sql, "cut").value == pytest.approx(12 / 45)


RECOVERIES = {
    "payments": [
        payment("R1", "C", day_of(9, 5), 300, "recovery"),
        payment("R2", "C", day_of(20, 5), 100, "recovery"),
    ]
}


@lender(*LOANS, RECOVERIES, term_loan("L", "8", "o" + "0" * 33))
def test_recoveries(sql: duckdb.DuckDBPyConnection) -> None:
    table = behaviour.recovery(sql).set_index("months_after")  # C was written off in month 7; the book has 34 months
    assert table.index.max() == 26
    assert table["share"][table["share"] > 0].to_dict() == {2: pytest.approx(0.3), 13: pytest.approx(0.1)}
    assert table.loc[24, "so_far"] == pytest.approx(0.4)
    assert (
        values.recovered(sql, products=("auto",)).value != values.recovered(sql, products=("auto",)).value
    )  # none: NaN
    loans = values.lost_and_back(sql, 24, ("personal", "card"))
    assert loans.to_dict("records") == [{"lost": 1_000, "back": 400, "early": 300}]


@lender(*LOANS)
def test_several_loans_and_what_happened(sql: duckdb.DuckDBPyConnection) -> None:
    table = behaviour.several_loans(sql).set_index("month")
    assert table.loc["2023-01-31"].tolist() == [4, 0.25]  # customer 1 has A and D
    assert table.loc["2023-12-31"].tolist() == [4, 0.0]
    found = behaviour.happenings(sql)
    assert found["write_offs"] == (1, 1 / 6)
    assert found["partial_payments"][0] == 0
    assert found["over_payments"][0] == 0
    assert found["several_schedules"][0] == 0


EXTRAS = {
    "instalments": [
        {"loan_id": "B", "schedule_version": 2, "instalment_no": 1, "effective_from": day_of(25, 1), "due_on": day_of(25, 11),
         "due_amount": 90, "known_at": noon(day_of(25, 1))}
    ],
    "payments": [
        payment("X1", "A", day_of(24, 21), 500),
        payment("X2", "A", day_of(24, 22), -500, "reversal", "X1"),
        payment("X3", "F", day_of(25, 22), 50),
        payment("X4", "F", day_of(20, 22), 400, "prepayment"),
    ],
}  # fmt: skip


@lender(*LOANS, EXTRAS)
def test_schedules_reversals_overpayments_prepayments_in_part(sql: duckdb.DuckDBPyConnection) -> None:
    found = behaviour.happenings(sql)
    assert found["several_schedules"] == (1, 1 / 6)
    assert found["reversals"][0] == 1
    assert found["over_payments"][0] == 2  # F paid 50 ahead in the last month; B owes 90 and paid 100
    assert found["prepaid_in_part"] == (1, 1 / 6)


FRAUD = term_loan("Z", "7", "o12345" + "W")


@lender(*LOANS, FRAUD)
def test_loans_that_never_paid(sql: duckdb.DuckDBPyConnection) -> None:
    found = values.first_payment_defaults(sql)
    assert found.value == pytest.approx(1 / 7)


def test_versions_and_dirt(tmp_path: Path) -> None:
    early, late = datetime(2022, 1, 1), datetime(2023, 6, 1)
    people = [
        person("1", monthly_income=2_000, national_id="ZZ1"),
        person("2", national_id="ZZ1"),
        {**person("2", monthly_income=1_000, national_id="ZZ1"), "known_at": late},
        person("4", monthly_income=3_000, national_id="ZZ4"),
        person("5", monthly_income=3_000, national_id="ZZ5"),
    ]
    booked = [
        {"transaction_id": "T1", "customer_id": "1", "booked_at": early, "amount": 1, "known_at": early},
        {"transaction_id": "T2", "customer_id": "1", "booked_at": early, "amount": 1, "known_at": late},
    ]
    folder = write(tmp_path, *LOANS[:2], LOANS[3], LOANS[4], LOANS[5], {"customers": people, "transactions": booked})
    with open_lender(folder) as sql:
        found = dirt.dirt(sql)
        assert found["missing_income"] == pytest.approx(1 / 4)
        assert found["customers_with_versions"] == pytest.approx(1 / 4)
        assert found["shared_national_id"] == pytest.approx(2 / 4)
        assert found["late_transactions"] == pytest.approx(1 / 2)
        table = dirt.versions(sql).set_index("table")
        assert table.loc["customers"].tolist() == [4, 0.25, 0]
        assert table.loc["loans"].tolist() == [5, 0.2, 0]


TRUTH = {
    "defaults": [
        {"loan_id": loan, "customer_id": customer, "month_end": end_of(month), "path": path,
         "arrears_since": day_of(month - 3, 10), "episode_kind": kind}
        for loan, customer, month, path, kind in (
            ("B", "2", 5, "gradual", "gradual_income"), ("C", "3", 5, "strategic", None),
            ("E", "4", 17, "sudden", "sudden_income"),
            ("H", "6", 24, "sudden", "sudden_expense"))
    ],
    "episodes": [
        {"customer_id": customer, "kind": kind, "began": day_of(began, 3), "ended": end_of(ended) if ended else None,
         "worst_dpd": 0, "defaulted": defaulted}
        for customer, kind, began, ended, defaulted in (
            ("1", "gradual_income", 1, 4, False), ("2", "gradual_income", 0, 9, True), ("5", "sudden_expense", 2, None, False),
            ("4", "sudden_income", 13, None, True), ("6", "sudden_expense", 20, None, True),
            ("1", "gradual_income", 4, 7, False))
    ],
    "incidents": [
        {"incident_id": str(number), "customer_id": customer, "kind": kind, "start": day_of(month, 5), "end": None,
         "harmful": harmful, "visible": True, "amount": amount, "monthly_income": 1_000.0 * int(customer),
         "defaulted_12m": bad}
        for number, (customer, kind, month, harmful, amount, bad) in enumerate((
            ("1", "takeover", 1, True, 1_000.0, False), ("2", "takeover", 2, True, 3_000.0, True),
            ("1", "takeover", 24, True, 2_000.0, False), ("1", "bonus", 2, False, 2_000.0, False),
            ("1", "travel", 3, False, 500.0, False), ("2", "travel", 3, False, 8_000.0, False),
            ("2", "phone", 3, False, 2_000.0, False)))
    ],
    "applications": [
        {"application_id": str(number), "customer_id": "1", "applied_on": day_of(1, 5), "loan_id": None, "decision": decision,
         "hidden_score": hidden, "outcome_kind": "observed" if decision == "accepted" else "counterfactual",
         "worst_dpd_12m": 0, "bad_12m": bad, "months_seen": months}
        for number, (decision, hidden, bad, months) in enumerate((
            ("accepted", 3.0, False, 12), ("accepted", 2.0, True, 12), ("accepted", 9.0, False, 12), ("accepted", 1.0, True, 6),
            ("declined", 0.0, True, 12), ("declined", 1.0, True, 12), ("declined", 5.0, False, 12)))
    ],
    "treatments": [
        {"customer_id": "1", "loan_id": "A", "decided_on": day_of(1, 5), "kind": kind, "treated": treated, "bad_12m": bad,
         "bad_12m_otherwise": otherwise, "worst_dpd_12m": 0, "worst_dpd_12m_otherwise": 0, "complete": complete}
        for kind, treated, bad, otherwise, complete in (
            ("contact", True, False, True, True), ("contact", True, False, False, True), ("contact", False, True, False, True),
            ("contact", False, True, True, True), ("contact", True, True, False, False), ("limit_cut", True, True, False, True))
    ],
}  # fmt: skip
DECIDED = {
    "applications": [
        {"application_id": str(number), "customer_id": "1", "applied_at": noon(day_of(1, 5)), "decision": decision,
         "decline_reason": reason, "score": float(score), "known_at": noon(day_of(1, 5))}
        for number, (decision, reason, score) in enumerate((
            ("accepted", None, 500), ("accepted", None, 600), ("accepted", None, 700), ("accepted", None, 400),
            ("declined", "score", 300), ("declined", "score", 310), ("declined", "arrears", 650), ("withdrawn", None, 900)))
    ]
}  # fmt: skip
INCOMES = {"customers": [person("1", monthly_income=1_000), person("2", monthly_income=2_000)]}
LATE_EARLIER = term_loan("H", "6", "o" + "0" * 16 + "1100" + "12340")  # late in months 17 and 18, and from 21 on


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> duckdb.DuckDBPyConnection:
    return open_lender(write(tmp_path_factory.mktemp("truth"), *LOANS, LATE_EARLIER, DECIDED, INCOMES, truth=TRUTH))


def test_paths_into_default(known: duckdb.DuckDBPyConnection) -> None:
    assert truths.paths(known).set_index("path")["share"].to_dict() == {
        "gradual": 0.25,
        "strategic": 0.25,
        "sudden": 0.5,
    }
    assert truths.path_share(known, "sudden").value == 0.5
    # E was never late before its episode began in month 13; H was in months 17 and 18, before its own in month 20
    assert truths.sudden_without_signal(known).value == 0.5


def test_episodes(known: duckdb.DuckDBPyConnection) -> None:
    # 26 months: those begun by month 7 count. Of gradual income: two over without default, one defaulted
    table = truths.episodes(known).set_index("kind")
    assert table.loc["gradual_income"].tolist() == pytest.approx([3, 2 / 3, 1 / 3, 0])
    assert table.loc["sudden_expense"].tolist() == pytest.approx([1, 0, 0, 1])
    assert truths.recovered_episodes(known).value == pytest.approx(2 / 4)


def test_incidents_and_lookalikes(known: duckdb.DuckDBPyConnection) -> None:
    table = truths.incidents(known).set_index("kind")
    assert table.loc["takeover", ["incidents", "median", "defaulted"]].tolist() == pytest.approx([3, 1.5, 1 / 3])
    assert truths.lookalikes(known).value == pytest.approx(4 / 3)
    # sizes in months of income: harmful 1, 1.5, 2 (middle 80 %: 1.1 to 1.9); benign 2, 0.5, 4, 1
    assert truths.overlap(known).value == 0
    assert truths.overlap(known, of_harmful=True).value == 1  # the middle of the benign: 0.65 to 3.4
    # the take-over in month 24 has no 12 months after it
    assert truths.harmless_harm(known).value == pytest.approx(1 / 2)


def test_applications(known: duckdb.DuckDBPyConnection) -> None:
    assert truths.approved(known).value == pytest.approx(4 / 7)
    assert truths.decline_reasons(known).set_index("reason")["applications"].to_dict() == {"score": 2, "arrears": 1}
    found = truths.applicants(known).set_index("decision")["bad_rate"]
    assert found.to_dict() == {"accepted": pytest.approx(1 / 3), "declined": pytest.approx(2 / 3)}
    assert truths.rejected_to_accepted(known).value == pytest.approx(2)
    fifths = truths.outcomes_by_score(known)
    # six by hidden score: 0 declined bad and 1 declined bad, 2 accepted bad, 3 accepted, 5 declined, 9 accepted
    assert fifths["applications"].tolist() == [2, 1, 1, 1, 1]
    assert fifths["bad_rate"].tolist() == [1, 1, 0, 0, 0]
    # accepted with 12 months: scores 500 good, 600 bad, 700 good: one pair right, one wrong. By the hidden score both right
    assert truths.application_gini(known).value == pytest.approx(0)
    assert truths.application_gini(known, hidden=True).value == pytest.approx(1)
    # all six: bads 600, 300, 310; goods 500, 700, 650: 8 of 9 pairs right
    assert truths.application_gini(known, accepted=False).value == pytest.approx(7 / 9)


def test_treatments(known: duckdb.DuckDBPyConnection) -> None:
    table = truths.treatment_effects(known).set_index(["kind", "treated"])
    # contact, treated: effects -1 and 0; not treated (bad as it was, good and bad had they been): -1 and 0
    assert table.loc[("contact", True), "effect"] == -0.5
    assert table.loc[("contact", False), "effect"] == -0.5
    assert table.loc[("limit_cut", True), ["cases", "effect"]].tolist() == [1, 1]
    found = truths.effect_of(known, "contact")
    assert found.value == -0.5
    assert found.error == pytest.approx(0.25)


def test_groups(tmp_path: Path) -> None:
    people = [
        person(str(number), gender=gender, occupation=job, birth_date=date(birth, 1, 1))
        for number, gender, job, birth in (
            (1, "female", "public", 1990), (2, "male", "transport", 2000), (3, "male", "transport", 1970),
            (4, "female", "public", 1950), (5, "male", "public", 1980))
    ]  # fmt: skip
    with open_lender(write(tmp_path, *LOANS, {"customers": people})) as sql:
        table = truths.bad_rate_by(sql, "gender").set_index("group")
        # cohorts February 2024 and 2023: women are 1 twice and 4 once (bad); men 2, 3, 5 (2 and 3 bad), then 2 and 5
        assert table.loc["female", ["customers", "bad"]].tolist() == [3, 1]
        assert table.loc["male", ["customers", "bad"]].tolist() == [5, 2]
        assert values.bad_rate_over(sql, "gender", "male", "female").value == pytest.approx((2 / 5) / (1 / 3))
        ages = truths.bad_rate_by(sql, "age_band").set_index("group")["customers"].to_dict()
        assert ages == {0: 2, 1: 2, 2: 2, 3: 1, 4: 1}  # 25, 35, 45, 55 and 75 years old in 2025
        # all men but one drive, no woman does: chi2 = 5 * (2 * 2 - 0 * 1)^2 / (2 * 3 * 2 * 3)
        assert truths.proxy(sql).value == pytest.approx((5 * 16 / 36 / 5) ** 0.5)


def test_truth_that_is_absent_is_named(tmp_path: Path) -> None:
    with (
        open_lender(write(tmp_path, *LOANS)) as sql,
        pytest.raises(MissingTableError, match=r"no truth/defaults\.parquet"),
    ):
        truths.paths(sql)
