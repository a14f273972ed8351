"""Blocks of generated code under construction: what does not depend on a loop is written before it."""

from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Optional

from autotune.codegen.text import Lines, constant, unwrapped


class Scope:
    """A block: lines and finished blocks inside it, and the values known in it.

    While a block inside it is open, what is added here comes before that block.
    """

    def __init__(self, parent: Optional["Scope"] = None, header: str = "") -> None:
        self.parent, self.header = parent, header
        self.depth: int = parent.depth + 1 if parent else 0
        self.items: list[str | Scope] = []
        self.known: dict[Hashable, Value] = {}

    def add(self, *lines: str) -> None:
        """Lines at the present place."""
        self.items += lines

    @contextmanager
    def block(self, header: str) -> Iterator["Scope"]:
        """A block inside this one, which is finished when the context is left."""
        inner = Scope(self, header)
        yield inner
        self.items.append(inner)

    def attach(self, block: "Scope", header: str) -> None:
        """Put a block here that was written before its header was known."""
        block.header = header
        self.items.append(block)

    @contextmanager
    def again(self, header: str) -> Iterator["Scope"]:
        """The block that was finished last, if it has this header and nothing came after it; else a new one."""
        last = self.items[-1] if self.items else None
        if isinstance(last, Scope) and last.header == header:
            self.items.pop()
            yield last
            self.items.append(last)
        else:
            with self.block(header) as inner:
                yield inner

    def find(self, key: Hashable) -> Optional["Value"]:
        """The value known under `key` here or in a block around."""
        scope: Scope | None = self
        while scope is not None:
            if key in scope.known:
                return scope.known[key]
            scope = scope.parent
        return None

    def write(self, lines: Lines) -> None:
        """The block's lines; those inside a block that stayed empty are left out with it."""
        for item in self.items:
            if isinstance(item, str):
                lines.add(item)
            else:
                with lines.block(item.header):
                    item.write(lines)
                    if not item.items:
                        lines.add("pass")


def deepest(scopes: Iterable[Scope]) -> Scope:
    """The innermost of blocks that lie in each other."""
    return max(scopes, key=lambda scope: scope.depth)


@dataclass(frozen=True)
class Value:
    """A value in generated code: its text, and the outermost block in which it can stand.

    Whole numbers (int64) are `integer`; `atomic` texts are names and numbers, which cost nothing; `heavy` ones call a
    function; `wide` ones are vectors, with an element for each lane.
    """

    text: str
    scope: Scope
    integer: bool = False
    atomic: bool = False
    heavy: bool = False
    number: float | None = None
    wide: bool = False

    def under(self, name: str) -> "Value":
        """The same under a name, which is given to it in the outermost block in which it can stand."""
        self.scope.add(f"{name} = {unwrapped(self.text)}")
        return Value(name, self.scope, self.integer, atomic=True, wide=self.wide)

    def real(self) -> "Value":
        """The same as a floating-point number."""
        if not self.integer:
            return self
        if self.number is not None:
            return replace(self, text=constant(self.number), integer=False)
        text = f"as_real({self.text}, REAL)" if self.wide else f"REAL({self.text})"
        return replace(self, text=text, integer=False, atomic=False)
