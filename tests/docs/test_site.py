"""What is put into the pages when the site is built: help of all commands, tables of results; and the examples."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import typer.main

from autotune.cli.app import app

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def pages() -> ModuleType:
    specification = importlib.util.spec_from_file_location("pages", ROOT / "docs" / "site" / "pages.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_every_command_is_in_the_reference(pages: ModuleType) -> None:
    text = pages.on_page_markdown((ROOT / "docs" / "commands.md").read_text())
    groups = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    for name, command in groups.items():
        for path in [name, *(f"{name} {child}" for child in getattr(command, "commands", {}))]:
            assert f"## autotune {path}\n" in text
            assert f"Usage: autotune {path} " in text


@pytest.mark.parametrize("path", sorted((ROOT / "results").glob("*.json")), ids=lambda path: path.name)
def test_every_row_of_results_is_in_its_table(pages: ModuleType, path: Path) -> None:
    rows = json.loads(path.read_text())["rows"]
    if "size" not in rows[0] and "seconds" not in rows[0]:
        pytest.skip("not a table of times")
    page = (ROOT / "docs" / "results.md").read_text()
    assert f"<!-- results: {path.name} -->" in page
    lines = [line for line in pages.results(path).splitlines() if line.startswith("|")]
    assert len(lines) == len(rows) + 2
    assert len({line.count("|") for line in lines}) == 1


def test_every_page_has_its_place() -> None:
    text = (ROOT / "mkdocs.yml").read_text()
    listed = {line.split(": ")[1].strip() for line in text.splitlines() if line.strip().endswith(".md")}
    assert listed == {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}


def test_the_example_of_a_template_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOTUNE_DB", str(tmp_path / "tuning.db"))
    code = (
        "import numpy as np, own_template; x = np.ones((33, 70)); "
        "assert (own_template.column_means(x) == 1).all(); print(own_template.column_means.plan(x).choice.origin)"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=ROOT / "examples", capture_output=True, text=True, check=True)
    assert done.stdout == "default\n"
