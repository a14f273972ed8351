"""The dashboard and the report in a real browser: every page, live, by keyboard, and when things go wrong."""

import shutil
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Route

from autotune.dashboard.app import LIVE_MILLISECONDS
from autotune.database import Database
from autotune.machine import detect
from autotune.report import report
from tests.dashboard.invented import EVIL, RUN, Open, serving

PAGES = {
    "runs": ("/", "All runs"),
    "workloads": ("/workloads", "What tuning gained"),
    "workload": (f"/workload?workload=1&machine=1&run={quote(RUN)}", "Expected and measured"),
    "trial": ("/trial?id=3", "Machine code"),
    "failed": ("/trial?id=8", "it took longer than 10 s"),
    "compare_runs": (f"/compare?left=run:{quote(RUN)}&right=run:{quote(RUN)}", "Best time so far"),
    "missing": ("/nothing", "There is no page /nothing."),
}


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_every_page(address: str, open_page: Open, scheme: str, width: int) -> None:
    visitor = open_page(scheme=scheme, width=width)
    for name, (path, text) in PAGES.items():
        visitor.visit(address + path)
        visitor.see_all()
        visitor.page.get_by_text(text, exact=True).first.wait_for()
        visitor.shoot(f"{name}_{scheme}_{width}")
        assert visitor.page.evaluate("document.documentElement.dataset.theme") == scheme
        assert visitor.page.evaluate("document.documentElement.scrollWidth") <= width, f"{name} is too wide"


@pytest.mark.slow
def test_machines_are_compared(address: str, filled: Path, open_page: Open) -> None:
    with Database.open(filled, read_only=True) as database:
        left, right = database.machines()
    visitor = open_page()
    visitor.visit(f"{address}/compare?left=machine:{left}&right=machine:{right}")
    assert visitor.page.get_by_role("table", name="Winners on both machines").locator("tbody tr").count() == 2
    visitor.shoot("compare_machines_light_1280")


@pytest.mark.slow
def test_a_run_is_shown_while_it_goes(tmp_path: Path, open_page: Open) -> None:
    database = tmp_path / "live.db"
    Database.open(database).close()
    with serving(database) as address:
        visitor = open_page()
        visitor.visit(address)
        visitor.page.get_by_text("No run is in progress.").wait_for()
        words = ["matmul", "--size", "m=64,n=64,k=64", "--direction", "forward", "--threads", "1", "--trials", "16"]
        command = [sys.executable, "-m", "autotune", "run", *words, "--db", str(database)]
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            card = visitor.page.locator("article.card")
            card.locator(".main-svg").first.wait_for()
            count = card.locator("div:has(> dt:text-is('measurements')) dd")
            before = int(count.inner_text())
            visitor.shoot("live_light_1280")
            visitor.page.wait_for_function(
                "before => Number([...document.querySelectorAll('article.card dt')]"
                ".find(dt => dt.textContent === 'measurements')?.nextSibling.textContent) > before",
                arg=before,
            )
            assert run.wait(timeout=120) == 0
        finally:
            run.kill()
            run.wait()
        visitor.page.close()  # before its server ends, which it would ask in vain


def test_names_are_text(evil: Path, open_page: Open) -> None:
    with serving(evil) as address:
        visitor = open_page()
        for path in ("/", "/workloads", "/workload?workload=1&machine=1", "/trial?id=2", "/trial?id=8"):
            visitor.visit(address + path)
            visitor.page.get_by_text(EVIL).first.wait_for()
            assert visitor.page.locator("img[src='x']").count() == 0
        visitor.page.close()  # before its server ends, which it would ask in vain


def test_a_database_that_disappears_and_comes_back(filled: Path, tmp_path: Path, open_page: Open) -> None:
    database = Path(shutil.copy(filled, tmp_path / "tuning.db"))
    with serving(database) as address:
        visitor = open_page()
        visitor.visit(f"{address}/workloads")
        visitor.see_all()
        away = database.rename(tmp_path / "away.db")
        alert = visitor.page.get_by_role("alert")
        alert.wait_for()
        assert f"there is no database {database}" in alert.inner_text()
        away.rename(database)
        visitor.page.get_by_text("What tuning gained").wait_for()
        assert alert.count() == 0
        visitor.page.close()  # before its server ends, which it would ask in vain


def test_works_by_keyboard(address: str, open_page: Open) -> None:
    visitor = open_page()
    page = visitor.page
    visitor.visit(address)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the content"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.get_by_text("What tuning gained").wait_for()
    assert page.evaluate("location.pathname") == "/workloads"
    page.locator("#toggle").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.documentElement.dataset.theme === 'dark'")
    visitor.visit(f"{address}/workloads")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"  # as it was chosen
    page.locator("#toggle").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")  # the second filter
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.value === 'forward'")
    page.keyboard.press("ArrowDown")
    page.wait_for_function("document.activeElement.value === 'vjp:a'")
    page.keyboard.press("Enter")
    page.wait_for_function("location.search === '?direction=vjp%3Aa'")
    page.get_by_text("2 workloads").wait_for()
    assert page.get_by_role("table", name="Workloads with their winners").locator("tbody tr").count() == 2


def test_a_slow_answer_is_not_lost_to_the_clock(address: str, open_page: Open) -> None:
    """Where an answer takes longer than from tick to tick, the page that was asked for comes all the same."""

    def delay(route: Route) -> None:
        time.sleep(1.25 * LIVE_MILLISECONDS / 1000)
        route.continue_()

    page = (visitor := open_page()).page
    visitor.visit(f"{address}/workloads")
    page.route("**/_dash-update-component*", delay)
    page.get_by_label("name contains").fill("nothing like it")
    page.keyboard.press("Enter")
    page.get_by_text("None fits these filters.").wait_for()
    page.unroute_all(behavior="ignoreErrors")


def test_filters_and_downloads(address: str, open_page: Open) -> None:
    visitor = open_page()
    page = visitor.page
    visitor.visit(f"{address}/workloads")
    page.get_by_label("name contains").fill("nothing like it")
    page.keyboard.press("Enter")
    page.get_by_text("None fits these filters.").wait_for()
    visitor.visit(f"{address}/workloads?direction=forward&machine={detect().fingerprint}")
    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()
    head, line = Path(download.value.path()).read_text().splitlines()
    assert head.startswith("kernel,direction,size,dtype,threads,machine")
    assert line.startswith("matmul,forward")


@pytest.mark.slow
def test_machine_code_is_shown_beside_the_default(address: str, open_page: Open) -> None:
    visitor = open_page()
    visitor.visit(f"{address}/trial?id=3")
    visitor.page.get_by_role("button", name="Compile and show").click()
    code = visitor.page.locator("section", has_text="Machine code").last.locator("pre")
    code.nth(1).wait_for()
    assert all("ret" in text for text in code.all_inner_texts())
    visitor.shoot("machine_code_light_1280")


def test_the_report(filled: Path, tmp_path: Path, open_page: Open) -> None:
    with Database.open(filled, read_only=True) as database:
        (tmp_path / "report.html").write_text(report(database, details=2), encoding="utf-8")
    visitor = open_page()
    requests: list[str] = []
    visitor.page.on("request", lambda request: requests.append(request.url))
    visitor.visit((tmp_path / "report.html").as_uri())
    visitor.page.locator(".plot .main-svg").first.wait_for()
    visitor.page.get_by_role("button", name="Light or dark").click()
    colour = "document.querySelector('.plot')._fullLayout.font.color"
    assert visitor.page.evaluate(colour) == "#c9d1d9"
    visitor.page.keyboard.press("End")
    visitor.page.locator(".plot").last.locator(".main-svg").first.wait_for()
    visitor.shoot("report_dark_1280")
    assert not [url for url in requests if not url.startswith(("file:", "blob:", "data:"))]
