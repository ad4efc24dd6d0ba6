"""Exposure by days past due and the non-performing ratio: one mix, one chain, one ratio."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from workbench.book.flows import OPEN_STATES
from workbench.core.errors import SampleError
from workbench.models.chains import amounts_chain, standing
from workbench.models.risk_forecasts import BUCKETS, EXPOSURE, NPL, expected_exposure, forecast_exposures

AFTER = (*OPEN_STATES, "written off", "closed")


def flows(months: int = 40, seed: int = 2, *, noise: float = 0.0) -> pd.DataFrame:
    """Return a book of five states: some worsen, some cure also from non-performing, write-off and repayment are ends."""
    draw = np.random.default_rng(seed)
    moves = np.array([
        # current 1-30 31-60 61-90 npl   off  closed
        [0.940, 0.030, 0.000, 0.000, 0.000, 0.00, 0.010],
        [0.400, 0.300, 0.250, 0.000, 0.000, 0.00, 0.010],
        [0.150, 0.100, 0.300, 0.400, 0.000, 0.00, 0.010],
        [0.100, 0.000, 0.100, 0.300, 0.450, 0.00, 0.010],
        [0.030, 0.000, 0.000, 0.000, 0.850, 0.10, 0.005],
    ])  # fmt: skip
    held, rows = np.array([9e6, 3e5, 1e5, 5e4, 8e4]), []
    for number, day in enumerate(pd.date_range("2022-01-31", periods=months, freq="ME")):
        now = moves * np.exp(noise * draw.normal(size=moves.shape))
        for i, before in enumerate(OPEN_STATES):
            for j, after in enumerate(AFTER):  # what stood before is told in seven parts
                rows.append((day, before, after, 10, held[i] / 7, held[i] * now[i, j] if j < 5 else 0.0))
        new = 1e7 if number == 0 else 3e5
        rows.append((day, "new", "current", 10, 0.0, new))
        held = held @ now[:, :5] + np.array([new, 0, 0, 0, 0])
    return pd.DataFrame(rows, columns=["month_end", "before", "after", "loans", "balance_before", "balance_after"])


def test_a_book_that_moves_as_it_did_is_forecast_to_the_cent() -> None:
    table = flows(60)
    known = table[table["month_end"] <= sorted(table["month_end"].unique())[47]]
    found = forecast_exposures(known, horizon=12)
    came = standing(table, OPEN_STATES, "balance_after").iloc[47:59]
    assert found[EXPOSURE].model == found[BUCKETS].model == found[NPL].model == "chain"
    told = expected_exposure(found).set_index("month_end")
    assert told.index.tolist() == came.index.tolist()
    assert told[list(OPEN_STATES)].to_numpy() == pytest.approx(came.to_numpy(), rel=1e-9)
    assert told["exposure"].to_numpy() == pytest.approx(came.sum(axis=1).to_numpy(), rel=1e-9)
    assert told["npl_ratio"].tolist() == pytest.approx((came["non-performing"] / came.sum(axis=1)).tolist(), rel=1e-9)
    assert found[NPL].table["value"].tolist() == pytest.approx(told["npl_ratio"].tolist())


@pytest.mark.parametrize("seed", range(4))
def test_parts_are_what_the_forecasts_say(seed: int) -> None:
    table = flows(36, seed, noise=0.2)
    found = forecast_exposures(table, horizon=6)
    told = expected_exposure(found)
    assert told[list(OPEN_STATES)].sum(axis=1).tolist() == pytest.approx(told["exposure"].tolist())
    assert told["exposure"].tolist() == pytest.approx(found[EXPOSURE].table["value"].tolist())
    assert (told["non-performing"] / told["exposure"]).tolist() == pytest.approx(told["npl_ratio"].tolist())
    ratio = found[NPL].table
    assert ((ratio["low"] <= ratio["value"]) & (ratio["value"] <= ratio["high"]) & (ratio["high"] <= 1)).all()


def test_loans_are_counted_where_no_balance_is_stated() -> None:
    table = flows(36, noise=0.2).assign(balance_before=np.nan, balance_after=np.nan)
    found = forecast_exposures(table, horizon=2)
    path = amounts_chain(table, OPEN_STATES, ("loans", "loans"))(35, 2)
    assert found[EXPOSURE].values["chain"] == pytest.approx(path.sum(axis=1))


def test_too_few_months_are_refused() -> None:
    with pytest.raises(SampleError, match="found 17 months, expected 19"):
        forecast_exposures(flows(18))
