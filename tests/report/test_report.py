"""The report is one file that holds everything, and takes nothing from a database for markup."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from autotune.cli.app import app
from autotune.database import Database, Winner
from autotune.errors import FormatError, UsageError
from autotune.library import matmul
from autotune.machine import detect
from autotune.measure import Measurement, Status
from autotune.report import report
from autotune.report.lines import Bench, lines_of
from autotune.report.page import resource
from autotune.schedule import Workload

EVIL = "</script><img src=x onerror=alert(1)>"


class Page(HTMLParser):
    """The elements of a page with their attributes, and the text of its data."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.data = ""
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.elements and self.elements[-1] == ("script", {"type": "application/json", "id": "data"}):
            self.data += data
        self.words.append(data)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database with a kernel and a config that would be markup."""
    monkeypatch.chdir(tmp_path)
    machine = detect()
    key = Workload.of(matmul.definition, {"m": 48, "n": 32, "k": 40}).key
    with Database.open(tmp_path / "tuning.db") as database:
        for workload in (key, key.replace('"matmul"', json.dumps(EVIL))):
            fields: dict[str, Any] = {
                "workload": workload,
                "machine": machine.fingerprint,
                "versions": {},
                "source": "a",
            }
            for number in range(20):
                config = {"rows": 1 + number % 4, EVIL: EVIL if number % 2 else "plain"}
                started = f"2026-01-31T12:00:{number:02d}+00:00"
                measurement = Measurement(
                    config=config, status=Status.OK, samples=(1e-5 * (30 - number),), started=started, **fields
                )
                database.add_measurement(measurement, machine, run=EVIL)
            winner = Winner(
                config={"rows": 4}, samples=(1e-4,), default_samples=(2e-4,), ratio_low=1.9, ratio_high=2.1,
                proven="2026-01-31T12:01:00+00:00", **fields,
            )  # fmt: skip
            database.set_winner(winner, machine)
    return tmp_path / "tuning.db"


def test_is_one_file_without_a_network(path: Path) -> None:
    with Database.open(path, read_only=True) as database:
        text = report(database)
    page = Page(text)
    for tag, attributes in page.elements:
        assert tag != "link"
        assert tag != "img"
        assert "src" not in attributes
        assert all(not name.startswith("on") for name in attributes)
        assert (attributes.get("href") or "#").startswith("#")
    assert len(re.findall(r"plotly\.js v", text)) == 1
    data = json.loads(page.data)
    assert len(data["figures"]) == text.count('<div class="plot') + text.count('<p class="soft">')
    assert {"light", "dark"} == data["templates"].keys()
    assert "url(" not in resource("base.css") + resource("page.css")
    assert f"{EVIL} forward k=40,m=48,n=32 float32 1 thread" in page.words


def test_the_command_writes_it(path: Path, tmp_path: Path) -> None:
    def run(*words: str) -> Any:
        return CliRunner().invoke(
            app, ["report", *words, "--db", str(path)], prog_name="autotune", catch_exceptions=False
        )

    done = run("-o", str(tmp_path / "out.html"), "matmul")
    assert (done.exit_code, done.stdout.strip()) == (0, str(tmp_path / "out.html"))
    words = Page((tmp_path / "out.html").read_text(encoding="utf-8")).words
    assert "matmul forward k=40,m=48,n=32 float32 1 thread" in words
    assert not any("onerror" in word for word in words if len(word) < 200)
    assert {"100 µs", "200 µs", "2.00x", "1.90 to 2.10"} <= set(words)
    done = run("nothing")
    assert done.exit_code == 2
    assert "holds no measurement of 'nothing': tune a kernel first" in done.output


def test_lines_come_from_a_bench_of_the_same_machine(path: Path, tmp_path: Path) -> None:
    from autotune.database import views

    with Database.open(path, read_only=True) as database:
        tuned = views.workloads(database, views.Filters(kernel=EVIL))[0]
    row = {"kernel": EVIL, "direction": "forward", "size": {"m": 48, "n": 32, "k": 40}, "dtype": "float32"}
    row |= {"threads": 1, "ms": 0.1, "roofline": 0.5, "peers": {"numpy": 0.3}}
    file = tmp_path / "bench.json"
    file.write_text(json.dumps({"machine": {"fingerprint": tuned.machine}, "rows": [row]}))
    lines = lines_of(tuned, [Bench.read(file)])
    assert (lines.default, lines.peers) == (2e-4, {"numpy": pytest.approx(3e-4)})
    assert lines.roofline == pytest.approx(5e-5)
    assert lines_of(tuned, [Bench("another", (row,))]).peers == {}


@pytest.mark.parametrize("text", ["", "[]", '{"rows": []}', '{"machine": {"fingerprint": "a"}, "rows": [{}]}'])
def test_a_file_that_is_no_bench(text: str, tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    file.write_text(text)
    with pytest.raises(FormatError, match="holds no results of `bench kernels`"):
        Bench.read(file)
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        Bench.read(tmp_path / "missing.json")


def test_the_roofline_of_a_kernel_of_the_library(path: Path) -> None:
    from autotune.database import views

    with Database.open(path, read_only=True) as database:
        tuned = views.workloads(database, views.Filters(kernel="matmul"))[0]
    lines = lines_of(tuned)
    assert lines.roofline is not None
    assert 1e-8 < lines.roofline < 1e-4  # 123 kflop and 19 kB
