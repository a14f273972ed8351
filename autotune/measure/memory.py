"""How much memory a child process may take."""

import psutil

SHARE = 0.8
# What a compiler needs for any kernel. Where there is less, the kernel's choice of whom to end must do.
LEAST = 1 << 30


def default_limit(processes: int = 1) -> int:
    """Bytes for each of that many children: together four fifths of what the machine has available now."""
    return max(LEAST, int(psutil.virtual_memory().available * SHARE) // max(1, processes))
