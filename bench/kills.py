"""Imports and appends killed at random moments: the book is the old or the new one, whole, every time.

About half of the kills fall at any time of a load, the others in the moment in which it makes the book current.
Run: .venv/bin/python -m bench.kills [--kills 50] [--seed 1]
"""

from __future__ import annotations

import argparse
import random
import time
from collections import Counter

from bench._scratch import scratch_workspace
from tests.book.killing import Scene


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    counts: Counter[str] = Counter()
    started = time.perf_counter()
    with scratch_workspace() as workspace:
        scene = Scene(workspace)
        now, duration = scene.load(0)
        print(f"a load takes {duration:.1f} s")
        at = 0
        for number in range(options.kills):
            append = number % 3 == 2
            other = 1 - at
            late = chance.random() < 0.5
            after = chance.uniform(0, 0.03) if late else chance.uniform(0, duration)
            seconds, was_killed = scene.killed(other, after, append=append, until=scene.nearly_done if late else None)
            found = scene.tables()
            state = ("old" if found == now else "new") if was_killed else "over before"
            counts[f"{'append' if append else 'import'}: {state}"] += 1
            after_it, _seconds = scene.load(other, append=append)
            if found not in (now, after_it):
                raise SystemExit(f"kill {number}, after {seconds:.2f} s: neither the old book nor the new one")
            scene.check_clean()
            now, at = after_it, other
            print(f"kill {number + 1}: after {seconds:.2f} s, {'append' if append else 'import'}: {state}", flush=True)
    for state, count in sorted(counts.items()):
        print(f"{state:24}{count:4}")
    print(f"{options.kills} loads, none left a broken book; {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
