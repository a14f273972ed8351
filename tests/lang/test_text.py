"""The canonical text: readable, the same for equal definitions, another for others."""
# mypy: disable-error-code="name-defined"

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given, settings

import autotune.lang as at
from autotune.lang import Axis, Kernel, Output, Read, Reduce, Reindex, Scan, Scatter, TensorSpec
from autotune.lang.text import canonical
from tests.lang.strategies import Case, cases

I, J = Axis("i", "m"), Axis("j", "n")  # noqa: E741  # the usual names
X, IDX = Read("x", (I, J)), Read("idx", (J,), integer=True)


def everything(x: at.Tensor["m", "n"], idx: at.Integers["n"], table: at.Tensor["v"], a: at.Scalar) -> Any:
    i, j = at.axes(x)
    p, r = at.axis("p", at.extent(j) - 2), at.axis("r", 3)
    row = at.let[j](at.exp(x[i, j]))
    s, u = at.scan(lambda s, u: (a * s + x[i, j], at.maximum(u, s)), (0.0, -1.0), over=j, reverse=True)
    return (
        at.output[i, p](at.sum(x[i, p + r] * x.pad(-1)[i, 2 * p - r], over=r), name="window"),
        at.output[j, i](row[j] - row.pad(0)[j - 1], name="differences"),
        at.output[j](table[idx[j] + 1], name="looked_up"),
        at.output[i](at.argmax(x[i, j], over=j), name="place"),
        at.output[i, j](s * u, name="running"),
        at.output[i](at.first(u, over=j), name="end"),
    )


def test_every_construct_is_printed() -> None:
    assert at.define(everything).definition() == "\n".join(
        [
            "t1[m, n] = exp(x[m, n])",
            "t2[m, n] = a * s + x[m, n]",
            "t3[m] = maximum(u, s)",
            "t4[m, n] = scan[-n](s = 0 -> t2[m, n]; u = -1 -> t3[m]).u",
            "window[m, p] = sum[r](x[m, p + r] * x.pad(-1)[m, 2*p - r])",
            "differences[n, m] = t1[m, n] - (t1[m, n]).pad(0)[n: n - 1]",
            "looked_up[n] = table[idx[n] + 1]",
            "place[m] = argmax[n](x[m, n])",
            "running[m, n] = scan[-n](s = 0 -> t2[m, n]; u = -1 -> t3[m]).s * t4[m, n]",
            "end[m] = (t4[m, n])[n: 0]",
        ]
    )
    kernel = at.define(everything)
    lines = canonical(kernel.inputs, kernel.outputs).split("\n")
    assert lines[:12] == [
        "tensor x[m, n]",
        "integers idx[n]",
        "tensor table[v]",
        "scalar a",
        "output window[m, p]",
        "output differences[n, m]",
        "output looked_up[n]",
        "integer output place[m]",
        "output running[m, n]",
        "output end[m]",
        "extent p = extent(n) - 2",
        "extent r = 3",
    ]


def kernel_of(expr: at.Expr, *axes: Axis) -> Kernel:
    inputs = (
        TensorSpec("x", ("m", "n")),
        TensorSpec("idx", ("n",), integer=True),
        TensorSpec("y", ("m",)),
        TensorSpec("z", ("n",)),
    )
    return Kernel("f", inputs, (Output("out", axes or expr.axes, expr),), "vjp:x")


def scan(which: int = 0, *, reverse: bool = False, start: float = 0.0) -> Scan:
    s, u = at.Carry("s", (I,)), at.Carry("u", (I,))
    return Scan(J, (s, u), (at.Constant(start), at.Constant(1)), (s + u, s * X), which, reverse)


def windowed(extent: str) -> Reduce:
    r = Axis("r", extent)
    return Reduce("sum", Read("y", (at.Affine.total([(I, 1), (r, 1)], 0),), 0.0), (r,))


def nested(first: str, second: str) -> Reduce:
    """Two axes of one name, each over its own extent."""
    inner, outer = Axis("r", first), Axis("r", second)
    total = Reduce("sum", Read("y", (at.Affine(((inner, 2),)),), 0.0), (inner,))
    return Reduce("sum", Read("y", (at.Affine(((outer, 3),)),), 0.0) * total, (outer,))


V = Axis("v", "m")
SIMILAR: list[at.Expr] = [
    scan(),
    scan(1),
    scan(reverse=True),
    scan(start=1.0),
    Reindex(X, (J,), (at.Affine(((J, 1),), 1),), 0.0),
    Reindex(X, (J,), (at.Affine(((J, 1),), 1),), 1.0),
    Reindex(X, (I,), (at.Affine(((J, 1),), 1),), 0.0),
    Reindex(X, (J,), (at.Affine(((J, 1),), -1),), 0.0),
    Scatter(X, (J,), (V,), (IDX,)),
    Scatter(X, (J,), (V,), (IDX,), strict=True),
    Scatter(X, (J,), (V,), (IDX + 1,)),
    Scatter(X, (I, J), (V,), (IDX,)),
    windowed("m"),
    windowed("n"),
    nested("m", "n"),
    nested("n", "m"),
    nested("n", "n"),
    nested("m", "m"),
    Reduce("max", X, (J,)),
    Reduce("first_max", X, (J,)),
    Reduce("argmax", X, (I, J)),
    Reduce("argmax", X, (J, I)),
]


def test_different_definitions_have_different_texts() -> None:
    texts = {kernel_of(expr).digest for expr in SIMILAR}
    assert len(texts) == len(SIMILAR)


@pytest.mark.parametrize("expr", SIMILAR, ids=str)
def test_equal_definitions_have_equal_texts(expr: at.Expr) -> None:
    again = type(expr)(*(getattr(expr, field.name) for field in fields(expr)))
    assert again is not expr
    assert kernel_of(again) == kernel_of(expr)
    assert kernel_of(again).digest == kernel_of(expr).digest


@given(case=cases(), other=cases())
@settings(deadline=None, max_examples=50)
def test_texts_are_equal_where_definitions_are(case: Case, other: Case) -> None:
    assert (case.kernel.digest == other.kernel.digest) == (case.kernel == other.kernel)


def test_groups_are_in_the_text() -> None:
    def merged(x: at.Tensor["a*b", "b"]) -> at.Output:
        a, b, c = at.axes(x)
        return at.output[(a, b), c](x[a, b, c])

    def apart(x: at.Tensor["a", "b", "b"]) -> at.Output:
        a, b, c = at.axes(x)
        return at.output[a, b, c](x[a, b, c])

    assert at.define(merged, "f").digest != at.define(apart, "f").digest
    assert at.define(merged).definition() == "out[(a, b), b_2] = x[a, b, b_2]"


def test_a_step_that_uses_its_parts_twice_is_printed_in_linear_length() -> None:
    def doubling(x: at.Tensor["t"]) -> at.Output:
        (t,) = at.axes(x)

        def step(s: at.Expr) -> at.Expr:
            for _ in range(40):
                s = s * s + x[t]
            return s

        return at.output[t](at.scan(step, 0.0, over=t))

    assert len(at.define(doubling).definition()) < 4000
