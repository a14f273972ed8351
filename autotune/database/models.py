"""The tables.

JSON is kept as text and parsed row by row, so that one damaged value never stops a query. Rows of `measurements` and
`winners` are only ever added; `digest` is the identity of a row's content, which makes adding it twice a no-op.
"""

from sqlalchemy import BigInteger, Double, ForeignKey, Index, Integer, MetaData, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# SQLite gives out row ids only for a column that is declared INTEGER.
_Identity = BigInteger().with_variant(Integer, "sqlite")
# Times are compared as text, which needs the order of the bytes: SQLite's own, but not every server's.
_Ordered = String().with_variant(String(collation="C"), "postgresql")


class Base(DeclarativeBase):
    """Base of all tables; constraint names are fixed, so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


class MachineRow(Base):
    """A machine: its fingerprint and its description as JSON."""

    __tablename__ = "machines"

    id: Mapped[int] = mapped_column(_Identity, primary_key=True)
    fingerprint: Mapped[str] = mapped_column(unique=True)
    description: Mapped[str]


class WorkloadRow(Base):
    """A workload: its key, and the key's parts as columns; `extents` is JSON."""

    __tablename__ = "workloads"
    __table_args__ = (Index("ix_workloads_parts", "kernel", "definition", "direction", "dtype", "threads"),)

    id: Mapped[int] = mapped_column(_Identity, primary_key=True)
    key: Mapped[str] = mapped_column(_Ordered, unique=True)
    kernel: Mapped[str]
    definition: Mapped[str]
    direction: Mapped[str]
    extents: Mapped[str]
    dtype: Mapped[str]
    threads: Mapped[int]


class MeasurementRow(Base):
    """A measurement; `config`, `samples` and `versions` are JSON, `seconds` is the median of the samples.

    `run` names the run or the Optuna study that made it, where one did.
    """

    __tablename__ = "measurements"
    __table_args__ = (
        Index("ix_measurements_workload", "workload_id", "id"),
        # Holds all that counting and ranking need, so that a summary of 10^6 rows never reads the rows.
        Index("ix_measurements_summary", "workload_id", "machine_id", "status", "started", "seconds"),
        Index("ix_measurements_started", "started"),
        Index("ix_measurements_run", "run"),
    )

    id: Mapped[int] = mapped_column(_Identity, primary_key=True)
    workload_id: Mapped[int] = mapped_column(ForeignKey("workloads.id"))
    machine_id: Mapped[int] = mapped_column(ForeignKey("machines.id"))
    config: Mapped[str]
    config_digest: Mapped[str]
    status: Mapped[str]
    samples: Mapped[str]
    seconds: Mapped[float | None] = mapped_column(Double)
    error: Mapped[str]
    source: Mapped[str]
    versions: Mapped[str]
    build_seconds: Mapped[float] = mapped_column(Double)
    stopped_early: Mapped[bool]
    load: Mapped[float] = mapped_column(Double)
    started: Mapped[str] = mapped_column(_Ordered)
    run: Mapped[str | None]
    digest: Mapped[str] = mapped_column(unique=True)


class WinnerRow(Base):
    """A winner; of those of a workload on a machine, the one proven last counts and the others are its history."""

    __tablename__ = "winners"
    __table_args__ = (Index("ix_winners_live", "workload_id", "machine_id", "proven", "digest"),)

    id: Mapped[int] = mapped_column(_Identity, primary_key=True)
    workload_id: Mapped[int] = mapped_column(ForeignKey("workloads.id"))
    machine_id: Mapped[int] = mapped_column(ForeignKey("machines.id"))
    config: Mapped[str]
    config_digest: Mapped[str]
    source: Mapped[str]
    samples: Mapped[str]
    seconds: Mapped[float] = mapped_column(Double)
    default_samples: Mapped[str]
    default_seconds: Mapped[float] = mapped_column(Double)
    ratio_low: Mapped[float] = mapped_column(Double)
    ratio_high: Mapped[float] = mapped_column(Double)
    versions: Mapped[str]
    proven: Mapped[str] = mapped_column(_Ordered)
    digest: Mapped[str] = mapped_column(unique=True)
