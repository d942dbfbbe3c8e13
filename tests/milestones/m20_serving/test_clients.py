"""OpenAI's own client talks to the solution's app in the sandbox, through a relay: what it gets, and when."""

from __future__ import annotations

import openai
import pytest
import support
from relay import Relay
from relay_inside import WAIT

from grader.judge.student import Student
from grader.judge.supply import load_request
from grader.sandbox.limits import Limits
from grader.submission import collect

MILESTONE, MODEL = "m20_serving", "letters"
SECONDS = 120.0  # that any of this may take, on a machine that has other things to do
MOST_WAITS = 2000  # times that the writer asks again


class Author:
    """What the model in the sandbox writes, as the judge answers it; and what it was asked."""

    def __init__(self) -> None:
        self.text, self.ahead, self.got = "", 0, 0  # with `ahead`, so many letters are given that the client lacks
        self.asked: list[tuple[str, int]] = []
        self.waits = 0

    def write(self, text: str, ahead: int = 0) -> None:
        """Have it write this from now on."""
        self.text, self.ahead, self.got, self.waits, self.asked = text, ahead, 0, 0, []

    def answer(self, ids: list[int], number: int) -> int | None:
        """Return the next letter's id, None at the end."""
        if self.text == "!":
            raise ValueError("the model has a fault")
        if self.ahead and number >= self.got + self.ahead:
            self.waits += 1
            return WAIT if self.waits < MOST_WAITS else None
        self.asked.append(("".join(map(chr, ids)), number))
        return ord(self.text[number]) if number < len(self.text) else None


@pytest.fixture(scope="module")
def author():
    """What the model writes."""
    return Author()


@pytest.fixture(scope="module")
def relay():
    """The relay into a worker that has the solution loaded."""
    milestone = support.COURSE.milestone(MILESTONE)
    submission = collect(support.REPOSITORY / "solutions", support.COURSE)
    workers = support.sandbox().having(support.COURSE.own_packages(milestone))
    workers.boot()
    workers.wait()
    worker = workers.worker(Limits(SECONDS, 2048))
    worker.set_deadline(SECONDS)
    try:
        request = load_request(milestone, support.COURSE, submission)
        worker.conversation.request("load", **request)
        yield Relay(Student(worker, MILESTONE))
    finally:
        worker.end()


@pytest.fixture(scope="module")
def client(relay, author):
    """OpenAI's client, which knows no other address than the relay's."""
    with relay.listening(relay.app(author.answer, model=MODEL)) as address:
        yield openai.OpenAI(base_url=f"{address}/v1", api_key="any", timeout=SECONDS, max_retries=0)


def test_it_finds_the_model(client):
    """The list of models has the one that is served."""
    assert [model.id for model in client.models.list()] == [MODEL]


def test_a_text_comes_whole_with_its_usage(client, author):
    """A completion is what the model wrote, and the tokens are counted on both sides."""
    author.write(" there was a fox")
    found = client.completions.create(model=MODEL, prompt="Once", max_tokens=100)

    assert (found.choices[0].text, found.choices[0].finish_reason) == (" there was a fox", "stop")
    assert (found.usage.prompt_tokens, found.usage.completion_tokens) == (4, 16)
    assert author.asked[0] == ("Once", 0)


def test_a_streamed_text_arrives_while_it_is_written(client, author):
    """The client has each letter before the model is asked for the one three further on; last comes the usage."""
    text = "a fox and a boat went out one day."
    author.write(text, ahead=3)
    stream = client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Hi"}], max_tokens=100, stream=True,
        stream_options={"include_usage": True},
    )  # fmt: skip
    pieces, roles, ends, usages = [], [], [], []
    for chunk in stream:
        usages.append((len(chunk.choices), chunk.usage))
        for choice in chunk.choices:
            roles += [choice.delta.role] if choice.delta.role else []
            ends += [choice.finish_reason] if choice.finish_reason else []
            if choice.delta.content:
                pieces.append(choice.delta.content)
                author.got += len(choice.delta.content)

    assert author.waits < MOST_WAITS
    assert "".join(pieces) == text and len(pieces) > len(text) // 2
    assert (roles, ends) == (["assistant"], ["stop"])
    assert all(usage is None for _, usage in usages[:-1])
    choices, usage = usages[-1]
    assert choices == 0 and usage.completion_tokens == len(text)


def test_errors_are_the_clients_own(client, author):
    """An unknown model, a value that is none and a fault of the model are what the client raises for them."""
    author.write("x")
    with pytest.raises(openai.NotFoundError) as unknown:
        client.completions.create(model="gpt-9", prompt="x")
    with pytest.raises(openai.BadRequestError) as wrong:
        client.completions.create(model=MODEL, prompt="x", temperature=-1)
    author.write("!")
    with pytest.raises(openai.InternalServerError):
        client.completions.create(model=MODEL, prompt="x")

    assert unknown.value.code == "model_not_found"
    assert wrong.value.param == "temperature"


def test_who_is_told_to_come_again_does(client, relay, author):
    """After two answers of 429 the third request gets its text."""
    author.write("patience")
    relay.refuse, before = 2, len(relay.requests)
    found = client.with_options(max_retries=2).completions.create(model=MODEL, prompt="x", max_tokens=100)

    assert found.choices[0].text == "patience"
    assert len(relay.requests) - before == 3


def test_a_client_that_leaves_ends_the_writing(client, relay, author):
    """Once the client has closed its stream the model is asked for nothing more, and the next client is served."""
    author.write("x" * 5000, ahead=3)
    before = relay.left
    stream = client.completions.create(model=MODEL, prompt="x", max_tokens=5000, stream=True)
    for chunk in stream:
        author.got += sum(len(choice.text) for choice in chunk.choices)
        if author.got >= 5:
            break
    stream.close()
    author.ahead = 0  # it could write on to the end
    relay.rest()

    assert relay.left == before + 1 and len(author.asked) < 5000
    author.write("next")
    assert client.completions.create(model=MODEL, prompt="x", max_tokens=9).choices[0].text == "next"
