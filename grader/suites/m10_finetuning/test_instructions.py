"""m10_finetuning: prompts and labels, batches, a loss that looks at answers alone, and accuracy."""

import math

import pytest
import torch

from grader.judge import (
    FLOAT32_LAYER,
    FLOAT32_OP,
    FLOAT64,
    achieve,
    asked,
    expect,
    expect_bound,
    expect_close,
    expect_equal,
    expect_raises,
    expect_unchanged,
)

from . import oracle, probes
from .oracle_learning import Questions

KEPT = "the end token is added to the very list that encode returned"
HALF = "half-precision logits are scored in half precision: a sum of many losses loses its digits"
IN_TRAINING = "A module is in training mode while the model is asked."
DRAWS = "the model is asked in training mode: its dropout still draws"
COARSE = "float64 logits are scored in float32"


@pytest.mark.task("m10.2")
@pytest.mark.holds(
    'Example: {"instruction": "Add", "input": "1, 2", "output": "3"} gives "### Instruction:\\nAdd\\n\\n### '
    'Input:\\n1, 2\\n\\n### Response:\\n" and "3".',
)
def test_the_instruction_of_the_docstring(student):
    """The docstring's sum becomes its prompt and its completion."""
    example = {"instruction": "Add", "input": "1, 2", "output": "3"}
    expected = ("### Instruction:\nAdd\n\n### Input:\n1, 2\n\n### Response:\n", "3")
    misses = oracle.prompt_misses("Add", "1, 2", "3")
    expect_equal(student.format_example(example), expected, misses=misses, what="(prompt, completion)")


@pytest.mark.task("m10.2")
@pytest.mark.holds(
    "Write an instruction as prompt and completion; the completion is its output, untouched.",
    'The prompt has parts with an empty line between them: "### Instruction:\\n" and the instruction, "### '
    'Input:\\n" and the input, "### Response:\\n".',
    "An input that is empty or missing has no part.",
)
def test_instructions_have_alpacas_form(student, draw):
    """Parts stand between empty lines, an empty or missing input has none, and texts are taken as they are."""
    word = "".join(draw.random.choices("abcdefgh", k=6))
    for given in ("two\nlines, " + word, "", None):
        for output in (f"  {word}.\n", "yes"):
            example = {"output": output, "instruction": f"Say {word}: "} | ({} if given is None else {"input": given})
            expected = (oracle.prompt(f"Say {word}: ", given), output)
            misses = oracle.prompt_misses(f"Say {word}: ", given, output)
            expect_equal(student.format_example(example), expected, misses=misses, what="(prompt, completion)")


def expect_example(student, before, after, end_id):
    """Encode an example whose prompt and completion have these ids; as one text, its tokens would be others."""
    prompt, completion = "a prompt\n", "its completion"
    joint = [*before[:-1], 91, *after[1:]]  # a token that spans both, as a tokenizer may well make one
    texts = {prompt: before, completion: after, prompt + completion: joint}
    encode = student.callback(lambda text: list(texts.get(text, [92, 93])), asked.of(str))
    actual = student.encode_example(encode, prompt, completion, end_id)
    misses = oracle.example_misses(before, after, end_id)
    whole, _ = oracle.example(joint, [], end_id)
    misses["prompt and completion are encoded as one text: a token may then span both"] = lambda: (
        whole,
        [-100] * len(before) + whole[len(before) :],
    )
    expect_equal(actual, oracle.example(before, after, end_id), misses=misses, what="(ids, labels)")


@pytest.mark.task("m10.2")
@pytest.mark.holds(
    "Example: a prompt [5, 6] and a completion [7] with end_id 0 give [5, 6, 7, 0] and [-100, -100, 7, 0].",
)
def test_the_labels_of_the_docstring(student):
    """The docstring's prompt and completion become their ids and labels."""
    expect_example(student, [5, 6], [7], 0)


@pytest.mark.task("m10.2")
@pytest.mark.holds(
    "Return the ids of a prompt and its completion, each encoded by itself, and a label for each id.",
    "Labels are -100 (don't count) for the prompt's ids, else the ids themselves, end_id too; they are not shifted "
    "yet.",
)
def test_labels_stand_under_the_completion_alone(student, draw):
    """Prompt and completion are encoded apart; labels hide the prompt, and are otherwise the ids, not shifted."""
    for before, after in ((5, 4), (1, 1), (3, 0)):
        expect_example(student, draw.integers(1, 90, before).tolist(), draw.integers(1, 90, after).tolist(), 95)


@pytest.mark.task("m10.2")
@pytest.mark.holds("An end_id ends the ids: it is added unless the completion's ids end with it.")
def test_an_end_token_is_added_where_none_is(student, draw):
    """A completion that ends with the end token gets no other one; one that has it elsewhere, or nothing, gets it."""
    prompt = draw.integers(1, 90, 4).tolist()
    for completion in ([7, 8, 0], [0], [0, 7], [], [3], [7, 0, 0]):
        for before in (prompt, [*prompt, 0]):
            expect_example(student, before, completion, 0)


@pytest.mark.task("m10.2")
@pytest.mark.holds("What encode returns stays as it is.")
def test_what_encode_returns_stays_as_it_is(student, draw):
    """The lists that a tokenizer returned, and may return again, are as long as before."""
    before, after = draw.integers(1, 90, 3).tolist(), draw.integers(1, 90, 4).tolist()
    texts = {"a prompt": before, "its completion": after}
    found = student.plant(probes).encoded(student.encode_example, texts, "a prompt", "its completion", 95)
    expected = oracle.example(before, after, 95)
    misses = oracle.example_misses(before, after, 95)
    expect_equal(found["result"], expected, misses=misses, what="(ids, labels)")
    lengths = [len(row) for row in found["texts"]]
    same = found["texts"] == [before, after]
    mistake = KEPT if lengths == [3, 5] else None
    expect(same, f"The lists' lengths after the call: {lengths}; expected [3, 4].", mistake=mistake, evidence="value")


def expect_batch(actual, examples, pad_id):
    """Compare a batch with the reference and the near misses."""
    shown = isinstance(actual, tuple) and len(actual) == 3
    expect(shown, "collate returns no tuple (ids, labels, mask).", evidence="value")
    misses = oracle.collate_misses(examples, pad_id)
    parts = zip(("ids", "labels", "mask"), actual, oracle.collated(examples, pad_id), strict=True)
    for name, value, expected in parts:
        expect_equal(value, expected, misses=misses[name], what=name)


@pytest.mark.task("m10.3")
@pytest.mark.holds(
    "Example: ([7, 0], [7, 0]) and ([8], [8]) with pad_id 0 give ids [[7, 0], [8, 0]], labels [[7, 0], [8, -100]].",
)
def test_the_batch_of_the_docstring(student):
    """The docstring's two examples become its batch."""
    examples = [([7, 0], [7, 0]), ([8], [8])]
    expect_batch(student.collate(examples, 0), examples, 0)


@pytest.mark.task("m10.3")
@pytest.mark.holds(
    "Make a batch (ids, labels, mask) of examples, padded on the right to the longest; they stay as they were.",
    "Padding is pad_id among the ids, -100 among the labels, False in the mask.",
    "Its place makes it padding, and never a value: a token that is pad_id stays one, and stays a label.",
)
def test_padding_is_told_by_its_place(student, draw):
    """Rows are padded on the right, each part with its own filler, and tokens that equal it stay tokens and labels."""
    for pad_id, lengths in ((95, (4, 7, 2)), (0, (6, 3)), (3, (5,))):
        examples = []
        for length in lengths:
            before, after = draw.integers(4, 90, length).tolist(), draw.integers(4, 90, 3).tolist()
            examples.append(oracle.example([*before, pad_id], [*after, pad_id], pad_id))
        expect_batch(student.collate(examples, pad_id), examples, pad_id)


@pytest.mark.task("m10.3")
@pytest.mark.holds(
    "Make a batch (ids, labels, mask) of examples, padded on the right to the longest; they stay as they were.",
)
def test_examples_stay_as_they_were(student, draw):
    """A batch is no longer than its own longest example, and the examples can be batched again with others."""
    examples = [(row, list(row)) for row in (draw.integers(1, 90, length).tolist() for length in (2, 5, 3))]
    before = [(list(ids), list(labels)) for ids, labels in examples]
    found = student.probe.mutated(student.collate, examples, 0)
    expect_batch(found["result"], before, 0)
    expect_unchanged(found["args"][0], before, what="the list of examples after the call")


@pytest.mark.task("m10.3")
@pytest.mark.holds("Raises ValueError when there is no example.")
def test_a_batch_has_an_example(student):
    """No examples at all raise ValueError."""
    fine = [([1, 2], [1, 2])], 0
    expect_raises("ValueError", student.collate, [], 0, fine=fine, what="collate with no examples")


def expect_loss(actual, logits, labels, atol=FLOAT32_LAYER):
    """Compare a loss with the reference and the near misses."""
    dtype = torch.float64 if logits.dtype == torch.float64 else torch.float32
    expected, misses = oracle.loss(logits, labels).to(dtype), oracle.loss_misses(logits, labels)
    expect_close(actual, expected, atol=atol, misses=misses, what="the loss")


def answers(draw, lengths, seq, vocab_size):
    """Draw labels of which so many count in each row, after a prompt and before some padding."""
    labels = torch.full((len(lengths), seq), -100)
    for row, (start, length) in enumerate(lengths):
        labels[row, start : start + length] = draw.integers(0, vocab_size, length)
    return labels


@pytest.mark.task("m10.3")
@pytest.mark.holds(
    "Example: logits [[[0, 0], [0, ln 3], [9, 9]]] with labels [[-100, 0, 1]] lose ln 2 and ln(4/3), "
    "0.4904 on average.",
)
def test_the_loss_of_the_docstring(student):
    """The docstring's logits lose 0.4904 nats."""
    logits = torch.tensor([[[0.0, 0.0], [0.0, math.log(3)], [9.0, 9.0]]])
    expect_loss(student.masked_loss(logits, torch.tensor([[-100, 0, 1]])), logits, torch.tensor([[-100, 0, 1]]))


@pytest.mark.task("m10.3")
@pytest.mark.holds(
    "Average the cross-entropy (in nats) over all labels of the batch that count; -100 does not.",
    "Logits at a position are for the next one's label: here the shift happens.",
)
def test_the_loss_is_an_average_over_answers(student, draw):
    """Labels that count are scored by the logits before them, and all of the batch weigh alike."""
    logits = draw.normal(3, 9, 7, scale=2.0)
    labels = answers(draw, [(5, 2), (2, 7), (0, 4)], 9, 7)
    expect_loss(student.masked_loss(logits, labels), logits, labels)
    expect_loss(student.masked_loss(logits[:1], labels[:1]), logits[:1], labels[:1])
    single = labels[1:2].where(torch.arange(9) == 5, -100)  # one label in all
    expect_loss(student.masked_loss(logits[1:2], single), logits[1:2], single)


@pytest.mark.task("m10.3")
@pytest.mark.holds("No argument changes.")
def test_logits_and_labels_stay_as_they_were(student, draw):
    """Neither the logits nor the labels are changed by the loss."""
    logits, labels = draw.normal(2, 6, 5), answers(draw, [(3, 2), (0, 4)], 6, 5)
    found = student.probe.mutated(student.masked_loss, logits, labels)
    expect_loss(found["result"], logits, labels)
    for name, after, before in zip(("logits", "labels"), found["args"], (logits, labels), strict=True):
        expect_unchanged(after, before, what=f"{name} after the call")


@pytest.mark.task("m10.3")
@pytest.mark.holds("When no label counts the loss is 0, and its gradient 0 everywhere.")
def test_no_labels_cost_nothing(student, draw):
    """Where no label counts, the first column's aside, the loss is 0 and so is its gradient."""
    labels = torch.full((2, 5), -100)
    labels[0, 0] = 3  # no position comes before it
    for shape, given in (((2, 5, 6), labels), ((2, 1, 6), labels[:, :1])):
        logits = draw.normal(*shape)
        found = student.masked_loss(logits, given)
        what = "the loss where no label counts"
        misses = {"0 is divided by 0: the mean of no numbers is not a number": torch.tensor(float("nan"))}
        expect_close(found, torch.tensor(0.0), atol=FLOAT32_OP, misses=misses, what=what)
        gradient = student.probe.gradients(student.masked_loss, [logits, given], 1.0)["args"][0]
        expect_equal(gradient, torch.zeros(*shape), what="the gradient where no label counts")


@pytest.mark.task("m10.3")
@pytest.mark.holds("When no label counts the loss is 0, and its gradient 0 everywhere.")
def test_gradients_reach_the_answers_alone(student, draw):
    """The gradient is softmax less one at the logits before a label, divided by how many count, and 0 elsewhere."""
    logits, labels = draw.normal(2, 6, 5, dtype=torch.float64), answers(draw, [(3, 2), (2, 4)], 6, 5)
    found = student.probe.gradients(student.masked_loss, [logits, labels], 1.0)["args"][0]
    leaf = logits.clone().requires_grad_(True)
    (expected,) = torch.autograd.grad(oracle.loss(leaf, labels), leaf)
    misses = {"the graph is cut: detach(), .item() or no_grad stands on the way": torch.zeros_like(expected)}
    expect_close(found, expected, atol=FLOAT64, misses=misses, what="the gradient")


@pytest.mark.task("m10.3")
@pytest.mark.holds("Half-precision logits are scored in float32, others in their dtype.")
@pytest.mark.warm("torch._dynamo")
def test_half_precision_is_scored_in_float32(student, draw):
    """Half-precision logits give a float32 loss with a float32 loss's digits, and float64 ones a float64 loss."""
    labels = answers(draw, [(5, 30), (2, 33)], 35, 7)
    for dtype, atol in ((torch.float16, FLOAT32_LAYER), (torch.bfloat16, FLOAT32_LAYER), (torch.float64, FLOAT64)):
        logits = draw.normal(2, 35, 7, scale=3.0, dtype=dtype)
        found = student.masked_loss(logits, labels)
        wrong = type(found) is torch.Tensor and found.dtype == (torch.float32 if dtype == torch.float64 else dtype)
        mistake = (COARSE if dtype == torch.float64 else HALF) if wrong else None
        said = f"For {str(dtype).removeprefix('torch.')} logits the loss has another dtype than it must have."
        expect(not wrong, said, mistake=mistake)
        expect_loss(found, logits, labels, atol)
    found = student.probe.fake_device(student.masked_loss, [draw.normal(2, 5, 7), labels[:, 3:8]])
    mistake = "something is made on the default device instead of where the logits are"
    expect(found["verdict"] != "mismatch", f"On another device: {found['message']}", mistake=mistake)


def rows_of(draw, table, sizes):
    """Draw batches of texts, so many rows each, and their classes, as often right as wrong: (ids, mask, classes)."""
    batches = []
    for size in sizes:
        ids, lengths = draw.integers(0, len(table), size, 5), draw.integers(1, 6, size)
        mask = torch.arange(5) < lengths[:, None]
        right = table[oracle.picked(ids, oracle.last_places(mask))].argmax(dim=1)
        wrong = draw.integers(0, 2, size)
        batches.append((ids, mask, (right + wrong) % table.shape[1]))
    return batches


@pytest.mark.task("m10.3")
@pytest.mark.holds(
    'Return the share of rows that model(ids, mask), "batch n_classes", gives the highest score at their own class.',
    "A batch is ids, mask and classes; all rows weigh alike, however they are batched.",
)
def test_every_row_weighs_alike(student, draw):
    """Accuracy is the share of all rows that are right, in batches of unequal sizes, asked for one by one."""
    table = draw.normal(11, 3)
    batches = rows_of(draw, table, [7, 1, 4])
    batches[1] = (*batches[1][:2], table[oracle.picked(batches[1][0], oracle.last_places(batches[1][1]))].argmax(dim=1))
    right = [
        (table[oracle.picked(ids, oracle.last_places(mask))].argmax(dim=1) == classes).double()
        for ids, mask, classes in batches
    ]
    made = student.plant(probes).scores(table)
    found = student.accuracy(made, student.iterator(batches))
    expect(not any(training for training, _ in made.calls), IN_TRAINING, mistake=DRAWS)
    share = float(torch.cat(right).mean())
    misses = {
        "batches are averaged, so that rows of small ones weigh more": torch.stack([r.mean() for r in right]).mean(),
        "the number of right rows is returned, not their share": torch.cat(right).sum(),
        "the share of wrong rows is returned": 1 - torch.cat(right).mean(),
        "the last batch alone is counted": right[-1].mean(),
        "the share is in percent": 100 * torch.cat(right).mean(),
    }
    expect_close(found, share, atol=FLOAT32_OP, misses=misses, what="the accuracy")


@pytest.mark.task("m10.3")
@pytest.mark.holds(
    "The model looks in eval mode and without a graph, and each of its modules is in its old mode afterwards.",
)
def test_looking_leaves_no_trace(student, draw):
    """The model is asked in eval mode without a graph, and a part that was in eval mode before still is afterwards."""
    table, planted = draw.normal(11, 3), student.plant(probes)
    made = planted.scores(table)
    before = planted.modes(made)
    student.accuracy(made, rows_of(draw, table, [6, 3]))
    for training, graph in made.calls:
        expect(training is False, IN_TRAINING, mistake=DRAWS)
        expect(graph is False, "A graph is kept while the model is asked.", mistake="there is no torch.no_grad()")
    misses = {
        "train() puts parts in training mode that were in eval mode before": ["", "dropout", "frozen", "frozen.0"],
        "the model is left in eval mode": [],
    }
    expect_equal(planted.modes(made), before, misses=misses, what="the list of modules in training mode afterwards")


@pytest.mark.task("m10.3")
@pytest.mark.holds("Raises ValueError when there is no row.")
def test_accuracy_needs_a_row(student, draw):
    """No batches raise ValueError."""
    table = draw.normal(4, 3)
    made, fine = student.plant(probes).scores(table), rows_of(draw, table, [3])
    expect_raises("ValueError", student.accuracy, made, [], fine=(made, fine), what="accuracy with no batches")


@pytest.mark.task("m10.3")
@pytest.mark.limits(seconds=60)
def test_answers_are_learned_and_prompts_are_not(student, draw, data):
    """Forty steps on questions about stories make answers cheap and leave prompts dear; shuffled labels teach less."""
    questions, planted = Questions(draw, data), student.plant(probes)
    parts = {name: getattr(student, name) for name in ("encode_example", "collate", "masked_loss")}
    costs = {}
    for shuffled, steps in ((int(draw.integers(0, 2**31, 1)), questions.CONTROL), (None, questions.STEPS)):
        gpt = questions.gpt.inside(student, draw)
        given = questions.texts, questions.end_id, questions.picks(draw, steps), questions.RATE, shuffled
        found = planted.instruct(parts, gpt, questions.TRAINED, questions.pairs, *given)
        costs[steps] = questions.losses(found)
    (control, _), (answer, prompt) = costs[questions.CONTROL], costs[questions.STEPS]
    before, _ = questions.losses(questions.gpt.start)
    blind, common = math.log(questions.gpt.sizes["vocab_size"]), questions.commonness()
    said = f"From shuffled labels answers came to cost {control:.2f} nats a token, less than how common each is tells."
    expect_bound(control, said, above=common - 0.3)
    said = f"A held-out answer's token costs {answer:.2f} nats; expected less than {questions.LEARNED}."
    expect_bound(answer, said, below=questions.LEARNED)
    said = (
        f"A prompt's token costs {prompt:.2f} nats, less than blind guessing ({blind:.2f}): prompts were learned too."
    )
    expect_bound(prompt, said, above=blind, mistake="prompts are scored too: their labels must be -100")
    achieve(f"Held-out answers cost {answer:.2f} nats a token instead of {before:.2f}, after {questions.STEPS} steps.")
