"""The first layout: machines, workloads, measurements, winners."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_identity = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_ordered = sa.String().with_variant(sa.String(collation="C"), "postgresql")


def upgrade() -> None:
    """Makes the tables."""
    _machines()
    _workloads()
    _measurements()
    _winners()


def _machines() -> None:
    op.create_table(
        "machines",
        sa.Column("id", _identity, nullable=False),
        sa.Column("fingerprint", sa.String, nullable=False),
        sa.Column("description", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_machines"),
        sa.UniqueConstraint("fingerprint", name="uq_machines_fingerprint"),
    )


def _workloads() -> None:
    op.create_table(
        "workloads",
        sa.Column("id", _identity, nullable=False),
        sa.Column("key", _ordered, nullable=False),
        sa.Column("kernel", sa.String, nullable=False),
        sa.Column("definition", sa.String, nullable=False),
        sa.Column("direction", sa.String, nullable=False),
        sa.Column("extents", sa.String, nullable=False),
        sa.Column("dtype", sa.String, nullable=False),
        sa.Column("threads", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_workloads"),
        sa.UniqueConstraint("key", name="uq_workloads_key"),
    )
    op.create_index("ix_workloads_parts", "workloads", ["kernel", "definition", "direction", "dtype", "threads"])


def _measurements() -> None:
    op.create_table(
        "measurements",
        sa.Column("id", _identity, nullable=False),
        sa.Column("workload_id", _identity, nullable=False),
        sa.Column("machine_id", _identity, nullable=False),
        sa.Column("config", sa.String, nullable=False),
        sa.Column("config_digest", sa.String, nullable=False),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("samples", sa.String, nullable=False),
        sa.Column("seconds", sa.Double, nullable=True),
        sa.Column("error", sa.String, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("versions", sa.String, nullable=False),
        sa.Column("build_seconds", sa.Double, nullable=False),
        sa.Column("stopped_early", sa.Boolean, nullable=False),
        sa.Column("load", sa.Double, nullable=False),
        sa.Column("started", _ordered, nullable=False),
        sa.Column("run", sa.String, nullable=True),
        sa.Column("digest", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_measurements"),
        sa.UniqueConstraint("digest", name="uq_measurements_digest"),
        sa.ForeignKeyConstraint(["workload_id"], ["workloads.id"], name="fk_measurements_workload_id"),
        sa.ForeignKeyConstraint(["machine_id"], ["machines.id"], name="fk_measurements_machine_id"),
    )
    op.create_index("ix_measurements_workload", "measurements", ["workload_id", "id"])
    op.create_index(
        "ix_measurements_summary", "measurements", ["workload_id", "machine_id", "status", "started", "seconds"]
    )
    op.create_index("ix_measurements_started", "measurements", ["started"])
    op.create_index("ix_measurements_run", "measurements", ["run"])


def _winners() -> None:
    op.create_table(
        "winners",
        sa.Column("id", _identity, nullable=False),
        sa.Column("workload_id", _identity, nullable=False),
        sa.Column("machine_id", _identity, nullable=False),
        sa.Column("config", sa.String, nullable=False),
        sa.Column("config_digest", sa.String, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("samples", sa.String, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.Column("default_samples", sa.String, nullable=False),
        sa.Column("default_seconds", sa.Double, nullable=False),
        sa.Column("ratio_low", sa.Double, nullable=False),
        sa.Column("ratio_high", sa.Double, nullable=False),
        sa.Column("versions", sa.String, nullable=False),
        sa.Column("proven", _ordered, nullable=False),
        sa.Column("digest", sa.String, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_winners"),
        sa.UniqueConstraint("digest", name="uq_winners_digest"),
        sa.ForeignKeyConstraint(["workload_id"], ["workloads.id"], name="fk_winners_workload_id"),
        sa.ForeignKeyConstraint(["machine_id"], ["machines.id"], name="fk_winners_machine_id"),
    )
    op.create_index("ix_winners_live", "winners", ["workload_id", "machine_id", "proven", "digest"])
