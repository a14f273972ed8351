"""Names that tell apart what one Python function is compiled to for different purposes."""

from typing import Any


def distinct(function: Any, *made_for: object) -> Any:
    """The same function under a name that says what it was made for, to be compiled by Numba.

    Numba tells functions of one name apart by a number that every process counts anew. Machine code that two processes
    kept on disk meets in a third, and of two functions with one name and number the first that is loaded serves both.
    """
    purpose = "_".join(map(str, made_for)).replace(".", "_")
    function.__qualname__ = f"{function.__qualname__}.{purpose}.{function.__name__}"  # messages show the last part
    return function
