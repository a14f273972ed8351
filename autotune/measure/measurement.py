"""What one candidate did on one machine."""

import math
import statistics
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self

from autotune.errors import FormatError
from autotune.machine.fields import field, mapping, typed


class Status(StrEnum):
    """How the measurement of a candidate ended."""

    OK = "ok"
    BUILD_ERROR = "build_error"
    CRASH = "crash"
    TIMEOUT = "timeout"
    WRONG_RESULT = "wrong_result"
    OUT_OF_MEMORY = "out_of_memory"
    RUN_ERROR = "run_error"


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What one candidate did on one machine: samples, or the kind of its failure with the text of the error.

    `workload` is the key of the workload, `config` the point of its space, `source` the digest of the generated source,
    `machine` the fingerprint. `samples` are seconds per call, in the order they were taken; `stopped_early` says that
    there are few because the candidate was far slower than the best. `load` is the calibration rate around that time
    over the best rate seen (1.0 on a quiet machine). `started` is the time in UTC as ISO 8601 writes it.
    """

    workload: str
    config: Mapping[str, int | float | str | bool]
    status: Status
    source: str
    machine: str
    versions: Mapping[str, str]
    started: str
    samples: tuple[float, ...] = ()
    error: str = ""
    build_seconds: float = 0.0
    stopped_early: bool = False
    load: float = 1.0

    def __post_init__(self) -> None:
        if not all(math.isfinite(sample) and sample > 0 for sample in self.samples):
            message = f"samples of a measurement must be positive seconds, not {self.samples}"
            raise FormatError(message)
        if (self.status is Status.OK) != bool(self.samples):
            message = f"a measurement has samples if and only if it is ok; this is {self.status}: {self.samples}"
            raise FormatError(message)
        if not (math.isfinite(self.build_seconds) and self.build_seconds >= 0):
            message = f"build_seconds of a measurement must be 0 or more, not {self.build_seconds}"
            raise FormatError(message)
        if not (math.isfinite(self.load) and self.load > 0):
            message = f"load of a measurement must be positive, not {self.load}"
            raise FormatError(message)
        _check_time(self.started)

    @property
    def seconds(self) -> float:
        """Median of the samples; infinite where the candidate failed."""
        return statistics.median(self.samples) if self.samples else math.inf

    def to_json(self) -> dict[str, Any]:
        """The measurement as data that `json.dumps` takes."""
        return asdict(self) | {"status": self.status.value, "samples": list(self.samples)}

    @classmethod
    def from_json(cls, data: object) -> Self:
        """The measurement that `to_json` gave; raises FormatError where a field is missing or of the wrong type."""
        where = "a measurement"
        return cls(
            workload=field(data, "workload", str, where=where),
            config=_config(field(data, "config", dict, where=where)),
            status=_status(field(data, "status", str, where=where)),
            samples=_numbers(field(data, "samples", list, where=where)),
            error=field(data, "error", str, where=where),
            source=field(data, "source", str, where=where),
            machine=field(data, "machine", str, where=where),
            versions=_texts(field(data, "versions", dict, where=where)),
            build_seconds=field(data, "build_seconds", float, where=where),
            stopped_early=field(data, "stopped_early", bool, where=where),
            load=field(data, "load", float, where=where),
            started=field(data, "started", str, where=where),
        )


def now() -> str:
    """The time as `Measurement.started` holds it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _check_time(text: str) -> None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        message = f"started of a measurement must be an ISO 8601 time with its zone, not {text!r}"
        raise FormatError(message)


def _status(text: str) -> Status:
    try:
        return Status(text)
    except ValueError:
        message = f"status of a measurement must be one of {', '.join(Status)}, not {text!r}"
        raise FormatError(message) from None


def _numbers(values: list[object]) -> tuple[float, ...]:
    return tuple(typed(value, float, where="a sample") for value in values)


def _texts(data: object) -> dict[str, str]:
    return {
        name: typed(value, str, where=f"version of {name}") for name, value in mapping(data, where="versions").items()
    }


def _config(data: object) -> dict[str, int | float | str | bool]:
    config = mapping(data, where="a config")
    for name, value in config.items():
        if not isinstance(value, (int, float, str, bool)):
            message = f"knob {name!r} of a config must be a number, a text or true/false, not {value!r:.80}"
            raise FormatError(message)
    return dict(config)
