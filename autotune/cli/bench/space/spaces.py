"""The spaces that are measured exhaustively: a workload each, and what its knobs are held to."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType

from autotune.cli.kernels import built_in
from autotune.machine import Machine
from autotune.schedule import Config, Space, Workload
from autotune.schedule.space import Value
from autotune.templates import template_for

ALL = ()  # in the place of a knob's values: whatever the template has
TILES: Mapping[str, tuple[Value, ...]] = MappingProxyType({"rows": (2, 4, 6, 8, 14), "vectors": ALL, "lanes": ALL})
ORDERS = ("columns depth rows", "rows depth columns", "depth rows columns")


@dataclass(frozen=True, kw_only=True)
class Exhaustive:
    """A part of a workload's space: the knobs of `varied` take these values, as far as the template has them.

    All others stay as the default config has them.
    """

    name: str
    kernel: str
    direction: str
    extents: Mapping[str, int]
    varied: Mapping[str, tuple[Value, ...]]

    @cached_property
    def workload(self) -> Workload:
        """In float32, on one thread."""
        return built_in()[self.kernel].workload(self.direction, self.extents, dtype="float32", threads=1)

    def space(self, machine: Machine) -> Space:
        """The part, under the constraints of the whole."""
        template = template_for(self.workload)
        whole, fixed = template.space(self.workload, machine), self.fixed(machine)
        knobs = []
        for knob in whole.knobs:
            wanted = (fixed[knob.name],) if knob.name in fixed else self.varied[knob.name] or knob.values
            knobs.append(replace(knob, values=tuple(value for value in knob.values if value in wanted)))
        return replace(whole, knobs=tuple(knobs))

    def fixed(self, machine: Machine) -> Config:
        """The knobs that do not vary, with their values."""
        default = template_for(self.workload).default(self.workload, machine)
        return {name: value for name, value in default.items() if name not in self.varied}


# A matrix product and two gradients, of 10 to 35 million operations, which take less than 1 ms a call. Packing, cache
# blocks and orders interact with the register tile, each space in another way.
SPACES = (
    Exhaustive(
        name="matmul_forward",
        kernel="matmul",
        direction="forward",
        extents={"m": 256, "k": 256, "n": 256},
        varied={**TILES, "depth_block": (64, 128, 256), "inner": ALL, "pack_left": ALL, "pack_right": ALL},
    ),
    Exhaustive(
        name="matmul_vjp_a",
        kernel="matmul",
        direction="vjp:a",
        extents={"m": 320, "k": 192, "n": 256},
        varied={**TILES, "row_block": (32, 96), "order": ORDERS, "inner": ALL, "pack_left": ALL},
    ),
    Exhaustive(
        name="batch_matmul_vjp_b",
        kernel="batch_matmul",
        direction="vjp:b",
        extents={"b": 8, "m": 96, "k": 64, "n": 160},
        varied={**TILES, "column_block": (64, 192), "pack_left": ALL, "pack_right": ALL, "unroll": (1, 4)},
    ),
)
