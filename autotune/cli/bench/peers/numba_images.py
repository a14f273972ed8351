# ruff: noqa: D103  # what they compute, `autotune.library` says
"""Plain loops over images."""

import math
from typing import Any

import numpy as np
from numba import prange

from autotune.cli.bench.peers.loop import loop

Array = Any


@loop
def conv2d(x: Array, w: Array, padding: int) -> Array:
    n, c, h, width = x.shape
    k, _, rows, columns = w.shape
    p, q = h + 2 * padding - rows + 1, width + 2 * padding - columns + 1
    padded = np.zeros((n, c, h + 2 * padding, width + 2 * padding), x.dtype)
    padded[:, :, padding : padding + h, padding : padding + width] = x
    out = np.zeros((n, k, p, q), x.dtype)
    for each in prange(n * k):
        image, channel = each // k, each % k
        for other in range(c):
            for r in range(rows):
                for s in range(columns):
                    weight = w[channel, other, r, s]
                    for i in range(p):
                        for j in range(q):
                            out[image, channel, i, j] += weight * padded[image, other, i + r, j + s]
    return out


@loop
def conv2d_by_x(x: Array, w: Array, out_bar: Array, padding: int) -> Array:
    n, c, h, width = x.shape
    k, _, rows, columns = w.shape
    padded = np.zeros((n, c, h + 2 * padding, width + 2 * padding), x.dtype)
    for each in prange(n * c):
        image, channel = each // c, each % c
        for other in range(k):
            for r in range(rows):
                for s in range(columns):
                    weight = w[other, channel, r, s]
                    for i in range(out_bar.shape[2]):
                        for j in range(out_bar.shape[3]):
                            padded[image, channel, i + r, j + s] += weight * out_bar[image, other, i, j]
    return padded[:, :, padding : padding + h, padding : padding + width].copy()


@loop
def conv2d_by_w(x: Array, w: Array, out_bar: Array, padding: int) -> Array:
    n, c, h, width = x.shape
    k, _, rows, columns = w.shape
    padded = np.zeros((n, c, h + 2 * padding, width + 2 * padding), x.dtype)
    padded[:, :, padding : padding + h, padding : padding + width] = x
    w_bar = np.empty_like(w)
    for each in prange(k * c):
        channel, other = each // c, each % c
        for r in range(rows):
            for s in range(columns):
                total = x.dtype.type(0)
                for image in range(n):
                    for i in range(out_bar.shape[2]):
                        for j in range(out_bar.shape[3]):
                            total += out_bar[image, channel, i, j] * padded[image, other, i + r, j + s]
                w_bar[channel, other, r, s] = total
    return w_bar


@loop
def depthwise_conv2d(x: Array, w: Array, padding: int) -> Array:
    n, c, h, width = x.shape
    _, rows, columns = w.shape
    p, q = h + 2 * padding - rows + 1, width + 2 * padding - columns + 1
    out = np.empty((n, c, p, q), x.dtype)
    for each in prange(n * c):
        image, channel = each // c, each % c
        padded = np.zeros((h + 2 * padding, width + 2 * padding), x.dtype)
        padded[padding : padding + h, padding : padding + width] = x[image, channel]
        for i in range(p):
            for j in range(q):
                total = x.dtype.type(0)
                for r in range(rows):
                    for s in range(columns):
                        total += padded[i + r, j + s] * w[channel, r, s]
                out[image, channel, i, j] = total
    return out


@loop
def depthwise_conv2d_by_x(x: Array, w: Array, out_bar: Array, padding: int) -> Array:
    n, c, h, width = x.shape
    _, rows, columns = w.shape
    x_bar = np.empty_like(x)
    for each in prange(n * c):
        image, channel = each // c, each % c
        padded = np.zeros((h + 2 * padding, width + 2 * padding), x.dtype)
        for r in range(rows):
            for s in range(columns):
                for i in range(out_bar.shape[2]):
                    for j in range(out_bar.shape[3]):
                        padded[i + r, j + s] += w[channel, r, s] * out_bar[image, channel, i, j]
        x_bar[image, channel] = padded[padding : padding + h, padding : padding + width]
    return x_bar


@loop
def depthwise_conv2d_by_w(x: Array, w: Array, out_bar: Array, padding: int) -> Array:
    n, c, h, width = x.shape
    _, rows, columns = w.shape
    w_bar = np.zeros_like(w)
    for channel in prange(c):
        for image in range(n):
            padded = np.zeros((h + 2 * padding, width + 2 * padding), x.dtype)
            padded[padding : padding + h, padding : padding + width] = x[image, channel]
            for r in range(rows):
                for s in range(columns):
                    total = x.dtype.type(0)
                    for i in range(out_bar.shape[2]):
                        for j in range(out_bar.shape[3]):
                            total += padded[i + r, j + s] * out_bar[image, channel, i, j]
                    w_bar[channel, r, s] += total
    return w_bar


@loop
def max_pool2d(x: Array, size: int, stride: int, padding: int) -> Array:
    n, c, h, width = x.shape
    p, q = (h + 2 * padding - size) // stride + 1, (width + 2 * padding - size) // stride + 1
    out = np.empty((n, c, p, q), x.dtype)
    for each in prange(n * c):
        image, channel = each // c, each % c
        for i in range(p):
            for j in range(q):
                top, left = i * stride - padding, j * stride - padding
                largest = x[image, channel, max(top, 0), max(left, 0)]
                for row in range(max(top, 0), min(top + size, h)):
                    for column in range(max(left, 0), min(left + size, width)):
                        largest = max(largest, x[image, channel, row, column])
                out[image, channel, i, j] = largest
    return out


@loop
def max_pool2d_by_x(x: Array, out_bar: Array, size: int, stride: int, padding: int) -> Array:
    n, c, h, width = x.shape
    x_bar = np.zeros_like(x)
    for each in prange(n * c):
        image, channel = each // c, each % c
        for i in range(out_bar.shape[2]):
            for j in range(out_bar.shape[3]):
                top, left = i * stride - padding, j * stride - padding
                best_row, best_column = max(top, 0), max(left, 0)
                largest = x[image, channel, best_row, best_column]
                for row in range(max(top, 0), min(top + size, h)):
                    for column in range(max(left, 0), min(left + size, width)):
                        if x[image, channel, row, column] > largest:
                            largest, best_row, best_column = x[image, channel, row, column], row, column
                x_bar[image, channel, best_row, best_column] += out_bar[image, channel, i, j]
    return x_bar


@loop
def avg_pool2d(x: Array, size: int, stride: int, padding: int) -> Array:
    n, c, h, width = x.shape
    p, q = (h + 2 * padding - size) // stride + 1, (width + 2 * padding - size) // stride + 1
    out = np.empty((n, c, p, q), x.dtype)
    share = x.dtype.type(1 / size**2)
    for each in prange(n * c):
        image, channel = each // c, each % c
        for i in range(p):
            for j in range(q):
                top, left, total = i * stride - padding, j * stride - padding, x.dtype.type(0)
                for row in range(max(top, 0), min(top + size, h)):
                    for column in range(max(left, 0), min(left + size, width)):
                        total += x[image, channel, row, column]
                out[image, channel, i, j] = total * share
    return out


@loop
def avg_pool2d_by_x(x: Array, out_bar: Array, size: int, stride: int, padding: int) -> Array:
    n, c, h, width = x.shape
    x_bar = np.zeros_like(x)
    share = x.dtype.type(1 / size**2)
    for each in prange(n * c):
        image, channel = each // c, each % c
        for i in range(out_bar.shape[2]):
            for j in range(out_bar.shape[3]):
                top, left = i * stride - padding, j * stride - padding
                for row in range(max(top, 0), min(top + size, h)):
                    for column in range(max(left, 0), min(left + size, width)):
                        x_bar[image, channel, row, column] += out_bar[image, channel, i, j] * share
    return x_bar


@loop
def total_variation_step(u: Array, f: Array, tau: Array, lam: Array, epsilon: Array) -> Array:
    h, w = u.shape
    down, across, out = np.zeros_like(u), np.zeros_like(u), np.empty_like(u)
    for i in prange(h):
        for j in range(w):
            below = u[i + 1, j] - u[i, j] if i < h - 1 else u.dtype.type(0)
            beside = u[i, j + 1] - u[i, j] if j < w - 1 else u.dtype.type(0)
            size = np.sqrt(below * below + beside * beside + epsilon * epsilon)
            down[i, j], across[i, j] = below / size, beside / size
    for i in prange(h):
        for j in range(w):
            flow = -down[i, j] - across[i, j]
            if i > 0:
                flow += down[i - 1, j]
            if j > 0:
                flow += across[i, j - 1]
            out[i, j] = u[i, j] - tau * (u[i, j] - f[i, j] + lam * flow)
    return out


@loop
def total_variation_step_by_f(tau: Array, out_bar: Array) -> Array:
    f_bar = np.empty_like(out_bar)
    for i in prange(out_bar.shape[0]):
        for j in range(out_bar.shape[1]):
            f_bar[i, j] = tau * out_bar[i, j]
    return f_bar


@loop
def radon(x: Array, angles: Array, offsets: Array) -> Array:
    h, w = x.shape
    out = np.zeros((len(angles), len(offsets)), x.dtype)
    for a in prange(len(angles)):
        cosine, sine = math.cos(angles[a]), math.sin(angles[a])
        by_rows = abs(cosine) >= abs(sine)
        for t in range(len(offsets)):
            total = x.dtype.type(0)
            for along in range(h if by_rows else w):
                if by_rows:
                    place = (offsets[t] - (along - (h - 1) * 0.5) * sine) / cosine + (w - 1) * 0.5
                else:
                    place = (offsets[t] - (along - (w - 1) * 0.5) * cosine) / sine + (h - 1) * 0.5
                whole = math.floor(place)
                fraction = x.dtype.type(place - whole)
                if by_rows:
                    if 0 <= whole < w:
                        total += (1 - fraction) * x[along, whole]
                    if 0 <= whole + 1 < w:
                        total += fraction * x[along, whole + 1]
                else:
                    if 0 <= whole < h:
                        total += (1 - fraction) * x[whole, along]
                    if 0 <= whole + 1 < h:
                        total += fraction * x[whole + 1, along]
            out[a, t] = total / max(abs(cosine), abs(sine))
    return out
