"""m15's to_litgpt gives what LitGPT's own model loads, and the three libraries' models compute the same."""

from __future__ import annotations

import json
import re

import pytest
import support
import tokenizers
import torch
import yaml
from transformers import LlamaConfig as TheirConfig
from transformers import LlamaForCausalLM

import fixtures
from fixtures.nano import gpt2_encoding
from grader import cli, exits
from grader.commands import litgpt
from solutions.m15_llama import Llama, LlamaConfig, load_llama, to_litgpt

NOXFILE = (fixtures.FOLDER.parent / "noxfile.py").read_text(encoding="utf-8")
GUIDE = (fixtures.FOLDER.parent / "exercises" / "m15_llama.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def kept():
    """Return what LitGPT gave, states as tensors."""
    found = json.loads(fixtures.LITGPT_LLAMA.read_text(encoding="utf-8"))
    states = {key: {name: torch.tensor(value) for name, value in found[key].items()} for key in ("state", "litgpt")}
    return found | states | {"ids": torch.tensor(found["ids"]), "logits": torch.tensor(found["logits"])}


@pytest.fixture(scope="module")
def model(kept):
    """Return the solution's Llama with these weights."""
    made = Llama(LlamaConfig(**kept["sizes"]))
    load_llama(made, kept["state"])
    return made.eval()


def test_the_renamed_state_is_litgpts_own(kept, model):
    """Names, shapes and each number are those of LitGPT's GPT, its fused matrices included."""
    made = to_litgpt(model.state_dict())

    assert made.keys() == kept["litgpt"].keys()
    assert all(torch.equal(made[name], value) for name, value in kept["litgpt"].items())


def test_three_models_compute_the_same(kept, model):
    """The solution's logits and transformers' are LitGPT's own."""
    sizes = kept["sizes"]
    theirs = LlamaForCausalLM(
        TheirConfig(
            vocab_size=sizes["vocab_size"], hidden_size=sizes["d_model"], intermediate_size=sizes["d_ff"],
            num_hidden_layers=sizes["n_layers"], num_attention_heads=sizes["n_heads"], head_dim=sizes["d_head"],
            num_key_value_heads=sizes["n_kv_heads"], rms_norm_eps=sizes["eps"], rope_theta=sizes["theta"],
        )
    ).eval()  # fmt: skip
    state = {name if name == "lm_head.weight" else f"model.{name}": value for name, value in kept["state"].items()}
    theirs.load_state_dict(state)

    with torch.no_grad():
        found = model(kept["ids"]), theirs(kept["ids"]).logits

    for logits in found:
        assert torch.allclose(logits, kept["logits"], atol=1e-5)


def test_the_command_expects_what_litgpt_has(kept):
    """`grader litgpt` compares with the shapes of LitGPT's own state, and names what differs first."""
    shapes = litgpt.shapes(kept["sizes"])
    assert shapes == {name: tuple(value.shape) for name, value in kept["litgpt"].items()}

    fused = "transformer.h.1.attn.qkv.weight"
    assert litgpt.first_difference(kept["litgpt"], shapes) == ""
    for state, says in (
        ([], "gives no dict"),
        ({name: value for name, value in kept["litgpt"].items() if name != fused}, f"gives no {fused}"),
        (kept["litgpt"] | {fused: torch.ones(3, 4)}, rf"gives {fused} the shape \(3, 4\), and LitGPT has \(40, 12\)"),
        (kept["litgpt"] | {"more": torch.ones(1)}, "more names"),
    ):
        assert re.search(says, litgpt.first_difference(state, shapes))


def test_one_version_of_litgpt_is_asked(kept):
    """The kept answers, the session that fine-tunes and what the guide shows of it are of the same version."""
    assert f'LITGPT = ("litgpt=={kept["versions"]["litgpt"]}", ' in NOXFILE
    assert f"LitGPT {kept['versions']['litgpt']}, installed" in GUIDE


def test_the_command_writes_what_litgpt_reads(tmp_path, capsys):
    """The solution's llama-nano becomes a checkpoint with config, tokenizer and instructions, in numbers YAML reads."""
    code = cli.main(["litgpt", "--submission", str(support.REPOSITORY / "solutions"), "--out", str(tmp_path)])

    said = capsys.readouterr().out.splitlines()[-1].removesuffix(str(tmp_path))
    assert code == exits.PASSED and said.startswith("llama-nano, by your to_litgpt: 31 tensors") and said in GUIDE
    config = yaml.safe_load((tmp_path / "model_config.yaml").read_text(encoding="utf-8"))
    assert (config["n_query_groups"], config["norm_eps"], config["rope_base"]) == (2, 1e-5, 10_000)
    state = torch.load(tmp_path / "lit_model.pth", weights_only=True)
    assert state["transformer.h.3.attn.qkv.weight"].shape == (128, 64)
    assert torch.equal(state["lm_head.weight"], state["transformer.wte.weight"])
    text = "Once upon a time, a café and two  dogs\n<|endoftext|>"
    encoded = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json")).encode(text)
    assert encoded.ids == gpt2_encoding().encode(text, allowed_special="all")
    assert len(json.loads((tmp_path / "data" / "val.json").read_text(encoding="utf-8"))) == 80


def test_an_unfinished_milestone_is_handed_on_to_nobody(tmp_path, capsys):
    """With the stub nothing is written, and a sentence says what comes first."""
    code = cli.main(["litgpt", "--submission", str(support.REPOSITORY / "exercises"), "--out", str(tmp_path / "out")])

    assert code == exits.NOT_PASSED and not (tmp_path / "out").exists()
    assert capsys.readouterr().out.splitlines()[-1] == "Next: nox -s grade -- m15"
