"""m15_llama: the norm, the gate and rotary positions."""

import math

import pytest
import torch

from grader.judge import (
    BFLOAT16,
    FLOAT16,
    FLOAT32_LAYER,
    FLOAT32_OP,
    FLOAT64_CONSTANT,
    expect,
    expect_close,
    expect_equal,
    expect_one_device,
    expect_raises,
    expect_tensor,
)
from grader.suites.shared.digits import expect_float64

from . import oracle
from .steps import expect_gradients, expect_state, expect_untouched, heads, loaded

HALF = {torch.float16: FLOAT16, torch.bfloat16: BFLOAT16}


# ── m15.1 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.task("m15.1")
@pytest.mark.holds("Example: [3, 4] with eps 0 becomes [3, 4] / sqrt(12.5), [0.8485, 1.1314].")
def test_two_numbers_as_in_the_docstring(student):
    """A new RMSNorm(2, eps=0) makes [0.8485, 1.1314] of [3, 4]."""
    x, weight = torch.tensor([3.0, 4.0]), torch.ones(2)
    misses = oracle.norm_misses(x, weight, 0.0)
    expect_close(student.RMSNorm(2, eps=0.0)(x), x / math.sqrt(12.5), atol=FLOAT32_OP, misses=misses)


@pytest.mark.task("m15.1")
@pytest.mark.holds("The weight starts at 1.")
def test_the_weight_starts_at_1(student):
    """Its only state is the parameter weight, ones at first."""
    layer = student.RMSNorm(5)
    expect_state(student, layer, {"weight": (5,)}, oracle.BIASED_NORM)
    start = student.probe.parameters(layer)["weight"]
    misses = {oracle.PLUS_ONE: torch.zeros(5)}
    expect_close(start, torch.ones(5), atol=0.0, misses=misses, what="weight at first")


@pytest.mark.task("m15.1")
@pytest.mark.holds(
    "Divide each vector by the root of the mean of its squares, eps added below the root, and multiply by `weight`.",
    "Normalise each vector along the last axis by itself.",
)
@pytest.mark.parametrize("shape", [(7, 4), (2, 3, 5, 4)], ids=str)
@pytest.mark.parametrize("eps", [0.1, None], ids=["eps_0.1", "eps_left_out"])
def test_each_vector_is_divided_by_its_own_size(student, draw, shape, eps):
    """Along the last axis: by the root of the mean of squares and eps, times the weight; 1e-5 where eps is left out."""
    x, weight = (draw.normal(*shape) + 0.4) * (0.5 if eps else 0.002), draw.normal(4) + 1
    layer = loaded(student, student.RMSNorm(4, **({} if eps is None else {"eps": eps})), {"weight": weight})
    args = x, weight, eps or 1e-5
    expect_close(layer(x), oracle.rms_norm(*args), atol=FLOAT32_LAYER, misses=oracle.norm_misses(*args))


@pytest.mark.task("m15.1")
def test_a_vector_of_zeros_stays_one(student):
    """Zeros become zeros, and never NaN."""
    x = torch.zeros(2, 3)
    misses = {oracle.ZERO_BY_ZERO: x / x}
    expect_close(student.RMSNorm(3)(x), x, atol=0.0, misses=misses)


@pytest.mark.task("m15.1")
@pytest.mark.holds(
    "Half precision is computed in float32, and float64 in float64.",
    "Each part gives back the dtype that it was given.",
)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=["float16", "bfloat16"])
def test_a_norm_in_half_precision(student, draw, dtype):
    """Numbers of some hundreds in half precision come back in it, with squares that were taken in float32."""
    x, weight = draw.normal(3, 5, 64, scale=400.0).to(dtype), (draw.normal(64) + 1).to(dtype)
    layer = loaded(student, student.RMSNorm(64), {"weight": weight})
    layer.to(dtype)
    expected = oracle.rms_norm(x, weight, 1e-5)
    misses = {oracle.COARSE: oracle.coarse_norm(x, weight, 1e-5)}
    rtol, median = 2 * torch.finfo(dtype).eps, float(expected.double().abs().median())
    expect_close(layer(x), expected, atol=min(rtol / 2, 0.009 * median), rtol=min(0.01, rtol), misses=misses)


@pytest.mark.task("m15.1")
@pytest.mark.holds(
    "Let one projection open and close another: down_proj(act(gate_proj(x)) * up_proj(x)); nn.Linear without biases.",
    "Send each vector along the last axis through all three layers.",
)
@pytest.mark.parametrize("shape", [(5,), (2, 3, 5)], ids=str)
def test_a_gate_opens_and_closes(student, draw, shape):
    """down_proj of SiLU of gate_proj times up_proj, none of them with a bias, for any number of axes in front."""
    x, state = draw.normal(*shape), oracle.gated_state(draw, 5, 7)
    layer = student.GatedMLP(5, 7)
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    expect_state(student, layer, shapes, oracle.BIASED)
    misses = oracle.gated_misses(x, state)
    expect_close(loaded(student, layer, state)(x), oracle.gated(x, state), atol=FLOAT32_LAYER, misses=misses)


@pytest.mark.task("m15.1")
@pytest.mark.holds(
    "Half precision is computed in float32, and float64 in float64.",
    "Each part gives back the dtype that it was given.",
)
def test_a_norm_and_a_gate_in_float64(student, draw):
    """What comes in as float64 comes back as float64, with its digits."""
    x, weight, state = draw.normal(3, 5, dtype=torch.float64), draw.normal(5).double(), oracle.gated_state(draw, 5, 7)
    norm = loaded(student, student.RMSNorm(5, eps=0.1), {"weight": weight})
    norm.to(torch.float64)
    expected, narrowed = oracle.rms_norm(1e25 * x, weight, 0.1), {oracle.NARROWED: 0 * x}  # float32 ends at 3e38
    expect_close(norm(1e25 * x), expected, atol=FLOAT64_CONSTANT, misses=narrowed, what="the norm's result")
    misses = oracle.norm_misses(x.float().double(), weight, 0.1)
    expect_float64(norm, lambda x: oracle.rms_norm(x, weight, 0.1), x, misses=misses, what="the norm's result")
    mlp = loaded(student, student.GatedMLP(5, 7), state)
    mlp.to(torch.float64)
    misses, expected = oracle.gated_misses(x, state), oracle.gated(x, state)
    expect_close(mlp(x), expected, atol=FLOAT64_CONSTANT, misses=misses, what="the MLP's result")


@pytest.mark.task("m15.1")
def test_a_norms_gradients(student, draw):
    """Gradients flow through the size of a vector too, and to the weight."""
    x, weight, mix = draw.normal(2, 5, 4), draw.normal(4) + 1, draw.normal(2, 5, 4)
    layer = loaded(student, student.RMSNorm(4, eps=0.1), {"weight": weight})
    found = student.probe.gradients(layer, [x], mix)
    for actual, place, name in ((found["args"][0], 0, "the input"), (found["parameters"]["weight"], 1, "the weight")):
        right, cut = (
            oracle.gradients(lambda x, w, cut=cut: oracle.rms_norm(x, w, 0.1, cut=cut), (x, weight), mix)[place]
            for cut in (False, True)
        )
        misses = {
            oracle.CUT: torch.zeros_like(right),
            "the size is taken for a constant: gradients flow through it": cut,
        }
        expect_close(actual, right, atol=FLOAT32_LAYER, rtol=1e-4, misses=misses, what=f"the gradient of {name}")


@pytest.mark.task("m15.1")
@pytest.mark.holds("Example: with [[1]] for all three weights, [2] becomes [3.5232].")
def test_one_number_through_a_gate_as_in_the_docstring(student):
    """With 1 for all three weights, 2 becomes 2 * sigmoid(2) * 2 = 3.5232."""
    state = {f"{name}_proj.weight": torch.ones(1, 1) for name in ("gate", "up", "down")}
    x, expected = torch.tensor([2.0]), torch.tensor([4 / (1 + math.exp(-2))])
    actual = loaded(student, student.GatedMLP(1, 1), state)(x)
    expect_close(actual, expected, atol=FLOAT32_OP, misses=oracle.gated_misses(x, state))


@pytest.mark.task("m15.1")
def test_parts_leave_their_input_alone(student, draw):
    """A norm and a gated MLP leave what they are given as it was."""
    x = draw.normal(3, 5)
    expect_untouched(student, student.RMSNorm(5), x)
    expect_untouched(student, student.GatedMLP(5, 7), x)


# ── m15.2 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.task("m15.2")
@pytest.mark.holds("Example: rope_frequencies(4) is [1, 0.01].")
def test_the_frequencies_of_four_numbers(student):
    """Two pairs turn by 1 and by 0.01 radians a position."""
    misses = oracle.frequency_misses(4, 10000.0)
    expect_close(student.rope_frequencies(4), torch.tensor([1.0, 0.01]), atol=1e-7, rtol=1e-6, misses=misses)


@pytest.mark.task("m15.2")
@pytest.mark.holds(
    "Return by how many radians each pair turns from a position to the next: theta ** (-2 * i / d_head), in float32."
)
@pytest.mark.parametrize(("d_head", "theta"), [(6, 10000.0), (64, 500000.0), (2, 77.0)], ids=str)
def test_frequencies_fall_from_1(student, d_head, theta):
    """Pair i turns by theta ** (-2 * i / d_head), in float32."""
    actual, expected = student.rope_frequencies(d_head, theta), oracle.frequencies(d_head, theta)
    expect_close(actual, expected, atol=0.0, rtol=1e-5, misses=oracle.frequency_misses(d_head, theta))


@pytest.mark.task("m15.2")
@pytest.mark.holds("Raises ValueError, naming d_head, when that is odd.")
def test_an_odd_head_is_refused(student):
    """A head of seven numbers raises ValueError with the 7 in its text."""
    expect_raises("ValueError", student.rope_frequencies, 7, mentions=("7",), fine=(8,), mistake=oracle.ODD)


@pytest.mark.task("m15.2")
@pytest.mark.holds(
    "Llama 3.1 stretches them by `scaling`: factor, low_freq_factor, high_freq_factor, "
    "original_max_position_embeddings; other keys say nothing.",
    "A pair makes t = original * frequency / (2 * pi) turns.",
    "Where t exceeds high_freq_factor its frequency stays, below low_freq_factor it is divided by factor; between, it "
    "is s * frequency + (1 - s) * frequency / factor, and s goes evenly from 0 at low to 1 at high.",
)
def test_slow_pairs_are_stretched(student, draw):
    """Pairs that turn often stay, those that turn seldom turn `factor` times as slowly, and between is a mixture."""
    scaling = {
        "factor": draw.random.uniform(3, 9),
        "low_freq_factor": draw.random.uniform(1.2, 1.6),
        "high_freq_factor": draw.random.uniform(4, 6),
        "original_max_position_embeddings": draw.random.randrange(60, 80),
        "rope_type": "llama3",
    }
    actual, expected = student.rope_frequencies(32, 1e4, scaling), oracle.frequencies(32, 1e4, scaling)
    misses = oracle.scaling_misses(32, 1e4, scaling)
    expect_close(actual, expected, atol=0.0, rtol=1e-5, misses=misses, what="the tensor of frequencies")


@pytest.mark.task("m15.2")
@pytest.mark.parametrize("factor", [8.0, 32.0], ids=["8B", "1B"])
def test_llama_3s_own_frequencies(student, factor):
    """With Llama 3.1 8B's and 3.2 1B's numbers, 29 of 64 and 15 of 32 frequencies stay."""
    d_head = 128 if factor == 8.0 else 64
    scaling = {
        "factor": factor,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
        "rope_type": "llama3",
    }
    expected = oracle.frequencies(d_head, 5e5, scaling)
    misses = oracle.scaling_misses(d_head, 5e5, scaling)
    actual = student.rope_frequencies(d_head, 5e5, scaling)
    expect_close(actual, expected, atol=0.0, rtol=1e-5, misses=misses, what="the tensor of frequencies")


@pytest.mark.task("m15.2")
@pytest.mark.holds(
    "Turn each pair (x[i], x[i + d_head / 2]) at position p by the angle p * frequencies[i], counterclockwise.",
    "So (a, b) becomes (a cos - b sin, a sin + b cos).",
)
@pytest.mark.parametrize("start", [0, 23], ids=["from_0", "anywhere"])
def test_each_pair_turns_by_its_angle(student, draw, start):
    """Every pair of halves turns by its position times its frequency, for one head as for five."""
    positions = torch.arange(7) if start == 0 else torch.tensor([23, 3, 24, 9, 0, 77, 24])
    freq = oracle.frequencies(6, 40.0)
    for n_heads in (5, 1):
        x = draw.normal(2, n_heads, 7, 6)
        actual, expected = student.apply_rope(x, positions, freq), oracle.rope(x, positions, freq)
        expect_close(actual, expected, atol=FLOAT32_LAYER, misses=oracle.rope_misses(x, positions, freq))


@pytest.mark.task("m15.2")
@pytest.mark.holds("Example: [1, 0] at position 1 with frequency pi / 2 becomes [0, 1].")
def test_a_quarter_turn_as_in_the_docstring(student):
    """At position 1 with frequency pi / 2, [1, 0] becomes [0, 1]; at position 0 it stays."""
    x, freq = torch.tensor([[[[1.0, 0.0]]]]), torch.tensor([math.pi / 2])
    for position, wanted in ((1, [0.0, 1.0]), (0, [1.0, 0.0])):
        at = torch.tensor([position])
        misses = oracle.rope_misses(x, at, freq)
        what = f"the result at position {position}"
        expected = torch.tensor(wanted).reshape(1, 1, 1, 2)
        expect_close(student.apply_rope(x, at, freq), expected, atol=FLOAT32_OP, misses=misses, what=what)


@pytest.mark.task("m15.2")
def test_scores_know_distances_alone(student, draw):
    """A query and a key that are turned have the score that they have when both stand 100 positions further on."""
    query, key, freq = draw.normal(1, 3, 5, 8), draw.normal(1, 3, 5, 8), oracle.frequencies(8, 100.0)
    near, far = torch.arange(5), torch.arange(100, 105)
    expected = oracle.rope(query, near, freq) @ oracle.rope(key, near, freq).transpose(2, 3)
    turned = [student.apply_rope(part, far, freq) for part in (query, key)]
    for part in turned:
        expect_tensor(part, shape=(1, 3, 5, 8), dtype=torch.float32)
    misses = {"nothing is turned": query @ key.transpose(2, 3)}
    actual = turned[0] @ turned[1].transpose(2, 3)
    expect_close(actual, expected, atol=1e-4, misses=misses, what="the table of scores")


@pytest.mark.task("m15.2")
@pytest.mark.holds(
    "Angles are float32 also where x is half precision, and float64 is turned in float64.",
    "Each part gives back the dtype that it was given.",
)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=["float16", "bfloat16"])
def test_far_positions_in_half_precision(student, draw, dtype):
    """At positions around 3,000 half precision comes back, turned by angles that were computed in float32."""
    # Products may be rounded, too: where both are alike in size and no larger than 1, that stays within the bound.
    x = draw.normal(2, 3, 7, 6)
    x = (x.sign() * x.abs().clamp(0.75, 1)).to(dtype)
    positions, freq = torch.arange(3001, 3008), oracle.frequencies(6, 40.0)
    misses = {oracle.COARSE_ANGLES: oracle.coarse_rope(x, positions, freq)} | oracle.rope_misses(x, positions, freq)
    expected = oracle.rope(x, positions, freq)
    atol = min(2 * HALF[dtype], 0.009 * float(expected.double().abs().median()))
    expect_close(student.apply_rope(x, positions, freq), expected, atol=atol, rtol=0.01, misses=misses)


@pytest.mark.task("m15.2")
@pytest.mark.holds(
    "Angles are float32 also where x is half precision, and float64 is turned in float64.",
    "Each part gives back the dtype that it was given.",
)
def test_float64_is_turned_as_float64(student, draw):
    """What comes in as float64 comes back as float64, also numbers that float32 takes for 0."""
    x, positions, freq = draw.normal(2, 3, 7, 6, dtype=torch.float64), torch.arange(7), oracle.frequencies(6, 40.0)
    expect_close(student.apply_rope(x, positions, freq), oracle.rope(x, positions, freq), atol=2 * FLOAT32_OP)
    actual, expected = student.apply_rope(1e-60 * x, positions, freq), oracle.rope(1e-60 * x, positions, freq)
    expect_close(actual, expected, atol=1e-65, misses={oracle.NARROWED: 0 * x}, what="the result for tiny numbers")


@pytest.mark.task("m15.2")
def test_positions_of_a_long_text(student, draw):
    """At position 8,000 the turn is as exact as angles in float32 are."""
    x, positions, freq = draw.normal(1, 2, 5, 64), torch.arange(7996, 8001), oracle.frequencies(64, 10000.0)
    actual, expected = student.apply_rope(x, positions, freq), oracle.rope(x, positions, freq)
    expect_close(actual, expected, atol=2e-3, misses=oracle.rope_misses(x, positions, freq))


@pytest.mark.task("m15.2")
@pytest.mark.warm("torch._dynamo")
def test_turning_is_clean(student, draw):
    """Gradients flow through the turn, arguments stay as they were, and nothing is made on another device."""
    x, positions, freq = draw.normal(2, 3, 7, 6), torch.arange(2, 9), oracle.frequencies(6, 40.0)
    mix = draw.normal(2, 3, 7, 6)
    expect_untouched(student, student.apply_rope, x, positions, freq)
    found = student.probe.gradients(student.apply_rope, [x, positions, freq], mix)["args"][0]
    expected = oracle.rope(mix, positions, freq, sign=-1.0)
    expect_close(found, expected, atol=FLOAT32_LAYER, misses={oracle.CUT: x * 0}, what="the gradient of x")
    expect_one_device(student, student.apply_rope, [x, positions, freq], mistake=oracle.ELSEWHERE)


# ── m15.3 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.task("m15.3")
@pytest.mark.holds("Example: of 4 heads with 2 for keys, heads 0 and 1 read head 0 of the keys, 2 and 3 read head 1.")
def test_four_heads_share_two(student):
    """Of one token, heads 0 and 1 get the value of head 0, and heads 2 and 3 that of head 1."""
    query, key = torch.ones(1, 4, 1, 2), torch.ones(1, 2, 1, 2)
    value = torch.tensor([[[[1.0, 2.0]], [[30.0, 40.0]]]])
    expected = torch.tensor([[[[1.0, 2.0]], [[1.0, 2.0]], [[30.0, 40.0]], [[30.0, 40.0]]]])
    misses = {words: miss for words, miss in oracle.grouped_misses(query, key, value).items() if "head" in words}
    expect_close(student.grouped_attention(query, key, value), expected, atol=FLOAT32_LAYER, misses=misses)


@pytest.mark.task("m15.3")
@pytest.mark.holds(
    "Attend causally, where each n_heads / n_kv_heads query heads side by side share one head of keys and values.",
    "Scores are divided by sqrt(d_head).",
)
@pytest.mark.parametrize("n_kv_heads", [2, 6, 1], ids=["2_of_6", "6_of_6", "1_of_6"])
def test_heads_side_by_side_share_keys_and_values(student, draw, n_kv_heads):
    """Six heads of queries share two, six or one of keys and values, and look at nothing that comes later."""
    args = heads(draw, 6, n_kv_heads, 7, 7)
    misses = oracle.grouped_misses(*args)
    expect_close(student.grouped_attention(*args), oracle.grouped(*args), atol=FLOAT32_LAYER, misses=misses)


@pytest.mark.task("m15.3")
@pytest.mark.holds(
    "Fewer queries than keys are those of the last positions.",
    "Each sees its own position and all before it, with a window no more than `window` of them in all.",
)
@pytest.mark.parametrize("new", [3, 1])
def test_the_last_queries_see_all_that_came_before(student, draw, new):
    """Three queries, or one, for seven keys are those of the last positions."""
    args = heads(draw, 6, 2, new, 7)
    misses = oracle.grouped_misses(*args)
    expect_close(student.grouped_attention(*args), oracle.grouped(*args), atol=FLOAT32_LAYER, misses=misses)


@pytest.mark.task("m15.3")
@pytest.mark.holds("Raises ValueError, naming both, unless n_kv_heads divides n_heads.")
def test_heads_that_cannot_be_shared_are_refused(student, draw):
    """Six heads for four of keys and values raise ValueError with both numbers in its text."""
    args, fine = heads(draw, 6, 4, 5, 5, d_head=3), heads(draw, 6, 3, 5, 5, d_head=3)
    expect_raises("ValueError", student.grouped_attention, *args, mentions=("6", "4"), fine=fine, mistake=oracle.RAGGED)


@pytest.mark.task("m15.3")
@pytest.mark.holds("Each part gives back the dtype that it was given.")
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64], ids=["bfloat16", "float64"])
def test_groups_attend_in_other_dtypes(student, draw, dtype):
    """bfloat16 and float64 come back as they came in."""
    args = heads(draw, 6, 2, 3, 7, dtype=dtype)
    actual, expected = student.grouped_attention(*args), oracle.grouped(*args)
    if dtype == torch.float64:
        expect_close(actual, expected, atol=FLOAT64_CONSTANT)
        return
    expect_tensor(actual, shape=tuple(expected.shape), dtype=dtype)
    # Scores of eight bits move weights, and those many values: it is compared in the mean.
    apart = float((actual.double() - expected.double()).abs().mean() / expected.double().abs().mean())
    expect(apart < 0.03, f"The result is off by {apart:.1%} in the mean.", evidence="value")


@pytest.mark.task("m15.3")
def test_large_scores_do_not_overflow(student, draw):
    """Scores of some hundreds, whose exponential is infinite in float32, give finite and right results."""
    query, key, value = heads(draw, 6, 2, 7, 7)
    args = 40 * query, 10 * key, value
    expect_close(student.grouped_attention(*args), oracle.grouped(*args), atol=2e-3, rtol=1e-3)


@pytest.mark.task("m15.3")
@pytest.mark.warm("torch._dynamo")
def test_grouped_attention_is_clean(student, draw):
    """Gradients reach all three, arguments stay as they were, and nothing is made on another device."""
    args, mix = heads(draw, 6, 2, 5, 7), draw.normal(2, 6, 5, 4)
    expect_untouched(student, student.grouped_attention, *args)
    expect_gradients(student, student.grouped_attention, oracle.grouped, args, mix)
    expect_one_device(student, student.grouped_attention, list(args), mistake=oracle.ELSEWHERE)


@pytest.mark.task("m15.3")
@pytest.mark.holds(
    "Count the bytes of so many tokens' keys and values, in all layers.",
    "Example: a token of Llama 2 7B takes 524,288; with 8 heads of keys and values, as Llama 3 8B has them, 131,072.",
    "The sizes and switches of a model.",
    "Given, nothing to do here: the defaults are Llama 2 7B's.",
)
def test_the_cache_of_known_models(student, draw):
    """A token of Llama 2 7B takes 524,288 bytes, one of Llama 3 8B 131,072, and others what arithmetic gives."""
    default = {"d_model": 4096, "n_layers": 32, "n_heads": 32}
    own = {"d_model": 90, "n_layers": 5, "n_heads": 9, "n_kv_heads": 3, "d_head": 14}
    tokens = draw.random.randrange(100, 9000)
    for given, sizes, count, each in (
        (own, own, tokens, 1),
        (own, own, tokens, 4),
        (own, own, tokens, 2),
        ({}, default, 1, 2),
        ({"n_kv_heads": 8}, default | {"n_kv_heads": 8}, 1, 2),
    ):
        config, expected = student.LlamaConfig(**given), oracle.cache_bytes(sizes, count, each)
        actual = student.kv_cache_bytes(config, count, *([] if each == 2 else [each]))
        expect_equal(actual, expected, misses=oracle.cache_misses(sizes, count, each), what="the number of bytes")
