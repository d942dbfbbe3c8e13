"""m20_serving: conversations, as programs send them and as a page does."""

import pytest

from grader.judge import expect, expect_answer, expect_equal, expect_raises

from . import oracle
from .steps import (
    MISSING,
    MODEL,
    Service,
    converse,
    expect_error,
    expect_recent,
    expect_status,
    expect_usage,
    part,
    parts,
    post,
    without,
)  # fmt: skip

NEXT = "\nUser:"
FIRST_PART = "only the first part is read"
NO_LIST = "a content that is a list is not taken"
TALK = [("system", "Be kind."), ("user", "Hi!"), ("assistant", "Hello."), ("user", "Who are\nyou?")]
WRITTEN = "System: Be kind.\nUser: Hi!\nAssistant: Hello.\nUser: Who are\nyou?\nAssistant:"


def said(*messages, shape=str):
    """Return messages whose contents are texts or lists of parts, with what a page adds to them."""
    contents = {str: lambda text: text, list: lambda text: [{"type": "text", "text": bit} for bit in halves(text)]}
    return [{"role": role, "content": contents[shape](text)} for role, text in messages]


def halves(text):
    """Return a text in two parts."""
    return text[:2], text[2:]


def written(join):
    """Return what becomes of the conversation where the two parts of each content are joined in some way."""
    return "\n".join([*(f"{role.title()}: {join(halves(text))}" for role, text in TALK), "Assistant:"])


@pytest.mark.task("m20.5")
@pytest.mark.holds(
    "Each becomes a line `System: ...`, `User: ...` or `Assistant: ...`; at the end stands `Assistant:`.",
    "Other keys don't matter.",
    "Write a conversation as one text that asks for the next answer.",
    '>>> render_chat([{"role": "user", "content": "Hi!"}]) \'User: Hi!\\nAssistant:\'',
)
def test_a_conversation_is_a_line_for_each_message(student):
    """Each message becomes a line with the name of its role, and the last line is to be filled."""
    marked = [{**one, "metadata": None, "options": []} for one in said(*TALK)]
    for messages, written in ((said(("user", "Hi!")), "User: Hi!\nAssistant:"), (marked, WRITTEN)):
        small = (
            written.replace("System:", "system:").replace("User:", "user:").replace("\nAssistant: H", "\nassistant: H")
        )
        expect_equal(
            student.render_chat(messages), written, what="the text",
            misses={
                "only the last message is written": "User: Who are\nyou?\nAssistant:",
                "the system's message is left out": WRITTEN.partition("\n")[2],
                "the last line is not asked for": written.removesuffix("\nAssistant:"),
                "a space stands behind the last colon": written + " ",
                "the last line is ended, and the answer would begin a new one": written + "\n",
                "the last colon is missing": written.removesuffix(":"),
                "no space stands behind the names": written.replace(": ", ":"),
                "the names of the roles are small": small,
            },
        )  # fmt: skip


@pytest.mark.task("m20.5")
@pytest.mark.holds(
    'A message is {"role": "system" | "user" | "assistant", "content": ...}, whose content is a text, or a list of '
    'parts {"type": "text", "text": ...}, whose texts are joined as they are.',
)
def test_contents_come_as_texts_and_as_lists_of_parts(student):
    """A content that is a list of parts is written as its texts, joined as they are."""
    parted = said(*TALK, shape=list)
    misses = {
        "a list of parts is written as Python shows it": lambda: "\n".join(
            [*(f"{one['role'].title()}: {one['content']}" for one in parted), "Assistant:"]
        ),
        FIRST_PART: lambda: written(lambda parts: parts[0]),
        "only the last part is read": lambda: written(lambda parts: parts[-1]),
        "parts are joined by a space": lambda: written(" ".join),
        "parts are joined by the end of a line": lambda: written("\n".join),
    }
    found = expect_answer(student.render_chat, parted, simpler=(said(*TALK),), mistake=NO_LIST)
    expect_equal(found, WRITTEN, what="the text", misses=misses)
    expect_equal(student.render_chat([{"role": "user", "content": []}]), "User: \nAssistant:", what="the text of none")


NOTHING_ELSE = [
    [],
    [{"role": "tool", "content": "x"}],
    [{"content": "x"}],
    [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}],
    [{"role": "user", "content": [{"type": "image", "text": "x"}]}],
]


@pytest.mark.task("m20.5")
@pytest.mark.holds(
    "ValueError for no message, another role, or a part of another type.",
)
@pytest.mark.parametrize("messages", NOTHING_ELSE, ids=["none", "tool", "nobody", "picture", "other"])
def test_what_is_no_conversation_is_refused(student, messages):
    """No message, another role, and a part that is no text raise ValueError."""
    expect_raises("ValueError", student.render_chat, messages, fine=(said(("user", "x")),))


@pytest.mark.task("m20.5")
@pytest.mark.holds(
    "POST /v1/chat/completions takes `messages` in place of a prompt, and max_tokens as `max_completion_tokens`, too.",
    'Beside the stop strings asked for, "\\nUser:" is one.',
    'The object is "chat.completion", and the one choice has "message": {"role": "assistant", "content": ...} in '
    "place of a text.",
)
@pytest.mark.parametrize("shape", [str, list], ids=["texts", "parts"])
def test_a_chat_is_answered_with_a_message(student, draw, shape):
    """A chat's prompt is the conversation as one text, and its answer a message of the assistant's."""
    vocabulary = oracle.vocabulary(draw, "User", "Assistant")
    ids = vocabulary.encode(" I am 日本, a model.")
    service = Service(student, vocabulary, ids)
    settings = {"model": MODEL, "max_tokens": 40, "temperature": 0, "top_p": 0.5}
    for kind in dict.fromkeys((str, shape)):  # what is refused in texts, too, is not refused for being a list
        (answer,) = service.ask(post("/v1/chat/completions", settings | {"messages": said(*TALK, shape=kind)}))
        expect_status(answer, 200, {NO_LIST: 400} if kind is list else {})
    found, prompt = answer.json(), vocabulary.encode(WRITTEN)
    expect_equal(service.calls[-1][0], prompt, what="the prompt", misses={
        "the last message alone is the prompt": lambda: vocabulary.encode("User: Who are\nyou?\nAssistant:"),
    })  # fmt: skip
    expect_equal([float(one) for one in service.calls[-1][1:]], [40.0, 0.0, 0.5], what="the settings")
    right = {
        "object": "chat.completion", "model": MODEL, "index": 0, "finish_reason": "stop", "logprobs": None,
        "role": "assistant", "content": " I am 日本, a model.",
    }  # fmt: skip
    texts = part(found, "choices", 0, "text") != MISSING
    expect_equal(
        {
            **parts(found, "object", "model"),
            **parts(part(found, "choices", 0), "index", "finish_reason", "logprobs"),
            **parts(part(found, "choices", 0, "message"), "role", "content"),
        },
        right, what="the answer and its choice",
        misses={
            "a choice has a text, where a chat's has a message" if texts else "a choice has no message": without(
                right, "role", "content"
            ),
            "the object is that of a completion": right | {"object": "text_completion"},
            "logprobs is missing": without(right, "logprobs"),
            "the spaces around an answer are taken away": right | {"content": str(right["content"]).strip()},
        },
    )  # fmt: skip
    expect_usage(found, len(prompt), len(ids))
    expect_recent(part(found, "created"))


@pytest.mark.task("m20.5")
@pytest.mark.holds(
    'Beside the stop strings asked for, "\\nUser:" is one.',
)
def test_an_answer_ends_where_the_model_speaks_for_the_user(student, draw):
    """An answer ends before the next "User:", and before whatever stop strings were asked for."""
    vocabulary = oracle.vocabulary(draw, "\nUs", "er:")
    service = Service(student, vocabulary, vocabulary.encode(" Yes. END\nUser: And"))
    messages = ("user", "Well?")

    found = []
    for answer in service.ask(*(converse(messages, max_tokens=50, stop=stop) for stop in ([], ["END"], ["never"]))):
        choice = part(answer.json(), "choices", 0)
        found.append([part(choice, "message", "content"), part(choice, "finish_reason")])

    on, cut, whole = [" Yes. END", "stop"], [" Yes. ", "stop"], [" Yes. END\nUser: And", "stop"]
    expect_equal(
        found, [on, cut, on], what="the answers",
        misses={
            "the model goes on and speaks for the user": [whole, cut, whole],
            "stop strings that are asked for take the place of the next \"User:\"": [on, cut, whole],
            "stop strings that are asked for are not looked for in a chat": [on, on, on],
        },
    )  # fmt: skip


@pytest.mark.task("m20.5")
@pytest.mark.holds(
    "POST /v1/chat/completions takes `messages` in place of a prompt, and max_tokens as `max_completion_tokens`, too.",
    '400, type "invalid_request_error": the body is no JSON object; or what `param` names is missing, of another '
    "type, empty (prompt, messages, a stop string), or out of place: max_tokens below 1, a temperature outside of 0 "
    "to 2, a top_p outside of 0 < top_p <= 1, `n` other than 1, messages that render_chat refuses.",
)
def test_the_limit_has_two_names_in_a_chat(student, draw):
    """max_completion_tokens is max_tokens by its newer name, 16 stands for neither, and both are looked at."""
    vocabulary = oracle.vocabulary(draw)
    service = Service(student, vocabulary, vocabulary.encode("x" * 40))
    limits = [{"max_completion_tokens": 3}, {"max_tokens": 4}, {}]
    answers = service.ask(*(converse(("user", "Hi"), **limit) for limit in limits))

    expect_equal(
        [part(answer.json(), "usage", "completion_tokens") for answer in answers], [3, 4, 16], what="the lengths",
        misses={
            "max_completion_tokens is not known": [16, 4, 16],
            "max_tokens is not known in a chat": [3, 16, 16],
            "usage counts what others have asked for, too": [3, 7, 23],
        },
    )  # fmt: skip
    (refused,) = service.talk(converse(("user", "Hi"), max_completion_tokens=0))
    expect_error(refused, 400, param="max_completion_tokens", misses={"a limit of 0 is taken as it comes": 200})


@pytest.mark.task("m20.5")
@pytest.mark.holds(
    '400, type "invalid_request_error": the body is no JSON object; or what `param` names is missing, of another '
    "type, empty (prompt, messages, a stop string), or out of place: max_tokens below 1, a temperature outside of 0 "
    "to 2, a top_p outside of 0 < top_p <= 1, `n` other than 1, messages that render_chat refuses.",
)
@pytest.mark.parametrize(
    "messages", [*NOTHING_ELSE, MISSING, "Hi", {}, ["Hi"], [{"role": "user"}], [{"role": "user", "content": 5}]],
    ids=["none", "tool", "nobody", "picture", "other", "missing", "text", "object", "texts", "empty", "number"],
)  # fmt: skip
def test_messages_that_are_none_are_a_400(student, draw, messages):
    """Messages that are missing, or that render_chat refuses, get a 400 whose param is messages."""
    vocabulary = oracle.vocabulary(draw)
    body = {"model": MODEL, "messages": messages}
    if messages == MISSING:
        del body["messages"]
    (answer,) = Service(student, vocabulary, vocabulary.encode("x")).talk(post("/v1/chat/completions", body))

    misses = {"messages are taken as they come": 200, "wrong messages become the server's own fault": 500}
    expect_error(answer, 400, param="messages", misses=misses)


# ── a page ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.task("m20.7")
@pytest.mark.holds(
    "Return the function chat(message, history) that Gradio's ChatInterface calls for each message.",
    "It yields the whole answer so far, each time that it has grown.",
)
def test_a_page_is_given_the_whole_answer_again_and_again(student, draw):
    """Chat yields the answer so far each time that it has grown, and characters are whole."""
    vocabulary = oracle.vocabulary(draw, " 日".encode()[:2], "the ")
    text = " 日本, the end"
    ids = vocabulary.encode(text)
    service = Service(student, vocabulary, ids)

    chat = student.create_chat(service.generate, service.tokenizer)
    answers, _ = service.planted.keeping(chat, "Hi!", [])

    all_pairs = oracle.pairs(vocabulary.decode, ids, 99, [NEXT])
    pieces = [bit for bit, _ in all_pairs if bit]
    grown = ["".join(pieces[: count + 1]) for count in range(len(pieces))]
    expect_equal(
        answers, grown, what="what chat yields",
        misses={
            "each piece is yielded alone, and not the answer so far": pieces,
            "the answer is yielded once, when it is whole": grown[-1:],
            "each token is decoded alone": [
                "".join(vocabulary.decode([id]) for id in ids[: n + 1]) for n in range(len(ids))
            ],
            "an answer is yielded again though it has not grown": [
                "".join(bit for bit, _ in all_pairs[: n + 1]) for n in range(len(all_pairs))
            ],
            "the spaces around an answer are taken away": [said.strip() for said in grown],
        },
    )  # fmt: skip


@pytest.mark.task("m20.7")
@pytest.mark.holds(
    "`history` holds the messages before, as render_chat takes them; the contents come as texts from programs, and as "
    "lists of parts from a browser.",
    "It stays as it was, and nothing else is known of a conversation.",
)
@pytest.mark.parametrize("shape", [str, list], ids=["texts", "parts"])
def test_a_page_sends_the_messages_before(student, draw, shape):
    """The prompt is the history and the new message, in both shapes; the history stays as it was."""
    vocabulary = oracle.vocabulary(draw)
    service = Service(student, vocabulary, vocabulary.encode("ok"))
    chat = student.create_chat(service.generate, service.tokenizer, max_tokens=9, temperature=0.0)
    history = [one | {"metadata": {"title": None}} for one in said(*TALK[:3], shape=shape)]

    _, after = service.planted.keeping(chat, TALK[3][1], history)

    expect_equal(
        service.calls[0][0], vocabulary.encode(WRITTEN), what="the prompt",
        misses={
            "the history is left out": lambda: vocabulary.encode("User: Who are\nyou?\nAssistant:"),
            "the new message is left out": lambda: vocabulary.encode(
                "System: Be kind.\nUser: Hi!\nAssistant: Hello.\nAssistant:"
            ),
            FIRST_PART: lambda: vocabulary.encode(
                "System: Be\nUser: Hi\nAssistant: He\nUser: Who are\nyou?\nAssistant:"
            ),
        },
    )  # fmt: skip
    expect_equal([float(one) for one in service.calls[0][1:]], [9.0, 0.0, 1.0], what="the settings", misses={
        "the settings never reach generate": [128.0, 1.0, 1.0], "max_tokens never reaches generate": [16.0, 0.0, 1.0],
        "a temperature of 0 is taken for none": [9.0, 1.0, 1.0], "temperature never reaches generate": [9.0, 1.0, 1.0],
    })  # fmt: skip
    expect_equal(after, history, what="the history afterwards", misses={
        "the new message is added to the page's own history": [*history, {"role": "user", "content": TALK[3][1]}],
    })  # fmt: skip


@pytest.mark.task("m20.7")
@pytest.mark.holds(
    'Answers end before "\\nUser:".',
    "It stays as it was, and nothing else is known of a conversation.",
)
def test_a_page_keeps_conversations_apart(student, draw):
    """Answers end before the next "User:", and what was said in one conversation is not known in another."""
    vocabulary = oracle.vocabulary(draw, "\nUs")
    service = Service(student, vocabulary, vocabulary.encode(" Fine.\nUser: Bye"))
    chat = student.create_chat(service.generate, service.tokenizer)

    last = [service.planted.keeping(chat, message, [])[0][-1:] for message in ("How are you?", "And you?")]

    expect_equal(last, [[" Fine."]] * 2, what="the answers", misses={
        "the model goes on and speaks for the user": [[" Fine.\nUser: Bye"]] * 2,
        "an answer begins with that of the conversation before": [[" Fine."], [" Fine. Fine."]],
    })  # fmt: skip
    prompts = [vocabulary.encode(f"User: {message}\nAssistant:") for message in ("How are you?", "And you?")]
    expect_equal([ids for ids, *_ in service.calls], prompts, what="the prompts", misses={
        "one conversation is still known in the next": lambda: [prompts[0], vocabulary.encode(
            "User: How are you?\nAssistant:  Fine.\nUser: And you?\nAssistant:")],
        "what a user has said is still known in the next conversation": lambda: [prompts[0], vocabulary.encode(
            "User: How are you?\nUser: And you?\nAssistant:")],
    })  # fmt: skip
    expect(all(limit == 128 for _, limit, *_ in service.calls), "Without max_tokens an answer may have 128 tokens.")
