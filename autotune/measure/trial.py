"""What happens to a candidate inside the runner's process: load, run, verify, time."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from autotune.machine import fma_rate
from autotune.machine.lines import LINE_BYTES, PAST_LINE_BYTES, to_next_line
from autotune.measure.arguments import Array, Case, case_of
from autotune.measure.measurement import Status
from autotune.measure.timing import Timed, Timing, adaptive, interleaved, no_garbage_collection, rest
from autotune.measure.verification import (
    Guarded,
    WrongResultError,
    check_untouched,
    check_values,
    guard_elements,
    guarded,
    guarded_scratch,
    poison,
)

if TYPE_CHECKING:
    from autotune.schedule import Workload

# First calls are slow for reasons of their own, but not by this much.
LONG_CALL = 10e-3


@dataclass(frozen=True)
class Trial:
    """How a candidate fared: `samples` where `status` is ok, `error` where it is wrong_result."""

    status: Status
    samples: tuple[float, ...] = ()
    error: str = ""
    stopped_early: bool = False


@dataclass(frozen=True)
class Comparison:
    """Samples of several candidates taken in turn, one tuple each; or why there are none."""

    status: Status
    samples: tuple[tuple[float, ...], ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Problem:
    """Arguments of a workload and what must come out.

    `pristine` are copies of the arrays among the arguments, and `outputs` the arrays to be filled, in order, by name.
    """

    case: Case
    pristine: dict[str, Array]
    outputs: dict[str, Guarded]

    def check(self) -> None:
        """Raise WrongResultError unless all outputs are right and nothing else was written."""
        for output in self.outputs.values():
            output.check()
        for name, copy in self.pristine.items():
            check_untouched(name, np.asarray(self.case.arguments[name]), copy)
        for name, output in self.outputs.items():
            shown = name if len(self.outputs) > 1 else ""
            check_values(output.array, self.case.expected[name], self.case.bound[name], shown)


@dataclass(frozen=True)
class Subject:
    """A loaded candidate that is ready to be called on the arguments of a problem."""

    problem: Problem
    scratch: Guarded
    call: Callable[[], int]

    def verify(self) -> float:
        """Call it once with the outputs full of NaN and check all it did; gives the seconds of the call."""
        for output in self.problem.outputs.values():
            poison(output.array)
        start = time.perf_counter()
        refused = self.call()
        seconds = time.perf_counter() - start
        if refused:
            copied = f"argument {refused} is refused although it lies in C order"
            message = copied if refused > 0 else f"check {-refused} fails although all indices are in range"
            raise RuntimeError(message)
        self.check()
        return seconds

    def check(self) -> None:
        """Raise WrongResultError unless the last call left everything as it should."""
        self.scratch.check()
        self.problem.check()


def prepare(workload: "Workload") -> None:
    """Make the arguments and the reference result, which is kept for the candidates of the same workload."""
    problem_of(workload)
    rest()


def calibrate(dtype: str, threads: int) -> float:
    """Floating-point operations per second the machine reaches just now."""
    rest()  # else what the last call's threads take would count as load
    return fma_rate(dtype, threads)


def measure(path: Path, workload: "Workload", timing: Timing, stop_above: float) -> Trial:
    """Verify and time one candidate; raises what loading or calling it raises.

    It is called twice before it is timed, since leftovers of a first call, in the scratch array for one, must not
    matter; and what the timed calls left is checked too, since a race may spare the first two. A call that takes long
    and longer than `stop_above` is not repeated.
    """
    subject = load_subject(path, workload)
    try:
        first = subject.verify()
        if first > max(stop_above, LONG_CALL):
            return Trial(Status.OK, (first,), stopped_early=True)
        subject.verify()
        timed = _time(subject, timing, stop_above)
        subject.check()
    except WrongResultError as error:
        return Trial(Status.WRONG_RESULT, error=str(error))
    return Trial(Status.OK, timed.samples, stopped_early=timed.stopped_early)


def compare(paths: Sequence[Path], workload: "Workload", timing: Timing, pairs: int, seconds: float) -> Comparison:
    """Verify several candidates and time them in turn; raises what loading or calling one raises."""
    subjects = [load_subject(path, workload) for path in paths]
    for path, subject in zip(paths, subjects, strict=True):
        try:
            subject.verify()
        except WrongResultError as error:
            return Comparison(Status.WRONG_RESULT, error=f"{path}: {error}")
    with no_garbage_collection():
        samples = interleaved([subject.call for subject in subjects], timing, pairs=pairs, seconds=seconds)
    return Comparison(Status.OK, samples)


@lru_cache(maxsize=1)
def problem_of(workload: "Workload") -> Problem:
    """Arguments, the same in every process, and the reference result of a workload."""
    kernel, case = workload.kernel, case_of(workload)
    arrays = {name: array for name, array in case.arguments.items() if isinstance(array, np.ndarray)}
    return Problem(
        case=replace(case, arguments=case.arguments | {name: _past_line(array) for name, array in arrays.items()}),
        pristine=arrays,
        outputs={
            output.name: guarded(
                f"the output {output.name}", workload.shapes[output.name], "int64" if output.integer else workload.dtype
            )
            for output in kernel.outputs
        },
    )


def _past_line(array: Array) -> Array:
    """A copy that begins where a program's large arrays do, in every process alike.

    What reads an operand in place is up to 15 % faster where that begins on a line (64x8192x64, Zen 3): left to chance,
    a config wins that loses in programs.
    """
    memory = np.empty(array.nbytes + LINE_BYTES + PAST_LINE_BYTES, np.uint8)
    copy = np.ndarray(array.shape, array.dtype, memory, to_next_line(memory) + PAST_LINE_BYTES)
    copy[...] = array
    return copy


def load_subject(path: Path, workload: "Workload") -> Subject:
    """Load a candidate; its scratch array is full of NaN, so that what is read before it is written shows."""
    from autotune.codegen import allocate_scratch, load  # brings Numba, which only the child processes need

    problem = problem_of(workload)
    compiled = load(path)
    room = compiled.scratch + 2 * guard_elements(workload.dtype)
    scratch = guarded_scratch(allocate_scratch(room, workload.dtype))
    outputs = [output.array for output in problem.outputs.values()]
    call = partial(
        compiled.call, *problem.case.arguments.values(), *outputs, *([scratch.array] if compiled.scratch else [])
    )
    return Subject(problem, scratch, call)


def _time(subject: Subject, timing: Timing, stop_above: float) -> Timed:
    with no_garbage_collection():
        return adaptive(subject.call, timing, stop_above=stop_above)
