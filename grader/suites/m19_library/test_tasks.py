"""m19_library: pipelines that write and sort, of small parts and of the submission's own m07 and m10."""

from typing import Any

import pytest
import torch

from grader.judge import expect, expect_answer, expect_equal, expect_raises
from grader.judge.probes import model

from . import oracle_tasks as oracle
from . import probes_parts, probes_tasks
from .steps import DEVICE, ONE, ask_elsewhere, expect_modes, expect_pairs

WORDS = ["the", "hat", "flew", "up", "to", "moon", "sat", "cat", "red", "end"]
END = 9
ZERO = "an end_id of 0 is taken for none: ask whether it is None"


# ── writing ──


def text_misses(words, prompt, ids, script, end):
    """Return what mistakes make of a text that is written on, with and without full_text."""
    pieces = probes_tasks.Pieces(words)
    new = script[: script.index(end)] if end in script else script
    shown = [*new, end] if end in script else new
    right = pieces.decode([*ids, *new])[len(pieces.decode(ids)) :]
    every = {
        "new ids are decoded by themselves, or what is new is stripped: its first space is lost": pieces.decode(new),
        "the end token is shown": pieces.decode([*ids, *shown])[len(pieces.decode(ids)) :],
        "what comes behind the end token is shown": pieces.decode([*ids, *script])[len(pieces.decode(ids)) :],
        "as many characters are cut off as the text has, not as its ids decode to": pieces.decode([*ids, *new])[
            len(prompt) :
        ],
    }
    full = {words: prompt + value for words, value in every.items()}
    return {
        True: full | {
            "the text is what its ids decode to, not what was given": pieces.decode([*ids, *new]),
            "full_text is not looked at": right,
            "all that the ids decode to stands behind the text, not what is new alone": prompt + pieces.decode(
                [*ids, *new]
            ),
        },
        False: every | {"full_text is not looked at": prompt + right, "ids decode to more than what is new":
                        pieces.decode([*ids, *new])},
    }  # fmt: skip


@pytest.mark.task("m19.6")
@pytest.mark.holds(
    "Write on: generate(model, ids, max_new_tokens, **settings) returns longer ids (1, longer), as m07's does.",
    "What is new is what all ids decode to, behind what the text's own ids do: a beginning may decode otherwise.",
    "Return a text with what is new behind it, or without full_text what is new alone.",
)
def test_a_text_is_written_on(student, draw):
    """One text or several are handed to generate, each by itself, and come back with what is new, or as that alone."""
    script = draw.random.sample(range(9), 3)
    pipeline, heard = student.plant(probes_tasks).writer(student.TextGeneration, WORDS, script, None)
    texts = ["The  HAT flew", "cat", "up To the moon"]
    for full in (True, False):
        rows = [[WORDS.index(word) for word in text.lower().split()] for text in texts]
        wanted = [_written(text, row, script, full) for text, row in zip(texts, rows, strict=True)]
        found = pipeline(texts[0], 3, full, temperature=0.5)
        misses = text_misses(WORDS, texts[0], rows[0], script, END)[full]
        expect_equal(found, wanted[0], misses=misses | {ONE: wanted[:1]}, what=f"the text with full_text={full}")
        expect_equal(pipeline(texts, max_new_tokens=3, full_text=full), wanted, what="the list of texts")
    expect_equal(pipeline([]), [], what="the list for no text")
    first = student.plant(probes_tasks).noted(heard)[0]
    right = [True, [[1, 3], "torch.int64", "cpu"], rows[0], 3, {"temperature": 0.5}]
    misses = {"settings are not handed on to generate": [*right[:4], {}]}
    what = "what generate is given: whether it is the model, shape, dtype and device, ids, number, settings"
    expect_equal(first, right, misses=misses, what=what)


def _written(text, ids, script, full):
    pieces = probes_tasks.Pieces(WORDS)
    new = pieces.decode([*ids, *script])[len(pieces.decode(ids)) :]
    return text + new if full else new


@pytest.mark.task("m19.6")
@pytest.mark.holds(
    "With an end_id, generate is given stop_tokens=(end_id,), and what is new ends before the first of these.",
    "What is new is what all ids decode to, behind what the text's own ids do: a beginning may decode otherwise.",
)
def test_what_is_new_ends_before_the_end_token(student, draw):
    """Generate is told of the end token, what is new ends before the first, and the text's own end tokens stay."""
    new = draw.random.sample(range(1, 9), 2)
    for script, end in (([*new, END, 3, END], END), (new, 0)):
        pipeline, heard = student.plant(probes_tasks).writer(student.TextGeneration, WORDS, script, end)
        for text in ("red cat", "the end to"):
            ids = [WORDS.index(word) for word in text.split()]
            for full in (True, False):
                misses = text_misses(WORDS, text, ids, script, end)[full]
                if end in ids:
                    cut = ids[: ids.index(end)]
                    misses = misses | {"the text's own end token ends what is new": text if full else ""}
                    misses["the text's own end token cuts the text"] = probes_tasks.Pieces(WORDS).decode(cut)
                right = _written(text, ids, new, full)
                expect_equal(pipeline(text, 5, full), right, misses=misses, what="the text")
        settings = student.plant(probes_tasks).noted(heard)[0][4]
        misses = {ZERO if end == 0 else "generate is not told where to stop": {}}
        expect_equal(
            settings, {"stop_tokens": [end]}, misses=misses, what="the dict of settings that generate is given"
        )


@pytest.mark.task("m19.6")
@pytest.mark.holds(
    "Write on: generate(model, ids, max_new_tokens, **settings) returns longer ids (1, longer), as m07's does.",
    "What a model is given lies on the device of its parameters.",
)
def test_ids_are_made_where_the_model_is(student):
    """The ids are an int64 tensor of one row, on the device of the model's parameters."""
    for device in ("cpu", "meta"):
        pipeline, heard = student.plant(probes_tasks).writer(student.TextGeneration, WORDS, [1], None, device)
        ask_elsewhere(pipeline, "the hat", 1)
        notes = student.plant(probes_tasks).noted(heard)
        shape = notes[0][1] if notes else [[], "nothing", "no device"]
        mistake = DEVICE if shape[:2] == [[1, 2], "torch.int64"] else None
        said = f"generate is given ids of shape {shape[0]}, {shape[1]}, on {shape[2]}; the model is on {device}."
        expect(shape == [[1, 2], "torch.int64", device], said, mistake=mistake)
    pipeline, _ = student.plant(probes_tasks).writer(student.TextGeneration, WORDS, [1], None)
    expect_equal(pipeline("the", 1), "the hat", what="the text")


@pytest.mark.task("m19.6")
@pytest.mark.holds(
    "Write on: generate(model, ids, max_new_tokens, **settings) returns longer ids (1, longer), as m07's does.",
)
def test_a_model_speaks_by_your_own_generate(student, draw):
    """With m07's generate, where it is right, else a small one, a model goes on with the likeliest words."""
    order = draw.permutation(9)
    table = torch.full((10, 10), -3.0)
    for place in range(9):
        table[order[place], order[(place + 1) % 9]] = 4.0
    planted, parts = student.plant(probes_tasks), student.plant(probes_parts)
    made = planted.table(table)
    generate = parts.generator(made, torch.tensor([[1, 2]]), 4)
    pipeline = planted.speaker(student.TextGeneration, generate, made, WORDS)
    start = draw.random.randrange(9)
    places = [(order.tolist().index(start) + step) % 9 for step in range(5)]
    wanted = " ".join(WORDS[order[place]] for place in places)
    expect_equal(pipeline(WORDS[start], 4, temperature=0.0), wanted, what="the text")


# ── sorting ──

LABELS = ["ham", "spam", "news", "odd"]
EXCHANGED = "pairs are exchanged: the label comes first"
ALONG_BATCH = "the softmax goes along the batch, not over the classes"
PLACES = "classes are given by their numbers: labels are their names"
INTEGER_MASK = "mask holds numbers: it is a tensor of True and False"
TOO_MANY = "more classes are asked for than there are: then all of them are returned"


def sorter(student, draw, batch_size, pad_id=8, device="cpu"):
    """Return a pipeline over a small model, the model, and its table."""
    planted, table = student.plant(probes_tasks), draw.normal(len(WORDS), len(LABELS), scale=1.3)
    made = planted.watched("sorter", table, device)
    return planted.classes(student.TextClassification, made, WORDS, LABELS, pad_id, batch_size), made, table


def expect_classes(found, table, row, top_k, longest, pad_id):
    """Compare a text's classes: labels, and their probabilities."""
    names, chances = oracle.ranked(oracle.class_scores(table, row).softmax(0), LABELS, top_k)
    pairs = type(found) is list and all(type(one) is tuple and len(one) == 2 for one in found)
    expect(pairs, "A text's classes are no list of pairs (label, probability).", evidence="value")
    swapped = pairs and all(type(one[0]) is float and type(one[1]) is str for one in found)
    expect(not swapped, "Pairs are (probability, label).", mistake=EXCHANGED, evidence="value")
    alike = pairs and found and all(one[1] == 1.0 for one in found)
    expect(not alike, "All probabilities are 1.", mistake=ALONG_BATCH, evidence="value")
    numbered = pairs and all(type(one[0]) is int for one in found)
    expect(not numbered, "In place of labels stand numbers.", mistake=PLACES, evidence="value")
    misses = oracle.class_misses(table, row, LABELS, top_k, longest, pad_id)
    given = [one[0] for one in found]
    expect_pairs(given, [one[1] for one in found], names, chances, misses, "label")


TEXTS = ["the hat flew", "cat", "red cat sat up to the moon", "moon moon", "up"]


@pytest.mark.task("m19.7")
@pytest.mark.holds(
    "Sort texts: model(ids, mask) gives scores (batch n_classes), as m10's classifier does; labels are their names.",
    "Texts go in by batch_size, their ids padded on the right with pad_id to the batch's longest; mask is False there.",
    "Return a text's top_k classes (all, if there are fewer) as (label, probability), the likeliest first.",
)
@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_texts_are_sorted(student, draw, batch_size):
    """Each text has its classes with their probabilities, the likeliest first, in whatever batch it went in."""
    pipeline, _, table = sorter(student, draw, batch_size)
    rows = [[WORDS.index(word) for word in text.split()] for text in TEXTS]
    for top_k in (1, 2, 4, 9):
        mistake = TOO_MANY if top_k > len(LABELS) else None
        found = expect_answer(pipeline, TEXTS, top_k, simpler=(TEXTS, 1), mistake=mistake)
        several = type(found) is list and len(found) == len(TEXTS)
        expect(several, "For a list of texts comes no list of as many answers.", evidence="value")
        for number, row in enumerate(rows):
            start = number - number % batch_size
            longest = max(map(len, rows[start : start + batch_size]))
            expect_classes(found[number], table, row, min(top_k, 4), longest, 8)
    found = pipeline(TEXTS[1])
    wrapped = type(found) is list and len(found) == 1 and type(found[0]) is list
    expect(not wrapped, "One text is answered by a list of one answer.", mistake=ONE, evidence="value")
    expect_classes(found, table, rows[1], 1, 1, 8)
    expect_equal(pipeline([]), [], what="the list for no text")


@pytest.mark.task("m19.7")
@pytest.mark.holds(
    "Texts go in by batch_size, their ids padded on the right with pad_id to the batch's longest; mask is False there.",
    "A model that one calls is in eval mode, without a graph, and each of its modules is in its old mode afterwards.",
)
def test_batches_are_padded_to_their_longest(student, draw):
    """The model is called once a batch, in eval mode and without a graph, with ids padded on the right and a mask."""
    pipeline, made, table = sorter(student, draw, 2)
    found = pipeline(TEXTS)
    rows = [[WORDS.index(word) for word in text.split()] for text in TEXTS]
    seen = student.plant(probes_tasks).calls(made)
    expect_modes(seen, ["", "drop", "frozen", "frozen.0"], ["", "drop"])
    expect_classes(found[2], table, rows[2], 1, 7, 8)
    right = [oracle.padded(rows[start : start + 2], 8) for start in (0, 2, 4)]
    given = [[one[0][2], one[1][2]] for one, *_ in seen["calls"]]
    given_dtypes = {(one[0][1], one[1][1]) for one, *_ in seen["calls"]}
    wanted = [[ids, mask] for ids, mask in right]
    together = oracle.padded(rows, 8)
    turned = [oracle.padded(rows[start : start + 2], 8, True) for start in (0, 2, 4)]
    misses = {
        "all texts go in at once, whatever batch_size says": [[*together]],
        "each text goes in by itself, whatever batch_size says": [[[row], [[True] * len(row)]] for row in rows],
        "padding is 0, whatever pad_id says": [
            [oracle.padded(rows[s : s + 2], 0)[0], right[s // 2][1]] for s in (0, 2, 4)
        ],
        "padding stands on the left: it stands on the right": [list(one) for one in turned],
        "all batches are padded to the longest of all texts": [
            [together[0][s : s + 2], together[1][s : s + 2]] for s in (0, 2, 4)
        ],
        "mask is True for padding, and False for text": [
            [ids, [[not one for one in row] for row in mask]] for ids, mask in right
        ],
        "mask is True everywhere": [[ids, [[True] * len(row) for row in mask]] for ids, mask in right],
    }
    kinds = given_dtypes == {("torch.int64", "torch.bool")}
    mistake = INTEGER_MASK if given_dtypes == {("torch.int64", "torch.int64")} else None
    expect(kinds, f"ids and mask are {given_dtypes}, expected int64 and bool.", mistake=mistake, evidence="value")
    expect_equal(given, wanted, misses=misses, what="the list of what the model is given, batch by batch,")


@pytest.mark.task("m19.7")
@pytest.mark.holds(
    "Raises ValueError, naming the text, when it has no ids, and for a top_k below 1.",
)
def test_a_text_without_ids_is_refused(student, draw):
    """A text that has no ids raises ValueError with the text in it, and so does a top_k below 1."""
    pipeline, *_ = sorter(student, draw, 8)
    mistake = "a text without ids is sorted all the same"
    given: dict[str, Any] = {"mentions": (repr("   "),), "fine": (["cat"],), "mistake": mistake}
    expect_raises("ValueError", pipeline, ["cat", "   "], what="the pipeline with a text of white space", **given)
    for top_k in (0, -1):
        given = {"mentions": (str(top_k),), "fine": ("cat", 1)}
        expect_raises("ValueError", pipeline, "cat", top_k, what=f"the pipeline with top_k={top_k}", **given)


@pytest.mark.task("m19.7")
@pytest.mark.holds(
    "Sort texts: model(ids, mask) gives scores (batch n_classes), as m10's classifier does; labels are their names.",
    "What a model is given lies on the device of its parameters.",
)
def test_batches_are_made_where_the_model_is(student, draw):
    """Both tensors are on the device of the model's parameters."""
    pipeline, made, _ = sorter(student, draw, 8, device="meta")
    ask_elsewhere(pipeline, ["cat", "the hat"])
    seen = student.plant(probes_tasks).calls(made)["calls"]
    places = [one[0] for one in seen[0][0]] if seen else []
    expect(places == ["meta", "meta"], f"For a model elsewhere, ids and mask are on {places}.", mistake=DEVICE)
    pipeline, _, table = sorter(student, draw, 8)
    expect_classes(pipeline("cat"), table, [7], 1, 1, 8)


SIZES = {"vocab_size": 10, "context_length": 12, "d_model": 8, "n_layers": 2, "n_heads": 2}


@pytest.mark.task("m19.7")
@pytest.mark.holds(
    "Sort texts: model(ids, mask) gives scores (batch n_classes), as m10's classifier does; labels are their names.",
)
def test_texts_are_sorted_by_your_own_classifier(student, draw):
    """With m10's classifier on a GPT, where it is right, else a small one, texts have the classes that it gives."""
    trusted = model.LanguageModel(**SIZES)
    state = {name: draw.normal(*value.shape, scale=0.4) for name, value in trusted.state_dict().items()}
    del state["lm_head.weight"]
    head = draw.normal(len(LABELS), 8)
    ids, mask = (torch.tensor(part) for part in oracle.padded([[1, 2, 3], [4], [5, 6]], 0))
    gpt, parts = student.plant(model).build(SIZES, state), student.plant(probes_parts)
    made = parts.classifier(gpt, head, ids, mask)
    pipeline = student.plant(probes_tasks).classes(student.TextClassification, made, WORDS, LABELS, 0, 2)
    right = probes_parts.Classifier(model.build(SIZES, state), len(LABELS)).eval()
    right.score.weight.data.copy_(head)
    for text, found in zip(TEXTS, pipeline(TEXTS, 4), strict=True):
        row = torch.tensor([[WORDS.index(word) for word in text.split()]])
        with torch.no_grad():
            chances = right(row, torch.ones_like(row).bool())[0].softmax(0)
        names, numbers = oracle.ranked(chances, LABELS, 4)
        expect_pairs([one[0] for one in found], [one[1] for one in found], names, numbers, {}, "label")
