"""Plotly figures of what was measured: the same in notebooks, the report and the dashboard.

Each is a function of what `autotune.database.views` reads, or of the rows of a bench, and takes a `theme`::

    from autotune import figures
    from autotune.database import Database, views

    with Database.open("tuning.db", read_only=True) as database:
        found = views.workloads(database)
        curve = views.curve(database, found[0].workload_id, found[0].machine_id)
    figures.best_so_far([curve], figures.Lines(default=found[0].default_seconds))

They raise `UsageError` where Plotly is not installed (`pip install 'autotune[dashboard]'`).
"""

from autotune.figures.comparison import directions, failures, gains, machines
from autotune.figures.knobs import importance, importances, parallel_coordinates
from autotune.figures.peers import against_peers
from autotune.figures.progress import Lines, best_so_far, predicted
from autotune.figures.theme import DARK, LIGHT, Theme

__all__ = [
    "DARK",
    "LIGHT",
    "Lines",
    "Theme",
    "against_peers",
    "best_so_far",
    "directions",
    "failures",
    "gains",
    "importance",
    "importances",
    "machines",
    "parallel_coordinates",
    "predicted",
]
