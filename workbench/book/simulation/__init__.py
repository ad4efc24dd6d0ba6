"""A simulated lender: forward only, from stress to cash, to missed dues, to days past due, to write-off."""

from __future__ import annotations

from workbench.book.simulation.ceiling import true_pd
from workbench.book.simulation.run import SimulatedBook, simulate

__all__ = ["SimulatedBook", "simulate", "true_pd"]
