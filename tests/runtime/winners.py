"""Winners as a database holds them, made up for a workload."""

from pathlib import Path

from autotune.database import Database, Winner
from autotune.machine import Machine, detect, versions
from autotune.schedule import Config, Workload


def winner_of(workload: Workload, config: Config, machine: Machine | None = None) -> Winner:
    """Twice as fast as the default."""
    return Winner(
        workload=workload.key,
        machine=(machine or detect()).fingerprint,
        config=config,
        source="0" * 64,
        samples=(1e-6,),
        default_samples=(2e-6,),
        ratio_low=1.5,
        ratio_high=2.5,
        versions=versions(),
        proven="2026-01-31T12:00:00+00:00",
    )


def stored(place: Path, *winners: Winner) -> str:
    """A database of them, on this machine."""
    with Database.open(place) as database:
        for one in winners:
            database.set_winner(one, detect())
    return str(place)
