"""Libraries of single fields, where one of their functions computes what a kernel does."""

from functools import partial
from typing import Any

import numpy as np

from autotune.cli.bench.kernels.problem import Problem
from autotune.cli.bench.peers.offered import NotOfferedError
from autotune.lang import FORWARD
from autotune.measure.timing import Call


def with_pot(problem: Problem) -> Call:
    """Sinkhorn: POT's entropic c-transform, which is the kernel but for the term with a."""
    _expect(problem, "sinkhorn_step")
    from ot.stochastic import c_transform_entropic

    cost, a, g, epsilon = problem.inputs.values()
    ones, n = np.ones_like(g), len(a)

    def step() -> object:
        return epsilon * np.log(a) + c_transform_entropic(ones, cost, epsilon, g)[:n]

    return step


def with_scikit_image(problem: Problem) -> Call:
    """Radon: `skimage.transform.radon`, which turns the image instead of the ray, and so gives about the same."""
    if problem.case.kernel == "total_variation_step":
        message = "it denoises by other methods (Chambolle, split Bregman), with no step of gradient descent"
        raise NotOfferedError(message)
    _expect(problem, "radon")
    from skimage.transform import radon

    image, angles, offsets = problem.inputs.values()
    if image.shape != (len(offsets), len(offsets)):
        message = "it projects a square image onto as many offsets as the image has columns"
        raise NotOfferedError(message)
    upwards, degrees = np.ascontiguousarray(image[::-1]), np.degrees(angles)  # its rows count downwards
    project: Any = radon  # it has no annotations
    return lambda: project(upwards, degrees, circle=True, preserve_range=True).T


def with_scikit_survival(problem: Problem) -> Call:
    """Cox: the likelihood that scikit-survival's Newton iteration watches, here of rows that are sorted already."""
    _expect(problem, "cox_partial_likelihood")
    from sksurv.linear_model.coxph import CoxPHOptimizer

    x, beta, delta = problem.inputs.values()
    descending = np.arange(len(x), 0, -1, dtype=np.float64)
    model = CoxPHOptimizer(x, delta.astype(bool), descending, np.zeros_like(beta), "breslow")
    likelihood = partial(model.nlog_likelihood, beta)
    return lambda: -len(x) * likelihood()


def _expect(problem: Problem, kernel: str) -> None:
    """Raise NotOfferedError unless the problem is that kernel's own computation, not a derivative."""
    if (problem.case.kernel, problem.case.direction) != (kernel, FORWARD):
        message = f"it has no function for {problem.case.kernel} {problem.case.direction}"
        raise NotOfferedError(message)
