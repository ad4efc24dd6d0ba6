"""Fitting bins on a long table: optbinning's BinningProcess beside ours, CPU seconds in one process, and the information kept.

The simulated table has columns of every shape; the real one is the Taiwanese cards drawn again with replacement. Information
values of both are counted from the cuts by one formula, so that they compare.
Run: .venv/bin/python -m bench.binning [--rows 1000000] [--columns 30] [--real-data ../shared/data]
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd

from workbench.models.binning import NotBinned, fit_bins
from workbench.models.bins import weight_of_evidence

MAX_BINS, MIN_SHARE = 6, 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=30)
    parser.add_argument("--real-data", type=Path, default=Path("../shared/data"), help="the folder of taiwan_default")
    options = parser.parse_args()
    print("| table | rows x columns | optbinning CPU s | ours CPU s | times less | total IV over its | least |")
    print("|---|---|---|---|---|---|---|")
    for name, table in tables(options).items():
        print(compared(name, *table), flush=True)


def tables(options: argparse.Namespace) -> dict[str, tuple[pd.DataFrame, np.ndarray]]:
    """Return the tables with their outcomes."""
    found = {"simulated": simulated(options.rows, options.columns)}
    path = options.real_data / "taiwan_default" / "UCI_Credit_Card.csv"
    if path.exists():
        cards = pd.read_csv(path).sample(options.rows, replace=True, random_state=3, ignore_index=True)
        outcome = cards.pop(cards.columns[-1]).to_numpy()
        found["taiwan, drawn again"] = cards.drop(columns="ID").astype("float64"), outcome
    return found


def simulated(rows: int, columns: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Return columns that are normal, skewed, counts, mostly zero, shares, or missing in part, and some that say nothing."""
    draw = np.random.default_rng(7)
    risk = draw.normal(size=rows)
    outcome = (draw.random(rows) < 1 / (1 + np.exp(3 - risk))).astype(int)
    shapes = (
        lambda base: base,
        lambda base: np.exp(2 * base),
        lambda base: np.floor(np.exp(base)),
        lambda base: np.where(draw.random(rows) < 0.6, 0.0, base),
        lambda base: 1 / (1 + np.exp(-base)),
        lambda base: np.where(draw.random(rows) < 0.2, np.nan, np.round(base, 2)),
    )
    table = {
        f"x{number:02d}": shapes[number % 6]((number % 5) / 5 * risk + draw.normal(size=rows))
        for number in range(columns)
    }
    return pd.DataFrame(table), outcome


def compared(name: str, table: pd.DataFrame, outcome: np.ndarray) -> str:
    """Return a row of the table: both fits, and what their cuts keep."""
    from optbinning import BinningProcess

    names = list(table)
    started = time.process_time()
    peer = BinningProcess(
        names,
        max_n_bins=MAX_BINS,
        min_bin_size=MIN_SHARE,
        binning_fit_params={column: {"monotonic_trend": "auto_asc_desc", "solver": "cp"} for column in names},
    ).fit(table, outcome)
    theirs = time.process_time() - started
    started = time.process_time()
    cuts = {}
    for column in names:
        try:
            found = fit_bins(
                table[column], outcome, name=column, direction=None, max_bins=MAX_BINS, min_bin_share=MIN_SHARE
            )
            cuts[column] = list(found.splits)
        except NotBinned:
            cuts[column] = []
    ours = time.process_time() - started
    kept = pd.DataFrame(
        [
            (
                information(table[column], outcome, cuts[column]),
                information(table[column], outcome, peer.get_binned_variable(column).splits),
            )
            for column in names
        ],
        columns=["ours", "its"],
    )
    telling = kept[kept["its"] > 0.02]
    return (
        f"| {name} | {len(table):,} x {len(names)} | {theirs:.1f} | {ours:.1f} | {theirs / ours:.1f} | "
        f"{kept['ours'].sum() / kept['its'].sum():.4f} | {(telling['ours'] / telling['its']).min():.4f} |"
    )


def information(values: pd.Series, outcome: np.ndarray, cuts: list[float]) -> float:
    """Return the information value of a column cut there, missing values apart."""
    codes = np.searchsorted(np.asarray(cuts, dtype=np.float64), values.to_numpy(), side="right")
    codes[values.isna()] = len(cuts) + 1
    good, bad = (np.bincount(codes[outcome == side], minlength=len(cuts) + 2) for side in (0, 1))
    return float(np.sum((good / good.sum() - bad / bad.sum()) * weight_of_evidence(good, bad)))


if __name__ == "__main__":
    main()
