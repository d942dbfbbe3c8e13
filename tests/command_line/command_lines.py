"""What the tests of the command line share beside fixtures: a submission's text, and processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys

import support

REPOSITORY, COURSE = support.REPOSITORY, support.COURSE
ATTENTION = COURSE.milestone("m04")
TOKENIZER = (support.TESTS / "golden" / "half_started" / "m01_tokenizer.py").read_text(encoding="utf-8")

MASK_ONLY = """
import torch
from torch import nn


def causal_mask(seq, device=None):
    return torch.ones(seq, seq, dtype=torch.bool, device=device).tril()


def scaled_dot_product_attention(query, key, value, mask=None, dropout=0.0):
    raise NotImplementedError("m04.2")


def split_heads(x, n_heads):
    raise NotImplementedError("m04.3")


def merge_heads(x):
    raise NotImplementedError("m04.3")


class MultiHeadAttention(nn.Module):
    def __init__(self, d_model, n_heads, dropout=0.0, bias=True):
        super().__init__()
        raise NotImplementedError("m04.4")
"""


def in_process_of_its_own(*arguments, module="grader", stdin="", **environment):
    """Run `python -m …` as a person would and return the finished process."""
    return subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        input=stdin,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=200,
        check=False,
    )


def flat(text):
    """Return a text on one line, so that a sentence is found however it was wrapped."""
    return " ".join(text.split())
