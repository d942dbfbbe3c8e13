"""m06_gpt: the model, its tying and how it starts."""

import math

import pytest
import torch

from grader.judge import (
    FLOAT32_LAYER,
    counted,
    expect,
    expect_bound,
    expect_close,
    expect_equal,
    expect_raises,
    expect_tensor,
)
from grader.judge.probes import model as trusted
from grader.suites.shared.drawn import shape_mistake

from . import oracle, oracle_parts, oracle_start
from . import probes as m06_probes
from .steps import LARGE, SIZES, ids_and_state

STARTING = SIZES | {"vocab_size": 211, "context_length": 128, "d_model": 90, "d_ff": 160}


def expect_logits(actual, ids, state, sizes=SIZES, **options):
    """Compare logits with those of the trusted model, and with the near misses."""
    misses = oracle.logits_misses(ids, state, sizes)
    expect_close(actual, oracle.logits(ids, state, sizes), atol=1e-4, rtol=1e-4, misses=misses, **options)


@pytest.mark.task("m06.1")
@pytest.mark.holds(
    "Its parts: `wte` (TokenEmbedding), `wpe` (LearnedPositions), `h` (nn.ModuleList of Block), `ln_f` "
    "(LayerNorm) and `lm_head` (nn.Linear without bias, whose weight IS wte.weight); `config` is kept, and "
    "there is no other state.",
)
def test_its_parts_bear_gpt2s_names(student):
    """The state_dict has GPT-2's names and shapes and nothing else, and the config can be read."""
    model = student.GPT(student.GPTConfig(**SIZES))
    state, expected = student.plant(m06_probes).tensors(model), oracle.shapes(SIZES)
    misses = oracle.key_misses(sorted(state), sorted(expected))
    expect_equal(sorted(state), sorted(expected), misses=misses, what="the list of keys of state_dict()")
    narrow = {"config.d_ff is not handed on to the blocks": oracle.shapes(SIZES | {"d_ff": None})}
    found = {key: tuple(value.shape) for key, value in state.items()}
    expect_equal(found, expected, misses=narrow, what="the table of shapes")
    expect_equal(model.config.n_layers, 2, what="config.n_layers")


@pytest.mark.task("m06.1")
@pytest.mark.holds(
    "Given, nothing to do here: the defaults are GPT-2 small's, and d_ff=None is 4 * d_model.",
    "From ids to logits: Language Models are Unsupervised Multitask Learners (Radford et al., 2019), section 2.3.",
    "Score every token as the successor of each; LearnedPositions' ValueError when seq exceeds the context.",
)
@pytest.mark.parametrize("d_ff", [20, None], ids=["d_ff_20", "d_ff_default"])
def test_logits_follow_from_the_parts(student, draw, d_ff):
    """Embedding, blocks in their order, last norm and scores: the logits are those of the same weights elsewhere."""
    sizes = SIZES | {"d_ff": d_ff}
    ids, state = ids_and_state(draw, sizes)
    expect_logits(oracle.student_model(student, sizes, state)(ids), ids, state, sizes, what="the tensor of logits")


@pytest.mark.task("m06.1")
def test_one_model_takes_every_length(student, draw):
    """One model serves a full context, then one id, then three, each as if it came first."""
    state = oracle.random_state(draw, SIZES)
    model = oracle.student_model(student, SIZES, state)
    for batch, seq in ((2, 11), (2, 1), (1, 1), (1, 3)):
        ids = draw.integers(0, 97, batch, seq)
        expect_logits(model(ids), ids, state, what=f"the result for {batch} times {counted(seq, 'id')}")


@pytest.mark.task("m06.1")
@pytest.mark.holds(
    "Score every token as the successor of each; LearnedPositions' ValueError when seq exceeds the context.",
)
def test_ids_beyond_the_context_are_refused(student, draw):
    """Twelve ids for a context of 11 raise ValueError with both numbers in its text."""
    ids, state = ids_and_state(draw, seq=12)
    mistake = "ids beyond the context are accepted, or cut off before LearnedPositions can refuse them"
    model = oracle.student_model(student, SIZES, state)
    expect_raises("ValueError", model, ids, mentions=("12", "11"), mistake=mistake)


@pytest.mark.task("m06.1")
@pytest.mark.holds(
    "In training mode only, `config.dropout` falls on the embedded ids too, beside those places where a block has it.",
)
def test_dropout_rests_in_eval_mode(student, draw):
    """After eval() a model with dropout 0.5 gives the logits that it gives without dropout."""
    ids, state = ids_and_state(draw)
    model = oracle.student_model(student, SIZES, state, dropout=0.5)
    first, second, expected = model(ids), model(ids), oracle.logits(ids, state, SIZES)
    for logits in (first, second):
        expect_tensor(logits, shape=tuple(expected.shape), dtype=torch.float32, what="the result in eval mode")
    misses = {} if torch.equal(first, second) else {oracle.AWAKE: first}
    expect_close(first, expected, atol=1e-4, rtol=1e-4, misses=misses, what="the result in eval mode")


@pytest.mark.task("m06.1")
@pytest.mark.holds(
    "In training mode only, `config.dropout` falls on the embedded ids too, beside those places where a block has it.",
)
def test_dropout_falls_on_embedded_ids_and_in_blocks(student, draw):
    """In training, half of what enters the first block is 0 and the rest doubled; both sublayers drop too."""
    ids, state = ids_and_state(draw, seq=11)
    model = oracle.student_model(student, SIZES, state, dropout=0.5)
    model.train()
    names = ["h.0.ln_1", "h.0.attn", "h.1.mlp"]
    heard = student.plant(m06_probes).listen(model, ids, names)
    entered = heard["inputs"].get("h.0.ln_1")
    plain = state["wte.weight"][ids] + state["wpe.weight"]
    expect_tensor(entered, shape=tuple(plain.shape), dtype=torch.float32, what="the input of the first block")
    kept = plain.where(entered != 0, 0.0)
    misses = {oracle.ASLEEP: plain, "what is kept does not grow by 1 / (1 - dropout)": kept}
    what = "the input of the first block"
    expect_close(entered, 2 * kept, atol=FLOAT32_LAYER, misses=misses, what=what, follows=True)
    # Of 528 numbers: the bounds are nine standard deviations away.
    share = float((entered == 0).double().mean())
    expect_bound(share, f"{share:.0%} of it is zero, expected 50%.", above=0.3, below=0.7)
    for name in names[1:]:
        share = float((heard["outputs"][name] == 0).double().mean())
        said = f"In training {share:.0%} of the output of {name} is zero, expected 50%."
        mistake = oracle.NOT_HANDED_ON if share == 0 else None
        expect_bound(share, said, above=0.3, below=0.7, mistake=mistake)


@pytest.mark.task("m06.1")
def test_every_part_can_learn(student, draw):
    """The gradient of every parameter, wte's aside, is that of the same model elsewhere."""
    (ids, state), mix = ids_and_state(draw), draw.normal(4, 7, 97)
    found = student.probe.gradients(oracle.student_model(student, SIZES, state), [ids], mix)["parameters"]
    for name, expected in oracle.gradients(ids, state, SIZES, mix).items():
        if name != "wte.weight":
            expect(name in found, f"{name} is no parameter.", mistake=oracle.NOT_SEEN)
            expect(found[name] is not None, f"{name} has no gradient.", mistake=oracle.CUT)
            # Sums of thousands of products, of which many cancel: rounding is measured on the largest.
            atol = min(1e-4 * float(expected.abs().max()), 0.009 * float(expected.abs().median()))
            misses = {oracle.CUT: torch.zeros_like(expected)}
            expect_close(found[name], expected, atol=atol, rtol=1e-3, misses=misses, what=f"the gradient of {name}")


@LARGE
@pytest.mark.task("m06.1")
@pytest.mark.holds(
    "From ids to logits: Language Models are Unsupervised Multitask Learners (Radford et al., 2019), section 2.3.",
)
def test_gpt2s_weights_in_place_give_its_logits(student, draw, weights):
    """With a checkpoint's weights put in place by the judge, the logits are those of Hugging Face's GPT-2."""
    model = student.GPT(student.GPTConfig(**weights.sizes))
    student.plant(m06_probes).fill_from_file(model, weights.inside(student))
    ids = draw.integers(0, weights.sizes["vocab_size"], 2, 17)
    oracle_parts.expect_hugging_faces_logits(student, model, ids, weights)


@pytest.mark.task("m06.2")
@pytest.mark.holds(
    "Given, nothing to do here: the defaults are GPT-2 small's, and d_ff=None is 4 * d_model.",
    "Works where there is no data, on the meta device.",
    "Example: GPT(GPTConfig()) has 124,439,808, GPT-2 small's number.",
)
@pytest.mark.warm("torch._dynamo")  # arithmetic on the meta device imports it
def test_gpt2_small_has_its_number_of_parameters(student):
    """GPT(GPTConfig()), made without data on the meta device, has 124,439,808 parameters."""
    model = student.plant(m06_probes).on_meta(student.GPT, student.GPTConfig())
    small = {"vocab_size": 50257, "context_length": 1024, "d_model": 768, "n_layers": 12, "d_ff": 3072}
    misses = oracle_start.count_misses(small)
    expect_equal(student.count_parameters(model), 124_439_808, misses=misses, what="the number of parameters")
    expect_equal(student.GPTConfig().dropout, 0.0, what="the dropout of a config that does not name one")


@pytest.mark.task("m06.2")
@pytest.mark.holds("Count the numbers in a module's parameters: a shared tensor once, frozen ones too, buffers not.")
def test_a_shared_tensor_counts_once(student, draw):
    """In a model of torch's own layers, a shared tensor counts once, frozen ones count, and buffers don't."""
    sizes = SIZES | {"vocab_size": draw.random.randrange(50, 90), "d_ff": draw.random.randrange(30, 50)}
    model = student.plant(trusted).build(sizes, oracle.random_state(draw, sizes))
    student.plant(m06_probes).freeze(model)
    actual, misses = student.count_parameters(model), oracle_start.count_misses(sizes)
    expect_equal(actual, oracle_start.number_of_parameters(sizes), misses=misses, what="the number of parameters")


@pytest.mark.task("m06.2")
@pytest.mark.holds(
    "Its parts: `wte` (TokenEmbedding), `wpe` (LearnedPositions), `h` (nn.ModuleList of Block), `ln_f` "
    "(LayerNorm) and `lm_head` (nn.Linear without bias, whose weight IS wte.weight); `config` is kept, and "
    "there is no other state.",
)
@pytest.mark.parametrize("name", ["wte", "lm_head"])
def test_a_change_at_one_end_shows_at_the_other(student, draw, name):
    """Overwriting wte's weight, or lm_head's, changes both what ids become and how they are scored."""
    ids, state = ids_and_state(draw)
    model, changed = oracle.student_model(student, SIZES, state), draw.normal(97, 12, scale=0.4)
    student.plant(m06_probes).overwrite(model, name, changed)
    after, old = state | {"wte.weight": changed}, state["wte.weight"]
    misses = {
        oracle.TWO_TENSORS: lambda: (
            oracle.logits(ids, after, SIZES, head=old)
            if name == "wte"
            else oracle.logits(ids, state, SIZES, head=changed)
        )
    }
    expected = oracle.logits(ids, after, SIZES)
    expect_close(model(ids), expected, atol=1e-4, rtol=1e-4, misses=misses, what="the result after the change")


@pytest.mark.task("m06.2")
def test_the_shared_tensor_learns_from_both_ends(student, draw):
    """The gradient of wte.weight is the sum of what comes from the embedding and what comes from the scores."""
    (ids, state), mix = ids_and_state(draw), draw.normal(4, 7, 97)
    found = student.probe.gradients(oracle.student_model(student, SIZES, state), [ids], mix)["parameters"]
    expected, ends = oracle.gradients(ids, state, SIZES, mix)["wte.weight"], {}
    for end in ("in", "out"):
        ends[end] = oracle.gradient_at_one_end(ids, state, SIZES, mix, end)
    misses = {oracle.TWO_TENSORS: ends["in"], oracle.COPIED: ends["out"]}
    atol, name = 0.005 * float(expected.abs().median()), "wte.weight" if "wte.weight" in found else "lm_head.weight"
    expect_close(found[name], expected, atol=atol, rtol=1e-3, misses=misses, what="the gradient of wte.weight")


@pytest.mark.task("m06.3")
@pytest.mark.holds(
    "Draw all weights anew, in place; GPT's constructor ends with it.",
    "Embeddings and weights of linear layers: normal, mean 0, standard deviation 0.02.",
    "Biases 0; norms weight 1, bias 0.",
    "Each c_proj writes into the residual stream, 2 * n_layers of them in all: theirs is 0.02 / sqrt(2 * n_layers).",
    "Example: in GPT-2 small, with 12 layers, it is 0.02 / sqrt(24) = 0.00408.",
)
@pytest.mark.parametrize("n_layers", [2, 8])
def test_a_new_model_starts_with_gpt2s_spread(student, n_layers):
    """A new model's tensors have the means and standard deviations of GPT-2's initialisation, at two depths."""
    sizes = STARTING | {"n_layers": n_layers}
    model = student.GPT(student.GPTConfig(**sizes))
    oracle_start.expect_initialised(student.plant(m06_probes).tensors(model), sizes)


@pytest.mark.task("m06.3")
@pytest.mark.holds("Draw all weights anew, in place; GPT's constructor ends with it.")
def test_whatever_was_there_is_drawn_anew(student, draw):
    """init_weights replaces every weight of a model that had others."""
    state = {key: value + 2 for key, value in oracle.random_state(draw, STARTING).items()}
    model = oracle.student_model(student, STARTING, state)
    student.init_weights(model)
    before = state | {"lm_head.weight": state["wte.weight"]}
    oracle_start.expect_initialised(student.plant(m06_probes).tensors(model), STARTING, before)


@pytest.mark.task("m06.3")
@pytest.mark.holds("Draw all weights anew, in place; GPT's constructor ends with it.")
def test_drawing_anew_keeps_the_parameters(student):
    """init_weights writes into the parameters that are there: an optimizer that holds them goes on with the model."""
    model, probes = student.GPT(student.GPTConfig(**SIZES)), student.plant(m06_probes)
    before = probes.tensors(model)["wte.weight"]
    found = probes.replaced(student.init_weights, model)
    expect(found == [], f"Replaced by other parameters: {', '.join(map(str, found))}.", mistake=oracle.REPLACED)
    after = probes.tensors(model)["wte.weight"]
    expect(not torch.equal(before, after), "wte.weight is what it was.", evidence="value")


@pytest.mark.task("m06.3")
@pytest.mark.holds("Embeddings and weights of linear layers: normal, mean 0, standard deviation 0.02.")
def test_the_numbers_are_normally_distributed(student):
    """About 4.6 % of each table's numbers lie beyond two standard deviations, as in a normal distribution."""
    state = student.plant(m06_probes).tensors(student.GPT(student.GPTConfig(**STARTING)))
    for key in ("wte.weight", "wpe.weight", "h.0.attn.c_attn.weight", "h.1.mlp.c_proj.weight"):
        values, normal = state[key].double() / state[key].double().std(), 0.0455
        share = float((values.abs() > 2).double().mean())
        away = (share - normal) / math.sqrt(normal * (1 - normal) / values.numel())
        said = f"{share:.1%} of {key} lies beyond two standard deviations, expected 4.6 %."
        expect_bound(away, said, above=-10, below=10, mistake=shape_mistake(values))


@pytest.mark.task("m06.3")
def test_a_new_model_guesses_evenly(student, draw):
    """Before any training the loss is the logarithm of the vocabulary's size, within 0.2."""
    model, ids = student.GPT(student.GPTConfig(**STARTING)), draw.integers(0, 211, 8, 33)
    model.eval()
    scores = model(ids[:, :-1])
    expect(type(scores) is torch.Tensor and scores.shape == (8, 32, 211), "The logits have another shape.")
    found, even = float(oracle.loss(scores, ids[:, 1:])), math.log(211)
    said = f"A new model's loss is {found:.2f}; evenly spread guesses lose ln 211 = {even:.2f}."
    wide = float(student.plant(m06_probes).tensors(model)["wte.weight"].double().std()) > 0.5
    mistake = oracle_start.UNEVEN if wide else None
    expect_bound(found, said, above=even - 0.2, below=even + 0.2, mistake=mistake)


@pytest.mark.task("m06.3")
def test_no_two_models_start_alike(student):
    """Two models made one after the other have different weights."""
    config, probes = student.GPTConfig(**SIZES), student.plant(m06_probes)
    first, second = (probes.tensors(student.GPT(config))["wte.weight"] for _ in range(2))
    expect(not torch.equal(first, second), "Both have the same wte.", mistake=oracle_start.SAME_DICE, evidence="value")
