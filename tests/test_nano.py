"""gpt2-nano and llama-nano load whole, have learned the stories, and write some."""

import re

import pytest

import fixtures

NANOS = {  # the folder, nats per token that it stays below (an untrained one has 11), the dtype that it says it is in
    "gpt2-nano": (fixtures.GPT2_NANO, 0.50, "float32"),
    "llama-nano": (fixtures.LLAMA_NANO, 0.55, "bfloat16"),
}
RECALLS = {"gpt2-nano": 3, "llama-nano": 1}  # how often the one comes up whom a story begins with


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Compute in one thread: on a busy machine, two wait for each other."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module", params=NANOS)
def name(request):
    """Return the name of a nano."""
    return request.param


@pytest.fixture(scope="module")
def model(name):
    """Return the trained model."""
    from fixtures import llama_nano, nano

    return {"gpt2-nano": nano, "llama-nano": llama_nano}[name].load()


def test_a_nano_loads_with_no_key_missing_or_left_over(name) -> None:
    """The folder loads as it is, in the dtype that it names, with the output weights tied to the embedding."""
    from transformers import AutoModelForCausalLM

    folder, _, dtype = NANOS[name]
    loaded, report = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True, dtype="auto")

    assert {kind: list(keys) for kind, keys in report.items() if keys} == {}
    assert {str(weight.dtype) for weight in loaded.parameters()} == {f"torch.{dtype}"}
    assert loaded.lm_head.weight is loaded.get_input_embeddings().weight


def test_a_nano_has_learned_the_stories(name, model) -> None:
    """Its loss over the whole vocabulary on stories it never saw is below the bound, and is the one recorded."""
    from fixtures.nano import heldout_loss

    folder, bound, _ = NANOS[name]
    recorded = float((folder / "loss.csv").read_text(encoding="utf-8").split(",")[-1])

    loss = heldout_loss(model)

    assert loss < bound
    assert loss == pytest.approx(recorded, abs=0.001)  # another processor adds in another order


def test_a_nano_writes_stories(name, model) -> None:
    """Continued greedily, an opening becomes a story of known words that ends; gpt2-nano's is about the same person."""
    from fixtures.nano import write

    text = write(model, "Once upon a time, there was a brave girl named Nora")
    told = fixtures.STORIES_TRAIN.read_text(encoding="utf-8") + fixtures.STORIES_HELDOUT.read_text(encoding="utf-8")
    known = set(re.findall(r"[a-z]+", told.lower()))

    assert set(re.findall(r"[a-z]+", text.lower())) <= known, text
    assert len(text.split()) > 60, text
    assert text.count("Nora") >= RECALLS[name], text
    assert text[-1] in '.!"', text


def test_an_interrupted_training_ends_as_if_it_had_not_been(monkeypatch, tmp_path) -> None:
    """Begun anew after it was stopped, a training goes on where it was measured last, and gives the same weights."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from fixtures import llama_nano, training

    small = LlamaConfig(**llama_nano.CONFIG | {"hidden_size": 8, "num_hidden_layers": 1, "head_dim": 2, "dtype": None})
    nano = training.Nano("tiny", llama_nano.CONFIG, lambda: LlamaForCausalLM(small), torch.bfloat16)
    monkeypatch.setattr(training, "FOLDER", tmp_path / "fixtures")
    monkeypatch.setattr(training, "EVALUATE_EVERY", 2)
    monkeypatch.setattr(training, "BATCH", 2)
    measured = []

    def loss(model, ids):
        measured.append(len(measured))
        if len(measured) == stop:
            raise KeyboardInterrupt
        return float(next(model.parameters()).detach().sum())

    monkeypatch.setattr(training, "heldout_loss", loss)
    stop = 3
    with pytest.raises(KeyboardInterrupt):
        training.train(nano, 5, 1)
    assert nano.unfinished.exists()
    stop = 0
    resumed, curve = training.train(nano, 5, 1)
    whole, expected = training.train(nano, 5, 1)
    torch.use_deterministic_algorithms(False)

    assert curve == expected and [row["step"] for row in curve] == ["0", "2", "4", "5", "6"]
    assert all(map(torch.equal, resumed.parameters(), whole.parameters()))
    assert not nano.unfinished.exists()
