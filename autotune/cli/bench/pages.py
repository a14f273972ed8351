"""How long the pages of the dashboard take."""

import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from autotune.cli.bench.example_database import fill
from autotune.dashboard.app import make_app
from autotune.database import Database, views
from autotune.errors import UsageError

ROUNDS = 5
# What pages ask for when it comes into view.
PARTS = {"workloads": ("gains", "directions", "failures"), "workload": ("statistics",), "two machines": ("machines",)}
METHOD = (
    "seconds is the median over the rounds of a request for a page's content, without a browser: reading, drawing, "
    "writing the answer; first_seconds is the first of them, samples are all. bytes is the length of the answer."
)


def prepare(path: Path, rows: int) -> int:
    """Makes the database unless it is there; gives its number of measurements."""
    if not path.exists():
        fill(path, rows)
    with Database.open(path, read_only=True) as database:
        return sum(each.measurements for each in views.workloads(database))


def addresses(path: Path) -> dict[str, tuple[str, str]]:
    """The pages by name: the path and the query of each."""
    with Database.open(path, read_only=True) as database:
        largest = max(views.workloads(database), key=lambda each: each.measurements)
        machines = list(views.machines(database))
        runs = [run for run in views.runs(database, limit=1000) if run.workload_id == largest.workload_id]
        latest = views.trials(database, largest.workload_id, largest.machine_id, limit=1)
    if len(machines) < 2 or len(runs) < 2 or not latest:
        message = f"{path} has not the machines, runs and measurements of a made-up database"
        raise UsageError(message)
    pair = f"?workload={largest.workload_id}&machine={largest.machine_id}"
    return {
        "runs": ("/", ""),
        "runs, last page": ("/", "?page=16"),
        "workloads": ("/workloads", ""),
        "workloads of a kernel": ("/workloads", "?kernel=matmul&sort=gain"),
        f"workload of {largest.measurements} measurements": ("/workload", pair),
        "its failures": ("/workload", f"{pair}&status=crash"),
        "trial": ("/trial", f"?id={latest[0].identity}"),
        "two machines": ("/compare", f"?left=machine:{machines[0]}&right=machine:{machines[1]}"),
        "two runs": ("/compare", "?" + urlencode({"left": f"run:{runs[0].name}", "right": f"run:{runs[1].name}"})),
    }


def measure(path: Path) -> Iterator[dict[str, Any]]:
    """A row a page, and one for each part that it asks for when it comes into view."""
    client = make_app(str(path)).server.test_client()
    for name, address in addresses(path).items():
        asked = {name: request(*address)}
        asked |= {f"{name}: {part}": request_later(part, *address) for part in PARTS.get(name.split(" of ")[0], ())}
        for view, body in asked.items():
            samples, length = [], 0
            for _ in range(ROUNDS):
                start = time.perf_counter()
                answer = client.post("/_dash-update-component", json=body)
                samples.append(time.perf_counter() - start)
                length = len(answer.data)
                if answer.status_code != 200 or (b'"alert"' in answer.data and view != "trial"):
                    message = f"page {view} failed with status {answer.status_code}"
                    raise UsageError(message)
            yield {
                "view": view, "seconds": statistics.median(samples), "first_seconds": samples[0], "samples": samples,
                "bytes": length,
            }  # fmt: skip


def request_later(part: str, path: str, search: str) -> dict[str, Any]:
    """What the browser sends for a part that follows a page."""
    later, ask = ({"part": part, "type": kind} for kind in ("later", "ask"))
    name = json.dumps(later | {"part": ["MATCH"]}, separators=(",", ":"))
    values = {"pathname": path, "search": search}
    return {
        "output": f"{name}.children",
        "outputs": {"id": later, "property": "children"},
        "inputs": [{"id": ask, "property": "n_clicks", "value": 1}],
        "state": [
            {"id": ask, "property": "id", "value": ask},
            *({"id": "place", "property": each, "value": value} for each, value in values.items()),
            {"id": "theme", "property": "data", "value": "light"},
        ],
        "changedPropIds": [],
    }


def request(path: str, search: str) -> dict[str, Any]:
    """What Dash's program in the browser sends for a page."""
    outputs = [{"id": name, "property": what} for name, what in _OUTPUTS]
    values = {"pathname": path, "search": search}
    return {
        "output": f"..{'...'.join(f'{name}.{what}' for name, what in _OUTPUTS)}..",
        "outputs": outputs,
        "inputs": [
            *({"id": "place", "property": name, "value": value} for name, value in values.items()),
            {"id": "theme", "property": "data", "value": "light"},
            {"id": "tick", "property": "data"},
        ],
        "state": [{"id": "shown", "property": "data"}],
        "changedPropIds": ["place.search"],
    }


_OUTPUTS = (("live", "children"), ("rest", "children"), ("shown", "data"), ("links", "children"))
