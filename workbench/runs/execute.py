"""The process of one notebook run: papermill, then HTML, in a folder that its parent moves into place.

Started as `python -m workbench.runs.execute JOB.json` by `workbench.runs.run`. It writes one JSON line a step to standard
output. When its standard input closes, its parent is gone, and it ends with everything that it started.
"""

from __future__ import annotations

import json
import os
import re
import sys
import threading
from pathlib import Path
from typing import Any

ANSI = re.compile(r"\x1b\[[0-9;]*m")


def main(job_path: str) -> None:
    """Run the job of a file: notebook, parameters, kernel folder and output folder."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    job = json.loads(Path(job_path).read_text("utf-8"))
    folder = Path(job["folder"])
    executed = folder / f"{job['notebook']}.ipynb"
    failure = _execute(job, executed)
    if failure is None:
        from workbench.core.languages import use_language
        from workbench.reporting.html import render_report

        use_language(job["lang"])
        _say(step="writing the page")
        html = render_report(executed, title=job["title"])
        (folder / f"{job['notebook']}.html").write_text(html, "utf-8")
    _say(done=True, failure=failure)


def _say(**facts: Any) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def _execute(job: dict[str, Any], executed: Path) -> dict[str, Any] | None:
    # jsonschema would build a grammar of IRIs with it at import, over a second; no schema of notebooks has an IRI
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    import papermill
    from papermill.engines import NBClientEngine, papermill_engines
    from papermill.exceptions import PapermillExecutionError

    class ProgressEngine(NBClientEngine):  # type: ignore[misc, unused-ignore]
        """Papermill's own engine, telling each cell that starts."""

        @classmethod
        def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> Any:
            """Execute, with a line for each cell."""
            cells = len(nb_man.nb.cells)
            start = nb_man.cell_start

            def cell_start(cell: Any, cell_index: int | None = None, **more: Any) -> None:
                _say(cell=(cell_index or 0) + 1, cells=cells)
                start(cell, cell_index, **more)

            nb_man.cell_start = cell_start
            return super().execute_managed_notebook(nb_man, kernel_name, **options)

    papermill_engines.register("workbench", ProgressEngine)
    try:
        papermill.execute_notebook(
            job["path"],
            str(executed),
            parameters=job["parameters"],
            engine_name="workbench",
            kernel_name="python3",
            language="python",
            progress_bar=False,
            cwd=job["cwd"],
        )
    except PapermillExecutionError as error:
        last = [line for line in ANSI.sub("", str(error.evalue)).splitlines() if line.strip()]
        return {"ename": error.ename, "evalue": "\n".join(last), "cell": error.cell_index + 1}
    return None


def _end_with_parent() -> None:
    while os.read(0, 1):  # not sys.stdin: its lock, held by this thread, would crash the interpreter when it ends
        pass
    import psutil

    for child in psutil.Process(os.getpid()).children(recursive=True):
        child.kill()
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1])
