"""The tuning database: every measurement as it was made, every winner as it was proven.

Only `find_winners`, `find_shipped` and `Record`, the path of a kernel's first call, are loaded at once, and they need
the standard library only; the rest is loaded on first use, because `Database` brings SQLAlchemy with it.
"""

from typing import TYPE_CHECKING

from autotune.database.lookup import Record, find_winners
from autotune.database.shipped import find_shipped
from autotune.on_use import on_use

if TYPE_CHECKING:
    from autotune.database.exchange import ImportReport
    from autotune.database.store import Database, Summary
    from autotune.database.winner import Winner

__all__ = ["Database", "ImportReport", "Record", "Summary", "Winner", "find_shipped", "find_winners"]

__getattr__ = on_use(
    __name__,
    {
        "Database": "autotune.database.store",
        "ImportReport": "autotune.database.exchange",
        "Summary": "autotune.database.store",
        "Winner": "autotune.database.winner",
    },
)
