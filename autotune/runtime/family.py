"""The kernels that one function defines: one for each choice of its options."""

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from threading import RLock
from typing import Any, Generic, TypeAlias, TypeVar

import numpy as np

from autotune.errors import OptionError
from autotune.lang import Kernel, define

Function: TypeAlias = Callable[..., Any]
Option: TypeAlias = int | float | bool
Member = TypeVar("Member")


class Family(Generic[Member]):
    """The members are made by `make` from their definitions when first asked for, each once. Threads may share it.

    `function` is the defining function; None where only the definition of one member is known, whose options are then
    the only ones there are.
    """

    def __init__(self, function: "Function | None", make: "Callable[[Kernel, Family[Member]], Member]") -> None:
        self.function = function
        self._make = make
        self._members: dict[object, Member] = {}
        self._lock = RLock()  # a definition may call the kernels it is built from

    def add(self, definition: Kernel, member: Member) -> Member:
        """Take in a member that was made elsewhere, and give it back."""
        with self._lock:
            return self._members.setdefault(_key(dict(definition.options)), member)

    def member(self, base: Kernel, changed: Mapping[str, object]) -> Member:
        """The member that has the options of `base` but for those `changed`.

        Raises OptionError for unknown options and for values that are none, DefinitionError where the function does not
        take the values.
        """
        options = dict(base.options) | {name: _checked(base, name, value) for name, value in changed.items()}
        key = _key(options)
        with self._lock:
            if key not in self._members:
                self._members[key] = self._make(self._define(base, options), self)
            return self._members[key]

    def members(self) -> tuple[Member, ...]:
        """All there are so far."""
        with self._lock:
            return tuple(self._members.values())

    def _define(self, base: Kernel, options: Mapping[str, Option]) -> Kernel:
        if self.function is None:
            message = (
                f"kernel {base.name} has the options {_listed(dict(base.options))} for good: it was made from its "
                f"definition, without the function that could be defined with others"
            )
            raise OptionError(message)
        return define(self.function, base.name, options)


def _key(options: Mapping[str, object]) -> object:
    return tuple((name, type(value), value) for name, value in options.items())


def _checked(kernel: Kernel, name: str, value: object) -> Option:
    known = dict(kernel.options)
    if name not in known:
        near = get_close_matches(name, known, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"its options are {_listed(known) or 'none'}"
        message = f"kernel {kernel.name} has no option {name!r}; {hint}"
        raise OptionError(message)
    plain = value.item() if isinstance(value, np.generic) else value
    if not isinstance(plain, bool | int | float):
        message = f"kernel {kernel.name}: option {name} must be a number or a truth value, not {value!r}"
        raise OptionError(message)
    return plain


def _listed(options: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={value}" for name, value in options.items())
