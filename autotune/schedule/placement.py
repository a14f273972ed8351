"""Which intermediates of a kernel are stored, and which are computed where they are used.

What is computed at a point costs operations at every point; what is stored costs memory and a pass over it. So a
pointwise expression is stored where that spares more operations than it costs: where several stages need it, or one
would compute it at more points than it has. Results of reductions, scans and scatters are stored, unless they have more
elements than anything the kernel reads, writes or multiplies: forces between all pairs of bodies are summed as they are
computed.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

from autotune.lang import Affine, Apply, Axis, Expr, Index, Read, Reduce, Reindex, Scan, Scatter
from autotune.lang.expressions import axes_of, computed
from autotune.lang.graph import subexpressions
from autotune.lang.traverse import carrying
from autotune.schedule.costs import ACCESS, weights
from autotune.schedule.products import Size, is_operand, product_parts

UNROUNDED = frozenset({"neg", "maximum", "minimum", "abs", "relu", "where", "stop_gradient"})
"""Functions that round nothing: whatever code computes them, the values are the same."""


@dataclass(frozen=True)
class Place:
    """Where an axis stands: the deepest loop that its index depends on, and what tells the index from others.

    Where it must be one of `count` indices, at most as many iterations of the loop `capped` lead to one, for each of
    the others.
    """

    depth: int
    identity: Hashable
    capped: int = -1
    count: int = 0


@dataclass(frozen=True)
class Site:
    """Where an expression is evaluated: in the stage of `root`, inside loops of these sizes, its axes at `places`.

    In the `spine` of a product that is summed, the factors may become tensors of their own.
    """

    root: "Expr | str"
    sizes: tuple[int, ...]
    places: Mapping[Axis, Place]
    spine: bool = False

    def points(self, axes: Iterable[Axis]) -> int:
        """How often something over these axes is computed, if it is kept while inner loops run."""
        places = [self.places[axis] for axis in axes]
        depth = max((place.depth for place in places), default=-1)
        caps = {place.capped: place.count for place in places}
        return prod(min(size, caps.get(loop, size)) for loop, size in enumerate(self.sizes[: depth + 1]))

    def identity(self, axes: Iterable[Axis]) -> Hashable:
        """Equal where something over these axes has the same value, and is there already."""
        return self.root, tuple(self.places[axis].identity for axis in axes)

    def moved(self, node: Reindex, extents: Mapping[str, int]) -> "Site":
        """Where the body of `node` is evaluated."""
        pairs = zip(node.bound, node.indices, strict=True)
        moved = {axis: self._at(index, extents[axis.extent]) for axis, index in pairs}
        return Site(self.root, self.sizes, {**self.places, **moved})

    def _at(self, index: Index, count: int) -> Place:
        if isinstance(index, Axis):
            return self.places[index]
        places = [self.places[axis] for axis in index.axes]
        loops = [place.depth for place in places if place.depth >= 0] if isinstance(index, Affine) else []
        capped = max(loops, key=lambda loop: self.sizes[loop], default=-1)
        depth = max((place.depth for place in places), default=-1)
        return Place(depth, (index, tuple(place.identity for place in places)), capped, count)

    def within(self, node: Reduce, extents: Mapping[str, int]) -> "Site":
        """Where the body of `node` is evaluated, in loops inside those here."""
        depth = len(self.sizes)
        bound = {axis: Place(depth + position, (node, axis)) for position, axis in enumerate(node.over)}
        sizes = tuple(extents[axis.extent] for axis in node.over)
        return Site(self.root, (*self.sizes, *sizes), {**self.places, **bound})

    def fills(self, node: Expr) -> bool:
        """Whether `node` has one value for each iteration of the loops here, each of which is over an axis of it."""
        depths = [self.places[axis].depth for axis in node.axes]
        plain = all(self.places[axis].identity == depth for axis, depth in zip(node.axes, depths, strict=True))
        return plain and sorted(depths) == list(range(len(self.sizes)))


@dataclass(frozen=True)
class Root:
    """An output to be computed: `expr` over `axes`; it holds the intermediate `node`, unless that is None."""

    name: str
    axes: tuple[Axis, ...]
    expr: Expr
    node: Expr | None
    integer: bool


@dataclass(frozen=True)
class Use:
    """What is read of a scan, by `node`: a carried value after every step, or `final`, after the last one only."""

    node: Expr
    which: int
    final: bool = False
    empty: float | None = None


@dataclass
class Placement:
    """What is stored; reductions that a stage may be built around, by its root; the uses of scans, by their group.

    No intermediate that is stored to spare operations has more than `limit` elements.
    """

    limit: int
    stored: set[Expr] = field(default_factory=set)
    cores: dict["Expr | str", list[Reduce]] = field(default_factory=dict)
    uses: dict[Expr, list[Use]] = field(default_factory=dict)


def final_use(node: Expr) -> Use | None:
    """The use that `node` makes of a scan, where it is a value after the last step."""
    match node:
        case Reindex(Scan(axis) as scan, (bound,), (Affine() as index,), pad) if axis == bound:
            last = Affine((), 0) if scan.reverse else Affine(((axis.extent, 1),), -1)
            return Use(node, scan.which, True, pad) if index == last else None
        case _:
            return None


def below(node: Expr) -> tuple[Expr, ...]:
    """What `node` is computed from; a value after the last step of a scan does not need all of its values."""
    return node.children[0].children if final_use(node) else node.children


def place(roots: Sequence[Root], extents: Mapping[str, int], largest: int) -> Placement:
    """Decide for each intermediate; `largest` is the number of elements of the largest input.

    A product of matrices that is used several times may be larger than any input or output, and then so may be what is
    computed from it: the pass is repeated until no further one is found.
    """
    nodes = subexpressions([root.expr for root in roots], below)
    limit = max([largest, *(prod(extents[axis.extent] for axis in root.axes) for root in roots)])
    while True:
        placing = _Placing(roots, nodes, extents, limit)
        result = placing.run()
        if placing.wanted <= limit:
            return result
        limit = placing.wanted


class _Placing:
    """One pass over the nodes, from the results to what they are computed from."""

    def __init__(self, roots: Sequence[Root], nodes: Sequence[Expr], extents: Mapping[str, int], limit: int) -> None:
        self.roots, self.nodes, self.extents = roots, nodes, extents
        self.carried = carrying(nodes)
        self.weights = weights(nodes)
        # Whether a value is the largest is asked of the very numbers that the largest was found among.
        self.compared = {node.body for node in nodes if isinstance(node, Reduce) and node.reduction in ("max", "min")}
        self.claimed = {root.node: root for root in roots if root.node is not None}
        self.users: dict[Expr, list[Expr]] = {node: [] for node in nodes}
        for node in nodes:
            for child in below(node):
                self.users[child].append(node)
        self.sites: dict[Expr, dict[Hashable, Site]] = {node: {} for node in nodes}
        self.factors: set[Expr] = set()
        self.result = Placement(limit)
        self.wanted = 0

    def size(self, axes: Iterable[Axis]) -> int:
        return prod(self.extents[axis.extent] for axis in axes)

    def _multiplies(self, node: Reduce, sites: Iterable[Site]) -> bool:
        """Whether `node` is a product of matrices, or of what may become some, and its elements are used repeatedly."""
        several = sum(site.points(node.axes) for site in sites) >= 2 * self.size(node.axes)
        nest = self.size((*node.axes, *node.over))
        return several and len(tensor_factors(node, nest, self.result.limit, self.size)) > 1

    def run(self) -> Placement:
        """Decide for all nodes."""
        for root in self.roots:
            if root.node is None:
                self._evaluate(root.expr, self._stage(root.name, root.axes))
        for node in reversed(self.nodes):
            self._decide(node)
        return self.result

    def _stage(self, root: "Expr | str", axes: Sequence[Axis], *, spine: bool = False) -> Site:
        """The loops of a stage of its own."""
        places = {axis: Place(depth, depth) for depth, axis in enumerate(axes)}
        return Site(root, tuple(self.extents[axis.extent] for axis in axes), places, spine)

    def _evaluate(self, node: Expr, site: Site) -> None:
        if node in self.sites:
            self.sites[node].setdefault(site.identity(node.axes), site)

    def _decide(self, node: Expr) -> None:
        use = final_use(node)
        match node:
            case Reindex() if use:
                self._scan(node.children[0], use)
            case Scan():
                if self.sites[node] or node in self.claimed:
                    self._scan(node, Use(node, node.which))
            case Scatter():
                self.result.stored.add(node)
                site = self._stage(node, scatter_loops(node))
                for child in node.children:
                    self._evaluate(child, site)
            case Reduce():
                self._reduce(node)
            case _ if self._worth_storing(node):
                self.result.stored.add(node)
                self._inline(node, self._stage(node, self._dimensions(node)))
            case _:
                for site in self.sites[node].values():
                    self._inline(node, site)

    def _dimensions(self, node: Expr) -> tuple[Axis, ...]:
        return self.claimed[node].axes if node in self.claimed else node.axes

    def _scan(self, scan: Expr, use: Use) -> None:
        assert isinstance(scan, Scan)
        self.result.stored.add(use.node)
        uses = self.result.uses.setdefault(scan.group, [])
        uses.append(use)
        if len(uses) == 1:
            for start in scan.starts:
                self._evaluate(start, self._stage(scan.group, scan.lanes))
            for step in scan.steps:
                self._evaluate(step, self._stage(scan.group, (*scan.lanes, scan.axis)))

    def _reduce(self, node: Reduce) -> None:
        sites = list(self.sites[node].values())
        if node in self.claimed:
            self._store(node, self._dimensions(node))
        elif len(sites) == 1 and isinstance(sites[0].root, Apply | str) and sites[0].fills(node):
            self.result.cores.setdefault(sites[0].root, []).append(node)
            self._reduced(node, node.axes)
        elif moved := self._gathered(node):
            if all(isinstance(index, Axis) or index.divisor == 1 for index in moved):
                for site in sites:
                    self._evaluate(node.body, site.within(node, self.extents))
            else:
                self._store(node, node.axes)
        elif self.size(node.axes) <= self.result.limit:
            self._store(node, node.axes)
        else:
            if self._multiplies(node, sites):
                self.wanted = max(self.wanted, self.size(node.axes))
            for site in sites:
                self._evaluate(node.body, site.within(node, self.extents))

    def _gathered(self, node: Reduce) -> tuple[Axis | Affine, ...]:
        """The indices at which a product of matrices is read once and summed, as in the gradient of a convolution.

        Where they are sums, it is one contraction of windows with that sum. Quotients would leave most of the terms of
        such a one out, so the product is stored, and then summed in residue classes; none for any other node.
        """
        match self.users[node]:
            case [Reindex(_, _, indices, pad) as moved] if not pad and not any(isinstance(i, Expr) for i in indices):
                sums = [user for user in self.users[moved] if isinstance(user, Reduce) and user.reduction == "sum"]
                whole = len(sums) == len(self.users[moved]) == 1 and set(moved.axes) == {*sums[0].axes, *sums[0].over}
                factors = product_parts(node.body) if node.reduction == "sum" else ()
                if whole and len(factors) == 2 and all(map(is_operand, factors)):
                    return tuple(index for index in indices if not isinstance(index, Expr))
                return ()
            case _:
                return ()

    def _store(self, node: Reduce, axes: tuple[Axis, ...]) -> None:
        self.result.stored.add(node)
        self._reduced(node, axes)

    def _reduced(self, node: Reduce, axes: tuple[Axis, ...]) -> None:
        """Evaluate the body of a reduction in the loops of a stage, or its factors as tensors of their own."""
        self.factors.update(tensor_factors(node, self.size((*node.axes, *node.over)), self.result.limit, self.size))
        self._evaluate(node.body, self._stage(node, (*axes, *node.over), spine=node.reduction == "sum"))

    def _worth_storing(self, node: Expr) -> bool:
        if node in self.claimed:
            return True
        if not node.axes or node in self.carried or not self.sites[node] or is_tensor(node):
            return False
        size, sites = self.size(node.axes), self.sites[node].values()
        if node in self.factors:
            return not is_operand(node)
        if node in self.compared and len(sites) > 1 and not _exact(node):
            self.wanted = max(self.wanted, size)
            return True
        evaluations = sum(size if site.spine else site.points(node.axes) for site in sites)
        spared = self.weights[node] * (evaluations - size)
        return size <= self.result.limit and spared > ACCESS * (evaluations + size)

    def _inline(self, node: Expr, site: Site) -> None:
        """Evaluate what `node` is computed from at the same point, the body of a reindexed one at another."""
        if isinstance(node, Reindex):
            self._evaluate(node.body, site.moved(node, self.extents))
            for index in computed(node.indices):
                self._evaluate(index, site)
            return
        spine = site.spine and isinstance(node, Apply) and node.function in ("mul", "neg", "div")
        inside = Site(site.root, site.sizes, site.places, spine)
        for child in node.children:
            self._evaluate(child, inside)


def scatter_loops(node: Scatter) -> tuple[Axis, ...]:
    """The loops of a scatter: over its terms and, inside, over what these have in common with the result."""
    inside = dict.fromkeys((*node.body.axes, *axes_of(node.indices)))
    return (*node.over, *(axis for axis in inside if axis not in node.over))


def is_tensor(expr: Expr) -> bool:
    """Whether `expr` is a tensor as it is."""
    return isinstance(expr, Read) and expr.plain and not expr.integer


def tensor_factors(node: Reduce, nest: int, limit: int, size: Size) -> tuple[Expr, ...]:
    """The factors that depend on axes, where `node` is a sum of products of what are tensors or worth becoming some.

    Two factors may be windows onto tensors.
    """
    parts = product_parts(node.body) if node.reduction == "sum" else ()
    factors = tuple(part for part in parts if part.axes or isinstance(part, Read))
    pair = len(factors) == 2
    if not all((pair and is_operand(factor)) or reused(factor, nest, limit, size(factor.axes)) for factor in factors):
        return ()
    return factors if len(factors) > 1 or all(map(is_tensor, factors)) else ()


def reused(part: Expr, nest: int, limit: int, size: int) -> bool:
    """Whether a factor of `size` elements in a sum of `nest` terms is a tensor, or worth becoming one.

    Windows onto a tensor, which hold its elements many times over, are not.
    """
    return is_tensor(part) or (size < nest and size <= limit and not _windowed(part))


def _windowed(expr: Expr) -> bool:
    nodes = subexpressions(expr, lambda node: () if isinstance(node, Reduce | Scan | Scatter) else node.children)
    indices = [index for node in nodes if isinstance(node, Read | Reindex) for index in node.indices]
    return any(not isinstance(index, Axis) and len(index.axes) > 1 for index in indices)


def _exact(expr: Expr) -> bool:
    match expr:
        case Apply(function, operands):
            return function in UNROUNDED and all(map(_exact, operands))
        case Reindex(body):
            return _exact(body)
        case _:
            return True
