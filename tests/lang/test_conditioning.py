"""The error bound in both directions: float32 stays within it, and results that are wrong do not."""
# mypy: disable-error-code="name-defined"

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

import autotune.lang as at
from autotune.lang import Kernel, reference
from tests.lang.interpreter import Interpreter
from tests.lang.strategies import Case, cases

Array = NDArray[Any]


@given(case=cases())
@settings(deadline=None, max_examples=100)
def test_float32_stays_within_the_bound(case: Case) -> None:
    rounded = {name: array if name == "idx" else array.astype(np.float32) for name, array in case.arguments.items()}
    computed = Interpreter(rounded, case.extents, np.float32).array(case.expr, case.axes).astype(np.float64)
    exact = reference.evaluate(case.kernel, case.arguments)["out"]
    bound = reference.error_bound(case.kernel, case.arguments, "float32")["out"]
    checked = np.isfinite(exact) & np.isfinite(computed) & ~np.isnan(bound)
    assert not (abs(computed - exact)[checked] > bound[checked]).any(), (computed, exact, bound)


def convolution(x: at.Tensor["c", "h"], w: at.Tensor["k", "c", "r"]) -> at.Output:
    c, h = at.axes(x)
    k, _, r = at.axes(w)
    return at.output[k, h](at.sum(x.pad(0)[c, h + 2 * r - 2] * w[k, c, r], over=(c, r)))


def embedding(table: at.Tensor["v", "d"], idx: at.Integers["t"], w: at.Tensor["d", "e"]) -> at.Output:
    _, d = at.axes(table)
    (t,) = at.axes(idx)
    _, e = at.axes(w)
    return at.output[t, e](at.sum(table[idx[t], d] * w[d, e], over=d))


def pooling(x: at.Tensor["h"], w: at.Tensor["h"]) -> at.Output:
    (h,) = at.axes(x)
    p, r = at.axis("p", at.extent(h) // 2), at.axis("r", 2)
    window = at.exp(x[2 * p + r] * w[2 * p + r])
    return at.output[p](at.max(window, over=r, ties="first") + at.argmax(window, over=r))


def brownian(z: at.Tensor["n", "t"], drift: at.Scalar, volatility: at.Scalar) -> at.Output:
    n, t = at.axes(z)
    return at.output[n, t](at.scan(lambda price: price * at.exp(drift + volatility * z[n, t]), 100.0, over=t))


def elimination(dose: at.Tensor["n"], rate: at.Tensor["n"], time: at.Tensor["t"]) -> at.Output:
    """Explicit Euler steps of dA/dt = -rate · A, far into the tail."""
    (n,), (t,) = at.axes(dose), at.axes(time)
    return at.output[n, t](at.scan(lambda a: a - 0.03 * rate[n] * a + 0 * time[t], dose[n], over=t))


def running_sum(x: at.Tensor["n", "t"]) -> at.Output:
    n, t = at.axes(x)
    return at.output[n, t](at.scan(lambda s: s + at.tanh(x[n, t]), 0.0, over=t))


def running_logsumexp(x: at.Tensor["n", "t"]) -> at.Output:
    n, t = at.axes(x)

    def step(m: at.Expr, s: at.Expr) -> tuple[at.Expr, at.Expr]:
        larger = at.maximum(m, x[n, t])
        return larger, s * at.exp(m - larger) + at.exp(x[n, t] - larger)

    m, s = at.scan(step, (-1e30, 0.0), over=t, reverse=True)
    return at.output[n, t](m + at.log(s))


def masked_softmax(x: at.Tensor["n", "t"]) -> at.Output:
    n, t = at.axes(x)
    row = at.axis("row", "n")
    z = at.where(t <= n, 3 * x[n, t], -np.inf)
    e = at.exp(z - at.max(z, over=t))
    return at.output[n, t](e / at.sum(e, over=t) + 0 * at.sum(row, over=row))


def in_float32(kernel: Kernel, arguments: dict[str, Any]) -> Array:
    extents = kernel.complete(kernel.infer_extents({name: np.shape(array) for name, array in arguments.items()}))
    (output,) = kernel.outputs
    rounded = {
        name: array if np.asarray(array).dtype.kind == "i" else np.asarray(array, np.float32)
        for name, array in arguments.items()
    }
    return np.asarray(Interpreter(rounded, extents, np.float32).array(output.expr, output.axes), np.float64)


def normal(*shape: int) -> Array:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32).astype(np.float64)


KNOWN: list[tuple[Callable[..., Any], dict[str, Any]]] = [
    (convolution, {"x": normal(3, 11), "w": normal(2, 3, 4)}),
    (embedding, {"table": normal(5, 6), "idx": np.array([4, 0, 0, 3]), "w": normal(6, 3)}),
    (pooling, {"x": normal(13), "w": normal(13)}),
    (brownian, {"z": normal(3, 40), "drift": np.float32(-1e-3), "volatility": np.float32(0.02)}),
    (elimination, {"dose": 5 + normal(3), "rate": 10 + normal(3), "time": normal(40)}),
    (running_sum, {"x": normal(3, 60)}),
    (running_logsumexp, {"x": normal(3, 40)}),
    (masked_softmax, {"x": normal(7, 7)}),
]
IDS = [function.__name__ for function, _ in KNOWN]


@pytest.mark.parametrize(("function", "arguments"), KNOWN, ids=IDS)
def test_known_kernels_stay_within_the_bound_but_not_when_they_are_wrong(
    function: Callable[..., Any], arguments: dict[str, Any]
) -> None:
    kernel = at.define(function)
    exact = reference.evaluate(kernel, arguments)["out"]
    bound = reference.error_bound(kernel, arguments, "float32")["out"]
    assert (abs(in_float32(kernel, arguments) - exact) <= bound).all()
    masked = exact == 0
    assert (bound[masked] < 1e-30).all()
    assert (bound[~masked] < 1e-3 * np.maximum(abs(exact[~masked]), abs(exact).max() / 10)).all()


@pytest.mark.parametrize(("steps", "most"), [(100, 5e-4), (1000, 5e-3)])
def test_bounds_of_long_recurrences_stay_useful(steps: int, most: float) -> None:
    """Against NumPy in float32, which rounds at every step."""
    kernel = at.define(brownian)
    arguments: dict[str, Any] = {"z": normal(50, steps), "drift": np.float32(-1e-3), "volatility": np.float32(0.02)}
    exact = reference.evaluate(kernel, arguments)["out"]
    price, computed = np.full(50, 100, np.float32), np.empty((50, steps), np.float32)
    for step in range(steps):
        price = price * np.exp(
            arguments["drift"] + arguments["volatility"] * arguments["z"][:, step].astype(np.float32)
        )
        computed[:, step] = price
    bound = reference.error_bound(kernel, arguments, "float32")["out"]
    assert (abs(computed - exact) <= bound).all()
    assert (bound[:, -1] / exact[:, -1]).max() < most


def test_a_state_that_decays_forgets_its_errors() -> None:
    kernel = at.define(elimination)
    arguments: dict[str, Any] = {"dose": 5 + normal(3), "rate": 10 + normal(3), "time": normal(80)}
    exact = reference.evaluate(kernel, arguments)["out"]
    assert exact[:, -1].max() < 1e-8
    bound = reference.error_bound(kernel, arguments, "float32")["out"]
    assert (bound[:, -1] < 1e-3 * exact[:, -1]).all()


def scaled_argmax(x: at.Tensor["m", "n"], s: at.Scalar) -> at.Output:
    i, j = at.axes(x)
    return at.output[i](at.argmax(x[i, j] * s, over=j))


def test_an_uncertain_choice_may_be_any_that_comes_near() -> None:
    x = np.array([[1.0, 0.0, np.nextafter(np.float32(1), np.float32(2)), 0.5], [0.0, 0.0, 1.0, 0.0]])
    arguments: dict[str, Any] = {"x": x, "s": np.float32(1.1)}
    kernel = at.define(scaled_argmax)
    np.testing.assert_array_equal(reference.evaluate(kernel, arguments)["out"], [2, 2])
    bound = reference.error_bound(kernel, arguments, "float32")["out"]
    assert 2 <= bound[0] < 3
    assert bound[1] < 1e-3


def test_equal_inputs_are_told_apart_by_their_order() -> None:
    def largest(x: at.Tensor["n"]) -> at.Output:
        (i,) = at.axes(x)
        return at.output[()](at.argmax(at.relu(x[i]), over=i))

    assert reference.error_bound(at.define(largest), {"x": np.array([0.0, 3.0, 3.0, -1.0])}, "float32")["out"] < 1e-3


def test_what_is_read_at_an_uncertain_index_may_be_anything_there() -> None:
    def looked_up(table: at.Tensor["v"], x: at.Tensor["n"]) -> at.Output:
        (i,) = at.axes(x)
        return at.output[i](table[at.floor(x[i] * 10)])

    arguments: dict[str, Any] = {"table": np.array([0.0, 1.0, 5.0, 2.0]), "x": np.array([0.1, 0.25], np.float32)}
    bound = reference.error_bound(at.define(looked_up), arguments, "float32")["out"]
    assert bound[0] >= 5
    assert bound[1] < 1e-4


def test_what_is_scattered_to_an_uncertain_index_may_be_added_anywhere() -> None:
    x = np.array([0.25, 0.35], np.float32)
    bins = at.Axis("bins", "v")
    (i,) = (at.Axis("i", "n"),)
    place = at.floor(at.Read("x", (i,)) * 10)
    body = at.Read("y", (i,))
    kernel = Kernel(
        "histogram",
        (at.TensorSpec("x", ("n",)), at.TensorSpec("y", ("n",)), at.TensorSpec("like", ("v",))),
        (at.Output("out", (bins,), at.Scatter(body, (i,), (bins,), (place,))),),
        direction="vjp:like",
    )
    arguments: dict[str, Any] = {"x": x, "y": np.array([2.0, 3.0]), "like": np.zeros(5)}
    np.testing.assert_array_equal(reference.evaluate(kernel, arguments)["out"], [0, 0, 2, 3, 0])
    assert (reference.error_bound(kernel, arguments, "float32")["out"] < 1e-4).all()
    arguments["x"] = np.array([0.1, 0.35], np.float32)
    assert (reference.error_bound(kernel, arguments, "float32")["out"] >= 2).all()


def test_copies_are_exact_at_any_index() -> None:
    """A comparison of what was only moved does not jump."""

    def moved(x: at.Tensor["n"]) -> at.Output:
        (i,) = at.axes(x)
        shifted = at.let[i](x[i]).pad(0)[i - 1]
        return at.output[i](at.greater_equal(shifted, x.pad(0)[i - 1]))

    bound = reference.error_bound(at.define(moved), {"x": np.ones(4)}, "float32")["out"]
    assert (bound < 1e-4).all()


def test_a_recurrence_may_read_where_its_state_says() -> None:
    """A walk over a table, which a state that comes near the next whole number may take elsewhere."""

    def walk(table: at.Tensor["v"], x: at.Tensor["n", "t"]) -> at.Output:
        n, t = at.axes(x)
        (v,) = at.axes(table)

        def step(s: at.Expr) -> at.Expr:
            return table[at.minimum(at.floor(at.abs(s)), at.extent(v) - 1)] + 0.5 * s + x[n, t] / 4

        return at.output[n, t](at.scan(step, 1.25, over=t))

    kernel = at.define(walk)
    arguments: dict[str, Any] = {"table": normal(6), "x": normal(5, 30)}
    exact = reference.evaluate(kernel, arguments)["out"]
    bound = reference.error_bound(kernel, arguments, "float32")["out"]
    assert (abs(in_float32(kernel, arguments) - exact) <= bound).all()
    assert np.median(bound) < 1e-4


@pytest.mark.parametrize("reverse", [False, True])
def test_the_steps_may_be_looked_at_in_any_number_of_parts(monkeypatch: pytest.MonkeyPatch, reverse: bool) -> None:
    def running(x: at.Tensor["n", "t"]) -> at.Output:
        n, t = at.axes(x)
        return at.output[n, t](at.scan(lambda s: at.maximum(s, at.tanh(s + x[n, t] * t)), 0.0, over=t, reverse=reverse))

    kernel, arguments = at.define(running), {"x": normal(3, 17)}
    at_once = reference.error_bound(kernel, arguments, "float32")["out"]
    monkeypatch.setattr("autotune.lang.recurrence._AT_ONCE", 15)
    np.testing.assert_allclose(reference.error_bound(kernel, arguments, "float32")["out"], at_once, rtol=1e-12)
