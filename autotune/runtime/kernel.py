"""What a user holds: a kernel that can be called, differentiated and tuned."""

import logging
import sys
from collections.abc import Callable, Mapping
from functools import cached_property, partial, reduce
from importlib import import_module
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from autotune import markup, settings
from autotune.autodiff import derive, gradient_inputs, joint_step, pullback_step
from autotune.autodiff import directions as directions_of
from autotune.errors import AutotuneError, DefinitionError, DifferentiationError, ShapeError
from autotune.lang import FORWARD, Kernel, define
from autotune.runtime.dispatch import Dispatch
from autotune.runtime.explanation import Explanation
from autotune.runtime.family import Family, Function, Option
from autotune.runtime.known import workload_among
from autotune.runtime.plan import Plan
from autotune.runtime.sizes import extents_of
from autotune.schedule import Workload

if TYPE_CHECKING:
    from autotune.search import Outcome

logger = logging.getLogger("autotune")

# Names that calls, `tune` and `jacobian` have for themselves, beside call_….
_OF_CALLS = frozenset({"out"})
_OF_OPTIONS = frozenset({"out", "wrt", "trials", "seconds", "directions", "dtype", "threads", "seed"})


class TunedKernel:
    """A kernel as a function of NumPy arrays; see `kernel`.

    Calling it returns a new array, a tuple of them where there are several outputs, or fills `out` where given. It runs
    the schedule tuned for these shapes, this dtype, this machine and thread count where there is one, else the nearest
    tuned one, else one that ships for such a CPU, else the default; `explain` says which. Floating inputs are all
    float32 or all float64, integer inputs of any integer dtype. Inputs may have any strides and are never modified.
    Raises ShapeError and DtypeError for arguments that do not fit the definition, IndexRangeError where an index among
    them leads outside what it indexes, and OptionError for an option that the definition does not have.
    """

    def __new__(cls, definition: Kernel, family: "Family[TunedKernel] | None" = None) -> Self:
        """A kernel whose `__call__` is written for its own inputs, which a method shared by all could not be."""
        del family
        _check_names(definition)
        forward = Dispatch(definition)
        members = {"__call__": forward.method(), "__doc__": definition.doc}
        kind: type[Self] = type(cls.__name__, (cls,), members)
        created = super().__new__(kind)
        created._dispatch = {FORWARD: forward}
        forward.owner = created
        return created

    def __init__(self, definition: Kernel, family: "Family[TunedKernel] | None" = None) -> None:
        self.definition = definition
        self.__name__ = definition.name
        self._dispatch: dict[str, Dispatch]
        self._deriving = Lock()
        self._specialized: dict[tuple[object, ...], TunedKernel] = {}  # a call's way to `_family`, without its lock
        self._family = Family(None, TunedKernel) if family is None else family
        if family is None:
            self._family.add(definition, self)
        if self._family.function is not None:
            self.__module__ = self._family.function.__module__
            self.__qualname__ = self._family.function.__qualname__

    def __call__(self, *inputs: Any, out: Any = None, **options: Option) -> Any:
        """The result for these inputs, each by position or by name; options are structural constants of the kernel."""
        raise NotImplementedError  # replaced for each kernel by __new__

    def __reduce__(self) -> tuple[Callable[..., "TunedKernel"], tuple[Any, ...]]:
        function = self._family.function
        place = (function.__module__, function.__qualname__) if function is not None else None
        return _restored, (place, self.definition)

    @property
    def options(self) -> dict[str, Option]:
        """The structural constants that the kernel is defined with, such as a stride."""
        return dict(self.definition.options)

    def specialized(self, /, **options: Option) -> "TunedKernel":
        """The kernel with other values for some of its options: `conv2d.specialized(stride=2)`.

        The same options give the same object, whichever thread asks. Raises OptionError for an option that the kernel
        does not have.
        """
        key = (*options.items(), *map(type, options.values()))
        try:
            found = self._specialized.get(key)
        except TypeError:  # a value that cannot be hashed is no option either, which `member` says
            found = None
        if found is None:
            found = self._family.member(self.definition, options) if options else self
            self._specialized[key] = found
        return found

    @property
    def members(self) -> "tuple[TunedKernel, ...]":
        """The kernel with all options that were asked for so far."""
        return self._family.members()

    @property
    def directions(self) -> tuple[str, ...]:
        """ "forward", and where inputs and outputs are floating, the gradient by each input ("vjp:a") and "jvp"."""
        floating = any(not output.integer for output in self.definition.outputs)
        return directions_of(self.definition) if floating else (FORWARD,)

    @property
    def tuned_directions(self) -> tuple[str, ...]:
        """What is tuned unless directions are given: the kernel, its gradients, and these in one if they share work."""
        single = tuple(direction for direction in self.directions if direction != "jvp")
        return single if self._together is None else (*single, self._together)

    @cached_property
    def _together(self) -> str | None:
        """The direction of all gradients in one kernel, with the result where that is a number, if they share work."""
        names = gradient_inputs(self.definition)
        if not names or (len(names) == 1 and not self.definition.is_number):
            return None
        step = (joint_step if self.definition.is_number else pullback_step)(self.definition, names)
        try:
            return step if self.dispatch(step).shares_work else None
        except DifferentiationError:  # of a function without derivative, which the single gradient says too
            return None

    def dispatch(self, direction: str = FORWARD) -> Dispatch:
        """Calls in one direction."""
        found = self._dispatch.get(direction)
        if found is None:
            with self._deriving:
                if direction not in self._dispatch:
                    self._dispatch[direction] = Dispatch(derive(self.definition, direction), self)
                found = self._dispatch[direction]
        return found

    def plan(self, *arguments: Any, direction: str = FORWARD) -> Plan:
        """How a call with these arguments is served: which config, from where, its source file."""
        return self.dispatch(direction).plan(arguments)

    def explain(self, *arguments: Any, direction: str = FORWARD) -> Explanation:
        """Which schedule serves a call with these arguments, why it was chosen and from what; print it to read it."""
        return self.dispatch(direction).explain(arguments)

    def compiled(self, *arguments: Any, direction: str = FORWARD, threads: int | None = None) -> Callable[..., Any]:
        """The kernel, or a gradient of it, as a function compiled by Numba, for callers that Numba compiles.

        It takes the inputs of the kernel in this direction and, if given, `out`, arrays of any shape and strides. It
        runs the schedule that serves shapes like those of `arguments`, examples that are not computed on. So does the
        kernel itself where a compiled function calls it, with the largest tuned schedule. The schedule is chosen when
        the call is compiled; it uses as many threads as given, else those of the settings. Raises ShapeError for
        arguments that do not fit; the function raises ValueError or IndexError.
        """
        from autotune.runtime.nopython import compiled

        definition = self.dispatch(direction).kernel
        shapes = {spec.name: np.shape(value) for spec, value in zip(definition.inputs, arguments, strict=True)}
        extents = tuple(definition.infer_extents(shapes).items())
        chosen = settings.thread_count() if threads is None else threads
        made: Callable[..., Any] = compiled(self, direction, extents, chosen)
        return made

    @property
    def _numba_type_(self) -> Any:
        """What Numba asks of a value that a compiled function mentions."""
        from autotune.runtime.nopython import numba_type

        return numba_type(self)

    def refresh(self) -> None:
        """Pick up winners that were found since the first call, whatever the options."""
        for member in self._family.members():
            for dispatch in tuple(member._dispatch.values()):
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
        **shapes: tuple[int, ...] | Option,
    ) -> "tuple[Outcome, ...]":
        """Tune for shapes given by tensor (`a=(1024, 512)`) or by extent (`m=1024`), in the given directions.

        Without `directions` it is the kernel itself and its gradients. Options stand among the shapes (`stride=2`).
        Every measurement is kept in the database. Raises ShapeError where the shapes do not give every extent.
        """
        from autotune.database import Database
        from autotune.machine import detect
        from autotune.search import tune

        options = {name: value for name, value in shapes.items() if name in self.options}
        tuned = self.specialized(**options)  # type: ignore[arg-type]  # which it checks
        extents = tuned.extents({name: size for name, size in shapes.items() if name not in options})  # type: ignore[misc]
        outcomes = []
        with Database.open(settings.database_url()) as database:
            for direction in directions or tuned.tuned_directions:
                workload = tuned.workload(direction, extents, dtype=dtype, threads=threads)
                outcome = tune(
                    workload,
                    machine=detect(),
                    database=database,
                    trials=trials,
                    seconds=seconds,
                    seed=seed,
                    find=partial(workload_among, (self,)),
                )
                if outcome.error:
                    logger.warning("%s: no winner proven: %s", workload.describe(), outcome.error)
                outcomes.append(outcome)
        self.refresh()
        return tuple(outcomes)

    def extents(self, shapes: Mapping[str, tuple[int, ...] | int]) -> dict[str, int]:
        """All extents from shapes of tensors and extents by name.

        Raises ShapeError for unknown, missing or unequal ones.
        """
        return extents_of(self.definition, shapes)

    def workload(
        self, direction: str, extents: Mapping[str, int], *, dtype: str = "float32", threads: int | None = None
    ) -> Workload:
        """What is tuned in one direction, for all `extents` of the kernel; on all threads unless given.

        Raises ShapeError where there is nothing to compute.
        """
        definition = self.dispatch(direction).kernel
        known = {name: extents[name] for name in definition.extent_names}
        empty = [name for name, size in definition.complete(known).items() if size == 0]
        if empty:
            message = f"{definition.name}: extent {empty[0]} is 0, so there is nothing to tune"
            raise ShapeError(message)
        return Workload.of(definition, known, dtype, threads or settings.thread_count())

    def __repr__(self) -> str:
        options = ", ".join(f"{name}={value}" for name, value in self.options.items())
        return f"<kernel {self.definition.signature()}{f' with {options}' if options else ''}>"

    def _repr_html_(self) -> str:
        facts = {
            "inputs": ", ".join(map(str, self.definition.inputs)),
            "outputs": ", ".join(map(str, self.definition.outputs)),
            "extents": ", ".join(self.definition.extent_names),
            "options": ", ".join(f"{name}={value}" for name, value in self.options.items()) or "none",
            "directions": ", ".join(self.directions),
        }
        return markup.card(self.definition.signature(), facts)


def kernel(function: Function) -> TunedKernel:
    """Decorator: define a kernel in index notation by a Python function.

    The function's parameters are annotated with `Tensor[...]`, `Integers[...]` or `Scalar`; it runs once, now, and
    returns `output[axes](expression)` or a tuple of these. Parameters that can be given by keyword only are options,
    structural constants with a default; the function runs again for other values when a call has them. Raises
    DefinitionError where the definition is not valid.
    """
    definition = define(function)
    family = Family(function, TunedKernel)
    return family.add(definition, TunedKernel(definition, family))


def _check_names(definition: Kernel) -> None:
    """Raise DefinitionError for an input or an option whose name a call needs for itself."""
    for spec in definition.inputs:
        if spec.name in _OF_CALLS or spec.name.startswith("call_"):
            what = "out= is the array that a call writes to" if spec.name == "out" else "call_… are a call's own names"
            message = f"kernel {definition.name}: an input cannot be called {spec.name} ({what}); rename it"
            raise DefinitionError(message)
    for name, _ in definition.options:
        what = ""
        if name in _OF_OPTIONS or name.startswith("call_"):
            what = "calls and tune have a parameter of that name"
        elif name in definition.extent_names or name in definition.sizes:
            what = "an extent has that name"
        if what:
            message = f"kernel {definition.name}: an option cannot be called {name} ({what}); rename it"
            raise DefinitionError(message)


def _restored(place: tuple[str, str] | None, definition: Kernel) -> TunedKernel:
    """The kernel of a pickle: that which its module has where it can be imported and still defines the same.

    Else, of a kernel defined inside a function for one, a new one of the same definition, with its options for good.
    """
    found = _found(*place) if place is not None else None
    if found is not None and found.definition.name == definition.name:
        try:
            member = found.specialized(**dict(definition.options))
        except AutotuneError:
            return TunedKernel(definition)
        if member.definition == definition:
            return member
    return TunedKernel(definition)


def _found(module: str, name: str) -> TunedKernel | None:
    try:
        holder = sys.modules.get(module) or import_module(module)
        found = reduce(getattr, name.split("."), holder)
    except (ImportError, AttributeError):
        return None
    return found if isinstance(found, TunedKernel) else None
