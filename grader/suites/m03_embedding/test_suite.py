"""m03_embedding: a vector for every token, one for every position, learned or computed, and their sum."""

import pytest
import torch

from grader.judge import (
    FLOAT32_LAYER,
    FLOAT32_OP,
    StudentError,
    achieve,
    asked,
    expect,
    expect_answer,
    expect_close,
    expect_equal,
    expect_raises,
    expect_ratio,
    expect_tensor,
    expect_unchanged,
)

from . import oracle


def tokens_with(student, table):
    """Make the student's TokenEmbedding with this table."""
    layer = student.TokenEmbedding(*table.shape)
    layer.load_state_dict({"weight": table})
    return layer


def positions_with(student, table):
    """Make the student's LearnedPositions with this table."""
    layer = student.LearnedPositions(*table.shape)
    layer.load_state_dict({"weight": table})
    return layer


def expect_table(student, layer, shape):
    """Compare what a layer keeps and what it learns with one table of this shape."""
    found = sorted(layer.state_dict())
    expect_equal(found, ["weight"], misses=oracle.state_misses(found), what="the list of keys of state_dict()")
    learnt = {name: tuple(value.shape) for name, value in student.probe.parameters(layer).items()}
    expect("weight" in learnt, f"The parameters are {sorted(learnt)}.", mistake=oracle.NOT_LEARNT)
    expect_equal(learnt, {"weight": shape}, what="the shape of each parameter")


def expect_sum(student, tokens, positions, ids, start=0, expected=None):
    """Embed with tables that the judge holds, and compare with the sum of their rows."""
    wte = student.callback(lambda ids, /: tokens[ids], asked.ids(below=len(tokens), most=4 * ids.numel()))
    wpe = student.callback(lambda seq, start=0, /: oracle.rows(positions, seq, start), asked.whole, asked.whole)
    try:
        actual = student.embed(wte, wpe, ids, start) if start else student.embed(wte, wpe, ids)
    except StudentError as error:
        if "positional only" in error.text:  # what the judge's function said to a call by keyword
            error.mistake = oracle.KEYWORD
        elif "'Callback' object" in error.text:
            error.mistake = oracle.LOOKS_INSIDE
        raise
    expected = tokens[ids] + positions[start : start + ids.shape[1]] if expected is None else expected
    expect_close(actual, expected, atol=FLOAT32_OP, misses=oracle.sum_misses(tokens, positions, ids, start))


@pytest.mark.task("m03.1")
@pytest.mark.holds(
    "A table with one row for every token: Radford et al. (2018), section 3.1, its W_e.",
    "Its only state is the nn.Parameter `weight` (vocab_size, d_model), drawn from a normal distribution with "
    "mean 0 and standard deviation 0.02.",
)
def test_its_state_is_one_table_that_learns(student):
    """A TokenEmbedding keeps and learns `weight`, of shape (vocab_size, d_model), and nothing else."""
    expect_table(student, student.TokenEmbedding(11, 5), (11, 5))


@pytest.mark.task("m03.1")
@pytest.mark.holds("Example: from the table [[1, 2], [3, 4], [5, 6]] the ids [[2, 0]] take [[[5, 6], [1, 2]]].")
def test_two_tokens_as_in_the_docstring(student):
    """From the table [[1, 2], [3, 4], [5, 6]] the ids [[2, 0]] take [[[5, 6], [1, 2]]]."""
    table, ids = torch.tensor([[1.0, 2], [3, 4], [5, 6]]), torch.tensor([[2, 0]])
    expected = torch.tensor([[[5.0, 6], [1, 2]]])
    expect_close(tokens_with(student, table)(ids), expected, atol=0.0, misses=oracle.lookup_misses(table, ids))


@pytest.mark.task("m03.1")
@pytest.mark.holds(
    "Take each id's row, in the table's dtype; the cost does not grow with vocab_size, and seq may be 0.",
)
def test_each_id_takes_its_row(student, draw):
    """A batch of 3 sequences of 7 ids gives each id its row, the first and the last of 11 rows included."""
    table, ids = draw.normal(11, 5), draw.integers(0, 11, 3, 7)
    ids[1, 2], ids[2, 4] = 0, 10
    actual, misses = tokens_with(student, table)(ids), oracle.lookup_misses(table, ids)
    expect_close(actual, table[ids], atol=FLOAT32_OP, misses=misses)  # some mistakes are sums, and those are rounded


@pytest.mark.task("m03.1")
@pytest.mark.holds(
    "Its only state is the nn.Parameter `weight` (vocab_size, d_model), drawn from a normal distribution with "
    "mean 0 and standard deviation 0.02.",
)
def test_a_fresh_table_is_normal_and_small(student):
    """A fresh table comes from a normal distribution with mean 0 and standard deviation 0.02."""
    table = student.TokenEmbedding(1500, 80).state_dict()["weight"]
    expect_tensor(table, shape=(1500, 80), dtype=torch.float32, what="the table")
    oracle.expect_normal(table, 0.02)


@pytest.mark.task("m03.1")
def test_an_id_that_occurs_twice_learns_twice(student, draw):
    """The gradients of all occurrences of an id add up in its row, and the rows of other ids get none."""
    table, weights = draw.normal(11, 5), draw.normal(2, 4, 5)
    ids = torch.tensor([[3, 7, 3, 10], [0, 3, 7, 9]])
    expected = torch.zeros(11, 5).index_add(0, ids.flatten(), weights.flatten(0, 1))
    actual = oracle.gradient(student, tokens_with(student, table), [ids], weights)
    misses = oracle.gradient_misses(table, ids, weights)
    expect_close(actual, expected, atol=FLOAT32_OP, misses=misses, what="the gradient of the table")


@pytest.mark.task("m03.1")
@pytest.mark.holds("Raises IndexError, naming such an id and vocab_size, when an id is not among 0 to vocab_size - 1.")
@pytest.mark.parametrize("wrong", [53, -1, -70], ids=["vocab_size", "minus_1", "below"])
def test_an_id_without_a_row_is_refused(student, draw, wrong):
    """An id beyond the table, or a negative one, raises IndexError with that id and vocab_size in its text."""
    table, ids = draw.normal(53, 5), draw.integers(0, 53, 2, 7)
    ids[1, 4] = wrong
    misses = {
        oracle.CLAMPS_ID: table[ids.clamp(0, 52)],
        oracle.WRAPS_ID if wrong < 0 else oracle.MODULO_ID: table[ids % 53],
        "an id outside gives zeros": table[ids.clamp(0, 52)] * ((ids >= 0) & (ids < 53))[..., None],
    }
    oracle.expect_refusal("IndexError", tokens_with(student, table), ids, mentions=(str(wrong), "53"), misses=misses)


@pytest.mark.task("m03.1")
def test_ids_and_table_stay_as_they_were(student, draw):
    """Neither the ids nor the table are changed by a call."""
    table, ids = draw.normal(11, 5), draw.integers(0, 11, 3, 7)
    layer = tokens_with(student, table)
    after = student.probe.mutated(layer, ids)["args"][0]
    expect_unchanged(after, ids, what="the tensor of ids after the call")
    expect_unchanged(layer.state_dict()["weight"], table, what="the table after the call")


@pytest.mark.task("m03.1")
@pytest.mark.holds(
    "Take each id's row, in the table's dtype; the cost does not grow with vocab_size, and seq may be 0.",
)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16], ids=["float64", "float16"])
def test_the_vectors_have_the_tables_dtype(student, draw, dtype):
    """A layer that was converted to another dtype gives its rows in that dtype."""
    table, ids = draw.normal(11, 5, dtype=dtype), draw.integers(0, 11, 3, 7)
    layer = student.TokenEmbedding(11, 5).to(dtype)
    layer.load_state_dict({"weight": table})
    expect_close(layer(ids), table[ids], atol=0.0)


@pytest.mark.task("m03.1")
@pytest.mark.holds(
    "Take each id's row, in the table's dtype; the cost does not grow with vocab_size, and seq may be 0.",
)
def test_no_ids_give_no_vectors(student, draw):
    """Three empty sequences give a tensor of shape (3, 0, 5), not an error."""
    layer, none = tokens_with(student, draw.normal(11, 5)), torch.zeros(3, 0, dtype=torch.int64)
    some = torch.zeros(3, 1, dtype=torch.int64)
    actual = expect_answer(layer, none, simpler=(some,), mistake=oracle.NO_IDS)
    expect_close(actual, torch.zeros(3, 0, 5), atol=0.0)


@pytest.mark.task("m03.1")
@pytest.mark.holds(
    "Take each id's row, in the table's dtype; the cost does not grow with vocab_size, and seq may be 0.",
)
def test_a_large_vocabulary_costs_no_more(student, draw):
    """Looking up 250 ids costs the same in a table of 50,000 rows as in one of 50."""

    def cost(vocab_size):
        layer, ids = student.TokenEmbedding(vocab_size, 8), draw.integers(0, vocab_size, 2, 125)
        expect_tensor(layer(ids), shape=(2, 125, 8), dtype=torch.float32)
        before = student.cpu_seconds()
        for _ in range(8):
            layer(ids)
        return max(student.cpu_seconds() - before, 0.02)

    message = "The large table took {ratio:.0f} times the processor time (a lookup: about 1, allowed: 8)."
    expect_ratio(lambda: cost(50_000) / cost(50), below=8, message=message, mistake=oracle.GROWS)


@pytest.mark.task("m03.2")
@pytest.mark.holds(
    "A table with one row for every position, learned like any weight: Radford et al. (2018), section 3.1, its W_p.",
    "Its only state is the nn.Parameter `weight` (context_length, d_model), drawn as the tokens' table is.",
)
def test_its_state_is_one_table_of_positions(student):
    """A LearnedPositions keeps and learns `weight`, of shape (context_length, d_model), and nothing else."""
    expect_table(student, student.LearnedPositions(11, 6), (11, 6))


@pytest.mark.task("m03.2")
@pytest.mark.holds(
    "Take the rows of the seq positions from `start` on; the first position of all is 0.",
    "Example: from the table [[1, 2], [3, 4], [5, 6]], seq 2 takes [[1, 2], [3, 4]], and [[3, 4], [5, 6]] from 1 on.",
)
@pytest.mark.parametrize(("seq", "start"), [(4, 0), (4, 3), (11, 0), (0, 4)])
def test_positions_are_the_rows_from_start_on(student, draw, seq, start):
    """As many rows as asked for come, from `start` (or 0) on, up to the last one of the context."""
    table = draw.normal(11, 6)
    args, expected = (seq, start) if start else (seq,), table[start : start + seq]
    layer, misses = positions_with(student, table), oracle.position_misses(table, seq, start)
    if start + seq == 11:
        actual = expect_answer(layer, *args, simpler=(seq - 1, start), mistake=oracle.NO_LAST)
    else:
        actual = layer(*args)
    expect_close(actual, expected, atol=0.0, misses=misses)


@pytest.mark.task("m03.2")
@pytest.mark.holds(
    "Its only state is the nn.Parameter `weight` (context_length, d_model), drawn as the tokens' table is.",
)
def test_a_fresh_table_of_positions_is_normal_and_small(student):
    """A fresh table of positions is drawn as that of tokens is: mean 0, standard deviation 0.02."""
    table = student.LearnedPositions(1600, 75).state_dict()["weight"]
    expect_tensor(table, shape=(1600, 75), dtype=torch.float32, what="the table")
    oracle.expect_normal(table, 0.02)


@pytest.mark.task("m03.2")
@pytest.mark.holds(
    "A table with one row for every position, learned like any weight: Radford et al. (2018), section 3.1, its W_p.",
)
def test_only_the_positions_in_use_learn(student, draw):
    """Gradients arrive at the rows that were taken, and nowhere else."""
    weights, expected = draw.normal(4, 6), torch.zeros(11, 6)
    expected[3:7] = weights
    actual = oracle.gradient(student, positions_with(student, draw.normal(11, 6)), [4, 3], weights)
    misses = {oracle.CUT: torch.zeros(11, 6)}
    expect_close(actual, expected, atol=FLOAT32_OP, misses=misses, what="the gradient of the table")


@pytest.mark.task("m03.2")
@pytest.mark.holds(
    "Raises ValueError when there are too few rows, naming the sum start + seq and context_length, and when "
    "start is negative, naming it.",
)
@pytest.mark.parametrize(("seq", "start"), [(38, 0), (9, 31), (60, 50)])
def test_too_long_a_sequence_is_refused(student, draw, seq, start):
    """More positions than there are raise ValueError with start + seq and context_length in its text."""
    table = draw.normal(37, 6)
    misses = oracle.overlong_misses(table, seq, start)
    mentions = (str(start + seq), "37")
    oracle.expect_refusal("ValueError", positions_with(student, table), seq, start, mentions=mentions, misses=misses)


@pytest.mark.task("m03.2")
@pytest.mark.holds(
    "Raises ValueError when there are too few rows, naming the sum start + seq and context_length, and when "
    "start is negative, naming it.",
)
def test_a_negative_start_is_refused(student, draw):
    """A start of -5 or -1 raises ValueError with that number in its text, and is not counted from the end."""
    table = draw.normal(37, 6)
    for start in (-5, -1):
        misses = {"a negative start counts from the end of the table": table[start:][:3]}
        mentions = (str(start),)
        oracle.expect_refusal("ValueError", positions_with(student, table), 3, start, mentions=mentions, misses=misses)


@pytest.mark.task("m03.3")
@pytest.mark.holds(
    "Float32, on the device asked for.",
    "Example: of width 4, position 0 is [0, 1, 0, 1], and position 1 is [0.8415, 0.5403, 0.01, 0.99995].",
)
def test_two_positions_of_width_four(student):
    """The first two positions of width 4 are those of the docstring."""
    expected = torch.tensor([[0.0, 1, 0, 1], [0.841471, 0.540302, 0.0099998, 0.99995]])
    actual = student.sinusoidal_positions(2, 4)
    expect_close(actual, expected, atol=FLOAT32_LAYER, misses=oracle.wave_misses(2, 4))


@pytest.mark.task("m03.3")
@pytest.mark.holds(
    "Compute positions instead of learning them: Vaswani et al. (2017), section 3.5.",
    "With i from 0 on, column 2 * i of position p is sin(p / 10000^(2 * i / d_model)), and column 2 * i + 1 "
    "its cosine.",
)
@pytest.mark.parametrize(("context_length", "d_model"), [(9, 6), (40, 24), (5, 2)])
def test_even_columns_are_sines_and_odd_ones_cosines(student, context_length, d_model):
    """Column 2i of position p is sin(p / 10000^(2i / d_model)), and column 2i + 1 the cosine of the same angle."""
    actual, expected = student.sinusoidal_positions(context_length, d_model), oracle.waves(context_length, d_model)
    # In float32 an angle of 40 is rounded by about 4e-6, and its factors by as much.
    expect_close(actual, expected, atol=1e-4, misses=oracle.wave_misses(context_length, d_model))


@pytest.mark.task("m03.3")
@pytest.mark.holds(
    "With i from 0 on, column 2 * i of position p is sin(p / 10000^(2 * i / d_model)), and column 2 * i + 1 "
    "its cosine.",
)
def test_far_positions_are_right_too(student):
    """Positions up to 7,999 are as exact as float32 angles allow; half precision would be far off."""
    actual, expected = student.sinusoidal_positions(8000, 16), oracle.waves(8000, 16)
    found = len(actual) if isinstance(actual, torch.Tensor) and actual.ndim else 0
    # A float32 angle of 8,000 is rounded by up to 2.4e-4, and its factors by as much.
    expect_close(actual, expected, atol=5e-3, misses=oracle.far_misses(8000, 16, found))


@pytest.mark.task("m03.3")
@pytest.mark.holds("Compute positions instead of learning them: Vaswani et al. (2017), section 3.5.")
def test_nearness_depends_on_distance_alone(student, draw):
    """The dot product of two positions depends on their distance alone: shifting both changes nothing."""
    context_length, d_model = draw.random.randint(20, 50), 2 * draw.random.randint(5, 15)
    table = student.sinusoidal_positions(context_length, d_model)
    expect_tensor(table, shape=(context_length, d_model), dtype=torch.float32)
    speeds = 10_000 ** (-torch.arange(0, d_model, 2).double() / d_model)
    distance = torch.arange(float(context_length))[:, None] - torch.arange(float(context_length))
    expected = (distance.double()[..., None] * speeds).cos().sum(-1).float()
    wrong = oracle.wave_misses(context_length, d_model)
    misses = {words: make() @ make().T for words, make in wrong.items()}
    expect_close(table @ table.T, expected, atol=1e-3, misses=misses, what="the table of dot products")
    near, far = (float(table[0] @ table[apart] / table[0].square().sum()) for apart in (1, 19))
    achieve(f"Nobody taught your waves: the cosine of two neighbours is {near:.2f}, of places 19 apart {far:.2f}.")


@pytest.mark.task("m03.3")
@pytest.mark.holds("Raises ValueError, naming d_model, when it is odd.")
def test_an_odd_width_is_refused(student):
    """A width of 13 raises ValueError with that number in its text."""
    expect_raises("ValueError", student.sinusoidal_positions, 7, 13, mentions=("13",))


@pytest.mark.task("m03.3")
@pytest.mark.holds("Float32, on the device asked for.")
@pytest.mark.warm("torch._dynamo")
def test_computed_positions_are_made_on_the_device_asked_for(student):
    """sinusoidal_positions(context_length, d_model, device) makes the table on that device."""
    device = str(student.sinusoidal_positions(7, 4, device="meta").device)
    expect(device == "meta", f"The table is on {device}, expected meta.", mistake=oracle.ELSEWHERE)


@pytest.mark.task("m03.4")
def test_dog_bites_man_is_not_man_bites_dog(student):
    """The guide's three tokens at the guide's three positions give its sums, in either order."""
    tokens = torch.tensor([[1.0, 2], [3, 4], [5, 6]])
    positions = torch.tensor([[10.0, 0], [20, 0], [30, 0], [40, 0]])
    ids = torch.tensor([[0, 1, 2], [2, 1, 0]])
    expected = torch.tensor([[[11.0, 2], [23, 4], [35, 6]], [[15, 6], [23, 4], [31, 2]]])
    expect_sum(student, tokens, positions, ids, expected=expected)


@pytest.mark.task("m03.4")
@pytest.mark.holds(
    "Add each token's vector, wte(ids), and its position's, wpe(seq, start): what a GPT's first block gets to see.",
    "Either is anything that can be called so, and all that is asked of it.",
    "The first token of every sequence stands at position `start`.",
)
@pytest.mark.parametrize("start", [0, 4])
def test_every_sequence_gets_the_same_positions(student, draw, start):
    """Token i of each of 3 sequences gets its own row plus that of position start + i."""
    expect_sum(student, draw.normal(23, 6), draw.normal(12, 6), draw.integers(0, 23, 3, 5), start)


@pytest.mark.task("m03.4")
def test_a_batch_as_large_as_its_sequences_are_long(student, draw):
    """With as many sequences as tokens in each, positions still count along the sequence."""
    expect_sum(student, draw.normal(23, 6), draw.normal(12, 6), draw.integers(0, 23, 5, 5), 2)


@pytest.mark.task("m03.4")
@pytest.mark.holds(
    "Add each token's vector, wte(ids), and its position's, wpe(seq, start): what a GPT's first block gets to see.",
)
def test_a_checkpoint_reads_as_it_was_trained(student, draw, weights):
    """With GPT-2's two tables, ids become what GPT-2 itself hands to its first block."""
    tokens = draw.permutation(weights.sizes["vocab_size"])[:600]
    state, ids = weights.linear_state(tokens), draw.integers(0, 600, 2, 9)
    wte, wpe = tokens_with(student, state["wte.weight"]), positions_with(student, state["wpe.weight"])
    misses = oracle.sum_misses(state["wte.weight"], state["wpe.weight"], ids, 0)
    expected = weights.state["wte.weight"][tokens[ids]] + weights.state["wpe.weight"][:9]
    expect_close(student.embed(wte, wpe, ids), expected, atol=FLOAT32_OP / 10, misses=misses)


@pytest.mark.task("m03.4")
@pytest.mark.holds("What they raise goes through: a sequence too long for wpe is LearnedPositions' ValueError.")
def test_positions_that_run_out_are_reported(student, draw):
    """Embedding 9 tokens from position 31 on, with a context of 37, raises LearnedPositions' ValueError."""
    wte, wpe = tokens_with(student, draw.normal(23, 6)), positions_with(student, draw.normal(37, 6))
    expect_raises("ValueError", student.embed, wte, wpe, draw.integers(0, 23, 2, 9), 31, mentions=("40", "37"))
