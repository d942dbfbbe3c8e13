"""m20_serving: an app that answers as OpenAI's does, whatever it is asked."""

import pytest

from grader.judge import expect, expect_equal

from . import oracle
from .probes import FAILS, SECRET
from .steps import (
    MISSING,
    MODEL,
    Service,
    chosen,
    complete,
    expect_error,
    expect_recent,
    expect_status,
    expect_usage,
    get,
    index,
    part,
    parts,
    post,
    without,
)  # fmt: skip

OTHER_JSON = (b"[1]", b'"text"', b"null")
MALFORMED = "malformed JSON becomes the server's own fault"
NO_OBJECT = "JSON that is no object becomes the server's own fault"
NO_IDS = {"a list of ids is refused": 400, "a list of ids, which is one prompt, is the server's own fault": 500}
UNSEEN = "tokens that gave no text of their own are not counted"
NUMBER = "true is taken for a number, as isinstance has it"
FAULT = "a value that is out of place becomes the server's own fault (500)"
TAKEN = {
    "prompt": "a prompt that is empty, or no prompt at all, is taken as it comes",
    "max_tokens": "max_tokens is taken as it comes",
    "temperature": "the temperature is taken as it comes",
    "top_p": "top_p is taken as it comes",
    "stop": "stop is taken as it comes",
    "n": "several answers are asked for, and one is given without a word",
    "stream": "stream is taken as it comes",
    "model": "no model need be named",
}


@pytest.mark.task("m20.4")
@pytest.mark.holds(
    "Return the service, an ASGI app.",
    'GET /health answers {"status": "ok"}, also while the model generates.',
)
def test_health_is_ok(student, draw):
    """GET /health answers {"status": "ok"}."""
    vocabulary = oracle.of_words(draw)
    (answer,) = Service(student, vocabulary, []).ask(get("/health"))

    expect_status(answer, 200)
    expect_equal(answer.json(), {"status": "ok"}, what="the answer")


@pytest.mark.task("m20.4")
@pytest.mark.holds(
    'GET /v1/models answers {"object": "list", "data": [{"id": model, "object": "model", "created": seconds since '
    '1970, "owned_by": a text}]}.',
)
def test_the_one_model_is_listed(student, draw):
    """GET /v1/models lists the model under the name that create_app was given."""
    vocabulary = oracle.of_words(draw)
    (answer,) = Service(student, vocabulary, [], model="nano-7").ask(get("/v1/models"))

    expect_status(answer, 200)
    found, one = answer.json(), part(answer.json(), "data", 0)
    expect_equal(
        parts(one, "id", "object") | {"list": part(found, "object")},
        {"object": "model", "id": "nano-7", "list": "list"}, what="the list",
        misses={"the model's name is fixed": {"object": "model", "id": "scratchwork", "list": "list"}},
    )  # fmt: skip
    expect_equal(len(part(found, "data")), 1, what="the number of models")
    expect_recent(part(one, "created"))
    expect(type(part(one, "owned_by")) is str and part(one, "owned_by") != MISSING, "owned_by is a text.")


@pytest.mark.task("m20.4")
@pytest.mark.holds(
    'It answers {"id": a text, no other answer\'s, "object": "text_completion", "created": seconds since 1970, '
    '"model": model, "choices": [...], "usage": {...}}.',
    'Each prompt, in their order, has a choice {"index": 0, 1, ..., "text": ..., "logprobs": null, "finish_reason": '
    '"stop" or "length"}.',
    "usage has prompt_tokens, completion_tokens and total_tokens, their sum, of all prompts together; all that "
    "generate gave counts, also what is part of no text.",
)
def test_a_completion_has_all_its_parts(student, draw):
    """A completion has id, object, time, model, a choice with text and reason, and usage."""
    vocabulary = oracle.of_words(draw)
    ids, prompt = vocabulary.encode("the cat 日本 sat."), "Say the cat"
    (answer,) = Service(student, vocabulary, ids).ask(complete(prompt))

    expect_status(answer, 200)
    found = answer.json()
    expect_equal(
        parts(found, "object", "model"), {"object": "text_completion", "model": MODEL}, what="the answer's head"
    )
    expect_equal(
        parts(part(found, "choices", 0), "index", "text", "logprobs", "finish_reason"),
        {"index": 0, "text": "the cat 日本 sat.", "logprobs": None, "finish_reason": "stop"}, what="the choice",
        misses=choice_misses(vocabulary, ids, "stop", prompt),
    )  # fmt: skip
    expect_equal(len(part(found, "choices")), 1, what="the number of choices")
    seen = sum(bool(bit) for bit, _ in oracle.pairs(vocabulary.decode, ids, 16)[:-1])
    expect_usage(found, len(vocabulary.encode(prompt)), len(ids), **{UNSEEN: seen})
    expect_recent(part(found, "created"))
    expect(type(part(found, "id")) is str and part(found, "id") not in (MISSING, ""), "id is a text that is not empty.")


def choice_misses(vocabulary, ids, reason, prompt):
    """Return what the mistakes make of a choice."""
    right = {"index": 0, "text": vocabulary.decode(ids), "logprobs": None, "finish_reason": reason}
    return {
        "each token is decoded alone": right | {"text": "".join(vocabulary.decode([id]) for id in ids)},
        "the prompt stands before the answer": right | {"text": prompt + right["text"]},
        "finish_reason is missing": without(right, "finish_reason"),
        "finish_reason is always null": right | {"finish_reason": None},
        "finish_reason is always the other one": right | {"finish_reason": "length" if reason == "stop" else "stop"},
        "logprobs is missing": without(right, "logprobs"),
    }


@pytest.mark.task("m20.4")
@pytest.mark.holds(
    'It answers {"id": a text, no other answer\'s, "object": "text_completion", "created": seconds since 1970, '
    '"model": model, "choices": [...], "usage": {...}}.',
)
def test_no_two_answers_have_one_id(student, draw):
    """Each answer has an id of its own."""
    vocabulary = oracle.of_words(draw)
    service = Service(student, vocabulary, vocabulary.encode("x"))
    answers = service.ask(*[complete("a")] * 4)

    found = [part(answer.json(), "id") for answer in answers]
    one = "answers have no id" if MISSING in found else "all answers have one id"
    expect_equal(len(set(map(str, found))), 4, what="the number of different ids", misses={one: 1})


@pytest.mark.task("m20.4")
@pytest.mark.holds(
    "POST /v1/completions takes `model`, `prompt` (a text, a list of ids, or a list of either) and, where wanted, "
    "`max_tokens` (16), `temperature` (1), `top_p` (1) and `stop` (a text or a list of texts).",
)
def test_what_is_asked_for_reaches_the_model(student, draw):
    """Prompt and settings reach generate, 0 and whole numbers too, and without them stand 16, 1 and 1."""
    vocabulary = oracle.of_words(draw)
    service = Service(student, vocabulary, vocabulary.encode("x"))
    ids = vocabulary.encode("the cat")
    given = {"max_tokens": 5, "temperature": 0, "top_p": 0.5}

    asked = [complete("the cat"), complete("the cat", **given), complete(ids, temperature=2, top_p=1)]
    for answer, misses in zip(service.ask(*asked), ({}, {}, NO_IDS), strict=True):
        expect_status(answer, 200, misses)

    def calls(*settings):
        return [(ids, *map(float, one)) for one in settings]

    expect_equal(
        [(prompt, *map(float, rest)) for prompt, *rest in service.calls],
        calls((16, 1, 1), (5, 0, 0.5), (16, 2, 1)), what="what generate was asked for",
        misses={
            "a temperature of 0 is taken for none": calls((16, 1, 1), (5, 1, 0.5), (16, 2, 1)),
            "the settings never reach generate": calls((16, 1, 1), (16, 1, 1), (16, 1, 1)),
            "top_p never reaches generate": calls((16, 1, 1), (5, 0, 1), (16, 2, 1)),
            "temperature never reaches generate": calls((16, 1, 1), (5, 1, 0.5), (16, 1, 1)),
            "max_tokens never reaches generate": calls((16, 1, 1), (16, 0, 0.5), (16, 2, 1)),
        },
    )  # fmt: skip


@pytest.mark.task("m20.4")
@pytest.mark.holds(
    'It answers {"id": a text, no other answer\'s, "object": "text_completion", "created": seconds since 1970, '
    '"model": model, "choices": [...], "usage": {...}}.',
    'Each prompt, in their order, has a choice {"index": 0, 1, ..., "text": ..., "logprobs": null, "finish_reason": '
    '"stop" or "length"}.',
    "usage has prompt_tokens, completion_tokens and total_tokens, their sum, of all prompts together; all that "
    "generate gave counts, also what is part of no text.",
    "POST /v1/completions takes `model`, `prompt` (a text, a list of ids, or a list of either) and, where wanted, "
    "`max_tokens` (16), `temperature` (1), `top_p` (1) and `stop` (a text or a list of texts).",
)
@pytest.mark.parametrize("stop", ["END", ["x", "END"], []], ids=repr)
def test_the_reason_is_a_stop_string_or_the_length(student, draw, stop):
    """finish_reason is "stop" before a stop string or where the model ends, and "length" at max_tokens."""
    vocabulary = oracle.of_words(draw)
    ids, prompt = vocabulary.encode("a DEN END two"), vocabulary.encode("Go")
    service = Service(student, vocabulary, ids, paced=lambda *_: None)
    (answer,) = service.ask(complete("Go", stop=stop, max_tokens=len(ids)))

    stops = [stop] if type(stop) is str else stop
    right = oracle.pairs(vocabulary.decode, ids, len(ids), stops)
    text, used = "".join(bit for bit, _ in right), len(right) - 1
    found = answer.json()
    expect_equal(
        parts(part(found, "choices", 0), "text", "finish_reason"), {"text": text, "finish_reason": right[-1][1]},
        what="the choice",
        misses={
            "stop strings are not looked for": {"text": vocabulary.decode(ids), "finish_reason": "length"},
            "the text still holds the stop string": {"text": text + "END", "finish_reason": "stop"},
            "a stop string that is a text is taken for a list of characters": {"text": "a ", "finish_reason": "stop"},
            "finish_reason is always \"stop\"": {"text": text, "finish_reason": "stop"},
            "finish_reason is always \"length\"": {"text": text, "finish_reason": "length"},
        },
    )  # fmt: skip
    expect_usage(
        found, len(prompt), used,
        **{UNSEEN: sum(bit != "" for bit, _ in right[:-1]),
           "tokens whose text was cut away are not counted": len(vocabulary.encode(text)),
           "the characters of the answer are counted, and not its tokens": len(text)},
    )  # fmt: skip
    expect_equal(
        len(service.happened("token")), used, what="how many tokens were asked for",
        misses={"generation goes on after a stop string": len(ids)},
    )  # fmt: skip


@pytest.mark.task("m20.4")
@pytest.mark.holds(
    "POST /v1/completions takes `model`, `prompt` (a text, a list of ids, or a list of either) and, where wanted, "
    "`max_tokens` (16), `temperature` (1), `top_p` (1) and `stop` (a text or a list of texts).",
    'Each prompt, in their order, has a choice {"index": 0, 1, ..., "text": ..., "logprobs": null, "finish_reason": '
    '"stop" or "length"}.',
    "usage has prompt_tokens, completion_tokens and total_tokens, their sum, of all prompts together; all that "
    "generate gave counts, also what is part of no text.",
)
@pytest.mark.parametrize("as_ids", [False, True], ids=["texts", "ids"])
def test_several_prompts_have_a_choice_each(student, draw, as_ids):
    """A list of prompts, texts or ids, gets a choice for each, in their order, and usage of all."""
    vocabulary = oracle.of_words(draw)
    prompts = ["the cat", "a dog or two", "日本"]
    ids = [vocabulary.encode(prompt) for prompt in prompts]
    says = {tuple(prompt): vocabulary.encode(f"answer {'to ' * number}") for number, prompt in enumerate(ids, start=1)}
    service = Service(student, vocabulary, lambda prompt: says.get(tuple(prompt), []))
    (answer,) = service.ask(complete(ids if as_ids else prompts))

    found = answer.json()
    wanted = [vocabulary.decode(says[tuple(prompt)]) for prompt in ids]
    expect_equal(
        chosen(found, "text"), wanted, what="the texts",
        misses={
            "the first prompt is the only one that is answered": [wanted[0], "", ""],
            "there is a choice for the first prompt alone": wanted[:1],
            "the last prompt is the only one that is answered": wanted[-1:],
            "all prompts are taken for one": [""],
            "the choices stand in another order": wanted[::-1],
        },
    )  # fmt: skip
    expect_equal(
        sorted(map(index, part(found, "choices"))), [0, 1, 2], what="the indices",
        misses={"every choice has the index 0": [0, 0, 0], "the indices begin at 1": [1, 2, 3]},
    )  # fmt: skip
    counts = [len(says[tuple(prompt)]) for prompt in ids]
    expect_usage(
        found, sum(map(len, ids)), sum(counts),
        **{"the tokens of the last answer alone are counted": counts[-1],
           "the tokens of the first answer alone are counted": counts[0]},
    )  # fmt: skip


@pytest.mark.task("m20.4")
@pytest.mark.holds(
    "Bodies are JSON; null is as good as nothing, and other keys don't matter.",
)
def test_null_and_unknown_keys_change_nothing(student, draw):
    """Null is as good as nothing, keys that nobody knows do not matter, and a body may come in pieces."""
    vocabulary = oracle.of_words(draw)
    service = Service(student, vocabulary, vocabulary.encode("ok"))
    body = {"model": MODEL, "prompt": "日本"}
    nothing = dict.fromkeys(["max_tokens", "temperature", "top_p", "stop", "stream", "n", "stream_options"])
    unknown = {"user": "me", "seed": 4, "logit_bias": {"5": 1}}
    plain, with_null, with_more, in_pieces = service.ask(
        post("/v1/completions", body),
        post("/v1/completions", body | nothing),
        post("/v1/completions", body | unknown),
        post("/v1/completions", body, cuts=(1, 20, 31)),
    )

    expect_status(plain, 200)
    expect_status(with_null, 200, {"null is refused": 400})
    expect_status(with_more, 200, {"keys that nobody knows are refused": 400})
    expect_status(in_pieces, 200, {"a body that comes in pieces is not read to its end": 400})
    for answer in (plain, with_null, with_more, in_pieces):
        expect_equal(chosen(answer.json(), "text"), ["ok"], what="the text")
    expect_equal(
        [(ids, *map(float, rest)) for ids, *rest in service.calls], [(vocabulary.encode("日本"), 16.0, 1.0, 1.0)] * 4,
        what="what generate was asked for",
    )  # fmt: skip


# ── errors ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.task("m20.4")
@pytest.mark.holds(
    'An error is answered with {"error": {"message": a text, "type": ..., "param": ..., "code": ...}}.',
    '400, type "invalid_request_error": the body is no JSON object; or what `param` names is missing, of another '
    "type, empty (prompt, messages, a stop string), or out of place: max_tokens below 1, a temperature outside of 0 "
    "to 2, a top_p outside of 0 < top_p <= 1, `n` other than 1, messages that render_chat refuses.",
)
@pytest.mark.parametrize(
    "body",
    [b"", b"{", *OTHER_JSON, b'{"model": "\xff"}', b"[" * 50_000, b'{"model": "nano-1", "prompt": nope}'],
    ids=["empty", "open", "list", "text", "null", "utf8", "deep", "word"],
)
def test_a_body_that_is_no_json_object_is_a_400(student, draw, body):
    """A body that is no JSON object gets a 400 in OpenAI's form, with or without a content type."""
    vocabulary = oracle.of_words(draw)
    service = Service(student, vocabulary, vocabulary.encode("x"))
    fault = NO_OBJECT if body in OTHER_JSON else MALFORMED
    for headers in ([(b"host", b"x"), (b"content-type", b"application/json")], [(b"host", b"x")]):
        (answer,) = service.talk(post("/v1/completions", body, headers=headers))
        expect_error(answer, 400, misses={fault: 500})


@pytest.mark.task("m20.4")
@pytest.mark.holds(
    'An error is answered with {"error": {"message": a text, "type": ..., "param": ..., "code": ...}}.',
    '400, type "invalid_request_error": the body is no JSON object; or what `param` names is missing, of another '
    "type, empty (prompt, messages, a stop string), or out of place: max_tokens below 1, a temperature outside of 0 "
    "to 2, a top_p outside of 0 < top_p <= 1, `n` other than 1, messages that render_chat refuses.",
)
@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("prompt", [MISSING, "", [], ["a", ""], [[]], 5, {}, [1.5], [True], ["a", 5], [[1], "a", None]]),
        ("max_tokens", [0, -1, 1.5, "9", True]),
        ("temperature", [-0.1, 2.1, "1", [], True]),
        ("top_p", [0, -1, 1.01, "1"]),
        ("stop", ["", ["a", ""], 5, [5], {"a": 1}]),
        ("n", [0, 2, "1"]),
        ("stream", ["true", 1]),
        ("model", [MISSING, 5, ["nano-1"]]),
    ],
    ids=lambda value: value if type(value) is str else "",
)
def test_what_is_out_of_place_is_a_400_that_names_it(student, draw, name, values):
    """A value that is missing, empty, of another type or out of range gets a 400 whose param names it."""
    vocabulary = oracle.of_words(draw)
    service = Service(student, vocabulary, vocabulary.encode("x"))
    for value in values:
        body: dict[str, object] = {"model": MODEL, "prompt": "a", name: value}
        if value == MISSING:
            del body[name]
        (answer,) = service.talk(post("/v1/completions", body))
        number = {NUMBER: 500 if answer.status == 500 else 200}
        expect_error(answer, 400, param=name, misses=number if value is True else {TAKEN[name]: 200, FAULT: 500})


@pytest.mark.task("m20.4")
@pytest.mark.holds(
    '400, type "invalid_request_error": the body is no JSON object; or what `param` names is missing, of another '
    "type, empty (prompt, messages, a stop string), or out of place: max_tokens below 1, a temperature outside of 0 "
    "to 2, a top_p outside of 0 < top_p <= 1, `n` other than 1, messages that render_chat refuses.",
)
def test_what_is_just_in_place_is_taken(student, draw):
    """The largest and the smallest values that are allowed are answered."""
    vocabulary = oracle.of_words(draw)
    service = Service(student, vocabulary, vocabulary.encode("x"))
    for settings in (
        {"max_tokens": 1},
        {"temperature": 2},
        {"temperature": 0},
        {"top_p": 1},
        {"top_p": 1e-6},
        {"n": 1},
    ):
        (answer,) = service.talk(complete([0], **settings))
        expect_status(answer, 200)


@pytest.mark.task("m20.4")
@pytest.mark.holds(
    'An error is answered with {"error": {"message": a text, "type": ..., "param": ..., "code": ...}}.',
    '404 of the same type: another model (code "model_not_found"), or no such path; 405: no such method.',
)
def test_what_does_not_exist_is_a_404(student, draw):
    """Another model and an unknown path get a 404, and another method a 405, in OpenAI's form."""
    vocabulary = oracle.of_words(draw)
    service = Service(student, vocabulary, vocabulary.encode("x"))
    other, path, method = service.ask(
        post("/v1/completions", {"model": "gpt-9", "prompt": "a"}), get("/v1/engines"), post("/v1/models", {})
    )

    expect_error(
        other,
        404,
        param="model",
        code="model_not_found",
        misses={"another model is answered for": 200, "another model is a 400": 400},
    )
    for answer, status in ((path, 404), (method, 405)):
        expect_error(answer, status)


@pytest.mark.task("m20.4")
@pytest.mark.holds(
    '400, code "context_length_exceeded": a prompt and max_tokens are together more than context_length.',
)
def test_what_does_not_fit_into_the_context_is_refused(student, draw):
    """Prompt and max_tokens may together be context_length, and not one token more, for each prompt alone."""
    vocabulary = oracle.of_words(draw)
    service = Service(student, vocabulary, vocabulary.encode("x"), context_length=12)
    fits, both, long, second = service.ask(
        complete([1] * 5, max_tokens=7), complete([[1] * 5, [2] * 4], max_tokens=7), complete([1] * 5, max_tokens=8),
        complete([[1], [1] * 9], max_tokens=4),
    )  # fmt: skip

    refused = [400, "context_length_exceeded"]
    for answer, mistake in ((fits, "a prompt that just fits is refused"), (both, "prompts are counted together")):
        code = part(answer.json(), "error", "code")
        expect_equal([answer.status, code], [200, MISSING], what="status and error's code", misses={mistake: refused})
    for answer in (long, second):
        expect_error(
            answer, 400, code="context_length_exceeded",
            misses={"what does not fit into the context is generated all the same": 200},
        )  # fmt: skip


@pytest.mark.task("m20.4")
@pytest.mark.holds(
    '500, type "server_error": generate raised.',
    "What was raised is not told.",
    'An error is answered with {"error": {"message": a text, "type": ..., "param": ..., "code": ...}}.',
)
@pytest.mark.parametrize("after", [0, 2])
def test_a_model_that_fails_is_a_500(student, draw, after):
    """When generate raises, the answer is a 500 in OpenAI's form, which keeps to itself what was raised."""
    vocabulary = oracle.of_words(draw)
    service = Service(student, vocabulary, [*vocabulary.encode("x")] * after + [FAILS])
    (answer,) = service.talk(complete("a"))

    expect_error(answer, 500, "server_error", misses={"half an answer is given out as if it were whole": 200})
    expect(
        SECRET.encode() not in answer.body, "The text of what was raised inside the service stands in its answer.",
        mistake="what was raised is told to the client", evidence="value",
    )  # fmt: skip
