from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.stats

from autotune.autodiff import derive
from autotune.library import asian_option, black_scholes
from tests.library.cases import Case, uniform
from tests.library.gates import Gates, SmoothGates, forward, gradient, single

MARKET = {
    "spot": uniform(90, 110),
    "strike": uniform(90, 110),
    "rate": uniform(0.01, 0.05),
    "volatility": uniform(0.1, 0.4),
    "maturity": uniform(0.5, 2),
}


def call(spot: Any, strike: Any, rate: Any, volatility: Any, maturity: Any) -> Any:
    d1 = (jnp.log(spot / strike) + rate * maturity) / (volatility * jnp.sqrt(maturity))
    d1 += volatility * jnp.sqrt(maturity) / 2
    d2 = d1 - volatility * jnp.sqrt(maturity)
    return spot * jax.scipy.special.ndtr(d1) - strike * jnp.exp(-rate * maturity) * jax.scipy.special.ndtr(d2)


def asian(spot: Any, strike: Any, rate: Any, volatility: Any, maturity: Any, z: Any) -> Any:
    dt = maturity / z.shape[1]
    growth = jnp.cumsum((rate - volatility**2 / 2) * dt + volatility * jnp.sqrt(dt) * z, axis=1)
    payoff = jax.nn.relu((spot * jnp.exp(growth)).mean(axis=1) - strike)
    return jnp.exp(-rate * maturity) * payoff.mean()


class TestBlackScholes(Gates, SmoothGates):
    cases = (Case(black_scholes, call, {"n": 7}, MARKET),)


class TestAsianOption(Gates):
    cases = (Case(asian_option, asian, {"paths": 6, "steps": 4}, MARKET, smooth=False),)


(BLACK_SCHOLES,), (ASIAN,) = TestBlackScholes.cases, TestAsianOption.cases


def test_greeks_have_their_closed_forms() -> None:
    arguments = BLACK_SCHOLES.arguments()
    s, k, r, v, t = (arguments[name] for name in ("spot", "strike", "rate", "volatility", "maturity"))
    d1 = (np.log(s / k) + (r + v**2 / 2) * t) / (v * np.sqrt(t))
    d2 = d1 - v * np.sqrt(t)
    normal, density = scipy.stats.norm.cdf, scipy.stats.norm.pdf
    expected = {
        "spot": normal(d1),
        "strike": -np.exp(-r * t) * normal(d2),
        "rate": k * t * np.exp(-r * t) * normal(d2),
        "volatility": s * density(d1) * np.sqrt(t),
        "maturity": s * density(d1) * v / (2 * np.sqrt(t)) + r * k * np.exp(-r * t) * normal(d2),
    }
    for name, greek in expected.items():
        np.testing.assert_allclose(gradient(BLACK_SCHOLES, name, arguments, np.ones(7)), greek, rtol=1e-12)
    gamma = derive(BLACK_SCHOLES.definition, "vjp:spot/vjp:spot")
    got = single(gamma, arguments | {"out_bar": np.ones(7), "spot_bar_bar": np.ones(7)})
    np.testing.assert_allclose(got, density(d1) / (s * v * np.sqrt(t)), rtol=1e-10)


def test_an_asian_option_that_is_never_exercised_is_worth_nothing() -> None:
    arguments = ASIAN.arguments() | {"strike": np.array(1e6)}
    assert forward(ASIAN, arguments) == 0
    assert all((gradient(ASIAN, name, arguments, np.array(1.0)) == 0).all() for name in ASIAN.floating)


def test_the_payoff_has_no_derivative_where_the_mean_is_the_strike() -> None:
    """G6: the derivative of relu at 0 is 0."""
    arguments = ASIAN.arguments() | {"rate": np.array(0.0), "volatility": np.array(0.0), "spot": np.array(100.0)}
    arguments["strike"] = np.array(100.0)
    assert gradient(ASIAN, "spot", arguments, np.array(1.0)) == 0
