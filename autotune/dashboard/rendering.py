"""From an address to what its page shows, read from the database as it is now."""

from collections.abc import Sequence
from typing import Any

from autotune.dashboard.address import Address
from autotune.dashboard.components import Page, alert, not_now
from autotune.dashboard.context import Context
from autotune.dashboard.pages import compare, runs, trial, workload, workloads
from autotune.database import Database, views
from autotune.errors import AutotuneError
from autotune.figures import LIGHT, Theme
from autotune.runtime import TunedKernel

PAGES = {
    "/": runs.render,
    "/workloads": workloads.render,
    "/workload": workload.render,
    "/trial": trial.render,
    "/compare": compare.render,
}
LATER = {
    "gains": workloads.gains,
    "directions": workloads.directions,
    "failures": workloads.failures,
    "statistics": workload.statistics,
    "machines": compare.machines,
}
"""Parts that a page asks for when they come into view."""
GONE = "gone"


def render(address: Address, place: str, theme: Theme = LIGHT, kernels: Sequence[TunedKernel] = ()) -> Page:
    """The page of an address; what cannot be read or shown is a page that says why."""
    make = PAGES.get(address.path)
    if make is None:
        return Page("No such page", [alert(f"There is no page {address.path}.")])
    try:
        with Database.open(place, read_only=True) as database:
            return make(address, Context(database, theme, kernels))
    except AutotuneError as error:
        return Page("autotune", [alert(str(error))])


def render_later(
    part: str, address: Address, place: str, theme: Theme = LIGHT, kernels: Sequence[TunedKernel] = ()
) -> Any:
    """A part of a page that is asked for after the rest of it."""
    try:
        with Database.open(place, read_only=True) as database:
            return LATER[part](address, Context(database, theme, kernels))
    except AutotuneError as error:
        return not_now(part, str(error))


def stamp(place: str) -> str:
    """What is different after every change of the database."""
    try:
        with Database.open(place, read_only=True) as database:
            return views.stamp(database)
    except AutotuneError:
        return GONE


def assembly(identity: int, place: str, kernels: Sequence[TunedKernel]) -> Any:
    """The machine code of a trial and of the default."""
    try:
        with Database.open(place, read_only=True) as database:
            return trial.assemblies(identity, Context(database, LIGHT, kernels))
    except AutotuneError as error:
        return alert(str(error))
