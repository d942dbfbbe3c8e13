"""The solution's tokenizer beside Hugging Face tokenizers and tiktoken: training on 1 MB, and encoding throughput."""

from __future__ import annotations

import importlib.util
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import fixtures
from grader.judge.oracles import Data

REPOSITORY = Path(__file__).resolve().parents[1]
ROUNDS = 5
MERGES = 2000
END = "<|endoftext|>"


def run() -> Iterator[tuple[str, str]]:
    """Yield the figures as they are known."""
    text = corpus(1_000_000)
    ours, theirs = solution(), trainer()
    size = 256 + MERGES + 1
    yield from beside(
        f"train_bpe, {len(text.encode()) / 1e6:.1f} MB to {MERGES} merges",
        {"solution": lambda: ours.train_bpe(text, size, [END]), "HF tokenizers": lambda: theirs(text, size)},
        lambda seconds: f"{seconds:.2f} s",
    )
    data = Data()
    tokenizer = ours.load_gpt2(str(fixtures.VOCAB_BPE), str(fixtures.ENCODER_JSON))
    hugging, tiktoken = hf_gpt2(), data.tiktoken()
    if tokenizer.encode(text[:50_000]) != tiktoken.encode(text[:50_000], allowed_special="all"):
        raise SystemExit("the solution and tiktoken disagree; nothing to measure")
    fresh = iter([ours.load_gpt2(str(fixtures.VOCAB_BPE), str(fixtures.ENCODER_JSON)) for _ in range(ROUNDS)])
    megabytes = len(text.encode()) / 1e6
    yield from beside(
        "encode with GPT-2's vocabulary, 1 MB",
        {
            "solution": lambda: next(fresh).encode(text),  # one that has no pre-token cached yet
            "HF tokenizers": lambda: hugging.encode(text),
            "tiktoken": lambda: tiktoken.encode(text, allowed_special="all"),
        },
        lambda seconds: f"{megabytes / seconds:.2f} MB/s",
    )


def beside(
    title: str, candidates: dict[str, Callable[[], Any]], figure: Callable[[float], str]
) -> Iterator[tuple[str, str]]:
    """Time the candidates by turns and yield the median of each."""
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(ROUNDS):
        for name, work in candidates.items():
            start = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - start)
    for name, times in seconds.items():
        yield f"{title}: {name}", figure(statistics.median(times))


def corpus(size: int) -> str:
    """Return about this many characters: stories with the Unicode text between them, repeated as often as it takes."""
    stories = fixtures.STORIES_TRAIN.read_text(encoding="utf-8")
    mixed = stories[: size * 9 // 10] + fixtures.UNICODE_TEXT.read_text(encoding="utf-8")
    return (mixed * (size // len(mixed) + 1))[:size]


def solution() -> ModuleType:
    """Import the solution as the package member that it is."""
    sys.path.insert(0, str(REPOSITORY))
    spec = importlib.util.find_spec("solutions.m01_tokenizer")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def trainer() -> Callable[[str, int], Any]:
    """Return Hugging Face's trainer with the same settings: byte level, GPT-2's pattern, one special token."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    def train(text: str, size: int) -> Any:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        settings = trainers.BpeTrainer(
            vocab_size=size, special_tokens=[END], initial_alphabet=alphabet, show_progress=False
        )
        tokenizer.train_from_iterator([text], settings)
        return tokenizer

    return train


def hf_gpt2() -> Any:
    """Return Hugging Face's GPT-2 tokenizer from the same two files."""
    from tokenizers import ByteLevelBPETokenizer

    tokenizer = ByteLevelBPETokenizer.from_file(str(fixtures.ENCODER_JSON), str(fixtures.VOCAB_BPE))
    tokenizer.add_special_tokens([END])
    return tokenizer
