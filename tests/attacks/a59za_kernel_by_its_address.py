"""Calls torch's attention by its address in torch's library, from where no table of kernels is looked at.

checks: test_true_in_the_mask_means_may_look
outcomes: passed failed
gap: the instructor is told of the source, and no point is withheld
"""

import ctypes

import torch

LIBRARY, PYTHON = ctypes.CDLL(f"{torch.__path__[0]}/lib/libtorch_cpu.so"), ctypes.pythonapi
PYTHON.PyCapsule_GetPointer.restype, PYTHON.PyCapsule_New.restype = ctypes.c_void_p, ctypes.py_object


def address(tensor):
    capsule = torch._C._aoti.unsafe_alloc_void_ptr_from_tensor(tensor)
    return ctypes.c_void_p(PYTHON.PyCapsule_GetPointer(ctypes.py_object(capsule), None))


def scaled_dot_product_attention(query, key, value, mask=None, dropout=0.0):
    attend = LIBRARY["aoti_torch_cpu__scaled_dot_product_flash_attention_for_cpu"]
    width, scale = max(query.shape[-1], value.shape[-1]), ctypes.c_double(query.shape[-1] ** -0.5)
    padded = [torch.cat((x, x.new_zeros(*x.shape[:-1], width - x.shape[-1])), -1) for x in (query, key, value)]
    grown = [address(x.reshape(1, -1, *x.shape[-2:])) for x in padded]
    hidden = None if mask is None else address(torch.zeros(mask.shape).masked_fill(~mask, float("-inf")))
    answers = ctypes.c_void_p(), ctypes.c_void_p()
    failed = attend(
        *(*grown, ctypes.c_double(dropout), ctypes.c_int32(0)),
        *(ctypes.byref(hidden) if hidden else None, ctypes.byref(scale), *map(ctypes.byref, answers)),
    )
    if failed:
        raise RuntimeError("the library would not")
    answer = torch._C._aoti.alloc_tensor_by_stealing_from_void_ptr(PYTHON.PyCapsule_New(answers[0], None, None))
    return answer.reshape(*query.shape[:-1], width)[..., : value.shape[-1]]
