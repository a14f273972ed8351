"""Extents from shapes: products of extents, sizes that follow from others, and what does not fit."""
# mypy: disable-error-code="name-defined"

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import autotune.lang as at
from autotune.errors import DefinitionError, ShapeError
from autotune.lang import Kernel, TensorSpec, reference
from autotune.lang.shapes import infer_extents, unknown_extents


def grouped(x: at.Tensor["n", "g*c", "h"], w: at.Tensor["g*k", "c", "r"]) -> at.Output:
    n, g, c, h = at.axes(x)
    _, k, _, r = at.axes(w)
    p = at.axis("p", at.extent(h) - at.extent(r) + 1)
    return at.output[n, (g, k), p](at.sum(x[n, g, c, p + r] * w[g, k, c, r], over=(c, r)))


GROUPED = at.define(grouped)


def test_products_of_extents_are_solved_one_after_another() -> None:
    extents = GROUPED.infer_extents({"x": (2, 6, 5), "w": (8, 3, 2)})
    assert extents == {"n": 2, "g": 2, "c": 3, "h": 5, "k": 4, "r": 2}
    assert tuple(extents) == GROUPED.extent_names
    assert GROUPED.shape_of("x", extents) == (2, 2, 3, 5)
    assert GROUPED.call_shape_of("x", extents) == (2, 6, 5)
    assert GROUPED.call_shape_of("out", extents) == (2, 8, 4)
    assert GROUPED.infer_extents({"x": (2, 2, 3, 5), "w": (2, 4, 3, 2)}, split=True) == extents


sizes = st.integers(1, 5)


@given(extents=st.fixed_dictionaries(dict.fromkeys("ngckh", sizes)), data=st.data())
def test_split_and_merged_shapes_are_the_same(extents: dict[str, int], data: st.DataObject) -> None:
    """The caller's arrays are reshaped to what the body sees, its result back: a round trip that moves no element."""
    extents["r"] = data.draw(st.integers(1, extents["h"]))
    rng = np.random.default_rng(0)
    arguments = {name: rng.standard_normal(GROUPED.call_shape_of(name, extents)) for name in ("x", "w")}
    found = GROUPED.infer_extents({name: array.shape for name, array in arguments.items()})
    assert found == extents
    split = {name: array.reshape(GROUPED.shape_of(name, found)) for name, array in arguments.items()}
    for name, array in split.items():
        np.testing.assert_array_equal(array.reshape(GROUPED.call_shape_of(name, found)), arguments[name])
    out = reference.evaluate(GROUPED, split)["out"].reshape(GROUPED.call_shape_of("out", found))
    for group in range(extents["g"]):
        own = slice(group * extents["c"], (group + 1) * extents["c"])
        filters = slice(group * extents["k"], (group + 1) * extents["k"])
        windows = np.lib.stride_tricks.sliding_window_view(arguments["x"][:, own], extents["r"], axis=2)
        expected = np.einsum("nchr,kcr->nkh", windows, arguments["w"][filters])
        np.testing.assert_allclose(out[:, filters], expected, atol=1e-12)


@given(
    names=st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=3, unique=True), min_size=1, max_size=4),
    extents=st.fixed_dictionaries(dict.fromkeys("abcd", sizes)),
)
def test_extents_are_found_where_they_can_be(names: list[list[str]], extents: dict[str, int]) -> None:
    inputs = [
        TensorSpec(f"x{number}", tuple(dimension), groups=(len(dimension),)) for number, dimension in enumerate(names)
    ]
    shapes = {spec.name: (int(np.prod([extents[e] for e in spec.extents])),) for spec in inputs}
    unknown = unknown_extents(inputs)
    if unknown:
        with pytest.raises(ShapeError, match="cannot be told from"):
            infer_extents("f", inputs, shapes)
    else:
        used = {extent for dimension in names for extent in dimension}
        assert infer_extents("f", inputs, shapes) == {extent: extents[extent] for extent in used}


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (
            {"x": (2, 7, 5), "w": (8, 3, 2)},
            r"x\[n, g\*c, h\] \(dimension 2 of shape \(2, 7, 5\)\) has 7 = g\*c elements, which the other extents "
            r"\(3 together\) do not divide; g would not be a whole number",
        ),
        ({"x": (2, 0, 5), "w": (8, 0, 2)}, r"extent g cannot be told from g\*c = 0 in x\[n, g\*c, h\] \(dimension 2"),
        ({"x": (2, 6), "w": (8, 3, 2)}, r"x\[n, g\*c, h\] has 3 dimensions, not the 2 of shape \(2, 6\)"),
    ],
)
def test_products_that_do_not_fit(shapes: dict[str, tuple[int, ...]], message: str) -> None:
    with pytest.raises(ShapeError, match=f"^kernel grouped: {message}"):
        GROUPED.infer_extents(shapes)


def test_products_that_disagree() -> None:
    inputs = (TensorSpec("x", ("a", "b")), TensorSpec("y", ("a", "b"), groups=(2,)))
    with pytest.raises(
        ShapeError, match=r"extent a\*b is 6 in x\[a, b\] \(dimension 1 .*\) and x\[a, b\] .* but 5 in y"
    ):
        infer_extents("f", inputs, {"x": (2, 3), "y": (5,)})


@pytest.mark.parametrize("groups", [(1,), (1, 2), (2, 0), (3,)])
def test_groups_cover_the_extents(groups: tuple[int, ...]) -> None:
    with pytest.raises(DefinitionError, match=r"x: groups \(.*\) of extents for 2 of them; each dimension needs one"):
        TensorSpec("x", ("a", "b"), groups=groups)


def pooled(x: at.Tensor["h"]) -> at.Output:
    (h,) = at.axes(x)
    p, r = at.axis("p", (at.extent(h) - 3) // 2 + 1), at.axis("r", 3)
    q = at.axis("q", at.extent(p) // 2)
    once = at.let[p](at.sum(x[2 * p + r], over=r))
    return at.output[q](once[2 * q] - once[2 * q + 1])


def test_sizes_may_rest_on_each_other() -> None:
    kernel = at.define(pooled)
    assert kernel.complete({"h": 9}) == {"h": 9, "p": 4, "r": 3, "q": 2}
    assert kernel.extent_names == ("h",)
    x = np.arange(9.0) ** 2
    once = [x[2 * p : 2 * p + 3].sum() for p in range(4)]
    np.testing.assert_array_equal(reference.evaluate(kernel, {"x": x})["out"], [once[0] - once[1], once[2] - once[3]])
    with pytest.raises(ShapeError, match=r"kernel pooled: extent p = .* would be -1; the inputs are too small"):
        kernel.complete({"h": 0})


def test_sizes_are_whole() -> None:
    def halved(x: at.Tensor["h"]) -> at.Output:
        (h,) = at.axes(x)
        p = at.axis("p", at.extent(h) / 2)
        return at.output[p](x[2 * p])

    kernel = at.define(halved)
    assert kernel.complete({"h": 4})["p"] == 2
    with pytest.raises(
        ShapeError, match=r"kernel halved: extent p = extent\(h\) / 2 would be 5/2; write // to round down"
    ):
        kernel.complete({"h": 5})


def test_a_size_by_an_option_that_is_zero() -> None:
    def strided(x: at.Tensor["h"], *, stride: int = 1) -> at.Output:
        (h,) = at.axes(x)
        p = at.axis("p", at.extent(h) // stride)
        return at.output[p](x[stride * p])

    with pytest.raises(ShapeError, match=r"kernel strided: extent p = .* divides by zero"):
        at.define(strided, options={"stride": 0}).complete({"h": 5})


def test_an_input_may_have_an_extent_that_follows() -> None:
    """As the gradient of a result has."""
    h, p = at.Axis("h", "h"), at.axis("p", at.Extent("h") - 1)
    expr = at.Read("y", (p,)) + at.Read("x", (at.Affine(((p, 1),), 1),))
    kernel = Kernel("f", (TensorSpec("x", ("h",)), TensorSpec("y", ("p",))), (at.Output("out", (p,), expr),))
    assert kernel.infer_extents({"x": (3,), "y": (2,)}) == {"h": 3, "p": 2}
    with pytest.raises(ShapeError, match=r"kernel f: extent p = extent\(h\) - 1 is 2, but an input has 4"):
        kernel.infer_extents({"x": (3,), "y": (4,)})
    del h


def test_integers_and_several_outputs_are_in_the_signature() -> None:
    def several(x: at.Tensor["m", "n"], idx: at.Integers["t"]) -> Any:
        (i, j), (t,) = at.axes(x), at.axes(idx)
        return at.output[t, j](x[idx[t], j], name="rows"), at.output[i](at.sum(x[i, j], over=j), name="sums")

    kernel = at.define(several)
    assert kernel.signature() == "several(x[m, n], idx[t]) -> rows[t, n], sums[m]"
    assert kernel.shape_of("rows", {"m": 2, "n": 3, "t": 4}) == (4, 3)
    assert kernel.flops({"m": 2, "n": 3, "t": 4}) == 6
