"""A winner: the config of a workload that was proven fastest on a machine."""

import math
import statistics
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from autotune import markup, units
from autotune.database import fields, workload_key
from autotune.errors import FormatError
from autotune.machine.fields import field
from autotune.schedule.space import Config


@dataclass(frozen=True, kw_only=True)
class Winner:
    """A proven config, with what proves it.

    `workload` is the workload's key, `machine` the machine's fingerprint, `source` the digest of the generated source.
    `samples` and `default_samples` are seconds per call of the winner and of the default config, taken in turns.
    `ratio_low` and `ratio_high` bound the default's time over the winner's: above 1, the winner is faster.
    `proven` is the time in UTC as ISO 8601 writes it; of several winners, the one proven last counts.
    """

    workload: str
    machine: str
    config: Config
    source: str
    samples: tuple[float, ...]
    default_samples: tuple[float, ...]
    ratio_low: float
    ratio_high: float
    versions: dict[str, str]
    proven: str

    def __post_init__(self) -> None:
        for name in ("samples", "default_samples"):
            samples = getattr(self, name)
            if not samples or not all(math.isfinite(sample) and sample > 0 for sample in samples):
                message = f"{name} of a winner must be positive seconds and at least one, not {samples}"
                raise FormatError(message)
        if not 0 < self.ratio_low <= self.ratio_high < math.inf:
            message = f"ratio of a winner must have 0 < low <= high, not {self.ratio_low} and {self.ratio_high}"
            raise FormatError(message)
        fields.moment(self.proven, where="proven of a winner")

    @property
    def seconds(self) -> float:
        """Median seconds per call."""
        return statistics.median(self.samples)

    @property
    def default_seconds(self) -> float:
        """Median seconds per call of the default config."""
        return statistics.median(self.default_samples)

    def shortened(self) -> "Winner":
        """The same with a few quantiles in the place of its samples, from the least to the largest."""
        return replace(self, samples=_quantiles(self.samples), default_samples=_quantiles(self.default_samples))

    def _repr_html_(self) -> str:
        gain = units.gain(self.default_seconds / self.seconds, self.ratio_low, self.ratio_high)
        facts = {
            "time": f"{units.duration(self.seconds)}, median of {len(self.samples)} samples",
            "default": units.duration(self.default_seconds),
            "gain": f"{gain}, 95 % interval",
            "machine": self.machine,
            "proven": self.proven,
        }
        return markup.card(
            workload_key.words(self.workload), facts, markup.table(("knob", "value"), self.config.items())
        )

    def to_json(self) -> dict[str, Any]:
        """The winner as data that `json.dumps` takes."""
        return asdict(self) | {"samples": list(self.samples), "default_samples": list(self.default_samples)}

    @classmethod
    def from_json(cls, data: object) -> Self:
        """The winner that `to_json` gave; raises `FormatError` where a field is missing or of the wrong type."""
        where = "a winner"
        return cls(
            workload=field(data, "workload", str, where=where),
            machine=field(data, "machine", str, where=where),
            config=fields.config(field(data, "config", dict, where=where)),
            source=field(data, "source", str, where=where),
            samples=fields.numbers(field(data, "samples", list, where=where), where="a sample"),
            default_samples=fields.numbers(field(data, "default_samples", list, where=where), where="a sample"),
            ratio_low=field(data, "ratio_low", float, where=where),
            ratio_high=field(data, "ratio_high", float, where=where),
            versions=fields.versions(field(data, "versions", dict, where=where)),
            proven=field(data, "proven", str, where=where),
        )


def _quantiles(samples: tuple[float, ...]) -> tuple[float, ...]:
    """Nine of the samples in increasing order, to four digits; all where there are fewer."""
    steps, ordered = 8, sorted(samples)
    if len(samples) > steps + 1:
        ordered = [ordered[step * (len(samples) - 1) // steps] for step in range(steps + 1)]
    return tuple(float(f"{sample:.4g}") for sample in ordered)
