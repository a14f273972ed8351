import re

import numpy as np
import pytest
from llvmlite import binding

from autotune.errors import DtypeError
from autotune.machine import detect, fma_rate
from autotune.machine.description import VECTOR_SETS
from autotune.machine.probes import ELEMENTS, Probe, fma_ir, fma_probe, read_ir, read_probe

TARGETS = {
    "avx2": ("x86_64-unknown-linux-gnu", "znver3", r"\tvfn?madd\d+p[sd]\t.*ymm"),
    "avx512": ("x86_64-unknown-linux-gnu", "znver5", r"\tvfn?madd\d+p[sd]\t.*zmm"),
    "neon": ("aarch64-unknown-linux-gnu", "neoverse-v1", r"\tfmla\t"),
}


def assembly(ir: str, isa: str) -> str:
    """What LLVM makes of a probe for another CPU."""
    binding.initialize_all_targets()
    binding.initialize_all_asmprinters()
    triple, cpu, _ = TARGETS[isa]
    target = binding.Target.from_triple(triple).create_target_machine(cpu=cpu, opt=3)
    return str(target.emit_assembly(binding.parse_assembly(ir)))


@pytest.mark.parametrize("isa", TARGETS)
@pytest.mark.parametrize("dtype", ELEMENTS)
def test_every_accumulator_has_a_register_and_one_instruction(isa: str, dtype: str) -> None:
    vectors = VECTOR_SETS[isa]
    chains = vectors.registers * 3 // 4
    text = assembly(fma_ir(dtype, lanes=vectors.bytes // ELEMENTS[dtype][1], chains=chains), isa)
    assert len(re.findall(TARGETS[isa][2], text)) == chains
    loop = text[text.index("LBB0_1:") :]
    assert not re.search(r"\((%rsp|%rbp)\)|\[sp|mov\tv", loop[: loop.index("LBB0_1", 8)]), "spilled or copied"


@pytest.mark.parametrize("isa", TARGETS)
def test_reading_uses_whole_registers(isa: str) -> None:
    text = assembly(read_ir(lanes=VECTOR_SETS[isa].bytes // 4, streams=8), isa)
    loads = {"avx2": r"vorps\t.*\(%r\w+\), %ymm", "avx512": r"vp?orp?[sdq]*\t.*\(%r\w+\), %zmm", "neon": r"\tldp\tq"}
    assert len(re.findall(loads[isa], text)) == (4 if isa == "neon" else 8)


def test_rates_are_positive() -> None:
    for dtype in ELEMENTS:
        assert fma_rate(dtype, seconds=0.002) > 0
    assert fma_rate("float32", threads=3, seconds=0.002) > 0


def test_threads_beyond_the_cores_add_nothing_to_a_peak() -> None:
    calls: list[int] = []
    probe = Probe(function=calls.append, work=1.0)
    assert probe.peak(5, 10_000, repetitions=2) > 0
    assert calls.count(5) <= 2 * detect().cores


def test_a_probe_can_be_run_again_and_leaves_numbers_finite() -> None:
    probe = fma_probe("float32", detect())
    with np.errstate(all="raise"):
        assert probe.rate(1) > 0
        assert probe.rate(1000) > 0


def test_reading_counts_the_bytes_it_reads() -> None:
    machine = detect()
    step = 8 * machine.vector_bytes
    assert read_probe(10 * step + 1, machine).work == 10 * step
    assert read_probe(1, machine).work == step


def test_other_dtypes_are_refused() -> None:
    with pytest.raises(DtypeError, match="float32, float64, not 'int8'"):
        fma_rate("int8")
