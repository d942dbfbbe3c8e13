"""Unusual: everything token by token and head by head, in plain loops; norms by hand; positions found by enumerate."""

import math
import unicodedata

import torch
import torch.nn as nn


def split_words(text):
    words, current = [], []

    def flush():
        if current:
            words.append("".join(current))
            current.clear()

    for letter in unicodedata.normalize("NFD", text):
        kind = unicodedata.category(letter)
        if kind == "Mn":
            continue
        if letter.isspace():
            flush()
        elif kind.startswith("P") or letter in "$+<=>^`|~":
            flush()
            words.append(letter)
        else:
            current.extend(letter.lower())
    flush()
    return words


def wordpiece(word, vocab, unk="[UNK]", max_chars=100):
    if len(word) > max_chars:
        return [unk]
    result = []
    rest, mark = word, ""
    while rest:
        size = len(rest)
        while size and mark + rest[:size] not in vocab:
            size -= 1
        if not size:
            return [unk]
        result.append(mark + rest[:size])
        rest, mark = rest[size:], "##"
    return result


def build_pair(a, b, cls_id, sep_id):
    ids, types = [cls_id], [0]
    for kind, text in enumerate([a] if b is None else [a, b]):
        for token in text:
            ids.append(token)
            types.append(kind)
        ids.append(sep_id)
        types.append(kind)
    return ids, types


def mask_tokens(ids, special, mask_id, vocab_size, generator, rates=(0.15, 0.8, 0.1)):
    inputs, labels = ids.tolist(), [[-100] * ids.shape[1] for _ in range(ids.shape[0])]
    firsts = torch.rand(ids.shape, generator=generator).tolist()
    for row, tokens in enumerate(ids.tolist()):
        for place, token in enumerate(tokens):
            if bool(special[row, place]) or firsts[row][place] >= rates[0]:
                continue
            labels[row][place] = token
            second = torch.rand((), generator=generator).item()
            if second < rates[1]:
                inputs[row][place] = mask_id
            elif second < rates[1] + rates[2]:
                inputs[row][place] = int(torch.randint(0, vocab_size, (1,), generator=generator))
    return torch.tensor(inputs), torch.tensor(labels)


def normalised(x, norm):
    centred = x - x.mean(dim=-1, keepdim=True)
    spread = centred.pow(2).mean(dim=-1, keepdim=True)
    return centred / torch.sqrt(spread + norm.eps) * norm.weight + norm.bias


class BertEmbeddings(nn.Module):
    def __init__(self, vocab_size, context_length, d_model, dropout, eps):
        super().__init__()
        self.words = nn.Embedding(vocab_size, d_model)
        self.positions = nn.Embedding(context_length, d_model)
        self.types = nn.Embedding(2, d_model)
        self.norm = nn.LayerNorm(d_model, eps=eps)
        self.drop = nn.Dropout(dropout)

    def forward(self, ids, types=None):
        limit = self.positions.weight.shape[0]
        if ids.shape[1] > limit:
            raise ValueError("there are %d ids, and %d positions" % (ids.shape[1], limit))
        columns = []
        for place in range(ids.shape[1]):
            column = self.words.weight[ids[:, place]] + self.positions.weight[place]
            column = column + (self.types.weight[0] if types is None else self.types.weight[types[:, place]])
            columns.append(normalised(column, self.norm))
        return self.drop(torch.stack(columns, dim=1))


class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, dropout, eps):
        super().__init__()
        self.n_heads, self.d_head = n_heads, d_model // n_heads
        self.query, self.key = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.value, self.out = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.norm_1, self.norm_2 = nn.LayerNorm(d_model, eps=eps), nn.LayerNorm(d_model, eps=eps)
        self.up, self.down = nn.Linear(d_model, d_ff), nn.Linear(d_ff, d_model)
        self.drop = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        query, key, value = self.query(x), self.key(x), self.value(x)
        mixed = []
        for head in range(self.n_heads):
            part = slice(head * self.d_head, (head + 1) * self.d_head)
            scores = torch.bmm(query[:, :, part], key[:, :, part].transpose(1, 2)) / math.sqrt(self.d_head)
            if mask is not None:
                scores = scores.masked_fill((mask == 0).unsqueeze(1), float("-inf"))
            mixed.append(torch.bmm(self.drop(torch.softmax(scores, dim=2)), value[:, :, part]))
        x = normalised(x + self.drop(self.out(torch.cat(mixed, dim=2))), self.norm_1)
        inner = self.up(x)
        inner = inner * 0.5 * (1 + torch.erf(inner / math.sqrt(2)))
        return normalised(x + self.drop(self.down(inner)), self.norm_2)


class Bert(nn.Module):
    def __init__(self, vocab_size=30522, context_length=512, d_model=768, n_layers=12, n_heads=12, d_ff=3072, **rest):
        super().__init__()
        dropout, eps = rest.pop("dropout", 0.0), rest.pop("eps", 1e-12)
        self.embeddings = BertEmbeddings(vocab_size, context_length, d_model, dropout, eps)
        self.blocks = nn.ModuleList()
        for _ in range(n_layers):
            self.blocks.append(EncoderBlock(d_model, n_heads, d_ff, dropout, eps))
        self.pooler, self.transform = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.transform_norm = nn.LayerNorm(d_model, eps=eps)
        self.decoder, self.follows = nn.Linear(d_model, vocab_size), nn.Linear(d_model, 2)
        self.decoder.weight = self.embeddings.words.weight

    def forward(self, ids, types=None, mask=None):
        x = self.embeddings(ids, types)
        for block in self.blocks:
            x = block(x, mask)
        return x, torch.tanh(self.pooler(x[:, 0, :]))

    def scores(self, hidden, pooled):
        x = self.transform(hidden)
        x = x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))
        x = normalised(x, self.transform_norm)
        return x @ self.embeddings.words.weight.T + self.decoder.bias, self.follows(pooled)


def mean_cost(scores, labels):
    scores = scores.float() if scores.dtype in (torch.half, torch.bfloat16) else scores
    logs = scores - torch.logsumexp(scores, dim=-1, keepdim=True)
    costs = [-logs[row, label] for row, label in enumerate(labels.tolist()) if label != -100]
    return torch.stack(costs).mean() if costs else 0.0 * logs.sum()


def pretraining_loss(scores, labels, follow_labels):
    tokens, pairs = scores
    return mean_cost(tokens.reshape(-1, tokens.shape[-1]), labels.reshape(-1)) + mean_cost(pairs, follow_labels)


def their_names(model):
    """Yield (our parameter, their key), one after the other."""
    e = model.embeddings
    parts = [
        (e.words, "bert.embeddings.word_embeddings"),
        (e.positions, "bert.embeddings.position_embeddings"),
        (e.types, "bert.embeddings.token_type_embeddings"),
        (e.norm, "bert.embeddings.LayerNorm"),
        (model.pooler, "bert.pooler.dense"),
        (model.transform, "cls.predictions.transform.dense"),
        (model.transform_norm, "cls.predictions.transform.LayerNorm"),
        (model.follows, "cls.seq_relationship"),
    ]
    for number, block in enumerate(model.blocks):
        layer = "bert.encoder.layer.%d." % number
        parts += [
            (block.query, layer + "attention.self.query"),
            (block.key, layer + "attention.self.key"),
            (block.value, layer + "attention.self.value"),
            (block.out, layer + "attention.output.dense"),
            (block.norm_1, layer + "attention.output.LayerNorm"),
            (block.up, layer + "intermediate.dense"),
            (block.down, layer + "output.dense"),
            (block.norm_2, layer + "output.LayerNorm"),
        ]
    for part, name in parts:
        yield part.weight, name + ".weight"
        if getattr(part, "bias", None) is not None:
            yield part.bias, name + ".bias"
    yield model.decoder.bias, "cls.predictions.bias"


def load_bert(model, state):
    left = dict(state)
    jobs = []
    words = bias = None
    for parameter, key in their_names(model):
        old = key.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta")
        found = left.pop(key, None)
        if found is None:
            found = left.pop(old, None)
        if found is None:
            raise ValueError("no " + key)
        if found.shape != parameter.shape:
            raise ValueError(key + " is of another shape")
        words = found if key.endswith("word_embeddings.weight") else words
        bias = found if key == "cls.predictions.bias" else bias
        jobs.append((parameter, found))
    for key, value in left.items():
        if key.endswith("position_ids"):
            continue
        shared = {"cls.predictions.decoder.weight": words, "cls.predictions.decoder.bias": bias}.get(key)
        if shared is None:
            raise ValueError("what is " + key + "?")
        if not torch.equal(shared, value):
            raise ValueError(key + " is not the same")
    for parameter, found in jobs:
        parameter.data[...] = found
