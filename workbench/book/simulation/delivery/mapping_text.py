"""The mapping of a delivery, as somebody would write it: every oddity of the files is read by the mapping's own means."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.book.simulation.delivery.desk import Section
from workbench.book.simulation.delivery.faults import Planted
from workbench.book.store import BookFacts

MAX_REJECT_SHARE = 0.01


def mapping_text(name: str, facts: BookFacts, sections: Sequence[Section], planted: Sequence[Planted]) -> str:
    """Return `params/books/NAME.yaml` for the sections of a delivery.

    Parameters
    ----------
    planted
        What was planted: the mapping's comments name what an import is to reject.
    """
    lost = [found for found in planted if found.effect in ("rejected", "conflict", "line") and found.rows]
    lines = [
        f"# A simulated lender as a CRM and a core banking system would deliver it: {facts.source}.",
        "# Made by `workbench book simulate NAME --as-delivery DIR`; what is wrong with the files: docs/books/delivery.md.",
        f"source: {_quoted(f'{facts.source}, as delivered')}",
        f"from: deliveries/{name}                 # where `files` lie; --from replaces it",
        f"time_zone: {facts.time_zone}",
        f"currency: {facts.currency}",
        f"first_day: {facts.first_day}",
        f"last_day: {facts.last_day}",
        f"max_reject_share: {MAX_REJECT_SHARE}    # {sum(found.rows for found in lost):,} rows and lines are to be lost",
    ]
    blocks = ["\n".join(lines) + "\n"]
    blocks.append("sources:\n" + "".join(section.sources for section in sections))
    views = "".join(section.views for section in sections)
    blocks += ["views:\n" + views] if views else []
    codes = "".join(section.codes for section in sections)
    blocks += ["codes:\n" + codes] if codes else []
    tables = "".join(f"  {table}:\n{block}" for section in sections for table, block in section.tables.items())
    blocks.append("tables:\n" + tables)
    if facts.current_only:
        kept = "".join(f"  {table}: [{', '.join(columns)}]\n" for table, columns in facts.current_only.items())
        blocks.append("current_only:                        # the CRM keeps no history of these\n" + kept)
    return "\n".join(blocks)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
