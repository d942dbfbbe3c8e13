"""What the checks of m01_tokenizer need inside the worker. What is reported is a claim."""

import io
from unittest import mock


def encoded_on_windows(load_gpt2, merges_path, encoder_path, text, default="cp1252"):
    """Load a tokenizer where files are read in another encoding unless one is named, and encode a text with it."""
    ours = io.open

    def theirs(file, mode="r", buffering=-1, encoding=None, *args, **kwargs):
        named = encoding if "b" in mode or encoding not in (None, "locale") else default
        return ours(file, mode, buffering, named, *args, **kwargs)

    with mock.patch("io.open", theirs), mock.patch("builtins.open", theirs):
        tokenizer = load_gpt2(merges_path, encoder_path)
    return tokenizer.encode(text)
