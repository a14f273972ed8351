"""From a workload and a config to the source of a Python module that computes it."""

import hashlib
import json
import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from itertools import groupby
from pathlib import Path

from autotune.__about__ import __version__
from autotune.codegen.blocks import Blocked, sliced, write_block, write_block_function, write_ends
from autotune.codegen.frame import MATH, MEMORY, STRIDED, Frame, Layout
from autotune.codegen.function import function_module
from autotune.codegen.lanes import MOST_APART
from autotune.codegen.names import arguments, array
from autotune.codegen.plain import write_parts, write_plain
from autotune.codegen.signature import signature
from autotune.codegen.sizes import size_text
from autotune.codegen.text import Lines
from autotune.codegen.tiled import tile_names, unit_strides, write_tiled
from autotune.codegen.tiling import Tiled
from autotune.lang import Axis, Kernel, Output, ScalarSpec, TensorSpec
from autotune.lang.sizes import extents_in
from autotune.machine import Machine
from autotune.schedule import Config, ReplayStage, Result, Stage, Workload
from autotune.schedule.stages import equations
from autotune.schedule.structure import constant_sizes, structural_extents
from autotune.templates import FunctionTemplate, Schedule, Scheduled, template_for

MOST_LOCAL = 16 << 10  # bytes of scratch that a function has on its stack, which saves its caller 0.1 µs (Zen 4)
_INTRINSICS = ("get", "keep", "local_memory", "pointer", "prefetch", "put", "shift")
_VECTORS = ("fence", "vector_operations")
_WINDOWS = ("Window", "index_reach", "run_lengths", "whole_numbers", "window_packing")


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
    template = template_for(workload)
    if isinstance(template, FunctionTemplate):
        template.space(workload, machine).check(config)
        header, body = function_module(workload, config)
    else:
        schedule = template.schedule(workload, config, machine)
        header, body = str(_header(workload, config, schedule)), module_text(workload, config, schedule)
    digest = hashlib.sha256(f"{generator_version()}\n{body}".encode()).hexdigest()
    stem = re.sub(r"\W", "_", f"{workload.kernel.name}_{workload.kernel.direction}")
    return Source(f"{header}\n{body}\n", digest, f"{stem[:80]}_{digest[:16]}")


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
        return len(self.schedule) == 1 and self.tasks(self.schedule[0]) == 1 and self.schedule[0].block is None

    def tiled(self, scheduled: Scheduled) -> Tiled | None:
        """The stage as a tiled one, where it is."""
        stage, contraction, nest = scheduled.stage, scheduled.contraction, scheduled.nest
        if not isinstance(stage, Stage) or contraction is None or not nest.accumulator:
            return None
        label = "" if len(self.schedule) == 1 else f"_{stage.name}"
        tiled = Tiled(stage, contraction, nest, int(self.config.get("unroll", 1)), label)
        alone = len(self.schedule) == 1 and tiled.tasks == 1 and scheduled.block is None
        return replace(tiled, local=alone and tiled.scratch * self.workload.itemsize <= MOST_LOCAL)

    def tasks(self, scheduled: Scheduled) -> int:
        """How many tasks share the work of a stage."""
        tiled = self.tiled(scheduled)
        return tiled.tasks if tiled else 1

    @cached_property
    def scratch(self) -> int:
        """Elements of scratch that a call needs; the kernel takes none where that is 0."""
        found = [(self.tiled(s), s.block.tasks if s.block else 1) for s in self.schedule]
        each = [(entry, tasks) for entry, tasks in found if entry and not entry.local]
        return max((entry.scratch * max(entry.tasks, tasks) for entry, tasks in each), default=0)

    @cached_property
    def structure(self) -> dict[str, int]:
        """The extents that are constants of this code, where loops over vectors can write their loops out."""
        vectors = any(scheduled.plan.vector is not None for scheduled in self.schedule)
        return structural_extents(self.workload) if vectors else {}

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
        frame = Frame(layouts, {**constant_sizes(self.kernel), **self.structure}, self.workload.itemsize)
        frame.streamed = frozenset(output.name for output in self.kernel.outputs)
        return frame


def _module(module: _Module) -> Lines:
    code = Lines()
    frame, body = module.frame(), Lines()
    functions = Lines()
    for block, members in groupby(module.schedule, key=lambda scheduled: scheduled.block):
        if block is None:
            for scheduled in members:
                _stage(body, module, scheduled, frame)
        else:
            outputs = [output.name for output in module.kernel.outputs]
            _block(body, functions, module, Blocked.of(block, tuple(members), module.schedule, outputs), frame)
    refusals = Lines()
    for name, size in module.structure.items():
        with refusals.block(f"if {name}_extent != {size}:"):
            refusals.add(f"return {frame.failure(f'this code is for {name} = {size}')}")
    body.lines = [*refusals.lines, *body.lines]
    _constants(code, module, frame.checks, "\n".join((str(body), str(functions))))
    if not module.single:
        for scheduled in module.schedule:
            if tiled := module.tiled(scheduled):
                _tiled_function(code, tiled)
    code.add(*functions.lines)
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
    lines.add("from autotune.codegen.compiler import Pipeline")
    for module, names in (
        ("borrowed", ("Borrowed",)),
        ("panel_packing", ("panel_packing",)),
        ("simd", _INTRINSICS),
        ("strided_memory", ("strided_operations",)),
        ("tiles", ("tile_operations",)),
        ("vector_math", MATH),
        ("vector_memory", _VECTORS),
        ("window_packing", _WINDOWS),
    ):
        if used := _called(names, code):
            lines.add(f"from autotune.codegen.{module} import {', '.join(used)}")
    lines.add("")


def _called(names: tuple[str, ...], code: str) -> tuple[str, ...]:
    """Those of `names` that `code` calls."""
    return tuple(name for name in names if re.search(rf"\b{name}\(", code))


def _constants(lines: Lines, module: _Module, checks: Sequence[str], code: str) -> None:
    lines.add(f"REAL = types.{module.workload.dtype}")
    lines.add(f"ITEMSIZE = {module.workload.itemsize}")
    lines.add(f"SCRATCH = {module.scratch}  # elements")
    if checks:
        lines.add("CHECKS = (", *(f"    {check!r}," for check in checks), ")")
    lines.add(f"CONFIG = {module.config!r}")
    lines.add('OPTIONS = {"error_model": "numpy", "nogil": True, "fastmath": {"contract", "reassoc"}}')
    lines.add('OPTIONS["pipeline_class"] = Pipeline')
    _vector_names(lines, max(scheduled.plan.lanes for scheduled in module.schedule), code)


def _vector_names(lines: Lines, lanes: int, code: str) -> None:
    """The operations on vectors that `code` uses, under plain names."""
    used = _called(MEMORY, code)
    if not used and "LANES" not in code:
        return
    lines.add(f"LANES = {lanes}  # elements of a vector")
    if used:
        lines.add("operations = vector_operations(LANES)")
        lines.add(*(f"{name} = operations.{name}" for name in used))
    for step in range(2, MOST_APART + 1):
        names = [name for name in STRIDED if re.search(rf"\b{name}_every_{step}\(", code)]
        if names:
            lines.add(f"every_{step} = strided_operations(LANES, {step})")
            lines.add(*(f"{name}_every_{step} = every_{step}.{name}" for name in names))


def _unit_strides(module: _Module, dense: Collection[str]) -> dict[str, int]:
    """Arguments of the kernel and the dimension in which their elements must be neighbours."""
    kernel = module.kernel
    tiled = [entry for scheduled in module.schedule if (entry := module.tiled(scheduled))]
    known = {spec.name for spec in (*kernel.inputs, *kernel.outputs)}
    required = {name: axis for entry in tiled for name, axis in unit_strides(entry).items() if name in known}
    required |= {spec.name: len(spec.extents) - 1 for spec in kernel.inputs if spec.name in dense}
    return required | {output.name: len(output.axes) - 1 for output in kernel.outputs if output.axes}


def _refuse_strides(lines: Lines, module: _Module, dense: Collection[str]) -> None:
    """Return the number of the first argument whose strides the schedule cannot walk, before anything is written."""
    required = _unit_strides(module, dense)
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


def _tiled_function(lines: Lines, tiled: Tiled) -> None:
    tile_names(lines, tiled)
    lines.add("", "", "@njit(**OPTIONS)")
    parameters = (*tiled.names.arguments, *(["scratch"] if tiled.scratch else []), "task")
    with lines.block(f"def compute_{tiled.stage.name}({', '.join(parameters)}):"):
        write_tiled(lines, tiled)
    lines.add("", "")


def _kernel_function(lines: Lines, module: _Module, frame: Frame, body: Lines) -> None:
    kernel = module.kernel
    blocks = [scheduled.block for scheduled in module.schedule if scheduled.block]
    parallel = any(module.tasks(s) > 1 for s in module.schedule) or any(block.tasks > 1 for block in blocks)
    if module.single and (tiled := module.tiled(module.schedule[0])):
        tile_names(lines, tiled)
    lines.add("", "")
    lines.add(f"SIGNATURE = {signature(kernel, module.scratch)}", "", "")
    lines.add(f"@njit(SIGNATURE, cache=True, parallel={parallel}, **OPTIONS)")
    parameters = (*arguments(kernel), *(array(output.name) for output in kernel.outputs))
    if module.scratch:  # left out where it can be: each argument costs time in every call
        parameters += ("scratch",)
    with lines.block(f"def kernel({', '.join(parameters)}):"):
        lines.add(_docstring(module, frame))
        _refuse_strides(lines, module, frame.dense)
        _extents(lines, module, frame)
        lines.add(*body.lines)
        if "stream(" in str(body):
            lines.add("fence()")
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
        _known_extents(lines, tiled, frame)
        write_tiled(lines, tiled)
        return
    if len(module.schedule) > 1:
        lines.add("", *(f"# {equation}" for equation in equations(stage)))
    _allocate(module, lines, scheduled, stage.results, lambda result: _shape(result, frame))
    if tiled:
        _call_tiled(lines, tiled, frame, [array(tensor) for tensor in tiled.names.tensors])
    else:
        code = Lines()
        write_plain(code, frame, stage, scheduled.plan)
        lines.add(*frame.declarations(), *code.lines)


def _call_tiled(lines: Lines, tiled: Tiled, frame: Frame, arrays: Sequence[str], scratch: str = "scratch") -> None:
    """Call the function of a tiled stage on arrays, or views of them."""
    given = tiled.names.arguments[len(arrays) :]
    _known_extents(lines, tiled, frame)
    call = f"compute_{tiled.stage.name}({', '.join((*arrays, *given, *([scratch] if tiled.scratch else [])))}"
    if tiled.tasks > 1:
        with lines.block(f"for task in prange({tiled.tasks}):"):
            lines.add(f"{call}, task)")
    else:
        lines.add(f"{call}, 0)")


def _known_extents(lines: Lines, tiled: Tiled, frame: Frame) -> None:
    """Extents that the code of a tiled stage uses as numbers, under the names that it has for them."""
    for name in tiled.names.extents:
        text = frame.extent(name)
        if text != f"{name}_extent":
            lines.add(f"{name}_extent = {text}")


def _shape(result: Result, frame: Frame) -> list[str]:
    return [frame.extent(axis.extent) for axis in result.axes]


def _allocate(
    module: _Module,
    lines: Lines,
    scheduled: Scheduled,
    some: Collection[Result],
    shape: Callable[[Result], Sequence[str]],
) -> None:
    """Make room for those of `some` results that a stage writes and that are no outputs."""
    stage = scheduled.stage
    buffers = stage.buffers if isinstance(stage, ReplayStage) and scheduled.plan.vector is not None else ()
    for result in stage.results:
        if result in module.intermediates and result in some:
            sizes = [*shape(result), *([f"{scheduled.plan.copies} * LANES"] if result in buffers else [])]
            kind = "int64" if result.integer else module.workload.dtype
            lines.add(f"{array(result.name)} = np.empty(({''.join(f'{size}, ' for size in sizes).strip()}), np.{kind})")


def _block(lines: Lines, functions: Lines, module: _Module, blocked: Blocked, frame: Frame) -> None:
    """Stages that run together: here, or where threads share them as a function of the number of the task."""

    def write(code: Lines, scheduled: Scheduled, inside: Frame) -> None:
        tiled = module.tiled(scheduled)
        if tiled:
            views = [sliced(inside, blocked, tensor, axes) for tensor, axes in _dimensions(tiled).items()]
            inside.arrays.update(dict.fromkeys(tiled.names.tensors))
            _call_tiled(code, tiled, inside, views, "scratch" if blocked.block.tasks == 1 else "own_scratch")
        else:
            write_plain(code, inside, scheduled.stage, scheduled.plan)

    allocate = partial(_allocate, module)
    tasks = blocked.block.tasks
    if tasks == 1:
        write_block(lines, frame, blocked, write, allocate)
        return
    for scheduled in blocked.members:
        shared = [result for result in scheduled.stage.results if result not in blocked.local]
        _allocate(module, lines, scheduled, shared, lambda result: _shape(result, frame))
    own = module.frame()
    own.checks, before = frame.checks, len(frame.checks)
    scratch = max((tiled.scratch for scheduled in blocked.members if (tiled := module.tiled(scheduled))), default=0)
    given = write_block_function(functions, own, blocked, write, allocate, ["own_scratch"] if scratch else [])
    frame.dense.update(own.dense)
    for name in own.sizes:
        frame.extent(name)
    single = {array(tensor): f"{tensor}_single" for tensor in own.arrays if not own.layouts[tensor].extents}
    # In a parallel loop Numba takes an array without dimensions for a number.
    own_part = {}
    for _, stage in blocked.gathering:
        sizes = [str(tasks), *(frame.extent(axis.extent) for axis in stage.axes)]
        lines.add(
            f"{stage.name}_parts = np.empty(({', '.join(sizes)}{',' * (len(sizes) == 1)}), np.{module.workload.dtype})"
        )
        own_part[array(stage.name)] = f"{stage.name}_parts[{'task' if stage.axes else 'task : task + 1'}]"
    lines.add(*(f"{name} = np.full(1, {whole}[()])" for whole, name in single.items() if whole not in own_part))
    arguments = [own_part.get(name, single.get(name, name)) for name in given]
    if scratch:
        arguments.append(f"scratch[task * {scratch} : (task + 1) * {scratch}]")
    call = f"{blocked.name}({', '.join([*arguments, 'task'])})"
    checked = len(frame.checks) > before
    if checked:
        lines.add(f"statuses = np.empty({tasks}, np.int64)")
    with lines.block(f"for task in prange({tasks}):"):
        lines.add(f"statuses[task] = {call}" if checked else call)
    if checked:
        with lines.block(f"for task in range({tasks}):"), lines.block("if statuses[task] != 0:"):
            lines.add("return statuses[task]")
    code = Lines()
    for _, stage in blocked.gathering:
        write_parts(code, frame, stage, f"{stage.name}_parts", tasks)
    lines.add(*frame.declarations(), *code.lines)
    write_ends(lines, frame, blocked)


def _dimensions(tiled: Tiled) -> dict[str, tuple[Axis | None, ...]]:
    """The axis of each dimension of the tensors of a tiled stage, None where its index is more than an axis."""
    found: dict[str, tuple[Axis | None, ...]] = {}
    for read in tiled.names.reads:
        found[read.tensor] = tuple(index if isinstance(index, Axis) else None for index in read.indices)
    return {tensor: found[tensor] for tensor in tiled.names.tensors}


def _extents(lines: Lines, module: _Module, frame: Frame) -> None:
    """Extents that are used as numbers or as shapes of intermediates."""
    kernel = module.kernel
    derived = [name for name in kernel.sizes if name not in kernel.extent_names]
    needed = _with_sources(kernel, {*frame.sizes, *module.structure}, derived)
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
