"""Who else takes part: what each peer needs installed, and how it is called."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from importlib import import_module, metadata
from typing import TypeAlias

from autotune.cli.bench.kernels.problem import Problem
from autotune.measure.timing import Call

Prepare: TypeAlias = Callable[[Problem], Call]


@dataclass(frozen=True)
class Peer:
    """A peer: the package whose version is kept, and the module below this one whose function `prepare` makes its call.

    `call` tells several peers of one module apart: it is the function's name there.
    """

    package: str
    module: str
    call: str = "prepare"

    @property
    def version(self) -> str | None:
        """The installed version; None where there is none."""
        try:
            return metadata.version(self.package)
        except metadata.PackageNotFoundError:
            return None

    def prepare(self, problem: Problem) -> Call:
        """The call that computes the problem's result.

        Raises NotOfferedError where the peer has no such function; whatever else it raises is a failure of the peer.
        """
        prepare: Prepare = getattr(import_module(f"{__name__}.{self.module}"), self.call)
        return prepare(problem)


PEERS = {
    "numba": Peer("numba", "numba_loops"),
    "numpy": Peer("numpy", "numpy_formulas"),
    "torch": Peer("torch", "torch_functions", "eager"),
    "torch.compile": Peer("torch", "torch_functions", "compiled"),
    "jax": Peer("jax", "jax_functions"),
    "pot": Peer("POT", "domains", "with_pot"),
    "scikit-image": Peer("scikit-image", "domains", "with_scikit_image"),
    "scikit-survival": Peer("scikit-survival", "domains", "with_scikit_survival"),
}

BACKWARD_ALONE = Peer("torch", "torch_functions", "backward_alone")
"""Timed beside PyTorch where that computes a gradient. It is no peer: it begins with what a forward pass has kept."""


def installed(names: Collection[str]) -> dict[str, str]:
    """Versions by package of those of the peers that are installed."""
    found = {PEERS[name].package: PEERS[name].version for name in names}
    return {package: version for package, version in found.items() if version is not None}
