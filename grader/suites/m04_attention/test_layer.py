"""m04_attention: the layer."""

import functools

import pytest
import torch

from grader.judge import (
    FLOAT32_LAYER,
    achieve,
    counted,
    expect,
    expect_answer,
    expect_bound,
    expect_close,
    expect_equal,
    expect_one_device,
    expect_raises,
    expect_tensor,
    expect_unchanged,
)
from grader.suites.shared import attention as shared
from grader.suites.shared.digits import expect_float64

from . import oracle
from .steps import layer_with


@pytest.mark.task("m04.4")
@pytest.mark.holds(
    "Its only state is two nn.Linear: `c_attn` (d_model to 3 * d_model: all queries, then all keys, then all "
    "values) and `c_proj` (d_model to d_model).",
    "`n_heads` is readable.",
    "With `bias=False` neither has a bias.",
)
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no_bias"])
def test_its_state_is_two_linear_layers(student, draw, bias):
    """The state is c_attn and c_proj, laid out as nn.Linear does, and nothing else; n_heads can be read."""
    layer, expected = student.MultiHeadAttention(12, 3, bias=bias), shared.random_state(draw, 12, bias)
    state = layer.state_dict()
    expect_equal(
        sorted(state), sorted(expected), misses=oracle.key_misses(state), what="the list of keys of state_dict()"
    )
    shapes = {name: tuple(value.shape) for name, value in student.probe.parameters(layer).items()}
    sizes, names = {name: tuple(value.shape) for name, value in expected.items()}, {oracle.OTHER_NAMES: shapes}
    misses = oracle.shape_misses(shapes) if set(shapes) == set(sizes) else names
    expect_equal(shapes, sizes, misses=misses, what="the shape of each parameter")
    expect_equal(layer.n_heads, 3, what="n_heads")


@pytest.mark.task("m04.4")
@pytest.mark.holds("Causal self-attention as GPT-2 has it: project, split, attend in every head, merge, project.")
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no_bias"])
@pytest.mark.parametrize("reference", [shared.multi_head, oracle.torch_layer], ids=["float64", "torch"])
def test_heads_attend_side_by_side(student, draw, reference, bias):
    """With given weights the output is that of three heads of causal attention, joined and projected, as torch does."""
    x, state = draw.normal(2, 5, 12), shared.random_state(draw, 12, bias)
    actual, expected = layer_with(student, state, 3)(x), reference(x, state, 3)
    expect_close(actual, expected, atol=FLOAT32_LAYER, misses=oracle.multi_head_misses(x, state, 3))


@pytest.mark.task("m04.4")
@pytest.mark.holds(
    "Let every token of each sequence gather from itself and from the tokens before it; any length will do.",
)
def test_a_later_token_cannot_change_an_earlier_output(student, draw):
    """Changing token 4 leaves the outputs 0 to 3 as they were, and changes those from 4 on."""
    x, layer = draw.normal(2, 7, 12), layer_with(student, shared.random_state(draw, 12), 3)
    changed = x + 3.0 * (torch.arange(7) == 4)[:, None]
    before, after = layer(x), layer(changed)
    expect_tensor(before, shape=(2, 7, 12), dtype=torch.float32)
    expect_tensor(after, shape=(2, 7, 12), dtype=torch.float32)
    gap = (after - before).abs().amax(dim=(0, 2))
    expect(bool((gap[:4] <= FLOAT32_LAYER).all()), "An earlier output changed.", mistake=oracle.LEAK, evidence="value")
    expect(bool((gap[4:] > 1e-3).all()), "A later output stayed.", mistake=oracle.BLIND, evidence="value")


@pytest.mark.task("m04.4")
def test_the_first_token_hears_only_itself(student, draw):
    """The first of five outputs is the projection of the first token's own value."""
    x, state = draw.normal(2, 5, 12), shared.random_state(draw, 12)
    value = x[:, 0] @ state["c_attn.weight"][24:].T + state["c_attn.bias"][24:]
    actual = layer_with(student, state, 3)(x)
    expect_tensor(actual, shape=(2, 5, 12), dtype=torch.float32)
    expected = value @ state["c_proj.weight"].T + state["c_proj.bias"]
    misses = {name: wrong()[:, 0] for name, wrong in oracle.multi_head_misses(x, state, 3).items()}
    expect_close(actual[:, 0], expected, atol=FLOAT32_LAYER, misses=misses, what="the first output")


@pytest.mark.task("m04.4")
@pytest.mark.holds(
    "Let every token of each sequence gather from itself and from the tokens before it; any length will do.",
)
def test_a_layer_takes_any_length_up_to_the_full_context(student, draw, weights):
    """One layer, with a checkpoint's weights, serves a short input, then a full context, then a single token."""
    n_heads, state = weights.config["n_head"], oracle.checkpoint_state(weights, 0)
    layer = layer_with(student, state, n_heads)
    for seq in (3, weights.config["n_positions"], 1):
        x = draw.normal(1, seq, weights.config["n_embd"])
        actual = expect_answer(layer, x, simpler=(x[:, :3],), mistake=oracle.FIXED_LENGTH)
        expected = shared.multi_head(x, state, n_heads)
        expect_close(actual, expected, atol=shared.thousandth(expected), what=f"the output for {counted(seq, 'token')}")


@pytest.mark.task("m04.4")
@pytest.mark.holds(
    "Let every token of each sequence gather from itself and from the tokens before it; any length will do.",
)
def test_a_layer_has_no_length_of_its_own(student, draw):
    """A layer serves 2,100 tokens as it serves three: nothing in it was made for some length."""
    state = shared.random_state(draw, 4)
    layer = layer_with(student, state, 1)
    for seq in (3, 2100):
        x = draw.normal(1, seq, 4)
        actual = expect_answer(layer, x, simpler=(x[:, :3],), mistake=oracle.FIXED_LENGTH)
        expect_close(
            actual, shared.multi_head(x, state, 1), atol=FLOAT32_LAYER, what=f"the output for {counted(seq, 'token')}"
        )


@pytest.mark.task("m04.4")
@pytest.mark.holds(
    "What is hidden weighs nothing, however low the rest is.",
)
def test_in_a_layer_too_what_is_hidden_weighs_nothing(student, draw):
    """With keys that are their queries turned round, a token scores itself far below all that is hidden from it."""
    x, state = draw.integers(-3, 4, 2, 5, 12).float(), shared.random_state(draw, 12)
    x[x == 0] = 1.0
    turn = 64 * draw.integers(-2, 3, 12, 12).float() + 64 * torch.eye(12)  # whole numbers: scores are exact
    state |= {"c_attn.bias": torch.cat([torch.zeros(24), state["c_attn.bias"][24:]])}
    state["c_attn.weight"] = torch.cat([turn, -turn, state["c_attn.weight"][24:]])
    misses = {oracle.TOO_HIGH: lambda: shared.multi_head(x, state, 3, fill=-1e4)}
    actual, expected = layer_with(student, state, 3)(x), shared.multi_head(x, state, 3)
    expect_close(actual, expected, atol=FLOAT32_LAYER, rtol=1e-5, misses=misses)


@pytest.mark.task("m04.4")
@pytest.mark.holds("In training mode only, `dropout` falls on the attention weights and on the output.")
def test_dropout_rests_in_eval_mode(student, draw):
    """After eval() a layer with dropout 0.5 gives the same output twice, and the right one."""
    x, state = draw.normal(2, 5, 12), shared.random_state(draw, 12)
    layer = layer_with(student, state, 3, dropout=0.5)
    first, second = layer(x), layer(x)
    expect_tensor(first, shape=(2, 5, 12), dtype=torch.float32)
    expect_tensor(second, shape=(2, 5, 12), dtype=torch.float32)
    expect(torch.equal(first, second), "Two equal calls in eval mode differ.", mistake=oracle.AWAKE, evidence="value")
    expect_close(first, shared.multi_head(x, state, 3), atol=FLOAT32_LAYER)


@pytest.mark.task("m04.4")
@pytest.mark.holds("In training mode only, `dropout` falls on the attention weights and on the output.")
def test_dropout_falls_on_weights_and_output_in_training(student, draw):
    """In training, dropout silences heads of a lone token (its weights) and single outputs, and rescales both."""
    x, state = draw.normal(400, 1, 12), shared.random_state(draw, 12, bias=False) | {"c_proj.weight": torch.eye(12)}
    layer = layer_with(student, state, 3, dropout=0.25)
    layer.train()
    actual = layer(x)
    expect_tensor(actual, shape=(400, 1, 12), dtype=torch.float32)
    expect(bool((actual != 0).any()), "Every output is zero.", evidence="value")
    plain, quiet = x @ state["c_attn.weight"][24:].T, actual == 0
    silent = float(quiet.unflatten(-1, (3, 4)).all(-1).double().mean())
    kept, misses = plain[~quiet] / 0.75**2, oracle.dropout_misses(plain[~quiet], 0.25, silent)
    expect_close(actual[~quiet], kept, atol=FLOAT32_LAYER, misses=misses, what="what is kept", follows=True)
    # A quarter of 1,200 heads, and 7/16 of 4,800 outputs; the bounds are nine standard deviations away.
    expect_bound(silent, f"{silent:.0%} of the heads are silent, expected 25%.", above=0.13, below=0.37)
    share = float(quiet.double().mean())
    expect_bound(share, f"{share:.0%} of the outputs are zero, expected 44%.", above=0.33, below=0.55)


@pytest.mark.task("m04.4")
def test_a_layer_that_is_asked_for_nothing_more_has_biases_and_no_dropout(student, draw):
    """MultiHeadAttention(12, 3) takes biases, and gives the right output even in training."""
    x, state = draw.normal(2, 5, 12), shared.random_state(draw, 12)
    layer = student.MultiHeadAttention(12, 3)
    unbiased = {"bias is not True by default": ["c_attn.weight", "c_proj.weight"]}
    expect_equal(sorted(layer.state_dict()), sorted(state), misses=unbiased, what="the list of keys")
    layer.load_state_dict(state)
    layer.train()
    actual = layer(x)
    misses = {"dropout is not 0.0 by default": actual} if shared.by_chance(actual, layer(x)) else {}
    expect_close(actual, shared.multi_head(x, state, 3), atol=FLOAT32_LAYER, misses=misses)


@pytest.mark.task("m04.4")
@pytest.mark.holds("Raises ValueError, naming both numbers, when n_heads does not divide d_model.")
def test_a_width_the_heads_cannot_share_is_refused(student):
    """MultiHeadAttention(14, 4) raises ValueError with both numbers in its text."""
    expect_raises("ValueError", student.MultiHeadAttention, 14, 4, mentions=("14", "4"))


@pytest.mark.task("m04.4")
@pytest.mark.holds(
    "No argument of a function or of a layer changes.",
)
def test_the_input_of_a_layer_stays_as_it_was(student, draw):
    """The input is the same after the call as before it."""
    x, layer = draw.normal(2, 5, 12), layer_with(student, shared.random_state(draw, 12), 3)
    after = student.probe.mutated(layer, x)
    expect_unchanged(after["args"][0], x, what="the input after the call")


@pytest.mark.task("m04.4")
def test_a_layer_in_float64_stays_in_float64(student, draw):
    """A layer turned into float64 computes in float64 throughout."""
    x, state = draw.normal(2, 5, 12), shared.random_state(draw, 12)
    layer = layer_with(student, state, 3)
    layer.double()
    expect_float64(layer, lambda x: shared.multi_head(x, state, 3), x)


@pytest.mark.task("m04.4")
def test_gradients_of_a_layer_agree_with_float64(student, draw):
    """The gradients of the input and of every parameter are those of the formula in float64."""
    x, state, weights = draw.normal(2, 5, 12), shared.random_state(draw, 12), draw.normal(2, 5, 12)
    found = student.probe.gradients(layer_with(student, state, 3), [x], weights)
    names = list(state)

    def gradients(cut="", place=slice(None)):
        def layer(x, *parts):
            return shared.multi_head(x, dict(zip(names, parts, strict=True)), 3, cut=cut)

        return shared.gradients(layer, (x, *state.values()), weights)[place]

    expected = gradients()
    actual = [found["args"][0], *(found["parameters"][name] for name in names)]
    for place, (name, mine, right) in enumerate(zip(["the input", *names], actual, expected, strict=True)):
        stopped = {words: functools.partial(gradients, part, place) for part, words in oracle.CUT.items()}
        misses = {shared.CUT: torch.zeros_like(right)} | stopped
        atol = max(FLOAT32_LAYER, shared.thousandth(right))  # sums over tokens: rounding grows with what is summed
        expect_close(mine, right, atol=atol, rtol=1e-4, misses=misses, what=f"the gradient of {name}")


@pytest.mark.task("m04.4")
@pytest.mark.warm("torch._dynamo")
def test_a_layer_runs_where_its_input_is(student, draw):
    """With weights and input on another device, nothing is made on the CPU."""
    x, layer = draw.normal(2, 5, 12), layer_with(student, shared.random_state(draw, 12), 3)
    expect_tensor(layer(x), shape=(2, 5, 12), dtype=torch.float32)
    expect_one_device(student, layer, [x], mistake=oracle.ELSEWHERE)


@pytest.mark.task("m04.4")
def test_every_layer_of_gpt2_agrees_with_transformers(student, draw, weights):
    """With a checkpoint's weights, every layer's attention gives what Hugging Face's GPT-2 gives."""
    n_heads, d_model = weights.config["n_head"], weights.config["n_embd"]
    gap = 0.0
    for index in range(weights.config["n_layer"]):
        x, state = draw.normal(2, 17, d_model), oracle.checkpoint_state(weights, index)
        actual, misses = layer_with(student, state, n_heads)(x), oracle.multi_head_misses(x, state, n_heads)
        expected = oracle.hugging_face(weights, index, x)  # after the student: transformers is slow to import
        expect_close(actual, expected, atol=shared.thousandth(expected), misses=misses, what=f"layer {index}")
        gap = max(gap, float((actual - expected).abs().max()))
    achieve(
        f"In all {index + 1} layers of {weights.name} your attention is Hugging Face's to within {max(gap, 1e-7):.0e}."
    )
