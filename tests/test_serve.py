"""`nox -s serve`: what is missing is said, what it writes and shows is the student's own, and nothing leaves."""

from __future__ import annotations

import asyncio
import http.server
import json
import shutil
import socket
import sys
import threading
import types

import pytest
import support
import torch

from fixtures import END_OF_TEXT
from grader import cli, record, trying
from grader.capstone import kept
from grader.progress import Progress
from grader.serving import app, at_home, load, model, parts, tabs, theirs
from grader.serving.writing import Writer
from grader.submission import collect

SOLUTIONS = support.REPOSITORY / "solutions"
SIZES = {"vocab_size": 300, "context_length": 16, "d_model": 16, "n_layers": 2, "n_heads": 2}


@pytest.fixture(scope="module")
def modules():
    """The solutions' modules, imported as a service imports them."""
    found, failed = trying.modules(SOLUTIONS, [*parts.NEEDED, *(name for tab in parts.TABS.values() for name in tab)])
    assert failed == {}
    return found


@pytest.fixture(scope="module")
def small(modules):
    """A model as a capstone keeps it, much smaller, and untrained."""
    vocab, merges = modules["m01_tokenizer"].train_bpe("a boat and a fox, " * 50, 300, [END_OF_TEXT])
    torch.manual_seed(0)
    sizes = SIZES | {"vocab_size": len(vocab)}
    made = modules["m06_gpt"].GPT(modules["m06_gpt"].GPTConfig(**sizes))
    weights = {name: value * 4 for name, value in made.state_dict().items()}  # so that no two tokens are alike
    return kept.Model(vocab, merges, sizes, weights, 7, 1.5, "boats", "A boat")


@pytest.fixture(scope="module")
def served(modules, small):
    """That model, made of the solutions."""
    return model.bring(modules, small)


# ── what is missing ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--submission", "exercises"], 1, "your service cannot run yet: m01.1 Pre-tokens is not written yet"),
        (["--submission", "nowhere"], 2, "There is no folder nowhere"),
        (["--model", "{tmp}"], 2, "There is no trained model in {tmp} yet"),
        (["--port", "{taken}"], 2, "Port {taken} of 127.0.0.1 cannot be had (address already in use); name another"),
    ],
)
def test_what_is_missing_is_one_sentence(tmp_path, capsys, words, code, said):
    """Stubs, a folder or a model that is none, and a port that somebody has end it before anything is imported."""
    with socket.socket() as other:
        other.bind((app.HOST, 0))
        other.listen()
        values = {"tmp": str(tmp_path), "taken": str(other.getsockname()[1])}
        words = [word.format(**values) for word in words]
        words += [] if "--submission" in words else ["--submission", str(SOLUTIONS)]

        assert cli.main(["serve", "--check", *words]) == code
    error = capsys.readouterr().err
    assert error.startswith("scratchwork: ") and said.format(**values) in error and error.count("\n") == 1


@pytest.mark.parametrize("words", [["--port", "99999"], ["--port", "x"], ["--load", "0"], ["--load", "9999"], ["--x"]])
def test_an_option_that_is_none_is_wrong_usage(capsys, words):
    """A port, a number of clients and an option that there is not end with 2 and one sentence."""
    with pytest.raises(SystemExit) as end:
        cli.main(["serve", *words])

    assert end.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_module_that_cannot_be_imported_is_named(tmp_path, capsys, monkeypatch):
    """What a module raises when it is imported is said with its name, and where to look."""
    monkeypatch.setattr(at_home, "stay", lambda: None)
    shutil.copytree(SOLUTIONS, tmp_path / "mine", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "mine" / "m07_generation.py").open("a", encoding="utf-8") as file:
        file.write("\nraise KeyError('oops')\n")

    words = ["serve", "--submission", str(tmp_path / "mine"), "--no-page", "--port", "0", "--model", "gpt2-nano"]
    assert cli.main(words) == 1
    said = capsys.readouterr().err
    assert "m07_generation.py cannot be imported (KeyError: 'oops'); nox -s grade -- m07" in said


def test_a_tab_stands_for_what_is_written_and_not_known_to_fail(tmp_path, monkeypatch):
    """The solutions have all tabs, stubs none; one whose milestone failed when it was last graded goes."""
    monkeypatch.setenv("SCRATCHWORK_STATE", str(tmp_path))
    for folder, wanted in (("solutions", [*parts.TABS]), ("exercises", [])):
        mine = collect(support.REPOSITORY / folder, support.COURSE)
        assert parts.tabs(mine, support.COURSE, support.REPOSITORY / folder) == wanted
    mine = collect(SOLUTIONS, support.COURSE)
    for outcome, wanted in ((record.FAILED, ["m16_bert", "m18_rag"]), (record.PASSED, [*parts.TABS])):
        task = record.Task("m10.1", "A task", 5, checks=[record.Check("test_it", "It holds.", outcome)])
        graded = record.Milestone("m10_finetuning", "Fine-tuning", [task])
        Progress().remember(SOLUTIONS, [graded], {graded.id: ""})
        assert parts.tabs(mine, support.COURSE, SOLUTIONS) == wanted


# ── what it writes ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_it_writes_what_the_students_own_generation_writes(served, modules):
    """Without chance the ids are those of generate, after the token that ends a text, which begins one, too."""
    ids = served.tokenizer.encode("a boat")
    write = Writer(served, modules["m07_generation"])
    first = torch.tensor([[served.end, *ids]])
    expected = modules["m07_generation"].generate(served.model, first, 6, temperature=0)[0, first.shape[1] :].tolist()
    if served.end in expected:
        expected = expected[: expected.index(served.end)]

    assert list(write(ids, max_tokens=6, temperature=0, top_p=1.0)) == expected


def test_a_text_longer_than_the_context_goes_on(served, modules):
    """Whatever the prompt's length, as many tokens come as were asked for; the end token ends them, and is none."""
    own = vars(modules["m07_generation"])
    parts = types.SimpleNamespace(**own | {"sample": lambda probs: torch.tensor([97])})

    for length in (1, 14, 15, 16, 40):
        assert list(Writer(served, parts)([98] * length, max_tokens=40, temperature=1.0, top_p=1.0)) == [97] * 40
    parts.sample = lambda probs: torch.tensor([served.end])
    assert list(Writer(served, parts)([98], max_tokens=40, temperature=1.0, top_p=1.0)) == []


def test_transformers_gets_the_same_model(served, small, tmp_path):
    """What is written for transformers serve has the student's own logits, and its tokenizer their ids."""
    from transformers import AutoTokenizer, GPT2LMHeadModel

    theirs.write(tmp_path, small)
    text = "a boat, naïve — and a fox<|endoftext|>"
    ids = served.tokenizer.encode(text)
    other = GPT2LMHeadModel.from_pretrained(tmp_path).eval()

    assert AutoTokenizer.from_pretrained(tmp_path)(text)["input_ids"] == ids
    with torch.no_grad():
        some = torch.tensor([ids[:12]])
        torch.testing.assert_close(other(some).logits, served.model(some), atol=1e-4, rtol=1e-4)


# ── what it shows ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_tabs_answer(served, modules, monkeypatch):
    """Lily is sad; a message has a class once the classifier has learned, and each says what it cannot read."""
    monkeypatch.setattr(tabs, "STEPS", 2)
    classify, fill, ask = tabs.tabs([*parts.TABS], modules, served)

    assert fill.answer(fill.example).splitlines()[0].split() == ["64%", "sad"]
    assert fill.answer("no gap") == "Write [MASK] once, where a word is missing."
    assert "longer than the 128 tokens" in fill.answer(f"{'boat ' * 200}[MASK]")
    for name in ("m17_retriever", "m18_rag"):
        monkeypatch.setitem(sys.modules, f"{trying.PACKAGE}.{name}", modules[name])  # other tests import others
    said = ask.answer(ask.example)
    assert said.startswith('"') and said.splitlines()[-1] == "exercises/m17_retriever.md, section m17.1 Chunks"
    assert ask.answer("Who won the football match yesterday?") == modules["m18_rag"].REFUSAL
    assert ask.answer("  ") == "Ask something first."
    first, second = list(classify.answer(classify.example)), list(classify.answer(classify.example))
    assert len(first) > len(second) == 1 and first[-1] == second[0]
    assert "spam" in second[0] and "ordinary" in second[0] and "Of 120 messages" in second[0]
    assert list(classify.answer("  ")) == ["Write a message first."]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", b"127.0.0.1", None, "127.0.0.53"])
def test_this_machine_may_be_asked(host):
    """Addresses of this machine are let through, whichever way they are written."""
    at_home.look("socket.getaddrinfo", (host, 80, 0, 0, 0))
    at_home.look("socket.connect", (None, (host, 80)))
    at_home.look("socket.connect", (None, "/tmp/service.sock"))


@pytest.mark.parametrize("host", ["example.org", "192.0.2.1", b"example.org", "2001:db8::1", "localhost.example.org"])
def test_nobody_else_is_asked(capsys, host):
    """A name or an address of any other machine is refused, and said."""
    for event, arguments in (("socket.getaddrinfo", (host, 80)), ("socket.connect", (None, (host, 80)))):
        with pytest.raises(ConnectionRefusedError):
            at_home.look(event, arguments)
    assert capsys.readouterr().err.count(at_home.REFUSED) == 2


@pytest.mark.parametrize(
    ("headers", "own"),
    [
        ({"host": "127.0.0.1:8000"}, True),
        ({"host": "localhost:8000", "origin": "http://localhost:8000", "sec-fetch-site": "same-origin"}, True),
        ({"host": "evil.example:8000"}, False),
        ({}, False),
        ({"host": "127.0.0.1:8000", "origin": "http://evil.example"}, False),
        ({"host": "127.0.0.1:8000", "origin": "http://127.0.0.1:9000"}, False),
        ({"host": "127.0.0.1:8000", "sec-fetch-site": "cross-site"}, False),
        ({"host": "127.0.0.1"}, True),  # at port 80
    ],
)
def test_other_sites_pages_get_nothing(headers, own):
    """A request for another name, or from a page of another address, is not answered; an answer has the policy."""
    from starlette.responses import PlainTextResponse

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    sent = []

    async def answered(scope, receive, send):
        await PlainTextResponse("mine")(scope, receive, send)

    async def send(message):
        sent.append(message)

    asyncio.run(app.OwnBrowser(answered)({"type": "http", "headers": raw}, None, send))
    assert sent[0]["status"] == (200 if own else 403)
    assert (sent[1]["body"] == b"mine") is own
    assert (b"content-security-policy" in dict(sent[0]["headers"])) is own


# ── under load ────────────────────────────────────────────────────────────────────────────────────────────────────────


class Answers(http.server.BaseHTTPRequestHandler):
    """Streams a text of three tokens; every fourth client is told that it is too much."""

    served = 0

    def do_POST(self):
        """Answer as a service would."""
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        type(self).served += 1
        if type(self).served % 4 == 0:
            self.send_error(503)
            return
        self.send_response(200)
        self.end_headers()
        events = [{"choices": [{"text": ""}]}, {"choices": [{"text": "a"}]}]
        events += [{"choices": [], "usage": {"completion_tokens": 3}}] if asked["stream_options"] else []
        self.wfile.write(
            b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in events) + b"data: [DONE]\n\n"
        )

    def log_message(self, *_):
        """Say nothing."""


def test_clients_are_counted_and_failures_told():
    """Tokens are what the services count, each client has its first text's time, and who got nothing says why."""
    with http.server.ThreadingHTTPServer((app.HOST, 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found = load.measure(server.server_address[1], "any", 8)
        server.shutdown()

    assert (found.tokens, len(found.firsts), len(found.failures)) == (18, 6, 2)
    assert found.rate > 0 and found.failures[0].startswith("status 503")
