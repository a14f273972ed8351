"""From a stored key back to the workload: only for kernels whose definition is at hand, which the digest proves."""

from collections.abc import Iterable, Sequence

from autotune import library
from autotune.database.workload_key import WorkloadKey
from autotune.errors import AutotuneError
from autotune.runtime import TunedKernel
from autotune.schedule import Workload


def workload_of(key: WorkloadKey, more: Sequence[TunedKernel] = ()) -> Workload | None:
    """The workload of a key among the library's kernels and `more`; None where none of them has its definition.

    A kernel with other options than its defaults is another definition: it is found only if it is among `more`.
    """
    for kernel in _called(key.kernel, more):
        try:
            definition = kernel.dispatch(key.direction).kernel
            if definition.digest == key.definition:
                return Workload.of(definition, key.extents, key.dtype, key.threads)
        except AutotuneError:  # another kernel of that name, without such a direction or with other extents
            continue
    return None


def _called(name: str, more: Sequence[TunedKernel]) -> Iterable[TunedKernel]:
    built_in = (kernel for kernel in vars(library).values() if isinstance(kernel, TunedKernel))
    return (kernel for kernel in (*more, *built_in) if kernel.definition.name == name)
