"""What m19_library saves opens in safetensors and transformers, and the other way round; and what is said of these."""

from __future__ import annotations

import json
import logging

import pytest
import torch
from safetensors import safe_open
from safetensors import torch as library

from grader.suites.m19_library import oracle
from grader.suites.m19_library.oracle_runs import heard
from solutions.m19_library import (
    Config,
    PretrainedModel,
    fill_model,
    load_weights,
    plan_shards,
    read_tensors,
    save_weights,
    write_tensors,
)

from .test_guide import WORDS, hub_plan

SIZES = {"vocab_size": 31, "n_positions": 12, "n_embd": 8, "n_layer": 2, "n_head": 2}


@pytest.fixture(scope="module")
def theirs():
    """Return a random GPT-2 of transformers', whose head shares its embedding's weight."""
    from transformers import GPT2Config, GPT2LMHeadModel

    torch.manual_seed(3)
    return GPT2LMHeadModel(GPT2Config(**SIZES, bos_token_id=0, eos_token_id=0)).eval()


class Wrapped(PretrainedModel):
    """Transformers' own GPT-2, saved and opened by the solution."""

    config_class = type("GPT2", (Config,), {"model_type": "gpt2"})

    def __init__(self, config):
        from transformers import GPT2Config, GPT2LMHeadModel

        super().__init__(config)
        inner = GPT2LMHeadModel(GPT2Config.from_dict(config.to_dict()))
        self.transformer, self.lm_head = inner.transformer, inner.lm_head

    def forward(self, ids):
        """Ids to logits."""
        return self.lm_head(self.transformer(ids).last_hidden_state)


@pytest.mark.parametrize("shard", [None, 900], ids=["whole", "shards"])
def test_what_transformers_saved_opens_here(theirs, tmp_path, shard):
    """Its folder, in one file or in shards, becomes a model with its logits, in eval mode, and nothing is missing."""
    theirs.save_pretrained(tmp_path, **({} if shard is None else {"max_shard_size": shard}))
    ids = torch.randint(31, (2, 9))

    ours = Wrapped.from_pretrained(tmp_path)

    assert (tmp_path / "model.safetensors.index.json").exists() == (shard is not None)
    assert not ours.training and ours.lm_head.weight is ours.transformer.wte.weight
    with torch.no_grad():
        assert torch.equal(ours(ids), theirs(ids).logits)


@pytest.mark.parametrize("shard", [None, 900], ids=["whole", "shards"])
def test_what_is_saved_here_opens_in_transformers(theirs, tmp_path, shard):
    """Transformers opens the folder with nothing missing and nothing unexpected, and gives the same logits."""
    from transformers import GPT2LMHeadModel

    made = Wrapped(Config(**theirs.config.to_dict()))
    fill_model(made, theirs.state_dict())
    made.save_pretrained(tmp_path, shard)
    ids = torch.randint(31, (2, 9))

    opened, report = GPT2LMHeadModel.from_pretrained(tmp_path, output_loading_info=True)

    assert not any(report.values())
    with torch.no_grad():
        assert torch.equal(opened(ids).logits, theirs(ids).logits)


def test_files_are_safetensors_own(tmp_path):
    """On every dtype, and on shapes of none to three axes, each side reads what the other has written."""
    tensors = {kind: torch.randint(0, 2, (3, 1, 2)[: number % 4]).to(dtype) for number, (kind, dtype) in enumerate(
        oracle.DTYPES.items())} | {"empty": torch.zeros(0, 3)}  # fmt: skip
    metadata = {"format": "pt", "author": "Zoë"}
    (tmp_path / "ours.safetensors").write_bytes(write_tensors(tensors, metadata))

    read, said = read_tensors(library.save(tensors, metadata))
    opened = library.load(write_tensors(tensors, metadata))

    assert said == metadata and sorted(read) == sorted(opened)
    for name, value in tensors.items():
        assert torch.equal(read[name], value) and torch.equal(opened[name], value)
        assert read[name].dtype == opened[name].dtype == value.dtype
    with safe_open(tmp_path / "ours.safetensors", "pt") as file:
        assert file.metadata() == metadata


def test_safetensors_refuses_what_is_refused_here():
    """Every broken file of the suite is refused by safetensors too, and every unusual one of its checks is taken."""
    tensors = {"layer.up": torch.randn(5), "layer.down": torch.randn(3, 2)}

    for words, (data, _) in oracle.broken_files(tensors).items():
        for read in (library.load, read_tensors):
            with pytest.raises(Exception) as raised:
                read(data)
            assert read is library.load or type(raised.value) is ValueError, words
    for options in ({"pad": b"\n"}, {"front": b"  "}, {"header": lambda header: dict(reversed(header.items()))}):
        data = oracle.assemble(tensors, **options)
        assert library.load(data).keys() == read_tensors(data)[0].keys() == tensors.keys()
    assert "Tensors in another order, and headers without padding, are fine for safetensors too" in WORDS


def test_safetensors_is_what_the_guide_says():
    """It writes wide dtypes first, pads to 8 bytes, refuses transposed tensors, and takes bytes in columns."""
    data = library.save({"a": torch.zeros(3).half(), "b": torch.zeros(2).double(), "c": torch.ones(1)})
    header, _ = oracle.parse(data)
    columns = oracle.assemble(
        {"a": torch.arange(6.0).reshape(2, 3)}, turn=lambda data: data[:4] + data[12:16] + data[8:]
    )

    assert list(header) == ["b", "c", "a"] and int.from_bytes(data[:8], "little") % 8 == 0
    with pytest.raises(ValueError, match="non contiguous"):
        library.save({"a": torch.zeros(2, 3).T})
    assert library.load(columns)["a"].shape == read_tensors(columns)[0]["a"].shape == (2, 3)
    assert "it writes wide dtypes first, and pads to 8 bytes" in WORDS
    assert "safetensors 0.8 itself refuses to write such a tensor" in WORDS


def test_an_old_file_wins_in_transformers(theirs, tmp_path):
    """What the guide says: saved again in shards, transformers' folder keeps the old whole file, and opens that."""
    from transformers import GPT2LMHeadModel

    theirs.save_pretrained(tmp_path)
    other = GPT2LMHeadModel(theirs.config)
    other.save_pretrained(tmp_path, max_shard_size=900)

    opened = GPT2LMHeadModel.from_pretrained(tmp_path)

    assert torch.equal(opened.transformer.ln_f.weight, theirs.transformer.ln_f.weight)
    assert torch.equal(opened.transformer.wte.weight, theirs.transformer.wte.weight)
    assert "leaves an old `model.safetensors` when it saves shards there, and then opens that" in WORDS
    save_weights(other.state_dict(), tmp_path, 900)
    assert not (tmp_path / "model.safetensors").exists()
    assert torch.equal(load_weights(tmp_path)["transformer.wte.weight"], other.transformer.wte.weight)


def test_transformers_is_what_the_guide_says(theirs, tmp_path, caplog):
    """Unequal twins become two tensors, a checkpoint's dtype and another type's config are taken, so is no format."""
    from transformers import BertConfig, GPT2LMHeadModel

    theirs.save_pretrained(tmp_path)
    tensors, _ = read_tensors((tmp_path / "model.safetensors").read_bytes())

    def opened(changed, metadata):
        (tmp_path / "model.safetensors").write_bytes(write_tensors(changed, metadata))
        return GPT2LMHeadModel.from_pretrained(tmp_path)

    twins = opened(tensors | {"lm_head.weight": tensors["transformer.wte.weight"] + 1}, {"format": "pt"})
    assert twins.lm_head.weight is not twins.transformer.wte.weight
    assert "transformers 5.23 then makes them two tensors" in WORDS
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({name: config[name] for name in config if name != "dtype"}))
    assert opened({name: value.half() for name, value in tensors.items()}, None).dtype == torch.float16
    assert "it also takes the checkpoint's dtype" in WORDS and "opens files without the metadata's format" in WORDS
    with caplog.at_level(logging.WARNING):
        assert BertConfig.from_pretrained(tmp_path).model_type == "gpt2"
    assert "transformers 5.23 says a word about it and makes the config all the same" in WORDS


def test_plans_are_huggingface_hubs_where_nothing_is_too_large():
    """Where every tensor fits into a file, the plan is that of huggingface_hub."""
    generator = torch.Generator().manual_seed(1)
    for _ in range(20):
        sizes = {f"t{number}": int(torch.randint(1, 12, (), generator=generator)) for number in range(9)}
        assert plan_shards(sizes, 12) == hub_plan(sizes, 12) == oracle.shards(sizes, 12)


# What transformers 5.23 told a callback, with accelerate 1.15, which is not in this environment: three batches of one,
# accumulation 2, two epochs; events that m19 does not have are left out. Beside each, state.global_step.
TOLD = [
    ("on_train_begin", 0),
    *(("on_epoch_begin", 0), ("on_step_begin", 0), ("on_substep_end", 0), ("on_step_end", 1)),
    *(("on_step_begin", 1), ("on_step_end", 2), ("on_epoch_end", 2)),
    *(("on_epoch_begin", 2), ("on_step_begin", 2), ("on_substep_end", 2), ("on_step_end", 3)),
    *(("on_step_begin", 3), ("on_step_end", 4), ("on_epoch_end", 4)),
    ("on_train_end", 4),
]


def test_a_trainer_tells_what_transformers_tells():
    """Events, with accumulation 2 and three batches, are transformers' in its order, and so is the number of steps."""
    ours = [(event, step) for name, event, step, *_ in heard([3, 3], 2) if name == "first"]

    assert ours == TOLD
    assert "The events bear transformers' names, and come in its order." in WORDS
