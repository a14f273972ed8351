"""The deferred BLAS check leaves Numba as able as before."""

import subprocess
import sys

PROGRAM = """
import sys
from autotune.codegen.start import defer_blas_check
defer_blas_check()
assert "numba.np.arraymath" in sys.modules
assert "scipy.linalg" not in sys.modules
import numpy as np
from numba import njit
from numba.np import arraymath, linalg
assert arraymath.ensure_blas is linalg.ensure_blas
a = np.arange(6.0).reshape(2, 3)
assert np.array_equal(njit(lambda x, y: x @ y)(a, a.T.copy()), a @ a.T)
"""


def test_products_in_numba_still_find_blas() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
