"""The text of a kernel's `__call__`: the common case written out for the kernel's own parameters.

Dtypes are compared by identity, and shapes with those of the call before: where they are the same, as they mostly are,
that saves looking them up, 0.05 µs of a product (Zen 4). A loop over the arguments, hashing dtypes or making tuples of
strides would each cost more than entering the machine code, which looks at the strides itself. Names that begin with
call_ are the call's own; no input of a kernel may have one.
"""

from collections.abc import Callable, Sequence
from inspect import Parameter, Signature
from typing import Any

from autotune.lang import Kernel, ScalarSpec, TensorSpec
from autotune.runtime.plan import Plan

Entry = tuple[Any, ...]

_TEXT = """
def call(call_self, {parameters}*, out=None{options}):{specialize}
    if call_scoped:
        return call_within({arguments}, out)
    try:
        {entry} = call_latest[0]
        if not ({same}):
            {dtype}
            call_latest[0] = {entry} = ({conditions}call_plans or call_no_plans)[{shapes}]
        if out is None:
            {allocate}
        else:
            {given}
                return call_into(out, {arguments})
    except (KeyError, AttributeError):  # a signature that is new, or an argument that is no array
        return call_other({arguments}) if out is None else call_into(out, {arguments})
    try:
        if call_pool is None:
            call_refused = call_compute({operands}{results})
        else:
            try:
                call_scratch = call_pool.pop()
            except IndexError:
                call_scratch = call_plan.allocate()
            call_refused = call_compute({operands}{results}, call_scratch[0])  # with * a call takes 0.2 µs longer
            call_pool.append(call_scratch)
    except (TypeError, AttributeError):  # an argument has dtype and shape, but is no array
        return call_other({arguments}) if out is None else call_into(out, {arguments})
    if call_refused:
        call_plan.run({arguments}, ({results},))
    return {results}
"""

_WITHOUT_TENSORS = """
def call(call_self, {parameters}*, out=None{options}):{specialize}
    if call_scoped:
        return call_within({arguments}, out)
    return call_other({arguments}) if out is None else call_into(out, {arguments})
"""

_SPECIALIZE = """
    if call_options:
        return call_self.specialized(**call_options)({operands}out=out)"""

# The dtype of the call, and the plans for it.
_FLOATING = """call_dtype = {first}.dtype
            call_plans = (
                call_float32_plans if call_dtype is call_float32
                else call_float64_plans if call_dtype is call_float64 else call_no_plans
            )"""
_NOT_FLOATING = "call_dtype, call_plans = call_float64, call_float64_plans"


def write_call(kernel: Kernel, scope: dict[str, Any]) -> Callable[..., Any]:
    """A function of `self` (any object), the inputs of `kernel`, `out`, and its options where it has some.

    `scope` has call_float32_plans and call_float64_plans, which map shapes to an entry as `entry_of` makes it, a list
    call_latest of the entry of the latest call, at first `no_entry`, an empty dict call_no_plans, the dtypes
    call_float32, call_float64 and call_int64, the class call_ndarray, call_overlap, which says whether two arrays may
    share memory, and call_other and call_into for calls that no plan is found for, without and with `out`, or whose
    `out` does not fit or may overlap. While call_scoped is not empty, call_within serves all calls.
    """
    names = [spec.name for spec in kernel.inputs]
    tensors = [spec for spec in kernel.inputs if isinstance(spec, TensorSpec)]
    text = (_TEXT if tensors else _WITHOUT_TENSORS).format(
        parameters=_listed(names),
        operands=_listed(names),
        arguments=f"({_listed(names).strip()})",
        options=", **call_options" if kernel.options else "",
        specialize=_SPECIALIZE.format(operands=_listed(names)) if kernel.options else "",
        **_lookup(tensors),
        **_results(kernel, tensors),
    )
    exec(compile(text, f"<call of {kernel.name}>", "exec"), scope)
    call: Callable[..., Any] = scope["call"]
    call.__name__ = call.__qualname__ = kernel.name  # which Python's own TypeErrors show
    call.__signature__ = _signature(kernel)  # type: ignore[attr-defined]  # what help() shows
    return call


def key_of(kernel: Kernel, inputs: Sequence[Any]) -> Any:
    """What a plan is found by: the shape of the only tensor, or the tuple of all their shapes."""
    pairs = zip(kernel.inputs, inputs, strict=True)
    shapes = tuple(value.shape for spec, value in pairs if not isinstance(spec, ScalarSpec))
    return shapes[0] if len(shapes) == 1 else shapes


def entry_of(plan: Plan, dtype: Any, inputs: Sequence[Any]) -> Entry:
    """What serves calls with the dtype and shapes of these: all that the text of a call needs, in its order."""
    shapes = tuple(result.shape for result in plan.results)
    pairs = zip(plan.workload.kernel.inputs, inputs, strict=True)
    given = (value.shape for spec, value in pairs if not isinstance(spec, ScalarSpec))
    return (plan, plan.call, shapes[0] if len(shapes) == 1 else shapes, plan.allocator, plan.pool, dtype, *given)


def no_entry(kernel: Kernel) -> Entry:
    """An entry that no call has the dtype and shapes of."""
    results = (None,) * len(kernel.outputs) if len(kernel.outputs) > 1 else None
    tensors = sum(isinstance(spec, TensorSpec) for spec in kernel.inputs)
    return (None, None, results, None, None, None, *(None,) * tensors)


def _signature(kernel: Kernel) -> Signature:
    names = ["call_self", *(spec.name for spec in kernel.inputs)]
    inputs = [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in names]
    options = [Parameter(name, Parameter.KEYWORD_ONLY, default=value) for name, value in kernel.options]
    return Signature([*inputs, Parameter("out", Parameter.KEYWORD_ONLY, default=None), *options])


def _lookup(tensors: Sequence[TensorSpec]) -> dict[str, str]:
    floating = [spec.name for spec in tensors if not spec.integer]
    conditions = [f"{name}.dtype is call_dtype and " for name in floating[1:]]
    conditions += [f"{spec.name}.dtype is call_int64 and " for spec in tensors if spec.integer]
    same = [f"{name}.dtype is call_dtype" for name in floating]
    same += [f"{spec.name}.dtype is call_int64" for spec in tensors if spec.integer]
    same += [f"{spec.name}.shape == call_shape_of_{spec.name}" for spec in tensors]
    return {
        "same": " and ".join(same),
        "dtype": _FLOATING.format(first=floating[0]) if floating else _NOT_FLOATING,
        "conditions": "".join(conditions),
        "shapes": ", ".join(f"{spec.name}.shape" for spec in tensors),
    }


def _results(kernel: Kernel, tensors: Sequence[TensorSpec]) -> dict[str, str]:
    dtypes = ["call_int64" if output.integer else "call_dtype" for output in kernel.outputs]
    several = len(dtypes) > 1
    results = [f"call_result_{number}" for number in range(len(dtypes))] if several else ["call_result"]
    shapes = [f"call_shape_{number}" for number in range(len(dtypes))] if several else ["call_shape"]
    found = f"({', '.join(shapes)})" if several else shapes[0]
    given = [f"call_shape_of_{spec.name}" for spec in tensors]
    made = [
        f"{result} = call_empty({shape}, {dtype})" for result, shape, dtype in zip(results, shapes, dtypes, strict=True)
    ]
    return {
        "entry": ", ".join(("call_plan, call_compute", found, "call_empty, call_pool, call_dtype", *given)),
        "allocate": "\n            ".join(made),
        "given": _given(results, shapes, dtypes, [spec.name for spec in tensors]),
        "results": ", ".join(results),
    }


def _given(results: Sequence[str], shapes: Sequence[str], dtypes: Sequence[str], tensors: Sequence[str]) -> str:
    """Takes `out` for the results, and asks whether it may be written to while the inputs are read.

    What owns its memory overlaps with nothing but its views; only of views is asked where they lie, 0.2 µs each.
    """
    unfit, lines = [], [f"{results[0]} = out"]
    if len(results) > 1:
        several, nothing = f"out.__class__ is tuple and len(out) == {len(results)}", (None,) * len(results)
        lines = [f"{', '.join(results)} = out if {several} else {nothing}"]
    for number, (result, shape, dtype) in enumerate(zip(results, shapes, dtypes, strict=True)):
        flags, others = f"call_flags_{number}", [*tensors, *results[:number]]
        unfit += [f"{result}.__class__ is not call_ndarray", f"{result}.shape != {shape}"]
        unfit += [f"{result}.dtype is not {dtype}", f"not ({flags} := {result}.flags).writeable"]
        alone = [f"not {flags}.owndata", *(f"{other} is {result} or {other}.base is not None" for other in others)]
        overlaps = [f"call_overlap({other}, {result})" for other in others]
        unfit.append(f"({' or '.join(alone)}) and ({' or '.join(overlaps)})")
    return "\n            ".join([*lines, f"if {' or '.join(unfit)}:"])


def _listed(names: Sequence[str]) -> str:
    return "".join(f"{name}, " for name in names)
