"""Kernels: validation, digest, shapes, flops, text."""

import pickle
import subprocess
import sys
from dataclasses import replace

import pytest

from autotune import lang as at
from autotune.errors import DefinitionError, ShapeError
from autotune.lang import (
    Affine,
    Axis,
    Carry,
    Constant,
    Expr,
    Extent,
    Kernel,
    Output,
    Parameter,
    Read,
    Reduce,
    Reindex,
    ScalarSpec,
    Scan,
    Scatter,
    TensorSpec,
    exp,
    tanh,
)
from autotune.lang.constructs import Linearized

I, J, K = Axis("i", "m"), Axis("j", "n"), Axis("k", "k")  # noqa: E741  # the usual names
A, B = TensorSpec("a", ("m", "k")), TensorSpec("b", ("k", "n"))
PRODUCT = Reduce("sum", Read("a", (I, K)) * Read("b", (K, J)), (K,))
MATMUL = Kernel("matmul", (A, B), (Output("out", (I, J), PRODUCT),))
DIGEST = "37ff50df338c10fca53f22482bb025db32d8d76272b7135ca77fecff1ffed12a"


def test_text() -> None:
    assert MATMUL.signature() == "matmul(a[m, k], b[k, n]) -> out[m, n]"
    assert MATMUL.definition() == "out[i, j] = sum[k](a[i, k] * b[k, j])"
    assert str(MATMUL) == f"forward {MATMUL.signature()}\n{MATMUL.definition()}"
    assert repr(MATMUL) == f"<Kernel forward {MATMUL.signature()}>"


def test_shared_subexpressions_are_printed_once() -> None:
    row = exp(Read("a", (I, K)))
    kernel = Kernel("softmax", (A,), (Output("out", (I, K), row / Reduce("sum", row, (K,))),))
    assert kernel.definition() == "t1[i, k] = exp(a[i, k])\nout[i, k] = t1[i, k] / sum[k](t1[i, k])"


def test_names_of_shared_subexpressions_avoid_inputs() -> None:
    read = tanh(Read("t1", (I,)))
    kernel = Kernel("square", (TensorSpec("t1", ("m",)),), (Output("out", (I,), read * read),))
    assert kernel.definition() == "t1_2[i] = tanh(t1[i])\nout[i] = t1_2[i] * t1_2[i]"


def test_digest_is_that_of_earlier_versions() -> None:
    """Databases are keyed by it: where this test fails, old records are lost."""
    assert MATMUL.digest == DIGEST


def test_digest_leaves_out_name_and_direction() -> None:
    assert replace(MATMUL, name="product", direction="vjp:c", doc="text").digest == MATMUL.digest


def test_digest_tells_definitions_apart() -> None:
    kinds = [
        MATMUL,
        replace(MATMUL, inputs=(B, A)),
        replace(MATMUL, outputs=(Output("out", (J, I), PRODUCT),)),
        replace(MATMUL, outputs=(Output("result", (I, J), PRODUCT),)),
        replace(MATMUL, outputs=(Output("out", (I, J), 1 * PRODUCT),)),
    ]
    assert len({kernel.digest for kernel in kinds}) == len(kinds)


def test_digest_tells_a_scalar_from_a_rank_zero_tensor() -> None:
    (axis,) = (Axis("i", "m"),)
    x = TensorSpec("x", ("m",))
    scalar = Kernel("f", (x, ScalarSpec("s")), (Output("out", (axis,), Read("x", (axis,)) * Parameter("s")),))
    tensor = Kernel("f", (x, TensorSpec("s", ())), (Output("out", (axis,), Read("x", (axis,)) * Read("s", ())),))
    assert scalar.digest != tensor.digest


def test_digest_and_pickle_cross_processes() -> None:
    code = (
        "import pickle, sys; kernel = pickle.load(sys.stdin.buffer); print(kernel.digest, hash(kernel) == hash(kernel))"
    )
    done = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(MATMUL), capture_output=True, check=True)
    assert done.stdout.decode().split() == [MATMUL.digest, "True"]
    assert pickle.loads(pickle.dumps(MATMUL)) == MATMUL


def test_shapes() -> None:
    extents = MATMUL.infer_extents({"a": (2, 3), "b": (3, 5)})
    assert extents == {"m": 2, "k": 3, "n": 5}
    assert MATMUL.extent_names == ("m", "k", "n")
    assert MATMUL.shape_of("out", extents) == (2, 5)
    assert MATMUL.shape_of("b", extents) == (3, 5)
    with pytest.raises(DefinitionError, match=r"kernel matmul has no input 'c'; the inputs are a\[m, k\], b\[k, n\]"):
        MATMUL.shape_of("c", extents)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (
            {"a": (2, 3), "b": (4, 5)},
            r"extent k is 3 in a\[m, k\] \(dimension 2 of shape \(2, 3\)\) but 4 in b\[k, n\] \(dimension 1 of shape",
        ),
        ({"a": (2, 3, 1), "b": (3, 5)}, r"a\[m, k\] has 2 dimensions, not the 3 of shape \(2, 3, 1\)"),
        ({"a": (2, 3)}, r"b is missing; the inputs are a\[m, k\], b\[k, n\]"),
        ({"a": (2, 3), "b": (3, 5), "c": ()}, r"c is not an input; the inputs are"),
    ],
)
def test_shapes_that_do_not_fit(shapes: dict[str, tuple[int, ...]], message: str) -> None:
    with pytest.raises(ShapeError, match=f"^kernel matmul: {message}"):
        MATMUL.infer_extents(shapes)


def test_scalars_have_no_shape() -> None:
    kernel = Kernel("scale", (A, ScalarSpec("s")), (Output("out", (I, K), Parameter("s") * Read("a", (I, K))),))
    assert kernel.infer_extents({"a": (2, 3)}) == kernel.infer_extents({"a": (2, 3), "s": ()}) == {"m": 2, "k": 3}
    assert kernel.shape_of("s", {"m": 2, "k": 3}) == ()
    with pytest.raises(ShapeError, match=r"s has 0 dimensions, not the 1 of shape \(2,\)"):
        kernel.infer_extents({"a": (2, 3), "s": (2,)})


EXTENTS = {"m": 2, "k": 3, "n": 5}
THREE = Read("a", (I, K)) * Read("b", (K, J)) * Parameter("s")


AT = Axis("at", "k")
C, D = Carry("c", (I,)), Carry("d", (I,))
SCAN = Scan(K, (C, D), (Constant(0), Constant(1)), (C + exp(Read("a", (I, K))), D * C))


@pytest.mark.parametrize(
    ("expr", "flops"),
    [
        (PRODUCT, 2 * 2 * 3 * 5),
        (tanh(PRODUCT), 2 * 2 * 3 * 5 + 2 * 5),
        (tanh(PRODUCT) * PRODUCT, 2 * 2 * 3 * 5 + 2 * 2 * 5),
        (Reduce("sum", THREE, (K,)), 3 * 2 * 3 * 5),
        (Reduce("sum", Read("a", (I, K)), (K,)), 2 * 3),
        (Reduce("sum", exp(Read("a", (I, K))) * Read("b", (K, J)), (K,)), 2 * 2 * 3 * 5 + 2 * 3),
        (Read("a", (I, K)), 0),
        (Read("a", (I, K)) * Extent("n"), 2 * 3),
        (Read("a", (I, Affine.total([(J, 1), (K, 2)], 0)), 0.0) * Read("b", (K, J)), 2 * 3 * 5),
        (Read("b", (at.floor(Read("a", (I, K)) * 3), J), 0.0) + 1, 2 * 3 * 5),  # an index costs nothing
        (Reduce("argmax", tanh(Read("a", (I, K))), (K,)), 2 * 3 + 2 * 3),
        (Reindex(tanh(Read("a", (I, K))), (K,), (Affine((), 0),)), 2 * 3),
        (Scatter(Read("a", (I, K)) * Read("b", (K, J)), (K,), (AT,), (K,)), 2 * 2 * 3 * 5),
        (SCAN, 3 * 2 * 3),  # a function of an input, a sum and a product at each step
        (SCAN + SCAN.result(1), 3 * 2 * 3 + 2 * 3),  # the steps of both values are the same
        (Linearized(exp(Read("a", (I, K))), (Read("a", (I, K)),), (tanh(Read("a", (I, K))),)), 2 * 3),
    ],
)
def test_flops(expr: Expr, flops: int) -> None:
    # Of a derived direction, whose inputs need not all be read.
    kernel = Kernel("f", (A, B, ScalarSpec("s")), (Output("out", expr.axes, expr),), direction="vjp:c")
    assert kernel.flops(EXTENTS) == flops


@pytest.mark.parametrize(
    ("inputs", "output", "message"),
    [
        (
            (A,),
            Output("out", (I, J), PRODUCT),
            r"b\[k, j\] reads b, which is not a tensor input; the inputs are a\[m, k\]",
        ),
        ((A, TensorSpec("b", ("k", "m"))), Output("out", (I, J), PRODUCT), r"dimension 2 of b\[k, m\] ranges over m"),
        ((A,), Output("out", (I, K), Read("a", (I, K)) * Parameter("s")), r"s is not a scalar input; the inputs are"),
        ((A,), Output("out", (I, K), Read("a", (I, K)) * Extent("p")), r"extent p is not known"),
        ((A, A), Output("out", (I, K), Read("a", (I, K))), r"two inputs or outputs are called a"),
        ((A, B), Output("a", (I, J), PRODUCT), r"two inputs or outputs are called a"),
    ],
)
def test_kernels_validate_themselves(inputs: tuple[TensorSpec, ...], output: Output, message: str) -> None:
    with pytest.raises(DefinitionError, match=f"^kernel f: .*{message}"):
        Kernel("f", inputs, (output,))


def test_an_output_has_each_axis_once() -> None:
    with pytest.raises(DefinitionError, match=r"axis i stands twice in output\[i, i\]; give each dimension its own"):
        Output("out", (I, I), Parameter("s"))


def test_an_output_is_needed() -> None:
    with pytest.raises(DefinitionError, match=r"kernel f: there is no output; return output\[i, j\]"):
        Kernel("f", (A,), ())


def test_names_of_kernels_are_identifiers() -> None:
    with pytest.raises(DefinitionError, match="'my kernel' cannot name a kernel"):
        replace(MATMUL, name="my kernel")
