"""The bands in which a lender that a risk manager would believe lies, each with its source.

A source is what was measured on real data or what somebody wrote; `SOURCES` says which and how it was read. "House choice"
says that there is none, or that the limit lies beyond what the source says.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import duckdb

from . import band_values as values
from . import truths
from .estimates import Estimate

HOUSE = "house choice"
ISSUE = "asked of this lender"
AART = "US car loans"
TAIWAN = "Taiwanese cards"
SOURCES = {
    AART: "measured here: 3,454 prime car loans of one US lender, June 2017 to March 2020, with the DPD of this project; "
    "Lautier, Pozdnyakov and Yan 2024, JRSS A, doi 10.1093/jrsssa/qnae137. Due days are set to the 15th, payment extensions "
    "are not marked: persistence in a bucket is overstated. New entrants are loans that come from a less late bucket.",
    TAIWAN: "measured here: 30,000 cards of one bank, April to September 2005, in a card crisis (UCI, default of credit card "
    "clients).",
    "TransUnion 2017": "shares delinquent 12 months later of consumers current on four products, and 90+ by end of 2016 of "
    "personal loans of 2015; as reported by insideARM and biia.com, not read in the original.",
    "charge-offs": "Federal Reserve Board, Charge-Off Rates, All Banks, seasonally adjusted: cards 2020Q1 3.7 %, 2021Q4 1.6 %, "
    "2024Q2 4.5 % a year.",
    "FEDS Notes": "A Note on Recent Dynamics of Consumer Delinquency Rates, 24 Nov 2025, figure 1: cards 4.25 % (2007Q1) to "
    "7.17 % (2009Q2), auto 3.41 to 4.57 %.",
    "textbook": "a chain of 40, 55, 62 % a month posted as an illustration on R-help, 30 Apr 2004: not a measurement.",
    "OCC": "OCC and OTS Mortgage Metrics 2009Q3, as reported by smartbrief.com: mortgages modified in 2009Q1.",
    "CFPB": "Credit Card Database report, as reported by nativefinance.org: of all accounts.",
    "marketplace lenders": "wordings of Prosper and LendingClub investors, 2013 to 2016: no sample, weak.",
    "S&P": "U.S. Auto Loan ABS Tracker, full year 2019: monthly recovery rate of prime loans.",
    "first payments": "26 of about 16,000 LendingClub loans never paid (Renton 2011); car loans in default within six months "
    "1-3 % (PointPredictive 2017, a vendor).",
    "Ganong and Noel": "2023, QJE 138(2): 6 % of underwater mortgages' defaults by negative equity alone. Unsecured: none.",
}


@dataclass(frozen=True)
class Band:
    """What is measured, between which values it is believed, and why."""

    name: str
    low: float
    high: float
    unit: str  # "%", "x" (a ratio), "months", "bads", "" (a number from 0 to 1)
    measure: Callable[[duckdb.DuckDBPyConnection], Estimate]
    meaning: str
    source: str

    def holds(self, found: Estimate, *, errors: float = 0.0) -> bool:
        """Return whether a value lies in the band widened by so many of its standard errors; NaN does not."""
        return self.low - errors * found.error <= found.value <= self.high + errors * found.error

    def shown(self, value: float) -> str:
        """Return a value in the band's unit, without the unit's name."""
        if not math.isfinite(value):
            return "n/a" if math.isnan(value) else "-"
        value = 100 * value if self.unit == "%" else value
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


OUTCOMES = (
    Band("bad_12m", 0.035, 0.06, "%", values.bad_rate,
         "customers bad within 12 months, cohorts a year apart", f"{HOUSE}; {AART}: 4.1-4.8 %"),
    Band("bad_12m_personal", 0.03, 0.07, "%", partial(values.product_bad_rate, product="personal"),
         "personal loans bad within 12 months", f"{HOUSE}; TransUnion 2017: 6.2 % of a year's loans 90+ within two years"),
    Band("bad_12m_auto", 0.025, 0.055, "%", partial(values.product_bad_rate, product="auto"),
         "car loans bad within 12 months", f"{AART}: 4.1-4.8 %, prime"),
    Band("bad_12m_card", 0.025, 0.06, "%", partial(values.product_bad_rate, product="card"),
         "cards bad within 12 months", "TransUnion 2017: 2.9-3.7 %; charge-offs: 1.6-4.5 % a year"),
    Band("out_of_time_bads", 400, math.inf, "bads", values.out_of_time_bads,
         "bads at the last two of the dates three months apart, per 20,000 customers", ISSUE),
    Band("downturn", 1.3, 2.2, "x", values.downturn,
         "new defaults a month in the downturn over those in calm months",
         "FEDS Notes: cards 1.7, auto 1.3; upper end house choice"),
    Band("loose_vintage", 1.3, 2.5, "x", values.loose_vintage,
         "bad within 12 months on book: loans of the loose months over those around", HOUSE),
    Band("hazard_peak", 9, 24, "months", values.peak,
         "months on book at which the hazard of the first default is highest", f"{ISSUE}; {AART}: 13-15"),
)  # fmt: skip

MOVES = (
    Band("roll_1_29", 0.12, 0.40, "%", partial(values.roll, start="1-29", end="30-59"),
         "1-29 to 30-59 in a month", f"{AART}: 12 % of new entrants; textbook: 40 %"),
    Band("roll_30_59", 0.23, 0.55, "%", partial(values.roll, start="30-59", end="60-89"),
         "30-59 to 60-89 in a month", f"{AART}: 23 %; textbook: 55 %"),
    Band("roll_60_89", 0.34, 0.65, "%", partial(values.roll, start="60-89", end="90+"),
         "60-89 to 90+ in a month", f"{AART}: 34 %; textbook: 62 %"),
    Band("stay_1_29", 0.20, 0.70, "%", partial(values.roll, start="1-29", end="1-29"),
         "1-29 a month later again", f"{AART}: 43 % of new entrants, 69 % of all: many stay one instalment behind"),
    Band("cure_1_29", 0.20, 0.50, "%", partial(values.cure, bucket="1-29"),
         "1-29: nothing overdue a month later", f"{AART}: 22 % of all, 43 % of new entrants; upper end house choice"),
    Band("cure_30_59", 0.04, 0.22, "%", partial(values.cure, bucket="30-59"),
         "30-59: nothing overdue a month later", f"{AART}: 5.5-10 %; upper end house choice"),
    Band("cure_60_89", 0.02, 0.14, "%", partial(values.cure, bucket="60-89"),
         "60-89: nothing overdue a month later", f"{AART}: 4-7 %; upper end house choice"),
    Band("cure_default", 0.10, 0.35, "%", values.default_cured,
         "90+: nothing overdue at a month end within 12 months",
         f"{AART}: 15 % current, 14 % prepaid; upper end house choice"),
    Band("redefault_30", 0.10, 0.35, "%", partial(values.relapse, from_dpd=30, to_dpd=90),
         "cured from 30+: 90+ within 12 months", f"{AART}: 22 % (n 121)"),
    Band("redefault_90", 0.25, 0.60, "%", partial(values.relapse, from_dpd=90, to_dpd=90),
         "cured from 90+: 90+ within 12 months", f"{AART}: 48 % (n 21)"),
    Band("redefault_restructured", 0.15, 0.45, "%", values.restructured_again,
         "restructured: 60+ or written off within 12 months",
         f"{HOUSE}, below OCC: 56 % at 30+ in 6-9 months"),
)  # fmt: skip

USE = (
    Band("prepay_auto", 0.01, 0.022, "%", partial(values.prepaid_monthly, product="auto"),
         "car loans repaid whole, a month", f"{AART}: 1.64 %"),
    Band("prepay_personal", 0.01, 0.025, "%", partial(values.prepaid_monthly, product="personal"),
         "personal loans repaid whole, a month", HOUSE),
    Band("prepaid_24_auto", 0.20, 0.42, "%", partial(values.prepaid_by_24, product="auto"),
         "car loans repaid whole by month 24", f"{AART}: 1.64 % a month is 33 %"),
    Band("prepaid_24_personal", 0.20, 0.45, "%", partial(values.prepaid_by_24, product="personal"),
         "personal loans repaid whole by month 24", HOUSE),
    Band("utilisation", 0.20, 0.40, "%", values.used,
         "balances over limits of all cards", f"{TAIWAN}: 31 %"),
    Band("little_used", 0.25, 0.50, "%", partial(values.used_between, above=-1e9, upto=0.1),
         "cards that use up to 10 % of the limit", f"{TAIWAN}: 38 %"),
    Band("near_limit", 0.05, 0.25, "%", partial(values.used_between, above=0.9, upto=1e9),
         "cards that use over 90 % of the limit", f"{TAIWAN}, in a card crisis: 20 %"),
    Band("transactors", 0.15, 0.40, "%", partial(values.card_type, kind="transactor"),
         "cards paid in full in 10 of 12 months", f"CFPB: just under 20 %; {TAIWAN}: 19-25 %; upper end house choice"),
    Band("revolvers", 0.30, 0.65, "%", partial(values.card_type, kind="revolver"),
         "cards that carry a balance", f"CFPB: 30-40 %; {TAIWAN}: 49 %"),
    Band("dormant", 0.05, 0.40, "%", partial(values.card_type, kind="dormant"),
         "cards without a balance for 12 months", f"{TAIWAN}: 9 % (3 % six months); CFPB: 40 %"),
    Band("recovery_unsecured", 0.07, 0.20, "%", partial(values.recovered, products=values.UNSECURED),
         "of what was written off, back within 24 months: personal, card",
         "marketplace lenders: 7-14 %; upper end house choice"),
    Band("recovery_auto", 0.35, 0.67, "%", partial(values.recovered, products=("auto",)),
         "of what was written off, back within 24 months: auto",
         f"{AART}: 42 % at once, 67 % where sold; S&P: 58 %"),
    Band("recovery_early", 0.50, 0.90, "%", values.recovered_early,
         "of what came back in 24 months: in the first 12", HOUSE),
    Band("several_loans", 0.20, 0.40, "%", values.several,
         "customers with two open loans or more", f"{ISSUE}: 20 % or more; upper end house choice"),
)  # fmt: skip

HAPPENINGS = (
    Band("restructured", 0.005, 0.05, "%", partial(values.happened, what="restructured"),
         "loans restructured", HOUSE),
    Band("several_schedules", 0.01, 0.15, "%", partial(values.happened, what="several_schedules"),
         "loans with two schedules or more", f"{HOUSE}: a restructuring makes a new one, and so does a part prepayment"),
    Band("partial_payments", 0.01, 0.06, "%", partial(values.happened, what="partial_payments"),
         "loan-months paid in part", HOUSE),
    Band("reversals", 0.005, 0.03, "%", partial(values.happened, what="reversals"),
         "scheduled payments that came back", HOUSE),
    Band("over_payments", 0.002, 0.10, "%", partial(values.happened, what="over_payments"),
         "loan-months paid ahead of all dues", HOUSE),
    Band("prepaid_in_part", 0.02, 0.25, "%", partial(values.happened, what="prepaid_in_part"),
         "term loans prepaid in part", f"{HOUSE}; {AART}: 4 % of loan-months"),
    Band("limits_raised", 0.03, 0.30, "%", partial(values.per_card_year, what="raised"),
         "limits raised, per card and year", HOUSE),
    Band("limits_cut", 0.005, 0.10, "%", partial(values.per_card_year, what="cut"),
         "limits cut, per card and year", HOUSE),
    Band("never_paid", 0.001, 0.01, "%", values.first_payment_defaults,
         "new loans in default without one payment",
         "first payments: under 0.2 %, and 1-3 % of car loans within six months"),
)  # fmt: skip

CAUSES = (
    Band("sudden", 0.20, 0.35, "%", partial(truths.path_share, path="sudden"),
         "defaults by a sudden shock", ISSUE),
    Band("gradual", 0.40, 0.75, "%", partial(truths.path_share, path="gradual"),
         "defaults by gradual stress", HOUSE),
    Band("strategic", 0.02, 0.06, "%", partial(truths.path_share, path="strategic"),
         "defaults by those who could pay",
         f"{HOUSE}; Ganong and Noel: 6 %"),
    Band("first_payment_fraud", 0.005, 0.05, "%", partial(truths.path_share, path="first_payment_fraud"),
         "defaults of loans never meant to be paid", HOUSE),
    Band("no_signal", 0.50, 1.0, "%", truths.sudden_without_signal,
         "sudden defaults never late in the 12 months before the episode", HOUSE),
    Band("recovered_episodes", 0.50, 0.92, "%", truths.recovered_episodes,
         "stress episodes over without default", f"{ISSUE}: at least half; upper end house choice"),
    Band("lookalikes", 10, 60, "x", truths.lookalikes,
         "benign look-alikes for each harmful incident", f"{ISSUE}: at least 10; upper end house choice"),
    Band("overlap", 0.30, 1.0, "%", truths.overlap,
         "benign look-alikes of a size among the middle 80 % of the harmful", HOUSE),
    Band("overlap_harmful", 0.30, 1.0, "%", partial(truths.overlap, of_harmful=True),
         "harmful incidents of a size among the middle 80 % of the look-alikes", HOUSE),
    Band("harmless_harm", 0.30, 0.97, "%", truths.harmless_harm,
         "harmful incidents that no default followed in 12 months", f"{ISSUE}: some; the limits house choice"),
    Band("approval", 0.45, 0.80, "%", truths.approved,
         "decided applications accepted", HOUSE),
    Band("rejected_risk", 1.5, 5, "x", truths.rejected_to_accepted,
         "bad rate of the declined, had they been accepted, over the accepted's", HOUSE),
    Band("application_gini", 0.15, 0.50, "", truths.application_gini,
         "Gini of the application score on the accepted", HOUSE),
)  # fmt: skip

GROUPS = (
    Band("proxy", 0.15, 0.60, "", truths.proxy,
         "Cramer's V of occupation and gender", HOUSE),
    Band("gender_risk", 1.05, 1.6, "x", partial(values.bad_rate_over, column="gender", group="male", other="female"),
         "bad rate of men over that of women", HOUSE),
    Band("age_risk", 1.1, 3, "x", partial(values.bad_rate_over, column="age_band", group="0", other="3"),
         "bad rate under 30 over that from 50 to 59", HOUSE),
    Band("missing_income", 0.03, 0.05, "%", partial(values.dirt_rate, what="missing_income"),
         "customers without an income at first", f"{HOUSE}: drawn at 4 %"),
    Band("late_transactions", 0.004, 0.006, "%", partial(values.dirt_rate, what="late_transactions"),
         "transactions known a day or more after", f"{HOUSE}: drawn at 0.5 %"),
    Band("corrected_payments", 0.0005, 0.01, "%", partial(values.corrected, table="payments"),
         "payments with more than one version", HOUSE),
    Band("changed_customers", 0.20, 0.70, "%", partial(values.dirt_rate, what="customers_with_versions"),
         "customers with more than one version", HOUSE),
    Band("doubled_customers", 0.002, 0.03, "%", partial(values.dirt_rate, what="shared_national_id"),
         "customers whose national id another has too", HOUSE),
)  # fmt: skip

TREATED = (
    Band("contact_effect", -0.10, -0.003, "%", partial(truths.effect_of, kind="contact"),
         "bad within 12 months with a contact less without, case by case", f"{HOUSE}: it helps in the default story"),
    Band("limit_cut_effect", -0.10, -0.003, "%", partial(truths.effect_of, kind="limit_cut"),
         "the same of a limit cut", f"{HOUSE}: it helps in the default story"),
    Band("restructuring_effect", -0.30, -0.02, "%", partial(truths.effect_of, kind="restructuring"),
         "the same of a restructuring", f"{HOUSE}: it helps in the default story"),
)  # fmt: skip

RANKING = (
    Band("latent_gini", 0.65, 0.80, "", partial(values.ranked, what="latent"),
         "Gini of the true PD at the last complete date", ISSUE),
    Band("scorecard_gini", 0.45, 0.60, "", partial(values.ranked, what="scorecard"),
         "Gini of a scorecard at that date, fitted on the earlier ones", ISSUE),
    Band("held_out_gini", 0.45, 0.60, "", partial(values.ranked, what="held_out"),
         "Gini of that scorecard at the earlier dates, on customers kept from its fit", ISSUE),
    Band("without_dpd", 0.05, 0.40, "", partial(values.ranked, what="gap"),
         "how much lower it is without any input that knows of arrears", f"{ISSUE}: clearly lower; the numbers house choice"),
)  # fmt: skip

BANDS: tuple[Band, ...] = (*OUTCOMES, *MOVES, *USE, *HAPPENINGS, *CAUSES, *GROUPS, *TREATED, *RANKING)
