"""The space that the parameters of an Optuna study span, for studies that bring none of their own."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from autotune.schedule.space import Config, Knob, Space

GRID = 129  # values that a real parameter, or an integer one with more on a logarithmic axis, is searched at
WHOLE = 4097  # values of an integer parameter that is searched at each of them


@dataclass(frozen=True)
class Inferred:
    """Parameters and the values at which each is searched; the knobs of `space` are the positions of these."""

    distributions: Mapping[str, BaseDistribution]
    values: Mapping[str, tuple[Any, ...]]

    @classmethod
    def of(cls, distributions: Mapping[str, BaseDistribution]) -> Self:
        """The values of each parameter: all of them, or a grid on the parameter's own axis."""
        return cls(dict(distributions), {name: _values(each) for name, each in distributions.items()})

    @cached_property
    def space(self) -> Space:
        """The space of the positions."""
        return Space(
            tuple(
                Knob(name, tuple(range(len(values))), ordered=_is_ordered(self.distributions[name]))
                for name, values in self.values.items()
            )
        )

    def params(self, config: Config) -> dict[str, Any]:
        """The parameters at a config's positions."""
        return {name: values[int(config[name])] for name, values in self.values.items()}

    def config(self, params: Mapping[str, Any]) -> Config | None:
        """The config nearest to some parameters; None where one is missing or lies outside of its distribution."""
        found: Config = {}
        for name, distribution in self.distributions.items():
            if name not in params:
                return None
            position = _position(distribution, self.values[name], params[name])
            if position is None:
                return None
            found[name] = position
        return found


def _is_ordered(distribution: BaseDistribution) -> bool:
    return not isinstance(distribution, CategoricalDistribution)


def _values(distribution: BaseDistribution) -> tuple[Any, ...]:
    if isinstance(distribution, CategoricalDistribution):
        return tuple(distribution.choices)
    if isinstance(distribution, IntDistribution):
        return _integers(distribution)
    assert isinstance(distribution, FloatDistribution)
    low, high = distribution.low, distribution.high
    if distribution.single():
        return (low,)
    if distribution.step is not None and round((high - low) / distribution.step) < WHOLE:
        return tuple(low + place * distribution.step for place in range(round((high - low) / distribution.step) + 1))
    grid = np.geomspace(low, high, GRID) if distribution.log else np.linspace(low, high, GRID)
    if distribution.step is not None:
        grid = low + distribution.step * np.round((grid - low) / distribution.step)
    return tuple(dict.fromkeys(np.clip(grid, low, high).tolist()))


def _integers(distribution: IntDistribution) -> tuple[int, ...]:
    low, high, step = distribution.low, distribution.high, distribution.step
    count = (high - low) // step + 1
    if count <= (GRID if distribution.log else WHOLE):
        return tuple(range(low, high + 1, step))
    grid = np.geomspace(low, high, GRID) if distribution.log else np.linspace(low, high, WHOLE)
    return tuple(dict.fromkeys(low + step * round((place - low) / step) for place in grid.tolist()))


def _position(distribution: BaseDistribution, values: tuple[Any, ...], value: Any) -> int | None:
    if isinstance(distribution, CategoricalDistribution):
        inside = any(value is choice or value == choice for choice in values)
        return int(distribution.to_internal_repr(value)) if inside else None
    assert isinstance(distribution, IntDistribution | FloatDistribution)
    if not isinstance(value, int | float) or not distribution.low <= value <= distribution.high:
        return None
    grid = np.array(values, dtype=np.float64)
    apart = np.abs(np.log(grid) - np.log(value)) if distribution.log else np.abs(grid - value)
    return int(np.argmin(apart))
