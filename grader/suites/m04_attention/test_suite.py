"""m04_attention: who may look at whom, how looks become a mixture, and how vectors are cut for heads."""

import math

import pytest
import torch
import torch.nn.functional as F

from grader.judge import (
    BFLOAT16,
    FLOAT16,
    FLOAT32_LAYER,
    FLOAT64_CONSTANT,
    StudentError,
    counted,
    expect,
    expect_bound,
    expect_close,
    expect_equal,
    expect_one_device,
    expect_raises,
    expect_tensor,
    expect_unchanged,
)
from grader.suites.shared import attention as shared

from . import oracle
from .steps import expect_attention, expect_same_weights_for_wide_values


def qkv(draw, q=5, k=7):
    """Draw a query, a key and a value with every dimension different."""
    return draw.normal(2, 3, q, 4), draw.normal(2, 3, k, 4), draw.normal(2, 3, k, 6)


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
        expect_equal(mask, at <= at[:, None], misses=misses, what=f"the mask of {counted(seq, 'token')}")


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
    expect_same_weights_for_wide_values(student, query, key, value)
    expect_attention(student, query, key, value, expected=torch.tensor([[7.0]]))
    expect_attention(student, query, key, value, torch.tensor([[True, False]]), expected=torch.tensor([[4.0]]))


@pytest.mark.task("m04.2")
@pytest.mark.holds("Mix the values, each query by its own weights: softmax(query · key / sqrt(d_head)) over the keys.")
@pytest.mark.parametrize("reference", [shared.attention, F.scaled_dot_product_attention], ids=["float64", "torch"])
def test_scores_are_divided_by_the_root_of_the_head_width(student, draw, reference):
    """With several heads, scores are divided by the square root of d_head before the softmax, as torch does."""
    args = query, key, _ = qkv(draw)
    simpler, mistake = (query, key, key), oracle.D_VALUE
    expect_attention(student, *args, expected=reference(*args), simpler=simpler, mistake=mistake)


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
@pytest.mark.holds(
    "The mask is True where a query may look, and broadcasts to the scores, as torch does it: with a "
    "batch and heads, the first of three axes is the heads'."
)
@pytest.mark.parametrize(
    "shape",
    [(5, 7), (2, 1, 5, 7), (2, 3, 5, 7), (2, 1, 1, 7), (3, 5, 7)],
    ids=["for_all", "by_sequence", "by_head", "by_key", "by_head_alone"],
)
def test_a_mask_is_broadcast_over_batch_and_heads(student, draw, shape):
    """A mask may leave out the batch, the heads or the queries; it then holds for all of them."""
    args, mask = qkv(draw), oracle.some_mask(draw, math.prod(shape[:-1]), 7).reshape(shape)
    simpler = *args, mask.reshape(-1, 7)[[0] * 5]
    expect_attention(student, *args, mask, simpler=simpler, mistake=oracle.TWO_AXES)


@pytest.mark.task("m04.2")
@pytest.mark.holds(
    "The mask is True where a query may look, and broadcasts to the scores, as torch does it: with a "
    "batch and heads, the first of three axes is the heads'.",
)
def test_a_mask_of_three_axes_is_the_heads(student, draw):
    """With as many sequences as heads, a mask of three axes still belongs to the heads, as broadcasting has it."""
    args = draw.normal(3, 3, 5, 4), draw.normal(3, 3, 7, 4), draw.normal(3, 3, 7, 6)
    expect_attention(student, *args, oracle.some_mask(draw, 15, 7).reshape(3, 5, 7))


@pytest.mark.task("m04.2")
@pytest.mark.holds(
    "What is hidden weighs nothing, however low the rest is.",
)
def test_what_is_hidden_weighs_nothing_however_low_the_rest_is(student, draw):
    """Where all scores lie a million below zero, what may be seen is mixed, and what is hidden has no part in it."""
    mask, value = oracle.some_mask(draw, 5, 7), draw.normal(2, 7, 6)
    scores = torch.where(mask, -(2.0**20), -(2.0**21)) + draw.integers(0, 3, 2, 5, 7)
    # Each query picks its row of scores out of the keys; the root of 16 is 4, and all of it is exact in float32.
    query, key = 4 * torch.eye(5, 16).repeat(2, 1, 1), torch.cat([scores.mT, torch.zeros(2, 7, 11)], dim=-1)
    expect_attention(student, query, key, value, mask)


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
@pytest.mark.holds("Any floating dtype goes in, the query's comes out.")
@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float16, torch.bfloat16], ids=["float64", "float16", "bfloat16"]
)
def test_other_dtypes_go_in_and_come_out(student, draw, dtype):
    """A masked call in another dtype is as exact as that dtype allows, and returns it."""
    # Small integers: their scores are exact in every dtype, so that only the softmax and the mixture can round.
    query, key = draw.integers(-2, 3, 2, 3, 5, 4).to(dtype), draw.integers(-2, 3, 2, 3, 7, 4).to(dtype)
    value = draw.integers(4, 9, 2, 3, 7, 6).to(dtype) / 2
    atol = {torch.float64: FLOAT64_CONSTANT, torch.float16: FLOAT16, torch.bfloat16: BFLOAT16}[dtype]
    try:
        expect_attention(student, query, key, value, oracle.some_mask(draw, 5, 7), atol=atol)
    except StudentError as error:
        said = f"Your code raised {error}."
        expect("overflow" not in said, said, mistake=oracle.TOO_LOW, evidence="value")
        raise


@pytest.mark.task("m04.2")
@pytest.mark.holds(
    "No argument of a function or of a layer changes.", "Any floating dtype goes in, the query's comes out."
)
def test_arguments_stay_as_they_were(student, draw):
    """Query, key, value and mask are the same after the call as before it."""
    args = *qkv(draw), oracle.some_mask(draw, 5, 7)
    after = student.probe.mutated(student.scaled_dot_product_attention, *args)["args"]
    for name, actual, expected in zip(("query", "key", "value"), after[:3], args[:3], strict=True):
        misses = {oracle.SCALED[name]: expected / 2}
        expect_unchanged(actual, expected, misses=misses, what=f"the {name} after the call")
    misses = {"the mask is inverted in place": ~args[3]}
    expect_unchanged(after[3], args[3], misses=misses, what="the mask after the call")


@pytest.mark.task("m04.2")
@pytest.mark.holds("Raises ValueError, naming both shapes, when query and key differ in width.")
def test_query_and_key_of_different_widths_are_refused(student, draw):
    """A query of width 13 and keys of width 17 raise ValueError with both shapes in its text."""
    args = draw.normal(2, 11, 13), draw.normal(2, 19, 17), draw.normal(2, 19, 6)
    fine, said = (args[0], args[1][..., :13], args[2]), ("11", "13", "19", "17")
    expect_raises("ValueError", student.scaled_dot_product_attention, *args, mentions=said, fine=fine)


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
    share = float((kept[..., :40] != 0).double().mean())  # of 6,000: 0.06 is ten standard deviations
    expect_bound(share, f"{share:.0%} of the weights are kept, expected 75%.", above=0.69, below=0.81)


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
    expect_one_device(student, student.scaled_dot_product_attention, args, mistake=oracle.ELSEWHERE)


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
    uneven, even = (draw.normal(2, 5, width) for width in (14, 12))
    expect_raises("ValueError", student.split_heads, uneven, 4, mentions=("14", "4"), fine=(even, 4))
