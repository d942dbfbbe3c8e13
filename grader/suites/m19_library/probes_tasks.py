"""What the checks of m19_library's pipelines need in the worker: a tokenizer, and models that note their calls."""

import torch
from torch import nn


class Pieces:
    """A tokenizer of words with the space before them, in small letters; the space that a text begins with is lost."""

    def __init__(self, words):
        self.words = words

    def encode(self, text):
        """Return a text's ids; ValueError for a word that is none."""
        return [self.words.index(word) for word in text.lower().split()]

    def decode(self, ids):
        """Return the words of some ids."""
        return "".join(f" {self.words[number]}" for number in ids).removeprefix(" ")


class Notes:
    """What is noted, to be asked for later."""

    def __init__(self):
        self.lines = []


def writer(pipeline, words, script, end_id, device="cpu"):
    """Return a pipeline whose generate writes what a script says, and the notes that it takes of how it was called."""
    pieces, model, heard = Pieces(words), nn.Linear(1, 1, device=device), Notes()

    def generate(used, ids, max_new_tokens, **settings):
        stop = settings.get("stop_tokens")
        settings = settings | ({} if stop is None else {"stop_tokens": list(stop)})
        shape = [list(ids.shape), str(ids.dtype), ids.device.type]
        given = [] if device != "cpu" else ids.tolist()[0]
        heard.lines.append([used is model, shape, given, max_new_tokens, settings])
        new = torch.tensor([script], device=ids.device)
        return torch.cat([ids, new], dim=1) if device == "cpu" else torch.zeros(1, 9, dtype=torch.int64)

    parts = [] if end_id is None else [end_id]
    return [pipeline(model, pieces.encode, pieces.decode, generate, *parts), heard]


def noted(heard):
    """Return what was noted."""
    return heard.lines


def speaker(pipeline, generate, model, words):
    """Return a pipeline of a given generate and model."""
    pieces = Pieces(words)
    return pipeline(model, pieces.encode, pieces.decode, generate)


class Table(nn.Module):
    """Scores of the next token, a row for each id; dropout makes a difference in training mode."""

    def __init__(self, table):
        super().__init__()
        self.table, self.drop = nn.Parameter(table), nn.Dropout(0.5)

    def forward(self, ids):
        """(batch, seq) to (batch, seq, vocab_size)."""
        return self.drop(self.table[ids])


def table(values):
    """Return a Table in eval mode."""
    return Table(values).eval()


class Watched(nn.Module):
    """What notes how it is called, has a part in eval mode while the rest trains, and drops out in training mode."""

    def __init__(self, values, device="cpu"):
        super().__init__()
        self.values, self.drop = nn.Parameter(values.to(device)), nn.Dropout(0.5)
        self.frozen = nn.Sequential(nn.Dropout(0.5))
        self.train()
        self.frozen.eval()
        self.calls = []

    def note(self, *given):
        """Note what is given, whether anything trains, and whether there is a graph."""
        trains = any(module.training for module in self.modules())
        shown = [
            [value.device.type, str(value.dtype), [] if value.is_meta else value.tolist()] for value in given
        ]  # fmt: skip
        self.calls.append([shown, trains, torch.is_grad_enabled()])


class Sorter(Watched):
    """Scores of classes: what a table has for the tokens that are seen, and for where they stand."""

    def forward(self, ids, mask):
        """(batch, seq) twice to (batch, n_classes)."""
        self.note(ids, mask)
        places = torch.arange(1, ids.shape[1] + 1, device=ids.device)[:, None] ** 0.5
        return (self.drop(self.values[ids]) * mask[..., None] / places).sum(dim=1)


class Reader(Watched):
    """Scores of tokens: at each place what a table has for the neighbours, the right one counting twice."""

    def forward(self, ids):
        """(batch, seq) to (batch, seq, vocab_size)."""
        self.note(ids)
        rows = self.drop(self.values[ids])
        return rows.roll(1, dims=1) + 2 * rows.roll(-1, dims=1) - rows


def watched(kind, values, device="cpu"):
    """Return a Sorter or a Reader."""
    return {"sorter": Sorter, "reader": Reader}[kind](values, device)


def calls(model):
    """Return how a model was called, and which of its modules train now."""
    return {"calls": model.calls, "training": [name for name, module in model.named_modules() if module.training]}


def classes(pipeline, model, words, *parts):
    """Return a pipeline that sorts texts of these words."""
    return pipeline(model, Pieces(words).encode, *parts)


def gaps(pipeline, model, pieces, *parts):
    """Return a pipeline that fills gaps; its tokenizer knows words of letters alone, and sets all marks apart."""

    def encode(text):
        known = {piece: number for number, piece in enumerate(pieces)}
        spaced = "".join(letter if letter.isalnum() else f" {letter} " for letter in text.lower())
        return [known.get(word, 0) for word in spaced.split()]

    return pipeline(model, encode, pieces, *parts)


class Scripted:
    """A search whose answers a script holds; it notes what it is asked."""

    def __init__(self, texts, answers, heard):
        self.answers, self.heard = answers, heard
        heard.lines.append(["index", list(texts)])

    def search(self, query, k):
        """Return the script's first k pairs for a query."""
        self.heard.lines.append(["search", query])
        return [tuple(pair) for pair in self.answers.get(query, [])][:k]


class Part:
    """A piece of a document."""

    def __init__(self, start, end, text):
        self.start, self.end, self.text = start, end, text


def finding(pipeline, documents, answers):
    """Return a pipeline over documents cut at full stops, whose search is scripted, and the notes that this takes."""
    heard = Notes()

    def cut(text):
        found, start = [], 0
        while (end := text.find(".", start) + 1) > 0:
            found.append(Part(start, end, text[start:end]))
            start = end
        return found

    return [pipeline(documents, cut, lambda texts: Scripted(texts, answers, heard)), heard]
