"""m20_serving: events while the model still thinks, and what becomes of it when nobody listens any more."""

import pytest

from grader.counting import counted
from grader.judge import achieve, each, expect, expect_equal

from . import oracle
from .probes import FAILS, SECRET
from .steps import (
    MISSING,
    MODEL,
    Service,
    bits,
    complete,
    converse,
    expect_done,
    expect_error,
    expect_events,
    expect_heads,
    expect_reasons,
    expect_status,
    expect_unbroken,
    get,
    json_of,
    part,
    parts,
    post,
    streamed,
    text_of,
    without,
)

BLOCKED = "the model blocks the loop, and nobody else is served while it thinks"
NO_CONTENT = "no delta has a content"
LATE = "the text comes one token late"
UNASKED = "usage comes though nobody asked for it"
COLLECTED = "the whole answer is collected before its first event is sent"


@pytest.mark.task("m20.6")
@pytest.mark.holds(
    "Return one server-sent event in UTF-8: a field `data` for each line of the data, then an empty line.",
    ">>> sse_event(\"one\\ntwo\") b'data: one\\ndata: two\\n\\n'",
)
def test_an_event_is_its_data_and_an_empty_line(student):
    """Each line of the data is a field of its own, and an empty line ends the event."""
    data = ["plain", "[DONE]", '{"a": "b: c"}', "one\ntwo", "", " two spaces", "日本", "data: x", ":"]
    expect_events(each(student.sse_event, [(one,) for one in data]), data)
    expect_equal(student.sse_event("one\ntwo"), b"data: one\ndata: two\n\n", what="the event")


@pytest.mark.task("m20.6")
@pytest.mark.holds(
    "Lines end with \\n, \\r\\n or \\r, and with nothing else: U+2028 stays within its line.",
    "Return one server-sent event in UTF-8: a field `data` for each line of the data, then an empty line.",
)
def test_an_event_is_cut_at_the_ends_of_lines_alone(student):
    r"""Lines end with \n, \r\n or \r, also the last one; other separators are text."""
    data = ["a\r\nb\rc\nd", "end\n", "\n", "a\n\nb", "a\u2028b\u2029c\x0bd\x85e\x1ef", "\r\r\n"]
    expect_events(each(student.sse_event, [(one,) for one in data]), data)


# ── what a stream holds ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.task("m20.6")
@pytest.mark.holds(
    '"stream": true asks for server-sent events, of the type text/event-stream: as soon as there is new text, an '
    "event with it, in ASCII.",
    "It is an answer without usage, with one id in the whole stream; finish_reason is null in all events of a choice "
    "but its last.",
    'After all of them comes "[DONE]".',
)
def test_a_stream_of_a_completion_is_its_text_bit_by_bit(student, draw):
    """The events of a stream are answers of one id, hold the text bit by bit, and end with a reason and [DONE]."""
    vocabulary = oracle.of_words(draw)
    ids = vocabulary.encode("the 日本 sat.")
    answer = streamed(Service(student, vocabulary, ids), complete("Go", stream=True))
    found = expect_done(answer)

    wanted = [bit for bit, _ in oracle.pairs(vocabulary.decode, ids, 16) if bit]
    expect_equal(
        [bit for bit in bits(answer, "text").get(0, []) if bit], wanted, what="the bits of text",
        misses={
            "the whole text comes in one event": ["".join(wanted)],
            "each event has the whole text so far": ["".join(wanted[: n + 1]) for n in range(len(wanted))],
            "each token is decoded alone": [vocabulary.decode([id]) for id in ids],
        },
    )  # fmt: skip
    expect_reasons(answer)
    expect_heads(found, "text_completion")
    unasked = [one for one in found if one.get("usage") is not None]
    expect(not unasked, "Nobody asked for usage, and it came.", mistake=UNASKED)


@pytest.mark.task("m20.6")
@pytest.mark.holds(
    '"stream": true asks for server-sent events, of the type text/event-stream: as soon as there is new text, an '
    "event with it, in ASCII.",
)
def test_a_stream_is_ascii_and_says_what_it_is(student, draw):
    """A stream's type is text/event-stream, and its bytes are ASCII: some clients take U+2028 for the end of a line."""
    vocabulary = oracle.of_words(draw)
    text = "日本 \u2028 é \u0085\n\n!"
    answer = streamed(Service(student, vocabulary, vocabulary.encode(text)), complete("Go", stream=True, max_tokens=60))

    expect_equal(text_of(bits(answer, "text").get(0, [])), text, what="the text")
    expect(answer.body.isascii(), "Bytes of the stream are not ASCII.", evidence="value",
           mistake="the JSON of events holds characters that some clients take for the end of a line")  # fmt: skip


@pytest.mark.task("m20.6")
@pytest.mark.holds(
    'In a chat the object of events is "chat.completion.chunk", and "delta" stands in place of the message; the first '
    "has the role, and all contents together are the message's.",
    "It is an answer without usage, with one id in the whole stream; finish_reason is null in all events of a choice "
    "but its last.",
    'After all of them comes "[DONE]".',
)
def test_a_stream_of_a_chat_begins_with_the_role(student, draw):
    """A chat's first delta has the role, the contents together are the message, and a reason comes last."""
    vocabulary = oracle.of_words(draw)
    ids = vocabulary.encode(" the 日本\nUser: no")
    answer = streamed(Service(student, vocabulary, ids), converse(("user", "Hi"), stream=True, max_tokens=60))
    found, deltas = expect_done(answer), bits(answer, "delta").get(0, [])

    wanted = " the 日本"
    roles = [part(delta, "role") for delta in deltas]
    expect_equal(
        roles[:1], ["assistant"], what="the role in the first delta",
        misses={"the first delta has no role": [MISSING]},
    )  # fmt: skip
    contents = [part(delta, "content") for delta in deltas]
    elsewhere = "text stands where the delta should" if text_of(bits(answer, "text").get(0, [])) else NO_CONTENT
    expect_equal(
        text_of(contents), wanted, what="all contents together",
        misses={"the model goes on and speaks for the user": vocabulary.decode(ids), elsewhere: ""},
    )  # fmt: skip
    expect_reasons(answer)
    expect_heads(found, "chat.completion.chunk")


@pytest.mark.task("m20.6")
@pytest.mark.holds(
    '"stream_options": {"include_usage": true} asks for one more event before [DONE], with usage and no choices.',
    "It is an answer without usage, with one id in the whole stream; finish_reason is null in all events of a choice "
    "but its last.",
)
def test_usage_comes_when_it_is_asked_for(student, draw):
    """With include_usage one more event has usage and no choices, before [DONE]; without it none has."""
    vocabulary = oracle.of_words(draw)
    ids, prompt = vocabulary.encode("the end"), "Go on"
    service = Service(student, vocabulary, ids)
    options = {"stream_options": {"include_usage": True}}
    asked_for = expect_done(streamed(service, complete(prompt, stream=True, **options)))
    chat = expect_done(streamed(service, converse(("user", "Hi"), stream=True, **options)))
    silent = expect_done(streamed(service, complete(prompt, stream=True, stream_options={"include_usage": False})))

    sizes = len(vocabulary.encode(prompt)), len(ids)
    usage = {"prompt_tokens": sizes[0], "completion_tokens": sizes[1], "total_tokens": sum(sizes)}
    right, last = {"choices": [], "usage": usage}, parts(part(silent, -1), "choices", "usage")
    expect_equal(
        parts(part(asked_for, -1), "choices", "usage"), right, what="the last event before [DONE]",
        misses={
            "usage never comes": last,
            "usage comes with the last choice": right | {"choices": last["choices"]},
            "the event with usage has no choices, where an empty list belongs": without(right, "choices"),
            "usage is that of the beginning": right
            | {"usage": usage | {"completion_tokens": 0, "total_tokens": sizes[0]}},
            "the total of usage is missing": right | {"usage": usage | {"total_tokens": 0}},
        },
    )  # fmt: skip
    expect_equal(part(chat, -1, "choices"), [], what="the choices of a chat's event with usage")
    expect_equal(
        [one for one in silent if part(one, "usage") not in (MISSING, None)], [], what="usage that nobody asked for",
        misses={UNASKED: silent[-1:]},
    )  # fmt: skip


@pytest.mark.task("m20.6")
@pytest.mark.holds(
    '"stream": true asks for server-sent events, of the type text/event-stream: as soon as there is new text, an '
    "event with it, in ASCII.",
    "It is an answer without usage, with one id in the whole stream; finish_reason is null in all events of a choice "
    "but its last.",
)
def test_several_prompts_stream_under_their_indices(student, draw):
    """In a stream for several prompts each choice has its own text and its own reason."""
    vocabulary = oracle.of_words(draw)
    prompts = ["a", "b"]
    says = {tuple(vocabulary.encode("a")): "the cat", tuple(vocabulary.encode("b")): "the dogs"}
    service = Service(student, vocabulary, lambda ids: vocabulary.encode(says.get(tuple(ids), "")))
    answer = streamed(service, complete(prompts, stream=True, max_tokens=5))
    expect_done(answer)

    texts = {number: text_of(found) for number, found in bits(answer, "text").items()}
    wanted = {number: vocabulary.decode(vocabulary.encode(text)[:5]) for number, text in enumerate(says.values())}
    expect_equal(texts, wanted, what="the texts by index", misses={
        "every event has the index 0": {0: "".join(wanted.values())},
        "the first prompt is the only one that is answered": {0: wanted[0]},
    })  # fmt: skip
    last = [found[-1] for _, found in sorted(bits(answer, "finish_reason").items())]
    expect_equal(last, ["stop", "length"], what="the last finish_reason of each")


# ── what goes wrong ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.task("m20.6")
@pytest.mark.holds(
    "In a stream the error comes as an event, and nothing after it.",
    "What was raised is not told.",
)
@pytest.mark.parametrize("chat", [False, True], ids=["completion", "chat"])
def test_a_model_that_fails_in_a_stream_ends_it_with_an_error(student, draw, chat):
    """When generate raises in a stream, an event with the error is the last, and keeps to itself what was raised."""
    vocabulary = oracle.of_words(draw)
    service = Service(student, vocabulary, [*vocabulary.encode("ab"), FAILS])
    request = converse(("user", "Hi"), stream=True) if chat else complete("Go", stream=True)
    (answer,) = service.talk(request)

    expect_unbroken(answer, "the stream breaks off without a word")
    answer.expect_end()
    data = answer.events()
    kinds = [part(json_of(one), "error", "type") if one != "[DONE]" else one for one in data]
    expect_equal(
        [kinds[-1:], kinds.count("server_error")], [["server_error"], 1],
        what="the last event, and the number of errors",
        misses={
            "[DONE] comes after an error, as if all were well": [["[DONE]"], 1],
            "the stream ends as if all were well": [["[DONE]"], 0],
            "the stream breaks off without a word": [[MISSING], 0],
        },
    )  # fmt: skip
    expect_equal(text_of(bits(answer, *(("delta", "content") if chat else ("text",))).get(0, [])), "ab",
                 what="the text before the error", misses={COLLECTED: "", LATE: "a"})  # fmt: skip
    expect(
        SECRET.encode() not in answer.body, "The text of what was raised inside the service stands in its answer.",
        mistake="what was raised is told to the client", evidence="value",
    )  # fmt: skip


@pytest.mark.task("m20.6")
@pytest.mark.holds(
    '"stream": true asks for server-sent events, of the type text/event-stream: as soon as there is new text, an '
    "event with it, in ASCII.",
)
def test_what_is_wrong_is_said_before_a_stream_begins(student, draw):
    """A request for a stream that is out of place gets a 400 and no stream."""
    vocabulary = oracle.of_words(draw)
    (answer,) = Service(student, vocabulary, vocabulary.encode("x")).talk(
        post("/v1/completions", {"model": MODEL, "prompt": "a", "max_tokens": 0, "stream": True})
    )

    expect_error(answer, 400, param="max_tokens", misses={"a stream begins before the request is looked at": 200})


# ── while the model thinks ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.task("m20.6")
@pytest.mark.holds(
    '"stream": true asks for server-sent events, of the type text/event-stream: as soon as there is new text, an '
    "event with it, in ASCII.",
)
@pytest.mark.parametrize("chat", [False, True], ids=["completion", "chat"])
def test_text_arrives_before_the_next_token_is_there(student, draw, chat):
    """Each bit of text has arrived before the model gives the next token: the model waits for it, and not in vain."""
    vocabulary = oracle.of_words(draw)
    text = "abcdef"

    def arrived(service):
        answer = service.answers[0]
        return len(text_of(bits(answer, *path).get(0, []))) if answer.status == 200 else 0

    def paced(service, call, position):
        return [service.let(call, 1)] if position == 0 else []

    def heard(service, client):
        return [service.let(0, 1 + arrived(service))]

    path = ("delta", "content") if chat else ("text",)
    service = Service(student, vocabulary, vocabulary.encode(text), paced=paced, heard=heard)
    streamed(service, converse(("user", "Hi"), stream=True) if chat else complete("Go", stream=True))

    tokens = [place for place, (kind, *_) in enumerate(service.log) if kind == "token"]
    between = ["sent", 0] in map(list, service.log[tokens[1] : tokens[-1]]) if len(tokens) > 1 else False
    expect_equal(
        [position for _, position in service.happened("late")], [],
        what="the tokens that came though the text before them had not arrived",
        misses={LATE if between else COLLECTED: list(range(1, len(text)))},
    )  # fmt: skip
    expect_equal(arrived(service), len(text), what="the length of the text")
    if not chat:
        achieve(f"Each of {len(text)} tokens reached its client before your service asked the model for the next one.")


@pytest.mark.task("m20.6")
@pytest.mark.holds(
    'GET /health answers {"status": "ok"}, also while the model generates.',
    "Requests don't disturb each other.",
)
@pytest.mark.parametrize("stream", [True, False], ids=["streaming", "whole"])
def test_health_answers_while_the_model_thinks(student, draw, stream):
    """GET /health is answered while the model is in the midst of an answer, streaming or not."""
    vocabulary = oracle.of_words(draw)

    def paced(service, call, position):
        return [service.let(call, 2)] if position == 0 else [["start", 1]] if position == 2 else []

    def heard(service, client):
        return [service.let(0, 9)] if client == 1 and service.answers[1].complete else []

    service = Service(student, vocabulary, vocabulary.encode("abcd"), paced=paced, heard=heard)
    request = complete("Go", stream=True) if stream else complete("Go")
    whole, health = service.talk(request, get("/health"), at_once=1)

    for answer in (whole, health):
        answer.expect_end()
    expect_equal(
        service.happened("late"), [], what="the tokens that came before the answer to /health",
        misses={BLOCKED: [[0, 2], [0, 3]]},
    )  # fmt: skip
    expect_equal(health.json(), {"status": "ok"}, what="the answer")
    text = text_of(bits(whole, "text").get(0, [])) if stream else part(whole.json(), "choices", 0, "text")
    expect_equal(text, "abcd", what="the text")


@pytest.mark.task("m20.6")
@pytest.mark.holds(
    "Requests don't disturb each other.",
)
@pytest.mark.parametrize("stream", [True, False], ids=["streaming", "whole"])
def test_two_answers_at_a_time_have_nothing_to_do_with_each_other(student, draw, stream):
    """Two clients whose tokens come by turns get each the text of its own, with its own id and usage."""
    vocabulary = oracle.of_words(draw)
    texts = ["日本 and", "a 日b, 日"]
    prompts = [vocabulary.encode(prompt) for prompt in ("one", "two!")]
    says = {tuple(prompt): vocabulary.encode(text) for prompt, text in zip(prompts, texts, strict=True)}

    def paced(service, call, position):
        """Have the two take turns: a token waits for as many of the other's, for a second if they come one by one."""
        reached[call] = position
        if len(reached) < 2:
            return [service.let(call, 0)]
        done = any(reached[other] >= len(says[tuple(service.calls[other][0])]) for other in reached)
        return [service.let(other, 1000 if done else 1 + min(reached.values())) for other in reached]

    reached = {}
    service = Service(student, vocabulary, lambda ids: says.get(tuple(ids), []), paced=paced, patience=1.0)
    more = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    answers = service.talk(*(complete(prompt, max_tokens=30, **more) for prompt in prompts))

    found, usage = [], []
    for answer in answers:
        answer.expect_end()
        expect_status(answer, 200)
        whole = None if stream else answer.json()
        found.append(text_of(bits(answer, "text").get(0, [])) if stream else part(whole, "choices", 0, "text"))
        last = part(expect_done(answer), -1) if stream else whole
        usage.append(part(last, "usage", "completion_tokens"))
    expect_equal(found, texts, what="the two texts")
    counts = [len(says[tuple(prompt)]) for prompt in prompts]
    seen = [sum(bool(bit) for bit, _ in oracle.pairs(vocabulary.decode, says[tuple(one)], 30)[:-1]) for one in prompts]
    expect(
        usage == counts, f"The tokens that each of them used are {usage}, expected {counts}.", evidence="value",
        mistake="tokens that gave no text of their own are not counted" if usage == seen
        else "usage counts what others have asked for, too"
        if all(type(used) is int and used >= count for used, count in zip(usage, counts, strict=True)) else None,
    )  # fmt: skip


@pytest.mark.task("m20.6")
@pytest.mark.holds(
    "Once its client has left, streaming or not, a generation ends.",
)
@pytest.mark.parametrize("kind", ["completion", "chat", "whole"])
def test_nothing_is_generated_for_a_client_that_has_left(student, draw, kind):
    """After a client has left, the model is not asked for all the tokens that nobody reads."""
    vocabulary = oracle.of_words(draw)
    most, leaves = 100, 3

    def paced(service, call, position):
        return [["leave", 0]] if position == leaves else [["pause", 0.01]] if position > leaves else []

    ids = vocabulary.encode("x" * most)
    service = Service(student, vocabulary, ids, paced=paced)
    settings = {"max_tokens": most, **({} if kind == "whole" else {"stream": True})}
    (answer,) = service.talk(converse(("user", "Hi"), **settings) if kind == "chat" else complete("Go", **settings))

    reached = len(service.happened("token"))
    expect(
        reached > leaves,
        f"The client leaves at token {leaves}, and the model was asked for {counted(reached, 'token')} in all.",
        evidence="measured",
    )
    expect(
        answer.status is None or answer.status < 500,
        f"The service answered with the status code {answer.status}, and nothing had failed.", evidence="value",
    )  # fmt: skip
    expect(
        reached < most,
        f"The client left at token {leaves}, and the model was asked for all {most} of them.", evidence="measured",
        mistake="generation goes on though its client has left" if reached == most else None,
    )  # fmt: skip
    expect_equal(len(service.calls), 1, what="how often the model was called")
