"""A database of invented measurements, dashboards in processes of their own, and Debian's Chromium to look at them."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from playwright.sync_api import Browser, sync_playwright

from autotune.database import Database
from autotune.database.views.predictions import ATTRIBUTE
from autotune.library import matmul
from autotune.machine import detect
from tests.dashboard.invented import EVIL, RUN, Open, Visitor, fill, hostile, serving


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Products of matrices forward and in a gradient on two machines, with failures, winners and predictions."""
    path = tmp_path_factory.mktemp("dashboard") / "tuning.db"
    other = replace(detect(), cpu="Another CPU", revision="")
    with Database.open(path) as database:
        for number, machine in enumerate((detect(), other)):
            for direction in ("forward", "vjp:a"):
                workload = matmul.workload(direction, {"m": 48, "n": 32, "k": 40}, threads=1)
                fill(database, workload, machine, number)
        storage = optuna.storages.RDBStorage(database.url)
        study = optuna.create_study(storage=storage, study_name=RUN)
        for trial in range(16):
            prediction = {"seconds": 1e-5 + 1e-7 * trial, "batch": 1 + trial // 8}
            study.add_trial(optuna.create_trial(value=1.1e-5, user_attrs={ATTRIBUTE: prediction}))
        storage.remove_session()
        storage.engine.dispose()
    return path


@pytest.fixture(scope="session")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database in which a kernel, a direction, a knob, a value, an error and a run are HTML."""
    return hostile(tmp_path_factory.mktemp("evil") / "evil.db", EVIL)


@pytest.fixture(scope="session")
def address(filled: Path) -> Iterator[str]:
    """Of a dashboard of the invented measurements."""
    with serving(filled) as found:
        yield found


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium; that it is missing is a failure, not a reason to skip."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.fail("tests of pages need Chromium: `make test` installs it, or apt-get install chromium")
    with sync_playwright() as playwright:
        # Chromium's own sandbox does not work for root, as which CI runs.
        started = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Opens an empty page; in the end there must be no fault in any, unless a test took them out of `faults`."""
    visitors = []

    def make(*, scheme: Any = "light", width: int = 1280) -> Visitor:
        page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 900})
        page.set_default_timeout(60_000)  # CI's machines may be busy
        visitors.append(Visitor(page))
        return visitors[-1]

    yield make
    for visitor in visitors:
        visitor.page.close()
    assert [fault for visitor in visitors for fault in visitor.faults] == []
