"""The registry: an indicator is one Ibis expression over one base, with its meaning, unit, direction and words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

from workbench.core.dates import add_months
from workbench.core.errors import InputError, ParameterError, unknown

Direction = Literal["higher", "lower"]
Family = Literal["capacity", "payment", "history", "utilisation", "transactions", "behaviour", "outside"]
Dtype = Literal["float64", "string"]
Scope = Literal["customer", "population"]
Range = tuple[float | None, float | None]
RANGES: dict[str, Range] = {
    "share": (0, 1),
    "currency": (None, None),
    "currency a month": (None, None),
    "status": (None, None),
}
"""Least and most by unit, both possible; any other unit counts from 0, without an upper end."""
PANEL = "panel"  # the base of indicators that combine others


@dataclass(frozen=True)
class At:
    """The observation date, and the dates that lie before it."""

    as_of: date

    def months_back(self, months: int) -> date:
        """Return the day `months` before the observation date."""
        return add_months(self.as_of, -months)

    def days_back(self, days: int) -> date:
        """Return the day `days` before the observation date."""
        return self.as_of - timedelta(days=days)


@dataclass(frozen=True)
class Indicator:
    """One indicator.

    Attributes
    ----------
    base
        The prepared table that the expression aggregates by customer (see `bases.py`), or `panel`.
    direction
        Riskier when `higher` or `lower`; None where neither is expected.
    role
        As for columns: `feature`, `protected`, `proxy` or `care`.
    label, reason
        Words by language; `reason` is a template with `{value}`.
    absent
        The value of a customer without any row in the base: 0 for a count, null where nothing can be said.
    null
        When it is null, in words; "never" where `absent` stands in.
    scope
        `customer`, or `population` where other customers enter.
    range
        The least and the most that make sense; None where there is no end. A value beyond is kept, and counted.
    """

    name: str
    meaning: str
    family: Family
    base: str
    unit: str
    direction: Direction | None
    role: str
    dtype: Dtype
    label: dict[str, str]
    reason: dict[str, str]
    absent: float | None
    null: str
    scope: Scope
    range: Range
    expression: Callable[[Any, At], Any]


def total(money: Any, where: Any = None) -> Any:
    """Return the sum of a money column as float64: added as decimal, so that the order of rows cannot change it."""
    return money.sum(where=where).cast("float64")


REGISTRY: dict[str, Indicator] = {}


def indicator(
    *,
    family: Family,
    base: str,
    unit: str,
    direction: Direction | None,
    label: tuple[str, str],
    reason: tuple[str, str],
    role: str = "feature",
    dtype: Dtype = "float64",
    absent: float | None = None,
    null: str = "",
    scope: Scope = "customer",
    between: Range | None = None,
) -> Callable[[Callable[[Any, At], Any]], Callable[[Any, At], Any]]:
    """Register a function `(base table, At) -> Ibis expression` as an indicator; its docstring is the meaning.

    Parameters
    ----------
    null
        When the value is null, in words; may be left out where `absent` says what stands for nothing.
    between
        Least and most that make sense, by default those of the unit (`RANGES`).

    Raises
    ------
    InputError
        If the name is taken, the function has no docstring, or nothing says when the value is null.
    """

    def register(expression: Callable[[Any, At], Any]) -> Callable[[Any, At], Any]:
        name = expression.__name__
        known = REGISTRY.get(name)
        if known is not None and (known.expression.__module__ != expression.__module__ or _is_ours(expression)):
            raise InputError(f"indicator {name!r} is registered twice; give one of them another name.")
        if not expression.__doc__:
            raise InputError(f"indicator {name!r} has no docstring; say in one sentence what it means.")
        if absent is None and not null:
            raise InputError(f"indicator {name!r} does not say when it is null; give null='...' or absent=0.")
        REGISTRY[name] = Indicator(
            name=name,
            meaning=expression.__doc__.strip().splitlines()[0],
            family=family,
            base=base,
            unit=unit,
            direction=direction,
            role=role,
            dtype=dtype,
            label={"en": label[0], "zh": label[1]},
            reason={"en": reason[0], "zh": reason[1]},
            absent=absent,
            null=null or "never",
            scope=scope,
            range=between or RANGES.get(unit, (0, None)),
            expression=expression,
        )
        return expression

    return register


def _is_ours(expression: Callable[..., Any]) -> bool:
    """Return whether a function is of this package: a notebook's cell may be run again, our names are given once."""
    return expression.__module__.startswith("workbench.")


def select(only: list[str] | None = None) -> list[Indicator]:
    """Return the indicators by name, all of them by default, in the order of registration.

    Raises
    ------
    ParameterError
        If a name is unknown; the nearest known one is given.
    """
    from workbench.indicators import (  # noqa: F401
        behaviour,
        capacity,
        history,
        outside,
        payment,
        transactions,
        utilisation,
    )

    for name in only or []:
        if name not in REGISTRY:
            raise ParameterError(unknown("indicator", name, REGISTRY))
    return [found for name, found in REGISTRY.items() if not only or name in only]
