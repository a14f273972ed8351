"""Stages that recurrences take along: which are, and what is still stored of the states."""

from autotune import lang as at
from autotune.lang import Kernel, define
from autotune.schedule import PointStage, ScanStage, Stage, stages
from autotune.schedule.stages import AnyStage

SIZES = {"m": 5, "t": 7}


def along(kernel: Kernel) -> tuple[AnyStage, ...]:
    return stages(kernel, SIZES)


def stored(scan: AnyStage) -> list[tuple[str, bool]]:
    assert isinstance(scan, ScanStage)
    return [(state.result.name, state.final) for state in scan.states]


def test_a_sum_over_the_steps_is_carried_and_no_state_is_stored() -> None:
    def mean(z: at.Tensor["m", "t"]) -> at.Output:
        i, t = at.axes(z)
        level = at.scan(lambda s: s + z[i, t], 0.0, over=t)
        return at.output[i](at.sum(at.exp(level), over=t))

    (scan,) = along(define(mean))
    assert stored(scan) == [("out", True)]


def test_a_sum_over_steps_and_lanes_is_carried_along_the_steps_only() -> None:
    def whole(z: at.Tensor["m", "t"], w: at.Tensor["m"]) -> at.Output:
        i, t = at.axes(z)
        level = at.scan(lambda s: s + z[i, t], 0.0, over=t)
        return at.output[()](at.sum(w[i] * at.exp(level), over=(i, t)))

    scan, rest = along(define(whole))
    assert isinstance(rest, Stage)
    assert [axis.name for axis in rest.over] == ["m"]
    assert stored(scan) == [(read.tensor, True) for read in rest.reads if read.tensor not in ("out", "w")]


def test_what_is_computed_at_each_step_is_stored_in_place_of_the_state() -> None:
    def levels(z: at.Tensor["m", "t"], w: at.Tensor["m"]) -> at.Output:
        i, t = at.axes(z)
        return at.output[i, t](at.scan(lambda s: s + z[i, t], 0.0, over=t) / w[i])

    (scan,) = along(define(levels))
    assert stored(scan) == [("out", False)]


def test_what_needs_all_steps_stays_a_stage() -> None:
    def apart(z: at.Tensor["m", "t"]) -> at.Output:
        i, t = at.axes(z)
        level = at.scan(lambda s: s + z[i, t], 0.0, over=t)
        return at.output[i, t](level - at.max(level, over=t))

    scan, rest = along(define(apart))
    assert isinstance(rest, PointStage)
    assert [final for _, final in stored(scan)] == [False, True]


def test_a_recurrence_of_one_lane_takes_nothing_along() -> None:
    """It runs over numbers, while what is computed of its states can run over vectors."""

    def logs(z: at.Tensor["t"]) -> at.Output:
        (t,) = at.axes(z)
        return at.output[t](at.log(at.scan(lambda s: s + z[t], 0.0, over=t)))

    scan, rest = along(define(logs))
    assert isinstance(scan, ScanStage)
    assert isinstance(rest, PointStage)
