"""Where a user's function comes from, so that another process finds it again: its module, its file and its text."""

import ast
import hashlib
import importlib
import importlib.util
import inspect
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from autotune.errors import DefinitionError


@dataclass(frozen=True)
class Origin:
    """A name at the top level of a module, and the file that the module is in."""

    module: str
    file: str
    name: str

    @staticmethod
    def of(function: Callable[..., Any]) -> "Origin":
        """Raises DefinitionError unless other processes can import what `function` will be called in its module."""
        name, module = function.__qualname__, function.__module__
        if "." in name:
            message = f"{name} stands inside a function or a class; move it to the top level of its file"
            raise DefinitionError(message)
        file = Path(inspect.getsourcefile(function) or "")
        if not file.is_file():
            message = f"{name} is in no file; the processes that measure it import it, so save it in one"
            raise DefinitionError(message)
        return Origin(module, str(file.resolve()), name)

    def load(self) -> object:
        """What has that name: of a module that is loaded already, else of one that is imported now.

        Raises ImportError, or what the module raises, where it cannot be imported, and AttributeError where it does not
        have the name.
        """
        return getattr(self._loaded() or self._imported(), self.name)

    def _loaded(self) -> ModuleType | None:
        """The module, if this process has it: under its own name, or as the program that it runs."""
        for name in (self.module, "__main__", self._own_name):
            module = sys.modules.get(name)
            file = getattr(module, "__file__", None)
            if module is not None and file and str(Path(file).resolve()) == self.file and hasattr(module, self.name):
                return module
        return None

    def _imported(self) -> ModuleType:
        if self.module != "__main__":
            try:
                module = importlib.import_module(self.module)
            except ModuleNotFoundError as error:  # a script, or a file that was loaded by its path
                if not f"{self.module}.".startswith(f"{error.name}."):
                    raise
            else:
                if str(Path(module.__file__ or "").resolve()) == self.file:
                    return module
        return load_file(Path(self.file), self._own_name)

    @property
    def _own_name(self) -> str:
        return f"autotune_templates.{Path(self.file).stem}_{hashlib.sha256(self.file.encode()).hexdigest()[:8]}"


def load_file(path: Path, name: str) -> ModuleType:
    """The module in the file at `path`, imported as `name`; it finds its neighbours, as a script does.

    Raises ImportError where there is no Python file, and whatever the module raises.
    """
    specification = importlib.util.spec_from_file_location(name, path)
    if specification is None or specification.loader is None or not path.is_file():
        message = f"there is no Python file {path}"
        raise ImportError(message)
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    try:
        specification.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def text_digest(*functions: Callable[..., Any]) -> str:
    """SHA-256 (hex) of what functions say, decorators included, whatever their layout and comments.

    Raises DefinitionError where the text of one cannot be found. What they call is not looked at.
    """
    parts = []
    for function in functions:
        try:
            text = textwrap.dedent(inspect.getsource(function))
        except (OSError, TypeError) as error:
            message = f"the text of {getattr(function, '__name__', function)!r} cannot be read: {error}"
            raise DefinitionError(message) from error
        parts.append(_normal(text))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _normal(text: str) -> str:
    try:
        return ast.dump(ast.parse(text))
    except SyntaxError:  # a lambda in the middle of a statement
        return text
