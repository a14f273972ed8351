"""The file of a bench: `machine`, `versions`, `command` and `rows`, written again after every row."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from autotune.cli.files import writing
from autotune.errors import FormatError, UsageError
from autotune.machine import Machine

IDENTITY = ("kernel", "direction", "size", "dtype", "threads", "trials")


@dataclass
class Results:
    """The rows of one bench on one machine; `path` is None where they are kept in memory only."""

    path: Path | None
    machine: dict[str, Any]
    versions: dict[str, str]
    command: str
    more: dict[str, Any] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    dated: list[dict[str, Any]] = field(default_factory=list)
    """Those of the rows that are to be measured again: they stay until they are, and are not found."""

    @classmethod
    def new(cls, path: Path | None, machine: Machine, versions: Mapping[str, str], command: str) -> Self:
        """Empty results, which replace what the file holds once they are written."""
        return cls(path, {"fingerprint": machine.fingerprint, **machine.to_json()}, dict(versions), command)

    @classmethod
    def open(
        cls,
        path: Path | None,
        machine: Machine,
        versions: Mapping[str, str],
        command: str,
        *,
        refresh: bool,
        anywhere: bool = False,
    ) -> Self:
        """The results in the file, to be added to, or empty ones; to `refresh`, its rows are dated.

        Raises UsageError for results of another machine, unless they would be the same `anywhere`, or of other
        versions, and FormatError for a file that holds something else; to `refresh`, all of these are replaced.
        """
        results = cls.new(path, machine, versions, command)
        if path is not None and path.exists():
            try:
                results._take_over(path, anywhere=anywhere)
            except (UsageError, FormatError):
                if not refresh:
                    raise
        results.dated = list(results.rows) if refresh else []
        return results

    def find(self, identity: Mapping[str, Any]) -> dict[str, Any] | None:
        """The row of that identity, unless it is dated."""
        row = self._held(identity)
        return None if any(row is each for each in self.dated) else row

    def add(self, row: dict[str, Any]) -> None:
        """Add a row, in the place of the one of the same identity, and write the file."""
        before = self._held(row)
        if before is None:
            self.rows.append(row)
        else:
            self.rows[self.rows.index(before)] = row
        self.write()

    def write(self) -> None:
        """Put the file in place."""
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with writing(self.path) as stream:
                json.dump(self.to_json(), stream, indent=1, allow_nan=False, ensure_ascii=False)
                stream.write("\n")

    def to_json(self) -> dict[str, Any]:
        """The content of the file."""
        return {
            "machine": self.machine,
            "versions": self.versions,
            "command": self.command,
            **self.more,
            "rows": self.rows,
        }

    def _held(self, identity: Mapping[str, Any]) -> dict[str, Any] | None:
        wanted = {name: identity[name] for name in IDENTITY}
        return next((row for row in self.rows if {name: row.get(name) for name in IDENTITY} == wanted), None)

    def _take_over(self, path: Path, *, anywhere: bool) -> None:
        try:
            data = json.loads(path.read_bytes())
            rows, machine, versions = list(data["rows"]), data["machine"], data["versions"]
            same = anywhere or machine["fingerprint"] == self.machine["fingerprint"]
        except (ValueError, TypeError, KeyError) as error:
            message = f"{path} holds no results of a bench ({error!r}): name another file, or replace it with --refresh"
            raise FormatError(message) from error
        other = {name for name, version in self.versions.items() if versions.get(name, version) != version}
        if not same or other:
            what = f"other versions of {', '.join(sorted(other))}" if same else f"another machine, {machine['cpu']}"
            message = f"{path} holds results of {what}: name another file, or replace it with --refresh"
            raise UsageError(message)
        self.rows = rows
        self.versions = versions | self.versions  # rows of before may come from packages that are not asked now
        self.more = {key: value for key, value in data.items() if key not in self.to_json()}
