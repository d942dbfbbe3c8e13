"""What m19's pipelines are made of: the submission's own parts where right, and the grader's in any other case."""

from __future__ import annotations

import sys
import types

import pytest
import support
import torch

from grader import record
from grader.judge.probes import model
from grader.suites.m19_library import probes_parts as parts
from grader.suites.m19_library.probes_tasks import Table

GPT = {"vocab_size": 10, "context_length": 12, "d_model": 8, "n_layers": 1, "n_heads": 2}
BERT = {"vocab_size": 12, "context_length": 9, "d_model": 8, "n_layers": 1, "n_heads": 2, "d_ff": 12}
DOCUMENTS = {"a": "the old boat sails on the sea", "b": "a cat sleeps, and the boat is far"}


@pytest.fixture
def having(monkeypatch):
    """Return a function that puts modules into the submission's package."""

    def have(**modules):
        for name, own in modules.items():
            monkeypatch.setitem(sys.modules, f"exercises.{name}", own)

    return have


def solution(name):
    """Return a solution as a module."""
    return __import__(f"solutions.{name}", fromlist=["x"])


def chosen():
    """Return which of the five parts are the grader's own, by the milestone that they are of."""
    torch.manual_seed(0)
    table, ids, mask = Table(torch.randn(10, 10)).eval(), torch.tensor([[1, 2, 3], [4, 0, 0]]), torch.ones(2, 3).bool()
    gpt = model.LanguageModel(**GPT).eval()
    state = {name: torch.randn(shape) for name, shape in parts.bert_shapes(**BERT).items()}
    state["decoder.weight"] = state["embeddings.words.weight"].clone()
    cut, index = parts.finder(DOCUMENTS, 12, 4, ["boat", "old cat"])
    found = {
        "m07": parts.generator(table, ids[:1], 4) is parts.greedy,
        "m10": isinstance(parts.classifier(gpt, torch.randn(3, 8), ids, mask), parts.Classifier),
        "m16": isinstance(parts.filler(state, BERT, ids), parts.Encoder),
        "m17 chunks": type(cut("some text")[0]) is parts.Chunk,
        "m17 search": index is parts.Words,
    }
    return {name for name, trusted in found.items() if trusted}


ALL = {"m07", "m10", "m16", "m17 chunks", "m17 search"}
NAMES = ("m07_generation", "m10_finetuning", "m16_bert", "m17_retriever")


def test_right_parts_are_used(having):
    """The solutions of the four milestones are what pipelines are made of."""
    having(**{name: solution(name) for name in NAMES})

    assert chosen() == set()


def broken():
    """Return functions and classes that raise, leave, or answer something else."""

    def leave(*_args, **_settings):
        raise SystemExit(3)

    def other(_model, ids, *_args, **_settings):
        return torch.cat([ids, ids], dim=1)

    return {
        "nothing": {},
        "leaves": dict.fromkeys(("generate", "GPTClassifier", "Bert", "chunk", "BM25"), leave),
        "wrong": {
            "generate": other,
            "GPTClassifier": lambda gpt, n: torch.nn.Linear(8, n, bias=False),
            "Bert": lambda **sizes: torch.nn.Linear(2, 2),
            "chunk": lambda text, size, overlap: [],
            "BM25": lambda texts: types.SimpleNamespace(search=lambda query, k: [(0, 1.0)]),
        },
    }


@pytest.mark.parametrize("how", list(broken()))
def test_any_other_is_no_obstacle(having, how):
    """Parts that are missing, leave the process or are wrong give way to the grader's own."""
    own = types.SimpleNamespace(**broken()[how])
    having(**dict.fromkeys(NAMES, own))

    assert chosen() == ALL


def test_a_check_uses_what_lies_beside():
    """In a run, m07's generate is called by the pipeline's check when it lies beside m19, and not missed when not."""
    check, says = "test_a_model_speaks_by_your_own_generate", "the submission's own generate"
    source = support.source("solutions", "m19_library")
    own = (
        "import torch\n\n\ndef generate(model, ids, max_new_tokens, **_):\n"
        f"    print({says!r})\n"
        "    for _ in range(max_new_tokens):\n"
        "        ids = torch.cat([ids, model(ids)[:, -1].argmax(-1, keepdim=True)], dim=1)\n    return ids\n"
    )
    for beside in ({"m07_generation": own}, {}):
        sources = {"m19_library": source} | beside
        (found,) = support.checks(support.grade(sources, milestones=["m19_library"], only={check}))
        assert found.outcome == record.PASSED, found.message
        assert (says in found.output) == bool(beside)
