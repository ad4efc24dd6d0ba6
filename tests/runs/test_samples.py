"""`workbench run 30_scorecard --sample NAME`: the same notebook on a flat table, its model, and what goes wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from workbench.core.errors import GateError, ParameterError
from workbench.core.outputs import all_runs, current_run
from workbench.core.workspace import Workspace
from workbench.core.yaml_files import read_yaml
from workbench.models.scoring import load_scorecard
from workbench.models.tracking import promote
from workbench.runs.parameters import check_parameters
from workbench.runs.run import RunResult, run_notebook

from ..commands import Finished, published, typed
from .test_pipeline import words

__all__ = ["typed"]
Typed = Callable[..., Finished]
FIT = "30_scorecard"
DESCRIPTION = """
source: made for this test
path: "data/{name}.csv"
format: csv
separator: ";"
target: {{column: paid, event: "no", definition: not paid in full, window_months: {window}}}
id: client
{more}
columns:
  age: {{role: protected}}
  late: {{direction: higher, special: {{-1: no loan before}}, reason: {{en: "Months late: {{value:.0f}}"}}}}
parameters:
  30_scorecard: {{max_variables: 3}}
"""


def clients(rows: int = 1500) -> pd.DataFrame:
    rng = np.random.default_rng(6)
    late, income = rng.choice([-1, 0, 1, 2, 3, 4], rows), rng.normal(3000, 700, rows)
    bad = rng.random(rows) < 1 / (1 + np.exp(1.8 + (income - 3000) / 800 - 0.7 * late))
    return pd.DataFrame(
        {
            "client": [f"{i:06d}" for i in range(rows)],
            "day": pd.date_range("2024-01-01", periods=rows, freq="12h").strftime("%d.%m.%Y"),
            "age": rng.integers(20, 70, rows),
            "late": late,
            "income": income.round(),
            "job": rng.choice(["none", "clerk", "driver"], rows),
            "stands_for": rng.choice([1, 3], rows),
            "paid": np.where(bad, "no", "yes"),
        }
    )


def describe(
    home: Workspace, name: str, *, window: str = "unknown", more: str = "", rows: pd.DataFrame | None = None
) -> None:
    (home.root / "data").mkdir(exist_ok=True)
    (clients() if rows is None else rows).to_csv(home.root / "data" / f"{name}.csv", sep=";", index=False)
    (home.params / "samples" / f"{name}.yaml").write_text(
        DESCRIPTION.format(name=name, window=window, more=more), "utf-8"
    )


@dataclass(frozen=True)
class Ran:
    """A workspace with a run on an undated table, and one on a dated and weighted table."""

    home: Workspace
    undated: RunResult
    dated: RunResult


@pytest.fixture(scope="module")
def ran(new_workspace: Callable[..., Workspace]) -> Ran:
    home = new_workspace()
    describe(home, "flat", more="other_columns: feature")
    describe(home, "dated", window="6", more="date: day\ndate_format: '%d.%m.%Y'\nweights: stands_for")
    undated = run_notebook(home, FIT, sample="flat", parameters={"seed": 8})
    return Ran(home, undated, run_notebook(home, FIT, sample="dated"))


def page(run: RunResult) -> str:
    return words((run.folder / f"{FIT}.html").read_text("utf-8"))


@pytest.mark.slow
def test_the_run_says_what_it_is_about(ran: Ran) -> None:
    run = json.loads((ran.undated.folder / "run.json").read_text())
    assert (run["status"], run["sample"], run["book"], run["as_of"]) == ("done", "flat", None, None)
    assert run["parameters"] == {"max_variables": 3, "seed": 8}
    generation = run["sample_generation"]
    assert current_run(ran.home, FIT, sample="flat", generation=generation) == ran.undated.folder
    assert current_run(ran.home, FIT, sample="flat", generation="another") is None
    assert {(found["sample"], found["current"]) for found in all_runs(ran.home)} == {("flat", True), ("dated", True)}
    index = words((ran.home.reports / "index.html").read_text("utf-8"))
    assert "sample flat The whole sample" in index


@pytest.mark.slow
def test_an_undated_table_is_judged_on_its_test_part_and_says_so(ran: Ran) -> None:
    summary, text = ran.undated.summary, page(ran.undated)
    assert summary["validated_on"] == "test"
    assert summary["window_months"] == "unknown"
    assert 0.3 < summary["gini_test_low"] < summary["gini_test"] < summary["gini_test_high"]
    assert "gini_oot" not in summary
    assert "window unknown" in summary["headline"]
    for expected in (
        "Bad = not paid in full; window unknown",
        "Out of time: not assessed: the table has no dates",
        "By date: not assessed",
        "Mean PD (window unknown)",
        "Gini in the test part",
        "-1: no loan before",
        "gini_out_of_time n/a >= 0.3",
        "protected: kept for fairness checks only",
    ):
        assert expected in text, expected
    assert "days past due" not in text


@pytest.mark.slow
def test_a_dated_table_with_weights_is_judged_out_of_time(ran: Ran) -> None:
    summary, text = ran.dated.summary, page(ran.dated)
    assert summary["validated_on"] == "out of time"
    assert summary["window_months"] == 6
    assert summary["gini_oot"] > 0.3
    rows = clients()
    assert summary["bad_rate"] == pytest.approx(np.average(rows["paid"] == "no", weights=rows["stands_for"]))
    for expected in ("within 6 months", "Rows and bads are sums of weights", "By part and quarter", "out of time"):
        assert expected in text, expected
    card = load_scorecard(ran.home, "dated_scorecard@candidate")[0]
    assert card.window == "6 months"
    assert "stands_for" not in card.inputs


@pytest.mark.slow
def test_its_candidate_scores_a_file_like_the_table(ran: Ran, typed: Typed, tmp_path: Path) -> None:
    source = ran.home.root / "data" / "flat.csv"
    command = ("score", "--model", "flat_scorecard@candidate", "--input", source, "--output", tmp_path / "out.csv")
    done = typed(*command, home=ran.home.root)
    assert done.code == 0, done.err
    assert "window of the PD: unknown" in done.out
    scored = pd.read_csv(tmp_path / "out.csv", dtype={"client": "str"})
    assert scored["client"].tolist() == clients()["client"].tolist()  # with their zeros
    assert (scored["pd_window"] == "unknown").all()
    card = load_scorecard(ran.home, "flat_scorecard@candidate")[0]
    expected = card.score(clients())
    assert scored["score"].tolist() == expected["score"].tolist()
    points = pd.read_parquet(ran.undated.folder / "points.parquet").set_index(["variable", "label"])["points"]
    never = clients().index[clients()["late"] == -1][0]
    total = points["(base)", "every customer"] + points["late", "-1: no loan before"]
    for variable in card.variables:
        if variable.name != "late":
            code = variable.bins.assign(clients().loc[[never], variable.name])[0]
            total += points[variable.name, variable.bins.labels[code]]
    assert scored["score"][never] == pytest.approx(total, abs=1e-9)  # what is shown is what is scored


@pytest.mark.slow
def test_without_dates_only_a_recorded_reason_makes_a_champion(ran: Ran) -> None:
    gates = read_yaml(ran.home.params / "gates.yaml")
    options = {"gates": gates, "tracking_uri": ran.home.mlflow_uri}
    with pytest.raises(GateError, match=r"gini_out_of_time: not measured"):
        promote("flat_scorecard", override=None, author=None, **options)
    results = promote("flat_scorecard", override="no dates in the file", author="Ana Lima", **options)
    assert {result.name for result in results} == set(gates["scorecard_undated"])
    assert load_scorecard(ran.home, "flat_scorecard")[2] == "champion"


@pytest.fixture
def broken(new_workspace: Callable[..., Workspace]) -> Workspace:
    home = new_workspace()
    describe(home, "flat")
    return home


def test_bad_usage_and_bad_tables_are_one_error_and_leave_nothing(broken: Workspace, typed: Typed) -> None:
    before = published(broken.root)
    file, table = broken.params / "samples" / "flat.yaml", broken.root / "data" / "flat.csv"
    good, rows = file.read_text("utf-8"), table.read_bytes()

    def refused(*arguments: str, words: str) -> None:
        done = typed("run", *arguments, home=broken.root)
        assert done.code == 2, done.err
        assert words in done.message()

    refused(FIT, words="found neither; expected one of --book NAME and --sample NAME")
    refused(FIT, "--book", "demo", "--sample", "flat", words="found both 'demo' and 'flat'")
    refused(FIT, "--sample", "flta", words="unknown sample 'flta'. Did you mean 'flat'?")
    refused(FIT, "--sample", "../flat", words="unknown sample '../flat'")
    refused(FIT, "--sample", "flat", "--as-of", "2025-01-31", words="leave --as-of out")
    refused("20_indicators", "--sample", "flat", words="Notebooks that take --sample: 30_scorecard, 31_challenger.")
    refused(FIT, "--sample", "flat", "-p", "sample=x", words="'sample' is set by the run itself")
    refused(FIT, "--sample", "flat", "-p", "max_varables=2", words="Did you mean 'max_variables'?")
    for old, new, expected in (
        ("max_variables", "max_varables", "Did you mean 'max_variables'?"),
        ("separator", "seperator", "Did you mean 'separator'?"),
        ("column: paid", "column: payd", "Did you mean 'paid'?"),
        ("role: protected", "role: protectd", "Did you mean 'protected'?"),
        ("window_months: unknown", "window_months: soon", "window_months"),
        ('event: "no"', "event: no", "quote the word"),
        ("data/flat.csv", "data/flt.csv", "flt.csv: no such file"),
        ("data/flat.csv", "{reel_data}/flat.csv", "its only place is {real_data}"),
    ):
        assert old in good
        file.write_text(good.replace(old, new), "utf-8")
        refused(FIT, "--sample", "flat", words=expected)
    file.write_text(good, "utf-8")
    table.write_bytes(rows.replace(b"clerk", b"cl\xe9rk"))
    refused(FIT, "--sample", "flat", words="cannot be read as utf-8")
    assert published(broken.root) == before


def test_a_book_of_the_same_name_is_refused(broken: Workspace) -> None:
    describe(broken, "aart")
    with pytest.raises(ParameterError, match="a book has this name too"):
        run_notebook(broken, FIT, sample="aart")


def test_the_sample_file_gives_parameters(broken: Workspace) -> None:
    assert check_parameters(broken, FIT, sample="flat", given={"seed": 3}) == {"max_variables": 3, "seed": 3}


def test_another_file_or_description_is_another_generation(broken: Workspace) -> None:
    from workbench.models.sample_table import load_sample

    first = load_sample(broken, "flat").generation
    assert load_sample(broken, "flat").generation == first
    describe(broken, "flat", rows=clients(1499))
    second = load_sample(broken, "flat").generation
    describe(broken, "flat", window="3", rows=clients(1499))
    assert len({first, second, load_sample(broken, "flat").generation}) == 3


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.parametrize("name", ["german", "taiwan"])
def test_the_shipped_samples_run(name: str, new_workspace: Callable[..., Workspace], real_data: Path) -> None:
    home = new_workspace()
    run = run_notebook(home, FIT, sample=name)
    expected = {"german": (0.30, 0.25, "unknown"), "taiwan": (0.2212, 0.5, 1)}[name]
    assert run.summary["bad_rate"] == pytest.approx(expected[0])
    assert run.summary["gini_test"] > expected[1]
    assert run.summary["window_months"] == expected[2]
    card = load_scorecard(home, f"{name}_scorecard@candidate")[0]
    protected = {"age_in_years", "personal_status_and_sex", "foreign_worker", "SEX", "AGE", "MARRIAGE"}
    assert not protected & set(card.inputs)
