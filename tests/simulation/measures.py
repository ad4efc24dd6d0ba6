"""Every measure of a simulated lender's files, one import.

`open_lender(folder)` first; each measure takes what it returns, and reads nothing but the written files.
"""

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
    utilisation_bands,
    utilisation_by_month,
)
from .dirt import dirt, versions
from .estimates import Estimate
from .lender import BUCKETS, MissingTableError, open_lender
from .risk import bad_rates, bad_rates_by_product, by_quarter, hazard, hazard_peak, new_defaults, vintages
from .rolls import after_cure, after_restructuring, cures, default_outcomes, roll_matrix, roll_rates, roll_sizes
from .truths import (
    applicants,
    application_gini,
    approval,
    bad_rate_by,
    decline_reasons,
    effect_of,
    episodes,
    harmless_harm,
    incidents,
    lookalikes,
    outcomes_by_score,
    overlap,
    path_share,
    paths,
    paths_by_quarter,
    proxy,
    recovered_episodes,
    rejected_to_accepted,
    sudden_without_signal,
    treatment_effects,
)

__all__ = [
    "BUCKETS", "Estimate", "MissingTableError", "after_cure", "after_restructuring", "applicants", "application_gini",
    "approval", "bad_rate_by", "bad_rates", "bad_rates_by_product", "by_quarter", "card_types", "cures", "decline_reasons",
    "default_outcomes", "dirt", "effect_of", "episodes", "happenings", "harmless_harm", "hazard", "hazard_peak", "incidents",
    "limit_changes", "lookalikes", "mix", "new_defaults", "new_loans", "open_lender", "outcomes_by_score", "overlap",
    "path_share", "paths", "paths_by_quarter", "prepaid_by", "prepayment", "proxy", "recovered_episodes", "recovery",
    "rejected_to_accepted", "roll_matrix", "roll_rates", "roll_sizes", "several_loans", "sudden_without_signal",
    "treatment_effects", "utilisation", "utilisation_bands", "utilisation_by_month", "versions", "vintages",
]  # fmt: skip
