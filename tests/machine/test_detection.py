import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from autotune.machine import Cache, Machine, detect, linux, macos, versions
from autotune.machine.detection import USUAL_CACHES, isa_of, read_linux


@pytest.mark.parametrize(
    ("recording", "architecture", "name", "revision", "isa"),
    [
        ("zen3", "x86_64", "AMD EPYC 7763 64-Core Processor", "25.1.1", "avx2"),
        ("zen5", "x86_64", "AMD EPYC 9B45", "26.2.1", "avx512"),
        ("intel avx2", "x86_64", "Intel(R) Core(TM) i7-9750H CPU @ 2.60GHz", "6.158.10", "avx2"),
        ("old xeon", "x86_64", "Intel(R) Xeon(R) CPU E5-2670 0 @ 2.60GHz", "6.45.7", "sse2"),
        ("xeon phi", "x86_64", "Intel(R) Xeon Phi(TM) CPU 7210 @ 1.30GHz", "6.87.1", "avx2"),
        ("neoverse v2", "aarch64", "Arm Neoverse-V2", "0x41.0xd4f.0x0.1", "neon"),
        ("unknown arm", "aarch64", "0x51 0xc01", "0x51.0xc01.0x1.0", "neon"),
    ],
)
def test_reads_cpuinfo(
    recordings: dict[str, str], recording: str, architecture: str, name: str, revision: str, isa: str
) -> None:
    processor = linux.first_processor(recordings[recording].splitlines(keepends=True))
    assert linux.cpu_name(processor) == name
    assert linux.revision(processor) == revision
    assert isa_of(architecture, linux.flags(processor)) == isa


def test_reads_no_further_than_the_first_processor(recordings: dict[str, str]) -> None:
    lines = iter(recordings["zen3"].splitlines(keepends=True))
    linux.first_processor(lines)
    assert next(lines).startswith("processor")


def test_reads_a_machine_with_two_threads_a_core(recordings: dict[str, str], linux_root: Callable[..., Path]) -> None:
    root = linux_root(
        recordings["zen5"],
        caches=[
            ("Data", "1", "48K", "0,4"),
            ("Instruction", "1", "32K", "0,4"),
            ("Unified", "2", "1024K", "0,4"),
            ("Unified", "3", "32M", "0-7"),
        ],
        cores=["0,4", "1,5", "2,6", "3,7"],
        online="0-7",
    )
    machine = read_linux(root, "x86_64")
    assert machine.caches == (Cache(1, 48 << 10, 1), Cache(2, 1 << 20, 1), Cache(3, 32 << 20, 4))
    assert machine.cores == 4
    assert (machine.isa, machine.vector_bytes, machine.vector_registers) == ("avx512", 64, 32)


def test_counts_no_core_that_is_off(recordings: dict[str, str], linux_root: Callable[..., Path]) -> None:
    root = linux_root(recordings["zen3"], caches=[], cores=["0", "1", "2", "3"], online="0-1,3")
    assert read_linux(root, "x86_64").cores == 3


def test_assumes_usual_caches_where_sys_does_not_tell(tmp_path: Path) -> None:
    machine = read_linux(tmp_path, "x86_64")
    assert machine.caches == USUAL_CACHES
    assert machine.cpu == "unknown"
    assert machine.isa == "sse2"
    assert machine.cores >= 1


def test_leaves_out_a_cache_whose_files_are_damaged(
    recordings: dict[str, str], linux_root: Callable[..., Path]
) -> None:
    caches = [("Data", "1", "32K", "0"), ("Unified", "2", "many", "0"), ("Unified", "3", "8M", "x")]
    root = linux_root(recordings["zen3"], caches=caches, cores=["0"], online="0")
    assert read_linux(root, "x86_64").caches == (Cache(1, 32 << 10, 1),)


@pytest.mark.parametrize(
    ("text", "expected"), [("0", {0}), ("0-2", {0, 1, 2}), ("0-1,8,10-11\n", {0, 1, 8, 10, 11}), ("", set())]
)
def test_reads_lists_of_cpus(text: str, expected: set[int]) -> None:
    assert linux.cpus(text) == expected


def test_reads_an_apple_machine(recordings: dict[str, str]) -> None:
    fields = macos.parse(recordings["apple"])
    assert macos.cpu_name(fields) == "Apple M1 Pro"
    assert macos.cores(fields) == 10
    assert macos.caches(fields) == (Cache(1, 128 << 10, 1), Cache(2, 12 << 20, 4))
    assert isa_of("arm64", macos.flags(fields)) == "neon"


def test_reads_an_intel_mac(recordings: dict[str, str]) -> None:
    fields = macos.parse(recordings["intel mac"])
    assert macos.caches(fields) == (Cache(1, 32 << 10, 1), Cache(2, 256 << 10, 1), Cache(3, 12 << 20, 6))
    assert isa_of("x86_64", macos.flags(fields)) == "avx2"


def test_detects_this_machine() -> None:
    machine = detect()
    assert machine.architecture == platform.machine()
    assert machine.cpu
    assert machine.llvm_cpu
    assert Machine.from_json(machine.to_json()).fingerprint == machine.fingerprint
    assert detect() is machine


def test_detection_does_not_import_numba() -> None:
    program = "import sys, autotune.machine as m; m.detect(); m.versions(); sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_versions_name_what_decides_the_code() -> None:
    found = versions()
    assert set(found) == {"autotune", "python", "numba", "llvmlite", "numpy"}
    found["numba"] = "changed"
    assert versions()["numba"] != "changed"
