"""A simulated lender: forward only, from stress to cash, to missed dues, to days past due, to write-off."""

from __future__ import annotations

from workbench.book.simulation.run import SimulatedBook, simulate
from workbench.book.simulation.story import Story
from workbench.book.simulation.truth.ceiling import true_pd

__all__ = ["SimulatedBook", "Story", "simulate", "true_pd"]
