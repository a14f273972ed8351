"""Our search replayed on a table: as a sampler that knows the knobs only, or as a tuning run that knows the kernel."""

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from autotune.cli.bench.model.data import Measured, describing, from_tables
from autotune.cli.bench.search.tables import Table, name_of, tables
from autotune.errors import FormatError, UsageError
from autotune.schedule import Config
from autotune.schedule.space import Knob, Value
from autotune.search.prior import unlearnt
from autotune.search.proposer import History, Proposer
from autotune.templates import template_for

FIRST, BATCH = 4, 8  # configs at a time in a tuning run


def propose(table: Table, budget: int, proposer: Proposer, *, batch: int, first: int | None = None) -> list[int]:
    """Places of what a proposer evaluates when it is asked for `batch` configs at a time, at first for `first`."""
    places: list[int] = []
    nothing = table.space.indices([])
    while len(places) < min(budget, len(table.rows)):
        history = History(table.rows[places], table.times[places] / 1e3, nothing)
        count = batch if places or first is None else first
        proposed = table.space.indices(proposer.propose(history, min(count, budget - len(places))))
        places += [table.places[row.tobytes()] for row in proposed]
    return places


def tuning_run(table: Table, budget: int, seed: int) -> list[int]:
    """Places of what `autotune run` measures on an empty database: from the default on, with features of loop nests.

    Of a table that `bench space` made; `UsageError` for another. Where the table does not have the default, the run
    starts from what is nearest to it knob by knob.
    """
    if table.folder is None:
        message = f"{table.name} is replayed as a tuning run only from the folder of `bench space`"
        raise UsageError(message)
    known = _known(table.folder)[table.name]
    configs, template = known.experience.configs, template_for(known.workload)
    whole = template.space(known.workload, known.machine)
    space = replace(whole, knobs=tuple(_part(knob, configs) for knob in whole.knobs))
    if space.size != len(configs):
        message = f"{table.name} has {len(configs)} of the {space.size} configs of its space"
        raise FormatError(message)
    default = template.default(known.workload, known.machine)
    start = {knob.name: _nearest(default[knob.name], knob) for knob in space.knobs}
    proposer = Proposer(
        space,
        default=start if space.contains(start) else None,
        describe=describing(space, known.experience),
        prior=unlearnt(),
        seed=seed,
    )
    return propose(replace(table, space=space, rows=space.indices(configs)), budget, proposer, batch=BATCH, first=FIRST)


@lru_cache(maxsize=4)
def _known(folder: Path) -> dict[str, Measured]:
    return dict(zip(map(name_of, tables(folder)), from_tables(folder), strict=True))


def _part(knob: Knob, configs: Sequence[Config]) -> Knob:
    """A knob with the values that it has in a table."""
    places = {knob.place(config[knob.name]) for config in configs}
    return replace(knob, values=tuple(knob.values[place] for place in sorted(places)))


def _nearest(value: Value, knob: Knob) -> Value:
    """A value of the knob: this one, or the nearest number, or the first."""
    if knob.place(value) >= 0 or isinstance(value, str):
        return value if knob.place(value) >= 0 else knob.values[0]
    return min(knob.values, key=lambda known: abs(float(known) - float(value)))
