"""Broken deliveries: refused with one clear message, or loaded with every row accounted for. bench/broken.py runs all cases."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from workbench.core.workspace import Workspace

from . import oracle
from .crm_delivery import CRM, DIALECTS
from .mutations import Broken, Case, cases
from .trial import Lender, judged, lenders

EVERY = 15  # about sixty of all cases, some of each family; those of 100 MB only in the benchmark
CHOSEN = [case for case in cases() if case.family != "line of 100 MB"][::EVERY]


@pytest.fixture(scope="module")
def clean(new_workspace: Callable[..., Workspace]) -> dict[str, Lender]:
    return lenders(new_workspace(), quick=True)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_clean_delivery_becomes_what_the_files_say(clean: dict[str, Lender], dialect: str) -> None:
    lender = clean[dialect]
    expected = oracle.expected(lender.clean, lender.dialect)
    assert not expected.unknown
    assert lender.content == expected.rows
    assert {table: rows.total() for table, rows in lender.content.items()} == expected.rows_in


@pytest.mark.parametrize("case", CHOSEN, ids=lambda case: f"{case.dialect.name}-{case.family}-{case.label}")
def test_nothing_is_lost_in_silence(clean: dict[str, Lender], case: Case) -> None:
    lender = clean[case.dialect.name]
    lender.restore()
    case.apply(Broken(lender.mutated, case.dialect, lender.rows, random.Random(case.label)))
    verdict = judged(lender, case)
    assert not verdict.problems, verdict


def test_the_oracle_sees_a_lost_row(clean: dict[str, Lender], monkeypatch: pytest.MonkeyPatch) -> None:
    """A loader that drops a row must not pass: the judge itself is tried."""
    lender = clean[CRM.name]
    lender.restore()
    Broken(lender.mutated, CRM, lender.rows, random.Random(1)).change("customers", "income", 1)
    good = "workbench.book.loading.generation.good_rows"
    fewer = "(SELECT * FROM _stage_{0} LIMIT (SELECT count(*) - 1 FROM _stage_{0}))"
    monkeypatch.setattr(good, lambda table, _fatal: fewer.format(table))
    verdict = lender.trial(share=0.6)
    assert verdict.outcome == "loaded"
    assert verdict.problems


def test_all_checks_run_on_a_broken_delivery(clean: dict[str, Lender]) -> None:
    lender = clean[CRM.name]
    lender.restore()
    Broken(lender.mutated, CRM, lender.rows, random.Random(1)).change("loans", "cust_no", "nobody")
    lender.quick = False
    verdict = lender.trial(share=0.6)
    lender.quick = True
    assert verdict.outcome == "refused"
    assert "customer_id names a customer that the book does not have" in verdict.words
    assert not verdict.problems
