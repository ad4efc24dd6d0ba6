"""Random pairs of deliveries that overlap: appended, they read as one at every date, and an old one again changes nothing.

Run: .venv/bin/python -m bench.appends [--pairs 40] [--seed 100]
"""

from __future__ import annotations

import argparse
import time

from bench._scratch import scratch_workspace
from tests.book.appending import Lender, check_an_old_delivery_changes_nothing, check_reads_like_one_delivery
from workbench.book.loading.load import _Load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=100)
    options = parser.parse_args()
    started = time.perf_counter()
    _Load._check = lambda _load, _book: None  # type: ignore[method-assign]
    with scratch_workspace() as workspace:
        lender = Lender(workspace)
        for seed in range(options.seed, options.seed + options.pairs):
            check_reads_like_one_delivery(lender, seed)
            check_an_old_delivery_changes_nothing(lender, seed)
    print(f"{options.pairs} pairs of deliveries, each read as one; {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
