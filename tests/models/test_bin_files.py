"""Bins that people draw: kept exactly or refused, read back from their file, and compared with a later fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from workbench.core.errors import ModelError, ParameterError
from workbench.models.bin_files import BinRule, bins_text, compare_bins, counted_of, read_bins, save_bins
from workbench.models.binning import count_bins, fit_bins
from workbench.models.bins import Bins, Merge, name_text
from workbench.models.evaluation import SMOOTHING
from workbench.models.fitting import Candidate, FitOptions, fit_scorecard

STATUS = {-9: "no loan"}
Drawn = tuple[pd.Series, np.ndarray]


@pytest.fixture(scope="module")
def drawn() -> Drawn:
    rng = np.random.default_rng(3)
    values = pd.Series(rng.normal(size=4000))
    bad = (rng.random(4000) < 1 / (1 + np.exp(2 - values))).astype(int).to_numpy()
    return values.mask(np.arange(4000) < 300).mask(np.arange(4000) < 100, -9.0), bad


@pytest.fixture(scope="module")
def words() -> Drawn:
    rng = np.random.default_rng(4)
    values = pd.Series(rng.choice(["north", "south", "east", "west"], 2000)).mask(np.arange(2000) < 100, None)
    bad = (rng.random(2000) < values.map({"north": 0.1, "south": 0.2, "east": 0.3, "west": 0.4}).fillna(0.2)).to_numpy()
    return values, bad.astype(int)


def count(drawn: Drawn, direction: Any = "higher", categorical: bool = False, **rule: Any) -> Bins:
    specials = {} if categorical else STATUS
    return count_bins(
        *drawn, name="x", rule=BinRule(**rule), direction=direction, categorical=categorical, specials=specials
    )


def test_splits_are_kept_exactly_and_counted(drawn: Drawn) -> None:
    values, bad = drawn
    bins = count(drawn, splits=[-0.5, 0.25])
    assert bins.splits == (-0.5, 0.25)
    known = values.notna() & (values != -9)
    inside = known & (values >= -0.5) & (values < 0.25)
    assert (bins.goods[1], bins.bads[1]) == (int((inside & (bad == 0)).sum()), int((inside & (bad == 1)).sum()))
    assert bins.names == ["< -0.5", "-0.5 to < 0.25", ">= 0.25", "missing", "-9: no loan"]


def test_what_is_merged_is_counted_and_scored_with_its_bin(drawn: Drawn) -> None:
    apart = count(drawn, splits=[0.0])
    merge = Merge("missing", ">= 0", "no answer, as a rule from the overdue")
    together = count(drawn, splits=[0.0], merge=[merge])
    assert together.goods == (apart.goods[0], apart.goods[1] + apart.goods[2], 0, apart.goods[3])
    assert sum(together.goods) + sum(together.bads) == 4000
    table = together.table()
    assert table["woe"][2] == table["woe"][1]
    pad = SMOOTHING / min(sum(together.goods), sum(together.bads))
    shares = [together.goods[1] / sum(together.goods) + pad, together.bads[1] / sum(together.bads) + pad]
    assert table["woe"][1] == pytest.approx(np.log(shares[0] / shares[1]))
    assert together.woe[together.assign(pd.Series([np.nan, 7.0]))].tolist() == [table["woe"][1]] * 2
    assert table["label"].tolist() == ["< 0", ">= 0 or missing", "missing", "-9: no loan"]
    assert table["evidence"][2] == "with >= 0: no answer, as a rule from the overdue"
    assert Bins.from_dict(together.to_dict()) == together


def test_groups_are_kept_exactly_and_others_are_unseen(words: Drawn) -> None:
    values, _bad = words
    merge = [Merge("missing", "south", "old branches")]
    bins = count(words, categorical=True, direction=None, groups=[["north", "south"], ["east"]], merge=merge)
    assert bins.groups == (("north", "south"), ("east",))
    west = int((values == "west").sum())
    assert bins.goods[3] + bins.bads[3] == west  # in none of the groups
    assert bins.assign(pd.Series([None, "west", "mars"])).tolist() == [0, 3, 3]


@pytest.mark.parametrize(
    ("rule", "words_of_it"),
    [
        ({"splits": [0.0, -1.0]}, "do not ascend"),
        ({"splits": [0.0, float("inf")]}, "not finite"),
        ({"splits": [0.0, 50.0]}, "no row lies in '>= 50'"),
        ({"splits": [0.0], "merge": [Merge("missing", ">= 1", "so")]}, "unknown bin '>= 1'. Did you mean '>= 0'"),
        ({"splits": [0.0], "merge": [Merge("unseen", ">= 0", "so")]}, "unknown bin without a range 'unseen'"),
        ({"splits": [0.0], "merge": [Merge("missing", ">= 0", " ")]}, "no reason is given"),
        ({"splits": [0.0], "merge": [Merge("missing", "-9", "so"), Merge("-9", "< 0", "so")]}, "merged itself"),
        ({"splits": [0.0], "merge": [Merge("missing", "< 0", "so"), Merge("missing", ">= 0", "so")]}, "or twice"),
        ({"groups": [["a"]]}, "found groups, expected splits"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_the_reason(drawn: Drawn, rule: dict[str, Any], words_of_it: str) -> None:
    with pytest.raises(ModelError, match=words_of_it):
        count(drawn, **rule)


def test_the_declared_order_holds_unless_a_person_says_why_not(drawn: Drawn) -> None:
    with pytest.raises(ModelError, match="more risk where lower is declared, but the bad rate is") as refused:
        count(drawn, direction="lower", splits=[0.0])
    assert "set order: free and say why" in str(refused.value)
    assert count(drawn, direction="lower", splits=[0.0], order="free", why="a new product").splits == (0.0,)
    with pytest.raises(ValueError, match="order: free needs why"):
        BinRule(splits=(0.0,), order="free")


def test_the_file_reads_back_and_refits_to_the_same_bits(drawn: Drawn, words: Drawn, tmp_path: Path) -> None:
    numeric = fit_bins(*drawn, name="x", direction="higher", specials=STATUS)
    category = fit_bins(*words, name="place", direction=None, categorical=True)
    path = tmp_path / "bins" / "mine.yaml"
    save_bins(path, bins_text([numeric, category], name="demo@3"))
    rules = read_bins(path)
    assert count_bins(*drawn, name="x", rule=rules["x"], direction="higher", specials=STATUS) == numeric
    assert count_bins(*words, name="place", rule=rules["place"], direction=None, categorical=True) == category
    assert "# Bins of demo@3." in path.read_text()
    with pytest.raises(ParameterError, match="exists already"):
        save_bins(path, "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("schema_version: 1\nvariables: {x: {split: [1]}}", "split"),
        ("schema_version: 2\nvariables: {}", "schema_version"),
        ("schema_version: 1\nvariables: {x: {}}", "either splits .* or groups"),
        ("schema_version: 1\nvariables: {x: {groups: [[a], []]}}", "a group without categories"),
        ("variables: [", "not valid YAML"),
    ],
)
def test_a_file_that_does_not_hold_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bad.yaml").write_text(text)
    with pytest.raises(ParameterError, match=message):
        read_bins(tmp_path / "bad.yaml")


def test_numbers_of_a_file_are_names_of_categories(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text("schema_version: 1\nvariables: {x: {groups: [[1, 2], [x]]}}")
    assert read_bins(tmp_path / "x.yaml")["x"].groups == (("1", "2"), ("x",))


def test_a_refit_says_which_bins_moved(drawn: Drawn) -> None:
    values, bad = drawn
    before = count(drawn, splits=[0.0, 1.0])
    same = compare_bins({"x": counted_of(before)}, [before])
    assert set(same["change"]) == {"same"}
    assert (same["z"] == 0).all()
    other_cut = compare_bins({"x": counted_of(before)}, [count(drawn, splits=[0.0, 1.5])])
    changes = other_cut.set_index("bin")["change"]
    assert changes["0 to < 1"] == "gone"
    assert changes["0 to < 1.5"] == "new"
    assert changes["< 0"] == "same"
    worse = np.where(values.to_numpy() < 0, bad | (np.arange(4000) % 5 == 0), bad)
    moved = compare_bins({"x": counted_of(before)}, [count((values, worse), splits=[0.0, 1.0], order="free", why="x")])
    row = moved.set_index("bin").loc["< 0"]
    assert row["change"] == "moved"
    assert row["z"] < -3
    gone = compare_bins({"y": counted_of(before)}, [])
    assert set(gone["change"]) == {"variable out"}


def test_a_scorecard_takes_the_bins_and_tells_of_them(drawn: Drawn, fit_options: FitOptions) -> None:
    values, bad = drawn
    sample = pd.DataFrame({"x": values, "noise": np.random.default_rng(1).normal(size=4000)})
    rule = BinRule(splits=(0.0,), merge=(Merge("missing", ">= 0", "not asked"),))
    common: dict[str, Any] = {
        "candidates": {"x": Candidate("higher", specials=STATUS), "noise": Candidate()},
        "options": fit_options,
        "name": "card",
        "provenance": {},
        "target": {},
    }
    found = fit_scorecard(sample, bad, rules={"x": rule}, **common)
    assert found.scorecard.variables[0].bins.splits == (0.0,)
    fate = found.fates.set_index("variable").loc["x"]
    assert (fate["fate"], fate["detail"]) == ("in", "bins by hand; missing with >= 0 (not asked)")
    scored = found.scorecard.score(pd.DataFrame({"x": [np.nan, 3.0], "noise": [0.0, 0.0]}), reasons=False)["score"]
    assert scored[0] == scored[1]
    points = found.scorecard.points_table().query("variable == 'x'").set_index("label")
    assert points.loc["missing", "points"] == points.loc[">= 0 or missing", "points"]
    with pytest.raises(ModelError, match="'z' is no candidate"):
        fit_scorecard(sample, bad, rules={"z": rule}, **common)
    with pytest.raises(ModelError, match="do not ascend"):
        fit_scorecard(sample, bad, rules={"x": BinRule(splits=(1.0, 0.0))}, **common)


def test_bins_are_kept_in_english_and_said_in_the_language_in_use(drawn: Drawn, words: Drawn, signs: None) -> None:
    bins = count(drawn, splits=[-0.5, 0.25], merge=[Merge("missing", ">= 0.25", "not asked")])
    assert bins.labels == ["< -0.5", "-0.5 to < 0.25", ">= 0.25 or missing", "missing", "-9: no loan"]
    assert bins.said_labels == [
        "< -0.5",
        "-0.5 字字 < 0.25",
        ">= 0.25 字字 字字字字字字字",
        "字字字字字字字",
        "-9: no loan",
    ]
    grouped = count(words, None, True, groups=[["north", "east"], ["west", "south"]])
    assert grouped.said_labels == ["north, east", "west, south", "字字字字字字字", "字字字字字字"]
    long = count(words, None, True, groups=[[*"abcdefgh", "north", "east"], ["west", "south"]])
    assert long.said_labels[0] == "a, b, c, d, e, f, ... (4 字字字字)"
    for name in ("to", "up to < 5", "more", "any"):  # categories stay as they are
        assert name_text(name) == name
    assert name_text("any value") == "字字字 字字字字字"
