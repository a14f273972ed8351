"""Array arguments that stay their caller's: what generated kernels take in place of Numba's own arrays."""
# mypy: disable-error-code="untyped-decorator"

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel.models import ArrayModel
from numba.extending import NativeValue, register_model, unbox

from autotune.codegen.llvm import INT32


class Borrowed(types.Array):
    """An array of any layout that its caller keeps alive during the call, as Python does with all arguments.

    Of an array that comes from Python, Numba makes one of its own that shares the memory: it allocates a description,
    counts references, and asks for the interpreter's lock to let go, 25 to 50 ns an array (Zen 4). A `Borrowed` is the
    same fields without an owner. Compiled code gives its arrays as they are.
    """

    def __init__(self, dtype: types.Type, ndim: int, readonly: bool = False) -> None:
        kind = "readonly" if readonly else "mutable"
        super().__init__(dtype, ndim, "A", readonly=readonly, name=f"Borrowed({dtype}, {ndim}, {kind})")

    def can_convert_from(self, typing_context: Any, other: types.Type) -> Any:
        """Whether it can stand for `other`, as Numba asks: for an array that would do as an array of any layout."""
        if not isinstance(other, types.Array) or isinstance(other, Borrowed):
            return None
        return other.can_convert_to(typing_context, types.Array(self.dtype, self.ndim, "A", readonly=not self.mutable))


register_model(Borrowed)(ArrayModel)


@unbox(Borrowed)
def _unbox(kind: Borrowed, array: Any, context: Any) -> NativeValue:
    """The fields of an array, by the function that Numba has for code without memory management of its own."""
    builder, api = context.builder, context.pyapi
    native = context.context.make_array(kind)(context.context, builder)
    adapt = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(INT32, [api.pyobj, api.voidptr]), "numba_adapt_ndarray"
    )
    failed = cgutils.is_not_null(
        builder, builder.call(adapt, [array, builder.bitcast(native._getpointer(), api.voidptr)])
    )
    with builder.if_then(failed, likely=False):
        api.err_set_string("PyExc_TypeError", "an argument is no NumPy array")
    return NativeValue(native._getvalue(), is_error=failed)
