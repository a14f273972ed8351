"""From a stored key back to the workload: only for kernels whose definition is at hand, which the digest proves."""

from collections.abc import Sequence

from autotune import library
from autotune.database.workload_key import WorkloadKey
from autotune.runtime import TunedKernel
from autotune.runtime.known import workload_among
from autotune.schedule import Workload


def workload_of(key: WorkloadKey, more: Sequence[TunedKernel] = ()) -> Workload | None:
    """The workload of a key among the library's kernels and `more`; None where none of them has its definition.

    A kernel with other options than its defaults is another definition: it is found only if it is among `more`.
    """
    built_in = (kernel for kernel in vars(library).values() if isinstance(kernel, TunedKernel))
    return workload_among((*more, *built_in), key)
