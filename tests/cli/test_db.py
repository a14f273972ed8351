"""`db export`, `db import` and `db merge`, and databases that cannot be used."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from autotune.database import Winner
from tests.cli.conftest import Invoke


def test_export_to_standard_output(tuned: Winner, invoke: Invoke) -> None:
    result = invoke("db", "export", "--format", "jsonl", "-")
    assert result.exit_code == 0
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert [line["kind"] for line in lines] == ["measurement"] * 3 + ["winner"]
    for line in lines:
        assert {"workload", "config", "status", "samples", "machine", "versions"} <= line.keys()
    assert lines[-1]["config"] == tuned.config


@pytest.mark.usefixtures("tuned")
def test_export_and_import_of_a_file(database: Path, tmp_path: Path, invoke: Invoke) -> None:
    file = tmp_path / "results.jsonl"
    file.write_text("old\n")
    assert invoke("db", "export", str(file)).stdout == f"4 lines written to {file}\n"
    assert len(file.read_text().splitlines()) == 4
    assert invoke("db", "import", str(file)).stdout == "0 added, 4 already there, 0 rejected\n"
    database.unlink()
    assert invoke("db", "import", str(file)).stdout == "4 added, 0 already there, 0 rejected\n"
    assert invoke("db", "export", "-").stdout == file.read_text()


@pytest.mark.usefixtures("tuned")
def test_rejected_lines_are_explained_and_the_rest_is_taken(database: Path, invoke: Invoke) -> None:
    exported = invoke("db", "export", "-").stdout.splitlines()
    database.unlink()
    result = invoke("db", "import", "-", stdin="\n".join(["not json", *exported, '{"kind": "else"}']))
    assert result.exit_code == 1
    assert result.stdout == "4 added, 0 already there, 2 rejected\n"
    assert result.stderr.startswith("line 1: not JSON")
    assert "line 6: " in result.stderr


@pytest.mark.usefixtures("tuned")
def test_merge(database: Path, tmp_path: Path, invoke: Invoke) -> None:
    other = tmp_path / "other.db"
    assert invoke("db", "merge", str(database), "--db", str(other)).stdout == "4 added, 0 already there, 0 rejected\n"
    assert invoke("db", "merge", str(other)).stdout == "0 added, 4 already there, 0 rejected\n"


@pytest.mark.usefixtures("tuned")
def test_failed_export_leaves_the_file(database: Path, tmp_path: Path, invoke: Invoke) -> None:
    file = tmp_path / "results.jsonl"
    file.write_text("old\n")
    database.write_bytes(b"SQLite format 3\0" + os.urandom(4096))
    assert invoke("db", "export", str(file)).exit_code == 1
    assert file.read_text() == "old\n"
    assert [path.name for path in tmp_path.glob("*.jsonl*")] == ["results.jsonl"]


@pytest.mark.usefixtures("tuned")
def test_export_into_a_folder_that_is_not_there(tmp_path: Path, invoke: Invoke) -> None:
    result = invoke("db", "export", str(tmp_path / "no" / "results.jsonl"))
    assert result.exit_code == 1
    assert "No such file or directory" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.usefixtures("tuned")
def test_export_into_a_device(invoke: Invoke) -> None:
    assert invoke("db", "export", os.devnull).exit_code == 0
    assert not Path(os.devnull).is_file()


def test_import_of_a_file_that_is_not_there(database: Path, tmp_path: Path, invoke: Invoke) -> None:
    result = invoke("db", "import", str(tmp_path / "none.jsonl"))
    assert result.exit_code == 1
    assert "none.jsonl" in result.stderr
    assert not database.exists()


READING = [("db", "export", "-"), ("db", "merge", "DATABASE"), ("show", "matmul")]
WRITING = [("db", "import", os.devnull), ("run", "matmul", "--size", "m=8,n=8,k=8")]


@pytest.mark.parametrize("words", READING)
def test_missing_database(words: tuple[str, ...], database: Path, invoke: Invoke) -> None:
    result = invoke(*(str(database) if word == "DATABASE" else word for word in words))
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"autotune: there is no database {database}")


@pytest.mark.parametrize("words", [*READING, *WRITING])
@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 8000])
def test_damaged_database_is_left_as_it_is(
    words: tuple[str, ...], content: bytes, database: Path, invoke: Invoke
) -> None:
    database.write_bytes(content)
    result = invoke(*(str(database) if word == "DATABASE" else word for word in words))
    assert (result.exit_code, result.stdout) == (1, "")
    assert str(database) in result.stderr
    assert result.stderr.count("\n") == 1
    assert database.read_bytes() == content


@contextmanager
def unprivileged() -> Iterator[None]:
    """Permissions bind in here, also where the tests run as root."""
    if os.geteuid() != 0:
        yield
        return
    os.setresuid(65534, 65534, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


@pytest.mark.usefixtures("tuned")
@pytest.mark.parametrize("words", WRITING)
def test_read_only_database(words: tuple[str, ...], database: Path, invoke: Invoke) -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own are closed to other users
        copy = Path(shutil.copy(database, folder))
        copy.chmod(0o444)
        Path(folder).chmod(0o555)
        with unprivileged():
            result = invoke(*words, "--db", str(copy))
            exported = invoke("db", "export", "-", "--db", str(copy))
        Path(folder).chmod(0o755)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "cannot be" in result.stderr
    assert len(exported.stdout.splitlines()) == 4
