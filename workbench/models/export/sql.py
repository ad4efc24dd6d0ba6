"""A scorecard as SQL: one Ibis expression, compiled for each dialect."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Sequence
from typing import Any

import ibis
import sqlglot as sg
from sqlglot import expressions as sge

from workbench.core.errors import ParameterError, unknown
from workbench.models.export import DIALECTS
from workbench.models.scorecard import MAX_REASONS, Scorecard, Variable

WITHOUT_NAN = {"sqlite", "mysql", "tsql", "oracle"}
"""Engines whose numbers know no NaN, or whose test for it Ibis cannot write: there missing is NULL alone."""
REASONS = tuple(f"reason_{place}" for place in range(1, MAX_REASONS + 1))


def scorecard_sql(
    scorecard: Scorecard, *, dialect: str, table: str = "input", ids: Sequence[str] = (), version: str = ""
) -> str:
    """Return a query over `table`: ids, score, pd, grade, reason_1 to reason_4 (names of variables), model, version.

    Numbers are cast to double; text columns are compared as they are. Points are added in the scorecard's order and every
    number is written so that it is read back to the bit: the score is the kernel's wherever doubles are IEEE 754. The grade
    comes from the score, not from the engine's exponential function.

    Raises
    ------
    ParameterError
        An unknown dialect, an id that is also an input, or a column that the dialect cannot name.
    """
    if dialect not in DIALECTS:
        raise ParameterError(f"export: {unknown('dialect', dialect, DIALECTS)}")
    if both := sorted(set(ids) & set(scorecard.inputs)):
        raise ParameterError(f"export: {both[0]!r} is an input of the scorecard, so it cannot be an id as well.")
    columns = dict.fromkeys(ids, "string") | {
        # declared narrower than they are scored, so that the cast to double is written out
        name: "float32" if kind == "number" else "string"
        for name, kind in scorecard.inputs.items()
    }
    scored = scores_of(ibis.table(columns, name=table), scorecard, nan=dialect not in WITHOUT_NAN)
    scored = scored.select(
        *ids, "score", "pd", "grade", *REASONS, model=ibis.literal(scorecard.name), version=ibis.literal(version)
    )
    compilers = importlib.import_module("ibis.backends.sql.compilers")
    tree = getattr(compilers, DIALECTS[dialect])().to_sqlglot(scored)
    read = {column.name for column in tree.find_all(sge.Column)}
    if lost := [name for name in [*ids, *scorecard.inputs] if name not in read]:
        raise ParameterError(f"export: {dialect} has no way to write the column {lost[0]!r}. Rename it before the fit.")
    tree = tree.transform(_exact).transform(_plain_function)
    if dialect == "postgres":
        # or its planner writes each inner expression out wherever it is used, and works it out as often
        for inner in tree.find_all(sge.Subquery):
            inner.this.set("offset", sge.Offset(expression=sge.Literal.number(0)))
    return str(tree.sql(dialect=dialect, pretty=True))


def scores_of(table: Any, scorecard: Scorecard, *, nan: bool = True) -> Any:
    """Return an Ibis table with the columns score, pd, grade and reason_1 to reason_4 beside those of `table`.

    Parameters
    ----------
    table : Ibis table with every input, numbers of any numeric type and text
    scorecard : Scorecard
    nan : bool
        Whether the engine's doubles know NaN, which is missing.
    """
    places = range(len(scorecard.variables))
    coded = table.mutate(**{f"bin_{i}": _code(table, v, nan=nan) for i, v in enumerate(scorecard.variables)})
    points, losses = [], {}
    for i, variable in enumerate(scorecard.variables):
        points.append(_by_code(coded[f"bin_{i}"], variable.points))
        losses[f"loss_{i}"] = _by_code(coded[f"bin_{i}"], scorecard.losses(variable).tolist())
    score = functools.reduce(lambda total, own: total + own, points, _double(scorecard.base_points))
    scored = coded.mutate(score=score, **losses)
    a, b = scorecard.calibration
    ranks = {f"rank_{i}": _rank(scored, i, places) for i in places}
    ranked = scored.mutate(
        pd=_double(1.0) / (_double(1.0) + (-(_double(a) + _double(b) * scored.score)).exp()), **ranks
    )
    letters = [letter for letter, _ in scorecard.grades]
    grades = [
        (ranked.score >= _double(cut), letter) for cut, letter in zip(scorecard.grade_cuts, letters, strict=False)
    ]
    reasons = {
        name: ibis.cases(
            *((ranked[f"rank_{i}"] == place, variable.name) for i, variable in enumerate(scorecard.variables)),
            else_=ibis.null("string"),
        )
        for place, name in enumerate(REASONS, start=1)
    }
    grade = ibis.cases(*grades, else_=letters[-1]) if grades else ibis.literal(letters[-1])
    return ranked.mutate(grade=grade, **reasons)


def _code(table: Any, variable: Variable, *, nan: bool) -> Any:
    bins, column = variable.bins, table[variable.name]
    if bins.categorical:
        cases = [(column.isnull(), bins.missing_code)]
        cases += [(column == str(special), bins.special_code + i) for i, (special, _) in enumerate(bins.specials)]
        cases += [(column.isin(list(group)), code) for code, group in enumerate(bins.groups)]
        return ibis.cases(*cases, else_=bins.missing_code + 1)
    value = column.cast("float64")
    cases = [(value.isnull() | value.isnan() if nan else value.isnull(), bins.missing_code)]
    cases += [(value == _double(float(code)), bins.special_code + i) for i, (code, _) in enumerate(bins.specials)]
    cases += [(value < _double(split), code) for code, split in enumerate(bins.splits)]
    return ibis.cases(*cases, else_=len(bins.splits))


def _by_code(code: Any, values: Sequence[float]) -> Any:
    """Return the value of each code; values that are the same share a case."""
    most = max(values, key=list(values).count)
    cases = [(code == place, _double(value)) for place, value in enumerate(values) if value != most]
    return ibis.cases(*cases, else_=_double(most)) if cases else _double(most)


def _rank(table: Any, place: int, places: Sequence[int]) -> Any:
    """Return the place of a loss among all, the largest first, the earlier variable where two tie; 0 where nothing is lost."""
    own = table[f"loss_{place}"]
    ahead = [
        ibis.ifelse(table[f"loss_{i}"] >= own if i < place else table[f"loss_{i}"] > own, 1, 0)
        for i in places
        if i != place
    ]
    rank = functools.reduce(lambda total, one: total + one, ahead, ibis.literal(1))
    return ibis.ifelse(own > _double(0.0), rank, 0)


def _double(value: float) -> Any:
    return ibis.literal(float(value), type="float64")


def _exact(node: Any) -> Any:
    """Write a fraction as a cast of its digits with an exponent: 0.1 alone is a decimal to most engines."""
    if isinstance(node, sge.Literal) and not node.is_string and not node.this.isdigit():
        digits = node.this if "e" in node.this.lower() else f"{node.this}e0"
        return sge.cast(sge.Literal.number(digits), sge.DataType.Type.DOUBLE)
    return node


def _plain_function(node: Any) -> Any:
    """Call the engine's own function where Ibis would call one that it brings to SQLite."""
    if isinstance(node, sge.Anonymous) and str(node.this).lower().startswith("_ibis_"):
        return sg.func(str(node.this)[len("_ibis_") :].upper(), *node.expressions)
    return node
