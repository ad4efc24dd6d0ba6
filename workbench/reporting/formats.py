"""How a column reads: its label, kind, digits and unit; one home for pages and lists."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, get_args

import numpy as np
import pandas as pd

from workbench.core.errors import ParameterError, unknown
from workbench.core.languages import say

Kind = Literal["integer", "number", "money", "percent", "text", "date", "score", "status"]
_DIGITS = {"integer": 0, "number": 2, "money": 0, "percent": 1, "score": 0}


@dataclass(frozen=True)
class ColumnFormat:
    """How one column is shown.

    Parameters
    ----------
    label : str
        The heading that people read.
    kind : str
        `integer`, `number`, `money`, `percent` (a share: 0.12 reads 12.0 %), `text`, `date`, `score` or `status`.
    digits : int, optional
        Decimals; by default 0 for integer, money and score, 1 for percent, 2 for number.
    unit : str
        Printed in the heading: a currency, `days`, ...
    adds_up : bool, optional
        Whether a total makes sense; by default for money and for integers without a unit (counts), not for days.
    missing : str, optional
        What stands where there is no value; by default `n/a`.

    Raises
    ------
    ParameterError
        If the kind is unknown.
    """

    label: str
    kind: Kind = "text"
    digits: int | None = None
    unit: str = ""
    adds_up: bool | None = None
    missing: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ParameterError(unknown("column kind", self.kind, get_args(Kind)))

    @property
    def decimals(self) -> int:
        """Decimals shown."""
        return _DIGITS.get(self.kind, 0) if self.digits is None else self.digits

    @property
    def has_total(self) -> bool:
        """Whether the column's values may be summed."""
        by_kind = self.kind == "money" or (self.kind == "integer" and not self.unit)
        return by_kind if self.adds_up is None else self.adds_up

    @property
    def is_numeric(self) -> bool:
        """Whether values are numbers, which stand to the right."""
        return self.kind in _DIGITS

    @property
    def heading(self) -> str:
        """Label and unit: `Exposure (EUR)`."""
        return say("{label} ({unit})", label=self.label, unit=self.unit) if self.unit else self.label


def is_missing(value: object) -> bool:
    """Return whether a single value is null; a list never is."""
    return value is None or (not isinstance(value, list | tuple | set | dict | np.ndarray) and bool(pd.isna(value)))  # type: ignore[call-overload]


def named(name: object, value: object) -> str:
    """Return `name: value` in the language in use."""
    return say("{name}: {value}", name=name, value=value)


def _joined(texts: Iterable[str]) -> str:
    return say("; ").join(texts)


def plain_text(value: object) -> str:
    """Return any value as text: lists joined with '; ' (in Chinese '；'), days in ISO form, booleans in words.

    >>> plain_text(["dpd 30+", None, "score drop"])
    'dpd 30+; n/a; score drop'
    >>> plain_text(dt.datetime(2026, 6, 30))
    '2026-06-30'
    """
    if isinstance(value, Mapping):
        return _joined(named(plain_text(key), plain_text(item)) for key, item in value.items())
    if isinstance(value, set | frozenset):
        return _joined(sorted(plain_text(item) for item in value))
    if isinstance(value, list | tuple | np.ndarray):
        return _joined(plain_text(item) for item in value)
    if is_missing(value):
        return say("n/a")
    if isinstance(value, bool | np.bool_):
        return say("yes") if value else say("no")
    if isinstance(value, dt.datetime):
        midnight = (value.hour, value.minute, value.second, value.microsecond) == (0, 0, 0, 0)
        return value.date().isoformat() if midnight else value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, dt.date):
        return value.isoformat()
    return str(value)


def format_value(value: object, column: ColumnFormat) -> str:
    """Return a value as it reads in its column; a value of another type than the kind's reads as plain text.

    >>> format_value(1234567.8, ColumnFormat("Exposure", "money", unit="EUR"))
    '1,234,568'
    >>> format_value(0.0345, ColumnFormat("Bad rate", "percent"))
    '3.5 %'
    """
    if is_missing(value):
        return say("n/a") if column.missing is None else column.missing
    if column.is_numeric and isinstance(value, int | float | Decimal | np.integer | np.floating):
        number = value if isinstance(value, Decimal | int) else float(value)
        if isinstance(number, float) and math.isinf(number):
            return say("infinite") if number > 0 else say("minus infinite")
        if column.kind == "percent":
            return say("{number} %", number=f"{number * 100:z,.{column.decimals}f}")
        return f"{number:z,.{column.decimals}f}" if not isinstance(number, int) else f"{number:,.{column.decimals}f}"
    if column.kind == "date" and isinstance(value, dt.datetime):
        return value.date().isoformat()
    return plain_text(value)


def require_columns(frame: pd.DataFrame, names: Mapping[str, object] | list[str], *, what: str) -> None:
    """Raise ParameterError, naming the nearest column there is, where `frame` lacks one of `names`."""
    known = [str(name) for name in frame.columns]
    for name in names:
        if name not in known:
            raise ParameterError(f"{what}: {unknown('column', name, known)}")
