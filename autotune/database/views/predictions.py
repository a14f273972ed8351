"""What the search expected of the configs that it then measured."""

import json
import math
from dataclasses import dataclass

from sqlalchemy import String, cast, column, select, table

from autotune.database.store import Database
from autotune.database.views.reading import STUDIES, TRIALS, has_table, rows

ATTRIBUTE = "prediction"  # of an Optuna trial: {"seconds": expected, "batch": which, from 0}; the search writes it

_VALUES = table("trial_values", column("trial_id"), column("value"))
_ATTRIBUTES = table("trial_user_attributes", column("trial_id"), column("key"), column("value_json"))


@dataclass(frozen=True)
class Prediction:
    """A trial of a run: in which batch it was proposed, from 0, the seconds that were expected and that it took."""

    number: int
    batch: int
    expected: float
    seconds: float


def predictions(database: Database, run: str, *, limit: int = 2000) -> tuple[Prediction, ...]:
    """The last of the trials of a run whose time was predicted, in the order of their numbers.

    Failed trials have no time; those proposed before anything was known, or at random, have no prediction.
    """
    if not has_table(database, "trial_user_attributes"):
        return ()
    statement = (
        select(TRIALS.c.number, _VALUES.c.value, _ATTRIBUTES.c.value_json)
        .select_from(
            STUDIES.join(TRIALS, TRIALS.c.study_id == STUDIES.c.study_id)
            .join(_VALUES, _VALUES.c.trial_id == TRIALS.c.trial_id)
            .join(_ATTRIBUTES, _ATTRIBUTES.c.trial_id == TRIALS.c.trial_id)
        )
        .where(STUDIES.c.study_name == run, cast(TRIALS.c.state, String) == "COMPLETE", _ATTRIBUTES.c.key == ATTRIBUTE)
        .order_by(TRIALS.c.number.desc())
        .limit(limit)
    )
    found = [_prediction(row["number"], row["value"], row["value_json"]) for row in rows(database, statement)]
    return tuple(prediction for prediction in reversed(found) if prediction is not None)


def _prediction(number: int, seconds: float, written: str) -> Prediction | None:
    """None where the attribute is not what the search writes."""
    try:
        value = json.loads(written)
        batch, expected = int(value["batch"]), float(value["seconds"])
    except (ValueError, TypeError, KeyError):
        return None
    if not (batch >= 0 and math.isfinite(expected) and expected > 0 and seconds > 0):
        return None
    return Prediction(number, batch, expected, seconds)
