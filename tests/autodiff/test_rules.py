"""The table of derivatives against the complex step or a difference quotient, and the conventions at kinks."""

import numpy as np
import pytest

from autotune.autodiff import RULES
from autotune.autodiff.rules import partials
from autotune.errors import DifferentiationError
from autotune.lang import FUNCTIONS, Apply, Axis, Constant, Expr, Kernel, Output, Read, TensorSpec, reference

X, Y, Z = (Read(name, (Axis("i", "m"),)) for name in "xyz")
JUMPING = {"sign", "floor", "greater", "equal", "greater_equal", "where"}
KINKED = {"maximum", "minimum", "abs", "relu"} | JUMPING
STOPPED = {"stop_gradient"}
POINTS = {"x": np.array([0.3, 0.7, 1.9, 2.5]), "y": np.array([1.1, 0.2, 0.9, 3.7]), "z": np.ones(4)}


def operands_of(function: str) -> tuple[Expr, ...]:
    return (X, Constant(1.7)) if function == "pow" else (X, Y, Z)[: FUNCTIONS[function].arity]


def evaluate(expr: Expr, **points: list[float] | np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> list[float]:
    specs = tuple(TensorSpec(name, ("m",)) for name in ("x", "y", "z"))
    kernel = Kernel("f", specs, (Output("out", (Axis("i", "m"),), expr),), "vjp:z")
    given = {name: points.get(name, points["x"]) for name in ("x", "y", "z")}
    return [float(value) for value in reference.evaluate(kernel, given)["out"]]


def test_every_function_has_a_rule_and_no_other_name_has() -> None:
    assert set(RULES) == set(FUNCTIONS)


@pytest.mark.parametrize("function", sorted(set(FUNCTIONS) - {"sigmoid"} - KINKED - STOPPED))
def test_smooth_rules_against_the_complex_step(function: str) -> None:
    operands = operands_of(function)
    derivatives = partials(Apply(function, operands))
    for position, derivative in enumerate(derivatives):
        if isinstance(operands[position], Constant):
            continue
        values = [POINTS["x"], np.asarray(1.7) if function == "pow" else POINTS["y"]][: len(operands)]
        shifted = [value + 1e-20j * (place == position) for place, value in enumerate(values)]
        expected = FUNCTIONS[function].evaluate(*shifted).imag / 1e-20
        np.testing.assert_allclose(evaluate(derivative, **POINTS), expected, rtol=1e-14)


@pytest.mark.parametrize("function", sorted(KINKED | {"sigmoid"}))
def test_other_rules_against_differences(function: str) -> None:
    derivatives = partials(Apply(function, operands_of(function)))
    for position, derivative in enumerate(derivatives):
        steps = [1e-6 * (place == position) for place in range(len(derivatives))]
        values = [POINTS["x"] - 1.55, POINTS["y"] - 1.4, POINTS["z"]][: len(derivatives)]
        above, below = (
            np.asarray(FUNCTIONS[function].evaluate(*(v + way * s for v, s in zip(values, steps, strict=True))), float)
            for way in (1, -1)
        )
        points = dict(zip("xyz", values, strict=False))
        np.testing.assert_allclose(evaluate(derivative, **points), (above - below) / 2e-6, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ("maximum", [[0.5], [0.5]]),
        ("minimum", [[0.5], [0.5]]),
        ("relu", [[0.0]]),
        ("abs", [[0.0]]),
        ("sign", [[0.0]]),
        ("greater", [[0.0], [0.0]]),
        ("equal", [[0.0], [0.0]]),
        ("greater_equal", [[0.0], [0.0]]),
        ("floor", [[0.0]]),
        ("where", [[0.0], [0.0], [1.0]]),
        ("stop_gradient", [[0.0]]),
    ],
)
def test_conventions_at_kinks(function: str, expected: list[list[float]]) -> None:
    derivatives = partials(Apply(function, operands_of(function)))
    assert [evaluate(derivative, x=[0.0], y=[0.0], z=[0.0]) for derivative in derivatives] == expected


def test_the_derivative_of_a_square_needs_no_power() -> None:
    assert str(partials(Apply("pow", (X, Constant(2.0))))[0]) == "2 * x[i]"


def test_a_function_without_a_rule() -> None:
    rules = {name: rule for name, rule in RULES.items() if name != "tanh"}
    with pytest.raises(
        DifferentiationError, match=r"tanh has no derivative, in tanh\(x\[i\]\); differentiate by inputs"
    ):
        partials(Apply("tanh", (X,)), rules)
