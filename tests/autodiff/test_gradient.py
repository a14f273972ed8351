"""Gradients of kernels that have a closed form, word for word, and the errors of asking for others."""
# "m" names an extent, not a type
# mypy: disable-error-code="name-defined"

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from autotune import lang as at
from autotune.autodiff import derive, gradient_inputs, vjp
from autotune.errors import DefinitionError, DifferentiationError
from autotune.lang import reference


def matmul(a: at.Tensor["m", "k"], b: at.Tensor["k", "n"]) -> at.Output:
    (i, k), (_, j) = at.axes(a), at.axes(b)
    return at.output[i, j](at.sum(a[i, k] * b[k, j], over=k))


def transposed(a: at.Tensor["k", "m"], b: at.Tensor["n", "k"]) -> at.Output:
    (k, i), (j, _) = at.axes(a), at.axes(b)
    return at.output[i, j](at.sum(a[k, i] * b[j, k], over=k))


def batched(a: at.Tensor["batch", "m", "k"], b: at.Tensor["k", "n", "batch"]) -> at.Output:
    (t, i, k), (_, j, _) = at.axes(a), at.axes(b)
    return at.output[j, t, i](at.sum(a[t, i, k] * b[k, j, t], over=k))


def chain(a: at.Tensor["m", "k"], b: at.Tensor["k", "l"], c: at.Tensor["l", "n"]) -> at.Output:
    (i, k), (_, p), (_, j) = at.axes(a), at.axes(b), at.axes(c)
    return at.output[i, j](at.sum(a[i, k] * b[k, p] * c[p, j], over=(k, p)))


def nested(a: at.Tensor["m", "k"], b: at.Tensor["k", "l"], c: at.Tensor["l"]) -> at.Output:
    (i, k), (_, p) = at.axes(a), at.axes(b)
    return at.output[i](at.sum(a[i, k] * at.sum(b[k, p] * c[p], over=p), over=k))


def scaled(a: at.Tensor["m", "k"], b: at.Tensor["k", "n"], alpha: at.Scalar) -> at.Output:
    (i, k), (_, j) = at.axes(a), at.axes(b)
    return at.output[i, j](at.sum(alpha * a[i, k] * b[k, j], over=k))


def squares(a: at.Tensor["m"]) -> at.Output:
    (i,) = at.axes(a)
    return at.output[()](at.sum(a[i] * a[i], over=i))


def powers(a: at.Tensor["m"]) -> at.Output:
    (i,) = at.axes(a)
    return at.output[i](a[i] ** 2 + 3 * a[i] ** 1 - a[i] ** -1)


def gram(a: at.Tensor["n", "k"]) -> at.Output:
    i, k = at.axes(a)
    j = at.axis("j", "n")
    return at.output[i, j](at.sum(a[i, k] * a[j, k], over=k))


def power_of_two(a: at.Tensor["n", "n"]) -> at.Output:
    i, j = at.axes(a)
    k = at.axis("k", "n")
    return at.output[i, j](at.sum(a[i, k] * a[k, j], over=k))


def layer(x: at.Tensor["m", "k"], w: at.Tensor["n", "k"], b: at.Tensor["n"]) -> at.Output:
    (i, k), (j, _) = at.axes(x), at.axes(w)
    return at.output[i, j](at.tanh(at.sum(x[i, k] * w[j, k], over=k) + b[j]))


def total(a: at.Tensor["m", "k"]) -> at.Output:
    i, k = at.axes(a)
    return at.output[i](at.sum(a[i, k], over=k))


def centred(a: at.Tensor["m", "k"], b: at.Tensor["m"]) -> at.Output:
    i, k = at.axes(a)
    return at.output[i](at.sum(a[i, k] - b[i], over=k))


def outer(a: at.Tensor["m"], b: at.Tensor["n"]) -> at.Output:
    (i,), (j,) = at.axes(a), at.axes(b)
    return at.output[i, j](a[i] - b[j])


def repeated(a: at.Tensor["m"], like: at.Tensor["n"]) -> at.Output:
    (i,), (j,) = at.axes(a), at.axes(like)
    return at.output[j, i](a[i])


def normalised(a: at.Tensor["m", "k"]) -> at.Output:
    i, k = at.axes(a)
    return at.output[i, k](a[i, k] / at.sum(a[i, k], over=k))


def steps(a: at.Tensor["m"]) -> at.Output:
    (i,) = at.axes(a)
    return at.output[i](at.sign(a[i]))


GOLDEN: list[tuple[Callable[..., at.Output], str, str]] = [
    (matmul, "vjp:a", "matmul(b[k, n], out_bar[m, n]) -> a_bar[m, k]\na_bar[m, k] = sum[n](out_bar[m, n] * b[k, n])"),
    (matmul, "vjp:b", "matmul(a[m, k], out_bar[m, n]) -> b_bar[k, n]\nb_bar[k, n] = sum[m](out_bar[m, n] * a[m, k])"),
    (
        matmul,
        "vjp:a/vjp:b",
        "matmul(out_bar[m, n], a_bar_bar[m, k]) -> b_bar[k, n]\nb_bar[k, n] = sum[m](a_bar_bar[m, k] * out_bar[m, n])",
    ),
    (
        matmul,
        "vjp:a/vjp:out_bar",
        "matmul(b[k, n], a_bar_bar[m, k]) -> out_bar_bar[m, n]\nout_bar_bar[m, n] = sum[k](a_bar_bar[m, k] * b[k, n])",
    ),
    (
        transposed,
        "vjp:a",
        "transposed(b[n, k], out_bar[m, n]) -> a_bar[k, m]\na_bar[k, m] = sum[n](out_bar[m, n] * b[n, k])",
    ),
    (
        batched,
        "vjp:b",
        "batched(a[batch, m, k], out_bar[n, batch, m]) -> b_bar[k, n, batch]\n"
        "b_bar[k, n, batch] = sum[m](out_bar[n, batch, m] * a[batch, m, k])",
    ),
    (
        chain,
        "vjp:b",
        "chain(a[m, k], c[l, n], out_bar[m, n]) -> b_bar[k, l]\n"
        "b_bar[k, l] = sum[m, n](out_bar[m, n] * a[m, k] * c[l, n])",
    ),
    (
        nested,
        "vjp:c",
        "nested(a[m, k], b[k, l], out_bar[m]) -> c_bar[l]\nc_bar[l] = sum[k](sum[m](out_bar[m] * a[m, k]) * b[k, l])",
    ),
    (
        scaled,
        "vjp:a",
        "scaled(b[k, n], alpha, out_bar[m, n]) -> a_bar[m, k]\na_bar[m, k] = alpha * sum[n](out_bar[m, n] * b[k, n])",
    ),
    (
        scaled,
        "vjp:alpha",
        "scaled(a[m, k], b[k, n], out_bar[m, n]) -> alpha_bar[]\n"
        "alpha_bar[] = sum[m, k, n](out_bar[m, n] * a[m, k] * b[k, n])",
    ),
    (squares, "vjp:a", "squares(a[m], out_bar[]) -> a_bar[m]\na_bar[m] = 2 * out_bar[] * a[m]"),
    (squares, "vjp:a/vjp:a", "squares(out_bar[], a_bar_bar[m]) -> a_bar[m]\na_bar[m] = 2 * a_bar_bar[m] * out_bar[]"),
    (
        powers,
        "vjp:a",
        "powers(a[m], out_bar[m]) -> a_bar[m]\n"
        "a_bar[m] = out_bar[m] * a[m] ** -2 + 3 * out_bar[m] + 2 * out_bar[m] * a[m]",
    ),
    (
        gram,
        "vjp:a",
        "gram(a[n, k], out_bar[n, n]) -> a_bar[n, k]\n"
        "a_bar[n, k] = sum[j](out_bar[n, j] * a[j, k]) + sum[n_2](out_bar[n_2, n] * a[n_2, k])",
    ),
    (
        power_of_two,
        "vjp:a",
        "power_of_two(a[n, n], out_bar[n, n]) -> a_bar[n, n]\n"
        "a_bar[n, n_2] = sum[n_3](out_bar[n, n_3] * a[n_2, n_3]) + sum[n_3](out_bar[n_3, n_2] * a[n_3, n])",
    ),
    (
        layer,
        "vjp:w",
        "layer(x[m, k], w[n, k], b[n], out_bar[m, n]) -> w_bar[n, k]\n"
        "t1[m, n] = tanh(sum[k](x[m, k] * w[n, k]) + b[n])\n"
        "w_bar[n, k] = sum[m](out_bar[m, n] * (1 - t1[m, n] * t1[m, n]) * x[m, k])",
    ),
    (
        layer,
        "vjp:b",
        "layer(x[m, k], w[n, k], b[n], out_bar[m, n]) -> b_bar[n]\n"
        "t1[m, n] = tanh(sum[k](x[m, k] * w[n, k]) + b[n])\n"
        "b_bar[n] = sum[m](out_bar[m, n] * (1 - t1[m, n] * t1[m, n]))",
    ),
    (total, "vjp:a", "total(a[m, k], out_bar[m]) -> a_bar[m, k]\na_bar[m, k] = out_bar[m]"),
    (centred, "vjp:b", "centred(a[m, k], out_bar[m]) -> b_bar[m]\nb_bar[m] = -(extent(k) * out_bar[m])"),
    (outer, "vjp:b", "outer(out_bar[m, n]) -> b_bar[n]\nb_bar[n] = -sum[m](out_bar[m, n])"),
    (repeated, "vjp:a", "repeated(out_bar[n, m]) -> a_bar[m]\na_bar[m] = sum[n](out_bar[n, m])"),
    (repeated, "vjp:like", "repeated(out_bar[n, m]) -> like_bar[n]\nlike_bar[n] = 0"),
    (steps, "vjp:a", "steps(out_bar[m]) -> a_bar[m]\na_bar[m] = 0"),
    (
        normalised,
        "vjp:a",
        "normalised(a[m, k], out_bar[m, k]) -> a_bar[m, k]\n"
        "t1[m] = sum[k](a[m, k])\n"
        "a_bar[m, k] = out_bar[m, k] / t1[m] - sum[k](out_bar[m, k] * a[m, k]) / t1[m] / t1[m]",
    ),
]


@pytest.mark.parametrize(
    ("function", "direction", "text"),
    GOLDEN,
)
def test_gradients_in_closed_form(function: Callable[..., at.Output], direction: str, text: str) -> None:
    assert str(derive(at.define(function), direction)) == f"{direction} {text}"


def test_gradients_of_matmul_are_matrix_products() -> None:
    rng = np.random.default_rng(0)
    given = {name: rng.standard_normal(shape) for name, shape in {"a": (3, 4), "b": (4, 5), "out_bar": (3, 5)}.items()}
    expected = {"a": given["out_bar"] @ given["b"].T, "b": given["a"].T @ given["out_bar"]}
    for wrt, product in expected.items():
        arguments = {name: array for name, array in given.items() if name != wrt}
        result = reference.evaluate(vjp(at.define(matmul), wrt), arguments)[f"{wrt}_bar"]
        np.testing.assert_allclose(result, product, rtol=1e-13)


def test_gradients_of_matmul_cost_what_they_should() -> None:
    extents = {"m": 3, "k": 5, "n": 7}
    kernel = at.define(matmul)
    assert [derive(kernel, direction).flops(extents) for direction in ("forward", "vjp:a", "vjp:b")] == [210] * 3


def test_what_a_derived_kernel_says_of_itself() -> None:
    kernel = at.define(matmul)
    gradient = vjp(kernel, "a")
    assert (gradient.name, gradient.direction, gradient.outputs[0].name) == ("matmul", "vjp:a", "a_bar")
    assert gradient.doc == "Gradient of matmul(a[m, k], b[k, n]) -> out[m, n] by a."
    assert gradient.inputs[-1] == at.TensorSpec("out_bar", ("m", "n"))
    assert vjp(gradient, "b").direction == "vjp:a/vjp:b"
    assert derive(kernel, "vjp:a/vjp:b") == vjp(gradient, "b")
    assert derive(kernel, "forward") is kernel
    assert gradient_inputs(kernel) == ("a", "b")
    assert gradient_inputs(at.define(scaled)) == ("a", "b", "alpha")


def test_a_gradient_of_third_order_finds_free_names() -> None:
    def cubes(a: at.Tensor["m"]) -> at.Output:
        (i,) = at.axes(a)
        return at.output[i](a[i] ** 4)

    third = derive(at.define(cubes), "vjp:a/vjp:a/vjp:a")
    assert third.signature() == "cubes(a[m], out_bar[m], a_bar_bar[m], a_bar_bar_bar[m]) -> a_bar[m]"
    assert third.definition() == "a_bar[m] = 24 * a_bar_bar_bar[m] * a_bar_bar[m] * out_bar[m] * a[m]"


def test_own_axes_of_the_gradient_avoid_other_uses_of_their_names() -> None:
    m_over_n = at.axis("m", "n")

    def odd(a: at.Tensor["m", "n"], b: at.Tensor["n"]) -> at.Output:
        i = at.axis("i", "m")
        return at.output[i](at.tanh(at.sum(a[i, m_over_n] * b[m_over_n], over=m_over_n)))

    gradient = vjp(at.define(odd), "a")
    assert [axis.extent for axis in gradient.outputs[0].axes] == ["m", "n"]
    assert gradient.definition() == (
        "t1[m_2] = tanh(sum[m](a[m_2, m] * b[m]))\na_bar[m_2, n] = out_bar[m_2] * (1 - t1[m_2] * t1[m_2]) * b[n]"
    )


@pytest.mark.parametrize(
    ("direction", "message"),
    [
        ("vjp:weight", r"kernel layer has no input 'weight' to differentiate by; its inputs are x, w, b$"),
        ("vjp:ww", r"kernel layer has no input 'ww' to differentiate by; did you mean w\?"),
        ("jvp:x", r"kernel layer has no direction 'jvp:x'; it has forward, vjp:x, vjp:w, vjp:b"),
        ("vjp:x/forward", r"kernel layer has no direction 'vjp:x/forward'"),
        ("vjp:x/vjp:y", r"kernel layer has no input 'y' to differentiate by; its inputs are x, w, b, out_bar"),
    ],
)
def test_directions_that_do_not_exist(direction: str, message: str) -> None:
    with pytest.raises(DifferentiationError, match=message):
        derive(at.define(layer), direction)


def test_inputs_named_like_cotangents() -> None:
    def clash(a: at.Tensor["m"], out_bar: at.Tensor["m"], b: at.Tensor["m"], b_bar: at.Tensor["m"]) -> at.Output:
        (i,) = at.axes(a)
        return at.output[i](a[i] * out_bar[i] * b[i] * b_bar[i])

    kernel = at.define(clash)
    for wrt, taken, source in [("a", "out_bar", "out"), ("b", "b_bar", "b")]:
        message = f"kernel clash: input {taken} has the name of the cotangent of {source}; rename it"
        with pytest.raises(DefinitionError, match=message):
            vjp(kernel, wrt)


def test_a_zero_gradient_has_the_shape_of_its_input() -> None:
    gradient = vjp(replace(at.define(repeated), name="r"), "like")
    result = reference.evaluate(gradient, {"out_bar": np.full((3, 2), np.nan)})["like_bar"]
    np.testing.assert_array_equal(result, np.zeros(3))


def test_the_gradient_of_a_sum_knows_its_shape_from_the_input() -> None:
    gradient = vjp(at.define(total), "a")
    result = reference.evaluate(gradient, {"a": np.full((2, 3), np.nan), "out_bar": np.array([1.0, 2.0])})["a_bar"]
    np.testing.assert_array_equal(result, [[1, 1, 1], [2, 2, 2]])


def extremes(a: at.Tensor["m", "k"]) -> at.Output:
    i, k = at.axes(a)
    return at.output[i](at.max(a[i, k], over=k) + 3 * at.min(a[i, k], over=k))


def test_the_largest_and_the_smallest_share_evenly_among_equal_ones() -> None:
    gradient = vjp(at.define(extremes), "a")
    a = np.array([[1.0, 4, 4, 1, 1, 4], [2, 2, 2, 2, 2, 2], [0, 5, 1, 2, 3, 4]])
    result = reference.evaluate(gradient, {"a": a, "out_bar": np.array([6.0, 6, 1])})["a_bar"]
    np.testing.assert_array_equal(result, [[6, 2, 2, 6, 6, 2], [4] * 6, [3, 1, 0, 0, 0, 0]])


def multiplied(a: at.Tensor["m", "k"]) -> at.Output:
    i, k = at.axes(a)
    return at.output[i](at.prod(a[i, k], over=k))


def test_the_gradient_of_a_product_is_right_at_zeros() -> None:
    gradient = vjp(at.define(multiplied), "a")
    a = np.array([[2.0, 3, 5], [0, 3, 5], [0, 3, 0], [0, 0, 0]])
    result = reference.evaluate(gradient, {"a": a, "out_bar": np.array([1.0, 2, 1, 1])})["a_bar"]
    np.testing.assert_array_equal(result, [[15, 10, 6], [30, 0, 0], [0, 0, 0], [0, 0, 0]])


def chosen(x: at.Tensor["m"], y: at.Tensor["m"]) -> at.Output:
    (i,) = at.axes(x)
    return at.output[i](at.where(x[i] > y[i], x[i] * y[i], at.stop_gradient(x[i]) + y[i]))


def test_a_choice_sends_the_gradient_where_the_value_came_from() -> None:
    arguments = {"x": np.array([3.0, 1, 2]), "y": np.array([2.0, 5, 2]), "out_bar": np.array([1.0, 10, 100])}
    kernel = at.define(chosen)
    for wrt, expected in (("x", [2, 0, 0]), ("y", [3, 10, 100])):
        gradient = vjp(kernel, wrt)
        given = {spec.name: arguments[spec.name] for spec in gradient.inputs}
        np.testing.assert_array_equal(reference.evaluate(gradient, given)[f"{wrt}_bar"], expected)


def test_a_comparison_cannot_decide_what_python_does() -> None:
    def branching(x: at.Tensor["m"]) -> at.Output:
        (i,) = at.axes(x)
        return at.output[i](x[i] if x[i] > 0 else -x[i])

    with pytest.raises(DefinitionError, match=r"kernel branching: greater\(x\[m\], 0\) has no truth value .*where"):
        at.define(branching)
