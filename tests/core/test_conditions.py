"""The condition compiler: Kleene's truth tables, words, and what the language refuses."""

from __future__ import annotations

import ast
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.core.conditions import compile_condition
from workbench.core.errors import ParameterError
from workbench.core.languages import in_language

FRAME = pd.DataFrame(
    {
        "score": [500.0, 600.0, np.nan, 550.0],
        "drop": [30, 0, 45, 10],
        "grade": pd.Series(["F", "A", None, "C"], dtype="str"),
        "open": pd.Series([True, False, None, True], dtype="boolean"),
        "limit": [0.0, 100.0, 100.0, 0.0],
    }
)


def holds(text: str, **thresholds: Any) -> list[bool]:
    return compile_condition(text, thresholds=thresholds).holds(FRAME).tolist()


# --- truth -------------------------------------------------------------------------------------------------------------

# x is true, false or unknown; Kleene's strong three-valued logic (Introduction to Metamathematics, 1952, section 64)
TRUTH = {"T": 1.0, "F": 0.0, "U": np.nan}
AND = {"TT": "T", "TF": "F", "TU": "U", "FF": "F", "FU": "F", "UU": "U"}
OR = {"TT": "T", "TF": "T", "TU": "T", "FF": "F", "FU": "U", "UU": "U"}


@pytest.mark.parametrize(("word", "table"), [("and", AND), ("or", OR)])
def test_kleene_tables(word: str, table: dict[str, str]) -> None:
    for pair, expected in table.items():
        for left, right in {(pair[0], pair[1]), (pair[1], pair[0])}:
            frame = pd.DataFrame({"a": [TRUTH[left]], "b": [TRUTH[right]]})
            plain = compile_condition(f"a == 1 {word} b == 1").holds(frame).item()
            negated = compile_condition(f"not (a == 1 {word} b == 1)").holds(frame).item()
            found = {(True, False): "T", (False, True): "F", (False, False): "U"}[plain, negated]
            assert found == expected, f"{left} {word} {right}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("score < 560", [True, False, False, True]),
        ("not score < 560", [False, True, False, False]),
        ("score != 500", [False, True, False, True]),
        ("drop >= 30", [True, False, True, False]),
        ("drop >= 30 and score < 560", [True, False, False, False]),
        ("drop >= 30 or score < 560", [True, False, True, True]),
        ("10 <= drop < 45", [True, False, False, True]),
        ("grade == 'F'", [True, False, False, False]),
        ("grade != 'F'", [False, True, False, True]),
        ("grade in ('F', 'C')", [True, False, False, True]),
        ("grade not in ('F', 'C')", [False, True, False, False]),
        ("drop in [0, 45]", [False, True, True, False]),
        ("missing(score)", [False, False, True, False]),
        ("not missing(grade) and drop > 0", [True, False, False, True]),
        ("open == True", [True, False, False, True]),
        ("score - drop * 2 > 500", [False, True, False, True]),
        ("-drop < -20", [True, False, True, False]),
        ("score / limit > 5", [False, True, False, False]),  # nothing can be said of a share of nothing
        ("not score / limit > 7", [False, True, False, False]),
        ("drop / drop == 1", [True, False, True, True]),
        ("1 < 2", [True, True, True, True]),
        ("not 1 < 2", [False, False, False, False]),
    ],
)
def test_rows_that_hold(text: str, expected: list[bool]) -> None:
    assert holds(text) == expected


def test_thresholds_stand_for_their_values() -> None:
    assert holds("drop >= points and grade in (worst, 'C')", points=10, worst="F") == [True, False, False, True]
    assert holds("level == 'strict' and drop > 0", level="strict") == [True, False, True, True]
    assert holds("level in ('strict', 'mild') and drop > 0", level="lax") == [False] * 4
    assert holds("not floor > 3 and drop > 0", floor=3) == [True, False, True, True]
    assert compile_condition("drop >= points", thresholds={"points": 1}).columns == {"drop"}


def test_the_index_is_kept_and_an_empty_frame_gives_nothing() -> None:
    frame = FRAME.set_index(pd.Index([7, 3, 9, 1]))
    found = compile_condition("drop > 0").holds(frame)
    assert found.index.tolist() == [7, 3, 9, 1]
    assert found.dtype == bool
    assert compile_condition("drop > 0 and grade == 'A'").holds(FRAME.head(0)).tolist() == []


# --- the same as plain Python ------------------------------------------------------------------------------------------

NUMBERS = st.one_of(st.none(), st.integers(-4, 4).map(float), st.sampled_from([0.5, -1.5]))
ROWS = st.lists(st.fixed_dictionaries({"a": NUMBERS, "b": NUMBERS, "c": NUMBERS}), min_size=1, max_size=5)
VALUES = st.recursive(
    st.sampled_from(["a", "b", "c", "2", "0.5", "-1"]),
    lambda inner: st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "/"]), inner),
    max_leaves=3,
)
COMPARISONS = st.builds("{} {} {}".format, VALUES, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), VALUES)
LEAVES = st.one_of(
    COMPARISONS,
    st.sampled_from(["a", "b"]).map("missing({})".format),
    st.sampled_from(["a", "b"]).map("{} in (0, 2, -1)".format),
)
CONDITIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner), inner.map("not ({})".format)
    ),
    max_leaves=5,
)


class Kleene:
    """A number, or unknown, that Python's own operators combine; comparisons give True, False or None."""

    def __init__(self, value: float | None) -> None:
        self.value = value

    def _with(self, other: Any, combine: Any) -> Any:
        theirs = other.value if isinstance(other, Kleene) else other
        return None if self.value is None or theirs is None else combine(self.value, theirs)

    def __add__(self, other: Any) -> Kleene:
        return Kleene(self._with(other, lambda x, y: x + y))

    def __sub__(self, other: Any) -> Kleene:
        return Kleene(self._with(other, lambda x, y: x - y))

    def __mul__(self, other: Any) -> Kleene:
        return Kleene(self._with(other, lambda x, y: x * y))

    def __truediv__(self, other: Any) -> Kleene:
        return Kleene(self._with(other, lambda x, y: None if y == 0 else x / y))


def plain(text: str, row: dict[str, float | None]) -> bool | None:
    """Evaluate with Python's parser and a walk that shares nothing with the compiler's frames."""

    def number(node: ast.expr) -> Kleene:
        match node:
            case ast.Constant(value=value):
                return Kleene(value)
            case ast.Name(id=name):
                return Kleene(row[name])
            case ast.UnaryOp(operand=operand):
                return Kleene(0) - number(operand)
            case ast.BinOp(left=left, op=op, right=right):
                combine = {ast.Add: "__add__", ast.Sub: "__sub__", ast.Mult: "__mul__", ast.Div: "__truediv__"}[
                    type(op)
                ]
                return getattr(number(left), combine)(number(right))
        raise AssertionError(ast.dump(node))

    def truth(node: ast.expr) -> bool | None:
        match node:
            case ast.BoolOp(op=op, values=values):
                found = [truth(value) for value in values]
                decisive = isinstance(op, ast.Or)
                return decisive if decisive in found else None if None in found else not decisive
            case ast.UnaryOp(operand=operand):
                inner = truth(operand)
                return None if inner is None else not inner
            case ast.Call(args=[ast.Name(id=name)]):
                return row[name] is None
            case ast.Compare(left=left, ops=[ast.In()], comparators=[ast.Tuple(elts=items)]):
                value = number(left).value
                return None if value is None else value in [number(item).value for item in items]
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                sign = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}[type(op)]
                one, two = number(left).value, number(right).value
                return None if one is None or two is None else eval(f"x {sign} y", {"x": one, "y": two})
        raise AssertionError(ast.dump(node))

    return truth(ast.parse(text, mode="eval").body)


@settings(max_examples=150, deadline=None)
@given(CONDITIONS, ROWS)
def test_the_same_as_plain_python(text: str, rows: list[dict[str, float | None]]) -> None:
    frame = pd.DataFrame(rows, columns=["a", "b", "c"], dtype="float64")
    assert compile_condition(text).holds(frame).tolist() == [plain(text, row) is True for row in rows]


# --- words -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("score_drop >= points and pd >= 0.1", "score drop at least 30 and pd at least 0.1"),
        ("a > 1 or b < 2 and c == 3", "a above 1 or (b below 2 and c is 3)"),
        ("not (missing(a) or b != 'x')", "not (a missing or b is not x)"),
        ("0 <= a < 5", "0 at most a below 5"),
        ("grade in ('F', worst)", "grade one of F, G"),
        ("grade not in ('F',)", "grade none of F"),
        ("balance > 1234567.5", "balance above 1234567.5"),
        ("(a + b) / c > -1", "(a + b) / c above -1"),
        ("a - (b - c) > 0", "a - (b - c) above 0"),
        ("a + b * 2 > 0", "a + (b x 2) above 0"),
        ("open == True", "open is true"),
    ],
)
def test_words(text: str, words: str) -> None:
    assert compile_condition(text, thresholds={"points": 30, "worst": "G"}).words() == words


def test_words_use_labels() -> None:
    assert compile_condition("dpd_now > 0").words({"dpd_now": "days past due"}) == "days past due above 0"
    assert (
        compile_condition("severity == 'red' or severity == worst", thresholds={"worst": "pink"}).words(
            {"severity": "colour", "red": "dark red", "pink": "pale"}
        )
        == "colour is dark red or colour is pale"
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("score_drop >= points and pd >= 0.1", "评分下降 ≥ 30 且 pd ≥ 0.1"),
        ("a > 1 or b < 2 and c == 3", "a > 1 或 （b < 2 且 c为3）"),
        ("not (missing(a) or b != 'x')", "非（a缺失 或 b不为x）"),
        ("0 <= a < 5", "0 ≤ a < 5"),
        ("grade in ('F', worst)", "grade属于F、G"),
        ("grade not in ('F',)", "grade不属于F"),
        ("a + b * 2 > 0", "a + (b × 2) > 0"),
        ("open == True", "open为是"),
        ("severity == 'red'", "severity为红色"),
    ],
)
def test_words_in_chinese(text: str, words: str) -> None:
    condition = compile_condition(text, thresholds={"points": 30, "worst": "G"})
    with in_language("zh"):
        assert condition.words({"score_drop": "评分下降", "red": "红色"}) == words


# --- refused -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true') == 0",
        "score.real > 3",
        "score[0] > 3",
        "(lambda: score)() > 3",
        "len(score) > 3",
        "missing(score, drop)",
        "missing(score + 1)",
        "missing(column=score)",
        "[x for x in score] == 3",
        "f'{score}' == 'a'",
        "score ** 2 > 3",
        "score // 2 > 3",
        "score is None",
        "score == None",
        "score == b'a'",
        "(3 if score > 3 else 4) > 2",
        "(not score > 3) < 2",
        "(score := 3) > 2",
        "grade in 'FG'",
        "grade in (other, 'F')",
        "a in (1, 2) in (3, 4)",
        "~score > 3",
        "(score > 3) + 1 > 1",
    ],
)
def test_what_is_not_of_the_language_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="is not part of this language"):
        compile_condition(text)


@pytest.mark.parametrize("text", ["score", "score + 1", "'a'", "True", "not score", "score > 3 and drop", "-score"])
def test_what_is_neither_true_nor_false_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="is neither true nor false; compare it"):
        compile_condition(text)


@pytest.mark.parametrize("text", ["", "score >", "score = 3", "import os", "score > 3; drop > 2"])
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(ParameterError, match="not an expression"):
        compile_condition(text)


def test_an_unknown_column_is_answered_with_the_nearest() -> None:
    with pytest.raises(ParameterError, match=r"unknown column 'score_dorp'\. Did you mean 'score_drop'\?"):
        compile_condition("score_dorp > 3", known=["score_drop", "pd"])
    with pytest.raises(ParameterError, match=r"unknown column 'point'\. Did you mean 'points'\?"):
        compile_condition("score > point", known=["score"], thresholds={"points": 3})
    with pytest.raises(ParameterError, match=r"unknown column 'scor'\. Did you mean 'score'\?"):
        compile_condition("scor > 3").holds(FRAME)


@pytest.mark.parametrize(
    "text", ["grade > 3", "score < 'a'", "grade + 1 > 3", "-grade > 1", "grade == 3", "score == 'F'"]
)
def test_types_that_do_not_fit_are_told(text: str) -> None:
    with pytest.raises(ParameterError, match="types do not fit"):
        compile_condition(text).holds(FRAME)


def test_a_column_without_any_value_fits_every_comparison() -> None:
    for empty in (
        [None, None],
        [np.nan, np.nan],
        pd.Series([None, None], dtype="str"),
        pd.array([None, None], "Int64"),
    ):
        frame = pd.DataFrame({"a": empty, "b": [1.0, 2.0]})
        for text in ("a > 3", "a == 'F'", "not a in ('F', 'G')", "a + b > 0", "not (a == 'F' and b > 1)"):
            expected = [text.startswith("not (") and value <= 1 for value in (1, 2)]
            assert compile_condition(text).holds(frame).tolist() == expected, text


def test_infinite_values_compare_as_numbers() -> None:
    frame = pd.DataFrame({"a": [math.inf, -math.inf, 1.0]})
    assert compile_condition("a > 0").holds(frame).tolist() == [True, False, True]
