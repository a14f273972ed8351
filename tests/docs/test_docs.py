"""The Python blocks of README.md and docs/ run, those of a file one after another in one namespace."""

import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import autotune as at
from autotune.codegen import generate, write
from autotune.machine import Machine
from autotune.runtime import Choice, Plan, dispatch
from autotune.runtime.plan import empty_plan
from autotune.schedule import Workload

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def _apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """A database of its own, and a `tune` that looks at its arguments alone: searching takes minutes."""
    monkeypatch.setenv("AUTOTUNE_DB", str(tmp_path / "tuning.db"))
    caplog.set_level(logging.ERROR, "autotune")

    def tune(kernel: at.TunedKernel, *, trials: int = 64, dtype: str = "float32", **shapes: Any) -> None:
        assert trials > 0
        for direction in kernel.tuned_directions:
            kernel.workload(direction, kernel.extents(shapes), dtype=dtype)

    monkeypatch.setattr(at.TunedKernel, "tune", tune)
    at.refresh()
    yield
    at.refresh()


def by_reference(workload: Workload, choice: Choice, machine: Machine) -> Plan:
    """The plan of a call whose code is generated, but not compiled, which takes seconds: the reference computes."""
    return replace(empty_plan(workload), choice=choice, path=write(generate(choice.made_for, choice.config, machine)))


@pytest.mark.usefixtures("_apart")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_blocks_run(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of README.md by generated code."""
    if page.name != "README.md":
        monkeypatch.setattr(dispatch, "compiled_plan", by_reference)
    text = page.read_text()
    scope: dict[str, Any] = {"__name__": page.stem}
    for block in BLOCK.finditer(text):
        line = text[: block.start()].count("\n") + 1
        exec(compile("\n" * line + block.group(1), str(page), "exec"), scope)


def test_pages_that_link_to_each_other_are_there() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", CODE.sub("", page.read_text())):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
