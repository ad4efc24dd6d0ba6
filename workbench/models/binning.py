"""How a variable is binned: optbinning proposes the cuts, we count the evidence in each bin."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from workbench.core.errors import ModelError, unknown
from workbench.core.languages import mark
from workbench.models.bin_files import BinRule
from workbench.models.bins import Bins, Codes, Direction, Specials, weight_of_evidence
from workbench.models.columns import ColumnError, Floats, numbers, text_of, texts
from workbench.models.evaluation import both_classes, unit_weights

RARE_SHARE = 0.005
"""Categories under this share of rows are put together before groups are sought: alone they are noise. House choice."""

CELLS = 5_000
"""A column of more distinct values is cut between as many cells of about equal size. House choice: a cell of a million rows
then holds 200, and no cut that matters lies within."""

_TRENDS = {"higher": "ascending", "lower": "descending", None: "auto"}


class Limits(NamedTuple):
    """What the bins of a variable may be: see `fit_bins`."""

    max_bins: int
    min_bin_share: float
    min_bin_bads: int


class NotBinned(ColumnError):  # noqa: N818 - an outcome that the table of fates shows, not only a failure
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
    min_bin_bads: int = 5,
    categorical: bool = False,
    specials: Specials | None = None,
    weights: npt.ArrayLike | None = None,
) -> Bins:
    """Find the bins of one variable and count the evidence in each.

    Cuts come from optbinning's constraint solver (Navas-Palencia, 2020, arXiv:2001.08025). In a declared direction the bad
    rate is monotone, and adjacent bins whose smoothed weights break that order are joined.

    Parameters
    ----------
    values : Series of length n
        Any dtype; missing values have their own bin, infinities count as the largest and smallest finite value.
    bad : array of 0/1, length n
    name : str
    direction : 'higher', 'lower' or None
        Riskier when; None lets the bad rate turn once, as it does over age. No meaning for categories.
    max_bins : int
        Value bins; missing, unseen and special ones apart.
    min_bin_share : float
        Smallest share of known rows in a bin.
    min_bin_bads : int
        Fewest bads, and goods, in a bin (sums of weights where there are weights); 5 is a house choice: the weight of such a
        bin has a standard error near .45. A variable that has no cut but one that leaves goods or bads alone is cut there.
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
    if direction not in (None, "higher", "lower"):
        raise ModelError(f"{name}: {unknown('direction', str(direction), ('higher', 'lower'))}")
    weight = None if weights is None else unit_weights(weights, outcome.size)
    limits = Limits(max_bins, min_bin_share, min_bin_bads)
    if categorical:
        return _fit_groups(texts(values), outcome, name, limits, _codes_as_text(specials), weight)
    try:
        value = numbers(values, name=name)
        special = _codes_as_numbers(specials, name=name)
    except ColumnError as error:
        raise NotBinned(name, error.text, error.values) from error
    if np.isnan(value).all():
        raise NotBinned(name, mark("all {rows} values are missing."), {"rows": value.size})
    if (value == value[0]).all():
        text = mark("constant, {value:g} in all {rows} rows.")
        raise NotBinned(name, text, {"value": value[0], "rows": value.size})
    seen = ~np.isnan(value) & ~np.isin(value, [code for code, _ in special])
    known = value[seen]
    finite = known[np.isfinite(known)]
    # With one known value, or infinities alone, there is nothing to cut, yet missing or not may still tell.
    bounded = np.clip(value[seen], finite.min(), finite.max()) if finite.size else np.zeros(known.size)
    seen_weight, other_weight = (None, None) if weight is None else (weight[seen], weight[~seen])
    if bounded.size and bounded.min() < bounded.max():
        splits, within = _cut(bounded, outcome[seen], direction, limits, seen_weight)
    else:
        splits, within = [], _counts(np.zeros(known.size, np.intp), outcome[seen], 1, seen_weight)
    others = value[~seen]
    codes = np.zeros(others.size, np.intp)
    for i, (code, _) in enumerate(special, start=1):
        codes[others == code] = i
    outside = _counts(codes, outcome[~seen], 1 + len(special), other_weight)
    goods, bads = np.vstack([within, outside]).T.tolist()
    while splits and direction:
        steps = np.diff(weight_of_evidence(goods, bads)[: len(splits) + 1])
        wrong = np.flatnonzero(steps * (-1 if direction == "higher" else 1) <= 0)
        if not wrong.size:
            break
        joined = int(wrong[0])
        del splits[joined]
        for side in (goods, bads):
            side[joined] += side.pop(joined + 1)
    if not splits and known.size == value.size:
        no_cut = {
            "higher": mark("no cut with more risk where higher."),
            "lower": mark("no cut with more risk where lower."),
            None: mark("no cut tells bads apart."),
        }
        raise NotBinned(name, no_cut[direction])
    return Bins(name, tuple(splits), (), tuple(goods), tuple(bads), direction, special)


def count_bins(
    values: pd.Series,
    bad: npt.ArrayLike,
    *,
    name: str,
    rule: BinRule,
    direction: Direction,
    categorical: bool = False,
    specials: Specials | None = None,
    weights: npt.ArrayLike | None = None,
) -> Bins:
    """Count the evidence in bins that a person drew: they are kept exactly, or refused.

    Parameters
    ----------
    values, bad, name, direction, categorical, specials, weights
        As in `fit_bins`.
    rule : BinRule
        Splits or groups, and what is merged. Categories in none of the groups count as unseen.

    Raises
    ------
    ModelError
        A rule of the other kind, a bin without rows, or one that breaks the declared order; what `Bins` refuses.
    SampleError
        One class only.

    Examples
    --------
    >>> x = pd.Series([1, 2, 3, 4] * 10)
    >>> rule = BinRule(splits=(2.5,))
    >>> count_bins(x, [0, 0, 0, 1] * 10, name="x", rule=rule, direction="higher").table()["label"].tolist()
    ['< 2.5', '>= 2.5', 'missing']
    """
    outcome = both_classes(bad, what=name)
    if len(values) != outcome.size:
        raise ModelError(f"{name}: {len(values)} values for {outcome.size} outcomes.")
    weight = None if weights is None else unit_weights(weights, outcome.size)
    if (rule.groups is not None) != categorical:
        raise ModelError(
            f"bins of {name}: found {'splits' if categorical else 'groups'}, expected "
            f"{'groups: it is categorical' if categorical else 'splits: it is a number'}."
        )
    special = _codes_as_text(specials) if categorical else _codes_as_numbers(specials, name=name)
    size = (len(rule.groups or ()) + 2 if categorical else len(rule.splits or ()) + 2) + len(special)
    nothing = (0,) * size
    drawn = Bins(name, rule.splits or (), rule.groups or (), nothing, nothing, direction, special, rule.merge)
    goods, bads = _counts(drawn.assign(values), outcome, size, weight).T.tolist()
    found = replace(drawn, goods=tuple(goods), bads=tuple(bads))
    own = found.table().iloc[: found.missing_code]
    if (own["count"] == 0).any():
        empty = own.loc[own["count"] == 0, "label"].iloc[0]
        raise ModelError(f"bins of {name}: no row lies in {empty!r}. Remove that cut or group.")
    steps = np.diff(own["woe"]) * {"higher": -1.0, "lower": 1.0, None: 0.0}[direction]
    if not categorical and rule.order == "declared" and (steps < 0).any():
        first = int(np.flatnonzero(steps < 0)[0])
        pair = own.iloc[first : first + 2]
        raise ModelError(
            f"bins of {name}: more risk where {direction} is declared, but the bad rate is {pair['bad_rate'].iloc[0]:.2%} in "
            f"{pair['label'].iloc[0]!r} and {pair['bad_rate'].iloc[1]:.2%} in {pair['label'].iloc[1]!r}. Join them, or set "
            "order: free and say why."
        )
    return found


def _codes_as_numbers(specials: Specials | None, *, name: str) -> tuple[tuple[float, str], ...]:
    try:
        return tuple((float(code), meaning) for code, meaning in (specials or {}).items())
    except ValueError:
        text = mark("special codes {codes}: expected numbers, as the column holds.")
        raise ColumnError(name, text, {"codes": list(specials or {})}) from None


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
    limits: Limits,
    specials: tuple[tuple[str, str], ...],
    weight: Floats | None,
) -> Bins:
    special = pd.Series(value, dtype=object).isin([code for code, _ in specials]).to_numpy()
    codes, found = pd.factorize(pd.Series(value, dtype=object).mask(special, None), sort=True)
    seen, categories = codes >= 0, [str(category) for category in found]
    least = 1 if special.any() else 2  # beside a special code, one group may still tell
    if len(categories) < least:
        if not categories:
            raise NotBinned(name, mark("all values are missing."))
        raise NotBinned(name, mark("one category only, {category}."), {"category": categories[0]})
    counts = np.bincount(codes[seen], minlength=len(categories))
    rare = counts < RARE_SHARE * seen.sum()
    # The rare ones stand together as one category; if all are rare there is nothing left to group.
    stand_in = (
        np.where(rare, len(categories), np.arange(len(categories))) if rare.sum() > 1 else np.arange(len(categories))
    )
    if len(np.unique(stand_in)) < least:
        text = mark("{count:,} categories, each under {share:.1%} of rows.")
        raise NotBinned(name, text, {"count": len(categories), "share": RARE_SHARE})
    seen_weight = None if weight is None else weight[seen]
    held = _counts(stand_in[codes[seen]], outcome[seen], len(categories) + 1, seen_weight)  # the rare ones are the last
    there = np.flatnonzero(held.sum(axis=1))
    by_risk = there[np.argsort(held[there, 1] / held[there].sum(axis=1), kind="stable")]
    cuts = _solve(held[by_risk], "higher", limits)
    group_of = {int(code): int(np.searchsorted(cuts, place)) for place, code in enumerate(by_risk)}
    members: dict[int, list[str]] = {}
    for category, code in zip(categories, stand_in, strict=True):
        members.setdefault(group_of[int(code)], []).append(category)
    groups = [tuple(sorted(group)) for group in members.values()]
    if len(groups) < least:
        text = mark("no grouping of its {count:,} categories tells bads apart.")
        raise NotBinned(name, text, {"count": len(categories)})
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
    value: Floats, outcome: npt.NDArray[np.bool_], direction: Direction, limits: Limits, weight: Floats | None
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
    found = [0, *(place + 1 for place in _solve(counts, direction, limits))]
    places, within = starts[found], np.add.reduceat(counts, found, axis=0)
    if len(found) == 1:
        places = np.r_[0, np.searchsorted(line, _pure_cuts(value, outcome, direction, limits.min_bin_share))]
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


def _solve(counts: npt.NDArray[Any], direction: Direction, limits: Limits) -> list[int]:
    """Return after which entries optbinning cuts, ascending; `counts` are goods and bads (k, 2) of ordered values."""
    from optbinning import OptimalBinning

    entry, bad = np.nonzero(counts)
    if np.unique(bad).size < 2 or np.unique(entry).size < 2:
        return []
    solver = OptimalBinning(
        solver="cp",
        monotonic_trend=_TRENDS[direction],
        max_n_bins=limits.max_bins,
        min_bin_size=limits.min_bin_share,
        min_bin_n_event=limits.min_bin_bads or None,
        min_bin_n_nonevent=limits.min_bin_bads or None,
        min_prebin_size=1e-9,  # it counts entries; the least share of the rows is the tree's
        min_weight_fraction_leaf=limits.min_bin_share,
    )
    solver.fit(entry.astype(np.float64), bad, sample_weight=counts[entry, bad])
    return [int(split) for split in solver.splits] if solver.status == "OPTIMAL" else []
