"""Words of the command line."""

import pytest

from autotune.cli import words
from autotune.errors import UsageError


def test_sizes_by_extent_and_by_tensor() -> None:
    assert words.shapes("m=1024, k=7") == {"m": 1024, "k": 7}
    assert words.shapes("a=1024x512,n=3") == {"a": (1024, 512), "n": 3}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1024", "name=extent pairs"),
        ("m", "name=extent pairs"),
        ("=3", "name=extent pairs"),
        ("1m=3", "name=extent pairs"),
        ("m=1024,", "empty part"),
        ("", "empty part"),
        ("m=0", "extent of m must be a whole number of at least 1, not '0'"),
        ("m=-3", "not '-3'"),
        ("m=1e3", "not '1e3'"),
        ("m=", "not ''"),
        ("m=³", "not '³'"),
        ("m=99999999999999999999", "extent of m"),
        ("a=3x", "extent of a must be a whole number of at least 1, not ''"),
        ("m=3,m=4", "gives m twice"),
    ],
)
def test_malformed_sizes(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        words.shapes(text)


def test_options() -> None:
    assert words.options(None) == {}
    found = words.options(["stride=2, padding=-1", "causal=true", "strict=False,epsilon=1e-5"])
    assert list(map(repr, found.items())) == [
        "('stride', 2)",
        "('padding', -1)",
        "('causal', True)",
        "('strict', False)",
        "('epsilon', 1e-05)",
    ]


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["stride"], "--option takes name=value pairs such as stride=2,causal=true, not 'stride'"),
        (["2=stride"], "name=value pairs"),
        (["stride=2,"], "--option has an empty part"),
        (["stride=two"], "the value of stride must be a number, true or false, not 'two'"),
        (["stride="], "not ''"),
        (["stride=2", "stride=3"], "--option gives stride twice"),
    ],
)
def test_malformed_options(texts: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        words.options(texts)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("2m", 120), ("1h30m", 5400), ("45", 45), ("1.5", 1.5), ("2m5s", 125)]
)
def test_durations(text: str, seconds: float) -> None:
    assert words.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "0", "0s", "-3s", "3 s m", "soon", "1d", "5m3h"])
def test_malformed_durations(text: str) -> None:
    with pytest.raises(UsageError, match="--time takes a duration"):
        words.seconds(text)


def test_lists() -> None:
    assert words.listed("forward, vjp:a,forward", "--direction") == ("forward", "vjp:a")
    assert words.counts("1,2,1", "--threads") == (1, 2)
    assert words.chosen("torch", "--peers", ("numpy", "torch")) == ("torch",)
    assert words.dimensions("1024,17x33x65", "--sizes") == ((1024, 1024, 1024), (17, 33, 65))


@pytest.mark.parametrize("text", ["0", "two", "1,,2", "-1"])
def test_malformed_counts(text: str) -> None:
    with pytest.raises(UsageError, match="--threads"):
        words.counts(text, "--threads")


def test_unknown_choice() -> None:
    with pytest.raises(UsageError, match="--peers takes numpy, torch, not 'jax'"):
        words.chosen("numpy,jax", "--peers", ("numpy", "torch"))
