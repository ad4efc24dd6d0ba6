"""What all customers share: the economy, sectors, regions and employers, month by month, drawn once a book."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.book.simulation.population import EMPLOYER_SECTOR, OCCUPATION, OCCUPATION_CYCLE, REGION
from workbench.book.simulation.story import Story
from workbench.book.simulation.world import Bools, Floats, Stream, draws

# First-order autoregressions x' = memory x + noise e, with standard deviation noise / sqrt(1 - memory ** 2).
ECONOMY_MEMORY, ECONOMY_NOISE = 0.95, 0.05
SECTOR_MEMORY, SECTOR_NOISE = 0.90, 0.12
REGION_MEMORY, REGION_NOISE = 0.95, 0.07
EMPLOYER_MEMORY, EMPLOYER_NOISE = 0.90, 0.20
CLOSURE_CHANCE = 0.0012
"""A month, for an employer in calm times; doubled in the full downturn for a sector of cycle 1 (house choice)."""
STRUCTURE_SEED_MONTH = 0


@dataclass(frozen=True)
class Economy:
    """Factors by month (T rows), each added to the log hazard of stress with a weight of its own."""

    downturn: Floats  # (T,) 0 to 1
    economy: Floats  # (T,)
    sector: Floats  # (T, sectors)
    region: Floats  # (T, regions)
    employer: Floats  # (T, employers)
    closes: Bools  # (T, employers): lays off much of its staff in this month


def draw_economy(seed: int, months: int, story: Story, *, branch_after: int | None = None, branch: int = 0) -> Economy:
    """Return the factors of `months` months; after month `branch_after` those of another future.

    The downturn is dated by the story: it comes in every future.
    """
    employers = len(EMPLOYER_SECTOR)
    wide = 1 + len(OCCUPATION) + len(REGION) + employers
    memory, noise = np.empty(wide), np.empty(wide)
    parts = np.split(np.arange(wide), [1, 1 + len(OCCUPATION), 1 + len(OCCUPATION) + len(REGION)])
    for part, (kept, moved) in zip(
        parts,
        (
            (ECONOMY_MEMORY, ECONOMY_NOISE),
            (SECTOR_MEMORY, SECTOR_NOISE),
            (REGION_MEMORY, REGION_NOISE),
            (EMPLOYER_MEMORY, EMPLOYER_NOISE),
        ),
        strict=True,
    ):
        memory[part], noise[part] = kept, moved
    factors, closes = np.zeros((months, wide)), np.zeros((months, employers), np.bool_)
    downturn = np.array([story.depth_of_downturn(t) for t in range(months)])
    now = np.zeros(wide)
    for t in range(months):
        other = branch if branch_after is not None and t > branch_after else None
        rng = draws(seed, t + 1, branch=other)(Stream.ECONOMY)
        now = memory * now + noise * rng.standard_normal(wide)
        factors[t] = now
        closing = CLOSURE_CHANCE * (1 + downturn[t] * OCCUPATION_CYCLE[EMPLOYER_SECTOR])
        closes[t] = rng.random(employers) < closing
    economy, sector, region, employer = (factors[:, part] for part in parts)
    return Economy(downturn, economy[:, 0], sector, region, employer, closes)
