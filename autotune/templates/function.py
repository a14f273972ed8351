"""A user's own template: a function from knob values to a Numba function, in the place of a family of loop nests.

    space:  the knobs' values under constraints between them, which may depend on the extents
    config ──► function(**config) ──► a Numba function of the inputs and outputs, C-ordered arrays and numbers

What it computes is a kernel like any other, defined in index notation or by a function of NumPy arrays; so the search,
the isolation, the verification, the database and the lookup know no difference.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from itertools import islice, product
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from autotune.errors import ConfigError, DefinitionError
from autotune.lang import Kernel
from autotune.lang.origin import Origin
from autotune.machine import Machine
from autotune.schedule import Config, Constraint, Knob, Space, Workload

Default: TypeAlias = Config | Callable[..., Config] | None
Draw: TypeAlias = Callable[..., Mapping[str, ArrayLike]]

GIVEN = ("dtype", "threads")  # what the function may ask for beside its knobs
_MOST_TRIED = 1_000_000  # configs looked at to find a default


@dataclass(frozen=True, eq=False, kw_only=True)
class FunctionTemplate:
    """A template given by a function; see `autotune.template`.

    `constraints` maps what must hold, in words, to a function of knobs and extents, called with their values by name.
    `preferred` is a config or a function of extents that gives one; without it, the first valid config is the default.
    `draw` makes arguments to measure with, from a random generator and the extents. `digest` is that of all text.
    """

    name: str
    function: Callable[..., Any]
    knobs: tuple[Knob, ...]
    constraints: Mapping[str, Callable[..., Any]]
    extents: tuple[str, ...]
    preferred: Default
    draw: Draw | None
    origin: Origin
    digest: str

    def __post_init__(self) -> None:
        Space(self.knobs)  # raises ConfigError where a name stands twice
        names = [knob.name for knob in self.knobs]
        _check_parameters(f"template {self.name}", self.function, (*names, *GIVEN), needed=names)
        for reason, function in self.constraints.items():
            parameters = _check_parameters(
                f"template {self.name}: constraint {reason!r}", function, (*names, *self.extents)
            )
            if not set(parameters) & set(names):
                message = f"template {self.name}: constraint {reason!r} takes none of the knobs {', '.join(names)}"
                raise DefinitionError(message)
        if callable(self.preferred):
            _check_parameters(f"template {self.name}: default", self.preferred, self.extents)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FunctionTemplate) and (self.origin, self.digest) == (other.origin, other.digest)

    def __hash__(self) -> int:
        return hash(self.digest)

    def space(self, workload: Workload, machine: Machine) -> Space:
        """All valid configs of `workload`; the constraints are asked for each combination of the values they take."""
        del machine
        return Space(self.knobs, tuple(self._constraint(reason, workload) for reason in self.constraints))

    def default(self, workload: Workload, machine: Machine) -> Config:
        """The default that was given, else the first valid config in the order of the knobs' values."""
        space = self.space(workload, machine)
        if self.preferred is not None:
            sizes = dict(workload.extents)
            chosen = self.preferred(**_taken(self.preferred, sizes)) if callable(self.preferred) else self.preferred
            space.check(chosen)
            return dict(chosen)
        names = [knob.name for knob in self.knobs]
        tried = islice(product(*(knob.values for knob in self.knobs)), _MOST_TRIED)
        found = next(
            (config for values in tried if space.contains(config := dict(zip(names, values, strict=True)))), None
        )
        if found is None:
            message = f"template {self.name}: no valid config was found for {workload.describe()}; give it a default"
            raise ConfigError(message)
        return found

    def made(self, config: Config, dtype: str, threads: int) -> Any:
        """The Numba function of a config.

        Raises DefinitionError where the function returns none, or one that does not take the inputs and the outputs.
        """
        given: dict[str, Any] = {"dtype": dtype, "threads": threads}
        wanted = inspect.signature(self.function).parameters
        made = self.function(**config, **{name: value for name, value in given.items() if name in wanted})
        if not hasattr(made, "py_func"):
            message = f"template {self.name} must return a function compiled by numba.njit, not {made!r}"
            raise DefinitionError(message)
        return made

    def _constraint(self, reason: str, workload: Workload) -> Constraint:
        function = self.constraints[reason]
        sizes = dict(workload.extents)
        names = tuple(inspect.signature(function).parameters)
        knobs = tuple(name for name in names if name not in sizes)
        fixed = _taken(function, sizes)

        def holds(*columns: NDArray[Any]) -> NDArray[np.bool_]:
            # One config after the other, in Python's own numbers, so that `and`, `or` and `min` may be used.
            rows = zip(*(column.tolist() for column in columns), strict=True)
            return np.array([bool(function(**dict(zip(knobs, row, strict=True)), **fixed)) for row in rows], np.bool_)

        shown = f"{reason} ({', '.join(f'{name}={size}' for name, size in fixed.items())})" if fixed else reason
        return Constraint(knobs, holds, shown)


@dataclass(frozen=True, repr=False)
class TemplatedKernel(Kernel):
    """A kernel with a template of its own; what is derived from it is an ordinary kernel.

    Other processes import it from where it was defined.
    """

    template: FunctionTemplate | None = None

    @property
    def own(self) -> FunctionTemplate:
        """Its template."""
        if self.template is None:
            message = f"kernel {self.name} has no template"
            raise DefinitionError(message)
        return self.template

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of the definition and of the template's text: what was measured with another text is not it."""
        base: str = Kernel.digest.func(self)  # type: ignore[attr-defined]
        return sha256(f"{base}\n{self.own.digest}".encode()).hexdigest()

    def draw(self, rng: np.random.Generator, extents: Mapping[str, int]) -> Mapping[str, ArrayLike] | None:
        """What the template's own `inputs` make."""
        draw = self.own.draw
        return None if draw is None else draw(rng, **_taken(draw, dict(extents)))

    def __reduce__(self) -> tuple[Callable[..., "TemplatedKernel"], tuple[Any, ...]]:
        return load_kernel, (self.own.origin, self.digest)


def load_kernel(origin: Origin, digest: str) -> TemplatedKernel:
    """The kernel of `digest` at `origin`, imported unless it is there.

    Raises DefinitionError where something else is there by now, and whatever the user's module raises.
    """
    definition = getattr(origin.load(), "definition", None)
    if not isinstance(definition, TemplatedKernel):
        message = f"{origin.name} in {origin.file} is no template; decorate it with @autotune.template"
        raise DefinitionError(message)
    if definition.digest != digest:
        message = f"template {origin.name} in {origin.file} has changed since it was loaded; start again"
        raise DefinitionError(message)
    return definition


def file_digest(origin: Origin) -> str:
    """SHA-256 (hex) of the file of a template: code that is compiled from it is compiled anew when it changes."""
    return sha256(Path(origin.file).read_bytes()).hexdigest()


def _check_parameters(
    what: str, function: Callable[..., Any], known: tuple[str, ...], needed: "list[str] | None" = None
) -> list[str]:
    """Names of a function's parameters; raises DefinitionError where one is unknown, or a needed one is missing."""
    names = list(inspect.signature(function).parameters)
    unknown = [name for name in names if name not in known]
    missing = [name for name in needed or () if name not in names]
    if unknown or missing:
        word = f"has a parameter {unknown[0]!r}" if unknown else f"has no parameter {missing[0]!r}"
        message = f"{what} {word}; it takes {', '.join(known)}"
        raise DefinitionError(message)
    return names


def _taken(function: Callable[..., Any], sizes: Mapping[str, int]) -> dict[str, int]:
    """Those of `sizes` that a function has parameters for."""
    return {name: sizes[name] for name in inspect.signature(function).parameters if name in sizes}
