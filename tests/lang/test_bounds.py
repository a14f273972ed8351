"""Affine indices that lead outside are refused: at definition where they always do, else for those extents."""
# mypy: disable-error-code="name-defined"

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import autotune.lang as at
from autotune.errors import DefinitionError, ShapeError
from autotune.lang import Affine, Axis, Kernel, Output, Read, TensorSpec, reference
from autotune.lang.bounds import accesses, check_concrete, check_symbolic

I = Axis("i", "m")  # noqa: E741  # the usual name


def shifted_up(a: at.Tensor["m"]) -> Any:
    return at.output[I](a[I + 1])


def shifted_down(a: at.Tensor["m"]) -> Any:
    return at.output[I](a[I - 1])


def negative(a: at.Tensor["m"]) -> Any:
    return at.output[()](a[-1])


def past_the_end(a: at.Tensor["m"]) -> Any:
    return at.output[I](a[at.extent(I)] + a[I])


def mirrored_off_by_one(a: at.Tensor["m"]) -> Any:
    return at.output[I](a[at.extent(I) - I])


def one_window_too_many(a: at.Tensor["m"], w: at.Tensor["r"]) -> Any:
    (r,) = at.axes(w)
    p = at.axis("p", at.extent(I) - at.extent(r) + 2)
    return at.output[p](at.sum(a[p + r] * w[r], over=r))


def shifted_intermediate(a: at.Tensor["m"]) -> Any:
    return at.output[I](at.let[I](2 * a[I])[I + 1])


ALWAYS: list[tuple[Callable[..., Any], str]] = [
    (
        shifted_up,
        r"a\[i \+ 1\], dimension 1: the index i \+ 1 goes from 1 to extent\(m\), outside the extent m at its end",
    ),
    (shifted_down, r"the index i - 1 goes from -1 to extent\(m\) - 2, outside the extent m at its beginning"),
    (negative, r"a\[-1\], dimension 1: the index -1 is -1, outside .*; the first index is 0, the last extent\(…\) - 1"),
    (past_the_end, r"the index extent\(m\) is extent\(m\), outside the extent m at its end, however large it is"),
    (mirrored_off_by_one, r"the index -i \+ extent\(m\) goes from 1 to extent\(m\), outside the extent m at its end"),
    (one_window_too_many, r"the index p \+ r goes from 0 to extent\(m\), outside .* use an axis with fewer indices"),
    (
        shifted_intermediate,
        r"the intermediate 2 \* a\[i\] over i, dimension 1: the index i \+ 1 goes .* with .pad\(…\)",
    ),
]


@pytest.mark.parametrize(("function", "message"), ALWAYS, ids=lambda case: getattr(case, "__name__", ""))
def test_what_leads_outside_for_all_extents_is_refused_at_definition(
    function: Callable[..., Any], message: str
) -> None:
    with pytest.raises(DefinitionError, match=f"^kernel {function.__name__}: .*{message}"):
        at.define(function)


def windows(x: at.Tensor["h"], w: at.Tensor["r"]) -> at.Output:
    (h,), (r,) = at.axes(x), at.axes(w)
    p = at.axis("p", at.extent(h) - at.extent(r) + 1)
    return at.output[p](at.sum(x[p + r] * w[r], over=r))


def test_windows_of_the_right_number_are_inside() -> None:
    kernel = at.define(windows)
    assert kernel.complete({"h": 5, "r": 2}) == {"h": 5, "r": 2, "p": 4}
    got = reference.evaluate(kernel, {"x": np.arange(5.0), "w": np.array([1.0, -1.0])})["out"]
    np.testing.assert_array_equal(got, [-1] * 4)
    with pytest.raises(
        ShapeError, match=r"kernel windows: extent p = extent\(h\) - extent\(r\) \+ 1 would be -1; the inp"
    ):
        kernel.infer_extents({"x": (2,), "w": (4,)})


def strided(x: at.Tensor["h"], like: at.Tensor["p"]) -> at.Output:
    (p,) = at.axes(like)
    return at.output[p](x[2 * p + 1] + like[p])


def test_what_leads_outside_for_some_extents_is_refused_for_these() -> None:
    kernel = at.define(strided)
    kernel.infer_extents({"x": (6,), "like": (3,)})
    message = (
        r"kernel strided: x\[2\*p \+ 1\], dimension 1: the index 2\*p \+ 1 goes from 1 to 5, outside the extent h = 5 "
        r"\(0 to 4\); use an axis with fewer indices, such as axis\('p', extent\(…\) - …\), or say what is outside"
    )
    for call in (
        lambda: kernel.infer_extents({"x": (5,), "like": (3,)}),
        lambda: kernel.complete({"h": 5, "p": 3}),
        lambda: kernel.shape_of("out", {"h": 5, "p": 3}),
        lambda: reference.evaluate(kernel, {"x": np.ones(5), "like": np.ones(3)}),
    ):
        with pytest.raises(ShapeError, match=message):
            call()


def test_an_empty_axis_leads_nowhere() -> None:
    kernel = at.define(strided)
    assert kernel.infer_extents({"x": (0,), "like": (0,)}) == {"h": 0, "p": 0}
    assert reference.evaluate(kernel, {"x": np.ones(0), "like": np.ones(0)})["out"].shape == (0,)


def test_the_last_of_nothing_is_refused() -> None:
    def ending(x: at.Tensor["n", "t"]) -> at.Output:
        n, t = at.axes(x)
        return at.output[n](at.last(at.scan(lambda s: s + x[n, t], 0.0, over=t), over=t))

    kernel = at.define(ending)
    kernel.infer_extents({"x": (2, 1)})
    kernel.infer_extents({"x": (0, 0)})
    with pytest.raises(
        ShapeError, match=r"kernel ending: the intermediate scan.*the index extent\(t\) - 1 is -1, outside"
    ):
        kernel.infer_extents({"x": (2, 0)})


def test_padding_and_indices_of_data_need_no_proof() -> None:
    def anywhere(x: at.Tensor["h"], idx: at.Integers["h"]) -> at.Output:
        (i,) = at.axes(x)
        return at.output[i](x.pad(0)[3 * i - 5] + x[idx[i] + 1])

    assert at.define(anywhere).infer_extents({"x": (4,), "idx": (4,)}) == {"h": 4}


affines = st.builds(
    lambda numbers, offset: Affine.total(
        zip((Axis("i", "m"), Axis("j", "n"), "m", "k"), numbers, strict=True), offset
    ).simplest(),
    st.tuples(*[st.integers(-2, 2)] * 4),
    st.integers(-4, 4),
)


@given(index=affines, extents=st.fixed_dictionaries({name: st.integers(1, 4) for name in "mnk"}))
@settings(max_examples=300)
def test_proofs_are_exact(index: Any, extents: dict[str, int]) -> None:
    """An index is refused for extents exactly if some element is outside, and at definition only if for all extents."""
    assume(not isinstance(index, Axis))  # one over another extent is refused wherever it leads
    i, j = Axis("i", "m"), Axis("j", "n")
    inputs = (TensorSpec("x", ("k",)), TensorSpec("like", ("m", "n")))
    output = Output("out", (i, j), Read("like", (i, j)) + Read("x", (index,)))
    found = accesses(inputs, (output,))
    values = [
        Affine.of(index).offset
        + sum(
            number * ({i: p, j: q}[term] if isinstance(term, Axis) else extents[term])
            for term, number in Affine.of(index).terms
        )
        for p, q in product(range(extents["m"]), range(extents["n"]))
    ]
    outside = any(not 0 <= value < extents["k"] for value in values)
    try:
        check_symbolic(found, {})
    except DefinitionError:
        assert outside
    if outside:
        with pytest.raises(ShapeError):
            check_concrete("f", found, extents)
    else:
        check_concrete("f", found, extents)
        Kernel("f", inputs, (output,)).complete(extents)


def test_messages_stay_short() -> None:
    """An intermediate of 2^40 operations as a tree, of 40 as it is."""

    def doubled(x: at.Tensor["n"]) -> at.Output:
        (i,) = at.axes(x)
        y: at.Expr = x[i]
        for _ in range(40):
            y = y * y + 1
        return at.output[i](at.let[i](y)[i + 1])

    with pytest.raises(DefinitionError, match=r"the intermediate \(…\[n\] \* …\[n\] \+ 1\).* over n, dim") as caught:
        at.define(doubled)
    assert len(str(caught.value)) < 400
