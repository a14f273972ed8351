"""Proving a winner: the fastest configs against the incumbent, in paired runs, with an interval of the ratio."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from autotune.database.winner import Winner
from autotune.machine import Machine, versions
from autotune.measure import ratio_interval
from autotune.measure.measurement import now
from autotune.schedule.space import Config
from autotune.schedule.workload import Workload
from autotune.search.laboratory import Duel, Laboratory


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

    def rounds(self) -> Iterator[list[Config]]:
        """Who is compared with whom, default first: all at once and, should that fail, each challenger alone.

        So a config that crashes now and then stops no other from winning.
        """
        fixed = [self.default] if self.stored in (None, self.default) else [self.default, self.stored]
        others = [config for config in self.challengers if config not in fixed]
        yield [*(config for config in fixed if config is not None), *others]
        if len(others) > 1:
            yield from ([*(config for config in fixed if config is not None), other] for other in others)
        if others:
            yield [config for config in fixed if config is not None]


def prove(contest: Contest, laboratory: Laboratory, *, seed: int) -> Verdict:
    """The fastest wins if the interval of its time over the incumbent's lies below 1; else the incumbent stays.

    The incumbent is the winner stored earlier, else the default, which is then stored as a winner itself.
    """
    error = ""
    for configs in contest.rounds():
        duel = laboratory.compare(configs)
        if duel.samples:
            return Verdict(_judge(contest, configs, duel, seed))
        error = error or duel.error
    return Verdict(None, error)


def _judge(contest: Contest, configs: list[Config], duel: Duel, seed: int) -> Winner | None:
    incumbent = configs.index(contest.default if contest.stored is None else contest.stored)
    fastest = min(range(len(configs)), key=lambda index: median(duel.samples[index]))
    interval = ratio_interval(duel.samples[fastest], duel.samples[incumbent], seed)
    if interval.high < 1:
        return _winner(contest, configs[fastest], duel, fastest, seed)
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
