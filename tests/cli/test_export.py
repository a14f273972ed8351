"""`export`: a module that runs where this package cannot be imported, and what is refused."""

import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from tests.cli.conftest import Invoke

# No import of this package, in a process that sees neither the checkout nor an installed one.
APART = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "autotune":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
sys.path.insert(0, {folder!r})
import numpy as np
import {module} as tuned
rng = np.random.default_rng(0)
"""


def _apart(path: Path, program: str) -> "subprocess.CompletedProcess[str]":
    code = APART.format(folder=str(path.parent), module=path.stem) + dedent(program)
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, cwd=path.parent, timeout=300)


@pytest.mark.usefixtures("tuned")
def test_a_module_of_its_own(invoke: Invoke, tmp_path: Path) -> None:
    path = tmp_path / "tuned.py"
    result = invoke("export", "matmul", "-o", str(path), "--json")
    rows = json.loads(result.stdout)["rows"]
    assert [(row["function"], row["schedule"]) for row in rows] == [
        ("matmul", "tuned"),
        ("matmul_vjp_a", "default"),
        ("matmul_vjp_b", "default"),
    ]
    text = path.read_text()
    assert "# matmul forward m=48,k=40,n=32 float32 1 thread: tuned on this machine" in text
    assert "not tuned on this machine: the default schedule" in text
    assert "autotune." not in "\n".join(line for line in text.splitlines() if "import" in line)
    assert invoke("export", "matmul", "-o", "-").stdout == text  # the same schedules, the same text
    done = _apart(
        path,
        """
        a, b = rng.standard_normal((30, 20)).astype("f"), rng.standard_normal((20, 7)).astype("f")
        c, bar = a @ b, np.ones((30, 7), "f")
        np.testing.assert_allclose(tuned.matmul(a, b), c, rtol=1e-4, atol=1e-5)
        a_, b_ = a[::-1, ::2], b[::2, ::-1]
        np.testing.assert_allclose(tuned.matmul(a_, b=b_), a_ @ b_, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(tuned.matmul_vjp_a(b, bar), bar @ b.T, rtol=1e-4, atol=1e-5)
        out = np.empty((7, 30), "f").T
        assert tuned.matmul(a, b, out=out) is out
        np.testing.assert_allclose(out, c, rtol=1e-4, atol=1e-5)
        square = np.eye(20, dtype="f") * 2
        np.testing.assert_array_equal(tuned.matmul(square, square, out=square), np.eye(20) * 4)
        assert tuned.matmul(a[:0], b).shape == (0, 7)
        double = a.astype("d"), b.astype("d")
        for wrong in ((a, a), (a, double[1]), double, (a[0], b), (a[:, :0], b[:0])):
            try:
                tuned.matmul(*wrong)
            except (TypeError, ValueError) as error:
                print(error)
            else:
                raise AssertionError(wrong)
        assert not [name for name in sys.modules if name.startswith("autotune")]
        """,
    )
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said[0] == "matmul: k is 30 in b, which does not fit {'m': 30, 'k': 20}"
    assert said[1] == "matmul: arrays must be all float32 or all float64, not float32, float64"
    assert said[2].startswith("matmul: nothing was exported that serves float64")


def test_vectors_windows_groups_indices_and_scalars(invoke: Invoke, tmp_path: Path) -> None:
    for words in (
        ("softmax", "--size", "rows=8,cols=40"),
        ("conv2d", "--size", "x=1x4x9x9,w=6x2x3x3", "--option", "padding=1"),
        ("depthwise_conv2d", "--size", "x=1x4x9x9,w=4x3x3"),
        ("embedding", "--size", "v=5,d=8,t=3"),
    ):
        path = tmp_path / f"{words[0]}_only.py"
        assert invoke("export", *words, "--direction", "forward", "-o", str(path)).exit_code == 0
    done = _apart(
        tmp_path / "softmax_only.py",
        """
        import conv2d_only, depthwise_conv2d_only, embedding_only
        x = rng.standard_normal((5, 33)).astype("f")
        e = np.exp(x - x.max(axis=1, keepdims=True))
        np.testing.assert_allclose(tuned.softmax(x), e / e.sum(axis=1, keepdims=True), rtol=1e-5)
        x, w = rng.standard_normal((2, 4, 6, 7)).astype("f"), rng.standard_normal((6, 2, 3, 3)).astype("f")
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        expected = np.zeros((2, 6, 6, 7))
        for o in range(6):
            for c in range(2):
                for r in range(3):
                    for s in range(3):
                        expected[:, o] += padded[:, o // 3 * 2 + c, r : r + 6, s : s + 7] * w[o, c, r, s]
        np.testing.assert_allclose(conv2d_only.conv2d(x, w), expected, rtol=1e-4, atol=1e-5)
        try:
            depthwise_conv2d_only.depthwise_conv2d(x, w[:4, 0, :2, :2])
        except ValueError as error:
            print(error)
        table = rng.standard_normal((9, 4)).astype("f")
        np.testing.assert_array_equal(embedding_only.embedding(table, [8, 0, 8]), table[[8, 0, 8]])
        try:
            embedding_only.embedding(table, [9])
        except IndexError as error:
            print(error)
        """,
    )
    assert done.returncode == 0, done.stderr
    assert "nothing was exported that serves" in done.stdout.splitlines()[0]
    assert "embedding: index idx[t] into dimension 1 of table (extent v) is out of range" in done.stdout


@pytest.mark.usefixtures("tuned")
def test_a_size_that_was_not_tuned_gets_the_nearest_schedule(invoke: Invoke) -> None:
    text = invoke("export", "matmul", "--size", "m=50,n=32,k=40", "--direction", "forward", "-o", "-").stdout
    assert "m=50,k=40,n=32 float32 1 thread: not tuned for this size: the schedule tuned for m=48, k=40, n=32" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("matmul",), "is not tuned on this machine with 1 thread(s); tune it, or say with --size"),
        (("matmul", "matmul", "--size", "m=4,n=4,k=4"), "matmul is given twice"),
        (("matmul", "--size", "m=4"), "the extents k, n are not given"),
        (("nothing",), "there is no built-in kernel 'nothing'"),
        (("matmul", "--dtype", "float16"), "--dtype takes float32, float64, not 'float16'"),
        (("matmul", "--size", "m=4,n=4,k=4", "--direction", "vjp:c"), "no input 'c' to differentiate by"),
    ],
)
def test_what_cannot_be_exported(words: tuple[str, ...], said: str, invoke: Invoke, tmp_path: Path) -> None:
    path = tmp_path / "tuned.py"
    result = invoke("export", *words, "-o", str(path))
    assert result.exit_code == 2
    assert said in result.stderr
    assert not path.exists()
