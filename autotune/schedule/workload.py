"""Workloads: what is tuned, and the key under which results are remembered."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod

from autotune.errors import DtypeError, ShapeError
from autotune.lang import Kernel, ScalarSpec

ITEMSIZES = {"float32": 4, "float64": 8}
INTEGER = 8  # bytes of a whole number


def check_dtype(dtype: str) -> None:
    """Raise DtypeError unless kernels of `dtype` can be generated."""
    if dtype not in ITEMSIZES:
        message = f"dtype {dtype!r} is not supported; kernels are generated for {' and '.join(ITEMSIZES)}"
        raise DtypeError(message)


@dataclass(frozen=True)
class Workload:
    """A kernel in one direction at concrete extents, dtype and thread count.

    `extents` are (name, elements) pairs of the inputs' extents, in the kernel's order. Raises ShapeError for missing,
    unknown or negative extents and such as lead outside a tensor, DtypeError for a dtype no kernel is generated for.
    """

    kernel: Kernel
    extents: tuple[tuple[str, int], ...]
    dtype: str = "float32"
    threads: int = 1

    def __post_init__(self) -> None:
        check_dtype(self.dtype)
        if self.threads < 1:
            message = f"{self.kernel.name}: threads must be at least 1, not {self.threads}"
            raise ShapeError(message)
        names, given = self.kernel.extent_names, [name for name, _ in self.extents]
        if sorted(given) != sorted(names):
            message = f"{self.kernel.name} needs the extents {', '.join(names)}; got {', '.join(given) or 'none'}"
            raise ShapeError(message)
        for name, size in self.extents:
            if size < 0:
                message = f"{self.kernel.name}: extent {name} must be at least 0, not {size}"
                raise ShapeError(message)
        _ = self.sizes  # which fails where the extents do not fit together

    @classmethod
    def of(cls, kernel: Kernel, extents: Mapping[str, int], dtype: str = "float32", threads: int = 1) -> "Workload":
        """The workload with its extents in the kernel's order; raises as the constructor does."""
        known = [name for name in kernel.extent_names if name in extents]
        rest = sorted(set(extents) - set(known))
        return cls(kernel, tuple((name, int(extents[name])) for name in (*known, *rest)), dtype, threads)

    @cached_property
    def key(self) -> str:
        """Canonical JSON text: equal for equal workloads, in every process and version."""
        return json.dumps(
            {
                "kernel": self.kernel.name,
                "definition": self.kernel.digest,
                "direction": self.kernel.direction,
                "extents": dict(self.extents),
                "dtype": self.dtype,
                "threads": self.threads,
            },
            sort_keys=True,
            separators=(",", ":"),
        )

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return ITEMSIZES[self.dtype]

    @cached_property
    def sizes(self) -> dict[str, int]:
        """Elements along every extent, those that follow from the inputs' included."""
        return self.kernel.complete(dict(self.extents))

    def extent(self, name: str) -> int:
        """Elements along the extent called `name`."""
        return self.sizes[name]

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every input and output, by name, of one dimension an extent; () for scalars."""
        names = [spec.name for spec in (*self.kernel.inputs, *self.kernel.outputs)]
        return {name: self.kernel.shape_of(name, dict(self.extents)) for name in names}

    @property
    def flops(self) -> int:
        """Floating-point operations of one call."""
        return self.kernel.flops(dict(self.extents))

    @property
    def bytes(self) -> int:
        """Bytes of all tensors, each counted once."""
        tensors = [spec for spec in (*self.kernel.inputs, *self.kernel.outputs) if not isinstance(spec, ScalarSpec)]
        return sum((INTEGER if spec.integer else self.itemsize) * prod(self.shapes[spec.name]) for spec in tensors)

    def describe(self) -> str:
        """For people: "matmul forward m=1024,n=1024,k=1024 float32 1 thread"."""
        extents = ",".join(f"{name}={size}" for name, size in self.extents)
        threads = f"{self.threads} thread{'s' if self.threads > 1 else ''}"
        return f"{self.kernel.name} {self.kernel.direction} {extents} {self.dtype} {threads}"
