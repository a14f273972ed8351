"""The lanes of a vector, as text: which of them an access takes in, and by which operation it reaches them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

MOST_APART = 4  # elements from lane to lane that are read by loads of all between
ALL_LANES = "first_lanes(LANES)"

Interval: TypeAlias = tuple[str, str]
"""The first lane, and the one after the last, as texts."""


@dataclass(frozen=True)
class LanesAccess:
    """Which operation reads or writes an element of each lane: of neighbours where `step` is 1, any stride where 0."""

    step: int
    where: str
    """The offset of the first, and the stride where there is one."""

    def load(self, how: str) -> str:
        """The operation that reads, with `how` "_first" or "_between" for some of the lanes."""
        return f"gather{how}" if self.step == 0 else f"load{how}{self._every}"

    def store(self, how: str) -> str:
        """The operation that writes."""
        return f"scatter{how}" if self.step == 0 else f"store{how}{self._every}"

    @property
    def _every(self) -> str:
        return "" if self.step == 1 else f"_every_{self.step}"


def with_lanes(text: str, step: int, *, wide: bool) -> str:
    """Whole numbers that move by `step` from lane to lane, from that of the first lane or, if `wide`, of all lanes."""
    if step == 0:
        return text
    return f"ramp({text})" if step == 1 and not wide else f"({text} + {step} * ramp(0))"


def common(intervals: Sequence[Interval], count: str | None) -> Interval:
    """The lanes in all intervals, before the end of the loop, which is `count` lanes on if it may be in the vector."""
    firsts = [first for first in dict.fromkeys(first for first, _ in intervals) if first != "0"]
    lasts = [last for last in dict.fromkeys([*(last for _, last in intervals), count or "LANES"]) if last != "LANES"]
    first = "0" if not firsts else firsts[0] if len(firsts) == 1 else f"max({', '.join(firsts)})"
    last = "LANES" if not lasts else lasts[0] if len(lasts) == 1 else f"min({', '.join(lasts)})"
    return first, last


def mask_of(intervals: Sequence[Interval], masks: Sequence[str], count: str | None) -> str:
    """The mask of the lanes in all intervals and masks, before the end of the loop."""
    parts = list(masks)
    if intervals:
        first, last = common(intervals, count)
        parts += [f"first_lanes({last})", *([f"~first_lanes({first})"] if first != "0" else [])]
    elif count is not None:
        parts.append(f"first_lanes({count})")
    return f"({' & '.join(parts)})" if parts else ALL_LANES


def inside_lanes(text: str, step: int, size: str) -> Interval:
    """The lanes at which 0 ≤ `text` + step · lane < `size`."""
    if abs(step) == 1:
        return (f"-({text})", f"{size} - ({text})") if step == 1 else (f"({text}) - {size} + 1", f"{text} + 1")
    if step > 0:
        return f"-(({text}) // {step})", f"-((({text}) - {size}) // {step})"
    return f"-(({size} - 1 - ({text})) // {-step})", f"({text}) // {-step} + 1"
