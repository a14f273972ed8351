"""Which config serves a workload."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import autotune as at
from autotune.database import Database, Winner
from autotune.machine import Machine, detect
from autotune.runtime import Origin, TunedKernel, choice
from autotune.runtime.choice import read_known, rounded
from autotune.schedule import Config, Knob, Space, Workload
from tests.runtime.winners import winner_of


@at.kernel
def window(x: at.Tensor["c", "h"], w: at.Tensor["c", "r"], *, stride: int = 1):
    c, i = at.axes(x)
    _, r = at.axes(w)
    p = at.axis("p", (at.extent(i) - at.extent(r)) // stride + 1)
    return at.output[c, p](at.sum(x[c, p * stride + r] * w[c, r], over=r))


@dataclass(frozen=True)
class OneKnob:
    """A template with one knob, whose default says what it was made for."""

    def space(self, workload: Workload, machine: Machine) -> Space:
        del workload, machine
        return Space((Knob("block", tuple(range(5000))),))

    def default(self, workload: Workload, machine: Machine) -> Config:
        del machine
        return {"block": workload.extents[0][1]}


@pytest.fixture(autouse=True)
def _template(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "template_for", lambda _: OneKnob())


def workload(kernel: TunedKernel, direction: str = "forward", **extents: int) -> Workload:
    return kernel.workload(direction, kernel.extents(extents), threads=1)


def blocks(workload: Workload, block: int) -> Winner:
    return winner_of(workload, {"block": block})


def chosen(database: Path, wanted: Workload) -> Any:
    known = read_known(str(database), wanted.kernel, dtype=wanted.dtype, threads=wanted.threads, machine=detect())
    return known.choose(wanted)


def test_a_default_is_made_for_extents_of_about_this_size(tmp_path: Path) -> None:
    found = chosen(tmp_path / "none.db", workload(window, c=100, h=33, r=3))
    assert found.origin is Origin.DEFAULT
    assert found.config == {"block": 128}
    assert dict(found.made_for.extents) == {"c": 128, "h": 64, "r": 3}


@pytest.mark.parametrize("direction", ["vjp:x", "vjp:w", "jvp"])
def test_defaults_of_gradients_are_made_for_extents_that_fit_together(tmp_path: Path, direction: str) -> None:
    found = chosen(tmp_path / "none.db", workload(window, direction, c=100, h=33, r=3))
    extents = found.made_for.kernel.complete(dict(found.made_for.extents))  # which raises where they do not fit
    assert extents["c"] == 128


def test_a_default_is_made_for_the_extents_themselves_where_no_others_fit(tmp_path: Path) -> None:
    @at.kernel
    def halved(x: at.Tensor["n"], y: at.Tensor["m"]):
        (j,) = at.axes(y)
        return at.output[j](x[2 * j] + y[j])

    wanted = workload(halved, n=9, m=5)  # rounded up they would be 32 and 8, but 1023 and 512 are 1024 and 1024
    assert dict(chosen(tmp_path / "none.db", wanted).made_for.extents) == {"n": 32, "m": 8}
    wanted = workload(halved, n=1023, m=512)
    assert chosen(tmp_path / "none.db", wanted).made_for == wanted


def test_winners_are_of_one_definition(tmp_path: Path) -> None:
    """Kernels of one name, as the options of one function make them, are told apart by what they compute."""
    strided = window.specialized(stride=2)
    ours, theirs = workload(window, c=4, h=9, r=3), workload(strided, c=4, h=9, r=3)
    assert ours.kernel.name == theirs.kernel.name
    assert ours.key != theirs.key
    with Database.open(tmp_path / "tuning.db") as database:
        database.set_winner(blocks(ours, 7), detect())
        assert chosen(tmp_path / "tuning.db", theirs).origin is Origin.DEFAULT
        database.set_winner(blocks(theirs, 8), detect())
    assert chosen(tmp_path / "tuning.db", ours).config == {"block": 7}
    assert chosen(tmp_path / "tuning.db", theirs).config == {"block": 8}


def test_the_nearest_winner_serves_other_extents(tmp_path: Path) -> None:
    with Database.open(tmp_path / "tuning.db") as database:
        for block, size in ((1, 10), (2, 100)):
            database.set_winner(blocks(workload(window, c=4, h=size, r=3), block), detect())
    assert chosen(tmp_path / "tuning.db", workload(window, c=4, h=100, r=3)).origin is Origin.TUNED
    near = chosen(tmp_path / "tuning.db", workload(window, c=4, h=80, r=3))
    assert (near.origin, near.config) == (Origin.NEAREST, {"block": 2})


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("x[i]", "x.pad(0)[i]"),
        ("x.pad(0)[i - 1]", "x.pad(1)[i - 1]"),
        ("x.pad(0)[i - 1]", "x.pad(0)[i + 1]"),
        ("at.max(x[i], over=i)", "at.max(x[i], over=i, ties='first')"),
    ],
)
def test_what_is_computed_differently_has_another_digest(first: str, second: str) -> None:
    def definition(text: str) -> at.TunedKernel:
        source = (
            'def f(x: at.Tensor["n"]):\n    (i,) = at.axes(x)\n'
            f"    value = {text}\n    return at.output[value.axes](value)\n"
        )
        scope: dict[str, Any] = {"at": at}
        exec(source, scope)
        return at.kernel(scope["f"])

    assert definition(first).definition.digest != definition(second).definition.digest


@pytest.mark.parametrize(
    ("size", "known"),
    [
        (0, 1),
        (1, 1),
        (9, 32),
        (129, 1024),
        (1024, 1024),
        (2000, 1024),
        (4096, 4096),
        (8192, 4096),
        (4_000_000, 1 << 20),
    ],
)
def test_sizes_are_rounded_up_and_large_ones_to_the_nearest(size: int, known: int) -> None:
    assert rounded(size) == known
