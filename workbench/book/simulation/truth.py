"""What only the simulation knows: latent states and labelled incidents. No stage reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from workbench.book.simulation.economy import STRESS_KINDS, SUDDEN_INCOME
from workbench.book.simulation.lending import monthly_dues
from workbench.book.simulation.population import Population
from workbench.book.simulation.state import State
from workbench.book.simulation.step import Month
from workbench.book.simulation.tables import TableWriter, customer_ids, dates, ids, integers, stamps, words
from workbench.book.simulation.world import Bools, Calendar, Days, Ints, cents

INCIDENT_KINDS = (
    "account_takeover", "sudden_large_debit", "income_loss", "bonus", "travel", "large_purchase", "new_phone",
)  # fmt: skip
HARMFUL = ("account_takeover", "sudden_large_debit", "income_loss")
_LASTS_DAYS = (3, 0, -1, 0, 5, 0, 2)  # -1: as long as the stress lasts
_INCOME_LOSS = INCIDENT_KINDS.index("income_loss")

INCIDENT_SCHEMA = pa.schema(
    [
        pa.field("incident_id", pa.string()),
        pa.field("customer_id", pa.string()),
        pa.field("kind", pa.string()),
        pa.field("start", pa.date32()),
        pa.field("end", pa.date32()),  # null: not over at the end of the book
        pa.field("harmful", pa.bool_()),
        pa.field("visible", pa.bool_()),  # the customer's main account is in the book
    ]
)
LATENT_SCHEMA = pa.schema(
    [
        pa.field("customer_id", pa.string()),
        pa.field("month_end", pa.date32()),
        pa.field("stress", pa.float64()),
        pa.field("stress_kind", pa.string()),
        pa.field("vulnerability", pa.float64()),
        pa.field("buffer_months", pa.float64()),  # cash over monthly needs and dues
        pa.field("worst_dpd", pa.int64()),
        pa.field("next_worst_dpd", pa.int64()),  # a month later; null in the last month
        pa.field("known_at", pa.timestamp("us")),
    ]
)


@dataclass
class IncidentLog:
    """Incidents of the written months."""

    customer: list[Ints] = field(default_factory=list)
    kind: list[Ints] = field(default_factory=list)
    start: list[Days] = field(default_factory=list)
    end: list[Days] = field(default_factory=list)

    def note(self, month: Month, state: State, first_day: np.datetime64, last_day: np.datetime64) -> None:
        """Log what began in the month, and close the losses of income that ended in it."""
        flows = month.flows
        lost = month.began & (state.stress_kind == SUDDEN_INCOME)
        happened = (flows.takeover, flows.big_debit, lost, flows.bonus, flows.travel, flows.purchase, flows.phone)
        for i, who in enumerate(self.customer):
            if self.kind[i].size and self.kind[i][0] == _INCOME_LOSS:
                over = month.ended[who] & np.isnat(self.end[i])
                self.end[i][over] = last_day
        for code, amount in enumerate(happened):
            who = np.flatnonzero(amount)
            start = first_day + (month.incidents.day[who] - 1).astype("timedelta64[D]")
            if code == _INCOME_LOSS:
                start = np.full(len(who), first_day)
            end = start + np.timedelta64(_LASTS_DAYS[code], "D")
            self.customer.append(who)
            self.kind.append(np.full(len(who), code))
            self.start.append(start)
            self.end.append(np.full(len(who), np.datetime64("NaT", "D")) if code == _INCOME_LOSS else end)

    def write(self, path: Path, population: Population) -> None:
        """Write the log, by start, customer and kind."""
        who, kind = np.concatenate(self.customer), np.concatenate(self.kind)
        start, end = np.concatenate(self.start), np.concatenate(self.end)
        order = np.lexsort((kind, who, start))
        who, kind, start, end = who[order], kind[order], start[order], end[order]
        harmful: Bools = np.isin(kind, [INCIDENT_KINDS.index(name) for name in HARMFUL])
        with TableWriter(path, INCIDENT_SCHEMA) as writer:
            writer.write(
                {
                    "incident_id": ids("I", np.arange(1, len(who) + 1), 7),
                    "customer_id": customer_ids(who),
                    "kind": words(kind, INCIDENT_KINDS),
                    "start": dates(start),
                    "end": dates(end, missing=np.isnat(end)),
                    "harmful": pa.array(harmful),
                    "visible": pa.array(~population.hidden[who]),
                }
            )


def latent_columns(
    state: State, population: Population, t: int, calendar: Calendar, next_worst: Ints | None
) -> dict[str, pa.Array]:
    """Return every customer's hidden state at the end of month `t`."""
    n = population.size
    need = cents(state.income * population.need_share) + monthly_dues(state.loans, n)
    unknown = np.full(n, next_worst is None)
    return {
        "customer_id": customer_ids(np.arange(n)),
        "month_end": dates(np.full(n, calendar.last_day(t))),
        "stress": pa.array(state.stress),
        "stress_kind": words(state.stress_kind, STRESS_KINDS),
        "vulnerability": pa.array(population.vulnerability),
        "buffer_months": pa.array(state.cash / need),
        "worst_dpd": integers(state.worst_dpd()),
        "next_worst_dpd": integers(np.zeros(n, np.int64) if next_worst is None else next_worst, missing=unknown),
        "known_at": stamps(np.full(n, calendar.month_end(t))),
    }
