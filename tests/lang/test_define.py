"""Kernels from functions, and every error of a definition, raised where the mistake is."""
# "m" names an extent, not a type
# mypy: disable-error-code="name-defined"

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from autotune import lang as at
from autotune.errors import DefinitionError

I, J, K = at.Axis("i", "m"), at.Axis("j", "n"), at.Axis("k", "k")  # noqa: E741  # the usual names


def matmul(a: at.Tensor["m", "k"], b: at.Tensor["k", "n"]) -> at.Output:
    """The matrix product."""
    i, k = at.axes(a)
    _, j = at.axes(b)
    return at.output[i, j](at.sum(a[i, k] * b[k, j], over=k))


def test_a_function_becomes_a_kernel() -> None:
    kernel = at.define(matmul)
    assert kernel.name == "matmul"
    assert kernel.direction == "forward"
    assert kernel.doc == "The matrix product."
    assert kernel.inputs == (at.TensorSpec("a", ("m", "k")), at.TensorSpec("b", ("k", "n")))
    assert kernel.definition() == "out[m, n] = sum[k](a[m, k] * b[k, n])"


def test_a_name_can_be_given() -> None:
    assert at.define(matmul, "product").name == "product"


def test_annotations_may_be_strings() -> None:
    def scale(a: "at.Tensor['m']", factor: "at.Scalar") -> "at.Output":
        (i,) = at.axes(a)
        return at.output[i](factor * a[i])

    assert at.define(scale).signature() == "scale(a[m], factor) -> out[m]"


def test_a_repeated_extent_has_distinct_axes() -> None:
    def gram(a: at.Tensor["n", "n", "n"], b: at.Tensor["n_2"]) -> at.Output:
        x, y, z = at.axes(a)
        (w,) = at.axes(b)
        return at.output[x, y](at.sum(a[x, y, z] * b[w], over=(z, w)))

    assert at.define(gram).definition() == "out[n, n_3] = sum[n_4, n_2](a[n, n_3, n_4] * b[n_2])"


def test_an_output_can_be_a_number_of_rank_zero_and_named() -> None:
    def norm(a: at.Tensor["m"]) -> at.Output:
        (i,) = at.axes(a)
        return at.output[()](at.sum(a[i] ** 2, over=i), name="squared")

    assert at.define(norm).signature() == "norm(a[m]) -> squared[]"


def test_a_rank_zero_tensor_is_read_without_axes() -> None:
    def scale(a: at.Tensor["m"], factor: at.Tensor[()]) -> at.Output:
        (i,) = at.axes(a)
        return at.output[i](factor[()] * a[i])

    assert at.define(scale).definition() == "out[m] = factor[] * a[m]"


def test_an_output_axis_may_repeat_the_expression() -> None:
    def repeat(a: at.Tensor["m"], like: at.Tensor["n"]) -> at.Output:
        (i,), (j,) = at.axes(a), at.axes(like)
        return at.output[i, j](a[i])

    assert at.define(repeat).signature() == "repeat(a[m], like[n]) -> out[m, n]"


def few_indices(a: at.Tensor["m", "k"]) -> Any:
    return a[I]


def many_indices(a: at.Tensor["m", "k"]) -> Any:
    return a[I, K, J]


def shifted_index(a: at.Tensor["m"]) -> Any:
    return a[I + 1]


def scaled_index(a: at.Tensor["m"]) -> Any:
    return a[2 * I]


def fixed_index(a: at.Tensor["m"]) -> Any:
    return a[0]  # type: ignore[index]


def wrong_extent(a: at.Tensor["m", "k"]) -> Any:
    return a[I, J]


def diagonal(a: at.Tensor["m", "m"]) -> Any:
    return at.output[I](a[I, I])


def wrong_reduction(a: at.Tensor["m"]) -> Any:
    return at.sum(a[I], over=J)


def repeated_reduction(a: at.Tensor["m", "k"]) -> Any:
    return at.sum(a[I, K], over=(K, K))


def empty_reduction(a: at.Tensor["m"]) -> Any:
    return at.sum(a[I], over=())


def free_axis(a: at.Tensor["m", "k"]) -> Any:
    return at.output[I](a[I, K])


def unknown_extent(a: at.Tensor["m"]) -> Any:
    return at.output[I, J](a[I])


def repeated_output(a: at.Tensor["m"]) -> Any:
    return at.output[I, I](a[I])


def number_in_output(a: at.Tensor["m"]) -> Any:
    return at.output[I, 0](a[I])  # type: ignore[index]


def unused_tensor(a: at.Tensor["m"], b: at.Tensor["m"]) -> Any:  # noqa: ARG001  # the mistake
    return at.output[I](a[I])


def unused_scalar(a: at.Tensor["m"], s: at.Scalar) -> Any:  # noqa: ARG001  # the mistake
    return at.output[I](a[I])


def same_name_as_output(out: at.Tensor["m"]) -> Any:
    return at.output[I](out[I])


def no_annotation(a) -> Any:  # type: ignore[no-untyped-def]
    return at.output[I](a[I])


def other_annotation(a: at.Tensor["m"], s: float) -> Any:
    return at.output[I](s * a[I])


def broken_annotation(a: "at.Tenser['m']") -> Any:
    return at.output[I](a[I])


def bad_extent(a: at.Tensor["m k"]) -> Any:  # type: ignore[valid-type]  # noqa: F722
    return at.output[I](a[I])


def bare_expression(a: at.Tensor["m"]) -> Any:
    return a[I]


def nothing_returned(a: at.Tensor["m"]) -> Any:
    at.output[I](a[I])


def bare_tensor(a: at.Tensor["m"], b: at.Tensor["m"]) -> Any:
    return at.output[I](a * b)


def text_operand(a: at.Tensor["m"]) -> Any:
    return at.output[I](a[I] + "1")  # type: ignore[operator]


def axis_as_value(a: at.Tensor["m"]) -> Any:
    return at.output[I](at.exp(I) * a[I])  # type: ignore[arg-type]


def nan_constant(a: at.Tensor["m"]) -> Any:
    return at.output[I](a[I] * float("nan"))


def variable_exponent(a: at.Tensor["m"], s: at.Scalar) -> Any:
    return at.output[I](a[I] ** s)


def two_extents(a: at.Tensor["m"], b: at.Tensor["n"]) -> Any:
    return at.output[I](a[I] * b[at.axis("i", "n")])


ERRORS: list[tuple[Callable[..., Any], str]] = [
    (few_indices, r"a\[m, k\] has 2 dimensions but is indexed with 1: a\[i\]; give one axis per dimension"),
    (many_indices, r"a\[m, k\] has 2 dimensions but is indexed with 3: a\[i, k, j\]"),
    (shifted_index, r"arithmetic on axis i: affine accesses such as x\[i \+ 1\] are not supported yet"),
    (scaled_index, r"arithmetic on axis i: affine accesses"),
    (fixed_index, r"index 1 of a is 0, not an axis; affine accesses and fixed indices are not supported yet"),
    (wrong_extent, r"dimension 2 of a\[m, k\] ranges over k, but axis j over n; use an axis over k"),
    (diagonal, r"axis i stands twice in a\[i, i\]; diagonals are not supported yet: .* axis\('i_2', 'm'\)"),
    (wrong_reduction, r"sum over j, but a\[i\] does not have that axis \(its axes: i\); reduce over one of its axes"),
    (repeated_reduction, r"axis k stands twice in a sum over k, k"),
    (empty_reduction, r"a sum needs at least one axis"),
    (free_axis, r"axis k \(over k\) .* neither in output\[i\] nor reduced: sum over it or add it to the output"),
    (unknown_extent, r"extent n of output axis j is not known: no input has it \(the inputs: a\[m\]\)"),
    (repeated_output, r"axis i stands twice in output\[i, i\]; diagonals"),
    (number_in_output, r"index 2 of output is 0, not an axis"),
    (unused_tensor, r"input b\[m\] is not used; read it or leave it out"),
    (unused_scalar, r"input s is not used"),
    (same_name_as_output, r"two inputs or outputs are called out; give one of them another name"),
    (no_annotation, r'parameter a has no annotation; annotate it Tensor\["m", "k"\]'),
    (other_annotation, r"parameter s is annotated <class 'float'>; annotate it .* or Scalar"),
    (broken_annotation, r"the annotations cannot be evaluated \(.*Tenser.*\); import Tensor and Scalar at module"),
    (bad_extent, r"'m k' cannot name an extent: a Python identifier is needed"),
    (bare_expression, r"the function returned a\[i\] \(Read\); return output\[i, j\]\(expression\)"),
    (nothing_returned, r"the function returned None \(NoneType\); return output"),
    (bare_tensor, r"tensor a\[m\] stands without indices; read it at axes: a\[m\]"),
    (text_operand, r"'1' \(str\) cannot stand in an expression; use reads, scalars and numbers"),
    (axis_as_value, r"axis i is not a value; read a tensor at it: x\[i\]"),
    (nan_constant, r"nan is not a number"),
    (variable_exponent, r"the exponent s of a power must be a number; write exp\(y \* log\(x\)\)"),
    (two_extents, r"axis i is used over two extents, m and n; give one of them another name"),
]


@pytest.mark.parametrize(("function", "message"), ERRORS, ids=lambda case: getattr(case, "__name__", ""))
def test_errors_name_the_kernel_and_what_to_write_instead(function: Callable[..., Any], message: str) -> None:
    with pytest.raises(DefinitionError, match=rf"^kernel {function.__name__}: .*{message}"):
        at.define(function)


def test_an_error_points_at_the_line_of_the_mistake() -> None:
    with pytest.raises(DefinitionError) as caught:
        at.define(wrong_extent)
    assert "wrong_extent" in [entry.name for entry in caught.traceback]


def test_numpy_numbers_mix_in() -> None:
    read = at.Read("a", (I,))
    assert np.float64(2.0) * read == 2 * read
    assert np.int64(2) - read == 2 - read  # type: ignore[operator]  # NumPy's stubs know no `__array_ufunc__ = None`
