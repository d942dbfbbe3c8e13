"""The worked examples of m10_finetuning, in its guide and its docstrings, are true; and what it says of its data."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import pytest
import torch

from grader.judge.draw import Draw
from grader.judge.oracles import Data
from grader.suites.m10_finetuning.oracle_learning import Messages, Questions
from solutions import m10_finetuning
from solutions.m10_finetuning import collate, encode_example, enough, format_example, last_token, masked_loss

REPOSITORY = Path(__file__).resolve().parents[3]
GUIDE = (REPOSITORY / "exercises" / "m10_finetuning.md").read_text(encoding="utf-8")
WORDS = " ".join(GUIDE.split())


@pytest.fixture(scope="module")
def questions():
    """Return the questions about stories with the ids that one seed draws."""
    return Questions(Draw(7, "guide"), Data())


@pytest.fixture(scope="module")
def letters():
    """Return of each message whether it is spam, and its words."""
    data = Data()
    texts = "".join(data.text(f"messages_{part}.jsonl") for part in ("train", "heldout"))
    messages = [json.loads(line) for line in texts.splitlines()]
    words = [set(re.findall(r"\w+", message["text"].lower())) for message in messages]
    return [message["label"] == "spam" for message in messages], words


def test_the_table_of_the_guide_is_right():
    """Answers with a probability of 1/2 and 1/4 cost 0.69 and 1.39 nats, 1.04 on average, and 0.52 over four tokens."""
    rows = re.findall(r"(?m)^\| (\d) \| (\d) \| yes.* \| 1/(\d) \| ln (\d) = ([\d.]+) \|$", GUIDE)
    costs = [math.log(int(part)) for _, _, part, _, _ in rows]

    assert [(int(reads), int(says)) for reads, says, *_ in rows] == [(2, 3), (3, 0)]
    assert [(part, f"{cost:.2f}") for (*_, part, _, _), cost in zip(rows, costs, strict=True)] == [
        (inside, shown) for *_, inside, shown in rows
    ]
    assert f"(0.69 + 1.39) / 2 = {sum(costs) / 2:.2f}" in GUIDE
    assert f"it would be {sum(costs) / 4:.2f}" in WORDS


def test_the_formula_of_the_guide_is_right():
    """The sum of c ln p over the sum of c, at the next index, is what the loss gives."""
    torch.manual_seed(0)
    logits, labels = torch.randn(2, 5, 7), torch.tensor([[-100, 3, 1, 0, -100], [-100, -100, -100, 2, 6]])
    sums = [0.0, 0.0]
    for row in range(2):
        for i in range(4):
            y = int(labels[row, i + 1])
            c = int(y != -100)
            sums[0] += c * float(logits[row, i].log_softmax(-1)[y]) if c else 0.0
            sums[1] += c

    assert masked_loss(logits, labels).item() == pytest.approx(-sums[0] / sums[1])


def test_the_drawing_of_the_guide_is_right():
    """Its ids, labels and mask are those of a prompt [5, 6], a completion [7], an end token 0 and two of padding."""
    rows = {name: re.search(rf"(?m)^{name} +([-\d│ ]+)", GUIDE) for name in ("ids", "labels", "mask")}
    example = encode_example({"p": [5, 6], "c": [7]}.__getitem__, "p", "c", 0)
    parts = collate([example, ([1] * 6, [1] * 6)], 0)

    for row, made in zip(rows.values(), parts, strict=True):
        assert row is not None
        shown = [-100 if sign == "-" else int(sign) for sign in row[1].replace("│", " ").split()]
        assert shown == made[0].int().tolist()


def test_the_numbers_of_the_guide_about_stories_are_right(questions):
    """The bound of an answer's loss, what it would cost by commonness alone, and a question that is really asked."""
    asked = {prompt for prompt, _ in questions.pairs}

    before, _ = questions.losses(questions.gpt.start)
    tokens = questions.gpt.sizes["vocab_size"]

    assert f"A held-out answer costs about {before:.0f} nats a token before." in WORDS
    assert f"blind guessing among the {tokens} tokens of these texts" in WORDS
    assert f"ln {tokens} = {math.log(tokens):.1f} nats" in WORDS
    assert f"labels under the answers must bring it below {Questions.LEARNED};" in WORDS
    assert f"would bring {questions.commonness():.1f}" in WORDS
    assert "Forty steps with labels under the answers must bring" in WORDS and Questions.STEPS == 40
    assert any("What colour was the boat?" in prompt for prompt in asked)


def test_a_single_word_tells_less_than_the_bound_asks(letters):
    """The best rule with one word costs 0.63 nats a message and tells 68 % of them; the classifier must do better."""
    spam, words = letters
    costs, shares = [], []
    for word in set().union(*words):
        parts = [
            [label for label, row in zip(spam, words, strict=True) if (word in row) == there] for there in (False, True)
        ]
        costs.append(sum(len(part) * entropy(part) for part in parts) / len(spam))
        right = sum((word in row) == label for row, label in zip(words, spam, strict=True)) / len(spam)
        shares.append(max(right, 1 - right))

    assert round(min(costs), 2) == 0.63 and min(costs) > Messages.NOTHING
    assert f"a single word {max(shares):.0%}".replace("%", " %") in WORDS and max(shares) < Messages.LEARNED
    assert f"ln 2 = {math.log(2):.2f}" in GUIDE
    assert f"more than {100 * Messages.LEARNED:.0f} % must then be told rightly" in WORDS


def entropy(labels):
    """Return the nats that a label costs whoever knows how many of these are True."""
    shares = [labels.count(value) / max(len(labels), 1) for value in (True, False)]
    return -sum(share * math.log(share) for share in shares if share)


def test_the_guide_says_how_much_is_trained(letters):
    """Of 1,200 messages 800 are for training, for eighty steps, and the others held out."""
    spam, _ = letters

    assert f"all {len(spam):,} messages anew" in WORDS and f"Of the other {Messages.HELDOUT} more" in WORDS
    assert f"eighty steps on {len(spam) - Messages.HELDOUT} messages" in WORDS and Messages.STEPS == 80
    assert "after eighty steps" in WORDS


def test_the_guide_says_what_the_stretch_takes_by_default():
    """Without a recipe() these parts are trained, at this rate."""
    trained = ", ".join(f'"{name}"' for name in Messages.TRAINED)

    assert f"`[{trained}]` and {Messages.RATE}." in WORDS


def test_the_examples_of_the_docstrings_are_right():
    """What the docstrings of the stub show is what the solution gives."""
    hidden = torch.tensor([[[1], [2], [3]], [[4], [5], [6]]])
    mask = torch.tensor([[True, True, False], [False, True, True]])
    logits = torch.tensor([[[0, 0], [0, math.log(3)], [9, 9]]])
    losses = [1, 0.8, 0.81, 0.79, 0.85, 0.84, 0.83]

    assert last_token(hidden, mask).tolist() == [[2], [6]]
    prompt = "### Instruction:\nAdd\n\n### Input:\n1, 2\n\n### Response:\n"
    assert format_example({"instruction": "Add", "input": "1, 2", "output": "3"}) == (prompt, "3")
    assert repr(prompt)[1:-1] in (m10_finetuning.format_example.__doc__ or "")
    assert encode_example({"p": [5, 6], "c": [7]}.__getitem__, "p", "c", 0) == ([5, 6, 7, 0], [-100, -100, 7, 0])
    ids, labels, _ = collate([([7, 0], [7, 0]), ([8], [8])], 0)
    assert (ids.tolist(), labels.tolist()) == ([[7, 0], [8, 0]], [[7, 0], [8, -100]])
    assert masked_loss(logits, torch.tensor([[-100, 0, 1]])).item() == pytest.approx(0.4904, abs=5e-5)
    assert (math.log(2) + math.log(4 / 3)) / 2 == pytest.approx(0.4904, abs=5e-5)
    over = [next(n for n in range(1, 8) if enough(losses[:n], patience)) for patience in (1, 2, 3)]
    assert [losses[n - 1] for n in over] == [0.81, 0.84, 0.83]
