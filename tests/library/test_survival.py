from typing import Any

import jax
import numpy as np

from autotune.library import cox_partial_likelihood
from tests.library.cases import Case, zero_or_one
from tests.library.gates import Gates, LinearGates, SmoothGates, forward, gradient


def log_likelihood(x: Any, beta: Any, delta: Any) -> Any:
    eta = x @ beta
    return (delta * (eta - jax.lax.cumlogsumexp(eta))).sum()


class TestSurvival(Gates, LinearGates, SmoothGates):
    cases = (
        Case(
            cox_partial_likelihood,
            log_likelihood,
            {"n": 7, "p": 3},
            {"delta": zero_or_one},
            linear=("delta",),
            further_sizes=({"n": 97, "p": 2},),
        ),
    )


def test_no_event_says_nothing() -> None:
    (case,) = TestSurvival.cases
    arguments = case.arguments() | {"delta": np.zeros(7)}
    assert forward(case, arguments) == 0
    assert (gradient(case, "beta", arguments, np.array(1.0)) == 0).all()


def test_risks_far_apart_neither_overflow_nor_vanish() -> None:
    (case,) = TestSurvival.cases
    x = np.array([[-900.0], [-850.0], [0.0], [800.0], [-700.0], [900.0], [100.0]])
    arguments = {"x": x, "beta": np.array([1.0]), "delta": np.ones(7)}
    expected = x[:, 0].sum() - np.logaddexp.accumulate(x[:, 0]).sum()
    np.testing.assert_allclose(forward(case, arguments), expected)
    assert np.isfinite(gradient(case, "x", arguments, np.array(1.0))).all()
