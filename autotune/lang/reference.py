"""What a kernel must compute: its outputs in NumPy float64, and how far from them rounding may lead.

Non-finite numbers propagate as in NumPy, without warnings; zero extents give empty results and sums of 0.
"""

from collections.abc import Mapping
from typing import TypeAlias

from numpy.typing import ArrayLike, DTypeLike

from autotune.lang.arrays import NamedArray, over, real
from autotune.lang.conditioning import conditions
from autotune.lang.evaluation import Arguments, values
from autotune.lang.functions import Array, Numbers
from autotune.lang.kernel import Kernel
from autotune.lang.precision import Precision, Roundings, bound
from autotune.lang.specs import Output
from autotune.lang.traverse import erase

Results: TypeAlias = dict[str, Numbers]


def evaluate(kernel: Kernel, arguments: Mapping[str, ArrayLike]) -> Results:
    """Each output as a new array: float64, int64 where it is `integer`, complex128 where an argument is complex.

    Raises ShapeError or DtypeError where `arguments` are not those of `kernel`, IndexRangeError where an index that is
    computed from them leads outside a tensor.
    """
    given = Arguments.of(kernel, arguments)
    roots = [erase(output.expr) for output in kernel.outputs]
    known = values(roots, given)
    return {
        output.name: _result(output, NamedArray(root.axes, known[root]), given)
        for output, root in zip(kernel.outputs, roots, strict=True)
    }


def _result(output: Output, found: NamedArray, given: Arguments) -> Numbers:
    array = over(output.axes, found, given.space.shape(output.axes))
    return array if output.integer else real(array)


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
    found = _conditions(kernel, arguments, precision)
    return {name: bound(array, roundings, precision) for name, (array, roundings) in found.items()}


def _conditions(
    kernel: Kernel, arguments: Mapping[str, ArrayLike], precision: Precision
) -> dict[str, tuple[Array, Roundings]]:
    given = Arguments.of(kernel, arguments)
    roots = [erase(output.expr) for output in kernel.outputs]
    known = conditions(roots, given, precision)
    found = {}
    for output, root in zip(kernel.outputs, roots, strict=True):
        array = over(output.axes, NamedArray(root.axes, known.magnitudes[root]), given.space.shape(output.axes))
        found[output.name] = array, known.roundings[root]
    return found
