"""Finding out what machine this is: files and system calls only, nothing is timed."""

import os
import platform
import sys
from collections.abc import Set as AbstractSet
from functools import cache
from pathlib import Path

from autotune.machine import linux, macos
from autotune.machine.description import VECTOR_SETS, Cache, Machine

# What a widespread core of the last ten years has at least; used where the system does not tell its caches.
USUAL_CACHES = (Cache(level=1, size=32 * 1024, shared_by=1), Cache(level=2, size=256 * 1024, shared_by=1))
AVX512 = {"avx512f", "avx512vl", "avx512dq", "avx512bw"}
AVX2 = {"avx2", "fma"}
ARM = ("aarch64", "arm64")


@cache
def detect() -> Machine:
    """This machine; some milliseconds at the first call, free afterwards."""
    return read_macos() if sys.platform == "darwin" else read_linux(Path("/"), platform.machine())


def read_linux(root: Path, architecture: str) -> Machine:
    """The Linux machine whose /proc and /sys lie below `root`."""
    try:
        with (root / "proc/cpuinfo").open(errors="replace") as lines:
            processor = linux.first_processor(lines)
    except OSError:
        processor = {}
    return _machine(
        cpu=linux.cpu_name(processor),
        revision=linux.revision(processor),
        architecture=architecture,
        isa=isa_of(architecture, linux.flags(processor)),
        cores=linux.cores(root),
        caches=linux.caches(root),
    )


def read_macos() -> Machine:
    """The Mac this runs on."""
    fields = macos.read()
    architecture = platform.machine()
    return _machine(
        cpu=macos.cpu_name(fields),
        revision="",
        architecture=architecture,
        isa=isa_of(architecture, macos.flags(fields)),
        cores=macos.cores(fields),
        caches=macos.caches(fields),
    )


def isa_of(architecture: str, flags: AbstractSet[str]) -> str:
    """The widest vector instruction set that the flags promise; `sse2` stands for 16 bytes of any kind.

    AVX-512 is taken only with its VL, DQ and BW parts, which masks for every width need: the first Xeon Phi lacks them.
    """
    if architecture.lower() in ARM:
        return "neon"
    if flags >= AVX512:
        return "avx512"
    return "avx2" if flags >= AVX2 else "sse2"


def _machine(
    *, cpu: str, revision: str, architecture: str, isa: str, cores: int | None, caches: tuple[Cache, ...]
) -> Machine:
    vectors = VECTOR_SETS[isa]
    return Machine(
        cpu=cpu,
        revision=revision,
        architecture=architecture,
        isa=isa,
        llvm_cpu=_llvm_cpu(),
        cores=cores or os.cpu_count() or 1,
        caches=caches or USUAL_CACHES,
        vector_bytes=vectors.bytes,
        vector_registers=vectors.registers,
    )


def _llvm_cpu() -> str:
    # 45 to 75 ms on a Zen 3 core at 2.4 GHz, so not when the package is imported; a process that calls a kernel has it.
    from llvmlite.binding import get_host_cpu_name

    return str(get_host_cpu_name())
