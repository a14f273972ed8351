"""How alike workloads of one kernel are: whether what was tuned for one of them serves another well.

The distance is that of those features of a candidate's own loop nest that follow from the extents alone: `flops`,
`bytes`, how far these fill each cache (`fill_L1` …, between half and twice its size, where schedules change), the trip
counts of the axes, all of them as logarithms to base 2; and how much its tiles compute along each axis over what there
is (`padding`, a ratio). A distance is the root of the sum of squared differences, so 1 is a factor of two.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from autotune.lang import ScalarSpec
from autotune.machine import Machine
from autotune.schedule import Config, LoopNest, Stage, Workload
from autotune.schedule.nest import Kind
from autotune.templates import FunctionTemplate, template_for
from autotune.templates.plain import main_stage

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Candidates:
    """Tuned workloads of one kernel, at least one, with their configs, on one machine."""

    tuned: tuple[tuple[Workload, Config], ...]
    machine: Machine

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The extents by which they are told apart: those of the inputs, then what follows from them."""
        return tuple(self.tuned[0][0].sizes)

    @cached_property
    def arrays(self) -> tuple[Vector, Vector, Vector, Vector]:
        """What `nearest` takes between the sizes and the squares."""
        workload = self.tuned[0][0]
        specs = (*workload.kernel.inputs, *workload.kernel.outputs)
        tensors = np.array(
            [
                [8 if spec.integer else workload.itemsize, *(name in spec.extents for name in self.names)]
                for spec in specs
                if not isinstance(spec, ScalarSpec)
            ],
            np.float64,
        )
        caches = np.log2([cache.size for cache in self.machine.caches])
        tiles = np.array([_tile(*tuned, self.names, self.machine) for tuned in self.tuned]).T.copy()
        sizes = np.array([self.sizes(workload.sizes) for workload, _ in self.tuned]).T
        return tensors, caches, tiles, features_at(sizes, tensors, caches, tiles)

    def sizes(self, sizes: Mapping[str, int]) -> Vector:
        """Sizes by name in the order of `names`; nothing counts as one."""
        return np.array([max(1, sizes[name]) for name in self.names], np.float64)

    def distances(self, sizes: Mapping[str, int]) -> Vector:
        """How far each candidate is from sizes, given for all `names`."""
        from autotune.cost_model.nearest import nearest

        squares = np.empty(len(self.tuned))
        nearest(self.sizes(sizes), *self.arrays, squares)
        return np.sqrt(squares)


def features_at(sizes: Vector, tensors: Vector, caches: Vector, tiles: Vector) -> Vector:
    """Features of nests with `tiles` at `sizes`: flops, bytes, fill of each cache, trips and padding of each axis.

    Shapes: sizes and tiles (axes, nests), tensors (arrays, 1 + axes) and caches (levels,) as `nearest` takes them; the
    result is (2 + levels + 2 * axes, nests).
    """
    trips = np.log2(sizes)
    elements = np.where(tensors[:, 1:, None] > 0, sizes, 1.0).prod(axis=1)
    total = np.log2(tensors[:, 0] @ elements)
    fill = np.clip(total - caches[:, None], -1.0, 1.0)
    return np.vstack([trips.sum(axis=0), total, fill, trips, np.ceil(sizes / tiles) * tiles / sizes])


def _tile(workload: Workload, config: Config, names: Sequence[str], machine: Machine) -> list[float]:
    """Elements of each extent in the innermost part of the nest; 1 where axes run as one, or no valid config tells."""
    template, units = template_for(workload), dict.fromkeys(names, 1.0)
    stage = None if workload.kernel.opaque else main_stage(workload)
    if isinstance(template, FunctionTemplate) or not isinstance(stage, Stage):
        return [units[name] for name in names]
    if template.space(workload, machine).contains(config):
        nest = template.nest(workload, config, machine)
        sizes, tile = dict(nest.extents), _innermost(nest)
        for axis in stage.all_axes:
            if sizes.get(axis.name) == workload.extent(axis.extent):
                units[axis.extent] = float(max(1, tile[axis.name]))
    return [units[name] for name in names]


def _innermost(nest: LoopNest) -> dict[str, int]:
    """Elements of each axis inside the loop that accumulates in registers; else inside all that run as loops."""
    spans = dict(nest.extents)
    for loop in nest.loops:
        if not nest.accumulator and loop.kind in {Kind.UNROLL, Kind.VECTOR}:
            break
        spans[loop.axis] = min(spans[loop.axis], loop.step)
        if loop.name == nest.accumulator:
            break
    return spans
