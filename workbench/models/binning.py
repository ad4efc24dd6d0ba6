"""Bins of one variable: optbinning proposes the cuts, we count the evidence, so that what is shown is what is scored.

optbinning 1.0 gives a bin that is all missing, or holds no good or no bad, a weight of evidence of 0; here every bin's
weight comes from its own counts by one formula (`weight_of_evidence`).
"""

from __future__ import annotations

import decimal
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from workbench.core.errors import ModelError
from workbench.models.evaluation import SMOOTHING, both_classes, unit_weights

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.intp]
Direction = Literal["higher", "lower"] | None
Specials = Mapping[float | str, str]
"""What a code means that is no amount and no plain category, such as -2: "card not used"."""

RARE_SHARE = 0.005
"""Categories under this share of rows are put together before groups are sought: alone they are noise. House choice."""

CELLS = 5_000
"""A column of more distinct values is cut between as many cells of about equal size. House choice: a cell of a million rows
then holds 200, and no cut that matters lies within."""

NEUTRAL = "neutral: no evidence"
OWN = "own rows"
_TRENDS = {"higher": "ascending", "lower": "descending", None: "auto_asc_desc"}


class NotBinned(ModelError):  # noqa: N818 - an outcome that the table of fates shows, not only a failure
    """A variable that cannot be binned: constant, all missing, dates, text, or nothing to cut in its direction."""


def numbers(values: pd.Series, *, name: str) -> Floats:
    """Return a column as float64 with NaN for missing, whatever its dtype; text and dates are refused.

    >>> numbers(pd.Series([1, None, True], dtype=object), name="x").tolist()
    [1.0, nan, 1.0]
    """
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        values = values.astype(object)
    elif pd.api.types.is_datetime64_any_dtype(dtype) or isinstance(dtype, pd.PeriodDtype):
        raise ModelError(f"{name}: dates where numbers belong ({dtype}). Turn them into days before as_of.")
    elif pd.api.types.is_timedelta64_dtype(dtype):
        raise ModelError(f"{name}: durations where numbers belong ({dtype}). Turn them into days.")
    elif isinstance(dtype, pd.StringDtype) or str(dtype).startswith(("string", "large_string")):
        values = values.astype(object)
    if values.dtype == object:
        known = values[values.notna()]
        if not len(known):
            return np.full(len(values), np.nan)
        strange = known.map(lambda v: not isinstance(v, (int, float, np.number, np.bool_, decimal.Decimal)))
        if strange.any():
            example = known[strange].iloc[0]
            raise ModelError(
                f"{name}: {int(strange.sum())} of {len(values)} values are not numbers, such as {example!r} "
                f"({type(example).__name__}). Convert the column, or declare it categorical."
            )
        return np.asarray([np.nan if missing else float(v) for v, missing in zip(values, values.isna(), strict=True)])
    try:
        return np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{name}: a column of {dtype} where numbers belong ({error}).") from error


def _text_of(value: Any) -> str:
    """Return a category's name; 1, 1.0 and True-like numpy scalars keep one name whatever the column's dtype."""
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (float, np.floating, decimal.Decimal)) and float(value).is_integer():
        return str(int(value))
    return str(value)


def texts(values: pd.Series) -> npt.NDArray[np.object_]:
    """Return a column as category names, None for missing."""
    codes, found = pd.factorize(values, use_na_sentinel=True)
    names = np.asarray([*(_text_of(value) for value in found), None], dtype=object)
    return names[codes]


def weight_of_evidence(goods: npt.ArrayLike, bads: npt.ArrayLike) -> Floats:
    """Return ln(share of goods / share of bads) of each bin; positive is safer.

    Siddiqi, "Credit Risk Scorecards" (2006), chapter 6. `SMOOTHING` cases of the rarer class are added to both shares:
    a bin without rows is 0, a pure bin is finite and has the sign of its evidence.

    >>> weight_of_evidence([90, 10, 0], [10, 10, 0]).round(3).tolist()
    [0.566, -1.435, 0.0]
    """
    good, bad = np.asarray(goods, dtype=np.float64), np.asarray(bads, dtype=np.float64)
    pad = SMOOTHING / min(good.sum(), bad.sum())
    return np.asarray(np.log((good / good.sum() + pad) / (bad / bad.sum() + pad)), dtype=np.float64)


@dataclass(frozen=True)
class Bins:
    """The bins of one variable and the evidence in each, as plain data.

    Codes run over the value bins, then missing, then (categorical only) unseen, then one bin for each special code. A
    numeric value v is in bin i where splits[i-1] <= v < splits[i]; infinities fall in the end bins.

    Attributes
    ----------
    name : str
    splits : tuple of float
        Ascending inner edges of a numeric variable.
    groups : tuple of tuples of str
        Categories of each bin of a categorical variable; empty for a numeric one.
    goods, bads : tuples of int, or of float where rows have sampling weights
        Development counts by code.
    direction : 'higher', 'lower' or None
        Riskier when.
    specials : tuple of (code, meaning)
        Values that are statuses: each has a bin of its own and takes no part in cuts, order and groups.
    """

    name: str
    splits: tuple[float, ...]
    groups: tuple[tuple[str, ...], ...]
    goods: tuple[float, ...]
    bads: tuple[float, ...]
    direction: Direction = None
    specials: tuple[tuple[float | str, str], ...] = ()

    @property
    def categorical(self) -> bool:
        """Whether values are categories."""
        return bool(self.groups)

    @property
    def missing_code(self) -> int:
        """The code of a missing value; unseen categories have the next."""
        return len(self.groups) if self.categorical else len(self.splits) + 1

    @property
    def special_code(self) -> int:
        """The code of the first special; the others follow."""
        return self.missing_code + (2 if self.categorical else 1)

    @property
    def woe(self) -> Floats:
        """Weight of evidence by code."""
        return weight_of_evidence(self.goods, self.bads)

    @property
    def iv(self) -> float:
        """Information value: sum over bins of (share of goods - share of bads) x WOE, at least 0."""
        good, bad = np.asarray(self.goods, np.float64), np.asarray(self.bads, np.float64)
        return float(np.sum((good / good.sum() - bad / bad.sum()) * self.woe))

    @property
    def labels(self) -> list[str]:
        """What each code holds, in words."""
        special = [f"{_text_of(code)}: {meaning}" for code, meaning in self.specials]
        if self.categorical:
            return [*(_group_label(group) for group in self.groups), "missing", "unseen", *special]
        if not self.splits:
            return ["any other value" if special else "any value", "missing", *special]
        inner = [f"{low:.7g} to < {high:.7g}" for low, high in itertools.pairwise(self.splits)]
        return [f"< {self.splits[0]:.7g}", *inner, f">= {self.splits[-1]:.7g}", "missing", *special]

    def assign(self, values: pd.Series) -> Codes:
        """Return the code of each value.

        Raises
        ------
        ModelError
            Text or dates where numbers belong.
        """
        if self.categorical:
            codes, found = pd.factorize(values, use_na_sentinel=True)
            code_of = {category: code for code, group in enumerate(self.groups) for category in group}
            code_of |= {str(special): self.special_code + i for i, (special, _) in enumerate(self.specials)}
            known = [code_of.get(_text_of(value), self.missing_code + 1) for value in found]
            return np.asarray([*known, self.missing_code], dtype=np.intp)[codes]
        value = numbers(values, name=self.name)
        codes = np.searchsorted(np.asarray(self.splits, dtype=np.float64), value, side="right")
        codes[np.isnan(value)] = self.missing_code
        for i, (special, _) in enumerate(self.specials):
            codes[value == special] = self.special_code + i
        return codes

    def table(self) -> pd.DataFrame:
        """Return one row a bin: label, count, goods, bads, bad_rate (NaN where empty), woe, iv, evidence."""
        goods, bads = np.asarray(self.goods), np.asarray(self.bads)
        count, woe = goods + bads, self.woe
        rate = np.divide(bads, count, out=np.full(len(count), np.nan), where=count > 0)
        return pd.DataFrame(
            {
                "label": self.labels,
                "count": count,
                "goods": goods,
                "bads": bads,
                "bad_rate": rate,
                "woe": woe,
                "iv": (goods / goods.sum() - bads / bads.sum()) * woe,
                "evidence": np.where(count > 0, OWN, NEUTRAL),
            }
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON or YAML."""
        return {key: _as_lists(value) for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Bins:
        """Return bins from `to_dict`; raise `ModelError` where counts and bins do not fit together."""
        try:
            bins = cls(
                name=str(data["name"]),
                splits=tuple(float(split) for split in data["splits"]),
                groups=tuple(tuple(str(category) for category in group) for group in data["groups"]),
                goods=tuple(_count(count) for count in data["goods"]),
                bads=tuple(_count(count) for count in data["bads"]),
                direction=data.get("direction"),
                specials=tuple(
                    (str(code) if data["groups"] else float(code), str(meaning))
                    for code, meaning in data.get("specials", ())
                ),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"bins: {error!r} in {dict(data)!r:.200}. Read them from Bins.to_dict.") from error
        codes = bins.special_code + len(bins.specials)
        if not len(bins.goods) == len(bins.bads) == codes:
            raise ModelError(f"bins of {bins.name}: {len(bins.goods)} and {len(bins.bads)} counts for {codes} codes.")
        if any(not low < high for low, high in itertools.pairwise(bins.splits)):
            raise ModelError(f"bins of {bins.name}: splits {list(bins.splits)} do not ascend.")
        return bins


def _as_lists(value: Any) -> Any:
    return [_as_lists(item) for item in value] if isinstance(value, tuple) else value


def _group_label(group: Sequence[str], *, shown: int = 6) -> str:
    return ", ".join(group[:shown]) + (f", ... ({len(group) - shown:,} more)" if len(group) > shown else "")


def _count(value: Any) -> float:
    """Return a count as it was stored: whole, or the sum of weights."""
    return value if isinstance(value, int) and not isinstance(value, bool) else float(value)


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
    return tuple((_text_of(code), meaning) for code, meaning in (specials or {}).items())


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
