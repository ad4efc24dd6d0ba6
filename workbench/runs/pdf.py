"""A page as PDF, by a Chromium of this machine: tagged, with an outline and page numbers."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

from workbench.core.errors import InputError
from workbench.core.files import whole_file
from workbench.runs.doctor import find_browser

SECONDS = 180
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--no-pdf-header-footer", "--generate-pdf-document-outline",
)  # fmt: skip


def write_pdf(page: Path, output: Path) -> None:
    """Print `page` to `output`, whole or not at all; page numbers are those of the page's own print style.

    Raises
    ------
    InputError
        There is no Chromium, it fails, or nothing can be written there.
    """
    browser = find_browser()
    if browser is None:
        raise InputError(
            "PDF: no Chromium on the PATH. Install one: apt-get install chromium, or brew install chromium."
        )
    with whole_file(output) as temporary, tempfile.TemporaryDirectory() as profile:
        command = [
            browser,
            *_FLAGS,
            f"--user-data-dir={profile}",
            f"--print-to-pdf={temporary}",
            page.resolve().as_uri(),
        ]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, errors="replace", timeout=SECONDS, check=False
            )
        except subprocess.TimeoutExpired:
            raise InputError(f"PDF: {browser} did not end within {SECONDS} s, and was ended.") from None
        if done.returncode or not temporary.read_bytes().startswith(b"%PDF"):
            said = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
            raise InputError(f"PDF: {browser} failed ({done.returncode}): {said[0]:.300}")
