"""The evaluator against plain Python loops on random kernels, and against NumPy, SciPy and formulas on known ones."""

import numpy as np
from hypothesis import given, settings

from autotune.lang import reference
from tests.lang.interpreter import Interpreter
from tests.lang.strategies import Case, cases


@given(case=cases())
@settings(deadline=None, max_examples=300)
def test_values_are_those_of_plain_loops(case: Case) -> None:
    expected = Interpreter(case.arguments, case.extents).array(case.expr, case.axes)
    got = reference.evaluate(case.kernel, case.arguments)["out"]
    bound = reference.error_bound(case.kernel, case.arguments, "float64")["out"]
    finite = np.isfinite(expected)
    assert got.shape == expected.shape
    np.testing.assert_array_equal(np.isfinite(got), finite)
    assert not (abs(got - expected)[finite] > bound[finite]).any(), (got, expected, bound)
