"""A sentence on how to read each figure, for pages that show them."""

GAINS = (
    "Each winner against the default schedule, in paired runs; the bar is the 95 % interval of the ratio. Right of 1 "
    "the winner is faster."
)
DIRECTIONS = "Time per call of the winner in each direction, for the same sizes."
MACHINES = "Time per call of the winner on each machine, for workloads tuned on several."
FAILURES = "Measurements that gave no time. Each is recorded with its error; none stops a search."
TRIALS = "Best time so far over trials; a dot is a trial."
TIME = "The same over time; level stretches without dots are pauses between runs."
PREDICTED = "Time that the search expected when it proposed a config, and the time it took."
IMPORTANCE = "How much worse a model of the times becomes when a knob's values are shuffled."
COORDINATES = "A line is a config, blue where it is fast. Drag along an axis to keep those that pass there."
