"""Recurrences and those that run back along them, under every policy of what is kept of the states."""

import numpy as np
import pytest

from autotune import lang as at
from autotune.autodiff import derive
from autotune.codegen import Compiled, generate, load, scratch_arguments, write
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
    """Its reverse needs the sum of all states before it can begin, which the recurrence carries along."""
    i, t = at.axes(z)
    total = at.sum(at.scan(lambda s: at.sin(s) + rate * z[i, t], 0, over=t), over=t)
    return at.output[i](total * total)


def centred(z: at.Tensor["m", "t"], rate: at.Scalar) -> at.Output:
    """What lanes have in common at a step is computed from the states of all of them."""
    i, t = at.axes(z)
    level = at.scan(lambda s: at.sin(s) + rate * z[i, t], 0, over=t)
    apart = level - at.mean(level, over=i)
    return at.output[i, t](apart * apart)


KERNELS = [
    derive(define(forced), "vjp:rate"),
    derive(define(forced), "vjp:z"),
    derive(define(forced), "vjp:start"),
    derive(define(reversed_order), "vjp:z"),
    derive(define(shared), "vjp:rate"),
]


def compiled(kernel: Kernel, policy: str) -> Compiled:
    machine = detect()
    workload = Workload.of(kernel, {name: {"t": 40, "m": 40}[name] for name in kernel.extent_names}, "float64")
    config = template_for(workload).default(workload, machine) | {"states": policy}
    return load(write(generate(workload, config, machine)))


def error(kernel: Kernel, code: Compiled, steps: int, lanes: int) -> float:
    """How far what code computes is from the reference, relative to the largest value."""
    workload = Workload.of(kernel, {name: {"t": steps, "m": lanes}[name] for name in kernel.extent_names}, "float64")
    rng = np.random.default_rng(steps)
    arguments = {spec.name: 0.3 * rng.standard_normal(workload.shapes[spec.name]) for spec in kernel.inputs}
    (output,) = kernel.outputs
    out = np.full(workload.shapes[output.name], np.nan)
    given = [float(value) if value.ndim == 0 and name == "rate" else value for name, value in arguments.items()]
    assert code.call(*given, out, *scratch_arguments(code.scratch, "float64")) == 0
    expected = reference.evaluate(kernel, arguments)[output.name]
    return float(np.abs(out - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: f"{kernel.name}-{kernel.direction}")
def test_every_policy_computes_the_gradient(kernel: Kernel, policy: str) -> None:
    code = compiled(kernel, policy)
    for steps in (1, 2, 15, 16, 17, 33, 64, 65):
        for lanes in (1, 3, 8, 19):
            assert error(kernel, code, steps, lanes) <= 1e-12, (steps, lanes)


def test_the_policy_is_a_knob_where_there_is_a_choice() -> None:
    machine = detect()
    workload = Workload.of(KERNELS[0], {"m": 3, "t": 5}, "float64")
    template = template_for(workload)
    assert {knob.name: knob.values for knob in template.space(workload, machine).knobs}["states"] == POLICIES
    assert template.default(workload, machine)["states"] == "recompute"
    kinds = {
        policy: [
            type(scheduled.stage)
            for scheduled in template.schedule(
                workload, template.default(workload, machine) | {"states": policy}, machine
            )
        ]
        for policy in POLICIES
    }
    assert ReplayStage not in kinds["all"]
    assert ReplayStage in kinds["recompute"]
    assert ReplayStage in kinds["every_16"]


@pytest.mark.parametrize("kernel", [define(forced), derive(define(centred), "vjp:z")], ids=["forward", "centred"])
def test_there_is_no_choice_where_all_states_are_needed_anyway(kernel: Kernel) -> None:
    workload = Workload.of(kernel, dict.fromkeys(kernel.extent_names, 4), "float64")
    assert "states" not in [knob.name for knob in template_for(workload).space(workload, detect()).knobs]
