"""Kernels as functions of PyTorch's tensors: values, gradients of any order, tracing, and what is refused."""
# ruff: noqa: E501  # a case a row

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.fx.experimental.proxy_tensor import make_fx

import autotune as at
from autotune.errors import AutotuneError, DeviceError, DifferentiationError, DtypeError, OptionError, ShapeError
from autotune.library import conv2d, embedding, matmul, softmax
from autotune.runtime import dispatch
from autotune.runtime.operation import Operation
from autotune.torch.tensors import array_of
from tests.bridges.cases import CASES, Case
from tests.bridges.directions import directions_run
from tests.bridges.kernels import logistic, misfit, moments
from tests.runtime.own_templates import row_means

GENERATOR = torch.Generator().manual_seed(0)
interpreted = pytest.mark.usefixtures("_interpreted")


def normal(*shape: int, dtype: torch.dtype = torch.float64, grad: bool = False) -> torch.Tensor:
    return torch.randn(shape, generator=GENERATOR, dtype=dtype).requires_grad_(grad)


def leaf(*shape: int) -> torch.Tensor:
    return normal(*shape, grad=True)


WEIGHT = torch.tensor([2, 0, -3], dtype=torch.int32)
OWN_CASES: dict[str, tuple[Callable[..., Any], tuple[torch.Tensor, ...]]] = {
    "one input needs a gradient": (at.torch.function(matmul), (normal(2, 3), leaf(3, 4))),
    "transposed": (lambda a, b: at.torch.function(matmul)(a.T, b.T), (leaf(3, 2), leaf(4, 3))),
    "several outputs and whole numbers": (lambda x: at.torch.function(moments)(x, WEIGHT)[::2], (leaf(3, 4),)),
    "one of several outputs": (lambda x: at.torch.function(moments)(x, WEIGHT)[2], (leaf(3, 4),)),
    "numbers beside tensors": (lambda rate, x: at.torch.function(logistic)(rate, x, 0.5), (leaf(), leaf(4))),
    "a loss by some inputs": (lambda *given: at.torch.function(misfit)(*given, 0.5), (leaf(3), normal(4, 3), leaf(4))),
    "embedding": (lambda table: at.torch.function(embedding)(table, torch.tensor([3, 0, 3])), (leaf(4, 2),)),
}


@interpreted
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_gradients_and_their_gradients(case: Case) -> None:
    check(at.torch.function(case.kernel, **case.options), [torch.tensor(x).requires_grad_() for x in case.arguments])


@interpreted
@pytest.mark.parametrize("case", OWN_CASES.values(), ids=OWN_CASES)
def test_gradients_by_some_inputs_and_of_some_outputs(
    case: tuple[Callable[..., Any], tuple[torch.Tensor, ...]],
) -> None:
    check(*case)


def check(function: Callable[..., Any], arguments: Sequence[torch.Tensor]) -> None:
    assert gradcheck(function, arguments)
    assert gradgradcheck(function, arguments)


@interpreted
def test_values_are_those_of_the_kernel() -> None:
    x = normal(3, 4)
    found = at.torch.function(moments)(x, weight=WEIGHT)
    assert isinstance(found, tuple)
    for got, expected in zip(found, moments(x.numpy(), WEIGHT.numpy()), strict=True):
        assert got.dtype == torch.from_numpy(expected).dtype
        np.testing.assert_array_equal(got.numpy(), expected)
    assert not found[0].requires_grad
    assert [each.requires_grad for each in at.torch.function(moments)(leaf(3, 4), WEIGHT)] == [True, False, True]


def test_generated_code_trains_as_pytorch_does() -> None:
    x, y = normal(40, 8, dtype=torch.float32), normal(40, 5, dtype=torch.float32)
    start = normal(8, 5, dtype=torch.float32)
    losses = []
    for product in (at.torch.function(matmul), torch.matmul):
        w = start.clone().requires_grad_()
        optimizer = torch.optim.SGD([w], lr=0.1)
        for _ in range(5):
            optimizer.zero_grad()
            loss = ((product(x, w) - y) ** 2).mean()
            loss.backward()
            optimizer.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


@interpreted
def test_nothing_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    x = normal(6, 5)[::2, 1:].T
    array = array_of(x.requires_grad_())
    assert array.ctypes.data == x.data_ptr()
    assert array.strides == tuple(8 * stride for stride in x.stride())
    made: list[np.ndarray] = []
    plan_empty = dispatch.Plan.empty

    def empty(plan: dispatch.Plan) -> tuple[np.ndarray, ...]:
        made.extend(plan_empty(plan))
        return tuple(made)

    monkeypatch.setattr(dispatch.Plan, "empty", empty)
    out = at.torch.function(at.TunedKernel(softmax.definition))(
        x
    )  # a kernel that was never called allocates by its plan
    assert out.data_ptr() == made[0].ctypes.data


@interpreted
def test_only_gradients_that_are_needed_are_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    run = directions_run(monkeypatch)
    product = at.torch.function(at.TunedKernel(matmul.definition))
    product(normal(2, 3), leaf(3, 4)).sum().backward()
    assert run == ["forward", "vjp:b"]
    with torch.no_grad():
        assert not product(leaf(5, 3), leaf(3, 4)).requires_grad
    assert run == ["forward", "vjp:b", "forward"]


@interpreted
def test_a_number_is_computed_with_the_gradients_that_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    run = directions_run(monkeypatch)
    slope, given = leaf(3), (normal(4, 3), normal(4), 0.5)
    loss = at.torch.function(at.TunedKernel(misfit.definition))(slope, *given)
    (3 * loss).backward(retain_graph=True)
    assert run == ["joint:slope"]
    assert slope.grad is not None
    first = slope.grad.clone()
    loss.backward()  # which adds to the gradient, and is computed again
    assert run == ["joint:slope", "vjp:slope"]
    torch.testing.assert_close(slope.grad, first * 4 / 3)
    assert at.torch.function(misfit)(slope, given[0], given[1].tolist(), 0.5) == loss  # an array is as good
    half = [value.half() for value in (slope, *given[:2])]
    with pytest.raises(DtypeError, match=r"slope is torch\.float16"):
        at.torch.function(misfit)(*half, 0.5)


@interpreted
@pytest.mark.parametrize("dynamic", [False, True])
def test_a_compiled_function_is_the_same(dynamic: bool) -> None:
    product, wave = at.torch.function(matmul), at.torch.function(moments)

    def model(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        second, largest, bent = wave(product(a.exp(), b=b), WEIGHT)
        return (second * largest).sum() + bent.cos().sum()

    compiled = torch.compile(model, fullgraph=True, backend="aot_eager", dynamic=dynamic)
    for inner in (4, 6):
        gradients = []
        for function in (compiled, model):
            a, b = torch.ones(3, inner, dtype=torch.float64).requires_grad_(), torch.linspace(0, 1, 2 * inner).double()
            b = b.reshape(inner, 2).requires_grad_()
            value = function(a, b)
            gradients.append((value, *torch.autograd.grad(value, (a, b))))
        for got, expected in zip(*gradients, strict=True):
            torch.testing.assert_close(got, expected)


@interpreted
def test_a_scalar_in_a_compiled_function() -> None:
    function = at.torch.function(logistic)
    compiled = torch.compile(lambda rate, x: function(rate, x, 0.5), fullgraph=True, backend="aot_eager")
    rate, x = leaf(), leaf(4)
    torch.testing.assert_close(compiled(rate, x), function(rate, x, 0.5))
    torch.autograd.grad(compiled(rate, x).sum(), (rate, x))


@interpreted
def test_tracers_see_an_operator() -> None:
    function = at.torch.function(matmul)
    a, b = leaf(2, 3), normal(3, 4)
    name = Operation(matmul).identifier
    traced = make_fx(lambda a, b: torch.autograd.grad(function(a, b).sum(), a)[0])(a, b)
    called = [node.target for node in traced.graph.nodes if "autotune" in str(node.target)]
    assert [str(target).split(".")[1] for target in called] == [name, Operation(matmul, "vjp:a").identifier]
    assert torch.library.opcheck(getattr(torch.ops.autotune, name).default, (a, b), test_utils="test_schema")
    assert torch.library.opcheck(getattr(torch.ops.autotune, name).default, (a, b), test_utils="test_faketensor")


@interpreted
def test_transformations_of_functions() -> None:
    function = at.torch.function(matmul)
    a, b = normal(5, 2, 3), normal(3, 4)
    torch.testing.assert_close(torch.func.vmap(function, in_dims=(0, None))(a, b), a @ b)
    each = torch.func.vmap(torch.func.grad(lambda a, b: function(a, b).sin().sum()), in_dims=(0, None))
    torch.testing.assert_close(each(a, b), (a @ b).cos() @ b.T)
    jacobian = torch.func.jacrev(lambda a: at.torch.function(moments)(a, WEIGHT)[0])(normal(3, 4))
    assert jacobian.shape == (3, 3, 4)


BAD = {
    "another device": (DeviceError, r"matmul: a is on meta.*\.cpu\(\)", lambda f: f(normal(2, 3).to("meta"), normal(3, 4))),
    "half": (DtypeError, r"matmul: a is torch.bfloat16.*\.float\(\)", lambda f: f(normal(2, 3).bfloat16(), normal(3, 4))),
    "mixed": (DtypeError, r"b is torch.float32 and another torch.float64.*\.to", lambda f: f(normal(2, 3), normal(3, 4).float())),
    "complex": (DtypeError, r"a is torch.complex64", lambda f: f(torch.ones(2, 3, dtype=torch.complex64), normal(3, 4))),
    "sparse": (DtypeError, r"a has the layout torch.sparse_coo.*\.to_dense\(\)", lambda f: f(normal(2, 3).to_sparse(), normal(3, 4))),
    "rank": (ShapeError, r"a\[m, k\] has 2 dimensions, not the 1", lambda f: f(normal(3), normal(3, 4))),
    "sizes": (ShapeError, r"extent k is 3 in a.* but 4 in b", lambda f: f(normal(2, 3), normal(4, 3))),
    "too few": (TypeError, r"matmul\(\) takes the inputs a, b", lambda f: f(normal(2, 3))),
    "unknown": (TypeError, r"1 by position, c=", lambda f: f(normal(2, 3), c=normal(3, 4))),
    "twice": (TypeError, r"each once", lambda f: f(normal(2, 3), normal(3, 4), a=normal(2, 3))),
    "no whole numbers": (DtypeError, r"idx holds whole numbers.*\.long\(\)", lambda _: at.torch.function(embedding)(normal(2, 3), normal(4))),
    "no number": (ShapeError, r"rate must be a number or a tensor of rank 0", lambda _: at.torch.function(logistic)(normal(2), normal(4), 0.5)),
    "a list": (DtypeError, r"x must be a tensor, not str", lambda _: at.torch.function(softmax)("x")),
    "option": (OptionError, r"no option 'strides'", lambda _: at.torch.function(conv2d, strides=2)),
}  # fmt: skip


@interpreted
@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_what_does_not_fit_is_refused(bad: tuple[type[Exception], str, Callable[[Any], Any]]) -> None:
    kind, text, call = bad
    with pytest.raises(kind, match=text) as caught:
        call(at.torch.function(matmul))
    assert isinstance(caught.value, AutotuneError | TypeError)


@interpreted
def test_a_kernel_without_derivatives_says_so_when_one_is_needed() -> None:
    out = at.torch.function(row_means)(leaf(2, 3), 1.0)
    with pytest.raises(DifferentiationError, match="defined by a function of arrays"):
        out.sum().backward()


@interpreted
def test_the_plain_function_sends_to_this_one() -> None:
    with pytest.raises(DifferentiationError, match=r"matmul: a requires a gradient.*at\.torch\.function\(matmul\)"):
        matmul(leaf(2, 3), normal(3, 4))
    with pytest.raises(DifferentiationError, match=r"rate requires a gradient"):
        logistic(leaf(), normal(3), 1.0)
    with pytest.raises(DeviceError, match=r"a is on meta"):
        matmul(normal(2, 3).to("meta"), normal(3, 4))
