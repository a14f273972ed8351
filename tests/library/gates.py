"""What every kernel of the library must pass: the gates of KERNELS.md §4, over a table of cases.

A class of tests for one file of the library derives from `Gates` and says its `cases`; `conftest.py` runs each test
once for each of them, and those that ask for it once for each input.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, ClassVar

import jax
import numpy as np
import pytest

from autotune import autodiff
from autotune.autodiff import gradient_inputs
from autotune.errors import IndexRangeError, ShapeError
from autotune.lang import Kernel, ScalarSpec
from autotune.lang.reference import error_bound, evaluate
from autotune.schedule import Workload
from autotune.schedule.structure import structural_extents
from tests.library.cases import Arguments, Array, Case, Sizes, like

EPS = float(np.finfo(np.float64).eps)
PAIRS = 8
SINGLE = 1e-4  # of the largest element, at sizes as small and numbers as tame as the cases have

derive = cache(autodiff.derive)


class Gates:
    """The tests. All arguments have unequal sizes, so that a transposed index cannot pass."""

    cases: ClassVar[tuple[Case, ...]]

    def test_forward_is_that_of_jax(self, case: Case) -> None:
        """G0."""
        assert_near(forward(case, case.arguments()), case.pulled_back[0], 1e-13)

    def test_gradient_is_that_of_jax(self, case: Case, wrt: str) -> None:
        """G1, reverse mode."""
        arguments = case.arguments()
        got = gradient(case, wrt, arguments, case.cotangent(arguments))
        assert_near(got, case.pulled_back[1][wrt], 1e-12)

    def test_tangent_is_that_of_jax(self, case: Case) -> None:
        """G1, forward mode."""
        arguments = case.arguments()
        tangents = {name: like(arguments[name], seed) for seed, name in enumerate(case.floating, start=1)}
        floating = {name: arguments[name] for name in case.floating}
        pushed = jax.jit(lambda x, v: jax.jvp(lambda given: case.expected({**arguments, **given}), (x,), (v,)))
        value, expected = pushed(floating, tangents)
        results = evaluated(derive(case.definition, "jvp"), arguments | dotted(tangents))
        assert_near(results["out"], value, 1e-13)
        assert_near(results["out_dot"], expected, 1e-12)

    def test_gradients_pass_the_dot_product_test(self, case: Case) -> None:
        """G2: ⟨v, J·u⟩ = ⟨Jᵀ·v, u⟩ with J·u by complex step or central difference, no AD library in it."""
        arguments = case.arguments()
        derivative, tolerance = (complex_step, 1e-12) if case.smooth else (central_difference, 1e-6)
        for seed in range(PAIRS):
            u = {name: like(arguments[name], 100 * seed + n) for n, name in enumerate(case.floating)}
            v = case.cotangent(arguments, 100 * seed + 50)
            left = v * derivative(case, arguments, u)
            right = [gradient(case, name, arguments, v) * u[name] for name in case.floating]
            size = np.abs(left).sum() + sum(np.abs(part).sum() for part in right)
            assert abs(left.sum() - sum(part.sum() for part in right)) <= tolerance * size

    def test_machine_code_in_float64_is_the_reference(self, compiled_case: Case) -> None:
        """G3, and the structural part of G5: outputs full of NaN before, inputs as before, the same twice."""
        for sizes in (compiled_case.sizes, ones(compiled_case), *compiled_case.further_sizes):
            arguments = compiled_case.arguments(sizes=sizes)
            if not allowed(compiled_case, arguments):
                continue
            for kernel, given in directions(compiled_case, arguments):
                expected = evaluated(kernel, given)
                for output in kernel.outputs:
                    assert_near(called(compiled_case, kernel, given)[output.name], expected[output.name], 1e-12)

    def test_machine_code_in_float32_is_within_the_error_bound(self, compiled_case: Case) -> None:
        """G4."""
        arguments = rounded(compiled_case.arguments())
        for kernel, given in directions(compiled_case, arguments):
            given = rounded(given)
            exact, bound = evaluated(kernel, given), error_bound(kernel, chosen(kernel, given), np.float32)
            got = called(compiled_case, kernel, single_precision(given))
            for output in kernel.outputs:
                error = np.abs(got[output.name] - exact[output.name])
                assert (error <= bound[output.name]).all(), kernel.direction
                assert_near(got[output.name], exact[output.name], SINGLE)  # where the bound is too wide to say much

    def test_no_elements(self, compiled_case: Case) -> None:
        """G5: each dimension in turn without elements."""
        for extent in compiled_case.sizes:
            arguments = compiled_case.arguments(sizes={**compiled_case.sizes, extent: 0})
            if not allowed(compiled_case, arguments):
                continue
            for kernel, given in directions(compiled_case, arguments):
                try:
                    expected = evaluated(kernel, given)
                except IndexRangeError:  # of indices into nothing
                    with pytest.raises(IndexRangeError):
                        called(compiled_case, kernel, given)
                    continue
                got = called(compiled_case, kernel, given)
                for output in kernel.outputs:
                    np.testing.assert_allclose(got[output.name], expected[output.name], rtol=1e-12)


class LinearGates:
    """For kernels that are linear in an input."""

    cases: ClassVar[tuple[Case, ...]]

    def test_linear_operators_have_their_exact_adjoint(self, case: Case, linear_in: str) -> None:
        """G2: ⟨v, A·u⟩ = ⟨Aᵀ·v, u⟩ to rounding."""
        for seed in range(PAIRS):
            arguments = case.arguments(seed)
            u, v = arguments[linear_in], case.cotangent(arguments, seed + 50)
            left, right = v * forward(case, arguments), gradient(case, linear_in, arguments, v) * u
            bound = 50 * EPS * np.sqrt(u.size + v.size) * (np.abs(left).sum() + np.abs(right).sum())
            assert abs(left.sum() - right.sum()) <= bound


class SmoothGates:
    """For kernels with derivatives of every order."""

    cases: ClassVar[tuple[Case, ...]]

    def test_gradients_of_gradients_are_those_of_jax(self, case: Case, wrt: str) -> None:
        """The gradient of a gradient by its cotangent and an input: the same one, or the first that it depends on."""
        arguments = case.arguments()
        given, second_cotangent = arguments | {"out_bar": case.cotangent(arguments)}, like(arguments[wrt], seed=2)

        def first(values: Mapping[str, Any]) -> Any:
            return jax.vjp(lambda value: case.expected({**values, wrt: value}), values[wrt])[1](values["out_bar"])[0]

        floating = {name: given[name] for name in (*case.floating, "out_bar")}
        pulled_back = jax.jit(lambda x, v: jax.vjp(lambda values: first({**given, **values}), x)[1](v))
        (expected,) = pulled_back(floating, second_cotangent)
        kernel = derive(case.definition, f"vjp:{wrt}")
        known = gradient_inputs(kernel)
        for then in ("out_bar", wrt if wrt in known else known[0]):
            got = single(derive(kernel, f"vjp:{then}"), given | {f"{wrt}_bar_bar": second_cotangent})
            assert_near(got, expected[then], 1e-11)


def assert_near(got: Any, expected: Any, tolerance: float) -> None:
    """The largest difference against the largest element: what is 0 by cancellation need not be so to the last bit."""
    got, expected = np.asarray(got), np.asarray(expected)
    assert got.shape == expected.shape
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(np.where(finite, 0.0, got), np.where(finite, 0.0, expected))
    scale = np.abs(expected[finite]).max(initial=0.0)
    assert np.abs(got[finite] - expected[finite]).max(initial=0.0) <= tolerance * scale


def dotted(tangents: Mapping[str, Array]) -> Arguments:
    """Tangents by the names they have as inputs."""
    return {f"{name}_dot": tangent for name, tangent in tangents.items()}


def chosen(kernel: Kernel, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `values` that `kernel` takes."""
    return {spec.name: values[spec.name] for spec in kernel.inputs}


def evaluated(kernel: Kernel, values: Mapping[str, Any]) -> Mapping[str, Array]:
    """The reference's results; inputs that the kernel does not take are left out."""
    return evaluate(kernel, chosen(kernel, values))


def single(kernel: Kernel, values: Mapping[str, Any]) -> Array:
    """The reference's only result."""
    (result,) = evaluated(kernel, values).values()
    return result


def forward(case: Case, arguments: Arguments) -> Array:
    """The reference's forward result."""
    return single(case.definition, arguments)


def gradient(case: Case, wrt: str, arguments: Arguments, cotangent: Array) -> Array:
    """The reference's vector-Jacobian product."""
    return single(derive(case.definition, f"vjp:{wrt}"), {**arguments, "out_bar": cotangent})


def complex_step(case: Case, arguments: Arguments, u: Arguments) -> Array:
    """J·u as Im f(x + ih·u) / h (Martins, Sturdza and Alonso 2003)."""
    h = 1e-20
    return np.imag(forward(case, arguments | {name: arguments[name] + 1j * h * u[name] for name in u})) / h


def central_difference(case: Case, arguments: Arguments, u: Arguments) -> Array:
    """J·u as (f(x + h·u) - f(x - h·u)) / 2h."""
    h = 1e-6
    ahead, behind = (
        forward(case, arguments | {name: arguments[name] + step * u[name] for name in u}) for step in (h, -h)
    )
    return (ahead - behind) / (2 * h)


def directions(case: Case, arguments: Arguments) -> Sequence[tuple[Kernel, Arguments]]:
    """The kernel in every direction, each with its arguments."""
    tangents = {name: like(arguments[name], seed) for seed, name in enumerate(case.floating, start=1)}
    given = {**arguments, "out_bar": case.cotangent(arguments), **dotted(tangents)}
    return [(kernel, chosen(kernel, given)) for kernel in (derive(case.definition, name) for name in case.directions)]


def ones(case: Case) -> Sizes:
    """One element along every dimension but those that are constants of the code."""
    extents = case.extents(case.arguments())
    workload = Workload.of(case.definition, {name: extents[name] for name in case.definition.extent_names}, "float64")
    constant = structural_extents(workload)
    return {name: size if name in constant else 1 for name, size in case.sizes.items()}


def allowed(case: Case, arguments: Arguments) -> bool:
    """Whether the kernel takes such arguments from a caller; sizes that come from a product with 0 cannot be told."""
    try:
        extents = case.extents(arguments)
        shapes = {spec.name: case.definition.call_shape_of(spec.name, extents) for spec in case.definition.inputs}
        case.definition.infer_extents(shapes)
    except ShapeError:
        return False
    return True


def rounded(arguments: Mapping[str, Array]) -> Arguments:
    """Floating arguments rounded to float32, as float64."""
    return {
        name: value.astype(np.float32).astype(np.float64) if is_floating(value) else value
        for name, value in arguments.items()
    }


def single_precision(arguments: Mapping[str, Array]) -> Arguments:
    """Floating arguments as float32."""
    return {name: value.astype(np.float32) if is_floating(value) else value for name, value in arguments.items()}


def is_floating(value: Array) -> bool:
    """Whether these are no whole numbers."""
    return value.dtype.kind == "f"


def called(case: Case, kernel: Kernel, given: Mapping[str, Array]) -> dict[str, Array]:
    """The results of the compiled kernel, split; fails where it left an element unwritten or changed an input."""
    extents = kernel.complete(
        kernel.infer_extents({name: np.shape(value) for name, value in given.items()}, split=True)
    )
    inputs = [value.reshape(kernel.call_shape_of(name, extents)) for name, value in given.items()]
    plan = case.member.dispatch(kernel.direction).plan(inputs)
    arguments = [
        float(value) if isinstance(spec, ScalarSpec) else value
        for spec, value in zip(kernel.inputs, inputs, strict=True)
    ]
    before = [np.array(value) for value in inputs]
    results = [np.full(result.shape, np.nan, result.dtype) for result in plan.results]
    plan.run(arguments, results)
    first = [np.array(array) for array in results]
    plan.run(arguments, results)  # into what is there: nothing may be added to it
    for value, old in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(value, old)
    for array, old in zip(results, first, strict=True):
        # Not to the bit: LLVM contracts loops in another way where arrays lie close to each other in memory.
        assert_near(array, old, 100 * np.finfo(array.dtype).eps)
    return {
        output.name: array.reshape(kernel.shape_of(output.name, extents))
        for output, array in zip(kernel.outputs, results, strict=True)
    }
