import json
import pickle
from dataclasses import replace
from typing import Any

import pytest

from autotune.errors import FormatError
from autotune.machine import Cache, Machine

MACHINE = Machine(
    cpu="AMD EPYC 7763 64-Core Processor",
    architecture="x86_64",
    isa="avx2",
    llvm_cpu="znver3",
    cores=8,
    caches=(Cache(1, 32768, 1), Cache(2, 524288, 1), Cache(3, 33554432, 8)),
    vector_bytes=32,
    vector_registers=16,
    revision="25.1.1",
)


def test_survives_json_and_pickle() -> None:
    assert Machine.from_json(json.loads(json.dumps(MACHINE.to_json()))) == MACHINE
    assert pickle.loads(pickle.dumps(MACHINE)) == MACHINE


def test_finds_caches_by_level() -> None:
    assert MACHINE.cache(2) == Cache(2, 524288, 1)
    assert MACHINE.cache(4) is None


def test_fingerprint_is_twelve_hex_digits_that_never_change() -> None:
    assert MACHINE.fingerprint == "cbd755e34af6"


@pytest.mark.parametrize(
    "change",
    [
        {"cpu": "AMD EPYC 7713 64-Core Processor"},
        {"revision": "25.1.2"},
        {"isa": "avx512", "vector_bytes": 64, "vector_registers": 32},
        {"cores": 4},
        {"caches": MACHINE.caches[:2]},
        {"caches": (*MACHINE.caches[:2], Cache(3, 33554432, 4))},
    ],
)
def test_fingerprint_tells_hardware_apart(change: dict[str, Any]) -> None:
    assert replace(MACHINE, **change).fingerprint != MACHINE.fingerprint


def test_fingerprint_ignores_what_llvm_calls_the_cpu() -> None:
    assert replace(MACHINE, llvm_cpu="znver9").fingerprint == MACHINE.fingerprint


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"isa": "mmx"}, "isa of a machine must be one of .*not 'mmx'"),
        ({"cores": 0}, "cores of a machine must be at least 1, not 0"),
        ({"caches": (Cache(2, 1, 1), Cache(1, 1, 1))}, r"increasing order of level.*\[2, 1\]"),
    ],
)
def test_bad_machines_cannot_be_made(change: dict[str, Any], text: str) -> None:
    with pytest.raises(FormatError, match=text):
        replace(MACHINE, **change)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("cores", "8", "cores of a machine must be of type int, not '8'"),
        ("cores", True, "cores of a machine must be of type int, not True"),
        ("caches", [{"level": 1, "size": 2}], "a cache lacks the field 'shared_by'"),
        ("caches", [7], "a cache must be an object with named fields, not 7"),
        ("caches", [{"level": 1, "size": 0, "shared_by": 1}], "size of a cache must be at least 1, not 0"),
    ],
)
def test_bad_json_names_the_field(name: str, value: object, text: str) -> None:
    with pytest.raises(FormatError, match=text):
        Machine.from_json(MACHINE.to_json() | {name: value})


@pytest.mark.parametrize("data", [None, 3, "machine", [], {1: 2}])
def test_other_json_is_no_machine(data: object) -> None:
    with pytest.raises(FormatError, match="a machine must be an object"):
        Machine.from_json(data)
