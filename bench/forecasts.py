"""Whether forecasts of the default rate hold: simulated histories, forecast at one month and compared with what came.

Each history is a lender of a few thousand loans whose states move by a Markov chain with an economy (AR(1)) and a season, some
with a jump in risk. Printed: the share of outcomes inside the intervals by horizon, and the mean absolute error of the chosen
model beside each of the others on the same histories.
Run: .venv/bin/python -m bench.forecasts [--histories 200] [--seed 1]
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from workbench.book.flows import PERFORMING, default_rates
from workbench.models.forecast import LEVEL, forecast_default_rate

MONTHS, HORIZON = 60, 12
MODELS = ("chain", "smoothing", "average", "last month")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--histories", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
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


if __name__ == "__main__":
    main()
