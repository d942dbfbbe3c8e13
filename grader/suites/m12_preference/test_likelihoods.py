"""m12_preference: how likely tokens and whole completions are."""

import math

import pytest
import torch

from grader.judge import (
    FLOAT32_LAYER,
    FLOAT32_OP,
    FLOAT64,
    expect,
    expect_close,
    expect_one_device,
    expect_unchanged,
)

from . import oracle, probes
from .steps import stretches

HALF = "half-precision logits are scored in half precision: a log-probability then has two or three digits"
COARSE = "float64 logits are scored in float32"
SUNK = "the logarithm is taken of a probability that has become 0: log_softmax does both in one step"
CUT = "the graph is cut: detach(), .item() or no_grad stands on the way"
NOT_A_NUMBER = "0 times -inf is not a number: choose with the mask, do not multiply by it"
DIVIDED = "0 is divided by 0 where nothing counts"
DEVICE = "something is made on the default device instead of where the arguments are"


def spread(draw, *shape, dtype=torch.float32):
    """Draw logits, some rows flat and some peaked."""
    return (draw.normal(*shape) * (1 + 2 * draw.normal(*shape[:-1], 1).abs())).to(dtype)


STRETCHES = ((3, 4), (5, 2), (1, 7), (2, 1))  # of rows of 8 tokens: a prompt, a completion, and padding or none


@pytest.mark.task("m12.1")
@pytest.mark.holds(
    "Return the log-probability (in nats) of each token but the first, given all that stand before it.",
    "Logits at a position are for the next one's token: here the shift happens, so that column 0 is the second "
    "token's.",
)
def test_logits_speak_about_the_next_token(student, draw):
    """Each token but the first is scored by the logits before it, over the whole vocabulary."""
    for shape in ((3, 6, 9), (1, 2, 5)):
        logits, ids = spread(draw, *shape), draw.integers(0, shape[2], *shape[:2])
        expected, misses = oracle.token_logprobs(logits, ids).float(), oracle.token_misses(logits, ids)
        expect_close(student.token_logprobs(logits, ids), expected, atol=FLOAT32_LAYER, misses=misses)


@pytest.mark.task("m12.1")
@pytest.mark.holds("Example: logits [[[0, 0], [0, ln 3], [9, 9]]] with ids [[1, 0, 1]] give [[ln(1/2), ln(3/4)]].")
def test_the_tokens_of_the_docstring(student):
    """The docstring's tokens have probabilities of 1/2 and 3/4."""
    logits, ids = torch.tensor([[[0.0, 0.0], [0.0, math.log(3)], [9.0, 9.0]]]), torch.tensor([[1, 0, 1]])
    expected = torch.tensor([[math.log(1 / 2), math.log(3 / 4)]])
    misses = oracle.token_misses(logits, ids)
    expect_close(student.token_logprobs(logits, ids), expected, atol=FLOAT32_OP, misses=misses)


@pytest.mark.task("m12.1")
@pytest.mark.holds("Half-precision logits are scored in float32, others in their dtype.")
def test_half_precision_is_scored_in_float32(student, draw):
    """Half-precision logits give float32's digits, and float64 ones float64's."""
    ids = draw.integers(0, 9, 2, 7)
    for dtype, atol in ((torch.float16, FLOAT32_LAYER), (torch.bfloat16, FLOAT32_LAYER), (torch.float64, FLOAT64)):
        logits = spread(draw, 2, 7, 9, dtype=dtype)
        expected = oracle.token_logprobs(logits, ids).to(oracle.kept(dtype))
        found = student.token_logprobs(logits, ids)
        wrong, mistake = type(found) is torch.Tensor and found.dtype != expected.dtype, None
        if wrong:
            mistake = COARSE if dtype == torch.float64 else HALF
        said = (
            f"For {str(dtype).removeprefix('torch.')} logits the log-probabilities have another dtype than they must."
        )
        expect(not wrong, said, mistake=mistake)
        rough = (logits.float() if dtype == torch.float64 else logits).log_softmax(dim=-1)
        late = rough[:, :-1].gather(-1, ids[:, 1:, None])[..., 0].to(expected.dtype)
        misses = oracle.token_misses(logits, ids) | {COARSE if dtype == torch.float64 else HALF: late}
        expect_close(found, expected, atol=atol, misses=misses)


@pytest.mark.task("m12.1")
@pytest.mark.holds(
    "Return the log-probability (in nats) of each token but the first, given all that stand before it.",
)
def test_unlikely_tokens_keep_their_digits(student, draw):
    """A token that is 200 nats from likely has a log-probability of about -200, and not -inf."""
    logits, ids = 100.0 * draw.integers(-1, 2, 3, 8, 7), draw.integers(0, 7, 3, 8)
    logits[:, 0, :2] = torch.tensor([100.0, -100.0])
    ids[:, 1] = 1
    expected, misses = oracle.token_logprobs(logits, ids).float(), oracle.token_misses(logits, ids)
    sunk = logits[:, :-1].softmax(dim=-1).gather(-1, ids[:, 1:, None])[..., 0].log()
    misses |= {SUNK: sunk}
    found = student.token_logprobs(logits, ids)
    expect_close(found, expected, atol=FLOAT32_LAYER, rtol=FLOAT32_OP, misses=misses)


@pytest.mark.task("m12.1")
@pytest.mark.holds("No argument changes.")
def test_logits_and_ids_stay_as_they_were(student, draw):
    """Neither logits nor ids are changed."""
    logits, ids = spread(draw, 2, 5, 6), draw.integers(0, 6, 2, 5)
    found = student.probe.mutated(student.token_logprobs, logits, ids)
    expected, misses = oracle.token_logprobs(logits, ids).float(), oracle.token_misses(logits, ids)
    expect_close(found["result"], expected, atol=FLOAT32_LAYER, misses=misses)
    for name, after, before in zip(("logits", "ids"), found["args"], (logits, ids), strict=True):
        expect_unchanged(after, before, what=f"{name} after the call")


@pytest.mark.task("m12.1")
@pytest.mark.holds(
    "Add up the log-probabilities of each row's tokens where mask is True: those of its completion.",
    "`mask` stands under the ids; its first column counts for nothing, since no logits come before it.",
)
def test_completions_are_added_up(student, draw):
    """Each row's sum is over the tokens under its mask, whatever their number, and the first column adds nothing."""
    for dtype, atol in ((torch.float32, FLOAT32_LAYER), (torch.float64, FLOAT64)):
        logits, ids, mask = spread(draw, 4, 8, 9, dtype=dtype), draw.integers(0, 9, 4, 8), stretches(STRETCHES, 8)
        for first in (False, True):
            mask[1, 0] = first
            expected = oracle.sequence_logprobs(logits, ids, mask).to(dtype)
            misses = oracle.sequence_misses(logits, ids, mask)
            found = student.sequence_logprobs(logits, ids, mask)
            expect_close(found, expected, atol=atol, misses=misses, what="the sum of each row")


@pytest.mark.task("m12.1")
@pytest.mark.holds("Example: the logits and ids above with a mask of [[True, False, True]] give [ln(3/4)].")
def test_the_completion_of_the_docstring(student):
    """Of the docstring's tokens the last alone counts."""
    logits, ids = torch.tensor([[[0.0, 0.0], [0.0, math.log(3)], [9.0, 9.0]]]), torch.tensor([[1, 0, 1]])
    mask = torch.tensor([[True, False, True]])
    misses = oracle.sequence_misses(logits, ids, mask)
    expected = torch.tensor([math.log(3 / 4)])
    expect_close(student.sequence_logprobs(logits, ids, mask), expected, atol=FLOAT32_OP, misses=misses)


@pytest.mark.task("m12.1")
@pytest.mark.holds("What does not count has no effect, not even a token that was impossible (-inf).")
def test_impossible_tokens_of_the_prompt_do_no_harm(student, draw):
    """Where a token of the prompt or the padding had a probability of 0, sums and gradients are what they would be."""
    logits, ids, mask = spread(draw, 4, 8, 9), draw.integers(0, 9, 4, 8), stretches(STRETCHES, 8)
    expected = oracle.sequence_logprobs(logits, ids, mask).float()
    for row, (start, _) in enumerate(STRETCHES):
        for place in [place for place in (start - 1, 7) if place and not mask[row, place]]:
            logits[row, place - 1, ids[row, place]] = -math.inf
    misses = oracle.sequence_misses(logits, ids, mask)
    misses[NOT_A_NUMBER] = lambda: (oracle.token_logprobs(logits, ids) * mask[:, 1:]).sum(dim=1).float()
    found = student.sequence_logprobs(logits, ids, mask)
    expect_close(found, expected, atol=FLOAT32_LAYER, misses=misses, what="the sum of each row")
    weights = torch.tensor([1.0, 2.0, 3.0, 4.0])
    exact = logits.double()
    given = student.plant(probes).slopes(student.sequence_logprobs, [exact, ids, mask], weights)
    (wanted,) = oracle.slopes(lambda leaf: (oracle.sequence_logprobs(leaf, ids, mask) * weights).sum(), exact)
    cut = {CUT: torch.zeros_like(exact)}
    expect_close(given["args"][0], wanted, atol=FLOAT64, misses=cut, what="the gradient by the logits")


@pytest.mark.task("m12.1")
@pytest.mark.holds("A row of which nothing counts has 0.")
def test_an_empty_completion_has_a_sum_of_0(student, draw):
    """A row whose mask is False everywhere, or True in the first column alone, adds up to 0."""
    logits, ids, mask = spread(draw, 4, 8, 9), draw.integers(0, 9, 4, 8), stretches(STRETCHES, 8)
    mask[1:3] = False
    mask[2, 0] = True
    expected = oracle.sequence_logprobs(logits, ids, mask).float()
    misses = oracle.sequence_misses(logits, ids, mask)
    misses[DIVIDED] = lambda: expected.where(mask[:, 1:].any(dim=1), math.nan)
    found = student.sequence_logprobs(logits, ids, mask)
    expect_close(found, expected, atol=FLOAT32_LAYER, misses=misses, what="the sum of each row")


@pytest.mark.task("m12.1")
@pytest.mark.holds("Nothing given changes here.")
def test_a_mask_stays_as_it_was(student, draw):
    """Adding up changes neither logits nor ids nor the mask, though the mask's first column counts for nothing."""
    logits, ids, mask = spread(draw, 2, 5, 6), draw.integers(0, 6, 2, 5), stretches(((0, 3), (2, 2)), 5)
    found = student.probe.mutated(student.sequence_logprobs, logits, ids, mask)
    expected, misses = oracle.sequence_logprobs(logits, ids, mask).float(), oracle.sequence_misses(logits, ids, mask)
    expect_close(found["result"], expected, atol=FLOAT32_LAYER, misses=misses, what="the sum of each row")
    for name, after, before in zip(("logits", "ids", "the mask"), found["args"], (logits, ids, mask), strict=True):
        expect_unchanged(after, before, what=f"{name} after the call")


@pytest.mark.task("m12.1")
@pytest.mark.warm("torch._dynamo")
def test_likelihoods_stay_on_their_device(student, draw):
    """On another device than the default one, everything is made where the logits are."""
    logits, ids, mask = spread(draw, 4, 8, 9), draw.integers(0, 9, 4, 8), stretches(STRETCHES, 8)
    expected = oracle.sequence_logprobs(logits, ids, mask).float()
    misses = oracle.sequence_misses(logits, ids, mask)
    found = student.sequence_logprobs(logits, ids, mask)
    expect_close(found, expected, atol=FLOAT32_LAYER, misses=misses, what="the sum of each row")
    expect_one_device(student, student.token_logprobs, [logits, ids], mistake=DEVICE)
    expect_one_device(student, student.sequence_logprobs, [logits, ids, mask], mistake=DEVICE)
