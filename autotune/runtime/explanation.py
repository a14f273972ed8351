"""Why a call runs the schedule that it runs, in words."""

from dataclasses import dataclass
from pathlib import Path

from autotune import markup
from autotune.runtime.choice import Known, Origin, Tuned
from autotune.runtime.plan import Plan
from autotune.schedule import Config, Workload
from autotune.units import duration

SHOWN = 10  # candidates that are listed


@dataclass(frozen=True)
class Candidate:
    """A tuned schedule that might serve a workload: for which extents it was tuned, how far these are, its time there.

    `distance` is measured as `autotune.cost_model.likeness` says, infinite where its code cannot serve; `shipped` says
    on which CPU it was tuned and in which file it ships, and is empty for this machine's own.
    """

    extents: dict[str, int]
    distance: float
    seconds: float
    shipped: str = ""


@dataclass(frozen=True)
class Explanation:
    """Which schedule serves a workload, and why: `explain` of a kernel makes it.

    `made_for` has the extents that the schedule was tuned or made for, `candidates` all there were, the nearest first.
    `config` is empty and `origin` None where there is nothing to compute. `source` is the file of the generated code.
    """

    workload: Workload
    origin: Origin | None
    config: Config
    made_for: dict[str, int]
    source: Path | None
    candidates: tuple[Candidate, ...]

    @property
    def chosen(self) -> Candidate | None:
        """The record that serves the workload; None for a default schedule."""
        if self.origin in {None, Origin.DEFAULT}:
            return None
        shipped = self.origin is Origin.SHIPPED
        fitting = (one for one in self.candidates if one.extents == self.made_for and bool(one.shipped) == shipped)
        return next(fitting, None)

    @property
    def reason(self) -> str:
        """Why it is this schedule, in a sentence."""
        chosen, sizes = self.chosen, _listed(self.made_for)
        match self.origin:
            case None:
                return "an extent is 0, so there is nothing to compute"
            case Origin.TUNED:
                return "tuned for these extents on this machine"
            case Origin.NEAREST if chosen is not None:
                own = sum(not one.shipped for one in self.candidates)
                return (
                    f"not tuned for these extents; of {own} tuned on this machine, {sizes} is the nearest, "
                    f"at a distance of {chosen.distance:.2f}"
                )
            case Origin.SHIPPED if chosen is not None:
                apart = f", at a distance of {chosen.distance:.2f}" if chosen.distance else ""
                return f"not tuned on this machine; {sizes} ships with the package{apart} ({chosen.shipped})"
            case _:
                why = "no tuned schedule fits" if self.candidates else "nothing is tuned on this machine, nothing ships"
                return f"{why}: the default schedule for extents of about this size, {sizes}"

    def __str__(self) -> str:
        lines = [f"{self.workload.describe()}", f"  {self.origin or 'empty'}: {self.reason}"]
        if self.config:
            lines.append(f"  config: {_listed(self.config)}")
        if self.source is not None:
            lines.append(f"  source: {self.source}")
        if self.candidates:
            lines.append("  candidates, the nearest first:")
            lines += [f"    {' '.join(row)}" for row in self._rows()]
        if len(self.candidates) > SHOWN:
            lines.append(f"    and {len(self.candidates) - SHOWN} more")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        facts = {
            "schedule": f"{self.origin or 'empty'}: {self.reason}",
            "config": _listed(self.config),
            "source": self.source or "none",
        }
        columns = ("tuned for", "distance", "time there", "where")
        return markup.card(self.workload.describe(), facts, markup.table(columns, self._rows(), numbers=columns[1:3]))

    def _rows(self) -> list[tuple[str, str, str, str]]:
        return [
            (_listed(one.extents), f"{one.distance:.2f}", duration(one.seconds), one.shipped or "this machine")
            for one in self.candidates[:SHOWN]
        ]


def explained(plan: Plan, known: Known) -> Explanation:
    """Why `plan` serves its workload, of all that is `known`."""
    choice = plan.choice
    candidates = [*_candidates(known.own, plan.workload), *_candidates(known.shipped, plan.workload)]
    return Explanation(
        workload=plan.workload,
        origin=None if choice is None else choice.origin,
        config={} if choice is None else dict(choice.config),
        made_for={} if choice is None else dict(choice.made_for.extents),
        source=plan.path,
        candidates=tuple(sorted(candidates, key=lambda one: (bool(one.shipped), one.distance))),
    )


def _candidates(tuned: Tuned, workload: Workload) -> list[Candidate]:
    if not tuned.records:
        return []
    return [
        Candidate(dict(made_for.extents), float(distance), record.seconds, record.shipped)
        for made_for, record, distance in zip(tuned.workloads, tuned.records, tuned.distances(workload), strict=True)
    ]


def _listed(values: Config | dict[str, int]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items())
