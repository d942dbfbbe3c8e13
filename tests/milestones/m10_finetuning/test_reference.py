"""The references of m10_finetuning agree with transformers', and what the guide says of that library is so."""

from __future__ import annotations

import importlib.metadata
import re

import pytest
import torch

from grader.judge.draw import Draw
from grader.suites.m10_finetuning import oracle

from .test_guide import WORDS

transformers = pytest.importorskip("transformers")
PAD = 0


@pytest.fixture(scope="module")
def drawn():
    """Return the state of a small GPT-2, the head of a classifier, ids, and the mask of their padding."""
    draw = Draw(3, "reference")
    state, head = oracle.random_state(draw), draw.normal(4, oracle.SIZES["d_model"])
    ids = draw.integers(1, oracle.SIZES["vocab_size"], 3, 7)
    mask = torch.arange(7) < torch.tensor([7, 4, 5])[:, None]
    return state, head, ids.where(mask, PAD), mask


def in_conv1d(state):
    """Return a state with Conv1D's matrices, by the names of transformers."""
    turned = (".attn.c_attn.weight", ".attn.c_proj.weight", ".mlp.c_fc.weight", ".mlp.c_proj.weight")
    return {f"transformer.{key}": value.T if key.endswith(turned) else value for key, value in state.items()}


def config(**options):
    """Return the configuration of the judge's small model."""
    sizes = oracle.SIZES
    names = {"n_positions": "context_length", "n_embd": "d_model", "n_layer": "n_layers", "n_head": "n_heads"}
    found = {theirs: sizes[ours] for theirs, ours in names.items()} | {"vocab_size": sizes["vocab_size"]}
    return transformers.GPT2Config(**found, **options)


def classifier(drawn):
    """Return transformers' own classifier with these weights."""
    state, head, *_ = drawn
    model = transformers.GPT2ForSequenceClassification(config(num_labels=4, pad_token_id=PAD)).eval()
    model.load_state_dict({**in_conv1d(state), "score.weight": head})
    return model


def test_a_classifier_of_transformers_agrees(drawn):
    """GPT2ForSequenceClassification gives the reference's scores where no text ends in the padding's id."""
    state, head, ids, mask = drawn
    expected = oracle.class_scores(state, head, ids, mask, oracle.SIZES)

    with torch.no_grad():
        actual = classifier(drawn)(ids, attention_mask=mask.long()).logits

    assert torch.allclose(actual, expected, atol=1e-4)


def test_a_classifier_of_transformers_reads_by_value(drawn):
    """A text that ends in the padding's id is read one token early by transformers, whatever the mask says."""
    state, head, ids, mask = drawn
    ids = ids.clone()
    ids[0, -1] = PAD
    early = mask.clone()
    early[0, -1] = False

    with torch.no_grad():
        actual = classifier(drawn)(ids, attention_mask=mask.long()).logits

    assert torch.allclose(actual, oracle.class_scores(state, head, ids, early, oracle.SIZES), atol=1e-4)
    assert not torch.allclose(actual, oracle.class_scores(state, head, ids, mask, oracle.SIZES), atol=1e-2)


def test_the_loss_of_transformers_agrees(drawn):
    """A causal model's own loss with labels of -100 is the reference's, shifted inside and averaged over the batch."""
    state, _, ids, mask = drawn
    labels = ids.where(mask, -100)
    labels[:, :2] = -100
    model = transformers.GPT2LMHeadModel(config()).eval()
    model.load_state_dict({**in_conv1d(state), "lm_head.weight": state["wte.weight"]})

    with torch.no_grad():
        found = model(ids, labels=labels)

    assert found.loss.item() == pytest.approx(oracle.loss(found.logits, labels).item(), abs=1e-5)


class Padder:
    """As much of a tokenizer as the collator asks for."""

    mask_token, pad_token_id = None, PAD

    def pad(self, examples, return_tensors, pad_to_multiple_of=None):
        """Pad on the right."""
        longest = max(len(example["input_ids"]) for example in examples)
        rows = [[*example["input_ids"], *[PAD] * (longest - len(example["input_ids"]))] for example in examples]
        return {"input_ids": torch.tensor(rows)}


def test_a_collator_of_transformers_masks_by_value():
    """DataCollatorForLanguageModeling makes -100 of an end token that is the padding too."""
    collator = transformers.DataCollatorForLanguageModeling(Padder(), mlm=False)

    found = collator([{"input_ids": [7, 8, PAD]}, {"input_ids": [9, PAD]}])

    assert found["labels"].tolist() == [[7, 8, -100], [9, -100, -100]]


def test_the_guide_names_the_version_that_is_installed():
    """What the guide says of transformers was seen with the version tested here."""
    version = ".".join(importlib.metadata.version("transformers").split(".")[:2])

    assert re.findall(r"transformers (\d+\.\d+)", WORDS) == [version]
