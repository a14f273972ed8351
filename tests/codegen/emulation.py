"""Generated modules run by Python itself: slow per element, but without a compiler, and every access is checked."""

import math
import re
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autotune.codegen.source import module_text
from autotune.lang import Kernel
from autotune.lang.reference import Results
from autotune.machine import detect
from autotune.schedule import Workload
from autotune.templates import PlainTemplate
from tests.codegen import emulated_vectors

Array = NDArray[Any]


class Pointer:
    """An array in C order, by offsets from one of its elements, or from the place after the last."""

    def __init__(self, array: Array) -> None:
        assert array.flags.c_contiguous
        self.flat = array.reshape(-1)

    def shift(self, offset: int) -> "Pointer":
        """The pointer `offset` elements further on."""
        assert 0 <= offset <= self.flat.size
        return Pointer(self.flat[offset:])

    def check(self, offset: int) -> None:
        """Raise IndexError for an offset outside the array."""
        if not 0 <= offset < self.flat.size:
            message = f"offset {offset} in an array of {self.flat.size} elements"
            raise IndexError(message)


def _get(base: Pointer, offset: int) -> Any:
    base.check(offset)
    value = base.flat[offset]
    assert value == value or not base.flat.dtype.name.startswith("poison")
    return value


def _put(base: Pointer, offset: int, value: Any) -> None:
    base.check(offset)
    if base.flat.dtype.kind == "i":
        assert isinstance(value, int | np.integer), type(value)
    else:
        assert isinstance(value, np.floating), type(value)
    base.flat[offset] = value


NAMES: dict[str, Any] = {
    "np": np,
    "njit": lambda *_, **__: lambda function: function,
    "prange": range,
    "types": SimpleNamespace(float64=np.float64, int64=lambda *_: None, Array=lambda *_, **__: None),
    "Borrowed": lambda *_, **__: None,
    "Pipeline": None,
    "math": math,
    "pointer": Pointer,
    "keep": lambda _: None,
    "get": _get,
    "put": _put,
    "shift": Pointer.shift,
    "prefetch": lambda *_: None,
    **emulated_vectors.NAMES,
}


def plain_text(workload: Workload) -> str:
    """The module of the plain schedule, whichever template would be chosen."""
    template, machine = PlainTemplate(), detect()
    config = template.default(workload, machine)
    return module_text(workload, config, template.schedule(workload, config, machine))


def emulate(
    kernel: Kernel, arguments: dict[str, Array], extents: dict[str, int], made_for: dict[str, int] | None = None
) -> tuple[int, Results]:
    """What the plain schedule of `kernel` returns and writes in float64, made for these extents or other ones."""
    text = plain_text(Workload.of(kernel, made_for or extents, "float64"))
    return run(text, Workload.of(kernel, extents, "float64"), arguments)


def run(text: str, workload: Workload, arguments: dict[str, Array]) -> tuple[int, Results]:
    """What a module returns and writes."""
    kernel = workload.kernel
    code = "\n".join(line for line in text.splitlines() if not re.match(r"(from|import) ", line))
    scope = dict(NAMES)
    exec(compile(code, "<generated>", "exec"), scope)
    outputs = {
        output.name: np.full(workload.shapes[output.name], np.iinfo(np.int64).min, np.int64)
        if output.integer
        else np.full(workload.shapes[output.name], np.nan)
        for output in kernel.outputs
    }
    given = [arguments[spec.name][()] for spec in kernel.inputs]  # NumPy's number of an array without dimensions
    with np.errstate(all="ignore"):
        code_returned = scope["kernel"](*given, *outputs.values())
    return code_returned, outputs
