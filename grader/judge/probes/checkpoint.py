"""Reads a checkpoint inside the worker, where safetensors is not installed. Format: huggingface.co/docs/safetensors."""

import json

import torch

DTYPES = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64}
DTYPES |= {"U8": torch.uint8, "BOOL": torch.bool}


class State(dict):
    """A dict of tensors that stays in the worker, since it is no plain dict."""


def read(path, as_saved=False):
    """Return the tensors of a safetensors file, mapped into memory; floats become float32, or stay as saved."""
    with open(path, "rb") as file:
        start = 8 + int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(start - 8))
    header.pop("__metadata__", None)
    size = start + max(entry["data_offsets"][1] for entry in header.values())
    data = torch.from_file(str(path), shared=False, size=size, dtype=torch.uint8)
    state = State()
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        piece = data[start + first : start + last]
        dtype = DTYPES[entry["dtype"]]
        if (start + first) % dtype.itemsize:
            piece = piece.clone()
        tensor = piece.view(dtype).reshape(entry["shape"])
        state[name] = tensor.float() if dtype.is_floating_point and not as_saved else tensor  # float32 is no copy
    return state
