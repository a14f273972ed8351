"""Which schedule serves a call, how that is changed and told: options, refresh, near shapes, explain."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import autotune as at
from autotune.database import Database, Winner
from autotune.errors import ShapeError, UsageError
from autotune.machine import detect
from autotune.runtime import Origin
from autotune.schedule import Config
from autotune.templates import template_for
from tests.runtime.winners import stored, winner_of


@at.kernel
def product(a: at.Tensor["m", "k"], b: at.Tensor["k", "n"]):
    i, k = at.axes(a)
    _, j = at.axes(b)
    return at.output[i, j](at.sum(a[i, k] * b[k, j], over=k))


def matrices(m: int, k: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(m + 100 * k + 10000 * n)
    return rng.standard_normal((m, k)), rng.standard_normal((k, n))


def winner(m: int, k: int, n: int, **changed: int) -> tuple[Winner, Config]:
    """A record for a size, its config the default's with some knobs changed."""
    workload = product.workload("forward", {"m": m, "k": k, "n": n}, dtype="float64")
    config = template_for(workload).default(workload, detect()) | changed
    return winner_of(workload, config), config


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    """Each test has a database of its own, so what was read from another's is forgotten."""
    yield
    at.refresh()


@pytest.fixture
def tuned(tmp_path: Path) -> str:
    """The database of this test, with two sizes far apart."""
    return stored(tmp_path / "tuning.db", winner(16, 16, 16)[0], winner(16, 16, 512)[0])


def origin(*arrays: np.ndarray) -> Origin:
    choice = product.plan(*arrays).choice
    assert choice is not None
    return choice.origin


@pytest.mark.usefixtures("tuned")
def test_shapes_near_tuned_ones_are_served_by_the_nearest_at_once() -> None:
    for size in ((16, 16, 16), (17, 15, 18), (16, 16, 500), (12, 20, 9), (3, 16, 17), (16, 2, 400)):
        a, b = matrices(*size)
        np.testing.assert_allclose(product(a, b), a @ b, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(product(a.T.copy().T, b), a @ b, rtol=1e-12, atol=1e-12)
        plan = product.plan(a, b)
        assert dict(plan.workload.extents) == dict(zip("mkn", size, strict=True))
        assert plan.choice is not None
        assert plan.choice.origin is (Origin.TUNED if size == (16, 16, 16) else Origin.NEAREST)
        assert plan.choice.made_for.extent("n") == (512 if size[2] >= 400 else 16)
        assert [result.shape for result in plan.results] == [(size[0], size[2])]


@pytest.mark.usefixtures("tuned")
def test_shapes_that_do_not_fit_are_refused_near_tuned_ones_too() -> None:
    for size in ((16, 16, 16), (17, 16, 16), (18, 16, 16)):
        product(*matrices(*size))
    for wrong in (np.zeros((16, 17)), np.zeros(16), np.zeros((16, 16, 1))):
        with pytest.raises(ShapeError):
            product(wrong, np.zeros((16, 16)))
    assert product(np.zeros((0, 16)), np.zeros((16, 16))).shape == (0, 16)
    assert product(np.zeros((16, 0)), np.zeros((0, 16))).sum() == 0


@pytest.mark.usefixtures("tuned")
def test_threads_call_with_new_shapes_at_the_same_time() -> None:
    product(*matrices(16, 16, 16))
    barrier = threading.Barrier(4)

    def work(first: int) -> None:
        barrier.wait()
        for m in range(20, 60):
            a, b = matrices(m, first + 9, 16)
            np.testing.assert_allclose(product(a, b), a @ b, rtol=1e-12, atol=1e-12)
            if m % 10 == first:
                at.refresh()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))


def test_refresh_picks_up_what_was_tuned_meanwhile(tmp_path: Path) -> None:
    a, b = matrices(16, 16, 16)
    assert origin(a, b) is Origin.DEFAULT
    stored(tmp_path / "tuning.db", winner(16, 16, 16)[0])
    assert origin(a, b) is Origin.DEFAULT
    at.refresh()
    assert origin(a, b) is Origin.TUNED
    np.testing.assert_allclose(product(a, b), a @ b, rtol=1e-12)


def test_options_hold_in_their_block_and_thread(tmp_path: Path) -> None:
    a, b = matrices(16, 16, 16)
    other = stored(tmp_path / "other.db", winner(16, 16, 16)[0])
    with at.options(db=other):
        assert origin(a, b) is Origin.TUNED
        with at.options(threads=2):
            assert product.plan(a, b).workload.threads == 2
            assert product.workload("forward", {"m": 1, "k": 1, "n": 1}).threads == 2
            assert origin(a, b) is Origin.DEFAULT  # nothing was tuned for two threads
        with ThreadPoolExecutor(1) as pool:
            assert pool.submit(origin, a, b).result() is Origin.DEFAULT
            assert pool.submit(copy_context().run, origin, a, b).result() is Origin.TUNED
        assert origin(a, b) is Origin.TUNED
        np.testing.assert_allclose(product(a, b), a @ b, rtol=1e-12)
        out = np.empty((16, 16))
        assert product(a, b, out=out) is out
        np.testing.assert_allclose(out, a @ b, rtol=1e-12)
    assert origin(a, b) is Origin.DEFAULT
    np.testing.assert_allclose(product(a, b), a @ b, rtol=1e-12)


def test_options_decorate_functions_and_end_with_errors(tmp_path: Path) -> None:
    @at.options(db=tmp_path / "other.db", threads=2)
    def fails() -> None:
        assert product.plan(*matrices(2, 3, 4)).workload.threads == 2
        raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            fails()
    assert product.plan(*matrices(2, 3, 4)).workload.threads == 1


@pytest.mark.parametrize("given", [{"threads": 0}, {"threads": True}, {"threads": 1.5}, {"db": ""}])
def test_options_that_are_none_are_refused(given: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"threads must be a whole number|db must be a path"), at.options(**given):  # type: ignore[arg-type]
        pass


@pytest.mark.usefixtures("tuned")
def test_explain_says_what_was_chosen_and_from_what() -> None:
    found = product.explain(*matrices(16, 16, 16))
    assert (found.origin, found.made_for) == (Origin.TUNED, {"m": 16, "k": 16, "n": 16})
    assert found.chosen == found.candidates[0]
    assert found.candidates[0].distance == 0

    near = product.explain(*matrices(18, 16, 300))
    assert (near.origin, near.made_for) == (Origin.NEAREST, {"m": 16, "k": 16, "n": 512})
    assert [one.extents["n"] for one in near.candidates] == [512, 16]
    assert 0 < near.candidates[0].distance < near.candidates[1].distance
    assert near.source is not None
    assert near.source.read_text().startswith('"""product')
    text = str(near)
    assert "of 2 tuned on this machine, m=16, k=16, n=512 is the nearest" in text
    assert str(near.source) in text
    assert "order=" in text
    assert "nearest" in near._repr_html_()


def test_explain_of_a_default_and_of_nothing(tmp_path: Path) -> None:
    found = product.explain(*matrices(5, 6, 7))
    assert (found.origin, found.chosen, found.candidates) == (Origin.DEFAULT, None, ())
    assert "default schedule for extents of about this size, m=8, k=8, n=8" in str(found)
    empty = product.explain(np.zeros((0, 2)), np.zeros((2, 3)))
    assert (empty.origin, empty.config, empty.source) == (None, {}, None)
    assert "nothing to compute" in empty._repr_html_()
    stored(tmp_path / "tuning.db", winner(16, 16, 16, rows=1000)[0])
    at.refresh()
    invalid = product.explain(*matrices(16, 16, 16))
    assert (invalid.origin, len(invalid.candidates)) == (Origin.DEFAULT, 1)
    assert "no tuned schedule fits" in invalid.reason


def test_an_invalid_record_does_not_stand_in_the_way_of_the_next(tmp_path: Path) -> None:
    damaged, _ = winner(16, 16, 16, rows=1000)
    stored(tmp_path / "tuning.db", damaged, winner(16, 16, 512)[0])
    a, b = matrices(16, 16, 16)
    for _ in range(2):
        np.testing.assert_allclose(product(a, b), a @ b, rtol=1e-12, atol=1e-12)
        assert product.explain(a, b).made_for["n"] == 512
        a, b = matrices(17, 16, 16)


def test_another_machines_records_serve_nobody_else(tmp_path: Path) -> None:
    machine = replace(detect(), cpu="another")
    found, _ = winner(16, 16, 16)
    with Database.open(tmp_path / "tuning.db") as database:
        database.set_winner(replace(found, machine=machine.fingerprint), machine)
    assert origin(*matrices(16, 16, 16)) is Origin.DEFAULT
