"""The kernels that peaks are measured with: LLVM IR text, compiled by llvmlite for this CPU, timed on Python threads.

A probe runs a given number of rounds of fixed work and is called through ctypes, which releases the GIL. The IR is
already in the shape wanted: no optimisation passes run, only LLVM's code generator.
"""

import ctypes
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from autotune.errors import DtypeError
from autotune.machine.description import Machine
from autotune.machine.detection import detect
from autotune.machine.threads import places, together

if TYPE_CHECKING:
    from llvmlite.binding import ExecutionEngine

ELEMENTS = {"float32": ("float", 4, "f32"), "float64": ("double", 8, "f64")}
# Loads in flight per round: enough to hide the latency of `or` and the loop's own instructions on any core so far.
READ_STREAMS = 8


@dataclass(frozen=True)
class Probe:
    """A compiled probe: `function(rounds)` does `rounds` times `work` (floating-point operations, or bytes)."""

    function: Callable[[int], object]
    work: float

    def seconds(self, rounds: int) -> float:
        """Wall-clock time of one call."""
        start = time.perf_counter_ns()
        self.function(rounds)
        return (time.perf_counter_ns() - start) * 1e-9

    def rate(self, rounds: int, threads: int = 1) -> float:
        """Work per second of `threads` threads that each do `rounds`, from the first start to the last end."""

        def span() -> tuple[int, int]:
            start = time.perf_counter_ns()
            self.function(rounds)
            return start, time.perf_counter_ns()

        spans = together(span, threads)
        elapsed = max(end for _, end in spans) - min(start for start, _ in spans)
        return threads * rounds * self.work / (elapsed * 1e-9)

    def peak(self, rounds: int, threads: int = 1, *, repetitions: int = 1) -> float:
        """Work per second of `threads` threads at their best, each on a core of its own as far as there are any.

        The best of each thread is added up. What all reach at one moment is less wherever other programs run: it was a
        quarter of it on two cores with five programs.
        """

        def best() -> float:
            return min(self.seconds(rounds) for _ in range(repetitions))

        return sum(rounds * self.work / seconds for seconds in together(best, min(threads, len(places()))))

    def rounds_for(self, seconds: float) -> int:
        """Rounds that take about that long when nothing else runs (the best of three growing trials decides)."""
        rounds = 1
        while (elapsed := min(self.seconds(rounds) for _ in range(3))) < 2e-4:
            rounds *= 4
        return max(1, math.ceil(rounds * seconds / elapsed))


def fma_rate(dtype: str, threads: int = 1, seconds: float = 0.02) -> float:
    """Floating-point operations per second that `threads` threads reach now, over about `seconds`.

    A fused multiply-add counts as two. On a quiet machine this is the peak; below it, something else takes the cores.
    """
    probe, rounds_per_second = _calibrated(dtype)
    return probe.rate(max(1, round(rounds_per_second * seconds)), threads)


@cache
def _calibrated(dtype: str) -> tuple[Probe, float]:
    probe = fma_probe(dtype, detect())
    return probe, probe.rounds_for(1e-2) / 1e-2


@cache
def fma_probe(dtype: str, machine: Machine) -> Probe:
    """Fused multiply-adds on as many independent accumulators as the registers hold beside the two factors.

    12 chains of 16 registers, 24 of 32: a core needs latency times units, 8 on x86 and 16 on wide Arm cores.
    """
    if dtype not in ELEMENTS:
        message = f"dtype of a probe must be one of {', '.join(ELEMENTS)}, not {dtype!r}"
        raise DtypeError(message)
    lanes = machine.vector_bytes // ELEMENTS[dtype][1]
    chains = machine.vector_registers * 3 // 4
    address = _compile(fma_ir(dtype, lanes=lanes, chains=chains))
    function = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p)(address)
    values = np.zeros(lanes)

    def run(rounds: int) -> None:
        function(rounds, values.ctypes.data)

    return Probe(function=run, work=2.0 * lanes * chains)


def read_probe(size: int, machine: Machine) -> Probe:
    """Reading `size` bytes (rounded down to whole steps) again and again, in order."""
    step = READ_STREAMS * machine.vector_bytes
    size = max(step, size // step * step)
    function = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p)(
        _compile(read_ir(lanes=machine.vector_bytes // 4, streams=READ_STREAMS))
    )
    buffer = np.ones(size + machine.vector_bytes, np.uint8)
    data = buffer[-buffer.ctypes.data % machine.vector_bytes :][:size]
    result = np.zeros(machine.vector_bytes, np.uint8)

    def run(rounds: int) -> None:
        function(rounds, data.ctypes.data, size, result.ctypes.data)

    return Probe(function=run, work=float(size))


def fma_ir(dtype: str, *, lanes: int, chains: int) -> str:
    """IR of `void probe(i64 rounds, vector* values)`: each round, every accumulator grows by a product.

    The product is small: a sum stops growing when rounding swallows it, long before it overflows. As in a matrix
    product the accumulator is the addend, for which every instruction set has an instruction that needs no copy.
    `fmuladd` is a fused operation where the CPU has one and two operations where it has not.
    """
    scalar, _, suffix = ELEMENTS[dtype]
    vector = f"<{lanes} x {scalar}>"
    operation = f"@llvm.fmuladd.v{lanes}{suffix}"
    left, right = (", ".join([f"{scalar} {value}"] * lanes) for value in (0.5, 0.0009765625))
    phis = [f"  %a{i} = phi {vector} [%start, %entry], [%b{i}, %loop]" for i in range(chains)]
    steps = [f"  %b{i} = call {vector} {operation}({vector} %x, {vector} %y, {vector} %a{i})" for i in range(chains)]
    sums = [f"  %s{i + 1} = fadd {vector} %s{i}, %b{i + 1}" for i in range(chains - 1)]
    return "\n".join(
        [
            f"declare {vector} {operation}({vector}, {vector}, {vector})",
            "define void @probe(i64 %rounds, ptr %values) {",
            "entry:",
            f"  %start = load {vector}, ptr %values, align 8",
            f"  %x = fadd {vector} %start, <{left}>",
            f"  %y = fadd {vector} %start, <{right}>",
            "  br label %loop",
            "loop:",
            "  %left = phi i64 [%rounds, %entry], [%next, %loop]",
            *phis,
            *steps,
            "  %next = sub i64 %left, 1",
            "  %more = icmp sgt i64 %next, 0",
            "  br i1 %more, label %loop, label %exit",
            "exit:",
            f"  %s0 = fadd {vector} %b0, %start",
            *sums,
            f"  %result = fmul {vector} %s{chains - 1}, zeroinitializer",
            f"  store {vector} %result, ptr %values, align 8",
            "  ret void",
            "}",
        ]
    )


def read_ir(*, lanes: int, streams: int) -> str:
    """IR of `void probe(i64 rounds, i8* data, i64 size, vector* result)`: `streams` loads a step, or-ed into sums."""
    vector = f"<{lanes} x i32>"
    width = lanes * 4
    loads = [
        line
        for i in range(streams)
        for line in (
            f"  %p{i} = getelementptr i8, ptr %at, i64 {i * width}",
            f"  %v{i} = load {vector}, ptr %p{i}, align {width}",
            f"  %b{i} = or {vector} %a{i}, %v{i}",
        )
    ]
    outer = [f"  %o{i} = phi {vector} [zeroinitializer, %entry], [%b{i}, %done]" for i in range(streams)]
    inner = [f"  %a{i} = phi {vector} [%o{i}, %round], [%b{i}, %step]" for i in range(streams)]
    merge = [f"  %s{i + 1} = or {vector} %s{i}, %b{i + 1}" for i in range(streams - 1)]
    return "\n".join(
        [
            "define void @probe(i64 %rounds, ptr %data, i64 %size, ptr %result) {",
            "entry:",
            "  %end = getelementptr i8, ptr %data, i64 %size",
            "  br label %round",
            "round:",
            "  %left = phi i64 [%rounds, %entry], [%next, %done]",
            *outer,
            "  br label %step",
            "step:",
            "  %at = phi ptr [%data, %round], [%after, %step]",
            *inner,
            *loads,
            f"  %after = getelementptr i8, ptr %at, i64 {streams * width}",
            "  %inside = icmp ult ptr %after, %end",
            "  br i1 %inside, label %step, label %done",
            "done:",
            "  %next = sub i64 %left, 1",
            "  %more = icmp sgt i64 %next, 0",
            "  br i1 %more, label %round, label %exit",
            "exit:",
            f"  %s0 = or {vector} %b0, %b0",
            *merge,
            f"  store {vector} %s{streams - 1}, ptr %result, align 1",
            "  ret void",
            "}",
        ]
    )


def _compile(ir: str) -> int:
    """Address of the function `probe` of the IR, compiled for this CPU; its code lives as long as the process."""
    return int(_engine(ir).get_function_address("probe"))


@cache
def _engine(ir: str) -> "ExecutionEngine":
    from llvmlite import binding

    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    module = binding.parse_assembly(ir)
    target = binding.Target.from_default_triple().create_target_machine(
        cpu=binding.get_host_cpu_name(), features=binding.get_host_cpu_features().flatten(), opt=3
    )
    engine = binding.create_mcjit_compiler(module, target)
    engine.finalize_object()
    return engine
