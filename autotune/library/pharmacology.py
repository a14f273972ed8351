"""Pharmacology: how the concentration of a drug in a patient goes with time."""

from collections.abc import Callable
from typing import TypeAlias

from autotune import lang as at
from autotune.runtime import kernel

State: TypeAlias = tuple[at.Expr, ...]


def _runge_kutta(rates: Callable[[State], State], state: State, h: at.Expr) -> State:
    """The state after a step h, by the classical method of order 4 (Kutta 1901)."""
    first = rates(state)
    second = rates(_moved(state, first, 0.5 * h))
    third = rates(_moved(state, second, 0.5 * h))
    fourth = rates(_moved(state, third, h))
    stages = zip(first, second, third, fourth, strict=True)
    return _moved(state, tuple(a + 2 * (b + c) + d for a, b, c, d in stages), h / 6)


def _moved(state: State, rates: State, time: at.Expr) -> State:
    return tuple(value + time * rate for value, rate in zip(state, rates, strict=True))


@kernel
def pk_two_compartment(
    dose: at.Tensor["patients"],
    ka: at.Tensor["patients"],
    cl: at.Tensor["patients"],
    v1: at.Tensor["patients"],
    q: at.Tensor["patients"],
    v2: at.Tensor["patients"],
    dt: at.Tensor["steps"],
) -> at.Output:
    """Concentration after an oral dose, by the two-compartment model and the classical Runge-Kutta method of order 4.

    The amounts in gut, central and peripheral compartment follow A′ = -kₐ·A, C′ = kₐ·A - (CL + Q)/V₁·C + Q/V₂·P and
    P′ = Q/V₁·C - Q/V₂·P from A = dose, C = P = 0; out[patient, k] = C/V₁ after steps 0 … k, of lengths dt.
    Shapes: dose, ka, cl, v1, q, v2 (patients), dt (steps), out (patients, steps). Units, for example: dose in mg, kₐ in
    1/h, clearances CL and Q in l/h, volumes V₁ and V₂ in l, dt in h, out in mg/l.
    Gradients: the discrete adjoint of the steps, λ ← λ + Σᵢ Jᵀlᵢ over the four stages from the last to the first
    (Gibaldi and Perrier 1982, "Pharmacokinetics", chapter 2; Hager 2000, "Runge-Kutta methods in optimal control and
    the transformed adjoint system").
    """
    (i,), (k,) = at.axes(dose), at.axes(dt)
    out_of_central, to_peripheral, back = cl[i] / v1[i], q[i] / v1[i], q[i] / v2[i]

    def rates(state: State) -> State:
        gut, central, peripheral = state
        absorbed, exchanged = ka[i] * gut, to_peripheral * central - back * peripheral
        return -absorbed, absorbed - out_of_central * central - exchanged, exchanged

    def step(gut: at.Expr, central: at.Expr, peripheral: at.Expr) -> State:
        return _runge_kutta(rates, (gut, central, peripheral), dt[k])

    _, central, _ = at.scan(step, (dose[i], 0.0, 0.0), over=k)
    return at.output[i, k](central / v1[i])
