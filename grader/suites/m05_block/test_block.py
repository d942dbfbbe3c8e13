"""m05_block: the block."""

import pytest
import torch

from grader.judge import (
    FLOAT32_LAYER,
    achieve,
    counted,
    expect,
    expect_bound,
    expect_close,
    expect_one_device,
    expect_raises,
    expect_tensor,
)
from grader.suites.shared.digits import expect_float64

from . import oracle
from .steps import EPS, expect_gradients, expect_state, expect_untouched


def block_with(student, state, n_heads=3, dropout=0.0, eps=EPS):
    """Make the student's Block, in eval mode and with these weights."""
    d_ff, d_model = state["mlp.c_fc.weight"].shape
    layer = student.Block(d_model, n_heads, d_ff=d_ff, dropout=dropout, eps=eps)
    layer.load_state_dict(state)
    layer.eval()
    return layer


@pytest.mark.task("m05.4")
@pytest.mark.holds(
    "Its parts are `ln_1`, `attn` (your MultiHeadAttention), `ln_2` and `mlp`, and it has no other state.",
)
@pytest.mark.parametrize("d_ff", [None, 20], ids=["d_ff_left_out", "d_ff_20"])
def test_the_state_of_a_block_is_that_of_its_four_parts(student, draw, d_ff):
    """The state is that of ln_1, attn, ln_2 and mlp, with the inner width 4 * d_model or d_ff, and nothing else."""
    layer = student.Block(12, 3) if d_ff is None else student.Block(12, 3, d_ff)
    expected = {name: tuple(value.shape) for name, value in oracle.block_state(draw, 12, d_ff or 48).items()}
    expect_state(student, layer, expected, width=oracle.NO_D_FF if d_ff is None else oracle.D_FF_IGNORED)


@pytest.mark.task("m05.4")
@pytest.mark.holds(
    "Add to each token what it hears from the others, then add what it makes of that.",
    "Pre-norm, as in Language Models are Unsupervised Multitask Learners (Radford et al., 2019), section 2.3: "
    "a sublayer reads a normalised copy of the stream, and its answer is added to the stream itself.",
    "`dropout` goes to both sublayers, and `eps` to both norms.",
    "Run attention, then the MLP, each on a normalised copy, and add both to the stream.",
)
@pytest.mark.parametrize("reference", [oracle.block, oracle.torch_block], ids=["float64", "torch"])
@pytest.mark.parametrize("eps", [EPS, None], ids=["eps_0.1", "eps_left_out"])
def test_each_sublayer_reads_a_normalised_copy_and_adds_its_answer(student, draw, reference, eps):
    """With given weights, x + attn(ln_1(x)) and then the same with ln_2 and mlp, as torch's pre-norm layer has it."""
    x, state = 0.3 * draw.normal(2, 5, 12), oracle.block_state(draw, 12, 20)
    layer = student.Block(12, 3, d_ff=20, **({} if eps is None else {"eps": eps}))
    layer.load_state_dict(state)
    args = x, state, 3, eps or 1e-5
    expect_close(layer(x), reference(*args), atol=FLOAT32_LAYER, rtol=1e-5, misses=oracle.block_misses(*args))


@pytest.mark.task("m05.4")
@pytest.mark.holds("Example: with both c_proj at zero nothing is added, and the block gives back its input.")
def test_silent_sublayers_leave_the_stream_as_it_is(student, draw):
    """With both c_proj at zero nothing is added, and the output is the input, digit for digit."""
    x, state = draw.normal(2, 5, 12), oracle.silenced(oracle.block_state(draw, 12, 20), "attn", "mlp")
    misses = oracle.block_misses(x, state, 3, EPS)
    expect_close(block_with(student, state)(x), x, atol=0.0, rtol=1e-6, misses=misses)


@pytest.mark.task("m05.4")
@pytest.mark.parametrize("silent", ["attn", "mlp"])
def test_either_sublayer_works_while_the_other_is_silent(student, draw, silent):
    """With one c_proj at zero the other sublayer alone adds to the stream."""
    x, state = draw.normal(2, 5, 12), oracle.silenced(oracle.block_state(draw, 12, 20), silent)
    actual, misses = block_with(student, state)(x), oracle.block_misses(x, state, 3, EPS)
    expect_close(actual, oracle.block(x, state, 3, EPS), atol=FLOAT32_LAYER, rtol=1e-5, misses=misses)


@pytest.mark.task("m05.4")
def test_a_block_lets_no_token_see_a_later_one(student, draw):
    """Changing token 4 leaves the outputs 0 to 3 as they were, and changes those from 4 on."""
    x, layer = draw.normal(2, 7, 12), block_with(student, oracle.block_state(draw, 12, 20))
    before, after = layer(x), layer(x + 3.0 * draw.normal(12) * (torch.arange(7) == 4)[:, None])
    expect_tensor(before, shape=(2, 7, 12), dtype=torch.float32)
    expect_tensor(after, shape=(2, 7, 12), dtype=torch.float32)
    gap = (after - before).abs().amax(dim=(0, 2))
    still = bool((gap[:4] <= FLOAT32_LAYER).all())
    expect(still, "An earlier output changed.", mistake=oracle.NOT_CAUSAL, evidence="value")
    expect(bool((gap[4:] > 1e-4).all()), "A later output stayed as it was.", evidence="value")


@pytest.mark.task("m05.4")
def test_a_block_takes_any_length_up_to_the_full_context(student, draw, weights):
    """One block, with a checkpoint's weights, serves a short input, then a full context, then a single token."""
    sizes, state = weights.sizes, oracle.part_of(weights.linear_state(), "h.0.")
    eps = weights.config.get("layer_norm_epsilon", 1e-5)
    layer = block_with(student, state, sizes["n_heads"], eps=eps)
    for seq in (3, sizes["context_length"], 1):
        x = draw.normal(1, seq, sizes["d_model"])
        expected = oracle.block(x, state, sizes["n_heads"], eps)
        expect_close(
            layer(x), expected, atol=oracle.thousandth(expected), what=f"the output for {counted(seq, 'token')}"
        )


@pytest.mark.task("m05.4")
def test_dropout_of_a_block_rests_in_eval_mode(student, draw):
    """After eval() a block with dropout 0.5 gives the same output twice, and the right one."""
    x, state = draw.normal(2, 5, 12), oracle.block_state(draw, 12, 20)
    layer = block_with(student, state, dropout=0.5)
    first, second = layer(x), layer(x)
    expect_tensor(first, shape=(2, 5, 12), dtype=torch.float32)
    expect_tensor(second, shape=(2, 5, 12), dtype=torch.float32)
    expect(torch.equal(first, second), "Two equal calls in eval mode differ.", mistake=oracle.AWAKE, evidence="value")
    expect_close(first, oracle.block(x, state, 3, EPS), atol=FLOAT32_LAYER, rtol=1e-5)


@pytest.mark.task("m05.4")
@pytest.mark.holds("`dropout` goes to both sublayers, and `eps` to both norms.")
@pytest.mark.parametrize("part", ["attn", "mlp"])
def test_dropout_goes_to_both_sublayers_and_not_to_the_stream(student, draw, part):
    """In training with dropout 0.25, three quarters of one sublayer's answers reach the stream, which is kept whole."""
    silent = "attn" if part == "mlp" else "mlp"
    x, state = draw.normal(400, 1, 12), oracle.silenced(oracle.block_state(draw, 12, 20), silent)
    layer = block_with(student, state, dropout=0.25)
    layer.train()
    actual, again = layer(x), layer(x)
    expect_tensor(actual, shape=(400, 1, 12), dtype=torch.float32)
    expect_tensor(again, shape=(400, 1, 12), dtype=torch.float32)
    lost = float((actual == 0).double().mean())
    expect(lost < 0.01, f"{lost:.0%} of the outputs are zero.", mistake=oracle.DROPPED_STREAM, evidence="value")
    share = float((actual == x).double().mean())  # of 4,800: 0.08 is twelve standard deviations
    mistake = oracle.dropout_mistake(share, 0.25, torch.equal(actual, again), part)
    text = f"{share:.0%} of what {part} adds is zero, expected 25%."
    expect_bound(share, text, above=0.17, below=0.33, mistake=mistake)


@pytest.mark.task("m05.4")
@pytest.mark.holds("Raises the ValueError of MultiHeadAttention when n_heads does not divide d_model.")
def test_heads_that_do_not_divide_the_width_are_refused(student):
    """Block(14, 4) raises MultiHeadAttention's ValueError, with both numbers in its text."""
    expect_raises("ValueError", student.Block, 14, 4, mentions=("14", "4"), fine=(12, 4))


@pytest.mark.task("m05.4")
def test_gradients_of_a_block_agree_with_float64(student, draw):
    """The gradients of the input and of every parameter are those of the formula in float64."""
    x, state, weights = draw.normal(2, 5, 12), oracle.block_state(draw, 12, 20), draw.normal(2, 5, 12)
    expect_gradients(student, block_with(student, state), lambda x, s: oracle.block(x, s, 3, EPS), x, state, weights)


@pytest.mark.task("m05.4")
@pytest.mark.holds(
    "No argument of a function or of a layer changes.",
)
def test_a_block_in_float64_stays_in_float64(student, draw):
    """A block turned into float64 computes in float64 throughout, and leaves its input as it was."""
    x, state = draw.normal(2, 5, 12, dtype=torch.float64), oracle.block_state(draw, 12, 20)
    layer = block_with(student, state)
    layer.double()
    expect_float64(layer, lambda x: oracle.block(x, state, 3, EPS), x)
    expect_untouched(student, layer, x)


@pytest.mark.task("m05.4")
@pytest.mark.warm("torch._dynamo")
def test_a_block_runs_where_its_input_is(student, draw):
    """With weights and input on another device, nothing is made on the CPU."""
    x, layer = draw.normal(2, 5, 12), block_with(student, oracle.block_state(draw, 12, 20))
    expect_tensor(layer(x), shape=(2, 5, 12), dtype=torch.float32)
    expect_one_device(student, layer, [x], mistake=oracle.ELSEWHERE)


@pytest.mark.task("m05.4")
def test_every_block_of_gpt2_agrees_with_transformers(student, draw, weights):
    """With a checkpoint's weights, every block gives what Hugging Face's GPT-2 makes of the same stream of tokens."""
    sizes, state = weights.sizes, weights.linear_state()
    n_heads, eps = sizes["n_heads"], weights.config.get("layer_norm_epsilon", 1e-5)
    x = state["wte.weight"][draw.integers(0, sizes["vocab_size"], 2, 17)] + state["wpe.weight"][:17]
    gap = 0.0
    for index in range(sizes["n_layers"]):
        own = oracle.part_of(state, f"h.{index}.")
        actual = block_with(student, own, n_heads, eps=eps)(x)
        expected = oracle.hugging_face(weights, index, x)  # after the student: transformers is slow to import
        misses = oracle.block_misses(x, own, n_heads, eps)
        expect_close(actual, expected, atol=oracle.thousandth(expected), misses=misses, what=f"block {index}")
        x, gap = expected, max(gap, float((actual - expected).abs().max()))
    achieve(f"By your code all {index + 1} blocks of {weights.name} are Hugging Face's to within {max(gap, 1e-7):.0e}.")
