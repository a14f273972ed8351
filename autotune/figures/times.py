"""Times per call on an axis: one unit for a whole figure, on a logarithmic scale where they lie far apart."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

_FAR = 4.0  # ratio from which an axis is logarithmic: below it would have hardly a tick
_VERY_FAR = 20.0  # from which there is no room for a tick at every digit
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

    def axis(self, seconds: Iterable[float], what: str = "time per call") -> dict[str, Any]:
        """Settings of an axis for these times: logarithmic where they lie far apart, which shows the fast ones too."""
        times = list(seconds)
        found: dict[str, Any] = {"title": {"text": f"{what}, {self.name}"}, "tickformat": "~g"}
        ratio = max(times, default=1.0) / min(times, default=1.0)
        if ratio > _FAR:
            found |= {"type": "log", "dtick": "D1" if ratio < _VERY_FAR else "D2"}  # every digit, or 1, 2 and 5
        return found
