"""JAX: kernels as functions of its arrays, with gradients, under `jit`, `grad` and `vmap` (`at.jax.function`)."""

from autotune.errors import DependencyError

try:
    import jax as _jax  # noqa: F401
except ModuleNotFoundError as error:
    message = "at.jax needs JAX: pip install 'autotune[jax]'"
    raise DependencyError(message) from error

from autotune.jax.function import function

__all__ = ["function"]
