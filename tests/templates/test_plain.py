"""The plain template: it takes every kernel, and its nests say what is run."""

import pytest

from autotune.autodiff import derive
from autotune.errors import ConfigError
from autotune.machine import detect
from autotune.schedule import Workload, stages_of
from autotune.templates import ContractionTemplate, PlainTemplate, main_stage, template_for
from autotune.templates.contraction_form import reuses
from tests.constructs import CONSTRUCTS
from tests.kernels import KERNELS

MACHINE = detect()


def workload(name: str, size: int = 16, **extents: int) -> Workload:
    kernel = CONSTRUCTS.get(name) or KERNELS[name]
    return Workload.of(kernel, {extent: extents.get(extent, size) for extent in kernel.extent_names})


@pytest.mark.parametrize("name", CONSTRUCTS)
@pytest.mark.parametrize("size", [1, 7, 100])
def test_every_construct_has_a_default_and_a_nest(name: str, size: int) -> None:
    some, template = workload(name, size), PlainTemplate()
    config = template.default(some, MACHINE)
    template.space(some, MACHINE).check(config)
    schedule = template.schedule(some, config, MACHINE)
    assert all(scheduled.contraction is None and scheduled.plan.vector is None for scheduled in schedule)
    nest = template.nest(some, config, MACHINE)
    assert nest.iterations(len(nest.loops)) >= 1
    axes = {axis for axis, _ in nest.extents}
    assert all(set(access.axes) <= axes for access in (nest.out, *nest.inputs))


def test_a_sum_bound_by_reading_runs_plain_beside_others() -> None:
    """In the gradient of a softmax, rows are summed: no element is read twice."""
    kernel = derive(KERNELS["softmax"], "vjp:x")
    some = Workload.of(kernel, {"rows": 64, "columns": 64})
    assert not any(reuses(stage, some) for stage in stages_of(some))
    schedule = PlainTemplate().schedule(some, {"parallel": "1x1"}, MACHINE)
    assert all(scheduled.contraction is None for scheduled in schedule)


def test_stages_beside_a_contraction_have_no_tiles() -> None:
    some = workload("masked_product", 64)
    template = template_for(some)
    assert isinstance(template, ContractionTemplate)
    schedule = template.schedule(some, template.default(some, MACHINE), MACHINE)
    assert [scheduled.contraction is not None for scheduled in schedule] == [False, True, False]
    assert schedule[1].stage == main_stage(some)


def test_a_nest_reads_each_dimension_along_the_loop_that_moves_furthest() -> None:
    """A window of 3 x 3 onto an image reads about the image, not nine times as much."""
    some = workload("correlated_2d", h=100, w=100, r=3, s=3)
    nest = PlainTemplate().nest(some, {"parallel": "1x1"}, MACHINE)
    image = next(access for access in nest.inputs if access.name == "x")
    assert image.axes == ("p", "q")
    assert dict(nest.extents) == {"p": 34, "q": 105, "r": 3, "s": 3}
    assert [loop.name for loop in nest.loops] == ["p", "r", "s", "q"]  # vectors run along the result


def test_a_config_outside_the_space_is_refused() -> None:
    with pytest.raises(ConfigError):
        PlainTemplate().schedule(workload("running"), {"parallel": "2x1"}, MACHINE)
