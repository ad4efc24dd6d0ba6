"""From a PD to its grade, by bands of PD that the caller loaded from `params/grades.yaml`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from workbench.core.errors import ParameterError

Bands = tuple[tuple[str, float], ...]


def check_bands(bands: Mapping[str, float] | Sequence[tuple[str, float]]) -> Bands:
    """Return grade bands as (grade, highest PD) pairs, or raise `ParameterError` saying what is wrong with them.

    Grades are one capital letter each, from A without a gap; upper bounds ascend, and the last is 1.

    >>> check_bands({"A": 0.01, "B": 1.0})
    (('A', 0.01), ('B', 1.0))
    """
    pairs = list(bands.items() if isinstance(bands, Mapping) else bands)
    expected = [chr(ord("A") + i) for i in range(len(pairs))]
    if not pairs or [str(grade) for grade, _ in pairs] != expected:
        raise ParameterError(f"grades: found {[grade for grade, _ in pairs]}, expected A, B, C, ... in this order.")
    try:
        found = tuple((str(grade), float(upper)) for grade, upper in pairs)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"grades: an upper PD is not a number: {pairs}.") from error
    previous = 0.0
    for letter, upper in found:
        if math.isnan(upper) or not previous < upper <= 1:
            raise ParameterError(
                f"grades: the upper PD of {letter} is {upper}; expected above {previous} and at most 1."
            )
        previous = upper
    if previous != 1:
        raise ParameterError(f"grades: the last grade {found[-1][0]} ends at {previous}; it must end at 1.0.")
    return found


def grade(pd_hat: npt.ArrayLike, bands: Mapping[str, float] | Sequence[tuple[str, float]]) -> npt.NDArray[np.object_]:
    """Return the grade of each PD: the first whose upper bound is not below it; None where the PD is missing.

    Examples
    --------
    >>> grade([0.005, 0.01, 0.3, float("nan")], {"A": 0.01, "B": 1.0}).tolist()
    ['A', 'A', 'B', None]
    """
    letters, uppers = zip(*check_bands(bands), strict=True)
    chance = np.asarray(pd_hat, dtype=np.float64)
    outside = (chance < 0) | (chance > 1)
    if outside.any():
        raise ParameterError(f"grades: {int(outside.sum())} PDs lie outside 0 to 1, such as {chance[outside][0]}.")
    codes = np.searchsorted(np.asarray(uppers), chance, side="left")
    return np.asarray([*letters, None], dtype=object)[np.where(np.isnan(chance), len(letters), codes)]
