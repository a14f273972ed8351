"""Finance: prices of options in the model of Black and Scholes; the derivatives of a price are its Greeks."""

import math

from autotune import lang as at
from autotune.runtime import kernel


def _normal(x: at.Expr) -> at.Expr:
    """Φ, the distribution function of a standard normal number."""
    return 0.5 * (1 + at.erf(x * math.sqrt(0.5)))


@kernel
def black_scholes(
    spot: at.Tensor["n"],
    strike: at.Tensor["n"],
    rate: at.Tensor["n"],
    volatility: at.Tensor["n"],
    maturity: at.Tensor["n"],
) -> at.Output:
    """Prices of European calls, out = S·Φ(d₁) - K·e^(-rT)·Φ(d₂), with Φ the normal distribution.

    d₁ = (log(S/K) + (r + σ²/2)·T) / (σ·√T) and d₂ = d₁ - σ·√T. Shapes: all (n), an option each. Units: spot S, strike K
    and out in one currency, maturity T in years, rate r (continuous compounding) and volatility squared σ² per year;
    S, K, σ and T are positive. Prices far out of the money are right to rounding of S, not of themselves.
    Greeks: delta Φ(d₁) = vjp:spot, vega S·φ(d₁)·√T = vjp:volatility, rho K·T·e^(-rT)·Φ(d₂) = vjp:rate,
    theta -(S·φ(d₁)·σ / (2√T) + r·K·e^(-rT)·Φ(d₂)) = -vjp:maturity and -e^(-rT)·Φ(d₂) = vjp:strike, each with the
    cotangent 1; gamma is vjp:spot/vjp:spot
    (Black and Scholes 1973, "The pricing of options and corporate liabilities", equation 13).
    """
    (n,) = at.axes(spot)
    spread = volatility[n] * at.sqrt(maturity[n])
    drift = (rate[n] + 0.5 * volatility[n] ** 2) * maturity[n]
    d1 = (at.log(spot[n] / strike[n]) + drift) / spread
    present = strike[n] * at.exp(-rate[n] * maturity[n])
    return at.output[n](spot[n] * _normal(d1) - present * _normal(d1 - spread))


@kernel
def asian_option(
    spot: at.Scalar,
    strike: at.Scalar,
    rate: at.Scalar,
    volatility: at.Scalar,
    maturity: at.Scalar,
    z: at.Tensor["paths", "steps"],
) -> at.Output:
    """Price of a call on the arithmetic mean of the spot, out = e^(-rT) · mean over paths of (A - K)⁺, by Monte Carlo.

    A is the mean of S₀·e^x over the steps of a path, where x grows by (r - σ²/2)·Δ + σ·√Δ·z[path, step], Δ = T / steps.
    Shapes: z (paths, steps), independent standard normal numbers; out (). Units: spot S₀, strike K and the price in one
    currency, maturity T in years, rate r and volatility squared σ² per year.
    Greeks, by differentiation of each path: delta = vjp:spot, vega = vjp:volatility, rho = vjp:rate and
    theta = -vjp:maturity (Broadie and Glasserman 1996, "Estimating security price derivatives using simulation").
    """
    p, k = at.axes(z)
    step = maturity / at.extent(k)
    drift, spread = (rate - 0.5 * volatility**2) * step, volatility * at.sqrt(step)
    growth = at.scan(lambda x: x + (drift + spread * z[p, k]), 0.0, over=k)
    payoff = at.relu(at.mean(spot * at.exp(growth), over=k) - strike)
    return at.output[()](at.exp(-rate * maturity) * at.mean(payoff, over=p))
