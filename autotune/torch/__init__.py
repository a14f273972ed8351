"""PyTorch: kernels as functions of tensors, with gradients of any order (`at.torch.function`)."""

from autotune.errors import DependencyError

try:
    import torch as _torch  # noqa: F401
except ModuleNotFoundError as error:
    message = "at.torch needs PyTorch: pip install 'autotune[torch]'"
    raise DependencyError(message) from error

from autotune.torch.function import function

__all__ = ["function"]
