"""The generated source of a config, and the machine code that the compiler makes of it."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from autotune.codegen import generate, load
from autotune.database.workload_key import WorkloadKey
from autotune.errors import UsageError
from autotune.machine import Machine, detect
from autotune.measure.memory import default_limit
from autotune.measure.worker import Worker
from autotune.report.known import workload_of
from autotune.runtime import TunedKernel
from autotune.schedule import Config, Workload
from autotune.templates import template_for

SECONDS = 90.0


@dataclass(frozen=True)
class Pair:
    """Two configs of a workload with their sources: a trial's and the default's."""

    workload: Workload
    config: Config
    default: Config
    source: str
    default_source: str


def pair_of(key: WorkloadKey, config: Config, machine: Machine, kernels: tuple[TunedKernel, ...] = ()) -> Pair:
    """The sources of a config and of the default, written anew from the data: a config is checked against its space.

    Raises `UsageError` where the kernel's definition is not at hand and `ConfigError` where the config is none of its
    space, as after a change of the template.
    """
    workload = workload_of(key, kernels)
    if workload is None:
        message = (
            f"the source of {key.kernel} cannot be written: no kernel of the library has this definition. Name it with "
            f"--kernel, as in autotune dashboard --kernel my_kernels.py:{key.kernel}"
        )
        raise UsageError(message)
    template = template_for(workload)
    template.space(workload, machine).check(config)
    default = template.default(workload, machine)
    texts = [generate(workload, each, machine).text for each in (config, default)]
    return Pair(workload, config, default, *texts)


def machine_code(pair: Pair, machine: Machine) -> tuple[str, str]:
    """Assembly of both sources, compiled in a process of its own; raises `UsageError` where that fails.

    Only for the machine that this runs on: another's instruction set needs another compiler's settings.
    """
    if machine.fingerprint != detect().fingerprint:
        message = f"machine code can be made on {machine.cpu} ({machine.fingerprint}) only; this is {detect().cpu}"
        raise UsageError(message)
    with Worker(preload=("numba",), memory_limit=default_limit(1)) as worker:
        found = []
        for text in (pair.source, pair.default_source):
            reply = worker.call(assembly, text, timeout=SECONDS)
            if reply.value is None:
                said = (reply.error.strip().splitlines() or ["it said nothing"])[-1]
                message = f"the source could not be compiled ({reply.status}): {said}"
                raise UsageError(message)
            found.append(reply.value)
    return found[0], found[1]


def assembly(text: str) -> str:
    """Assembly of the kernel of a generated source; Numba shows that of what it has just compiled, not of its cache."""
    folder = Path(tempfile.mkdtemp(prefix="autotune-assembly-"))
    try:
        path = folder / "kernel.py"
        path.write_text(text, encoding="utf-8")
        (written,) = load(path).module.kernel.inspect_asm().values()
    finally:
        shutil.rmtree(folder)
    return essential(written)


def essential(text: str) -> str:
    """Assembly without what only an assembler needs: labels that nothing jumps to, directives, blank lines."""
    lines = text.splitlines()
    code = [line for line in lines if line.startswith("\t") and not line.lstrip().startswith((".", "#"))]
    used = {word.strip(",()") for line in code for word in line.split()}
    instructions = set(code)
    kept = [line.expandtabs(8) for line in lines if line in instructions or line.partition(":")[0] in used]
    return "\n".join(kept)


def differing(pair: Pair) -> tuple[str, ...]:
    """Knobs in which the config differs from the default."""
    return tuple(name for name in pair.config if pair.config[name] != pair.default.get(name))
