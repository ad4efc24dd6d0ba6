"""The shipped parameters on other seeds and other lenders than the one they ship with: `workbench demo`, run by run.

Nothing is tuned between runs. Each has a workspace of its own, which is removed again.
Run: .venv/bin/python -m bench.settings [--customers 20000] [--seeds 10] [--page docs/simulation/settings.md]
"""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path
from typing import Any

from bench._scratch import environment, scratch_workspace, workbench

DEFAULT_SEED = 7
OTHER_SETTINGS = {
    "nothing happens, no treatment, no dirt": ["--switch", "none"],
    "no downturn": ["--switch", "downturn=off"],
    "no loose vintage, no shift of mix": ["--switch", "loose_vintage=off", "--switch", "mix_shift=off"],
    "harmful treatments": ["--switch", "contact=harmful", "--switch", "limit_cut=harmful"],
    "drift of the concept": ["--switch", "concept_drift=on"],
    "48 months": ["--months", "48"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--seeds", type=int, default=10, help="other seeds than the default one")
    parser.add_argument("--page", type=Path, help="file for the table, as Markdown")
    options = parser.parse_args()
    runs = {f"seed {DEFAULT_SEED}, as shipped": ["--seed", str(DEFAULT_SEED)]}
    runs |= {f"seed {seed}": ["--seed", str(seed)] for seed in range(101, 101 + options.seeds)}
    runs |= {
        f"seed {DEFAULT_SEED}, {name}": ["--seed", str(DEFAULT_SEED), *more] for name, more in OTHER_SETTINGS.items()
    }
    lines = [
        "| lender | active | bad rate | Gini out of time | KS | alerts per 1,000 (red, orange, yellow) | promotion |",
        "|---|---|---|---|---|---|---|",
    ]
    print("\n".join(lines), flush=True)
    for name, more in runs.items():
        lines.append(row(name, demo(["--customers", str(options.customers), *more])))
        print(lines[-1], flush=True)
    if options.page:
        command = (
            f"python -m bench.settings --customers {options.customers} --seeds {options.seeds} --page {options.page}"
        )
        words = f"Written by `{command}`: `workbench demo`, run by run, nothing tuned between."
        options.page.write_text(
            "\n".join(["# The shipped parameters on other lenders", "", words, "", *lines, ""]), "utf-8"
        )


def demo(arguments: list[str]) -> dict[str, Any]:
    """Run the demo in a workspace of its own and return what it prints for programs."""
    with scratch_workspace() as workspace:
        done = subprocess.run(
            workbench("demo", "--json", *arguments), env=environment(workspace), stdout=subprocess.PIPE, check=True
        )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def row(name: str, result: dict[str, Any]) -> str:
    """Return a row of the table."""
    runs = result["runs"]
    active = runs["20_indicators"]["summary"]["customers"]
    card = runs["30_scorecard"]["summary"]
    alerts = runs["40_monitoring"]["summary"]["alerts"]
    counts = ", ".join(f"{1000 * alerts.get(severity, 0) / active:.0f}" for severity in ("red", "orange", "yellow"))
    gini = f"{card['gini_oot']:.3f} ({card['gini_oot_low']:.3f} to {card['gini_oot_high']:.3f})"
    cells = [name, f"{active:,}", f"{card['bad_rate']:.1%}", gini, f"{card['ks_oot']:.3f}", counts, result["promotion"]]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
