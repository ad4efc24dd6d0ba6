"""The true PD of a simulated lender beside what happens, every switch off: many seeds, overall and by thirds of the PD.

How the error is computed: tests/simulation/calibration.py. z is the difference in standard errors: beyond 3 something is wrong.
Run: .venv/bin/python -m bench.calibration [--seeds 20] [--customers 10000] [--months 6 30] [--branches 40]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import pandas as pd

from tests.simulation.calibration import one_lender, pooled


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, help="from 1 on")
    parser.add_argument("--customers", type=int, default=10_000, help="of each lender; one block")
    parser.add_argument(
        "--months", type=int, nargs="+", default=[6, 30], help="written months of observation, one a seed"
    )
    parser.add_argument("--branches", type=int, default=40, help="futures of each customer")
    options = parser.parse_args(arguments)
    started, lenders = time.perf_counter(), []
    for seed in range(1, options.seeds + 1):
        month = options.months[seed % len(options.months)]
        lender = one_lender(seed, customers=options.customers, month=month, branches=options.branches)
        lenders.append(lender)
        one = lender.iloc[0]
        print(
            f"seed {seed}, month {month}: {one['customers']:,} customers at risk, predicted {one['predicted']:.2%}, "
            f"realised {one['realised']:.2%}, {(one['realised'] - one['predicted']) / one['variance'] ** 0.5:+.1f} s.e.",
            flush=True,
        )
    print(f"\n{options.seeds} lenders of {options.customers:,} in {time.perf_counter() - started:.0f} s\n")
    with pd.option_context("display.float_format", "{:.4f}".format):
        print(pooled(lenders).to_string())


if __name__ == "__main__":
    main()
