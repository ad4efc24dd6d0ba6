"""JupyterLab and the MLflow page, on 127.0.0.1 with a token, telling nobody."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil

from workbench.core.errors import InputError
from workbench.core.workspace import Workspace
from workbench.models.tracking_app import TOKEN_VARIABLE

HOST = "127.0.0.1"
LAB_CONFIG = Path(__file__).parent / "jupyter"  # switches off the question about Jupyter's news


def free_port(wanted: int) -> int:
    """Return `wanted`, or the first free port of the fifty after it.

    Raises
    ------
    InputError
        If none of them is free.
    """
    for port in range(wanted, wanted + 50):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port
    raise InputError(f"ports {wanted} to {wanted + 49} are in use on {HOST}; name a free one with --port.")


def serve_lab(workspace: Workspace, *, port: int, open_browser: bool, say: Callable[[str], None]) -> int:
    """Start JupyterLab on the workspace and stay until it ends; return its exit code."""
    token = secrets.token_urlsafe(24)
    chosen = free_port(port)
    say(f"JupyterLab: http://{HOST}:{chosen}/lab/tree/notebooks?token={token}   (Ctrl-C ends it)")
    command = [
        *(sys.executable, "-m", "jupyterlab"),
        f"--ServerApp.ip={HOST}",
        f"--ServerApp.port={chosen}",
        "--ServerApp.port_retries=0",
        f"--ServerApp.root_dir={workspace.root}",
        f"--ServerApp.open_browser={open_browser}",
        "--ServerApp.allow_root=True",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.news_url=None",
        "--LabApp.extension_manager=readonly",  # it would ask the package index
    ]
    paths = [str(LAB_CONFIG), *filter(None, [os.environ.get("JUPYTER_CONFIG_PATH")])]
    variables = {"JUPYTER_CONFIG_PATH": os.pathsep.join(paths), "WORKBENCH_HOME": str(workspace.root)}
    return _stay(command, workspace.root, {"JUPYTER_TOKEN": token, **variables})


def serve_mlflow(workspace: Workspace, *, port: int, say: Callable[[str], None]) -> int:
    """Start the MLflow page on the workspace's models and stay until it ends; return its exit code."""
    token = secrets.token_urlsafe(24)
    chosen = free_port(port)
    workspace.mlruns.mkdir(parents=True, exist_ok=True)
    say(f"MLflow: http://{HOST}:{chosen}/?token={token}   (Ctrl-C ends it)")
    command = [
        *(sys.executable, "-m", "mlflow", "server"),
        *("--host", HOST, "--port", str(chosen), "--workers", "1"),
        *("--backend-store-uri", workspace.mlflow_uri),
        *("--artifacts-destination", Path(workspace.mlruns).as_uri()),
        *("--app-name", "workbench-token"),
    ]
    jobs = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # eight processes for features that nobody here uses
    return _stay(command, workspace.root, {TOKEN_VARIABLE: token, **jobs})


def _stay(command: list[str], folder: Path, variables: dict[str, str]) -> int:
    quiet = {"DO_NOT_TRACK": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
    child = subprocess.Popen(command, cwd=folder, env={**os.environ, **quiet, **variables})
    try:
        return child.wait()
    finally:
        if child.poll() is None:
            family = psutil.Process(child.pid).children(recursive=True)
            child.terminate()
            try:
                child.wait(timeout=10)
            except subprocess.TimeoutExpired:
                child.kill()
            for left in psutil.wait_procs(family, timeout=3)[1]:  # which the server did not end itself
                left.kill()
