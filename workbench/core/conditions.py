"""The condition compiler: one expression gives the columns it needs, the rows it holds for, and its meaning in words.

It serves rules and policies alike. The language is a small part of Python's: names of columns and thresholds, numbers, texts,
`and or not`, `< <= > >= == !=`, `in (...)`, `+ - * /`, and `missing(name)`. A comparison with a missing value is neither true
nor false (Kleene's logic, as in SQL), a division by zero is missing, and a row counts only where the whole is true.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

import pandas as pd

from workbench.core.errors import ParameterError, unknown
from workbench.core.languages import listed, mark, say

_COMPARE: dict[type[ast.cmpop], tuple[Callable[[Any, Any], Any], str]] = {
    ast.Lt: (operator.lt, mark("{left} below {right}")),
    ast.LtE: (operator.le, mark("{left} at most {right}")),
    ast.Gt: (operator.gt, mark("{left} above {right}")),
    ast.GtE: (operator.ge, mark("{left} at least {right}")),
    ast.Eq: (operator.eq, mark("{left} is {right}")),
    ast.NotEq: (operator.ne, mark("{left} is not {right}")),
}
_ARITHMETIC: dict[type[ast.operator], tuple[Callable[[Any, Any], Any], str]] = {
    ast.Add: (operator.add, "{left} + {right}"),
    ast.Sub: (operator.sub, "{left} - {right}"),
    ast.Mult: (operator.mul, mark("{left} x {right}")),
    ast.Div: (lambda left, right: left / _not_zero(right), "{left} / {right}"),
}


@dataclass(frozen=True)
class Condition:
    """A compiled condition.

    Attributes
    ----------
    text
        As it was written.
    columns
        The columns that it needs.
    """

    text: str
    columns: frozenset[str]
    _tree: ast.expr
    _thresholds: Mapping[str, float | str]

    def holds(self, frame: pd.DataFrame) -> pd.Series[bool]:
        """Return for each row of `frame` whether the condition is true; unknown counts as not.

        Raises
        ------
        ParameterError
            If `frame` lacks a column, or a column's type does not fit its comparison.
        """
        for column in sorted(self.columns):
            if column not in frame.columns:
                raise ParameterError(f"condition {self.text!r}: {unknown('column', column, map(str, frame.columns))}")
        try:
            result = self._value(self._tree, frame)
            truth = result if isinstance(result, pd.Series) else pd.Series(result, index=frame.index)
            return truth.astype("boolean").fillna(False).astype(bool)
        except TypeError as error:
            raise ParameterError(f"condition {self.text!r}: types do not fit: {error}") from None

    def words(self, labels: Mapping[str, str] | None = None) -> str:
        """Return the condition in words of the language in use; `labels` say how columns and texts read.

        >>> compile_condition("score_drop >= 30 and grade in ('F', 'G')").words({"score_drop": "score drop"})
        'score drop at least 30 and grade one of F, G'
        """
        return self._words(self._tree, labels or {})

    def _value(self, node: ast.expr, frame: pd.DataFrame) -> Any:
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name):
                return self._thresholds[name] if name in self._thresholds else _nullable(frame[name])
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return -self._value(operand, frame)
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return _not(_boolean(self._value(operand, frame)))
            case ast.BinOp(left=left, op=op, right=right):
                return _ARITHMETIC[type(op)][0](self._value(left, frame), self._value(right, frame))
            case ast.BoolOp(op=op, values=values):
                combine = operator.and_ if isinstance(op, ast.And) else operator.or_
                result = _boolean(self._value(values[0], frame))
                for operand in values[1:]:
                    result = combine(result, _boolean(self._value(operand, frame)))
                return result
            case ast.Call(args=[ast.Name(id=name)]):
                return frame[name].isna().astype("boolean")
            case ast.Compare(
                left=left, ops=[ast.In() | ast.NotIn() as op], comparators=[ast.Tuple() | ast.List() as choice]
            ):
                found = self._value(left, frame)
                items = [self._value(item, frame) for item in choice.elts]
                for item in items:
                    _check_same_kind(found, item)
                inside = _inside(found, items)
                return inside if isinstance(op, ast.In) else _not(inside)
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                sides = [self._value(side, frame) for side in (left, *comparators)]
                result = True
                for comparison, one, other in zip(ops, sides, sides[1:], strict=False):
                    _check_same_kind(one, other)
                    result = result & _boolean(_COMPARE[type(comparison)][0](one, other))
                return result
        raise AssertionError(f"unchecked node {ast.dump(node)}")

    def _words(self, node: ast.expr, labels: Mapping[str, str]) -> str:
        match node:
            case ast.Constant(value=value):
                return _shown(value, labels)
            case ast.Name(id=name):
                found = self._thresholds.get(name)
                if found is not None:
                    return _shown(found, labels)
                return labels.get(name, name.replace("_", " "))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return f"-{self._words(operand, labels)}"
            case ast.UnaryOp(operand=operand):
                return say("not ({words})", words=self._words(operand, labels))
            case ast.BinOp(left=left, op=op, right=right):
                one, other = (
                    f"({self._words(side, labels)})" if isinstance(side, ast.BinOp) else self._words(side, labels)
                    for side in (left, right)
                )
                return say(_ARITHMETIC[type(op)][1], left=one, right=other)
            case ast.BoolOp(op=op, values=values):
                both = mark("{one} and {other}") if isinstance(op, ast.And) else mark("{one} or {other}")
                parts = [self._words(value, labels) for value in values]
                mixed = [
                    say("({words})", words=part) if isinstance(value, ast.BoolOp) else part
                    for part, value in zip(parts, values, strict=True)
                ]
                return reduce(lambda one, other: say(both, one=one, other=other), mixed)
            case ast.Call(args=[argument]):
                return say("{name} missing", name=self._words(argument, labels))
            case ast.Compare(
                left=left, ops=[ast.In() | ast.NotIn() as op], comparators=[ast.Tuple() | ast.List() as choice]
            ):
                inside = mark("{left} one of {choices}") if isinstance(op, ast.In) else mark("{left} none of {choices}")
                choices = listed([self._words(item, labels) for item in choice.elts])
                return say(inside, left=self._words(left, labels), choices=choices)
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                words = self._words(left, labels)
                for comparison, side in zip(ops, comparators, strict=True):
                    words = say(_COMPARE[type(comparison)][1], left=words, right=self._words(side, labels))
                return words
        raise AssertionError(f"unchecked node {ast.dump(node)}")


def compile_condition(
    text: str, *, known: Iterable[str] | None = None, thresholds: Mapping[str, float | str] | None = None
) -> Condition:
    """Compile a condition.

    Parameters
    ----------
    text
        For example `score_drop >= drop_points and not dpd_now >= 30`.
    known
        Names of the columns there will be; a name beside them and the thresholds is refused.
    thresholds
        Values that users set, by name.

    Raises
    ------
    ParameterError
        If the text is no condition of this language, or names an unknown column.
    """
    given = dict(thresholds or {})
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError as error:
        raise ParameterError(f"condition {text!r}: not an expression: {error.msg}.") from None
    columns: set[str] = set()
    _check_truth(tree, text)
    _check(tree, text, columns, given)
    if known is not None:
        names = set(known)
        for name in sorted(columns - names):
            raise ParameterError(f"condition {text!r}: {unknown('column', name, names | set(given))}")
    return Condition(text, frozenset(columns), tree, given)


def _check_truth(node: ast.AST, text: str) -> None:
    match node:
        case ast.Compare() | ast.Call():
            return
        case ast.BoolOp(values=values):
            for value in values:
                _check_truth(value, text)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            _check_truth(operand, text)
        case _:
            raise ParameterError(
                f"condition {text!r}: {ast.unparse(node)!r} is neither true nor false; compare it, as in 'score_drop >= 30'."
            )


def _check(node: ast.AST, text: str, columns: set[str], thresholds: Mapping[str, Any]) -> None:
    of_values = True  # whether the children must be values; else each must be true or false
    match node:
        case ast.Constant(value=bool()) | ast.Constant(value=int() | float() | str()):
            return
        case ast.Name(id=name):
            if name not in thresholds:
                columns.add(name)
            return
        case ast.Call(func=ast.Name(id="missing"), args=[ast.Name(id=name)], keywords=[]):
            columns.add(name)
            return
        case ast.UnaryOp(op=ast.Not()) | ast.BoolOp():
            children: list[ast.AST] = list(ast.iter_child_nodes(node))
            of_values = False
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            children = [operand]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            children = [left, right]
        case ast.Compare(
            left=left, ops=[ast.In() | ast.NotIn()], comparators=[ast.Tuple(elts=items) | ast.List(elts=items)]
        ) if all(_is_fixed(item, thresholds) for item in items):
            children = [left, *items]
        case ast.Compare(left=left, ops=ops, comparators=comparators) if all(type(op) in _COMPARE for op in ops):
            children = [left, *comparators]
        case _:
            raise _refused(node, text)
    for child in children:
        if of_values and not _is_value(child):
            raise _refused(child, text)
        if not isinstance(child, ast.boolop | ast.unaryop):
            _check(child, text, columns, thresholds)


def _is_value(node: ast.AST) -> bool:
    negated = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
    return negated or isinstance(node, ast.Constant | ast.Name | ast.BinOp)


def _is_fixed(item: ast.expr, thresholds: Mapping[str, Any]) -> bool:
    """Return whether an item of `in (...)` is a number, a text or a threshold."""
    match item:
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant()) | ast.Constant():
            return True
        case ast.Name(id=name):
            return name in thresholds
    return False


def _refused(node: ast.AST, text: str) -> ParameterError:
    return ParameterError(
        f"condition {text!r}: {ast.unparse(node)!r} is not part of this language: expected names, numbers, texts, "
        "and/or/not, comparisons, in (...) with fixed choices, + - * / and missing(name)."
    )


def _nullable(column: pd.Series[Any]) -> Any:
    if column.isna().all():
        return pd.NA  # whatever type a column without any value happens to have
    return column.convert_dtypes(convert_string=False) if column.dtype.kind in "fiub" else column.astype("string")


def _boolean(value: Any) -> Any:
    if isinstance(value, pd.Series):
        return value.astype("boolean")
    return value if value is pd.NA else bool(value)


def _not(value: Any) -> Any:
    return ~value if isinstance(value, pd.Series) or value is pd.NA else not value


def _not_zero(value: Any) -> Any:
    if isinstance(value, pd.Series):
        return value.mask((value == 0).fillna(False), pd.NA)
    return pd.NA if value is not pd.NA and value == 0 else value


def _inside(found: Any, items: list[Any]) -> Any:
    if isinstance(found, pd.Series):
        return found.isin(items).astype("boolean").mask(found.isna(), pd.NA)
    return found if found is pd.NA else found in items


def _is_text(value: Any) -> bool:
    return bool(value.dtype == "string") if isinstance(value, pd.Series) else isinstance(value, str)


def _check_same_kind(one: Any, other: Any) -> None:
    if one is not pd.NA and other is not pd.NA and _is_text(one) != _is_text(other):
        raise TypeError("a text is compared with a number")


def _shown(value: Any, labels: Mapping[str, str]) -> str:
    if isinstance(value, bool):
        return say("true") if value else say("false")
    return f"{value:.12g}" if isinstance(value, int | float) else labels.get(value, value)
