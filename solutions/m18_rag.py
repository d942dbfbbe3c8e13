r"""m18_rag: answer from passages that were found, cite them, and measure what it is worth.

A retriever finds passages (m17), a model writes (m07). Between the two lie a prompt that must fit, citations that must
be true, and measures that say whether to believe the whole. Retriever, model and token counter come as functions.
Left out: the search itself (m17), teaching a model to cite, one model that judges another.
"""

import math
import re
import string
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

INSTRUCTION = "Answer from these passages alone. Quote them, and cite each by its number, like [1]."
REFUSAL = "Nothing that was found answers this."
# Nothing straight before it that makes an index of it; then one pair of brackets or several without a space.
_CITATION = re.compile(r"(?<![\w\]])(?:\[\s*[0-9]+(?:\s*,\s*[0-9]+)*\s*\])+")


def build_prompt(
    question: str, passages: Sequence[str], budget: int, count: Callable[[str], int]
) -> tuple[str, list[int]]:
    r"""Lay passages, the best first, into a prompt of at most `budget` tokens; return it, and which passages it holds.

    - Parts with an empty line between them: INSTRUCTION; the passages, if any, a line "[1] text" each, numbered from 1
      as they stand there; "Question: ...\nAnswer:".
    - In question and passages all white space becomes single spaces, and none stays at their ends.
    - `count(text)` is a text's number of tokens, and the whole prompt's number is what counts.
    - A passage with which the prompt would be above the budget is left out whole; those after it are still tried.
    Example: "Who?", ["red\nfish", "sea"], budget 99 and a count of words give, after INSTRUCTION and an empty line,
    "[1] red fish\n[2] sea\n\nQuestion: Who?\nAnswer:", and [0, 1]: places in `passages`, the first of which is 0.
    Raises ValueError, naming both numbers, where the prompt without any passage is above the budget.
    """
    tail = f"Question: {_on_one_line(question)}\nAnswer:"
    best = "\n\n".join([INSTRUCTION, tail])
    if count(best) > budget:
        raise ValueError(f"the question alone takes {count(best)} tokens, and the budget is {budget}")
    lines: list[str] = []
    used: list[int] = []
    for place, passage in enumerate(passages):
        more = [*lines, f"[{len(lines) + 1}] {_on_one_line(passage)}"]
        prompt = "\n\n".join([INSTRUCTION, "\n".join(more), tail])
        # Pitfall: tokens don't add up. A token may reach over the seam between two pieces, so only the whole tells.
        if count(prompt) <= budget:
            best, lines = prompt, more
            used.append(place)
    return best, used


def citations(text: str, n: int) -> list[int]:
    """Return which of the passages 1 to n an answer cites, each once, in the order in which they come first.

    A citation is a number in square brackets, or several with commas; spaces may stand around each: "[2]", "[1, 3]".
    Straight after a letter, a digit or an underscore brackets are an index and cite nothing: "array[1]"; nor do others
    straight after these: "m[1][2]". Straight after a citation they are one more: "[1][2]". Other numbers are left out.
    Example: "Red [2], blue [1, 2], array[3], [9]." cites [2, 1] of 3 passages.
    """
    found: dict[int, None] = {}  # keeps the order, and each number once
    for match in _CITATION.finditer(text):
        for number in map(int, re.findall(r"[0-9]+", match[0])):
            if 1 <= number <= n:
                found[number] = None
    return list(found)


def check_quotes(text: str, passages: Sequence[str]) -> list[tuple[str, int, bool]]:
    """Look up every quotation that is cited: text between two straight double quotes, and behind it, after spaces or
    none, one number in brackets, as in citations. Return (quotation, number, whether that passage holds it) for each,
    in their order.

    Passage 1 is the first one. White space of any kind and length counts as one space, and none at the ends; case
    counts. A number that has no passage is False, and so is a quotation of nothing but white space.
    Example: '"red  fish" [1] "sea" [1] "red" [3]' for ["A red fish.", "sea"] gives ("red  fish", 1, True),
    ("sea", 1, False), ("red", 3, False).
    """
    found = []
    for quoted, digits in re.findall(r'"([^"]*)"\s*\[\s*([0-9]+)\s*\]', text):
        number, words = int(digits), _on_one_line(quoted)
        # Pitfall: number - 1 is -1 for [0], and Python's place -1 is the last passage.
        there = 1 <= number <= len(passages) and words != "" and words in _on_one_line(passages[number - 1])
        found.append((quoted, number, there))
    return found


class Answer(NamedTuple):
    """A text, and the passages that it cites: their places among those that were found, in the order of citation."""

    text: str
    sources: list[int]


def answer(
    question: str,
    retrieve: Callable[[str, int], Sequence[str]],
    generate: Callable[[str], str],
    k: int,
    budget: int,
    count: Callable[[str], int],
) -> Answer:
    """Answer a question from what is found, or say that nothing was.

    - `retrieve(question, k)` is called once; it returns up to k passages, the best first.
    - `generate(prompt)` is called once with build_prompt's prompt, or not at all; white space around its text goes.
    - Where nothing is found, or none of it fits into the budget, nothing is generated: the text is REFUSAL.
    - A text that cites none of the prompt's passages gives way to REFUSAL; REFUSAL has no sources.
    Example: if ["a very long one", "sea"] are found, of which "sea" alone fits, the text "Wet [1]." has sources [1].
    Raises ValueError, naming k, for a k below 1; then nothing is called.
    """
    if k < 1:
        raise ValueError(f"k is {k}, and must be at least 1")
    found = retrieve(question, k)
    prompt, used = build_prompt(question, found, budget, count) if found else ("", [])
    if not used:
        return Answer(REFUSAL, [])  # a model without passages would answer from memory
    text = generate(prompt).strip()
    cited = citations(text, len(used))
    if not cited:
        return Answer(REFUSAL, [])
    # Number 1 is the first passage of the prompt, which need not be the first that was found.
    return Answer(text, [used[number - 1] for number in cited])


def ndcg_at_k(rankings: Sequence[Sequence[int]], gains: Sequence[Mapping[int, float]], k: int) -> float:
    """Average over questions the discounted gain of the first k documents, divided by the best that k could have.

    The document in place i, counted from 1, adds its gain / log2(i + 1) (Järvelin and Kekäläinen 2002), at the first
    place where it stands; one that has no gain adds 0. The best is the same sum for the k highest of all the gains.
    Example: [[4, 2]] with gains [{2: 3, 5: 1}] and k=2 is (3 / log2(3)) / (3 + 1 / log2(3)) = 0.521.
    Raises ValueError for a k below 1, without questions, for unequal numbers, and where a question has no gain above 0.
    """
    if k < 1:
        raise ValueError(f"k is {k}, and must be at least 1")
    if not rankings or len(rankings) != len(gains):
        raise ValueError(f"{len(rankings)} rankings cannot be measured with {len(gains)} tables of gains")
    total = 0.0
    for ranking, table in zip(rankings, gains, strict=True):
        # The best order is that of all the gains, also of documents that were not found.
        best = _discounted(sorted(table.values(), reverse=True)[:k])
        if best <= 0:
            raise ValueError("a question has no gain above 0, so there is nothing to find")
        seen: set[int] = set()
        found = []
        for document in ranking[:k]:
            found.append(0.0 if document in seen else table.get(document, 0.0))
            seen.add(document)
        total += _discounted(found) / best
    return total / len(rankings)


def normalize(text: str) -> list[str]:
    """Return the words by which texts are compared, as SQuAD does (Rajpurkar et al. 2016), without citations.

    Citations of any number give way to a space each, then all is lower case, then the characters of string.punctuation
    are deleted, then it is cut at white space, and the words a, an and the are left out.
    Example: "The cat's GPT-2, a [1]!" is ["cats", "gpt2"].
    """
    lower = _CITATION.sub(" ", text).lower()
    kept = "".join(letter for letter in lower if letter not in string.punctuation)
    return [word for word in kept.split() if word not in ("a", "an", "the")]


def token_f1(text: str, reference: str) -> float:
    """Return the harmonic mean of two shares: of the answer's words in the reference, and the other way round.

    Words are normalize's, and one counts as often as both texts hold it. Without common words it is 0; of two texts
    without any words it is 1.
    Example: "red red fish" and "The red fish." share 2 words, so 2/3 and 2/2 give 0.8.
    """
    said, wanted = normalize(text), normalize(reference)
    if not said and not wanted:
        return 1.0
    common = (Counter(said) & Counter(wanted)).total()  # each word as often as both hold it
    # 2pr / (p + r), with p = common / said and r = common / wanted, is this one fraction.
    return 2 * common / (len(said) + len(wanted))


def faithfulness(text: str, passages: Sequence[str]) -> float:
    """Return which share of the answer's words stands in the passages, in any of them (Adlakha et al. 2024).

    Words are normalize's; one that the answer says twice counts twice, however often the passages hold it. An answer
    without words has 0.
    Example: "red red fish swim" has 3/4 for ["The red fish.", "sea"].
    """
    said = normalize(text)
    if not said:
        return 0.0
    read = {word for passage in passages for word in normalize(passage)}
    return sum(word in read for word in said) / len(said)


def _on_one_line(text: str) -> str:
    """Make all white space single spaces, so that no text can begin a part of the prompt."""
    return " ".join(text.split())


def _discounted(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(place + 1) for place, gain in enumerate(gains, start=1))
