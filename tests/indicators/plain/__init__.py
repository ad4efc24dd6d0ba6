"""Each indicator from its meaning, in plain Python over one customer's rows: slow, and nothing of Ibis in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import behaviour, capacity, history, payment, transactions, utilisation
from .customer import Customer, customers

__all__ = ["REFERENCES", "Customer", "customers"]

FAMILIES = (capacity, payment, history, utilisation, transactions, behaviour)
REFERENCES: dict[str, Callable[[Customer], Any]] = {
    name: reference for family in FAMILIES for name, reference in family.REFERENCES.items()
}
