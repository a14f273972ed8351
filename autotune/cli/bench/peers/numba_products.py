# ruff: noqa: D103  # what they compute, `autotune.library` says
"""Plain loops of sums of products."""

import math
from typing import Any

import numpy as np
from numba import prange

from autotune.cli.bench.peers.loop import loop

Array = Any


@loop
def matmul(a: Array, b: Array) -> Array:
    out = np.zeros((a.shape[0], b.shape[1]), a.dtype)
    for i in prange(a.shape[0]):
        for k in range(a.shape[1]):
            for j in range(b.shape[1]):
                out[i, j] += a[i, k] * b[k, j]
    return out


@loop
def matmul_by_a(b: Array, out_bar: Array) -> Array:
    a_bar = np.empty((out_bar.shape[0], b.shape[0]), b.dtype)
    for i in prange(a_bar.shape[0]):
        for k in range(a_bar.shape[1]):
            total = b.dtype.type(0)
            for j in range(b.shape[1]):
                total += out_bar[i, j] * b[k, j]
            a_bar[i, k] = total
    return a_bar


@loop
def matmul_by_b(a: Array, out_bar: Array) -> Array:
    b_bar = np.zeros((a.shape[1], out_bar.shape[1]), a.dtype)
    for k in prange(a.shape[1]):
        for i in range(a.shape[0]):
            for j in range(out_bar.shape[1]):
                b_bar[k, j] += a[i, k] * out_bar[i, j]
    return b_bar


@loop
def batch_matmul(a: Array, b: Array) -> Array:
    out = np.zeros((a.shape[0], a.shape[1], b.shape[2]), a.dtype)
    for z in prange(a.shape[0]):
        for i in range(a.shape[1]):
            for k in range(a.shape[2]):
                for j in range(b.shape[2]):
                    out[z, i, j] += a[z, i, k] * b[z, k, j]
    return out


@loop
def batch_matmul_by_a(b: Array, out_bar: Array) -> Array:
    a_bar = np.empty((b.shape[0], out_bar.shape[1], b.shape[1]), b.dtype)
    for z in prange(b.shape[0]):
        for i in range(out_bar.shape[1]):
            for k in range(b.shape[1]):
                total = b.dtype.type(0)
                for j in range(b.shape[2]):
                    total += out_bar[z, i, j] * b[z, k, j]
                a_bar[z, i, k] = total
    return a_bar


@loop
def batch_matmul_by_b(a: Array, out_bar: Array) -> Array:
    b_bar = np.zeros((a.shape[0], a.shape[2], out_bar.shape[2]), a.dtype)
    for z in prange(a.shape[0]):
        for i in range(a.shape[1]):
            for k in range(a.shape[2]):
                for j in range(out_bar.shape[2]):
                    b_bar[z, k, j] += a[z, i, k] * out_bar[z, i, j]
    return b_bar


@loop
def linear_gelu(x: Array, w: Array, b: Array) -> Array:
    out = np.empty((x.shape[0], w.shape[0]), x.dtype)
    half, root = x.dtype.type(0.5), x.dtype.type(math.sqrt(0.5))
    for i in prange(x.shape[0]):
        for j in range(w.shape[0]):
            z = b[j]
            for k in range(x.shape[1]):
                z += x[i, k] * w[j, k]
            out[i, j] = half * z * (1 + math.erf(z * root))
    return out


@loop
def attention(q: Array, k: Array, v: Array) -> Array:
    heads, queries, keys = q.shape[1], q.shape[2], k.shape[2]
    out = np.zeros((q.shape[0], heads, queries, v.shape[3]), q.dtype)
    scale = q.dtype.type(1 / math.sqrt(q.shape[3]))
    for row in prange(q.shape[0] * heads * queries):
        b, h, t = row // (heads * queries), row // queries % heads, row % queries
        weights = np.empty(keys, q.dtype)
        for s in range(keys):
            score = q.dtype.type(0)
            for d in range(q.shape[3]):
                score += q[b, h, t, d] * k[b, h, s, d]
            weights[s] = score * scale
        largest, total = weights.max(), q.dtype.type(0)
        for s in range(keys):
            weights[s] = math.exp(weights[s] - largest)
            total += weights[s]
        for s in range(keys):
            weight = weights[s] / total
            for e in range(v.shape[3]):
                out[b, h, t, e] += weight * v[b, h, s, e]
    return out
