"""A quicker start of Numba in a process that only loads kernels from the cache."""

import sys
from functools import cache
from importlib.util import find_spec


@cache
def defer_blas_check() -> None:
    """Let Numba look for SciPy's BLAS when a function first uses it, instead of when Numba loads its array functions.

    Loading a cached kernel makes Numba 0.68 import `numba.np.arraymath`, whose `_check_blas` imports scipy.linalg to
    see whether BLAS is there: 0.25 to 0.35 s of the 1 s in which a new process should have made its first tuned call
    (Zen 3). Numba calls `ensure_blas` again wherever it compiles a product, so where SciPy is installed nothing else
    changes.
    """
    if "numba.np.arraymath" in sys.modules or find_spec("scipy") is None:
        return
    from numba.np import linalg

    check = getattr(linalg, "ensure_blas", None)
    if check is None:  # another version of Numba, which does without
        return
    linalg.ensure_blas = lambda: None
    try:
        from numba.np import arraymath
    finally:
        linalg.ensure_blas = check
    arraymath.ensure_blas = check
