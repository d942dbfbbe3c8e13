"""m19_library: pipelines that fill gaps and find passages, of small parts and of the submission's own m16 and m17."""

from typing import Any

import pytest
import torch

from grader.counting import counted
from grader.judge import FLOAT32_LAYER, expect, expect_answer, expect_close, expect_equal, expect_raises

from . import oracle_tasks as oracle
from . import probes_parts, probes_tasks
from .steps import DEVICE, ONE, ask_elsewhere, expect_modes, expect_pairs

# ── gaps ──

PIECES = ["[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "hat", "flew", "##s", "up", ".", "moon", "##ing"]
CLS, SEP, MASK = 1, 2, 3
WITHOUT = "## is missing from the piece: it is left out of the text alone"
AS_IDS = "tokens are given by their ids: pieces says how each is written"
TOO_MANY = "more pieces are asked for than there are: then all of them are returned"
GAPS = [
    ("the hat [MASK] up .", [4, 5], [8, 9]),
    ("[MASK] flew", [], [6]),
    ("The hat[MASK] flew up to.", [4, 5], [6, 8, 0, 9]),
    ("the [MASK]", [4], []),
]


def reader(student, draw, *parts, device="cpu"):
    """Return a pipeline over a small model, the model, and its table."""
    planted, table = student.plant(probes_tasks), draw.normal(len(PIECES), len(PIECES), scale=0.8)
    made = planted.watched("reader", table, device)
    return planted.gaps(student.FillMask, made, PIECES, CLS, SEP, MASK, *parts), made, table


def expect_gap(found, chances, text, mask_token, top_k, misses):
    """Compare what fills a gap: pieces, probabilities, and the texts."""
    names, numbers = oracle.ranked(chances, PIECES, top_k)
    triples = type(found) is list and all(type(one) is tuple and len(one) == 3 for one in found)
    expect(triples, "A gap's answers are no list of (piece, probability, text).", evidence="value")
    known = {words: oracle.ranked(value, PIECES, top_k) for words, value in misses.items()}
    least = oracle.ranked(-chances, PIECES, top_k)
    known["the unlikeliest pieces come first"] = (least[0], -least[1])
    known["the softmax goes over the likeliest alone, not over the vocabulary"] = (names, numbers / numbers.sum())
    given = [one[0] for one in found]
    cut = given != names and given == [name.removeprefix("##") for name in names]
    expect(not cut, f"The pieces are {given}, expected {names}."[:500], mistake=WITHOUT, evidence="value")
    ids = bool(given) and all(type(one) is int for one in given)
    expect(not ids, f"The pieces are {given}, expected {names}."[:500], mistake=AS_IDS, evidence="value")
    expect_pairs(given, [one[1] for one in found], names, numbers, known, "piece")
    left, right = text.split(mask_token)
    wanted = [oracle.filled(left, name, right) for name in names]
    others = {
        "## stands in the filled text": [text.replace(mask_token, name) for name in names],
        "a piece that begins with ## is joined to the word before: a space of the text stays": [
            oracle.filled(left.rstrip() if name.startswith("##") else left, name, right) for name in names
        ],
        "the text is returned with its gap": [text] * len(names),
        "the filled text is in small letters: but for the gap it is as it was": [one.lower() for one in wanted],
    }
    expect_equal([one[2] for one in found], wanted, misses=others, what="the list of filled texts")


@pytest.mark.task("m19.8")
@pytest.mark.holds(
    "The ids are cls_id, those of what stands before mask_token, mask_id, those of what stands behind, and sep_id.",
    "A model that one calls is in eval mode, without a graph, and each of its modules is in its old mode afterwards.",
)
@pytest.mark.parametrize("mask_token", ["[MASK]", "___"], ids=["default", "other"])
def test_the_gap_is_cut_out_before_anything_is_encoded(student, draw, mask_token):
    """The model is given cls_id, both sides as they encode by themselves, mask_id between them, and sep_id."""
    pipeline, made, table = reader(student, draw, *([] if mask_token == "[MASK]" else [mask_token]))
    for number, (text, left, right) in enumerate(GAPS):
        text = text.replace("[MASK]", mask_token)
        mistake = "mask_token is not looked at" if mask_token == "___" else None
        found = expect_answer(pipeline, text, simpler=("the [MASK]",), mistake=mistake)
        seen = student.plant(probes_tasks).calls(made)
        expect(
            len(seen["calls"]) == number + 1,
            f"For {counted(number + 1, 'text')} the model was called {counted(len(seen['calls']), 'time')}.",
        )
        ids = seen["calls"][-1][0][0][2]
        wrong = {
            "the gap is encoded with the text: its marks and letters become tokens": [CLS, *left, 0, 0, 0, *right, SEP],
            "cls_id and sep_id are missing": [*left, MASK, *right],
            "cls_id is missing": [*left, MASK, *right, SEP],
            "sep_id is missing": [CLS, *left, MASK, *right],
            "cls_id and sep_id are exchanged": [SEP, *left, MASK, *right, CLS],
            "mask_id is missing": [CLS, *left, *right, SEP],
        }
        rows = {words: [value] for words, value in wrong.items()}
        expect_equal(ids, [[CLS, *left, MASK, *right, SEP]], misses=rows, what="the ids that the model is given")
        expect_modes(seen, ["", "drop", "frozen", "frozen.0"], ["", "drop"])
        chances = oracle.token_scores(table, [CLS, *left, MASK, *right, SEP], 1 + len(left)).softmax(0)
        misses = oracle.fill_misses(table, left, right, (CLS, SEP, MASK))
        expect_gap(found, chances, text, mask_token, 5, misses)


@pytest.mark.task("m19.8")
@pytest.mark.holds(
    "Fill a gap: model(ids) gives scores (1 seq vocab_size), and pieces[i] is how a token is written, as m16 has it.",
    "The ids are cls_id, those of what stands before mask_token, mask_id, those of what stands behind, and sep_id.",
    'Return the top_k likeliest as (piece, probability, the text filled with it); "##" is no part of a text.',
)
def test_gaps_are_filled(student, draw):
    """At the beginning, amid a text and at its end, the likeliest pieces stand in the gap, with their probabilities."""
    pipeline, _, table = reader(student, draw)
    texts = [text for text, *_ in GAPS]
    for top_k in (5, 2, 99):
        mistake = TOO_MANY if top_k > len(PIECES) else None
        found = expect_answer(pipeline, texts, top_k, simpler=(texts, 1), mistake=mistake)
        several = type(found) is list and len(found) == len(texts)
        expect(several, "For a list of texts comes no list of as many answers.", evidence="value")
        for (text, left, right), answer in zip(GAPS, found, strict=True):
            ids, place = [CLS, *left, MASK, *right, SEP], 1 + len(left)
            chances = oracle.token_scores(table, ids, place).softmax(0)
            misses = oracle.fill_misses(table, left, right, (CLS, SEP, MASK))
            expect_gap(answer, chances, text, "[MASK]", min(top_k, len(PIECES)), misses)
    found = pipeline(texts[0])
    wrapped = type(found) is list and len(found) == 1 and type(found[0]) is list
    expect(not wrapped, "One text is answered by a list of one answer.", mistake=ONE, evidence="value")
    expect_equal(len(found), 5, what="the number of pieces where top_k is not given")
    expect_equal(pipeline([]), [], what="the list for no text")


@pytest.mark.task("m19.8")
@pytest.mark.holds(
    "Raises ValueError, naming the number, unless there is exactly one mask_token in a text, and for a top_k below 1.",
)
def test_there_is_one_gap(student, draw):
    """A text without a gap, or with two, raises ValueError with their number."""
    pipeline, *_ = reader(student, draw)
    for text, count in (("the hat flew", 0), ("[MASK] hat [MASK]", 2), ("[MASK][MASK] up [MASK]", 3)):
        mistake = "a text with several gaps, or none, is filled all the same"
        given: dict[str, Any] = {"mentions": (str(count),), "fine": ("the [MASK]",), "mistake": mistake}
        expect_raises("ValueError", pipeline, text, what=f"the pipeline with {count} gaps", **given)
    for top_k in (0, -3):
        given = {"mentions": (str(top_k),), "fine": ("the [MASK]", 1)}
        expect_raises("ValueError", pipeline, "the [MASK]", top_k, what=f"the pipeline with top_k={top_k}", **given)


@pytest.mark.task("m19.8")
@pytest.mark.holds(
    "Fill a gap: model(ids) gives scores (1 seq vocab_size), and pieces[i] is how a token is written, as m16 has it.",
    "What a model is given lies on the device of its parameters.",
)
def test_a_gap_is_read_where_the_model_is(student, draw):
    """The ids are on the device of the model's parameters."""
    pipeline, made, _ = reader(student, draw, device="meta")
    ask_elsewhere(pipeline, "the [MASK]")
    seen = student.plant(probes_tasks).calls(made)["calls"]
    places = [one[0] for one in seen[0][0]] if seen else []
    expect(places == ["meta"], f"For a model elsewhere, ids are on {places}.", mistake=DEVICE)
    pipeline, _, table = reader(student, draw)
    chances = oracle.token_scores(table, [CLS, 4, MASK, SEP], 2).softmax(0)
    expect_gap(pipeline("the [MASK]", 3), chances, "the [MASK]", "[MASK]", 3, {})


BERT = {"vocab_size": 12, "context_length": 9, "d_model": 8, "n_layers": 2, "n_heads": 2, "d_ff": 12}


@pytest.mark.task("m19.8")
@pytest.mark.holds(
    "Fill a gap: model(ids) gives scores (1 seq vocab_size), and pieces[i] is how a token is written, as m16 has it.",
)
def test_gaps_are_filled_by_your_own_bert(student, draw):
    """With m16's model, where it is right, else a small one, gaps are filled with what it thinks of them."""
    state = {name: draw.normal(*shape, scale=0.5) for name, shape in probes_parts.bert_shapes(**BERT).items()}
    state["decoder.weight"] = state["embeddings.words.weight"].clone()
    made = student.plant(probes_parts).filler(state, BERT, torch.tensor([[CLS, 4, 5, MASK, SEP]]))
    pipeline = student.plant(probes_tasks).gaps(student.FillMask, made, PIECES, CLS, SEP, MASK)
    right = probes_parts.Encoder(state, BERT["n_heads"]).double()
    right.state = {name: value.double() for name, value in state.items()}
    for text, before, behind in GAPS:
        ids = torch.tensor([[CLS, *before, MASK, *behind, SEP]])
        chances = right(ids)[0, 1 + len(before)].softmax(0)
        expect_gap(pipeline(text, 4), chances, text, "[MASK]", 4, {})


# ── passages ──

TOO_FEW = "more documents are asked for than there are: then all that are found are returned"
DOCUMENTS = {
    "boats": "A boat is light. It sails.A keel keeps it up." + " Row it." * 40,
    "empty": "",
    "cats": "A cat sleeps.It eats, and it sleeps again.",
    "moon": "The moon is far.",
}


@pytest.mark.task("m19.9")
@pytest.mark.holds(
    "Find passages in documents: chunk(text) cuts one into parts with start, end and text, as m17's does.",
    "index(texts) is called once, with the chunks of all; it returns what has m17's search(query, k): a list of "
    "(index, score), the best first.",
    "Return the best chunk of each of the k best documents, or of all that are found, the best first.",
    "Each is (document's name, start, end, text, score).",
)
def test_the_best_chunk_of_each_document_is_found(student, draw):
    """Of every document its best chunk alone is found, up to k documents, in the order of their scores."""
    count = len(oracle.chunks(DOCUMENTS))
    boats = len(oracle.chunks({"boats": DOCUMENTS["boats"]}))
    places = draw.random.sample(range(boats), boats) + draw.random.sample(range(boats, count), count - boats)
    answers = {
        "one": [(place, 99.0 - number) for number, place in enumerate(places)],
        "two": [(boats + 2, 4.5), (boats, 4.25), (1, 4.0), (boats + 1, 3.5)],
        "none": [],
    }
    pipeline, heard = student.plant(probes_tasks).finding(student.Retrieval, DOCUMENTS, answers)
    for k in (1, 2, 3, 9):
        for query, answer in answers.items():
            right = oracle.hits(DOCUMENTS, answer, k)
            misses = oracle.hit_misses(DOCUMENTS, answer, k)
            mistake = TOO_FEW if k > len(DOCUMENTS) else None
            found = expect_answer(pipeline, query, k, simpler=(query, 1), mistake=mistake)
            expect_equal(found, right, misses=misses, what=f"the list of hits for {query!r} and k={k}")
    both = [oracle.hits(DOCUMENTS, answers[query], 3) for query in ("two", "one")]
    expect_equal(pipeline(["two", "one"]), both, what="the list of both queries' hits")
    expect_equal(pipeline([]), [], what="the list for no query")
    texts = [line[1] for line in student.plant(probes_tasks).noted(heard) if line[0] == "index"]
    wanted = [[text for *_, text in oracle.chunks(DOCUMENTS)]]
    parted = [[part[3] for part in oracle.chunks({name: text})] for name, text in DOCUMENTS.items()]
    whole = [[DOCUMENTS[name] for name, *_ in oracle.chunks(DOCUMENTS)], list(DOCUMENTS.values())]
    mistake = "an index is made for every query: it is made once, in the constructor" if len(texts) > 9 else None
    if texts and all(one in parted for one in texts):
        mistake = "an index is made for each document: there is one, of the chunks of all"
    elif len(texts) == 1 and texts[0] in whole:
        mistake = "documents are indexed whole: the index is of their chunks"
    expect(texts == wanted, f"index was called with {texts}"[:500], mistake=mistake)


@pytest.mark.task("m19.9")
@pytest.mark.holds(
    "Raises ValueError, naming it, for a k below 1.",
)
def test_at_least_one_document_is_asked_for(student):
    """A k of 0 or less raises ValueError with that number."""
    pipeline, _ = student.plant(probes_tasks).finding(student.Retrieval, DOCUMENTS, {"a": [(0, 1.0)]})
    for k in (0, -2):
        given: dict[str, Any] = {"mentions": (str(k),), "fine": ("a", 1)}
        expect_raises("ValueError", pipeline, "a", k, what=f"the pipeline with k={k}", **given)


@pytest.mark.task("m19.9")
@pytest.mark.holds(
    "Find passages in documents: chunk(text) cuts one into parts with start, end and text, as m17's does.",
    "index(texts) is called once, with the chunks of all; it returns what has m17's search(query, k): a list of "
    "(index, score), the best first.",
)
def test_passages_are_found_by_your_own_retriever(student, draw):
    """With m17's chunks and BM25, where they are right, else small ones, questions find their documents."""
    subjects = draw.random.sample(["boats", "cats", "moon", "winds", "ropes", "tides"], 4)
    filling = ["the", "of", "and", "old", "long", "way", "in", "harbour"]
    documents = {}
    for name in subjects:
        words = draw.random.choices(filling, k=30)
        words[draw.random.randrange(30)] = name
        documents[name.upper()] = " ".join(words)
    cut, index = student.plant(probes_parts).finder(documents, 40, 10, [*subjects, "old harbour"])
    pipeline = student.Retrieval(documents, cut, index)
    parts = [(name, *part) for name, text in documents.items() for part in probes_parts.chunk(text, 40, 10)]
    trusted = probes_parts.Words([text for *_, text in parts])
    for query in (*subjects, "old harbour"):
        found = pipeline(query, 3)
        best: dict[str, Any] = {}
        for place, score in trusted.search(query, len(parts)):
            best.setdefault(parts[place][0], (parts[place], score))
        wanted = list(best.values())[:3]
        expect_equal([one[:4] for one in found], [part for part, _ in wanted], what="the list of hits")
        given, right = (torch.tensor(values, dtype=torch.float64) for values in (
            [one[4] for one in found], [score for _, score in wanted]))  # fmt: skip
        expect_close(given, right, atol=FLOAT32_LAYER, what="the list of scores")
