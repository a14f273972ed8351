"""An exported module: generated kernels, what they are made of, and functions that call them, in one text."""

import ast
import io
import re
import tokenize
from collections.abc import Mapping, Sequence
from importlib.resources import files

from autotune.__about__ import __version__
from autotune.codegen import generate
from autotune.codegen.sizes import size_text
from autotune.lang import FORWARD, Axis, Kernel, ScalarSpec
from autotune.lang.bounds import Access, accesses
from autotune.lang.specs import Input, Output, grouped
from autotune.machine import Machine, versions
from autotune.runtime.export.chosen import Chosen
from autotune.runtime.export.inline import bindings, modules_in, of_codegen, replaced, sections
from autotune.schedule.structure import structural_extents

_WORD = re.compile(r"\W+")
_MARK = "# --- copied from here on ---"


def module_text(functions: Mapping[Kernel, Sequence[Chosen]], machine: Machine) -> str:
    """The text of a module with a function for each kernel, in this order; the same for the same schedules."""
    sources, parts, calls, names = [], [], [], []
    number = 0
    for kernel, schedules in functions.items():
        entries = []
        for one in schedules:
            number += 1
            source = generate(one.choice.made_for, one.choice.config, machine).text
            sources.append(source)
            parts.append(_schedule(source, one, number))
            entries.append(f"_SCHEDULE_{number}")
        names.append(function_name(kernel))
        calls.append(_function(kernel, entries))
    needed = list(dict.fromkeys(name for source in sources for name in modules_in(source)))
    support = files("autotune.runtime.export").joinpath("support.py").read_text(encoding="utf-8").split(_MARK)[1]
    blocks = (
        _header(names, functions, machine),
        support.strip(),
        _title("What the kernels are made of"),
        sections(needed),
        _title("Kernels"),
        *parts,
        _title("Functions"),
        *calls,
    )
    return "\n\n\n".join(blocks) + "\n"


def function_name(kernel: Kernel) -> str:
    """What the function for a kernel is called: "matmul", "matmul_vjp_a"."""
    return kernel.name if kernel.direction == FORWARD else f"{kernel.name}_{_WORD.sub('_', kernel.direction)}"


def _header(names: Sequence[str], functions: Mapping[Kernel, Sequence[Chosen]], machine: Machine) -> str:
    kernels = zip(names, functions, strict=True)
    made_by = ", ".join(f"{name} {version}" for name, version in versions().items())
    lines = [
        '"""Kernels tuned by autotune, in a file of their own that needs NumPy and Numba only.',
        "",
        *(f"    {name}({', '.join(spec.name for spec in kernel.inputs)})" for name, kernel in kernels),
        "",
        "Each takes arrays that are all float32 or all float64, of any shape and strides, and runs the schedule that",
        "was tuned for the nearest sizes. The first call compiles it, which takes seconds; the machine code is kept",
        "beside this file.",
        "",
        f"Tuned on: {machine.cpu} {machine.revision}, {machine.isa}, {machine.cores} cores ({machine.fingerprint})",
        f"Made by: {made_by}",
        '"""',
        "",
        "# ruff: noqa",
        "",
        "import math",
        "from collections.abc import Callable, Mapping, Sequence",
        "from dataclasses import dataclass, field",
        "from threading import Lock",
        "from types import SimpleNamespace",
        "from typing import Any",
        "",
        "import numba",
        "import numpy as np",
        "from numba import njit, prange, types",
        "",
        f"__all__ = {sorted(names)!r}",
        f"AUTOTUNE_VERSION = {__version__!r}",
    ]
    return "\n".join(lines)


def _title(text: str) -> str:
    return f"# {'=' * 20} {text} {'=' * 20}"


def _schedule(source: str, one: Chosen, number: int) -> str:
    """A generated module as a part of another: its names with a number, its kernel compiled when it is needed."""
    tree = ast.parse(source)
    new: dict[tuple[int, int], str] = {}
    names: set[str] = set()
    doc, parallel = "", "False"
    for node in tree.body:
        lines = (node.lineno, node.end_lineno or node.lineno)
        match node:
            case ast.Expr(ast.Constant(str() as doc)):
                new[lines] = ""
            case ast.ImportFrom() if of_codegen(node):
                new[lines] = bindings(node)
                names |= {alias.asname or alias.name for alias in node.names}
            case ast.Import() | ast.ImportFrom():
                new[lines] = ""
            case ast.FunctionDef(name, decorator_list=[ast.Call() as decorator]):
                names.add(name)
                if name == "kernel":
                    new[decorator.lineno, decorator.end_lineno or decorator.lineno] = ""
                    parallel = next(ast.unparse(k.value) for k in decorator.keywords if k.arg == "parallel")
            case ast.Assign(targets):
                names |= {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
            case _:
                pass
    text = _numbered(replaced(source, new), names, number)
    workload = one.choice.made_for
    fixed = structural_extents(workload) if "this code is for" in source else {}
    comments = [
        f"# {one.workload.describe()}: {one.told}",
        *(f"# {line}".rstrip() for line in doc.strip().splitlines()),
    ]
    checks = f"CHECKS_{number}" if "CHECKS" in names else "()"
    made = [
        f"_SCHEDULE_{number} = Schedule(",
        f"    sizes={dict(one.workload.extents)!r},",
        f"    fixed={fixed!r},",
        f"    compute=kernel_{number},",
        f"    signature=SIGNATURE_{number},",
        f'    options={{"parallel": {parallel}, **OPTIONS_{number}}},',
        f"    scratch=SCRATCH_{number},",
        f'    dtype="{workload.dtype}",',
        f"    checks={checks},",
        ")",
    ]
    body = re.sub(r"\n{3,}", "\n\n\n", text).strip()
    return "\n".join([*comments, "", body, "", "", *made])


def _numbered(text: str, names: set[str], number: int) -> str:
    """The text with each of `names` followed by a number, wherever it is not an attribute."""
    lines = text.splitlines(keepends=True)
    found = []
    previous = ""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME and token.string in names and previous != ".":
            found.append((token.end[0] - 1, token.end[1]))
        if token.type not in (tokenize.NL, tokenize.COMMENT):
            previous = token.string
    for row, column in reversed(found):
        lines[row] = f"{lines[row][:column]}_{number}{lines[row][column:]}"
    return "".join(lines)


def _function(kernel: Kernel, entries: Sequence[str]) -> str:
    name = function_name(kernel)
    constant = f"_{name.upper()}"
    inputs = [spec.name for spec in kernel.inputs]
    options = ", ".join(f"{option}={value}" for option, value in kernel.options)
    derived = [f"        {extent!r}: lambda sizes: {_size(kernel, extent)}," for extent in kernel.sizes]
    bounds = [f"        {_bound(access)}," for access in accesses(kernel.inputs, kernel.outputs)]
    lines = [
        f"{constant} = Function(",
        f"    name={name!r},",
        f"    inputs=({', '.join(map(_argument, kernel.inputs))},),",
        f"    outputs=({', '.join(map(_argument, kernel.outputs))},),",
        "    derived={", *derived, "    },",
        "    bounds=(", *bounds, "    ),",
        f"    schedules=({', '.join(entries)},),",
        ")",
        "",
        "",
        f"def {name}({', '.join(inputs)}, *, out=None):",
        f'    """{kernel.direction} of {kernel.signature()}{f" with {options}" if options else ""}',
        "",
        *(f"    {line}" for line in kernel.definition().splitlines()),
        '    """',
        f"    return {constant}(({', '.join(inputs)},), out)",
    ]  # fmt: skip
    return "\n".join(lines)


def _argument(spec: Input | Output) -> str:
    if isinstance(spec, ScalarSpec):
        return f"Argument({spec.name!r}, None)"
    return f"Argument({spec.name!r}, {grouped(spec.extents, spec.groups)!r}, integer={spec.integer})"


def _size(kernel: Kernel, extent: str) -> str:
    return re.sub(r"\b(\w+)_extent\b", r'sizes["\1"]', size_text(kernel.sizes[extent]))


def _bound(access: Access) -> str:
    affine = access.affine
    terms = tuple(
        (term.extent, coefficient, False) if isinstance(term, Axis) else (term, coefficient, True)
        for term, coefficient in affine.terms
    )
    axes = tuple(axis.extent for axis in access.node.axes)
    text = f"the index {access.index} of {access.place}"
    return f"Bound({text!r}, {terms!r}, {affine.offset}, {affine.divisor}, {access.extent!r}, {axes!r})"
