"""The tuning database: every measurement as it was made, every winner as it was proven.

Only `find_winners` and `Record`, the path of a kernel's first call, are loaded at once, and they need the standard
library only; the rest is loaded on first use, because `Database` brings SQLAlchemy with it.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from autotune.database.lookup import Record, find_winners

if TYPE_CHECKING:
    from autotune.database.exchange import ImportReport
    from autotune.database.store import Database, Summary
    from autotune.database.winner import Winner

__all__ = ["Database", "ImportReport", "Record", "Summary", "Winner", "find_winners"]

_LOADED_ON_USE = {
    "Database": "autotune.database.store",
    "ImportReport": "autotune.database.exchange",
    "Summary": "autotune.database.store",
    "Winner": "autotune.database.winner",
}


def __getattr__(name: str) -> object:
    if name not in _LOADED_ON_USE:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(_LOADED_ON_USE[name]), name)
