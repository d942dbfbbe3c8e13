"""What a check computes from an answer is bounded by what it expects, and never makes the grader seem at fault."""

from __future__ import annotations

import attacks_support as arena
import pytest
import support

from grader import record

GROWTH_MB = 400  # of the judge: torch, and what the references load
SPREAD = {
    "a layer's state": (
        "m08_training",
        "test_five_and_five_steps_are_ten",
        """
_load = load_checkpoint


def load_checkpoint(path, model, optimizer):
    step, own = _load(path, model, optimizer), type(model).state_dict
    model.state_dict = lambda: {name: torch.zeros(20_000, 1, 1) for name in own(model)}
    return step
""",
    ),
    "the logits of a model that was quantized": (
        "m13_quantization",
        "test_a_gpt_in_int8_hardly_loses_anything",
        """
_quantize = quantize_model


def quantize_model(model, skip=()):
    names = _quantize(model, skip=skip)
    model.forward = lambda ids: torch.zeros(1000, 1, 1, 1)
    return names
""",
    ),
    "the weights of a layer that was quantized": (
        "m13_quantization",
        "test_a_tied_head_is_left_alone",
        """
_from = QuantizedLinear.from_linear


def from_linear(linear):
    layer = _from(linear)
    layer.weight = torch.zeros(10**7, 1, 1, dtype=torch.int8)
    return layer


QuantizedLinear.from_linear = staticmethod(from_linear)
""",
    ),
    "the documents of a side": (
        "m02_data",
        "test_no_text_is_on_two_sides",
        """
import itertools


def split(documents, fractions, seed):
    alike = itertools.product((-1, -2), repeat=16)
    return list(itertools.islice(alike, 20_000)), [], []
""",
    ),
    "what dropout leaves of a layer": (
        "m04_attention",
        "test_dropout_falls_on_weights_and_output_in_training",
        """
_forward = MultiHeadAttention.forward


def forward(self, x):
    training = self.training
    self.eval()
    y = _forward(self, x).detach()
    self.train(training)
    return torch.where(y.abs() == y.abs().min(), y, 0.0) if training else y


MultiHeadAttention.forward = forward
""",
    ),
    "an adapter next to nothing": (
        "m11_lora",
        "test_gradients_reach_both_matrices",
        """
_init = LoRALinear.__init__


def __init__(self, *args, **kwargs):
    _init(self, *args, **kwargs)
    self.lora_A.data.mul_(1e-9)


LoRALinear.__init__ = __init__
""",
    ),
}


@pytest.mark.parametrize("case", SPREAD)
def test_an_answer_of_another_size_fails_before_anything_is_computed_with_it(case):
    """The check fails, the judge stays small, and nothing is called a fault of the grader's."""
    milestone, check, changed = SPREAD[case]
    source = f"{support.source('solutions', milestone)}\n\n{changed}"

    with arena.own_memory() as grown:
        result = support.grade_one(milestone, source, only={check})

    assert {found.outcome for found in support.checks(result)} == {record.FAILED}
    assert grown[0] < GROWTH_MB
