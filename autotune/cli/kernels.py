"""The KERNEL of a command: a built-in name, `package.module:kernel` or `file.py:kernel`."""

import importlib
import sys
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType

from autotune import library
from autotune.database.workload_key import WorkloadKey
from autotune.errors import AutotuneError, UnknownKernelError, UsageError
from autotune.lang import Kernel
from autotune.lang.origin import load_file
from autotune.runtime import TunedKernel
from autotune.runtime.known import workload_among
from autotune.schedule import Workload


def built_in() -> dict[str, TunedKernel]:
    """The kernels of the library by name, in alphabetical order."""
    return dict(sorted((name, kernel) for name, kernel in vars(library).items() if isinstance(kernel, TunedKernel)))


def known(key: WorkloadKey) -> Workload | None:
    """The workload of a key, of the kernels of the library."""
    return workload_among(built_in().values(), key)


def find(word: str) -> TunedKernel:
    """The kernel that `word` names.

    Raises UnknownKernelError, with near names, where there is none, and UsageError where its file cannot be imported.
    """
    place, colon, name = word.rpartition(":")
    if not colon:
        return _named(name, built_in(), f"there is no built-in kernel {name!r}")
    module = _module(place)
    kernels = _defined_in(module)
    if name in vars(module) and name not in kernels:
        kind = type(vars(module)[name]).__name__
        message = f"{name} in {place} is no kernel but a {kind}; decorate it with @autotune.kernel"
        raise UnknownKernelError(message)
    return _named(name, kernels, f"there is no kernel {name!r} in {place}")


def within(place: str) -> dict[str, TunedKernel]:
    """The kernels that a module or a file has by name; raises as `find` does."""
    return _defined_in(_module(place))


def _module(place: str) -> ModuleType:
    return _from_file(Path(place)) if place.endswith(".py") else _from_package(place)


def _defined_in(module: ModuleType) -> dict[str, TunedKernel]:
    return {key: kernel for key, value in vars(module).items() if (kernel := _as_kernel(value)) is not None}


def _named(name: str, kernels: dict[str, TunedKernel], missing: str) -> TunedKernel:
    if name in kernels:
        return kernels[name]
    near = get_close_matches(name, kernels, cutoff=0.5)
    if near:
        hint = f"did you mean {' or '.join(near)}?"
    else:
        hint = f"there are {', '.join(kernels)}" if kernels else "it defines none; decorate one with @autotune.kernel"
    message = f"{missing}; {hint}"
    raise UnknownKernelError(message)


def _as_kernel(value: object) -> TunedKernel | None:
    if isinstance(value, TunedKernel):
        return value
    return TunedKernel(value) if isinstance(value, Kernel) else None


def _from_package(name: str) -> ModuleType:
    _search_in(Path.cwd())  # a console script, unlike `python -m`, does not look there
    try:
        return importlib.import_module(name)
    except AutotuneError:
        raise
    except ModuleNotFoundError as error:
        if not f"{name}.".startswith(f"{error.name}."):  # a module that the named one imports
            raise _not_importable(name, error) from error
        message = f"there is no module {error.name!r}; a file is named as path/to/file.py:kernel"
        raise UnknownKernelError(message) from error
    except Exception as error:
        raise _not_importable(name, error) from error


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        message = f"there is no file {path}"
        raise UnknownKernelError(message)
    try:
        return load_file(path, f"autotune_kernels.{path.stem}")
    except AutotuneError:
        raise
    except Exception as error:
        raise _not_importable(str(path), error) from error


def _search_in(folder: Path) -> None:
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _not_importable(place: str, error: Exception) -> UsageError:
    return UsageError(f"{place} cannot be imported: {type(error).__name__}: {error}")
