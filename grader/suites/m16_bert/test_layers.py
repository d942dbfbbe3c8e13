"""m16_bert: what an id becomes, and a block that looks both ways."""

import pytest
import torch

from grader.judge import (
    FLOAT32_LAYER,
    FLOAT32_MODEL,
    FLOAT64,
    expect,
    expect_answer,
    expect_bound,
    expect_close,
    expect_equal,
    expect_one_device,
    expect_raises,
    expect_tensor,
)
from grader.suites.shared.attention import CUT, by_chance

from . import oracle_model as oracle
from . import probes

SIZES = oracle.SIZES
DEVICE = "something is made on the default device instead of where the arguments are"
BUFFER = "positions are kept as a buffer that state_dict has: persistent=False leaves it out"
OTHER_STATE = "there is other state than the parts of the docstring"
FULL = "a row of just context_length ids is refused: only more are"
ASLEEP = "no dropout falls in training"
BEFORE_NORM = "dropout falls on the sum before it is normalised: it falls on the result"
ON_STREAM = "dropout falls on the sum, so that the stream itself loses values: it falls on what a part adds"
WITHIN = "dropout falls within the second part too, between up and down: it falls on what a part adds"
ON_WEIGHTS = "no dropout falls on the weights of the attention"
AS_NUMBERS = "a mask of integers is not understood: 1 is a token and 0 is padding"
NOT_ADDED = {"out": "no dropout falls on what `out` gives", "down": "no dropout falls on what `down` gives"}


def embeddings(student, state, dropout=0.0, eps=oracle.EPS):
    """Return BertEmbeddings with these weights, in eval mode."""
    made = student.BertEmbeddings(SIZES["vocab_size"], SIZES["context_length"], SIZES["d_model"], dropout, eps)
    return student.plant(probes).fill(made, state)


def given(draw, batch=3, seq=7):
    """Draw ids, and types that change once in each row."""
    places = draw.integers(1, seq, batch, 1)
    return draw.integers(0, SIZES["vocab_size"], batch, seq), (torch.arange(seq) >= places).long()


@pytest.mark.task("m16.3")
@pytest.mark.holds(
    "Its parts: `words`, `positions` and `types` (nn.Embedding, two types) and `norm` (nn.LayerNorm), and no other "
    "state.",
)
def test_the_embeddings_have_three_tables_and_a_norm(student):
    """The state of the embeddings has the names and shapes of the docstring, and nothing else."""
    made = student.BertEmbeddings(31, 13, 12, 0.1, 1e-12)
    found = {name: tuple(value.shape) for name, value in student.plant(probes).state(made).items()}
    expected = oracle.shapes(SIZES)
    wanted = {name.removeprefix("embeddings."): shape for name, shape in expected.items() if "embeddings" in name}
    more = {name: shape for name, shape in found.items() if name not in wanted}
    mistake = BUFFER if {*more.values()} <= {(13,), (1, 13)} else OTHER_STATE
    misses = {mistake: wanted | more} if more else {}
    expect_equal(found, wanted, misses=misses, what="the table of shapes")


@pytest.mark.task("m16.3")
@pytest.mark.holds(
    "Add up what a token is, where it stands and which text it is of, and normalise the sum.",
    "Positions count from 0; without types all are 0.",
)
@pytest.mark.parametrize("kind", ["types", "no_types", "full", "single"])
def test_three_vectors_are_added_and_normalised(student, draw, kind):
    """Words, positions from 0 and types are added and normalised, also in a batch of one; without types all are 0."""
    state = oracle.part(oracle.random_state(draw), "embeddings")
    ids, types = given(draw, batch=1 if kind == "single" else 3, seq=SIZES["context_length"] if kind == "full" else 7)
    types = None if kind == "no_types" else types
    made = embeddings(student, state)
    args = (ids,) if types is None else (ids, types)
    mistake = FULL if kind == "full" else None
    actual = expect_answer(made, *args, simpler=tuple(part[:, :-1] for part in args), mistake=mistake)
    expected, misses = oracle.embedded(state, ids, types).float(), oracle.embedding_misses(state, ids, types)
    expect_close(actual, expected, atol=FLOAT32_LAYER, misses=misses)


@pytest.mark.task("m16.3")
@pytest.mark.holds("Add up what a token is, where it stands and which text it is of, and normalise the sum.")
@pytest.mark.parametrize("eps", [1e-12, 1e-5, 1e-3])
def test_the_norm_has_the_eps_handed_in(student, draw, eps):
    """Vectors of a thousandth's size, to which eps matters, are normalised with the eps that was given."""
    state = oracle.part(oracle.random_state(draw), "embeddings")
    state = {name: value if name.startswith("norm") else value * 1e-3 for name, value in state.items()}
    ids, types = given(draw)
    expected = oracle.embedded(state, ids, types, eps=eps).float()
    misses = oracle.embedding_misses(state, ids, types, eps)
    # The sum loses its last digits where its numbers cancel, and the norm makes them a thousand times as large.
    expect_close(embeddings(student, state, eps=eps)(ids, types), expected, atol=FLOAT32_LAYER, misses=misses)


@pytest.mark.task("m16.3")
@pytest.mark.holds("Raises ValueError, naming both numbers, when a row has more ids than context_length.")
def test_more_ids_than_positions_are_refused(student, draw):
    """Fourteen ids for a context of 13 raise ValueError with both numbers in its text."""
    state = oracle.part(oracle.random_state(draw), "embeddings")
    made, (ids, _) = embeddings(student, state), given(draw, seq=14)
    mistake = "ids beyond the context are accepted"
    expect_raises("ValueError", made, ids, mentions=("14", "13"), fine=(ids[:, :13],), mistake=mistake)


@pytest.mark.task("m16.3")
@pytest.mark.holds("In training mode only, dropout falls on the result.")
def test_dropout_falls_on_normalised_sums(student, draw):
    """In training half of the result is 0 and the rest doubled; in eval mode nothing is."""
    state = oracle.part(oracle.random_state(draw), "embeddings")
    ids, types = given(draw, 8, 13)
    made = embeddings(student, state, dropout=0.5)
    expected = oracle.embedded(state, ids, types).float()
    first, second = made(ids, types), made(ids, types)
    misses = oracle.awake(first, second)
    expect_close(first, expected, atol=FLOAT32_LAYER, misses=misses, what="the eval result")
    trained = student.plant(probes).in_training(made, ids, types)
    expect_tensor(trained, shape=tuple(expected.shape), dtype=torch.float32, what="the result in training")
    gone = float((trained == 0).double().mean())
    mistake = (BEFORE_NORM if not torch.allclose(trained, expected, atol=1e-3) else ASLEEP) if gone == 0 else None
    # Of 1,248 numbers: a share's standard deviation is 0.014.
    expect_bound(gone, f"{gone:.0%} of the result is 0, expected 50%.", above=0.35, below=0.65, mistake=mistake)
    kept = expected.where(trained != 0, 0.0)
    misses = {"what is kept does not grow by 1 / (1 - dropout)": kept}
    expect_close(trained, 2 * kept, atol=FLOAT32_MODEL, misses=misses, what="the result in training", follows=True)


@pytest.mark.task("m16.3")
@pytest.mark.warm("torch._dynamo")
def test_embeddings_stay_on_their_device(student, draw):
    """Positions, and the types that nobody gave, are made where the ids are."""
    state = oracle.part(oracle.random_state(draw), "embeddings")
    ids, types = given(draw)
    made = embeddings(student, state)
    misses = oracle.embedding_misses(state, ids, None)
    expect_close(made(ids), oracle.embedded(state, ids, None).float(), atol=FLOAT32_LAYER, misses=misses)
    for args in ([ids], [ids, types]):
        expect_one_device(student, made, args, mistake=DEVICE)


# ── m16.4 ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def block_of(student, state, dropout=0.0, eps=oracle.EPS):
    """Return an EncoderBlock with these weights, in eval mode."""
    made = student.EncoderBlock(SIZES["d_model"], SIZES["n_heads"], SIZES["d_ff"], dropout, eps)
    return student.plant(probes).fill(made, state)


def some(draw, dtype=torch.float32, batch=4, seq=6):
    """Draw a stream, and a mask with padding on the right, on the left, in between, and at both ends."""
    mask = torch.ones(batch, seq, dtype=torch.bool)
    mask[0, 4:], mask[1, :2], mask[2, 3], mask[3, ::5] = False, False, False, False
    return draw.normal(batch, seq, SIZES["d_model"], dtype=dtype), mask


@pytest.mark.task("m16.4")
@pytest.mark.holds(
    "Its parts: `query`, `key`, `value`, `out` and `norm_1`; `up` (to d_ff), the exact GELU (by erf), `down`, "
    "`norm_2`.",
    "Linear ones have a bias.",
)
def test_a_block_has_eight_parts(student):
    """The state has the names and shapes of the docstring, and nothing else."""
    made = student.EncoderBlock(12, 3, 20, 0.1, 1e-12)
    found = {name: tuple(value.shape) for name, value in student.plant(probes).state(made).items()}
    wanted = {
        name.removeprefix("blocks.0."): shape for name, shape in oracle.shapes(SIZES).items() if name[:8] == "blocks.0"
    }
    bare = {name: shape for name, shape in wanted.items() if name.endswith("weight") or "norm" in name}
    heads = {name: shape for name, shape in wanted.items() if name in bare or name[:2] in ("up", "do")}
    misses = {"linear layers have no bias": bare, "the heads' linear layers have no bias": heads}
    expect_equal(found, wanted, misses=misses, what="the table of shapes")


@pytest.mark.task("m16.4")
@pytest.mark.holds(
    "Let tokens look at each other, in both directions, then let each think: x becomes norm(x + part(x)), twice.",
    "Its parts: `query`, `key`, `value`, `out` and `norm_1`; `up` (to d_ff), the exact GELU (by erf), `down`, "
    "`norm_2`.",
    "None: no padding.",
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])
def test_a_block_normalises_sums(student, draw, dtype):
    """Attention in both directions and then two layers with the exact GELU, each added and the sum normalised."""
    state = {name: value.to(dtype) for name, value in oracle.part(oracle.random_state(draw), "blocks.0").items()}
    x, _ = some(draw, dtype)
    made = block_of(student, state)
    if dtype == torch.float64:
        made = student.plant(probes).fill(made.double(), state)
    expected, misses = oracle.block(x, state, 3, None).to(dtype), oracle.block_misses(x, state, 3, None)
    atol = FLOAT64 if dtype == torch.float64 else FLOAT32_LAYER
    expect_close(made(x), expected, atol=atol, misses=misses)


@pytest.mark.task("m16.4")
@pytest.mark.holds(
    'Nobody sees padding, where `mask` ("batch seq") is False or 0; True or 1 is a token.',
)
@pytest.mark.parametrize("kind", ["booleans", "integers"])
def test_nobody_sees_padding(student, draw, kind):
    """Padding on any side is hidden from every query and head, by a mask of booleans and by one of 0 and 1."""
    state = oracle.part(oracle.random_state(draw), "blocks.0")
    x, mask = some(draw)
    x, mask = (x, mask) if kind == "booleans" else (x[3:], mask[3:])  # a batch of one
    expected, misses = oracle.block(x, state, 3, mask).float(), oracle.block_misses(x, state, 3, mask)
    given_mask, mistake = (mask.long(), AS_NUMBERS) if kind == "integers" else (mask, None)
    actual = expect_answer(block_of(student, state), x, given_mask, simpler=(x, mask), mistake=mistake)
    expect_close(actual, expected, atol=FLOAT32_LAYER, misses=misses)


@pytest.mark.task("m16.4")
@pytest.mark.holds(
    'Nobody sees padding, where `mask` ("batch seq") is False or 0; True or 1 is a token.',
)
def test_nobody_sees_padding_where_scores_are_low(student, draw):
    """Padding is hidden also where all tokens' scores are about -450."""
    state = {name: value.double() for name, value in oracle.part(oracle.random_state(draw), "blocks.0").items()}
    firsts = torch.arange(SIZES["d_model"]) % (SIZES["d_model"] // SIZES["n_heads"]) == 0  # of each head
    state |= {"query.bias": state["query.bias"] + 30 * firsts, "key.bias": state["key.bias"] - 30 * firsts}
    x, mask = some(draw, torch.float64)
    made = student.plant(probes).fill(block_of(student, state).double(), state)
    expected, misses = oracle.block(x, state, 3, mask), oracle.block_misses(x, state, 3, mask)
    expect_close(made(x, mask), expected, atol=FLOAT64, misses=misses)


@pytest.mark.task("m16.4")
@pytest.mark.holds(
    'Nobody sees padding, where `mask` ("batch seq") is False or 0; True or 1 is a token.',
)
def test_what_stands_in_padding_changes_nothing(student, draw):
    """Other vectors under the padding leave every token's vector as it is."""
    state = oracle.part(oracle.random_state(draw), "blocks.0")
    x, mask = some(draw)
    made = block_of(student, state)
    other = x.where(mask[..., None], 50 * draw.normal(*x.shape))
    expected = oracle.block(x, state, 3, mask).float()
    for what, value in (("", x), (" with other padding", other)):
        actual = made(value, mask)
        expect_tensor(actual, shape=tuple(x.shape), dtype=torch.float32, what=f"the result{what}")
        misses = {words: make()[mask] for words, make in oracle.block_misses(value, state, 3, mask).items()}
        expect_close(actual[mask], expected[mask], atol=FLOAT32_LAYER, misses=misses, what=f"what tokens get{what}")


@pytest.mark.task("m16.4")
@pytest.mark.holds(
    "Let tokens look at each other, in both directions, then let each think: x becomes norm(x + part(x)), twice.",
)
@pytest.mark.parametrize("eps", [1e-12, 1e-3])
def test_a_blocks_norms_have_the_eps_handed_in(student, draw, eps):
    """Sums of a hundredth's size, to which eps matters, are normalised with the eps that was given."""
    state = oracle.part(oracle.random_state(draw), "blocks.0")
    small = ("norm_1.weight", "norm_1.bias", "out.weight", "out.bias", "down.weight", "down.bias")
    state = {name: value * 3e-3 if name in small else value for name, value in state.items()}
    x = 3e-3 * some(draw)[0]
    expected, misses = oracle.block(x, state, 3, None, eps=eps).float(), oracle.block_misses(x, state, 3, None, eps)
    expect_close(block_of(student, state, eps=eps)(x), expected, atol=FLOAT32_LAYER, misses=misses)


@pytest.mark.task("m16.4")
def test_every_part_of_a_block_learns(student, draw):
    """The gradients of all parameters and of the stream are those of the same block elsewhere."""
    state = oracle.part(oracle.random_state(draw), "blocks.0")
    (x, mask), mix = some(draw), draw.normal(4, 6, SIZES["d_model"])
    found = student.probe.gradients(block_of(student, state), [x, mask], mix)
    leaves = {name: value.double().requires_grad_(True) for name, value in state.items()}
    stream = x.double().requires_grad_(True)
    total = (oracle.block(stream, leaves, 3, mask) * mix).sum()
    names = [name for name in leaves if name != "key.bias"]  # it moves all scores of a query alike: its gradient is 0
    right = torch.autograd.grad(total, [*(leaves[name] for name in names), stream])
    for name, actual, expected in zip(
        [*names, "x"], [*(found["parameters"].get(name) for name in names), found["args"][0]], right, strict=True
    ):
        expect(actual is not None, f"{name} has no gradient.", mistake=CUT)
        atol = min(1e-4 * float(expected.abs().max()), 0.009 * float(expected.abs().median()))
        misses = {CUT: torch.zeros_like(expected).float()}
        what = f"the gradient of {name}"
        expect_close(actual, expected.float(), atol=atol, rtol=1e-3, misses=misses, what=what)


@pytest.mark.task("m16.4")
@pytest.mark.holds("In training mode only, dropout falls on attention's weights and on what either part adds.")
def test_dropout_rests_in_eval_mode(student, draw):
    """In eval mode a block with dropout 0.5 gives what it gives without."""
    state = oracle.part(oracle.random_state(draw), "blocks.0")
    x, mask = some(draw)
    made, expected = block_of(student, state, dropout=0.5), oracle.block(x, state, 3, mask).float()
    first, second = made(x, mask), made(x, mask)
    misses = oracle.awake(first, second) or oracle.block_misses(x, state, 3, mask)
    expect_close(first, expected, atol=FLOAT32_LAYER, misses=misses, what="the result in eval mode")


@pytest.mark.task("m16.4")
@pytest.mark.holds("In training mode only, dropout falls on attention's weights and on what either part adds.")
@pytest.mark.parametrize("part", ["out", "down"])
def test_dropout_falls_on_what_is_added(student, part):
    """Where a part adds 1 to zeros everywhere, half of that is 0 in training, and the norm shows which half."""
    rows = in_training(student, {f"{part}.bias": torch.ones(12)})
    fallen = float((rows < -1e-3).double().mean())
    mistake = NOT_ADDED[part] if fallen == 0 else None
    # Of 2,496 numbers: a share's standard deviation is 0.01.
    said = f"{fallen:.0%} of what {part} gives is 0 in training, expected 50%."
    expect_bound(fallen, said, above=0.4, below=0.6, mistake=mistake)


@pytest.mark.task("m16.4")
@pytest.mark.holds("In training mode only, dropout falls on attention's weights and on what either part adds.")
def test_dropout_falls_on_the_attentions_weights(student):
    """Where all values are 1, heads give different sums in training, since different weights have fallen out."""
    rows = in_training(student, {"value.bias": torch.ones(12), "out.weight": torch.eye(12)})
    # What out gives is 0 or the head's sum; the norm keeps apart what is apart.
    kinds = [len({round(value, 3) for value in row}) for row in rows.tolist()]
    several = sum(count > 2 for count in kinds) / len(kinds)
    mistake = ON_WEIGHTS if several == 0 else None
    # Some 90 % of 208 rows: a standard deviation of 0.02.
    expect_bound(several, f"In {several:.0%} of the rows heads give different sums.", above=0.6, mistake=mistake)


@pytest.mark.task("m16.4")
@pytest.mark.holds("In training mode only, dropout falls on attention's weights and on what either part adds.")
def test_no_dropout_falls_on_the_stream(student, draw):
    """Where neither part adds anything, a block gives in training what it gives without dropout."""
    x, state = draw.normal(16, 13, 12), nothing_added()
    made, planted = block_of(student, state, dropout=0.5), student.plant(probes)
    first, second = planted.in_training(made, x), planted.in_training(made, x)
    misses = {ON_STREAM: first} if by_chance(first, second) else {}
    expected = oracle.block(x, state, 3, None).float()
    expect_close(first, expected, atol=FLOAT32_LAYER, misses=misses, what="the result in training")


@pytest.mark.task("m16.4")
@pytest.mark.holds("In training mode only, dropout falls on attention's weights and on what either part adds.")
def test_no_dropout_falls_within_the_second_part(student):
    """Where all that is thought is alike, what falls out leaves two kinds of numbers, and not sums of what is left."""
    two = torch.eye(12, 20) + torch.eye(12, 20).roll(1, dims=1)  # each number is the sum of two neighbours
    rows = in_training(student, {"up.bias": torch.ones(20), "down.weight": two})
    kinds = [len({round(value, 2) for value in row}) for row in rows.tolist()]
    several = sum(count > 2 for count in kinds) / len(kinds)
    mistake = WITHIN if several < 0.9 else None  # nearly all are where it falls on the block's result
    # None of the 208 rows; where dropout falls within, 70 % (a standard deviation of 3).
    said = f"In {several:.0%} of the rows there are more than two kinds."
    expect_bound(several, said, below=0.3, mistake=mistake)


def nothing_added():
    """Return a block's weights, all 0 but the norms'."""
    shapes = {name: shape for name, shape in oracle.shapes(SIZES).items() if name.startswith("blocks.0.")}
    state = {name.removeprefix("blocks.0."): torch.zeros(shape) for name, shape in shapes.items()}
    return state | {"norm_1.weight": torch.ones(12), "norm_2.weight": torch.ones(12)}


def in_training(student, changes):
    """Return the rows that a block gives for zeros, dropout 0.5, all its weights 0 but the norms' and these."""
    state = nothing_added() | changes
    rows = student.plant(probes).in_training(block_of(student, state, dropout=0.5), torch.zeros(16, 13, 12))
    expect_tensor(rows, shape=(16, 13, 12), dtype=torch.float32, what="the result in training")
    return rows.flatten(0, 1)


@pytest.mark.task("m16.4")
@pytest.mark.warm("torch._dynamo")
def test_a_block_stays_on_its_device(student, draw):
    """On another device than the default one, everything is made where the stream is."""
    state = oracle.part(oracle.random_state(draw), "blocks.0")
    x, mask = some(draw)
    made = block_of(student, state)
    expected, misses = oracle.block(x, state, 3, mask).float(), oracle.block_misses(x, state, 3, mask)
    expect_close(made(x, mask), expected, atol=FLOAT32_LAYER, misses=misses)
    for args in ([x], [x, mask]):
        expect_one_device(student, made, args, mistake=DEVICE)
