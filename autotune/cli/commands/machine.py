"""`autotune machine`."""

from typing import TYPE_CHECKING, Annotated

import typer

from autotune.cli.options import AsJson

if TYPE_CHECKING:
    from autotune.machine import Machine, Peaks


def machine(
    as_json: AsJson = False,
    refresh: Annotated[bool, typer.Option("--refresh", help="Measure the peaks again.")] = False,
) -> None:
    """Show what this machine is and what it can do at best.

    Peaks are measured once, which takes a few seconds, and kept.

    \b
    Examples:
      autotune machine
      autotune machine --refresh --json
    """
    from autotune.cli import terminal
    from autotune.machine import detect, peaks, versions

    here = detect()
    if refresh:
        _forget_peaks(here)
    best = peaks(here)
    if as_json:
        terminal.print_json(
            {
                "fingerprint": here.fingerprint,
                "machine": here.to_json(),
                "peaks": best.to_json(),
                "versions": versions(),
            }
        )
        return
    out = terminal.console()
    out.print(terminal.fields(**_description(here)))
    out.print()
    out.print(terminal.fields(**_peaks(best)))


def _forget_peaks(here: "Machine") -> None:
    from autotune.settings import cache_directory

    (cache_directory() / f"peaks-{here.fingerprint}.json").unlink(missing_ok=True)


def _description(here: "Machine") -> dict[str, str]:
    from autotune.units import size

    caches = [f"L{cache.level} {size(cache.size)}{_sharing(cache.shared_by)}" for cache in here.caches]
    return {
        "fingerprint": here.fingerprint,
        "CPU": f"{here.cpu} ({here.revision})" if here.revision else here.cpu,
        "cores": str(here.cores),
        "vectors": f"{here.isa}: {here.vector_registers} registers of {here.vector_bytes} bytes",
        "LLVM": here.llvm_cpu,
        "caches": ", ".join(caches),
    }


def _sharing(cores: int) -> str:
    return f" shared by {cores} cores" if cores > 1 else ""


def _peaks(best: "Peaks") -> dict[str, str]:
    from autotune.units import gigaflops

    rates = {
        f"{dtype} FMA": ", ".join(
            f"{gigaflops(rate)} GFLOP/s on {threads} thread{'s' if threads > 1 else ''}"
            for threads, rate in sorted(by_threads.items())
        )
        for dtype, by_threads in best.fma.items()
    }
    reading = ", ".join(f"{level} {gigaflops(rate)} GB/s" for level, rate in best.bandwidth.items())
    return rates | {"reading": f"{reading} on 1 thread"}
