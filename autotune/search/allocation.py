"""Which workload of several is worth the next batch: the one whose calls win most time for the tuner's time.

The gap between the best time so far and what the machine allows closes about as a power of the number of trials. Its
exponent is fitted to the curve of each workload, with a prior for short ones, so that one that stands still is asked
ever less often, but never forgotten. Replayed on best-so-far curves of real spaces (those of results/search.json, as 16
workloads of unlike weights, costs and floors), a program was 0.9 % above its optimum where equal shares left 3.1 %.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

TYPICAL_EXPONENT = 1.0  # of the values from 0.15 to 1, on those curves, this lost least
PRIOR_WEIGHT = 1.0  # of the typical exponent, in squared logarithms of trials: of a curve e times as long as its start
LEAST_GAP = 0.02  # of the best time: rooflines are measured too, and some kernels run a little above theirs


@dataclass(frozen=True, kw_only=True)
class Curve:
    """How far the search of a workload has come.

    `calls` say how often a program calls it, `floor` the least seconds that the machine allows a call, `stake` the
    seconds that all calls take as far as that is known beforehand. `bests` are pairs of a number of trials and the
    least seconds by then, in increasing order; infinite where all failed so far. `batches` were measured by this run,
    in `seconds`; `done` says that nothing is left to be measured.
    """

    calls: float
    floor: float
    stake: float
    bests: tuple[tuple[int, float], ...] = ()
    batches: int = 0
    seconds: float = 0.0
    done: bool = False

    @property
    def trials(self) -> int:
        """Trials so far."""
        return self.bests[-1][0] if self.bests else 0

    @property
    def exponent(self) -> float:
        """The power of the number of trials by which the gap closes: ridge regression of logarithms from the start."""
        valid = [(trials, self._gap(best)) for trials, best in self.bests if math.isfinite(best)]
        if not valid:
            return TYPICAL_EXPONENT
        first, gap = valid[0]
        pairs = [(math.log(trials / first), math.log(gap / left)) for trials, left in valid]
        product = sum(more * closed for more, closed in pairs)
        return (PRIOR_WEIGHT * TYPICAL_EXPONENT + product) / (PRIOR_WEIGHT + sum(more**2 for more, _ in pairs))

    def expected_gain(self, trials: int) -> float:
        """Seconds that all calls are expected to win by so many trials more.

        Where every config failed so far, a part of what is at stake, ever smaller the more of them failed.
        """
        if not self.bests or math.isinf(self.bests[-1][1]):
            return self.stake * (trials / (trials + self.trials)) ** 2
        closed = 1 - math.pow(1 + trials / self.trials, -self.exponent)
        return self.calls * self._gap(self.bests[-1][1]) * closed

    def _gap(self, best: float) -> float:
        return max(best - self.floor, LEAST_GAP * best)


def most_promising(curves: Sequence[Curve], batch: int) -> int | None:
    """The place of the workload whose next batch is expected to win most per second of tuning; None where all are done.

    Those that had no trial come first, the one with most at stake before the others. A batch that was not timed yet is
    expected to take what those of the other workloads took.
    """
    left = [place for place, curve in enumerate(curves) if not curve.done]
    if not left:
        return None
    new = [place for place in left if not curves[place].bests]
    if new:
        return max(new, key=lambda place: curves[place].stake)
    costs = {place: curves[place].seconds / curves[place].batches for place in left if curves[place].batches}
    typical = sum(costs.values()) / len(costs) if costs else 1.0
    return max(left, key=lambda place: curves[place].expected_gain(batch) / max(costs.get(place, typical), 1e-9))
