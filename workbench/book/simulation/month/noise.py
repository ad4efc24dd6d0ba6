"""Randomness that belongs to a loan: the same for the same loan of the same customer, whatever else there is.

Drawn in a row, the numbers of one loan would depend on how many loans come before it; a world in which one more loan is
granted could then not be compared with the world in which it is not.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from workbench.book.simulation.state import Loans
from workbench.book.simulation.world import Floats

_Words = npt.NDArray[np.uint64]


class LoanNoise:
    """Uniform, normal and exponential numbers of a month, one a loan (m,), in named rows.

    SplitMix64 (Steele, Lea & Flood 2014, OOPSLA, doi 10.1145/2660193.2660195) over customer, loan and row.
    """

    def __init__(self, rng: np.random.Generator, loans: Loans) -> None:
        self._key = np.uint64(rng.integers(0, 2**63))
        self._who = (loans.customer * 1_024 + loans.slot % 1_024).astype(np.uint64)

    def uniform(self, row: int) -> Floats:
        """Return numbers between 0 and 1, ends excluded."""
        with np.errstate(over="ignore"):
            words = _mixed(_mixed(self._who + self._key) + np.uint64(row + 1) * np.uint64(0x9E3779B97F4A7C15))
        return ((words >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53

    def normal(self, row: int) -> Floats:
        """Return standard normal numbers."""
        found: Floats = ndtri(self.uniform(row))
        return found

    def exponential(self, row: int) -> Floats:
        """Return exponential numbers of mean 1."""
        return -np.log(self.uniform(row))

    def whole(self, row: int, low: int, high: int) -> npt.NDArray[np.int64]:
        """Return whole numbers from `low` up to and without `high`."""
        return low + np.floor(self.uniform(row) * (high - low)).astype(np.int64)


def _mixed(words: _Words) -> _Words:
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
