"""The walk that everything else is built on: every distinct subexpression once, however often it is used."""

from collections.abc import Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from autotune.lang.expressions import Expr

Below: TypeAlias = "Callable[[Expr], tuple[Expr, ...]]"

children: Below = attrgetter("children")


def subexpressions(root: "Expr | Sequence[Expr]", below: Below = children) -> "tuple[Expr, ...]":
    """All distinct nodes reached from `root`, or several, what lies `below` a node before the node itself."""
    done: dict[Expr, None] = {}
    roots = root if isinstance(root, Sequence) else (root,)
    pending = [(node, False) for node in reversed(roots)]
    while pending:
        node, expanded = pending.pop()
        if node in done:
            continue
        if expanded:
            done[node] = None
        else:
            pending.append((node, True))
            pending.extend((operand, False) for operand in reversed(below(node)))
    return tuple(done)
