"""m04_attention: who may look at whom, how looks become a mixture, and heads that run side by side."""

import math

import pytest
import torch
import torch.nn.functional as F

from grader.judge import (
    BFLOAT16,
    FLOAT16,
    FLOAT32_LAYER,
    FLOAT64,
    StudentError,
    expect,
    expect_close,
    expect_equal,
    expect_raises,
    expect_tensor,
)
from grader.suites.shared import attention as shared

from . import oracle


def qkv(draw, q=5, k=7):
    """Draw a query, a key and a value with every dimension different."""
    return draw.normal(2, 3, q, 4), draw.normal(2, 3, k, 4), draw.normal(2, 3, k, 6)


def expect_attention(student, *args, atol=FLOAT32_LAYER, expected=None):
    """Compare the student's attention with the reference, or with what is expected, and with the near misses."""
    actual = student.scaled_dot_product_attention(*args)
    expected = shared.attention(*args) if expected is None else expected
    rtol = torch.finfo(expected.dtype).eps  # the last digit of a coarse dtype
    expect_close(actual, expected, atol=atol, rtol=rtol, misses=oracle.attention_misses(*args))


def layer_with(student, state, n_heads, dropout=0.0):
    """Make the student's layer, in eval mode and with these weights."""
    bias = "c_proj.bias" in state
    layer = student.MultiHeadAttention(len(state["c_proj.weight"]), n_heads, dropout=dropout, bias=bias)
    layer.load_state_dict(state)
    layer.eval()
    return layer


@pytest.mark.task("m04.1")
@pytest.mark.holds(
    "Say who may look at whom: row i is the token that asks, column j the one looked at, True means it may.",
)
def test_three_tokens_see_themselves_and_what_came_before(student):
    """causal_mask(3) is True on and below the diagonal and False above it."""
    expected = torch.tensor([[True, False, False], [True, True, False], [True, True, True]])
    expect_equal(student.causal_mask(3), expected, misses=oracle.mask_misses(3), what="the mask of 3 tokens")


@pytest.mark.task("m04.1")
@pytest.mark.holds(
    "A token sees itself and everything before it.",
    "Example: causal_mask(2) is [[True, False], [True, True]].",
)
def test_the_mask_fits_every_length(student, draw):
    """The mask of any length, 1 included, lets token i see exactly the tokens 0 to i."""
    for seq in (1, 2, draw.random.randrange(40, 80)):
        at = torch.arange(seq)
        mask, misses = student.causal_mask(seq), oracle.mask_misses(seq)
        expect_equal(mask, at <= at[:, None], misses=misses, what=f"the mask of {seq} tokens")


@pytest.mark.task("m04.1")
@pytest.mark.warm("torch._dynamo")
def test_the_mask_is_made_on_the_device_asked_for(student):
    """causal_mask(seq, device) makes the mask on that device."""
    device = str(student.causal_mask(4, device="meta").device)
    expect(device == "meta", f"The mask is on {device}, expected meta.", mistake="the device is not passed on")


@pytest.mark.task("m04.2")
@pytest.mark.holds(
    "Example: query [[2, 0, 0, 0]], keys [[0, 0, 0, 0], [ln 3, 0, 0, 0]] have scores 0 and ln 3, so weights "
    "1/4 and 3/4; with values [[4], [8]] the result is [[7]], and with the mask [[True, False]] it is [[4]].",
)
def test_two_keys_as_in_the_docstring(student):
    """The docstring's example gives 7, and 4 once the second key is masked."""
    query, key = torch.tensor([[2.0, 0, 0, 0]]), torch.tensor([[0.0, 0, 0, 0], [math.log(3), 0, 0, 0]])
    value = torch.tensor([[4.0], [8.0]])
    expect_attention(student, query, key, value, expected=torch.tensor([[7.0]]))
    expect_attention(student, query, key, value, torch.tensor([[True, False]]), expected=torch.tensor([[4.0]]))


@pytest.mark.task("m04.2")
@pytest.mark.holds("Mix the values, each query by its own weights: softmax(query · key / sqrt(d_head)) over the keys.")
@pytest.mark.parametrize("reference", [shared.attention, F.scaled_dot_product_attention], ids=["float64", "torch"])
def test_scores_are_divided_by_the_root_of_the_head_width(student, draw, reference):
    """With several heads, scores are divided by the square root of d_head before the softmax, as torch does."""
    args = qkv(draw)
    expect_attention(student, *args, expected=reference(*args))


@pytest.mark.task("m04.2")
def test_true_in_the_mask_means_may_look(student, draw):
    """Three tokens see what a table says: the first only itself, the second the first two, the third the last two."""
    table = torch.tensor([[True, False, False], [True, True, False], [False, True, True]])
    expect_attention(student, draw.normal(2, 3, 6), draw.normal(2, 3, 6), draw.normal(2, 3, 5), table)


@pytest.mark.task("m04.2")
def test_each_query_spends_exactly_one(student, draw):
    """With the identity as value the weights show: none negative, masked ones exactly 0, and each row sums to 1."""
    args = draw.normal(3, 5, 4), draw.normal(3, 7, 4), torch.eye(7).repeat(3, 1, 1), oracle.some_mask(draw, 5, 7)
    shares = student.scaled_dot_product_attention(*args)
    expect_tensor(shares, shape=(3, 5, 7), dtype=torch.float32)
    misses = {mistake: wrong().sum(-1) for mistake, wrong in oracle.attention_misses(*args).items()}
    expect_close(shares.sum(-1), torch.ones(3, 5), atol=FLOAT32_LAYER, misses=misses, what="the sum of each row")
    expect(bool((shares >= 0).all()), "Some weights are negative.", evidence="value")
    expect(bool((shares[:, ~args[3]] == 0).all()), "Keys that are masked still have weight.", evidence="value")


@pytest.mark.task("m04.2")
def test_the_order_of_the_keys_does_not_matter(student, draw):
    """Without a mask, shuffling keys with their values changes nothing, and shuffling queries shuffles the result."""
    query, key, value = qkv(draw)
    keys, queries = draw.permutation(7), draw.permutation(5)
    before = student.scaled_dot_product_attention(query, key, value)
    expect_close(before, shared.attention(query, key, value), atol=FLOAT32_LAYER)  # or it is nothing to compare with
    after = student.scaled_dot_product_attention(query[:, :, queries], key[:, :, keys], value[:, :, keys])
    expect_close(after, before[:, :, queries], atol=FLOAT32_LAYER, what="the result for shuffled tokens")


@pytest.mark.task("m04.2")
@pytest.mark.holds("The mask is True where a query may look, and broadcasts to the scores.")
@pytest.mark.parametrize(
    "shape",
    [(5, 7), (2, 1, 5, 7), (2, 3, 5, 7), (2, 1, 1, 7)],
    ids=["for_all", "by_sequence", "by_head", "by_key"],
)
def test_a_mask_is_broadcast_over_batch_and_heads(student, draw, shape):
    """A mask may leave out the batch, the heads or the queries; it then holds for all of them."""
    expect_attention(student, *qkv(draw), oracle.some_mask(draw, math.prod(shape[:-1]), 7).reshape(shape))


@pytest.mark.task("m04.2")
@pytest.mark.holds("A query that may look nowhere gets zeros and sends back no NaN.")
def test_a_query_that_may_look_nowhere_gets_zeros(student, draw):
    """A row of the mask that is False throughout gives zeros: neither NaN nor an average of all values."""
    expect_attention(student, *qkv(draw), oracle.some_mask(draw, 5, 7, empty_row=2))


@pytest.mark.task("m04.2")
def test_large_scores_do_not_overflow(student, draw):
    """Scores of several hundred, whose exponential is infinite in float32, give a finite and right result."""
    query, key, value = qkv(draw)
    expect_attention(student, query * 300, key, value, atol=1e-3)  # float32 rounds a score of 1,000 by 6e-5


@pytest.mark.task("m04.2")
@pytest.mark.holds("Any floating dtype goes in, the query's comes out; no argument changes.")
@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float16, torch.bfloat16], ids=["float64", "float16", "bfloat16"]
)
def test_other_dtypes_go_in_and_come_out(student, draw, dtype):
    """A masked call in another dtype is as exact as that dtype allows, and returns it."""
    # Small integers: their scores are exact in every dtype, so that only the softmax and the mixture can round.
    query, key = draw.integers(-2, 3, 2, 3, 5, 4).to(dtype), draw.integers(-2, 3, 2, 3, 7, 4).to(dtype)
    value = draw.integers(4, 9, 2, 3, 7, 6).to(dtype) / 2
    atol = {torch.float64: FLOAT64, torch.float16: FLOAT16, torch.bfloat16: BFLOAT16}[dtype]
    try:
        expect_attention(student, query, key, value, oracle.some_mask(draw, 5, 7), atol=atol)
    except StudentError as error:
        said = f"Your code raised {error}."
        expect("overflow" not in said, said, mistake=oracle.TOO_LOW, evidence="value")
        raise


@pytest.mark.task("m04.2")
@pytest.mark.holds("Any floating dtype goes in, the query's comes out; no argument changes.")
def test_arguments_stay_as_they_were(student, draw):
    """Query, key, value and mask are the same after the call as before it."""
    args = *qkv(draw), oracle.some_mask(draw, 5, 7)
    after = student.probe.mutated(student.scaled_dot_product_attention, *args)["args"]
    for name, actual, expected in zip(("query", "key", "value"), after[:3], args[:3], strict=True):
        misses = {oracle.SCALED[name]: expected / 2}
        expect_close(actual, expected, atol=0.0, misses=misses, what=f"the {name} after the call")
    expect_equal(after[3], args[3], misses={"the mask is inverted in place": ~args[3]}, what="the mask after the call")


@pytest.mark.task("m04.2")
@pytest.mark.holds("Raises ValueError, naming both shapes, when query and key differ in width.")
def test_query_and_key_of_different_widths_are_refused(student, draw):
    """A query of width 13 and keys of width 17 raise ValueError with both shapes in its text."""
    args = draw.normal(2, 11, 13), draw.normal(2, 19, 17), draw.normal(2, 19, 6)
    expect_raises("ValueError", student.scaled_dot_product_attention, *args, mentions=("11", "13", "19", "17"))


@pytest.mark.task("m04.2")
@pytest.mark.holds(
    "Each weight is dropped with probability `dropout` and the rest grow by 1 / (1 - dropout); the caller "
    "passes 0.0 when it is not training.",
)
def test_dropout_falls_on_the_weights_and_rescales_the_rest(student, draw):
    """With dropout 0.25 about a quarter of the weights is 0, the others grow by 4/3, and these mix the values."""
    # The identity shows each weight, and a last column of ones what the weights of a row sum to.
    value = torch.cat([torch.eye(40), torch.ones(40, 1)], dim=-1).repeat(3, 1, 1)
    args = draw.normal(3, 50, 4), draw.normal(3, 40, 4), value
    actual = student.scaled_dot_product_attention(*args, dropout=0.25)
    expect_tensor(actual, shape=(3, 50, 41), dtype=torch.float32)
    kept, misses = oracle.dropped(actual, shared.attention(*args), 0.25)
    expect_close(actual, kept, atol=FLOAT32_LAYER, misses=misses, follows=True)
    share = float((kept[..., :40] != 0).double().mean())  # of 6,000: 0.03 is more than five standard deviations
    expect(abs(share - 0.75) < 0.03, f"{share:.0%} of the weights are kept, expected 75%.", evidence="value")


@pytest.mark.task("m04.2")
@pytest.mark.holds("A query that may look nowhere gets zeros and sends back no NaN.")
def test_gradients_agree_with_float64(student, draw):
    """Gradients are those of the formula in float64, and finite even where the mask has an empty row."""
    args, weights = (*qkv(draw), oracle.some_mask(draw, 5, 7, empty_row=2)), draw.normal(2, 3, 5, 6)
    found = student.probe.gradients(student.scaled_dot_product_attention, list(args), weights)["args"]
    expected = shared.gradients(lambda q, k, v: shared.attention(q, k, v, args[3]), args[:3], weights)
    for name, actual, right in zip(("query", "key", "value"), found[:3], expected, strict=True):
        expect(not oracle.has_nan(actual), f"The gradient of the {name} has NaN.", mistake=oracle.EMPTY_ROW)
        misses = {shared.CUT: torch.zeros_like(right)}
        expect_close(actual, right, atol=FLOAT32_LAYER, misses=misses, what=f"the gradient of the {name}")


@pytest.mark.task("m04.2")
@pytest.mark.warm("torch._dynamo")
def test_attention_runs_where_its_arguments_are(student, draw):
    """With all arguments on another device, nothing is made on the CPU."""
    args = [*qkv(draw), oracle.some_mask(draw, 5, 7)]
    expect_attention(student, *args)
    report = student.probe.fake_device(student.scaled_dot_product_attention, args)
    expect(report["verdict"] != "mismatch", f"On another device: {report['message']}", mistake=oracle.ELSEWHERE)


@pytest.mark.task("m04.3")
@pytest.mark.holds(
    "Example: of the tokens [1, 2, 3, 4], [5, 6, 7, 8] and [9, 10, 11, 12], the first of 2 heads gets [[1, 2], "
    "[5, 6], [9, 10]] and the second [[3, 4], [7, 8], [11, 12]].",
)
def test_three_tokens_are_cut_for_two_heads(student):
    """Of the tokens [1, 2, 3, 4], [5, 6, 7, 8] and [9, 10, 11, 12], head 0 gets the left halves, head 1 the right."""
    x = torch.arange(1.0, 13).reshape(1, 3, 4)
    expected = torch.tensor([[[[1.0, 2], [5, 6], [9, 10]], [[3, 4], [7, 8], [11, 12]]]])
    expect_close(student.split_heads(x, 2), expected, atol=0.0, misses=oracle.split_misses(x, 2))


@pytest.mark.task("m04.3")
@pytest.mark.holds(
    "Cut each token's vector into n_heads consecutive pieces and give every head its piece of all tokens.",
    "Lay the heads' pieces side by side again: what split_heads does, undone.",
)
@pytest.mark.parametrize("n_heads", [1, 3, 12])
def test_every_head_has_its_piece_of_every_token(student, draw, n_heads):
    """Head h is the features h * d_head to (h + 1) * d_head of every token; split_heads and merge_heads agree on it."""
    x = draw.normal(2, 5, 12)
    heads = torch.stack(x.split(12 // n_heads, dim=-1), dim=1)
    expect_close(student.split_heads(x, n_heads), heads, atol=0.0, misses=oracle.split_misses(x, n_heads))
    expect_close(student.merge_heads(heads), x, atol=0.0, misses=oracle.merge_misses(heads))


@pytest.mark.task("m04.3")
@pytest.mark.holds("Raises ValueError, naming both numbers, when n_heads does not divide d_model.")
def test_a_width_that_does_not_divide_is_refused(student, draw):
    """Cutting a width of 14 into 4 heads raises ValueError with both numbers in its text."""
    expect_raises("ValueError", student.split_heads, draw.normal(2, 5, 14), 4, mentions=("14", "4"))


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
    expect_equal(
        shapes, {name: tuple(value.shape) for name, value in expected.items()}, what="the shape of each parameter"
    )
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
        expected = shared.multi_head(x, state, n_heads)
        expect_close(layer(x), expected, atol=shared.thousandth(expected), what=f"the output for {seq} tokens")


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
    # A quarter of 1,200 heads, and 7/16 of 4,800 outputs; the margins are more than five standard deviations.
    expect(abs(silent - 0.25) < 0.07, f"{silent:.0%} of the heads are silent, expected 25%.", evidence="value")
    share = float(quiet.double().mean())
    expect(abs(share - 0.4375) < 0.06, f"{share:.0%} of the outputs are zero, expected 44%.", evidence="value")


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
def test_the_input_of_a_layer_stays_as_it_was(student, draw):
    """The input is the same after the call as before it."""
    x, layer = draw.normal(2, 5, 12), layer_with(student, shared.random_state(draw, 12), 3)
    after = student.probe.mutated(layer, x)
    expect_close(after["args"][0], x, atol=0.0, what="the input after the call")


@pytest.mark.task("m04.4")
def test_a_layer_in_float64_stays_in_float64(student, draw):
    """A layer turned into float64 computes in float64 throughout."""
    x, state = draw.normal(2, 5, 12, dtype=torch.float64), shared.random_state(draw, 12)
    layer = layer_with(student, state, 3)
    layer.double()
    expect_close(layer(x), shared.multi_head(x, state, 3), atol=FLOAT64)


@pytest.mark.task("m04.4")
def test_gradients_of_a_layer_agree_with_float64(student, draw):
    """The gradients of the input and of every parameter are those of the formula in float64."""
    x, state, weights = draw.normal(2, 5, 12), shared.random_state(draw, 12), draw.normal(2, 5, 12)
    found = student.probe.gradients(layer_with(student, state, 3), [x], weights)
    names = list(state)
    expected = shared.gradients(
        lambda x, *parts: shared.multi_head(x, dict(zip(names, parts, strict=True)), 3), (x, *state.values()), weights
    )
    actual = [found["args"][0], *(found["parameters"][name] for name in names)]
    for name, mine, right in zip(["the input", *names], actual, expected, strict=True):
        misses = {shared.CUT: torch.zeros_like(right)}
        atol = max(FLOAT32_LAYER, shared.thousandth(right))  # sums over tokens: rounding grows with what is summed
        expect_close(mine, right, atol=atol, rtol=1e-4, misses=misses, what=f"the gradient of {name}")


@pytest.mark.task("m04.4")
@pytest.mark.warm("torch._dynamo")
def test_a_layer_runs_where_its_input_is(student, draw):
    """With weights and input on another device, nothing is made on the CPU."""
    x, layer = draw.normal(2, 5, 12), layer_with(student, shared.random_state(draw, 12), 3)
    expect_tensor(layer(x), shape=(2, 5, 12), dtype=torch.float32)
    report = student.probe.fake_device(layer, [x])
    expect(report["verdict"] != "mismatch", f"On another device: {report['message']}", mistake=oracle.ELSEWHERE)


@pytest.mark.task("m04.4")
def test_every_layer_of_gpt2_agrees_with_transformers(student, draw, weights):
    """With a checkpoint's weights, every layer's attention gives what Hugging Face's GPT-2 gives."""
    n_heads, d_model = weights.config["n_head"], weights.config["n_embd"]
    for index in range(weights.config["n_layer"]):
        x, state = draw.normal(2, 17, d_model), oracle.checkpoint_state(weights, index)
        actual, misses = layer_with(student, state, n_heads)(x), oracle.multi_head_misses(x, state, n_heads)
        expected = oracle.hugging_face(weights.attention(index), x)  # after the student: transformers is slow to import
        expect_close(actual, expected, atol=shared.thousandth(expected), misses=misses, what=f"layer {index}")
