"""The module that runs a config of a user's own template: it asks the user's function for the compiled one."""

import json

from autotune.codegen.names import arguments, array
from autotune.codegen.signature import signature
from autotune.codegen.text import Lines
from autotune.lang import ScalarSpec
from autotune.schedule import Config, Workload
from autotune.templates.function import TemplatedKernel, file_digest


def function_module(workload: Workload, config: Config) -> tuple[str, str]:
    """The header and the body of the module; the body says nothing of the extents."""
    kernel = workload.kernel
    assert isinstance(kernel, TemplatedKernel)  # whoever has such a template is such a kernel
    return _header(workload, kernel, config), _body(workload, kernel, config)


def _header(workload: Workload, kernel: TemplatedKernel, config: Config) -> str:
    lines = Lines()
    lines.add(f'"""{kernel.signature()}', "")
    lines.add(f"template: {kernel.own.origin.name} in {kernel.own.origin.file}")
    lines.add(f"first written for: {workload.describe()}")
    lines.add(f"config: {json.dumps(config)}", '"""', "")
    return str(lines)


def _body(workload: Workload, kernel: TemplatedKernel, config: Config) -> str:
    origin = kernel.own.origin
    lines = Lines()
    lines.add("from numba import njit, types", "")
    lines.add("from autotune.codegen.borrowed import Borrowed")
    lines.add("from autotune.codegen.contiguous import c_ordered, is_c_ordered")
    lines.add("from autotune.lang.origin import Origin")
    lines.add("from autotune.templates.function import load_kernel", "")
    lines.add(f"REAL = types.{workload.dtype}")
    lines.add("SCRATCH = 0  # elements")
    lines.add(f"CONFIG = {config!r}")
    lines.add(f"ORIGIN = {origin!r}")
    lines.add(f'FILE = "{file_digest(origin)}"  # of its text: another file is compiled anew')
    lines.add(f'TEMPLATE = load_kernel(ORIGIN, "{kernel.digest}").own')
    lines.add(f'compute = TEMPLATE.made(CONFIG, "{workload.dtype}", {workload.threads})', "", "")
    lines.add(f"SIGNATURE = {signature(kernel, 0)}", "", "")
    lines.add('@njit(SIGNATURE, cache=True, nogil=True, error_model="numpy")')
    specs = (*kernel.inputs, *kernel.outputs)
    names = (*arguments(kernel), *(array(output.name) for output in kernel.outputs))
    with lines.block(f"def kernel({', '.join(names)}):"):
        lines.add(
            '"""Compute the outputs and return 0, or the number of an argument that must be copied to C order."""'
        )
        for position, (spec, name) in enumerate(zip(specs, names, strict=True), start=1):
            if not isinstance(spec, ScalarSpec):
                with lines.block(f"if not is_c_ordered({name}):"):
                    lines.add(f"return {position}")
        given = (
            name if isinstance(spec, ScalarSpec) else f"c_ordered({name})"
            for spec, name in zip(specs, names, strict=True)
        )
        lines.add(f"compute({', '.join(given)})", "return 0")
    return str(lines)
