"""Finds a Chromium for the browser tests, and installs one where there is none (`python -m tests.browser.chromium`).

In this order: CHROMIUM (a path), the system's, Debian's package where apt and root are at hand, Playwright's own download.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


def find() -> str | None:
    """The path of an installed Chromium; "" for the one that Playwright downloaded; None where there is none."""
    if given := os.environ.get("CHROMIUM"):
        return given
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if path := shutil.which(name):
            return path
    cache = Path(os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or Path.home() / ".cache" / "ms-playwright")
    return "" if any(cache.glob("chromium-*")) else None


def install() -> None:
    """Install one, by the first way that works."""
    if os.geteuid() == 0 and shutil.which("apt-get"):
        environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (
            ["apt-get", "update", "-qq"],
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"],
        ):
            subprocess.run(command, env=environ, stdout=subprocess.DEVNULL, check=False)
    if find() is None:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)


if __name__ == "__main__":
    if find() is None:
        install()
    if find() is None:
        sys.exit("No Chromium could be found or installed; set CHROMIUM to the path of one.")
