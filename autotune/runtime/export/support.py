"""What an exported module needs to be called: shapes, the choice of a schedule, memory. NumPy and Numba only.

`autotune export` copies the text below the imports into the module that it writes.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numba
import numpy as np

# --- copied from here on ---


@dataclass(frozen=True)
class Argument:
    """An input or an output: the extents whose product each of its dimensions is; None for a number."""

    name: str
    dimensions: tuple[tuple[str, ...], ...] | None
    integer: bool = False


@dataclass(frozen=True)
class Bound:
    """An index that must stay inside an extent: Σ coefficient · (extent - 1, or extent if `whole`) + offset."""

    text: str
    terms: tuple[tuple[str, int, bool], ...]
    offset: int
    divisor: int
    extent: str
    axes: tuple[str, ...]

    def check(self, name: str, sizes: Mapping[str, int]) -> None:
        """Raise ValueError where it leads outside."""
        if any(sizes[axis] == 0 for axis in self.axes):
            return
        least = greatest = self.offset
        for extent, coefficient, whole in self.terms:
            reach = coefficient * (sizes[extent] if whole else sizes[extent] - 1)
            least += reach if whole else min(reach, 0)
            greatest += reach if whole else max(reach, 0)
        if least // self.divisor < 0 or greatest // self.divisor >= sizes[self.extent]:
            message = f"{name}: {self.text} leads outside of {self.extent} = {sizes[self.extent]}"
            raise ValueError(message)


@dataclass(eq=False)
class Schedule:
    """Generated code and the sizes it was tuned for; `fixed` are those it cannot do without.

    `compute` is compiled when it is first needed; the machine code is kept beside this file.
    """

    sizes: Mapping[str, int]
    fixed: Mapping[str, int]
    compute: Callable[..., Any]
    signature: Any
    options: Mapping[str, Any]
    scratch: int
    dtype: str
    checks: tuple[str, ...] = ()
    _lock: Any = field(default_factory=Lock, repr=False)
    _compiled: Callable[..., int] | None = field(default=None, repr=False)
    _pool: list[Any] = field(default_factory=list, repr=False)

    def distance(self, sizes: Mapping[str, int]) -> float:
        """From sizes: the root of the summed squares of the binary logarithms of their ratios."""
        return math.hypot(*(math.log2(max(size, 1) / max(sizes[name], 1)) for name, size in self.sizes.items()))

    def run(self, name: str, arguments: list[Any]) -> list[Any]:
        """Compute, on copies where strides cannot be walked; gives the arguments that were computed on."""
        call = self._call()
        try:
            scratch = self._pool.pop()
        except IndexError:
            scratch = self._room()
        while refused := call(*arguments, *scratch):
            if refused < 0:
                message = f"{name}: {self.checks[-refused - 1]} is out of range"
                raise IndexError(message)
            arguments[refused - 1] = arguments[refused - 1].copy(order="C")
        self._pool.append(scratch)
        return arguments

    def _call(self) -> Callable[..., int]:
        if self._compiled is None:
            with self._lock:
                if self._compiled is None:
                    dispatcher = numba.njit(self.signature, cache=True, **self.options)(self.compute)
                    (overload,) = dispatcher.overloads.values()
                    self._compiled = overload.entry_point
        compiled: Callable[..., int] = self._compiled
        return compiled

    def _room(self) -> tuple[Any, ...]:
        """Scratch that begins on a line of the cache, or nothing."""
        if not self.scratch:
            return ()
        count = self.scratch * np.dtype(self.dtype).itemsize
        memory = np.empty(count + 64, np.uint8)
        start = -memory.ctypes.data % 64
        return (memory[start : start + count].view(self.dtype),)


@dataclass(frozen=True, eq=False)
class Function:
    """A kernel in one direction, with the schedules that serve it."""

    name: str
    inputs: tuple[Argument, ...]
    outputs: tuple[Argument, ...]
    derived: Mapping[str, Callable[[Mapping[str, int]], int]]
    bounds: tuple[Bound, ...]
    schedules: tuple[Schedule, ...]

    def __call__(self, given: Sequence[Any], out: Any = None) -> Any:
        """The outputs for these inputs, in `out` where it is given."""
        arrays, dtype = self._converted(given)
        sizes = self._sizes(arrays)
        results = self._results(out, sizes, dtype)
        if any(np.may_share_memory(result, array) for result in results for array in arrays if hasattr(array, "shape")):
            fresh = [np.empty_like(result) for result in results]
            self._compute(arrays, fresh, sizes, dtype)
            for result, computed in zip(results, fresh, strict=True):
                result[...] = computed
        else:
            self._compute(arrays, results, sizes, dtype)
        return results[0] if len(results) == 1 else tuple(results)

    def schedule(self, sizes: Mapping[str, int], dtype: str) -> Schedule:
        """The one that was tuned for the nearest sizes; raises ValueError where none can serve them."""
        fitting = [
            each
            for each in self.schedules
            if each.dtype == dtype and all(sizes[name] == size for name, size in each.fixed.items())
        ]
        if not fitting:
            known = "; ".join(f"{each.dtype} {dict(each.sizes)}" for each in self.schedules)
            message = f"{self.name}: nothing was exported that serves {dtype} {dict(sizes)}, only {known}"
            raise ValueError(message)
        return min(fitting, key=lambda each: each.distance(sizes))

    def _compute(self, arrays: list[Any], results: list[Any], sizes: Mapping[str, int], dtype: str) -> None:
        if 0 in sizes.values():
            if any(result.size for result in results):
                message = f"{self.name}: empty inputs are not served by an exported module: {dict(sizes)}"
                raise ValueError(message)
            return
        views = [self._split(result, spec, sizes) for result, spec in zip(results, self.outputs, strict=True)]
        inputs = [self._split(array, spec, sizes) for array, spec in zip(arrays, self.inputs, strict=True)]
        targets = [
            view if result.flags.c_contiguous or np.may_share_memory(view, result) else np.empty(view.shape, view.dtype)
            for view, result in zip(views, results, strict=True)
        ]
        found = self.schedule(sizes, dtype).run(self.name, [*inputs, *targets])[len(inputs) :]
        for computed, view, result in zip(found, views, results, strict=True):
            if computed is not view or not np.may_share_memory(view, result):
                result[...] = computed.reshape(result.shape)

    def _split(self, array: Any, spec: Argument, sizes: Mapping[str, int]) -> Any:
        """The array with a dimension for each extent."""
        if spec.dimensions is None or all(len(extents) == 1 for extents in spec.dimensions):
            return array
        return array.reshape([sizes[extent] for extents in spec.dimensions for extent in extents])

    def _converted(self, given: Sequence[Any]) -> tuple[list[Any], str]:
        arrays = [self._one(spec, value) for spec, value in zip(self.inputs, given, strict=True)]
        dtypes = {
            array.dtype.name
            for spec, array in zip(self.inputs, arrays, strict=True)
            if spec.dimensions is not None and not spec.integer
        }
        if len(dtypes) > 1 or dtypes - {"float32", "float64"}:
            message = f"{self.name}: arrays must be all float32 or all float64, not {', '.join(sorted(dtypes))}"
            raise TypeError(message)
        return arrays, dtypes.pop() if dtypes else "float64"

    def _one(self, spec: Argument, value: Any) -> Any:
        if spec.dimensions is None:
            return float(value)
        array = np.asarray(value)
        if spec.integer and array.dtype.kind not in "iub":
            message = f"{self.name}: {spec.name} holds whole numbers, but is {array.dtype}"
            raise TypeError(message)
        if array.ndim != len(spec.dimensions):
            message = f"{self.name}: {spec.name} has {len(spec.dimensions)} dimensions, not {array.ndim}"
            raise ValueError(message)
        return array.astype(np.int64, copy=False) if spec.integer else array

    def _sizes(self, arrays: Sequence[Any]) -> dict[str, int]:
        """Every extent; raises ValueError where shapes disagree or an index would lead outside."""
        pending = [
            (extents, size, spec.name)
            for spec, array in zip(self.inputs, arrays, strict=True)
            if spec.dimensions is not None
            for extents, size in zip(spec.dimensions, array.shape, strict=True)
        ]
        sizes: dict[str, int] = {}
        while pending:
            left = []
            for extents, size, name in pending:
                unknown = [extent for extent in extents if extent not in sizes]
                known = math.prod(sizes[extent] for extent in extents if extent in sizes)
                if len(unknown) > 1 or (unknown and known == 0):
                    left.append((extents, size, name))
                elif size % known if unknown else size != known:
                    product = "*".join(extents)
                    message = f"{self.name}: {product} is {size} in {name}, which does not fit {sizes}"
                    raise ValueError(message)
                elif unknown:
                    sizes[unknown[0]] = size // known
            if len(left) == len(pending):
                message = f"{self.name}: the shapes do not tell {'*'.join(left[0][0])}"
                raise ValueError(message)
            pending = left
        for name, size_of in self.derived.items():
            size = size_of(sizes)
            if size < 0 or sizes.setdefault(name, size) != size:
                message = f"{self.name}: {name} would be {size}; the shapes do not fit: {sizes}"
                raise ValueError(message)
        for bound in self.bounds:
            bound.check(self.name, sizes)
        return sizes

    def _results(self, out: Any, sizes: Mapping[str, int], dtype: str) -> list[Any]:
        shapes = [
            [math.prod(map(sizes.__getitem__, group)) for group in spec.dimensions or ()] for spec in self.outputs
        ]
        dtypes = [np.dtype("int64" if spec.integer else dtype) for spec in self.outputs]
        if out is None:
            return [np.empty(shape, kind) for shape, kind in zip(shapes, dtypes, strict=True)]
        given = [out] if len(self.outputs) == 1 else list(out)
        for array, shape, kind in zip(given, shapes, dtypes, strict=True):
            if not isinstance(array, np.ndarray) or list(array.shape) != shape or array.dtype != kind:
                message = f"{self.name}: out must be a {kind} array of shape {tuple(shape)}"
                raise ValueError(message)
        return given
