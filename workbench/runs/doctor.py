"""What this machine has and lacks for the workbench, and how to mend it."""

from __future__ import annotations

import shutil
import socket
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Literal

from workbench.core.workspace import Workspace
from workbench.reporting.style import cjk_font

Verdict = Literal["ok", "missing", "optional"]
PACKAGES = (
    "jupyterlab",
    "papermill",
    "nbconvert",
    "pandas",
    "scikit-learn",
    "optbinning",
    "mlflow",
    "ibis-framework",
    "duckdb",
)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FREE_DISK_GB = 3.0
PORTS = {"JupyterLab": 8888, "MLflow": 5000}


@dataclass(frozen=True)
class Check:
    """One finding: `optional` things may be missing without harm to the stages."""

    what: str
    verdict: Verdict
    found: str
    mend: str = ""


def examine(workspace: Workspace) -> list[Check]:
    """Look at Python, packages, disk, browser, Java, fonts and ports."""
    return [_python(), *_packages(), _disk(workspace), _browser(), _java(), _fonts(), *_ports()]


def _python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info >= (3, 11)
    return Check("Python", "ok" if good else "missing", found, "" if good else "install Python 3.11 or later")


def _packages() -> list[Check]:
    checks = []
    for package in PACKAGES:
        try:
            checks.append(Check(package, "ok", version(package)))
        except PackageNotFoundError:
            checks.append(
                Check(package, "missing", "not installed", "run: make demo, or pip install loan-risk-workbench")
            )
    return checks


def _disk(workspace: Workspace) -> Check:
    free = shutil.disk_usage(workspace.root).free / 1e9
    good = free >= FREE_DISK_GB
    return Check(
        "disk", "ok" if good else "missing", f"{free:.1f} GB free", "" if good else f"free {FREE_DISK_GB:g} GB"
    )


def find_browser() -> str | None:
    """Return the path of a Chromium, or None."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def _browser() -> Check:
    path = find_browser()
    if path:
        return Check("browser", "ok", path)
    return Check(
        "browser",
        "optional",
        "no Chromium",
        "for the browser tests: apt-get install chromium, or brew install chromium",
    )


def _java() -> Check:
    path = shutil.which("java")
    if path:
        return Check("Java", "ok", path)
    return Check("Java", "optional", "none", "only for Spark: install a Java 17 runtime")


def _fonts() -> Check:
    found = cjk_font()
    if found:
        return Check("Chinese font", "ok", found)
    return Check("Chinese font", "optional", "none", "for Chinese names in charts: apt-get install fonts-noto-cjk")


def _ports() -> list[Check]:
    checks = []
    for what, port in PORTS.items():
        with socket.socket() as probe:
            probe.settimeout(0.5)
            taken = probe.connect_ex(("127.0.0.1", port)) == 0
        found = f"127.0.0.1:{port} {'in use' if taken else 'free'}"
        checks.append(
            Check(
                f"port of {what}", "optional" if taken else "ok", found, "the next free port is taken" if taken else ""
            )
        )
    return checks
