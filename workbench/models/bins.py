"""The bins of one variable and their evidence, as plain data: what is shown is what is scored.

optbinning 1.0 gives a bin that is all missing, or holds no good or no bad, a weight of evidence of 0; here every bin's
weight comes from its own counts by one formula (`weight_of_evidence`).
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from workbench.core.errors import ModelError, unknown
from workbench.core.languages import mark, say
from workbench.models.columns import Floats, numbers, text_of
from workbench.models.evaluation import SMOOTHING

Codes = npt.NDArray[np.intp]
Direction = Literal["higher", "lower"] | None
Specials = Mapping[float | str, str]
"""What a code means that is no amount and no plain category, such as -2: "card not used"."""

MISSING, UNSEEN = mark("missing"), mark("unseen")
ANY, ANY_OTHER = mark("any value"), mark("any other value")
NEUTRAL = "neutral: no evidence"
OWN = "own rows"


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
class Merge:
    """A person's word that `what` (missing, unseen or a special code) counts with the bin `into`, and why.

    `into` is the name of a bin, or a category in it.
    """

    what: str
    into: str
    why: str


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
    merges : tuple of Merge
        What a person put into another bin: its rows are counted and scored there, and it has no count of its own.

    Raises
    ------
    ModelError
        Splits that do not ascend or are not finite, a category in two groups, a merge that does not hold, or counts that do
        not fit the codes.
    """

    name: str
    splits: tuple[float, ...]
    groups: tuple[tuple[str, ...], ...]
    goods: tuple[float, ...]
    bads: tuple[float, ...]
    direction: Direction = None
    specials: tuple[tuple[float | str, str], ...] = ()
    merges: tuple[Merge, ...] = ()

    def __post_init__(self) -> None:
        if not np.isfinite(self.splits).all() or any(not low < high for low, high in itertools.pairwise(self.splits)):
            raise ModelError(f"bins of {self.name}: splits {list(self.splits)} do not ascend, or are not finite.")
        members = [*itertools.chain.from_iterable(self.groups), *(str(code) for code, _ in self.specials)]
        if twice := sorted({member for member in members if members.count(member) > 1}):
            raise ModelError(f"bins of {self.name}: {twice[0]!r} stands twice among its groups and special codes.")
        if not len(self.goods) == len(self.bads) == self.size:
            raise ModelError(
                f"bins of {self.name}: {len(self.goods)} and {len(self.bads)} counts for {self.size} codes."
            )
        self.homes()

    @property
    def size(self) -> int:
        """How many codes there are."""
        return self.special_code + len(self.specials)

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
        """Weight of evidence by code; what is merged has that of its bin."""
        return weight_of_evidence(self.goods, self.bads)[self.homes()]

    @property
    def iv(self) -> float:
        """Information value: sum over bins of (share of goods - share of bads) x WOE, at least 0."""
        good, bad = np.asarray(self.goods, np.float64), np.asarray(self.bads, np.float64)
        return float(np.sum((good / good.sum() - bad / bad.sum()) * self.woe))

    @property
    def labels(self) -> list[str]:
        """What each code holds, in words: its name, and what is merged into it."""
        return self._with_merged(self.names, " or ")

    @property
    def said_labels(self) -> list[str]:
        """The labels in the language in use; those of `labels` are English in every model."""
        return self._with_merged([name_text(name) for name in self.names], say(" or "))

    def _with_merged(self, found: list[str], join: str) -> list[str]:
        homes = self.homes()
        for code in np.flatnonzero(homes != np.arange(self.size)).tolist():
            found[homes[code]] += join + found[code]
        return found

    @property
    def names(self) -> list[str]:
        """What each code is called, whatever is merged; a merge names its bin so."""
        special = [f"{text_of(code)}: {meaning}" for code, meaning in self.specials]
        if self.categorical:
            return [*(_group_label(group) for group in self.groups), MISSING, UNSEEN, *special]
        if not self.splits:
            return [ANY_OTHER if special else ANY, MISSING, *special]
        inner = [f"{low:.7g} to < {high:.7g}" for low, high in itertools.pairwise(self.splits)]
        return [f"< {self.splits[0]:.7g}", *inner, f">= {self.splits[-1]:.7g}", MISSING, *special]

    def homes(self) -> Codes:
        """Return the code under which each code is counted: its own, or that of the bin it is merged into."""
        homes = np.arange(self.size)
        if not self.merges:
            return homes
        special = {text_of(code): self.special_code + i for i, (code, _) in enumerate(self.specials)}
        movable = {
            MISSING: self.missing_code,
            **({UNSEEN: self.missing_code + 1} if self.categorical else {}),
            **special,
        }
        named = {label: code for code, label in enumerate(self.names)} | special
        named |= {category: code for code, group in enumerate(self.groups) for category in group}
        for merge in self.merges:
            place = f"bins of {self.name}: merge of {merge.what!r} into {merge.into!r}"
            if merge.what not in movable:
                raise ModelError(f"{place}: {unknown('bin without a range', merge.what, movable)}")
            if merge.into not in named:
                raise ModelError(f"{place}: {unknown('bin', merge.into, self.names)}")
            if not merge.why.strip():
                raise ModelError(f"{place}: no reason is given. Say why, for whoever reviews it.")
            homes[movable[merge.what]] = named[merge.into]
        chained = [merge for merge in self.merges if homes[homes[movable[merge.what]]] != homes[movable[merge.what]]]
        if chained or len({merge.what for merge in self.merges}) < len(self.merges):
            wrong = (chained or self.merges)[0]
            raise ModelError(
                f"bins of {self.name}: {wrong.what!r} is merged into a bin that is merged itself, or twice."
            )
        return homes

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
            known = [code_of.get(text_of(value), self.missing_code + 1) for value in found]
            return self.homes()[np.asarray([*known, self.missing_code], dtype=np.intp)[codes]]
        value = numbers(values, name=self.name)
        codes = np.searchsorted(np.asarray(self.splits, dtype=np.float64), value, side="right")
        codes[np.isnan(value)] = self.missing_code
        for i, (special, _) in enumerate(self.specials):
            codes[value == special] = self.special_code + i
        return self.homes()[codes]

    def table(self, *, said: bool = False) -> pd.DataFrame:
        """Return one row a bin: label, count, goods, bads, bad_rate (NaN where empty), woe, iv, evidence.

        Labels are English, as they are kept, or `said` in the language in use.
        """
        goods, bads = np.asarray(self.goods), np.asarray(self.bads)
        count, woe = goods + bads, self.woe
        rate = np.divide(bads, count, out=np.full(len(count), np.nan), where=count > 0)
        return pd.DataFrame(
            {
                "label": self.said_labels if said else self.labels,
                "count": count,
                "goods": goods,
                "bads": bads,
                "bad_rate": rate,
                "woe": woe,
                "iv": (goods / goods.sum() - bads / bads.sum()) * woe,
                "evidence": self._evidence(),
            }
        )

    def _evidence(self) -> list[str]:
        found = [OWN if good + bad > 0 else NEUTRAL for good, bad in zip(self.goods, self.bads, strict=True)]
        homes, labels = self.homes(), self.names
        whys = {merge.what: merge.why for merge in self.merges}
        for code in np.flatnonzero(homes != np.arange(self.size)).tolist():
            what = labels[code].partition(": ")[0]
            found[code] = f"with {labels[homes[code]]}: {whys[what]}"
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON or YAML."""
        return {key: _as_lists(value) for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Bins:
        """Return bins from `to_dict`; raise `ModelError` where counts and bins do not fit together."""
        try:
            return cls(
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
                merges=tuple(Merge(**merge) for merge in data.get("merges", ())),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"bins: {error!r} in {dict(data)!r:.200}. Read them from Bins.to_dict.") from error


_RANGE = re.compile(r"(-?[\d.]\S*) to < (-?[\d.]\S*)")
_GROUP = re.compile(r"(.*), \.\.\. \(([\d,]+) more\)", re.DOTALL)


def name_text(name: str) -> str:
    """Return the name of a bin, as `Bins.names` has it, in the language in use; categories stay as they are.

    >>> name_text("3 to < 5")
    '3 to < 5'
    """
    if found := _RANGE.fullmatch(name):
        return say("{low} to < {high}", low=found[1], high=found[2])
    if found := _GROUP.fullmatch(name):
        return say("{categories}, ... ({count} more)", categories=found[1], count=found[2])
    return say(name) if name in (MISSING, UNSEEN, ANY, ANY_OTHER) else name


def _as_lists(value: Any) -> Any:
    return [_as_lists(item) for item in value] if isinstance(value, tuple) else value


def _group_label(group: Sequence[str], *, shown: int = 6) -> str:
    return ", ".join(group[:shown]) + (f", ... ({len(group) - shown:,} more)" if len(group) > shown else "")


def _count(value: Any) -> float:
    """Return a count as it was stored: whole, or the sum of weights."""
    return value if isinstance(value, int) and not isinstance(value, bool) else float(value)
