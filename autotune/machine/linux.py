"""Reading a Linux machine from /proc/cpuinfo and /sys, below any root directory, so that recorded trees can be read."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from autotune.machine.description import Cache

# Arm's CPUs have no model name in /proc/cpuinfo. (implementer, part) -> name, from the "Main ID Register" of each
# core's Technical Reference Manual.
ARM_CPUS = {
    ("0x41", "0xd03"): "Arm Cortex-A53",
    ("0x41", "0xd07"): "Arm Cortex-A57",
    ("0x41", "0xd08"): "Arm Cortex-A72",
    ("0x41", "0xd0b"): "Arm Cortex-A76",
    ("0x41", "0xd0c"): "Arm Neoverse-N1",
    ("0x41", "0xd40"): "Arm Neoverse-V1",
    ("0x41", "0xd49"): "Arm Neoverse-N2",
    ("0x41", "0xd4f"): "Arm Neoverse-V2",
    ("0xc0", "0xac3"): "Ampere-1",
    ("0xc0", "0xac4"): "Ampere-1a",
}
CPU_DIRECTORY = Path("sys/devices/system/cpu")
X86_REVISION = ("cpu family", "model", "stepping")
ARM_REVISION = ("CPU implementer", "CPU part", "CPU variant", "CPU revision")


def first_processor(lines: Iterable[str]) -> dict[str, str]:
    """Fields of the first processor in /proc/cpuinfo.

    The rest is not read: the kernel writes that file as it is read, which takes long on machines with many cores.
    """
    fields: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon and fields:
            break
        if colon:
            fields[name.strip()] = value.strip()
    return fields


def cpu_name(processor: Mapping[str, str]) -> str:
    """The vendor's name of the CPU, without runs of blanks."""
    part = (processor.get("CPU implementer", ""), processor.get("CPU part", ""))
    name = processor.get("model name") or ARM_CPUS.get(part) or " ".join(part)
    return " ".join(name.split()) or "unknown"


def revision(processor: Mapping[str, str]) -> str:
    """Numbers that tell apart CPUs of the same name: family.model.stepping on x86, the ID register's parts on Arm."""
    names = X86_REVISION if X86_REVISION[0] in processor else ARM_REVISION
    return ".".join(processor[name] for name in names if name in processor)


def flags(processor: Mapping[str, str]) -> frozenset[str]:
    """Names of the instruction set extensions that CPU and operating system support."""
    return frozenset((processor.get("flags") or processor.get("Features") or "").split())


def cpus(text: str) -> frozenset[int]:
    """The numbers in a CPU list such as `0-3,8`; raises ValueError for anything else."""
    ends = (part.partition("-") for part in text.strip().split(",") if part)
    return frozenset(cpu for low, _, high in ends for cpu in range(int(low), int(high or low) + 1))


def bytes_of(text: str) -> int:
    """Bytes in a size such as `512K`; raises ValueError for anything else."""
    match = re.fullmatch(r"(\d+)([KMG]?)", text.strip())
    if match is None:
        message = f"not a size: {text!r}"
        raise ValueError(message)
    number, unit = match.groups()
    return int(number) << {"": 0, "K": 10, "M": 20, "G": 30}[unit]


def caches(root: Path) -> tuple[Cache, ...]:
    """Data and unified caches of the first CPU, level 1 first; empty where /sys does not tell."""
    threads_per_core = len(siblings(root, 0))
    entries = (root / CPU_DIRECTORY / "cpu0").glob("cache/index*")
    found = {cache.level: cache for entry in entries if (cache := _cache(entry, threads_per_core))}
    return tuple(found[level] for level in sorted(found))


def cores(root: Path) -> int | None:
    """Physical cores that are online, or None where /sys does not tell."""
    try:
        online = cpus((root / CPU_DIRECTORY / "online").read_text())
    except (OSError, ValueError):
        return None
    return len({min(siblings(root, cpu)) for cpu in online}) or None


def siblings(root: Path, cpu: int) -> frozenset[int]:
    """The hardware threads of the core that `cpu` is one of; `cpu` alone where /sys does not tell."""
    try:
        text = (root / CPU_DIRECTORY / f"cpu{cpu}/topology/thread_siblings_list").read_text()
        return cpus(text) | {cpu}
    except (OSError, ValueError):
        return frozenset({cpu})


def _cache(entry: Path, threads_per_core: int) -> Cache | None:
    """The cache that a directory `cache/index…` describes; None for instructions only, or where fields are missing."""
    try:
        kind, level, size, sharing = (
            (entry / name).read_text().strip() for name in ("type", "level", "size", "shared_cpu_list")
        )
        if kind == "Instruction":
            return None
        shared_by = max(1, len(cpus(sharing)) // threads_per_core)
        return Cache(level=int(level), size=bytes_of(size), shared_by=shared_by)
    except (OSError, ValueError):
        return None
