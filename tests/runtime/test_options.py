"""Options: structural constants by keyword, the kernels they make, and how these are pickled."""

import inspect
import pickle
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import autotune as at
from autotune.errors import DefinitionError, OptionError, ShapeError
from autotune.runtime import TunedKernel

pytestmark = pytest.mark.usefixtures("_interpreted")


@at.kernel
def strided(x: at.Tensor["n"], *, stride: int = 1, scale: float = 1.0, negate: bool = False):
    (i,) = at.axes(x)
    p = at.axis("p", (at.extent(i) - 1) // stride + 1)
    return at.output[p](x[p * stride] * (-scale if negate else scale))


@at.kernel
def plain(x: at.Tensor["n"]):
    (i,) = at.axes(x)
    return at.output[i](2 * x[i])


X = np.arange(7.0)


def test_options_are_given_by_keyword() -> None:
    for _ in range(2):
        np.testing.assert_array_equal(strided(X), X)
        np.testing.assert_array_equal(strided(X, stride=2), X[::2])
        np.testing.assert_array_equal(strided(X, stride=3, negate=True), -X[::3])
        np.testing.assert_array_equal(strided(stride=3, scale=0.5, x=X), X[::3] / 2)
    out = np.zeros(4)
    assert strided(X, out=out, stride=2) is out
    np.testing.assert_array_equal(out, X[::2])


def test_the_same_options_are_the_same_kernel() -> None:
    assert strided.specialized() is strided
    assert strided.specialized(stride=1) is strided
    assert strided.specialized(stride=2) is strided.specialized(stride=np.int64(2), scale=1.0)
    assert strided.specialized(stride=2).specialized(negate=True) is strided.specialized(negate=True, stride=2)
    assert strided.specialized(stride=2).specialized(stride=1) is strided
    assert strided.specialized(stride=2).options == {"stride": 2, "scale": 1.0, "negate": False}
    assert strided.specialized(stride=2).definition.digest != strided.definition.digest


def test_equal_numbers_of_other_types_are_other_options() -> None:
    assert strided.specialized(negate=1) is not strided.specialized(negate=True)


def test_threads_get_the_same_kernel() -> None:
    defined = []

    @at.kernel
    def slow(x: at.Tensor["n"], *, number: int = 0):
        defined.append(number)
        (i,) = at.axes(x)
        return at.output[i](x[i] + number)

    barrier = Barrier(8)

    def specialize(index: int) -> TunedKernel:
        barrier.wait()
        return slow.specialized(number=1 + index % 2)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(specialize, range(8)))
    assert len(set(map(id, found))) == 2
    assert sorted(defined) == [0, 1, 2]


def test_a_kernel_shows_its_options() -> None:
    assert (
        repr(strided.specialized(stride=2)) == "<kernel strided(x[n]) -> out[p] with stride=2, scale=1.0, negate=False>"
    )
    assert repr(plain) == "<kernel plain(x[n]) -> out[n]>"
    assert [*inspect.signature(strided).parameters] == ["x", "out", "stride", "scale", "negate"]
    assert inspect.signature(strided).parameters["stride"].default == 1


ERRORS: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: strided(X, strid=2), OptionError, "kernel strided has no option 'strid'; did you mean stride?"),
    (lambda: strided(X, q=2), OptionError, "has no option 'q'; its options are stride=1, scale=1.0, negate=False"),
    (lambda: strided(X, stride="2"), OptionError, "option stride must be a number or a truth value, not '2'"),
    (lambda: plain(X, stride=2), TypeError, r"plain\(\) got an unexpected keyword argument 'stride'"),
    (lambda: plain.specialized(stride=2), OptionError, "kernel plain has no option 'stride'; its options are none"),
    (lambda: at.vjp(strided, X, strid=2), OptionError, "did you mean stride"),
    (lambda: at.jvp(strided, (X,), (X,), strid=2), OptionError, "did you mean stride"),
    (lambda: at.jacobian(strided, X, wrt="x", strid=2), OptionError, "did you mean stride"),
    (lambda: strided.tune(n=7, strid=2), ShapeError, "strid=2 is neither a tensor's shape nor an extent"),
    (
        lambda: TunedKernel(strided.definition).specialized(stride=2), OptionError,
        "has the options stride=1, scale=1.0, negate=False for good: it was made from its definition",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "match"), ERRORS)
def test_misuse_is_named(call: Callable[[], Any], error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        call()


@pytest.mark.parametrize("name", ["out", "wrt", "trials", "dtype", "call_x", "n", "p"])
def test_names_that_calls_need_are_refused_for_options(name: str) -> None:
    source = (
        f'def bad(x: at.Tensor["n"], *, {name}: int = 1):\n'
        '    p = at.axis("p", at.extent(at.axes(x)[0]) - 1)\n'
        "    return at.output[p](x[p])\n"
    )
    scope: dict[str, Any] = {"at": at}
    exec(source, scope)
    with pytest.raises(DefinitionError, match=rf"kernel bad: an option cannot be called {name} \(.*; rename it"):
        at.kernel(scope["bad"])


def test_derivatives_take_options() -> None:
    y, pullback = at.vjp(strided, X, stride=2, scale=3.0)
    np.testing.assert_array_equal(y, 3 * X[::2])
    np.testing.assert_array_equal(pullback(np.ones(4))[0], [3, 0, 3, 0, 3, 0, 3])
    y, y_dot = at.jvp(strided, (X,), (X**2,), stride=2)
    np.testing.assert_array_equal(y_dot, X[::2] ** 2)
    jacobian = at.jacobian(strided, X, wrt="x", stride=2)
    np.testing.assert_array_equal(jacobian, np.eye(7)[::2])


def test_tuning_takes_options_and_tunes_all_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    tuned = []

    def tune(workload: Any, **_: Any) -> SimpleNamespace:
        tuned.append(workload)
        return SimpleNamespace(error="")

    monkeypatch.setattr("autotune.search.tune", tune)
    strided.tune(x=(7,), stride=2, trials=3, threads=1)
    assert [(workload.kernel.direction, dict(workload.kernel.options)["stride"]) for workload in tuned] == [
        ("forward", 2),
        ("vjp:x", 2),
    ]
    assert dict(tuned[1].extents)["p"] == 4
    strided.specialized(stride=2).tune(n=7, directions=("jvp",), dtype="float64")
    assert (tuned[2].kernel.direction, tuned[2].dtype) == ("jvp", "float64")
    with pytest.raises(ShapeError, match="extent n is 0, so there is nothing to tune"):
        plain.tune(n=0)


def test_kernels_are_pickled_by_name() -> None:
    special = strided.specialized(stride=2)
    assert pickle.loads(pickle.dumps(special)) is special
    assert pickle.loads(pickle.dumps(plain)) is plain


def test_kernels_that_cannot_be_imported_are_pickled_by_definition() -> None:
    @at.kernel
    def local(x: at.Tensor["n"], *, scale: float = 1.0):
        (i,) = at.axes(x)
        return at.output[i](scale * x[i])

    copy = pickle.loads(pickle.dumps(local.specialized(scale=2.0)))
    np.testing.assert_array_equal(copy(X), 2 * X)
    with pytest.raises(OptionError, match="for good"):
        copy(X, scale=3.0)


def test_a_pickle_keeps_what_it_was_made_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """The module may define something else by the time the pickle is loaded."""
    pickled = pickle.dumps(plain)
    monkeypatch.setattr(sys.modules[__name__], "plain", at.kernel(other))
    np.testing.assert_array_equal(pickle.loads(pickled)(X), 2 * X)


def other(x: at.Tensor["n"]):
    (i,) = at.axes(x)
    return at.output[i](3 * x[i], name="other")


def test_a_pickle_is_loaded_in_another_process() -> None:
    from autotune.library import conv2d

    pickled = pickle.dumps(conv2d.specialized(stride=2))
    program = f"import pickle; print(pickle.loads({pickled!r}).options)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "{'stride': 2, 'padding': 0, 'dilation': 1}\n"


def test_refreshing_reaches_all_options() -> None:
    special = strided.specialized(stride=2)
    before = special.plan(X)
    assert special.plan(X) is before
    strided.refresh()
    assert special.plan(X) is not before
