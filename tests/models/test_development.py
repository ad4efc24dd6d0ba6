"""Observation dates, the split into parts, and how a scorecard is judged."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from workbench.book.book import Book
from workbench.book.schema import TABLES
from workbench.core.dates import add_months, month_end
from workbench.core.errors import ParameterError, SampleError
from workbench.core.workspace import Workspace
from workbench.indicators.registry import REGISTRY
from workbench.models.development import (
    candidates,
    group_members,
    modelling_set,
    new_customers_out_of_time,
    observation_dates,
)
from workbench.models.evaluation import gini
from workbench.models.fitting import FittedScorecard
from workbench.models.sample import Sample, sample
from workbench.models.scoring import keep_scores
from workbench.models.tracking import ModelVersion
from workbench.models.validation import beside, gate_metrics, single_ginis, stability_table, validate

LAST = date(2025, 9, 30)


def dates(book: Book, **changes: object) -> list[date]:
    options = {"as_of": LAST, "window_months": 12, "every_months": 3, "history_months": 6, **changes}
    return observation_dates(book, **options)  # type: ignore[arg-type]


# --- when to observe ---------------------------------------------------------------------------------------------------


def test_dates_by_hand(small_book: Book) -> None:
    # the book begins on 2023-01-01, so six months of history are there from 2023-06-30
    quarters = [(2023, 6, 30), (2023, 9, 30), (2023, 12, 31), (2024, 3, 31), (2024, 6, 30), (2024, 9, 30)]
    assert dates(small_book) == [date(*day) for day in quarters]
    assert dates(small_book, last=date(2024, 4, 30), every_months=6) == [date(2023, 10, 31), date(2024, 4, 30)]
    assert dates(small_book, as_of=date(2025, 2, 27))[-1] == date(2024, 1, 31)  # February's window ends on the 28th
    assert dates(small_book, as_of=date(2025, 2, 28))[-1] == date(2024, 2, 29)


@given(as_of=st.dates(date(2025, 2, 1), LAST), window=st.integers(1, 14), every=st.integers(1, 4))
def test_every_window_has_ended_and_none_was_left_unused(
    small_book: Book, as_of: date, window: int, every: int
) -> None:
    found = dates(small_book, as_of=as_of, window_months=window, every_months=every)
    assert found == sorted(found)
    assert all(day == month_end(day) and add_months(day, window) <= as_of for day in found)
    assert add_months(month_end(found[-1], months=1), window) > as_of
    assert found[0] >= date(2023, 6, 30)
    assert month_end(found[0], months=-every) < date(2023, 6, 30)


def test_a_last_date_is_a_bound(small_book: Book) -> None:
    assert dates(small_book, last=date(2024, 10, 31)) == dates(small_book)
    assert dates(small_book, last=date(2024, 5, 15))[-1] == date(2024, 4, 30)


def test_a_long_history_is_covered_evenly(small_book: Book) -> None:
    every_second = [date(2023, 9, 30), date(2024, 3, 31), date(2024, 9, 30)]  # of the six quarters, back from the last
    assert dates(small_book, at_most=5) == every_second
    assert dates(small_book, at_most=3) == every_second
    assert dates(small_book, at_most=2) == [date(2023, 12, 31), date(2024, 9, 30)]
    assert dates(small_book, at_most=1) == dates(small_book, at_most=2)  # one to fit on, one to validate on
    assert dates(small_book, at_most=6) == dates(small_book)


def test_too_few_dates_are_refused(small_book: Book) -> None:
    with pytest.raises(SampleError, match=r"1 observation dates fit between 2023-06-30 and 2024-09-30 every 24 months"):
        dates(small_book, every_months=24)
    with pytest.raises(ParameterError, match="history_months: found 0, expected 1 or more"):
        dates(small_book, history_months=0)


# --- what to fit on ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sampled(small_book: Book) -> Sample:
    return sample(small_book, as_of=[date(2023, 12, 31), date(2024, 3, 31), date(2024, 6, 30)])


def parts(book: Book, sampled: Sample, **changes: object) -> pd.DataFrame:
    options = {"out_of_time_dates": 1, "test_share": 0.3, "out_of_group": "", "seed": 7, **changes}
    return modelling_set(book, sampled, **options)  # type: ignore[arg-type]


def test_a_customer_is_never_in_both_train_and_test(small_book: Book, sampled: Sample) -> None:
    rows = parts(small_book, sampled)
    train, test = (set(rows.loc[rows["part"] == part, "customer_id"]) for part in ("train", "test"))
    assert train
    assert test
    assert not train & test
    assert 0.2 < len(test) / len(train | test) < 0.4
    late = rows["as_of"] == pd.Timestamp(2024, 6, 30)
    assert (rows.loc[late, "part"] == "out of time").all()
    assert not (rows.loc[~late, "part"] == "out of time").any()
    assert len(rows) == len(sampled.frame)
    assert set(REGISTRY) <= set(rows.columns)


def test_new_customers_out_of_time_took_no_part_in_the_fit(small_book: Book, sampled: Sample) -> None:
    rows = parts(small_book, sampled)
    new = new_customers_out_of_time(rows)
    assert len(new)
    assert set(new["part"]) == {"new customers"}
    assert not set(new["customer_id"]) & set(rows.loc[rows["part"] == "train", "customer_id"])
    assert set(new["as_of"]) == {pd.Timestamp(2024, 6, 30)}


def test_the_same_customers_are_held_out_whatever_the_dates(small_book: Book, sampled: Sample) -> None:
    early = Sample(sampled.frame.query("as_of < '2024-06-30'"), sampled.losses, 12)
    held_out = [set(rows.loc[rows["part"] == "test", "customer_id"]) for rows in
                (parts(small_book, sampled, out_of_time_dates=2), parts(small_book, early))]  # fmt: skip
    assert held_out[0] == held_out[1]


def test_a_group_is_kept_out_at_every_date(small_book: Book, sampled: Sample) -> None:
    people = small_book.as_known("customers", as_of=LAST).to_pandas()
    region = people["region"].mode().item()
    rows = parts(small_book, sampled, out_of_group=f"region={region}")
    outside = rows["customer_id"].isin(people.loc[people["region"] == region, "customer_id"])
    assert (rows["part"] == "out of group").equals(outside.rename("part"))
    assert rows["part"].nunique() == 4


@pytest.mark.parametrize("group", ["region", "regio=1", "=1"])
def test_a_wrong_group_is_told(group: str, small_book: Book) -> None:
    with pytest.raises(ParameterError, match="expected column=value with a column of customers"):
        group_members(small_book, group, as_of=LAST)


def test_a_group_that_is_known_only_as_it_is_now_is_refused(small_book: Book) -> None:
    with pytest.raises(ParameterError, match="'segment' is known only as it is now"):
        group_members(small_book, "segment=mass", as_of=LAST)


@pytest.mark.parametrize(("vintage", "months"), [("2023", range(1, 13)), ("2023Q2", range(4, 7))])
def test_a_vintage_is_kept_out_by_the_first_loan(vintage: str, months: range, small_book: Book) -> None:
    loans = small_book.as_known("loans", as_of=LAST).to_pandas()
    first = pd.to_datetime(loans.groupby("customer_id")["opened_on"].min())
    expected = first.index[(first.dt.year == 2023) & first.dt.month.isin(months)]
    assert group_members(small_book, f"vintage={vintage}", as_of=LAST) == sorted(expected)


@pytest.mark.parametrize("vintage", ["1950", "23", "2023Q5", ""])
def test_a_vintage_that_is_none_is_told(vintage: str, small_book: Book) -> None:
    with pytest.raises(ParameterError, match="out_of_group: "):
        group_members(small_book, f"vintage={vintage}", as_of=LAST)


def test_an_empty_group_is_told(small_book: Book) -> None:
    with pytest.raises(ParameterError, match="nobody has region = 'Atlantis' in book 'small'"):
        group_members(small_book, "region=Atlantis", as_of=LAST)
    assert group_members(small_book, "", as_of=LAST) == []


@pytest.mark.parametrize("number", [0, 3])
def test_out_of_time_dates_leave_something_to_fit_on(number: int, small_book: Book, sampled: Sample) -> None:
    with pytest.raises(ParameterError, match=f"out_of_time_dates: found {number}, expected 1 to 2 of 3 dates"):
        parts(small_book, sampled, out_of_time_dates=number)


def test_candidates_carry_direction_and_role() -> None:
    offered = candidates()
    assert set(offered) == set(REGISTRY)
    assert (offered["dpd_now"].direction, offered["dpd_now"].role) == ("higher", "feature")
    assert offered["age_years"].role == "protected"
    assert offered["care_requests_180d"].role == "care"


def test_the_history_of_scores_is_no_candidate(small_book: Book, sampled: Sample) -> None:
    # No canonical table holds scores, and a modelling set is the same whatever was scored before.
    assert not {"scores", "grades"} & set(TABLES)
    options = {"out_of_time_dates": 1, "test_share": 0.3, "out_of_group": "", "seed": 7}
    before = modelling_set(small_book, sampled, **options)
    version = ModelVersion("small_scorecard", "1", "run")
    scores = before[["customer_id", "as_of"]].assign(model=version.name, version="1", score=1.0, pd=0.5, grade="A")
    kept = keep_scores(small_book, scores.drop_duplicates(["customer_id", "as_of"]))
    try:
        after = modelling_set(small_book, sampled, **options)
    finally:
        for path in kept:
            path.unlink()
    pd.testing.assert_frame_equal(before, after)
    assert not {"score", "pd", "grade"} & set(candidates()) & set(after.columns)


# --- how it did --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rows(sample: tuple[pd.DataFrame, np.ndarray]) -> pd.DataFrame:
    """Return the shared sample in parts; two rows a customer; the last part has no bads."""
    frame, bad = sample
    part = np.repeat(["out of time", "train", "test", "out of group"], [1000, 2000, 900, 100])
    table = frame.assign(bad=bad, part=part, customer_id=[f"C{n // 2}" for n in range(len(frame))])
    table.loc[table["part"] == "out of group", "bad"] = 0
    return table


def test_validation_by_part(rows: pd.DataFrame, fitted: FittedScorecard) -> None:
    table = validate(fitted.scorecard, rows, seed=1, repeats=50)
    assert table["part"].tolist() == ["train", "test", "out of time", "out of group"]
    found = table.set_index("part")
    scored = fitted.scorecard.score(rows, reasons=False)
    for part in ("train", "test", "out of time"):
        inside = rows["part"] == part
        bad, score = rows.loc[inside, "bad"], scored.loc[inside, "score"]
        row = found.loc[part]
        assert (row["rows"], row["bads"]) == (inside.sum(), bad.sum())
        assert row["gini"] == pytest.approx(2 * roc_auc_score(bad, -score) - 1, abs=1e-12)
        assert row["pd_mean"] == pytest.approx(scored.loc[inside, "pd"].mean())
        assert row["calibration_ratio"] == pytest.approx(row["pd_mean"] / bad.mean())
        assert row["brier"] == pytest.approx(((scored.loc[inside, "pd"] - bad) ** 2).mean())
        assert row["gini_low"] < row["gini"] < row["gini_high"]
        assert row["ks_low"] < row["ks"] < row["ks_high"]
    empty = found.loc["out of group"]
    assert (empty["rows"], empty["bads"], empty["bad_rate"]) == (100, 0, 0)
    assert empty[["gini", "gini_low", "ks", "brier", "calibration_ratio"]].isna().all()


def test_validation_by_two_columns(rows: pd.DataFrame, fitted: FittedScorecard) -> None:
    table = validate(fitted.scorecard, rows, by=("part", "job"), seed=1, repeats=5)
    jobs = rows.fillna({"job": "missing"}).groupby(["part", "job"])["bad"].sum()
    with pytest.raises(ParameterError, match="unknown column 'jbo'"):
        validate(fitted.scorecard, rows, by=("jbo",), seed=1)
    named = validate(
        fitted.scorecard, rows.rename(columns={"job": "gini"}).assign(job="a"), by=("gini",), seed=1, repeats=5
    )
    assert named["gini"].shape[1] == 2  # what it is grouped by, and the figure
    assert table.set_index(["part", "job"])["bads"].to_dict() == jobs.to_dict()


def test_gate_metrics_are_those_that_the_gates_name(
    rows: pd.DataFrame, fitted: FittedScorecard, workspace: Workspace
) -> None:
    validation = validate(fitted.scorecard, rows, seed=1, repeats=50)
    slopes = pd.DataFrame({"variable": ["(intercept)", "a", "b", "c"], "coefficient": [1.0, -0.5, 0.0, 0.3]})
    stability = stability_table(fitted.scorecard, rows, "out of time", seed=1, repeats=10)
    losses = pd.DataFrame({"active": [100, 50], "already_bad": [0, 10], "incomplete": [3, 2]})
    metrics = gate_metrics(rows, validation, slopes, stability=stability, losses=losses)
    assert metrics["max_incomplete_share"] == 2 / 40
    assert metrics["max_csi"] == stability.loc[stability["of"] != "score", "psi"].max()
    gates = yaml.safe_load((workspace.params / "gates.yaml").read_text())["scorecard"]
    assert set(gates) <= set(metrics)
    assert metrics["wrong_signs"] == 2  # nought and a positive one; the intercept has no sign to keep
    found = validation.set_index("part")
    assert metrics["gini_drop"] == found.loc["train", "gini"] - found.loc["out of time", "gini"]
    assert metrics["bads_out_of_time"] == found.loc["out of time", "bads"]
    assert "gini_out_of_group" not in metrics  # it cannot be had, so no gate may read it
    assert 0 <= metrics["psi_score"] < 0.1


def test_single_ginis_are_signed_by_the_declared_direction() -> None:
    rows = pd.DataFrame(
        {
            "part": "train",
            "bad": [0, 0, 1, 1],
            "dpd_now": [0.0, 1.0, 2.0, 3.0],  # riskier when higher: ranks perfectly
            "declared_income": [1.0, 2.0, 3.0, 4.0],  # riskier when lower: ranks the wrong way round
            "exposure": [1.0, 2.0, 3.0, 4.0],  # no direction declared
            "salary_3m": np.nan,
        }
    )
    table = single_ginis(rows, ["dpd_now", "declared_income", "exposure", "salary_3m"]).set_index("indicator")["train"]
    assert table[["dpd_now", "declared_income"]].tolist() == [1, -1]
    assert table[["exposure", "salary_3m"]].isna().all()
    by_day = rows.assign(day=[1, 2, 1, 2]).drop(columns="part")
    table = single_ginis(by_day, ["exposure", "salary_3m"], by="day", undirected=True).set_index("indicator")
    assert table.loc["exposure"].tolist() == [1, 1]
    assert table.loc["salary_3m"].isna().all()


def test_beside_the_scorecard_each_single_variable_with_its_difference(
    rows: pd.DataFrame, fitted: FittedScorecard
) -> None:
    names = list(fitted.scorecard.inputs)
    table = beside(fitted.scorecard, rows, names, part="out of time").set_index("ranked_by")
    late = rows[rows["part"] == "out of time"]
    score = fitted.scorecard.score(late, reasons=False)["score"]
    assert table.loc["scorecard", "gini"] == pytest.approx(gini(late["bad"], score))
    assert np.isnan(table.loc["scorecard", "difference"])
    for name in names:
        row = table.loc[name]
        assert row["difference"] == pytest.approx(table.loc["scorecard", "gini"] - row["gini"])
        assert row["difference_low"] < row["difference"] < row["difference_high"]
    empty = beside(fitted.scorecard, rows, names, part="out of group")
    assert empty["gini"].isna().all()  # no bads there
