"""What a notebook run costs beyond its own work: the same nearly empty notebook, run alone, seconds.

Peer: papermill's own command on the same notebook, in turn, five pairs.
Run: .venv/bin/python -m bench.overhead
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from bench._scratch import scratch_workspace
from workbench.book.simulated import simulate_book
from workbench.runs.run import run_notebook

PAIRS = 5


def main() -> None:
    with scratch_workspace() as workspace:
        simulate_book(workspace, "demo", customers=100, months=3, seed=7)
        parameters = new_code_cell(
            'book: str = "demo"  # book\nas_of: str = ""  # date\noutput_dir: str = ""  # folder'
        )
        parameters.metadata["tags"] = ["parameters"]
        empty = new_notebook(cells=[new_markdown_cell("# Empty"), parameters, new_code_cell("1 + 1")])
        empty.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        path = workspace.notebooks / "99_empty.ipynb"
        nbformat.write(empty, path)
        ours, theirs = [], []
        for _pair in range(PAIRS):
            started = time.perf_counter()
            run_notebook(workspace, "99_empty", book="demo")
            ours.append(time.perf_counter() - started)
            started = time.perf_counter()
            out = workspace.root / "out.ipynb"
            subprocess.run(
                [sys.executable, "-m", "papermill", "--no-progress-bar", str(path), str(out)],
                check=True,
                capture_output=True,
            )
            theirs.append(time.perf_counter() - started)
        print(f"workbench run: median {statistics.median(ours):.2f} s of {[round(value, 2) for value in ours]}")
        print(f"papermill:     median {statistics.median(theirs):.2f} s of {[round(value, 2) for value in theirs]}")
        ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
        print(f"ratio, pair by pair: median {statistics.median(ratios):.2f} of {[round(value, 2) for value in ratios]}")


if __name__ == "__main__":
    main()
