"""How much memory a child process may take."""

import psutil

SHARE = 0.8


def default_limit(processes: int = 1) -> int:
    """Bytes for each of that many children: together four fifths of what the machine has available now."""
    return int(psutil.virtual_memory().available * SHARE) // max(1, processes)
