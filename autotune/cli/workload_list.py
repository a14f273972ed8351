"""Lists of the workloads that a program calls, a JSON object a line, written by `record` and read by `run --workloads`.

A line names `kernel` (as commands do), `direction`, `options`, `size` (axis to extent), `dtype`, `threads`, the number
of `calls` and the `seconds` that they took together. All but `kernel` and `size` may be left out by who writes one.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from autotune import settings
from autotune.cli import kernels
from autotune.cli.files import writing
from autotune.errors import FormatError
from autotune.schedule import Workload


@dataclass(frozen=True, kw_only=True)
class Called:
    """A line: a workload by the names that commands have for it, and how often it is called.

    `importable` says whether another process can find the kernel by its name.
    """

    kernel: str
    size: dict[str, int]
    direction: str = "forward"
    options: dict[str, int | float | bool] = field(default_factory=dict)
    dtype: str = "float32"
    threads: int = field(default_factory=settings.thread_count)
    calls: float = 1
    seconds: float = 0.0
    importable: bool = True

    def __post_init__(self) -> None:
        whole = all(type(value) is int and value >= 0 for value in self.size.values())
        options = all(isinstance(value, int | float) for value in self.options.values())
        for name, fine in (
            ("kernel", isinstance(self.kernel, str)),
            ("size", whole),
            ("direction", isinstance(self.direction, str)),
            ("options", options),
            ("dtype", isinstance(self.dtype, str)),
            ("threads", type(self.threads) is int and self.threads >= 1),
            ("calls", _finite(self.calls) and self.calls > 0),
            ("seconds", _finite(self.seconds) and self.seconds >= 0),
            ("importable", isinstance(self.importable, bool)),
        ):
            if not fine:
                message = f"{name} cannot be {getattr(self, name)!r}"
                raise FormatError(message)

    @classmethod
    def from_json(cls, data: Any) -> "Called":
        """Raises FormatError for what is no line of a list."""
        if not isinstance(data, dict):
            message = "it is no JSON object"
            raise FormatError(message)
        names = {each.name for each in fields(cls)}
        wrong = [f"no {name}" for name in ("kernel", "size") if name not in data]
        wrong += [f"a field {name!r}, which lists do not have" for name in data if name not in names]
        wrong += [
            f"{name} that is no object" for name in ("size", "options") if not isinstance(data.get(name, {}), dict)
        ]
        if wrong:
            message = f"it has {', '.join(wrong)}"
            raise FormatError(message)
        return cls(**data)

    @property
    def key(self) -> str:
        """One text for lines of the same workload."""
        return json.dumps(asdict(replace(self, calls=1, seconds=0.0)), sort_keys=True)

    def workload(self) -> Workload:
        """The workload; raises as `kernels.find` and `Workload` do where the kernel has changed or is not there."""
        kernel = kernels.find(self.kernel).specialized(**self.options)
        return Workload.of(kernel.dispatch(self.direction).kernel, self.size, self.dtype, self.threads)

    def describe(self) -> str:
        """The workload in words."""
        sizes = ",".join(f"{name}={extent}" for name, extent in self.size.items())
        options = "".join(f" {name}={value}" for name, value in self.options.items())
        return f"{self.kernel}{options} {self.direction} {sizes} {self.dtype}"


def read(path: Path) -> tuple[Called, ...]:
    """The lines of a file, those of one workload taken together; FormatError that names the line where one is wrong."""
    return merged(_lines(path))


def write(called: Iterable[Called], path: str) -> None:
    """Write a list."""
    with writing(path) as stream:
        for each in called:
            stream.write(json.dumps(asdict(each), ensure_ascii=False, allow_nan=False) + "\n")


def merged(called: Iterable[Called]) -> tuple[Called, ...]:
    """One line a workload, with the sums of its calls and seconds; those that took longest first."""
    found: dict[str, Called] = {}
    for each in called:
        before = found.get(each.key)
        calls, seconds = (before.calls, before.seconds) if before else (0, 0.0)
        found[each.key] = replace(each, calls=calls + each.calls, seconds=seconds + each.seconds)
    return tuple(sorted(found.values(), key=lambda each: -each.seconds))


def _lines(path: Path) -> Iterator[Called]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path} cannot be read: {error}"
        raise FormatError(message) from error
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            yield Called.from_json(json.loads(line))
        except (ValueError, FormatError) as error:
            message = f"{path}, line {number}: {error}"
            raise FormatError(message) from error


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")
