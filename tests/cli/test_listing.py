"""`list` and `machine`."""

import json
from pathlib import Path

from autotune import library
from autotune.machine import Machine, Peaks, detect, versions
from tests.cli.conftest import Invoke

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_list(invoke: Invoke) -> None:
    result = invoke("list")
    assert result.exit_code == 0
    assert "\nmatmul(a[m, k], b[k, n]) -> out[m, n]\n    gradients by a, b\n" in result.stdout
    assert "    gradients by x, w; options stride=1, padding=0, dilation=1\n" in result.stdout


def test_list_of_a_file(invoke: Invoke) -> None:
    result = invoke("list", str(EXAMPLES / "own_template.py"))
    assert result.stdout == "column_means(x[rows, cols]) -> out[cols]\n    no gradients\n"


def test_list_as_json(invoke: Invoke) -> None:
    rows = json.loads(invoke("list", "--json").stdout)["rows"]
    directions = ["forward", "vjp:a", "vjp:b", "jvp"]
    assert {"kernel": "matmul", "directions": directions, "axes": ["m", "k", "n"]} in rows
    assert {"kernel": "embedding", "directions": ["forward", "vjp:table", "jvp"], "axes": ["v", "d", "t"]} in rows
    assert [row["kernel"] for row in rows] == sorted(library.__all__)


def test_machine(invoke: Invoke) -> None:
    result = invoke("machine")
    assert result.exit_code == 0
    assert detect().fingerprint in result.stdout
    assert "GFLOP/s on 1 thread" in result.stdout


def test_machine_as_json(invoke: Invoke) -> None:
    found = json.loads(invoke("machine", "--json").stdout)
    assert Machine.from_json(found["machine"]) == detect()
    assert found["fingerprint"] == detect().fingerprint
    assert found["versions"] == versions()
    assert Peaks.from_json(found["peaks"]).flops("float32") > 0


def test_machine_refresh_measures_again(invoke: Invoke) -> None:
    kept = [invoke("machine", "--json").stdout for _ in range(2)]
    assert kept[0] == kept[1]
    assert invoke("machine", "--json", "--refresh").stdout != kept[0]
