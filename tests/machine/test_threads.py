import os
import sys
import threading

import pytest

from autotune.machine import detect
from autotune.machine.threads import places, together


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux pins threads")
def test_threads_start_together_and_are_not_put_where_they_stay() -> None:
    allowed = os.sched_getaffinity(0)
    barrier = threading.Barrier(3)
    assert sorted(together(barrier.wait, 3)) == [0, 1, 2], "all three run at once"
    assert os.sched_getaffinity(0) == allowed


def test_one_thread_is_this_one() -> None:
    assert together(threading.get_ident, 1) == [threading.get_ident()]


def test_there_is_a_place_for_each_core() -> None:
    assert 1 <= len(places()) <= detect().cores
