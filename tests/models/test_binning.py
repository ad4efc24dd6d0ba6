import decimal
import math
import pickle

import numpy as np
import pandas as pd
import pytest
from optbinning import OptimalBinning

from workbench.core.errors import ModelError, SampleError
from workbench.models.binning import CELLS, NotBinned, fit_bins
from workbench.models.bins import NEUTRAL, Bins, weight_of_evidence
from workbench.models.columns import numbers, texts
from workbench.models.evaluation import SMOOTHING


@pytest.fixture(scope="module")
def risky():
    """2,000 values; more is riskier."""
    rng = np.random.default_rng(2)
    value = rng.normal(size=2000)
    return pd.Series(value), (rng.random(2000) < 1 / (1 + np.exp(2 - value))).astype(int)


def test_woe_and_iv_of_a_table_worked_by_hand():
    # 100 goods and 20 bads: shares .6/.3/.1 and .2/.3/.5; half a bad case pads both shares.
    bins = Bins("x", (1.0, 2.0), (), (60, 30, 10, 0), (4, 6, 10, 0))
    pad = SMOOTHING / 20
    woe = [math.log((g + pad) / (b + pad)) for g, b in ((0.6, 0.2), (0.3, 0.3), (0.1, 0.5), (0, 0))]
    table = bins.table()
    assert table["woe"].tolist() == pytest.approx(woe)
    assert table["iv"].tolist() == pytest.approx([0.4 * woe[0], 0, -0.4 * woe[2], 0])
    assert bins.iv == pytest.approx(table["iv"].sum())
    assert table["bad_rate"].tolist()[:3] == [4 / 64, 6 / 36, 0.5]
    assert table["label"].tolist() == ["< 1", "1 to < 2", ">= 2", "missing"]
    assert math.isnan(table["bad_rate"][3])
    assert table["evidence"][3] == NEUTRAL


@pytest.mark.parametrize(("direction", "sign"), [("higher", -1), (None, -1)])
def test_bins_are_monotone_in_the_declared_direction(risky, direction, sign):
    values, bad = risky
    bins = fit_bins(values, bad, name="x", direction=direction)
    assert len(bins.splits) >= 2
    assert (np.diff(bins.woe[:-1]) * sign > 0).all()
    assert min(np.add(bins.goods, bins.bads)[:-1]) >= 0.04 * len(values) - 1


def test_no_cut_against_the_declared_direction(risky):
    values, bad = risky
    with pytest.raises(NotBinned, match="no cut with more risk where lower"):
        fit_bins(values, bad, name="x", direction="lower")


def test_smoothing_never_breaks_the_order():
    # Pure small bins weigh less than mixed large ones under smoothing; such neighbours are joined.
    rng = np.random.default_rng(0)
    for seed in range(5):
        value = np.random.default_rng(seed).normal(size=800)
        bad = (rng.random(800) < np.where(value < -1.2, 0, 0.06 / (1 + np.exp(-value)))).astype(int)
        bins = fit_bins(pd.Series(value).mask(value > 2.5), bad, name="x", direction="higher")
        assert (np.diff(bins.woe[:-1]) < 0).all()


def test_the_counts_are_those_of_assign(risky):
    values, bad = risky
    values = values.mask(values > 2)
    bins = fit_bins(values, bad, name="x", direction="higher")
    codes = bins.assign(values)
    for code, (goods, bads) in enumerate(zip(bins.goods, bins.bads, strict=True)):
        assert (((codes == code) & (bad == 0)).sum(), ((codes == code) & (bad == 1)).sum()) == (goods, bads)


def test_missing_that_is_all_bad_keeps_its_evidence_where_optbinning_is_neutral(risky):
    values, bad = risky
    values = values.mask(np.arange(2000) < 100)
    bad = np.where(np.arange(2000) < 100, 1, bad)
    theirs = OptimalBinning(dtype="numerical").fit(values.to_numpy(), bad)
    # Their fault: every missing row is bad, and the score is neutral.
    assert theirs.transform(np.array([np.nan]), metric="woe")[0] == 0
    table = fit_bins(values, bad, name="x", direction="higher").table().iloc[-1]
    assert (table["goods"], table["bads"]) == (0, 100)
    assert table["woe"] < -2


def test_missing_that_is_all_good_is_safe(risky):
    values, bad = risky
    values, bad = values.mask(np.arange(2000) < 200), np.where(np.arange(2000) < 200, 0, bad)
    assert fit_bins(values, bad, name="x", direction="higher").woe[-1] > 1


def test_a_pure_bin_keeps_its_evidence_where_optbinning_refuses_it():
    category = pd.Series(["pure"] * 200 + ["mixed"] * 400 + ["other"] * 400)
    bad = np.array([1] * 200 + [0, 1] * 200 + [0, 0, 0, 1] * 100)
    groups = [["pure"], ["mixed"], ["other"]]
    with pytest.raises(ValueError, match="pure prebins"):
        OptimalBinning(dtype="categorical", user_splits=groups, user_splits_fixed=[True] * 3).fit(category.array, bad)
    bins = Bins("x", (), (("other",), ("mixed",), ("pure",)), (300, 200, 0, 0, 0), (100, 200, 200, 0, 0))
    assert bins.woe[2] < -3
    assert bins.table()["bad_rate"][2] == 1
    assert fit_bins(category, bad, name="x", direction=None, categorical=True).woe.min() < -0.5


def test_unseen_and_missing_categories_have_codes_of_their_own():
    rng = np.random.default_rng(1)
    category = pd.Series(rng.choice(["a", "b", "c"], 900))
    bad = (rng.random(900) < category.map({"a": 0.1, "b": 0.3, "c": 0.6})).astype(int).to_numpy()
    bins = fit_bins(category, bad, name="x", direction=None, categorical=True)
    codes = bins.assign(pd.Series(["a", "never seen", None, "c"]))
    assert bins.labels == ["a", "b", "c", "missing", "unseen"]
    assert codes.tolist() == [0, 4, 3, 2]
    assert bins.woe[3:].tolist() == [0, 0]
    assert bins.table()["evidence"].tolist()[3:] == [NEUTRAL, NEUTRAL]


def test_five_thousand_categories_are_grouped_not_memorised():
    rng = np.random.default_rng(1)
    category = pd.Series(np.where(rng.random(20000) < 0.5, "big", rng.integers(0, 5000, 20000).astype(str)))
    bad = (rng.random(20000) < np.where(category == "big", 0.05, 0.15)).astype(int)
    bins = fit_bins(category, bad, name="x", direction=None, categorical=True)
    assert len(bins.groups) == 2
    assert max(map(len, bins.labels)) < 200
    with pytest.raises(NotBinned, match="each under"):
        fit_bins(pd.Series(np.arange(20000).astype(str)), bad, name="x", direction=None, categorical=True)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (pd.Series([7.0] * 100), "constant, 7"),
        (pd.Series([None] * 100), "all 100 values are missing"),
        (pd.Series([np.nan] * 100, dtype="Float64"), "all 100 values are missing"),
        (pd.Series(pd.date_range("2026-01-01", periods=100)), "dates"),
        (pd.Series([str(i) for i in range(100)]), "not numbers, such as '0'"),
        (pd.Series([str(i) for i in range(100)], dtype="category"), "not numbers"),
    ],
)
def test_what_cannot_be_binned_says_why(values, reason):
    with pytest.raises(NotBinned, match=reason) as refused:
        fit_bins(values, [0, 1] * 50, name="x", direction=None)
    assert str(refused.value) == f"x: {refused.value.why}"
    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)  # as from another process


def test_one_known_value_beside_missing_is_informative(risky):
    _, bad = risky
    bins = fit_bins(pd.Series(np.where(bad | (np.arange(2000) % 7 == 0), np.nan, 1.0)), bad, name="x", direction=None)
    assert bins.labels == ["any value", "missing"]
    assert bins.woe[0] > 0 > bins.woe[1]


def test_one_class_is_refused():
    with pytest.raises(SampleError, match="0 bads and 4 goods"):
        fit_bins(pd.Series([1, 2, 3, 4]), [0, 0, 0, 0], name="x", direction=None)


def test_infinities_fall_in_the_end_bins(risky):
    values, bad = risky
    values = values.copy()
    values[:20], values[20:40] = np.inf, -np.inf
    bins = fit_bins(values, bad, name="x", direction="higher")
    assert np.isfinite(bins.splits).all()
    assert bins.assign(pd.Series([np.inf, -np.inf])).tolist() == [len(bins.splits), 0]


@pytest.mark.parametrize(
    "dtype",
    [
        "float64",
        "int64",
        "Int64",
        "int64[pyarrow]",
        "double[pyarrow]",
        "object",
        "category",
        "decimal128(9, 2)[pyarrow]",
    ],
)
def test_a_dtype_changes_nothing(risky, dtype):
    values, bad = risky
    whole = (values * 3).round()
    if dtype.startswith("decimal"):
        pa = pytest.importorskip("pyarrow")
        typed = whole.map(lambda v: decimal.Decimal(int(v))).astype(pd.ArrowDtype(pa.decimal128(9, 2)))
    else:
        typed = whole.astype(dtype if dtype != "category" else "int64").astype(dtype)
    assert fit_bins(typed, bad, name="x", direction="higher") == fit_bins(whole, bad, name="x", direction="higher")


def test_booleans_and_missing_in_each_dtype():
    assert numbers(pd.Series([True, None, False], dtype="boolean"), name="x").tolist()[::2] == [1, 0]
    assert np.isnan(numbers(pd.Series([True, None], dtype="bool[pyarrow]"), name="x")[1])
    assert numbers(pd.Series([1.5, None], dtype="float32"), name="x").dtype == np.float64


def test_a_category_has_one_name_whatever_its_dtype():
    for values in (
        pd.Series([1, 2, None]),
        pd.Series([1, 2, None], dtype="Int64"),
        pd.Series([1, 2, None], dtype=object),
    ):
        assert texts(values).tolist() == ["1", "2", None]
    assert texts(pd.Series([True, False], dtype="category")).tolist() == ["True", "False"]


def test_row_order_does_not_matter(risky):
    values, bad = risky
    order = np.random.default_rng(0).permutation(2000)
    assert fit_bins(values.iloc[order], bad[order], name="x", direction=None) == fit_bins(
        values, bad, name="x", direction=None
    )


def test_plain_data_and_back(risky):
    values, bad = risky
    bins = fit_bins(values, bad, name="x", direction="higher")
    assert Bins.from_dict(bins.to_dict()) == bins
    with pytest.raises(ModelError, match="counts for"):
        Bins.from_dict(bins.to_dict() | {"goods": [1]})
    with pytest.raises(ModelError, match="do not ascend"):
        Bins.from_dict(bins.to_dict() | {"splits": sorted(bins.splits, reverse=True)})


@pytest.fixture(scope="module")
def statuses():
    """Months late, 1 and above, beside statuses -2 (safe), 0 (riskier than -2) and -9 (never seen with a bad)."""
    rng = np.random.default_rng(4)
    value = pd.Series(rng.choice([-9, -2, 0, 1, 2, 3, 4], 4000, p=[0.02, 0.3, 0.3, 0.1, 0.1, 0.1, 0.08]))
    chance = value.map({-9: 0, -2: 0.05, 0: 0.15, 1: 0.2, 2: 0.4, 3: 0.6, 4: 0.7})
    value, chance = value.astype(float).mask(rng.random(4000) < 0.05), chance
    return value, (rng.random(4000) < chance).astype(int)


MEANING = {-2: "no use", 0: "revolving", -9: "closed", -7: "never seen"}


def test_a_special_code_has_a_bin_of_its_own_with_its_own_evidence(statuses):
    values, bad = statuses
    bins = fit_bins(values, bad, name="x", direction="higher", specials=MEANING)
    table = bins.table().set_index("label")
    for code, meaning in MEANING.items():
        row, there = table.loc[f"{code}: {meaning}"], (values == code).to_numpy()
        assert (row["goods"], row["bads"]) == ((there & (bad == 0)).sum(), (there & (bad == 1)).sum())
    assert table.loc["missing", "count"] == values.isna().sum()
    assert table.loc["-7: never seen", "evidence"] == NEUTRAL
    assert table.loc["-9: closed", "woe"] > table.loc["-2: no use", "woe"] > table.loc["0: revolving", "woe"]
    assert min(bins.splits) > 1  # the statuses took no part in the cuts
    assert (np.diff(bins.woe[: bins.missing_code]) < 0).all()
    codes = bins.assign(pd.Series([-2, 0.0, -7, np.nan, -1, 4]))
    assert [bins.labels[code].partition(":")[0] for code in codes] == ["-2", "0", "-7", "missing", "< 1.5", ">= 3.5"]


def test_special_codes_survive_storage_and_are_counted_as_assigned(statuses):
    values, bad = statuses
    bins = fit_bins(values, bad, name="x", direction=None, specials=MEANING)
    assert Bins.from_dict(bins.to_dict()) == bins
    codes = bins.assign(values)
    for code, (goods, bads) in enumerate(zip(bins.goods, bins.bads, strict=True)):
        assert (((codes == code) & (bad == 0)).sum(), ((codes == code) & (bad == 1)).sum()) == (goods, bads)


def test_a_special_category_is_never_grouped(statuses):
    values, bad = statuses
    names = values.map({-9: "z", -2: "a", 0: "b", 1: "c", 2: "d", 3: "e", 4: "f"})
    bins = fit_bins(names, bad, name="x", direction=None, categorical=True, specials={"b": "revolving"})
    assert not any("b" in group for group in bins.groups)
    assert bins.labels[-3:] == ["missing", "unseen", "b: revolving"]
    assert bins.assign(pd.Series(["b", "never", None])).tolist() == [
        bins.special_code,
        len(bins.groups) + 1,
        len(bins.groups),
    ]
    assert (bins.goods[-1], bins.bads[-1]) == (((names == "b") & (bad == 0)).sum(), ((names == "b") & (bad == 1)).sum())
    assert Bins.from_dict(bins.to_dict()) == bins


def test_statuses_alone_may_tell():
    value = pd.Series([-2.0] * 100 + [-1.0] * 100)
    bad = np.array([0] * 90 + [1] * 10 + [0] * 50 + [1] * 50)
    bins = fit_bins(value, bad, name="x", direction="higher", specials={-2: "a", -1: "b"})
    assert (bins.splits, bins.goods, bins.bads) == ((), (0, 0, 90, 50), (0, 0, 10, 50))
    with pytest.raises(NotBinned, match="expected numbers"):
        fit_bins(value, bad, name="x", direction="higher", specials={"n/a": "a"})


@pytest.mark.parametrize("categorical", [False, True])
def test_a_weight_of_three_is_three_rows(statuses, categorical):
    values, bad = statuses
    times = np.random.default_rng(1).integers(1, 4, len(values))
    weighted = fit_bins(values, bad, name="x", direction=None, categorical=categorical, weights=times)
    rows, codes = np.repeat(np.arange(len(values)), times), weighted.assign(values)
    scale = times.mean()
    for code, (goods, bads) in enumerate(zip(weighted.goods, weighted.bads, strict=True)):
        found = ((codes[rows] == code) & (bad[rows] == 0)).sum(), ((codes[rows] == code) & (bad[rows] == 1)).sum()
        assert (goods * scale, bads * scale) == pytest.approx(found)
    if not categorical:
        assert weighted.splits == fit_bins(values.iloc[rows], bad[rows], name="x", direction=None).splits
    again = fit_bins(values, bad, name="x", direction=None, categorical=categorical, weights=times * 7.5)
    assert again.woe == pytest.approx(weighted.woe, rel=1e-12)
    assert Bins.from_dict(weighted.to_dict()) == weighted


@pytest.mark.parametrize("weighted", [False, True])
def test_a_long_column_is_cut_by_cells_as_well_as_by_its_values(weighted):
    rng = np.random.default_rng(4)
    value = np.where(rng.random(30_000) < 0.3, 0.0, rng.normal(size=30_000))
    bad = (rng.random(30_000) < 1 / (1 + np.exp(2 - value))).astype(int)
    value[:300], value[300:310], value[310:600] = np.nan, np.inf, -9.0
    column, weights = pd.Series(value), rng.choice([1.0, 3.0], 30_000) if weighted else None
    told = {"name": "x", "direction": "higher", "min_bin_share": 0.05, "specials": {-9: "no use"}}
    bins = fit_bins(column, bad, weights=weights, **told)
    assert len(np.unique(value)) > 3 * CELLS
    # what is counted is what is assigned
    counted = [
        np.bincount(
            bins.assign(column)[bad == side], weights=None if weights is None else weights[bad == side] / weights.mean()
        )
        for side in (0, 1)
    ]
    assert np.allclose([bins.goods, bins.bads], counted, rtol=1e-12)
    # the order of the rows changes nothing
    turned = rng.permutation(30_000)
    again = fit_bins(column[turned], bad[turned], weights=None if weights is None else weights[turned], **told)
    assert (again.splits, again.labels) == (bins.splits, bins.labels)
    # and no information worth the name is lost against optbinning on every row
    usual = np.isfinite(value) & (value != -9)
    peer = OptimalBinning(solver="cp", monotonic_trend="ascending", max_n_bins=6, min_bin_size=0.05)
    peer.fit(value[usual], bad[usual], sample_weight=None if weights is None else weights[usual])
    theirs = Bins("x", tuple(peer.splits), (), (1.0,) * (len(peer.splits) + 2), (1.0,) * (len(peer.splits) + 2))
    plain = pd.Series(value[usual])
    ours, its = (
        information(found.assign(plain), bad[usual], weights if weights is None else weights[usual])
        for found in (bins, theirs)
    )
    assert ours > 0.995 * its


def information(codes, bad, weights):
    goods, bads = (
        np.bincount(codes[bad == side], weights=None if weights is None else weights[bad == side], minlength=9)
        for side in (0, 1)
    )
    return float(np.sum((goods / goods.sum() - bads / bads.sum()) * weight_of_evidence(goods, bads)))
