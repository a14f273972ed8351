"""Generated code for other machines: cross-compiled, and its assembly read."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import llvmlite.binding as llvm
import pytest

from autotune.codegen import generate, load, write
from autotune.machine import Machine, detect
from autotune.schedule import Workload
from autotune.templates import template_for
from tests.kernels import KERNELS

AVX2 = replace(detect(), isa="avx2", vector_bytes=32, vector_registers=16)
AVX512 = replace(detect(), isa="avx512", vector_bytes=64, vector_registers=32)
NEON = replace(detect(), isa="neon", vector_bytes=16, vector_registers=32)

ASSEMBLY = """
import json, sys
from pathlib import Path
from autotune.codegen import load
kernel = load(Path(sys.argv[1])).module.kernel
print(json.dumps(kernel.inspect_asm(kernel.signatures[0])))
"""


def source(machine: Machine, directory: Path, dtype: str = "float32", **knobs: int) -> Path:
    workload = Workload.of(KERNELS["matmul"], {"m": 1024, "k": 1024, "n": 1024}, dtype)
    config = template_for(workload).default(workload, machine) | knobs
    return write(generate(workload, config, machine), directory)


def x86_assembly(path: Path, cpu: str) -> str:
    """Assembly for an x86 CPU, compiled in a process of its own, which never runs it."""
    environment = os.environ | {"NUMBA_CPU_NAME": cpu, "NUMBA_CPU_FEATURES": ""}
    result = subprocess.run(
        [sys.executable, "-c", ASSEMBLY, str(path)], env=environment, check=True, capture_output=True, text=True
    )
    return json.loads(result.stdout)


def hot_loop(assembly: str, multiply_add: str) -> list[str]:
    """Instructions of the loop body with most multiply-adds: between a label and the jump back to it."""
    blocks = re.split(r"^(\.L\w+):$", assembly, flags=re.MULTILINE)
    bodies = [
        body
        for label, body in zip(blocks[1::2], blocks[2::2], strict=True)
        if re.search(rf"\b(j\w+|b\.\w+|cbnz\s+\w+,)\s+{re.escape(label)}\b", body)
    ]
    body = max(bodies, key=lambda text: text.count(multiply_add))
    return [
        line.strip() for line in body.splitlines() if line.strip() and not line.strip().startswith((".", "#", "//"))
    ]


@pytest.mark.skipif(detect().architecture != "x86_64", reason="Numba compiles for the host's architecture")
@pytest.mark.parametrize(
    ("machine", "cpu", "register", "dtype"),
    [
        (AVX2, "haswell", "ymm", "float32"),
        (AVX2, "haswell", "ymm", "float64"),
        (AVX512, "skylake-avx512", "zmm", "float64"),
        (AVX512, "znver4", "zmm", "float32"),
    ],
)
def test_x86_loops_run_in_registers_of_full_width(
    machine: Machine, cpu: str, register: str, dtype: str, tmp_path: Path
) -> None:
    tile = {"rows": 6 if register == "ymm" else 14, "vectors": 2, "unroll": 4}
    loop = hot_loop(x86_assembly(source(machine, tmp_path, dtype, **tile), cpu), "vfmadd")
    updates = [line for line in loop if line.startswith("vfmadd")]
    assert len(updates) % (tile["rows"] * tile["vectors"]) == 0
    assert all(register in line for line in updates)
    assert not [line for line in loop if "(%rsp" in line and register in line], "the tile spills to the stack"
    assert not [line for line in loop if re.match(r"v(fmadd|mul|add)\w+s[sd]\b", line)], (
        "scalar arithmetic in the hot loop"
    )


def test_neon_loops_run_in_vector_registers(tmp_path: Path) -> None:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    kernel = load(source(NEON, tmp_path, rows=8, vectors=2)).module.kernel
    text = kernel.inspect_llvm(kernel.signatures[0])
    target = llvm.Target.from_triple("aarch64-unknown-linux-gnu")
    machine = target.create_target_machine(cpu="neoverse-n1", opt=3)
    text = re.sub(r'^target (triple|datalayout) = ".*"$', "", text, flags=re.MULTILINE)
    # Releasing an array is an x86 instruction by now; it is not what is looked at here.
    text = re.sub(
        r"^(declare .*)@llvm\.x86\.([\w.]+)\((.*)\)",
        lambda m: f"{m[1]}@x86.{m[2]}({m[3].replace(' immarg', '')})",
        text,
        flags=re.MULTILINE,
    )
    text = text.replace("@llvm.x86.", "@x86.")
    text = re.sub(r'"target-(cpu|features)"="[^"]*"', "", text)
    module = llvm.parse_assembly(text)
    module.triple, module.data_layout = "aarch64-unknown-linux-gnu", str(machine.target_data)
    loop = hot_loop(machine.emit_assembly(module), "fmla")
    updates = [line for line in loop if line.startswith("fmla")]
    assert len(updates) % 16 == 0
    assert all(".4s" in line for line in updates)
    spills = [line for line in loop if "[sp" in line and re.search(r"\b[qvds]\d", line)]  # an address may be kept there
    assert not spills, "the tile spills to the stack"
