"""m07_generation: the loop."""

import pytest
import torch

from grader.judge import (
    StudentError,
    achieve,
    asked,
    counted,
    expect,
    expect_equal,
    expect_raises,
    expect_tensor,
)

from . import oracle
from . import oracle_drawing as drawing
from . import probes as inside
from .steps import trusted

COLDER = {
    other: f"without a temperature the text is colder than the model: its default is 1.0, not {other}"
    for other in (0.5, 0.7, 0.8)
}


def scripted(student, script, vocab_size):
    """Put a model into the worker whose logits the judge decides."""
    ids, modes = asked.ids(below=vocab_size, most=20_000, axes=2), asked.list_of(asked.of(bool))
    return student.plant(inside).scripted(student.callback(script, ids, modes, asked.of(bool)))


@pytest.mark.task("m07.3")
@pytest.mark.holds(
    "Append up to max_new_tokens tokens to every row; returns a new tensor, prompts included.",
    "Example: if 1 is likeliest after 0, and 2 after 1, generate(model, [[0]], 2, temperature=0) gives [[0, 1, 2]].",
)
def test_the_likeliest_token_is_appended_again_and_again(student, draw):
    """At temperature 0 each row goes on by the likeliest token after its last one; prompt and new tokens come back."""
    table, prompt = oracle.cycle(draw, 13), draw.integers(0, 13, 3, 4)
    text = oracle.chain(table, prompt, 6)
    early = torch.cat([prompt, table[prompt[:, :1]].expand(-1, 6)], dim=1)
    misses = {
        "only the new tokens are returned: the prompt belongs to the result": text[:, 4:],
        "the logits of the first position decide: the last position speaks about the next token": early,
        "there is one token too few": text[:, :-1],
        "there is one token too many": oracle.chain(table, prompt, 7),
    }
    model = scripted(student, oracle.Script(table), len(table))
    expect_equal(student.generate(model, prompt, 6, temperature=0), text, misses=misses, what="the text")
    expect_equal(student.generate(model, prompt, 0, temperature=0), prompt, what="the text with no new token")


@pytest.mark.task("m07.3")
@pytest.mark.holds(
    "`generate` takes any module that turns ids into logits (batch seq vocab_size).",
    "Each step calls the model once, with all tokens so far or with the last context_length of them.",
)
def test_the_model_sees_the_last_tokens_of_the_context(student, draw):
    """Each step feeds the text so far, once, and no more than its last context_length tokens; the text stays whole."""
    table, prompt = oracle.cycle(draw, 13), draw.integers(0, 13, 2, 7)
    text = oracle.chain(table, prompt, 4)
    for context_length in (None, 9, 5, 1):
        script = oracle.Script(table)
        model = scripted(student, script, len(table))
        actual = student.generate(model, prompt, 4, context_length=context_length, temperature=0)
        width = context_length or 99
        expect_equal(
            actual, text, misses={"the prompt is cropped in the result": text[:, -width - 4 :]}, what="the text"
        )
        windows = [text[:, max(0, seq - width) : seq] for seq in range(7, 11)]
        misses = {
            "the text is not cropped to the last context_length tokens": [text[:, :seq] for seq in range(7, 11)],
            "the beginning is kept instead of the end": [text[:, :seq][:, :width] for seq in range(7, 11)],
            "the window is one token too short": [text[:, max(0, seq - width + 1) : seq] for seq in range(7, 11)],
        }
        expect_equal(script.fed, windows, misses=misses, what=f"what the model was fed (context {context_length})")


@pytest.mark.task("m07.3")
@pytest.mark.holds(
    "A row ends with the first new token that is in stop_tokens, which it keeps; then it is filled up with "
    "pad_id (None: the first of stop_tokens).",
    "Once every row has ended, nothing more is computed or appended.",
)
@pytest.mark.parametrize("pad", [None, 7, 0], ids=["stop_token", "pad_id", "pad_id_0"])
def test_each_row_stops_by_itself(student, draw, pad):
    """A row ends at its first new stop token, which stays, and is padded until the last row has ended."""
    order = draw.permutation(12) + 8
    if pad is None:  # then the first of the stop tokens is 0, and so is the padding
        order = order - 8
        order = order.roll(5 - int((order == 0).nonzero()))
    table = torch.zeros(20, dtype=torch.int64).index_copy(0, order, order.roll(-1))
    stops = order[[5, 9, 2]].tolist()
    # The rows stop after 1, 5 and 3 tokens; the second's prompt ends with a stop token. After 8 tokens each row would
    # be at one of them, had it gone on.
    prompt = torch.stack([order[[0, 1]], order[[4, 9]], order[[5, 6]]])
    endless, filling = oracle.chain(table, prompt, 9), stops[0] if pad is None else pad
    script = oracle.Script(table)
    model = scripted(student, script, len(table))
    given = set(stops) if pad else stops  # any collection will do
    actual = student.generate(model, prompt, 9, temperature=0, stop_tokens=given, pad_id=pad)
    misses = oracle.stop_misses(endless, 2, stops, filling)
    for how, mistake in {"together": oracle.TOGETHER, "for once": oracle.WOKEN}.items():
        misses[mistake] = oracle.looped(table, prompt, 9, stops, filling, how)
    if pad is None:
        for other, mistake in zip(sorted(stops)[1:], oracle.OTHER_STOPS, strict=True):
            misses[mistake] = oracle.stopped(endless, 2, stops, other)
    if pad == 0:
        misses["a pad_id of 0 is taken for none: 0 is an id like others"] = oracle.stopped(endless, 2, stops, stops[0])
    expect_equal(actual, oracle.stopped(endless, 2, stops, filling), misses=misses, what="the text")
    steps = len(script.fed)
    words = "the loop goes on after every row has stopped"
    expect(steps == 5, f"The model ran {counted(steps, 'time')}, expected 5.", mistake=words, evidence="measured")


@pytest.mark.task("m07.3")
@pytest.mark.holds(
    "The model runs in eval mode, without gradients; afterwards, even if it raised, its modules have their old modes.",
)
def test_the_model_runs_in_eval_mode_and_gets_its_mode_back(student, draw):
    """While it generates, the whole model is in eval mode; then each module has its old mode, even if it raised."""
    table, prompt, tools = oracle.cycle(draw, 9), draw.integers(0, 9, 2, 3), student.plant(inside)
    expected = oracle.chain(table, prompt, 3)
    for outer, inner, fails_at in ((True, True, None), (False, False, None), (True, False, None), (True, True, 2)):
        script = oracle.Script(table, fails_at)
        model = scripted(student, script, len(table))
        model.train(outer)
        model.inner.train(inner)
        try:
            text = student.generate(model, prompt, 3, temperature=0)
            expect(fails_at is None, "The model raised an error, and generate went on.")
            expect_equal(text, expected, what="the text")
        except StudentError as error:
            if fails_at is None or error.kind != "ValueError":
                raise
        awake = any(mode is not False for modes in script.modes for mode in modes)
        expect(bool(script.modes) and not awake, "The model ran in training mode.", mistake=oracle.TRAINING)
        mistake = oracle.RAISED if fails_at else oracle.NOT_RESTORED if outer == inner else oracle.NOT_ALL_RESTORED
        expect(tools.modes(model) == [outer, inner], "The modes are not what they were.", mistake=mistake)


@pytest.mark.task("m07.3")
@pytest.mark.holds(
    "Append up to max_new_tokens tokens to every row; returns a new tensor, prompts included.",
    "The model runs in eval mode, without gradients; afterwards, even if it raised, its modules have their old modes.",
)
def test_no_graph_is_kept_and_the_prompt_stays(student, draw):
    """The model runs without gradients, the prompt stays as it was, and the text is a tensor of its own."""
    table, prompt = oracle.cycle(draw, 9), draw.integers(0, 9, 2, 3)
    script = oracle.Script(table)
    after = student.probe.mutated(student.generate, scripted(student, script, len(table)), prompt, 2, temperature=0)
    expect_equal(after["result"], oracle.chain(table, prompt, 2), what="the text")
    expect_equal(after["args"][1], prompt, what="the prompt after the call")
    expect(script.with_grad == [False, False], "The model ran with gradients.", mistake=oracle.GRAPH)
    left = student.plant(inside).scribbled(student.generate, scripted(student, script, len(table)), prompt)
    expect_equal(left, prompt, misses={oracle.SAME_TENSOR: left}, what="the prompt after the text was written over")


@pytest.mark.task("m07.3")
@pytest.mark.holds(
    "Raises ValueError for an empty prompt (seq 0), a negative max_new_tokens, or a context_length below 1.",
)
@pytest.mark.parametrize(
    ("seq", "steps", "context_length"), [(0, 3, None), (4, -1, None), (4, 3, 0)], ids=["prompt", "steps", "context"]
)
def test_what_cannot_be_continued_is_refused(student, draw, seq, steps, context_length):
    """An empty prompt, a negative number of new tokens and a context of 0 raise ValueError."""
    prompt, model = draw.integers(0, 9, 2, seq), scripted(student, oracle.Script(oracle.cycle(draw, 9)), 9)
    expect_raises("ValueError", student.generate, model, prompt, steps, context_length=context_length)


@pytest.mark.task("m07.3")
def test_what_is_said_has_the_distribution_asked_for(student, draw):
    """In 3,000 texts, tokens follow each other as often as temperature, top_k and top_p say, whatever the row."""
    scores = draw.normal(5, 5, scale=1.5)
    top_p = drawing.clear_top_p(scores, 1.0, None, 0.5, 0.9)
    model = scripted(student, lambda ids, *rest: scores[ids], 5)
    prompt = torch.arange(5).repeat(600)[:, None]
    for temperature, top_k, p in ((0.4, 3, None), (1.0, None, top_p)):
        settings = {"temperature": temperature, "top_k": top_k} if top_k else {}  # 1.0 and None are the defaults
        text = student.generate(model, prompt, 2, **settings, top_p=p)
        expect_tensor(text, shape=(3000, 3), dtype=torch.int64)
        expect_equal(text[:, :1], prompt, what="the beginning of each text")
        expected = drawing.distribution(scores, temperature, top_k, p)
        misses = {
            "temperature is not handed on, or its default is not 1.0": drawing.distribution(scores, 1.0, top_k, p),
            "the temperature is applied twice": drawing.distribution(scores, temperature**2, top_k, p),
            "top_k is not handed on": drawing.distribution(scores, temperature, None, p),
            "top_p is not handed on": drawing.distribution(scores, temperature, top_k, None),
        }
        if not top_k:
            for other in (0.5, 0.7, 0.8):
                misses[COLDER[other]] = drawing.distribution(scores, other, top_k, p)
        misses |= {"the likeliest token is always taken": drawing.distribution(scores, 0.0)}
        for before, after in (text[:, :2].T, text[:, 1:].T):
            for token in before.unique().tolist():
                named = {words: probs[token] for words, probs in misses.items()}
                drawing.expect_frequencies(after[before == token], expected[token], f"tokens after a {token}", named)


@pytest.mark.task("m07.3")
def test_an_equal_generator_writes_an_equal_text(student, draw):
    """Two generators with one seed give the same sampled text, and torch's own generator stays untouched."""
    tools, prompt = student.plant(inside), draw.integers(0, 6, 200, 2)
    model = scripted(student, lambda ids, *rest: torch.zeros(*ids.shape, 6), 6)
    before = tools.dice()
    first, second = (student.generate(model, prompt, 3, generator=tools.generator(5)) for _ in range(2))
    expect_tensor(first, shape=(200, 5), dtype=torch.int64)
    expect_equal(second, first, misses={oracle.OWN_DICE: second}, what="the second text")
    expect(torch.equal(before, tools.dice()), "torch's own generator was used or seeded.", mistake=oracle.OWN_DICE)
    drawing.expect_frequencies(first[:, 2:], torch.full((6,), 1 / 6), "new tokens")


@pytest.mark.task("m07.3")
def test_greedy_text_is_that_of_transformers(student, draw, weights, data):
    """With a checkpoint's weights, greedy text with a stop token equals what transformers' generate writes."""
    story = oracle.Story(draw, weights, data)
    prompt, text = story.prompt(draw, 3, 8, 16)
    stop = int(text[0, 13])
    model = trusted(student, story.sizes, story.state)
    actual = student.generate(model, prompt, 16, temperature=0, stop_tokens=[stop])
    misses = story.misses(prompt, text, stop)
    expect_equal(actual, story.hugging_face(prompt, 16, stop), misses=misses, what="the text")
    row = [id for id in actual[1].tolist() if id != stop]
    begun, whole = (data.tiktoken().decode(story.tokens[ids].tolist()) for ids in (row[:8], row))
    achieve(f"By your code {weights.name} has gone on from “{begun.strip()}”: “{whole.strip()}”")
