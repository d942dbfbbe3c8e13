"""Unusual: a file read piece by piece, configs that copy defaults when looked at, an epoch as a generator of steps."""

import contextlib
import copy
import io
import itertools
import json
import math
import pathlib
import random
import re
import struct
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
    if not most >= 1:
        raise ValueError(f"no file has {most} bytes")
    plan, held = [], math.inf
    for name, size in sizes.items():
        held += size
        if held > most:
            plan, held = [*plan, []], size
        plan[-1] += [name]
    return plan


def save_weights(tensors, folder, max_shard_bytes=None):
    base = pathlib.Path(folder)
    base.mkdir(parents=True, exist_ok=True)
    shard = re.compile(r"model-\d+-of-\d+\.safetensors")
    old = [path for path in base.iterdir() if path.name in ("model.safetensors", "model.safetensors.index.json")]
    for path in [*old, *(path for path in base.iterdir() if shard.fullmatch(path.name))]:
        path.unlink()
    sizes = {name: value.nbytes for name, value in tensors.items()}
    plan = plan_shards(sizes, sum(sizes.values()) + 1 if max_shard_bytes is None else max_shard_bytes) or [[]]
    names = [f"model-{n:05}-of-{len(plan):05}.safetensors" for n in range(1, len(plan) + 1)]
    if len(plan) == 1:
        names = ["model.safetensors"]
    else:
        where = {tensor: file for file, part in zip(names, plan, strict=False) for tensor in part}
        index = {"weight_map": where, "metadata": {"total_size": sum(sizes.values()), "total_parameters": 0}}
        (base / "model.safetensors.index.json").write_text(json.dumps(index))
    for file, part in zip(names, plan, strict=False):
        (base / file).write_bytes(write_tensors({name: tensors[name] for name in part}, {"format": "pt"}))


def load_weights(folder):
    base = pathlib.Path(folder).resolve()
    try:
        return read_tensors((base / "model.safetensors").read_bytes())[0]
    except FileNotFoundError:
        index = json.loads((base / "model.safetensors.index.json").read_text())
    found = {}
    for file in sorted(set(index["weight_map"].values())):
        path = (base / file).resolve()
        if path.parent != base:
            raise ValueError(f"{file} is not in {base}")
        found.update(read_tensors(path.read_bytes())[0])
    return {name: found[name] for name in index["weight_map"] if name in found}


def fill_model(model, tensors):
    own = model.state_dict(keep_vars=True)
    first_name = {name: next(other for other in own if own[other] is own[name]) for name in own}
    todo, done = [], {}
    for name in own:
        first = first_name[name]
        if name in tensors:
            if own[name].size() != tensors[name].size():
                raise ValueError(name + ": " + str(own[name].shape) + " and " + str(tensors[name].shape))
            if first in done:
                if not torch.equal(done[first], tensors[name]):
                    raise ValueError(name + " is not like " + first)
            done[first] = tensors[name]
            todo.append((own[name], tensors[name]))
    missing = [name for name in own if first_name[name] == name and name not in done]
    unexpected = [name for name in tensors if name not in own]
    for place, value in todo:
        place.data.copy_(value)
    return missing, unexpected


class PretrainedModel(nn.Module):
    config_class = Config

    def __init__(self, config):
        super().__init__()
        self.config = config

    def save_pretrained(self, folder, max_shard_bytes=None):
        self.config.save(folder)
        tensors = {}
        for name, tensor in self.state_dict(keep_vars=True).items():
            if not any(tensor is other for other in tensors.values()):
                tensors[name] = tensor
        save_weights(tensors, folder, max_shard_bytes)

    @classmethod
    def from_pretrained(cls, folder, **changes):
        config = cls.config_class.load(folder)
        for name in changes:
            setattr(config, name, changes[name])
        model = cls(config)
        missing, unexpected = fill_model(model, load_weights(folder))
        for name in missing + unexpected:
            warnings.warn("missing or unexpected: " + name, UserWarning, stacklevel=2)
        return model.eval()


class Trainer:
    def __init__(self, model, optimizer, loss, batches, accumulation=1, callbacks=()):
        self.parts = {"model": model, "optimizer": optimizer}
        self.model, self.optimizer, self.loss, self.batches = model, optimizer, loss, batches
        self.accumulation, self.callbacks = accumulation, callbacks
        self.step, self.epoch, self.losses, self.stop, self.seen, self.later = 0, 0, [], False, 0, []

    def tell(self, event):
        for callback in self.callbacks:
            if callable(getattr(callback, event, None)):
                getattr(callback, event)(self)

    def random(self):
        now, self.later = self.later, []
        for put, state in now:
            put(state)

    def groups(self):
        if not self.seen:
            self.random()
        source = enumerate(self.batches(self.epoch))
        skipped, group = self.seen, []
        while skipped:
            next(source)
            skipped -= 1
        self.random()
        for _, batch in source:
            group.append(batch)
            if len(group) == self.accumulation:
                yield group
                group = []
        if group:
            yield group

    def train(self, epochs):
        self.stop, open_ = False, True
        self.tell("on_train_begin")
        while open_ and self.epoch < epochs:
            self.tell("on_epoch_begin")
            for group in self.groups():
                self.tell("on_step_begin")
                self.losses.append(self._descend(group))
                self.step += 1
                self.seen += len(group)
                self.tell("on_step_end")
                if self.stop:
                    open_ = False
                    break
            self.tell("on_epoch_end")
            if open_:
                self.epoch, self.seen = self.epoch + 1, 0
        self.tell("on_train_end")
        return copy.copy(self.losses)

    def _descend(self, group):
        self.model.train(True)
        self.optimizer.zero_grad()
        share, mean = 1 / len(group), 0.0
        *front, last = group
        for batch in front:
            mean += self._learn(batch, share)
            self.tell("on_substep_end")
        mean += self._learn(last, share)
        self.optimizer.step()
        return mean

    def _learn(self, batch, share):
        loss = self.loss(self.model, batch) * share
        loss.backward()
        return loss.detach().item()

    def save(self, folder):
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        kept = {name: part.state_dict() for name, part in self.parts.items()}
        kept["place"] = {name: getattr(self, name) for name in ("step", "epoch", "seen", "losses")}
        kept["chance"] = torch.get_rng_state(), random.getstate()
        for name, part in kept.items():
            torch.save(part, pathlib.Path(folder, f"{name}.pt"))

    def resume(self, folder):
        read = {path.stem: torch.load(path, weights_only=True) for path in pathlib.Path(folder).glob("*.pt")}
        for name, part in self.parts.items():
            part.load_state_dict(read[name])
        for name, value in read["place"].items():
            setattr(self, name, value)
        self.later = list(zip((torch.set_rng_state, random.setstate), read["chance"], strict=False))


class Pipeline:
    def __init__(self, model):
        self.model = model

    @property
    def device(self):
        return next(self.model.parameters(), torch.zeros(0)).device

    def __call__(self, texts, *args, **kwargs):
        many = self.answer([texts] if isinstance(texts, str) else list(texts), *args, **kwargs)
        return many[0] if isinstance(texts, str) else many

    @contextlib.contextmanager
    def asked(self):
        trained = {name for name, module in self.model.named_modules() if module.training}
        with torch.no_grad():
            self.model.eval()
            try:
                yield self.model
            finally:
                for name, module in self.model.named_modules():
                    module.training = name in trained


class TextGeneration(Pipeline):
    def __init__(self, model, encode, decode, generate, end_id=None):
        super().__init__(model)
        self.encode, self.decode, self.generate, self.end_id = encode, decode, generate, end_id

    def answer(self, texts, max_new_tokens=20, full_text=True, **settings):
        if self.end_id is not None:
            settings = {**settings, "stop_tokens": (self.end_id,)}
        found = []
        for text in texts:
            old = torch.as_tensor(self.encode(text), device=self.device).long()
            (row,) = self.generate(self.model, old[None], max_new_tokens, **settings)
            new = list(itertools.takewhile(lambda token: token != self.end_id, row[len(old) :].tolist()))
            old = old.tolist()
            shown = self.decode(old + new).removeprefix(self.decode(old))
            found += [text * full_text + shown]
        return found


class TextClassification(Pipeline):
    def __init__(self, model, encode, labels, pad_id=0, batch_size=8):
        super().__init__(model)
        self.encode, self.labels, self.pad_id, self.batch_size = encode, tuple(labels), pad_id, batch_size

    def answer(self, texts, top_k=1):
        if top_k < 1:
            raise ValueError(f"{top_k} classes are none")
        rows = [torch.tensor(self.encode(text), dtype=torch.int64, device=self.device) for text in texts]
        empty = [text for text, row in zip(texts, rows, strict=False) if not len(row)]
        if empty:
            raise ValueError(f"nothing to read in {empty[0]!r}")
        found = []
        with self.asked() as model:
            for batch in [rows[i : i + self.batch_size] for i in range(0, len(rows), self.batch_size)]:
                ids = nn.utils.rnn.pad_sequence(batch, batch_first=True, padding_value=self.pad_id)
                mask = nn.utils.rnn.pad_sequence([torch.ones_like(row) for row in batch], batch_first=True).bool()
                chances, order = model(ids, mask).softmax(-1).sort(dim=-1, descending=True, stable=True)
                for one, places in zip(chances.tolist(), order.tolist(), strict=False):
                    found.append(
                        [(self.labels[place], chance) for place, chance in zip(places, one, strict=False)][:top_k]
                    )
        return found


class FillMask(Pipeline):
    def __init__(self, model, encode, pieces, cls_id, sep_id, mask_id, mask_token="[MASK]"):
        super().__init__(model)
        self.encode, self.pieces, self.mask_token = encode, pieces, mask_token
        self.ends, self.mask_id = (cls_id, sep_id), mask_id

    def answer(self, texts, top_k=5):
        return [self.fill(text, top_k) for text in texts]

    def fill(self, text, top_k):
        if top_k < 1:
            raise ValueError(f"{top_k} pieces are none")
        left, gap, right = text.partition(self.mask_token)
        if not gap or self.mask_token in right:
            raise ValueError(f"{text.count(self.mask_token)} gaps in {text!r}: one is asked for")
        first, last = self.ends
        ids = torch.tensor([first, *self.encode(left), self.mask_id, *self.encode(right), last], device=self.device)
        with self.asked() as model:
            scores = model(ids.unsqueeze(0)).squeeze(0)
        place = 1 + len(self.encode(left))
        best = scores[place].softmax(-1).topk(min(top_k, len(self.pieces)))
        return [(self.pieces[i], p, left + re.sub("^##", "", self.pieces[i]) + right)
                for p, i in zip(best.values.tolist(), best.indices.tolist(), strict=False)]  # fmt: skip


class Retrieval(Pipeline):
    def __init__(self, documents, chunk, index):
        self.parts = [
            (name, part.start, part.end, part.text) for name, text in documents.items() for part in chunk(text)
        ]
        self.found = index([text for *_, text in self.parts])

    def answer(self, texts, k=3):
        if k < 1:
            raise ValueError(f"{k} documents are none")
        return [list(itertools.islice(self.walk(text), k)) for text in texts]

    def walk(self, text):
        told = set()
        for number, score in self.found.search(text, len(self.parts)):
            name = self.parts[number][0]
            if name not in told:
                told.add(name)
                yield (*self.parts[number], score)
