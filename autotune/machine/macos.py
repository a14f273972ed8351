"""Reading a Mac from the text that `sysctl` prints, one `name: value` a line."""

import subprocess
from collections.abc import Mapping

from autotune.machine.description import Cache


def read() -> dict[str, str]:
    """Everything that `sysctl` says of the hardware; empty where it cannot be asked."""
    command = ["/usr/sbin/sysctl", "hw", "machdep.cpu"]
    try:
        text = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return parse(text)


def parse(text: str) -> dict[str, str]:
    """The fields in the output of `sysctl`."""
    lines = (line.partition(":") for line in text.splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, _, value in lines}


def cpu_name(fields: Mapping[str, str]) -> str:
    """The vendor's name of the CPU."""
    return fields.get("machdep.cpu.brand_string") or "unknown"


def flags(fields: Mapping[str, str]) -> frozenset[str]:
    """Instruction set extensions, under the names that Linux gives them."""
    listed = "machdep.cpu.features", "machdep.cpu.leaf7_features"
    return frozenset(" ".join(fields.get(name, "") for name in listed).lower().split())


def cores(fields: Mapping[str, str]) -> int | None:
    """Physical cores, or None where unknown."""
    return _number(fields, "hw.physicalcpu")


def caches(fields: Mapping[str, str]) -> tuple[Cache, ...]:
    """Data and unified caches, level 1 first; those of the fast cores where there are two kinds."""
    names = {1: "l1dcachesize", 2: "l2cachesize", 3: "l3cachesize"}
    sizes = {
        level: _number(fields, f"hw.perflevel0.{name}") or _number(fields, f"hw.{name}")
        for level, name in names.items()
    }
    sharing = {
        1: 1,
        2: _number(fields, "hw.perflevel0.cpusperl2") or 1,
        3: _number(fields, "hw.perflevel0.cpusperl3") or cores(fields) or 1,
    }
    return tuple(Cache(level=level, size=size, shared_by=sharing[level]) for level, size in sizes.items() if size)


def _number(fields: Mapping[str, str], name: str) -> int | None:
    """A positive whole number, or None."""
    text = fields.get(name, "")
    return int(text) or None if text.isdecimal() else None
