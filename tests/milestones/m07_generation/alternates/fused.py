"""Unusual: filters by thresholds, torch's fused attention, a generator that yields windows and is sent logits."""

import contextlib

import torch
from torch.nn.functional import one_hot, scaled_dot_product_attention


def next_distribution(logits, temperature=1.0, top_k=None, top_p=None):
    for name, value, lowest, highest in (
        ("temperature", temperature, 0, float("inf")),
        ("top_k", top_k, 1, float("inf")),
        ("top_p", top_p, 1e-9, 1),
    ):
        if value is not None and not lowest <= value <= highest:
            raise ValueError(f"{name}={value}")
    z = logits.double()
    if temperature == 0:
        probs = one_hot((z == z.amax(-1, keepdim=True)).int().argmax(-1), z.shape[-1])
    else:
        z = z / temperature
        if top_k is not None and top_k <= z.shape[-1]:
            kth = z.kthvalue(z.shape[-1] - top_k + 1, dim=-1, keepdim=True).values
            z = torch.where(z >= kth, z, z.new_tensor(float("-inf")))
        if top_p is not None and top_p < 1:
            shares = z.softmax(-1).sort(-1, descending=True).values
            counts = ((shares.cumsum(-1) - shares) < top_p).sum(-1, keepdim=True)
            ranks = z.argsort(dim=-1, descending=True, stable=True).argsort(dim=-1)
            z = z - torch.where(ranks < counts, 0.0, float("inf"))
        probs = (z - z.logsumexp(-1, keepdim=True)).exp()
    return probs.to(torch.float64 if logits.dtype == torch.float64 else torch.float32)


def sample(probs, generator=None):
    return torch.stack([torch.multinomial(part, 1, True, generator=generator).squeeze(1) for part in probs.chunk(1)])[0]


@contextlib.contextmanager
def _asleep(model):
    modes = {name: module.training for name, module in model.named_modules()}
    model.train(False)
    try:
        yield
    finally:
        for name, module in model.named_modules():
            module.training = modes[name]


def _steps(ids, max_new_tokens, context_length, stop_tokens, pad_id, choose):
    """Yield windows, receive logits of the next token."""
    stops, text = set(stop_tokens), ids
    filler = pad_id if pad_id is not None else next(iter(stop_tokens), 0)
    done = torch.zeros(len(ids), dtype=torch.bool, device=ids.device)
    while text.shape[1] < ids.shape[1] + max_new_tokens and not bool(done.all()):
        last = yield text[:, -(context_length or text.shape[1]) :]
        new = choose(last).masked_fill(done, filler)
        done = done | torch.tensor([int(token) in stops for token in new], device=ids.device)
        text = torch.hstack([text, new[:, None]])
    return text + 0


def _drive(answer, model, ids, max_new_tokens, context_length=None, stop_tokens=(), pad_id=None, **rest):
    if not ids.shape[1] or max_new_tokens < 0 or (context_length is not None and context_length < 1):
        raise ValueError("prompt, number of tokens or context cannot be used")
    generator = rest.pop("generator", None)
    steps = _steps(
        ids, max_new_tokens, context_length, stop_tokens, pad_id,
        lambda logits: sample(next_distribution(logits, **rest), generator),
    )  # fmt: skip
    with _asleep(model), torch.no_grad():
        try:
            window = next(steps)
            while True:
                window = steps.send(answer(window))
        except StopIteration as stop:
            return stop.value


def generate(model, ids, max_new_tokens, **settings):
    return _drive(lambda window: model(window)[:, -1], model, ids, max_new_tokens, **settings)


class _Held(list):
    """A list of pairs, one for each layer."""


class KVCache(object):
    def __init__(self, n_layers):
        self.held = _Held([torch.empty(0)] * n_layers)

    def __len__(self):
        return 0 if not self.held or not self.held[-1].numel() else self.held[-1].shape[3]

    def append(self, layer, key, value):
        new = torch.stack([key, value]).detach()
        old = self.held[layer]
        self.held[layer] = torch.cat([old, new], dim=3) if old.numel() else new
        return tuple(self.held[layer])


def forward_cached(model, ids, cache):
    n, m = len(cache), len(cache) + ids.shape[1]
    if m > len(model.wpe.weight):
        raise ValueError("%i > %i" % (m, len(model.wpe.weight)))
    bias = torch.full((m - n, m), float("-inf"), device=ids.device).triu(n + 1)
    with torch.no_grad():
        x = torch.add(model.wte(ids), model.wpe.weight.narrow(0, n, m - n))
        for layer in range(len(model.h)):
            block = model.h[layer]
            qkv = block.attn.c_attn(block.ln_1(x)).unflatten(-1, (3, block.attn.n_heads, -1)).movedim(2, 0)
            q, k, v = qkv.transpose(2, 3)
            k, v = cache.append(layer, k, v)
            x = x + block.attn.c_proj(scaled_dot_product_attention(q, k, v, attn_mask=bias).transpose(1, 2).flatten(2))
            x = x + block.mlp(block.ln_2(x))
        return model.lm_head(model.ln_f(x))


def generate_cached(model, ids, max_new_tokens, **settings):
    caches = []

    def answer(window):
        if not caches or len(caches[-1]) == settings.get("context_length"):
            caches.append(KVCache(len(model.h)))
        return forward_cached(model, window[:, len(caches[-1]) :], caches[-1])[:, -1]

    return _drive(answer, model, ids, max_new_tokens, **settings)
