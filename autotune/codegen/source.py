"""From a workload and a config to the source of a Python module that computes it."""

import hashlib
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from autotune.__about__ import __version__
from autotune.codegen.names import Names, arguments, array
from autotune.codegen.plain import write_plain
from autotune.codegen.simd import TileOperations
from autotune.codegen.text import Lines
from autotune.codegen.tiled import Tiled, unit_strides, write_tiled
from autotune.lang import ScalarSpec
from autotune.machine import Machine
from autotune.schedule import Config, Workload
from autotune.templates import Schedule, Scheduled, template_for

_SCALAR_FUNCTIONS = ("larger", "natural_log", "sign", "smaller", "square_root")
_INTRINSICS = ("get", "keep", "panel_packing", "pointer", "prefetch", "put", "shift", "tile_operations")


@dataclass(frozen=True)
class Source:
    """A generated module: its text, and the file name stem that says what it is.

    `digest` covers everything but the header, which names the workload: extents are run-time values, so workloads that
    differ in them alone share a module.
    """

    text: str
    digest: str
    name: str


@lru_cache(maxsize=1)
def generator_version() -> str:
    """Version of the package and a digest of this layer's files.

    It changes whenever the same schedule may compile to something else.
    """
    files = sorted(Path(__file__).parent.glob("*.py"))
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
    return f"{__version__} {digest[:12]}"


def generate(workload: Workload, config: Config, machine: Machine) -> Source:
    """The module that runs `config`; raises ConfigError where the config is not in the workload's space."""
    schedule = template_for(workload).schedule(workload, config, machine)
    body = str(_module(workload, config, schedule))
    digest = hashlib.sha256(f"{generator_version()}\n{body}".encode()).hexdigest()
    stem = f"{workload.kernel.name}_{workload.kernel.direction}".replace(":", "_").replace("/", "_")
    return Source(f"{_header(workload, config, schedule)}\n{body}\n", digest, f"{stem}_{digest[:16]}")


def _module(workload: Workload, config: Config, schedule: Schedule) -> Lines:
    code = Lines()
    _constants(code, workload, config, schedule)
    single = len(schedule) == 1 and _tasks(schedule[0], config) == 1  # one function compiles faster than two
    if not single:
        for scheduled in schedule:
            _stage_function(code, scheduled, config)
    _kernel_function(code, workload, config, schedule, single=single)
    lines = Lines()
    _imports(lines, str(code))
    lines.add(*code.lines)
    return lines


def _tiled(scheduled: Scheduled, config: Config, label: str = "") -> Tiled | None:
    return Tiled(scheduled, int(config.get("unroll", 1)), label) if scheduled.nest.accumulator else None


def _tasks(scheduled: Scheduled, config: Config) -> int:
    tiled = _tiled(scheduled, config)
    return tiled.tasks if tiled else 1


def _header(workload: Workload, config: Config, schedule: Schedule) -> Lines:
    lines = Lines()
    lines.add(f'"""{workload.kernel.signature()}', "")
    lines.add(*workload.kernel.definition().splitlines(), "")
    lines.add(f"first written for: {workload.describe()}")
    lines.add(f"config: {json.dumps(config)}")
    lines.add(f"written by: autotune {generator_version()}")
    for scheduled in schedule:
        lines.add("", f"Loop nest of {scheduled.stage.name}:", "")
        lines.add(*(f"    {line}" for line in str(scheduled.nest).splitlines()))
    lines.add('"""', "")
    return lines


def _imports(lines: Lines, code: str) -> None:
    """Imports of what `code` uses."""
    if re.search(r"\bmath\.", code):
        lines.add("import math", "")
    if re.search(r"\bnp\.", code):
        lines.add("import numpy as np")
    lines.add(f"from numba import {', '.join(('njit', *_called(('prange',), code), 'types'))}", "")
    for module, names in (("scalar", _SCALAR_FUNCTIONS), ("simd", _INTRINSICS)):
        if used := _called(names, code):
            lines.add(f"from autotune.codegen.{module} import {', '.join(used)}")
    lines.add("")


def _called(names: tuple[str, ...], code: str) -> tuple[str, ...]:
    """Those of `names` that `code` calls."""
    return tuple(name for name in names if re.search(rf"\b{name}\(", code))


def _constants(lines: Lines, workload: Workload, config: Config, schedule: Schedule) -> None:
    tiled = [entry for scheduled in schedule if (entry := _tiled(scheduled, config))]
    lines.add(f"REAL = types.{workload.dtype}")
    lines.add(f"ITEMSIZE = {workload.itemsize}")
    lines.add(f"SCRATCH = {max((entry.scratch * entry.tasks for entry in tiled), default=0)}  # elements")
    lines.add(f"CONFIG = {config!r}")
    lines.add('OPTIONS = {"error_model": "numpy", "nogil": True, "fastmath": {"contract", "reassoc"}}')


def _unit_strides(workload: Workload, schedule: Schedule, config: Config) -> dict[str, int]:
    """Arguments of the kernel and the dimension in which their elements must be neighbours."""
    tiled = [entry for scheduled in schedule if (entry := _tiled(scheduled, config))]
    inputs = {spec.name for spec in workload.kernel.inputs} | {workload.kernel.output.name}
    required = {name: axis for entry in tiled for name, axis in unit_strides(entry).items() if name in inputs}
    output = workload.kernel.output
    return required | ({output.name: len(output.axes) - 1} if output.axes else {})


def _refuse_strides(lines: Lines, workload: Workload, schedule: Schedule, config: Config) -> None:
    """Return the number of the first argument whose strides the schedule cannot walk, before anything is written."""
    required = _unit_strides(workload, schedule, config)
    for position, spec in enumerate((*workload.kernel.inputs, workload.kernel.output), start=1):
        name, rank = array(spec.name), len(spec.extents)
        tests = [
            f"{name}.strides[{axis}] != ITEMSIZE"
            if required.get(spec.name) == axis
            else f"{name}.strides[{axis}] % ITEMSIZE"
            for axis in range(rank)
        ]
        if tests:
            with lines.block(f"if {' or '.join(tests)}:"):
                lines.add(f"return {position}")


def _tile_names(lines: Lines, tiled: Tiled) -> None:
    """Intrinsics of the tile's shape, under plain names."""
    vectors = tiled.width // tiled.lanes
    names = ", ".join(f"{operation}{tiled.label}" for operation in TileOperations._fields)
    lines.add(f"{names} = tile_operations({tiled.rows}, {vectors}, {tiled.lanes})")
    lines.add(f"pack_left{tiled.label} = panel_packing({tiled.rows}, {tiled.lanes})")
    lines.add(f"pack_right{tiled.label} = panel_packing({tiled.width}, {tiled.lanes})")


def _body(lines: Lines, scheduled: Scheduled, tiled: Tiled | None) -> None:
    if tiled:
        write_tiled(lines, tiled)
    else:
        write_plain(lines, scheduled)


def _stage_function(lines: Lines, scheduled: Scheduled, config: Config) -> None:
    tiled = _tiled(scheduled, config, f"_{scheduled.stage.name}")
    if tiled:
        _tile_names(lines, tiled)
    lines.add("", "")
    parameters = (*Names(scheduled.stage).arguments, "scratch", "task")
    lines.add("@njit(**OPTIONS)")
    with lines.block(f"def compute_{scheduled.stage.name}({', '.join(parameters)}):"):
        _body(lines, scheduled, tiled)
    lines.add("", "")


def _signature(workload: Workload) -> str:
    """Numba types: inputs of any layout that may be read-only, the output of any layout, aligned scratch."""
    kinds = [
        "REAL" if isinstance(spec, ScalarSpec) else f'types.Array(REAL, {len(spec.extents)}, "A", readonly=True)'
        for spec in workload.kernel.inputs
    ]
    rank = len(workload.kernel.output.axes)
    return f'types.int64({", ".join([*kinds, f"""types.Array(REAL, {rank}, "A")""", """types.Array(REAL, 1, "C")"""])})'


def _kernel_function(lines: Lines, workload: Workload, config: Config, schedule: Schedule, *, single: bool) -> None:
    kernel = workload.kernel
    parallel = any(_tasks(scheduled, config) > 1 for scheduled in schedule)
    tiled = _tiled(schedule[0], config) if single else None
    if tiled:
        _tile_names(lines, tiled)
    lines.add("", "")
    lines.add(f"SIGNATURE = {_signature(workload)}", "", "")
    lines.add(f"@njit(SIGNATURE, cache=True, parallel={parallel}, **OPTIONS)")
    parameters = (*arguments(kernel), array(kernel.output.name), "scratch")
    with lines.block(f"def kernel({', '.join(parameters)}):"):
        lines.add(
            '"""Compute the output and return 0, or the number of an argument that must be copied to C order first."""'
        )
        _refuse_strides(lines, workload, schedule, config)
        _extents(lines, workload, schedule)
        if single:
            _body(lines, schedule[0], tiled)
            lines.add("return 0")
            return
        for scheduled in schedule:
            stage = scheduled.stage
            if stage.name != kernel.output.name:
                shape = ", ".join(f"{axis.extent}_extent" for axis in stage.axes)
                lines.add(f"{array(stage.name)} = np.empty(({shape}{',' if stage.axes else ''}), np.{workload.dtype})")
            tasks, inputs = _tasks(scheduled, config), ", ".join((*Names(stage).arguments, "scratch"))
            if tasks > 1:
                with lines.block(f"for task in prange({tasks}):"):
                    lines.add(f"compute_{stage.name}({inputs}, task)")
            else:
                lines.add(f"compute_{stage.name}({inputs}, 0)")
        lines.add("return 0")


def _extents(lines: Lines, workload: Workload, schedule: Schedule) -> None:
    """Extents that are used as numbers or as shapes of intermediates."""
    kernel = workload.kernel
    used = {
        name.removesuffix("_extent") for s in schedule for name in Names(s.stage).arguments if name.endswith("_extent")
    }
    for scheduled in schedule:
        if scheduled.stage.name != kernel.output.name:
            used |= {axis.extent for axis in scheduled.stage.axes}
    for extent in kernel.extent_names:
        if extent in used:
            spec = next(spec for spec in kernel.inputs if extent in spec.extents)
            lines.add(f"{extent}_extent = {array(spec.name)}.shape[{spec.extents.index(extent)}]")
