"""Unusual: a dataclass for answers, a class for prompts, keywords where functions are called, sets beside lists."""

import re
from dataclasses import dataclass, field
from math import fsum, log2
from string import punctuation

INSTRUCTION = "Answer from these passages alone. Quote them, and cite each by its number, like [1]."
REFUSAL = "Nothing that was found answers this."
BRACKETS = re.compile(r"\[\s*(\d+(?:\s*,\s*\d+)*)\s*\]", re.ASCII)
MARKS = str.maketrans("", "", punctuation)


class Prompt:
    def __init__(self, question):
        self.question = " ".join(question.split())
        self.texts = []

    def __str__(self):
        numbered = [f"[{number}] {text}" for number, text in enumerate(self.texts, 1)]
        parts = [INSTRUCTION, f"Question: {self.question}\nAnswer:"]
        if numbered:
            parts.insert(1, "\n".join(numbered))
        return "\n\n".join(parts)

    def with_one_more(self, text):
        other = Prompt(self.question)
        other.texts = [*self.texts, " ".join(text.split())]
        return other


def build_prompt(question, passages, budget, count):
    prompt = Prompt(question)
    if (needed := count(str(prompt))) > budget:
        raise ValueError(f"{needed} > {budget}")
    places = []
    for place, passage in enumerate(passages):
        longer = prompt.with_one_more(passage)
        if not count(str(longer)) > budget:
            prompt = longer
            places += [place]
    return str(prompt), places


def spans(text):
    found = []
    for match in BRACKETS.finditer(text):
        straight_behind = bool(found) and found[-1][1] == match.start()
        before = text[match.start() - 1] if match.start() > 0 else " "
        if straight_behind or not (before == "_" or before.isalnum() or before == "]"):
            found.append((*match.span(), [int(part) for part in match[1].split(",")]))
    return found


def citations(text, n):
    numbers = [number for *_, part in spans(text) for number in part]
    return sorted(set(numbers) & set(range(1, n + 1)), key=numbers.index)


def check_quotes(text, passages):
    numbered = {number: " ".join(passage.split()) for number, passage in enumerate(passages, 1)}
    result = []
    for match in re.finditer(r'"(?P<text>[^"]*?)"\s*\[\s*(?P<number>\d+)\s*\]', text):
        words = " ".join(match["text"].split())
        number = int(match["number"])
        result.append((match["text"], number, bool(words) and words in numbered.get(number, "")))
    return result


@dataclass
class Answer:
    text: str
    sources: list = field(default_factory=list)


def answer(question, retrieve, generate, k, budget, count):
    if not k >= 1:
        raise ValueError(f"no passages can be found with k={k}")
    refusal = Answer(text=REFUSAL)
    found = retrieve(question=question, k=k)
    if not found:
        return refusal
    prompt, places = build_prompt(question=question, passages=found, budget=budget, count=count)
    if not places:
        return refusal
    text = generate(prompt=prompt).strip()
    by_number = dict(enumerate(places, 1))
    sources = [by_number[number] for number in citations(text, len(by_number))]
    return Answer(text, sources) if sources else refusal


def ndcg_at_k(rankings, gains, k):
    if k < 1:
        raise ValueError(f"k={k}")
    pairs = list(zip(rankings, gains, strict=True))
    if not pairs:
        raise ValueError("no questions")

    def one(ranking, table):
        top = fsum(gain / log2(2 + place) for place, gain in enumerate(sorted(table.values())[::-1][:k]))
        if top == 0:
            raise ValueError("no gains")
        firsts = {document: place for place, document in reversed(list(enumerate(ranking[:k])))}
        return fsum(table[document] / log2(2 + place) for document, place in firsts.items() if document in table) / top

    return fsum(one(*pair) for pair in pairs) / len(pairs)


def normalize(text):
    for start, end, _ in reversed(spans(text)):
        text = text[:start] + "\n" + text[end:]
    return [word for word in text.lower().translate(MARKS).split() if word not in {"a", "an", "the"}]


def token_f1(text, reference):
    one, other = normalize(text), normalize(reference)
    common = sum(min(one.count(word), other.count(word)) for word in {*one} & {*other})
    both = len(one) + len(other)
    return common * 2 / both if both else 1.0


def faithfulness(text, passages):
    read = set().union(*map(normalize, passages))
    said = [word in read for word in normalize(text)]
    return float(sum(said)) / max(len(said), 1)
