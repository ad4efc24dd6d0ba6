"""A flat table with a target becomes a sample, or one clear error."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from workbench.core.errors import InputError, ParameterError, SampleError
from workbench.core.workspace import Workspace
from workbench.core.yaml_files import check_mapping
from workbench.models.batch import read_blocks
from workbench.models.binning import fit_bins
from workbench.models.calibration import calibrate
from workbench.models.development import split_table, validation_part
from workbench.models.evaluation import gini
from workbench.models.fitting import Candidate, FitOptions, FittedScorecard, fit_scorecard
from workbench.models.sample_description import SampleDescription, described_samples
from workbench.models.sample_table import TableSample, load_sample, sample_from_table, text_columns
from workbench.models.table_file import TableLayout, read_table
from workbench.models.validation import beside, gate_metrics, own_ginis, stability_table, validate

GRADES = (("A", 0.02), ("B", 0.1), ("C", 1.0))


def table(rows: int = 600) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    income = np.exp(rng.normal(8, 0.5, rows))
    late = rng.choice([-1, 0, 1, 2, 3], rows)
    bad = rng.random(rows) < 1 / (1 + np.exp(1 + (income - 3000) / 2000 - 0.5 * late))
    return pd.DataFrame(
        {
            "no": [f"{i:05d}" for i in range(rows)],
            "seen": pd.date_range("2025-01-01", periods=rows, freq="D"),
            "income": income.round(2),
            "late": late,
            "job": rng.choice(["clerk", "driver", "none"], rows),
            "gender": rng.choice(["f", "m"], rows),
            "weight": rng.choice([1.0, 4.0], rows),
            "outcome_known": np.where(bad, "bad", "good"),
        }
    )


def about(**changes: Any) -> SampleDescription:
    values: dict[str, Any] = {
        "path": "x.csv",
        "format": "csv",
        "target": {"column": "outcome_known", "event": "bad", "window_months": "unknown"},
        "id": "no",
        "columns": {"gender": {"role": "protected"}, "seen": {"role": "private"}, "weight": {"role": "current_only"}},
    }
    return check_mapping(SampleDescription, {**values, **changes}, source="x.yaml")


DATED = {"date": "seen", "weights": "weight", "columns": {"gender": {"role": "protected"}}}


def test_rows_outcomes_and_roles() -> None:
    source = table()
    sampled = sample_from_table(source, about(), name="x")
    assert sampled.frame["customer_id"].tolist() == source["no"].tolist()
    assert (sampled.frame["bad"] == (source["outcome_known"] == "bad")).all()
    assert sampled.frame["as_of"].isna().all()
    assert "seen" not in sampled.frame  # private columns do not go on
    assert {name: found.role for name, found in sampled.candidates.items()} == {
        "seen": "private", "income": "feature", "late": "feature", "job": "feature", "gender": "protected",
        "weight": "current_only",
    }  # fmt: skip
    assert sampled.candidates["job"].categorical
    assert not sampled.candidates["late"].categorical
    assert sampled.target["window_months"] == "unknown"
    (losses,) = sampled.losses.to_dict("records")
    assert (losses["rows"], losses["good"] + losses["bad"]) == (600, 600)


def test_dates_weights_and_an_indeterminate_outcome() -> None:
    source = table()
    source.loc[:9, "outcome_known"] = "unclear"
    target = {"column": "outcome_known", "event": "bad", "indeterminate": ["unclear"], "window_months": 12}
    sampled = sample_from_table(source, about(target=target, **DATED), name="x")
    assert (sampled.frame["outcome"][:10] == "indeterminate").all()
    assert sampled.frame["bad"][:10].sum() == 0
    assert sampled.frame["sample_weight"].mean() == pytest.approx(1)
    assert sampled.frame["sample_weight"].nunique() == 2
    assert len(sampled.losses) == 20
    months = sampled.losses["as_of"]
    assert (months == months + pd.offsets.MonthEnd(0)).all()
    january = source[source["seen"] < "2025-02-01"]
    rate = np.average(january["outcome_known"] == "bad", weights=january["weight"])
    assert sampled.losses["bad_rate"][0] == pytest.approx(rate)


def test_a_row_number_stands_for_an_id_and_ids_keep_their_zeros(tmp_path: Path) -> None:
    source = table()
    columns = {name: {"role": "protected"} for name in ("gender", "no", "seen")}
    sampled = sample_from_table(source, about(id=None, columns=columns), name="x")
    assert sampled.frame["customer_id"].tolist()[:2] == ["1", "2"]
    source.to_csv(tmp_path / "x.csv", index=False)
    read = read_table(tmp_path / "x.csv", TableLayout(format="csv"), text=["no"])
    assert read["no"][1] == "00001"


def wrong(**changes: Any) -> pd.DataFrame:
    return table().assign(**changes)


@pytest.mark.parametrize(
    ("frame", "changes", "words"),
    [
        (wrong(), {"target": {"column": "outcom", "event": "bad", "window_months": 1}}, "Did you mean 'outcome_known'"),
        (wrong(), {"id": "nr"}, r"id: unknown column 'nr'. Did you mean 'no'"),
        (wrong(), {"columns": {"incom": {}}}, r"unknown column 'incom'. Did you mean 'income'"),
        (wrong(), {"columns": {"gender": {"role": "protectd"}}}, r"unknown role 'protectd'. Did you mean 'protected'"),
        (wrong(), {"other_columns": "x"}, "other_columns: unknown role 'x'"),
        (wrong(), {"columns": {"outcome_known": {}}}, "'outcome_known' is both target and feature"),
        (wrong(), {"id": "outcome_known"}, "'outcome_known' is both target and id"),
        (wrong(), {"columns": {}}, "'gender': the name suggests a protected trait"),
        (wrong(), {"target": {"column": "outcome_known", "event": "BAD", "window_months": 1}}, "event 'BAD'; found: 'bad'"),
        (wrong(), {"target": {"column": "outcome_known", "event": True, "window_months": 1}}, "quote the word"),
        (wrong(outcome_known="bad"), {}, "all 600 rows are 'bad'"),
        (wrong(outcome_known="good"), {}, "no row has the event 'bad'; found: 'good'"),
        (wrong(outcome_known=["bad", "good", "x"] * 200), {}, "2 values: 'good', 'x'; one was expected"),
        (wrong(outcome_known=["bad", None, "good"] * 200), {}, "200 of 600 values are missing"),
        (wrong(no=["1", "1", *map(str, range(598))]), {}, "3 rows share their id with another, such as '1'"),
        (wrong(no=["1", None, *map(str, range(2, 600))]), {}, "1 of 600 are missing"),
        (wrong(seen="soon"), DATED, "600 of 600 values are no dates, such as 'soon'"),
        (wrong(seen=["2025-01-31T00:00+01:00", "2025-06-30T00:00+02:00"] * 300), DATED, "have several offsets from UTC"),
        (wrong(seen=["2025-01-31T00:00+01:00", "2025-06-30"] * 300), DATED, "or some have none"),
        (wrong(seen="2025-01-31"), {**DATED, "date_format": "%Q"}, "'Q' is a bad directive"),
        (wrong(weight=[0.0, *[1.0] * 599]), DATED, "1 of 600 are not finite numbers above 0, such as 0"),
        (wrong(weight=[-1.0, *[1.0] * 599]), DATED, "such as -1"),
        (wrong(weight=["x", *["1"] * 599]), DATED, "1 of 600 are missing or no numbers"),
        (wrong(income=["?", *["1"] * 599]), {}, r"column 'income': 1 of 600 values are no numbers, such as '\?'"),
        (wrong(part=1), {}, "column 'part' has a name that the workbench uses itself"),
        (table().head(0), {}, "no row has the event"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_clear_error(frame: pd.DataFrame, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words) as raised:
        sample_from_table(frame, about(**changes), name="x")
    assert str(raised.value).startswith("sample x: ")
    assert len(str(raised.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "layout", "words"),
    [
        (None, {}, "no such file"),
        (b"", {}, "cannot be read as csv"),
        (b"a,b\n1,\xe9\xff\n", {}, "cannot be read as utf-8: byte 0xe9"),
        (b"a,b\n1,2\n", {"encoding": "utf-99"}, "unknown encoding: utf-99"),
        (b"a,a\n1,2\n", {}, "two columns are named 'a'"),
        (b",a\n1,2\n", {}, "column 1 has no name"),
        (b"a,b\n1,2\n1,2,3\n", {}, "cannot be read as csv"),
        (b"a,b\n1,2,3\n1,2,3\n", {}, "cannot be read as csv"),
        (b"no parquet", {"format": "parquet"}, "cannot be read as parquet"),
        (b"no workbook", {"format": "xlsx"}, "cannot be read as xlsx"),
    ],
)
def test_a_file_that_cannot_be_read(content: bytes | None, layout: dict[str, Any], words: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "x").write_bytes(content)
    with pytest.raises(SampleError, match=words):
        read_table(tmp_path / "x", TableLayout(**{"format": "csv", **layout}))


def test_one_table_in_every_format(tmp_path: Path) -> None:
    source = table(50)[["no", "income", "late", "job"]]
    source.loc[3, ["income", "job"]] = [np.nan, "NA"]
    expected = source.assign(job=source["job"].replace("NA", None))
    written = {
        "csv": {},
        "semi": {"format": "csv", "separator": ";", "decimal": ",", "encoding": "utf-16"},
        "parquet": {},
        "xlsx": {"sheet": "Data"},
    }
    source.to_csv(tmp_path / "csv", index=False)
    source.to_csv(tmp_path / "semi", index=False, sep=";", decimal=",", encoding="utf-16")
    expected.to_parquet(tmp_path / "parquet")
    with pd.ExcelWriter(tmp_path / "xlsx", engine="openpyxl") as book:
        pd.DataFrame({"other": [1]}).to_excel(book, sheet_name="First", index=False)
        source.to_excel(book, sheet_name="Data", index=False)
    for name, options in written.items():
        layout = TableLayout.model_validate({"format": name if name != "semi" else "csv", **options})
        found = read_table(tmp_path / name, layout, text=["no"])
        pd.testing.assert_frame_equal(found, expected, check_dtype=False, obj=name)
        assert (found["job"] == "none").any()  # a category, and not a missing value


def test_a_dated_table_is_split_by_time_and_every_other_by_id_alone() -> None:
    sampled = sample_from_table(table(), about(**DATED), name="x")
    options: dict[str, Any] = {"test_share": 0.3, "out_of_time_share": 0.25, "out_of_group": "", "seed": 7}
    rows = split_table(sampled, **options)
    late = rows["part"] == "out of time"
    assert late.sum() == 150
    assert rows.loc[late, "as_of"].min() > rows.loc[~late, "as_of"].max()
    assert validation_part(rows) == "out of time"
    undated = split_table(sample_from_table(table(), about(), name="x"), **options)
    assert set(undated["part"]) == {"train", "test"}
    assert (undated["held_out"] == rows["held_out"]).all()
    assert validation_part(undated) == "test"
    one_day = sample_from_table(table().assign(seen=pd.Timestamp(2025, 1, 1)), about(**DATED), name="x")
    assert set(split_table(one_day, **options)["part"]) == {"train", "test"}
    group = split_table(sampled, **{**options, "out_of_group": "gender=f"})
    assert (group["gender"].eq("f") == group["part"].eq("out of group")).all()
    for changes, words in (
        ({"test_share": 0.0}, "test_share: found 0"),
        ({"out_of_group": "gendr=f"}, "Did you mean 'gender'"),
        ({"out_of_group": "gender=x"}, "no row has gender = 'x'"),
    ):
        with pytest.raises(ParameterError, match=words):
            split_table(sampled, **{**options, **changes})
    tiny = sample_from_table(table(8), about(), name="x")
    with pytest.raises(SampleError, match="the test part holds"):
        split_table(tiny, **{**options, "test_share": 0.01})


def fitted(sampled: TableSample, *, max_variables: int = 10) -> tuple[pd.DataFrame, FittedScorecard]:
    rows = split_table(sampled, test_share=0.3, out_of_time_share=0.2, out_of_group="", seed=7)
    train = rows[(rows["part"] == "train") & (rows["outcome"] != "indeterminate")]
    return rows, fit_scorecard(
        train,
        train["bad"],
        candidates=sampled.candidates,
        options=FitOptions(grades=GRADES, max_variables=max_variables),
        name="x",
        provenance={},
        target=sampled.target,
        weights=train.get("sample_weight"),
    )


def test_metrics_are_weighted_and_the_undated_gates_are_measured(workspace: Workspace) -> None:
    target = {"column": "outcome_known", "event": "bad", "window_months": "unknown"}
    columns = {"gender": {"role": "protected"}, "seen": {"role": "private"}}
    sampled = sample_from_table(table(3000), about(target=target, weights="weight", columns=columns), name="x")
    rows, found = fitted(sampled)
    card = found.scorecard.calibrated(
        *calibrate(found.scorecard.score(rows, reasons=False)["score"], rows["bad"], weights=rows["sample_weight"])
    )
    assert card.window == "unknown"
    validation = validate(card, rows, seed=1, repeats=30)
    test = rows[rows["part"] == "test"]
    score = card.score(test, reasons=False)["score"]
    line = validation.set_index("part").loc["test"]
    assert line["gini"] == gini(test["bad"], score, test["sample_weight"])
    assert line["gini"] != gini(test["bad"], score)
    assert line["bad_rate"] == pytest.approx(np.average(test["bad"], weights=test["sample_weight"]))
    assert line["rows"] == len(test)
    stability = stability_table(card, rows, "test", seed=1, repeats=10)
    metrics = gate_metrics(rows, validation, found.coefficients, stability=stability, losses=sampled.losses)
    gates = yaml.safe_load((workspace.params / "gates.yaml").read_text())["scorecard_undated"]
    assert set(gates) - set(metrics) == {"gini_out_of_time"}  # never measured: a promotion needs a reason
    name = card.variables[0].name
    alone = own_ginis(card, rows, [name])
    by_hand = gini(
        test["bad"], card.variables[0].bins.woe[card.variables[0].bins.assign(test[name])], test["sample_weight"]
    )
    assert alone["test"][0] == pytest.approx(by_hand)


def test_a_protected_column_never_enters_however_telling() -> None:
    source = table(2000)
    source["gender"] = np.where(source["outcome_known"] == "bad", "f", "m")
    sampled = sample_from_table(source, about(), name="x")
    card = fitted(sampled)[1]
    assert "gender" not in card.scorecard.inputs
    fate = card.fates.set_index("variable").loc["gender"]
    assert (fate["fate"], fate["detail"][:9]) == ("excluded", "protected")


def test_the_shipped_descriptions_say_what_is_protected(workspace: Workspace) -> None:
    assert described_samples(workspace) == ["german", "taiwan"]
    with pytest.raises(ParameterError, match=r"unknown sample 'germn'\. Did you mean 'german'"):
        load_sample(workspace, "germn")


# --- against the outside ------------------------------------------------------------------------------------------------


def slow_iv(column: pd.Series, bad: pd.Series) -> float:
    """The textbook's sum over the categories as they are, without smoothing."""
    value = 0.0
    for category in column.unique():
        goods = ((column == category) & ~bad).sum() / (~bad).sum()
        bads = ((column == category) & bad).sum() / bad.sum()
        value += (goods - bads) * np.log(goods / bads)
    return float(value)


@pytest.mark.real_data
def test_german_information_values_are_the_published_ones(workspace: Workspace, real_data: Path) -> None:
    sampled = load_sample(workspace, "german")
    rows, bad = sampled.frame, sampled.frame["bad"].astype(bool)
    assert (len(rows), int(bad.sum())) == (1000, 300)
    # Published for the whole file, as in the vignette of the R package scorecard: .666 and .293.
    for name, published in (("status_of_existing_checking_account", 0.666), ("credit_history", 0.293)):
        assert slow_iv(rows[name], bad) == pytest.approx(published, abs=0.001)
        specials = sampled.candidates[name].specials
        bins = fit_bins(rows[name], bad, name=name, direction=None, categorical=True, specials=specials)
        assert bins.iv == pytest.approx(published, rel=0.03)  # smoothed, and small groups are joined


@pytest.mark.real_data
def test_taiwan_beside_plain_regressions_on_the_same_split(workspace: Workspace, real_data: Path) -> None:
    sampled = load_sample(workspace, "taiwan")
    rows, found = fitted(sampled)
    train, test = rows[rows["part"] == "train"], rows[rows["part"] == "test"]
    assert not {"SEX", "AGE", "MARRIAGE"} & set(found.scorecard.inputs)
    ours = gini(test["bad"], found.scorecard.score(test, reasons=False)["score"])
    assert 0.44 < ours < 0.57  # Yeh & Lien (2009): area ratio .44 by logistic regression, .54 by a neural network
    offered = [name for name, candidate in sampled.candidates.items() if candidate.role == "feature"]
    raw = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)).fit(train[offered], train["bad"])
    plain = 2 * roc_auc_score(test["bad"], raw.predict_proba(test[offered])[:, 1]) - 1
    assert plain == pytest.approx(0.44, abs=0.03)
    assert ours > plain + 0.05  # statuses have their own bins, months late bend
    woe = {v.name: v.bins for v in found.scorecard.variables}
    design = [np.column_stack([b.woe[b.assign(part[n])] for n, b in woe.items()]) for part in (train, test)]
    same = LogisticRegression(C=1 / 5, solver="newton-cholesky", tol=1e-10).fit(design[0], train["bad"])
    theirs = 2 * roc_auc_score(test["bad"], same.predict_proba(design[1])[:, 1]) - 1
    assert ours == pytest.approx(theirs, abs=1e-3)
    assert same.coef_[0] == pytest.approx([v.coefficient for v in found.scorecard.variables], abs=1e-6)


@pytest.mark.real_data
def test_german_beside_a_plain_regression_on_the_same_split(workspace: Workspace, real_data: Path) -> None:
    sampled = load_sample(workspace, "german")
    rows, found = fitted(sampled, max_variables=8)
    train, test = rows[rows["part"] == "train"], rows[rows["part"] == "test"]
    ours = gini(test["bad"], found.scorecard.score(test, reasons=False)["score"])
    offered = {name: found for name, found in sampled.candidates.items() if found.role == "feature"}
    text = [name for name, candidate in offered.items() if candidate.categorical]
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), text),
        (StandardScaler(), [name for name in offered if name not in text]),
    )
    plain = make_pipeline(columns, LogisticRegression(max_iter=2000)).fit(train[list(offered)], train["bad"])
    theirs = 2 * roc_auc_score(test["bad"], plain.predict_proba(test[list(offered)])[:, 1]) - 1
    assert ours == pytest.approx(theirs, abs=0.06)


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ([f"{i % 20}%" for i in range(600)], "numbers written as text, such as '0%'"),
        ([f"1,{i % 900:03d}" for i in range(600)], "numbers written as text"),
        ([[1, 2]] * 600, "holds lists or records"),
        ([{"a": 1}] * 600, "holds lists or records"),
    ],
)
def test_columns_that_would_pass_for_categories_are_told(column: list[Any], words: str) -> None:
    with pytest.raises(SampleError, match=words):
        sample_from_table(table().assign(x=pd.Series(column, dtype=object)), about(), name="x")
    if "numbers" in words:
        columns = {**about().model_dump()["columns"], "x": {"categorical": True}}
        found = sample_from_table(table().assign(x=column), about(columns=columns), name="x")
        assert found.candidates["x"].categorical


def test_numbers_kept_as_text_do_not_lose_their_direction() -> None:
    columns = {**about().model_dump()["columns"], "late": {"direction": "higher"}}
    with pytest.raises(SampleError, match="numbers kept as text"):
        sample_from_table(table().assign(late=table()["late"].astype(str)), about(columns=columns), name="x")


def test_decimals_and_dates_of_parquet_are_numbers_and_dates(tmp_path: Path) -> None:
    from decimal import Decimal

    source = table().assign(
        income=[Decimal(str(value)) for value in table()["income"]],
        day=[date(2025, 1, 1 + i % 20) for i in range(600)],
    )
    source.to_parquet(tmp_path / "x.parquet")
    frame = read_table(tmp_path / "x.parquet", TableLayout(format="parquet"))
    assert frame["income"].dtype == np.float64
    assert pd.api.types.is_datetime64_any_dtype(frame["day"])
    sampled = sample_from_table(frame, about(format="parquet"), name="x")
    assert not sampled.candidates["income"].categorical


def test_a_day_that_is_no_day_of_observation_is_told() -> None:
    frame = table().assign(seen=table()["seen"].astype(str).where(np.arange(600) > 2, "9999-12-31"))
    with pytest.raises(SampleError, match="9999-12-31 is no day of observation"):
        sample_from_table(frame, about(**DATED), name="x")


def test_codes_keep_their_zeros_when_fitted_and_when_scored(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    code = rng.choice(["01", "02", "A1"], 900)
    bad = rng.random(900) < np.where(code == "01", 0.5, 0.2)
    source = pd.DataFrame({"no": np.arange(900), "code": code, "y": np.where(bad, "bad", "good")})
    source.to_csv(tmp_path / "all.csv", index=False)
    source[source["code"] == "01"].to_csv(tmp_path / "some.csv", index=False)
    description = about(target={"column": "y", "event": "bad", "window_months": "unknown"},
                        columns={"code": {"categorical": True}})  # fmt: skip
    frame = read_table(tmp_path / "all.csv", description, text=text_columns(description))
    sampled = sample_from_table(frame, description, name="x")
    card = fit_scorecard(
        sampled.frame, sampled.frame["bad"], candidates=sampled.candidates,
        options=FitOptions(grades=GRADES), name="x", provenance=sampled.reading, target={},
    ).scorecard  # fmt: skip
    whole, part = (
        card.score(next(read_blocks(tmp_path / name, card)).to_pandas())["score"] for name in ("all.csv", "some.csv")
    )
    assert whole[code == "01"].tolist() == part.tolist()


def test_stability_and_comparisons_take_the_sampling_weights() -> None:
    # Bads eight times as likely in the test part as in the population, and weighted back: nothing has moved.
    rng = np.random.default_rng(9)
    x = rng.normal(size=6000)
    bad = (rng.random(6000) < 1 / (1 + np.exp(2 - 1.5 * x))).astype(int)
    rows = pd.DataFrame({"customer_id": [f"C{i}" for i in range(6000)], "x": x, "bad": bad, "outcome": "good",
                         "part": np.where(np.arange(6000) < 3000, "train", "test"), "sample_weight": 1.0})  # fmt: skip
    late = rows[rows["part"] == "test"]
    drawn = late.sample(n=3000, replace=True, weights=np.where(late["x"] > 0, 8, 1), random_state=1)
    drawn = drawn.assign(sample_weight=np.where(drawn["x"] > 0, 1.0, 8.0), customer_id=[f"D{i}" for i in range(3000)])
    rows = pd.concat([rows[rows["part"] == "train"], drawn], ignore_index=True)
    train = rows[rows["part"] == "train"]
    card = fit_scorecard(train, train["bad"], candidates={"x": Candidate("higher")}, options=FitOptions(grades=GRADES),
                         name="x", provenance={}, target={}).scorecard  # fmt: skip
    weighted = stability_table(card, rows, "test", seed=1, repeats=20)["psi"]
    plain = stability_table(card, rows.drop(columns="sample_weight"), "test", seed=1, repeats=20)["psi"]
    assert weighted.max() < 0.03
    assert plain.min() > 0.2
    found = beside(card, rows, ["x"], part="test").set_index("ranked_by")["gini"]
    part = validate(card, rows, seed=1, repeats=20).set_index("part")["gini"]["test"]
    assert found["scorecard"] == pytest.approx(part)
