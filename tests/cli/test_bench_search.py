"""`bench search`: the score against what it is defined by, replays of a small table, and files that are no tables."""

import gzip
import itertools
import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from autotune.cli.bench.search import outcome
from autotune.cli.bench.search.runs import Run
from autotune.cli.bench.search.score import Course, baseline, best_so_far
from autotune.cli.bench.search.strategies import STRATEGIES
from autotune.cli.bench.search.tables import Table, load
from tests.cli.conftest import Invoke

HEADER = "block,tile,kind,time_ms"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A table of 200 configs, a tenth of which failed, and one without failures."""
    folder = tmp_path / "spaces"
    folder.mkdir()
    for name, failures in (("one", True), ("two", False)):
        lines = [HEADER]
        for block, tile, kind in itertools.product((16, 32, 64, 128, 256), range(1, 21), ("ab", "cd")):
            time = 1 + abs(np.log2(block) - 6) + 0.1 * (tile - 13) ** 2 + (kind == "ab") * 0.3
            failed = failures and block == 256 and tile > 10
            lines.append(f"{block},{tile},{kind},{'' if failed else round(float(time), 4)}")
        with gzip.open(folder / f"{name}.csv.gz", "wt") as stream:
            stream.write("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def table(folder: Path) -> Table:
    return load(folder / "one.csv.gz")


def test_a_table_is_read_as_it_is(table: Table) -> None:
    assert table.rows.shape == (200, 3)
    assert np.isinf(table.times).sum() == 20
    config = {"block": 64, "tile": 13, "kind": "cd"}
    assert table.times[table.places[table.space.indices([config])[0].tobytes()]] == table.times.min() == 1.0


def test_the_baseline_is_the_mean_best_of_all_draws() -> None:
    times = np.array([1.0, 2.0, 2.0, 5.0, 9.0])
    expected = [np.mean([min(draw) for draw in itertools.combinations(times, count)]) for count in range(1, 6)]
    assert np.allclose(baseline(times, 7), [*expected, 1.0, 1.0])


def test_random_search_scores_0_and_the_optimum_at_once_1() -> None:
    valid = np.random.default_rng(1).lognormal(size=500)
    made = Table("made", None, np.zeros((500, 1), dtype=np.int64), valid)  # type: ignore[arg-type]
    course = Course.of(made, 100)
    rng = np.random.default_rng(0)
    curves = np.array([best_so_far(made, rng.permutation(500), 100) for _ in range(4000)])
    assert course.score(curves) == pytest.approx(0, abs=0.03)
    assert course.score(np.full((1, 100), valid.min())) == 1.0
    assert course.gains(curves).mean() == pytest.approx(course.score(curves))


def test_before_the_first_valid_config_the_curve_is_the_worst_time(table: Table) -> None:
    failed = np.flatnonzero(np.isinf(table.times))[:2]
    best = int(table.times.argmin())
    curve = best_so_far(table, np.array([*failed, best]), 5)
    assert curve.tolist() == [table.worst, table.worst, 1.0, 1.0, 1.0]


@pytest.mark.parametrize("name", ["ours", "random", "tpe", "kt_genetic_algorithm"])
def test_a_strategy_evaluates_valid_configs_once_each_and_repeatably(name: str, table: Table) -> None:
    if not STRATEGIES[name].installed:
        pytest.skip(f"needs {STRATEGIES[name].package}")
    search = STRATEGIES[name].search
    places = list(search(table, 14, 3))
    assert len(set(places)) == len(places) == 14
    assert all(0 <= place < 200 for place in places)
    assert list(search(table, 14, 3)) == places


def test_ours_is_much_better_than_chance_and_results_are_kept(folder: Path, tmp_path: Path, invoke: Invoke) -> None:
    file = tmp_path / "search.json"
    words = ("bench", "search", "--spaces", str(folder), "--budget", "10,20", "--json", str(file))
    assert invoke(*words, "--repeats", "2", "--strategies", "ours,random").exit_code == 0
    before = json.loads(file.read_text())
    result = invoke(*words, "--repeats", "3", "--strategies", "random", "--plot")
    assert result.exit_code == 0, result.stderr
    found = json.loads(file.read_text())
    rows = {(row["space"], row["strategy"], row["budget"]): row for row in found["rows"]}
    assert {"machine", "versions", "command", "rows"} <= found.keys()
    assert {row["repeats"] for row in rows.values() if row["strategy"] == "random"} == {3}
    ours, kept = ([row for row in each["rows"] if row["strategy"] == "ours"] for each in (before, found))
    assert ours == kept
    mean = rows["all", "ours", 20]
    assert mean["p"] == pytest.approx(np.mean([rows[space, "ours", 20]["p"] for space in ("one", "two")]))
    assert mean["p"] > 0.4
    assert mean["low"] <= mean["p"] <= mean["high"]
    assert "Plotly.newPlot" in file.with_suffix(".html").read_text()
    picture = ElementTree.fromstring(file.with_suffix(".svg").read_text())
    texts = [each.text for each in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert {"ours", "random", "one", "two"} <= set(texts)


def test_strategies_are_run_again_where_others_stay_on_another_machine(
    folder: Path, tmp_path: Path, invoke: Invoke
) -> None:
    file = tmp_path / "search.json"
    words = ("bench", "search", "--spaces", str(folder), "--budget", "10", "--json", str(file))
    assert invoke(*words, "--repeats", "2", "--strategies", "ours,random").exit_code == 0
    found = json.loads(file.read_text())
    found["machine"]["fingerprint"] = "elsewhere"
    for run in found["runs"]:
        run["seconds"] = -1.0
    file.write_text(json.dumps(found))
    assert invoke(*words, "--repeats", "1", "--strategies", "ours", "--again").exit_code == 0
    runs = json.loads(file.read_text())["runs"]
    assert {(run["strategy"], run["seconds"] < 0) for run in runs} == {("ours", False), ("random", True)}
    assert sum(run["strategy"] == "ours" for run in runs) == 2  # one of each table


def test_a_run_survives_its_file() -> None:
    run = Run("space", "ours", 9, 4, ((1, 12.5), (3, 1.25), (9, 1.0)), 0.5)
    assert Run.from_json(json.loads(json.dumps(run.to_json()))) == run
    assert run.curve.tolist() == [12.5, 12.5, *[1.25] * 6, 1.0]


def test_the_tests_tell_a_difference_from_none() -> None:
    times = np.random.default_rng(3).lognormal(size=300)
    table = Table("", None, np.zeros((300, 1), dtype=np.int64), times)  # type: ignore[arg-type]
    course = Course.of(table, 30)
    spaces = [f"s{number}" for number in range(8)]
    runs = []
    for space, seed in itertools.product(spaces, range(6)):
        rng = np.random.default_rng([seed, int(space[1:])])
        for strategy in ("good", "poor", "same"):
            curve = best_so_far(table, rng.permutation(300), 30) * (0.2 if strategy == "good" else 1.0)
            steps = tuple((place + 1, float(time)) for place, time in enumerate(curve))
            runs.append(Run(space, strategy, 30, seed, steps, 0.0))
    courses = {space: {30: course} for space in spaces}
    good, same = (
        outcome.comparisons(runs, courses, [("good", "poor")]),
        outcome.comparisons(runs, courses, [("poor", "same")]),
    )
    assert good[0]["wilcoxon"] == pytest.approx(1 / 2**8)
    assert max(good[0]["permutation"], good[0]["paired"]) < 0.001
    assert (good[0]["spaces"], good[0]["repeats"]) == (8, 48)
    assert min(same[0][test] for test in ("wilcoxon", "permutation", "paired")) > 0.02
    both = outcome.comparisons(runs, courses, [("good", "poor"), ("poor", "good")])
    assert both[0]["wilcoxon"] == pytest.approx(2 / 2**8)
    assert both[1]["wilcoxon"] == 1.0


def test_p_values_are_corrected_for_their_number() -> None:
    assert outcome.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "time_ms"),
        ("a,time_ms\n", "time_ms"),
        ("a,time_ms\n1,2,3\n", "have a value of each"),
        ("a,time_ms\n1,-2\n", "more than 0"),
        ("a,time_ms\n1,nan\n", "more than 0"),
        ("a,time_ms\n1,2\n1,3\n", "twice"),
        ("a,time_ms\n1,\n2,\n", "no config with a time"),
    ],
)
def test_what_is_no_table_is_an_error(text: str, said: str, tmp_path: Path, invoke: Invoke) -> None:
    (tmp_path / "bad.csv").write_text(text)
    result = invoke("bench", "search", "--spaces", str(tmp_path), "--repeats", "1", "--strategies", "random")
    assert result.exit_code == 1
    assert said in result.stderr
    assert "bad.csv" in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--strategies", "magic"), "--strategies takes ours, random"),
        (("--budget", "0"), "--budget takes whole numbers"),
        (("--only", "three"), "--only takes one, two"),
        (("--plot",), "--plot draws what --json keeps"),
    ],
)
def test_misuse_is_told(words: tuple[str, ...], said: str, folder: Path, invoke: Invoke) -> None:
    result = invoke("bench", "search", "--spaces", str(folder), *words)
    assert (result.exit_code, said in result.stderr) == (2, True), result.stderr


def test_a_folder_without_tables_is_told(tmp_path: Path, invoke: Invoke) -> None:
    result = invoke("bench", "search", "--spaces", str(tmp_path))
    assert result.exit_code == 2
    assert "holds no tables" in result.stderr
