"""From expressions to stages: what becomes one sum of products, what is computed first."""

from autotune.autodiff import derive
from autotune.lang import Read
from autotune.schedule import Stage, stages
from tests.kernels import KERNELS

EXTENTS = dict.fromkeys("bcdhklmnost", 16)


def staged(name: str, direction: str = "forward", **extents: int) -> tuple[Stage, ...]:
    return stages(derive(KERNELS[name], direction), EXTENTS | extents)


def text(stage: Stage) -> str:
    over = ",".join(axis.name for axis in stage.over)
    return f"{stage.name} = {stage.epilogue} of sum[{over}] {' * '.join(map(str, stage.factors))}"


def test_a_product_is_one_stage() -> None:
    assert [text(stage) for stage in staged("matmul")] == ["out = out[m, n] of sum[k] a[m, k] * b[k, n]"]


def test_a_gradient_of_a_product_is_one_stage() -> None:
    (stage,) = staged("matmul", "vjp:a")
    assert sorted(map(str, stage.factors)) == ["b[k, n]", "out_bar[m, n]"]
    assert not stage.has_epilogue


def test_pointwise_functions_around_a_sum_are_its_epilogue() -> None:
    (stage,) = staged("linear")
    assert str(stage.epilogue) == "relu(out[b, t, o] + bias[o])"
    assert stage.has_epilogue


def test_scalars_leave_the_sum() -> None:
    (stage,) = staged("scores", "vjp:q")
    assert all(isinstance(factor, Read) and factor.tensor != "scale" for factor in stage.factors)
    assert "scale" in str(stage.epilogue)


def test_a_sum_inside_a_sum_is_stored_first() -> None:
    first, second = staged("saturated", "vjp:a")
    assert sorted(factor.tensor for factor in first.factors) == ["a", "b"]
    assert first.name in {factor.tensor for factor in second.factors}


def test_a_chain_is_multiplied_in_the_cheaper_order() -> None:
    tensors = [{factor.tensor for factor in stage.factors} for stage in staged("chain", m=2, k=64, l=64, n=64)]
    assert tensors == [{"a", "b"}, {"stage_0", "c"}]
    tensors = [{factor.tensor for factor in stage.factors} for stage in staged("chain", m=64, k=64, l=64, n=2)]
    assert tensors == [{"b", "c"}, {"stage_0", "a"}]


def test_a_weight_is_multiplied_where_it_is_used() -> None:
    (stage,) = staged("weighted")
    assert len(stage.factors) == 3


def test_nothing_summed_is_an_epilogue_alone() -> None:
    (stage,) = staged("outer")
    assert stage.factors == ()
    assert str(stage.epilogue) == "x[m] * y[n]"
