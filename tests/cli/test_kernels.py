"""The KERNEL of a command."""

from pathlib import Path

import pytest

from autotune.cli import kernels
from autotune.errors import DefinitionError, UnknownKernelError, UsageError
from autotune.library import matmul

SOURCE = """
import autotune as at

{extra}

@at.kernel
def scaled(x: at.Tensor["n"], factor: at.Scalar):
    (i,) = at.axes(x)
    return at.output[i](factor * x[i])

plain = scaled.definition
number = 3
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, from which modules are imported."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))  # and taken away again
    return tmp_path


def test_built_in() -> None:
    assert kernels.find("matmul") is matmul
    assert list(kernels.built_in()) == sorted(kernels.built_in())


def test_unknown_name_gives_near_names() -> None:
    with pytest.raises(UnknownKernelError, match="no built-in kernel 'matmull'; did you mean matmul"):
        kernels.find("matmull")


def test_unlike_name_gives_all_names() -> None:
    with pytest.raises(UnknownKernelError, match=r"'zzz'; there are .*batch_matmul, .*matmul"):
        kernels.find("zzz")


def test_file(folder: Path) -> None:
    (folder / "mine.py").write_text(SOURCE.format(extra=""))
    assert kernels.find("mine.py:scaled").definition.signature() == "scaled(x[n], factor) -> out[n]"
    assert kernels.find(f"{folder / 'mine.py'}:scaled").directions == ("forward", "vjp:x", "vjp:factor", "jvp")


def test_file_with_a_definition_that_is_not_a_function_yet(folder: Path) -> None:
    (folder / "mine.py").write_text(SOURCE.format(extra=""))
    assert kernels.find("mine.py:plain").definition == kernels.find("mine.py:scaled").definition


def test_file_imports_its_neighbours(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "neighbour_of_mine.py").write_text("two = 2")
    (folder / "sub" / "mine.py").write_text(SOURCE.format(extra="from neighbour_of_mine import two"))
    assert kernels.find("sub/mine.py:scaled").definition.name == "scaled"


def test_module(folder: Path) -> None:
    (folder / "package_of_mine").mkdir()
    (folder / "package_of_mine" / "deep.py").write_text(SOURCE.format(extra=""))
    assert kernels.find("package_of_mine.deep:scaled").definition.name == "scaled"


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("mine.py:scale", "no kernel 'scale' in mine.py; did you mean scaled"),
        ("mine.py:zzz", "no kernel 'zzz' in mine.py; there are scaled, plain"),
        ("mine.py:number", "number in mine.py is no kernel but a int; decorate it"),
        ("mine.py:", "no kernel '' in mine.py"),
        ("other.py:scaled", "no file other.py"),
        ("nowhere.at.all:scaled", "no module 'nowhere'"),
        ("empty.py:scaled", "no kernel 'scaled' in empty.py; it defines none"),
    ],
)
def test_no_such_kernel(word: str, said: str, folder: Path) -> None:
    (folder / "mine.py").write_text(SOURCE.format(extra=""))
    (folder / "empty.py").write_text("")
    with pytest.raises(UnknownKernelError, match=said):
        kernels.find(word)


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ("1 / 0", "cannot be imported: ZeroDivisionError: division by zero"),
        ("import not_installed_anywhere", "cannot be imported: ModuleNotFoundError"),
        ("def (:", "cannot be imported: SyntaxError"),
    ],
)
@pytest.mark.parametrize("word", ["broken.py:scaled", "broken:scaled"])
def test_file_that_cannot_be_imported(extra: str, said: str, word: str, folder: Path) -> None:
    (folder / "broken.py").write_text(SOURCE.format(extra=extra))
    with pytest.raises(UsageError, match=said):
        kernels.find(word)


@pytest.mark.parametrize("word", [":scaled", "..:scaled"])
def test_malformed_module(word: str) -> None:
    with pytest.raises(UsageError, match="cannot be imported"):
        kernels.find(word)


def test_wrong_definition_is_explained_by_the_language(folder: Path) -> None:
    (folder / "wrong.py").write_text("import autotune as at\n@at.kernel\ndef f(x):\n    return x\n")
    with pytest.raises(DefinitionError, match="parameter x"):
        kernels.find("wrong.py:f")
