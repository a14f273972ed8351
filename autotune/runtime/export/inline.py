"""Modules of `autotune.codegen` as text that stands in one file: each a function that returns its names.

A function, since two modules may have the same name for different things.
"""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from inspect import getsource
from textwrap import indent

PACKAGE = "autotune.codegen"
PREFIX = "codegen_"  # of the variable that holds a module's names


def sections(needed: Sequence[str]) -> str:
    """The modules called `needed` and those that they import, these before them."""
    texts = [_section(name) for name in _ordered(needed)]
    return "\n\n\n".join(texts)


def bindings(node: ast.ImportFrom) -> str:
    """Assignments in the place of an import from `autotune.codegen`."""
    module = (node.module or "").removeprefix(PACKAGE).lstrip(".")
    if not module:
        return "; ".join(f"{alias.asname or alias.name} = {PREFIX}{alias.name}" for alias in node.names)
    targets = ", ".join(alias.asname or alias.name for alias in node.names)
    return f"{targets} = {', '.join(f'{PREFIX}{module}.{alias.name}' for alias in node.names)}"


def of_codegen(node: ast.stmt) -> bool:
    """Whether a statement imports from `autotune.codegen`."""
    return isinstance(node, ast.ImportFrom) and f"{node.module}.".startswith(f"{PACKAGE}.")


def modules_in(text: str) -> list[str]:
    """The modules of `autotune.codegen` that a text imports at its top level."""
    found: dict[str, None] = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.ImportFrom) and of_codegen(node):
            module = (node.module or "").removeprefix(PACKAGE).lstrip(".")
            found |= dict.fromkeys([module] if module else [alias.name for alias in node.names])
    return list(found)


def replaced(text: str, replacements: Mapping[tuple[int, int], str]) -> str:
    """A text with ranges of lines (from 1, the last one included) replaced."""
    lines = text.splitlines()
    for (first, last), new in sorted(replacements.items(), reverse=True):
        lines[first - 1 : last] = [new]
    return "\n".join(lines)


@dataclass(frozen=True)
class _Module:
    name: str

    @property
    def text(self) -> str:
        return getsource(import_module(f"{PACKAGE}.{self.name}"))


def _ordered(needed: Sequence[str]) -> list[str]:
    done: dict[str, None] = {}

    def visit(name: str) -> None:
        if name not in done:
            for below in modules_in(_Module(name).text):
                visit(below)
            done[name] = None

    for name in sorted(needed):
        visit(name)
    return list(done)


def _section(name: str) -> str:
    text = _Module(name).text
    new = {
        (node.lineno, node.end_lineno or node.lineno): bindings(node)
        for node in ast.parse(text).body
        if isinstance(node, ast.ImportFrom) and of_codegen(node)
    }
    body = indent(replaced(text, new), "    ")
    return f"def _make_{name}():\n{body}\n\n    return SimpleNamespace(**locals())\n\n\n{PREFIX}{name} = _make_{name}()"
