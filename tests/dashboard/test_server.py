"""What the dashboard answers, without a browser."""

import csv
import io
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna_dashboard import wsgi
from werkzeug.test import Client

from autotune.cli.bench.pages import request_later
from autotune.dashboard.address import Address, link
from autotune.dashboard.ahead import Ahead
from autotune.dashboard.app import make_app
from autotune.dashboard.code import essential
from autotune.dashboard.components import Page
from autotune.dashboard.highlight import python
from autotune.dashboard.rendering import render
from autotune.dashboard.server import serve
from autotune.database import Database
from autotune.errors import DatabaseError, UsageError
from tests.dashboard.invented import COUNT, RUN, hostile


@pytest.fixture(scope="module")
def client(filled: Path) -> Any:
    return make_app(str(filled)).server.test_client()


def words(page: Any) -> str:
    """All text of a page."""
    from plotly.utils import PlotlyJSONEncoder

    return json.dumps([*page.live, *page.rest], cls=PlotlyJSONEncoder)


class TestPort:
    def test_in_use(self, filled: Path) -> None:
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            port = other.getsockname()[1]
            with pytest.raises(UsageError, match=f"port {port} is in use.*0 for any free one"):
                serve(str(filled), port=port)
            command = [sys.executable, "-m", "autotune", "dashboard", "--db", str(filled), "--port", str(port)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert done.stderr.startswith(f"autotune: port {port} is in use")
        assert len(done.stderr.splitlines()) == 1

    def test_a_missing_database_is_said_at_once(self, tmp_path: Path) -> None:
        with pytest.raises(DatabaseError, match="tune a kernel first"):
            serve(str(tmp_path / "missing.db"), port=0)


class TestGuard:
    @pytest.mark.parametrize(
        ("host", "status"),
        [
            ("localhost:80", 200),
            ("127.0.0.1", 200),
            ("[::1]:8600", 200),
            ("evil.example", 403),
            ("127.0.0.1.evil.example", 403),
        ],
    )
    def test_answers_this_machine_only(self, client: Any, host: str, status: int) -> None:
        assert client.get("/", headers={"Host": host}).status_code == status

    def test_pages_load_nothing_from_elsewhere(self, client: Any) -> None:
        answer = client.get("/")
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
        assert "http://" not in answer.text
        assert "https://" not in answer.text

    def test_nothing_is_written(self, filled: Path) -> None:
        before = filled.read_bytes()
        for path in ("/", "/workloads", "/workload?workload=1&machine=1", "/trial?id=1", "/compare"):
            render(Address.parse(*path.partition("?")[::2]), str(filled))
        assert filled.read_bytes() == before


@pytest.mark.parametrize(
    ("path", "search", "said"),
    [
        ("/workload", "", "the address needs a whole number as workload, not None"),
        ("/workload", "workload=1&machine=-1", "the address needs a whole number as machine, not '-1'"),
        ("/workload", "workload=9&machine=1", "Nothing is known of this workload on this machine"),
        ("/trial", "id=99999999999999999999", "the address needs a whole number as id"),
        ("/trial", "id=9999", "There is no trial 9999"),
        ("/compare", f"left=machine:a&right=run:{RUN}", "A machine and a run cannot be compared"),
        ("/compare", f"left=run:{RUN}&right=run:none", "there is no run 'none' in this database"),
        ("/compare", "left=machine:a&right=machine:b", "No workload has a winner on both machines"),
    ],
)
def test_bad_addresses_say_what_is_wrong(filled: Path, path: str, search: str, said: str) -> None:
    assert said in words(render(Address.parse(path, search), str(filled)))


def test_a_kernel_that_is_not_at_hand(evil: Path) -> None:
    said = words(render(Address("/trial", {"id": "1"}), str(evil)))
    assert "no kernel of the library has this definition" in said


def test_another_machine_gets_source_but_no_machine_code(filled: Path) -> None:
    from autotune.dashboard.context import Context
    from autotune.dashboard.pages.trial import assemblies
    from autotune.figures import LIGHT

    identity = 2 * COUNT + 1
    assert "Loop nest of out" in words(render(Address("/trial", {"id": str(identity)}), str(filled)))
    with Database.open(filled, read_only=True) as database:
        said = str(assemblies(identity, Context(database, LIGHT)))
    assert "machine code can be made on Another CPU" in said


class TestDownloads:
    def test_measurements(self, client: Any) -> None:
        rows = client.get("/download/measurements.json?workload=1&machine=1").json
        assert len(rows) == COUNT
        assert {row["status"] for row in rows} == {"ok", "timeout"}
        assert all((row["seconds"] is None) == (row["status"] != "ok") for row in rows)
        text = client.get("/download/measurements.csv?workload=1&machine=1&status=timeout").text
        lines = list(csv.DictReader(io.StringIO(text)))
        assert {line["status"] for line in lines} == {"timeout"}
        assert json.loads(lines[0]["config"]) == next(row["config"] for row in rows if row["status"] == "timeout")

    def test_nothing_becomes_a_formula(self, tmp_path: Path) -> None:
        path = hostile(tmp_path / "formula.db", "=cmd()")
        text = make_app(str(path)).server.test_client().get("/download/workloads.csv").text
        assert "\n'=cmd()" in text
        assert "\n=cmd()" not in text

    @pytest.mark.parametrize(
        ("path", "said"),
        [
            ("nothing.csv", "there is no download"),
            ("workloads.exe", "there is no download"),
            ("measurements.csv", "needs a whole number as workload"),
            ("measurements.csv?workload=9&machine=9", "nothing is known"),
        ],
    )
    def test_that_there_are_not(self, client: Any, path: str, said: str) -> None:
        answer = client.get(f"/download/{path}")
        assert answer.status_code == 404
        assert said in answer.text

    def test_of_a_database_that_is_gone(self, tmp_path: Path) -> None:
        app = make_app(str(tmp_path / "gone.db"))
        answer = app.server.test_client().get("/download/workloads.csv")
        assert (answer.status_code, "there is no database" in answer.text) == (404, True)


def test_links_keep_what_they_are_given() -> None:
    written = link("/workload", run="a & b=c?#<", page=None, workload=3)
    path, _, search = written.partition("?")
    assert Address.parse(path, f"?{search}").query == {"run": "a & b=c?#<", "workload": "3"}


def test_highlighting_loses_nothing() -> None:
    text = 'def f(x):  # "twice"\n    return """a\nb""" + 2.5 * x\n'
    pieces = python(text)
    assert "".join(piece if isinstance(piece, str) else piece.children for piece in pieces) == text
    kinds = {piece.children: piece.className for piece in pieces if not isinstance(piece, str)}
    assert kinds == {
        "def": "keyword",
        '# "twice"': "comment",
        "return": "keyword",
        '"""a\nb"""': "string",
        "2.5": "figure",
    }
    assert python("'open") == ["'open"]


def test_assembly_is_shown_without_directives() -> None:
    text = "\t.text\n\t.globl\tf\nf:\n\tvmulps\t%zmm0, %zmm1\n.LBB0_1:\n\tjne\t.LBB0_1\n.Lunused:\n\tretq\n"
    assert essential(text).split() == ["vmulps", "%zmm0,", "%zmm1", ".LBB0_1:", "jne", ".LBB0_1", "retq"]


def test_optuna_dashboard_opens_the_same_database(filled: Path) -> None:
    storage = optuna.storages.RDBStorage(f"sqlite:///{filled}")
    try:
        client = Client(wsgi(storage))
        listed = client.get("/api/studies").json
        assert listed is not None
        (study,) = listed["study_summaries"]
        assert study["study_name"] == RUN
        detail = client.get(f"/api/studies/{study['study_id']}?after=0").json
        assert detail is not None
        assert len(detail["trials"]) == 16
        assert detail["trials"][0]["values"] == [1.1e-5]
    finally:
        storage.remove_session()
        storage.engine.dispose()


def test_pages_are_made_ahead_once() -> None:
    made: list[tuple[str, str]] = []

    def make(address: Address, theme: str) -> tuple[str, Page]:
        made.append((address.path, theme))
        return "stamp", Page(address.path, [])

    ahead, opened = Ahead(make), Address("/workloads", {"kernel": "matmul", "sort": "gain"})
    ahead.begin(opened, "dark")
    same = Address("/workloads", {"sort": "gain", "kernel": "matmul"})
    assert ahead.take(same, "light") is None
    assert ahead.take(same, "dark") == ("stamp", Page("/workloads", []))
    assert ahead.take(same, "dark") is None
    assert made == [("/workloads", "dark")]


class TestLater:
    @pytest.mark.parametrize(
        ("part", "address", "expected"),
        [
            ("gains", "/workloads?direction=forward", "matmul forward"),
            ("directions", "/workloads", "vjp:a"),
            ("failures", "/workloads", "timeout"),
            ("statistics", "/workload?workload=1&machine=1", "Which knobs matter"),
            ("statistics", "/workload?workload=99&machine=1", "Which knobs matter"),
            ("statistics", "/workload?workload=x&machine=1", "the address needs a whole number as workload"),
            ("machines", "/compare?left=machine:a&right=machine:b", "No workload was tuned on more than one machine"),
        ],
    )
    def test_parts_follow_their_pages(self, client: Any, part: str, address: str, expected: str) -> None:
        body = request_later(part, *address.partition("?")[::2])
        assert expected in client.post("/_dash-update-component", json=body).text

    def test_a_part_that_cannot_be_made_can_be_asked_for_again(self, tmp_path: Path) -> None:
        made = make_app(str(tmp_path / "gone.db")).server.test_client()
        said = made.post("/_dash-update-component", json=request_later("gains", "/workloads", "")).text
        assert "there is no database" in said
        assert "Try again" in said

    def test_there_are_no_other_parts(self, client: Any) -> None:
        body = request_later("passwords", "/workload", "?workload=1&machine=1")
        assert "children" not in client.post("/_dash-update-component", json=body).text
