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


def product_index(a: at.Tensor["m"], b: at.Tensor["n"]) -> Any:
    return at.output[I, J](a[I * J] + b[J])


def half_index(a: at.Tensor["m"]) -> Any:
    return at.output[I](a[I / 2])


def real_index(a: at.Tensor["m"], x: at.Tensor["m"]) -> Any:
    return at.output[I](a[x[I]])


def text_index(a: at.Tensor["m"]) -> Any:
    return a["i"]


def tensor_index(a: at.Tensor["m"], b: at.Integers["m"]) -> Any:
    return a[b]


def slice_index(a: at.Tensor["m"]) -> Any:
    return a[:]


def looped_over(a: at.Tensor["m"]) -> Any:
    return sum(a)


def not_a_number(a: at.Tensor["m"]) -> Any:
    return a.pad(float("nan"))[I - 1]


def expression_around(a: at.Tensor["m"]) -> Any:
    return a.pad(a[I])[I - 1]  # type: ignore[arg-type]


def half_around(a: at.Integers["m"]) -> Any:
    return a.pad(0.5)[I - 1]


def wrong_extent(a: at.Tensor["m", "k"]) -> Any:
    return a[I, J]


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


def bad_extent(a: at.Tensor["m k"]) -> Any:  # noqa: F722
    return at.output[I](a[I])


def bare_expression(a: at.Tensor["m"]) -> Any:
    return a[I]


def nothing_returned(a: at.Tensor["m"]) -> Any:
    at.output[I](a[I])


def bare_tensor(a: at.Tensor["m"], b: at.Tensor["m"]) -> Any:
    return at.output[I](a * b)


def text_operand(a: at.Tensor["m"]) -> Any:
    return at.output[I](a[I] + "1")  # type: ignore[operator]


def nan_constant(a: at.Tensor["m"]) -> Any:
    return at.output[I](a[I] * float("nan"))


def variable_exponent(a: at.Tensor["m"], s: at.Scalar) -> Any:
    return at.output[I](a[I] ** s)


def two_extents(a: at.Tensor["m"], b: at.Tensor["n"]) -> Any:
    return at.output[I](a[I] * b[at.axis("i", "n")])


def text_reduction(a: at.Tensor["m"]) -> Any:
    return at.sum(a[I], over="i")  # type: ignore[arg-type]


def other_ties(a: at.Tensor["m"]) -> Any:
    return at.max(a[I], over=I, ties="last")  # type: ignore[arg-type]


def axis_of_output_only(a: at.Tensor["m"]) -> Any:
    return at.output[I, K](a[I])


def let_of_another_axis(a: at.Tensor["m"]) -> Any:
    return at.let[I, J](a[I])


def let_of_a_number(a: at.Tensor["m"]) -> Any:
    return at.let[0](a[I])  # type: ignore[index]


def let_with_more_indices(a: at.Tensor["m"]) -> Any:
    return at.let[I](a[I])[I, I]


def let_along_another_axis(a: at.Tensor["m"], b: at.Tensor["n"]) -> Any:
    return at.output[J](at.let[I](a[I])[J] + b[J])


def scan_of_two_with_one_start(a: at.Tensor["m"]) -> Any:
    return at.scan(lambda s, r: s + r + a[I], 0.0, over=I)


def scan_with_one_step(a: at.Tensor["m"]) -> Any:
    return at.scan(lambda s, r: s + r + a[I], (0.0, 0.0), over=I)


def scan_from_each_step(a: at.Tensor["m"]) -> Any:
    return at.scan(lambda s: s + 1, a[I], over=I)


def scan_that_sums(a: at.Tensor["m", "n"]) -> Any:
    return at.output[I, J](at.scan(lambda s: at.sum(s * a[I, J], over=J), a[0, J], over=I))


def scan_that_shifts(a: at.Tensor["m", "n"]) -> Any:
    return at.output[I, J](at.scan(lambda s: at.let[J](s + a[I, J]).pad(0)[J - 1], a[0, J], over=I))


def scan_over_text(a: at.Tensor["m"]) -> Any:
    return at.scan(lambda s: s + a[I], 0.0, over="m")  # type: ignore[arg-type]


def scan_that_leaks(a: at.Tensor["m"]) -> Any:
    kept: list[at.Expr] = []

    def step(state: at.Expr) -> at.Expr:
        kept.append(state)
        return state + a[I]

    return at.output[I](at.scan(step, 0.0, over=I) + kept[-1])


def scan_in_a_scan(a: at.Tensor["m", "n"]) -> Any:
    inner = lambda s: at.last(at.scan(lambda r: r * s + a[I, J], 0.0, over=J), over=J)  # noqa: E731  # on one line
    return at.output[I](at.scan(inner, 0.0, over=I))


def scans_of_one_name(a: at.Tensor["m", "n"]) -> Any:
    inner = at.last(at.scan(lambda s: s + a[I, J], 0.0, over=J), over=J)
    return at.output[I](at.scan(lambda s: s + inner, 0.0, over=I))


def scan_called_like_an_input(a: at.Tensor["m"], s: at.Scalar) -> Any:
    return at.output[I](at.scan(lambda s: s + a[I], s, over=I))


def axis_called_like_an_input(a: at.Tensor["m"], i: at.Scalar) -> Any:
    return at.output[I](a[I] * i * I)


def last_along_another_axis(a: at.Tensor["m"]) -> Any:
    return at.last(a[I], over=J)


def extent_of_text(a: at.Tensor["m"]) -> Any:
    return a[I] * at.extent("m")  # type: ignore[arg-type]


def size_that_is_read(a: at.Tensor["m"]) -> Any:
    return at.axis("p", a[0])


def size_of_itself(a: at.Tensor["m"]) -> Any:
    half = at.axis("m", at.extent(I) // 2)
    return at.output[half](a[half])


def two_sizes(a: at.Tensor["m"]) -> Any:
    p, q = at.axis("p", 2), at.axis("p", 3)
    return at.output[p](a[p] + at.sum(a[q], over=q))


def unknown_product(a: at.Tensor["m*n"]) -> Any:
    return at.output[()](at.sum(a[I, J], over=(I, J)))


def empty_factor(a: at.Tensor["m*"]) -> Any:  # noqa: F722
    return at.output[I](a[I])


def text_option(a: at.Tensor["m"], *, stride: Any = "two") -> Any:
    return at.output[I](a[stride * I])


def missing_option(a: at.Tensor["m"], *, stride: int) -> Any:
    return at.output[I](a[stride * I])


def no_output(a: at.Tensor["m"]) -> Any:  # noqa: ARG001  # the mistake
    return ()


def two_outputs_of_one_name(a: at.Tensor["m"]) -> Any:
    return at.output[I](a[I]), at.output[I](2 * a[I])


def any_number_of_inputs(*a: at.Tensor["m"]) -> Any:
    return at.output[I](a[0][I])


def truth_value(a: at.Tensor["m"]) -> Any:
    return at.output[I](0 if a[I] > 0 else 1)


def comparison_of_expressions(a: at.Tensor["m"]) -> Any:
    return at.output[I](at.where(a[I] == 0, 1, 2))


ERRORS: list[tuple[Callable[..., Any], str]] = [
    (few_indices, r"a\[m, k\] has 2 dimensions but is indexed with 1: a\[i\]; give one index per dimension"),
    (many_indices, r"a\[m, k\] has 2 dimensions but is indexed with 3: a\[i, k, j\]"),
    (product_index, r"index 1 of a is i \* j, which is not affine: axes may be added and multiplied by whole numbers"),
    (half_index, r"index 1 of a is i / 2, which need not be a whole number; .* round it down: floor\(i / 2\)"),
    (
        real_index,
        r"index 1 of a is x\[i\], which need not be a whole number; read an integer tensor there",
    ),
    (text_index, r"index 1 of a is 'i': write axes, arithmetic of axes or whole numbers"),
    (tensor_index, r"index 1 of a is tensor b\[m\]: .*stands without indices; read it at axes: b\[m\]"),
    (slice_index, r"index 1 of a is slice\(None, None, None\): write axes"),
    (looped_over, r"tensor a\[m\] cannot be looped over; .* reduce with sum\(…, over=…\)"),
    (not_a_number, r"a is padded with nan; pad it with a number"),
    (expression_around, r"a is padded with a\[i\]; pad it with a number"),
    (half_around, r"a is padded with 0.5; pad it with a whole number, as its elements are"),
    (wrong_extent, r"dimension 2 of a\[m, k\] ranges over k, but axis j over n; use an axis over k"),
    (wrong_reduction, r"sum over j, but a\[i\] does not have that axis \(its axes: i\); reduce over one of its axes"),
    (repeated_reduction, r"axis k stands twice in a sum over k, k"),
    (empty_reduction, r"a sum needs at least one axis"),
    (free_axis, r"axis k \(over k\) .* neither in output\[i\] nor reduced: sum over it or add it to the output"),
    (unknown_extent, r"extent n of output axis j is not known: no input has it \(the inputs: a\[m\]\)"),
    (repeated_output, r"axis i stands twice in output\[i, i\]; give each dimension its own"),
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
    (nan_constant, r"nan is not a number"),
    (variable_exponent, r"the exponent s of a power must be a number; write exp\(y \* log\(x\)\)"),
    (two_extents, r"axis i is used over two extents, m and n; give one of them another name"),
    (text_reduction, r"a reduction takes an axis, not 'i'; write one from axes\(…\)"),
    (other_ties, r"ties='last': equal elements of a max share its gradient"),
    (axis_of_output_only, r"extent k of output axis k is not known"),
    (let_of_another_axis, r"let\[i, j\]: a\[i\] has no axis j; leave it out"),
    (let_of_a_number, r"index 1 of let is 0, not an axis"),
    (let_with_more_indices, r"the intermediate a\[i\] has the axes i, but is read at 2 indices"),
    (let_along_another_axis, r"dimension 1 of the intermediate ranges over m, but axis j over n; use an axis over m"),
    (scan_of_two_with_one_start, r"the step of a scan takes 2 carried values \(s, r\), but 1 start it"),
    (scan_with_one_step, r"a scan of 2 starts and 1 steps; each carried value needs both"),
    (scan_from_each_step, r"the start a\[i\] of a scan over i depends on it; start all steps alike"),
    (scan_that_sums, r"sum\[j\]\(s \* a\[i, j\]\) combines the carried value s of a scan along an axis"),
    (scan_that_shifts, r"combines the carried value s of a scan along an axis"),
    (scan_over_text, r"a scan takes an axis, not 'm'"),
    (scan_that_leaks, r"state is carried by a scan and cannot be used outside its step"),
    (scan_in_a_scan, r"a scan over j depends on s, which another scan around it carries; carry both in one scan"),
    (scans_of_one_name, r"two scans, one inside the other, carry s; rename the parameters of one step"),
    (scan_called_like_an_input, r"a scan carries s, which is the name of an input; rename the parameter of its step"),
    (axis_called_like_an_input, r"axis i is used as a value, but i is the name of an input; rename one of them"),
    (last_along_another_axis, r"last over j, but a\[i\] does not have that axis \(its axes: i\)"),
    (extent_of_text, r"the extent takes an axis, not 'm'"),
    (size_that_is_read, r"axis p cannot have a\[0\] elements: .* write extent\(i\) for the number of elements"),
    (size_of_itself, r"axis m has floor\(extent\(m\) / 2\) indices, a number that rests on itself"),
    (two_sizes, r"axis p is used over two extents, 2 and 3; give one another name"),
    (unknown_product, r"extent m cannot be told from the shape of a\[m\*n\]; let an input have it as a dimension"),
    (empty_factor, r"'' cannot name an extent: a Python identifier is needed"),
    (text_option, r"option stride must be a number or a truth value, not 'two'"),
    (missing_option, r"option stride has no default; give it a value"),
    (no_output, r"the function returned \(\) \(tuple\); return output"),
    (two_outputs_of_one_name, r"two inputs or outputs are called out"),
    (any_number_of_inputs, r"\*a: .* stands for any number of inputs; name each of them"),
    (truth_value, r"greater\(a\[i\], 0\) has no truth value while the kernel is defined; choose .* with where"),
    (comparison_of_expressions, r"False \(bool\) cannot stand .* equal\(x, y\) to compare values"),
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


def test_an_unknown_option_names_the_known_ones() -> None:
    def strided(a: at.Tensor["m"], *, stride: int = 1, offset: int = 0) -> at.Output:
        (i,) = at.axes(a)
        return at.output[i](a.pad(0)[stride * i + offset])

    with pytest.raises(DefinitionError, match="kernel strided: there is no option 'step'; the options are stride, "):
        at.define(strided, options={"step": 2})
    kernel = at.define(strided, options={"offset": -1})
    assert kernel.options == (("stride", 1), ("offset", -1))
    assert kernel.definition() == "out[m] = a.pad(0)[m - 1]"


def test_grouped_dimensions() -> None:
    def grouped(x: at.Tensor["n", "g*c"], w: at.Tensor["g*k", "c"]) -> at.Output:
        n, g, c = at.axes(x)
        _, k, _ = at.axes(w)
        return at.output[n, (g, k)](at.sum(x[n, g, c] * w[g, k, c], over=c))

    kernel = at.define(grouped)
    assert kernel.signature() == "grouped(x[n, g*c], w[g*k, c]) -> out[n, g*k]"
    assert kernel.definition() == "out[n, (g, k)] = sum[c](x[n, g, c] * w[g, k, c])"
    assert [spec.groups for spec in kernel.inputs] == [(1, 2), (2, 1)]
    assert kernel.outputs[0].groups == (1, 2)


def test_outputs_that_count_are_of_whole_numbers() -> None:
    def kinds(x: at.Tensor["m", "n"], idx: at.Integers["m"]) -> Any:
        i, j = at.axes(x)
        largest = at.argmax(x[i, j], over=j)
        return (
            at.output[i](largest, name="position"),
            at.output[i](2 * idx[i] - i, name="shifted"),
            at.output[i](at.where(x[i, 0] > 0, largest, -1), name="chosen"),
            at.output[i](largest / 2, name="half"),
            at.output[i](at.floor(x[i, 0]), name="rounded"),
            at.output[i](2 * i + 1, name="fixed"),
            at.output[i](at.max(idx[i] + 0 * j, over=j), name="reduced"),
        )

    whole = {output.name for output in at.define(kinds).outputs if output.integer}
    assert whole == {"position", "shifted", "chosen"}
