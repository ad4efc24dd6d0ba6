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
) -> Callable[[Callable[[Any, At], Any]], Callable[[Any, At], Any]]:
    """Register a function `(base table, At) -> Ibis expression` as an indicator; its docstring is the meaning.

    Raises
    ------
    InputError
        If the name is taken, or the function has no docstring.
    """

    def register(expression: Callable[[Any, At], Any]) -> Callable[[Any, At], Any]:
        name = expression.__name__
        if name in REGISTRY:
            raise InputError(f"indicator {name!r} is registered twice; give one of them another name.")
        if not expression.__doc__:
            raise InputError(f"indicator {name!r} has no docstring; say in one sentence what it means.")
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
            expression=expression,
        )
        return expression

    return register


def select(only: list[str] | None = None) -> list[Indicator]:
    """Return the indicators by name, all of them by default, in the order of registration.

    Raises
    ------
    ParameterError
        If a name is unknown; the nearest known one is given.
    """
    from workbench.indicators import behaviour, capacity, history, payment, transactions, utilisation  # noqa: F401

    for name in only or []:
        if name not in REGISTRY:
            raise ParameterError(unknown("indicator", name, REGISTRY))
    return [found for name, found in REGISTRY.items() if not only or name in only]
