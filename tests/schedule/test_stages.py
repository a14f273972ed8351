"""From expressions to stages: what becomes one sum of products, what is stored, what is computed where it is used."""

import pytest

import autotune.lang as at
from autotune.autodiff import derive
from autotune.errors import ShapeError
from autotune.lang import Affine, Axis, Kernel, Output, Read, Reduce, Tensor, TensorSpec, define
from autotune.schedule import AnyStage, PointStage, ScanStage, ScatterStage, Stage, Workload, stages
from autotune.schedule.stages import equations
from tests.constructs import CONSTRUCTS
from tests.kernels import KERNELS

EXTENTS = dict.fromkeys((*"bcdhklmnost", "rows", "columns"), 16)


def staged(name: str, direction: str = "forward", **extents: int) -> tuple[AnyStage, ...]:
    return stages(derive(KERNELS[name], direction), EXTENTS | extents)


def contractions(found: tuple[AnyStage, ...]) -> list[Stage]:
    return [stage for stage in found if isinstance(stage, Stage) and stage.factors]


def constructed(name: str, **extents: int) -> tuple[AnyStage, ...]:
    kernel = CONSTRUCTS[name]
    return stages(kernel, {extent: extents.get(extent, 16) for extent in kernel.extent_names})


def text(stage: AnyStage) -> str:
    return "; ".join(equations(stage, 1000))


def test_a_product_is_one_stage() -> None:
    assert [text(stage) for stage in staged("matmul")] == ["out[m, n] = sum[k](a[m, k] * b[k, n])"]


def test_a_gradient_of_a_product_is_one_stage() -> None:
    (stage,) = contractions(staged("matmul", "vjp:a"))
    assert sorted(map(str, stage.factors)) == ["b[k, n]", "out_bar[m, n]"]
    assert not stage.has_epilogue


def test_pointwise_functions_around_a_sum_are_its_epilogue() -> None:
    (stage,) = contractions(staged("linear"))
    assert str(stage.epilogue) == "relu(out[b, t, o] + bias[o])"
    assert stage.has_epilogue


def test_scalars_leave_the_sum() -> None:
    (stage,) = contractions(staged("scores", "vjp:q"))
    assert all(isinstance(factor, Read) and factor.tensor != "scale" for factor in stage.factors)
    assert "scale" in str(stage.epilogue)


def test_a_sum_inside_a_sum_is_stored_first_with_what_is_done_to_it() -> None:
    first, second = contractions(staged("saturated", "vjp:a"))
    assert sorted(factor.tensor for factor in first.factors) == ["a", "b"]
    assert "tanh" in str(first.epilogue)
    assert first.name in {factor.tensor for factor in second.factors}


def test_a_chain_is_multiplied_in_the_cheaper_order() -> None:
    tensors = [{factor.tensor for factor in s.factors} for s in contractions(staged("chain", m=2, k=64, l=64, n=64))]
    assert tensors == [{"a", "b"}, {"stage_0", "c"}]
    tensors = [{factor.tensor for factor in s.factors} for s in contractions(staged("chain", m=64, k=64, l=64, n=2))]
    assert tensors == [{"b", "c"}, {"stage_0", "a"}]


def test_a_weight_is_multiplied_where_it_is_used() -> None:
    (stage,) = contractions(staged("weighted"))
    assert len(stage.factors) == 3


def test_nothing_summed_is_pointwise() -> None:
    (stage,) = staged("outer")
    assert isinstance(stage, PointStage)
    assert text(stage) == "out[m, n] = x[m] * y[n]"


def test_the_body_of_a_maximum_is_computed_in_its_loops() -> None:
    """Stored it would be as large as m * n * k."""
    (stage,) = staged("farthest")
    assert text(stage) == "out[m, n] = max[k](a[m, k] * b[k, n])"


def test_what_a_maximum_is_compared_with_is_stored() -> None:
    """Computed again it could be rounded otherwise, and nothing be the largest."""
    a, k, m = Read("a", (Axis("m", "m"), Axis("k", "k"))), Axis("k", "k"), Axis("m", "m")
    body = a * 3 + 1
    chosen = at.equal(body, Reduce("max", body, (k,)))
    kernel = Kernel("f", (TensorSpec("a", ("m", "k")),), (Output("out", (m,), Reduce("sum", chosen, (k,))),))
    first, second, third = stages(kernel, {"m": 4, "k": 5})
    assert text(first) == "stage_0[m, k] = a[m, k] * 3 + 1"
    assert text(second) == "stage_1[m] = max[k](stage_0[m, k])"
    assert "stage_0" in text(third)


def test_what_several_stages_need_is_stored_if_it_costs_more_than_reading_it() -> None:
    assert [text(stage) for stage in staged("softmax")] == [
        "stage_0[rows] = max[columns](x[rows, columns])",
        "stage_1[rows, columns] = exp(x[rows, columns] - stop_gradient(stage_0[rows]))",
        "stage_2[rows] = sum[columns](stage_1[rows, columns])",
        "out[rows, columns] = stage_1[rows, columns] / stage_2[rows]",
    ]


def test_a_costly_factor_is_made_a_tensor_and_an_epilogue_that_tiles_cannot_compute_a_stage() -> None:
    factor, product, last = constructed("masked_product")
    assert text(factor) == "stage_0[m, k] = where(greater_equal(m, k), exp(a[m, k]), 0)"
    assert text(product) == "stage_1[m, n] = sum[k](stage_0[m, k] * b[k, n])"
    assert text(last) == "out[m, n] = stage_1[m, n] * (m + n)"


def test_pairs_are_not_stored() -> None:
    """Forces between all pairs: the distances are computed where they are summed, inside the loops over both bodies."""
    (stage,) = constructed("forces", n=100, d=3)
    assert isinstance(stage, Stage)
    assert [axis.name for axis in stage.loops] == ["n", "j", "d"]
    assert [axis.name for axis in stage.inner] == ["d"]


def test_windows_are_not_stored() -> None:
    """A convolution is not made a product of matrices by copying its input many times over."""
    (stage,) = constructed("correlated_2d")
    assert isinstance(stage, Stage)
    assert {factor.tensor for factor in stage.factors} == {"x", "f"}
    assert "x.pad(0)[" in text(stage)


def test_sums_behind_a_reindexing_are_merged() -> None:
    """Σ_r (Σ_k y[k, p] · w[k, r])[p: h - r] is one sum over r and k: what is between has r times as many elements."""
    h, k, p, r = (Axis(name, name) for name in "hkpr")
    inner = Reduce("sum", Read("y", (k, p)) * Read("w", (k, r)), (k,))
    moved = at.Reindex(inner, (p,), (Affine.total([(h, 1), (r, -1)], 0),), 0.0)
    inputs = (TensorSpec("x", ("h",)), TensorSpec("y", ("k", "p")), TensorSpec("w", ("k", "r")))
    kernel = Kernel("f", inputs, (Output("out", (h,), Reduce("sum", moved, (r,))),), "vjp:x")
    (stage,) = stages(kernel, {"h": 100, "k": 4, "p": 98, "r": 8})
    assert text(stage) == "out[h] = sum[r, k](y.pad(0)[k, h - r] * w[k, r])"


def test_scores_are_stored_though_they_are_larger_than_any_input() -> None:
    """Each is used for every column of the result."""

    def attended(q: Tensor["t", "d"], k: Tensor["s", "d"], v: Tensor["s", "e"]):
        (t, d), (s, e) = at.axes(q), at.axes(v)
        p = at.exp(at.sum(q[t, d] * k[s, d], over=d))
        return at.output[t, e](at.sum(p * v[s, e], over=s) / at.sum(p, over=s))

    found = stages(define(attended), {"t": 100, "s": 100, "d": 8, "e": 8})
    assert len(contractions(found)) == 3
    assert "exp" in text(found[0])


def test_an_output_that_others_need_is_read() -> None:
    found = constructed("several")
    names = [result.name for stage in found for result in stage.results]
    assert sorted(names) == ["everything", "repeated", "share", "three", "total", "turned"]
    (share,) = [line for stage in found for line in equations(stage, 1000) if line.startswith("share")]
    assert share == "share[n, m] = turned[m, n] / total[n]"


def test_only_what_is_read_of_a_scan_is_stored() -> None:
    (scan,) = [stage for stage in constructed("coupled") if isinstance(stage, ScanStage)]
    assert [(state.result.name, state.which, state.final) for state in scan.states] == [
        ("other", 1, False),
        ("out", 0, True),
    ]


def test_a_scatter_loops_over_what_it_adds_first() -> None:
    (scatter,) = [stage for stage in constructed("scattered") if isinstance(stage, ScatterStage)]
    assert [axis.name for axis in scatter.loops] == ["t", "k"]
    assert [axis.name for axis in scatter.axes] == ["v", "k"]


def test_equal_intermediates_are_one_whatever_their_axes_are_called() -> None:
    i, j = Axis("i", "i"), Axis("i_2", "i")
    inputs = (TensorSpec("x", ("i",)),)

    def moved(axis: Axis, by: int) -> at.Reindex:
        body = at.exp(at.tanh(Read("x", (axis,))))
        return at.Reindex(body, (axis,), (Affine.total([(i, 1)], by),), 0.0)

    kernel = Kernel("f", inputs, (Output("out", (i,), moved(i, 1) + moved(j, -1)),))
    first, _ = stages(kernel, {"i": 10})
    assert text(first) == "stage_0[i] = exp(tanh(x[i]))"


def test_a_workload_knows_all_extents_and_counts_whole_numbers_as_eight_bytes() -> None:
    workload = Workload.of(CONSTRUCTS["every_second"], {"n": 4, "m": 7}, "float32")
    assert workload.sizes == {"n": 4, "m": 7, "h": 3}
    assert workload.shapes == {"x": (4, 7), "out": (4, 3)}
    assert workload.bytes == 4 * (28 + 12)
    counted = Workload.of(CONSTRUCTS["ranked"], {"n": 4, "m": 7}, "float32")
    assert counted.bytes == 4 * (28 + 4) + 8 * (4 + 1)
    with pytest.raises(ShapeError):
        Workload.of(CONSTRUCTS["coupled"], {"n": 4, "t": 0})


def test_a_derivative_of_a_product_is_two_products() -> None:
    """In forward mode: what is summed is two products of tensors, so each becomes a contraction, the last adds up."""
    first, second, last = stages(derive(KERNELS["matmul"], "jvp"), {"m": 8, "k": 8, "n": 8})
    assert all(isinstance(stage, Stage) and len(stage.factors) == 2 for stage in (first, second, last))
    assert isinstance(last, Stage)
    assert second.name in {read.tensor for read in last.reads} - {factor.tensor for factor in last.factors}


def test_terms_that_read_nothing_twice_are_summed_at_once() -> None:
    """The derivative of a product of matrices and vectors reads a matrix once: one pass over both."""
    *_, last = stages(derive(KERNELS["matvec"], "jvp"), {"m": 8, "k": 8})
    assert isinstance(last, Stage)
    assert not last.factors
