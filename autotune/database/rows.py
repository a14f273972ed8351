"""Measurements and winners as the values of a row, and back."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from autotune.database import canonical, fields
from autotune.database.winner import Winner
from autotune.database.workload_key import WorkloadKey
from autotune.measure.measurement import Measurement, Status

Values = dict[str, Any]


@lru_cache(maxsize=256)  # a batch is of few workloads
def workload_values(key: str) -> Values:
    """The row of a workload; raises `FormatError` where `key` is none."""
    parts = WorkloadKey.parse(key)
    return {
        "key": key,
        "kernel": parts.kernel,
        "definition": parts.definition,
        "direction": parts.direction,
        "extents": canonical.dumps(parts.extents),
        "dtype": parts.dtype,
        "threads": parts.threads,
    }


def machine_values(fingerprint: str, description: Mapping[str, Any]) -> Values:
    """The row of a machine; raises `FormatError` where the description is not JSON."""
    return {
        "fingerprint": fields.text(fingerprint, where="fingerprint of a machine"),
        "description": canonical.dumps(description),
    }


def measurement_values(measurement: Measurement, run: str | None) -> Values:
    """The row of a measurement, without its workload and machine; raises `FormatError` for what no row can hold."""
    values = {
        **_config_values(measurement.config),
        "status": Status(measurement.status).value,
        "samples": canonical.dumps([float(sample) for sample in measurement.samples]),
        "seconds": float(measurement.seconds) if measurement.samples else None,
        "error": fields.storable(measurement.error),
        "source": fields.text(measurement.source, where="source of a measurement"),
        "versions": canonical.dumps(fields.versions(measurement.versions)),
        "build_seconds": float(measurement.build_seconds),
        "stopped_early": bool(measurement.stopped_early),
        "load": float(measurement.load),
        "started": fields.moment(measurement.started, where="started of a measurement"),
    }
    # The run is no part of the identity: the same measurement stays the same under another name of its run.
    digest = _digest(values, workload=measurement.workload, machine=measurement.machine)
    return values | {"digest": digest, "run": None if run is None else fields.text(run, where="run of a measurement")}


def winner_values(winner: Winner) -> Values:
    """The row of a winner, without its workload and machine; raises `FormatError` for what no row can hold."""
    values = {
        **_config_values(winner.config),
        "source": fields.text(winner.source, where="source of a winner"),
        "samples": canonical.dumps([float(sample) for sample in winner.samples]),
        "seconds": float(winner.seconds),
        "default_samples": canonical.dumps([float(sample) for sample in winner.default_samples]),
        "default_seconds": float(winner.default_seconds),
        "ratio_low": float(winner.ratio_low),
        "ratio_high": float(winner.ratio_high),
        "versions": canonical.dumps(fields.versions(winner.versions)),
        "proven": fields.moment(winner.proven, where="proven of a winner"),
    }
    return values | {"digest": _digest(values, workload=winner.workload, machine=winner.machine)}


def measurement_of(row: Mapping[str, Any]) -> Measurement:
    """The measurement of a row with its workload's `key` and its machine's `fingerprint`; raises `FormatError`."""
    return Measurement.from_json(
        {
            "workload": row["key"],
            "machine": row["fingerprint"],
            "config": fields.stored_config(row["config"], row["config_digest"]),
            "samples": canonical.loads(row["samples"]),
            "versions": canonical.loads(row["versions"]),
            **{name: row[name] for name in ("status", "error", "source", "started")},
            **{name: row[name] for name in ("build_seconds", "stopped_early", "load")},
        }
    )


def winner_of(row: Mapping[str, Any]) -> Winner:
    """The winner of a row with its workload's `key` and its machine's `fingerprint`; raises `FormatError`."""
    return Winner.from_json(
        {
            "workload": row["key"],
            "machine": row["fingerprint"],
            "config": fields.stored_config(row["config"], row["config_digest"]),
            "samples": canonical.loads(row["samples"]),
            "default_samples": canonical.loads(row["default_samples"]),
            "versions": canonical.loads(row["versions"]),
            **{name: row[name] for name in ("source", "ratio_low", "ratio_high", "proven")},
        }
    )


def _config_values(config: Mapping[str, object]) -> Values:
    written = canonical.dumps(fields.config(config))
    return {"config": written, "config_digest": canonical.digest(written)}


def _digest(values: Values, *, workload: str, machine: str) -> str:
    return canonical.digest(canonical.dumps(values | {"workload": workload, "machine": machine}))
