"""What a kernel must compute: its outputs in NumPy float64, and how far from them rounding may lead.

Non-finite numbers propagate as in NumPy, without warnings; zero extents give empty results and sums of 0.
"""

from collections.abc import Mapping
from typing import TypeAlias

from numpy.typing import ArrayLike, DTypeLike

from autotune.lang.conditioning import Precision, Roundings, bound, magnitudes
from autotune.lang.evaluation import Arguments, NamedArray, over, values
from autotune.lang.functions import Array
from autotune.lang.kernel import Kernel

Results: TypeAlias = dict[str, Array]


def evaluate(kernel: Kernel, arguments: Mapping[str, ArrayLike]) -> Results:
    """Each output as a new float64 array; raises ShapeError where `arguments` are not those of `kernel`."""
    given = Arguments.of(kernel, arguments)
    return {
        output.name: over(
            output.axes, NamedArray(output.expr.axes, values(output.expr, given)[output.expr]), given.extents
        )
        for output in kernel.outputs
    }


def magnitude(kernel: Kernel, arguments: Mapping[str, ArrayLike]) -> Results:
    """The B of the bound: for sums of products the same with every value replaced by its absolute value and - by +.

    Where f(x) is not linear, |f(x)| + |f'(x)|·B(x); see `autotune.lang.conditioning`.
    """
    return {name: array for name, (array, _) in _conditions(kernel, arguments, Precision()).items()}


def error_bound(kernel: Kernel, arguments: Mapping[str, ArrayLike], dtype: DTypeLike) -> Results:
    """How far each element computed in `dtype` may be from `evaluate`: 4·eps·(√terms + 4)·B (KERNELS.md §4, G4).

    The arguments must be representable in `dtype`. Infinite or NaN where no bound can be given: where the value is
    not finite, or a derivative is unbounded.
    """
    precision = Precision.of(dtype)
    conditions = _conditions(kernel, arguments, precision)
    return {name: bound(array, roundings, precision) for name, (array, roundings) in conditions.items()}


def _conditions(
    kernel: Kernel, arguments: Mapping[str, ArrayLike], precision: Precision
) -> dict[str, tuple[Array, Roundings]]:
    given = Arguments.of(kernel, arguments)
    conditions = {}
    for output in kernel.outputs:
        array, roundings = magnitudes(output.expr, given, precision)
        conditions[output.name] = over(output.axes, NamedArray(output.expr.axes, array), given.extents), roundings
    return conditions
