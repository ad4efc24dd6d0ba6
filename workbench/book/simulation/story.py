"""What happens to the lender and what it does: dated events and treatments, each of which can be switched off."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from workbench.book.simulation.world import BURN_IN_MONTHS
from workbench.core.errors import InputError, unknown

# Written months, counted from 1; with the default start, month 1 is January 2021. All are house choices.
DOWNTURN_MONTHS = (27, 33, 39, 46)
"""The downturn begins, is full, starts to lift and is over: March 2023, September 2023, March 2024, October 2024."""
LOOSE_MONTHS = (16, 21)
"""First and last month of the looser underwriting: April to September 2022."""
SHIFTED_FROM_MONTH = 37
"""Customers who join from then on (January 2024) are younger and ask for cards."""
CUT_MONTHS = (36, 38)
"""Months of the programme that cuts the limits of cards: December 2023 to February 2024."""
DRIFT_FROM_MONTH = 49
"""Concept drift, where switched on: from January 2025 who is hit has little to do with vulnerability."""
BROKEN_MONTHS = (55, 56)
"""Broken feed, where switched on: no card payments arrive in July and August 2025."""
UNIT_FROM_MONTH = 52
"""Changed unit, where switched on: from April 2025 declared incomes are a year's."""

EFFECTS = ("off", "zero", "helpful", "harmful")


@dataclass(frozen=True)
class Story:
    """Switches of a simulated lender.

    Attributes
    ----------
    downturn, loose_vintage, mix_shift
        The dated story of the default lender.
    contact, limit_cut, restructuring
        What a treatment does: "off" (it is not given), "zero", "helpful" or "harmful".
    dirt
        Missing, mistyped, late and corrected values.
    concept_drift, broken_feed, changed_unit
        Faults for monitoring to find; off by default.
    """

    downturn: bool = True
    loose_vintage: bool = True
    mix_shift: bool = True
    contact: str = "helpful"
    limit_cut: str = "helpful"
    restructuring: str = "helpful"
    dirt: bool = True
    concept_drift: bool = False
    broken_feed: bool = False
    changed_unit: bool = False

    @classmethod
    def calm(cls) -> Story:
        """Return a lender to whom nothing happens: every switch off. Payment holidays are not switched."""
        off: dict[str, Any] = {field.name: "off" if field.name in TREATMENTS else False for field in fields(cls)}
        return cls(**off)

    def switched(self, assignments: Iterable[str]) -> Story:
        """Return this story with switches set, as `name=on`, `name=off` or, for treatments, `name=effect`.

        The word `none` alone switches everything off; what follows it counts from there.

        Raises
        ------
        InputError
            If a switch or its value is not known.

        Examples
        --------
        >>> Story().switched(["none", "concept_drift=on"]).downturn
        False
        """
        story = self
        for assignment in assignments:
            name, _, value = assignment.partition("=")
            if assignment == "none":
                story = Story.calm()
                continue
            names = [field.name for field in fields(self)]
            if name not in names:
                raise InputError(f"switch: {unknown('switch', name, names)} Or none, for all off.")
            allowed = EFFECTS if name in TREATMENTS else ("on", "off")
            if value not in allowed:
                raise InputError(
                    f"switch {name}: found {value!r}, expected one of {', '.join(allowed)}: {name}={allowed[0]}, say."
                )
            chosen: dict[str, Any] = {name: value if name in TREATMENTS else value == "on"}
            story = replace(story, **chosen)
        return story

    def told(self) -> str:
        """Return how this story differs from the default one, in the words of `switched`; empty if it does not."""
        usual = Story()
        if self == Story.calm():
            return "none"
        changed = [field.name for field in fields(self) if getattr(self, field.name) != getattr(usual, field.name)]
        words: dict[Any, str] = {True: "on", False: "off"}
        return ", ".join(f"{name}={words.get(getattr(self, name), getattr(self, name))}" for name in changed)

    def depth_of_downturn(self, t: int) -> float:
        """Depth of the downturn in month `t`, 0 to 1.

        >>> [Story().depth_of_downturn(BURN_IN_MONTHS - 1 + month) for month in (1, 30, 35, 50)]
        [0.0, 0.5, 1.0, 0.0]
        """
        return float(np.interp(t - BURN_IN_MONTHS + 1, DOWNTURN_MONTHS, (0.0, 1.0, 1.0, 0.0))) if self.downturn else 0.0

    def is_loose(self, t: int) -> bool:
        """Whether underwriting is loose in month `t`."""
        return self.loose_vintage and within(t, *LOOSE_MONTHS)

    def cuts_limits(self, t: int) -> bool:
        """Whether the programme of limit cuts runs in month `t`."""
        return self.limit_cut != "off" and within(t, *CUT_MONTHS)

    def has_drifted(self, t: int) -> bool:
        """Whether the concept has drifted by month `t`."""
        return self.concept_drift and within(t, DRIFT_FROM_MONTH)

    def feed_is_broken(self, t: int) -> bool:
        """Whether card payments fail to arrive in month `t`."""
        return self.broken_feed and within(t, *BROKEN_MONTHS)


TREATMENTS = ("contact", "limit_cut", "restructuring")


def within(t: int, first: int, last: int | None = None) -> bool:
    """Whether month `t` lies in the written months from `first` to `last`, both counted."""
    month = t - BURN_IN_MONTHS + 1
    return first <= month and (last is None or month <= last)
