"""Numbers as people read them."""

import pytest

from autotune import units


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(36.1e-3, "36.1 ms"), (2.5e-6, "2.50 µs"), (3e-9, "3.00 ns"), (120.0, "120 s"), (1.0, "1.00 s"), (0.0, "0.00 ns")],
)
def test_duration(seconds: float, text: str) -> None:
    assert units.duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (44.6, "45 s"), (59.9, "1 min 0 s"), (65, "1 min 5 s"), (7380, "2 h 3 min")]
)
def test_clock(seconds: float, text: str) -> None:
    assert units.clock(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(32768, "32 KiB"), (48 * 1024, "48 KiB"), (32 << 20, "32 MiB"), (1 << 40, "1024 GiB"), (7, "7 B")],
)
def test_size(size: int, text: str) -> None:
    assert units.size(size) == text


def test_rates_and_shares() -> None:
    assert units.gigaflops(59.54e9) == "59.5"
    assert units.gigaflops(237.4e9) == "237"
    assert units.percent(0.9123) == "91.2 %"
    assert units.gain(1.256, 1.241, 1.277) == "1.26x (1.24 to 1.28)"
