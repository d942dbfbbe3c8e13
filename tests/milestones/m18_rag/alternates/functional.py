"""Unusual: folds and comprehensions, every prefix of a prompt counted again, generators, no helper for brackets."""

import functools
import itertools
import math
import re
import string
from typing import NamedTuple

INSTRUCTION = "Answer from these passages alone. Quote them, and cite each by its number, like [1]."
REFUSAL = "Nothing that was found answers this."
ONE = r"\[\s*[0-9]+\s*(?:,\s*[0-9]+\s*)*\]"
INDEX = rf"(?<=\w)(?:{ONE})+"


def build_prompt(question, passages, budget, count):
    flat = [" ".join(text.split()) for text in passages]
    asked = "Question: %s\nAnswer:" % " ".join(question.split())

    def written(places):
        lines = "\n".join("[%d] %s" % (n, flat[p]) for n, p in zip(itertools.count(1), places))
        return "\n\n".join(filter(None, (INSTRUCTION, lines, asked)))

    def take(places, place):
        longer = (*places, place)
        return longer if count(written(longer)) <= budget else places

    if count(written(())) > budget:
        raise ValueError("%d, %d" % (budget, count(written(()))))
    places = functools.reduce(take, range(len(flat)), ())
    return written(places), list(places)


def citations(text, n):
    plain = re.sub(INDEX, "", text)
    numbers = map(int, itertools.chain.from_iterable(re.findall(r"[0-9]+", part) for part in re.findall(ONE, plain)))
    return list(dict.fromkeys(filter(lambda number: 0 < number <= n, numbers)))


def check_quotes(text, passages):
    def holds(number, quoted):
        own = "".join(passages[number - 1 : number]) if number else ""
        return len(quoted.split()) > 0 and " ".join(quoted.split()) in " ".join(own.split())

    pairs = ((m.group(1), int(m.group(2))) for m in re.finditer('"([^"]*)"\\s*\\[\\s*([0-9]+)\\s*]', text))
    return [(quoted, number, holds(number, quoted)) for quoted, number in pairs]


class Answer(NamedTuple):
    text: str
    sources: list[int]


def answer(question, retrieve, generate, k, budget, count):
    if k < 1:
        raise ValueError("k must be positive, not %d" % k)
    found = retrieve(question, k)
    prompt, places = build_prompt(question, found, budget, count) if found else (None, [])
    text = generate(prompt).strip() if places else ""
    sources = [places[number - 1] for number in citations(text, len(places))]
    return Answer(text if sources else REFUSAL, sources)


def ndcg_at_k(rankings, gains, k):
    if k < 1 or len(rankings) != len(gains) or not all(any(g > 0 for g in table.values()) for table in gains):
        raise ValueError("these cannot be measured")
    if not rankings:
        raise ValueError("there are no questions")

    def dcg(values):
        return sum(v * math.log(2) / math.log(i) for i, v in enumerate(itertools.islice(values, k), 2))

    return sum(
        dcg(table.get(d, 0) if d not in ranking[:i] else 0 for i, d in enumerate(ranking))
        / dcg(sorted(table.values(), key=lambda gain: -gain))
        for ranking, table in zip(rankings, gains, strict=True)
    ) / len(gains)


def normalize(text):
    # An index keeps its brackets until the marks go; only then can what is left be a citation.
    text = re.sub(rf"({INDEX})|{ONE}", lambda match: match[1] or " ", text)
    words = re.sub("[%s]" % re.escape(string.punctuation), "", text.lower()).split()
    return [*itertools.filterfalse({"a", "an", "the"}.__contains__, words)]


def token_f1(text, reference):
    a, b = sorted(normalize(text)), sorted(normalize(reference))
    if not a + b:
        return 1.0
    common, i, j = 0, 0, 0
    while i < len(a) and j < len(b):
        common += a[i] == b[j]
        i, j = i + (a[i] <= b[j]), j + (b[j] <= a[i])
    return 2 * common / (len(a) + len(b))


def faithfulness(text, passages):
    read = frozenset(itertools.chain.from_iterable(map(normalize, passages)))
    said = normalize(text)
    return math.fsum(word in read for word in said) / (len(said) or 1)
