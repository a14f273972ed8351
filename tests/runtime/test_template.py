"""Templates of a user's own: what they compute, how they are checked, and what is refused."""

import importlib.util
import json
import os
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import autotune as at
from autotune.codegen import generate, write
from autotune.errors import ConfigError, DefinitionError, DifferentiationError
from autotune.machine import detect
from autotune.measure import Status, Timing
from autotune.measure.trial import measure
from autotune.runtime import Origin
from autotune.schedule import Workload
from autotune.templates import template_for
from tests.runtime import own_templates

TIMING = Timing()


def _workload(kernel: at.TunedKernel, threads: int = 1, **extents: int) -> Workload:
    return kernel.workload("forward", extents, threads=threads)


def test_a_call_takes_any_strides_dtype_and_out() -> None:
    x = np.random.default_rng(1).standard_normal((7, 30))
    for given in (x, x.astype(np.float32), x[::-1, ::3], np.asfortranarray(x), x[:0]):
        found = own_templates.row_means(given, 0.5)
        assert found.dtype == given.dtype
        np.testing.assert_allclose(found, given.mean(axis=1) + 0.5, rtol=1e-5)
    out = np.empty((7, 2))
    assert own_templates.row_means(x, 0.5, out=out[:, 1]) is not None
    np.testing.assert_allclose(out[:, 1], x.mean(axis=1) + 0.5)


def test_space_default_and_constraints_are_the_templates_own() -> None:
    workload = _workload(own_templates.row_means, rows=3, cols=4)
    template = template_for(workload)
    space = template.space(workload, detect())
    assert space.size == 5
    assert template.default(workload, detect()) == {"step": 2, "order": "forward"}
    with pytest.raises(ConfigError, match="four at a time only forward"):
        generate(workload, {"step": 4, "order": "backward"}, detect())
    wide, narrow = (_workload(own_templates.parallel_sums, m=3, n=n) for n in (64, 5))
    assert [template_for(each).space(each, detect()).size for each in (wide, narrow)] == [3, 1]
    assert template_for(narrow).default(narrow, detect()) == {"width": 4}


@pytest.mark.parametrize(
    ("fault", "status", "said"),
    [
        ("none", Status.OK, ""),
        ("value", Status.WRONG_RESULT, "1 of 33 elements are wrong"),
        ("input", Status.WRONG_RESULT, "modifies its input x"),
        ("outside", Status.WRONG_RESULT, "writes outside the output out"),
    ],
)
def test_candidates_are_checked_against_the_reference(fault: str, status: Status, said: str) -> None:
    workload = _workload(own_templates.faulty_means, rows=33, cols=100)
    path = write(generate(workload, {"fault": fault}, detect()))
    trial = measure(path, workload, TIMING, stop_above=0.0)
    assert trial.status is status
    assert said in trial.error


def test_several_outputs_some_of_them_whole_numbers() -> None:
    values, below = own_templates.clip(np.array([3.0, -1.0, 2.0]))
    np.testing.assert_array_equal(values, [3, 0, 2])
    np.testing.assert_array_equal(below, [0, 1, 0])
    assert below.dtype == np.int64


def test_a_reference_in_index_notation_brings_its_gradients() -> None:
    assert own_templates.parallel_sums.directions == own_templates.scaled_sums.directions
    x = np.random.default_rng(2).standard_normal((5, 40))
    y, pullback = at.vjp(own_templates.parallel_sums, x, 3.0)
    np.testing.assert_allclose(y, 3 * x.sum(axis=1))
    x_bar, _ = pullback(np.arange(5.0))
    np.testing.assert_allclose(x_bar, np.broadcast_to(3 * np.arange(5.0)[:, None], x.shape))
    assert own_templates.parallel_sums.definition.digest != own_templates.scaled_sums.definition.digest


def test_a_function_has_no_gradients() -> None:
    assert own_templates.row_means.directions == ("forward",)
    with pytest.raises(DifferentiationError, match="define it in index notation"):
        own_templates.row_means.dispatch("vjp:x")


def test_pickles_name_where_it_is_defined() -> None:
    workload = _workload(own_templates.row_means, rows=3, cols=4)
    assert pickle.loads(pickle.dumps(workload)) == workload
    code = "import pickle, sys; print(pickle.loads(sys.stdin.buffer.read()).kernel.own.origin.name)"
    done = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(workload), capture_output=True, check=True)
    assert done.stdout.decode().strip() == "row_means"


HEAD = """
import numpy as np
from numba import njit
import autotune as at

def twice(x: at.Tensor["n"]) -> at.Tensor["n"]:
    return {reference}

"""
BODY = """
def doubled(k):
    @njit
    def compute(x, out):
        for i in range(x.size):
            out[i] = k * x[i] / {divisor}
    return compute
"""


def _module(path: Path, decorator: str, reference: str = "2 * x", divisor: str = "(k / 2)") -> ModuleType:
    path.write_text(HEAD.format(reference=reference) + decorator + BODY.format(divisor=divisor))
    specification = importlib.util.spec_from_file_location(path.stem, path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[path.stem] = module
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("decorator", "said"),
    [
        (
            '@at.template(twice, knobs={"j": (1, 2)})',
            "template doubled has a parameter 'k'; it takes j, dtype, threads",
        ),
        ('@at.template(twice, knobs={"k": (2, 1)})', "the values of ordered knob 'k' must increase"),
        ('@at.template(twice, knobs={"k": ()})', "knob 'k' has no values"),
        (
            '@at.template(twice, knobs={"k": (1,)}, constraints={"small": lambda n: n < 4})',
            "constraint 'small' takes none of the knobs",
        ),
        (
            '@at.template(twice, knobs={"k": (1,)}, constraints={"small": lambda k, m: k < m})',
            "template doubled: constraint 'small' has a parameter 'm'; it takes k, n",
        ),
        ('@at.template(twice, knobs={"k": (1,)}, terms=("m",))', "terms names 'm', which is no extent of an input"),
        ('@at.template(3, knobs={"k": (1,)})', "the reference must be a kernel or a function of arrays, not 3"),
        ("@at.template(lambda x: x, knobs={'k': (1,)})", "parameter x has no annotation"),
    ],
)
def test_what_does_not_fit_together_is_refused(decorator: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(DefinitionError) as caught:
        _module(tmp_path / "refused.py", decorator + "\n")
    assert "doubled" in str(caught.value)
    assert said in str(caught.value)


def test_a_template_inside_a_function_is_refused() -> None:
    def build(step: int) -> Any:
        return step

    with pytest.raises(DefinitionError, match="move it to the top level of its file"):
        at.template(own_templates.running_means, knobs={"step": (1, 2)})(build)


def test_a_reference_that_does_not_return_what_it_declares(tmp_path: Path) -> None:
    module = _module(tmp_path / "shapeless.py", '@at.template(twice, knobs={"k": (1, 2)})\n', reference="x.sum()")
    workload = _workload(module.doubled, n=10)
    path = write(generate(workload, {"k": 1}, detect()))
    with pytest.raises(at.AutotuneError, match=r"returned float64 of shape \(\), but is declared to return real"):
        measure(path, workload, TIMING, stop_above=0.0)


def test_another_text_is_another_kernel_and_code_compiled_before_is_not_run(tmp_path: Path) -> None:
    decorator = '@at.template(twice, knobs={"k": (1, 2)})\n'
    path = tmp_path / "edited.py"
    first = _module(path, decorator).doubled
    stale = pickle.dumps(first.definition)
    np.testing.assert_array_equal(first(np.ones(3)), np.full(3, 2.0))
    second = _module(path, decorator, reference="4 * x", divisor="(k / 4)").doubled
    assert first.definition.digest != second.definition.digest
    np.testing.assert_array_equal(second(np.ones(3)), np.full(3, 4.0))
    with pytest.raises(DefinitionError, match="has changed since it was loaded; start again"):
        pickle.loads(stale)
    path.write_text(path.read_text() + "\n# a comment\n")
    assert _module(path, decorator, reference="4 * x", divisor="(k / 4)").doubled.definition == second.definition


def test_tuned_by_the_command_and_looked_up_by_a_new_process(tmp_path: Path) -> None:
    """The path of a built-in kernel: builders, runner, database, proof, lookup; on two threads, from a script."""
    script = tmp_path / "program.py"
    text = Path(own_templates.__file__).read_text()
    script.write_text(
        text
        + textwrap.dedent(
            """
            if __name__ == "__main__":
                x = np.ones((64, 96), np.float32)
                assert (parallel_sums(x, 2.0) == 192).all()
                plan = parallel_sums.plan(x, 2.0)
                print(plan.choice.origin, plan.choice.config["width"], plan.call is not None)
            """
        )
    )
    words = ["--size", "m=64,n=96", "--direction", "forward", "--threads", "2", "--trials", "2", "--json"]
    run = [sys.executable, "-m", "autotune", "run", f"{script}:parallel_sums", *words]
    (row,) = json.loads(subprocess.run(run, capture_output=True, text=True, check=True).stdout)["rows"]
    assert row["statuses"]["ok"] >= 2
    assert row["proven"]
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=True, env=_environment(threads="2")
    )
    assert done.stdout.split() == [Origin.TUNED, str(row["config"]["width"]), "True"]
    assert done.stderr == ""


def _environment(**settings: str) -> dict[str, str]:
    return os.environ | {f"AUTOTUNE_{name.upper()}": value for name, value in settings.items()}
