"""What a loop nest tells about its speed before it is run: a fixed list of numbers for any nest.

The heart is the model of the memory hierarchy that every blocked algorithm is designed by. For each cache: the
outermost point of the nest from which on all tensors fit it together, and from that the bytes that must come in from
the level behind it. With the machine's measured peaks this gives a roofline estimate of the time (Williams, Waterman
and Patterson 2009, doi:10.1145/1498765.1498785). A model of trees corrects what the estimate gets wrong.

Counts, bytes and times are given as logarithms to base 2, as they span many orders of magnitude.
"""

from dataclasses import dataclass
from math import log2, prod

import numpy as np
from numpy.typing import NDArray

from autotune.machine import Machine, Peaks
from autotune.schedule.nest import Access, Kind, LoopNest

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


def features(nest: LoopNest, platform: Platform) -> NDArray[np.float64]:
    """The features of `nest` on a platform, in the order of `FEATURE_NAMES`; all finite, whatever the extents."""
    shape = _Shape.of(nest)
    tile = _Tile.of(shape, platform)
    flops = 2.0 * prod(extent for _, extent in nest.extents) * max(1, len(nest.inputs) - 1)
    size = float(sum(shape.footprints[0])) * nest.itemsize
    packed, packs, copied = _packing(shape)
    tasks = prod(loop.tasks or 1 for loop in nest.loops if loop.kind is Kind.PARALLEL)
    running = min(platform.threads, tasks)
    padding = _padding(shape, tile)
    peak = platform.flops[nest.itemsize][running - 1]
    compute = flops * prod(padding) / peak * max(1.0, tile.loads_per_fma, tile.latency_bound)
    caches = [_Cache.of(shape, platform, level, running) for level in LEVELS]
    registers = tile.traffic / platform.rates[1] / running
    memory = size / platform.rates[MEMORY]
    packing = 2 * copied * nest.itemsize / platform.rates[2] / running
    seconds = [compute, registers, memory, *(cache.seconds for cache in caches)]
    values = [
        _log(flops),
        _log(size),
        nest.itemsize,
        platform.threads,
        len(nest.loops),
        *tile.values(),
        sum(1 for loop in nest.loops if loop.kind is Kind.UNROLL),
        _log(nest.prefetch),
        nest.streamed,
        _log(_loop_iterations(shape)),
        _log(shape.trips[-1] if shape.trips else 1),
        *map(log2, padding),
        log2(prod(padding)),
        packed,
        _log(packs),
        _log(copied),
        log2(1 + copied / max(1.0, size / nest.itemsize)),
        _time(packing),
        *_access(shape, tile),
        _log(tasks),
        _imbalance(shape, platform.threads),
        _log(flops / tasks),
        *(value for cache in caches for value in cache.values(flops, size)),
        _time(registers),
        _time(compute),
        _time(memory),
        _time(max(seconds)),
        _time(sum(seconds) + packing),
        seconds.index(max(seconds)),
        log2(peak),
        *map(log2, platform.rates[1:]),
        *map(log2, platform.sizes[1:]),
        platform.vector_registers,
        platform.vector_bytes,
    ]
    return np.array(values, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class _Shape:
    """A nest with what follows from its extents and steps, each computed once.

    `spans[d]` are elements of each axis inside the `d` outermost loops, `runs[d]` how often that point is reached, and
    `footprints[d]` the elements that each tensor, the output first, has there.
    """

    nest: LoopNest
    tensors: tuple[Access, ...]
    spans: list[dict[str, int]]
    trips: list[int]
    runs: list[int]
    footprints: list[list[int]]

    @classmethod
    def of(cls, nest: LoopNest) -> "_Shape":
        tensors = (nest.out, *nest.inputs)
        spans = [dict(nest.extents)]
        trips: list[int] = []
        runs = [1]
        for loop in nest.loops:
            span = spans[-1][loop.axis]
            trips.append(loop.tasks or max(1, -(-span // loop.step)))
            runs.append(runs[-1] * trips[-1])
            spans.append({**spans[-1], loop.axis: min(span, loop.step)})
        footprints = [[prod(map(span.__getitem__, tensor.axes)) for tensor in tensors] for span in spans]
        return cls(nest, tensors, spans, trips, runs, footprints)

    def loads(self, tensor: int, depth: int) -> int:
        """How often the tensor's footprint at `depth` is brought in: loops around it that it does not have reuse it."""
        axes = self.tensors[tensor].axes
        while depth and (self.trips[depth - 1] == 1 or self.nest.loops[depth - 1].axis not in axes):
            depth -= 1
        return self.runs[depth]

    def line_waste(self, tensor: int, depth: int) -> float:
        """Bytes of the cache lines touched over those used: above 1 where an unpacked tensor is read in short runs."""
        access = self.tensors[tensor]
        if not access.axes or self.nest.pack_of(access.name):
            return 1.0
        run = max(1, self.spans[depth][access.axes[-1]]) * self.nest.itemsize
        return max(1.0, LINE / run)


@dataclass(frozen=True, slots=True)
class _Tile:
    """The innermost part, which runs in registers: what is inside the accumulator loop."""

    depth: int
    axis: str | None
    lanes: int
    width: float
    elements: int
    other: int
    accumulators: float
    operands: float
    pressure: float
    loads_per_fma: float
    latency_bound: float
    reduction: int
    visits: int
    traffic: float
    store_ratio: float

    @classmethod
    def of(cls, shape: _Shape, platform: Platform) -> "_Tile":
        nest = shape.nest
        depth = _tile_depth(nest)
        vector = nest.loops[-1] if nest.loops and nest.loops[-1].kind is Kind.VECTOR else None
        lanes = shape.trips[-1] if vector else 1
        axis = vector.axis if vector else None
        span = shape.spans[depth]
        width = max(1.0, lanes * nest.itemsize / platform.vector_bytes)

        def vectors(access: Access) -> float:
            """Registers that hold what the tile touches of a tensor; a value is spread over a register of its own."""
            others = prod(max(1, span[name]) for name in access.axes if name != axis)
            return others * (-(-span[axis] // lanes) * width if axis is not None and axis in access.axes else 1)

        accumulators = max(1.0, vectors(nest.out))
        inputs = [vectors(access) for access in nest.inputs]
        operands = sum(count if axis in access.axes else 1 for count, access in zip(inputs, nest.inputs, strict=True))
        inside = prod(max(1, span[name]) for name in nest.reduction_axes)
        fmas = accumulators * inside * max(1, len(nest.inputs) - 1)
        accumulated = shape.trips[depth - 1] if nest.accumulator and depth else 1
        elements = max(1, shape.footprints[depth][0])
        columns = max(1, span[axis]) if axis is not None else 1
        loads = sum(shape.footprints[depth][1:]) * shape.runs[depth] * nest.itemsize
        return cls(
            depth=depth,
            axis=axis,
            lanes=lanes,
            width=lanes * nest.itemsize / platform.vector_bytes,
            elements=elements,
            other=elements // columns,
            accumulators=accumulators,
            operands=operands,
            pressure=(accumulators + operands) / platform.vector_registers,
            loads_per_fma=sum(inputs) / fmas,
            latency_bound=INDEPENDENT / accumulators,
            reduction=accumulated * inside,
            visits=shape.loads(0, depth),
            traffic=float(loads + 2 * shape.footprints[depth][0] * shape.loads(0, depth) * nest.itemsize),
            store_ratio=accumulators / (fmas * accumulated),
        )

    def values(self) -> tuple[float, ...]:
        return (
            log2(self.lanes),
            log2(max(1e-3, self.width)),
            _log(self.accumulators),
            _log(self.elements),
            _log(self.other),
            self.operands,
            min(16.0, self.pressure),
            log2(self.loads_per_fma + 1e-6),
            log2(self.latency_bound),
            _log(self.reduction),
            _log(self.visits),
            log2(self.store_ratio + 1e-6),
        )


@dataclass(frozen=True, slots=True)
class _Cache:
    """How a nest uses one cache: from which depth on all tensors fit it, how full it is then, what has to come in."""

    depth: int
    fill: float
    traffic: float
    seconds: float

    @classmethod
    def of(cls, shape: _Shape, platform: Platform, level: int, running: int) -> "_Cache":
        size, behind = platform.sizes[level], platform.behind[level]
        depth = _fitting_depth(shape, size)
        traffic = _traffic(shape, depth)
        rate = platform.rates[behind] * (1 if behind == MEMORY else running)
        return cls(depth, sum(shape.footprints[depth]) * shape.nest.itemsize / size, traffic, traffic / rate)

    def values(self, flops: float, size: float) -> tuple[float, ...]:
        traffic = max(1.0, self.traffic)
        return (
            self.depth,
            log2(max(1e-6, self.fill)),
            _log(self.traffic),
            log2(traffic / max(1.0, size)),
            log2((1.0 + flops) / traffic),
            _time(self.seconds),
        )


def _fitting_depth(shape: _Shape, size: float) -> int:
    for depth, footprints in enumerate(shape.footprints):
        if sum(footprints) * shape.nest.itemsize <= size:
            return depth
    return len(shape.nest.loops)


def _traffic(shape: _Shape, depth: int) -> float:
    """Bytes that come into a cache which holds everything inside `depth`; the output also goes out again."""
    footprints = shape.footprints[depth]
    moved = [
        footprint * shape.loads(tensor, depth) * shape.line_waste(tensor, depth)
        for tensor, footprint in enumerate(footprints)
    ]
    return (sum(moved) + moved[0]) * shape.nest.itemsize


def _tile_depth(nest: LoopNest) -> int:
    """Loops around what stays in registers: up to the accumulator, else up to the first of the unrolled ones."""
    if nest.accumulator:
        return nest.position(nest.accumulator) + 1
    depth = len(nest.loops)
    while depth and nest.loops[depth - 1].kind in (Kind.UNROLL, Kind.VECTOR):
        depth -= 1
    return depth


def _padding(shape: _Shape, tile: _Tile) -> tuple[float, float, float]:
    """Work done over work needed, as tiles at the edges are partly empty: of vector, other and reduction axes."""
    wasted = {"vector": 1.0, "other": 1.0, "reduction": 1.0}
    reductions = shape.nest.reduction_axes
    for axis, extent in shape.nest.extents:
        unit = max(1, shape.spans[tile.depth][axis])
        done = -(-max(1, extent) // unit) * unit
        kind = "vector" if axis == tile.axis else "reduction" if axis in reductions else "other"
        wasted[kind] *= done / max(1, extent)
    return wasted["vector"], wasted["other"], wasted["reduction"]


def _packing(shape: _Shape) -> tuple[int, int, int]:
    """Packed inputs, how often one is packed, and elements copied in all."""
    copied = times = 0
    for pack in shape.nest.packs:
        depth = shape.nest.position(pack.within) + 1
        tensor = shape.tensors.index(shape.nest.tensor(pack.tensor))
        copied += shape.footprints[depth][tensor] * shape.runs[depth]
        times += shape.runs[depth]
    return len(shape.nest.packs), times, copied


def _access(shape: _Shape, tile: _Tile) -> tuple[float, float, float, float]:
    """Of inputs read in place: how many in short runs, bytes they waste, rows read in turn, how many are gathered."""
    strided = gathered = 0
    waste, rows = 1.0, 1
    depth = max(0, tile.depth - 1)
    for tensor, access in enumerate(shape.nest.inputs, start=1):
        if not access.axes or shape.nest.pack_of(access.name):
            continue
        last = access.axes[-1]
        factor = shape.line_waste(tensor, depth)
        strided += factor > 1
        waste *= factor
        rows = max(rows, shape.footprints[depth][tensor] // max(1, shape.spans[depth][last]))
        gathered += tile.axis in access.axes and tile.axis != last
    return float(strided), log2(waste), _log(rows), float(gathered)


def _imbalance(shape: _Shape, threads: int) -> float:
    """Time of the busiest thread over that of an even share, as a logarithm; by slices and by what fills them."""
    nest = shape.nest
    sliced = [loop for loop in nest.loops if loop.kind is Kind.PARALLEL]
    share = prod(min(1.0, loop.step / max(1, nest.extent(loop.axis))) for loop in sliced)
    tasks = prod(loop.tasks or 1 for loop in sliced)
    rounds = -(-tasks // threads)
    return log2(max(1e-6, share * rounds * threads))


def _loop_iterations(shape: _Shape) -> int:
    """Iterations of all loops that are run as loops."""
    kinds = (Kind.SERIAL, Kind.PARALLEL)
    return sum(runs for loop, runs in zip(shape.nest.loops, shape.runs[1:], strict=True) if loop.kind in kinds)


def _log(count: float) -> float:
    return log2(1.0 + count)


def _time(seconds: float) -> float:
    return log2(max(_LEAST_SECONDS, seconds))
