"""Unusual: holes by Bernoulli draws one after the other, fused matrices, scores filled with the least number."""

import re
import unicodedata

import torch
from torch import nn
from torch.nn import functional as F


def split_words(text):
    text = unicodedata.normalize("NFD", text.lower())
    text = "".join(c for c in text if unicodedata.category(c) != "Mn")
    out = []
    for chunk in text.split():
        word = ""
        for c in chunk:
            code = ord(c)
            punct = 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
            if punct or unicodedata.category(c)[0] == "P":
                if word:
                    out.append(word)
                out.append(c)
                word = ""
            else:
                word += c
        if word:
            out.append(word)
    return out


def wordpiece(word, vocab, unk="[UNK]", max_chars=100):
    chars = list(word)
    if len(chars) > max_chars:
        return [unk]
    is_bad, start, sub_tokens = False, 0, []
    while start < len(chars):
        end, cur = len(chars), None
        while start < end:
            sub = "".join(chars[start:end])
            if start > 0:
                sub = "##" + sub
            if sub in vocab:
                cur = sub
                break
            end -= 1
        if cur is None:
            is_bad = True
            break
        sub_tokens.append(cur)
        start = end
    return [unk] if is_bad else sub_tokens


def build_pair(a, b, cls_id, sep_id):
    ids = [cls_id, *a, sep_id]
    types = [0 for _ in ids]
    if b is not None:
        ids = ids + b + [sep_id]
        types += [1] * (len(b) + 1)
    return ids, types


def mask_tokens(ids, special, mask_id, vocab_size, generator, rates=(0.15, 0.8, 0.1)):
    p, q, r = rates
    labels = ids.clone()
    inputs = ids.clone()
    matrix = torch.full(ids.shape, float(p))
    matrix.masked_fill_(special, value=0.0)
    masked = torch.bernoulli(matrix, generator=generator).bool()
    labels[~masked] = -100
    replaced = torch.bernoulli(torch.full(ids.shape, float(q)), generator=generator).bool() & masked
    inputs[replaced] = mask_id
    share = r / (1 - q) if q < 1 else 0.0  # of what is left over
    random = torch.bernoulli(torch.full(ids.shape, share), generator=generator).bool() & masked & ~replaced
    words = torch.randint(vocab_size, ids.shape, dtype=torch.long, generator=generator)
    inputs[random] = words[random]
    return inputs, labels


class BertEmbeddings(nn.Module):
    def __init__(self, vocab_size, context_length, d_model, dropout, eps):
        super().__init__()
        for name, count in ("words", vocab_size), ("positions", context_length), ("types", 2):
            setattr(self, name, nn.Embedding(count, d_model, padding_idx=0 if name == "words" else None))
        self.norm, self.dropout = nn.LayerNorm(d_model, eps=eps), nn.Dropout(dropout)
        self.register_buffer("position_ids", torch.arange(context_length).expand((1, -1)), persistent=False)

    def forward(self, ids, types=None):
        length = ids.size(1)
        if length > self.position_ids.size(1):
            raise ValueError(f"sequence of {length} is longer than {self.position_ids.size(1)} positions")
        if types is None:
            types = torch.zeros(ids.size(), dtype=torch.long, device=ids.device)
        total = self.words(ids) + self.types(types)
        total += self.positions(self.position_ids[:, :length])
        return self.dropout(self.norm(total))


class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, dropout, eps):
        super().__init__()
        self.heads = n_heads
        self.width = d_model // n_heads
        for name in ["query", "key", "value", "out"]:
            setattr(self, name, nn.Linear(d_model, d_model))
        self.norm_1 = nn.LayerNorm(d_model, eps=eps)
        self.norm_2 = nn.LayerNorm(d_model, eps=eps)
        self.up = nn.Linear(d_model, d_ff)
        self.down = nn.Linear(d_ff, d_model)
        self.drop = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        B, T, C = x.shape
        weight = torch.cat([self.query.weight, self.key.weight, self.value.weight])
        bias = torch.cat([self.query.bias, self.key.bias, self.value.bias])
        q, k, v = F.linear(x, weight, bias).view(B, T, 3, self.heads, self.width).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-1, -2) / self.width**0.5
        if mask is not None:
            extended = (1.0 - mask.to(scores.dtype)) * torch.finfo(scores.dtype).min
            scores = scores + extended[:, None, None, :]
        probabilities = self.drop(scores.softmax(-1))
        context = (probabilities @ v).permute(0, 2, 1, 3).contiguous().view(B, T, C)
        x = self.norm_1(self.drop(self.out(context)) + x)
        return self.norm_2(self.drop(self.down(F.gelu(self.up(x)))) + x)


class Bert(nn.Module):
    def __init__(
        self,
        vocab_size=30522,
        context_length=512,
        d_model=768,
        n_layers=12,
        n_heads=12,
        d_ff=3072,
        dropout=0.0,
        eps=1e-12,
    ):
        super().__init__()
        self.embeddings = BertEmbeddings(vocab_size, context_length, d_model, dropout, eps)
        sizes = d_model, n_heads, d_ff, dropout, eps
        self.blocks = nn.ModuleList(map(EncoderBlock, *([size] * n_layers for size in sizes)))
        for name, size in {"decoder": vocab_size, "transform": d_model, "pooler": d_model, "follows": 2}.items():
            setattr(self, name, nn.Linear(d_model, size))
        self.transform_norm = nn.LayerNorm(d_model, eps=eps)
        self.embeddings.words.weight = self.decoder.weight

    def forward(self, ids, types=None, mask=None):
        hidden = self.embeddings(ids, types)
        for layer in self.blocks:
            hidden = layer(hidden, mask)
        return hidden, torch.tanh(self.pooler(hidden[:, 0]))

    def scores(self, hidden, pooled):
        return self.decoder(self.transform_norm(F.gelu(self.transform(hidden)))), self.follows(pooled)


def pretraining_loss(scores, labels, follow_labels):
    total = 0
    for logits, wanted in zip(scores, (labels, follow_labels), strict=True):
        logits = logits.reshape(-1, logits.shape[-1])
        logits = logits.float() if logits.element_size() < 4 else logits
        wanted = wanted.reshape(-1)
        keep = wanted != -100
        if keep.any():
            total = total + F.cross_entropy(logits[keep], wanted[keep])
        else:
            total = total + logits.sum() * 0
    return total


def load_bert(model, state):
    renamed = {}
    for key, value in state.items():
        key = re.sub(r"LayerNorm\.gamma$", "LayerNorm.weight", key)
        key = re.sub(r"LayerNorm\.beta$", "LayerNorm.bias", key)
        if key in renamed:
            raise ValueError(f"twice: {key}")
        if not key.endswith("position_ids"):
            renamed[key] = value
    rules = [
        (r"^bert\.embeddings\.word_embeddings", "embeddings.words"),
        (r"^bert\.embeddings\.position_embeddings", "embeddings.positions"),
        (r"^bert\.embeddings\.token_type_embeddings", "embeddings.types"),
        (r"^bert\.embeddings\.LayerNorm", "embeddings.norm"),
        (r"^bert\.encoder\.layer\.(\d+)\.attention\.self", r"blocks.\1"),
        (r"^bert\.encoder\.layer\.(\d+)\.attention\.output\.dense", r"blocks.\1.out"),
        (r"^bert\.encoder\.layer\.(\d+)\.attention\.output\.LayerNorm", r"blocks.\1.norm_1"),
        (r"^bert\.encoder\.layer\.(\d+)\.intermediate\.dense", r"blocks.\1.up"),
        (r"^bert\.encoder\.layer\.(\d+)\.output\.dense", r"blocks.\1.down"),
        (r"^bert\.encoder\.layer\.(\d+)\.output\.LayerNorm", r"blocks.\1.norm_2"),
        (r"^bert\.pooler\.dense", "pooler"),
        (r"^cls\.predictions\.transform\.dense", "transform"),
        (r"^cls\.predictions\.transform\.LayerNorm", "transform_norm"),
        (r"^cls\.predictions\.bias", "decoder.bias"),
        (r"^cls\.seq_relationship", "follows"),
    ]
    ours, theirs = {}, {}
    for key, value in renamed.items():
        if key.startswith("cls.predictions.decoder."):
            continue
        name = key
        for pattern, new in rules:
            name, count = re.subn(pattern, new, name)
            if count:
                break
        ours[name], theirs[name] = value, key
    own = {name: value for name, value in model.state_dict().items() if name != "decoder.weight"}
    for name in own:
        if name not in ours:
            # Say it as the file would: the rules backwards.
            words = {
                "embeddings.words": "bert.embeddings.word_embeddings",
                "embeddings.positions": "bert.embeddings.position_embeddings",
                "embeddings.types": "bert.embeddings.token_type_embeddings",
                "embeddings.norm": "bert.embeddings.LayerNorm",
                "pooler": "bert.pooler.dense",
                "transform": "cls.predictions.transform.dense",
                "transform_norm": "cls.predictions.transform.LayerNorm",
                "decoder": "cls.predictions",
                "follows": "cls.seq_relationship",
                "out": "attention.output.dense",
                "norm_1": "attention.output.LayerNorm",
                "norm_2": "output.LayerNorm",
                "up": "intermediate.dense",
                "down": "output.dense",
                "query": "attention.self.query",
                "key": "attention.self.key",
                "value": "attention.self.value",
            }
            part, kind = name.rsplit(".", 1)
            if part.startswith("blocks."):
                _, number, part = part.split(".")
                raise ValueError(f"missing: bert.encoder.layer.{number}.{words[part]}.{kind}")
            raise ValueError(f"missing: {words[part]}.{kind}")
    for name, value in ours.items():
        if name not in own:
            raise ValueError(f"unexpected: {theirs[name]}")
        if tuple(value.shape) != tuple(own[name].shape):
            raise ValueError(f"shape of {theirs[name]}: {tuple(value.shape)} and not {tuple(own[name].shape)}")
    for kind, twin in (("weight", ours["embeddings.words.weight"]), ("bias", ours["decoder.bias"])):
        key = f"cls.predictions.decoder.{kind}"
        if key in renamed and (renamed[key].shape != twin.shape or not bool((renamed[key] == twin).all())):
            raise ValueError(f"{key} is not what it shares")
    ours["decoder.weight"] = ours["embeddings.words.weight"]
    model.load_state_dict(ours)
