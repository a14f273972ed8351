"""Functions of expressions with derivatives of their own."""

from collections.abc import Callable
from functools import wraps
from typing import TypeAlias

from autotune.errors import DefinitionError
from autotune.lang.arithmetic import Operand
from autotune.lang.constructs import Linearized
from autotune.lang.expressions import Expr, as_expr

Rule: TypeAlias = Callable[..., "Operand | tuple[Operand, ...]"]


def custom_gradient(rule: Rule) -> Callable[[Callable[..., Operand]], Callable[..., Expr]]:
    """Decorator: derivatives of a function of expressions go by `rule` instead of through what it is made of.

    `rule(y, x, ...)` takes the value and the operands and returns the partial derivative of y by each operand, at every
    point of their axes, in both modes and every order:

        @custom_gradient(lambda y, x: sigmoid(x))
        def softplus(x):
            return maximum(x, 0) + log(1 + exp(-abs(x)))

    Where the function reduces over axes of an operand, its partial derivative has them: d logsumexp(x[i, j]) over j
    by x[i, j] is the softmax. Raises DefinitionError where the rule gives another number of derivatives.
    """

    def decorate(function: Callable[..., Operand]) -> Callable[..., Expr]:
        @wraps(function)
        def differentiable(*operands: Operand) -> Expr:
            given = tuple(map(as_expr, operands))
            value = as_expr(function(*given))
            result = rule(value, *given)
            partials = tuple(map(as_expr, result if isinstance(result, tuple) else (result,)))
            if len(partials) != len(given):
                message = (
                    f"the gradient rule of {function.__name__} gives {len(partials)} partial derivatives for "
                    f"{len(given)} operands; return one for each"
                )
                raise DefinitionError(message)
            return Linearized(value, given, partials)

        return differentiable

    return decorate
