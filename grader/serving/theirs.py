"""A served model as transformers reads it: weights, sizes and tokenizer in a folder of Hugging Face's layout."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from pathlib import Path

import fixtures
from fixtures import END_OF_TEXT
from grader.capstone import kept
from grader.judge.vocabularies import printable

# GPT-2's files have these matrices as (in, out), and nn.Linear has (out, in).
TURNED = (".attn.c_attn.weight", ".attn.c_proj.weight", ".mlp.c_fc.weight", ".mlp.c_proj.weight")


def write(folder: Path, model: kept.Model | None) -> None:
    """Write a kept model, or gpt2-nano, into a folder that is there."""
    config = json.loads((fixtures.GPT2_NANO / "config.json").read_text(encoding="utf-8"))
    if model is None:
        shutil.copyfile(fixtures.GPT2_NANO / "model.safetensors", folder / "model.safetensors")
        text = gpt2_tokenizer()
    else:
        sizes = model.sizes
        config |= {"n_embd": sizes["d_model"], "n_layer": sizes["n_layers"], "n_head": sizes["n_heads"]}
        config |= {"n_positions": sizes["context_length"], "vocab_size": sizes["vocab_size"], "n_inner": None}
        config["bos_token_id"] = config["eos_token_id"] = max(model.vocab)
        _weights(folder / "model.safetensors", model)
        names = {printable(token): id for id, token in model.vocab.items() if token != END_OF_TEXT.encode()}
        names[END_OF_TEXT] = next(id for id, token in model.vocab.items() if token == END_OF_TEXT.encode())
        text = tokenizer(names, ((printable(left), printable(right)) for left, right in model.merges))
    said = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": END_OF_TEXT, "bos_token": END_OF_TEXT}
    texts = {"config.json": json.dumps(config), "tokenizer.json": text, "tokenizer_config.json": json.dumps(said)}
    for name, content in texts.items():
        (folder / name).write_text(content, encoding="utf-8")


def _weights(path: Path, model: kept.Model) -> None:
    from safetensors.torch import save_file

    state = {name: value for name, value in model.weights.items() if name != "lm_head.weight"}
    turned = {name: value.T if name.endswith(TURNED) else value for name, value in state.items()}
    save_file({f"transformer.{name}": value.contiguous() for name, value in turned.items()}, path, {"format": "pt"})


def gpt2_tokenizer() -> str:
    """Return GPT-2's tokenizer as the library tokenizers writes it."""
    lines = fixtures.VOCAB_BPE.read_text(encoding="utf-8").splitlines()[1:]
    pairs = ((first, second) for first, _, second in (line.partition(" ") for line in lines))
    return tokenizer(json.loads(fixtures.ENCODER_JSON.read_bytes()), pairs)


def tokenizer(vocab: dict[str, int], merges: Iterable[tuple[str, str]]) -> str:
    """Return a byte-level tokenizer, its tokens as GPT-2's files write them, as the library tokenizers writes it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    made = Tokenizer(models.BPE(vocab=vocab, merges=list(merges)))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([END_OF_TEXT])
    return str(made.to_str())
