"""Names of a package that are imported when they are first asked for, so that importing the package stays quick."""

from collections.abc import Callable, Mapping
from importlib import import_module


def on_use(package: str, modules: Mapping[str, str]) -> Callable[[str], object]:
    """A `__getattr__` for `package`: each name of `modules` comes from the module given for it."""

    def __getattr__(name: str) -> object:  # a module's own __getattr__ (PEP 562)
        if name not in modules:
            message = f"module {package!r} has no attribute {name!r}"
            raise AttributeError(message)
        return getattr(import_module(modules[name]), name)

    return __getattr__


def packages_on_use(package: str, names: tuple[str, ...]) -> Callable[[str], object]:
    """A `__getattr__` for `package`: each of `names` is the package of that name inside it."""

    def __getattr__(name: str) -> object:
        if name not in names:
            message = f"module {package!r} has no attribute {name!r}"
            raise AttributeError(message)
        return import_module(f"{package}.{name}")

    return __getattr__
