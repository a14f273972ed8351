"""How generated functions are compiled: Numba's passes less those that find nothing in them, and LLVM's passes once.

Numba optimises a module three times: each function as it arrives, all of them cheaply, so that counts of references
meet and cancel, and then thoroughly. Generated code hardly counts references, so the last does.
"""
# mypy: disable-error-code="no-untyped-call"

import sys
from typing import Any

from numba.core import types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import PassManager
from numba.core.typed_passes import (
    InlineOverloads,
    IRLegalization,
    NativeLowering,
    NoPythonBackend,
    NopythonTypeInference,
    PreLowerStripPhis,
)
from numba.core.untyped_passes import FixupArgs, GenericRewrites, IRProcessing, ReconstructSSA, TranslateByteCode

# Numba's own sequence without what serves closures, unrolling of tuples, array expressions, exceptions and reports.
PASSES = (
    TranslateByteCode,
    FixupArgs,
    IRProcessing,
    GenericRewrites,
    ReconstructSSA,
    NopythonTypeInference,
    PreLowerStripPhis,
    InlineOverloads,
    IRLegalization,
    NativeLowering,
    NoPythonBackend,
)


class Pipeline(CompilerBase):
    """The compiler of generated functions, for `njit(pipeline_class=Pipeline)`; of parallel ones it is Numba's own."""

    def define_pipelines(self) -> list[PassManager]:
        """The passes, and the library that takes their machine code."""
        state = self.state
        _prefer_vectors(state.typingctx)
        if state.flags.auto_parallel.enabled:
            return [DefaultPassBuilder.define_nopython_pipeline(state)]
        state.flags.no_cfunc_wrapper = True  # nobody calls them by a C pointer
        state.library = _Library(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        manager = PassManager("generated code")
        for each in PASSES:
            manager.add_pass(each, each.__name__)
        manager.finalize()
        return [manager]


class _Library(JITCodeLibrary):
    """Machine code of generated functions."""

    def _optimize_functions(self, ll_module: Any) -> None:
        ll_module.data_layout = self._codegen._data_layout

    def _optimize_final_module(self) -> None:
        manager, builder = self._codegen._module_pass_manager()
        manager.run(self._final_module, builder)


def _prefer_vectors(context: Any) -> None:
    """Ask what an operator means for vectors before what it means for arrays, lists, dates and texts.

    Numba asks in the order of registration, each twice, in typing and in lowering.
    """
    vectors = sys.modules.get("autotune.codegen.vectors")
    if vectors is None:  # the function has none
        return
    for function in vectors.OPERATORS:
        known = context._lookup_global(function)
        first = tuple(each for each in known.templates if each.__module__ == vectors.__name__)
        if known.templates[: len(first)] != first:
            context._remove_global(function)
            rest = tuple(each for each in known.templates if each not in first)
            context._insert_global(function, types.Function((*first, *rest)))
