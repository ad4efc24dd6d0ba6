"""What a book's history leads to: its exposure by days past due, its scores, grades and PD x exposure."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from workbench.book.flows import NON_PERFORMING, OPEN_STATES
from workbench.core.errors import SampleError
from workbench.core.languages import mark, say
from workbench.models.chains import BALANCES, amounts_chain, standing
from workbench.models.forecast import FIRST_ORIGIN, Forecast, forecast_mix, forecast_series, forecast_sum
from workbench.models.score_trend import ScoreTrend

EXPOSURE, BUCKETS, NPL = mark("exposure"), mark("exposure by days past due"), mark("non-performing ratio")
SCORE, PD, AT_RISK, LOSS = mark("mean score"), mark("mean PD"), mark("PD x exposure"), mark("expected loss")
GRADES, GRADES_EXPOSURE = mark("customers by grade"), mark("exposure by grade")
HIGH_RISK, HIGH_RISK_EXPOSURE = mark("share of high-risk customers"), mark("share of high-risk exposure")
_MONEY = ("exposure_before", "exposure_after")


def forecast_exposures(flows: pd.DataFrame, *, horizon: int = 12) -> dict[str, Forecast]:
    """Forecast exposure, its shares by days past due, and the non-performing ratio, which is one of these.

    Parameters
    ----------
    flows : DataFrame
        What `book.flows.exposure_flows` returns. Loans are counted where no balance is stated.

    Returns
    -------
    dict
        `EXPOSURE`, `BUCKETS` (a mix of `OPEN_STATES`) and `NPL`.

    Raises
    ------
    SampleError
        Fewer than `FIRST_ORIGIN` + 1 months after the first.
    """
    amount = ("loans", "loans") if flows["balance_after"].isna().all() else BALANCES
    amounts, chain = standing(flows, OPEN_STATES, amount[1]), amounts_chain(flows, OPEN_STATES, amount)
    buckets = forecast_mix(amounts, horizon=horizon, more={"chain": chain})
    return {
        EXPOSURE: forecast_series(
            amounts.sum(axis=1),
            horizon=horizon,
            more={"chain": lambda origin, ahead: chain(origin, ahead).sum(axis=1)},
            scale="rate",
        ),
        BUCKETS: buckets,
        NPL: forecast_sum(buckets, [NON_PERFORMING]),
    }


def expected_exposure(forecasts: dict[str, Forecast]) -> pd.DataFrame:
    """Return the expected exposure by days past due: month_end, each of `OPEN_STATES`, exposure, npl_ratio."""
    total = forecasts[EXPOSURE].table.set_index("month_end")["value"]
    shares = forecasts[BUCKETS].table.pivot_table(index="month_end", columns="part", values="value", dropna=False)
    table = shares[list(OPEN_STATES)].mul(total, axis=0).rename_axis(columns=None)
    return table.assign(exposure=total, npl_ratio=shares[NON_PERFORMING]).reset_index()


def forecast_scores(trend: ScoreTrend, *, high_risk: Sequence[str], horizon: int = 12) -> dict[str, Forecast]:
    """Forecast mean score and PD, PD x exposure, expected loss, and the mix of grades with its share at high risk.

    The grades move as customers (or their exposure) moved between them, came and left, beside the simpler models; the
    high-risk share is the sum of its grades. What needs an exposure or a loss given default that is not there is left out.

    Returns
    -------
    dict
        `SCORE`, `PD`, `AT_RISK`, `LOSS`, `GRADES` and `GRADES_EXPOSURE` (mixes), `HIGH_RISK`, `HIGH_RISK_EXPOSURE`.

    Raises
    ------
    SampleError
        Fewer than `FIRST_ORIGIN` + 2 dates that follow each other month by month up to the last.
    """
    months = pd.DatetimeIndex(sorted(trend.flows["month_end"].unique()))
    if len(months) < FIRST_ORIGIN + 2:
        raise SampleError(
            say(
                "forecast of scores: found {found} month ends in a row with a panel, expected {least} or more. "
                "Make them: workbench indicators build --months {least} --book {book}",
                found=len(months),
                least=FIRST_ORIGIN + 2,
                book=trend.book,
            )
        )
    table, found = trend.table.set_index("month_end").loc[months], {}
    for name, column, scale in (
        (SCORE, "score_mean", "level"),
        (PD, "pd_mean", "share"),
        (AT_RISK, "pd_exposure", "rate"),
        (LOSS, "expected_loss", "rate"),
    ):
        if column in table and table[column].notna().all():
            found[name] = forecast_series(table[column], horizon=horizon, scale=scale)  # type: ignore[arg-type]
    for mix, share, amount in (
        (GRADES, HIGH_RISK, ("customers", "customers")),
        (GRADES_EXPOSURE, HIGH_RISK_EXPOSURE, _MONEY),
    ):
        amounts = standing(trend.flows, trend.grades, amount[1])
        if (amounts.sum(axis=1) > 0).all():
            more = {"migration": amounts_chain(trend.flows, trend.grades, amount)}
            found[mix] = forecast_mix(amounts, horizon=horizon, more=more)
            found[share] = forecast_sum(found[mix], high_risk)
    return found
