"""From a kernel to the stages that compute it, in order."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from math import prod

from autotune.lang import (
    Apply,
    Axis,
    Constant,
    Expr,
    Extent,
    Kernel,
    Parameter,
    Read,
    Reduce,
    Reindex,
    Scan,
    Scatter,
    TensorSpec,
)
from autotune.lang.graph import subexpressions
from autotune.lang.indexing import is_integer
from autotune.lang.traverse import erase, substitute
from autotune.schedule.branches import narrowed
from autotune.schedule.fusion import fused, printable
from autotune.schedule.loop_order import inner_axes
from autotune.schedule.normal_form import merged, moved_inside, normal_form
from autotune.schedule.placement import Placement, Root, below, place, scatter_loops, tensor_factors
from autotune.schedule.products import contracted_pairs, contractions, is_operand, product_parts, scaled
from autotune.schedule.separable import separated
from autotune.schedule.stages import AnyStage, PointStage, Result, ScanStage, ScatterStage, Stage, States, total_of
from autotune.schedule.workload import Workload

SHORT = 8  # elements of an axis that vectors had better not run along


@lru_cache(maxsize=64)
def stages_of(workload: Workload) -> tuple[AnyStage, ...]:
    """The stages of a workload, kept since every config of its space is asked for them."""
    return stages(workload.kernel, dict(workload.extents))


def stages(kernel: Kernel, extents: Mapping[str, int]) -> tuple[AnyStage, ...]:
    """Stages that compute `kernel`, in order; they write its outputs, and intermediates called stage_0, stage_1, …

    `extents` are those of the inputs; they decide what is stored and the order of products.
    """
    known = kernel.complete(extents)
    roots = _roots(kernel)
    sizes = [prod(known[extent] for extent in spec.extents) for spec in kernel.inputs if isinstance(spec, TensorSpec)]
    names = {spec.name for spec in (*kernel.inputs, *kernel.outputs)}
    tensors = {spec.name: spec.extents for spec in kernel.inputs if isinstance(spec, TensorSpec)}
    return _Program(roots, place(roots, known, max(sizes, default=1)), known, tensors, names).run()


def _roots(kernel: Kernel) -> tuple[Root, ...]:
    """The outputs; the first to hold an intermediate that has just its axes is where that is stored."""
    held: set[Expr] = set()
    roots = []
    for output in kernel.outputs:
        expr = narrowed(normal_form(erase(output.expr)))
        leaf = isinstance(expr, Constant | Extent | Parameter | Read)
        same = set(expr.axes) == set(output.axes) and is_integer(expr) == output.integer
        node = expr if same and not leaf and expr not in held else None
        held.add(expr)
        roots.append(Root(output.name, output.axes, expr, node, output.integer))
    return tuple(roots)


def _order_of_source(node: Expr) -> tuple[Axis, ...]:
    """The axes of a node as the smallest tensor has them that is read at all of them, if any is."""
    nodes = subexpressions(node, lambda inner: inner.children if isinstance(inner, Apply | Reduce) else ())
    reads = [read for read in nodes if isinstance(read, Read) and read.plain and set(node.axes) <= set(read.axes)]
    found = min(reads, key=lambda read: len(read.axes), default=node)
    return tuple(axis for axis in found.axes if axis in node.axes) if reads else ()


class _Program:
    """Stages made so far, and what nodes are lowered to: the same over reads of what is stored."""

    def __init__(
        self,
        roots: Sequence[Root],
        placement: Placement,
        extents: Mapping[str, int],
        tensors: Mapping[str, tuple[str, ...]],
        taken: Iterable[str],
    ) -> None:
        self.roots, self.placement, self.extents = roots, placement, extents
        self.dimensions = dict(tensors)
        self.claimed = {root.node: root for root in roots if root.node is not None}
        self.taken = set(taken)
        outputs = dict.fromkeys(axis for root in roots for axis in root.axes)
        self.order = {axis: position for position, axis in enumerate(outputs)}
        self.stages: list[AnyStage] = []
        self.lowered: dict[Expr, Expr] = {}
        self.tensors: dict[Expr, Read] = {}

    def run(self) -> tuple[AnyStage, ...]:
        """All stages."""
        for node in subexpressions([root.expr for root in self.roots], below):
            if node not in self.lowered:
                self.lowered[node] = self._stored(node) if node in self.placement.stored else self._rebuilt(node)
        for root in self.roots:
            if root.node is None:
                result = Result(root.name, root.axes, root.integer)
                self._compute(result, None, self.lowered[root.expr], root.name)
        return fused(self.stages, [root.name for root in self.roots])

    def size(self, axes: Iterable[Axis]) -> int:
        """Elements of a tensor over `axes`."""
        return prod(self.extents[axis.extent] for axis in axes)

    def _result(self, node: Expr, axes: tuple[Axis, ...] | None = None, *, integer: bool = False) -> Result:
        """The array for `node`: an output, or a new intermediate."""
        if node in self.claimed:
            return Result(self.claimed[node].name, self.claimed[node].axes, integer)
        number = 0
        while f"stage_{number}" in self.taken:
            number += 1
        self.taken.add(f"stage_{number}")
        return Result(f"stage_{number}", node.axes if axes is None else axes, integer)

    def _ordered(self, node: Expr) -> tuple[Axis, ...]:
        """The axes of an intermediate in the order in which the outputs have them, others last, short ones first.

        Where the outputs lack some, it is that of an input from which each element is computed.
        """
        if not set(node.axes) <= self.order.keys() and (source := _order_of_source(node)):
            return source

        def place(axis: Axis) -> tuple[int, bool]:
            return self.order.get(axis, len(self.order)), self.extents[axis.extent] > SHORT

        return tuple(sorted(node.axes, key=place))

    def _rebuilt(self, node: Expr) -> Expr:
        """`node` over lowered operands; a stored tensor that is reindexed is read there."""
        children = [self.lowered[child] for child in node.children]
        found = node if children == list(node.children) else node.rebuild(children)
        return moved_inside(found) if isinstance(found, Reindex) else found

    def _stored(self, node: Expr) -> Expr:
        match node:
            case Scan():
                self._scan(node)
                return self.lowered[node]
            case Reindex(Scan() as scan) if any(use.node == node for use in self.placement.uses.get(scan.group, ())):
                self._scan(scan)
                return self.lowered[node]
            case Scatter():
                return self._scatter(node)
            case _:
                result = self._result(node, self._ordered(node), integer=is_integer(node))
                self._compute(result, node, self._rebuilt(node), node)
                return result.read

    def _scan(self, scan: Scan) -> None:
        """The stage of a recurrence, with all of its values that are read."""
        states = []
        for use in self.placement.uses[scan.group]:
            result = self._result(use.node, scan.lanes if use.final else None)
            states.append(States(result, use.which, use.final, use.empty))
            self.lowered[use.node] = result.read
        starts = tuple(self.lowered[start] for start in scan.starts)
        steps = tuple(self.lowered[step] for step in scan.steps)
        self.stages.append(ScanStage(scan.lanes, scan.axis, scan.carries, starts, steps, scan.reverse, tuple(states)))

    def _scatter(self, node: Scatter) -> Read:
        rebuilt = self._rebuilt(node)
        assert isinstance(rebuilt, Scatter)
        result = self._result(node, self._ordered(node))
        stage = ScatterStage(
            result.name, result.axes, rebuilt.body, scatter_loops(node), rebuilt.onto, rebuilt.indices, rebuilt.strict
        )
        self.stages.append(stage)
        return result.read

    def _compute(self, result: Result, node: Expr | None, lowered: Expr, root: "Expr | str") -> None:
        """The stage that writes `lowered`, around the reduction that `node` is, or one in it that fits."""
        if isinstance(node, Reduce):
            core: Reduce | None = node
            self.lowered[node] = lowered
        else:
            cores = self.placement.cores.get(root, [])
            core = max(cores, key=lambda found: len(found.body.axes), default=None)
            for other in cores:
                if other != core:
                    lowered = substitute(lowered, {self.lowered[other]: self._intermediate(other)})
        if core is None:
            self._pointwise(result, lowered)
            return
        found = self.lowered[core]
        assert isinstance(found, Reduce)
        total = total_of(result.name, result.axes, core.reduction)
        epilogue, reduced = substitute(lowered, {found: total}), merged(found)
        if core.reduction == "sum":
            *others, reduced = contractions(reduced)
            if others:
                epilogue = substitute(epilogue, {total: Apply("add", (total, self._accumulated(others, result)))})
            if self._contraction(result, reduced, epilogue, total):
                return
        reduced = self._separated(reduced, result)
        inner: tuple[Axis, ...] = ()
        if core.reduction == "sum" and not result.integer:
            inner = inner_axes(result.axes, reduced.over, reduced.body, self.extents)
        self.stages.append(
            Stage(result.name, result.axes, reduced.over, reduced.body, epilogue, core.reduction, result.integer, inner)
        )

    def _separated(self, core: Reduce, result: Result) -> Reduce:
        """What is left of a reduction once its windows are reduced along all axes but one, where that pays."""
        found = None if result.integer else separated(core, result.axes, self._extents(), self.extents)
        if found is None:
            return core
        part = self._result(found.partial, found.axes)
        total = total_of(part.name, part.axes, core.reduction)
        self.stages.append(Stage(part.name, part.axes, found.partial.over, found.partial.body, total, core.reduction))
        return found.rest(part.name)

    def _extents(self) -> Mapping[str, tuple[str, ...]]:
        """The names of the extents of each tensor that is there."""
        made = (result for stage in self.stages for result in stage.results)
        return self.dimensions | {result.name: tuple(axis.extent for axis in result.axes) for result in made}

    def _pointwise(self, result: Result, expr: Expr) -> None:
        self.stages.append(PointStage(result.axes, (result,), (expr,)))

    def _intermediate(self, core: Reduce) -> Read:
        """A reduction that no stage is built around."""
        result = self._result(core, self._ordered(core), integer=is_integer(core))
        self._compute(result, core, self.lowered[core], core)
        return result.read

    def _accumulated(self, parts: Sequence[Reduce], result: Result) -> Read:
        """The total of several contractions over the axes of `result`, each of which adds to the one before it."""
        held: Read | None = None
        for part in parts:
            own = self._result(part, result.axes)
            epilogue = own.read if held is None else Apply("add", (own.read, held))
            self._contraction(own, part, epilogue, own.read)
            held = own.read
        assert held is not None
        return held

    def _contraction(self, result: Result, core: Reduce, epilogue: Expr, total: Read) -> bool:
        """Make a sum of products a contraction of tensors, if its factors are or are worth becoming some."""
        nest = self.size((*core.axes, *core.over))
        factors = tensor_factors(core, nest, self.placement.limit, self.size)
        if not factors:
            return False
        scale = [part for part in product_parts(core.body) if not part.axes and not isinstance(part, Read)]
        tensors = [self._tensor(part) for part in factors]
        if printable(epilogue, result.axes) and not result.integer:
            self._contracted(result, tensors, core.over, scale, epilogue)
        else:
            held = self._result(core, result.axes)
            self._contracted(held, tensors, core.over, scale, held.read)
            self._pointwise(result, substitute(epilogue, {total: held.read}))
        return True

    def _contracted(
        self,
        result: Result,
        parts: Sequence[Read],
        summed: tuple[Axis, ...],
        scale: Sequence[Expr],
        epilogue: Expr,
    ) -> None:
        """The stages of a sum of products of tensors, which `epilogue` reads as the result."""
        total = result.read
        factors = contracted_pairs(tuple(parts), result.axes, summed, self.size, self._pair)
        over = tuple(axis for axis in summed if any(axis in factor.axes for factor in factors))
        product = scaled(factors[0], factors[1:])
        # Where every summed axis went into an intermediate, what is left is a plain product.
        value = scaled(total, scale) if over else scaled(product, scale)
        last = substitute(epilogue, {total: value})
        if over:
            self.stages.append(Stage(result.name, result.axes, over, product, last))
        else:
            self._pointwise(result, last)

    def _pair(self, pair: Reduce) -> Read:
        """The product of two factors, summed over what no other factor has."""
        if pair not in self.tensors:
            result = self._result(pair)
            self.stages.append(Stage(result.name, result.axes, pair.over, pair.body, result.read))
            self.tensors[pair] = result.read
        return self.tensors[pair]

    def _tensor(self, part: Expr) -> Read:
        """A factor as a tensor of floating-point numbers, stored if it is none."""
        if isinstance(part, Read) and is_operand(part):
            return part
        if part not in self.tensors:
            result = self._result(part)
            self._pointwise(result, part)
            self.tensors[part] = result.read
        return self.tensors[part]
