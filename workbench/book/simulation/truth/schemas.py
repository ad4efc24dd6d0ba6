"""The files of `truth/`: their columns."""

from __future__ import annotations

import pyarrow as pa

_TEXT, _DAY, _FLAG, _REAL, _WHOLE = pa.string(), pa.date32(), pa.bool_(), pa.float64(), pa.int64()
SCHEMAS = {
    name: pa.schema(list(columns.items()))
    for name, columns in {
        "latent": {
            "customer_id": _TEXT, "month_end": _DAY, "stress": _REAL, "stress_kind": _TEXT,
            "buffer_months": _REAL,  # cash over monthly needs and dues
            "worst_dpd": _WHOLE,
            "next_worst_dpd": _WHOLE,  # a month later; null in the last month
            "known_at": pa.timestamp("us"),
        },
        "customers": {
            "customer_id": _TEXT, "vulnerability": _REAL, "gender_effect": _REAL, "age_effect": _REAL,
            "hidden": _FLAG, "saves_elsewhere": _FLAG, "transactor": _FLAG, "gambler": _FLAG, "ruthless": _FLAG,
            "fraudster": _FLAG, "employer": _TEXT, "joined_on": _DAY,
        },
        "economy": {"month_end": _DAY, "kind": _TEXT, "name": _TEXT, "value": _REAL},
        "episodes": {
            "customer_id": _TEXT, "kind": _TEXT, "began": _DAY,
            "ended": _DAY,  # null: not over at the end of the book
            "worst_dpd": _WHOLE,
            "defaulted": _FLAG,  # null: bad already when it began
        },
        "defaults": {
            "loan_id": _TEXT, "customer_id": _TEXT,
            "month_end": _DAY,  # first of 90 days past due
            "path": _TEXT,
            "arrears_since": _DAY,  # month end at which the arrears that led there were first seen
            "episode_kind": _TEXT,
        },
        "incidents": {
            "incident_id": _TEXT, "customer_id": _TEXT, "kind": _TEXT, "start": _DAY,
            "end": _DAY,  # null: not over at the end of the book
            "harmful": _FLAG,
            "visible": _FLAG,  # the customer's main account is in the book
            "amount": _REAL,  # EUR; income a month for a loss of income
            "monthly_income": _REAL,
            "defaulted_12m": _FLAG,  # null where the book ends before, or the customer was bad already
        },
        "applications": {
            "application_id": _TEXT, "customer_id": _TEXT, "applied_on": _DAY, "decision": _TEXT, "loan_id": _TEXT,
            "hidden_score": _REAL,
            "outcome_kind": _TEXT,  # observed, or counterfactual: had it been granted; null: not followed
            "worst_dpd_12m": _WHOLE, "bad_12m": _FLAG, "months_seen": _WHOLE,
        },
        "treatments": {
            "customer_id": _TEXT, "decided_on": _DAY, "kind": _TEXT, "treated": _FLAG,
            "worst_dpd_12m": _WHOLE, "worst_dpd_12m_otherwise": _WHOLE, "bad_12m": _FLAG, "bad_12m_otherwise": _FLAG,
            "complete": _FLAG,
        },
    }.items()
}  # fmt: skip
