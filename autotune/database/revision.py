"""Which layout a database has: the migrations that this version of the package knows."""

from autotune.errors import DatabaseError

# Optuna's tables may live in the same database and have their own `alembic_version`.
VERSION_TABLE = "autotune_alembic_version"
REVISIONS = ("0001",)  # oldest first
HEAD = REVISIONS[-1]


def check_known(revision: str, place: str) -> None:
    """Raises `DatabaseError` for a layout that a newer version of the package has made."""
    if revision not in REVISIONS:
        message = f"database {place} was written by a newer autotune (layout {revision}): upgrade autotune"
        raise DatabaseError(message)


def check_current(revision: str, place: str) -> None:
    """Raises `DatabaseError` for a layout that is not the newest this version of the package knows."""
    check_known(revision, place)
    if revision != HEAD:
        message = f"database {place} has an older layout ({revision}): open it for writing once, which upgrades it"
        raise DatabaseError(message)
