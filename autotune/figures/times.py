"""Times per call on an axis: one unit for a whole figure, on a logarithmic scale."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_UNITS = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


@dataclass(frozen=True)
class Unit:
    """A unit of time: its length in seconds and its name."""

    length: float
    name: str

    @classmethod
    def of(cls, seconds: Iterable[float]) -> "Unit":
        """The unit in which the least of these times is at least 1; milliseconds where there are none."""
        least = min(seconds, default=1e-3)
        length, name = next((pair for pair in _UNITS if least >= pair[0]), _UNITS[-1])
        return cls(length, name)

    def __call__(self, seconds: float) -> float:
        """A time in this unit."""
        return seconds / self.length

    def axis(self, what: str = "time per call", *, logarithmic: bool = True) -> dict[str, Any]:
        """Settings of an axis of such times."""
        found: dict[str, Any] = {"title": {"text": f"{what}, {self.name}"}, "tickformat": "~g"}
        if logarithmic:
            found |= {"type": "log", "dtick": "D2", "minor": {"ticks": ""}}
        return found
