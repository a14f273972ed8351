"""What the search expected of a config is kept with its trial, in seconds."""

import math
from pathlib import Path

import optuna
import pytest

from autotune.database import Database
from autotune.database.views import predictions
from autotune.schedule import Config, Knob, Space
from autotune.search import Sampler
from autotune.search.proposer import Proposer
from autotune.search.sampler import distributions

SPACE = Space((Knob("rows", tuple(range(1, 17))), Knob("depth", tuple(range(1, 17)))))
DEFAULT: Config = {"rows": 1, "depth": 1}
BATCH = 8


def time_of(config: Config) -> float:
    return 1e-4 * math.exp(0.02 * (int(config["rows"]) - 11) ** 2 + 0.01 * (int(config["depth"]) - 4) ** 2)


@pytest.mark.parametrize("worth", [time_of, lambda _: 1.0, lambda config: -time_of(config)])
def test_are_kept_for_times(worth: object, tmp_path: Path) -> None:
    with Database.open(tmp_path / "tuning.db") as database:
        storage = optuna.storages.RDBStorage(database.url)
        sampler = Sampler(SPACE, Proposer(SPACE, default=DEFAULT), batch=BATCH)
        study = optuna.create_study(storage=storage, study_name="run", sampler=sampler)
        for _ in range(5):
            trials = [study.ask(distributions(SPACE)) for _ in range(BATCH)]
            for trial in trials:
                study.tell(trial, worth(trial.params))  # type: ignore[operator]
        storage.remove_session()
        storage.engine.dispose()
        found = predictions(database, "run")
    if worth is not time_of:  # of equal values and of what is no time nothing can be expected
        assert found == ()
        return
    assert {each.batch for each in found} == {1, 2, 3, 4}  # before the first there is nothing to learn from
    late = [each for each in found if each.batch == 4]
    assert len(late) == BATCH
    for each in late:
        assert each.expected == pytest.approx(each.seconds, rel=0.3)
