"""Invented measurements, a dashboard in a process of its own, and what is wrong with a page."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
from playwright.sync_api import Page, Request

from autotune.database import Database, Winner
from autotune.library import matmul
from autotune.machine import Machine, detect, versions
from autotune.measure import Measurement, Status
from autotune.schedule import Config, Workload
from autotune.templates import template_for

SCREENSHOTS = Path(__file__).parents[2] / "screenshots"  # git ignores it
EVIL = "<img src=x onerror=alert(1)>"
COUNT = 60
RUN = "matmul forward, invented"


def fill(database: Database, workload: Workload, machine: Machine, number: int) -> None:
    template = template_for(workload)
    space, default = template.space(workload, machine), template.default(workload, machine)
    rng = np.random.default_rng(number)
    run = RUN if not number and workload.kernel.direction == "forward" else f"{workload.describe()} {machine.cpu}"
    measured = [
        _measurement(workload, machine, config, place)
        for place, config in enumerate([default, *space.sample(rng, COUNT - 1)])
    ]
    database.add_measurements(measured, machine, run=run)
    database.set_winner(_winner(workload, machine, default), machine)


def _measurement(workload: Workload, machine: Machine, config: Config, place: int) -> Measurement:
    status = Status.TIMEOUT if place % 13 == 7 else Status.OK
    return Measurement(
        workload=workload.key, machine=machine.fingerprint, config=config, status=status, source="a" * 64,
        samples=(1e-5 * (2 + 10 / (1 + place)),) if status is Status.OK else (), versions=versions(),
        error="" if status is Status.OK else "it took longer than 10 s",
        started=f"2026-01-31T12:{place // 60:02d}:{place % 60:02d}+00:00",
    )  # fmt: skip


def _winner(workload: Workload, machine: Machine, config: Config) -> Winner:
    return Winner(
        workload=workload.key, machine=machine.fingerprint, config=config, source="b" * 64, samples=(2e-5,) * 3,
        default_samples=(3e-5,) * 3, ratio_low=1.4, ratio_high=1.6, versions=versions(),
        proven="2026-01-31T13:00:00+00:00",
    )  # fmt: skip


def hostile(path: Path, name: str) -> Path:
    """A database in which a kernel, a direction, a knob, a value, an error and a run have that name."""
    machine = detect()
    workload = matmul.workload("forward", {"m": 48, "n": 32, "k": 40}, threads=1)
    key = workload.key.replace('"matmul"', f'"{name}"').replace('"forward"', f'"{name}"')
    with Database.open(path) as database:
        for place in range(20):
            config: Config = {name: name if place % 2 else "plain", "rows": place % 3}
            made = _measurement(workload, machine, config, place)
            database.add_measurement(replace(made, workload=key, error=made.error and name), machine, run=name)
        database.set_winner(replace(_winner(workload, machine, {name: name}), workload=key), machine)
    return path


@contextmanager
def serving(path: Path) -> Iterator[str]:
    """The address of a dashboard in a process of its own."""
    command = [sys.executable, "-m", "autotune", "dashboard", "--db", str(path), "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().split()[0].rstrip("/")
    finally:
        process.kill()
        process.communicate()


@dataclass
class Visitor:
    """A page of the browser, and everything that went wrong in it."""

    page: Page
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", lambda said: self.faults.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("requestfailed", self._failed)
        self.page.on("dialog", lambda dialog: self.faults.append(f"a dialog: {dialog.message}"))

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # which is what becomes of an update when the page is left
            self.faults.append(f"{request.url}: {request.failure}")

    def visit(self, address: str) -> None:
        """Opens a page and waits until it shows its content and its figures."""
        self.page.goto(address)
        self.page.wait_for_selector("#content section, #content .alert, main section")
        self._wait_for_figures()

    def _wait_for_figures(self) -> None:
        self.page.wait_for_function(
            "[...document.querySelectorAll('.dash-graph')].every(g => g.querySelector('.main-svg'))"
        )

    def see_all(self) -> None:
        """Goes down the page, so that it asks for what it leaves out until it is seen."""
        while left := self.page.locator("button.ask").count():
            self.page.evaluate("document.querySelector('button.ask')?.scrollIntoView()")
            self.page.wait_for_function("left => document.querySelectorAll('button.ask').length < left", arg=left)
        self._wait_for_figures()
        self.page.evaluate("scrollTo(0, 0)")

    def shoot(self, name: str) -> None:
        """Keeps a picture of the whole page."""
        self.see_all()
        SCREENSHOTS.mkdir(exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


Open: TypeAlias = Callable[..., Visitor]
