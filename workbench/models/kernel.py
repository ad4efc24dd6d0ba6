"""A scorecard over long tables: bins by compare-and-count, block by block, so that the work stays in the processor's cache.

The definition is `Bins.assign` and `Scorecard`; this gives the same bits in less time and without copies of the columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from workbench.core.errors import ModelError
from workbench.models.bins import Bins
from workbench.models.columns import Floats, numbers, text_of

if TYPE_CHECKING:
    from workbench.models.scorecard import Scorecard

BLOCK = 16_384
"""Rows at a time: a block of one column and its codes fit the second-level cache. House choice, measured."""

Codes = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]
Counts = npt.NDArray[np.int64]


class Scores(NamedTuple):
    """Score (float64), calibrated PD (float64) and the place of the grade among the bands (int8) of each row.

    `counts` says how many rows fell under each code of each variable.
    """

    score: Floats
    pd: Floats
    grade: npt.NDArray[np.int8]
    counts: list[npt.NDArray[np.int64]]


def blocks(start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Return the bounds of the blocks of rows from start to stop.

    >>> list(blocks(0, 20_000))
    [(0, 16384), (16384, 20000)]
    """
    for first in range(start, stop, BLOCK):
        yield first, min(first + BLOCK, stop)


def score_columns(scorecard: Scorecard, columns: Sequence[pd.Series], *, rows: int, threads: int = 1) -> Scores:
    """Score so many rows of the variables' columns, in the order of `scorecard.variables`; points are added in this order.

    Raises
    ------
    ModelError
        Text or dates where numbers belong.
    """
    found = Scores(np.empty(rows), np.empty(rows), np.empty(rows, np.int8), [])
    coders = [coder(v.bins, column) for v, column in zip(scorecard.variables, columns, strict=True)]
    points = [np.asarray(variable.points, dtype=np.float64) for variable in scorecard.variables]
    a, b = scorecard.calibration
    cuts = scorecard.grade_cuts

    def run(start: int, stop: int) -> list[npt.NDArray[np.int64]]:
        counts = [np.zeros(len(own), np.int64) for own in points]
        taken = np.empty(BLOCK)
        for first, last in blocks(start, stop):
            score, chance = found.score[first:last], found.pd[first:last]
            some = taken[: last - first]
            score[:] = scorecard.base_points
            for code, own, count in zip(coders, points, counts, strict=True):
                codes = code(first, last, count)
                # no code is beyond its points, and of the modes "wrap" is the fastest
                np.take(own, codes.astype(np.intp), out=some, mode="wrap")
                score += some
            np.multiply(score, b, out=chance)
            chance += a
            np.negative(chance, out=chance)
            with np.errstate(over="ignore"):
                np.exp(chance, out=chance)
            chance += 1
            np.divide(1, chance, out=chance)
            grade = found.grade[first:last]
            grade[:] = len(cuts)
            for cut in cuts:
                grade -= score >= cut
        return counts

    # A thread takes whole blocks, so that a row's bits do not depend on their number.
    share = -(-rows // max(threads, 1) // BLOCK) * BLOCK or BLOCK
    starts = range(0, rows, share)
    if len(starts) <= 1:
        parts = [run(0, rows)]
    else:
        with ThreadPoolExecutor(len(starts)) as pool:
            parts = list(pool.map(lambda start: run(start, min(start + share, rows)), starts))
    return found._replace(counts=[np.sum(own, axis=0) for own in zip(*parts, strict=True)])


class Block(Protocol):
    """The codes of the rows from first to last; how many there are of each is added to `counts`."""

    def __call__(self, first: int, last: int, counts: Counts | None = None) -> Codes:  # noqa: D102
        ...


def coder(bins: Bins, values: pd.Series) -> Block:
    """Return the codes of a column's rows as `Bins.assign` has them, block by block.

    Raises
    ------
    ModelError
        Text or dates where numbers belong; for mixed columns only when the block is read.
    """
    kind = np.uint8 if bins.size < 256 else np.uint16
    if bins.categorical:
        return _categories(bins, values, kind)
    read, homes = _numbers(values, bins.name), bins.homes()
    special_bins = np.searchsorted(np.asarray(bins.splits), [float(code) for code, _ in bins.specials], side="right")

    def codes(first: int, last: int, counts: Counts | None = None) -> Codes:
        value = read(first, last)
        before = last - first  # rows at or above the split before
        found: Any = np.zeros(last - first, dtype=kind)
        hit: Any = np.empty(last - first, dtype=np.bool_)
        one = hit.view(np.uint8)  # a bool would be cast before it is added
        for code, split in enumerate(_thresholds(bins.splits, value.dtype)):
            np.greater_equal(value, split, out=hit)
            found += one
            if counts is not None:  # counted as they are compared, since that is cheaper than by the codes
                above = int(np.count_nonzero(hit))
                counts[code] += before - above
                before = above
        if counts is not None:
            counts[len(bins.splits)] += before
        np.not_equal(value, value, out=hit)
        _move(hit, found, counts, homes[bins.missing_code], 0)
        for i, (special, _) in enumerate(bins.specials):
            if value.dtype.type(special) == special:
                np.equal(value, value.dtype.type(special), out=hit)
                _move(hit, found, counts, homes[bins.special_code + i], special_bins[i])
        return np.asarray(found)

    return codes


def _move(hit: Any, found: Any, counts: Counts | None, code: np.intp, was: np.intp | int) -> None:
    """Give the rows that were hit a code, and count them there instead of in the bin where they were."""
    number = int(np.count_nonzero(hit))
    if number:
        np.putmask(found, hit, code)
    if number and counts is not None:
        counts[was] -= number
        counts[code] += number


def _thresholds(splits: Sequence[float], dtype: np.dtype[np.floating]) -> list[np.floating]:
    """Return the least value of `dtype` that is not below each split: comparing with it is exact.

    >>> float(_thresholds([0.1], np.dtype(np.float32))[0]) >= 0.1
    True
    """
    found = []
    with np.errstate(over="ignore"):
        for split in splits:
            least = dtype.type(split)
            found.append(np.nextafter(least, dtype.type(np.inf)) if float(least) < split else least)
    return found


def _numbers(values: pd.Series, name: str) -> Callable[[int, int], npt.NDArray[np.floating]]:
    """Return a reader of blocks as float64, or as float32 where the column is; without a copy of the whole column."""
    dtype = values.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in "fiub":
        array = values.to_numpy()
        if dtype in (np.float64, np.float32):
            return lambda first, last: array[first:last]
        return lambda first, last: array[first:last].astype(np.float64)
    if dtype.kind in "fiub" and not isinstance(dtype, pd.CategoricalDtype):  # masked, or of Arrow
        extension = values.array
        return lambda first, last: extension[first:last].to_numpy(dtype=np.float64, na_value=np.nan)
    numbers(values.iloc[:0], name=name)  # a dtype that holds no numbers is refused at once

    def mixed(first: int, last: int) -> Floats:
        try:
            return numbers(values.iloc[first:last], name=name)
        except ModelError:
            numbers(values, name=name)  # says how many of all
            raise

    return mixed


def _categories(bins: Bins, values: pd.Series, kind: type[np.unsignedinteger]) -> Block:
    code_of = {category: code for code, group in enumerate(bins.groups) for category in group}
    code_of |= {str(special): bins.special_code + i for i, (special, _) in enumerate(bins.specials)}

    homes = bins.homes().astype(kind)

    def looked_up(found: pd.Index | npt.NDArray[np.object_]) -> Codes:
        known = [code_of.get(text_of(value), bins.missing_code + 1) for value in found]
        return np.asarray(homes[[*known, bins.missing_code]])  # the last is for -1, a missing value

    table = None
    if isinstance(values.dtype, pd.CategoricalDtype):
        places, table = values.cat.codes.to_numpy(), looked_up(values.cat.categories)

    def codes(first: int, last: int, counts: Counts | None = None) -> Codes:
        if table is None:
            some, known = pd.factorize(values.iloc[first:last], use_na_sentinel=True)
            found = looked_up(known)[some]
        else:
            found = table[places[first:last]]
        if counts is not None:
            counts += np.bincount(found, minlength=len(counts))
        return found

    return codes
