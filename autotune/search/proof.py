"""Proving a winner: the fastest configs against the incumbent, in paired runs, with an interval of the ratio."""

from dataclasses import dataclass
from statistics import median

from autotune.database.winner import Winner
from autotune.machine import Machine, versions
from autotune.measure import ratio_interval
from autotune.measure.measurement import now
from autotune.schedule.space import Config
from autotune.schedule.workload import Workload
from autotune.search.laboratory import Duel, Laboratory

HEAT_SECONDS = 1.5
FINAL_SECONDS = 3.0


@dataclass(frozen=True)
class Verdict:
    """A winner to be stored, or None where the one stored earlier stays; `error` where nothing could be compared."""

    winner: Winner | None
    error: str = ""


@dataclass(frozen=True, kw_only=True)
class Contest:
    """Who competes: the default, the winner stored earlier if there is one, and configs that measured fast."""

    workload: Workload
    machine: Machine
    default: Config
    stored: Config | None
    challengers: tuple[Config, ...]

    @property
    def incumbent(self) -> Config:
        """What stays unless it is beaten."""
        return self.default if self.stored is None else self.stored


def prove(contest: Contest, laboratory: Laboratory, *, seed: int, haste: float = 1.0) -> Verdict:
    """The fastest challenger wins if the interval of its time over the incumbent's lies below 1.

    A heat of all finds the fastest, a longer final of few decides: the samples that chose a challenger, by luck in
    part, do not judge it too. The incumbent is the winner stored earlier, else the default, which is then stored.
    `haste` divides the time of both.
    """
    error = ""
    for rival in [*_ranked(contest, laboratory, HEAT_SECONDS / haste), None]:
        finalists = _distinct([contest.default, contest.incumbent, *([rival] if rival else [])])
        duel = laboratory.compare(finalists, seconds=FINAL_SECONDS / haste)
        if duel.samples:
            return Verdict(_judge(contest, finalists, duel, seed))
        error = error or duel.error
    return Verdict(None, error)


def _ranked(contest: Contest, laboratory: Laboratory, seconds: float) -> list[Config]:
    """The rivals of the incumbent, the fastest in the heat first, in their order where one of them fails in it."""
    rivals = _distinct([*contest.challengers, contest.default])
    rivals = [config for config in rivals if config != contest.incumbent]
    if len(rivals) < 2:
        return rivals
    duel = laboratory.compare(rivals, seconds=seconds)
    times = [median(samples) for samples in duel.samples] or list(range(len(rivals)))
    return [rivals[index] for index in sorted(range(len(rivals)), key=times.__getitem__)]


def _judge(contest: Contest, finalists: list[Config], duel: Duel, seed: int) -> Winner | None:
    incumbent = finalists.index(contest.incumbent)
    fastest = min(range(len(finalists)), key=lambda index: median(duel.samples[index]))
    if ratio_interval(duel.samples[fastest], duel.samples[incumbent], seed).high < 1:
        return _winner(contest, finalists[fastest], duel, fastest, seed)
    return _winner(contest, contest.default, duel, 0, seed) if contest.stored is None else None


def _winner(contest: Contest, config: Config, duel: Duel, index: int, seed: int) -> Winner:
    over_winner = ratio_interval(duel.samples[0], duel.samples[index], seed)
    return Winner(
        workload=contest.workload.key,
        machine=contest.machine.fingerprint,
        config=config,
        source=duel.sources[index],
        samples=duel.samples[index],
        default_samples=duel.samples[0],
        ratio_low=over_winner.low,
        ratio_high=over_winner.high,
        versions=dict(versions()),
        proven=now(),
    )


def _distinct(configs: list[Config]) -> list[Config]:
    return [config for index, config in enumerate(configs) if config not in configs[:index]]
