"""Whether a peer's result is ours, so that no row compares the times of different computations."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Results: TypeAlias = tuple[NDArray[np.float64], ...]

# How far a result may be from ours, as the norm of the difference over ours: far more than rounding, far less than what
# another computation gives. scikit-image projects by another discretization, on purpose.
TOLERANCE = 1e-2
TOLERANCES = {"scikit-image": 0.1}


class OtherResultError(Exception):
    """A peer computes something else than we do."""


def arrays_of(result: Any) -> Results:
    """What a call gives, an array of any library or several, as arrays of NumPy."""
    results = result if isinstance(result, tuple | list) else (result,)
    return tuple(np.asarray(value, np.float64) for value in results)


def check(expected: Results, got: Results, tolerance: float) -> None:
    """Raise OtherResultError unless the norm of each difference is at most `tolerance` of the norm of ours."""
    if [array.shape for array in got] != [array.shape for array in expected]:
        message = f"its result has the shape {', '.join(str(array.shape) for array in got)}"
        raise OtherResultError(message)
    for ours, theirs in zip(expected, got, strict=True):
        difference, size = float(np.linalg.norm((theirs - ours).ravel())), float(np.linalg.norm(ours.ravel()))
        if not difference <= tolerance * size:
            message = f"its result differs from ours by {difference / size if size else difference:.2g} of its norm"
            raise OtherResultError(message)
