"""Reads what torch.save wrote inside a worker, by torch's own unpickler for plain weights."""

import torch

DTYPES = {torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}

TENSORS: dict = {}


def open_file(path):
    """Load a file and return the shape and dtype of each tensor, or None for anything but a table of plain tensors."""
    with open(path, "rb") as file:  # by its name torch would take it for safetensors: a worker finds it as that
        found = torch.load(file, map_location="cpu", weights_only=True)
    if not isinstance(found, dict):
        return None
    for key, value in found.items():
        if not isinstance(key, str) or not isinstance(value, torch.Tensor) or value.layout != torch.strided:
            return None
    TENSORS.update(found)
    return {key: (tuple(value.shape), DTYPES.get(value.dtype, str(value.dtype))) for key, value in found.items()}


def piece(key, first, last):
    """Return some of a tensor's numbers, as they lie when it is laid out flat."""
    return TENSORS[key].detach().reshape(-1)[first:last].clone()
