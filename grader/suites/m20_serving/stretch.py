"""m20_serving's stretch goal: to stream more tokens in a second."""

from grader.judge import CheckFailed, expect_equal
from grader.suites.shared.stretching import per_second

from . import oracle
from .steps import Service, bits, converse, expect_done, text_of

TOKENS = 400


def measure(student, draw, data, weights):
    """Return how many tokens a second of processor time streams to a chat's client, a text in an event for each."""
    words = [" the", " cat", " sat", " and", " 日本"]
    vocabulary = oracle.vocabulary(draw, *words)
    text = "".join(draw.random.choice(words) for _ in range(TOKENS))
    ids = vocabulary.encode(text)
    service = Service(student, vocabulary, ids)
    request = converse(("user", "Go"), stream=True, max_tokens=len(ids))

    def work(count):
        return [service.ask(request)[0] for _ in range(count)]

    found, answers = per_second(student, work, len(ids), most=200)
    for answer in answers:
        expect_done(answer)
        contents = bits(answer, "delta", "content").get(0, [])
        expect_equal(text_of(contents), text, what="the text")
        if len([one for one in contents if one]) < len(ids):
            raise CheckFailed("Several tokens came in one event.")
    return found
