"""The text of a kernel's function for compiled callers: from arrays to extents, memory for results, and the call.

For example, of a matrix product::

    def matmul(a_given, b_given, out_given):
        m_extent = a_given.shape[0]
        k_extent = a_given.shape[1]
        if b_given.shape[0] != k_extent:
            raise ValueError("matmul: extent k of b[k, n] is another than before")
        n_extent = b_given.shape[1]
        ...
        refused = compute(a_given, b_given, out_array)
        if refused > 0:
            refused = compute(in_c_order(a_given), in_c_order(b_given), out_array)
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from autotune.codegen.sizes import size_text
from autotune.codegen.text import Lines
from autotune.lang import Axis, Kernel, ScalarSpec, TensorSpec
from autotune.lang.bounds import Access, accesses
from autotune.lang.specs import Output, grouped


@dataclass(frozen=True)
class Passed:
    """How a call passes its arrays: whether `out` is given, and scratch that the kernel needs, in elements."""

    out: bool
    scratch: int
    checks: tuple[str, ...]


def function_text(kernel: Kernel, passed: Passed) -> str:
    """A function of the kernel's inputs and `out_given`.

    Its globals are `compute`, the kernel's own function, `REAL`, the dtype, `np`, `in_c_order`, which copies an array
    that is not, `whole`, which makes whole numbers int64, and `aligned`, which allocates so many elements of scratch.
    """
    lines = Lines()
    names = [spec.name for spec in kernel.inputs]
    with lines.block(f"def call({', '.join(f'{name}_given' for name in names)}, out_given):"):
        lines.add(*_extents(kernel), *_sizes(kernel), *_bounds(kernel), *_outputs(kernel, passed))
        if passed.scratch:
            lines.add(f"scratch = aligned({passed.scratch})")
        lines.add(*_inputs(kernel))
        results = [f"{output.name}_split" for output in kernel.outputs]
        rest = [*results, *(["scratch"] if passed.scratch else [])]
        arrays = [f"{name}_array" for name in names]
        copies = [
            f"in_c_order({name}_array)" if isinstance(spec, TensorSpec) and spec.extents else f"{name}_array"
            for name, spec in zip(names, kernel.inputs, strict=True)
        ]
        lines.add(f"refused = compute({', '.join([*arrays, *rest])})")
        with lines.block("if refused > 0:"):  # an array whose strides the code cannot walk
            lines.add(f"refused = compute({', '.join([*copies, *rest])})")
        with lines.block("if refused != 0:"):
            for number, check in enumerate(passed.checks, start=1):
                lines.add(f"if refused == {-number}:", f"    raise {_failure(kernel, check)}")
            lines.add(f"raise ValueError({f'{kernel.name}: out has strides that the code cannot walk'!r})")
        found = [f"{output.name}_result" for output in kernel.outputs]
        lines.add(f"return {found[0] if len(found) == 1 else _tuple(found)}")
    return str(lines)


def _failure(kernel: Kernel, check: str) -> str:
    if check.startswith("this code is for"):
        hint = f"compile it for arrays like yours: {kernel.name}.compiled(…)"
        return f"ValueError({f'{kernel.name}: {check}; {hint}'!r})"
    return f"IndexError({f'{kernel.name}: {check} is out of range'!r})"


def _extents(kernel: Kernel) -> Iterator[str]:
    """Every extent from the shapes, those that stand alone first, and that shapes agree."""
    pending = [
        (spec, dimension, extents)
        for spec in kernel.inputs
        if isinstance(spec, TensorSpec)
        for dimension, extents in enumerate(grouped(spec.extents, spec.groups))
    ]
    known: set[str] = set()
    while pending:
        ready = [item for item in pending if len(set(item[2]) - known) <= 1]
        spec, dimension, extents = min(ready or pending, key=lambda item: len(item[2]))
        pending.remove((spec, dimension, extents))
        size = f"{spec.name}_given.shape[{dimension}]"
        unknown = [name for name in extents if name not in known]
        others = " * ".join(f"{name}_extent" for name in extents if name in known) or "1"
        if len(extents) == 1 and unknown:
            yield f"{unknown[0]}_extent = {size}"
        elif unknown:
            yield f"{unknown[0]}_extent = {size} // max({others}, 1)"
        if len(extents) > 1 or not unknown:
            product = " * ".join(f"{name}_extent" for name in extents)
            message = f"{kernel.name}: dimension {dimension + 1} of {spec} has another size than the other arrays say"
            yield f"if {size} != {product}:"
            yield f"    raise ValueError({message!r})"
        known.update(unknown)


def _sizes(kernel: Kernel) -> Iterator[str]:
    """The extents that follow from others; none may be empty or negative."""
    given = set(kernel.extent_names)
    for name, size in kernel.sizes.items():
        if name in given:
            yield f"if {name}_extent != {size_text(size)}:"
            yield f"    raise ValueError({f'{kernel.name}: extent {name} must be {size}'!r})"
        else:
            yield f"{name}_extent = {size_text(size)}"
    names = list(dict.fromkeys([*kernel.extent_names, *kernel.sizes]))
    if names:
        yield f"if min({', '.join(f'{name}_extent' for name in names)}, 1) < 1:"
        message = f"{kernel.name}: arrays are empty or too small, which compiled callers may not give"
        yield f"    raise ValueError({message!r})"


def _bounds(kernel: Kernel) -> Iterator[str]:
    """That affine indices stay inside."""
    for access in accesses(kernel.inputs, kernel.outputs):
        least, greatest = (f"({corner}) // {access.affine.divisor}" for corner in _corners(access))
        message = f"{kernel.name}: the index {access.index} of {access.place} leads outside of {access.extent}"
        yield f"if {least} < 0 or {greatest} >= {access.extent}_extent:"
        yield f"    raise ValueError({message!r})"


def _corners(access: Access) -> tuple[str, str]:
    least, greatest = [str(access.affine.offset)], [str(access.affine.offset)]
    for term, coefficient in access.affine.terms:
        if isinstance(term, Axis):
            reach = f"{coefficient} * ({term.extent}_extent - 1)"
            (least if coefficient < 0 else greatest).append(reach)
        else:
            least.append(f"{coefficient} * {term}_extent")
            greatest.append(f"{coefficient} * {term}_extent")
    return " + ".join(least), " + ".join(greatest)


def _outputs(kernel: Kernel, passed: Passed) -> Iterator[str]:
    """The results: new ones, or those of `out` if their shapes are right; and as the kernel sees them."""
    several = len(kernel.outputs) > 1
    for position, output in enumerate(kernel.outputs):
        shape = _tuple(_group(group) for group in grouped(output.extents, output.groups))
        if passed.out:
            yield f"{output.name}_result = out_given[{position}]" if several else f"{output.name}_result = out_given"
            yield f"if {output.name}_result.shape != {shape}:"
            yield f"    raise ValueError({f'{kernel.name}: out must have the shape of {output}'!r})"
        else:
            yield f"{output.name}_result = np.empty({shape}, {'np.int64' if output.integer else 'REAL'})"
        yield f"{output.name}_split = {_split(output, f'{output.name}_result')}"


def _inputs(kernel: Kernel) -> Iterator[str]:
    for spec in kernel.inputs:
        name = f"{spec.name}_given"
        if isinstance(spec, ScalarSpec):
            yield f"{spec.name}_array = REAL({name})"
        else:
            array = f"whole({name})" if spec.integer else name
            merged = any(count != 1 for count in spec.groups)
            yield f"{spec.name}_array = {_split(spec, f'in_c_order({array})' if merged else array)}"


def _split(spec: TensorSpec | Output, array: str) -> str:
    """The array with a dimension for each extent."""
    if all(count == 1 for count in spec.groups):
        return array
    return f"{array}.reshape({_tuple(f'{extent}_extent' for extent in spec.extents)})"


def _group(extents: Sequence[str]) -> str:
    return " * ".join(f"{extent}_extent" for extent in extents)


def _tuple(items: Iterable[str]) -> str:
    return f"({''.join(f'{item}, ' for item in items)})"
