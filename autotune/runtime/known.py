"""From a stored key back to the workload: only for kernels whose definition is at hand, which the digest proves."""

from typing import TYPE_CHECKING

from autotune.errors import AutotuneError
from autotune.schedule import Workload

if TYPE_CHECKING:
    from collections.abc import Iterable

    from autotune.database.workload_key import WorkloadKey
    from autotune.runtime.kernel import TunedKernel


def workload_among(kernels: "Iterable[TunedKernel]", key: "WorkloadKey") -> Workload | None:
    """The workload of a key, of the kernel among these that has its definition; None where none has.

    Options with which they were used in this process are looked at too: those make other definitions.
    """
    for kernel in (member for family in kernels for member in family.members):
        if kernel.definition.name != key.kernel:
            continue
        try:
            definition = kernel.dispatch(key.direction).kernel
            if definition.digest == key.definition:
                return Workload.of(definition, key.extents, key.dtype, key.threads)
        except AutotuneError:  # another kernel of that name, without such a direction or with other extents
            continue
    return None
