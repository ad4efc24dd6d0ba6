"""A simulated lender as files and tables that a CRM and a core banking system would deliver, with known dirt in them."""

from __future__ import annotations

from workbench.book.simulation.delivery.faults import Planted
from workbench.book.simulation.delivery.lender import deliver_lender
from workbench.book.simulation.delivery.write import WrittenDelivery, write_delivery

__all__ = ["Planted", "WrittenDelivery", "deliver_lender", "write_delivery"]
