"""Files that appear whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def writing(name: str | Path) -> Iterator[TextIO]:
    """A stream whose text takes the place of the file when the block ends, and is thrown away when it fails.

    What is no regular file, a pipe or a terminal, is written to as it is.
    """
    path = Path(name).resolve()
    if path.exists() and not path.is_file():
        with path.open("w", encoding="utf-8") as stream:
            yield stream
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8") as stream:
            yield stream
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
