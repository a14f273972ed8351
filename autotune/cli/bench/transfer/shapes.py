"""The shapes of `bench transfer`: of each kernel some that are tuned first, and some that are new."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from autotune.cli.bench.kernels.cases import KernelCase, shaped


@dataclass(frozen=True, kw_only=True)
class Family:
    """A kernel in one direction; shapes have the forward kernel's extents, in its order."""

    kernel: str
    direction: str
    known: tuple[tuple[int, ...], ...]
    new: tuple[tuple[int, ...], ...]
    options: Mapping[str, int | float | bool] = field(default_factory=dict)

    def cases(self, shapes: tuple[tuple[int, ...], ...]) -> tuple[KernelCase, ...]:
        """In float32, on one thread."""
        return shaped(self.kernel, *shapes, direction=self.direction, **self.options)


# The known products are cases of `bench matmul`, whose database has them. The others are small: a candidate takes a
# second or so, compilation and all. No new shape is a multiple of a known one.
FAMILIES = (
    Family(
        kernel="matmul",
        direction="forward",
        known=((512, 512, 512), (8192, 64, 64), (64, 8192, 64), (17, 33, 65)),
        new=((128, 320, 384), (33, 150, 500), (48, 768, 640)),
    ),
    Family(
        kernel="matmul",
        direction="vjp:a",
        known=((1024, 1024, 1024),),
        new=((320, 192, 240), (48, 700, 128)),
    ),
    Family(
        kernel="batch_matmul",
        direction="forward",
        known=((32, 64, 64, 64),),
        new=((10, 96, 80, 160),),
    ),
    Family(
        kernel="conv2d",
        direction="forward",
        known=((1, 1, 32, 28, 28, 32, 3, 3),),
        new=((1, 2, 48, 14, 20, 40, 3, 3),),
        options={"padding": 1},
    ),
    Family(
        kernel="softmax",
        direction="forward",
        known=((512, 1024), (4096, 128)),
        new=((1000, 300), (128, 3000)),
    ),
    Family(
        kernel="layer_norm",
        direction="vjp:x",
        known=((512, 1024), (2048, 256)),
        new=((900, 400), (100, 2500)),
    ),
    Family(
        kernel="total_variation_step",
        direction="forward",
        known=((192, 192),),
        new=((120, 500),),
    ),
)
