"""Unusual: weights gathered and multiplied by einsum, holes by a multinomial fate, and get_parameter."""

import re
import unicodedata
from itertools import chain

import torch
from torch import nn
from torch.nn import functional as F


def split_words(text: str):
    text = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c) or _kind(c) != "Mn")
    text = re.sub("[" + re.escape("".join(_marks(text))) + "]", r" \g<0> ", text) if _marks(text) else text
    return text.lower().split()


def _kind(c):
    return unicodedata.category(c)


def _marks(text):
    symbols = set("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
    return sorted({c for c in text if c in symbols or _kind(c).startswith("P")})


def wordpiece(word, vocab, unk="[UNK]", max_chars=100):
    def cut(rest, first):
        if not rest:
            return []
        for end in range(len(rest), 0, -1):
            piece = rest[:end] if first else f"##{rest[:end]}"
            if piece in vocab:
                return [piece, rest[end:]]
        return None

    if len(word) > max_chars:
        return [unk]
    pieces, rest = [], word
    while rest:
        found = cut(rest, not pieces)
        if found is None:
            return [unk]
        pieces.append(found[0])
        rest = found[1]
    return pieces


def build_pair(a, b, cls_id, sep_id):
    texts = [[cls_id, *a, sep_id]] + ([] if b is None else [[*b, sep_id]])
    return list(chain(*texts)), [kind for kind, text in enumerate(texts) for _ in text]


def mask_tokens(ids, special, mask_id, vocab_size, generator, rates=(0.15, 0.8, 0.1)):
    one, two, three = (float(rate) for rate in rates)
    chances = torch.tensor([1 - one, one * two, one * three, one * max(0.0, 1 - two - three)])
    fate = torch.multinomial(chances.clamp(min=0), ids.numel(), replacement=True, generator=generator).view_as(ids)
    fate = fate.masked_fill(special, 0)
    other = torch.randint(0, vocab_size, ids.shape, generator=generator)
    inputs = torch.stack([ids, torch.full_like(ids, mask_id), other, ids]).gather(0, fate[None])[0]
    return inputs, torch.where(fate > 0, ids, -100)


class BertEmbeddings(nn.Module):
    def __init__(self, vocab_size, context_length, d_model, dropout, eps):
        super().__init__()
        self.words, self.positions, self.types = (nn.Embedding(n, d_model) for n in (vocab_size, context_length, 2))
        self.norm, self.rate = nn.LayerNorm(d_model, eps), dropout

    def forward(self, ids, types=None):
        n = ids.shape[-1]
        if n > self.positions.num_embeddings:
            raise ValueError(f"{n} > {self.positions.num_embeddings}")
        types = ids.new_zeros(ids.shape) if types is None else types
        x = self.words.weight[ids] + self.positions.weight[None, :n] + self.types.weight[types]
        return F.dropout(self.norm(x), self.rate, self.training)


class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, dropout, eps):
        super().__init__()
        self.n_heads, self.rate = n_heads, dropout
        for name in ("query", "key", "value", "out"):
            self.add_module(name, nn.Linear(d_model, d_model))
        self.norm_1, self.norm_2 = nn.LayerNorm(d_model, eps), nn.LayerNorm(d_model, eps)
        self.up, self.down = nn.Linear(d_model, d_ff), nn.Linear(d_ff, d_model)

    def forward(self, x, mask=None):
        def heads(part):
            weight = part.weight.reshape(self.n_heads, -1, x.shape[-1])
            return torch.einsum("bsm,hdm->bhsd", x, weight) + part.bias.reshape(self.n_heads, 1, -1)

        def drop(value):
            return F.dropout(value, self.rate, self.training)

        query, key, value = map(heads, (self.query, self.key, self.value))
        scores = torch.einsum("bhqd,bhkd->bhqk", query * query.shape[-1] ** -0.5, key)
        if mask is not None:
            scores = torch.where(mask[:, None, None] != 0, scores, -1e9)
        mixed = torch.einsum("bhqk,bhkd->bqhd", drop(scores.softmax(dim=-1)), value)
        x = self.norm_1(x + drop(self.out(mixed.reshape(x.shape))))
        return self.norm_2(x + drop(self.down(nn.GELU()(self.up(x)))))


class Bert(nn.Module):
    def __init__(self, vocab_size=30522, context_length=512, d_model=768, n_layers=12, n_heads=12, d_ff=3072,
                 dropout=0.0, eps=1e-12):  # fmt: skip
        super().__init__()
        self.embeddings = BertEmbeddings(vocab_size, context_length, d_model, dropout, eps)
        self.blocks = nn.ModuleList()
        self.blocks.extend(EncoderBlock(d_model, n_heads, d_ff, dropout, eps) for _ in range(n_layers))
        self.pooler, self.transform = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.transform_norm, self.follows = nn.LayerNorm(d_model, eps), nn.Linear(d_model, 2)
        self.decoder = nn.Linear(d_model, vocab_size)
        del self.decoder.weight
        self.decoder.weight = self.embeddings.words.weight

    def forward(self, ids, types=None, mask=None):
        hidden = self.embeddings(ids, types)
        for block in self.blocks:
            hidden = block(hidden, mask)
        return hidden, self.pooler(hidden.select(1, 0)).tanh()

    def scores(self, hidden, pooled):
        head = nn.Sequential(self.transform, nn.GELU(), self.transform_norm, self.decoder)
        return head(hidden), self.follows(pooled)


def pretraining_loss(scores, labels, follow_labels):
    def mean(values, wanted):
        values = values if values.dtype == torch.float64 else values.float()
        counts = wanted >= 0
        picked = values.log_softmax(-1).gather(-1, wanted.clamp(min=0)[..., None])[..., 0]
        return -(picked * counts).sum() / max(int(counts.sum()), 1)

    return mean(scores[0], labels) + mean(scores[1], follow_labels)


def load_bert(model, state):
    found = {k.replace(".gamma", ".weight").replace(".beta", ".bias"): v for k, v in state.items()}
    if len(found) < len(state):
        raise ValueError(f"in both names: {sorted(set(found) & set(state))}")
    found = {k: v for k, v in found.items() if not k.endswith("position_ids")}
    top = "words word_embeddings positions position_embeddings types token_type_embeddings norm LayerNorm".split()
    table = {f"embeddings.{a}.": f"bert.embeddings.{b}." for a, b in zip(top[::2], top[1::2], strict=True)}
    names = "query key value".split()
    inner = {name: f"attention.self.{name}" for name in names}
    inner |= {"out": "attention.output.dense", "norm_1": "attention.output.LayerNorm", "up": "intermediate.dense"}
    inner |= {"down": "output.dense", "norm_2": "output.LayerNorm"}
    for n in range(len(model.blocks)):
        table |= {f"blocks.{n}.{a}.": f"bert.encoder.layer.{n}.{b}." for a, b in inner.items()}
    table |= {"pooler.": "bert.pooler.dense.", "transform.": "cls.predictions.transform.dense."}
    table |= {"transform_norm.": "cls.predictions.transform.LayerNorm.", "follows.": "cls.seq_relationship."}
    wanted = {}
    for name, _ in model.named_parameters(remove_duplicate=True):
        prefix = name[: name.rindex(".") + 1]
        wanted["cls.predictions.bias" if name == "decoder.bias" else table[prefix] + name[len(prefix) :]] = name
    shared = {"weight": "bert.embeddings.word_embeddings.weight", "bias": "cls.predictions.bias"}
    for kind, twin in shared.items():
        own = found.pop(f"cls.predictions.decoder.{kind}", None)
        if own is not None and twin in found and not torch.equal(own, found[twin]):
            raise ValueError(f"cls.predictions.decoder.{kind} differs")
    if wrong := set(found) ^ set(wanted):
        raise ValueError(f"missing or unknown: {sorted(wrong)}")
    for key, name in wanted.items():
        if found[key].shape != model.get_parameter(name).shape:
            raise ValueError(f"bad shape: {key}")
    with torch.no_grad():
        for key, name in wanted.items():
            model.get_parameter(name).copy_(found[key])
