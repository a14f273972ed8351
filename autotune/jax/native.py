"""Handlers of XLA's foreign function interface as machine code: from XLA's call to a kernel's, without Python.

XLA is given a trampoline, a function that jumps to the address in a cell. At first that is a handler in Python, which
waits for the interpreter's lock and describes every buffer to it; once the plan of such calls is known, it is one that
is made here for it. Whatever that does not expect, a batch or a kernel's refusal, it leaves to the one in Python. A
softmax of 8 x 8 under `jax.jit` takes 8 to 16 µs so, and 86 to 91 through Python (Zen 3).
"""
# mypy: disable-error-code="no-untyped-call"

import ctypes
from collections.abc import Callable, Sequence
from itertools import accumulate, count
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.compiler_lock import global_compiler_lock
from numba.core.registry import cpu_target
from numba.np.arrayobj import make_array, populate_array

from autotune.codegen import scratch_arguments
from autotune.codegen.llvm import INT64
from autotune.jax.frame import Buffer, Buffers, CallFrame
from autotune.runtime.plan import Plan

_POINTER = ir.IntType(8).as_pointer()
_HANDLER = ir.FunctionType(_POINTER, [_POINTER])
_POINTER_BYTES = ctypes.sizeof(ctypes.c_void_p)
_numbers = count()  # of functions, whose names must differ


class Trampoline:
    """A handler that can be exchanged while threads call it: by the one in Python, or one for a plan.

    None is freed, as it may still be running.
    """

    def __init__(self, handler: Any) -> None:
        self._handler = handler
        self._python = ctypes.cast(handler, ctypes.c_void_p).value or 0
        self._target = ctypes.c_int64(self._python)
        self._jump = _Function(self._define)
        self._natives: dict[int, NativeHandler] = {}  # by the identity of their plans

    @property
    def address(self) -> int:
        """Of the trampoline."""
        return self._jump.address

    def serve(self, plan: Plan) -> None:
        """Call the machine code of a plan from now on, where it has some that runs on the thread that calls it."""
        if plan.function is None or plan.function.targetoptions.get("parallel"):
            return
        if id(plan) not in self._natives:
            self._natives[id(plan)] = NativeHandler(plan, self._python)
        self._target.value = self._natives[id(plan)].address

    def forget(self) -> None:
        """Call Python again."""
        self._target.value = self._python

    def _define(self, builder: ir.IRBuilder, frame: Any) -> None:
        target = builder.load_atomic(_cell(builder, self._target), "acquire", 8)
        builder.ret(builder.call(builder.inttoptr(target, _HANDLER.as_pointer()), [frame], tail=True))


class NativeHandler:
    """Calls the machine code of a plan with XLA's buffers. Threads may call at once: one of them has the scratch."""

    def __init__(self, plan: Plan, python: int) -> None:
        self._plan, self._python = plan, python
        (self._compiled,) = plan.function.overloads.values()
        self._scratch = scratch_arguments(plan.scratch, plan.workload.dtype)
        self._free = ctypes.c_int64(self._scratch[0].ctypes.data if self._scratch else 0)
        self._function = _Function(self._define)
        self.address = self._function.address

    def _define(self, builder: ir.IRBuilder, frame: Any) -> None:
        kernel = self._plan.workload.kernel
        arguments, results = (
            _field(builder, frame, part.offset + Buffers.buffers.offset, _POINTER)
            for part in (CallFrame.arguments, CallFrame.results)
        )
        buffers = [_field(builder, arguments, _POINTER_BYTES * place, _POINTER) for place in range(len(kernel.inputs))]
        rank = _field(builder, buffers[0], Buffer.rank.offset, INT64)
        batched = builder.icmp_signed("!=", rank, INT64(len(getattr(kernel.inputs[0], "groups", ()))))
        asked = cgutils.is_not_null(builder, _field(builder, frame, CallFrame.extension.offset, _POINTER))
        self._leave(builder, frame, builder.or_(batched, asked))
        buffers += [_field(builder, results, _POINTER_BYTES * place, _POINTER) for place in range(len(kernel.outputs))]
        memory = [_field(builder, buffer, Buffer.data.offset, _POINTER) for buffer in buffers]
        if self._scratch:
            taken = builder.atomic_rmw("xchg", _cell(builder, self._free), INT64(0), "acquire")
            self._leave(builder, frame, builder.icmp_signed("==", taken, INT64(0)))
            memory.append(builder.inttoptr(taken, _POINTER))
        failed = self._call(builder, memory)
        if self._scratch:
            builder.store_atomic(taken, _cell(builder, self._free), "release", 8)
        self._leave(builder, frame, failed)
        builder.ret(ir.Constant(_POINTER, None))

    def _call(self, builder: ir.IRBuilder, memory: Sequence[Any]) -> Any:
        """Whether the kernel could not compute on arrays at these places."""
        context, description = cpu_target.target_context, self._compiled.fndesc
        address = self._compiled.library.get_pointer_to_function(description.llvm_func_name)
        kind = context.call_conv.get_function_type(description.restype, description.argtypes)
        shapes = self._plan.workload.shapes
        specs = (*self._plan.workload.kernel.inputs, *self._plan.workload.kernel.outputs)
        every = [*(shapes.get(spec.name) for spec in specs), *(each.shape for each in self._scratch)]
        values = [
            _value(builder, kind, place, shape)
            for kind, place, shape in zip(description.argtypes, memory, every, strict=True)
        ]
        status, refused = context.call_conv.call_function(
            builder,
            builder.inttoptr(INT64(address), kind.as_pointer()),
            description.restype,
            description.argtypes,
            values,
        )
        return builder.or_(status.is_error, builder.icmp_signed("!=", refused, INT64(0)))

    def _leave(self, builder: ir.IRBuilder, frame: Any, condition: Any) -> None:
        """Leave it to Python where this holds."""
        with builder.if_then(condition, likely=False):
            handler = builder.inttoptr(INT64(self._python), _HANDLER.as_pointer())
            builder.ret(builder.call(handler, [frame]))


class _Function:
    """Machine code of a handler, for as long as this lives."""

    def __init__(self, define: Callable[[ir.IRBuilder, Any], None]) -> None:
        with global_compiler_lock:
            name = f"autotune_handler_{next(_numbers)}"
            self._library = cpu_target.target_context.codegen().create_library(name)
            module = self._library.create_ir_module(name)
            function = ir.Function(module, _HANDLER, name)
            define(ir.IRBuilder(function.append_basic_block()), function.args[0])
            self._library.add_ir_module(module)
            self._library.finalize()
            self.address: int = self._library.get_pointer_to_function(name)


def _cell(builder: ir.IRBuilder, cell: ctypes.c_int64) -> Any:
    return builder.inttoptr(INT64(ctypes.addressof(cell)), INT64.as_pointer())


def _field(builder: ir.IRBuilder, structure: Any, offset: int, kind: Any) -> Any:
    return builder.load(builder.bitcast(builder.gep(structure, [INT64(offset)]), kind.as_pointer()))


def _value(builder: ir.IRBuilder, kind: types.Type, memory: Any, shape: Sequence[int] | None) -> Any:
    """An argument as Numba passes it: an array in C order, or a number."""
    context = cpu_target.target_context
    if not isinstance(kind, types.Array) or shape is None:
        return builder.load(builder.bitcast(memory, context.get_value_type(kind).as_pointer()))
    array, element = make_array(kind)(context, builder), context.get_data_type(kind.dtype)
    itemsize = context.get_abi_sizeof(element)
    behind = [*accumulate(reversed(shape), lambda size, extent: size * extent, initial=itemsize)][:-1]
    populate_array(
        array,
        data=builder.bitcast(memory, element.as_pointer()),
        shape=[INT64(extent) for extent in shape],
        strides=[INT64(stride) for stride in reversed(behind)],
        itemsize=itemsize,
        meminfo=None,
    )
    return array._getvalue()
