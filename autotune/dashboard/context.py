"""What pages work with: the database while a page is made, the theme, and kernels beside those of the library."""

from collections.abc import Sequence
from dataclasses import dataclass

from autotune.database import Database
from autotune.figures import Theme
from autotune.runtime import TunedKernel


@dataclass(frozen=True)
class Context:
    """The database is open for reading, for one page only: one that was replaced in between is read anew."""

    database: Database
    theme: Theme
    kernels: Sequence[TunedKernel] = ()
