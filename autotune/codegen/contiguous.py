"""Arrays of any layout as what a user's own function takes: C-ordered ones."""
# mypy: disable-error-code="no-untyped-call,call-arg"

from typing import Any

from numba import njit, types
from numba.core.imputils import impl_ret_borrowed
from numba.extending import intrinsic


@intrinsic
def _as_c_ordered(_context: Any, array: types.Array) -> Any:
    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return impl_ret_borrowed(context, builder, signature.return_type, arguments[0])

    return types.Array(array.dtype, array.ndim, "C", aligned=array.aligned)(array), emit


@njit
def is_c_ordered(array: Any) -> bool:
    """Whether the elements lie one after the other in C order."""
    expected = array.itemsize
    for dimension in range(array.ndim - 1, -1, -1):
        if array.shape[dimension] != 1 and array.strides[dimension] != expected:
            return bool(array.size == 0)
        expected *= array.shape[dimension]
    return True


@njit
def c_ordered(array: Any) -> Any:
    """The same memory as an array that is known to be in C order and may be written; the caller has seen to it."""
    return _as_c_ordered(array)
