"""Why risk changed: parts that sum to the whole, by hand and on random books, and factors that sum to the score."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pandas as pd
import pytest

from workbench.core.errors import InputError, ModelError
from workbench.core.languages import in_language
from workbench.models.bins import Bins
from workbench.models.scorecard import Scaling, Scorecard, scaled
from workbench.monitoring.attribution import PARTS, risk_change, score_movers


def customers(rows: list[tuple[str, float, float, float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["customer_id", "pd", "exposure", "dpd_now"])


def amounts(table: pd.DataFrame) -> dict[str, float]:
    return dict(zip(table["part"], table["amount"], strict=True))


def random_customers(seed: int, people: int = 300) -> tuple[pd.DataFrame, pd.DataFrame]:
    draw = np.random.default_rng(seed)
    frames = []
    for _date in range(2):
        who = draw.choice(people, size=int(people * 0.8), replace=False)
        dpd = draw.choice([0, 20, 60, 95, np.nan], len(who), p=[0.6, 0.15, 0.1, 0.1, 0.05])
        money = np.where(draw.random(len(who)) < 0.05, np.nan, draw.gamma(2, 4000, len(who)))
        chance = np.where(dpd >= 90, 1.0, draw.beta(1, 15, len(who)))
        product = draw.choice(["auto", "card"], len(who))
        frame = {"customer_id": [f"C{n}" for n in who], "pd": chance, "exposure": money, "dpd_now": dpd}
        frames.append(pd.DataFrame(frame | {"product": product}))
    return frames[0], frames[1]


def split_by_hand(now: pd.DataFrame, before: pd.DataFrame, lgd: dict[str, float]) -> dict[str, float]:
    """Change one factor after the other, in either order, customer by customer, and take the mean of both orders."""
    sums = dict.fromkeys(["before", *PARTS, "now"], 0.0)
    people = [
        {row.customer_id: (row.pd, 0.0 if np.isnan(row.exposure) else row.exposure * lgd[row.product], row.dpd_now >= 90)
         for row in rows.itertuples()} for rows in (now, before)
    ]  # fmt: skip
    since, then = people
    for who in {*since, *then}:
        if who in then:
            sums["before"] += then[who][0] * then[who][1]
        if who in since:
            sums["now"] += since[who][0] * since[who][1]
        if who not in then:
            sums["came"] += since[who][0] * since[who][1]
        elif who not in since:
            sums["left"] -= then[who][0] * then[who][1]
        else:
            state = {"exposure": then[who][1], "pd": then[who][0]}
            last = {"exposure": since[who][1], "pd": since[who][0]}
            worsened, recovered = since[who][2] and not then[who][2], then[who][2] and not since[who][2]
            for order in itertools.permutations(["exposure", "pd"]):
                held = dict(state)
                for factor in order:
                    was = held["exposure"] * held["pd"]
                    held[factor] = last[factor]
                    part = "new defaults" if worsened else "no longer in default" if recovered else "PD"
                    sums["exposure" if factor == "exposure" else part] += (held["exposure"] * held["pd"] - was) / 2
    return sums


def test_a_book_of_five_by_hand() -> None:
    before = customers(
        [
            ("stays", 0.10, 1000, 0),
            ("worse", 0.10, 1000, 0),
            ("left", 0.50, 400, 0),
            ("bad", 0.20, 500, 60),
            ("cured", 1.0, 100, 95),
        ]
    )
    now = customers(
        [
            ("stays", 0.10, 800, 0),
            ("worse", 0.30, 1000, 0),
            ("came", 0.05, 2000, 0),
            ("bad", 1.0, 500, 90),
            ("cured", 0.4, 100, 0),
        ]
    )
    table = risk_change(now, before, bad_dpd=90)
    assert table["part"].tolist() == ["before", *PARTS, "now"]
    assert amounts(table) == pytest.approx({
        "before": 100 + 100 + 200 + 100 + 100,
        "came": 100,  # 0.05 x 2000
        "left": -200,  # 0.5 x 400
        "exposure": -20,  # (800 - 1000) x 0.10
        "PD": 200,  # (0.3 - 0.1) x 1000
        "new defaults": 400,  # (1 - 0.2) x 500
        "no longer in default": -60,  # (0.4 - 1) x 100
        "now": 80 + 300 + 100 + 500 + 40,
    })  # fmt: skip
    assert table["customers"].tolist() == [5, 1, 1, 1, 1, 1, 1, 5]


def test_both_at_once_are_split_at_the_midpoints() -> None:
    table = amounts(risk_change(customers([("C", 0.3, 200, 0)]), customers([("C", 0.1, 100, 0)]), bad_dpd=90))
    assert table["exposure"] == pytest.approx(100 * 0.2)
    assert table["PD"] == pytest.approx(0.2 * 150)


@pytest.mark.parametrize("seed", range(8))
def test_parts_sum_to_the_whole_and_are_those_of_the_definition(seed: int) -> None:
    before, now = random_customers(seed)
    for by_product in ({"auto": 1.0, "card": 1.0}, {"auto": 0.3, "card": 0.7}):
        lost = [rows.assign(exposure=rows["exposure"] * rows["product"].map(by_product)) for rows in (now, before)]
        found = amounts(risk_change(*lost, bad_dpd=90))
        assert found["before"] + sum(found[part] for part in PARTS) == pytest.approx(found["now"], rel=1e-9)
        assert found == pytest.approx(split_by_hand(now, before, by_product), rel=1e-9, abs=1e-9)
    table = risk_change(now, before, bad_dpd=90).set_index("part")["customers"]
    assert table["came"] == len(set(now["customer_id"]) - set(before["customer_id"]))
    assert table["left"] == len(set(before["customer_id"]) - set(now["customer_id"]))


def test_nothing_changed_and_nobody_there() -> None:
    rows = customers([("C1", 0.1, 100, 0), ("C2", 1.0, 50, 95)])
    still = amounts(risk_change(rows.iloc[::-1], rows, bad_dpd=90))
    assert {still[part] for part in PARTS} == {0.0}
    assert amounts(risk_change(rows, rows.head(0), bad_dpd=90))["came"] == 60
    assert amounts(risk_change(rows.head(0), rows, bad_dpd=90))["left"] == -60


def test_what_cannot_be_split_is_refused() -> None:
    rows = customers([("C1", 0.1, 100, 0), ("C2", 0.1, 50, 0)])
    with pytest.raises(InputError, match="stands twice in `before`"):
        risk_change(rows, rows.assign(customer_id="C1"), bad_dpd=90)
    with pytest.raises(InputError, match="no exposure is stated"):
        risk_change(rows.assign(exposure=np.nan), rows, bad_dpd=90)


WORDS = {"label": {"en": "Days late", "zh": "逾期天数"}, "reason": {"en": "x", "zh": "x"}}


@pytest.fixture(scope="module")
def card() -> Scorecard:
    late = Bins("dpd_now", (1.0, 30.0), (), (900, 60, 30, 10), (20, 20, 40, 2))
    use = Bins("use", (0.2, 0.7), (), (500, 300, 190, 10), (10, 30, 60, 2))
    job = Bins("job", (), (("clerk",), ("driver", "waiter")), (700, 280, 10, 10), (20, 60, 2, 2))
    variables = (
        scaled(late, -1.0, Scaling(), **WORDS),
        scaled(use, -0.7, Scaling(), label={"en": "Use"}, reason={"en": "x"}),
        scaled(job, -0.4, Scaling(), label={}, reason={"en": "x"}),
    )
    return Scorecard("hand", {}, variables, -3.0, Scaling(), (9.0, -0.02), (("A", 0.05), ("B", 1.0)))


def panel(seed: int, people: int = 400) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    who = draw.choice(people, size=int(people * 0.8), replace=False)
    return pd.DataFrame({
        "customer_id": [f"C{n}" for n in who],
        "dpd_now": draw.choice([0.0, 10.0, 45.0, 95.0, np.nan], len(who)),
        "use": np.where(draw.random(len(who)) < 0.1, np.nan, draw.random(len(who))),
        "job": draw.choice(["clerk", "driver", "waiter", "pilot", None], len(who)),
    })  # fmt: skip


@pytest.mark.parametrize("seed", range(6))
def test_points_sum_to_the_mean_score_change_and_are_those_of_each_customer(card: Scorecard, seed: int) -> None:
    before, now = panel(seed), panel(seed + 100)
    found = score_movers(card, now, before, bad_dpd=90)
    rows = now.merge(before, on="customer_id", suffixes=("", "_before"))
    rows = rows[~(rows["dpd_now"] >= 90) & ~(rows["dpd_now_before"] >= 90)]
    assert found.attrs["customers"] == len(rows) > 50
    change = card.score(rows, reasons=False)["score"].mean()
    change -= card.score(
        rows.drop(columns=["dpd_now", "use", "job"]).rename(columns=lambda name: name.removesuffix("_before")),
        reasons=False,
    )["score"].mean()
    assert found["change"].sum() == pytest.approx(change, abs=1e-9)
    assert found.attrs["change"] == pytest.approx(change, abs=1e-9)
    assert found["change"].is_monotonic_increasing
    for variable in card.variables:
        points = [
            [
                variable.points[int(variable.bins.assign(pd.Series([value], dtype=rows[name].dtype))[0])]
                for value in rows[name]
            ]
            for name in (variable.name, f"{variable.name}_before")
        ]
        row = found.set_index("variable").loc[variable.name]
        assert row["points"] == pytest.approx(np.mean(points[0]))
        assert row["points_before"] == pytest.approx(np.mean(points[1]))
        assert row["up"] == pytest.approx(np.mean([now > was for now, was in zip(*points, strict=True)]))
        assert row["down"] == pytest.approx(np.mean([now < was for now, was in zip(*points, strict=True)]))


def test_one_variable_that_changed_alone_has_all_of_it(card: Scorecard) -> None:
    before = panel(1).assign(dpd_now=0.0, use=0.1)
    found = score_movers(card, before.assign(use=0.9).sample(frac=1, random_state=2), before, bad_dpd=90).set_index(
        "variable"
    )
    change = card.variables[1].points[2] - card.variables[1].points[0]
    assert found["change"].to_dict() == pytest.approx({"use": change, "dpd_now": 0.0, "job": 0.0})
    assert change < 0
    assert found.index[0] == "use"
    assert found.loc["use", ["up", "down"]].tolist() == [0, 1]


def test_labels_are_in_the_language_in_use(card: Scorecard) -> None:
    rows = panel(1)
    assert set(score_movers(card, rows, rows, bad_dpd=90)["label"]) == {"Days late", "Use", "job"}
    with in_language("zh"):
        assert "逾期天数" in score_movers(card, rows, rows, bad_dpd=90)["label"].tolist()


def test_no_customer_in_both(card: Scorecard) -> None:
    rows = panel(1)
    found = score_movers(card, rows, rows.assign(customer_id="X" + rows["customer_id"]), bad_dpd=90)
    assert found.attrs["customers"] == 0
    assert found["change"].isna().all()


@pytest.mark.slow
def test_a_long_book_takes_no_loop_over_customers(card: Scorecard) -> None:
    draw, people = np.random.default_rng(3), 300_000
    rows = pd.DataFrame({"customer_id": pd.Series(range(people)).astype(str), "dpd_now": draw.choice([0.0, 10.0, 95.0], people),
                         "use": draw.random(people), "job": draw.choice(["clerk", "driver"], people)})  # fmt: skip
    rows = rows.assign(pd=draw.random(people), exposure=draw.random(people))
    started = time.process_time()
    risk_change(rows.iloc[5:], rows, bad_dpd=90)
    score_movers(card, rows.iloc[5:], rows, bad_dpd=90)
    assert time.process_time() - started < 15  # about 2 s; a loop over customers takes minutes


def test_several_rows_a_customer_are_refused(card: Scorecard) -> None:
    rows = panel(1)
    twice = pd.concat([rows, rows])
    with pytest.raises(InputError, match="stands twice in `now`"):
        score_movers(card, twice, rows, bad_dpd=90)
    with pytest.raises(ModelError, match="has no column 'use'"):
        score_movers(card, rows.drop(columns="use"), rows, bad_dpd=90)
