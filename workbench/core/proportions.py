"""Intervals of shares."""

from __future__ import annotations

import pandas as pd

_Z95 = 1.959964


def wilson(count: pd.Series, total: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Return the 95 % interval of count / total (Wilson 1927, JASA 22).

    >>> low, high = wilson(pd.Series([5.0]), pd.Series([50.0]))
    >>> round(float(low[0]), 4), round(float(high[0]), 4)
    (0.0435, 0.2136)
    """
    n, z = total.astype(float), _Z95
    rate = count / n
    centre = (rate + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (rate * (1 - rate) / n + z**2 / (4 * n**2)) ** 0.5
    return centre - half, centre + half
