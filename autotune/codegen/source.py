"""From a workload and a config to the source of a Python module that computes it."""

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

from autotune.__about__ import __version__
from autotune.codegen.frame import Frame, Layout
from autotune.codegen.names import arguments, array
from autotune.codegen.plain import write_plain
from autotune.codegen.simd import TileOperations
from autotune.codegen.sizes import constant_sizes, size_text
from autotune.codegen.text import Lines
from autotune.codegen.tiled import Tiled, unit_strides, write_tiled
from autotune.lang import Kernel, Output, ScalarSpec, TensorSpec
from autotune.lang.sizes import extents_in
from autotune.machine import Machine
from autotune.schedule import Config, Result, Stage, Workload
from autotune.schedule.stages import equations
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
    body = module_text(workload, config, schedule)
    digest = hashlib.sha256(f"{generator_version()}\n{body}".encode()).hexdigest()
    stem = re.sub(r"\W", "_", f"{workload.kernel.name}_{workload.kernel.direction}")
    return Source(f"{_header(workload, config, schedule)}\n{body}\n", digest, f"{stem[:80]}_{digest[:16]}")


def module_text(workload: Workload, config: Config, schedule: Schedule) -> str:
    """The text of the module that runs `schedule`, without its header."""
    return str(_module(_Module(workload, config, schedule)))


@dataclass(frozen=True)
class _Module:
    """What a module is written from."""

    workload: Workload
    config: Config
    schedule: Schedule

    @property
    def kernel(self) -> Kernel:
        """The kernel."""
        return self.workload.kernel

    @property
    def single(self) -> bool:
        """Whether all is in one function, which compiles faster than two."""
        return len(self.schedule) == 1 and self.tasks(self.schedule[0]) == 1

    def tiled(self, scheduled: Scheduled) -> Tiled | None:
        """The stage as a tiled one, where it is."""
        stage, contraction, nest = scheduled.stage, scheduled.contraction, scheduled.nest
        if not isinstance(stage, Stage) or contraction is None or not nest.accumulator:
            return None
        label = "" if len(self.schedule) == 1 else f"_{stage.name}"
        return Tiled(stage, contraction, nest, int(self.config.get("unroll", 1)), label)

    def tasks(self, scheduled: Scheduled) -> int:
        """How many tasks share the work of a stage."""
        tiled = self.tiled(scheduled)
        return tiled.tasks if tiled else 1

    @cached_property
    def intermediates(self) -> list[Result]:
        """The arrays that are not outputs."""
        outputs = {output.name for output in self.kernel.outputs}
        results = [result for scheduled in self.schedule for result in scheduled.stage.results]
        return [result for result in results if result.name not in outputs]

    def frame(self) -> Frame:
        """The kernel's function, without any code yet."""
        layouts = {}
        for spec in self.kernel.inputs:
            if isinstance(spec, TensorSpec):
                layouts[spec.name] = Layout(spec.extents, spec.integer)
        for output in self.kernel.outputs:
            layouts[output.name] = Layout(output.extents, output.integer, unit=True)
        for result in self.intermediates:
            layouts[result.name] = Layout(tuple(axis.extent for axis in result.axes), result.integer, unit=True)
        return Frame(layouts, constant_sizes(self.kernel))


def _module(module: _Module) -> Lines:
    code = Lines()
    frame, body = module.frame(), Lines()
    for scheduled in module.schedule:
        _stage(body, module, scheduled, frame)
    _constants(code, module, frame.checks)
    if not module.single:
        for scheduled in module.schedule:
            if tiled := module.tiled(scheduled):
                _tiled_function(code, tiled)
    _kernel_function(code, module, frame, body)
    lines = Lines()
    _imports(lines, str(code))
    lines.add(*code.lines)
    return lines


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


def _constants(lines: Lines, module: _Module, checks: Sequence[str]) -> None:
    tiled = [entry for scheduled in module.schedule if (entry := module.tiled(scheduled))]
    lines.add(f"REAL = types.{module.workload.dtype}")
    lines.add(f"ITEMSIZE = {module.workload.itemsize}")
    lines.add(f"SCRATCH = {max((entry.scratch * entry.tasks for entry in tiled), default=0)}  # elements")
    if checks:
        lines.add("CHECKS = (", *(f"    {check!r}," for check in checks), ")")
    lines.add(f"CONFIG = {module.config!r}")
    lines.add('OPTIONS = {"error_model": "numpy", "nogil": True, "fastmath": {"contract", "reassoc"}}')


def _unit_strides(module: _Module) -> dict[str, int]:
    """Arguments of the kernel and the dimension in which their elements must be neighbours."""
    kernel = module.kernel
    tiled = [entry for scheduled in module.schedule if (entry := module.tiled(scheduled))]
    known = {spec.name for spec in (*kernel.inputs, *kernel.outputs)}
    required = {name: axis for entry in tiled for name, axis in unit_strides(entry).items() if name in known}
    return required | {output.name: len(output.axes) - 1 for output in kernel.outputs if output.axes}


def _refuse_strides(lines: Lines, module: _Module) -> None:
    """Return the number of the first argument whose strides the schedule cannot walk, before anything is written."""
    required = _unit_strides(module)
    for position, spec in enumerate((*module.kernel.inputs, *module.kernel.outputs), start=1):
        name, size = array(spec.name), "8" if _is_integer(spec) else "ITEMSIZE"
        tests = [
            f"{name}.strides[{axis}] {'!=' if required.get(spec.name) == axis else '%'} {size}"
            for axis in range(len(spec.extents))
        ]
        if spec.name in required and not any(map(module.tiled, module.schedule)):
            tests[required[spec.name]] = f"{name}.size and {tests[required[spec.name]]}"  # strides of nothing are 0
        if tests:
            with lines.block(f"if {' or '.join(tests)}:"):
                lines.add(f"return {position}")


def _is_integer(spec: TensorSpec | ScalarSpec | Output) -> bool:
    return not isinstance(spec, ScalarSpec) and spec.integer


def _tile_names(lines: Lines, tiled: Tiled) -> None:
    """Intrinsics of the tile's shape, under plain names."""
    vectors = tiled.width // tiled.lanes
    names = ", ".join(f"{operation}{tiled.label}" for operation in TileOperations._fields)
    lines.add(f"{names} = tile_operations({tiled.rows}, {vectors}, {tiled.lanes})")
    lines.add(f"pack_left{tiled.label} = panel_packing({tiled.rows}, {tiled.lanes})")
    lines.add(f"pack_right{tiled.label} = panel_packing({tiled.width}, {tiled.lanes})")


def _tiled_function(lines: Lines, tiled: Tiled) -> None:
    _tile_names(lines, tiled)
    lines.add("", "", "@njit(**OPTIONS)")
    with lines.block(f"def compute_{tiled.stage.name}({', '.join((*tiled.names.arguments, 'scratch', 'task'))}):"):
        write_tiled(lines, tiled)
    lines.add("", "")


def _signature(kernel: Kernel) -> str:
    """Numba types: inputs of any layout that may be read-only, outputs of any layout, aligned scratch."""
    kinds = []
    for spec in (*kernel.inputs, *kernel.outputs):
        if isinstance(spec, ScalarSpec):
            kinds.append("REAL")
        else:
            readonly = "" if isinstance(spec, Output) else ", readonly=True"
            kind = "types.int64" if spec.integer else "REAL"
            kinds.append(f'types.Array({kind}, {len(spec.extents)}, "A"{readonly})')
    kinds.append('types.Array(REAL, 1, "C")')
    return f"types.int64({', '.join(kinds)})"


def _kernel_function(lines: Lines, module: _Module, frame: Frame, body: Lines) -> None:
    kernel = module.kernel
    parallel = any(module.tasks(scheduled) > 1 for scheduled in module.schedule)
    if module.single and (tiled := module.tiled(module.schedule[0])):
        _tile_names(lines, tiled)
    lines.add("", "")
    lines.add(f"SIGNATURE = {_signature(kernel)}", "", "")
    lines.add(f"@njit(SIGNATURE, cache=True, parallel={parallel}, **OPTIONS)")
    parameters = (*arguments(kernel), *(array(output.name) for output in kernel.outputs), "scratch")
    with lines.block(f"def kernel({', '.join(parameters)}):"):
        lines.add(_docstring(module, frame))
        _refuse_strides(lines, module)
        _extents(lines, module, frame)
        lines.add(*body.lines)
        frame.keep(lines)
        lines.add("return 0")


def _docstring(module: _Module, frame: Frame) -> str:
    what = "output" if len(module.kernel.outputs) == 1 else "outputs"
    text = f"Compute the {what} and return 0, or the number of an argument that must be copied to C order first"
    return f'"""{text}{", or minus that of a check that failed" if frame.checks else ""}."""'


def _stage(lines: Lines, module: _Module, scheduled: Scheduled, frame: Frame) -> None:
    """Make room for what a stage writes, and compute it."""
    stage, tiled = scheduled.stage, module.tiled(scheduled)
    if module.single and tiled:
        write_tiled(lines, tiled)
        return
    if len(module.schedule) > 1:
        lines.add("", *(f"# {equation}" for equation in equations(stage)))
    for result in stage.results:
        if result in module.intermediates:
            shape = "".join(f"{frame.extent(axis.extent)}, " for axis in result.axes)
            kind = "int64" if result.integer else module.workload.dtype
            lines.add(f"{array(result.name)} = np.empty(({shape.strip()}), np.{kind})")
    if not tiled:
        write_plain(lines, frame, stage)
        return
    extents = [name.removesuffix("_extent") for name in tiled.names.arguments if name.endswith("_extent")]
    for name in extents:
        frame.extent(name)
    call = f"compute_{stage.name}({', '.join((*tiled.names.arguments, 'scratch'))}"
    if tiled.tasks > 1:
        with lines.block(f"for task in prange({tiled.tasks}):"):
            lines.add(f"{call}, task)")
    else:
        lines.add(f"{call}, 0)")


def _extents(lines: Lines, module: _Module, frame: Frame) -> None:
    """Extents that are used as numbers or as shapes of intermediates."""
    kernel = module.kernel
    derived = [name for name in kernel.sizes if name not in kernel.extent_names]
    needed = _with_sources(kernel, set(frame.sizes), derived)
    for extent in kernel.extent_names:
        if extent in needed:
            spec = next(spec for spec in kernel.inputs if extent in spec.extents)
            lines.add(f"{extent}_extent = {array(spec.name)}.shape[{spec.extents.index(extent)}]")
    for extent in _in_order(kernel, [name for name in derived if name in needed]):
        lines.add(f"{extent}_extent = {size_text(kernel.sizes[extent])}")


def _with_sources(kernel: Kernel, used: set[str], derived: Sequence[str]) -> set[str]:
    """The extents `used` and those that they follow from."""
    found, pending = set[str](), list(used)
    while pending:
        extent = pending.pop()
        if extent not in found:
            found.add(extent)
            pending += extents_in(kernel.sizes[extent]) if extent in derived else ()
    return found


def _in_order(kernel: Kernel, derived: Sequence[str]) -> list[str]:
    """Extents, those that others follow from first."""
    found: list[str] = []
    pending = list(derived)
    while pending:
        ready = [name for name in pending if not set(extents_in(kernel.sizes[name])) & set(pending)]
        found += ready
        pending = [name for name in pending if name not in ready]
    return found
