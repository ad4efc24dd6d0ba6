"""A scorecard as SQL: one Ibis expression, compiled for each dialect."""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Collection, Sequence
from typing import Any

import ibis
import sqlglot as sg
from sqlglot import expressions as sge

from workbench.core.errors import ParameterError, unknown
from workbench.models.export import DIALECTS
from workbench.models.scorecard import MAX_REASONS, Scorecard, Variable

WITHOUT_NAN = {"sqlite", "mysql", "tsql", "oracle"}
"""Engines whose numbers know no NaN, or whose test for it Ibis cannot write: there missing is NULL alone."""
RESULTS = ("score", "pd", "grade", "model", "version")
_OWN = "wb__"
"""What names of columns inside the query begin with."""
_PART = re.compile(r'"(?:[^"]|"")+"|[^."]+')
REASONS = tuple(f"reason_{place}" for place in range(1, MAX_REASONS + 1))


def scorecard_sql(
    scorecard: Scorecard,
    *,
    dialect: str,
    table: str = "input",
    ids: Sequence[str] = (),
    version: str = "",
    as_text: Collection[str] = (),
) -> str:
    """Return a query over `table` (as `table_parts` reads it).

    It gives ids, score, pd, grade, reason_1 to reason_4 (names of variables), model, version. Numbers are cast to double, ids
    and inputs of `as_text` to text; other text columns are compared as they are. Points are added in the scorecard's order and
    every number is written so that it is read back to the bit: the score is the kernel's wherever doubles are IEEE 754. The
    grade comes from the score, not from the engine's exponential function.

    Raises
    ------
    ParameterError
        An unknown dialect, an id that is also an input or named like a result, or a column that the dialect cannot name.
    """
    for name in ids:
        if name in scorecard.inputs:
            raise ParameterError(f"export: {name!r} is an input of the scorecard, so it cannot be an id as well.")
        if name in {*RESULTS, *REASONS} or name.startswith(_OWN) or list(ids).count(name) > 1:
            raise ParameterError(
                f"export: the id {name!r} is the name of a result, or given twice. Rename or remove it."
            )
    scored = scores_of(_input(scorecard, dialect, table, ids, as_text), scorecard, nan=dialect not in WITHOUT_NAN)
    scored = scored.select(
        *ids, "score", "pd", "grade", *REASONS, model=ibis.literal(scorecard.name), version=ibis.literal(version)
    )
    return _written(scored, scorecard, dialect, ids)


def counts_sql(scorecard: Scorecard, *, dialect: str, table: str, as_text: Collection[str] = ()) -> str:
    """Return a query of one row: how many rows of `table` have each code of each variable, in the order of both."""
    source = _input(scorecard, dialect, table, (), as_text)
    coded = _coded(source, scorecard, nan=dialect not in WITHOUT_NAN)
    counts = {
        f"n_{i}_{code}": ibis.ifelse(coded[f"{_OWN}bin_{i}"] == code, 1, 0).sum()
        for i, variable in enumerate(scorecard.variables)
        for code in range(variable.bins.size)
    }
    return _written(coded.aggregate(**counts), scorecard, dialect, ())


def table_parts(name: str) -> list[str]:
    """Return the table, its schema and its catalog, as far as they are named; a part in double quotes may hold dots.

    >>> table_parts("crm.rows"), table_parts('"a.b"'), table_parts("odd rows")
    (['rows', 'crm'], ['a.b'], ['odd rows'])
    """
    parts = _PART.findall(name)
    if not name.strip() or ".".join(parts) != name or len(parts) > 3:
        raise ParameterError(f"table {name!r}: expected TABLE, SCHEMA.TABLE or CATALOG.SCHEMA.TABLE.")
    return [part[1:-1].replace('""', '"') if part.startswith('"') else part for part in reversed(parts)]


def _input(scorecard: Scorecard, dialect: str, table: str, ids: Sequence[str], as_text: Collection[str]) -> Any:
    if dialect not in DIALECTS:
        raise ParameterError(f"export: {unknown('dialect', dialect, DIALECTS)}")
    columns = dict.fromkeys(ids, "string") | {
        # declared narrower than they are scored, so that the cast to double is written out
        name: "float32" if kind == "number" else "string"
        for name, kind in scorecard.inputs.items()
    }
    columns |= dict.fromkeys(as_text, "binary")  # so that the cast to text is written out
    place = dict(zip(("name", "database", "catalog"), table_parts(table), strict=False))
    found = ibis.table(columns, **place)
    return found.mutate(**{name: found[name].cast("string") for name in as_text}) if as_text else found


def _written(scored: Any, scorecard: Scorecard, dialect: str, ids: Sequence[str]) -> str:
    compilers = importlib.import_module("ibis.backends.sql.compilers")
    tree = getattr(compilers, DIALECTS[dialect])().to_sqlglot(scored)
    read = {column.name for column in tree.find_all(sge.Column)}
    if lost := [name for name in [*ids, *scorecard.inputs] if name not in read]:
        raise ParameterError(f"export: {dialect} has no way to write the column {lost[0]!r}. Rename it before the fit.")
    tree = tree.transform(_exact).transform(_plain_function)
    if dialect == "sqlite":
        tree = tree.transform(_no_text)
    if dialect == "oracle":
        tree = tree.transform(_binary_double)
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
    coded = _coded(table, scorecard, nan=nan)
    points, losses = [], {}
    for i, variable in enumerate(scorecard.variables):
        points.append(_by_code(coded[f"{_OWN}bin_{i}"], variable.points))
        losses[f"{_OWN}loss_{i}"] = _by_code(coded[f"{_OWN}bin_{i}"], scorecard.losses(variable).tolist())
    score = functools.reduce(lambda total, own: total + own, points, _double(scorecard.base_points))
    scored = coded.mutate(score=score, **losses)
    a, b = scorecard.calibration
    ranks = {f"{_OWN}rank_{i}": _rank(scored, i, places) for i in places}
    ranked = scored.mutate(
        pd=_double(1.0) / (_double(1.0) + (-(_double(a) + _double(b) * scored.score)).exp()), **ranks
    )
    letters = [letter for letter, _ in scorecard.grades]
    grades = [
        (ranked.score >= _double(cut), letter) for cut, letter in zip(scorecard.grade_cuts, letters, strict=False)
    ]
    reasons = {
        name: ibis.cases(
            *((ranked[f"{_OWN}rank_{i}"] == place, variable.name) for i, variable in enumerate(scorecard.variables)),
            else_=ibis.null("string"),
        )
        for place, name in enumerate(REASONS, start=1)
    }
    grade = ibis.cases(*grades, else_=letters[-1]) if grades else ibis.literal(letters[-1])
    return ranked.mutate(grade=grade, **reasons)


def _coded(table: Any, scorecard: Scorecard, *, nan: bool) -> Any:
    codes = {f"{_OWN}bin_{i}": _code(table, v, nan=nan) for i, v in enumerate(scorecard.variables)}
    return table.mutate(**codes)


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
    own = table[f"{_OWN}loss_{place}"]
    ahead = [
        ibis.ifelse(table[f"{_OWN}loss_{i}"] >= own if i < place else table[f"{_OWN}loss_{i}"] > own, 1, 0)
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


def _no_text(node: Any) -> Any:
    """Let SQLite end with "integer overflow" where text stands in a column of numbers: it would cast it to 0."""
    if isinstance(node, sge.Cast) and isinstance(node.this, sge.Column):
        column = node.this.sql("sqlite")
        fails = f"ABS(-9223372036854775807 - 1 - 0 * LENGTH({column}))"
        text = f"CASE WHEN TYPEOF({column}) IN ('text', 'blob') THEN {fails} ELSE CAST({column} AS REAL) END"
        return sg.parse_one(text, dialect="sqlite")
    return node


def _binary_double(node: Any) -> Any:
    """Name Oracle's IEEE double: its DOUBLE PRECISION is a decimal number."""
    if isinstance(node, sge.DataType) and node.this == sge.DataType.Type.DOUBLE:
        return sge.DataType(this=sge.DataType.Type.USERDEFINED, kind="BINARY_DOUBLE")
    return node


def _plain_function(node: Any) -> Any:
    """Call the engine's own function where Ibis would call one that it brings to SQLite."""
    if isinstance(node, sge.Anonymous) and str(node.this).lower().startswith("_ibis_"):
        return sg.func(str(node.this)[len("_ibis_") :].upper(), *node.expressions)
    return node
