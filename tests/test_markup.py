"""What notebooks show of objects: everything there is to know, and no text as markup."""

import math
from collections import Counter
from html.parser import HTMLParser
from typing import Any

import pytest

from autotune import markup
from autotune.database import Winner
from autotune.library import conv2d, matmul
from autotune.machine import detect
from autotune.schedule import Knob, Space, Workload
from autotune.search import Outcome
from autotune.search.events import Progress

EVIL = "<script>alert('a & b')</script>"


class Reader(HTMLParser):
    """The tags of a text and what stands between them; tells whether every tag is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: Counter[str] = Counter()
        self.open: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        del attrs
        self.tags[tag] += 1
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert not reader.open
    return reader


def winner(**fields: Any) -> Winner:
    example: dict[str, Any] = {
        "workload": Workload.of(matmul.definition, {"m": 8, "n": 9, "k": 10}).key,
        "machine": "0123456789ab",
        "config": {"rows": 6, "order": EVIL},
        "source": "b" * 64,
        "samples": (1e-3, 2e-3, 3e-3),
        "default_samples": (4e-3,),
        "ratio_low": 1.9,
        "ratio_high": 2.1,
        "versions": {},
        "proven": "2026-01-31T12:00:00+00:00",
    }
    return Winner(**(example | fields))


def test_values_are_text() -> None:
    found = read(markup.card(EVIL, {EVIL: EVIL}, markup.table([EVIL], [[EVIL]])))
    assert "script" not in found.tags
    assert found.words == [EVIL] * 5


def test_a_kernel_names_its_parts() -> None:
    words = " ".join(read(conv2d._repr_html_()).words)
    for part in ("conv2d", "stride=1", "vjp:", "x["):
        assert part in words


def test_a_space_lists_its_knobs() -> None:
    space = Space((Knob("rows", (2, 4), doc=EVIL), Knob(EVIL, ("a", "b"), ordered=False)))
    words = read(space._repr_html_()).words
    assert {"rows", "2, 4", EVIL, "a, b", "4"} <= set(words)


def test_a_winner_shows_time_gain_and_config() -> None:
    words = read(winner()._repr_html_()).words
    assert {"2.00 ms, median of 3 samples", "2.00x (1.90 to 2.10), 95 % interval", "rows", "6", EVIL} <= set(words)
    assert "matmul forward k=10,m=8,n=9 float32 1 thread" in words


@pytest.mark.parametrize("found", [None, winner()])
def test_an_outcome_shows_trials_and_winner(found: Winner | None) -> None:
    workload = Workload.of(matmul.definition, {"m": 8, "n": 9, "k": 10})
    progress = Progress(
        workload=workload, trials=16, done=8, earlier=3, best=math.inf, failures={}, elapsed=1.0, left=None
    )
    outcome = Outcome(workload=workload, machine=detect(), winner=found, replaced=False, progress=progress, error=EVIL)
    words = read(outcome._repr_html_()).words
    assert {"8 of 16, 3 of them by earlier runs", "none yet", EVIL} <= set(words)
    assert ("no winner proven yet" in words) == (found is None)
