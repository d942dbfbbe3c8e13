"""m06_gpt: the model and its one shared matrix, how it starts, how wrong it is, and GPT-2's own weights in it."""

import math

import pytest
import torch

from grader.judge import (
    FLOAT32_LAYER,
    FLOAT32_OP,
    FLOAT64,
    StudentError,
    expect,
    expect_close,
    expect_equal,
    expect_raises,
)
from grader.judge.probes import model as trusted

from . import oracle
from . import probes as m06_probes

SIZES = oracle.SIZES
STARTING = SIZES | {"vocab_size": 211, "context_length": 64, "d_model": 96, "d_ff": 160}
LARGE = pytest.mark.limits(memory_mb=4096, seconds=120)  # GPT-2 small fits; gpt2-nano needs a second


def ids_and_state(draw, sizes=SIZES, seq=7):
    """Draw ids and weights for a model."""
    return draw.integers(0, sizes["vocab_size"], 4, seq), oracle.random_state(draw, sizes)


def expect_logits(actual, ids, state, sizes=SIZES, **options):
    """Compare logits with those of the trusted model, and with the near misses."""
    misses = oracle.logits_misses(ids, state, sizes)
    expect_close(actual, oracle.logits(ids, state, sizes), atol=1e-4, rtol=1e-4, misses=misses, **options)


def expect_state(actual, expected, what, misses=None):
    """Compare all weights of a model exactly; `misses` maps mistakes to other weights."""
    for key in expected:
        wrong = {words: state[key] for words, state in (misses or {}).items()}
        expect_close(actual.get(key), expected[key], atol=0.0, misses=wrong, what=f"the value of {key} {what}")


@pytest.mark.task("m06.1")
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
    for seq in (11, 1, 3):
        ids = draw.integers(0, 97, 2, seq)
        expect_logits(model(ids), ids, state, what=f"the result for {seq} ids")


@pytest.mark.task("m06.1")
def test_ids_beyond_the_context_are_refused(student, draw):
    """Twelve ids for a context of 11 raise ValueError with both numbers in its text."""
    ids, state = ids_and_state(draw, seq=12)
    expect_raises("ValueError", oracle.student_model(student, SIZES, state), ids, mentions=("12", "11"))


@pytest.mark.task("m06.1")
def test_dropout_rests_in_eval_mode(student, draw):
    """After eval() a model with dropout 0.5 gives the logits that it gives without dropout."""
    ids, state = ids_and_state(draw)
    model = oracle.student_model(student, SIZES, state, dropout=0.5)
    first, second, expected = model(ids), model(ids), oracle.logits(ids, state, SIZES)
    misses = {} if first is None or bool((first == second).all()) else {oracle.AWAKE: first}
    expect_close(first, expected, atol=1e-4, rtol=1e-4, misses=misses, what="the result in eval mode")


@pytest.mark.task("m06.1")
def test_dropout_falls_on_embedded_ids_and_in_blocks(student, draw):
    """In training, half of what enters the first block is 0 and the rest doubled; both sublayers drop too."""
    ids, state = ids_and_state(draw)
    model = oracle.student_model(student, SIZES, state, dropout=0.5)
    model.train()
    names = ["h.0.ln_1", "h.0.attn", "h.1.mlp"]
    heard = student.plant(m06_probes).listen(model, ids, names)
    entered = heard["inputs"].get("h.0.ln_1")
    plain = state["wte.weight"][ids] + state["wpe.weight"][:7]
    expect(type(entered) is torch.Tensor, "h.0.ln_1 was not called with a tensor.")
    kept = plain.where(entered != 0, 0.0)
    misses = {oracle.ASLEEP: plain, "what is kept does not grow by 1 / (1 - dropout)": kept}
    expect_close(entered, 2 * kept, atol=FLOAT32_LAYER, misses=misses, what="the input of the first block")
    # Of 336 numbers; 0.15 is more than five standard deviations.
    share = float((entered == 0).double().mean())
    expect(abs(share - 0.5) < 0.15, f"{share:.0%} of it is zero, expected 50%.", evidence="value")
    for name in names[1:]:
        share = float((heard["outputs"][name] == 0).double().mean())
        said = f"In training {share:.0%} of the output of {name} is zero, expected 50%."
        expect(abs(share - 0.5) < 0.15, said, mistake=oracle.NOT_HANDED_ON if share == 0 else None, evidence="value")


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
def test_gpt2s_weights_in_place_give_its_logits(student, draw, weights):
    """With a checkpoint's weights put in place by the judge, the logits are those of Hugging Face's GPT-2."""
    model = student.GPT(student.GPTConfig(**oracle.checkpoint_sizes(weights)))
    student.plant(m06_probes).fill_from_file(model, weights.inside(student))
    ids = draw.integers(0, weights.sizes["vocab_size"], 2, 17)
    oracle.expect_hugging_faces_logits(student, model, ids, weights)


@pytest.mark.task("m06.2")
@pytest.mark.warm("torch._dynamo")  # arithmetic on the meta device imports it
def test_gpt2_small_has_its_number_of_parameters(student):
    """GPT(GPTConfig()), made without data on the meta device, has 124,439,808 parameters."""
    model = student.plant(m06_probes).on_meta(student.GPT, student.GPTConfig())
    small = {"vocab_size": 50257, "context_length": 1024, "d_model": 768, "n_layers": 12, "d_ff": 3072}
    misses = oracle.count_misses(small)
    expect_equal(student.count_parameters(model), 124_439_808, misses=misses, what="the number of parameters")
    expect_equal(student.GPTConfig().dropout, 0.0, what="the dropout of a config that does not name one")


@pytest.mark.task("m06.2")
def test_a_shared_tensor_counts_once(student, draw):
    """In a model of torch's own layers, a shared tensor counts once, frozen ones count, and buffers don't."""
    sizes = SIZES | {"vocab_size": draw.random.randrange(50, 90), "d_ff": draw.random.randrange(30, 50)}
    model = student.plant(trusted).build(sizes, oracle.random_state(draw, sizes))
    student.plant(m06_probes).freeze(model)
    actual, misses = student.count_parameters(model), oracle.count_misses(sizes)
    expect_equal(actual, oracle.number_of_parameters(sizes), misses=misses, what="the number of parameters")


@pytest.mark.task("m06.2")
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
@pytest.mark.parametrize("n_layers", [2, 8])
def test_a_new_model_starts_with_gpt2s_spread(student, n_layers):
    """A new model's tensors have the means and standard deviations of GPT-2's initialisation, at two depths."""
    sizes = STARTING | {"n_layers": n_layers}
    model = student.GPT(student.GPTConfig(**sizes))
    oracle.expect_initialised(student.plant(m06_probes).tensors(model), sizes)


@pytest.mark.task("m06.3")
def test_whatever_was_there_is_drawn_anew(student, draw):
    """init_weights replaces every weight of a model that had others."""
    state = {key: value + 2 for key, value in oracle.random_state(draw, STARTING).items()}
    model = oracle.student_model(student, STARTING, state)
    student.init_weights(model)
    left = "init_weights leaves it as it was"
    oracle.expect_initialised(student.plant(m06_probes).tensors(model), STARTING, instead=left)


@pytest.mark.task("m06.3")
def test_the_numbers_are_normally_distributed(student):
    """About 4.6 % of an embedding's numbers lie beyond two standard deviations, as in a normal distribution."""
    state = student.plant(m06_probes).tensors(student.GPT(student.GPTConfig(**STARTING)))
    share = float((state["wte.weight"].abs() > 0.04).double().mean())
    mistake = "a uniform or a truncated distribution is drawn from" if share < 0.01 else None
    # Of 20,256 numbers: 0.01 is more than six standard deviations.
    said = f"{share:.1%} of wte.weight lies beyond 0.04, expected 4.6 %."
    expect(abs(share - 0.0455) < 0.01, said, mistake=mistake, evidence="value")


@pytest.mark.task("m06.3")
def test_a_new_model_guesses_evenly(student, draw):
    """Before any training the loss is the logarithm of the vocabulary's size, within 0.1."""
    model, ids = student.GPT(student.GPTConfig(**STARTING)), draw.integers(0, 211, 8, 33)
    model.eval()
    scores = model(ids[:, :-1])
    expect(type(scores) is torch.Tensor and scores.shape == (8, 32, 211), "The logits have another shape.")
    found, even = float(oracle.loss(scores, ids[:, 1:])), math.log(211)
    said = f"A new model's loss is {found:.2f}; evenly spread guesses lose ln 211 = {even:.2f}."
    expect(abs(found - even) < 0.1, said, mistake=oracle.UNEVEN, evidence="value")


@pytest.mark.task("m06.3")
def test_no_two_models_start_alike(student):
    """Two models made one after the other have different weights."""
    config, probes = student.GPTConfig(**SIZES), student.plant(m06_probes)
    first, second = (probes.tensors(student.GPT(config))["wte.weight"] for _ in range(2))
    expect(not torch.equal(first, second), "Both have the same wte.", mistake=oracle.SAME_DICE, evidence="value")


@pytest.mark.task("m06.4")
def test_two_tokens_as_in_the_docstring(student):
    """The docstring's logits lose ln 2 and ln(4/3), 0.4904 on average."""
    scores, targets = torch.tensor([[[0.0, 0.0], [0.0, math.log(3)]]]), torch.tensor([[0, 1]])
    expected = torch.tensor((math.log(2) + math.log(4 / 3)) / 2)
    misses = oracle.loss_misses(scores, targets)
    expect_close(student.next_token_loss(scores, targets), expected, atol=FLOAT32_OP, misses=misses)


@pytest.mark.task("m06.4")
@pytest.mark.parametrize(
    ("ignored", "dtype"),
    [(None, torch.float64), (-100, torch.float32), (5, torch.float32)],
    ids=["none_ignored_float64", "default_ignored", "id_5_ignored"],
)
def test_the_loss_is_the_mean_over_targets_that_count(student, draw, ignored, dtype):
    """All targets but the ignored ones weigh the same, however they are spread over the rows."""
    scores, targets = draw.normal(4, 7, 13, scale=2.0, dtype=dtype), draw.integers(0, 13, 4, 7)
    options = {} if ignored in (None, -100) else {"ignore_index": ignored}
    if ignored is not None:
        targets[0, 1:], targets[2, 3:5], targets[1, 2] = ignored, ignored, (ignored + 1) % 13
    misses = oracle.loss_misses(scores, targets, **options)
    atol = FLOAT32_LAYER if dtype is torch.float32 else FLOAT64
    actual, expected = (
        student.next_token_loss(scores, targets, **options),
        oracle.loss(scores, targets, **options).to(dtype),
    )
    expect_close(actual, expected, atol=atol, misses=misses, what="the loss")


@pytest.mark.task("m06.4")
def test_a_target_that_counts_alone_is_the_loss(student, draw):
    """With all targets ignored but one, the loss is that one's."""
    scores, targets = draw.normal(4, 7, 13, scale=2.0), torch.full((4, 7), -100)
    targets[2, 3] = draw.random.randrange(13)
    expected, misses = oracle.loss(scores, targets).float(), oracle.loss_misses(scores, targets)
    actual = student.next_token_loss(scores, targets)
    halved = expected / 2  # a count of 1 taken for 2
    misses["what keeps the count away from 0 changes counts above 0 too"] = lambda: halved
    expect_close(actual, expected, atol=FLOAT32_LAYER, misses=misses, what="the loss")


@pytest.mark.task("m06.4")
def test_when_nothing_counts_the_loss_is_zero(student, draw):
    """With every target ignored the loss is 0, and so is the gradient of every logit."""
    scores, targets = draw.normal(4, 7, 13), torch.full((4, 7), -100)
    misses = {oracle.ZERO_BY_ZERO: torch.tensor(math.nan)}
    expect_close(student.next_token_loss(scores, targets), torch.tensor(0.0), atol=0.0, misses=misses, what="the loss")
    found = student.probe.gradients(student.next_token_loss, [scores, targets], torch.tensor(1.0))["args"][0]
    nan = {oracle.ZERO_BY_ZERO: torch.full_like(scores, math.nan)}
    expect_close(found, torch.zeros(4, 7, 13), atol=0.0, misses=nan, what="the gradient of the logits")


@pytest.mark.task("m06.4")
def test_the_gradient_leads_to_the_targets(student, draw):
    """The gradient of a logit is its softmax less the target, over the count, and 0 where the target is ignored."""
    scores, targets = draw.normal(4, 7, 13), draw.integers(0, 13, 4, 7)
    targets[1, :4] = -100
    leaf = scores.double().requires_grad_(True)
    (expected,) = torch.autograd.grad(oracle.loss(leaf, targets), leaf)
    found = student.probe.gradients(student.next_token_loss, [scores, targets], torch.tensor(1.0))["args"][0]
    misses = {oracle.CUT: torch.zeros(4, 7, 13)}
    expect_close(found, expected.float(), atol=FLOAT32_OP, rtol=1e-4, misses=misses, what="the gradient of the logits")


@pytest.mark.task("m06.4")
def test_large_logits_do_not_overflow(student, draw):
    """Logits of several hundred, whose exponential is infinite in float32, have a finite and right loss."""
    scores, targets = draw.normal(4, 7, 13, scale=300.0), draw.integers(0, 13, 4, 7)
    actual = student.next_token_loss(scores, targets)
    expect_close(actual, oracle.loss(scores, targets).float(), atol=1e-2, rtol=1e-5, what="the loss")


@pytest.mark.task("m06.4")
def test_slices_of_logits_and_targets_will_do(student, draw):
    """Called with logits[:, :-1] and ids[:, 1:], which are views, the loss is as right as ever."""
    scores, targets = draw.normal(4, 7, 13), draw.integers(0, 13, 4, 7)
    try:
        actual = student.plant(m06_probes).on_slices(student.next_token_loss, scores, targets)
    except StudentError as error:
        expect("view size" not in error.text, f"Your code raised {error}.", mistake=oracle.VIEW)
        raise
    expect_close(actual, oracle.loss(scores[:, :-1], targets[:, 1:]).float(), atol=FLOAT32_LAYER)


@pytest.mark.task("m06.5")
@pytest.mark.parametrize("layout", ["plain", "prefixed", "masks", "prefixed_masks_head", "head", "float16"])
def test_every_tensor_finds_its_place(student, draw, layout):
    """With and without `transformer.`, masks and lm_head.weight, every tensor arrives, turned where it must be."""
    state, before, probes = *(oracle.random_state(draw, SIZES) for _ in range(2)), student.plant(m06_probes)
    state = {key: value.half().float() for key, value in state.items()}
    model = oracle.student_model(student, SIZES, before)
    student.load_gpt2(model, oracle.checkpoint(state, SIZES, layout))
    expected, lying = state | {"lm_head.weight": state["wte.weight"]}, oracle.hugging_face_layout(state)
    misses = {
        "it is not turned round: Conv1D keeps (in, out), nn.Linear (out, in)": expected | oracle.square(lying),
        "it is reshaped, not transposed": expected | {k: v.reshape(state[k].shape) for k, v in lying.items()},
        "it is turned round, and Conv1D is not how it lies in the file": expected
        | {k: v.T for k, v in state.items() if v.ndim == 2 and v.shape[0] == v.shape[1]},
        oracle.UNTIED_BY_LOADING: expected | {"lm_head.weight": before["wte.weight"]},
        "it is not copied into the model": expected | before,
    }
    expect_state(probes.tensors(model), expected, "after loading", misses)


@pytest.mark.task("m06.5")
def test_a_missing_tensor_is_named(student, draw):
    """A checkpoint that lacks a tensor raises ValueError with its key in its text."""
    state, model = oracle.random_state(draw, SIZES), student.GPT(student.GPTConfig(**SIZES))
    for key in ("wpe.weight", "ln_f.bias", "h.1.attn.c_attn.bias", "h.0.mlp.c_proj.weight"):
        rest = {name: value for name, value in state.items() if name != key}
        broken = oracle.checkpoint(rest, SIZES, "prefixed_masks_head")
        oracle.expect_refused(student, model, broken, key, "is missing")


@pytest.mark.task("m06.5")
def test_a_tensor_too_many_is_named(student, draw):
    """A checkpoint with a tensor that the model lacks raises ValueError with its key in its text."""
    state, model = oracle.random_state(draw, SIZES), student.GPT(student.GPTConfig(**SIZES))
    for key in ("h.2.ln_1.weight", "h.0.attn.q_attn.bias", "h.1.attn.rotary.inv_freq", "score.weight"):
        broken = oracle.checkpoint(state | {key: torch.ones(12)}, SIZES, "prefixed")
        oracle.expect_refused(student, model, broken, key, "is one too many")


@pytest.mark.task("m06.5")
def test_a_tensor_of_another_shape_is_named(student, draw):
    """A tensor that is cut, too long, turned already, or would broadcast raises ValueError with its key in its text."""
    state, model = oracle.random_state(draw, SIZES), student.GPT(student.GPTConfig(**SIZES))
    plain = oracle.checkpoint(state, SIZES, "plain")
    shapes = {"ln_f.weight": (1,), "wpe.weight": (13, 12), "h.1.mlp.c_fc.weight": (20, 12), "wte.weight": (96, 12)}
    for key, shape in shapes.items():
        broken = plain | {key: draw.normal(*shape)}
        oracle.expect_refused(student, model, broken, key, "has another shape")


@pytest.mark.task("m06.5")
def test_a_head_of_its_own_is_refused(student, draw):
    """An lm_head.weight that differs from wte.weight in a single number raises ValueError with its key in its text."""
    state, model = oracle.random_state(draw, SIZES), student.GPT(student.GPTConfig(**SIZES))
    broken = oracle.checkpoint(state, SIZES, "prefixed_masks_head")
    broken["lm_head.weight"][draw.random.randrange(97), 5] += 0.25
    oracle.expect_refused(student, model, broken, "lm_head.weight", "differs from wte.weight")


@pytest.mark.task("m06.5")
@pytest.mark.parametrize("fault", ["missing", "too_many", "shape", "head"])
def test_a_refused_checkpoint_changes_nothing(student, draw, fault):
    """After a ValueError the model has the weights that it had before."""
    before, state = (oracle.random_state(draw, SIZES) for _ in range(2))
    model = oracle.student_model(student, SIZES, before)
    broken = oracle.checkpoint(state, SIZES, "plain")
    if fault == "missing":
        del broken["ln_f.bias"]
    else:
        key = {"too_many": "h.9.ln_2.bias", "shape": "ln_f.bias", "head": "lm_head.weight"}[fault]
        broken[key] = torch.ones(97, 12) if fault == "head" else torch.ones(13)
    expect_raises("ValueError", student.load_gpt2, model, broken)
    after, loaded = student.plant(m06_probes).tensors(model), state | {"lm_head.weight": state["wte.weight"]}
    expect_state(after, before, "after a refused checkpoint", {oracle.HALF_LOADED: loaded})


@pytest.mark.task("m06.5")
@pytest.mark.parametrize("layout", ["plain", "prefixed_masks_head"])
def test_loading_keeps_the_tensor_shared(student, draw, layout):
    """After loading, a change of wte still changes the scores as well."""
    ids, state = ids_and_state(draw)
    model, probes = student.GPT(student.GPTConfig(**SIZES)), student.plant(m06_probes)
    student.load_gpt2(model, oracle.checkpoint(state, SIZES, layout))
    changed, old = draw.normal(97, 12, scale=0.4), state["wte.weight"]
    probes.overwrite(model, "wte", changed)
    model.eval()
    after = state | {"wte.weight": changed}
    misses = {oracle.UNTIED_BY_LOADING: lambda: oracle.logits(ids, after, SIZES, head=old)}
    expected = oracle.logits(ids, after, SIZES)
    expect_close(model(ids), expected, atol=1e-4, rtol=1e-4, misses=misses, what="the result after the change")


@pytest.mark.task("m06.5")
@pytest.mark.parametrize("layout", ["prefixed", "prefixed_masks_head"])
def test_the_checkpoint_keeps_its_values(student, draw, layout):
    """The dict that was loaded has its keys and values afterwards, whatever then happens to the model."""
    given = oracle.checkpoint(oracle.random_state(draw, SIZES), SIZES, layout)
    model = student.GPT(student.GPTConfig(**SIZES))
    after = student.plant(m06_probes).zeroed_afterwards(student.load_gpt2, model, given)
    expect_equal(sorted(after), sorted(given), what="the list of the checkpoint's keys after loading")
    for key, value in given.items():
        if value.is_floating_point():
            misses = {oracle.ALIASED: torch.zeros_like(value)}
            expect_close(after[key], value, atol=0.0, misses=misses, what=f"the checkpoint's {key} after loading")


@LARGE
@pytest.mark.task("m06.5")
def test_a_loaded_checkpoint_gives_hugging_faces_logits(student, draw, weights):
    """A checkpoint's own file, loaded by load_gpt2, gives the logits of Hugging Face's GPT-2."""
    model = student.GPT(student.GPTConfig(**oracle.checkpoint_sizes(weights)))
    student.load_gpt2(model, weights.inside(student))
    model.eval()
    ids = draw.integers(0, weights.sizes["vocab_size"], 2, 17)
    oracle.expect_hugging_faces_logits(student, model, ids, weights)
