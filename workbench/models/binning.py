"""How a variable is binned: optbinning proposes the cuts, we count the evidence in each bin."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from workbench.core.errors import ModelError
from workbench.models.bins import Bins, Codes, Direction, Specials, weight_of_evidence
from workbench.models.columns import Floats, numbers, text_of, texts
from workbench.models.evaluation import both_classes, unit_weights

RARE_SHARE = 0.005
"""Categories under this share of rows are put together before groups are sought: alone they are noise. House choice."""

CELLS = 5_000
"""A column of more distinct values is cut between as many cells of about equal size. House choice: a cell of a million rows
then holds 200, and no cut that matters lies within."""

_TRENDS = {"higher": "ascending", "lower": "descending", None: "auto_asc_desc"}


class NotBinned(ModelError):  # noqa: N818 - an outcome that the table of fates shows, not only a failure
    """A variable that cannot be binned: constant, all missing, dates, text, or nothing to cut in its direction."""


def _counts(codes: Codes, bad: npt.NDArray[np.bool_], size: int, weight: Floats | None) -> npt.NDArray[Any]:
    """Return goods and bads (size, 2) by code: whole numbers of rows, or sums of their weights."""
    sides = [
        np.bincount(codes[side], weights=None if weight is None else weight[side], minlength=size)
        for side in (~bad, bad)
    ]
    return np.stack(sides, axis=1)


def fit_bins(
    values: pd.Series,
    bad: npt.ArrayLike,
    *,
    name: str,
    direction: Direction,
    max_bins: int = 6,
    min_bin_share: float = 0.04,
    categorical: bool = False,
    specials: Specials | None = None,
    weights: npt.ArrayLike | None = None,
) -> Bins:
    """Find the bins of one variable and count the evidence in each.

    Cuts come from optbinning's constraint solver (Navas-Palencia, 2020, arXiv:2001.08025), monotone in the bad rate;
    adjacent bins whose smoothed weights break that order are joined.

    Parameters
    ----------
    values : Series of length n
        Any dtype; missing values have their own bin, infinities count as the largest and smallest finite value.
    bad : array of 0/1, length n
    name : str
    direction : 'higher', 'lower' or None
        Riskier when; None takes the better of both orders. No meaning for categories.
    max_bins : int
        Value bins; missing, unseen and special ones apart.
    min_bin_share : float
        Smallest share of known rows in a bin.
    categorical : bool
        Group categories by bad rate instead of cutting a range.
    specials : mapping of code to meaning, optional
        Values with a bin of their own each.
    weights : array of length n, optional
        Sampling weights; the counts are then sums of weights whose mean is 1.

    Raises
    ------
    NotBinned
        Constant, all missing, dates, text where numbers belong, or no cut in the declared direction and no missing
        value beside it.
    SampleError
        One class only.

    Examples
    --------
    >>> x = pd.Series(range(1000))
    >>> bins = fit_bins(x, (x % 10 < x / 200).astype(int), name="x", direction="higher")
    >>> bool((np.diff(bins.table()["woe"][:-1]) < 0).all())
    True
    """
    outcome = both_classes(bad, what=name)
    if len(values) != outcome.size:
        raise ModelError(f"{name}: {len(values)} values for {outcome.size} outcomes.")
    weight = None if weights is None else unit_weights(weights, outcome.size)
    if categorical:
        return _fit_groups(texts(values), outcome, name, max_bins, min_bin_share, _codes_as_text(specials), weight)
    try:
        value = numbers(values, name=name)
        special = _codes_as_numbers(specials, name=name)
    except ModelError as error:
        raise NotBinned(str(error)) from error
    if np.isnan(value).all():
        raise NotBinned(f"{name}: all {value.size} values are missing.")
    if (value == value[0]).all():
        raise NotBinned(f"{name}: constant, {value[0]:g} in all {value.size} rows.")
    seen = ~np.isnan(value) & ~np.isin(value, [code for code, _ in special])
    known = value[seen]
    finite = known[np.isfinite(known)]
    # With one known value, or infinities alone, there is nothing to cut, yet missing or not may still tell.
    bounded = np.clip(value[seen], finite.min(), finite.max()) if finite.size else np.zeros(known.size)
    seen_weight, other_weight = (None, None) if weight is None else (weight[seen], weight[~seen])
    if bounded.size and bounded.min() < bounded.max():
        splits, within = _cut(bounded, outcome[seen], direction, max_bins, min_bin_share, seen_weight)
    else:
        splits, within = [], _counts(np.zeros(known.size, np.intp), outcome[seen], 1, seen_weight)
    others = value[~seen]
    codes = np.zeros(others.size, np.intp)
    for i, (code, _) in enumerate(special, start=1):
        codes[others == code] = i
    outside = _counts(codes, outcome[~seen], 1 + len(special), other_weight)
    goods, bads = np.vstack([within, outside]).T.tolist()
    while splits:
        steps = np.diff(weight_of_evidence(goods, bads)[: len(splits) + 1])
        sign = {"higher": -1.0, "lower": 1.0, None: np.sign(steps.sum())}[direction]
        wrong = np.flatnonzero(steps * sign <= 0)
        if not wrong.size:
            break
        joined = int(wrong[0])
        del splits[joined]
        for side in (goods, bads):
            side[joined] += side.pop(joined + 1)
    if not splits and known.size == value.size:
        raise NotBinned(
            f"{name}: no cut" + (f" with more risk where {direction}." if direction else " tells bads apart.")
        )
    return Bins(name, tuple(splits), (), tuple(goods), tuple(bads), direction, special)


def _codes_as_numbers(specials: Specials | None, *, name: str) -> tuple[tuple[float, str], ...]:
    try:
        return tuple((float(code), meaning) for code, meaning in (specials or {}).items())
    except ValueError:
        raise ModelError(
            f"{name}: special codes {list(specials or {})}: expected numbers, as the column holds."
        ) from None


def _codes_as_text(specials: Specials | None) -> tuple[tuple[str, str], ...]:
    return tuple((text_of(code), meaning) for code, meaning in (specials or {}).items())


def _pure_cuts(value: Floats, bad: npt.NDArray[np.bool_], direction: Direction, min_bin_share: float) -> list[float]:
    """Return the cuts that leave only goods or only bads at an end.

    optbinning drops such cuts, and with them a variable that separates the classes.
    """
    goods, bads = value[~bad], value[bad]
    if not goods.size or not bads.size:
        return []
    above_goods, above_bads = value[value > goods.max()], value[value > bads.max()]
    rising = {float(bads.min()), *([float(above_goods.min())] if above_goods.size else [])}
    falling = {float(goods.min()), *([float(above_bads.min())] if above_bads.size else [])}
    cuts = {"higher": rising, "lower": falling, None: rising if bads.mean() > goods.mean() else falling}[direction]
    least = min_bin_share * value.size
    kept: list[float] = []
    for cut in sorted(cuts):
        low = kept[-1] if kept else -np.inf
        if min(np.sum((value >= low) & (value < cut)), np.sum(value >= cut)) >= least:
            kept.append(cut)
    return kept


def _fit_groups(
    value: npt.NDArray[np.object_],
    outcome: npt.NDArray[np.bool_],
    name: str,
    max_bins: int,
    min_bin_share: float,
    specials: tuple[tuple[str, str], ...],
    weight: Floats | None,
) -> Bins:
    special = pd.Series(value, dtype=object).isin([code for code, _ in specials]).to_numpy()
    codes, found = pd.factorize(pd.Series(value, dtype=object).mask(special, None), sort=True)
    seen, categories = codes >= 0, [str(category) for category in found]
    least = 1 if special.any() else 2  # beside a special code, one group may still tell
    if len(categories) < least:
        raise NotBinned(f"{name}: {'one category only, ' + categories[0] if categories else 'all values are missing'}.")
    counts = np.bincount(codes[seen], minlength=len(categories))
    rare = counts < RARE_SHARE * seen.sum()
    # The rare ones stand together as one category; if all are rare there is nothing left to group.
    stand_in = (
        np.where(rare, len(categories), np.arange(len(categories))) if rare.sum() > 1 else np.arange(len(categories))
    )
    if len(np.unique(stand_in)) < least:
        raise NotBinned(f"{name}: {len(categories):,} categories, each under {RARE_SHARE:.1%} of rows.")
    seen_weight = None if weight is None else weight[seen]
    held = _counts(stand_in[codes[seen]], outcome[seen], len(categories) + 1, seen_weight)  # the rare ones are the last
    there = np.flatnonzero(held.sum(axis=1))
    by_risk = there[np.argsort(held[there, 1] / held[there].sum(axis=1), kind="stable")]
    cuts = _solve(held[by_risk], "higher", max_bins, min_bin_share)
    group_of = {int(code): int(np.searchsorted(cuts, place)) for place, code in enumerate(by_risk)}
    members: dict[int, list[str]] = {}
    for category, code in zip(categories, stand_in, strict=True):
        members.setdefault(group_of[int(code)], []).append(category)
    groups = [tuple(sorted(group)) for group in members.values()]
    if len(groups) < least:
        raise NotBinned(f"{name}: no grouping of its {len(categories):,} categories tells bads apart.")
    code_of = {category: code for code, group in enumerate(groups) for category in group}
    by_code = np.asarray([code_of[category] for category in categories] + [len(groups)])
    placed_in, size = by_code[codes], len(groups) + 2 + len(specials)
    for i, (code, _) in enumerate(specials):
        placed_in[value == code] = len(groups) + 2 + i
    goods, bads = _counts(placed_in, outcome, size, weight).T.tolist()
    # Safest first, so that the table reads in one direction.
    order = np.argsort(-weight_of_evidence(goods, bads)[: len(groups)], kind="stable").tolist()
    places = [*order, *range(len(groups), size)]
    return Bins(
        name,
        (),
        tuple(groups[i] for i in order),
        tuple(goods[i] for i in places),
        tuple(bads[i] for i in places),
        specials=specials,
    )


def _cut(
    value: Floats, outcome: npt.NDArray[np.bool_], direction: Direction, max_bins: int, min_bin_share: float,
    weight: Floats | None,
) -> tuple[list[float], npt.NDArray[Any]]:  # fmt: skip
    """Return the splits of a finite column that varies, and the goods and bads (k, 2) between them.

    Goods and bads are counted first, by distinct value or by cell. The tree and the solver then work on the counts, so that
    their cost does not grow with the rows.
    """
    line = np.sort(value)
    starts = np.flatnonzero(np.r_[True, line[1:] != line[:-1]])
    if starts.size > CELLS:
        wanted = np.linspace(0, line.size, CELLS, endpoint=False)
        starts = np.unique(starts[np.searchsorted(starts, wanted, side="right") - 1])
    counts = _between(starts, line, value, outcome, weight)
    found = [0, *(place + 1 for place in _solve(counts, direction, max_bins, min_bin_share))]
    places, within = starts[found], np.add.reduceat(counts, found, axis=0)
    if len(found) == 1:
        places = np.r_[0, np.searchsorted(line, _pure_cuts(value, outcome, direction, min_bin_share))]
        within = _between(places, line, value, outcome, weight)
    return [_split(line[place - 1], line[place]) for place in places[1:]], within


def _between(
    starts: npt.NDArray[np.intp], line: Floats, value: Floats, bad: npt.NDArray[np.bool_], weight: Floats | None
) -> npt.NDArray[Any]:
    """Return goods and bads (k, 2) of the stretches of the sorted column that begin at `starts`, the first at 0."""
    if weight is None:
        before = np.searchsorted(np.sort(value[bad]), line[starts])
        bads, rows = np.diff(before, append=bad.sum()), np.diff(starts, append=line.size)
        return np.stack([rows - bads, bads], axis=1)
    order = np.argsort(value, kind="stable")
    sides = np.stack([np.where(bad, 0.0, weight), np.where(bad, weight, 0.0)], axis=1)[order]
    return np.add.reduceat(sides, starts, axis=0)


def _split(low: float, high: float) -> float:
    """Return a value above `low` and up to `high`: the middle, in seven digits where they do.

    >>> _split(1.0, 1.4999), _split(1.0, np.nextafter(1.0, 2.0))
    (1.24995, 1.0000000000000002)
    """
    middle = low / 2 + high / 2
    return next((cut for digits in (7, 17) if low < (cut := float(f"{middle:.{digits}g}")) <= high), float(high))


def _solve(counts: npt.NDArray[Any], direction: Direction, max_bins: int, min_bin_share: float) -> list[int]:
    """Return after which entries optbinning cuts, ascending; `counts` are goods and bads (k, 2) of ordered values."""
    from optbinning import OptimalBinning

    entry, bad = np.nonzero(counts)
    if np.unique(bad).size < 2 or np.unique(entry).size < 2:
        return []
    solver = OptimalBinning(
        solver="cp",
        monotonic_trend=_TRENDS[direction],
        max_n_bins=max_bins,
        min_bin_size=min_bin_share,
        min_prebin_size=1e-9,  # it counts entries; the least share of the rows is the tree's
        min_weight_fraction_leaf=min_bin_share,
    )
    solver.fit(entry.astype(np.float64), bad, sample_weight=counts[entry, bad])
    return [int(split) for split in solver.splits] if solver.status == "OPTIMAL" else []
