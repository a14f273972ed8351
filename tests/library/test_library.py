"""The library as a whole: its names, what its docstrings say, and that every kernel is put through the gates."""

import re
from importlib import import_module
from pathlib import Path

import pytest

import autotune as at
from autotune import library
from autotune.autodiff import gradient_inputs
from tests.library.gates import Gates

NAMES = (
    "matmul", "linear_gelu", "conv2d", "depthwise_conv2d", "max_pool2d", "avg_pool2d", "softmax", "log_softmax",
    "logsumexp", "layer_norm", "rms_norm", "cross_entropy", "attention", "embedding", "black_scholes",
    "asian_option", "nbody", "radon", "total_variation_step", "pk_two_compartment", "cox_partial_likelihood",
    "sinkhorn_step", "batch_matmul",
)  # fmt: skip


def test_names() -> None:
    assert sorted(NAMES) == library.__all__


@pytest.mark.parametrize("name", NAMES)
def test_a_docstring_says_what_is_computed_of_what_and_by_whom(name: str) -> None:
    kernel: at.TunedKernel = getattr(library, name)
    text = kernel.definition.doc
    assert re.search(r"[Ss]hapes: ", text)
    assert re.search(r"[Uu]nits|nats", text)
    assert re.search(r"Gradients?|Greeks", text)
    assert name == "batch_matmul" or re.search(r"\b(18|19|20)\d\d\b", text), "no source"
    for spec in kernel.definition.inputs:
        assert re.search(rf"\b{spec.name}\b", text.replace("ā", "a")), f"{spec.name} is not mentioned"


def test_every_kernel_has_every_gradient() -> None:
    for name in NAMES:
        kernel: at.TunedKernel = getattr(library, name)
        expected = {"forward", "jvp", *(f"vjp:{wrt}" for wrt in gradient_inputs(kernel.definition))}
        assert set(kernel.directions) == expected


def test_every_kernel_goes_through_the_gates() -> None:
    modules = [import_module(f"tests.library.{path.stem}") for path in Path(__file__).parent.glob("test_*.py")]
    classes = [value for module in modules for value in vars(module).values() if isinstance(value, type)]
    tables = [kind.cases for kind in classes if issubclass(kind, Gates) and kind is not Gates]
    assert {case.kernel.__name__ for cases in tables for case in cases} == set(NAMES)
    assert {case.kernel.__name__ for cases in tables for case in cases if case.compiled} == set(NAMES)
