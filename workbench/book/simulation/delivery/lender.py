"""From a simulation to a delivery: the lender's tables lie in a folder that goes once the delivery is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from workbench.book.simulation.delivery.database import check_core_schema
from workbench.book.simulation.delivery.write import WrittenDelivery, core_name, refuse_filled, write_delivery
from workbench.book.store import BookFacts
from workbench.core.files import staging_folder
from workbench.core.workspace import Workspace, check_name


def deliver_lender(
    workspace: Workspace,
    name: str,
    out: Path,
    lender: Callable[[Path], BookFacts],
    *,
    seed: int,
    url: str | None = None,
    progress: Callable[[str], None] = lambda _text: None,
) -> WrittenDelivery:
    """Let `lender` write its tables, and write them as a delivery to `out`; nothing is stored as a book.

    Raises
    ------
    InputError
        As `write_delivery`; what can be seen before the tables are written is told before.
    """
    check_name("book", name)
    refuse_filled(out)
    if url is not None:
        check_core_schema(url, core_name(name), root=workspace.root)
    with staging_folder(out.parent) as tables:
        facts = lender(tables)
        return write_delivery(
            tables,
            out,
            name=name,
            facts=facts,
            seed=seed,
            url=url,
            root=workspace.root,
            threads=workspace.settings.threads,
            memory=workspace.settings.memory,
            progress=progress,
        )
