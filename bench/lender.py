"""The simulated lender beside its bands: every measure of tests/simulation, seed by seed.

Each seed is simulated into a folder of its own, measured from the written files alone and removed again.
Run: .venv/bin/python -m bench.lender [--seeds 20] [--customers 20000] [--months 60] [--first 7] [--only WORDS]
"""

from __future__ import annotations

import argparse
import re
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import duckdb

from tests.simulation.bands import BANDS, Band
from tests.simulation.estimates import Estimate
from tests.simulation.lender import MissingTableError, open_lender
from workbench.book.simulation import simulate

Measured = dict[str, Estimate | str]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, help="how many, one after the other")
    parser.add_argument("--first", type=int, default=7, help="the first seed")
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--months", type=int, default=60)
    parser.add_argument("--only", default="", help="bands whose name fits this pattern")
    options = parser.parse_args(arguments)
    bands = [band for band in BANDS if re.search(options.only, band.name)]
    found = []
    for seed in range(options.first, options.first + options.seeds):
        with tempfile.TemporaryDirectory(prefix="workbench-lender-") as folder:
            started = time.perf_counter()
            simulate(Path(folder), customers=options.customers, months=options.months, seed=seed)
            simulated = time.perf_counter()
            found.append(measured(Path(folder), bands))
            print(
                f"seed {seed}: {simulated - started:.0f} s to simulate, {time.perf_counter() - simulated:.0f} s to measure",
                flush=True,
            )
    print(f"\n{options.customers:,} customers x {options.months} months, seeds {options.first} to {seed}\n")
    print(table(bands, found))


def measured(folder: Path, bands: Sequence[Band]) -> Measured:
    """Return each band's estimate on the lender in `folder`, or the words of what is missing."""
    found: Measured = {}
    with open_lender(folder) as sql:
        for band in bands:
            try:
                found[band.name] = band.measure(sql)
            except (MissingTableError, duckdb.Error) as error:
                found[band.name] = str(error).splitlines()[0]
    return found


def table(bands: Sequence[Band], found: Sequence[Measured]) -> str:
    """Return a line a band: the values over the seeds, how many lie inside, the band, what it is; those outside marked."""
    lines = [
        f"  {'':24}{'min':>9}{'median':>9}{'max':>9}{'s.e.':>8} {'unit':7}{'low':>6}{'high':>7}{'inside':>9}  what"
    ]
    outside, missing = 0, 0
    for band in bands:
        words = [one for row in found if isinstance(one := row[band.name], str)]
        if words:
            missing += 1
            lines.append(f"? {band.name:24}{words[0]}")
            continue
        estimates = [one for row in found if isinstance(one := row[band.name], Estimate)]
        inside = sum(band.holds(one) for one in estimates)
        known = sorted(one.value for one in estimates if one.value == one.value)
        if known:
            shown = [known[0], statistics.median(known), known[-1], statistics.median(one.error for one in estimates)]
        else:
            shown = [float("nan")] * 4
        outside += inside < len(estimates)
        lines.append(
            f"{' ' if inside == len(estimates) else '*'} {band.name:24}"
            + "".join(f"{band.shown(value):>{width}}" for value, width in zip(shown, (9, 9, 9, 8), strict=True))
            + f" {band.unit:7}{band.shown(band.low):>6}{band.shown(band.high):>7}"
            + f"{f'{inside} of {len(estimates)}':>9}  {band.meaning}"
        )
    lines.append(f"\n{len(bands)} bands: {outside} outside for some seed (*), {missing} not measurable yet (?)")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
