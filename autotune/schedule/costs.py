"""What expressions cost at a point, roughly, in additions of one Zen 3 core."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from autotune.lang import Apply, Constant, Expr, Read, Reduce, Reindex
from autotune.lang.graph import subexpressions

COSTS: Mapping[str, int] = MappingProxyType(
    {
        "div": 4, "sqrt": 6, "rsqrt": 10, "exp": 20, "log": 20, "tanh": 20, "sigmoid": 25, "erf": 20, "sin": 20,
        "cos": 20, "stop_gradient": 0,
    }
)  # fmt: skip
"""Functions that cost another number of operations than 1."""
ACCESS = 2  # of storing an element, or reading it back
MOST = 1 << 20  # no need to count further


def own_cost(node: Expr) -> int:
    """Operations of one node, given what it is computed from."""
    match node:
        case Apply("pow", (_, Constant(exponent))):
            return int(abs(exponent)).bit_length() if exponent.is_integer() else COSTS["exp"] + COSTS["log"]
        case Apply(function):
            return COSTS.get(function, 1)
        case Read():
            return 0 if node.plain else 1
        case Reindex():
            return 1
        case _:
            return 0


def operations(expr: Expr) -> int:
    """Operations to compute `expr` at a point, each of its nodes once."""
    return sum(own_cost(node) for node in subexpressions(expr))


def weights(nodes: Sequence[Expr]) -> dict[Expr, int]:
    """Operations to compute each node at a point, from what is over fewer axes and from results of reductions.

    `nodes` are given operands first.
    """
    found: dict[Expr, int] = {}
    for node in nodes:
        match node:
            case Apply(_, operands):
                alike = [operand for operand in operands if set(operand.axes) == set(node.axes)]
                total = own_cost(node) + sum(found[operand] for operand in alike)
            case Reindex(body) if not isinstance(body, Reduce):
                total = own_cost(node) + found.get(body, 0)
            case Read():
                total = own_cost(node) + sum(found[index] for index in node.children)
            case _:
                total = 0
        found[node] = min(total, MOST)
    return found
