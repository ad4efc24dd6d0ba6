"""Every measure of a simulated lender's files, one import."""

from .behaviour import (
    card_types,
    happenings,
    limit_changes,
    mix,
    new_loans,
    prepaid_by,
    prepayment,
    recovery,
    several_loans,
    utilisation,
    utilisation_by_month,
)
from .dirt import dirt, versions
from .lender import BUCKETS, MissingTableError, open_lender
from .risk import bad_rates, bad_rates_by_product, by_quarter, hazard, hazard_peak, new_defaults, vintages
from .rolls import after_cure, after_restructuring, cures, default_outcomes, roll_matrix, roll_rates, roll_sizes

__all__ = [
    "BUCKETS", "MissingTableError", "after_cure", "after_restructuring", "bad_rates", "bad_rates_by_product", "by_quarter",
    "card_types", "cures", "default_outcomes", "dirt", "happenings", "hazard", "hazard_peak", "limit_changes", "mix",
    "new_defaults", "new_loans", "open_lender", "prepaid_by", "prepayment", "recovery", "roll_matrix", "roll_rates",
    "roll_sizes", "several_loans", "utilisation", "utilisation_by_month", "versions", "vintages",
]  # fmt: skip
