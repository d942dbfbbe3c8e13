"""m16_bert: the whole model, what is read off its vectors, the loss of both heads, and what it learns."""

import math

import pytest
import torch

from grader.judge import (
    FLOAT32_LAYER,
    FLOAT32_MODEL,
    FLOAT32_OP,
    FLOAT64,
    achieve,
    expect,
    expect_bound,
    expect_close,
    expect_equal,
    expect_one_device,
    expect_unchanged,
)
from grader.suites.shared.attention import CUT, by_chance

from . import oracle_heads as heads
from . import oracle_model as oracle
from . import probes
from .oracle_learning import Logbook

SIZES = oracle.SIZES
DEVICE = "something is made on the default device instead of where the ids are"
TWO_TABLES = "decoder.weight and the words' weight are two tensors: they must be one"
HALF = "half-precision scores are scored in half precision: a sum of many losses loses its digits"
LOWERED = "float() makes float32 of float64 as well: half precision alone is scored in float32"
NAN = "0 is divided by 0 where nothing counts"
COARSE = 0.01  # eps
FINE = (
    "eps does not reach the embeddings",
    "eps does not reach the blocks",
    "eps reaches neither embeddings nor blocks",
)
STILL = "nothing was learned: the loss has no gradient, or the labels are not those of the holes"


def bert(student, state, **options):
    """Return a Bert with these weights, in eval mode."""
    return student.plant(probes).fill(student.Bert(**SIZES, **options), oracle.whole(state))


def given(draw, batch=4, seq=9):
    """Draw ids, types that change once in each row, and a mask with padding on the right."""
    places = torch.arange(seq)
    ids = draw.integers(0, SIZES["vocab_size"], batch, seq)
    lengths = torch.tensor([seq, seq - 4, seq - 1, 2])[:batch, None]
    return ids, (places >= draw.integers(1, seq, batch, 1)).long(), places < lengths


def expect_vectors(actual, state, ids, types=None, mask=None, what=""):
    """Compare what Bert returned with the reference; return the vectors."""
    shown = type(actual) is tuple and len(actual) == 2
    expect(shown, "Bert returns no tuple (vectors of the tokens, vectors of the texts).", evidence="value")
    expected = oracle.read(state, SIZES, ids, types, mask)
    misses = oracle.read_misses(state, SIZES, ids, types, mask)
    tokens = f"the first of what is returned{what}"
    expect_close(actual[0], expected.float(), atol=FLOAT32_MODEL, misses=misses, what=tokens)
    texts, misses = heads.pooled(expected, state).float(), heads.pooled_misses(expected, state, mask)
    below = oracle.embedded(oracle.part(state, "embeddings"), ids, types)
    misses["the pooler reads what the embeddings give, not what the last block gives"] = heads.pooled(
        below, state
    ).float()
    expect_close(actual[1], texts, atol=FLOAT32_MODEL, misses=misses, what=f"the second of what is returned{what}")


@pytest.mark.task("m16.5")
@pytest.mark.holds(
    "Its parts: `embeddings`, `blocks` (nn.ModuleList) and `pooler` (nn.Linear, d_model to d_model).",
    "For the heads: `transform` (as pooler), the exact GELU, `transform_norm` (nn.LayerNorm) and `decoder` (nn.Linear "
    "to the vocabulary, whose weight IS the words', with a bias of its own) for each token; `follows` (nn.Linear to 2) "
    "for the text.",
)
def test_its_parts_have_the_names_of_the_docstring(student):
    """The state has the parts' names and shapes, the decoder's beside the words', and nothing else."""
    found = {name: tuple(value.shape) for name, value in student.plant(probes).state(student.Bert(**SIZES)).items()}
    wanted = oracle.shapes(SIZES)
    wanted["decoder.weight"] = wanted["embeddings.words.weight"]
    bare = {name: shape for name, shape in wanted.items() if name != "decoder.bias"}
    unseen = {name: shape for name, shape in wanted.items() if not name.startswith("blocks.")}
    misses = {"the decoder has no bias": bare, "torch does not see the blocks: they belong into nn.ModuleList": unseen}
    expect_equal(found, wanted, misses=misses, what="the table of shapes")


@pytest.mark.task("m16.5")
@pytest.mark.holds(
    "From ids to a vector for each token and one for each text; and two heads, which read something off them.",
    "Return the last block's vectors, and tanh of what the pooler makes of the first one in each row.",
)
@pytest.mark.parametrize("kind", ["ids", "types", "mask", "integers"])
def test_a_text_becomes_vectors(student, draw, kind):
    """The last block's vectors and tanh of the pooler come back, for ids alone, one text with types, and padding."""
    state = oracle.random_state(draw)
    ids, types, mask = given(draw, batch=1 if kind == "types" else 4)
    model = bert(student, state)
    args = {"ids": [ids], "types": [ids, types], "mask": [ids, types, mask], "integers": [ids, types, mask.long()]}[
        kind
    ]
    known = [types, mask][: len(args) - 1]
    expect_vectors(model(*args), state, ids, *known)


@pytest.mark.task("m16.5")
def test_every_token_sees_both_sides(student, draw):
    """Another first token changes the last one's vector, and another last token the first one's."""
    state = oracle.random_state(draw)
    ids, types, _ = given(draw)
    model = bert(student, state)
    for place in (0, ids.shape[1] - 1):
        other = ids.clone()
        other[:, place] = (other[:, place] + 1) % SIZES["vocab_size"]
        expect_vectors(model(other, types), state, other, types, what=" for other ids")


@pytest.mark.task("m16.5")
@pytest.mark.holds("Return both heads' scores for what forward gave, without a softmax.")
def test_two_heads_score(student, draw):
    """Tokens are scored by transform, GELU, norm and decoder, and texts by follows."""
    state = oracle.random_state(draw)
    model = bert(student, state, eps=COARSE)
    hidden, texts = draw.normal(3, 5, SIZES["d_model"]), draw.normal(3, SIZES["d_model"])
    found = model.scores(hidden, texts)
    shown = type(found) is tuple and len(found) == 2
    expect(shown, "scores returns no tuple (of the tokens, of the texts).", evidence="value")
    expected, misses = heads.token_scores(hidden, state, eps=COARSE).float(), heads.score_misses(hidden, state, COARSE)
    expect_close(found[0], expected, atol=FLOAT32_LAYER * 5, misses=misses, what="the tokens' scores")
    expected = heads.follow_scores(texts, state).float()
    misses = {
        "the first token's vector is scored, and not the text's": heads.follow_scores(hidden[:, 0], state).float(),
        "the tanh is applied twice: the text's vector has it already": heads.follow_scores(texts.tanh(), state).float(),
        "the pooler is applied twice: what forward gave for the text is pooled already": heads.follow_scores(
            heads.pooled(texts[:, None], state), state
        ).float(),
        "the scores went through a softmax: the loss does that by itself": expected.softmax(dim=-1),
        "the scores went through a log-softmax: the loss does that by itself": expected.log_softmax(dim=-1),
    }
    expect_close(found[1], expected, atol=FLOAT32_LAYER, misses=misses, what="the texts' scores")


@pytest.mark.task("m16.5")
@pytest.mark.holds(
    "For the heads: `transform` (as pooler), the exact GELU, `transform_norm` (nn.LayerNorm) and `decoder` (nn.Linear "
    "to the vocabulary, whose weight IS the words', with a bias of its own) for each token; `follows` (nn.Linear to 2) "
    "for the text.",
)
@pytest.mark.parametrize("name", ["embeddings.words.weight", "decoder.weight"])
def test_words_and_decoder_are_one_tensor(student, draw, name):
    """Overwriting either changes both what an id becomes and how a token is scored."""
    state = oracle.random_state(draw)
    model, (ids, types, _) = bert(student, state), given(draw)
    words, old = draw.normal(*state["embeddings.words.weight"].shape, scale=0.3), state["embeddings.words.weight"]
    student.plant(probes).overwrite(model, name, words)
    after = state | {"embeddings.words.weight": words}
    read, wanted = (oracle.read(given_state, SIZES, ids, types) for given_state in (state, after))
    found = model(ids, types)
    misses = {TWO_TABLES: read.float()}
    what = "what becomes of ids after the change"
    expect_close(found[0], wanted.float(), atol=FLOAT32_MODEL, misses=misses, what=what)
    scores = model.scores(*found)[0]
    misses = {TWO_TABLES: heads.token_scores(wanted, after, table=old).float()}
    expected = heads.token_scores(wanted, after).float()
    expect_close(scores, expected, atol=FLOAT32_MODEL, rtol=1e-4, misses=misses, what="the scores after the change")


@pytest.mark.task("m16.5")
@pytest.mark.warm("torch._dynamo")
def test_a_model_without_sizes_is_bert_base(student):
    """Bert(), made without data on the meta device, has the 110,106,428 parameters of BERT base with both heads."""
    found = student.plant(probes).on_meta(student.Bert)
    misses = {
        TWO_TABLES: 110_106_428 + 30522 * 768,
        "the decoder has no bias": 110_106_428 - 30522,
        "the defaults are GPT-2 small's: a vocabulary of 50,257": 110_106_428 + (50257 - 30522) * 769,
        "context_length is 1024 by default": 110_106_428 + 512 * 768,
    }
    expect_equal(found, 110_106_428, misses=misses, what="the number of parameters")


@pytest.mark.task("m16.5")
def test_what_nobody_names_is_bert_bases(student, draw):
    """Without being told, a model has 12 heads, no dropout, and 1e-12 for eps."""
    sizes = SIZES | {"d_model": 24, "n_layers": 1, "n_heads": 12}
    state = oracle.random_state(draw, sizes)
    # Vectors whose variance is about 1e-12, to which such an eps matters.
    state = {name: value * 1e-6 if "s.weight" in name[-8:] else value for name, value in state.items()}
    model = student.Bert(31, 13, 24, 1, d_ff=20)
    student.plant(probes).fill(model, oracle.whole(state))
    ids, types, _ = given(draw)
    found, again = (student.plant(probes).in_training(model, ids, types) for _ in range(2))
    expected = oracle.read(state, sizes, ids, types).float()
    misses = {"n_heads is not 12 by default": oracle.read(state, sizes | {"n_heads": 8}, ids, types).float()}
    misses["eps is 1e-5 by default: BERT's is 1e-12"] = oracle.read(state, sizes, ids, types, eps=(1e-5, 1e-5)).float()
    expect(type(found) is type(again) is tuple, "Bert returns no tuple.", evidence="value")
    if by_chance(found[0], again[0]):
        misses["dropout is not 0 by default"] = found[0]
    expect_close(found[0], expected, atol=FLOAT32_MODEL, misses=misses, what="the first of what is returned")


@pytest.mark.task("m16.5")
@pytest.mark.holds(
    "From ids to a vector for each token and one for each text; and two heads, which read something off them.",
)
def test_dropout_reaches_embeddings_and_blocks(student, draw):
    """With dropout 0.5 a model varies in training and rests in eval mode; eps reaches every norm."""
    state = oracle.random_state(draw)
    ids, types, mask = given(draw)
    model = bert(student, state, dropout=0.5, eps=COARSE)
    first, second = model(ids, types, mask), model(ids, types, mask)
    expected, *others = (
        oracle.read(state, SIZES, ids, types, mask, eps=eps).float()
        for eps in ((COARSE, COARSE), (oracle.EPS, COARSE), (COARSE, oracle.EPS), (oracle.EPS, oracle.EPS))
    )
    expect(type(first) is type(second) is tuple, "Bert returns no tuple.", evidence="value")
    misses = dict(zip(FINE, others, strict=True)) | oracle.awake(first[0], second[0])
    what = "the first of what is returned in eval mode"
    expect_close(first[0], expected, atol=FLOAT32_MODEL, misses=misses, what=what)
    for part in ("embeddings", "blocks.0", "blocks.1"):
        alone = bert(student, state, dropout=0.5).get_submodule(part)
        given_args = [ids, types] if part == "embeddings" else [expected]
        one, other = (student.plant(probes).in_training(alone, *given_args) for _ in range(2))
        mistake = "dropout is not handed on to the parts"
        expect(not torch.equal(one, other), f"{part} gives the same twice in training.", mistake=mistake)


def loss_given(draw, batch=4, seq=9, dtype=torch.float32):
    """Draw both heads' scores and both kinds of labels, some of which don't count."""
    tokens, pairs = draw.normal(batch, seq, 7, scale=2.0, dtype=dtype), draw.normal(batch, 2, scale=2.0, dtype=dtype)
    labels = draw.integers(0, 7, batch, seq)
    labels = labels.where(torch.arange(seq) % torch.tensor([[2], [3], [5], [9]])[:batch] == 1, -100)
    return tokens, labels, pairs, torch.tensor([0, 1, 0, 0])[:batch]


def expect_loss(student, tokens, labels, pairs, follows, *, atol=FLOAT32_LAYER):
    """Compare a loss with the reference."""
    dtype = torch.float64 if tokens.dtype == torch.float64 else torch.float32
    expected = heads.loss(tokens, labels, pairs, follows).to(dtype)
    misses = heads.loss_misses(tokens, labels, pairs, follows)
    actual = student.pretraining_loss((tokens, pairs), labels, follows)
    wrong = type(actual) is torch.Tensor and actual.dtype in (torch.float16, torch.bfloat16)
    expect(not wrong, "Scores in half precision have a loss in half precision.", mistake=HALF, evidence="value")
    expect_own_dtype(actual, tokens)
    expect_close(actual, expected, atol=atol, misses=misses, what="the loss")


def expect_own_dtype(loss, tokens):
    """Expect that float64 scores have kept their digits."""
    lowered = tokens.dtype == torch.float64 and type(loss) is torch.Tensor and loss.dtype == torch.float32
    expect(not lowered, "Scores in float64 have a loss in float32.", mistake=LOWERED, evidence="value")


@pytest.mark.task("m16.5")
@pytest.mark.holds(
    "Example: scores [[[0, ln 3], [9, 9]]] and [[0, 0]], labels [[1, -100]] and [0] lose ln(4/3) + ln 2, 0.9808.",
)
def test_the_loss_of_the_docstring(student):
    """The docstring's scores lose 0.9808 nats."""
    tokens, pairs = torch.tensor([[[0.0, math.log(3)], [9.0, 9.0]]]), torch.zeros(1, 2)
    expect_loss(student, tokens, torch.tensor([[1, -100]]), pairs, torch.tensor([0]), atol=FLOAT32_OP)


@pytest.mark.task("m16.5")
@pytest.mark.holds(
    "Add two means of the cross-entropy (in nats): over all tokens whose label counts, and over the pairs.",
    "A label of -100 does not count, in either; where none counts that mean is 0.",
    "Nothing is shifted.",
    "A pair's label is 0 where the second text follows the first, else 1.",
)
def test_the_loss_is_two_means(student, draw):
    """All holes of a batch weigh alike, wherever they are, and so do all pairs; the two means are added."""
    tokens, labels, pairs, follows = loss_given(draw)
    expect_loss(student, tokens, labels, pairs, follows)
    expect_loss(student, tokens[:1], labels[:1], pairs[:1], follows[:1])
    follows[1] = -100
    expect_loss(student, tokens, labels, pairs, follows)


@pytest.mark.task("m16.5")
@pytest.mark.holds("A label of -100 does not count, in either; where none counts that mean is 0.")
def test_where_nothing_counts_a_mean_is_zero(student, draw):
    """Without a hole the loss is the pairs', without a pair that counts the holes', without both 0; never NaN."""
    tokens, labels, pairs, follows = loss_given(draw)
    for holes, told in ((False, True), (True, False), (False, False)):
        some, known = labels if holes else labels * 0 - 100, follows if told else follows * 0 - 100
        expected = heads.loss(tokens, some, pairs, known).float()
        misses = heads.loss_misses(tokens, some, pairs, known) | {NAN: torch.tensor(math.nan)}
        found = student.pretraining_loss((tokens, pairs), some, known)
        expect_close(found, expected, atol=FLOAT32_LAYER, misses=misses, what="the loss")


@pytest.mark.task("m16.5")
@pytest.mark.holds("Half precision is scored in float32, any other dtype in its own.")
def test_half_precision_is_scored_in_float32(student, draw):
    """Scores in half precision give a loss with float32's digits, and those in float64 one with float64's."""
    for dtype, atol in ((torch.float16, FLOAT32_LAYER), (torch.bfloat16, FLOAT32_LAYER), (torch.float64, FLOAT64)):
        expect_loss(student, *loss_given(draw, dtype=dtype), atol=atol)


@pytest.mark.task("m16.5")
@pytest.mark.holds(
    "Add two means of the cross-entropy (in nats): over all tokens whose label counts, and over the pairs.",
)
def test_gradients_reach_both_heads(student, draw):
    """The gradients by the scores of tokens and pairs are those of two means, and 0 where nothing counts."""
    tokens, labels, pairs, follows = loss_given(draw, dtype=torch.float64)
    found = student.plant(probes).losses(student.pretraining_loss, tokens, labels, pairs, follows)
    expect_own_dtype(found["loss"], tokens)
    leaves = [value.clone().requires_grad_(True) for value in (tokens, pairs)]
    right = torch.autograd.grad(heads.loss(leaves[0], labels, leaves[1], follows), leaves)
    for name, actual, expected in zip(("tokens", "pairs"), found["gradients"], right, strict=True):
        expect(actual is not None, f"The scores of the {name} get no gradient.", mistake=CUT)
        misses = {CUT: torch.zeros_like(expected)}
        what = f"the gradient by the scores of the {name}"
        expect_close(actual, expected, atol=FLOAT64, misses=misses, what=what)
    for name, after, before in zip(NAMES, found["after"], (tokens, labels, pairs, follows), strict=True):
        expect_unchanged(after, before, what=f"{name} after the call")


NAMES = ("the tokens' scores", "the labels", "the pairs' scores", "the pairs' labels")


@pytest.mark.task("m16.5")
@pytest.mark.warm("torch._dynamo")
def test_the_model_stays_on_its_device(student, draw):
    """On another device than the default one, everything is made where the ids are."""
    state = oracle.random_state(draw)
    ids, types, mask = given(draw)
    model = bert(student, state)
    expect_vectors(model(ids, types, mask), state, ids, types, mask)
    for args in ([ids], [ids, types, mask]):
        expect_one_device(student, model, args, mistake=DEVICE)


@pytest.mark.task("m16.5")
@pytest.mark.limits(seconds=60)
def test_bert_learns_to_read_a_log(student, draw, data):
    """Sixty steps with your holes and loss teach bert-nano to read a boat's log; shuffled labels teach it nothing."""
    logbook = Logbook(draw, data)
    before, costs = logbook.cost(logbook.start), {}
    for shuffled, steps in ((True, logbook.CONTROL), (False, logbook.STEPS)):
        batches, seed = logbook.batches(draw, steps), draw.random.randrange(10**6)
        costs[shuffled] = logbook.after(student, batches, seed, shuffled=shuffled)
    gain, control = (logbook.common - costs[shuffled] for shuffled in (False, True))
    common = f"by how common pieces are it would be {logbook.common:.2f}"
    said = f"From shuffled labels a hole came to cost {costs[True]:.2f} nats; {common}, and nothing was to be learned."
    expect_bound(control, said, below=logbook.NOTHING)
    less = f"{common}, and {logbook.LEARNED} less is asked"
    said = f"After {logbook.STEPS} steps a hole costs {costs[False]:.2f} nats; {less}."
    expect_bound(gain, said, above=logbook.LEARNED, mistake=STILL if costs[False] > before - 1 else None)
    achieve(
        f"After {logbook.STEPS} of your steps a hole in a boat's log, never seen, costs {costs[False]:.2f} nats. "
        f"Before it was {before:.2f}, and by how common each piece is it would be {logbook.common:.2f}."
    )
