"""What several checks of m11_lora do."""

import torch

from grader.judge import expect, expect_tensor

from . import probes

ALPHA, RANK = 6.5, 3  # of the small checks; 9 outputs, 7 inputs
TRANSPOSED = "lora_A is transposed: it is (rank, d_in), since it stands left of x"
TURNED = "lora_B is transposed: it is (d_out, rank)"
AS_WIDE = "lora_B has a row for each input: it has one for each output, (d_out, rank)"
AWAKE = "a new module is in training mode: an adapter in a sleeping model must sleep too"
DTYPE = "the adapter is made in the default dtype instead of in base's"


def layer(student, parts, alpha, dropout=0.0):
    """Make a LoRALinear in training mode, with a weight, a bias or None, A and B."""
    weight, bias, down, up = parts
    made = student.LoRALinear(student.plant(probes).linear(weight, bias), len(down), alpha, dropout)
    expect_adapter(made, len(down), down.shape[1], len(up), weight.dtype)
    student.plant(probes).fill(made, {"lora_A": down, "lora_B": up})
    return made


def expect_adapter(made, rank, d_in, d_out, dtype):
    """Fail unless lora_A and lora_B have their shapes and base's dtype."""
    known: dict[str, dict[tuple[int, ...], str]] = {
        "lora_A": {(d_in, rank): TRANSPOSED},
        "lora_B": {(rank, d_out): TURNED, (d_in, rank): AS_WIDE},
    }
    for name, shape in (("lora_A", (rank, d_in)), ("lora_B", (d_out, rank))):
        value = getattr(made, name)
        if type(value) is torch.Tensor and tuple(value.shape) != shape:
            said = f"{name} has shape {list(value.shape)}, expected {list(shape)}."
            expect(False, said, mistake=known[name].get(tuple(value.shape)))
        if type(value) is torch.Tensor and value.dtype == torch.float32 != dtype:
            expect(False, f"{name} is float32, and base is {dtype}.", mistake=DTYPE)
        expect_tensor(value, shape=shape, dtype=dtype, what=name)
