"""One more axis: a batched kernel is the kernel for each index of the batch."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from autotune import lang as at
from autotune.autodiff import derive, gradient_inputs
from autotune.errors import DefinitionError
from autotune.lang import Kernel
from autotune.lang.batching import batched
from autotune.lang.reference import evaluate
from autotune.library import (
    asian_option,
    attention,
    conv2d,
    cross_entropy,
    embedding,
    layer_norm,
    matmul,
    pk_two_compartment,
    softmax,
)
from tests.kernels import scores

RNG = np.random.default_rng(0)
COUNT = 3


@at.define
def decayed(x: at.Tensor["n"], decay: at.Scalar, start: at.Tensor["m"]):
    (i,), (j,) = at.axes(x), at.axes(start)
    return at.output[j, i](at.scan(lambda total: decay * total + x[i], start[j], over=i))


CASES: dict[str, tuple[Kernel, dict[str, int]]] = {
    "matmul": (matmul.definition, {"m": 2, "k": 3, "n": 4}),
    "scalar": (at.define(scores), {"b": 1, "t": 2, "h": 2, "d": 3, "s": 4}),
    "window": (conv2d.specialized(stride=2, padding=1).definition, {}),
    "softmax": (softmax.definition, {"rows": 2, "cols": 5}),
    "layer norm": (layer_norm.definition, {"rows": 2, "cols": 5}),
    "attention": (attention.specialized(causal=True).definition, {"b": 1, "h": 2, "t": 3, "d": 2, "s": 4, "e": 3}),
    "embedding": (embedding.definition, {"v": 4, "d": 2, "t": 5}),
    "scattered gradient": (derive(embedding.definition, "vjp:table"), {"v": 4, "d": 2, "t": 5}),
    "cross entropy": (cross_entropy.definition, {"b": 3, "v": 4}),
    "scan": (decayed, {"n": 5, "m": 2}),
    "scan and scalars": (asian_option.definition, {"paths": 3, "steps": 4}),
}


def drawn(kernel: Kernel, extents: dict[str, int], mapped: frozenset[str]) -> dict[str, np.ndarray]:
    values = {}
    for spec in kernel.inputs:
        shape = ((COUNT,) if spec.name in mapped else ()) + kernel.shape_of(spec.name, extents)
        whole = getattr(spec, "integer", False)
        values[spec.name] = RNG.integers(0, 4, shape) if whole else RNG.uniform(0.5, 1.5, shape)
    return values


def shared_ones(kernel: Kernel) -> list[frozenset[str]]:
    """All inputs mapped, and all but one."""
    names = frozenset(spec.name for spec in kernel.inputs)
    return [names, *(names - {name} for name in names if len(names) > 1)]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_is_the_kernel_for_each_index(case: tuple[Kernel, dict[str, int]]) -> None:
    kernel, extents = case
    if not extents:
        extents = kernel.infer_extents({"x": (1, 4, 5, 6), "w": (3, 4, 2, 3)})
    for mapped in shared_ones(kernel):
        many = batched(kernel, sorted(mapped))
        values = drawn(kernel, extents, mapped)
        found = evaluate(many, values)
        assert [spec.name for spec in many.inputs] == [spec.name for spec in kernel.inputs]
        for index in range(COUNT):
            one = {name: value[index] if name in mapped else value for name, value in values.items()}
            for name, expected in evaluate(kernel, one).items():
                np.testing.assert_allclose(found[name][index], expected, rtol=1e-12)


def test_gradients_of_shared_inputs_are_summed_and_others_are_apart() -> None:
    many = batched(matmul.definition, ["a"])
    assert gradient_inputs(many) == ("a", "b")
    a, b, bar = RNG.standard_normal((3, 2, 4)), RNG.standard_normal((4, 5)), RNG.standard_normal((3, 2, 5))
    values = {"a": a, "b": b, "out_bar": bar}
    for name, expected in (("a", bar @ b.T), ("b", np.einsum("bmk,bmn->kn", a, bar))):
        derived = derive(many, f"vjp:{name}")
        (found,) = evaluate(derived, {spec.name: values[spec.name] for spec in derived.inputs}).values()
        np.testing.assert_allclose(found, expected)


def test_twice() -> None:
    many = batched(batched(matmul.definition, ["a"]), ["b"])
    a, b = RNG.standard_normal((3, 2, 4)), RNG.standard_normal((6, 4, 5))
    (found,) = evaluate(many, {"a": a, "b": b}).values()
    np.testing.assert_allclose(found, a @ b[:, None])
    assert many.signature() == "batched_batched_matmul(a[batch, m, k], b[batch_2, k, n]) -> out[batch_2, batch, m, n]"


def test_a_batch_of_a_system_of_recurrences() -> None:
    kernel = pk_two_compartment.definition
    names = [spec.name for spec in kernel.inputs]
    many = batched(kernel, names)
    assert all(output.axes[0].extent == "batch" for output in many.outputs)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: batched(matmul.definition, []), "no input is batched"),
        (lambda: batched(matmul.definition, ["c"]), "has no input 'c'"),
    ],
)
def test_what_cannot_be(call: Callable[[], Any], text: str) -> None:
    with pytest.raises(DefinitionError, match=text):
        call()
