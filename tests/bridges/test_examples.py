"""The examples run, and train as the frameworks do."""

import sys
from collections.abc import Iterator
from pathlib import Path
from runpy import run_path
from typing import Any

import jax
import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def _as_a_script(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An example imports what lies beside it, and runs with JAX as it comes."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("AUTOTUNE_THREADS", "1")  # which they set, too
    with jax.enable_x64(False):
        yield


def losses(found: dict[str, Any]) -> np.ndarray:
    """Of each contestant, a row of them."""
    return np.array([each.losses for each in found.values()])


@pytest.mark.usefixtures("_as_a_script", "_interpreted")
def test_a_transformer() -> None:
    found = losses(run_path(str(EXAMPLES / "transformer" / "train.py"))["main"](["--steps", "3", "--small"]))
    assert found.shape == (2, 3)
    np.testing.assert_allclose(found[0], found[1], rtol=2e-6)


@pytest.mark.usefixtures("_as_a_script", "_interpreted")
@pytest.mark.parametrize("name", ["calibrate", "asian"])
def test_calibrations(name: str) -> None:
    size = ["--options", "100"] if name == "calibrate" else ["--paths", "64"]
    found = losses(run_path(str(EXAMPLES / "option_calibration" / f"{name}.py"))["main"](["--steps", "5", *size]))
    assert found.shape == (4, 5)
    assert (found[:, -1] < found[:, 0]).all()
    np.testing.assert_allclose(found, np.broadcast_to(found[0], found.shape), rtol=1e-4)
