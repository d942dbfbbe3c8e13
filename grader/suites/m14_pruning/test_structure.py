"""m14_pruning: neurons and heads that really go."""

import functools
from typing import Any

import pytest
import torch

from grader.judge import (
    FLOAT32_LAYER,
    FLOAT32_MODEL,
    FLOAT32_OP,
    FLOAT64,
    achieve,
    expect,
    expect_answer,
    expect_close,
    expect_equal,
    expect_raises,
    expect_tensor,
)
from grader.judge.probes import model

from . import oracle_structure as oracle
from . import probes
from .oracle_learning import Stories

LAYER = "what is left in the place of the layers is no nn.Linear, or does not know its new size"
LATE = "the layers are cut before keep has been looked at"


@pytest.mark.task("m14.4")
@pytest.mark.holds(
    "Score a neuron by the 2-norm of its weights in mlp.c_fc times that of those in mlp.c_proj, biases left out.",
)
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no_bias"])
def test_neurons_are_scored_by_what_they_read_and_what_is_read_of_them(student, draw, bias):
    """A neuron's score is the 2-norm of its row in c_fc times that of its column in c_proj; biases don't count."""
    for d_model, d_ff in ((5, 9), (6, 4)):
        state = oracle.mlp_state(draw, d_model, d_ff, bias)
        made = student.plant(probes).mlp(state)
        misses = oracle.scores_misses(state)
        actual, expected = student.neuron_scores(made), oracle.scores(state)
        expect_close(actual, expected, atol=FLOAT32_OP, rtol=1e-5, misses=misses, what="the row of scores")
    state = oracle.mlp_state(draw, 5, 9, bias, torch.float64)
    actual = student.neuron_scores(student.plant(probes).mlp(state))
    expect_close(actual, oracle.scores(state), atol=FLOAT64, what="the row of scores in float64")


def shrunk(prune, build, keep, simpler, mistake):
    """Prune what `build` makes and return it; an exception means `mistake` where `simpler` works, or keep's type."""
    made = build()
    if isinstance(keep, tuple):
        simpler, mistake = (build(), list(keep)), oracle.NO_TUPLE
    expect_answer(prune, made, keep, simpler=simpler, mistake=mistake)
    return made


def part(miss, name):
    """Return what a mistake makes of one weight or bias."""
    return miss()[name]


def anew(read, cut, name, actual, expected):
    """Return a weight or bias as it came where it is another when all is cut once more, else the right one."""
    return expected[name] if torch.equal(actual[name], read(cut())[name]) else actual[name]


def expect_left(read, cut, expected, misses):
    """Cut, read and compare what is left of weights and biases, one by one, with the mistakes made in any of them.

    Numbers that are others when it is cut once more have been drawn. Returns what was cut.
    """
    made = cut()
    actual = read(made)
    names = sorted(expected)
    expect_equal(sorted(actual), names, misses=oracle.names_misses(names), what="the list of what is left")
    for name in ("c_attn.weight", "c_attn.bias", "c_fc.weight", "c_fc.bias", "c_proj.weight", "c_proj.bias"):
        if name in expected:
            own: dict[str, Any] = {words: functools.partial(part, miss, name) for words, miss in misses.items()}
            own[oracle.ANEW] = functools.partial(anew, read, cut, name, actual, expected)
            expect_close(actual[name], expected[name], atol=0.0, misses=own, what=f"{name} of what is left")
    return made


@pytest.mark.task("m14.4")
@pytest.mark.holds(
    "Cut an MLP down to the neurons in `keep`, in that order: c_fc and c_proj are smaller nn.Linear from now on.",
    "So mlp(x) gives what it gave before with 0 for all that c_proj got from the other neurons.",
)
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no_bias"])
def test_an_mlp_shrinks_to_its_neurons(student, draw, bias):
    """Of c_fc the rows, of c_proj the columns stay, in keep's order, and the result is that of silent neurons."""
    planted = student.plant(probes)
    mistake = None if bias else oracle.NO_BIAS
    sizes = (5, 9, [3, 0, 4]), (5, 9, [7, 0, 4, 3]), (6, 4, [3]), (5, 3, (2, 0)), (4, 7, [*range(7)])
    for d_model, d_ff, keep in sizes:
        state = oracle.mlp_state(draw, d_model, d_ff, bias)
        build, biased = functools.partial(planted.mlp, state), planted.mlp(oracle.mlp_state(draw, d_model, d_ff))
        cut = functools.partial(shrunk, student.prune_neurons, build, keep, (biased, keep), mistake)
        made = expect_left(planted.state, cut, oracle.cut_mlp(state, keep), oracle.mlp_misses(state, keep))
        known = {"c_fc": [True, d_model, len(keep)], "c_proj": [True, len(keep), d_model]}
        expect(planted.shapes(made) == known, "The layers don't know their sizes.", mistake=LAYER)
        x, silent = draw.normal(2, 3, d_model), oracle.silent_mlp(state, keep)
        expect_close(made(x), oracle.run_mlp(x, silent), atol=FLOAT32_LAYER, what="mlp(x) afterwards")
    student.prune_neurons(made, [2, 5])  # once more
    state = oracle.cut_mlp(oracle.cut_mlp(state, keep), [2, 5])
    expect_left(planted.state, lambda: made, state, oracle.mlp_misses(oracle.cut_mlp(state, [0, 1]), [0, 1]))


@pytest.mark.task("m14.4")
@pytest.mark.holds(
    "Cut an attention down to the heads in `keep`, in that order, as prune_neurons cuts an MLP, errors included.",
    "c_attn gives all queries, then all keys, then all values, head after head in each; c_proj reads the heads side by "
    "side.",
    "n_heads becomes len(keep).",
    "A head stays as wide as it was: c_proj.in_features / n_heads.",
)
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no_bias"])
def test_an_attention_shrinks_to_its_heads(student, draw, bias):
    """Queries, keys and values of the other heads go, with what c_proj reads of them; n_heads and the result follow."""
    planted = student.plant(probes)
    mistake = oracle.OUTPUTS if bias else oracle.NO_BIAS
    # The first is so wide, and its heads so many, that what is cut by the wrong axis or width can be cut as well.
    sizes = (36, 8, 2, [1, 0]), (7, 4, 3, [3, 1]), (7, 3, 5, [1]), (7, 5, 2, (0, 4, 2)), (7, 2, 4, [0, 1])
    for d_model, n_heads, d_head, keep in sizes:
        state = oracle.attention_state(draw, d_model, n_heads, d_head, bias)
        # One that has biases, or whose heads are d_model wide together: where that can be cut, it is known why.
        other = oracle.attention_state(draw, n_heads * d_head if bias else d_model, n_heads, d_head)
        build = functools.partial(planted.attention, state, n_heads)
        simpler = planted.attention(other, n_heads), keep
        cut = functools.partial(shrunk, student.prune_heads, build, keep, simpler, mistake)
        left = oracle.cut_heads(state, n_heads, keep)
        made = expect_left(planted.state, cut, left, oracle.heads_misses(state, n_heads, keep))
        misses = {"n_heads is what it was": n_heads}
        expect_equal(made.n_heads, len(keep), misses=misses, what="n_heads afterwards")
        width = len(keep) * d_head
        known = {"c_attn": [True, d_model, 3 * width], "c_proj": [True, width, d_model]}
        expect(planted.shapes(made) == known, "The layers don't know their sizes.", mistake=LAYER)
        x = draw.normal(2, 6, d_model) / d_model**0.5  # so that scores, and what float32 makes of them, stay small
        silent = oracle.silent_heads(state, n_heads, keep)
        expected = oracle.run_heads(x, silent, n_heads)
        expect_close(made(x), expected, atol=FLOAT32_LAYER, what="attention(x) afterwards")
    n_heads, keep = 5, [0, 4, 2]
    state = oracle.attention_state(draw, 7, n_heads, 2, bias)
    made = planted.attention(state, n_heads)
    student.prune_heads(made, keep)
    student.prune_heads(made, [2, 0])  # once more: of what is left
    twice = oracle.cut_heads(state, n_heads, [2, 0])
    expect_left(planted.state, lambda: made, twice, {})


@pytest.mark.task("m14.4")
@pytest.mark.holds(
    "What is left of weights and biases has its old numbers, dtype, device and requires_grad; c_proj's bias is left "
    "whole.",
)
def test_what_is_left_is_where_and_what_it_was(student, draw):
    """dtype, device and requires_grad are the old ones of each weight and bias."""
    planted = student.plant(probes)
    for dtype, device in ((torch.float64, "cpu"), (torch.bfloat16, "cpu"), (torch.float32, "meta")):
        for frozen in (["c_proj.weight", "c_fc.bias", "c_attn.bias"], ["c_fc.weight", "c_attn.weight", "c_proj.bias"]):
            modules = {
                "mlp": (student.prune_neurons, planted.mlp(oracle.mlp_state(draw, 4, 6, dtype=dtype)), [4, 1]),
                "attention": (
                    student.prune_heads,
                    planted.attention(oracle.attention_state(draw, 5, 3, 2, dtype=dtype), 3),
                    [2, 0],
                ),
            }
            for what, (function, module, keep) in modules.items():
                names = ("c_fc", "c_proj") if what == "mlp" else ("c_attn", "c_proj")
                wanted = [f"{name}.{part}" for name in names for part in ("weight", "bias")]
                found = planted.moved(function, module, keep, device, frozen)
                for name in wanted:
                    is_dtype, is_device, wants = found.get(name, [None, None, None])
                    said = f"{name} of {what} is {is_dtype} on {is_device}, and was {dtype} on {device}."
                    moved = "new layers are made in the default dtype, on the default device"
                    expect((is_dtype, is_device) == (dtype, device), said, mistake=moved)
                    said = f"{name} of {what} {'wants' if wants else 'wants no'} gradient, and did otherwise before."
                    flag = "new layers want gradients, whatever the old ones did: copy requires_grad"
                    expect(wants is (name not in frozen), said, mistake=flag)


@pytest.mark.task("m14.4")
@pytest.mark.holds(
    "Raises ValueError, naming it, for a neuron that is not there (-1, say) or comes twice; also when keep is empty.",
)
def test_what_is_not_there_cannot_be_kept(student, draw):
    """A number that is not there, or comes twice, raises ValueError, which names it; an empty keep raises it too."""
    planted = student.plant(probes)
    state, other = oracle.mlp_state(draw, 3, 4), oracle.attention_state(draw, 5, 4, 2)
    for what, function, build, before in (
        ("prune_neurons", student.prune_neurons, functools.partial(planted.mlp, state), state),
        ("prune_heads", student.prune_heads, functools.partial(planted.attention, other, 4), other),
    ):
        made, fine = build(), (build(), [3, 0])
        for keep, named in (([2, 2], "2"), ([0, 9], "9"), ([-1, 1], "-1"), ([3, 0, 3], "3"), ([4], "4"), ([], "")):
            said = f"{what} of 4 with keep {keep}"
            expect_raises("ValueError", function, made, keep, mentions=(named,) * bool(named), fine=fine, what=said)
        for name, value in planted.state(made).items():
            same = value.shape == before[name].shape and torch.equal(value, before[name])
            expect(same, f"{what} refused, and {name} has changed.", mistake=LATE, evidence="value")


@pytest.mark.task("m14.4")
def test_a_gpt_shrinks_and_gives_what_silence_gave(student, draw, data):
    """gpt2-nano without half of its neurons and two heads gives the logits of the same one with these silenced."""
    stories, planted = Stories(draw, data), student.plant(probes)
    gpt = student.plant(model).build(stories.sizes, stories.start)
    heads, neurons, silent = stories.kept(draw)
    parts = {name: getattr(student, name) for name in ("prune_neurons", "prune_heads")}
    left = planted.shrink(parts, gpt, neurons, heads)
    ids = stories.heldout[:4, :-1]
    expected = stories.logits(silent, ids)
    expect_tensor(gpt(ids), shape=tuple(expected.shape), dtype=torch.float32, what="the tensor of logits")
    expect_close(gpt(ids), expected, atol=FLOAT32_MODEL, rtol=1e-3, what="the tensor of logits")
    count = stories.numbers_left(heads, neurons)
    expect_equal(left, count, what="the number of weights and biases in the layers")
    expect_equal(sum(value.numel() for value in planted.state(gpt.h).values()), count, what="the state's numbers")
    before, loss, whole = stories.loss(stories.start), stories.loss(silent), stories.numbers_left(None, None)
    achieve(
        f"Your cuts leave {count:,} of {whole:,} weights and biases in gpt2-nano's layers. Its loss on stories that it "
        f"has never seen is {loss:.2f} nats a token instead of {before:.2f}, before it is trained on."
    )
