"""Unusual: normalisation as SQuAD's own script has it, sums by torch, prompts from a template, early returns."""

import collections
import re
import string
from typing import NamedTuple

import torch

INSTRUCTION = "Answer from these passages alone. Quote them, and cite each by its number, like [1]."
REFUSAL = "Nothing that was found answers this."
TEMPLATE = "{instruction}\n\n{passages}Question: {question}\nAnswer:"
CITED = r"(?<![\w\]])(\[[ \t\n]*[0-9]+[ \t\n]*(,[ \t\n]*[0-9]+[ \t\n]*)*\])+"


def build_prompt(question, passages, budget, count):
    def fill(rows):
        listed = "".join(f"[{i}] {row}\n" for i, (_, row) in enumerate(rows, start=1))
        return TEMPLATE.format(
            instruction=INSTRUCTION,
            passages=listed + "\n" if rows else "",
            question=re.sub(r"\s+", " ", question).strip(),
        )

    rows = []
    size = count(fill(rows))
    if budget < size:
        raise ValueError("the budget of {} is below {}".format(budget, size))
    for row in enumerate(re.sub(r"\s+", " ", passage).strip() for passage in passages):
        if count(fill([*rows, row])) <= budget:
            rows.append(row)
    return fill(rows), [place for place, _ in rows]


def citations(text, n):
    order = collections.OrderedDict()
    for match in re.finditer(CITED, text):
        for digits in re.split(r"[^0-9]+", match.group(0)):
            if digits and int(digits) in range(1, n + 1):
                order.setdefault(int(digits), True)
    return [*order]


def check_quotes(text, passages):
    looked_up = []
    for quoted, digits in re.findall(r'"([^"]*)"\s*\[\s*([0-9]+)\s*\]', text):
        try:
            passage = passages[int(digits) - 1] if int(digits) else ""
        except IndexError:
            passage = ""
        pattern = r"\s+".join(map(re.escape, quoted.split()))
        looked_up.append((quoted, int(digits), bool(pattern) and re.search(pattern, passage) is not None))
    return looked_up


class Answer(NamedTuple):
    text: str
    sources: list[int]


def answer(question, retrieve, generate, k, budget, count):
    if k < 1:
        raise ValueError(k)
    found = retrieve(question, k)
    if len(found) == 0:
        return Answer(REFUSAL, [])
    prompt, used = build_prompt(question, found, budget, count)
    if len(used) == 0:
        return Answer(REFUSAL, [])
    text = generate(prompt)
    cited = citations(text, len(used))
    if len(cited) == 0:
        return Answer(REFUSAL, [])
    return Answer(text.strip(), [used[i - 1] for i in cited])


def ndcg_at_k(rankings, gains, k):
    if k < 1 or not gains or len(gains) != len(rankings):
        raise ValueError("k or the judgements")
    discounts = torch.arange(2, k + 2, dtype=torch.float64).log2().reciprocal()
    total = torch.zeros((), dtype=torch.float64)
    for ranking, table in zip(rankings, gains, strict=True):
        ideal = torch.tensor(list(table.values()), dtype=torch.float64).sort(descending=True).values[:k]
        row = [table.get(d, 0.0) * (ranking.index(d) == i) for i, d in enumerate(ranking[:k])]
        actual = torch.tensor(row, dtype=torch.float64)
        best = (ideal * discounts[: len(ideal)]).sum()
        if best <= 0:
            raise ValueError("no gain")
        total += (actual * discounts[: len(actual)]).sum() / best
    return total.item() / len(rankings)


def normalize(text):
    def remove_citations(text):
        return re.sub(CITED, " ", text)

    def remove_punc(text):
        exclude = set(string.punctuation)
        return "".join(ch for ch in text if ch not in exclude)

    return [t for t in remove_punc(remove_citations(text).lower()).split() if t not in ("a", "an", "the")]


def token_f1(text, reference):
    prediction, truth = normalize(text), normalize(reference)
    if not prediction or not truth:
        return float(prediction == truth)
    same = sum((collections.Counter(prediction) & collections.Counter(truth)).values())
    if same == 0:
        return 0.0
    precision = 1.0 * same / len(prediction)
    recall = 1.0 * same / len(truth)
    return (2 * precision * recall) / (precision + recall)


def faithfulness(text, passages):
    words = normalize(text)
    if not words:
        return 0.0
    read = collections.Counter(normalize("\n".join(passages)))
    return sum(1 for word in words if read[word]) / len(words)
