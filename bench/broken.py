"""Broken deliveries by mutation: how each ends. Expected: no crash, no row lost in silence, no private value in a message.

Run: .venv/bin/python -m bench.broken [--only WORDS] [--verbose]
"""

from __future__ import annotations

import argparse
import random
import re
import time
from collections import Counter, defaultdict

from bench._scratch import scratch_workspace
from tests.book.mutations import Broken, cases
from tests.book.trial import Verdict, judged, lenders


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="cases whose family or label fits this pattern")
    parser.add_argument("--every", type=int, default=1, help="of each family, only every n-th case")
    parser.add_argument("--quick", action="store_true", help="without the checks of the content")
    parser.add_argument("--verbose", action="store_true", help="print every verdict")
    options = parser.parse_args()
    table: dict[str, Counter[str]] = defaultdict(Counter)
    wrong: list[tuple[str, Verdict]] = []
    started = time.perf_counter()
    with scratch_workspace() as workspace:
        clean = lenders(workspace, quick=options.quick)
        chosen = [
            case for case in cases() if re.search(options.only, f"{case.family} {case.label} {case.dialect.name}")
        ]
        chosen = chosen[:: options.every]
        for number, case in enumerate(chosen):
            lender = clean[case.dialect.name]
            lender.restore()
            case.apply(Broken(lender.mutated, case.dialect, lender.rows, random.Random(number)))
            verdict = judged(lender, case)
            name = f"{case.family}: {case.label} ({case.dialect.name}{', append' if case.append else ''})"
            table[case.family].update([verdict.outcome, "all"])
            table[case.family]["findings"] += len(verdict.findings)
            table[case.family]["silent"] += any("silent" in text for text in verdict.problems)
            table[case.family]["problems"] += bool(verdict.problems)
            if options.verbose:
                print(f"{name}: {verdict.outcome}: {verdict.words}")
                for finding in verdict.findings:
                    print(f"    {finding}")
            if verdict.problems:
                wrong.append((name, verdict))
                print(f"PROBLEM {name}: {verdict.outcome}: {verdict.words[:400]}", flush=True)
                for text in verdict.problems:
                    print(f"    - {text}", flush=True)
    columns = ("all", "refused", "loaded", "findings", "silent", "crashed", "problems")
    print(f"{'mutation':34}" + "".join(f"{name:>10}" for name in columns))
    for family, counts in table.items():
        print(f"{family:34}" + "".join(f"{counts[name]:10}" for name in columns))
    total = sum(table.values(), Counter())
    print(f"{'all':34}" + "".join(f"{total[name]:10}" for name in columns))
    print(f"{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
