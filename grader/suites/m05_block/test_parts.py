"""m05_block: LayerNorm, GELU and the MLP."""

import pytest
import torch
import torch.nn.functional as F

from grader.judge import (
    BFLOAT16,
    FLOAT16,
    FLOAT32_LAYER,
    FLOAT32_OP,
    expect,
    expect_bound,
    expect_close,
    expect_raises,
    expect_tensor,
)
from grader.suites.shared.attention import by_chance
from grader.suites.shared.digits import expect_float64

from . import oracle
from .steps import EPS, expect_gradients, expect_state, expect_untouched


def norm_with(student, state, eps=EPS):
    """Make the student's LayerNorm with this gain and bias."""
    layer = student.LayerNorm(len(state["weight"]), eps=eps)
    layer.load_state_dict(state)
    return layer


def mlp_with(student, state, dropout=0.0):
    """Make the student's MLP, in eval mode and with these weights."""
    d_ff, d_model = state["c_fc.weight"].shape
    layer = student.MLP(d_model, d_ff=d_ff, dropout=dropout)
    layer.load_state_dict(state)
    layer.eval()
    return layer


@pytest.mark.task("m05.1")
@pytest.mark.holds(
    "Example: LayerNorm(4, eps=0.5) makes [-1, -0.5, 0, 1.5] of [1, 2, 3, 6]: mean 3, variance 3.5, and sqrt(4) is 2.",
)
def test_four_numbers_as_in_the_docstring(student):
    """A new LayerNorm(4, eps=0.5) makes [-1, -0.5, 0, 1.5] of [1, 2, 3, 6]."""
    x, one, zero = torch.tensor([1.0, 2, 3, 6]), torch.ones(4), torch.zeros(4)
    actual, misses = student.LayerNorm(4, eps=0.5)(x), oracle.norm_misses(x, one, zero, 0.5)
    expect_close(actual, torch.tensor([-1.0, -0.5, 0.0, 1.5]), atol=FLOAT32_OP, misses=misses)


@pytest.mark.task("m05.1")
@pytest.mark.holds(
    "Its only state is `weight` (ones at first) and `bias` (zeros at first), both learnt and of shape (d_model,).",
)
def test_its_state_is_a_gain_of_ones_and_a_bias_of_zeros(student):
    """Its only state is the parameters weight, ones at first, and bias, zeros at first, one number a feature."""
    layer = student.LayerNorm(5)
    expect_state(student, layer, {"weight": (5,), "bias": (5,)})
    start = student.probe.parameters(layer)
    swapped = {"the gain starts at zero: at first a norm changes neither scale nor place": torch.zeros(5)}
    expect_close(start["weight"], torch.ones(5), atol=0.0, misses=swapped, what="weight at first")
    expect_close(start["bias"], torch.zeros(5), atol=0.0, what="bias at first")


@pytest.mark.task("m05.1")
@pytest.mark.holds(
    "Layer Normalization (Ba et al., 2016), section 3: (x - mean) / sqrt(variance + eps) * weight + bias, "
    "where mean and variance are those of the last axis, and the variance is a plain mean of squares: divided "
    "by d_model, not by one less.",
    "Normalise each vector along the last axis by itself; there may be any number of axes in front of it.",
)
@pytest.mark.parametrize("eps", [EPS, None], ids=["eps_0.1", "eps_left_out"])
@pytest.mark.parametrize("shape", [(7, 4), (2, 3, 5, 4)], ids=str)
def test_each_vector_is_normalised_by_itself(student, draw, shape, eps):
    """Along the last axis: less the mean, by the root of variance and eps, times the gain, plus the bias."""
    x, state = (draw.normal(*shape) + 0.5) * (0.5 if eps else 0.01), oracle.norm_state(draw, 4)
    layer = student.LayerNorm(4, **({} if eps is None else {"eps": eps}))
    layer.load_state_dict(state)
    args = x, state["weight"], state["bias"], eps or 1e-5
    misses = oracle.norm_misses(*args)
    if eps is None:  # none at all is nearly the same as too small a one by default
        misses = oracle.default_misses(*args[:3]) | {w: f for w, f in misses.items() if w != oracle.NO_EPS}
    expect_close(layer(x), oracle.norm(*args), atol=FLOAT32_LAYER, misses=misses)


@pytest.mark.task("m05.1")
@pytest.mark.holds(
    "Bring each token's vector to mean 0 and variance 1, then to a gain and a bias learnt for each feature.",
    "Layer Normalization (Ba et al., 2016), section 3: (x - mean) / sqrt(variance + eps) * weight + bias, "
    "where mean and variance are those of the last axis, and the variance is a plain mean of squares: divided "
    "by d_model, not by one less.",
)
def test_it_agrees_with_torch(student, draw):
    """With a gain, a bias and an eps of 0.1 it gives what torch's own function gives."""
    x, state = draw.normal(2, 5, 4), oracle.norm_state(draw, 4)
    args = x, state["weight"], state["bias"], EPS
    expected = F.layer_norm(x, (4,), *args[1:])
    expect_close(norm_with(student, state)(x), expected, atol=FLOAT32_LAYER, misses=oracle.norm_misses(*args))


@pytest.mark.task("m05.1")
@pytest.mark.holds(
    "Bring each token's vector to mean 0 and variance 1, then to a gain and a bias learnt for each feature.",
)
def test_every_token_has_mean_0_and_its_share_of_variance_1(student, draw):
    """With gain 1 and bias 0 each token has mean 0, and the variance v became v / (v + eps)."""
    x, one, zero = 3 * draw.normal(2, 5, 4) + 2, torch.ones(4), torch.zeros(4)
    actual = norm_with(student, {"weight": one, "bias": zero})(x)
    expect_tensor(actual, shape=(2, 5, 4), dtype=torch.float32)
    wrong = {words: f() for words, f in oracle.norm_misses(x, one, zero, EPS).items()}
    largest = float(actual.mean(-1).abs().max())
    expect(largest <= FLOAT32_LAYER, f"The mean of a token is {largest:.3g}, expected 0.", evidence="value")
    before, after = x.var(-1, correction=0), actual.var(-1, correction=0)
    misses = {words: y.var(-1, correction=0) for words, y in wrong.items()}
    expect_close(after, before / (before + EPS), atol=FLOAT32_LAYER, misses=misses, what="the variance of each token")


@pytest.mark.task("m05.1")
def test_equal_numbers_come_out_as_the_bias(student, draw):
    """A token whose features are all equal has variance 0 and comes out as the bias, not as NaN."""
    x, state = draw.integers(-20, 20, 2, 5, 1).expand(2, 5, 4).contiguous() / 4, oracle.norm_state(draw, 4)
    misses = oracle.norm_misses(x, state["weight"], state["bias"], 1e-5)
    actual, expected = norm_with(student, state, eps=1e-5)(x), state["bias"].expand(2, 5, 4)
    expect_close(actual, expected, atol=FLOAT32_OP, misses=misses)


@pytest.mark.task("m05.1")
@pytest.mark.holds(
    "Below float32 the arithmetic between is float32, and numbers far from zero keep their digits: 4096 + x "
    "gives what x gives.",
)
def test_far_from_zero_the_digits_are_kept(student, draw):
    """Numbers around 4,096, exact in float32, are normalised as well as the same numbers around 0."""
    x, state = 4096 + draw.integers(-20, 21, 3, 5, 4) / 8, oracle.norm_state(draw, 4)
    args = x, state["weight"], state["bias"], EPS
    # Far below what rounding makes of the variance as a difference (0.1 and more), above a running mean's rounding.
    expect_close(norm_with(student, state)(x), oracle.norm(*args), atol=1e-3, misses=oracle.coarse_misses(*args))


@pytest.mark.task("m05.1")
@pytest.mark.holds(
    "The dtype that comes in goes out.",
    "Below float32 the arithmetic between is float32, and numbers far from zero keep their digits: 4096 + x "
    "gives what x gives.",
)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=["float16", "bfloat16"])
def test_a_norm_takes_other_dtypes_and_returns_them(student, draw, dtype):
    """In another dtype the result is as exact as that dtype allows: half floats are worked on in float32."""
    state = {"weight": 1 + draw.integers(-2, 3, 4) / 10, "bias": 4 + draw.integers(0, 8, 4) / 8}
    state = {name: value.to(dtype) for name, value in state.items()}
    # float16: squares beyond 65,504. bfloat16: whole numbers around 200, where a mean has no digits behind the point.
    x = 200 + draw.integers(-2, 3, 3, 5, 4) if dtype == torch.bfloat16 else draw.normal(3, 5, 4, scale=400)
    x, layer = x.to(dtype), norm_with(student, state)
    layer.to(dtype)
    args = x, state["weight"], state["bias"], EPS
    atol, rtol = {torch.float16: FLOAT16, torch.bfloat16: BFLOAT16}[dtype], torch.finfo(dtype).eps
    expect_close(layer(x), oracle.norm(*args), atol=atol, rtol=rtol, misses=oracle.coarse_misses(*args))


@pytest.mark.task("m05.1")
@pytest.mark.holds(
    "The dtype that comes in goes out.",
)
def test_a_norm_in_float64_stays_in_float64(student, draw):
    """A norm turned into float64 computes in float64 throughout."""
    x, state = draw.normal(3, 5, 4, scale=3.0), oracle.norm_state(draw, 4)
    layer, wide = norm_with(student, state), {name: value.double() for name, value in state.items()}
    layer.double()
    expect_float64(layer, lambda x: oracle.norm(x, wide["weight"], wide["bias"], EPS), x)


@pytest.mark.task("m05.1")
def test_gradients_of_a_norm_agree_with_float64(student, draw):
    """The gradients of the input, the gain and the bias are those of the formula in float64."""
    x, state, weights = draw.normal(2, 5, 6), oracle.norm_state(draw, 6), draw.normal(2, 5, 6)
    layer = norm_with(student, state)
    wrong = oracle.frozen_norms(EPS)
    expect_gradients(student, layer, lambda x, s: oracle.norm(x, s["weight"], s["bias"], EPS), x, state, weights, wrong)


@pytest.mark.task("m05.1")
@pytest.mark.holds(
    "No argument of a function or of a layer changes.",
)
def test_the_input_of_a_norm_stays_as_it_was(student, draw):
    """The input is the same after the call as before it."""
    expect_untouched(student, norm_with(student, oracle.norm_state(draw, 4)), draw.normal(2, 5, 4))


@pytest.mark.task("m05.1")
@pytest.mark.holds("Raises ValueError, naming both widths, unless x is d_model wide.")
@pytest.mark.parametrize("width", [13, 1])
def test_vectors_of_another_width_are_refused(student, draw, width):
    """Vectors of another width than the norm's 17 raise ValueError with both widths in its text."""
    layer, fine = student.LayerNorm(17), (draw.normal(2, 5, 17),)
    expect_raises("ValueError", layer, draw.normal(2, 5, width), mentions=("17", str(width)), fine=fine)


@pytest.mark.task("m05.2")
@pytest.mark.holds("Example: -2, -1, 0, 1 and 2 become -0.0454, -0.1588, 0, 0.8412 and 1.9546.")
def test_five_numbers_as_in_the_docstring(student):
    """The numbers -2, -1, 0, 1 and 2 become -0.0454, -0.1588, 0, 0.8412 and 1.9546."""
    x = torch.tensor([-2.0, -1, 0, 1, 2])
    expect_close(student.gelu(x), oracle.gelu(x).to(x.dtype), atol=FLOAT32_OP, misses=oracle.gelu_misses(x))


@pytest.mark.task("m05.2")
@pytest.mark.holds(
    "Let large numbers pass and hold negative ones back, smoothly: GELU in the form that GPT-2 was trained with.",
)
@pytest.mark.parametrize("shape", [(), (2, 3, 5, 4)], ids=str)
def test_gelu_is_the_form_with_tanh(student, draw, shape):
    """At numbers of any shape near 2.7 and -2.7, where both forms differ most, it gives GPT-2's, as torch does."""
    x = ((2.7 + 0.1 * draw.normal(1, *shape)) * (2 * draw.integers(0, 2, 1, *shape) - 1))[0]
    expect_close(
        student.gelu(x), F.gelu(x, approximate="tanh"), atol=FLOAT32_OP, rtol=FLOAT32_OP, misses=oracle.gelu_misses(x)
    )


@pytest.mark.task("m05.2")
@pytest.mark.holds(
    "Gaussian Error Linear Units (Hendrycks and Gimpel, 2016), section 2, the one with tanh: 0.5 * x * (1 + "
    "tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))).",
)
def test_gelu_bends_as_the_formula_does(student, draw):
    """All over the range from -6 to 6 the values are those of the formula."""
    x = 12 * draw.permutation(999).float() / 998 - 6
    misses = oracle.gelu_misses(x)
    expect_close(student.gelu(x), oracle.gelu(x).to(x.dtype), atol=FLOAT32_OP, rtol=FLOAT32_OP, misses=misses)


@pytest.mark.task("m05.2")
@pytest.mark.holds(
    "Let large numbers pass and hold negative ones back, smoothly: GELU in the form that GPT-2 was trained with.",
)
def test_large_numbers_pass_or_vanish(student, draw):
    """Large positive numbers come out as they are, large negative ones as 0, and none as NaN."""
    x = torch.cat([draw.normal(20).abs() * scale + scale for scale in (20, 200, 20_000)])
    x = torch.cat([x, -x])
    misses = oracle.gelu_misses(x)
    expect_close(student.gelu(x), x.clamp(min=0), atol=FLOAT32_OP, rtol=FLOAT32_OP, misses=misses)


@pytest.mark.task("m05.2")
@pytest.mark.holds("The dtype stays.")
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=["float16", "bfloat16"])
def test_gelu_takes_other_dtypes_and_returns_them(student, dtype):
    """In another dtype the result is as exact as that dtype allows."""
    x = torch.linspace(-4, 9, 53).to(dtype)
    atol, rtol = {torch.float16: FLOAT16, torch.bfloat16: BFLOAT16}[dtype], torch.finfo(dtype).eps
    misses = oracle.gelu_misses(x)
    expect_close(student.gelu(x), oracle.gelu(x).to(x.dtype), atol=atol, rtol=rtol, misses=misses)


@pytest.mark.task("m05.2")
@pytest.mark.holds(
    "The dtype stays.",
)
def test_gelu_in_float64_stays_in_float64(student, draw):
    """In float64 it computes in float64 throughout; a constant may have been made in float32."""
    x = draw.permutation(53) / 4 - 4
    expect_float64(student.gelu, oracle.gelu, x, misses=oracle.gelu_misses(x.double()))


@pytest.mark.task("m05.2")
def test_gradients_of_gelu_agree_with_float64(student, draw):
    """The gradient is that of the formula in float64: 0.5 at 0, and slightly above 1 past it."""
    x, weights = torch.cat([draw.normal(40, scale=1.5), torch.zeros(1)]), draw.normal(41)
    actual = student.probe.gradients(student.gelu, [x], weights)["args"][0]
    (expected,) = oracle.gradients(oracle.gelu, [x], weights)
    misses = {oracle.CUT: torch.zeros(41)}
    expect_close(actual, expected, atol=FLOAT32_LAYER, misses=misses, what="the gradient of x")


@pytest.mark.task("m05.2")
@pytest.mark.holds("No argument of a function or of a layer changes.", "The dtype stays.")
def test_the_argument_of_gelu_stays_as_it_was(student, draw):
    """The argument is the same after the call as before it."""
    expect_untouched(student, student.gelu, draw.normal(3, 7))


@pytest.mark.task("m05.3")
@pytest.mark.holds(
    "Its only state is two nn.Linear with bias: `c_fc` (d_model to d_ff) and `c_proj` (d_ff to d_model).",
    "Without a d_ff the inner width is 4 * d_model.",
    "Example: MLP(4) has 148 parameters: 4 * 16 + 16 in c_fc, 16 * 4 + 4 in c_proj.",
)
@pytest.mark.parametrize("d_ff", [None, 20], ids=["d_ff_left_out", "d_ff_20"])
def test_the_state_of_an_mlp_is_two_linear_layers(student, d_ff):
    """The state is c_fc and c_proj with their biases, as nn.Linear has them; the inner width is 4 * d_model or d_ff."""
    inner, layer = d_ff or 48, student.MLP(12) if d_ff is None else student.MLP(12, d_ff)
    expected = {"c_fc.weight": (inner, 12), "c_fc.bias": (inner,), "c_proj.weight": (12, inner), "c_proj.bias": (12,)}
    misses = {"a layer has no bias": ["c_fc.weight", "c_proj.weight"]}
    width = oracle.NO_D_FF if d_ff is None else oracle.D_FF_IGNORED
    expect_state(student, layer, expected, keys=misses, width=width)


@pytest.mark.task("m05.3")
@pytest.mark.holds(
    "Work on each token by itself: widen its vector, apply gelu, narrow it again.",
    "Attention Is All You Need (Vaswani et al., 2017), section 3.3, with gelu in the place of ReLU.",
    "Send every vector along the last axis through both layers.",
)
@pytest.mark.parametrize("shape", [(12,), (2, 3, 5, 12)], ids=str)
def test_each_token_is_widened_bent_and_narrowed(student, draw, shape):
    """With given weights the output is c_proj of gelu of c_fc, for each vector by itself, as torch gives it."""
    x, state = draw.normal(*shape), oracle.mlp_state(draw, 12, 20)
    actual, expected, misses = mlp_with(student, state)(x), oracle.torch_mlp(x, state), oracle.mlp_misses(x, state)
    expect_close(actual, expected, atol=FLOAT32_LAYER, rtol=1e-5, misses=misses)


@pytest.mark.task("m05.3")
def test_an_mlp_made_without_dropout_drops_nothing(student, draw):
    """Without a word about dropout, an MLP gives in training mode what it gives in eval mode."""
    x, state = draw.normal(2, 5, 12), oracle.mlp_state(draw, 12, 20)
    layer = student.MLP(12, 20)
    layer.load_state_dict(state)
    layer.train()
    actual, again = layer(x), layer(x)
    misses = {oracle.DROPS_BY_DEFAULT: actual} if by_chance(actual, again) else {}
    expect_close(actual, oracle.mlp(x, state), atol=FLOAT32_LAYER, rtol=1e-5, misses=misses)


@pytest.mark.task("m05.3")
@pytest.mark.holds("In training mode only, `dropout` falls on the output.")
def test_dropout_of_an_mlp_rests_in_eval_mode(student, draw):
    """After eval() an MLP with dropout 0.5 gives the same output twice, and the right one."""
    x, state = draw.normal(2, 5, 12), oracle.mlp_state(draw, 12, 20)
    layer = mlp_with(student, state, dropout=0.5)
    first, second = layer(x), layer(x)
    expect_tensor(first, shape=(2, 5, 12), dtype=torch.float32)
    expect_tensor(second, shape=(2, 5, 12), dtype=torch.float32)
    expect(torch.equal(first, second), "Two equal calls in eval mode differ.", mistake=oracle.AWAKE, evidence="value")
    expect_close(first, oracle.mlp(x, state), atol=FLOAT32_LAYER, rtol=1e-5)


@pytest.mark.task("m05.3")
@pytest.mark.holds("In training mode only, `dropout` falls on the output.")
def test_dropout_of_an_mlp_falls_on_its_output(student, draw):
    """In training with dropout 0.25 about a quarter of the outputs is 0, and the others grow by 4/3."""
    x, state = draw.normal(400, 1, 12), oracle.mlp_state(draw, 12, 20)
    layer = mlp_with(student, state, dropout=0.25)
    layer.train()
    actual, again = layer(x), layer(x)
    expect_tensor(actual, shape=(400, 1, 12), dtype=torch.float32)
    expect_tensor(again, shape=(400, 1, 12), dtype=torch.float32)
    quiet, plain = actual == 0, oracle.mlp(x, state)
    share = float(quiet.double().mean())  # of 4,800: 0.08 is twelve standard deviations
    mistake = oracle.dropout_mistake(share, 0.25, torch.equal(actual, again), "the MLP")
    text = f"{share:.0%} of the outputs are zero, expected 25%."
    expect_bound(share, text, above=0.17, below=0.33, mistake=mistake)
    misses = {"the outputs that are kept do not grow by 1 / (1 - dropout)": plain[~quiet]}
    kept, what = plain[~quiet] / 0.75, "what is kept"
    expect_close(actual[~quiet], kept, atol=FLOAT32_LAYER, rtol=1e-5, misses=misses, what=what, follows=True)


@pytest.mark.task("m05.3")
def test_gradients_of_an_mlp_agree_with_float64(student, draw):
    """The gradients of the input and of both layers' parameters are those of the formula in float64."""
    x, state, weights = draw.normal(2, 5, 12), oracle.mlp_state(draw, 12, 20), draw.normal(2, 5, 12)
    expect_gradients(student, mlp_with(student, state), oracle.mlp, x, state, weights)


@pytest.mark.task("m05.3")
@pytest.mark.holds(
    "No argument of a function or of a layer changes.",
)
def test_an_mlp_in_float64_stays_in_float64(student, draw):
    """An MLP turned into float64 computes in float64 throughout, and leaves its input as it was."""
    x, state = draw.normal(2, 5, 12, dtype=torch.float64), oracle.mlp_state(draw, 12, 20)
    layer = mlp_with(student, state)
    layer.double()
    expect_float64(layer, lambda x: oracle.mlp(x, state), x)
    expect_untouched(student, layer, x)
