"""The signature that every generated kernel is compiled for."""

from autotune.lang import Kernel, Output, ScalarSpec


def signature(kernel: Kernel, scratch: int) -> str:
    """Numba types: inputs of any layout that may be read-only, outputs of any layout, aligned scratch if any."""
    kinds = []
    for spec in (*kernel.inputs, *kernel.outputs):
        if isinstance(spec, ScalarSpec):
            kinds.append("REAL")
        else:
            readonly = "" if isinstance(spec, Output) else ", readonly=True"
            kind = "types.int64" if spec.integer else "REAL"
            kinds.append(f"Borrowed({kind}, {len(spec.extents)}{readonly})")
    if scratch:
        kinds.append("Borrowed(REAL, 1)")
    return f"types.int64({', '.join(kinds)})"
