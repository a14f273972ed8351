"""A volatility surface fitted to prices of options, with autotune's gradients, and with PyTorch's and JAX's own.

python examples/option_calibration/calibrate.py             # all of them, a step of each in turn
python examples/option_calibration/calibrate.py --steps 3 --options 100
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

import autotune as at
from autotune.library import black_scholes

RATE, SPOT = 0.02, 100.0
TRUE = np.array([0.22, -0.12, 0.3, 0.04, -0.05], np.float32)  # level, skew, smile, slope over time, skew over time
START = np.array([0.3, 0.0, 0.0, 0.0, 0.0], np.float32)
LEARNING_RATE, DECAY, DECAY_SQUARES = 0.02, 0.9, 0.999


@dataclass(frozen=True)
class Market:
    """Calls, and what of their prices does not depend on the surface; volatility = parameters · basis."""

    basis: np.ndarray
    forward: np.ndarray  # log(spot / strike) + rate · maturity
    root: np.ndarray  # of the maturity
    paid: np.ndarray  # the strike, discounted
    prices: np.ndarray


def market(count: int) -> Market:
    """So many calls, priced by the surface TRUE."""
    rng = np.random.default_rng(0)
    strike = rng.uniform(70, 140, count).astype(np.float32)
    maturity = rng.uniform(0.1, 2, count).astype(np.float32)
    moneyness = np.log(strike / SPOT) / np.sqrt(maturity)
    basis = np.stack([np.ones(count), moneyness, moneyness**2, maturity, moneyness * maturity]).astype(np.float32)
    spot, rate = (np.full_like(strike, value) for value in (SPOT, RATE))
    prices = black_scholes(spot, strike, rate, TRUE @ basis, maturity)
    forward = np.log(spot / strike) + rate * maturity
    return Market(basis, forward, np.sqrt(maturity), strike * np.exp(-rate * maturity), prices)


def _normal(x: Any) -> Any:
    return 0.5 * (1 + at.erf(x * 0.5**0.5))


@at.kernel
def squared_error(
    parameters: at.Tensor["p"],
    basis: at.Tensor["p", "n"],
    forward: at.Tensor["n"],
    root: at.Tensor["n"],
    paid: at.Tensor["n"],
    prices: at.Tensor["n"],
    *,
    spot: float = SPOT,
):
    """The mean square of what calls on the surface of these parameters cost more or less than they should."""
    p, n = at.axes(basis)
    spread = at.sum(basis[p, n] * parameters[p], over=p) * root[n]
    d1 = forward[n] / spread + 0.5 * spread
    price = spot * _normal(d1) - paid[n] * _normal(d1 - spread)
    return at.output[()](at.mean((price - prices[n]) ** 2, over=n))


Loss = Callable[[Any], Any]


def arrays(given: Market) -> list[np.ndarray]:
    """All that a loss reads beside the parameters."""
    return [given.basis, given.forward, given.root, given.paid, given.prices]


def loss_of_pytorch(given: Market) -> Loss:
    """The same in PyTorch's own functions."""
    basis, forward, root, paid, prices = map(torch.from_numpy, arrays(given))

    def normal(x: torch.Tensor) -> torch.Tensor:
        return 0.5 * (1 + torch.erf(x * 0.5**0.5))

    def loss(parameters: torch.Tensor) -> torch.Tensor:
        spread = parameters @ basis * root
        d1 = forward / spread + 0.5 * spread
        price = SPOT * normal(d1) - paid * normal(d1 - spread)
        return torch.mean((price - prices) ** 2)

    return loss


def loss_of_jax(given: Market) -> Loss:
    """The same in JAX's own functions."""
    basis, forward, root, paid, prices = map(jnp.asarray, arrays(given))

    def normal(x: jax.Array) -> jax.Array:
        return 0.5 * (1 + jax.scipy.special.erf(x * 0.5**0.5))

    def loss(parameters: jax.Array) -> jax.Array:
        spread = parameters @ basis * root
        d1 = forward / spread + 0.5 * spread
        price = SPOT * normal(d1) - paid * normal(d1 - spread)
        return jnp.mean((price - prices) ** 2)

    return loss


def ours_in_pytorch(given: Market) -> Loss:
    """Our kernel, differentiated by PyTorch."""
    function = at.torch.function(squared_error)
    rest = list(map(torch.from_numpy, arrays(given)))
    return lambda parameters: function(parameters, *rest)


def ours_in_jax(given: Market) -> Loss:
    """Our kernel, differentiated by JAX."""
    function = at.jax.function(squared_error)
    rest = list(map(jnp.asarray, arrays(given)))
    return lambda parameters: function(parameters, *rest)


class Calibration:
    """The parameters on their way down, by Adam. A step gives the loss before it."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.seconds: list[float] = []

    def step(self) -> None:
        """One step, timed."""
        start = time.perf_counter()
        self.losses.append(self._step())
        self.seconds.append(time.perf_counter() - start)

    def _step(self) -> float:
        raise NotImplementedError

    @property
    def parameters(self) -> np.ndarray:
        """Where it is now."""
        raise NotImplementedError


class InPyTorch(Calibration):
    """By PyTorch's optimizer."""

    def __init__(self, loss: Loss, start: np.ndarray) -> None:
        super().__init__()
        self._loss = loss
        self._parameters = torch.from_numpy(start.copy()).requires_grad_()
        self._optimizer = torch.optim.Adam([self._parameters], lr=LEARNING_RATE, betas=(DECAY, DECAY_SQUARES))

    def _step(self) -> float:
        self._optimizer.zero_grad()
        loss = self._loss(self._parameters)
        loss.backward()
        self._optimizer.step()
        return float(loss.item())

    @property
    def parameters(self) -> np.ndarray:
        """Where it is now."""
        return self._parameters.detach().numpy()


class InJax(Calibration):
    """By one compiled function."""

    def __init__(self, loss: Loss, start: np.ndarray) -> None:
        super().__init__()

        @jax.jit
        def step(state: Any, count: Any) -> tuple[Any, Any]:
            parameters, mean, square = state
            value, gradient = jax.value_and_grad(loss)(parameters)
            mean = DECAY * mean + (1 - DECAY) * gradient
            square = DECAY_SQUARES * square + (1 - DECAY_SQUARES) * gradient**2
            size = LEARNING_RATE / (1 - DECAY**count)
            down = size * mean / (jnp.sqrt(square / (1 - DECAY_SQUARES**count)) + 1e-8)
            return (parameters - down, mean, square), value

        self._compiled = step
        self._state = (jnp.asarray(start), jnp.zeros(start.shape), jnp.zeros(start.shape))

    def _step(self) -> float:
        self._state, value = self._compiled(self._state, float(len(self.losses) + 1))
        return float(value)

    @property
    def parameters(self) -> np.ndarray:
        """Where it is now."""
        return np.asarray(self._state[0])


def main(arguments: list[str] | None = None) -> dict[str, Calibration]:
    """Calibrate with each; gives them by name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--options", type=int, default=100_000)
    parser.add_argument("--threads", type=int, default=1, help="of autotune and PyTorch; XLA has those of its process")
    parser.add_argument("--tune", type=int, metavar="TRIALS", help="tune the kernel and its gradient first")
    given = parser.parse_args(arguments)
    os.environ["AUTOTUNE_THREADS"] = str(given.threads)  # XLA calls from threads of its own
    torch.set_num_threads(given.threads)
    if given.tune:
        sizes, directions = {"n": given.options, "p": START.size}, ("joint:parameters",)
        squared_error.tune(trials=given.tune, threads=given.threads, directions=directions, **sizes)
    data = market(given.options)
    found: dict[str, Calibration] = {
        "autotune in PyTorch": InPyTorch(ours_in_pytorch(data), START),
        "PyTorch": InPyTorch(loss_of_pytorch(data), START),
        "autotune in JAX": InJax(ours_in_jax(data), START),
        "JAX": InJax(loss_of_jax(data), START),
    }
    run(found, given.steps)
    return found


def run(found: dict[str, Calibration], steps: int) -> None:
    """A step of each in turn, and what came of it."""
    for _ in range(steps):
        for calibration in found.values():
            calibration.step()
    for name, calibration in found.items():
        median = statistics.median(calibration.seconds[len(calibration.seconds) // 5 :])
        ends = f"{calibration.losses[0]:.6f} -> {calibration.losses[-1]:.3e}"
        print(f"{name:19} loss {ends}, {1e3 * median:.3f} ms a step, at {np.round(calibration.parameters, 3)}")


if __name__ == "__main__":
    main()
