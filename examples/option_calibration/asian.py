"""The volatility that an option on a mean has to have, found by Monte Carlo: the price and its vega, step by step.

python examples/option_calibration/asian.py             # autotune, PyTorch and JAX, a step of each in turn
python examples/option_calibration/asian.py --steps 3 --paths 64
"""

import argparse
import os
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import torch

import autotune as at
from autotune.library import asian_option

sys.path.insert(0, str(Path(__file__).parent))
from calibrate import Calibration, InJax, InPyTorch, Loss, run  # beside this file

SPOT, STRIKE, RATE, MATURITY, STEPS = 100.0, 105.0, 0.02, 1.0, 252
TRUE, START = 0.35, np.array(0.2, np.float32)


def loss_of_pytorch(z: np.ndarray, quote: float) -> Loss:
    """In PyTorch's own functions."""
    normal = torch.from_numpy(z)

    def loss(volatility: torch.Tensor) -> torch.Tensor:
        step = MATURITY / STEPS
        growth = torch.cumsum((RATE - 0.5 * volatility**2) * step + volatility * step**0.5 * normal, 1)
        payoff = torch.relu((SPOT * torch.exp(growth)).mean(1) - STRIKE)
        return (np.exp(-RATE * MATURITY) * payoff.mean() - quote) ** 2

    return loss


def loss_of_jax(z: np.ndarray, quote: float) -> Loss:
    """In JAX's own functions."""
    normal = jnp.asarray(z)

    def loss(volatility: jax.Array) -> jax.Array:
        step = MATURITY / STEPS
        growth = jnp.cumsum((RATE - 0.5 * volatility**2) * step + volatility * step**0.5 * normal, 1)
        payoff = jax.nn.relu((SPOT * jnp.exp(growth)).mean(1) - STRIKE)
        return (np.exp(-RATE * MATURITY) * payoff.mean() - quote) ** 2

    return loss


def ours_in_pytorch(z: np.ndarray, quote: float) -> Loss:
    """The kernel `asian_option`, differentiated by PyTorch."""
    price, normal = at.torch.function(asian_option), torch.from_numpy(z)
    return lambda volatility: (price(SPOT, STRIKE, RATE, volatility, MATURITY, normal) - quote) ** 2


def ours_in_jax(z: np.ndarray, quote: float) -> Loss:
    """The kernel `asian_option`, differentiated by JAX."""
    price, normal = at.jax.function(asian_option), jnp.asarray(z)
    return lambda volatility: (price(SPOT, STRIKE, RATE, volatility, MATURITY, normal) - quote) ** 2


def main(arguments: list[str] | None = None) -> dict[str, Calibration]:
    """Find the volatility with each; gives them by name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--paths", type=int, default=16384)
    parser.add_argument("--threads", type=int, default=1, help="of autotune and PyTorch; XLA has those of its process")
    given = parser.parse_args(arguments)
    os.environ["AUTOTUNE_THREADS"] = str(given.threads)  # XLA calls from threads of its own
    torch.set_num_threads(given.threads)
    z = np.random.default_rng(0).standard_normal((given.paths, STEPS), dtype=np.float32)
    quote = float(asian_option(SPOT, STRIKE, RATE, TRUE, MATURITY, z))
    found: dict[str, Calibration] = {
        "autotune in PyTorch": InPyTorch(ours_in_pytorch(z, quote), START),
        "PyTorch": InPyTorch(loss_of_pytorch(z, quote), START),
        "autotune in JAX": InJax(ours_in_jax(z, quote), START),
        "JAX": InJax(loss_of_jax(z, quote), START),
    }
    run(found, given.steps)
    return found


if __name__ == "__main__":
    main()
