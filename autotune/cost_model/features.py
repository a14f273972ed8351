"""What loop nests tell about their speed before they are run: a fixed list of numbers for any nest.

The heart is the model of the memory hierarchy that every blocked algorithm is designed by. For each cache: the
outermost point of the nest from which on all tensors fit it together, and from that the bytes that must come in from
the level behind it. With the machine's measured peaks this gives a roofline estimate of the time (Williams, Waterman
and Patterson 2009, doi:10.1145/1498765.1498785). A model of trees corrects what the estimate gets wrong.

Counts, bytes and times are given as logarithms to base 2, as they span many orders of magnitude. All is computed for
many nests of one structure at once: an array of shape (nests,) in the place of each number, (depths, nests) for what
changes from loop to loop.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from autotune.machine import Machine, Peaks
from autotune.schedule.batches import Batch, LoopNests
from autotune.schedule.nest import Access, Kind, LoopNest

Numbers: TypeAlias = NDArray[np.float64]

LINE = 64  # bytes of a cache line
# Two fused multiply-adds a cycle, each with a latency of four: so many accumulators keep both units busy.
INDEPENDENT = 8
LEVELS = (1, 2, 3)
MEMORY = 4  # the level behind the last cache
DTYPES = {4: "float32", 8: "float64"}
_LEAST_SECONDS = 1e-12

FEATURE_NAMES: tuple[str, ...] = (
    "flops",
    "bytes",
    "itemsize",
    "threads",
    "depth",
    "lanes",
    "vector_bytes",
    "tile_vectors",
    "tile_elements",
    "tile_other",
    "operand_registers",
    "register_pressure",
    "loads_per_fma",
    "latency_bound",
    "accumulated",
    "tile_visits",
    "tile_traffic",
    "unrolled",
    "prefetch",
    "streamed",
    "loop_iterations",
    "innermost_trips",
    "padding_vector",
    "padding_other",
    "padding_reduction",
    "padding",
    "packed_inputs",
    "packs",
    "packed_elements",
    "pack_ratio",
    "pack_seconds",
    "unpacked_strided",
    "unpacked_lines",
    "unpacked_rows",
    "gathered",
    "tasks",
    "imbalance",
    "grain",
    *(
        f"{name}_L{level}"
        for level in LEVELS
        for name in ("fit_depth", "fill", "traffic", "reuse", "intensity", "seconds")
    ),
    "register_seconds",
    "compute_seconds",
    "memory_seconds",
    "roofline_seconds",
    "total_seconds",
    "bound",
    "peak",
    *(f"bandwidth_L{level}" for level in LEVELS),
    "bandwidth_memory",
    *(f"size_L{level}" for level in LEVELS),
    "vector_registers",
    "register_bytes",
)


@dataclass(frozen=True, slots=True)
class Platform:
    """What features need of a machine, looked up once: `rates` and `sizes` by level, 4 standing for memory.

    `rates` are bytes per second of one thread, `sizes` bytes that one of `threads` has; a level that the machine lacks
    is as the one before it. `flops` are the peaks of 1 … `threads` threads by bytes of an element.
    """

    threads: int
    vector_bytes: int
    vector_registers: int
    rates: tuple[float, ...]
    sizes: tuple[float, ...]
    behind: tuple[int, ...]
    flops: dict[int, tuple[float, ...]]

    @classmethod
    def of(cls, machine: Machine, peaks: Peaks, threads: int = 1) -> "Platform":
        """The platform that `threads` threads of a machine are."""
        rates, sizes, behind = [max(peaks.bandwidth.values())] * 2, [float(machine.caches[0].size)], []
        for level in LEVELS:
            cache = machine.cache(level)
            rates[level:] = [peaks.bandwidth.get(f"L{level}", rates[-1])] * 2
            sizes.append(cache.size / min(threads, cache.shared_by) if cache else sizes[-1])
            behind.append(level + 1 if machine.cache(level + 1) else MEMORY)
        rates[MEMORY] = peaks.bandwidth.get("memory", min(peaks.bandwidth.values()))
        flops = {
            size: tuple(peaks.flops(dtype, count) for count in range(1, threads + 1))
            for size, dtype in DTYPES.items()
            if dtype in peaks.fma
        }
        return cls(
            threads=threads,
            vector_bytes=machine.vector_bytes,
            vector_registers=machine.vector_registers,
            rates=tuple(rates),
            sizes=tuple(sizes),
            behind=(0, *behind),
            flops=flops,
        )


def features_of_nest(nest: LoopNest, platform: Platform) -> Numbers:
    """The features of `nest` on a platform, in the order of `FEATURE_NAMES`; all finite, whatever the extents."""
    values: Numbers = features_of(LoopNests.of([nest]), platform)[0]
    return values


def features_of_batches(batches: Iterable[Batch], count: int, platform: Platform) -> Numbers:
    """The features of `count` nests that come in batches, shape (count, features)."""
    found = np.zeros((count, len(FEATURE_NAMES)))
    for places, nests in batches:
        found[places] = features_of(nests, platform)
    return found


def features_of(nests: LoopNests, platform: Platform) -> Numbers:
    """The features of nests of one structure, shape (nests, features)."""
    nest = nests.pattern
    shape = _Shape.of(nests)
    tile = _Tile.of(shape, platform)
    flops = 2.0 * prod(float(extent) for _, extent in nest.extents) * max(1, len(nest.inputs) - 1)
    size = float(shape.footprints[0, :, 0].sum()) * nest.itemsize
    packed, packs, copied = _packing(shape)
    tasks = prod(loop.tasks or 1 for loop in nest.loops if loop.kind is Kind.PARALLEL)
    running = min(platform.threads, tasks)
    padding = _padding(shape, tile)
    peak = platform.flops[nest.itemsize][running - 1]
    waste = padding[0] * padding[1] * padding[2]
    compute = flops * waste / peak * np.maximum(1.0, np.maximum(tile.loads_per_fma, tile.latency_bound))
    caches = [_Cache.of(shape, platform, level, running) for level in LEVELS]
    registers = tile.traffic / platform.rates[1] / running
    memory = np.full(len(nests), size / platform.rates[MEMORY])
    packing = 2 * copied * nest.itemsize / platform.rates[2] / running
    seconds = np.array([compute, registers, memory, *(cache.seconds for cache in caches)])
    values: list[Numbers | float] = [
        _log(flops),
        _log(size),
        nest.itemsize,
        platform.threads,
        len(nest.loops),
        *tile.values(),
        sum(1 for loop in nest.loops if loop.kind is Kind.UNROLL),
        _log(nests.prefetch),
        nests.streamed.astype(np.float64),
        _log(_loop_iterations(shape)),
        _log(shape.trips[-1] if len(shape.trips) else 1),
        *map(np.log2, padding),
        np.log2(waste),
        packed,
        _log(packs),
        _log(copied),
        np.log2(1 + copied / max(1.0, size / nest.itemsize)),
        _time(packing),
        *_access(shape, tile),
        _log(tasks),
        _imbalance(shape, platform.threads),
        _log(flops / tasks),
        *(value for cache in caches for value in cache.values(flops, size)),
        _time(registers),
        _time(compute),
        _time(memory),
        _time(seconds.max(axis=0)),
        _time(seconds.sum(axis=0) + packing),
        seconds.argmax(axis=0),
        np.log2(peak),
        *map(np.log2, platform.rates[1:]),
        *map(np.log2, platform.sizes[1:]),
        platform.vector_registers,
        platform.vector_bytes,
    ]
    found = np.empty((len(nests), len(values)))
    for column, value in enumerate(values):
        found[:, column] = value
    return found


@dataclass(frozen=True, slots=True)
class _Shape:
    """Nests with what follows from their extents and steps, each computed once.

    `spans[axis][d]` are elements of an axis inside the `d` outermost loops, `runs[d]` how often that point is reached,
    `footprints[d, t]` the elements that tensor `t`, the output first, has there, and `loads[d, t]` how often these are
    brought in: loops around it that a tensor does not have reuse it.
    """

    nests: LoopNests
    tensors: tuple[Access, ...]
    spans: dict[str, Numbers]
    trips: Numbers
    runs: Numbers
    footprints: Numbers
    loads: Numbers

    @property
    def nest(self) -> LoopNest:
        """What all have in common."""
        return self.nests.pattern

    @classmethod
    def of(cls, nests: LoopNests) -> "_Shape":
        nest, steps = nests.pattern, nests.steps.T.astype(np.float64)
        tensors = (nest.out, *nest.inputs)
        depths, count = len(nest.loops), len(nests)
        spans = {axis: np.full((depths + 1, count), float(extent)) for axis, extent in nest.extents}
        trips, runs = np.ones((depths, count)), np.ones((depths + 1, count))
        loads = np.ones((depths + 1, len(tensors), count))
        for depth, loop in enumerate(nest.loops):
            span = spans[loop.axis]
            trips[depth] = loop.tasks or np.maximum(1.0, _ceil(span[depth], steps[depth]))
            span[depth + 1 :] = np.minimum(span[depth], steps[depth])
            runs[depth + 1] = runs[depth] * trips[depth]
            for number, tensor in enumerate(tensors):
                moves = loop.axis in tensor.axes
                loads[depth + 1, number] = (
                    np.where(trips[depth] != 1, runs[depth + 1], loads[depth, number])
                    if moves
                    else loads[depth, number]
                )
        footprints = np.ones((depths + 1, len(tensors), count))
        for number, tensor in enumerate(tensors):
            for axis in tensor.axes:
                footprints[:, number] *= spans[axis]
        return cls(nests, tensors, spans, trips, runs, footprints, loads)

    def line_waste(self, tensor: int) -> Numbers | float:
        """Bytes of the cache lines touched over those used, by depth: above 1 where an unpacked tensor is read in short
        runs.
        """
        access = self.tensors[tensor]
        if not access.axes or self.nest.pack_of(access.name):
            return 1.0
        run = np.maximum(1.0, self.spans[access.axes[-1]]) * self.nest.itemsize
        waste: Numbers = np.maximum(1.0, LINE / run)
        return waste

    def at(self, values: Numbers, depth: NDArray[np.int64]) -> Numbers:
        """Of values by depth, shape (depths, nests), those at a depth of each nest."""
        return values[depth, np.arange(len(self.nests))]


@dataclass(frozen=True, slots=True)
class _Tile:
    """The innermost part, which runs in registers: what is inside the accumulator loop."""

    depth: int
    axis: str | None
    lanes: Numbers
    width: Numbers
    elements: Numbers
    other: Numbers
    accumulators: Numbers
    operands: Numbers
    pressure: Numbers
    loads_per_fma: Numbers
    latency_bound: Numbers
    reduction: Numbers
    visits: Numbers
    traffic: Numbers
    store_ratio: Numbers

    @classmethod
    def of(cls, shape: _Shape, platform: Platform) -> "_Tile":
        nest = shape.nest
        depth = _tile_depth(nest)
        one = np.ones(len(shape.nests))
        vector = nest.loops[-1] if nest.loops and nest.loops[-1].kind is Kind.VECTOR else None
        lanes = shape.trips[-1] if vector else one
        axis = vector.axis if vector else None
        span = {name: spans[depth] for name, spans in shape.spans.items()}
        width = lanes * nest.itemsize / platform.vector_bytes

        def vectors(access: Access) -> Numbers:
            """Registers that hold what the tile touches of a tensor; a value is spread over a register of its own."""
            count = one
            for name in access.axes:
                if name != axis:
                    count = count * np.maximum(1.0, span[name])
            if axis is None or axis not in access.axes:
                return count
            return count * _ceil(span[axis], lanes) * np.maximum(1.0, width)

        accumulators = np.maximum(1.0, vectors(nest.out))
        inputs = [vectors(access) for access in nest.inputs]
        operands, loaded = 0.0 * one, 0.0 * one
        for count, access in zip(inputs, nest.inputs, strict=True):
            operands = operands + (count if axis in access.axes else 1)
            loaded = loaded + count
        inside = one
        for name in nest.reduction_axes:
            inside = inside * np.maximum(1.0, span[name])
        fmas = accumulators * inside * max(1, len(nest.inputs) - 1)
        accumulated = shape.trips[depth - 1] if nest.accumulator and depth else one
        out, visits = shape.footprints[depth, 0], shape.loads[depth, 0]
        elements = np.maximum(1.0, out)
        columns = np.maximum(1.0, span[axis]) if axis is not None else one
        loads = shape.footprints[depth, 1:].sum(axis=0) * shape.runs[depth] * nest.itemsize
        return cls(
            depth=depth,
            axis=axis,
            lanes=lanes,
            width=width,
            elements=elements,
            other=elements // columns,
            accumulators=accumulators,
            operands=operands,
            pressure=(accumulators + operands) / platform.vector_registers,
            loads_per_fma=loaded / fmas,
            latency_bound=INDEPENDENT / accumulators,
            reduction=accumulated * inside,
            visits=visits,
            traffic=loads + 2 * out * visits * nest.itemsize,
            store_ratio=accumulators / (fmas * accumulated),
        )

    def values(self) -> tuple[Numbers, ...]:
        return (
            np.log2(self.lanes),
            np.log2(np.maximum(1e-3, self.width)),
            _log(self.accumulators),
            _log(self.elements),
            _log(self.other),
            self.operands,
            np.minimum(16.0, self.pressure),
            np.log2(self.loads_per_fma + 1e-6),
            np.log2(self.latency_bound),
            _log(self.reduction),
            _log(self.visits),
            np.log2(self.store_ratio + 1e-6),
        )


@dataclass(frozen=True, slots=True)
class _Cache:
    """How a nest uses one cache: from which depth on all tensors fit it, how full it is then, what has to come in."""

    depth: NDArray[np.int64]
    fill: Numbers
    traffic: Numbers
    seconds: Numbers

    @classmethod
    def of(cls, shape: _Shape, platform: Platform, level: int, running: int) -> "_Cache":
        size, behind = platform.sizes[level], platform.behind[level]
        held = shape.footprints.sum(axis=1) * shape.nest.itemsize
        fits = held <= size
        fits[-1] = True  # the innermost point, if none does
        depth = fits.argmax(axis=0)
        traffic = shape.at(_traffic(shape), depth)
        rate = platform.rates[behind] * (1 if behind == MEMORY else running)
        return cls(depth, shape.at(held, depth) / size, traffic, traffic / rate)

    def values(self, flops: float, size: float) -> tuple[Numbers, ...]:
        traffic = np.maximum(1.0, self.traffic)
        return (
            self.depth.astype(np.float64),
            np.log2(np.maximum(1e-6, self.fill)),
            _log(self.traffic),
            np.log2(traffic / max(1.0, size)),
            np.log2((1.0 + flops) / traffic),
            _time(self.seconds),
        )


def _traffic(shape: _Shape) -> Numbers:
    """Bytes that come into a cache which holds everything inside a depth, by depth; the output also goes out again."""
    moved = shape.footprints * shape.loads
    for tensor in range(len(shape.tensors)):
        moved[:, tensor] *= shape.line_waste(tensor)
    traffic: Numbers = (moved.sum(axis=1) + moved[:, 0]) * shape.nest.itemsize
    return traffic


def _tile_depth(nest: LoopNest) -> int:
    """Loops around what stays in registers: up to the accumulator, else up to the first of the unrolled ones."""
    if nest.accumulator:
        return nest.position(nest.accumulator) + 1
    depth = len(nest.loops)
    while depth and nest.loops[depth - 1].kind in (Kind.UNROLL, Kind.VECTOR):
        depth -= 1
    return depth


def _padding(shape: _Shape, tile: _Tile) -> tuple[Numbers, Numbers, Numbers]:
    """Work done over work needed, as tiles at the edges are partly empty: of vector, other and reduction axes."""
    wasted = {kind: np.ones(len(shape.nests)) for kind in ("vector", "other", "reduction")}
    reductions = shape.nest.reduction_axes
    for axis, extent in shape.nest.extents:
        unit = np.maximum(1.0, shape.spans[axis][tile.depth])
        done = _ceil(float(max(1, extent)), unit) * unit
        kind = "vector" if axis == tile.axis else "reduction" if axis in reductions else "other"
        wasted[kind] *= done / max(1, extent)
    return wasted["vector"], wasted["other"], wasted["reduction"]


def _packing(shape: _Shape) -> tuple[int, Numbers, Numbers]:
    """Packed inputs, how often one is packed, and elements copied in all."""
    copied, times = np.zeros(len(shape.nests)), np.zeros(len(shape.nests))
    for pack in shape.nest.packs:
        depth = shape.nest.position(pack.within) + 1
        tensor = shape.tensors.index(shape.nest.tensor(pack.tensor))
        copied += shape.footprints[depth, tensor] * shape.runs[depth]
        times += shape.runs[depth]
    return len(shape.nest.packs), times, copied


def _access(shape: _Shape, tile: _Tile) -> tuple[Numbers, Numbers, Numbers, float]:
    """Of inputs read in place: how many in short runs, bytes they waste, rows read in turn, how many are gathered."""
    one = np.ones(len(shape.nests))
    strided, waste, rows, gathered = 0 * one, one, one, 0
    depth = max(0, tile.depth - 1)
    for tensor, access in enumerate(shape.nest.inputs, start=1):
        if not access.axes or shape.nest.pack_of(access.name):
            continue
        last = access.axes[-1]
        factor = np.broadcast_to(shape.line_waste(tensor), shape.runs.shape)[depth]
        strided = strided + (factor > 1)
        waste = waste * factor
        rows = np.maximum(rows, shape.footprints[depth, tensor] // np.maximum(1.0, shape.spans[last][depth]))
        gathered += tile.axis in access.axes and tile.axis != last
    return strided, np.log2(waste), _log(rows), float(gathered)


def _imbalance(shape: _Shape, threads: int) -> Numbers:
    """Time of the busiest thread over that of an even share, as a logarithm; by slices and by what fills them."""
    nest = shape.nest
    share, tasks = np.ones(len(shape.nests)), 1
    for depth, loop in enumerate(nest.loops):
        if loop.kind is Kind.PARALLEL:
            share = share * np.minimum(1.0, shape.nests.steps[:, depth] / max(1, nest.extent(loop.axis)))
            tasks *= loop.tasks or 1
    rounds = -(-tasks // threads)
    imbalance: Numbers = np.log2(np.maximum(1e-6, share * rounds * threads))
    return imbalance


def _loop_iterations(shape: _Shape) -> Numbers:
    """Iterations of all loops that are run as loops."""
    kinds = (Kind.SERIAL, Kind.PARALLEL)
    run = [depth + 1 for depth, loop in enumerate(shape.nest.loops) if loop.kind in kinds]
    iterations: Numbers = shape.runs[run].sum(axis=0)
    return iterations


def _ceil(count: Numbers | float, unit: Numbers) -> Numbers:
    ceiling: Numbers = np.ceil(count / unit)
    return ceiling


def _log(count: NDArray[np.floating | np.integer] | float) -> Numbers:
    logarithm: Numbers = np.log2(1.0 + count)
    return logarithm


def _time(seconds: Numbers) -> Numbers:
    logarithm: Numbers = np.log2(np.maximum(_LEAST_SECONDS, seconds))
    return logarithm
