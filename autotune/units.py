"""Numbers as people read them."""

_TIMES = ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns"))


def gigaflops(rate: float) -> str:
    """A rate in operations per second as GFLOP/s, three digits."""
    return digits(rate * 1e-9)


def percent(fraction: float) -> str:
    """0.912 as "91.2 %"."""
    return f"{100 * fraction:.1f} %"


def duration(seconds: float) -> str:
    """Three digits with the unit that suits: "36.1 ms"."""
    scale, unit = next((pair for pair in _TIMES if seconds >= pair[0]), _TIMES[-1])
    return f"{digits(seconds / scale)} {unit}"


def clock(seconds: float) -> str:
    """A time to wait: "45 s", "1 min 5 s", "2 h 3 min"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, left = divmod(minutes, 60)
    if hours:
        return f"{hours} h {left} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def size(number: float) -> str:
    """Bytes in binary units: "512 KiB"."""
    for unit in ("B", "KiB", "MiB"):
        if number < 1024:
            return f"{number:g} {unit}"
        number /= 1024
    return f"{number:g} GiB"


def gain(ratio: float, low: float, high: float) -> str:
    """How many times faster, with its interval: "1.26x (1.24 to 1.28)"."""
    return f"{ratio:.2f}x ({low:.2f} to {high:.2f})"


def count(number: int, thing: str) -> str:
    """A number of things: "1 trial", "24 trials"."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def digits(number: float) -> str:
    """Three significant digits, without an exponent."""
    if number >= 100:
        return f"{number:.0f}"
    return f"{number:.1f}" if number >= 10 else f"{number:.2f}"
