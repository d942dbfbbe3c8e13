"""Unusual: a header with line breaks, lazy defaults, a trainer one batch ahead that scales gradients."""

import collections
import copy
import io
import itertools
import json
import math
import os
import pathlib
import random
import re
import struct
import warnings
from collections import defaultdict
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
        self.__dict__.update(copy.deepcopy(settings))

    def __getattribute__(self, name):
        if name.startswith("_") or name in object.__getattribute__(self, "__dict__"):
            return object.__getattribute__(self, name)
        value = object.__getattribute__(self, name)
        if callable(value):
            return value
        self.__dict__[name] = copy.deepcopy(value)
        return self.__dict__[name]

    def to_dict(self):
        hints = {name for base in type(self).__mro__ for name in getattr(base, "__annotations__", ())}
        return copy.deepcopy({name: getattr(self, name) for name in hints if hasattr(self, name)} | self.__dict__)

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


def plan_shards(sizes, most):
    if most < 1:
        raise ValueError("at least 1 byte, not " + str(most))
    files = []
    filled = 0
    for name in sizes:
        if files and filled + sizes[name] <= most:
            files[-1].append(name)
            filled = filled + sizes[name]
        else:
            files.append([name])
            filled = sizes[name]
    return files


def save_weights(tensors, folder, max_shard_bytes=None):
    os.makedirs(folder, exist_ok=True)
    for name in os.listdir(folder):
        if re.match(r"model(-[0-9]+-of-[0-9]+)?\.safetensors(\.index\.json)?$", name):
            os.remove(os.path.join(folder, name))
    sizes = {name: tensors[name].numel() * tensors[name].element_size() for name in tensors}
    total = sum(sizes.values())
    if max_shard_bytes is not None:
        files = plan_shards(sizes, max_shard_bytes)
    if max_shard_bytes is None or len(files) <= 1:
        put(os.path.join(folder, "model.safetensors"), write_tensors(tensors, {"format": "pt"}))
        return
    places = {}
    for i in range(len(files)):
        file_name = "model-" + str(i + 1).zfill(5) + "-of-" + str(len(files)).zfill(5) + ".safetensors"
        part = {name: tensors[name] for name in files[i]}
        places.update({name: file_name for name in part})
        put(os.path.join(folder, file_name), write_tensors(part, {"format": "pt"}))
    index = json.dumps({"metadata": {"total_size": total}, "weight_map": places})
    put(os.path.join(folder, "model.safetensors.index.json"), index.encode())


def put(path, data):
    with open(path, "wb") as file:
        file.write(data)


def get(path):
    with open(path, "rb") as file:
        return file.read()


def load_weights(folder):
    if os.path.exists(os.path.join(folder, "model.safetensors")):
        return read_tensors(get(os.path.join(folder, "model.safetensors")))[0]
    places = json.loads(get(os.path.join(folder, "model.safetensors.index.json")))["weight_map"]
    tensors = {}
    for file_name in set(places.values()):
        if "/" in file_name or "\\" in file_name or file_name in (".", ".."):
            raise ValueError("not in this folder: " + file_name)
        tensors.update(read_tensors(get(os.path.join(folder, file_name)))[0])
    return tensors


def _aliases(model):
    found = defaultdict(list)
    for name, x in model.state_dict(keep_vars=True).items():
        found[x.data_ptr(), x.shape, x.stride(), x.dtype, x.numel() or id(x)].append(name)
    return list(found.values())


@torch.no_grad()
def fill_model(model, tensors):
    own = model.state_dict()
    faults = [f"{name}: {tuple(tensors[name].shape)} is no {tuple(own[name].shape)}" for name in own
              if name in tensors and tensors[name].shape != own[name].shape]  # fmt: skip
    for names in _aliases(model):
        here = [name for name in names if name in tensors]
        faults += [
            f"{other} differs from {here[0]}" for other in here[1:] if (tensors[other] != tensors[here[0]]).any()
        ]
    if faults:
        raise ValueError("; ".join(faults))
    lacking = [names[0] for names in _aliases(model) if tensors.keys().isdisjoint(names)]
    for name in own.keys() & tensors.keys():
        own[name].copy_(tensors[name])
    return lacking, list(filter(lambda name: name not in own, tensors))


class PretrainedModel(nn.Module):
    config_class = Config

    def __init__(self, config):
        nn.Module.__init__(self)
        self.config = config

    def save_pretrained(self, folder, max_shard_bytes=None):
        state = self.state_dict()
        save_weights({names[0]: state[names[0]] for names in _aliases(self)}, folder, max_shard_bytes)
        self.config.save(folder)

    @classmethod
    def from_pretrained(cls, folder, **changes):
        model = cls(cls.config_class(**{**cls.config_class.load(folder).to_dict(), **changes}))
        lacking, more = fill_model(model, load_weights(folder))
        if lacking or more:
            warnings.warn(f"{cls.__name__}: the file lacks {lacking} and has {more} too much", stacklevel=2)
        return model.train(False)


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


class TextGeneration:
    def __init__(self, model, encode, decode, generate, end_id=None):
        self.model, self.encode, self.decode, self.generate, self.end_id = model, encode, decode, generate, end_id

    def __call__(self, texts, max_new_tokens=20, full_text=True, **settings):
        if type(texts) is list:
            return [self(text, max_new_tokens, full_text, **settings) for text in texts]
        ids = list(self.encode(texts))
        if self.end_id is not None:
            settings["stop_tokens"] = (self.end_id,)
        device = next(self.model.parameters()).device
        row = torch.tensor(ids, dtype=torch.long).unsqueeze(0).to(device)
        row = self.generate(self.model, row, max_new_tokens, **settings)
        new = row[0, len(ids) :].tolist()
        if self.end_id in new:
            new = new[: new.index(self.end_id)]
        written = self.decode(ids + new)[len(self.decode(ids)) :]
        return texts + written if full_text else written


def answer(model, *args):
    modules = list(model.modules())
    before = [module.training for module in modules]
    model.eval()
    try:
        with torch.no_grad():
            return model(*args)
    finally:
        for module, training in zip(modules, before, strict=False):
            module.training = training


class TextClassification:
    def __init__(self, model, encode, labels, pad_id=0, batch_size=8):
        self.model, self.encode, self.labels, self.pad_id, self.size = model, encode, labels, pad_id, batch_size

    def __call__(self, texts, top_k=1):
        if top_k < 1:
            raise ValueError("top_k must not be " + str(top_k))
        single = isinstance(texts, str)
        if single:
            texts = [texts]
        all_ids = [self.encode(text) for text in texts]
        if [] in all_ids:
            raise ValueError("no ids for " + repr(texts[all_ids.index([])]))
        results = []
        for start in range(0, len(texts), self.size):
            batch = all_ids[start : start + self.size]
            length = max([len(ids) for ids in batch])
            device = next(self.model.parameters()).device
            table = torch.full((len(batch), length), self.pad_id, device=device)
            mask = torch.zeros(len(batch), length, dtype=torch.bool, device=device)
            for i in range(len(batch)):
                table[i, : len(batch[i])] = torch.tensor(batch[i], device=device)
                mask[i, : len(batch[i])] = True
            chances = torch.softmax(answer(self.model, table, mask), dim=1)
            for row in chances:
                pairs = [(self.labels[i], row[i].item()) for i in range(len(row))]
                results.append(sorted(pairs, key=lambda pair: -pair[1])[:top_k])
        return results[0] if single else results


class FillMask:
    def __init__(self, model, encode, pieces, cls_id, sep_id, mask_id, mask_token="[MASK]"):
        self.model, self.encode, self.pieces, self.mask_token = model, encode, pieces, mask_token
        self.cls_id, self.sep_id, self.mask_id = cls_id, sep_id, mask_id

    def __call__(self, texts, top_k=5):
        if isinstance(texts, list):
            return [self(text, top_k) for text in texts]
        if top_k < 1:
            raise ValueError(f"top_k must not be {top_k}")
        halves = texts.split(self.mask_token)
        if len(halves) != 2:
            raise ValueError("there must be one gap, not " + str(len(halves) - 1))
        ids = [self.cls_id, *self.encode(halves[0])]
        place = len(ids)
        ids = [*ids, self.mask_id, *self.encode(halves[1]), self.sep_id]
        device = next(self.model.parameters(), torch.zeros(1)).device
        scores = answer(self.model, torch.tensor([ids], device=device))
        chances = torch.softmax(scores[0][place], dim=0)
        results = []
        for i in sorted(range(len(self.pieces)), key=lambda i: -chances[i].item())[:top_k]:
            word = self.pieces[i][2:] if self.pieces[i][:2] == "##" else self.pieces[i]
            results.append((self.pieces[i], chances[i].item(), halves[0] + word + halves[1]))
        return results


class Retrieval:
    def __init__(self, documents, chunk, index):
        self.chunks = [(name, piece) for name in documents for piece in chunk(documents[name])]
        self.search = index([piece.text for name, piece in self.chunks]).search

    def __call__(self, texts, k=3):
        if k < 1:
            raise ValueError("k must not be " + str(k))
        if isinstance(texts, list):
            return [self(text, k) for text in texts]
        hits = []
        for number, score in self.search(texts, max(1, len(self.chunks))):
            name, piece = self.chunks[number]
            if name not in [hit[0] for hit in hits]:
                hits.append((name, piece.start, piece.end, piece.text, score))
        return hits[:k]
