"""Built-in kernels, one file a field."""

from autotune.library.linear_algebra import batch_matmul, matmul

__all__ = ["batch_matmul", "matmul"]
