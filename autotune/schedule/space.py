"""Search spaces: knobs, the constraints between them, and the valid configs that remain.

A space is enumerated where knobs constrain each other, and only there. Its knobs fall into groups that no constraint
connects; each group's valid rows are listed once, and the space is the product of the groups. So its size is known
exactly, a uniform draw never rejects, and 10^8 configs take a few megabytes.
"""

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from autotune import markup
from autotune.errors import ConfigError

Value: TypeAlias = int | float | str | bool
Config: TypeAlias = dict[str, Value]
Indices: TypeAlias = NDArray[np.int64]

MAX_ROWS = 5_000_000  # of one group: 40 MB of codes
_CHUNK = 1 << 18  # rows that are expanded at a time while a group is enumerated


@dataclass(frozen=True)
class Knob:
    """One tunable and the values it can take, in increasing order where `ordered`.

    Ordered values have steps between them, which neighbours and distances follow; the others only differ.
    """

    name: str
    values: tuple[Value, ...]
    ordered: bool = True
    doc: str = ""

    def __post_init__(self) -> None:
        if not self.values:
            message = f"knob {self.name!r} has no values"
            raise ConfigError(message)
        for value in self.values:
            if type(value) not in (int, float, str, bool) or (isinstance(value, float) and not math.isfinite(value)):
                message = f"knob {self.name!r} cannot have the value {value!r} of type {type(value).__name__}"
                raise ConfigError(message)
        if len({(type(value), value) for value in self.values}) != len(self.values):
            message = f"knob {self.name!r} lists a value twice: {self.values}"
            raise ConfigError(message)
        numbers = [value for value in self.values if not isinstance(value, str)]
        if self.ordered and len(numbers) == len(self.values) and numbers != sorted(numbers):
            message = f"the values of ordered knob {self.name!r} must increase: {self.values}"
            raise ConfigError(message)

    def index(self, value: object) -> int:
        """Position of `value` among the values; `ConfigError` if it is none. 1, 1.0 and True are three values."""
        position = self.place(value)
        if position < 0:
            shown = self.values if len(self.values) <= 16 else (*self.values[:8], ..., *self.values[-2:])
            takes = ", ".join("…" if known is ... else repr(known) for known in shown)
            message = f"knob {self.name!r} cannot be {value!r} ({type(value).__name__}); it takes {takes}"
            raise ConfigError(message)
        return position

    def place(self, value: object) -> int:
        """Position of `value` among the values, -1 if it is none."""
        return self._positions.get((type(value), value), -1) if isinstance(value, int | float | str) else -1

    @cached_property
    def _positions(self) -> dict[tuple[type, Value], int]:
        return {(type(value), value): position for position, value in enumerate(self.values)}

    @cached_property
    def array(self) -> NDArray[Any]:
        """The values as an array: integers, floats, booleans or text, and objects where they are mixed."""
        kinds = {type(value) for value in self.values}
        numeric = kinds <= {int, float}
        return np.array(self.values, dtype=None if len(kinds) == 1 or numeric else object)


@dataclass(frozen=True)
class Constraint:
    """What must hold between some knobs.

    `holds` is called with one array of values for each of `knobs`, all of one length, and returns booleans of that
    length; `reason` says what must hold, for the error message of a config that violates it.
    """

    knobs: tuple[str, ...]
    holds: Callable[..., Any]
    reason: str

    def __call__(self, columns: Sequence[NDArray[Any]]) -> NDArray[np.bool_]:
        """Whether the constraint holds, row by row of the columns."""
        return np.broadcast_to(np.asarray(self.holds(*columns), dtype=np.bool_), columns[0].shape)


@dataclass(frozen=True)
class Space:
    """The valid configs of some knobs under constraints; tables are made when first needed, so checking is cheap."""

    knobs: tuple[Knob, ...]
    constraints: tuple[Constraint, ...] = ()

    def __post_init__(self) -> None:
        names = [knob.name for knob in self.knobs]
        if len(set(names)) != len(names):
            message = f"a space must name each knob once: {', '.join(names)}"
            raise ConfigError(message)
        for constraint in self.constraints:
            unknown = [name for name in constraint.knobs if name not in names]
            if unknown or not constraint.knobs:
                message = f"constraint {constraint.reason!r} names {constraint.knobs}, but the knobs are {tuple(names)}"
                raise ConfigError(message)

    @property
    def size(self) -> int:
        """Number of valid configs; `ConfigError` where there are none or a group of knobs is too large to list."""
        return math.prod(len(group.codes) for group in self._groups)

    @cached_property
    def fingerprint(self) -> str:
        """Digest of knobs, values and constraints: equal for spaces that mean the same, in any process."""
        knobs = [[knob.name, knob.ordered, [[type(v).__name__, v] for v in knob.values]] for knob in self.knobs]
        constraints = [[constraint.knobs, constraint.reason] for constraint in self.constraints]
        text = json.dumps([knobs, constraints], separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def check(self, config: Config) -> None:
        """Raises `ConfigError` unless `config` is valid; it names the knob and value, or the constraint, that fails."""
        known = {knob.name for knob in self.knobs}
        for word, names in (("lacks", known - config.keys()), ("has unknown", config.keys() - known)):
            if names:
                message = f"the config {word} knob {', '.join(sorted(map(repr, names)))}"
                raise ConfigError(message)
        columns = {knob.name: knob.array[[knob.index(config[knob.name])]] for knob in self.knobs}
        for constraint in self.constraints:
            if not constraint([columns[name] for name in constraint.knobs]).all():
                values = ", ".join(f"{name}={config[name]!r}" for name in constraint.knobs)
                message = f"the config violates {constraint.reason!r}: {values}"
                raise ConfigError(message)

    def _repr_html_(self) -> str:
        rows = [(knob.name, ", ".join(map(str, knob.values)), knob.doc) for knob in self.knobs]
        constraints = "; ".join(constraint.reason for constraint in self.constraints) or "none"
        facts = {"valid configs": f"{self.size:,}", "constraints": constraints}
        return markup.card("space", facts, markup.table(("knob", "values", "what it does"), rows))

    def contains(self, config: Config) -> bool:
        """Whether `config` is valid."""
        try:
            self.check(config)
        except ConfigError:
            return False
        return True

    def valid(self, configs: Sequence[Config]) -> NDArray[np.bool_]:
        """Which of many configs are valid, shape (configs,): `contains` of each, at once."""
        names = {knob.name for knob in self.knobs}
        rows = [
            [knob.place(config[knob.name]) for knob in self.knobs] if config.keys() == names else [-1] * len(self.knobs)
            for config in configs
        ]
        positions = np.array(rows, dtype=np.int64).reshape(len(configs), len(self.knobs))
        valid: NDArray[np.bool_] = np.all(positions >= 0, axis=1)
        columns = {knob.name: knob.array[positions[:, column]] for column, knob in enumerate(self.knobs)}
        for constraint in self.constraints:
            if len(configs):
                valid &= constraint([columns[name] for name in constraint.knobs])
        return valid

    def sample(self, rng: np.random.Generator, count: int) -> list[Config]:
        """`count` distinct configs, or all there are if that is fewer, drawn uniformly from the valid ones."""
        return self.configs(self.draw(rng, count))

    def neighbours(self, config: Config) -> list[Config]:
        """The valid configs nearest to a valid one; see `near`."""
        return self.configs(self.near(self.indices([config])[0]))

    def encode(self, configs: Sequence[Config]) -> NDArray[np.float64]:
        """Configs as numbers, shape (configs, knobs): the position of each value among its knob's, scaled to 0 … 1."""
        return self.scale(self.indices(configs))

    # The same on positions: a config as the row of its values' positions, int64 in the order of `knobs`. A search goes
    # over 10^5 configs at a time this way.

    def indices(self, configs: Sequence[Config]) -> Indices:
        """Positions of the configs' values, shape (configs, knobs)."""
        rows = [[knob.index(config[knob.name]) for knob in self.knobs] for config in configs]
        return np.array(rows, dtype=np.int64).reshape(len(configs), len(self.knobs))

    def configs(self, indices: Indices) -> list[Config]:
        """The configs at the positions `indices`, shape (configs, knobs)."""
        return [
            {knob.name: knob.values[position] for knob, position in zip(self.knobs, row, strict=True)}
            for row in indices.tolist()
        ]

    def scale(self, indices: Indices) -> NDArray[np.float64]:
        """Positions scaled to 0 … 1 for each knob."""
        return indices / np.array([max(1, len(knob.values) - 1) for knob in self.knobs], dtype=np.float64)

    def draw(self, rng: np.random.Generator, count: int) -> Indices:
        """Positions of `count` distinct valid configs, or of all, drawn uniformly."""
        sizes = [len(group.codes) for group in self._groups]
        if self.size < np.iinfo(np.int64).max:
            chosen = rng.choice(self.size, size=min(count, self.size), replace=False)
            rows = np.unravel_index(chosen, sizes) if sizes else ()
        else:  # Two equal draws are less likely than a fault of the memory.
            rows = tuple(rng.integers(size, size=count) for size in sizes)
        drawn = np.zeros((min(count, self.size), len(self.knobs)), dtype=np.int64)
        for group, row in zip(self._groups, rows, strict=True):
            drawn[:, list(group.columns)] = group.decode(group.codes[row])
        return drawn

    def near(self, row: Indices) -> Indices:
        """Positions of the valid configs nearest to a valid one, without it; shape (neighbours, knobs).

        They differ in one knob: an ordered one by one step, over invalid values if need be, any other in any way. Of
        knobs that constrain each other, pairs also move together by a step each; where neither leads anywhere, the
        nearest valid rows of the group are neighbours.
        """
        found = []
        for group in self._groups:
            moves = group.near(row[list(group.columns)], self.knobs)
            rows = np.repeat(row[None, :], len(moves), axis=0)
            rows[:, list(group.columns)] = moves
            found.append(rows)
        return np.concatenate([np.zeros((0, len(self.knobs)), dtype=np.int64), *found])

    @cached_property
    def _groups(self) -> tuple["_Group", ...]:
        """The groups of knobs that constraints connect, each with its valid rows."""
        names = [knob.name for knob in self.knobs]
        label = dict(zip(names, range(len(names)), strict=True))
        for constraint in self.constraints:
            joined = {label[name] for name in constraint.knobs}
            label = {name: min(joined) if old in joined else old for name, old in label.items()}
        members = [[name for name in names if label[name] == group] for group in sorted(set(label.values()))]
        return tuple(self._enumerate(group) for group in members)

    def _enumerate(self, members: Sequence[str]) -> "_Group":
        constraints = [constraint for constraint in self.constraints if constraint.knobs[0] in members]
        position = {knob.name: index for index, knob in enumerate(self.knobs)}
        sizes = {name: len(self.knobs[position[name]].values) for name in members}
        order = _join_order(sizes, constraints)
        group = _Group(columns=(), radices=(), codes=np.zeros(1, dtype=np.int64))
        for count, name in enumerate(order, start=1):
            bound = set(order[:count])
            due = [c for c in constraints if name in c.knobs and bound.issuperset(c.knobs)]
            group = group.join(position[name], self.knobs, due)
        return group


@dataclass(frozen=True)
class _Group:
    """Knobs that constrain each other and the valid rows of their values' positions.

    A row is kept as one number, its digits the positions in the mixed radix of the knobs' counts; `codes` is sorted, so
    membership is a binary search. `columns` says which knobs of the space these are.
    """

    columns: tuple[int, ...]
    radices: tuple[int, ...]
    codes: Indices

    def join(self, column: int, knobs: Sequence[Knob], constraints: Sequence[Constraint]) -> "_Group":
        """The group with one more knob, without the rows that violate one of the constraints, all of them bound now."""
        radix = len(knobs[column].values)
        columns, radices = (*self.columns, column), (*self.radices, radix)
        if math.prod(radices) > np.iinfo(np.int64).max:
            raise ConfigError(_too_large(columns, knobs))
        chunks = []
        rows = 0
        for start in range(0, len(self.codes), max(1, _CHUNK // radix)):
            some = self.codes[start : start + max(1, _CHUNK // radix)]
            codes = (some[:, None] * radix + np.arange(radix)).ravel()
            for constraint in constraints:
                kept = _holds(constraint, _Group(columns, radices, codes), knobs)
                codes = codes[kept]
            chunks.append(codes)
            rows += len(codes)
            if rows > MAX_ROWS:
                raise ConfigError(_too_large(columns, knobs))
        if not rows:
            reasons = "; ".join(constraint.reason for constraint in constraints)
            message = f"no config is valid: nothing is left of {_names(columns, knobs)} after {reasons!r}"
            raise ConfigError(message)
        return _Group(columns, radices, np.concatenate(chunks))

    def decode(self, codes: Indices) -> Indices:
        """Positions, shape (codes, knobs of the group)."""
        return np.stack(np.unravel_index(codes, self.radices), axis=-1)

    def near(self, row: Indices, knobs: Sequence[Knob]) -> Indices:
        """The rows of the group nearest to `row`; see `Space.near`."""
        single = [self._along(row, place, knobs[column].ordered) for place, column in enumerate(self.columns)]
        pairs = [self._together(row, *places, knobs) for places in combinations(range(len(self.columns)), 2)]
        moves = np.concatenate([*single, *pairs])
        return moves if len(moves) or len(self.codes) == 1 else self._nearest(row, knobs)

    def _along(self, row: Indices, place: int, ordered: bool) -> Indices:
        """Rows that differ from `row` in one knob."""
        values = np.arange(self.radices[place])
        rows = np.repeat(row[None, :], len(values), axis=0)
        rows[:, place] = values
        valid: Indices = values[self._contains(rows) & (values != row[place])]
        if ordered:
            below, above = valid[valid < row[place]][-1:], valid[valid > row[place]][:1]
            valid = np.concatenate([below, above])
        moves: Indices = rows[valid]
        return moves

    def _together(self, row: Indices, first: int, second: int, knobs: Sequence[Knob]) -> Indices:
        """Valid rows that differ from `row` in two knobs by one step each; none for a knob without steps."""
        if not (knobs[self.columns[first]].ordered and knobs[self.columns[second]].ordered):
            return row[None, :][:0]
        rows = np.repeat(row[None, :], 4, axis=0)
        rows[:, first] += (-1, -1, 1, 1)
        rows[:, second] += (-1, 1, -1, 1)
        inside = ((rows >= 0) & (rows < self.radices)).all(axis=1)
        return rows[inside][self._contains(rows[inside])]

    def _nearest(self, row: Indices, knobs: Sequence[Knob]) -> Indices:
        """The rows with the fewest steps to `row`; any change of an unordered knob is one step."""
        steps = np.abs(self.decode(self.codes) - row)
        ordered = np.array([knobs[column].ordered for column in self.columns])
        distance = np.where(ordered, steps, steps != 0).sum(axis=1)
        nearest: NDArray[np.bool_] = distance == distance[distance > 0].min()
        return self.decode(self.codes[nearest])

    def _contains(self, rows: Indices) -> NDArray[np.bool_]:
        codes = np.ravel_multi_index(tuple(rows.T), self.radices)
        places = np.minimum(np.searchsorted(self.codes, codes), len(self.codes) - 1)
        found: NDArray[np.bool_] = self.codes[places] == codes
        return found


def _join_order(sizes: dict[str, int], constraints: Iterable[Constraint]) -> list[str]:
    """Knobs of a group in the order to join them: those first that complete a constraint for the fewest rows."""
    order: list[str] = []
    waiting = list(constraints)
    while waiting:
        missing = [[name for name in dict.fromkeys(c.knobs) if name not in order] for c in waiting]
        grown = [math.prod(sizes[name] for name in names) for names in missing]
        cheapest = grown.index(min(grown))
        order += missing[cheapest]
        del waiting[cheapest]
    return order or list(sizes)


def _holds(constraint: Constraint, group: _Group, knobs: Sequence[Knob]) -> NDArray[np.bool_]:
    """Whether the constraint holds, row by row of the group."""
    place = {knobs[column].name: place for place, column in enumerate(group.columns)}
    digits = np.unravel_index(group.codes, group.radices)
    return constraint([knobs[group.columns[place[name]]].array[digits[place[name]]] for name in constraint.knobs])


def _names(columns: Iterable[int], knobs: Sequence[Knob]) -> str:
    return ", ".join(knobs[column].name for column in columns)


def _too_large(columns: Iterable[int], knobs: Sequence[Knob]) -> str:
    return (
        f"the knobs {_names(columns, knobs)} constrain each other and have more than {MAX_ROWS} valid combinations: "
        "give them fewer values or stronger constraints"
    )
