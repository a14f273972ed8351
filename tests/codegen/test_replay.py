"""Recurrences and those that run back along them, under every policy of what is kept of the states."""

import numpy as np
import pytest

from autotune import lang as at
from autotune.autodiff import derive
from autotune.codegen import allocate_scratch, generate, load, write
from autotune.lang import Kernel, define, reference
from autotune.machine import detect
from autotune.schedule import POLICIES, ReplayStage, Workload
from autotune.templates import template_for


def forced(z: at.Tensor["m", "t"], start: at.Tensor["m"], rate: at.Scalar) -> tuple[at.Output, ...]:
    """Two values, one of which needs the other; what it ends with goes into the cotangent of every step."""
    i, t = at.axes(z)
    level, total = at.scan(lambda s, a: (s + rate * at.sin(s) * z[i, t], a + s * s), (start[i], 0.25), over=t)
    return (at.output[i](at.exp(-at.last(level, t) * at.last(total, t)), name="out"),)


def reversed_order(z: at.Tensor["t", "m"], rate: at.Scalar) -> at.Output:
    t, i = at.axes(z)
    level = at.scan(lambda s: at.tanh(s + rate * z[t, i]), 0.5, over=t, reverse=True)
    return at.output[t, i](level * level)


def shared(z: at.Tensor["m", "t"], rate: at.Scalar) -> at.Output:
    """Its reverse needs the sum of all states before it can begin."""
    i, t = at.axes(z)
    total = at.sum(at.scan(lambda s: at.sin(s) + rate * z[i, t], 0, over=t), over=t)
    return at.output[i](total * total)


KERNELS = [
    derive(define(forced), "vjp:rate"),
    derive(define(forced), "vjp:z"),
    derive(define(forced), "vjp:start"),
    derive(define(reversed_order), "vjp:z"),
]


def run(kernel: Kernel, policy: str, steps: int) -> float:
    """How far the kernel under a policy is from the reference, relative to the largest value."""
    machine = detect()
    workload = Workload.of(kernel, {name: {"t": steps, "m": 3}[name] for name in kernel.extent_names}, "float64")
    config = {**template_for(workload).default(workload, machine), "states": policy}
    compiled = load(write(generate(workload, config, machine)))
    rng = np.random.default_rng(steps)
    arguments = {spec.name: rng.standard_normal(workload.shapes[spec.name]) for spec in kernel.inputs}
    (output,) = kernel.outputs
    out = np.full(workload.shapes[output.name], np.nan)
    given = [float(value) if value.ndim == 0 and name == "rate" else value for name, value in arguments.items()]
    assert compiled.call(*given, out, allocate_scratch(compiled.scratch, "float64")) == 0
    expected = reference.evaluate(kernel, arguments)[output.name]
    return float(np.abs(out - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: f"{kernel.name}-{kernel.direction}")
def test_every_policy_computes_the_gradient(kernel: Kernel, policy: str) -> None:
    for steps in (1, 2, 15, 16, 17, 33):
        assert run(kernel, policy, steps) <= 1e-12, steps


def test_the_policy_is_a_knob_where_there_is_a_choice() -> None:
    machine = detect()
    workload = Workload.of(KERNELS[0], {"m": 3, "t": 5}, "float64")
    template = template_for(workload)
    assert {knob.name: knob.values for knob in template.space(workload, machine).knobs}["states"] == POLICIES
    assert template.default(workload, machine)["states"] == "recompute"
    kinds = {
        policy: [type(s.stage) for s in template.schedule(workload, {"parallel": "1x1", "states": policy}, machine)]
        for policy in POLICIES
    }
    assert ReplayStage not in kinds["all"]
    assert ReplayStage in kinds["recompute"]
    assert ReplayStage in kinds["every_16"]


@pytest.mark.parametrize("kernel", [define(forced), derive(define(shared), "vjp:rate")], ids=["forward", "shared"])
def test_there_is_no_choice_where_all_states_are_needed_anyway(kernel: Kernel) -> None:
    workload = Workload.of(kernel, dict.fromkeys(kernel.extent_names, 4), "float64")
    assert [knob.name for knob in template_for(workload).space(workload, detect()).knobs] == ["parallel"]
