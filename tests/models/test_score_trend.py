"""Past month ends under one model version: a slow walk through customers gives the same numbers."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from workbench.book.book import Book
from workbench.book.portfolio import exposures
from workbench.core.dates import month_end
from workbench.core.errors import SampleError
from workbench.core.workspace import Workspace
from workbench.indicators.panel import Panel
from workbench.indicators.stored import panel_path, stored_panel, write_panel
from workbench.models import score_trend as module
from workbench.models.backtest import ALL, backtest_pd
from workbench.models.bins import Bins
from workbench.models.forecast import past_errors
from workbench.models.risk_forecasts import (
    AT_RISK,
    GRADES,
    GRADES_EXPOSURE,
    HIGH_RISK,
    LOSS,
    SCORE,
    forecast_scores,
)
from workbench.models.score_trend import fit_period, score_trend
from workbench.models.scorecard import Scaling, Scorecard, scaled
from workbench.models.scoring import keep_scores, kept_scores
from workbench.models.tracking import ModelVersion

LAST = date(2025, 6, 30)
VERSION = ModelVersion("hand", "1", "run")
GRADES_OF = ["A", "B", "C"]
MONTHS = [month_end(LAST, months=-k) for k in reversed(range(27))]


@pytest.fixture(scope="module")
def card() -> Scorecard:
    words = {"label": {"en": "x"}, "reason": {"en": "x"}}
    late = Bins("dpd_now", (1.0, 30.0), (), (900, 60, 30, 10), (20, 20, 40, 2))
    size = Bins("exposure", (2000.0, 5000.0), (), (500, 300, 190, 10), (20, 30, 30, 2))
    variables = tuple(scaled(bins, -1.0, Scaling(), **words) for bins in (late, size))
    provenance = {"dates": ["2023-06-30", "2023-12-31", "2024-06-30"], "split": {"out_of_time_dates": 1}}
    bands = (("A", 0.05), ("B", 0.2), ("C", 1.0))
    return Scorecard("hand", {"window_months": 12}, variables, -3.0, Scaling(), (9.0, -0.02), bands, provenance)


@pytest.fixture(scope="module")
def lender(make_book: Callable[..., Book], new_workspace: Callable[..., Workspace]) -> Book:
    """Return a book of 80 loans that come and go, in two products, with a stored panel of each month but one."""
    draw = np.random.default_rng(4)
    loans, months = [], []
    for number in range(80):
        start, length = int(draw.integers(0, 20)), int(draw.integers(4, 40))
        opened = month_end(MONTHS[0], months=start - 8).replace(day=3)
        ids = {"loan_id": f"L{number}", "customer_id": f"C{number % 70}", "product": ["auto", "card"][number % 2]}
        closed = month_end(opened, months=length).replace(day=2)
        loans.append(ids | {"opened_on": opened, "principal": 9000.0,
                            "closed_on": closed if closed <= LAST else None})  # fmt: skip
        late = 0
        for age in range(length):
            day = month_end(opened, months=age)
            late = max(0, late + int(draw.choice([-40, 0, 30], p=[0.35, 0.4, 0.25])))
            if day <= LAST:
                months.append({"loan_id": f"L{number}", "month_end": day, "dpd": late,
                               "balance": 9000.0 * (1 - age / 41)})  # fmt: skip
    customers = pd.DataFrame({"customer_id": [f"C{n}" for n in range(70)]})
    tables = {"customers": customers, "loans": pd.DataFrame(loans), "performance": pd.DataFrame(months)}
    book = make_book(tables, within=new_workspace(), first_day=date(2022, 1, 1), last_day=LAST, name="trend")
    for day in MONTHS:
        held = exposures(book, as_of=day).rename(columns={"dpd": "dpd_now"})
        frame = held[["customer_id", "exposure", "dpd_now"]].assign(as_of=pd.Timestamp(day), other=1.0)
        write_panel(
            book, Panel(frame[["customer_id", "as_of", "exposure", "dpd_now"]], {}), panel_path(book, day), as_of=day
        )
    panel_path(book, MONTHS[2]).unlink()
    return book


def by_hand(book: Book, card: Scorecard, day: date) -> dict[str, tuple[str, float, float, float | None]]:
    """Return grade, PD, exposure and score (none for who is 90 days late) of each customer, one by one."""
    held = exposures(book, as_of=day).rename(columns={"dpd": "dpd_now"})
    found = {}
    for _index, row in held.iterrows():
        scored = card.score(pd.DataFrame([row]).infer_objects(), reasons=False).iloc[0]
        bad = row["dpd_now"] >= 90
        grade, chance = ("C", 1.0) if bad else (scored["grade"], scored["pd"])
        found[row["customer_id"]] = (
            str(grade),
            float(chance),
            float(row["exposure"]),
            None if bad else scored["score"],
        )
    return found


def test_each_date_is_what_its_customers_are_one_by_one(lender: Book, card: Scorecard) -> None:
    trend = score_trend(lender, card, VERSION, as_of=LAST, months=27)
    assert trend.missing == [MONTHS[2]]
    assert trend.table["month_end"].dt.date.tolist() == [day for day in MONTHS if day != MONTHS[2]]
    assert set(trend.table["source"]) == {"panel"}
    for day in (MONTHS[0], MONTHS[13], LAST):
        row = trend.table[trend.table["month_end"] == pd.Timestamp(day)].iloc[0]
        people = by_hand(lender, card, day)
        exposure = sum(money for _g, _p, money, _s in people.values())
        scores = [score for *_rest, score in people.values() if score is not None]
        assert row["customers"] == len(people)
        assert row["defaulted"] == len(people) - len(scores) > 0
        assert row["exposure"] == pytest.approx(exposure)
        assert row["score_mean"] == pytest.approx(sum(scores) / len(scores))
        assert row["pd_mean"] == pytest.approx(sum(p for _g, p, *_ in people.values()) / len(people))
        assert row["pd_exposure"] == pytest.approx(sum(p * money for _g, p, money, _s in people.values()))
        for grade in GRADES_OF:
            inside = [money for g, _p, money, _s in people.values() if g == grade]
            assert row[f"share_{grade}"] == pytest.approx(len(inside) / len(people))
            assert row[f"exposure_share_{grade}"] == pytest.approx(sum(inside) / exposure)
    assert (trend.table[["share_A", "share_B", "share_C"]].mean() > 0).all()


def test_flows_are_who_moved_one_by_one_since_the_last_gap(lender: Book, card: Scorecard) -> None:
    trend = score_trend(lender, card, VERSION, as_of=LAST, months=27)
    assert sorted(trend.flows["month_end"].dt.date.unique()) == MONTHS[3:]
    for before, now in ((None, MONTHS[3]), (MONTHS[12], MONTHS[13]), (MONTHS[-2], LAST)):
        then = {} if before is None else by_hand(lender, card, before)
        people = by_hand(lender, card, now)
        sums: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0, 0.0, 0.0])
        for customer in {*then, *people}:
            one = sums[
                then[customer][0] if customer in then else "new", people[customer][0] if customer in people else "left"
            ]
            one[0] += 1
            one[1] += then[customer][2] if customer in then else 0.0
            one[2] += people[customer][2] if customer in people else 0.0
        rows = trend.flows[trend.flows["month_end"] == pd.Timestamp(now)]
        found = {
            (row.before, row.after): [row.customers, row.exposure_before, row.exposure_after]
            for row in rows.itertuples()
        }
        assert found.keys() == sums.keys()
        for key, expected in sums.items():
            assert found[key] == pytest.approx(expected)


def test_expected_loss_is_pd_times_lgd_times_exposure(lender: Book, card: Scorecard) -> None:
    asked = []

    def lgd(day: date) -> pd.Series:
        asked.append(day)
        product = exposures(lender, as_of=day).set_index("customer_id")["product"]
        return product.map({"auto": 0.2, "card": 0.8})

    table = score_trend(lender, card, VERSION, as_of=LAST, months=2, lgd=lgd).table
    assert asked == [moment.date() for moment in table["month_end"]]
    for day, loss in zip(list(asked), table["expected_loss"], strict=True):
        lost = lgd(day)
        people = by_hand(lender, card, day)
        assert loss == pytest.approx(sum(p * money * lost[who] for who, (_g, p, money, _s) in people.items()))


def test_dates_of_the_fit_and_of_its_outcomes_are_marked(lender: Book, card: Scorecard) -> None:
    assert fit_period(card) == (date(2023, 6, 30), date(2024, 12, 31))  # the last observation was kept out of time
    table = score_trend(lender, card, VERSION, as_of=LAST, months=27).table.set_index("month_end")["in_fit"]
    assert not table["2023-05-31"]
    assert table["2023-06-30":"2024-12-31"].all()
    assert not table["2025-01-31":].any()
    unknown = score_trend(lender, replace(card, provenance={}), VERSION, as_of=LAST, months=3).table
    assert unknown["in_fit"].isna().all()


def test_kept_scores_stand_in_for_a_panel_that_is_gone(
    lender: Book, card: Scorecard, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = score_trend(lender, card, VERSION, as_of=LAST, months=4)
    day = MONTHS[-2]
    panel = stored_panel(lender, as_of=day, columns=["customer_id", "exposure", "dpd_now"])
    assert panel is not None
    scored = card.score(panel, reasons=False).assign(customer_id=panel["customer_id"], as_of=pd.Timestamp(day))
    scored = scored.assign(model="hand", version="1", grade=scored["grade"].astype(str))
    assert kept_scores(lender, VERSION, as_of=day) is None
    (path,) = keep_scores(lender, scored)
    path.rename(path.with_name(f"{day}-ffffffffffffffff.parquet"))  # of an earlier delivery
    elsewhere = kept_scores(lender, VERSION, as_of=day)
    (own,) = keep_scores(lender, scored.head(3))
    os.utime(own, (1, 1))  # older, but of the book as it is
    found = kept_scores(lender, VERSION, as_of=day)
    assert elsewhere is not None
    assert found is not None
    assert (len(elsewhere), len(found)) == (len(scored), 3)
    own.unlink()
    path = panel_path(lender, day)
    monkeypatch.setattr(
        module,
        "stored_panel",
        lambda *args, as_of, **more: None if as_of == day else stored_panel(*args, as_of=as_of, **more),
    )
    again = score_trend(lender, card, VERSION, as_of=LAST, months=4, build=True)
    assert again.table["source"].tolist() == ["panel", "panel", "kept scores", "panel"]
    pd.testing.assert_frame_equal(again.table.drop(columns="source"), whole.table.drop(columns="source"))
    pd.testing.assert_frame_equal(again.flows, whole.flows)
    assert score_trend(lender, card, ModelVersion("hand", "2", "run"), as_of=LAST, months=4).missing == [day]
    assert path.exists()


def test_build_makes_what_is_missing(lender: Book, card: Scorecard, monkeypatch: pytest.MonkeyPatch) -> None:
    day, made = MONTHS[2], []

    def build(book: Book, *, as_of: date) -> None:
        made.append(as_of)
        held = exposures(book, as_of=as_of).rename(columns={"dpd": "dpd_now"}).assign(as_of=pd.Timestamp(as_of))
        panel = Panel(held[["customer_id", "as_of", "exposure", "dpd_now"]], {})
        write_panel(book, panel, panel_path(book, as_of), as_of=as_of)

    monkeypatch.setattr(module, "load_panel", build)
    told: list[tuple[int, int]] = []
    trend = score_trend(lender, card, VERSION, as_of=LAST, months=27, build=True, told=lambda *step: told.append(step))
    panel_path(lender, day).unlink()
    assert made == [day]
    assert trend.missing == []
    assert trend.flows["month_end"].nunique() == 27
    assert told[-1] == (27, 27)


def test_only_the_columns_that_scoring_reads_are_read(lender: Book) -> None:
    frame = stored_panel(lender, as_of=LAST, columns=["dpd_now", "customer_id", "nothing"])
    assert frame is not None
    assert frame.columns.tolist() == ["dpd_now", "customer_id"]
    assert stored_panel(lender, as_of=date(2022, 1, 31), columns=["dpd_now"]) is None


def test_scores_are_forecast_together(lender: Book, card: Scorecard) -> None:
    trend = score_trend(
        lender,
        card,
        VERSION,
        as_of=LAST,
        months=27,
        lgd=lambda day: exposures(lender, as_of=day).set_index("customer_id")["exposure"] * 0 + 0.4,
    )
    found = forecast_scores(trend, high_risk=["C"], horizon=3)
    assert list(found) == [
        SCORE,
        "mean PD",
        AT_RISK,
        LOSS,
        GRADES,
        HIGH_RISK,
        GRADES_EXPOSURE,
        "share of high-risk exposure",
    ]
    mix = found[GRADES].table
    assert mix.groupby("month_end")["value"].sum().tolist() == pytest.approx([1] * 3)
    assert found[HIGH_RISK].table["value"].tolist() == pytest.approx(mix.loc[mix["part"] == "C", "value"].tolist())
    shares = trend.table.set_index("month_end").loc[found[GRADES].history.index, ["share_A", "share_B", "share_C"]]
    assert found[GRADES].history.to_numpy() == pytest.approx(shares.to_numpy())
    assert found[LOSS].table["value"].tolist() == pytest.approx(
        (found[AT_RISK].table["value"] * 0.4).tolist(), rel=1e-3
    )
    assert "migration" in found[GRADES_EXPOSURE].values
    assert set(past_errors(found)["series"]) == set(found)


def test_a_book_without_balances_has_no_forecast_of_money(lender: Book, card: Scorecard) -> None:
    trend = score_trend(lender, card, VERSION, as_of=LAST, months=24)
    poor = replace(
        trend,
        table=trend.table.assign(pd_exposure=np.nan),
        flows=trend.flows.assign(exposure_before=0.0, exposure_after=0.0),
    )
    assert list(forecast_scores(poor, high_risk=["C"], horizon=2)) == [SCORE, "mean PD", GRADES, HIGH_RISK]


def test_too_short_a_history_says_what_to_do(lender: Book, card: Scorecard) -> None:
    short = score_trend(lender, card, VERSION, as_of=LAST, months=19)
    with pytest.raises(SampleError, match="found 19 month ends in a row with a panel, expected 20"):
        forecast_scores(short, high_risk=["C"])
    long = score_trend(lender, card, VERSION, as_of=MONTHS[3], months=20)  # the panel before is missing
    with pytest.raises(SampleError, match="found 1 month ends in a row"):
        forecast_scores(long, high_risk=["C"])
    with pytest.raises(
        SampleError, match="no panel and no scores of hand@1 are stored of the 3 month ends up to 2022-09-30"
    ):
        score_trend(lender, card, VERSION, as_of=date(2022, 9, 30), months=3)


def test_the_first_months_of_a_book_are_not_scored(lender: Book, card: Scorecard) -> None:
    with pytest.raises(SampleError, match="of the 1 month ends up to 2022-06-30"):
        score_trend(lender, card, VERSION, as_of=date(2022, 6, 30), months=20)


def test_predicted_and_realised_are_those_of_the_customers_one_by_one(lender: Book, card: Scorecard) -> None:
    observed, target = date(2024, 6, 30), lender.definitions.target
    months = lender.as_known("performance", as_of=LAST).to_pandas()
    months["month_end"] = pd.to_datetime(months["month_end"]).dt.date
    loans = lender.as_known("loans", as_of=LAST).to_pandas().set_index("loan_id")
    people: dict[str, dict[str, bool]] = {}
    for loan, rows in months.groupby("loan_id"):
        late = rows.set_index("month_end")["dpd"]
        closed = loans.loc[loan, "closed_on"]
        one = people.setdefault(loans.loc[loan, "customer_id"], {"active": False, "gone_bad": False, "was_bad": False})
        since = month_end(observed, months=-target.probation_months)
        one["was_bad"] |= any(late.get(day, 0) >= 90 for day in MONTHS if since <= day <= observed)
        if observed in late.index and (pd.isna(closed) or pd.Timestamp(closed).date() > observed):
            one["active"] = True
            one["gone_bad"] |= any(late.get(day, 0) >= 90 for day in MONTHS if observed < day <= LAST)
    expected: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    for customer, (grade, chance, *_rest) in by_hand(lender, card, observed).items():
        if people[customer]["active"] and not people[customer]["was_bad"]:
            expected[grade].append((chance, people[customer]["gone_bad"]))
            expected[ALL].append((chance, people[customer]["gone_bad"]))

    found = backtest_pd(lender, card, as_of=LAST)
    assert (found.observed, found.in_fit) == (observed, True)
    assert found.table["grade"].tolist() == [*sorted(grade for grade in expected if grade != ALL), ALL]
    assert len(found.table) > 2
    for row in found.table.itertuples():
        one = expected[row.grade]
        bads, n, z = sum(bad for _chance, bad in one), len(one), 1.959964
        assert (row.customers, row.bads) == (n, bads)
        assert row.pd_mean == pytest.approx(sum(chance for chance, _bad in one) / n)
        middle, share = (bads + z * z / 2) / (n + z * z), bads / n
        half = z / (n + z * z) * (n * share * (1 - share) + z * z / 4) ** 0.5  # Wilson (1927)
        assert (row.bad_rate, row.low, row.high) == pytest.approx((share, middle - half, middle + half), abs=1e-6)
    assert 0 < found.table["bads"].iloc[-1] < found.table["customers"].iloc[-1]


def test_without_a_panel_or_a_window_there_is_no_comparison(lender: Book, card: Scorecard) -> None:
    with pytest.raises(SampleError, match=r"no panel of 2023-06-30.*--as-of 2023-06-30 --book trend"):
        backtest_pd(lender, card, as_of=month_end(MONTHS[2], months=12))
    with pytest.raises(SampleError, match="the book begins after 2021-12-31"):
        backtest_pd(lender, card, as_of=date(2022, 12, 31))
