"""What pipelines are made of: the submission's own m07, m10, m16 and m17 where right, and small parts otherwise.

Planted in a worker, with torch and nothing else; the judge computes by the same small parts what is expected.
"""

import copy
import importlib
import math
import re
from collections import Counter, namedtuple

import torch
import torch.nn.functional as F
from torch import nn


def own_or(trusted, make, same):
    """Return what `make` makes of the submission's own modules where `same` finds it right; else what is trusted."""
    try:
        own = make()
        right = bool(same(own))
    except (Exception, SystemExit):
        right = False
    return own if right else trusted


def module(name):
    """Return a module of the submission's; whatever is wrong with it is raised."""
    return importlib.import_module(f"exercises.{name}")


# ── m07: text from a model ──


def greedy(model, ids, max_new_tokens, *, temperature=0.0, stop_tokens=(), **_):
    """Append the likeliest tokens to a row of ids, up to a stop token."""
    with torch.no_grad():
        for _step in range(max_new_tokens):
            ids = torch.cat([ids, model(ids)[:, -1].argmax(dim=-1, keepdim=True)], dim=1)
            if ids[0, -1].item() in stop_tokens:
                break
    return ids


def generator(model, ids, max_new_tokens):
    """Return m07's generate where it goes on as the small one does, at temperature 0; else the small one."""
    right = greedy(model, ids, max_new_tokens)

    def same(own):
        return torch.equal(own(model, ids, max_new_tokens, temperature=0.0), right)

    return own_or(greedy, lambda: module("m07_generation").generate, same)


# ── m10: classes from a GPT ──


class Classifier(nn.Module):
    """A GPT whose head gives way to one for classes, read at each row's last real token."""

    def __init__(self, gpt, n_classes):
        super().__init__()
        self.score = nn.Linear(gpt.lm_head.in_features, n_classes, bias=False)
        gpt.lm_head = nn.Identity()
        self.body = gpt

    def forward(self, ids, mask):
        """(batch, seq) twice to (batch, n_classes)."""
        last = (mask * torch.arange(mask.shape[1])).argmax(dim=1)
        return self.score(self.body(ids)[torch.arange(len(ids)), last])


def classifier(gpt, head, ids, mask):
    """Return m10's classifier on a GPT, with this head, where it scores as the small one does; else the small one."""

    def made(kind):
        found = kind(copy.deepcopy(gpt), len(head))
        with torch.no_grad():
            found.score.weight.copy_(head)
        return found.eval()

    trusted = made(Classifier)

    def same(own):
        with torch.no_grad():
            return torch.allclose(own(ids, mask), trusted(ids, mask), rtol=1e-3, atol=1e-5)

    return own_or(trusted, lambda: made(module("m10_finetuning").GPTClassifier), same)


# ── m16: gaps and BERT ──

LINEAR = {"query": (1, 1), "key": (1, 1), "value": (1, 1), "out": (1, 1), "up": (0, 1), "down": (1, 0)}


def bert_shapes(vocab_size, context_length, d_model, n_layers, n_heads, d_ff):
    """Return the shape of each of a BERT's weights, by m16's names."""
    width = {1: d_model, 0: d_ff}
    shapes = {"words": (vocab_size, d_model), "positions": (context_length, d_model), "types": (2, d_model)}
    found: dict[str, tuple[int, ...]] = {f"embeddings.{name}.weight": shape for name, shape in shapes.items()}
    linear = {"pooler": (d_model, d_model), "transform": (d_model, d_model), "follows": (2, d_model)}
    linear["decoder"] = (vocab_size, d_model)
    norms = ["embeddings.norm", "transform_norm"]
    for number in range(n_layers):
        linear |= {f"blocks.{number}.{name}": (width[a], width[b]) for name, (a, b) in LINEAR.items()}
        norms += [f"blocks.{number}.norm_1", f"blocks.{number}.norm_2"]
    for name, shape in linear.items():
        found |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    for name in norms:
        found |= {f"{name}.weight": (d_model,), f"{name}.bias": (d_model,)}
    return found


class Encoder(nn.Module):
    """A BERT of weights by m16's names, from ids to scores of tokens alone."""

    def __init__(self, state, n_heads):
        super().__init__()
        self.state, self.n_heads = state, n_heads
        self.n_layers = len({name.split(".")[1] for name in state if name.startswith("blocks.")})

    def _linear(self, name, x):
        return F.linear(x, self.state[f"{name}.weight"], self.state[f"{name}.bias"])

    def _norm(self, name, x):
        return F.layer_norm(x, x.shape[-1:], self.state[f"{name}.weight"], self.state[f"{name}.bias"], 1e-12)

    def forward(self, ids):
        """(batch, seq) to (batch, seq, vocab_size)."""
        tables = {name: self.state[f"embeddings.{name}.weight"] for name in ("words", "positions", "types")}
        x = tables["words"][ids] + tables["positions"][: ids.shape[1]] + tables["types"][0]
        x = self._norm("embeddings.norm", x)
        for number in range(self.n_layers):
            name = f"blocks.{number}"
            parts = [self._linear(f"{name}.{part}", x) for part in ("query", "key", "value")]
            query, key, value = (torch.stack(part.chunk(self.n_heads, dim=-1), dim=1) for part in parts)
            mixed = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)
            x = self._norm(f"{name}.norm_1", x + self._linear(f"{name}.out", mixed))
            thought = self._linear(f"{name}.down", F.gelu(self._linear(f"{name}.up", x)))
            x = self._norm(f"{name}.norm_2", x + thought)
        x = self._norm("transform_norm", F.gelu(self._linear("transform", x)))
        return self._linear("decoder", x)


class Scores(nn.Module):
    """Of m16's Bert the scores of tokens alone."""

    def __init__(self, bert):
        super().__init__()
        self.bert = bert

    def forward(self, ids):
        """(batch, seq) to (batch, seq, vocab_size)."""
        return self.bert.scores(*self.bert(ids))[0]


def filler(state, sizes, ids):
    """Return m16's Bert with these weights, as scores of tokens, where it is right; else the small one."""
    trusted = Encoder(state, sizes["n_heads"]).eval()

    def make():
        bert = module("m16_bert").Bert(**sizes)
        bert.load_state_dict(state)
        return Scores(bert).eval()

    def same(own):
        with torch.no_grad():
            return torch.allclose(own(ids), trusted(ids), rtol=1e-3, atol=1e-4)

    return own_or(trusted, make, same)


# ── m17: passages ──

Chunk = namedtuple("Chunk", ["start", "end", "text"])


def chunk(text, size, overlap):
    """Cut a text into chunks of some characters that overlap; the last one may be shorter."""
    found: list[Chunk] = []
    start = 0
    while text and (not found or found[-1].end < len(text)):
        piece = text[start : start + size]
        found.append(Chunk(start, start + len(piece), piece))
        start += size - overlap
    return found


class Words:
    """Scores by BM25, with m17's constants."""

    def __init__(self, texts):
        self.counts = [Counter(re.findall(r"[a-z0-9]+", text.lower())) for text in texts]

    def search(self, query, k):
        """Return the k best as (index, score), those without a word of the query left out."""
        lengths = [sum(count.values()) for count in self.counts]
        average = sum(lengths) / max(1, len(lengths))
        scores: dict[int, float] = {}
        for word in re.findall(r"[a-z0-9]+", query.lower()):
            having = [number for number, count in enumerate(self.counts) if word in count]
            idf = math.log(1 + (len(lengths) - len(having) + 0.5) / (len(having) + 0.5))
            for number in having:
                count = self.counts[number][word]
                scores[number] = scores.get(number, 0.0) + idf * count * 2.2 / (
                    count + 1.2 * (0.25 + 0.75 * lengths[number] / average)
                )
        ranked = sorted(scores, key=lambda number: (-scores[number], number))
        return [(number, scores[number]) for number in ranked[:k]]


def finder(documents, size, overlap, queries):
    """Return m17's chunk with these sizes, and BM25, each where it is right; else the small ones."""

    def cut_by(function):
        return lambda text: function(text, size, overlap)

    trusted = cut_by(chunk)
    texts = list(documents.values())

    def same_chunks(own):
        return all([tuple(part) for part in own(text)] == [tuple(part) for part in trusted(text)] for text in texts)

    def same_scores(own):
        parts = [part.text for text in texts for part in trusted(text)]
        pairs = [(own(parts).search(query, 99), Words(parts).search(query, 99)) for query in queries]
        return all(
            len(found) == len(right)
            and all(a[0] == b[0] and abs(a[1] - b[1]) < 1e-4 for a, b in zip(found, right, strict=True))
            for found, right in pairs
        )

    cut = own_or(trusted, lambda: cut_by(module("m17_retriever").chunk), same_chunks)
    return [cut, own_or(Words, lambda: module("m17_retriever").BM25, same_scores)]
