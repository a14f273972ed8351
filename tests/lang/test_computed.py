"""Kernels that a function of arrays defines: annotations, values, and bounds measured instead of derived."""
# mypy: disable-error-code="name-defined,valid-type"

from typing import Any

import numpy as np
import pytest

from autotune import lang as at
from autotune.errors import DefinitionError, ShapeError
from autotune.lang.by_function import computed_by
from autotune.lang.kernel import Kernel
from autotune.lang.reference import error_bound, evaluate


def _kernel(function: Any, terms: tuple[str, ...] | None = None) -> Kernel:
    return Kernel(function.__name__, *computed_by(function, terms))


def product(a: at.Tensor["m", "k"], b: at.Tensor["k", "n"]) -> at.Tensor["m", "n"]:
    return a @ b  # type: ignore[operator]


def difference(x: at.Tensor["n"], y: at.Tensor["n"]) -> at.Tensor["n"]:
    return np.log(x / y)  # type: ignore[operator,no-any-return]


def indexed(a: at.Tensor["m", "k"], b: at.Tensor["k", "n"]) -> Any:
    i, k = at.axes(a)
    _, j = at.axes(b)
    return at.output[i, j](at.sum(a[i, k] * b[k, j], over=k))


def indexed_difference(x: at.Tensor["n"], y: at.Tensor["n"]) -> Any:
    (i,) = at.axes(x)
    return at.output[i](at.log(x[i] / y[i]))


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize(("function", "same"), [(product, indexed), (difference, indexed_difference)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_measured_bound_is_near_the_derived_one(function: Any, same: Any, dtype: str, positive: bool) -> None:
    """Also where results cancel: logarithms of numbers near 1, and sums of terms of both signs."""
    rng = np.random.default_rng(0)
    shapes = [(6, 400), (400, 5)] if function is product else [(50,), (50,)]
    draw = (lambda shape: rng.uniform(1, 1.01, shape)) if positive or function is difference else rng.standard_normal
    arguments = {
        name: draw(shape).astype(dtype)
        for name, shape in zip("ab" if function is product else "xy", shapes, strict=True)
    }
    kernel, derived = _kernel(function), at.define(same)
    np.testing.assert_allclose(evaluate(kernel, arguments)["out"], evaluate(derived, arguments)["out"], rtol=1e-13)
    ratio = error_bound(kernel, arguments, dtype)["out"] / error_bound(derived, arguments, dtype)["out"]
    assert ratio.min() > 0.2
    assert ratio.max() < 5


def test_annotations_make_inputs_and_outputs() -> None:
    def parts(x: at.Tensor["n", "g*c"], scale: at.Scalar, idx: at.Integers["c"]) -> tuple[Any, ...]:
        raise NotImplementedError

    parts.__annotations__["return"] = tuple[at.Tensor["n"], at.Integers["g", "c"]]
    kernel = _kernel(parts)
    assert kernel.signature() == "parts(x[n, g*c], scale, idx[c]) -> out_1[n], out_2[g, c]"
    assert [output.integer for output in kernel.outputs] == [False, True]
    assert kernel.opaque
    assert not at.define(indexed).opaque


@pytest.mark.parametrize("annotation", [None, np.ndarray, tuple[at.Tensor["n"], int]])
def test_what_it_returns_must_be_said(annotation: Any) -> None:
    def vague(x: at.Tensor["n"]) -> Any:
        return x

    vague.__annotations__["return"] = annotation
    with pytest.raises(DefinitionError, match="must say what it returns"):
        _kernel(vague)


def test_an_extent_of_the_result_must_be_known() -> None:
    def wider(x: at.Tensor["n"]) -> at.Tensor["m"]:
        return x

    with pytest.raises(DefinitionError, match="extent m of output axis m is not known"):
        _kernel(wider)


def test_arguments_are_given_as_copies_and_results_are_checked() -> None:
    def greedy(x: at.Tensor["n"]) -> at.Tensor["n"]:
        x[0] = 7  # type: ignore[index]
        return np.asarray(x)[1:]  # type: ignore[return-value]

    x = np.zeros(3)
    with pytest.raises(ShapeError, match=r"greedy returned float64 of shape \(2,\).*real numbers of shape \(3,\)"):
        evaluate(_kernel(greedy), {"x": x})
    assert not x.any()
