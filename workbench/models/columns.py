"""A column as numbers or as names of categories, whatever its dtype."""

from __future__ import annotations

import decimal
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from workbench.core.errors import ModelError
from workbench.core.languages import mark, say

Floats = npt.NDArray[np.float64]


class ColumnError(ModelError):
    """A column that cannot be used as it is.

    The message is in English as every error's; `why` is for a page, in the language in use.

    >>> error = ColumnError("income", "constant, {value:g} in all {rows} rows.", {"value": 7.0, "rows": 20})
    >>> str(error), error.why
    ('income: constant, 7 in all 20 rows.', 'constant, 7 in all 20 rows.')
    """

    def __init__(self, name: str, text: str, values: Mapping[str, object] | None = None) -> None:
        super().__init__(name, text, values or {})
        self.text, self.values = text, values or {}

    def __str__(self) -> str:
        """Return the message."""
        return f"{self.args[0]}: {self.text.format(**self.values)}"

    @property
    def why(self) -> str:
        """What is wrong with the column, without its name."""
        return say(self.text, **self.values)


def numbers(values: pd.Series, *, name: str) -> Floats:
    """Return a column as float64 with NaN for missing, whatever its dtype; text and dates are refused.

    >>> numbers(pd.Series([1, None, True], dtype=object), name="x").tolist()
    [1.0, nan, 1.0]
    """
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        values = values.astype(object)
    elif pd.api.types.is_datetime64_any_dtype(dtype) or isinstance(dtype, pd.PeriodDtype):
        text = mark("dates where numbers belong ({dtype}). Turn them into days before as_of.")
        raise ColumnError(name, text, {"dtype": str(dtype)})
    elif pd.api.types.is_timedelta64_dtype(dtype):
        text = mark("durations where numbers belong ({dtype}). Turn them into days.")
        raise ColumnError(name, text, {"dtype": str(dtype)})
    elif isinstance(dtype, pd.StringDtype) or str(dtype).startswith(("string", "large_string")):
        values = values.astype(object)
    if values.dtype == object:
        known = values[values.notna()]
        if not len(known):
            return np.full(len(values), np.nan)
        strange = known.map(lambda v: not isinstance(v, (int, float, np.number, np.bool_, decimal.Decimal)))
        if strange.any():
            # one word makes a column of numbers text: then it is the word that is strange
            words = known[strange][pd.to_numeric(known[strange], errors="coerce").isna()]
            wrong = words if len(words) > 0 else known[strange]
            example = wrong.iloc[0]
            text = mark(
                "{wrong} of {all} values are not numbers, such as {example!r} ({type}). "
                "Convert the column, or declare it categorical."
            )
            found = {"wrong": len(wrong), "all": len(values), "example": example, "type": type(example).__name__}
            raise ColumnError(name, text, found)
        return np.asarray([np.nan if missing else float(v) for v, missing in zip(values, values.isna(), strict=True)])
    try:
        return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)
    except (TypeError, ValueError) as error:
        text = mark("a column of {dtype} where numbers belong ({error}).")
        raise ColumnError(name, text, {"dtype": str(dtype), "error": str(error)}) from error


def text_of(value: Any) -> str:
    """Return a category's name; 1, 1.0 and True-like numpy scalars keep one name whatever the column's dtype."""
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (float, np.floating, decimal.Decimal)) and float(value).is_integer():
        return str(int(value))
    return str(value)


def texts(values: pd.Series) -> npt.NDArray[np.object_]:
    """Return a column as category names, None for missing."""
    codes, found = pd.factorize(values, use_na_sentinel=True)
    names = np.asarray([*(text_of(value) for value in found), None], dtype=object)
    return names[codes]
