"""Unusual: written from stub and guide alone, step by step, shapes in comments, everything named before it is used."""

import unicodedata

import torch
import torch.nn as nn
import torch.nn.functional as F

ASCII_MARKS = [chr(n) for n in range(33, 127) if not chr(n).isalpha() and not chr(n).isdigit()]


def split_words(text):
    letters = []
    for letter in unicodedata.normalize("NFD", text):
        if unicodedata.category(letter) == "Mn":
            continue  # an accent
        if letter in ASCII_MARKS or unicodedata.category(letter)[0] == "P":
            letters.append(" " + letter + " ")
        else:
            letters.append(letter)
    return "".join(letters).lower().split()


def wordpiece(word, vocab, unk="[UNK]", max_chars=100):
    if len(word) > max_chars:
        return [unk]
    pieces = []
    start = 0
    while start != len(word):
        end = len(word)
        while True:
            piece = word[start:end]
            if start != 0:
                piece = "##" + piece
            if piece in vocab:
                pieces.append(piece)
                start = end
                break
            end = end - 1
            if end == start:
                return [unk]
    return pieces


def build_pair(a, b, cls_id, sep_id):
    ids = [cls_id]
    ids.extend(a)
    ids.append(sep_id)
    types = [0] * len(ids)
    if b is not None:
        ids.extend(b)
        ids.append(sep_id)
    while len(types) < len(ids):
        types.append(1)
    return (ids, types)


def mask_tokens(ids, special, mask_id, vocab_size, generator, rates=(0.15, 0.8, 0.1)):
    first_number = torch.rand(ids.shape, generator=generator)
    second_number = torch.rand(ids.shape, generator=generator)
    any_id = torch.randint(0, vocab_size, ids.shape, generator=generator)
    chosen = torch.logical_and(first_number < rates[0], torch.logical_not(special))
    becomes_mask = chosen & (second_number < rates[1])
    becomes_any = chosen & ~becomes_mask & (second_number < rates[1] + rates[2])
    inputs = ids.clone()
    inputs[becomes_mask] = mask_id
    inputs[becomes_any] = any_id[becomes_any]
    labels = torch.full(ids.shape, -100)
    labels[chosen] = ids[chosen]
    return inputs, labels


class BertEmbeddings(nn.Module):
    def __init__(self, vocab_size, context_length, d_model, dropout, eps):
        super().__init__()
        self.context_length = context_length
        self.words = nn.Embedding(vocab_size, d_model)
        self.positions = nn.Embedding(context_length, d_model)
        self.types = nn.Embedding(2, d_model)
        self.norm = nn.LayerNorm(d_model, eps=eps)
        self.drop = nn.Dropout(p=dropout)

    def forward(self, ids, types=None):
        batch, seq = ids.shape
        if seq > self.context_length:
            raise ValueError(f"a row of {seq} ids, but there are {self.context_length} positions")
        if types is None:
            types = torch.zeros_like(ids)
        positions = torch.arange(seq, device=ids.device).expand(batch, seq)
        x = self.words(ids)  # batch seq d_model
        x = x + self.positions(positions)
        x = x + self.types(types)
        return self.drop(self.norm(x))


class EncoderBlock(nn.Module):
    def __init__(self, d_model, n_heads, d_ff, dropout, eps):
        super().__init__()
        self.d_model = d_model
        self.n_heads = n_heads
        self.d_head = d_model // n_heads
        self.query = nn.Linear(d_model, d_model)
        self.key = nn.Linear(d_model, d_model)
        self.value = nn.Linear(d_model, d_model)
        self.out = nn.Linear(d_model, d_model)
        self.norm_1 = nn.LayerNorm(d_model, eps=eps)
        self.up = nn.Linear(d_model, d_ff)
        self.gelu = nn.GELU()
        self.down = nn.Linear(d_ff, d_model)
        self.norm_2 = nn.LayerNorm(d_model, eps=eps)
        self.drop_weights = nn.Dropout(dropout)
        self.drop_out = nn.Dropout(dropout)
        self.drop_down = nn.Dropout(dropout)

    def forward(self, x, mask=None):
        batch, seq, _ = x.shape
        q = self.query(x).reshape(batch, seq, self.n_heads, self.d_head).permute(0, 2, 1, 3)  # batch heads seq d_head
        k = self.key(x).reshape(batch, seq, self.n_heads, self.d_head).permute(0, 2, 1, 3)
        v = self.value(x).reshape(batch, seq, self.n_heads, self.d_head).permute(0, 2, 1, 3)
        scores = torch.matmul(q, k.transpose(2, 3)) / (self.d_head**0.5)  # batch heads seq seq
        if mask is not None:
            padding = (mask == 0).view(batch, 1, 1, seq)
            scores = scores.masked_fill(padding, float("-inf"))
        weights = self.drop_weights(torch.softmax(scores, dim=3))
        mixed = torch.matmul(weights, v).permute(0, 2, 1, 3).reshape(batch, seq, self.d_model)
        x = self.norm_1(x + self.drop_out(self.out(mixed)))
        return self.norm_2(x + self.drop_down(self.down(self.gelu(self.up(x)))))


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
        self.blocks = nn.ModuleList()
        for _ in range(n_layers):
            self.blocks.append(EncoderBlock(d_model, n_heads, d_ff, dropout, eps))
        self.pooler = nn.Linear(d_model, d_model)
        self.transform = nn.Linear(d_model, d_model)
        self.transform_norm = nn.LayerNorm(d_model, eps=eps)
        self.decoder = nn.Linear(d_model, vocab_size)
        self.follows = nn.Linear(d_model, 2)
        self.decoder.weight = self.embeddings.words.weight

    def forward(self, ids, types=None, mask=None):
        x = self.embeddings(ids, types)
        for block in self.blocks:
            x = block(x, mask)
        first = x[:, 0, :]
        return x, torch.tanh(self.pooler(first))

    def scores(self, hidden, pooled):
        x = self.transform(hidden)
        x = F.gelu(x)
        x = self.transform_norm(x)
        return self.decoder(x), self.follows(pooled)


def mean_loss(scores, labels):
    if scores.dtype == torch.float16 or scores.dtype == torch.bfloat16:
        scores = scores.to(torch.float32)
    how_many = int((labels != -100).sum())
    total = F.cross_entropy(scores, labels, ignore_index=-100, reduction="sum")
    if how_many == 0:
        return total
    return total / how_many


def pretraining_loss(scores, labels, follow_labels):
    token_scores, follow_scores = scores
    vocab_size = token_scores.shape[2]
    tokens = mean_loss(token_scores.reshape(-1, vocab_size), labels.reshape(-1))
    pairs = mean_loss(follow_scores, follow_labels)
    return tokens + pairs


PARTS = {
    "embeddings.words": "bert.embeddings.word_embeddings",
    "embeddings.positions": "bert.embeddings.position_embeddings",
    "embeddings.types": "bert.embeddings.token_type_embeddings",
    "embeddings.norm": "bert.embeddings.LayerNorm",
    "pooler": "bert.pooler.dense",
    "transform": "cls.predictions.transform.dense",
    "transform_norm": "cls.predictions.transform.LayerNorm",
    "follows": "cls.seq_relationship",
}
BLOCK_PARTS = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "out": "attention.output.dense",
    "norm_1": "attention.output.LayerNorm",
    "up": "intermediate.dense",
    "down": "output.dense",
    "norm_2": "output.LayerNorm",
}


def load_bert(model, state):
    # 1. a table from our names to theirs
    table = {"decoder.bias": "cls.predictions.bias"}
    for ours, theirs in PARTS.items():
        table[ours + ".weight"] = theirs + ".weight"
        table[ours + ".bias"] = theirs + ".bias"
    for number in range(len(model.blocks)):
        for ours, theirs in BLOCK_PARTS.items():
            for kind in [".weight", ".bias"]:
                table["blocks." + str(number) + "." + ours + kind] = f"bert.encoder.layer.{number}.{theirs}{kind}"
    # 2. the file in names of today
    file = {}
    for name, tensor in state.items():
        if name.endswith("position_ids"):
            continue
        if name.endswith("LayerNorm.gamma"):
            name = name[: -len("gamma")] + "weight"
        if name.endswith("LayerNorm.beta"):
            name = name[: -len("beta")] + "bias"
        if name in file:
            raise ValueError(f"{name} is there twice")
        file[name] = tensor
    decoder_weight = file.pop("cls.predictions.decoder.weight", None)
    decoder_bias = file.pop("cls.predictions.decoder.bias", None)
    # 3. look at everything
    parameters = dict(model.named_parameters())
    wanted = [table[name] for name in parameters]
    for name in wanted:
        if name not in file:
            raise ValueError(f"{name} is missing")
    for name in file:
        if name not in wanted:
            raise ValueError(f"{name} is too much")
    for ours, parameter in parameters.items():
        if file[table[ours]].shape != parameter.shape:
            raise ValueError(f"{table[ours]} has the wrong shape")
    if decoder_weight is not None and not torch.equal(decoder_weight, file["bert.embeddings.word_embeddings.weight"]):
        raise ValueError("cls.predictions.decoder.weight is not the words' weight")
    if decoder_bias is not None and not torch.equal(decoder_bias, file["cls.predictions.bias"]):
        raise ValueError("cls.predictions.decoder.bias is not cls.predictions.bias")
    # 4. copy
    for ours, parameter in parameters.items():
        parameter.data.copy_(file[table[ours]])
