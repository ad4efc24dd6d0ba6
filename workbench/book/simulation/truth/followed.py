"""What became of customers and loans in one world, month by month: read by all labels in `truth/`."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from workbench.book.simulation.month.step import Month, World, month_step
from workbench.book.simulation.month.treatments import Decided
from workbench.book.simulation.state import BAD_DPD, WRITTEN_OFF, State, first_state
from workbench.book.simulation.world import Block, Bools, Ints, draws

WINDOW_MONTHS = 12
LOST = 999
"""In place of days past due: written off."""


@dataclass
class Followed:
    """Worst days past due by month and customer, and in the first months of each loan; decisions that were made."""

    worst: npt.NDArray[np.int16]  # (T, n), LOST where a loan was written off in the month
    loan_worst: Ints  # (m,) within `WINDOW_MONTHS` of opening
    decisions: list[tuple[int, Decided]] = field(default_factory=list)
    overruled: list[tuple[Ints, Ints]] = field(default_factory=list)  # customer, position of the loan

    @classmethod
    def empty(cls, months: int, customers: int) -> Followed:
        """Return a record of no month yet."""
        return cls(np.zeros((months, customers), np.int16), np.zeros(0, np.int64))

    def note(self, state: State, month: Month) -> None:
        """Keep the end of a month."""
        loans, t = state.loans, month.t
        lost = (loans.status == WRITTEN_OFF) & (loans.closed_t == t)
        level = np.where(lost, LOST, np.where(loans.is_open, loans.dpd, 0)).astype(np.int16)
        np.maximum.at(self.worst[t], loans.customer, level)
        grown = np.zeros(loans.size, np.int64)
        grown[: len(self.loan_worst)] = self.loan_worst
        young = t - loans.open_t <= WINDOW_MONTHS
        self.loan_worst = np.where(young, np.maximum(grown, level), grown)
        self.decisions += [(t, decided) for decided in month.treatments.decided if len(decided.customer)]
        rows = month.applications.overruled
        self.overruled.append((month.applications.customer[rows], month.applications.loan[rows]))

    def worst_within(self, t: Ints, customer: Ints, months: int = WINDOW_MONTHS) -> Ints:
        """Return the worst of the months `t`, ..., `t + months - 1`, as far as there are any."""
        total = len(self.worst)
        at = np.minimum(t[:, None] + np.arange(months), total - 1)
        found: Ints = self.worst[at, customer[:, None]].max(axis=1).astype(np.int64)
        return found


def is_bad(worst: Ints) -> Bools:
    """Return where the worst of a window is `BAD_DPD` or more, or a write-off."""
    return worst >= BAD_DPD


def follow(world: World, seed: int, block: Block) -> Followed:
    """Live a world from its first month to its last, and return what became of everybody."""
    draw = draws(seed, 0, block=block.number)
    state = first_state(world.population, draw)
    found = Followed.empty(world.calendar.total, block.size)
    for t in range(world.calendar.total):
        state, month = month_step(state, world, t, draws(seed, t + 1, block=block.number))
        found.note(state, month)
    return found
