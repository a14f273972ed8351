"""A candidate: a workload and a config, with the source that they turned into."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autotune.schedule import Workload


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What is built and measured: `path` is the file of the generated source and `source` its digest."""

    workload: "Workload"
    config: Mapping[str, int | float | str | bool]
    path: Path
    source: str
