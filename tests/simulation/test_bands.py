"""The simulated lender lies in its bands: two seeds of a small lender here, twenty of the default one in bench/lender.py.

A small lender is measured less exactly, so each band is widened by `ERRORS` standard errors of the measure at that size:
binomial for shares, the delta method for ratios, over loans or cards for money (tests/simulation/estimates.py).
"""

from __future__ import annotations

from pathlib import Path

import pytest

from workbench.book.simulation import simulate

from .bands import BANDS, RANKING, Band
from .estimates import NAN, Estimate
from .lender import open_lender

CUSTOMERS, MONTHS, SEEDS, ERRORS = 3_000, 60, (101, 102), 2
SHORT = [band for band in BANDS if band not in RANKING]  # a scorecard takes minutes: bench/lender.py --ginis

pytestmark = pytest.mark.xdist_group("bands")  # one worker simulates


@pytest.fixture(scope="module", params=SEEDS, ids=lambda seed: f"seed{seed}")
def found(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Estimate | Exception]:
    folder: Path = tmp_path_factory.mktemp("lender")
    simulate(folder, customers=CUSTOMERS, months=MONTHS, seed=request.param)
    estimates: dict[str, Estimate | Exception] = {}
    with open_lender(folder) as sql:
        for band in SHORT:
            try:
                estimates[band.name] = band.measure(sql)
            except LookupError as error:
                estimates[band.name] = error
    return estimates


@pytest.mark.parametrize("band", SHORT, ids=lambda band: band.name)
def test_the_lender_lies_in_its_band(found: dict[str, Estimate | Exception], band: Band) -> None:
    estimate = found[band.name]
    assert isinstance(estimate, Estimate), estimate
    assert band.holds(estimate, errors=ERRORS), (
        f"{band.meaning}: {band.shown(estimate.value)} {band.unit} (s.e. {band.shown(estimate.error)}), "
        f"expected {band.shown(band.low)} to {band.shown(band.high)} {band.unit} ({band.source})"
    )


def test_names_and_limits_of_bands() -> None:
    assert len({band.name for band in BANDS}) == len(BANDS)
    assert all(band.low < band.high for band in BANDS)
    assert all(band.source and band.meaning for band in BANDS)


def test_a_band_tells_inside_from_outside() -> None:
    band = Band("share", 0.2, 0.3, "%", lambda _: Estimate(0.25, 0.01), "a share", "house choice")
    assert band.holds(Estimate(0.3, 0.0))
    assert not band.holds(Estimate(0.31, 0.01))
    assert band.holds(Estimate(0.31, 0.01), errors=2)
    assert not band.holds(Estimate(0.33, 0.01), errors=2)
    assert not band.holds(Estimate(NAN, NAN), errors=2)
