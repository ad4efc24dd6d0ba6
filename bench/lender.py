"""The simulated lender beside its bands: every measure of tests/simulation, seed by seed.

Each seed is simulated into a folder of its own, measured from the written files alone and removed again.
With --plots, the figures of the first seed's lender and bands.md go to the folder that is named.
Run: .venv/bin/python -m bench.lender [--seeds 20] [--customers 20000] [--months 60] [--first 7] [--only WORDS] [--ginis]
     [--plots docs/simulation]
"""

from __future__ import annotations

import argparse
import math
import re
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import duckdb
import pandas as pd

from bench._figures import draw_all
from bench._ginis import ginis
from bench._scratch import scratch_workspace
from tests.simulation.bands import BANDS, SOURCES, Band
from tests.simulation.estimates import Estimate
from tests.simulation.lender import MissingTableError, open_lender
from workbench.book.simulated import simulate_book
from workbench.book.simulation import simulate
from workbench.book.store import current_generation

Measured = dict[str, Estimate | str]
ERRORS = 2
"""Standard errors by which a single seed may lie outside its band, as in tests/simulation/test_bands.py."""


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20, help="how many, one after the other")
    parser.add_argument("--first", type=int, default=7, help="the first seed")
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--months", type=int, default=60)
    parser.add_argument("--only", default="", help="bands whose name fits this pattern")
    parser.add_argument("--ginis", action="store_true", help="true PDs and scorecards too: some minutes a seed")
    parser.add_argument("--plots", type=Path, help="folder for the figures of the first seed and bands.md")
    options = parser.parse_args(arguments)
    bands = [band for band in BANDS if re.search(options.only, band.name)]
    found = []
    for seed in range(options.first, options.first + options.seeds):
        found.append(one_seed(seed, bands, options))
    last = options.first + options.seeds - 1
    print(f"\n{options.customers:,} customers x {options.months} months, seeds {options.first} to {last}\n")
    print(table(bands, found))
    if options.plots:
        (options.plots / "bands.md").write_text(page(bands, found, options), "utf-8")
        print(f"figures and bands.md in {options.plots}")


def one_seed(seed: int, bands: Sequence[Band], options: argparse.Namespace) -> Measured:
    """Simulate a lender, measure it and say how long both took."""
    size = {"customers": options.customers, "months": options.months, "seed": seed}
    clock = [time.perf_counter()]
    with ExitStack() as ends:
        ranked = {}
        if options.ginis:  # a scorecard needs a book; else the files alone are enough
            workspace = ends.enter_context(scratch_workspace())
            simulate_book(workspace, "lender", **size)
            folder = current_generation(workspace, "lender")[0]
            clock.append(time.perf_counter())
            ranked = ginis(workspace, "lender", **size)
        else:
            folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="workbench-lender-")))
            simulate(folder, **size)
            clock.append(time.perf_counter())
        clock.append(time.perf_counter())
        found = measured(folder, bands, ranked=ranked, plots=options.plots if seed == options.first else None)
        clock.append(time.perf_counter())
    took = [end - start for start, end in pairwise(clock)]
    values = ", ".join(f"{name} {one.value:.3f}" for name, one in ranked.items())
    print(
        f"seed {seed}: {took[0]:.0f} s to simulate, {took[1]:.0f} s for the Ginis, {took[2]:.0f} s to measure"
        + (f"; {values}" if values else ""),
        flush=True,
    )
    return found


def measured(
    folder: Path, bands: Sequence[Band], *, ranked: dict[str, Estimate], plots: Path | None = None
) -> Measured:
    """Return each band's estimate on the lender in `folder`, or the words of what is missing; draw it where asked."""
    found: Measured = {}
    with open_lender(folder) as sql:
        if ranked:
            rows = [(name, *one) for name, one in ranked.items()]
            sql.register("ginis", pd.DataFrame(rows, columns=["name", "value", "error"]))
        for band in bands:
            try:
                found[band.name] = band.measure(sql)
            except (MissingTableError, duckdb.Error) as error:
                found[band.name] = str(error).splitlines()[0]
        if plots is not None:
            for name, caption in draw_all(sql, plots).items():
                print(f"![{caption}]({plots.name}/{name})")
    return found


def table(bands: Sequence[Band], found: Sequence[Measured]) -> str:
    """Return a line a band: the values over the seeds, how many lie inside, the band, what it is; those outside marked."""
    lines = [
        f"  {'':24}{'min':>9}{'median':>9}{'max':>9}{'s.e.':>8} {'unit':7}{'low':>6}{'high':>7}{'inside':>9}  what"
    ]
    outside, beyond, missing = 0, 0, 0
    for band in bands:
        words = [one for row in found if isinstance(one := row[band.name], str)]
        if words:
            missing += 1
            lines.append(f"? {band.name:24}{words[0]}")
            continue
        estimates = [one for row in found if isinstance(one := row[band.name], Estimate)]
        inside = sum(band.holds(one) for one in estimates)
        outside += inside < len(estimates)
        beyond += not all(band.holds(one, errors=ERRORS) for one in estimates)
        lines.append(
            f"{' ' if inside == len(estimates) else '*'} {band.name:24}"
            + "".join(
                f"{band.shown(value):>{width}}" for value, width in zip(spread(estimates), (9, 9, 9, 8), strict=True)
            )
            + f" {band.unit:7}{band.shown(band.low):>6}{band.shown(band.high):>7}"
            + f"{f'{inside} of {len(estimates)}':>9}  {band.meaning}"
        )
    lines.append(
        f"\n{len(bands)} bands: {outside} outside for some seed (*), {beyond} by more than {ERRORS} standard errors, "
        f"{missing} not measurable yet (?)"
    )
    return "\n".join(lines)


def page(bands: Sequence[Band], found: Sequence[Measured], options: argparse.Namespace) -> str:
    """Return bands.md: what was measured beside each band and its source, and by which command."""
    seeds = f"{options.seeds} seeds from {options.first}" if options.seeds > 1 else f"seed {options.first}"
    command = f"python -m bench.lender --seeds {options.seeds} --first {options.first} --customers {options.customers}"
    command += f" --months {options.months}{' --ginis' if options.ginis else ''} --plots {options.plots}"
    lines = [
        "# The bands of the simulated lender",
        "",
        f"Written by `{command}`: {options.customers:,} customers x {options.months} months, {seeds}, the default story.",
        "Measured from the written files alone by `tests/simulation/`; s.e. is the middle standard error of a seed's measure.",
        f"A mark * says that some seed lies outside; behind it how many lie in the band widened by {ERRORS} standard errors.",
        "",
        "| what | least, middle, most | s.e. | inside | band | source |",
        "|---|---|---|---|---|---|",
    ]
    for band in bands:
        estimates = [one for row in found if isinstance(one := row[band.name], Estimate)]
        limits = f"{band.shown(band.low)} {f'to {band.shown(band.high)}' if band.high < math.inf else 'or more'}"
        if len(estimates) < len(found):
            values, error, inside = "not measured", "", ""
        else:
            *known, middle_error = spread(estimates)
            values, error = ", ".join(band.shown(value) for value in known), band.shown(middle_error)
            count, wider = (sum(band.holds(one, errors=errors) for one in estimates) for errors in (0, ERRORS))
            inside = f"{count} of {len(found)}{f' * ({wider})' if count < len(found) else ''}"
        unit = f" ({band.unit})" if band.unit else ""
        lines.append(f"| {band.meaning}{unit} | {values} | {error} | {inside} | {limits} | {band.source} |")
    lines += ["", "## Sources", ""]
    lines += [f"- **{name}**: {words}" for name, words in SOURCES.items()]
    return "\n".join(lines) + "\n"


def spread(estimates: Sequence[Estimate]) -> tuple[float, float, float, float]:
    """Return the least, the middle and the largest known value, and the middle standard error; NaN without one."""
    known = sorted(one.value for one in estimates if one.value == one.value)
    if not known:
        return (float("nan"),) * 4
    return known[0], statistics.median(known), known[-1], statistics.median(one.error for one in estimates)


if __name__ == "__main__":
    main()
