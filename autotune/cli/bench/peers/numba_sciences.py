# ruff: noqa: D103  # what they compute, `autotune.library` says
"""Plain loops of finance, astrophysics, pharmacology and survival analysis."""

import math
from typing import Any

import numpy as np
from numba import prange

from autotune.cli.bench.peers.loop import loop

Array = Any


@loop
def black_scholes(spot: Array, strike: Array, rate: Array, volatility: Array, maturity: Array) -> Array:
    out = np.empty_like(spot)
    half, root = spot.dtype.type(0.5), spot.dtype.type(math.sqrt(0.5))
    for n in prange(len(spot)):
        spread = volatility[n] * math.sqrt(maturity[n])
        drift = (rate[n] + half * volatility[n] ** 2) * maturity[n]
        d1 = (math.log(spot[n] / strike[n]) + drift) / spread
        now, later = half * (1 + math.erf(d1 * root)), half * (1 + math.erf((d1 - spread) * root))
        out[n] = spot[n] * now - strike[n] * math.exp(-rate[n] * maturity[n]) * later
    return out


@loop
def black_scholes_by_spot(
    spot: Array, strike: Array, rate: Array, volatility: Array, maturity: Array, out_bar: Array
) -> Array:
    spot_bar = np.empty_like(spot)
    half, root = spot.dtype.type(0.5), spot.dtype.type(math.sqrt(0.5))
    for n in prange(len(spot)):
        spread = volatility[n] * math.sqrt(maturity[n])
        drift = (rate[n] + half * volatility[n] ** 2) * maturity[n]
        d1 = (math.log(spot[n] / strike[n]) + drift) / spread
        spot_bar[n] = out_bar[n] * half * (1 + math.erf(d1 * root))
    return spot_bar


@loop
def asian_option(spot: Array, strike: Array, rate: Array, volatility: Array, maturity: Array, z: Array) -> Array:
    step = maturity / z.dtype.type(z.shape[1])
    drift, spread = (rate - z.dtype.type(0.5) * volatility**2) * step, volatility * math.sqrt(step)
    paid = 0.0
    for path in prange(z.shape[0]):
        growth, total = z.dtype.type(0), z.dtype.type(0)
        for k in range(z.shape[1]):
            growth += drift + spread * z[path, k]
            total += math.exp(growth)
        paid += max(spot * total / z.dtype.type(z.shape[1]) - strike, z.dtype.type(0))
    return math.exp(-rate * maturity) * paid / z.shape[0]


@loop
def nbody(positions: Array, masses: Array, softening: Array, gravity: Array) -> Array:
    out = np.empty_like(positions)
    for i in prange(len(masses)):
        x = y = z = positions.dtype.type(0)
        for j in range(len(masses)):
            dx, dy = positions[j, 0] - positions[i, 0], positions[j, 1] - positions[i, 1]
            dz = positions[j, 2] - positions[i, 2]
            squared = dx * dx + dy * dy + dz * dz + softening * softening
            pull = masses[j] / (squared * math.sqrt(squared))  # of itself too, over a distance of 0
            x, y, z = x + pull * dx, y + pull * dy, z + pull * dz
        scale = gravity * masses[i]
        out[i, 0], out[i, 1], out[i, 2] = scale * x, scale * y, scale * z
    return out


@loop
def pk_two_compartment(dose: Array, ka: Array, cl: Array, v1: Array, q: Array, v2: Array, dt: Array) -> Array:
    out = np.empty((len(dose), len(dt)), dose.dtype)
    half, two = dose.dtype.type(0.5), dose.dtype.type(2)
    for i in prange(len(dose)):
        k, leaving, there, back = ka[i], cl[i] / v1[i], q[i] / v1[i], q[i] / v2[i]
        gut, central, other = dose[i], dose.dtype.type(0), dose.dtype.type(0)
        for step in range(len(dt)):
            h = dt[step]
            moved = there * central - back * other
            g1, c1, o1 = -k * gut, k * gut - leaving * central - moved, moved
            g, c, o = gut + half * h * g1, central + half * h * c1, other + half * h * o1
            moved = there * c - back * o
            g2, c2, o2 = -k * g, k * g - leaving * c - moved, moved
            g, c, o = gut + half * h * g2, central + half * h * c2, other + half * h * o2
            moved = there * c - back * o
            g3, c3, o3 = -k * g, k * g - leaving * c - moved, moved
            g, c, o = gut + h * g3, central + h * c3, other + h * o3
            moved = there * c - back * o
            g4, c4, o4 = -k * g, k * g - leaving * c - moved, moved
            sixth = h / dose.dtype.type(6)
            gut += sixth * (g1 + two * (g2 + g3) + g4)
            central += sixth * (c1 + two * (c2 + c3) + c4)
            other += sixth * (o1 + two * (o2 + o3) + o4)
            out[i, step] = central / v1[i]
    return out


@loop
def cox_partial_likelihood(x: Array, beta: Array, delta: Array) -> Array:
    eta = np.empty(len(x), x.dtype)
    for i in prange(len(x)):
        total = x.dtype.type(0)
        for c in range(len(beta)):
            total += x[i, c] * beta[c]
        eta[i] = total
    likelihood, risk, largest = 0.0, 0.0, eta.max()
    for i in range(len(x)):
        risk += math.exp(eta[i] - largest)
        likelihood += delta[i] * (eta[i] - largest - math.log(risk))
    return likelihood
