"""m10_finetuning: the last real token, a classifier on a GPT, and what of it is trained."""

import pytest
import torch

from grader.judge import (
    FLOAT32_MODEL,
    FLOAT32_OP,
    FLOAT64,
    achieve,
    expect,
    expect_bound,
    expect_close,
    expect_equal,
    expect_raises,
    expect_tensor,
)

from . import oracle, probes
from .oracle_learning import Messages

TRAINING = "a new module is in training mode: a classifier of a model in eval mode must be in eval mode too"
PARTS = "train() or eval() of the whole classifier takes the model's parts along: each keeps its own mode"
MORE = "more is trained than what is named"
COPY = "the classifier is built on a copy of the model: whoever holds the model then holds another one"
OLD_HEAD = "lm_head still stands at the body's end: scores are made of its logits, not of what it was given"
DEVICE = "something is made on the default device instead of where the mask is"
ONCE = "names may be an iterator, which can be gone through only once: make a list of it"
LETTERS = "names are compared by letters, not in whole parts: 'h.1' must not mean 'h.10'"


def masks(lengths, seq, side="right"):
    """Return a mask of rows with so many real tokens."""
    places = torch.arange(seq)
    rows = [places < length if side == "right" else places >= seq - length for length in lengths]
    return torch.stack(rows)


@pytest.mark.task("m10.1")
@pytest.mark.holds(
    "Example: rows [[1], [2], [3]], [[4], [5], [6]] with masks [True, True, False], [False, True, True] give [2], [6].",
)
def test_the_last_tokens_of_the_docstring(student):
    """Of the docstring's two rows, padded on the right and on the left, the vectors [2] and [6] are picked."""
    hidden = torch.tensor([[[1.0], [2.0], [3.0]], [[4.0], [5.0], [6.0]]])
    mask = torch.tensor([[True, True, False], [False, True, True]])
    misses = oracle.last_token_misses(hidden, mask)
    expected = torch.tensor([[2.0], [6.0]])
    expect_close(student.last_token(hidden, mask), expected, atol=FLOAT32_OP, misses=misses)


@pytest.mark.task("m10.1")
@pytest.mark.holds("Pick each row's vector where mask is True for the last time: padding may be on any side.")
@pytest.mark.parametrize("side", ["right", "left", "both"])
def test_the_last_real_token_is_picked(student, draw, side):
    """Whatever stands to the right or left of it, each row's last real token is found, in float64 too."""
    lengths = [3, 1, 7, 5]
    mask = masks(lengths, 7, side) if side != "both" else masks([3, 1, 4, 2], 5).roll(1, dims=1)
    if side == "both":
        mask[3, 2] = False  # and a hole in between
        mask[3, 3] = True
    for dtype in (torch.float32, torch.float64):
        hidden = draw.normal(4, mask.shape[1], 3, dtype=dtype)
        expected = oracle.picked(hidden, oracle.last_places(mask))
        misses = oracle.last_token_misses(hidden, mask)
        atol = FLOAT64 if dtype == torch.float64 else FLOAT32_OP
        expect_close(student.last_token(hidden, mask), expected, atol=atol, misses=misses)


@pytest.mark.task("m10.1")
@pytest.mark.warm("torch._dynamo")
def test_places_are_counted_where_the_mask_is(student, draw):
    """On another device than the default one, places are counted on the device of the mask."""
    hidden, mask = draw.normal(3, 5, 2), masks([5, 2, 3], 5)
    expected, misses = oracle.picked(hidden, oracle.last_places(mask)), oracle.last_token_misses(hidden, mask)
    expect_close(student.last_token(hidden, mask), expected, atol=FLOAT32_OP, misses=misses)
    found = student.probe.fake_device(student.last_token, [hidden, mask])
    expect(found["verdict"] != "mismatch", f"On another device: {found['message']}", mistake=DEVICE)


@pytest.mark.task("m10.1")
@pytest.mark.holds("Raises ValueError, naming the row (the first is 0), when all of it is padding.")
def test_a_row_of_padding_is_refused(student, draw):
    """A row without any real token raises ValueError, which names the row."""
    for row in (0, 2):
        hidden, fine = draw.normal(3, 5, 2), masks([4, 3, 1], 5)
        given = student.last_token, hidden, fine & (torch.arange(3) != row)[:, None]
        what = f"last_token with nothing but padding in row {row}"
        expect_raises("ValueError", *given, mentions=(str(row),), fine=(hidden, fine), what=what)


def classifier(student, draw, n_classes=4):
    """Return a classifier on the judge's model with drawn weights: its handle, the model's state, and the head."""
    state, head = oracle.random_state(draw), draw.normal(n_classes, oracle.SIZES["d_model"], scale=0.3)
    gpt = student.plant(oracle.model).build(oracle.SIZES, state)
    made = student.GPTClassifier(gpt, n_classes)
    student.plant(probes).fill(made, {"score.weight": head})
    return made, state, head


@pytest.mark.task("m10.1")
@pytest.mark.holds(
    "`body` is the very model handed in.",
    "In the place of the nn.Linear `lm_head` at its end stands nn.Identity, so that body(ids) is what lm_head was "
    "given.",
)
def test_the_old_head_is_gone(student, draw):
    """`body` is the very model that was handed in, and gives the vectors that its head was given before."""
    made, state, _ = classifier(student, draw)
    ids = draw.integers(0, oracle.SIZES["vocab_size"], 2, 6)
    expected = oracle.hidden(state, ids, oracle.SIZES).float()
    bare = oracle.hidden(state, ids, oracle.SIZES, norm=False).float()
    whole = (expected.double() @ state["wte.weight"].double().T).float()
    misses = {OLD_HEAD: whole, "the last norm is gone too": bare}
    expect_close(made.body(ids), expected, atol=FLOAT32_MODEL, misses=misses, what="body(ids)")
    gpt = student.plant(oracle.model).build(oracle.SIZES, state)
    found = student.plant(probes).anatomy(student.GPTClassifier, gpt, 3, True)
    expect(found["same"] is True, "body is another model than the one handed in.", mistake=COPY)
    expect_close(gpt(ids), expected, atol=FLOAT32_MODEL, misses=misses, what="the model itself, called with ids,")


@pytest.mark.task("m10.1")
@pytest.mark.holds(
    "A GPT that gives scores to classes in place of tokens.",
    "Score each row at its last real token: only there has a GPT read all of it, padding on the left included.",
)
def test_a_text_is_scored_at_its_last_token(student, draw):
    """Scores are the new head's, without a softmax, for what the model's last norm gives at the last real token."""
    made, state, head = classifier(student, draw)
    ids, mask = draw.integers(0, oracle.SIZES["vocab_size"], 5, 9), masks([9, 4, 1, 6, 8], 9)
    expected = oracle.class_scores(state, head, ids, mask, oracle.SIZES)
    misses = oracle.classifier_misses(state, head, ids, mask)
    expect_close(made(ids, mask), expected, atol=FLOAT32_MODEL, misses=misses, what="the scores")
    other = ids.where(mask, (ids + 1) % oracle.SIZES["vocab_size"])
    expect_close(made(other, mask), expected, atol=FLOAT32_MODEL, what="the scores with other ids for padding")
    left = masks([9, 4, 1, 6, 8], 9, "left")
    expected = oracle.class_scores(state, head, ids, left, oracle.SIZES)
    misses = oracle.classifier_misses(state, head, ids, left)
    misses["the padding's ids are changed before the body reads them"] = lambda: oracle.class_scores(
        state, head, ids * left, left, oracle.SIZES
    )
    what = "the scores with padding on the left"
    expect_close(made(ids, left), expected, atol=FLOAT32_MODEL, misses=misses, what=what)


@pytest.mark.task("m10.1")
@pytest.mark.holds(
    "`score`, a new nn.Linear without bias, makes n_classes of that, in lm_head's dtype and on its device; body and "
    "score are the only state.",
    "What is new is in the model's mode, its parts in theirs.",
)
def test_body_and_score_are_all_its_state(student, draw):
    """The state is body's and score.weight, which has lm_head's dtype and device; the modes are the model's."""
    made, state, head = classifier(student, draw, 5)
    found = student.plant(probes).state(made)
    bias = {"the new head has a bias": sorted([*(f"body.{name}" for name in state), "score.bias", "score.weight"])}
    wanted = sorted([*(f"body.{name}" for name in state), "score.weight"])
    expect_equal(sorted(found), wanted, misses=bias, what="the list of the classifier's state")
    for name, value in state.items():
        expect_close(found[f"body.{name}"], value, atol=FLOAT64, what=f"body.{name}")
    expect_tensor(made.score.weight, shape=(5, head.shape[1]), dtype=torch.float32, what="score.weight")
    parts = [name for name, _ in oracle.model.build(oracle.SIZES, state).named_modules() if name != "lm_head"]
    every = sorted(["", "score", *(f"body.{name}".removesuffix(".") for name in parts)])
    for training in (True, False):
        gpt = student.plant(oracle.model).build(oracle.SIZES, state)
        found = student.plant(probes).anatomy(student.GPTClassifier, gpt, 3, training)
        wanted = [name for name in every if (name != "body.ln_f") == training]
        misses = {PARTS: every if training else []}
        if not training:
            misses |= {TRAINING: ["", "body.ln_f", "score"], "score is left in training mode": ["body.ln_f", "score"]}
        what = (
            f"the list of modules in training mode, on a model in {'training' if training else 'eval'} mode but ln_f,"
        )
        expect_equal(sorted(found["training"]), wanted, misses=misses, what=what)


@pytest.mark.task("m10.1")
def test_the_head_is_where_the_model_is(student, draw):
    """For a model that has moved to another dtype or device, the new head is made there."""
    state = oracle.random_state(draw)
    for where, dtype, device in (("meta", torch.float32, "meta"), (torch.float64, torch.float64, "cpu")):
        gpt = student.plant(oracle.model).build(oracle.SIZES, state)
        found = student.plant(probes).head_of(student.GPTClassifier, gpt, where)
        said = f"For a model moved to {where} the new head is {found['dtype']} on {found['device']}."
        mistake = "the new head is made in the default dtype, on the default device, not where the model is"
        expect(found == {"dtype": dtype, "device": device}, said, mistake=mistake)


LADDERS = {
    "a number": ["h.1", "score"],
    "a parameter": ["score_gain", "h.10.weight"],
    "a module of modules": ["h"],
    "nothing": [],
}


@pytest.mark.task("m10.1")
@pytest.mark.holds(
    "Let the parameters below these names need a gradient and no others; list them in the model's order.",
    "A name is a parameter's or a module's, in whole parts: \"h.1\" means h.1.ln_1.bias, say, and nothing of h.10.",
)
@pytest.mark.parametrize("case", LADDERS)
def test_what_is_named_is_trained_and_nothing_else(student, draw, case):
    """Parameters below the names need a gradient, frozen before or not, no others do, and a step moves just these."""
    planted, names = student.plant(probes), LADDERS[case]
    made = planted.ladder()
    every = planted.parameters(made)
    wanted = oracle.below(names, every)
    given = student.iterator(reversed(names)) if case == "a parameter" else names
    once: dict[str, list[str]] = {ONCE: []} if case == "a parameter" else {}
    actual = student.train_only(made, given)
    misses = once | {
        LETTERS: oracle.below(names, every, whole=False),
        "the list is in the order of the names, not in the model's": [
            key for name in reversed(names) for key in oracle.below([name], every)
        ],
        "the names handed in are returned, not the parameters'": names,
        "the parameters that are frozen are returned": [key for key in every if key not in wanted],
    }
    expect_equal(actual, wanted, misses=misses, what="the list returned")
    found = planted.trainable(made)
    frozen = once | {
        LETTERS: oracle.below(names, every, whole=False),
        "nothing is frozen": [key for key in every if key in wanted or not key.startswith(FROZEN)],
        "all parameters need a gradient": every,
        "what was frozen before stays frozen": [key for key in wanted if not key.startswith(FROZEN)],
    }
    expect_equal(found, wanted, misses=frozen, what="the list of parameters that need a gradient")
    if wanted:
        moved = planted.descend(made, draw.normal(4, 2))
        expect_equal(moved, wanted, misses=frozen, what="the list of parameters that a step moves")


FROZEN = tuple(f"h.{number}." for number in range(0, 12, 2))  # of a Ladder


@pytest.mark.task("m10.1")
@pytest.mark.holds(
    "Raises ValueError, naming the name, when there is no parameter below one; nothing is changed then.",
)
def test_a_name_without_parameters_is_refused(student):
    """A name below which there is nothing raises ValueError that names it, and no parameter has changed then."""
    planted = student.plant(probes)
    made = planted.ladder()
    before = planted.trainable(made)
    for name in ("h.12", "scor", "weight", "h.1.weight.x"):
        given, what = (student.train_only, made, ["h.2", name]), f"train_only with the names 'h.2' and {name!r}"
        expect_raises("ValueError", *given, mentions=(name,), fine=(planted.ladder(), ["h.2"]), what=what)
    mistake = "parameters are changed before every name is looked up"
    same = planted.trainable(made) == before
    expect(same, "train_only refused, and has changed which parameters need a gradient.", mistake=mistake)


@pytest.mark.task("m10.1")
@pytest.mark.limits(seconds=60)
def test_messages_are_told_apart(student, draw, data):
    """Eighty steps on two blocks and a head teach gpt2-nano to tell spam, and shuffled labels teach it nothing."""
    messages, planted = Messages(draw, data), student.plant(probes)
    parts = {name: getattr(student, name) for name in ("GPTClassifier", "train_only")}
    head = draw.normal(2, messages.gpt.sizes["d_model"], scale=0.02)
    shuffled = messages.classes[draw.permutation(len(messages.classes))]
    costs = {}
    for classes, steps in ((shuffled, messages.CONTROL), (messages.classes, messages.STEPS)):
        gpt = messages.gpt.inside(student, draw)
        given = messages.ids, messages.mask, classes, messages.picks(draw, steps), messages.RATE
        found = planted.classify(parts, gpt, head, messages.TRAINED, *given)
        for name, value in messages.gpt.start.items():
            expect_tensor(found.get(f"body.{name}"), shape=tuple(value.shape), dtype=torch.float32, what=f"body.{name}")
            same = torch.equal(found[f"body.{name}"], value) or f"body.{name}".startswith(messages.TRAINED)
            expect(same, f"body.{name} moved in training.", mistake=MORE, evidence="value")
        expect_tensor(found.get("score.weight"), shape=tuple(head.shape), dtype=torch.float32, what="score.weight")
        costs[steps] = messages.measure(found)
    (control, _), (_, share) = costs[messages.CONTROL], costs[messages.STEPS]
    said = f"From shuffled labels held-out messages came to cost {control:.2f} nats; blind guessing costs 0.69."
    expect_bound(control, said, above=messages.NOTHING)
    said = f"Of held-out messages {share:.0%} are told rightly; expected more than {messages.LEARNED:.0%}."
    expect_bound(share, said, above=messages.LEARNED)
    achieve(f"Your classifier tells {share:.0%} of {messages.HELDOUT} held-out messages rightly; one word tells 68%.")
