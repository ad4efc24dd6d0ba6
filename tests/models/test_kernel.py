"""The block kernel gives what the definition gives, for every dtype, and the same bits for a row wherever it stands."""

from __future__ import annotations

import decimal
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.core.errors import ModelError
from workbench.models.bins import Bins, Merge
from workbench.models.kernel import BLOCK, coder, score_columns
from workbench.models.scorecard import Scaling, Scorecard, scaled

from .oddities import odd_rows, random_scorecard, score_by_hand


@given(seed=st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_random_scorecards_by_hand(seed: int) -> None:
    card = random_scorecard(seed)
    rows = odd_rows(card, seed, 200)
    scored = card.score(rows)
    text = card.to_json()
    for place, row in enumerate(rows.to_dict("records")):
        expected = score_by_hand(text, {name: None if value is None else value for name, value in row.items()})
        found = scored.iloc[place]
        assert found["score"] == pytest.approx(expected["score"], abs=1e-9)
        assert found["pd"] == pytest.approx(expected["pd"], abs=1e-12)
        assert found["grade"] == expected["grade"]
        assert found["reason_codes"] == expected["reason_codes"]


@given(seed=st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_the_codes_are_those_of_the_bins(seed: int) -> None:
    card = random_scorecard(seed)
    rows = odd_rows(card, seed, 300)
    for variable in card.variables:
        expected = variable.bins.assign(rows[variable.name])
        assert coder(variable.bins, rows[variable.name])(0, 300).tolist() == expected.tolist()
        if not variable.bins.categorical:
            with np.errstate(over="ignore"):
                narrow = rows[variable.name].astype(np.float32)
            expected = variable.bins.assign(narrow.astype(np.float64))
            assert coder(variable.bins, narrow)(0, 300).tolist() == expected.tolist()


def forms() -> dict[str, pd.Series]:
    values = [3, None, 0, -1, 7, 120, 2]
    number = pd.Series([3.0, np.nan, 0.0, -1.0, 7.0, 120.0, 2.0])
    return {
        "float64": number,
        "float32": number.astype(np.float32),
        "Int64": pd.Series(values, dtype="Int64"),
        "Float64": pd.Series(values, dtype="Float64"),
        "int8[pyarrow]": pd.Series(values, dtype="int8[pyarrow]"),
        "double[pyarrow]": pd.Series(values, dtype="double[pyarrow]"),
        "float[pyarrow]": pd.Series(values, dtype="float[pyarrow]"),
        "decimal": pd.Series([None if value is None else decimal.Decimal(value) for value in values], dtype=object),
        "decimal[pyarrow]": pd.Series(
            [None if value is None else decimal.Decimal(value) for value in values],
            dtype=pd.ArrowDtype(pa.decimal128(9, 2)),
        ),
        "object": pd.Series(values, dtype=object),
        "category": number.astype("category"),
    }


@pytest.mark.parametrize("form", forms())
def test_a_number_has_one_code_whatever_its_dtype(form: str) -> None:
    bins = Bins("x", (0.5, 2.0, 5.0), (), (5, 4, 3, 2, 1, 1), (1, 2, 3, 4, 5, 1), None, ((-1.0, "none"),))
    assert coder(bins, forms()[form])(0, 7).tolist() == [2, 4, 0, 5, 3, 3, 2]


@pytest.mark.parametrize("dtype", ["object", "str", "category", "string[pyarrow]", "string[python]", "dictionary"])
def test_a_category_has_one_code_whatever_its_dtype(dtype: str) -> None:
    bins = Bins("x", (), (("a", "b"), ("c",)), (5, 4, 3, 2, 1), (1, 2, 3, 4, 5), None, (("z", "none"),))
    made = pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string())) if dtype == "dictionary" else dtype
    values = pd.Series(["b", None, "c", "z", "q", "a"]).astype(made)
    assert coder(bins, values)(0, 6).tolist() == [0, 2, 1, 4, 3, 0]


def big() -> tuple[Scorecard, pd.DataFrame]:
    card = random_scorecard(11)
    return card, odd_rows(card, 1, 2 * BLOCK + 77)


def test_a_row_alone_and_among_many_has_the_same_bits() -> None:
    card, rows = big()
    whole = card.score(rows)
    for place in (0, 1, BLOCK - 1, BLOCK, 2 * BLOCK + 76):
        alone = card.score(rows.iloc[[place]])
        for column in ("score", "pd"):
            assert alone[column].to_numpy().tobytes() == whole[column].iloc[[place]].to_numpy().tobytes()
        assert alone["reasons"].tolist() == whole["reasons"].iloc[[place]].tolist()
    for threads in (2, 3, 50):
        again = card.score(rows, threads=threads, reasons=False)
        assert (again["score"].to_numpy().view(np.int64) == whole["score"].to_numpy().view(np.int64)).all()
        assert (again["pd"].to_numpy().view(np.int64) == whole["pd"].to_numpy().view(np.int64)).all()
        assert (again["grade"] == whole["grade"]).all()


def test_counts_are_those_of_the_codes() -> None:
    card, rows = big()
    found = score_columns(card, card.columns(rows), rows=len(rows), threads=2)
    for variable, counts in zip(card.variables, found.counts, strict=True):
        expected = np.bincount(variable.bins.assign(rows[variable.name]), minlength=variable.bins.size)
        assert counts.tolist() == expected.tolist()


@pytest.mark.parametrize("seed", range(5))
def test_grades_change_exactly_where_the_pd_reaches_a_band(seed: int) -> None:
    card = random_scorecard(seed).calibrated(9.1, -0.021 - seed / 1000)
    for cut, (_, upper) in zip(card.grade_cuts, card.grades, strict=False):
        assert card.pd_of(cut) <= upper < card.pd_of(np.nextafter(cut, -np.inf))
    assert card.grade_cuts == sorted(card.grade_cuts, reverse=True)


def test_cuts_of_bands_near_0_and_1_are_found_at_once() -> None:
    card = replace(random_scorecard(1), grades=(("A", 1e-12), ("B", 0.5), ("C", 1 - 1e-12), ("D", 1.0)))
    for cut, (_, upper) in zip(card.grade_cuts, card.grades, strict=False):
        assert card.pd_of(cut) <= upper < card.pd_of(np.nextafter(cut, -np.inf))


@pytest.mark.parametrize("into", ["< 0.5", "2 to < 5", ">= 5"])
def test_what_is_merged_is_coded_and_counted_where_it_went(into: str) -> None:
    merges = (Merge("missing", into, "said so"), Merge("-1", "0.5 to < 2", "said so"))
    bins = Bins("x", (0.5, 2.0, 5.0), (), (5, 4, 3, 2, 0, 0), (1, 2, 3, 4, 0, 0), None, ((-1.0, "none"),), merges)
    values, counts = forms()["float64"], np.zeros(6, np.int64)
    expected = bins.assign(values)
    assert coder(bins, values)(0, 7, counts).tolist() == expected.tolist()
    assert counts.tolist() == np.bincount(expected, minlength=6).tolist()
    moved = (Merge("missing", "c", "said so"), Merge("unseen", "a", "said so"))
    groups = Bins("x", (), (("a", "b"), ("c",)), (5, 4, 0, 0), (1, 2, 0, 0), merges=moved)
    words = pd.Series(["b", None, "c", "q"])
    assert coder(groups, words)(0, 4).tolist() == groups.assign(words).tolist() == [0, 1, 1, 0]


def test_no_rows_no_variables_and_what_is_refused() -> None:
    card = random_scorecard(4)
    rows = odd_rows(card, 1, 5)
    assert card.score(rows.iloc[:0]).shape == (0, 5)
    number = next(variable.name for variable in card.variables if not variable.bins.categorical)
    with pytest.raises(ModelError, match="not numbers"):
        card.score(rows.assign(**{number: "text"}))
    with pytest.raises(ModelError, match="dates"):
        card.score(rows.assign(**{number: pd.Timestamp("2025-01-01")}))
    late = pd.DataFrame({number: [1.0] * BLOCK + ["text"]}, dtype=object)
    with pytest.raises(ModelError, match=f"1 of {BLOCK + 1} values"):
        coder(next(v.bins for v in card.variables if v.name == number), late[number])(BLOCK, BLOCK + 1)


def test_more_than_255_bins_are_told_apart() -> None:
    splits = tuple(float(i) for i in range(400))
    bins = Bins("x", splits, (), (3,) * 402, (1,) * 402)
    variable = scaled(bins, -1.0, Scaling(), label={"en": "x"}, reason={"en": "x {value}"})
    assert variable.points
    assert coder(bins, pd.Series([-1.0, 0.0, 399.5, np.nan]))(0, 4).tolist() == [0, 1, 400, 401]
