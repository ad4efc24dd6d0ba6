"""Whether forecasts of the default rate hold: simulated histories, forecast at one month and compared with what came.

Each history is a lender of a few thousand loans whose states move by a Markov chain with an economy (AR(1)) and a season, some
with a jump in risk. Printed: the share of outcomes inside the intervals by horizon, and the mean absolute error of the chosen
model beside each of the others on the same histories; with --mix the same of the shares of loans by days past due.
With --aart instead: forecasts of the real auto loans' default rate and non-performing ratio, made at each month of 2019, and
what came until 2020. Needs the folder of the real data (setting real_data).
Run: .venv/bin/python -m bench.forecasts [--histories 200] [--seed 1] [--mix | --aart]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from datetime import datetime

import numpy as np
import pandas as pd

from bench._scratch import PROJECT, scratch_workspace
from workbench.book.book import Book
from workbench.book.flows import PERFORMING, default_rates, exposure_flows, monthly_flows
from workbench.book.loading.load import import_book
from workbench.core.workspace import open_workspace
from workbench.models.chains import amounts_chain, standing
from workbench.models.forecast import LEVEL, Forecast, forecast_default_rate, forecast_mix, forecast_sum, past_errors
from workbench.models.risk_forecasts import NPL, forecast_exposures

MONTHS, HORIZON = 60, 12
MODELS = ("chain", "smoothing", "average", "last month")
LAST_QUIET, LAST_KNOWN = pd.Timestamp(2020, 3, 31), pd.Timestamp(2019, 12, 31)  # of the auto loans


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--histories", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mix", action="store_true")
    parser.add_argument("--aart", action="store_true")
    options = parser.parse_args()
    if options.aart:
        report_aart()
    elif options.mix:
        report_mixes(study_mixes(options.histories, options.seed))
    else:
        report(study(options.histories, options.seed))


def study(histories: int, seed: int) -> pd.DataFrame:
    """Return history, horizon, inside, and the absolute error of the chosen model and of each method."""
    rows = []
    for number in range(histories):
        flows, rates = history(np.random.default_rng([seed, number]))
        origin = MONTHS - HORIZON
        known = flows[flows["month_end"] <= rates.index[origin - 1]]
        found = forecast_default_rate(known, horizon=HORIZON)
        for step in range(HORIZON):
            truth, row = float(rates.iloc[origin + step]), found.table.iloc[step]
            errors = {name: abs(truth - values[step]) for name, values in found.values.items()}
            inside = bool(row["low"] <= truth <= row["high"]) if np.isfinite(row["low"]) else None
            rows.append({"history": number, "horizon": step + 1, "inside": inside, "model": found.model,
                         "chosen": abs(truth - float(row["value"])), **errors})  # fmt: skip
    return pd.DataFrame(rows)


def study_mixes(histories: int, seed: int) -> pd.DataFrame:
    """Return history, part, horizon, inside, and the absolute error of the chosen model and of each, share by share.

    Parts are the states of `PERFORMING`, and "past due", which is all but the first of them.
    """
    rows, loans = [], ("loans", "loans")
    for number in range(histories):
        flows, rates = history(np.random.default_rng([seed, number]))
        shares = standing(flows, PERFORMING, "loans").pipe(lambda table: table.div(table.sum(axis=1), axis=0))
        shares["past due"] = 1 - shares[PERFORMING[0]]
        origin = MONTHS - HORIZON
        known = flows[flows["month_end"] <= rates.index[origin - 1]]
        more = {"chain": amounts_chain(known, PERFORMING, loans)}
        mix = forecast_mix(standing(known, PERFORMING, "loans"), horizon=HORIZON, more=more)
        late = forecast_sum(mix, PERFORMING[1:])
        tables = [rows for _part, rows in mix.table.groupby("part", sort=False)] + [late.table.assign(part="past due")]
        for place, table in enumerate(tables):
            one = place < len(PERFORMING)
            told = {name: values[:, place] if one else late.values[name] for name, values in mix.values.items()}
            for step, row in enumerate(table.itertuples()):
                truth = float(shares[row.part].iloc[origin + step])
                errors = {name: abs(truth - values[step]) for name, values in told.items()}
                rows.append({"history": number, "part": row.part, "horizon": step + 1, "inside": row.low <= truth <= row.high,
                             "model": mix.model, "chosen": abs(truth - row.value), **errors})  # fmt: skip
    return pd.DataFrame(rows)


def history(draw: np.random.Generator) -> tuple[pd.DataFrame, pd.Series]:
    """Return the flows of a simulated lender and its default rate by month."""
    loans, size = int(draw.integers(1500, 20_000)), len(PERFORMING)
    worse, persistence, noise = draw.uniform(0.01, 0.04), draw.uniform(0.5, 0.95), draw.uniform(0.05, 0.2)
    season, jump = draw.uniform(0, 0.2), draw.uniform(-0.5, 0.5) * (draw.random() < 0.3)
    jump_at = int(draw.integers(6, MONTHS))
    economy, counts = 0.0, np.array([loans, *np.zeros(size - 1, int)])
    days = pd.date_range("2020-01-31", periods=MONTHS + 25, freq="ME")
    rows = []
    for t, day in enumerate(days[1:], start=-23):  # two years before anything is kept
        economy = persistence * economy + noise * draw.normal()
        push = np.exp(economy + season * np.sin(2 * np.pi * day.month / 12) + jump * (t >= jump_at))
        after = np.zeros(size, int)
        for i in range(size):
            up = min((worse if i == 0 else 0.35 + 0.08 * i) * push, 0.9)
            closed = 0.02 if i == 0 else 0.01
            back = 0.0 if i == 0 else 0.3 * (1 - up)
            shares = np.zeros(size + 2)  # performing states, default, closed
            shares[i + 1 if i + 1 < size else size] += up
            shares[size + 1] += closed * (1 - up)
            shares[0] += back
            shares[i] += 1 - shares.sum()
            moved = draw.multinomial(counts[i], shares)
            after += moved[:size]
            for j, number in enumerate(moved):
                if number and t >= 0:
                    name = PERFORMING[j] if j < size else ("default" if j == size else "closed")
                    rows.append((day, PERFORMING[i], name, int(number)))
        new = int(draw.poisson(0.025 * loans))
        after[0] += new
        if t >= 0:
            rows.append((day, "new", PERFORMING[0], new))
        counts = after
    flows = pd.DataFrame(rows, columns=["month_end", "before", "after", "loans"])
    flows = flows.assign(balance_before=np.nan, balance_after=np.nan)
    rates = default_rates(flows)
    return flows, pd.Series(rates["rate"].to_numpy(), index=pd.DatetimeIndex(rates["month_end"]))


def report(found: pd.DataFrame) -> None:
    print(f"{found['history'].nunique()} histories, {MONTHS - HORIZON} months known, intervals of {LEVEL:.0%}\n")
    print("| months ahead | inside | " + " | ".join(["chosen", *MODELS]) + " |\n" + "|---" * (3 + len(MODELS)) + "|")
    for horizon, rows in found.groupby("horizon"):
        errors = " | ".join(f"{rows[name].mean():.5f}" for name in ("chosen", *MODELS))
        print(f"| {horizon} | {rows['inside'].astype(float).mean():.1%} | {errors} |")
    print(f"| all | {found['inside'].astype(float).mean():.1%} | "
          + " | ".join(f"{found[name].mean():.5f}" for name in ("chosen", *MODELS)) + " |")  # fmt: skip
    print("\nchosen: " + ", ".join(f"{name} {share:.0%}" for name, share in
                                   found.drop_duplicates("history")["model"].value_counts(normalize=True).items()))  # fmt: skip


def report_mixes(found: pd.DataFrame) -> None:
    print(f"{found['history'].nunique()} histories, {MONTHS - HORIZON} months known, intervals of {LEVEL:.0%}\n")
    print("| share | inside | " + " | ".join(["chosen", *MODELS]) + " |\n" + "|---" * (3 + len(MODELS)) + "|")
    for part, rows in found.groupby("part", sort=False):
        errors = " | ".join(f"{rows[name].mean():.5f}" for name in ("chosen", *MODELS))
        print(f"| {part} | {rows['inside'].mean():.1%} | {errors} |")
    print("\nchosen: " + ", ".join(f"{name} {share:.0%}" for name, share in
                                   found.drop_duplicates("history")["model"].value_counts(normalize=True).items()))  # fmt: skip


def report_aart() -> None:
    data = open_workspace(PROJECT).real_data / "aart_auto_loans"
    if not data.is_dir():
        sys.exit(f"{data}: no such folder; set WORKBENCH_REAL_DATA to the folder that holds aart_auto_loans/")
    with scratch_workspace() as workspace:
        import_book(workspace, "aart", delivered_at=datetime(2026, 1, 1), base=str(data))
        book = Book.open(workspace, "aart")
        last = book.manifest.facts.last_day
        flows = {
            "default rate": monthly_flows(book, as_of=last),
            "non-performing ratio": exposure_flows(book, as_of=last),
        }
    forecast: dict[str, Callable[[pd.DataFrame], Forecast]] = {
        "default rate": lambda known: forecast_default_rate(known, horizon=HORIZON),
        "non-performing ratio": lambda known: forecast_exposures(known, horizon=HORIZON)[NPL],
    }
    for name, table in flows.items():
        came = forecast[name](table).history["value"]
        made = {day: forecast[name](table[table["month_end"] <= day]) for day in came.index if
                len(came[:day]) > 18 and day <= LAST_KNOWN}  # fmt: skip
        print(
            f"\n{name}: known to {LAST_KNOWN:%B %Y}, {len(made[LAST_KNOWN].history)} months; errors of past forecasts\n"
        )
        print(past_errors({name: made[LAST_KNOWN]}).round(5).to_string(index=False))
        rows = pd.concat([found.table.assign(made=day, model=found.model) for day, found in made.items()])
        rows = rows[rows["month_end"].isin(came.index)]
        rows = rows.assign(came=rows["month_end"].map(came))
        rows["inside"] = rows["came"].between(rows["low"], rows["high"])
        rows["until"] = np.where(rows["month_end"] <= LAST_QUIET, "to March 2020", "from April 2020")
        counts = rows.drop_duplicates("made")["model"].value_counts()
        models = ", ".join(f"{model} {count}" for model, count in counts.items())
        print(f"\nmade at each of {len(made)} months of {min(made):%Y}: models {models}\n")
        print("| outcomes | forecasts | with an interval | of these inside | mean forecast | mean of what came |")
        print("|---" * 6 + "|")
        for until, part in rows.groupby("until", sort=False):
            known = part["low"].notna()
            inside, means = part.loc[known, "inside"].mean(), part[["value", "came"]].mean()
            cells = [until, len(part), known.sum(), f"{inside:.0%}", f"{means['value']:.3%}", f"{means['came']:.3%}"]
            print(f"| {' | '.join(map(str, cells))} |")


if __name__ == "__main__":
    main()
