"""m07_generation: the next distribution, and drawing from it."""

import pytest
import torch

from grader.judge import (
    FLOAT32_LAYER,
    FLOAT32_OP,
    expect,
    expect_answer,
    expect_close,
    expect_equal,
    expect_raises,
    expect_tensor,
)
from grader.suites.shared.digits import expect_float64

from . import oracle
from . import oracle_drawing as drawing
from . import probes as inside

# Rows from flat to peaked keep from many tokens to one: so mistakes differ in one row or another.
SPREADS = torch.tensor([[1.5], [0.3], [0.7], [2.5], [1.0], [4.0]])
BEYOND = "topk is asked for more than there are: a top_k above vocab_size keeps all"
ONE_DART = "one random number decides for all rows: each needs its own"


def expect_distribution(student, logits, temperature=1.0, top_k=None, top_p=None):
    """Compare the student's probabilities with the reference and with the near misses."""
    call, known = student.next_distribution, logits.shape[-1]
    mistake = (
        "topk is asked for more than there are: a top_k above vocab_size keeps all" if (top_k or 0) > known else None
    )
    simpler = logits, temperature, min(top_k or known, known), top_p
    actual = expect_answer(call, logits, temperature, top_k, top_p, simpler=simpler, mistake=mistake)
    expected = drawing.distribution(logits, temperature, top_k, top_p)
    misses = drawing.distribution_misses(logits, temperature, top_k, top_p)
    what = f"the distribution (temperature={temperature:.3g}, top_k={top_k}, top_p={top_p and round(top_p, 4)})"
    expect_close(actual, expected, atol=FLOAT32_OP, rtol=1e-5, misses=misses, what=what)


@pytest.mark.task("m07.1")
@pytest.mark.holds("Example: scores ln 0.5, ln 0.3, ln 0.2 with top_p=0.6 give 0.625, 0.375, 0.")
def test_three_tokens_as_in_the_docstring(student):
    """The shares 0.5, 0.3 and 0.2 become 0.625, 0.375 and 0 with top_p=0.6, which the second token crosses."""
    logits = torch.tensor([[0.5, 0.3, 0.2]]).log()
    expect_distribution(student, logits)
    expect_distribution(student, logits, top_p=0.9)  # where 1 - top_p is told apart from a lost second token
    expect_distribution(student, logits, top_p=0.6)
    expect_distribution(student, logits, top_k=1)


@pytest.mark.task("m07.1")
@pytest.mark.holds(
    "Turn each row of scores into the probabilities of the next token, in float32 (float64 for float64).",
    "Divide by the temperature.",
)
def test_the_temperature_divides_the_logits(student, draw):
    """Below 1 the temperature sharpens and above 1 it flattens: logits are divided by it before the softmax."""
    for temperature in (0.25, 0.7, 1.0, 2.5):
        expect_distribution(student, draw.normal(3, 7), temperature)


@pytest.mark.task("m07.1")
@pytest.mark.holds("At 0 the largest score gets probability 1: of equal ones the first.")
def test_temperature_zero_takes_the_largest(student, draw):
    """At temperature 0 the largest logit has probability 1, the first of equal ones, whatever top_k and top_p say."""
    logits = torch.stack([draw.permutation(7).float(), torch.tensor([1.0, 4, 0, 4, 4, -9, 2]), -torch.arange(7.0)])
    for top_k, top_p in ((None, None), (3, 0.9)):
        actual = student.next_distribution(logits, temperature=0, top_k=top_k, top_p=top_p)
        largest = torch.eye(7)[logits.argmax(-1)]
        last = torch.eye(7)[6 - logits.flip(-1).argmax(-1)]
        shared = torch.where(logits == logits.amax(-1, keepdim=True), 1.0, 0.0)
        misses = {
            "of equal logits the last one is taken, not the first": last,
            "equal logits share the probability: the first takes all": shared / shared.sum(-1, keepdim=True),
            "temperature 0 is treated like 1": drawing.distribution(logits, 1.0, top_k, top_p),
            "temperature 0 divides by zero: it needs a way of its own": torch.full_like(logits, torch.nan),
        }
        expect_close(actual, largest, atol=0.0, misses=misses, what="the distribution at temperature 0")


@pytest.mark.task("m07.1")
@pytest.mark.holds(
    "Keep the top_k largest scores, and any that equal the last of these; a top_k above vocab_size keeps all.",
)
def test_top_k_keeps_the_largest_and_what_equals_them(student, draw):
    """With top_k=3 three tokens share everything, or more if others equal the third; a top_k above all keeps all."""
    logits = draw.normal(4, 9)
    for top_k in (1, 3, 9, 50):
        expect_distribution(student, logits, top_k=top_k)
    ties = torch.tensor([[1.0, 3, 2, 2, 0, 2, -1, 1, 0], [5, 5, 5, 5, 1, 0, 0, 0, 0], [0, 1, 2, 3, 4, 5, 6, 7, 8]])
    expect_distribution(student, ties, top_k=3)


@pytest.mark.task("m07.1")
@pytest.mark.holds(
    "Of the shares of what is left, keep the largest until they sum to top_p, the one that crosses it "
    'included; 1.0 keeps all (Holtzman et al., "The Curious Case of Neural Text Degeneration", 2020, section '
    "3.1).",
    "Renormalise.",
)
def test_top_p_keeps_the_token_that_crosses(student, draw):
    """The likeliest tokens stay until their sum reaches top_p, the crossing one too, so at least one always stays."""
    logits = draw.normal(6, 9) * SPREADS
    for lowest, highest in ((0.7, 0.99), (0.35, 0.7), (0.05, 0.35)):
        expect_distribution(student, logits, top_p=drawing.clear_top_p(logits, 1.0, None, lowest, highest))
    expect_distribution(student, torch.tensor([[0.0, 6.0, 1.0], [4.0, -4.0, 0.0]]), top_p=0.5)


@pytest.mark.task("m07.1")
@pytest.mark.holds(
    "Of the shares of what is left, keep the largest until they sum to top_p, the one that crosses it "
    'included; 1.0 keeps all (Holtzman et al., "The Curious Case of Neural Text Degeneration", 2020, section '
    "3.1).",
)
def test_top_p_of_one_keeps_everything(student, draw):
    """With top_p=1.0 no token is lost, not even those so rare that they vanish in the sum of the others."""
    rare = draw.normal(1, 5000) - 22.0 * (torch.arange(5000) > 9)
    actual = student.next_distribution(rare, top_p=1.0)
    expect_close(actual[:, :10], drawing.distribution(rare)[:, :10], atol=FLOAT32_LAYER, what="the ten likeliest")
    expect_tensor(actual, shape=(1, 5000), dtype=torch.float32)
    lost = int((actual == 0).sum())
    words = "the running sum rounds to 1 before the last token: top_p=1.0 is to filter nothing"
    expect(lost == 0, f"{lost} of 5,000 tokens have probability 0.", mistake=words, evidence="value")


@pytest.mark.task("m07.1")
@pytest.mark.holds(
    "Divide by the temperature.",
    "Keep the top_k largest scores, and any that equal the last of these; a top_k above vocab_size keeps all.",
    "Of the shares of what is left, keep the largest until they sum to top_p, the one that crosses it "
    'included; 1.0 keeps all (Holtzman et al., "The Curious Case of Neural Text Degeneration", 2020, section '
    "3.1).",
    "Renormalise.",
)
def test_temperature_then_top_k_then_top_p(student, draw):
    """All three together work in this order, and each sees shares of what the one before it left."""
    for temperature in (0.6, 1.8):
        logits = draw.normal(6, 12) * SPREADS
        top_p = drawing.clear_top_p(logits, temperature, 4, 0.4, 0.9)
        expect_distribution(student, logits, temperature, 4, top_p)


@pytest.mark.task("m07.1")
def test_large_logits_do_not_overflow(student):
    """Logits in the hundreds at a low temperature give a finite and right distribution."""
    logits = torch.tensor([[300.0, 299.0, 298.0, -300.0], [-700.0, -701.0, -703.0, -702.0]])
    expect_distribution(student, logits, 0.5)
    expect_distribution(student, logits, 0.5, 3, 0.93)


@pytest.mark.task("m07.1")
@pytest.mark.holds(
    "Turn each row of scores into the probabilities of the next token, in float32 (float64 for float64).",
)
def test_coarse_dtypes_are_computed_in_float32(student, draw):
    """Logits in bfloat16 give float32, as exact as if they had come in float32; float64 stays float64."""
    logits = torch.stack([draw.permutation(256), draw.permutation(256)]).bfloat16() / 32  # exact, and no two are equal
    top_p = drawing.clear_top_p(logits.float(), 1.0, None, 0.5, 0.95)
    expect_distribution(student, logits, top_p=top_p)
    expect_float64(student.next_distribution, lambda x: torch.softmax(x, -1), logits + 0.1)


@pytest.mark.task("m07.1")
@pytest.mark.holds("`logits` stays as it was.")
def test_the_logits_stay_as_they_were(student, draw):
    """The logits are the same after the call as before it, at temperature 1 too, where nothing need be divided."""
    logits = draw.normal(3, 8)
    for temperature, top_k, top_p in ((0.5, 3, 0.5), (1.0, 3, None), (1.0, None, 0.5), (1.0, 3, 0.5), (0.0, 3, 0.5)):
        settings = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
        after = student.probe.mutated(student.next_distribution, logits, **settings)
        misses, what = {oracle.IN_PLACE: after["args"][0]}, f"the tensor of logits (temperature={temperature})"
        expect_close(after["args"][0], logits, atol=0.0, misses=misses, what=what)
        expect_close(after["result"].sum(-1), torch.ones(3), atol=FLOAT32_LAYER, what="the sum of each row")


@pytest.mark.task("m07.1")
@pytest.mark.holds(
    "Raises ValueError for a negative temperature, a top_k below 1, or a top_p outside of 0 < top_p <= 1.",
)
@pytest.mark.parametrize(
    "settings",
    [{"temperature": -0.5}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.5}, {"top_p": -0.25}],
    ids=["temperature", "top_k", "top_p_0", "top_p_above", "top_p_below"],
)
def test_settings_without_meaning_are_refused(student, draw, settings):
    """A negative temperature, a top_k of 0 and a top_p outside of 0 to 1 raise ValueError."""
    expect_raises("ValueError", student.next_distribution, draw.normal(2, 5), **settings)


@pytest.mark.task("m07.1")
@pytest.mark.warm("torch._dynamo")
def test_a_distribution_is_made_where_its_logits_are(student, draw):
    """With logits on another device, nothing is made on the CPU."""
    logits = draw.normal(2, 7)
    expect_distribution(student, logits, 0.8, 3)
    found = student.plant(inside).mix_up(student.next_distribution, logits, 0.8, 3, 0.9)
    expect(found == "", f"On another device: {found}", mistake=oracle.ELSEWHERE)


@pytest.mark.task("m07.2")
def test_certain_tokens_are_drawn_as_they_are(student, draw):
    """Rows that hold a single 1 give its index: one int64 id for each row."""
    ids = draw.permutation(6)
    misses = {"the result has an axis too many: one id for each row": ids[:, None]}
    expect_equal(student.sample(torch.eye(6)[ids]), ids, misses=misses)
    expect_equal(student.sample(torch.tensor([[0.0, 1.0, 0.0]])), torch.tensor([1]), what="the result for one row")


@pytest.mark.task("m07.2")
@pytest.mark.holds(
    "Draw a token for each row by its probabilities; chance comes from the generator alone (None: torch's own).",
)
def test_tokens_come_up_as_often_as_they_should(student):
    """In 20,000 draws from each of three distributions every token has its share, and what has none never comes."""
    probs = torch.tensor([[0.5, 0.3, 0.2, 0.0, 0.0], [0.0, 0.0, 0.05, 0.9, 0.05], [0.2, 0.2, 0.2, 0.2, 0.2]])
    ids = student.sample(probs.repeat(20000, 1))
    expect_tensor(ids, shape=(60000,), dtype=torch.int64)
    # Always one token: of an even row it is the same one again only where nothing is drawn.
    dart = bool((ids[2::3] == ids[2]).all()) and any(
        not torch.equal(student.sample(probs.repeat(20000, 1)), ids) for _ in range(6)
    )
    for row, own in enumerate(probs):
        token = ids[row].clamp(0, 4) if dart else own.argmax()
        misses = {
            ONE_DART if dart else "the likeliest token is taken, nothing is drawn": torch.eye(5)[token],
            "all tokens are equally likely": torch.full((5,), 0.2),
            "the probabilities are taken for logits": torch.softmax(own, 0),
            "all rows are drawn by the first row's probabilities": probs[0],
        }
        drawing.expect_frequencies(ids[row::3], own, f"draws from {[round(p, 2) for p in own.tolist()]}", misses)


@pytest.mark.task("m07.2")
def test_draws_know_nothing_of_each_other(student):
    """Rows next to each other, and one call after another, are independent: pairs are as frequent as products say."""
    probs = torch.tensor([0.5, 0.3, 0.2])
    first, second = student.sample(probs.repeat(30000, 1)), student.sample(probs.repeat(30000, 1))
    for ids in (first, second):
        expect_tensor(ids, shape=(30000,), dtype=torch.int64)
    pairs, equal = torch.outer(probs, probs).flatten(), torch.diag(probs).flatten()
    words = {"one random number decides for several rows: each needs its own": equal}
    words[ONE_DART] = torch.eye(9)[4 * first[0]]
    drawing.expect_frequencies(3 * first[::2] + first[1::2], pairs, "pairs of rows (3 * one + the next)", words)
    words = {"each call draws the same: the generator is made or seeded anew": equal}
    drawing.expect_frequencies(3 * first + second, pairs, "pairs of calls (3 * one + the next)", words)


@pytest.mark.task("m07.2")
def test_the_probabilities_stay_as_they_were(student, draw):
    """Drawing changes none of the probabilities."""
    probs = torch.softmax(draw.normal(3, 8), -1)
    after = student.probe.mutated(student.sample, probs)
    changed = {"the probabilities are changed in place (an operation whose name ends in _)": after["args"][0]}
    expect_close(after["args"][0], probs, atol=0.0, misses=changed, what="the tensor of probabilities after the call")
    expect_tensor(after["result"], shape=(3,), dtype=torch.int64)


@pytest.mark.task("m07.2")
@pytest.mark.holds(
    "Draw a token for each row by its probabilities; chance comes from the generator alone (None: torch's own).",
)
def test_all_chance_comes_from_the_generator(student):
    """Equal generators give equal draws, a generator goes on after a call, and torch's own stays untouched."""
    tools, probs = student.plant(inside), torch.full((400, 5), 0.2)
    own, other = tools.generator(7), tools.generator(7)
    before = tools.dice()
    first, second, again = (
        student.sample(probs, own),
        student.sample(probs, own),
        student.sample(probs, generator=other),
    )
    expect_equal(again, first, misses={oracle.OWN_DICE: again}, what="the draw by an equal generator")
    repeated = "the generator is copied or seeded anew instead of used"
    expect(not torch.equal(first, second), "Two calls with one generator draw the same.", mistake=repeated)
    same = torch.equal(before, tools.dice())
    expect(same, "torch's own generator was used or seeded.", mistake=oracle.OWN_DICE)


@pytest.mark.task("m07.2")
@pytest.mark.holds(
    "Draw a token for each row by its probabilities; chance comes from the generator alone (None: torch's own).",
)
def test_without_a_generator_torchs_own_decides(student):
    """After torch is seeded, draws without a generator are those that they were after the same seed before."""
    tools, probs, found = student.plant(inside), torch.full((400, 5), 0.2), []
    for _ in range(2):
        tools.seed(11)
        found.append(student.sample(probs))
        expect_tensor(found[-1], shape=(400,), dtype=torch.int64)
    misses = {"without a generator, torch's own is not used": found[1]}
    expect_equal(found[1], found[0], misses=misses, what="the draw after the same seed")
