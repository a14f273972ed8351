"""Several processes at one database, and one that is killed."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

from autotune.database import Database

WRITER = Path(__file__).parent / "writer.py"


def start(url: str, label: str, count: int, environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, WRITER, url, label, str(count)], env=environment, stdout=subprocess.PIPE, text=True
    )


def numbers(database: Database) -> dict[str, list[int]]:
    """The numbers stored under each label."""
    stored: dict[str, list[int]] = {}
    for workload in database.workloads():
        for measurement in database.measurements(workload):
            stored.setdefault(str(measurement.config["label"]), []).append(int(measurement.config["number"]))
    return stored


def test_a_killed_writer_loses_nothing_that_it_stored(tmp_path: Path, environment: dict[str, str]) -> None:
    path = tmp_path / "tuning.db"
    with start(str(path), "killed", 10**9, environment) as writer:
        assert writer.stdout is not None
        said = [int(writer.stdout.readline()) for _ in range(30)]
        writer.kill()
        said += [int(line) for line in writer.stdout if line.endswith("\n")]
    with Database.open(path) as database:
        stored = numbers(database)["killed"]
    assert stored[: len(said)] == said == list(range(len(said)))
    assert len(stored) <= len(said) + 1  # the last may have been stored and not said


def test_writers_that_make_the_database_together_all_store(url: str, environment: dict[str, str]) -> None:
    writers = [start(url, f"writer {number}", 50, environment) for number in range(3)]
    for writer in writers:
        writer.communicate()
    assert [writer.returncode for writer in writers] == [0] * 3
    with Database.open(url, read_only=True) as database:
        stored = numbers(database)
        assert stored == {f"writer {number}": list(range(50)) for number in range(3)}
        assert Counter(summary.counts["ok"] for summary in database.summaries()) == {150: 1}


def test_a_new_file_is_made_by_one_of_several(tmp_path: Path, environment: dict[str, str]) -> None:
    path = tmp_path / "folder" / "tuning.db"
    writers = [start(str(path), str(number), 3, environment) for number in range(3)]
    for writer in writers:
        writer.communicate()
    assert [writer.returncode for writer in writers] == [0] * 3
    with Database.open(path, read_only=True) as database:
        assert numbers(database) == {str(number): [0, 1, 2] for number in range(3)}
