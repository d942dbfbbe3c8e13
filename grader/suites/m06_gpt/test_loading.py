"""m06_gpt: the loss, and GPT-2's own weights."""

import math

import pytest
import torch

from grader.judge import (
    FLOAT32_LAYER,
    FLOAT32_OP,
    FLOAT64_CONSTANT,
    StudentError,
    achieve,
    expect,
    expect_close,
    expect_equal,
    expect_raises,
)

from . import oracle, oracle_parts
from . import probes as m06_probes
from .steps import LARGE, LAYOUTS, SIZES, ids_and_state, load


def expect_state(actual, expected, what, misses=None):
    """Compare all weights of a model exactly; `misses` maps mistakes to other weights."""
    for key in expected:
        found = actual.get(key)
        if type(found) is torch.Tensor and found.dtype == torch.float16:
            torn = key == "wte.weight" and actual["lm_head.weight"].dtype == torch.float32
            mistake = oracle.UNTIED_BY_LOADING if torn else oracle.DTYPE
            expect(False, f"{key} is float16 {what}.", mistake=mistake, evidence="value")
        wrong = {words: state[key] for words, state in (misses or {}).items()}
        expect_close(found, expected[key], atol=0.0, misses=wrong, what=f"the value of {key} {what}")


@pytest.mark.task("m06.4")
@pytest.mark.holds(
    "Example: logits [[[0, 0], [0, ln 3]]] with targets [[0, 1]] lose ln 2 and ln(4/3), 0.4904 on average.",
)
def test_two_tokens_as_in_the_docstring(student):
    """The docstring's logits lose ln 2 and ln(4/3), 0.4904 on average."""
    scores, targets = torch.tensor([[[0.0, 0.0], [0.0, math.log(3)]]]), torch.tensor([[0, 1]])
    expected = torch.tensor((math.log(2) + math.log(4 / 3)) / 2)
    misses = oracle.loss_misses(scores, targets)
    expect_close(student.next_token_loss(scores, targets), expected, atol=FLOAT32_OP, misses=misses)


@pytest.mark.task("m06.4")
@pytest.mark.holds(
    "Average the cross-entropy (in nats) over all targets but those that equal ignore_index.",
    "targets[b, i] is the id that belongs after position i: they are shifted already.",
)
@pytest.mark.parametrize(
    ("ignored", "dtype"),
    [(None, torch.float64), (-100, torch.float32), (5, torch.float32), (0, torch.float32)],
    ids=["none_ignored_float64", "default_ignored", "id_5_ignored", "id_0_ignored"],
)
def test_the_loss_is_the_mean_over_targets_that_count(student, draw, ignored, dtype):
    """All targets but the ignored ones weigh the same, however they are spread over the rows."""
    scores, targets = draw.normal(4, 7, 13, scale=2.0, dtype=dtype), draw.integers(0, 13, 4, 7)
    options = {} if ignored in (None, -100) else {"ignore_index": ignored}
    if ignored is not None:
        targets[0, 1:], targets[2, 3:5], targets[1, 2] = ignored, ignored, (ignored + 1) % 13
    misses = oracle.loss_misses(scores, targets, **options)
    atol = FLOAT32_LAYER if dtype is torch.float32 else FLOAT64_CONSTANT
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
@pytest.mark.holds("When all are ignored the loss is 0, and its gradient 0 everywhere.")
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
@pytest.mark.holds(
    "Copy a checkpoint in Hugging Face's layout into the model; the model keeps its dtype, and `state` stays as it is.",
    "Keys are the model's own, all with `transformer.` in front or none; an `lm_head.weight` has no prefix, "
    "may be left out, and must equal wte.weight.",
    "Weights of c_attn, c_proj and c_fc are (in, out), as Conv1D has them.",
    "Causal masks (keys that end in `.attn.bias` or `.attn.masked_bias`) are dropped, and nothing else is.",
    "Example: h.0.attn.c_attn.weight is (768, 2304) in GPT-2 small's file, and (2304, 768) in nn.Linear.",
)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_tensor_finds_its_place(student, draw, layout):
    """With and without `transformer.`, masks and lm_head.weight, every tensor arrives, turned where it must be."""
    state, before, probes = *(oracle.random_state(draw, SIZES) for _ in range(2)), student.plant(m06_probes)
    state = {key: value.half().float() for key, value in state.items()}
    model = oracle.student_model(student, SIZES, before)
    load(student, model, state, layout)
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
@pytest.mark.holds(
    "Raises ValueError, naming the key, when one is missing, is one too many or has another shape; the model "
    "is then as it was.",
)
def test_a_missing_tensor_is_named(student, draw):
    """A checkpoint that lacks a tensor raises ValueError with its key in its text."""
    state, model = oracle.random_state(draw, SIZES), student.GPT(student.GPTConfig(**SIZES))
    for key in ("wpe.weight", "ln_f.bias", "h.1.attn.c_attn.bias", "h.0.mlp.c_proj.weight"):
        rest = {name: value for name, value in state.items() if name != key}
        broken = oracle.checkpoint(rest, SIZES, "prefixed_masks_head")
        oracle.expect_refused(student, model, broken, key, "is missing")


@pytest.mark.task("m06.5")
@pytest.mark.holds(
    "Causal masks (keys that end in `.attn.bias` or `.attn.masked_bias`) are dropped, and nothing else is.",
    "Raises ValueError, naming the key, when one is missing, is one too many or has another shape; the model "
    "is then as it was.",
)
def test_a_tensor_too_many_is_named(student, draw):
    """A checkpoint with a tensor that the model lacks raises ValueError with its key in its text."""
    state, model = oracle.random_state(draw, SIZES), student.GPT(student.GPTConfig(**SIZES))
    for key in ("h.2.ln_1.weight", "h.0.attn.q_attn.bias", "h.1.attn.rotary.inv_freq", "score.weight"):
        broken = oracle.checkpoint(state | {key: torch.ones(12)}, SIZES, "prefixed")
        oracle.expect_refused(student, model, broken, key, "is one too many")


@pytest.mark.task("m06.5")
@pytest.mark.holds(
    "Raises ValueError, naming the key, when one is missing, is one too many or has another shape; the model "
    "is then as it was.",
)
def test_a_tensor_of_another_shape_is_named(student, draw):
    """A tensor that is cut, too long, turned already, or would broadcast raises ValueError with its key in its text."""
    state, model = oracle.random_state(draw, SIZES), student.GPT(student.GPTConfig(**SIZES))
    plain = oracle.checkpoint(state, SIZES, "plain")
    shapes = {"ln_f.weight": (1,), "wpe.weight": (13, 12), "h.1.mlp.c_fc.weight": (20, 12), "wte.weight": (96, 12)}
    for key, shape in shapes.items():
        broken = plain | {key: draw.normal(*shape)}
        oracle.expect_refused(student, model, broken, key, "has another shape")


@pytest.mark.task("m06.5")
@pytest.mark.holds(
    "Keys are the model's own, all with `transformer.` in front or none; an `lm_head.weight` has no prefix, "
    "may be left out, and must equal wte.weight.",
)
def test_a_head_of_its_own_is_refused(student, draw):
    """An lm_head.weight that differs from wte.weight in a single number raises ValueError with its key in its text."""
    state, model = oracle.random_state(draw, SIZES), student.GPT(student.GPTConfig(**SIZES))
    broken = oracle.checkpoint(state, SIZES, "prefixed_masks_head")
    broken["lm_head.weight"][draw.random.randrange(97), 5] += 0.25
    oracle.expect_refused(student, model, broken, "lm_head.weight", "differs from wte.weight")


@pytest.mark.task("m06.5")
@pytest.mark.holds(
    "Raises ValueError, naming the key, when one is missing, is one too many or has another shape; the model "
    "is then as it was.",
)
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
@pytest.mark.holds(
    "Copy a checkpoint in Hugging Face's layout into the model; the model keeps its dtype, and `state` stays as it is.",
)
def test_loading_keeps_the_parameters(student, draw):
    """load_gpt2 copies into the parameters that are there: an optimizer that holds them goes on with the model."""
    state, model = oracle.random_state(draw, SIZES), student.GPT(student.GPTConfig(**SIZES))
    probes = student.plant(m06_probes)
    found = probes.replaced(student.load_gpt2, model, oracle.checkpoint(state, SIZES, "plain"))
    expect(found == [], f"Replaced by other parameters: {', '.join(map(str, found))}.", mistake=oracle.REPLACED)
    expect_state(probes.tensors(model), state, "after loading")


@pytest.mark.task("m06.5")
@pytest.mark.holds(
    "Copy a checkpoint in Hugging Face's layout into the model; the model keeps its dtype, and `state` stays as it is.",
)
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
    model = student.GPT(student.GPTConfig(**weights.sizes))
    student.load_gpt2(model, weights.inside(student))
    model.eval()
    ids = draw.integers(0, weights.sizes["vocab_size"], 2, 17)
    oracle_parts.expect_hugging_faces_logits(student, model, ids, weights)
    numbers = sum(value.numel() for value in weights.state.values())
    achieve(f"Your GPT runs {weights.name}: {numbers:,} numbers of its checkpoint in place, and Hugging Face's logits.")
