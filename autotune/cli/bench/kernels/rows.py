"""The row of a contest: times, and how near they are to what the machine can do."""

import statistics
from collections.abc import Mapping
from typing import Any

from autotune.cli.bench.contestants import ALONE, DEFAULT, OURS
from autotune.cli.bench.kernels.cases import KernelCase
from autotune.machine import Machine, Peaks
from autotune.machine.peak_rates import bandwidth
from autotune.measure.statistics import median_interval

METHOD = (
    "ms, default_ms and peers are medians over the rounds of one process; in a round every contestant is timed "
    "once, in random order, with public calls that allocate their results; on several threads after a pause, in "
    "which other libraries' threads stop spinning, and a call that wakes its own. One whose first sample took "
    "more than a second has that one only. Every peer's result was compared with ours before (the norm of the "
    "difference is at most 0.01 of the norm; 0.1 for scikit-image, which projects by another discretization); "
    "absent says why one takes no part, not_offered which have no such function. vjp are all gradients at "
    "once, of a kernel whose gradients share work, joint the result and all gradients. Gradients begin with the "
    "inputs and end with the gradient: PyTorch's are both passes. torch_backward_alone_ms is its backward pass "
    "alone, which begins with what its forward pass has kept; it counts in no ratio. torch.compile and "
    "JAX are compiled for the shape, outside of the times. roofline is the larger of flop / peak and bytes / "
    "bandwidth, over ms, and bound says which is larger; peak is the largest FMA rate sampled between the rounds "
    "with the same number of threads, bytes count every tensor once, bandwidth is threads times what one thread "
    "reads from the innermost level that holds them all; load is the median of the sampled rates over their "
    "largest. ratio is the best peer's time over ours."
)


def row_of(case: KernelCase, held: Mapping[str, Any], trials: int, peaks: Peaks, machine: Machine) -> dict[str, Any]:
    """The row of the results' file; `held` is what the child gave, `trials` how many the kernel was tuned with."""
    workload = case.workload
    medians = {name: statistics.median(samples) for name, samples in held["samples"].items()}
    ours = held["samples"][OURS if OURS in medians else DEFAULT]
    seconds, peak = statistics.median(ours), max(held["fma_rates"])
    compute, memory = workload.flops / peak, workload.bytes / bandwidth(workload.bytes, case.threads, peaks, machine)
    peers = {name: 1e3 * median for name, median in medians.items() if name not in {OURS, DEFAULT, ALONE}}
    alone = {"torch_backward_alone_ms": 1e3 * medians[ALONE]} if ALONE in medians else {}
    return {
        **case.identity(),
        "trials": trials,
        "ms": 1e3 * seconds,
        "default_ms": 1e3 * medians[DEFAULT],
        "gflops": 1e-9 * workload.flops / seconds,
        "roofline": max(compute, memory) / seconds,
        "bound": "compute" if compute >= memory else "memory",
        "flop": workload.flops,
        "bytes": workload.bytes,
        "peers": peers,
        **alone,
        "prepared_s": held["prepared"],
        "absent": held["absent"],
        "not_offered": held["not_offered"],
        "ratio": min(peers.values()) / (1e3 * seconds) if peers else None,
        "ms_interval": [1e3 * limit for limit in median_interval(ours)],
        "fma_gflops": 1e-9 * peak,
        "load": statistics.median(held["fma_rates"]) / peak,
        "schedule": held["origin"],
        "rounds": len(ours),
    }
