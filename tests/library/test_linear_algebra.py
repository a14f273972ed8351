from autotune.library import batch_matmul, matmul
from tests.library.cases import Case
from tests.library.gates import Gates, LinearGates, SmoothGates


class TestLinearAlgebra(Gates, LinearGates, SmoothGates):
    cases = (
        Case(matmul, lambda a, b: a @ b, {"m": 3, "k": 5, "n": 4}, linear=("a", "b")),
        Case(batch_matmul, lambda a, b: a @ b, {"b": 2, "m": 3, "k": 5, "n": 4}, linear=("a", "b")),
    )
