"""Unusual: draws by throwing darts at running sums; the cache is one buffer that grows by doubling; no type hints."""

import torch

from .m04_attention import merge_heads, scaled_dot_product_attention, split_heads


def next_distribution(logits, temperature=1.0, top_k=None, top_p=None):
    if temperature < 0 or (top_k is not None and top_k <= 0) or (top_p is not None and (top_p <= 0 or top_p > 1)):
        raise ValueError("temperature %r, top_k %r, top_p %r" % (temperature, top_k, top_p))
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    if temperature == 0:
        return torch.zeros_like(logits).scatter(1, logits.argmax(1, keepdim=True), 1.0)
    p = ((logits - logits.amax(1, keepdim=True)) / temperature).exp()
    p = p / p.sum(1, keepdim=True)
    ordered, ids = torch.sort(p, dim=1, descending=True)
    if top_k is not None and top_k < p.shape[1]:
        ordered = torch.where(ordered >= ordered[:, top_k - 1 : top_k], ordered, 0.0)
        ordered = ordered / ordered.sum(1, keepdim=True)
    if top_p is not None and top_p != 1:
        sums = torch.cumsum(ordered, 1)
        keep = torch.ones_like(sums, dtype=torch.bool)
        keep[:, 1:] = sums[:, :-1] < top_p
        ordered = ordered * keep
        ordered = ordered / ordered.sum(1, keepdim=True)
    return torch.gather(ordered, 1, torch.argsort(ids, dim=1))


def sample(probs, generator=None):
    edges = probs.double().cumsum(1)
    darts = torch.rand(len(probs), 1, generator=generator, dtype=torch.float64, device=probs.device) * edges[:, -1:]
    return torch.searchsorted(edges, darts, right=True)[:, 0].clamp(max=probs.shape[1] - 1)


def generate(
    model,
    ids,
    max_new_tokens,
    *,
    context_length=None,
    temperature=1.0,
    top_k=None,
    top_p=None,
    stop_tokens=(),
    pad_id=None,
    generator=None,
):
    return _run(
        lambda text: model(text), model, ids, max_new_tokens, context_length,
        (temperature, top_k, top_p), list(stop_tokens), pad_id, generator,
    )  # fmt: skip


def _run(ask, model, ids, steps, context_length, shape, stops, pad, generator):
    if ids.numel() == 0 or steps < 0 or (context_length is not None and context_length <= 0):
        raise ValueError("nothing to continue")
    out = torch.full((ids.shape[0], ids.shape[1] + steps), 0, dtype=ids.dtype, device=ids.device)
    out[:, : ids.shape[1]] = ids
    done = [False] * len(ids)
    awake = [m for m in model.modules() if m.training]
    model.eval()
    try:
        with torch.inference_mode():
            for end in range(ids.shape[1], out.shape[1]):
                if all(done):
                    return out[:, :end].clone()
                window = out[:, max(0, end - context_length) if context_length else 0 : end].clone()
                new = sample(next_distribution(ask(window)[:, -1, :], *shape), generator)
                for row in range(len(ids)):
                    out[row, end] = (stops[0] if pad is None else pad) if done[row] else new[row]
                    done[row] = done[row] or int(new[row]) in stops
            return out.clone()
    finally:
        for m in awake:
            m.training = True


class KVCache:
    def __init__(self, n_layers):
        self.buffers = [None for _ in range(n_layers)]
        self.counts = [0 for _ in range(n_layers)]

    def __len__(self):
        return self.counts[-1]

    def append(self, layer, key, value):
        batch, heads, new, width = key.shape
        count, buffer = self.counts[layer], self.buffers[layer]
        if buffer is None or count + new > buffer.shape[3]:
            grown = key.new_empty(2, batch, heads, max(8, 2 * (count + new)), width)
            if buffer is not None:
                grown[:, :, :, :count] = buffer[:, :, :, :count]
            self.buffers[layer] = buffer = grown
        buffer[0, :, :, count : count + new] = key.detach()
        buffer[1, :, :, count : count + new] = value.detach()
        self.counts[layer] = count + new
        return buffer[0, :, :, : count + new], buffer[1, :, :, : count + new]


@torch.no_grad()
def forward_cached(model, ids, cache):
    past, new = len(cache), ids.shape[1]
    if past + new > model.wpe.weight.shape[0]:
        raise ValueError("%d tokens in a context of %d" % (past + new, model.wpe.weight.shape[0]))
    at = torch.arange(past, past + new, device=ids.device)
    mask = torch.arange(past + new, device=ids.device)[None, :] <= at[:, None]
    x = model.wte(ids) + model.wpe.weight[at]
    for i, block in enumerate(model.h):
        q, k, v = block.attn.c_attn(block.ln_1(x)).split(x.shape[-1], dim=2)
        k, v = cache.append(i, split_heads(k, block.attn.n_heads), split_heads(v, block.attn.n_heads))
        y = scaled_dot_product_attention(split_heads(q, block.attn.n_heads), k, v, mask)
        x = x + block.attn.c_proj(merge_heads(y))
        x = x + block.mlp(block.ln_2(x))
    return model.lm_head(model.ln_f(x))


def generate_cached(
    model,
    ids,
    max_new_tokens,
    *,
    context_length=None,
    temperature=1.0,
    top_k=None,
    top_p=None,
    stop_tokens=(),
    pad_id=None,
    generator=None,
):
    state = {"cache": KVCache(len(model.h)), "full": False}

    def ask(window):
        if state["full"]:
            state["cache"] = KVCache(len(model.h))
        state["full"] = window.shape[1] == context_length
        return forward_cached(model, window[:, len(state["cache"]) :], state["cache"])

    return _run(
        ask, model, ids, max_new_tokens, context_length,
        (temperature, top_k, top_p), list(stop_tokens), pad_id, generator,
    )  # fmt: skip
