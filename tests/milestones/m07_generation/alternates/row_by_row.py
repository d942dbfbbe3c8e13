"""Unusual: every row is handled alone; draws come from an exponential race; attention is written out."""

import math

import torch
import torch.nn.functional as F
from torch import nn


def next_distribution(logits, temperature=1.0, top_k=None, top_p=None):
    if temperature < 0:
        raise ValueError("temperature below zero")
    if top_k is not None and not top_k >= 1:
        raise ValueError("top_k below one")
    if top_p is not None and not (top_p > 0 and top_p <= 1):
        raise ValueError("top_p is no share")
    return torch.stack([_one(row, temperature, top_k, top_p) for row in logits])


def _one(row, temperature, top_k, top_p):
    if row.dtype in (torch.float16, torch.bfloat16):
        row = row.to(torch.float32)
    if temperature == 0:
        best = torch.zeros_like(row)
        best[int(torch.argmax(row))] = 1
        return best
    row = row / temperature
    ids = torch.argsort(row, descending=True)
    if top_k is not None:
        kth = row[ids[min(top_k, len(ids)) - 1]]
        ids = ids[row[ids] >= kth]
    shares = F.softmax(row[ids].double(), dim=0)
    if top_p is not None and top_p < 1.0:
        total, count = 0.0, 0
        while total < top_p and count < len(ids):
            total += float(shares[count])
            count += 1
        ids, shares = ids[:count], shares[:count] / shares[:count].sum()
    out = torch.zeros_like(row)
    out[ids] = shares.to(row.dtype)
    return out


def sample(probs, generator=None):
    noise = torch.empty(probs.shape, dtype=torch.float64, device=probs.device).exponential_(generator=generator)
    return (probs.double() / noise).argmax(dim=-1)


def generate(model, ids, max_new_tokens, *, context_length=None, stop_tokens=(), pad_id=None, **shape):
    generator = shape.pop("generator", None)
    if ids.size(1) < 1 or max_new_tokens < 0 or (context_length is not None and context_length < 1):
        raise ValueError(f"cannot continue {tuple(ids.shape)} by {max_new_tokens}")
    stops = tuple(stop_tokens)
    rows, stopped = ids.tolist(), [False] * ids.size(0)
    before = {id(m): m.training for m in model.modules()}
    for m in model.modules():
        m.training = False
    was = torch.is_grad_enabled()
    torch.set_grad_enabled(False)
    try:
        for _ in range(max_new_tokens):
            if False not in stopped:
                break
            window = torch.tensor([row[-context_length:] if context_length else row for row in rows], device=ids.device)
            chosen = sample(next_distribution(model(window)[:, -1], **shape), generator).tolist()
            for n, token in enumerate(chosen):
                if stopped[n]:
                    rows[n].append(stops[0] if pad_id is None else pad_id)
                else:
                    rows[n].append(token)
                    stopped[n] = token in stops
    finally:
        torch.set_grad_enabled(was)
        for m in model.modules():
            m.training = before[id(m)]
    return torch.tensor(rows, dtype=torch.int64, device=ids.device)


class KVCache:
    def __init__(self, n_layers):
        self.pieces = {n: ([], []) for n in range(n_layers)}

    def __len__(self):
        return min(sum(piece.shape[2] for piece in keys) for keys, _ in self.pieces.values())

    def append(self, layer, key, value):
        for held, new in zip(self.pieces[layer], (key, value), strict=True):
            held.append(new.detach().clone())
        return [torch.cat(held, dim=2) for held in self.pieces[layer]]


def forward_cached(model, ids, cache):
    start = len(cache)
    end, last = start + ids.size(1), model.wpe.weight.size(0)
    if end > last:
        raise ValueError(f"the text would have {end} tokens, the model has {last} positions")
    with torch.inference_mode():
        x = model.wte(ids)
        x = x + model.wpe.weight[None, start:end]
        for n, block in enumerate(model.h):
            heads = block.attn.n_heads
            batch, new, width = x.shape
            joined = block.attn.c_attn(block.ln_1(x)).view(batch, new, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
            keys, values = cache.append(n, joined[1], joined[2])
            scores = joined[0] @ keys.transpose(-1, -2) / math.sqrt(width // heads)
            for i in range(new):
                scores[:, :, i, start + i + 1 :] = -math.inf
            mixed = (scores.softmax(-1) @ values).transpose(1, 2).reshape(batch, new, width)
            x = x + block.attn.c_proj(mixed)
            x = x + block.mlp(block.ln_2(x))
        return model.lm_head(model.ln_f(x)).clone()


class _Remembering(nn.Module):
    def __init__(self, gpt):
        super().__init__()
        self.gpt, self.read, self.cache = gpt, None, None

    def forward(self, window):
        """Feed what is new if the window begins as the last one did."""
        known = 0 if self.read is None else self.read.size(1)
        if not known or window.size(1) <= known or not torch.equal(window[:, :known], self.read):
            self.cache, known = KVCache(len(self.gpt.h)), 0
        self.read = window
        return forward_cached(self.gpt, window[:, known:], self.cache)


def generate_cached(model, ids, max_new_tokens, **settings):
    return generate(_Remembering(model), ids, max_new_tokens, **settings)
