"""bert-nano loads whole, has learned the stories, and fills their gaps."""

from __future__ import annotations

import csv
import io
import random

import pytest
import torch

import fixtures

LOSS_BOUND, PAIRS_BOUND = 1.0, 0.8  # nats a hole, and the share of pairs told apart


@pytest.fixture(scope="module")
def bert():
    """Yield the module of bert-nano, and the trained model."""
    from fixtures import bert

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # on a busy machine, two threads wait for each other
    yield bert, bert.load()
    torch.set_num_threads(threads)


def test_bert_nano_loads_with_no_key_missing_or_left_over():
    """The folder loads as it is, in float32, and what the decoder shares is tied."""
    from transformers import BertForPreTraining

    model, report = BertForPreTraining.from_pretrained(fixtures.BERT_NANO, output_loading_info=True)

    assert {kind: list(keys) for kind, keys in report.items() if keys} == {}
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert model.cls.predictions.decoder.weight is model.bert.embeddings.word_embeddings.weight


def test_bert_nano_has_learned_the_stories(bert):
    """What a hole costs in unseen stories and how many pairs it tells apart is within bounds, and recorded."""
    from fixtures.bert_training import BATCH, HELDOUT_BATCHES, SEED, measure

    module, model = bert
    chance, generator = random.Random(SEED), torch.Generator().manual_seed(SEED)
    told = module.stories(fixtures.STORIES_HELDOUT, module.tokenizer())
    found = measure(model, [module.batch(told, BATCH, chance, generator) for _ in range(HELDOUT_BATCHES)])
    *_, recorded = csv.DictReader(io.StringIO((fixtures.BERT_NANO / "loss.csv").read_text(encoding="utf-8")))

    assert float(found["heldout_loss"]) < LOSS_BOUND and float(found["heldout_pairs_told"]) > PAIRS_BOUND
    for name, value in found.items():
        assert float(value) == pytest.approx(float(recorded[name]), abs=0.003), name  # other processors, other sums


def test_bert_nano_fills_gaps_as_its_sample_says(bert):
    """The sentences of sample.txt get what stands there, and it is what the stories would put."""
    module, model = bert
    lines = (fixtures.BERT_NANO / "sample.txt").read_text(encoding="utf-8").split("\n\n")
    cut = module.tokenizer()

    for text, likely in (sample.split("\n    ") for sample in lines if sample.strip()):
        (found,) = module.fill(model, cut, text)
        assert [piece for piece, _ in found] == [word.split(" ")[0] for word in likely.split(", ")]
    assert module.fill(model, cut, "Once upon a [MASK], there was a kind girl named Emma.")[0][0][0] == "time"
