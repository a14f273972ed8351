import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from autotune.errors import UsageError
from autotune.measure import Build, Builder, Status

GOOD = """\
from numba import njit

SCRATCH = 0


@njit("void(float32[:])", cache=True)
def kernel(out):
    out[:] = 1
"""
BAD = {
    "syntax": ("def kernel(:", Status.BUILD_ERROR, "SyntaxError"),
    "raising": ("raise ValueError('no such lane')", Status.BUILD_ERROR, "no such lane"),
    "crashing": ("import ctypes; ctypes.string_at(0)", Status.CRASH, "SIGSEGV"),
    "hanging": ("import time; time.sleep(1000)", Status.TIMEOUT, "longer than 6 s"),
    "greedy": ("bytes(1 << 34)", Status.OUT_OF_MEMORY, "MemoryError"),
}


@pytest.fixture(scope="module")
def builder() -> Iterator[Builder]:
    with Builder(2, timeout=6.0, memory_limit=1 << 32) as running:
        yield running


def write(directory: Path, name: str, text: str) -> Path:
    path = directory / f"{name}.py"
    path.write_text(text)
    return path


def test_one_bad_source_does_not_hurt_the_others(builder: Builder, tmp_path: Path) -> None:
    good = [write(tmp_path, f"good{number}", GOOD) for number in range(4)]
    bad = [write(tmp_path, name, text) for name, (text, _, _) in BAD.items()]
    builds = {build.path: build for build in builder.build([*bad, *good])}
    assert set(builds) == {*good, *bad}
    for path in good:
        assert builds[path] == Build(path=path, status=Status.OK, error="", seconds=builds[path].seconds)
    for name, (_, status, text) in BAD.items():
        build = builds[tmp_path / f"{name}.py"]
        assert build.status is status
        assert text in build.error
        assert build.seconds > 0


def test_builds_come_as_they_finish(builder: Builder, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    waiting = f"import pathlib, time\nwhile not pathlib.Path({str(flag)!r}).exists(): time.sleep(0.01)\n{GOOD}"
    slow = write(tmp_path, "slow", waiting)
    fast = {write(tmp_path, f"fast{number}", GOOD) for number in range(3)}
    builds = builder.build([slow, *fast])
    assert {next(builds).path for _ in fast} == fast
    flag.touch()
    assert next(builds).path == slow


def test_only_the_end_of_a_long_message_is_kept(builder: Builder, tmp_path: Path) -> None:
    path = write(tmp_path, "talkative", "raise ValueError('\\n'.join(map(str, range(1000))))")
    (build,) = builder.build([path])
    assert build.error.splitlines()[-1] == "999"
    assert len(build.error.splitlines()) == 30


def test_stopping_early_leaves_nothing_running(builder: Builder, tmp_path: Path) -> None:
    hanging = write(tmp_path, "hanging", "import time; time.sleep(1000)")
    builds = builder.build([write(tmp_path, "good", GOOD), hanging])
    assert next(builds).status is Status.OK
    builds.close()  # type: ignore[attr-defined]
    start = time.monotonic()
    (build,) = builder.build([write(tmp_path, "next", GOOD)])
    assert build.status is Status.OK
    assert time.monotonic() - start < 1000


def test_building_fills_the_compilers_cache(tmp_path: Path) -> None:
    with Builder(1) as builder:
        (build,) = builder.build([write(tmp_path, "compiled", GOOD)])
    assert build.status is Status.OK
    assert list(tmp_path.glob("__pycache__/*.nbi"))


def test_nothing_to_build(builder: Builder) -> None:
    assert list(builder.build([])) == []


def test_a_builder_has_processes() -> None:
    with pytest.raises(UsageError, match="at least 1 process, not 0"):
        Builder(0)
