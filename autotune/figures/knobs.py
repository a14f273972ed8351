"""Which knobs matter, and how configs with their times lie in the space."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autotune import units
from autotune.database.views import Sample
from autotune.figures import theme as look
from autotune.figures.theme import LIGHT, Theme
from autotune.figures.times import Unit

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

TREES, REPEATS = 48, 5
LEAST = 12  # samples below which an importance would say nothing
SHOWN = 400  # lines of parallel coordinates that can still be told apart


def importances(samples: Sequence[Sample], *, seed: int = 0) -> dict[str, float]:
    """How much of what is known of the times is due to each knob, summing to 1, the largest first.

    Permutation importance (Breiman 2001, doi:10.1023/A:1010933404324) on a forest of the logarithms of the times: how
    much worse its predictions become when a knob's values are shuffled among the configs. Empty where there are fewer
    than a dozen samples or all took equally long.
    """
    from sklearn.ensemble import ExtraTreesRegressor
    from sklearn.inspection import permutation_importance

    names = _varying(samples)
    seconds = np.log([sample.seconds for sample in samples])
    if len(samples) < LEAST or not names or not np.ptp(seconds) > 0:
        return {}
    table = np.column_stack([_codes(samples, name) for name in names])
    forest = ExtraTreesRegressor(TREES, min_samples_leaf=2, random_state=seed, n_jobs=1).fit(table, seconds)
    found = permutation_importance(forest, table, seconds, n_repeats=REPEATS, random_state=seed, n_jobs=1)
    losses = np.maximum(found.importances_mean, 0.0)
    total = losses.sum() or 1.0
    pairs = zip(names, (losses / total).tolist(), strict=True)
    return dict(sorted(pairs, key=lambda pair: -pair[1]))


def importance(samples: Sequence[Sample], *, theme: Theme = LIGHT) -> "Figure":
    """Bars of `importances`, the most important knob at the top."""
    found = importances(samples)
    if not found:
        return look.nothing(theme, f"fewer than {LEAST} measurements, or all alike: nothing to tell knobs apart by")
    figure = look.figure(theme, height=90 + 26 * len(found))
    names = list(reversed(found))
    figure.add_bar(
        x=[100 * found[name] for name in names],
        y=[look.label(name) for name in names],
        orientation="h",
        marker={"color": look.BEST},
        text=[f"{100 * found[name]:.0f} %" for name in names],
        textposition="outside",
        cliponaxis=False,
        hoverinfo="skip",
    )
    figure.update_xaxes(title="share of what explains the times, %", rangemode="tozero")
    figure.update_yaxes(showgrid=False, ticks="")
    return figure


def parallel_coordinates(samples: Sequence[Sample], *, theme: Theme = LIGHT) -> "Figure":
    """A line a config through the values of its knobs to its time, fast ones in blue; drag along an axis to choose."""
    names = _varying(samples)
    if len(samples) < 2 or not names:
        return look.nothing(theme, "fewer than two different configs were measured")
    shown = sorted(samples, key=lambda sample: sample.seconds)
    shown = [shown[place] for place in np.unique(np.linspace(0, len(shown) - 1, SHOWN).astype(int))]
    shown.reverse()  # the fastest are drawn last, on top
    seconds = np.array([sample.seconds for sample in shown])
    unit = Unit.of(seconds.tolist())
    times = np.log10(seconds / unit.length)
    figure = look.figure(theme, height=420)
    figure.add_parcoords(
        dimensions=[*(_dimension(shown, name) for name in names), _time_axis(times, unit)],
        line={"color": times, "colorscale": [[place, colour] for place, colour in look.SCALE]},
        labelangle=-20,
        labelside="top",
    )
    figure.update_layout(margin={"l": 72, "r": 64, "t": 84, "b": 32})
    return figure


def _dimension(samples: Sequence[Sample], name: str) -> dict[str, Any]:
    values = _values(samples, name)
    return {
        "label": look.label(name),
        "values": _codes(samples, name),
        "tickvals": list(range(len(values))),
        "ticktext": [look.label(value) for value in values],
        "range": [-0.15, len(values) - 0.85],
    }


def _time_axis(times: NDArray[np.float64], unit: Unit) -> dict[str, Any]:
    ticks = np.linspace(times.min(), times.max(), 5) if np.ptp(times) > 0 else times[:1]
    return {
        "label": f"time, {unit.name}",
        "values": times,
        "tickvals": ticks.tolist(),
        "ticktext": [units.digits(10**tick) for tick in ticks],
    }


def _varying(samples: Sequence[Sample]) -> list[str]:
    """The knobs that have several values, in the order of the configs."""
    names = dict.fromkeys(name for sample in samples for name in sample.config)
    return [name for name in names if len(_values(samples, name)) > 1]


def _values(samples: Sequence[Sample], name: str) -> list[Any]:
    """All values of a knob, numbers in their order, then texts."""
    found = {sample.config[name] for sample in samples if name in sample.config}
    return sorted(found, key=lambda value: (isinstance(value, str), value))


def _codes(samples: Sequence[Sample], name: str) -> NDArray[np.float64]:
    """The position of each config's value among all, -1 where it has none."""
    places = {value: place for place, value in enumerate(_values(samples, name))}
    return np.array([places.get(sample.config.get(name), -1) for sample in samples], dtype=np.float64)
