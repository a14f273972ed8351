"""What a generated function reads and writes: its arrays and extents, and the names of all in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autotune.codegen.names import array
from autotune.codegen.text import Lines, scaled, total
from autotune.lang import Affine, Axis
from autotune.lang.axes import fresh_name

# What generated code calls, and so no name of its own.
MEMORY = (
    "broadcast", "first_lanes", "gather", "gather_at", "gather_between", "gather_first", "lanes_between", "load",
    "load_between", "load_first", "one_lane", "ramp", "scatter", "scatter_between", "scatter_first", "splat", "store",
    "store_between", "store_first", "stream", "stream_first", "transpose",
)  # fmt: skip
MATH = (
    "all_lanes", "any_lane", "as_real", "cos", "erf", "exp", "floor", "largest", "larger", "log", "power", "product",
    "quotient", "reciprocal", "rsqrt", "select", "sigmoid", "sign", "sin", "smaller", "smallest", "sqrt", "tanh",
    "total", "whole",
)  # fmt: skip
STRIDED = ("load", "load_first", "load_between", "store", "store_first", "store_between")
FUNCTIONS = (*MEMORY, *MATH)


@dataclass(frozen=True)
class Layout:
    """What is known of an array: the names of its extents, its kind, and whether its last dimension has stride 1."""

    extents: tuple[str, ...]
    integer: bool = False
    unit: bool = False

    @property
    def itemsize(self) -> str:
        """Bytes of an element."""
        return "8" if self.integer else "ITEMSIZE"


class Frame:
    """A function under construction. Every name in it is given out here, so none stands for two things.

    `constants` are the extents that are the same for all arguments; real numbers have `itemsize` bytes. Where check n
    of `checks` fails, from 1, the function returns -n. Arrays in `dense` must have stride 1 in their last dimension;
    `lane_buffers` have an element for each lane of a vector in place of one, and `streamed` ones may be written past
    the caches. Loops over an axis in `ranges` run over a part of it only, and the dimensions in `origins` of an array
    hold what is from there on.
    """

    def __init__(self, layouts: Mapping[str, Layout], constants: Mapping[str, int], itemsize: int) -> None:
        self.layouts, self.constants, self.itemsize = layouts, constants, itemsize
        self.extents = {name: layout.extents for name, layout in layouts.items()}
        self.checks: list[str] = []
        self.dense: dict[str, None] = {}
        self.lane_buffers: frozenset[str] = frozenset()
        self.streamed: frozenset[str] = frozenset()
        self.ranges: dict[Axis, tuple[str, str]] = {}
        self.origins: dict[tuple[str, int], str] = {}
        self.arrays: dict[str, None] = {}
        self.sizes: dict[str, None] = {}
        self._names: set[str] = set(FUNCTIONS)
        self._starts: dict[str, str] = {}
        self._strides: dict[tuple[str, int], str] = {}
        self._new: list[str] = []

    def name(self, stem: str) -> str:
        """`stem` as a name of this function, numbered where it is taken."""
        chosen = fresh_name(stem, self._names)
        self._names.add(chosen)
        return chosen

    def release(self, name: str) -> None:
        """Let a name be given out again: the loop whose variable it was is finished."""
        self._names.discard(name)

    def numbered(self, stem: str) -> str:
        """A numbered name: exp_1, exp_2, …"""
        number = 1
        while f"{stem}_{number}" in self._names:
            number += 1
        return self.name(f"{stem}_{number}")

    def failure(self, what: str) -> str:
        """What the function returns where a check fails."""
        self.checks.append(what)
        return str(-len(self.checks))

    def extent(self, name: str) -> str:
        """The number of elements along a dimension: a number where it is the same for all arguments."""
        if name in self.constants:
            return str(self.constants[name])
        self.sizes[name] = None
        return f"{name}_extent"

    def start(self, tensor: str) -> str:
        """Pointer to the first element of an array."""
        self.arrays[tensor] = None
        if tensor not in self._starts:
            self._starts[tensor] = self.name(f"{tensor}_start")
            self._new.append(f"{self._starts[tensor]} = pointer({array(tensor)})")
        return self._starts[tensor]

    def buffer(self, stem: str, elements: str) -> str:
        """Pointer to a new array of so many real numbers, 0 at first, that is the function's own."""
        tensor = self.name(stem)
        self._starts[tensor] = self.name(f"{tensor}_start")
        self._new += [
            f"{array(tensor)} = np.zeros({elements}, REAL)",
            f"{self._starts[tensor]} = pointer({array(tensor)})",
        ]
        return self._starts[tensor]

    def stride(self, tensor: str, dimension: int) -> str:
        """How far a step along a dimension moves, in elements."""
        layout, key = self.layouts[tensor], (tensor, dimension)
        if (layout.unit or tensor in self.dense) and dimension == len(layout.extents) - 1:
            return "1"
        if key not in self._strides:
            name = self._strides[key] = self.name(f"{tensor}_by_{layout.extents[dimension]}")
            self._new.append(f"{name} = {array(tensor)}.strides[{dimension}] // {layout.itemsize}")
        return self._strides[key]

    def neighbours(self, tensor: str) -> None:
        """From here on the elements along the last dimension are taken to be neighbours in memory."""
        self.dense[tensor] = None

    def offset(self, tensor: str, indices: Sequence[str]) -> str:
        """Offset of the element at these indices, in elements."""
        parts = []
        for dimension, index in enumerate(indices):
            origin = self.origins.get((tensor, dimension))
            within = index if origin is None else f"{index} - {origin}"
            parts.append(scaled(within, self.stride(tensor, dimension)))
        return total(parts)

    def affine(self, index: Affine) -> str:
        """An affine index as text, its divisor left out; its axes are loop variables."""
        parts = []
        for term, coefficient in sorted(index.terms, key=lambda item: item[1] < 0):
            text = term.name if isinstance(term, Axis) else self.extent(term)
            factor = text if abs(coefficient) == 1 else f"{abs(coefficient)} * {text}"
            parts.append(("-" if coefficient < 0 else "+", factor))
        if index.offset or not parts:
            parts.append(("-" if index.offset < 0 else "+", str(abs(index.offset))))
        sign, first = parts[0]
        return ("-" if sign == "-" else "") + first + "".join(f" {sign} {part}" for sign, part in parts[1:])

    def declarations(self) -> list[str]:
        """Strides and first elements that have come into use since this was asked last."""
        found, self._new = self._new, []
        return found

    def keep(self, lines: Lines) -> None:
        """Keep the arrays alive to the end of the function that took pointers to them."""
        lines.add(*(f"keep({array(tensor)})" for tensor in self._starts))
