"""Generated modules as a package: `autotune.codegen.generated.NAME` is the file NAME.py in the cache of kernels.

A function of a user's that Numba keeps on disk (`cache=True`) names the modules of the kernels it calls; Numba imports
them when it loads the function in another process.
"""

from autotune.settings import cache_directory

__path__ = [str(cache_directory() / "kernels")]
