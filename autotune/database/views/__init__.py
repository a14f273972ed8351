"""What reports and the dashboard show of a database, aggregated in SQL, so that 10^6 measurements are no burden.

`workloads` lists what was tuned with its winners, `runs` who measured when, `curve` how the best time of a workload
fell, `samples` configs with their times, `trials` and `trial` single measurements, `predictions` what the search
expected. All of them read only, and raise `DatabaseError` where the database fails.
"""

from autotune.database.views.curves import Curve, Point, Step, curve
from autotune.database.views.predictions import Prediction, predictions
from autotune.database.views.runs import Run, count_runs, run, run_names, runs, runs_of, stamp
from autotune.database.views.trials import Sample, Trial, count_trials, every_trial, samples, trial, trials
from autotune.database.views.workloads import Filters, Tuned, machines, proven, tuned, workloads

__all__ = [
    "Curve",
    "Filters",
    "Point",
    "Prediction",
    "Run",
    "Sample",
    "Step",
    "Trial",
    "Tuned",
    "count_runs",
    "count_trials",
    "curve",
    "every_trial",
    "machines",
    "predictions",
    "proven",
    "run",
    "run_names",
    "runs",
    "runs_of",
    "samples",
    "stamp",
    "trial",
    "trials",
    "tuned",
    "workloads",
]
