"""What a user holds: a kernel that can be called, differentiated and tuned."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Self

from autotune import settings
from autotune.autodiff import derive, gradient_inputs
from autotune.errors import DefinitionError, ShapeError
from autotune.lang import Kernel, ScalarSpec, define
from autotune.runtime.dispatch import Dispatch
from autotune.runtime.plan import Array, Plan
from autotune.schedule import Workload

if TYPE_CHECKING:
    from autotune.search import Outcome


class TunedKernel:
    """A kernel as a function of NumPy arrays; see `kernel`.

    Calling it returns a new array, or fills `out` where given. It runs the schedule tuned for these shapes, this dtype,
    this machine and thread count where there is one, else the nearest tuned one, else the default. Inputs may have any
    strides and are never modified. Raises ShapeError and DtypeError for arguments that do not fit the definition.
    """

    def __new__(cls, definition: Kernel) -> Self:
        """A kernel whose `__call__` is written for its own inputs, which a method shared by all could not be."""
        _check_names(definition)
        forward = Dispatch(definition)
        members = {"__call__": forward.method(), "__doc__": definition.doc}
        kind: type[Self] = type(cls.__name__, (cls,), members)
        created = super().__new__(kind)
        created._dispatch = {definition.direction: forward}
        return created

    def __init__(self, definition: Kernel) -> None:
        self.definition = definition
        self.__name__ = definition.name
        self._dispatch: dict[str, Dispatch]

    def __call__(self, *inputs: Any, out: Array | None = None) -> Array:
        """The result for these inputs, each by position or by name."""
        raise NotImplementedError  # replaced for each kernel by __new__

    def __reduce__(self) -> tuple[type, tuple[Kernel]]:
        return TunedKernel, (self.definition,)

    @property
    def directions(self) -> tuple[str, ...]:
        """ "forward" and the gradient for each floating input."""
        return ("forward", *(f"vjp:{name}" for name in gradient_inputs(self.definition)))

    def dispatch(self, direction: str = "forward") -> Dispatch:
        """Calls in one direction."""
        if direction not in self._dispatch:
            self._dispatch[direction] = Dispatch(derive(self.definition, direction))
        return self._dispatch[direction]

    def plan(self, *arguments: Any, direction: str = "forward") -> Plan:
        """How a call with these arguments is served: which config, from where, its source file."""
        return self.dispatch(direction).plan(arguments)

    def refresh(self) -> None:
        """Pick up winners that were found since the first call."""
        for dispatch in self._dispatch.values():
            dispatch.refresh()

    def tune(
        self,
        *,
        trials: int = 64,
        seconds: float | None = None,
        directions: tuple[str, ...] | None = None,
        dtype: str = "float32",
        threads: int | None = None,
        seed: int = 0,
        **shapes: tuple[int, ...] | int,
    ) -> "tuple[Outcome, ...]":
        """Tune for shapes given by tensor (`a=(1024, 512)`) or by extent (`m=1024`), in the given directions or all.

        Every measurement is kept in the database. Raises ShapeError where the shapes do not give every extent.
        """
        from autotune.database import Database
        from autotune.machine import detect
        from autotune.search import tune

        extents = self.extents(shapes)
        outcomes = []
        with Database.open(settings.database_url()) as database:
            for direction in directions or self.directions:
                definition = derive(self.definition, direction)
                workload = Workload.of(
                    definition,
                    {name: extents[name] for name in definition.extent_names},
                    dtype,
                    threads or settings.thread_count(),
                )
                outcomes.append(
                    tune(workload, machine=detect(), database=database, trials=trials, seconds=seconds, seed=seed)
                )
        self.refresh()
        return tuple(outcomes)

    def extents(self, shapes: Mapping[str, tuple[int, ...] | int]) -> dict[str, int]:
        """Extents from shapes of tensors and extents by name.

        Raises ShapeError for unknown, missing or unequal ones.
        """
        found: dict[str, int] = {}
        specs = {spec.name: spec for spec in self.definition.inputs if not isinstance(spec, ScalarSpec)}
        for name, given in shapes.items():
            if name in specs and isinstance(given, tuple):
                if len(given) != len(specs[name].extents):
                    message = (
                        f"{self.definition.name}: {specs[name]} has {len(specs[name].extents)} dimensions, not {given}"
                    )
                    raise ShapeError(message)
                pairs = dict(zip(specs[name].extents, given, strict=True))
            elif name in self.definition.extent_names and isinstance(given, int):
                pairs = {name: given}
            else:
                known = ", ".join([*map(str, specs.values()), *self.definition.extent_names])
                what = f"{name}={given!r} is neither a tensor's shape nor an extent"
                message = f"{self.definition.name}: {what}; it has {known}"
                raise ShapeError(message)
            for extent, size in pairs.items():
                if found.setdefault(extent, size) != size:
                    message = f"{self.definition.name}: extent {extent} is given as {found[extent]} and as {size}"
                    raise ShapeError(message)
        missing = [name for name in self.definition.extent_names if name not in found]
        if missing:
            message = f"{self.definition.name}: the extents {', '.join(missing)} are not given"
            raise ShapeError(message)
        return found

    def __repr__(self) -> str:
        return f"<kernel {self.definition.signature()}>"


def _check_names(definition: Kernel) -> None:
    """Raise DefinitionError for an input whose name a call needs for itself."""
    for spec in definition.inputs:
        if spec.name == "out" or spec.name.startswith("call_"):
            what = "out= is the array that a call writes to" if spec.name == "out" else "call_… are a call's own names"
            message = f"kernel {definition.name}: an input cannot be called {spec.name} ({what}); rename it"
            raise DefinitionError(message)


def kernel(function: Callable[..., Any]) -> TunedKernel:
    """Decorator: define a kernel in index notation by a Python function.

    The function's parameters are annotated with `Tensor[...]` or `Scalar`; it runs once, now, and returns
    `output[axes](expression)`. Raises DefinitionError where the definition is not valid.
    """
    return TunedKernel(define(function))


def vjp(function: TunedKernel, *arguments: Any) -> tuple[Array, Callable[[Array], tuple[Array, ...]]]:
    """The result and its pullback, as `jax.vjp`.

    The pullback takes the cotangent of the result (its shape and dtype) and returns one gradient an input, in order.
    """
    definition = function.definition
    names = [spec.name for spec in definition.inputs]
    result = function(*arguments)

    def pullback(cotangent: Array) -> tuple[Array, ...]:
        given = dict(zip(names, arguments, strict=True))
        gradients = []
        for name in gradient_inputs(definition):
            dispatch = function.dispatch(f"vjp:{name}")
            *read, _ = dispatch.kernel.inputs
            gradients.append(dispatch.run((*(given[spec.name] for spec in read), cotangent)))
        return tuple(gradients)

    return result, pullback
