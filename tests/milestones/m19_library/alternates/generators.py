"""Unusual: generators for everything: a file read piece by piece, tensors peeled off a model, one batch ahead."""

import collections
import contextlib
import copy
import functools
import io
import itertools
import json
import math
import pathlib
import random
import re
import struct
import typing
import warnings
from dataclasses import dataclass

import torch
from torch import nn


@dataclass
class Entry:
    name: str
    dtype: str
    shape: list
    data_offsets: list

    def __post_init__(self):
        kinds = dict(zip(_KINDS.values(), _KINDS, strict=False))
        if self.dtype not in kinds:
            raise ValueError(f"{self.name}: no dtype {self.dtype!r}")
        self.kind = kinds[self.dtype]
        if any(type(n) is not int or n < 0 for n in self.shape + self.data_offsets) or len(self.data_offsets) != 2:
            raise ValueError(f"{self.name}: {self.shape} at {self.data_offsets}")
        begin, end = self.data_offsets
        if begin + math.prod(self.shape) * self.kind.itemsize != end:
            raise ValueError(f"{self.name}: {self.data_offsets} do not hold {self.shape} of {self.dtype}")


_KINDS = {getattr(torch, long): short for long, short in {
    "float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64", "int32": "I32",
    "int16": "I16", "int8": "I8", "uint8": "U8", "bool": "BOOL"}.items()}  # fmt: skip
WHOLE = "model.safetensors"


def write_tensors(tensors, metadata=None):
    metadata = texts(metadata or {})
    for name, value in tensors.items():
        if value.dtype not in _KINDS or name == "__metadata__":
            raise ValueError(f"{name}: no place for it, or no name for {value.dtype}")
    sizes = [value.numel() * value.element_size() for value in tensors.values()]
    ends = list(itertools.accumulate(sizes))
    header = {"__metadata__": dict(metadata)} if metadata else {}
    for (name, value), size, end in zip(tensors.items(), sizes, ends, strict=False):
        header[name] = {"shape": tuple(value.shape), "data_offsets": (end - size, end), "dtype": _KINDS[value.dtype]}
    head = json.dumps(header, indent=1).encode()
    out = [struct.pack("<Q", len(head)), head]
    for value in tensors.values():
        out.append(bytes(torch.empty(value.shape, dtype=value.dtype).copy_(value.detach()).untyped_storage()))
    return b"".join(out)


def texts(metadata):
    if not isinstance(metadata, dict) or not all(isinstance(x, str) for x in [*metadata, *metadata.values()]):
        raise ValueError("metadata hold something that is no string")
    return metadata


def read_tensors(data):
    file = io.BytesIO(data)
    start = file.read(8)
    if len(start) != 8 or struct.unpack("<Q", start)[0] > len(data) - 8:
        raise ValueError(f"a file of {len(data)} bytes is too short")
    header = json.loads(file.read(*struct.unpack("<Q", start)).decode())  # its errors are ValueErrors
    if not isinstance(header, dict):
        raise ValueError("the header is no object")
    metadata, entries = texts(header.pop("__metadata__", {})), []
    for name, value in header.items():
        try:
            entries.append(Entry(name, value["dtype"], list(value["shape"]), list(value["data_offsets"])))
        except (KeyError, TypeError) as error:
            raise ValueError(f"{name}: {error!r}") from error
    found, place = {}, 0
    for entry in sorted(entries, key=lambda entry: entry.data_offsets):
        begin, end = entry.data_offsets
        if begin != place:
            raise ValueError(f"{entry.name}: begins at {begin}, the last one ended at {place}")
        place = end
        raw = file.read(end - begin)
        if len(raw) < end - begin:
            raise ValueError(f"{entry.name}: cut off")
        made = torch.zeros(math.prod(entry.shape), dtype=entry.kind)
        if raw:
            made.view(torch.uint8).copy_(torch.frombuffer(bytearray(raw), dtype=torch.uint8))
        found[entry.name] = made.reshape(entry.shape)
    if file.read(1):
        raise ValueError("something stands behind the last tensor")
    return {name: found[name] for name in header}, metadata


class Config:
    model_type: str = ""

    def __init__(self, **settings):
        kind = type(self)
        defaults = {name: getattr(kind, name) for name in typing.get_type_hints(kind) if hasattr(kind, name)}
        self.__dict__.update(copy.deepcopy(defaults | settings))

    def to_dict(self):
        return copy.deepcopy(self.__dict__)

    @classmethod
    def from_dict(cls, settings):
        theirs = settings.get("model_type")
        if cls.model_type and theirs is not None and theirs != cls.model_type:
            raise ValueError(f"{theirs} is no {cls.model_type}")
        return cls(**settings)

    def save(self, folder):
        path = pathlib.Path(folder) / "config.json"
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(json.dumps(self.to_dict(), indent=4).encode())

    @classmethod
    def load(cls, folder):
        return cls.from_dict(json.loads(pathlib.Path(folder, "config.json").read_bytes()))


registry = {}


def register(model_class):
    kind = model_class.config_class.model_type
    if not kind:
        raise ValueError(f"{model_class} has the empty type {kind!r}")
    if registry.setdefault(kind, model_class) is not model_class:
        raise ValueError(f"{kind} belongs to {registry[kind]}")
    return model_class


def auto_model(folder, **changes):
    kind = Config.load(folder).to_dict()["model_type"]
    if kind not in registry:
        raise ValueError(f"{kind!r} is none of {sorted(registry)}")
    return registry[kind].from_pretrained(folder, **changes)


def numbered(sizes, most):
    number, held = -1, None
    for size in sizes.values():
        if held is None or held + size > most:
            number, held = number + 1, 0
        held += size
        yield number


def plan_shards(sizes, most):
    if not most >= 1:
        raise ValueError(f"no file has {most} bytes")
    number = numbered(sizes, most)
    return [list(names) for _, names in itertools.groupby(sizes, key=lambda name: next(number))]


def called(count):
    if count < 2:
        yield WHOLE
    yield from (f"model-{number:05}-of-{count:05}.safetensors" for number in range(1, count + 1) if count > 1)


def save_weights(tensors, folder, max_shard_bytes=None):
    base, limit = pathlib.Path(folder), math.inf if max_shard_bytes is None else max_shard_bytes
    base.mkdir(parents=True, exist_ok=True)
    plan = plan_shards({name: value.nbytes for name, value in tensors.items()}, limit) or [[]]
    shards = (path for path in base.glob("model-*.safetensors") if re.fullmatch(r"-\d+-of-\d+", path.stem[5:]))
    for path in itertools.chain([base / WHOLE, base / f"{WHOLE}.index.json"], list(shards)):
        path.unlink(missing_ok=True)
    where = {}
    for file, names in zip(called(len(plan)), plan, strict=True):
        where |= dict.fromkeys(names, file)
        part = dict(zip(names, map(tensors.get, names), strict=True))
        (base / file).write_bytes(write_tensors(part, {"format": "pt"}))
    if len(plan) > 1:
        index = {"weight_map": where, "metadata": {"total_size": sum(value.nbytes for value in tensors.values())}}
        (base / f"{WHOLE}.index.json").write_text(json.dumps(index))


def pieces_of(base):
    try:
        yield (base / WHOLE).read_bytes()
    except FileNotFoundError:
        index = json.loads((base / f"{WHOLE}.index.json").read_text())
        for file in sorted(set(index["weight_map"].values())):
            path = (base / file).resolve()
            if path.parent != base:
                raise ValueError(f"{file} is not in {base}") from None
            yield path.read_bytes()


def load_weights(folder):
    return dict(collections.ChainMap(*(read_tensors(data)[0] for data in pieces_of(pathlib.Path(folder).resolve()))))


def peeled(model):
    """Yield each tensor of a model, with all names that it has."""
    state = list(model.state_dict(keep_vars=True).items())
    while state:
        tensor = state[0][1]
        yield tensor, [name for name, other in state if other is tensor]
        state = [pair for pair in state if pair[1] is not tensor]


def arrivals(model, tensors):
    """Yield each tensor of a model, its names, and what comes for it, or None."""
    for place, names in peeled(model):
        came = None
        for name in filter(tensors.__contains__, names):
            before, came = came, tensors[name]
            if came.shape != place.shape:
                raise ValueError(f"{name} comes as {list(came.shape)}, and is {list(place.shape)}")
            if before is not None and not before.equal(came):
                raise ValueError(f"{names} are one, and {name} is not like the others")
        yield place, names, came


def fill_model(model, tensors):
    everything = list(arrivals(model, tensors))
    for place, _, came in everything:
        if came is not None:
            place.detach().copy_(came)
    unknown = dict.fromkeys(tensors)
    for name in itertools.chain.from_iterable(names for _, names, _ in everything):
        unknown.pop(name, None)
    return [names[0] for _, names, came in everything if came is None], list(unknown)


class PretrainedModel(nn.Module):
    config_class = Config

    def __init__(self, config):
        super(PretrainedModel, self).__init__()
        self.config = config

    def save_pretrained(self, folder, max_shard_bytes=None):
        once = ((names[0], tensor) for tensor, names in peeled(self))
        save_weights(dict(once), folder, max_shard_bytes=max_shard_bytes)
        self.config.save(folder)

    @classmethod
    def from_pretrained(cls, folder, **changes):
        settings = collections.ChainMap(changes, cls.config_class.load(folder).to_dict())
        model = cls(cls.config_class(**settings)).eval()
        for what, names in zip(("lacks", "has no use for"), fill_model(model, load_weights(folder)), strict=True):
            if names:
                warnings.warn(f"{cls.__name__} {what} {', '.join(names)}", stacklevel=2)
        return model


class Trainer:
    def __init__(self, model, optimizer, loss, batches, accumulation=1, callbacks=()):
        self.model, self.optimizer, self.loss, self.batches = model, optimizer, loss, batches
        self.accumulation, self.callbacks, self.losses = accumulation, tuple(callbacks), []
        self.step = self.epoch = self.position = 0
        self.stop, self._dice, self._done = False, None, False

    def _fire(self, name):
        for callback in self.callbacks:
            getattr(callback, name, lambda trainer: None)(self)

    def _dice_back(self):
        if self._dice:
            torch.random.set_rng_state(self._dice["torch"])
            random.setstate(self._dice["python"])
        self._dice = None

    def _batches(self):
        if not self.position:
            self._dice_back()
        stream = iter(self.batches(self.epoch))
        collections.deque(itertools.islice(stream, self.position), maxlen=0)
        self._dice_back()
        nothing = object()
        now = next(stream, nothing)
        while now is not nothing:
            later = next(stream, nothing)
            yield now, later is nothing
            now = later

    def train(self, epochs):
        self.stop = False
        self._fire("on_train_begin")
        for epoch in range(self.epoch, epochs):
            self.epoch = epoch
            self._fire("on_epoch_begin")
            self._done = True
            total, count = 0.0, 0
            for batch, last in self._batches():
                if count == 0:
                    self._fire("on_step_begin")
                    self.model.train()
                    self.model.zero_grad(set_to_none=True)
                value = self.loss(self.model, batch)
                value.backward()
                total, count = total + value.item(), count + 1
                if count < self.accumulation and not last:
                    self._fire("on_substep_end")
                    continue
                for parameter in self.model.parameters():
                    if parameter.grad is not None:
                        parameter.grad.div_(count)
                self.optimizer.step()
                self.step += 1
                self.position += count
                self.losses.append(total / count)
                total, count = 0.0, 0
                self._fire("on_step_end")
                if self.stop:
                    self._done = False
                    break
            self._fire("on_epoch_end")
            if not self._done:
                break
            self.position = 0
        else:
            self.epoch = max(self.epoch, epochs)
        self._fire("on_train_end")
        return [*self.losses]

    def save(self, folder):
        path = pathlib.Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        dice = {"torch": torch.random.get_rng_state(), "python": random.getstate()}
        torch.save([self.model.state_dict(), self.optimizer.state_dict(), dice], path / "state.pt")
        numbers = {name: vars(self)[name] for name in ("step", "epoch", "position", "losses")}
        (path / "numbers.json").write_text(json.dumps(numbers))

    def resume(self, folder):
        path = pathlib.Path(folder)
        weights, moments, self._dice = torch.load(path / "state.pt", weights_only=False)
        self.model.load_state_dict(weights)
        self.optimizer.load_state_dict(moments)
        vars(self).update(json.loads((path / "numbers.json").read_text()))


def each(method):
    @functools.wraps(method)
    def call(self, texts, *args, **kwargs):
        if isinstance(texts, str):
            return next(iter(method(self, iter((texts,)), *args, **kwargs)))
        return [*method(self, iter(texts), *args, **kwargs)]

    return call


@contextlib.contextmanager
def still(model):
    with contextlib.ExitStack() as stack, torch.inference_mode(False), torch.no_grad():
        for module in filter(lambda one: one.training, model.modules()):
            stack.callback(setattr, module, "training", True)
        model.eval()
        yield next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


def positive(what, number):
    if not number > 0:
        raise ValueError(f"{what} is {number}")


class TextGeneration:
    def __init__(self, model, encode, decode, generate, end_id=None):
        self.encode, self.decode, self.end = encode, decode, end_id
        self.longer = functools.partial(generate, model)
        self.where = next(iter(model.parameters())).device
        if end_id is not None:
            self.longer = functools.partial(self.longer, stop_tokens=(end_id,))

    @each
    def __call__(self, texts, max_new_tokens=20, full_text=True, **settings):
        for text in texts:
            begun = self.encode(text)
            written = self.longer(torch.tensor([begun], device=self.where), max_new_tokens, **settings)[0].tolist()
            stop = next((place for place in range(len(begun), len(written)) if written[place] == self.end), None)
            both, old = self.decode(written[:stop]), self.decode(begun)
            yield ("", text)[full_text] + both[len(old) :]


class TextClassification:
    def __init__(self, model, encode, labels, pad_id=0, batch_size=8):
        self.model, self.encode, self.names, self.pad, self.most = model, encode, list(labels), pad_id, batch_size

    @each
    def __call__(self, texts, top_k=1):
        positive("top_k", top_k)
        known = {}
        for number, text in enumerate(texts):
            known[number] = self.encode(text)
            if not known[number]:
                raise ValueError(f"{text!r} has no ids")
        while known:
            now = [known.pop(number) for number in sorted(known)[: self.most]]
            columns = itertools.zip_longest(*now)
            table = torch.tensor([[-1 if one is None else one for one in column] for column in columns]).T
            with still(self.model) as device:
                there = table.ge(0).to(device)
                logits = self.model(table.to(device).where(there, self.pad), there)
                shares = logits.sub(logits.logsumexp(1, keepdim=True)).exp().cpu()
            for share in shares:
                order = share.argsort(descending=True, stable=True)[:top_k]
                yield [(self.names[place], float(share[place])) for place in order]


class FillMask:
    def __init__(self, model, encode, pieces, cls_id, sep_id, mask_id, mask_token="[MASK]"):
        self.model, self.encode, self.pieces, self.gap = model, encode, pieces, mask_token
        self.around = lambda before, behind: [cls_id, *before, mask_id, *behind, sep_id]

    @each
    def __call__(self, texts, top_k=5):
        positive("top_k", top_k)
        for text in texts:
            halves = text.split(self.gap)
            if len(halves) != 2:
                raise ValueError(f"{len(halves) - 1} gaps stand in the text, and not 1")
            ids = [self.encode(half) for half in halves]
            with still(self.model) as device:
                scores = self.model(torch.tensor([self.around(*ids)], device=device))[0, 1 + len(ids[0])]
            share = torch.exp(scores - torch.logsumexp(scores, 0)).tolist()
            ranked = sorted(range(len(share)), key=share.__getitem__, reverse=True)[:top_k]
            yield [(self.pieces[i], share[i], self.pieces[i].removeprefix("##").join(halves)) for i in ranked]


class Retrieval:
    def __init__(self, documents, chunk, index):
        self.of, self.parts = [], []
        for name in documents:
            cut = list(chunk(documents[name]))
            self.of += [name] * len(cut)
            self.parts += cut
        self.index = index([part.text for part in self.parts])

    @each
    def __call__(self, texts, k=3):
        positive("k", k)
        for text in texts:
            best = {}
            for place, score in self.index.search(text, len(self.parts) or 1):
                part = self.parts[place]
                best.setdefault(self.of[place], (self.of[place], part.start, part.end, part.text, score))
            yield list(itertools.islice(best.values(), k))
