"""Kernels that functions compiled by Numba call."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numba import njit
from numba.core.errors import TypingError

import autotune as at
from autotune.lang.reference import evaluate
from autotune.library import conv2d, embedding, matmul
from autotune.runtime.nopython_text import Passed, function_text
from tests.runtime.test_arguments import counted, moments, regrouped, rows
from tests.runtime.test_options import strided

RNG = np.random.default_rng(0)


def interpreted(kernel: at.TunedKernel, *given: Any, out: Any = None, refused: int = 0) -> Any:
    """The function that a compiled caller calls, run by Python, on the reference instead of on generated code."""
    definition = kernel.definition

    def compute(*arguments: Any) -> int:
        inputs = arguments[: len(definition.inputs)]
        if refused and not all(array.flags.c_contiguous for array in inputs if isinstance(array, np.ndarray)):
            return refused
        results = evaluate(definition, dict(zip([spec.name for spec in definition.inputs], inputs, strict=True)))
        for output, array in zip(definition.outputs, arguments[len(inputs) :], strict=False):
            array[...] = results[output.name]
        return 0

    scope = {
        "np": np,
        "REAL": np.float64,
        "compute": compute,
        "in_c_order": np.ascontiguousarray,
        "whole": lambda array: array.astype(np.int64),
        "aligned": np.empty,
    }
    checks = ("index idx[t]", "this code is for w = 3")
    exec(function_text(definition, Passed(out is not None, 5, checks)), scope)
    return scope["call"](*given, out)  # type: ignore[operator]


def test_results_of_every_kind_of_input_and_output() -> None:
    x = RNG.standard_normal((4, 6))
    for got, expected in zip(interpreted(moments, x), (x.mean(1), x.argmax(1)), strict=True):
        np.testing.assert_allclose(got, expected)
    table, idx = RNG.standard_normal((5, 3)), np.array([4, 0], np.int32)
    np.testing.assert_array_equal(interpreted(rows, table, idx), table[idx])
    np.testing.assert_array_equal(interpreted(counted, idx, 2), 2.0 * idx)
    wide, w = RNG.standard_normal((10, 12)), RNG.standard_normal((2, 3, 4))
    expected = np.einsum("ngc,gck->ngk", wide[::2, ::2].reshape(5, 2, 3), w).reshape(5, 8)
    np.testing.assert_allclose(interpreted(regrouped, wide[::2, ::2], w), expected)
    np.testing.assert_allclose(interpreted(regrouped, wide[::2, ::2], w, refused=1), expected)
    np.testing.assert_array_equal(interpreted(strided, x[0]), x[0])


def test_results_go_where_they_belong() -> None:
    x, mean, largest = RNG.standard_normal((4, 6)), np.zeros(8)[::2], np.zeros(4, np.int64)
    found = interpreted(moments, x, out=(mean, largest))
    assert found[0] is mean
    assert found[1] is largest
    np.testing.assert_allclose(mean, x.mean(1))


@pytest.mark.parametrize(
    ("kernel", "shapes", "text"),
    [
        (matmul, [(2, 3), (4, 5)], r"matmul: dimension 1 of b\[k, n\] has another size"),
        (matmul, [(0, 3), (3, 5)], r"matmul: arrays are empty or too small"),
        (regrouped, [(5, 7), (2, 3, 4)], r"regrouped: dimension 2 of x\[n, g\*c\] has another size"),
        (conv2d, [(1, 2, 3, 3), (1, 2, 4, 2)], r"conv2d: arrays are empty or too small"),
    ],
)
def test_shapes_that_do_not_fit(kernel: at.TunedKernel, shapes: list[tuple[int, ...]], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        interpreted(kernel, *(np.ones(shape) for shape in shapes))


def test_indices_that_lead_outside() -> None:
    @at.kernel
    def shifted(x: at.Tensor["n"], y: at.Tensor["m"]):
        (j,) = at.axes(y)
        p = at.axis("p", at.extent(j))
        return at.output[p](x[2 * p + 1] * y[p])

    np.testing.assert_array_equal(interpreted(shifted, np.arange(6.0), np.ones(3)), [1, 3, 5])
    with pytest.raises(ValueError, match=r"shifted: the index .* leads outside of n"):
        interpreted(shifted, np.arange(5.0), np.ones(3))


def test_what_the_code_refuses() -> None:
    table, idx = RNG.standard_normal((5, 3)).T, np.array([1, 0])
    with pytest.raises(IndexError, match=r"rows: index idx\[t\] is out of range"):
        interpreted(rows, table, idx, refused=-1)
    with pytest.raises(ValueError, match=r"rows: this code is for w = 3; compile it for .* rows\.compiled"):
        interpreted(rows, table, idx, refused=-2)
    with pytest.raises(ValueError, match=r"rows: out must have the shape of out\[t, c\]"):
        interpreted(rows, table, idx, out=np.ones((2, 3)))


def test_a_compiled_function_calls_kernels() -> None:
    @njit
    def fourth_power(a: Any) -> Any:
        return matmul(matmul(matmul(a, a), a), a)

    for a in (RNG.standard_normal((20, 20)), RNG.standard_normal((40, 60))[::2, ::3].T):
        np.testing.assert_allclose(fourth_power(a), a @ a @ a @ a, rtol=1e-10)
    with pytest.raises(ValueError, match=r"matmul: dimension 1 of b"):
        fourth_power(np.ones((2, 3)))
    with pytest.raises(TypingError, match=r"matmul: a must hold float32 or float64, not int64"):
        fourth_power(np.ones((2, 2), np.int64))
    with pytest.raises(TypingError, match=r"matmul: a must be an array of rank 2"):
        fourth_power(np.ones(2))


def test_a_kernel_compiled_for_examples_and_its_gradient() -> None:
    table, idx = RNG.standard_normal((5, 4)), np.array([3, 0, 3])
    lookup = embedding.compiled(table, idx)
    gradient = embedding.compiled(table, idx, np.ones((3, 4)), direction="vjp:table")

    @njit
    def both(table: Any, idx: Any, out: Any) -> Any:
        lookup(table, idx, out=out)
        return gradient(table, idx, out)

    out = np.zeros((2, 4))
    idx = np.array([4, 4])
    table_bar = both(table, idx, out)
    np.testing.assert_array_equal(out, table[idx])
    expected = np.zeros((5, 4))
    expected[4] = 2 * table[4]
    np.testing.assert_array_equal(table_bar, expected)
    with pytest.raises(IndexError, match=r"embedding: index idx\[t\]"):
        both(table, np.array([1, 5]), out)


MULTIPLE = """
import autotune as at
from numba import njit

@at.kernel
def multiple(a: at.Tensor["m"]):
    (i,) = at.axes(a)
    return at.output[i](a[i] * {number}.0)

@njit(cache=True)
def compute(a):
    return multiple(a)
"""


@pytest.mark.slow
def test_functions_kept_on_disk_by_two_processes_meet_in_a_third(tmp_path: Path) -> None:
    for name, number in (("twice", 2), ("thrice", 3)):
        (tmp_path / f"{name}.py").write_text(MULTIPLE.format(number=number))
    for names in (["twice"], ["thrice"], ["twice", "thrice"]):
        made = len(list(tmp_path.glob("__pycache__/*.nbc")))
        results = "; ".join(f"print({name}.compute(np.ones(1))[0])" for name in names)
        program = f"import numpy as np; import {', '.join(names)}; {results}"
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.stdout.split() == [{"twice": "2.0", "thrice": "3.0"}[name] for name in names], done.stderr
    assert made == len(list(tmp_path.glob("__pycache__/*.nbc"))) == 2  # the third process compiled nothing
