"""What the shapes of a call say, as a function written for one kernel: a shape that is new costs microseconds.

Formulas of extents, products that a dimension is and bounds of indices are written out as the kernel has them; to walk
over the definition for each shape would take some hundred microseconds.
"""

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from autotune.lang import Apply, Axis, Constant, Expr, Extent, Kernel, TensorSpec
from autotune.lang.bounds import Access
from autotune.lang.sizes import extents_in
from autotune.lang.specs import grouped
from autotune.schedule.structure import LARGEST_WINDOW, deciding_extents

Sizes = Callable[[Any], tuple[Any, ...] | None]

_TEXT = """
def sizes(shapes):
    {unpack} = shapes
    {steps}
    return {extents}, {sizes}, {kind}, {results}, {largest}, {split}, {given}
"""


def write_sizes(kernel: Kernel) -> Sizes | None:
    """A function of what `key_of` gives, or None of a kernel that needs more than its shapes to know its extents.

    It returns the extents of the inputs; these and those that follow, in the order of `Workload.sizes`; what decides
    which of them are structural; the shapes of the results; elements of the largest; the split shapes that
    `splitting_of` asks for; and the shapes of the tensors. It says only what is plain: None where an extent is below 1
    or shapes do not fit. It raises ValueError for another rank, ZeroDivisionError where a formula divides by zero.
    """
    tensors = [spec for spec in kernel.inputs if isinstance(spec, TensorSpec)]
    found = _Found(kernel)
    found.solve(tensors)
    if not (kernel.extent_names and found.complete()):
        return None
    names = [[f"size_{place}_{number}" for number in range(len(spec.groups))] for place, spec in enumerate(tensors)]
    shapes = [_tuple(each) for each in names]
    deciding = deciding_extents(kernel)
    known, first = found.known, kernel.extent_names
    counts = [" * ".join(known[extent] for extent in output.extents) or "1" for output in kernel.outputs]
    results = [_tuple(map(found.product, grouped(output.extents, output.groups))) for output in kernel.outputs]
    text = _TEXT.format(
        unpack=shapes[0] if len(tensors) == 1 else _tuple(shapes),
        steps="\n    ".join(found.steps),
        extents=_tuple(known[extent] for extent in first),
        sizes=_tuple(known[extent] for extent in (*first, *(other for other in known if other not in first))),
        kind=_tuple(_clipped(known[extent]) for extent in first if extent in deciding),
        results=results[0] if len(results) == 1 else _tuple(results),
        largest=counts[0] if len(counts) == 1 else f"max({', '.join(counts)})",
        split=_tuple(
            _tuple(known[extent] for extent in spec.extents)
            for spec in (*kernel.inputs, *kernel.outputs)
            if prod(spec.groups) != 1
        ),
        given="(shapes,)" if len(tensors) == 1 else "shapes",
    )
    scope: dict[str, Any] = {}
    exec(compile(text, f"<sizes of {kernel.name}>", "exec"), scope)
    made: Sizes = scope["sizes"]
    return made


class _Found:
    """The text so far: steps of the function, and what each extent is called in it, in the order they were found."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.steps: list[str] = []
        self.known: dict[str, str] = {}

    def solve(self, tensors: Sequence[TensorSpec]) -> None:
        """Extents from dimensions: those that stand alone, then those in products with known ones."""
        pending = [
            (f"size_{place}_{number}", extents)
            for place, spec in enumerate(tensors)
            for number, extents in enumerate(grouped(spec.extents, spec.groups))
        ]
        while True:
            left = [each for each in pending if not self._solved(*each)]
            if len(left) == len(pending):
                return
            pending = left

    def _solved(self, size: str, extents: tuple[str, ...]) -> bool:
        unknown = {extent for extent in extents if extent not in self.known}
        if not unknown:
            self._refuse(f"{self.product(extents)} != {size}")
            return True
        if len(unknown) > 1 or extents.count(extent := unknown.pop()) > 1:
            return False
        others = [other for other in extents if other != extent]
        if others:
            self._refuse(f"{size} % ({self.product(others)})")
            self._name(extent, f"{size} // ({self.product(others)})")
        else:
            self.known[extent] = size
            self._refuse(f"{size} < 1")
        return True

    def complete(self) -> bool:
        """Adds the extents that follow, and proves that no index leads outside; False where that needs more."""
        if not all(extent in self.known for extent in self.kernel.extent_names):
            return False
        for extent in self.kernel.sizes:
            self._follow(extent)
        for access in self.kernel.accesses:
            if not self._inside(access):
                return False
        return all(extent in self.known for output in self.kernel.outputs for extent in output.extents)

    def _follow(self, extent: str) -> bool:
        size = self.kernel.sizes.get(extent)
        if size is None or not all(self._follow(other) for other in extents_in(size)):
            return extent in self.known
        if extent in self.known:
            self._refuse(f"{self._written(size)} != {self.known[extent]}")
        else:
            self._name(extent, self._written(size))
        return True

    def _written(self, size: Expr) -> str:
        """A formula in whole numbers; a quotient that is none leaves the function."""
        match size:
            case Extent(name):
                return self.known[name]
            case Constant(value):
                return str(int(value))
            case (
                Apply("floor", (Apply("div", (same, Constant(1))),))
                | Apply("add", (same, Constant(0)))
                | Apply("mul", (Constant(1), same))
            ):
                return self._written(same)
            case Apply("floor", (Apply("div", (above, below)),)):
                return f"({self._written(above)} // {self._written(below)})"
            case Apply("div", (above, below)):
                self._refuse(f"{self._written(above)} % {self._written(below)}")
                return f"({self._written(above)} // {self._written(below)})"
            case Apply(function, operands):
                return _OPERATIONS[function].format(*map(self._written, operands))
            case _:
                raise AssertionError(size)

    def _inside(self, access: Access) -> bool:
        """Proves an affine index of axes with one element at least; see `lang.bounds`."""
        affine = access.affine
        names = [term.extent if isinstance(term, Axis) else term for term, _ in affine.terms]
        if not all(name in self.known for name in (*names, access.extent)):
            return False
        least, greatest = [str(affine.offset)], [str(affine.offset)]
        for name, (term, coefficient) in zip(names, affine.terms, strict=True):
            last = f"({self.known[name]} - {int(isinstance(term, Axis))})"
            reach = last if coefficient == 1 else f"{coefficient} * {last}"
            for side, reached in ((least, coefficient < 0), (greatest, coefficient > 0)):
                if isinstance(term, str) or reached:
                    side.append(reach)
        if len(least) > 1 or affine.offset < 0:
            self._refuse(f"{' + '.join(least)} < 0")
        extent = self.known[access.extent]
        self._refuse(f"{' + '.join(greatest)} >= {extent if affine.divisor == 1 else f'{affine.divisor} * {extent}'}")
        return True

    def product(self, extents: Sequence[str]) -> str:
        """The number of elements along a dimension of the caller's array."""
        return " * ".join(self.known[extent] for extent in extents)

    def _name(self, extent: str, value: str) -> None:
        self.known[extent] = f"extent_{extent}"
        self.steps.append(f"extent_{extent} = {value}")
        self._refuse(f"extent_{extent} < 1")

    def _refuse(self, condition: str) -> None:
        self.steps.append(f"if {condition}: return None")


_OPERATIONS = {
    "add": "({} + {})",
    "sub": "({} - {})",
    "mul": "({} * {})",
    "neg": "(-{})",
    "floor": "{}",
    "maximum": "max({}, {})",
    "minimum": "min({}, {})",
}


def _clipped(size: str) -> str:
    """All sizes that are no window's are alike."""
    return f"{size} if {size} <= {LARGEST_WINDOW} else {LARGEST_WINDOW + 1}"


def _tuple(parts: Any) -> str:
    return "(" + "".join(f"{part}, " for part in parts) + ")"
