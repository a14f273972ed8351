"""Which results had better be computed together: those that have intermediates in common."""

from collections import Counter

from autotune.lang import Kernel, Reduce, Scan, Scatter
from autotune.lang.graph import subexpressions
from autotune.lang.traverse import erase
from autotune.schedule.costs import ACCESS, own_cost
from autotune.schedule.normal_form import normal_form


def shares_work(kernel: Kernel) -> bool:
    """Whether outputs of `kernel` have a reduction, recurrence or scatter in common, or operations of some cost.

    Operations at a point are worth it where they cost more than to store one value and read it again. What kernels
    share is a matter of their expressions alone, so the answer holds for all shapes.
    """
    results = [subexpressions(normal_form(erase(output.expr))) for output in kernel.outputs]
    uses = Counter(node for nodes in results for node in nodes)
    common = [node for node, count in uses.items() if count > 1]
    if any(isinstance(node, Reduce | Scan | Scatter) for node in common):
        return True
    return sum(own_cost(node) for node in common if node.axes) > 2 * ACCESS
