"""Unusual: no regular expression; brackets and quotation marks are looked for letter by letter, with lists alone."""

import math
import string
from typing import NamedTuple

INSTRUCTION = "Answer from these passages alone. Quote them, and cite each by its number, like [1]."
REFUSAL = "Nothing that was found answers this."


def squeezed(text):
    result = ""
    for letter in text:
        if letter.isspace():
            if result and result[-1] != " ":
                result += " "
        else:
            result += letter
    return result.strip()


def build_prompt(question, passages, budget, count):
    end = "Question: " + squeezed(question) + "\nAnswer:"

    def whole(chosen):
        text = INSTRUCTION + "\n\n"
        for number in range(len(chosen)):
            text += "[" + str(number + 1) + "] " + squeezed(passages[chosen[number]]) + "\n"
        if chosen:
            text += "\n"
        return text + end

    chosen = []
    if count(whole(chosen)) > budget:
        raise ValueError("%d tokens in a budget of %d" % (count(whole(chosen)), budget))
    for place in range(len(passages)):
        chosen.append(place)
        if count(whole(chosen)) > budget:
            chosen.pop()
    return whole(chosen), chosen


def brackets(text):
    """Yield (start, end, numbers) of everything that is a citation."""
    place, allowed, behind = 0, False, -1
    while place < len(text):
        if text[place] != "[":
            place += 1
            continue
        end = place + 1
        while end < len(text) and text[end] not in "[]":
            end += 1
        if end == len(text) or text[end] == "[":
            place = end
            continue
        inside = [part.strip() for part in text[place + 1 : end].split(",")]
        good = all(part != "" and all(letter in "0123456789" for letter in part) for part in inside)
        before = text[place - 1] if place else " "
        if place == behind:
            good = good and allowed
        else:
            good = good and not (before.isalnum() or before == "_")
        if good:
            yield place, end + 1, [int(part) for part in inside]
        allowed, behind = good, end + 1
        place = end + 1


def citations(text, n):
    result = []
    for _, _, numbers in brackets(text):
        for number in numbers:
            if number > 0 and number <= n and number not in result:
                result.append(number)
    return result


def check_quotes(text, passages):
    pieces = text.split('"')
    result = []
    place = 0
    while place + 2 < len(pieces):
        quoted, behind = pieces[place + 1], pieces[place + 2].lstrip()
        number = ""
        if behind.startswith("[") and "]" in behind:
            number = behind[1 : behind.index("]")].strip()
        if number != "" and all(letter in "0123456789" for letter in number):
            which = int(number)
            found = False
            if 0 < which < len(passages) + 1 and squeezed(quoted) != "":
                found = squeezed(passages[which - 1]).find(squeezed(quoted)) >= 0
            result.append((quoted, which, found))
        place += 2
    return result


class Answer(NamedTuple):
    text: str
    sources: list


def answer(question, retrieve, generate, k, budget, count):
    if k <= 0:
        raise ValueError("k = %d" % k)
    passages = list(retrieve(question, k))
    places = []
    if passages:
        prompt, places = build_prompt(question, passages, budget, count)
    if places == []:
        return Answer(REFUSAL, [])
    text = generate(prompt).strip()
    sources = []
    for number in citations(text, len(places)):
        sources.append(places[number - 1])
    return Answer(text, sources) if sources else Answer(REFUSAL, sources)


def ndcg_at_k(rankings, gains, k):
    if k < 1 or len(rankings) == 0 or len(rankings) != len(gains):
        raise ValueError("k = %d, %d rankings, %d gains" % (k, len(rankings), len(gains)))
    values = []
    for number in range(len(rankings)):
        left = sorted(gains[number].values())
        best = 0.0
        for place in range(1, k + 1):
            if left:
                best += left.pop() / (math.log(place + 1) / math.log(2))
        if not best > 0:
            raise ValueError("nothing to find")
        own = 0.0
        for place in range(1, min(k, len(rankings[number])) + 1):
            document = rankings[number][place - 1]
            if document not in rankings[number][: place - 1] and document in gains[number]:
                own += gains[number][document] / (math.log(place + 1) / math.log(2))
        values.append(own / best)
    return sum(values) / len(values)


def normalize(text):
    kept, last = "", 0
    for start, end, _ in brackets(text):
        kept += text[last:start] + " "
        last = end
    kept += text[last:]
    letters = [letter for letter in kept.lower() if letter not in string.punctuation]
    result = []
    for word in "".join(letters).split():
        if word == "a" or word == "an" or word == "the":
            continue
        result.append(word)
    return result


def token_f1(text, reference):
    mine, theirs = normalize(text), normalize(reference)
    if len(mine) == 0 and len(theirs) == 0:
        return 1.0
    left, common = list(theirs), 0
    for word in mine:
        if word in left:
            left.remove(word)
            common += 1
    if common == 0:
        return 0.0
    precision, recall = common / len(mine), common / len(theirs)
    return 2 / (1 / precision + 1 / recall)


def faithfulness(text, passages):
    mine = normalize(text)
    hits = 0
    for word in mine:
        for passage in passages:
            if word in normalize(passage):
                hits += 1
                break
    return hits / len(mine) if mine else 0.0
