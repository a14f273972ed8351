"""Recorded machines, cut down to the lines that matter."""

from collections.abc import Callable
from pathlib import Path

import pytest

ZEN3 = """\
processor	: 0
vendor_id	: AuthenticAMD
cpu family	: 25
model		: 1
model name	: AMD EPYC 7763 64-Core Processor
stepping	: 1
cpu MHz		: 2445.426
cache size	: 512 KB
fpu		: yes
flags		: fpu vme de pse sse sse2 ht syscall nx fma cx16 sse4_1 sse4_2 movbe popcnt avx f16c bmi1 avx2 bmi2 vaes
power management:

processor	: 1
model name	: another name, which must not be read
"""

ZEN5 = """\
processor	: 0
vendor_id	: AuthenticAMD
cpu family	: 26
model		: 2
model name	: AMD EPYC 9B45
stepping	: 1
flags		: fpu sse sse2 fma avx f16c avx2 avx512f avx512dq avx512cd avx512bw avx512vl avx512_vnni avx512_bf16
"""

INTEL_AVX2 = """\
processor	: 0
vendor_id	: GenuineIntel
cpu family	: 6
model		: 158
model name	: Intel(R) Core(TM) i7-9750H   CPU @ 2.60GHz
stepping	: 10
flags		: fpu vme sse sse2 ss ht fma cx16 sse4_1 sse4_2 avx f16c rdrand bmi1 avx2 bmi2 erms
"""

OLD_XEON = """\
processor	: 0
vendor_id	: GenuineIntel
cpu family	: 6
model		: 45
model name	: Intel(R) Xeon(R) CPU E5-2670 0 @ 2.60GHz
stepping	: 7
flags		: fpu vme sse sse2 ss ht cx16 sse4_1 sse4_2 avx
"""

XEON_PHI = """\
processor	: 0
vendor_id	: GenuineIntel
cpu family	: 6
model		: 87
model name	: Intel(R) Xeon Phi(TM) CPU 7210 @ 1.30GHz
stepping	: 1
flags		: fpu sse sse2 fma avx f16c avx2 avx512f avx512pf avx512er avx512cd
"""

NEOVERSE_V2 = """\
processor	: 0
BogoMIPS	: 2000.00
Features	: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm sve sve2 bf16 i8mm
CPU implementer	: 0x41
CPU architecture: 8
CPU variant	: 0x0
CPU part	: 0xd4f
CPU revision	: 1

processor	: 1
"""

UNKNOWN_ARM = """\
processor	: 0
Features	: fp asimd
CPU implementer	: 0x51
CPU variant	: 0x1
CPU part	: 0xc01
CPU revision	: 0
"""

APPLE_SYSCTL = """\
hw.physicalcpu: 10
hw.l1dcachesize: 65536
hw.l2cachesize: 4194304
hw.perflevel0.physicalcpu: 8
hw.perflevel0.l1dcachesize: 131072
hw.perflevel0.l2cachesize: 12582912
hw.perflevel0.cpusperl2: 4
machdep.cpu.brand_string: Apple M1 Pro
"""

INTEL_SYSCTL = """\
hw.physicalcpu: 6
hw.l1dcachesize: 32768
hw.l2cachesize: 262144
hw.l3cachesize: 12582912
machdep.cpu.brand_string: Intel(R) Core(TM) i7-9750H CPU @ 2.60GHz
machdep.cpu.features: FPU VME SSE SSE2 FMA CX16 SSE4.1 AVX1.0
machdep.cpu.leaf7_features: BMI1 AVX2 BMI2
"""


@pytest.fixture(scope="session")
def recordings() -> dict[str, str]:
    """Texts of /proc/cpuinfo and of sysctl, by the name of the CPU."""
    return {
        "zen3": ZEN3,
        "zen5": ZEN5,
        "intel avx2": INTEL_AVX2,
        "old xeon": OLD_XEON,
        "xeon phi": XEON_PHI,
        "neoverse v2": NEOVERSE_V2,
        "unknown arm": UNKNOWN_ARM,
        "apple": APPLE_SYSCTL,
        "intel mac": INTEL_SYSCTL,
    }


@pytest.fixture
def linux_root(tmp_path: Path) -> Callable[..., Path]:
    """Makes a directory with the /proc and /sys of a recorded machine.

    `caches` are (type, level, size, CPUs that share it), `cores` the hardware threads of each core, such as "0,4".
    """

    def make(cpuinfo: str, *, caches: list[tuple[str, str, str, str]], cores: list[str], online: str) -> Path:
        files = {"proc/cpuinfo": cpuinfo, "sys/devices/system/cpu/online": f"{online}\n"}
        for number, cache in enumerate(caches):
            names = ("type", "level", "size", "shared_cpu_list")
            for name, value in zip(names, cache, strict=True):
                files[f"sys/devices/system/cpu/cpu0/cache/index{number}/{name}"] = f"{value}\n"
        for siblings in cores:
            for cpu in siblings.split(","):
                files[f"sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"] = f"{siblings}\n"
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return make
