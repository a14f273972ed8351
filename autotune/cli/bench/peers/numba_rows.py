# ruff: noqa: D103  # what they compute, `autotune.library` says
"""Plain loops over the rows of a matrix, and over tables."""

import math
from typing import Any

import numpy as np
from numba import prange

from autotune.cli.bench.peers.loop import loop, serial_loop

Array = Any


@loop
def softmax(x: Array) -> Array:
    out = np.empty_like(x)
    for i in prange(x.shape[0]):
        largest, total = x[i].max(), x.dtype.type(0)
        for j in range(x.shape[1]):
            out[i, j] = math.exp(x[i, j] - largest)
            total += out[i, j]
        for j in range(x.shape[1]):
            out[i, j] /= total
    return out


@loop
def softmax_by_x(x: Array, out_bar: Array) -> Array:
    x_bar = np.empty_like(x)
    for i in prange(x.shape[0]):
        largest, total, along = x[i].max(), x.dtype.type(0), x.dtype.type(0)
        for j in range(x.shape[1]):
            x_bar[i, j] = math.exp(x[i, j] - largest)
            total += x_bar[i, j]
            along += x_bar[i, j] * out_bar[i, j]
        for j in range(x.shape[1]):
            x_bar[i, j] = x_bar[i, j] / total * (out_bar[i, j] - along / total)
    return x_bar


@loop
def log_softmax(x: Array) -> Array:
    out = np.empty_like(x)
    for i in prange(x.shape[0]):
        largest, total = x[i].max(), x.dtype.type(0)
        for j in range(x.shape[1]):
            total += math.exp(x[i, j] - largest)
        shift = largest + math.log(total)
        for j in range(x.shape[1]):
            out[i, j] = x[i, j] - shift
    return out


@loop
def log_softmax_by_x(x: Array, out_bar: Array) -> Array:
    x_bar = np.empty_like(x)
    for i in prange(x.shape[0]):
        largest, total, bars = x[i].max(), x.dtype.type(0), x.dtype.type(0)
        for j in range(x.shape[1]):
            x_bar[i, j] = math.exp(x[i, j] - largest)
            total += x_bar[i, j]
            bars += out_bar[i, j]
        for j in range(x.shape[1]):
            x_bar[i, j] = out_bar[i, j] - x_bar[i, j] * (bars / total)
    return x_bar


@loop
def logsumexp(x: Array) -> Array:
    out = np.empty(x.shape[0], x.dtype)
    for i in prange(x.shape[0]):
        largest, total = x[i].max(), x.dtype.type(0)
        for j in range(x.shape[1]):
            total += math.exp(x[i, j] - largest)
        out[i] = largest + math.log(total)
    return out


@loop
def logsumexp_by_x(x: Array, out_bar: Array) -> Array:
    x_bar = np.empty_like(x)
    for i in prange(x.shape[0]):
        largest, total = x[i].max(), x.dtype.type(0)
        for j in range(x.shape[1]):
            x_bar[i, j] = math.exp(x[i, j] - largest)
            total += x_bar[i, j]
        for j in range(x.shape[1]):
            x_bar[i, j] *= out_bar[i] / total
    return x_bar


@loop
def cross_entropy(logits: Array, targets: Array) -> Array:
    loss = 0.0
    for i in prange(logits.shape[0]):
        largest, total = logits[i].max(), logits.dtype.type(0)
        for j in range(logits.shape[1]):
            total += math.exp(logits[i, j] - largest)
        loss += largest + math.log(total) - logits[i, targets[i]]
    return loss / logits.shape[0]


@loop
def cross_entropy_by_logits(logits: Array, targets: Array, out_bar: Array) -> Array:
    logits_bar = np.empty_like(logits)
    bar = out_bar / np.float32(logits.shape[0])
    for i in prange(logits.shape[0]):
        largest, total = logits[i].max(), logits.dtype.type(0)
        for j in range(logits.shape[1]):
            logits_bar[i, j] = math.exp(logits[i, j] - largest)
            total += logits_bar[i, j]
        for j in range(logits.shape[1]):
            logits_bar[i, j] *= bar / total
        logits_bar[i, targets[i]] -= bar
    return logits_bar


@loop
def layer_norm(x: Array, gamma: Array, beta: Array) -> Array:
    out, cols = np.empty_like(x), x.dtype.type(x.shape[1])
    for i in prange(x.shape[0]):
        total, square = x.dtype.type(0), x.dtype.type(0)
        for j in range(x.shape[1]):
            total += x[i, j]
        mean = total / cols
        for j in range(x.shape[1]):
            square += (x[i, j] - mean) ** 2
        r = 1 / np.sqrt(square / cols + x.dtype.type(1e-5))
        for j in range(x.shape[1]):
            out[i, j] = gamma[j] * ((x[i, j] - mean) * r) + beta[j]
    return out


@loop
def layer_norm_by_x(x: Array, gamma: Array, out_bar: Array) -> Array:
    x_bar, cols = np.empty_like(x), x.dtype.type(x.shape[1])
    for i in prange(x.shape[0]):
        total, square = x.dtype.type(0), x.dtype.type(0)
        for j in range(x.shape[1]):
            total += x[i, j]
        mean = total / cols
        for j in range(x.shape[1]):
            square += (x[i, j] - mean) ** 2
        r = 1 / np.sqrt(square / cols + x.dtype.type(1e-5))
        bars, along = x.dtype.type(0), x.dtype.type(0)
        for j in range(x.shape[1]):
            bar = out_bar[i, j] * gamma[j]
            bars += bar
            along += bar * (x[i, j] - mean) * r
        for j in range(x.shape[1]):
            x_bar[i, j] = r * (out_bar[i, j] * gamma[j] - bars / cols - (x[i, j] - mean) * r * (along / cols))
    return x_bar


@loop
def layer_norm_by_beta(out_bar: Array) -> Array:
    beta_bar = np.zeros(out_bar.shape[1], out_bar.dtype)
    for i in prange(out_bar.shape[0]):
        beta_bar += out_bar[i]
    return beta_bar


@loop
def layer_norm_by_gamma(x: Array, out_bar: Array) -> Array:
    gamma_bar, cols = np.zeros(x.shape[1], x.dtype), x.dtype.type(x.shape[1])
    for i in prange(x.shape[0]):
        total, square = x.dtype.type(0), x.dtype.type(0)
        for j in range(x.shape[1]):
            total += x[i, j]
        mean = total / cols
        for j in range(x.shape[1]):
            square += (x[i, j] - mean) ** 2
        r = 1 / np.sqrt(square / cols + x.dtype.type(1e-5))
        gamma_bar += out_bar[i] * (x[i] - mean) * r
    return gamma_bar


@loop
def rms_norm(x: Array, gamma: Array) -> Array:
    out, cols = np.empty_like(x), x.dtype.type(x.shape[1])
    for i in prange(x.shape[0]):
        square = x.dtype.type(0)
        for j in range(x.shape[1]):
            square += x[i, j] ** 2
        r = 1 / np.sqrt(square / cols + x.dtype.type(1e-6))
        for j in range(x.shape[1]):
            out[i, j] = gamma[j] * (x[i, j] * r)
    return out


@loop
def rms_norm_by_x(x: Array, gamma: Array, out_bar: Array) -> Array:
    x_bar, cols = np.empty_like(x), x.dtype.type(x.shape[1])
    for i in prange(x.shape[0]):
        square, along = x.dtype.type(0), x.dtype.type(0)
        for j in range(x.shape[1]):
            square += x[i, j] ** 2
            along += out_bar[i, j] * gamma[j] * x[i, j]
        r = 1 / np.sqrt(square / cols + x.dtype.type(1e-6))
        for j in range(x.shape[1]):
            x_bar[i, j] = r * (out_bar[i, j] * gamma[j] - x[i, j] * r * r * (along / cols))
    return x_bar


@loop
def rms_norm_by_gamma(x: Array, out_bar: Array) -> Array:
    gamma_bar, cols = np.zeros(x.shape[1], x.dtype), x.dtype.type(x.shape[1])
    for i in prange(x.shape[0]):
        square = x.dtype.type(0)
        for j in range(x.shape[1]):
            square += x[i, j] ** 2
        gamma_bar += out_bar[i] * x[i] / np.sqrt(square / cols + x.dtype.type(1e-6))
    return gamma_bar


@loop
def embedding(table: Array, idx: Array) -> Array:
    out = np.empty((idx.shape[0], table.shape[1]), table.dtype)
    for t in prange(idx.shape[0]):
        out[t] = table[idx[t]]
    return out


@serial_loop
def embedding_by_table(table: Array, idx: Array, out_bar: Array) -> Array:
    table_bar = np.zeros_like(table)
    for t in range(idx.shape[0]):
        for d in range(table.shape[1]):
            table_bar[idx[t], d] += out_bar[t, d]
    return table_bar


@loop
def sinkhorn_step(cost: Array, a: Array, g: Array, epsilon: Array) -> Array:
    out = np.empty(cost.shape[0], cost.dtype)
    for i in prange(cost.shape[0]):
        largest, total = (g - cost[i]).max(), cost.dtype.type(0)
        for j in range(cost.shape[1]):
            total += math.exp((g[j] - cost[i, j] - largest) / epsilon)
        out[i] = epsilon * math.log(a[i]) - largest - epsilon * math.log(total)
    return out


@loop
def sinkhorn_step_by_cost(cost: Array, g: Array, epsilon: Array, out_bar: Array) -> Array:
    cost_bar = np.empty_like(cost)
    for i in prange(cost.shape[0]):
        largest, total = (g - cost[i]).max(), cost.dtype.type(0)
        for j in range(cost.shape[1]):
            cost_bar[i, j] = math.exp((g[j] - cost[i, j] - largest) / epsilon)
            total += cost_bar[i, j]
        for j in range(cost.shape[1]):
            cost_bar[i, j] *= out_bar[i] / total
    return cost_bar


@loop
def sinkhorn_step_by_g(cost: Array, g: Array, epsilon: Array, out_bar: Array) -> Array:
    g_bar = np.zeros_like(g)
    for i in prange(cost.shape[0]):
        weights = np.exp((g - cost[i] - (g - cost[i]).max()) / epsilon)
        g_bar -= weights * (out_bar[i] / weights.sum())
    return g_bar
