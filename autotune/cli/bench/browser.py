"""How long a person waits for the pages of the dashboard: in a browser that has never seen it."""

import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from autotune.errors import DependencyError

ROUNDS = 3
METHOD = (
    "The same pages in headless Chromium, 1280 x 900 pixels, without anything in its cache: seconds from the request "
    "for the address until the texts and tables within the window are there; figures_seconds until its figures are too."
)
SECONDS = 60.0
# Looks before every frame, and keeps the times of the first in which no text, and no figure, is missing in the window.
WATCH = """
(() => {
  const within = (part) => {
    const box = part.getBoundingClientRect();
    return box.top < innerHeight && box.bottom > 0;
  };
  const seen = (what) => [...document.querySelectorAll(what)].filter(within);
  const look = () => {
    const there = seen("#content section, #content .alert").length && !seen(".later > .ask").length;
    if (there) window.readAfter ??= performance.now() / 1000;
    const drawn = there && seen(".dash-graph").every((graph) => graph.querySelector(".main-svg"));
    if (drawn) window.drawnAfter = performance.now() / 1000; else requestAnimationFrame(look);
  };
  addEventListener("DOMContentLoaded", look);
})();
"""


def measure(path: Path, addresses: Mapping[str, tuple[str, str]]) -> Iterator[dict[str, Any]]:
    """A row a page; raises DependencyError without Playwright or a Chromium."""
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError as error:
        message = "--browser needs Playwright: pip install playwright"
        raise DependencyError(message) from error
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        message = "--browser needs Chromium or Chrome, and finds none"
        raise DependencyError(message)
    with _serving(path) as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for view, (place, search) in addresses.items():
            samples, drawn = [], []
            for _ in range(ROUNDS):
                context = browser.new_context(viewport={"width": 1280, "height": 900})  # with an empty cache
                page = context.new_page()
                page.add_init_script(WATCH)
                page.goto(server + place + search, wait_until="commit")
                drawn.append(float(page.wait_for_function("window.drawnAfter", timeout=1000 * SECONDS).json_value()))
                samples.append(float(page.evaluate("readAfter")))
                context.close()
            yield {
                "view": f"{view}, in a browser", "seconds": statistics.median(samples), "first_seconds": samples[0],
                "samples": samples, "figures_seconds": statistics.median(drawn), "figures_samples": drawn,
            }  # fmt: skip
        browser.close()


@contextmanager
def _serving(path: Path) -> Iterator[str]:
    """The address of a dashboard in a process of its own."""
    command = [sys.executable, "-m", "autotune", "dashboard", "--db", str(path), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[0].rstrip("/")
        finally:
            process.kill()
