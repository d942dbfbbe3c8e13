"""Unusual: written as by somebody new to it, step by step, with loops, os.path and no helper where a loop will do."""

import copy
import json
import os
import random
import re
import warnings

import torch
import torch.nn as nn

KINDS = {
    "F64": (torch.float64, 8), "F32": (torch.float32, 4), "F16": (torch.float16, 2), "BF16": (torch.bfloat16, 2),
    "I64": (torch.int64, 8), "I32": (torch.int32, 4), "I16": (torch.int16, 2), "I8": (torch.int8, 1),
    "U8": (torch.uint8, 1), "BOOL": (torch.bool, 1),
}  # fmt: skip
NAMES = {}
for kind in KINDS:
    NAMES[KINDS[kind][0]] = kind
CLASSES = {}


def check_metadata(metadata):
    if not isinstance(metadata, dict):
        raise ValueError("metadata must be a dict")
    for key in metadata:
        if not isinstance(key, str) or not isinstance(metadata[key], str):
            raise ValueError("metadata must be strings: " + str(key))


def write_tensors(tensors, metadata=None):
    header = {}
    body = b""
    for name in tensors:
        tensor = tensors[name]
        if name == "__metadata__" or tensor.dtype not in NAMES:
            raise ValueError("cannot write " + name + " of the dtype " + str(tensor.dtype))
        begin = len(body)
        numbers = tensor.detach().contiguous().view(-1)
        if tensor.dtype == torch.bfloat16:
            numbers = numbers.view(torch.int16)
        body = body + numbers.numpy().tobytes()
        header[name] = {"data_offsets": [begin, len(body)], "dtype": NAMES[tensor.dtype], "shape": list(tensor.size())}
    if metadata is not None:
        check_metadata(metadata)
        header["__metadata__"] = metadata
    header = json.dumps(header).encode("utf-8")
    return len(header).to_bytes(8, "little") + header + body


def read_tensors(data):
    if len(data) < 8:
        raise ValueError("the file is too short")
    size = int.from_bytes(data[:8], "little")
    if size + 8 > len(data):
        raise ValueError("the header is longer than the file")
    try:
        header = json.loads(str(data[8 : 8 + size], "utf-8"))
    except UnicodeDecodeError:
        raise ValueError("the header is not UTF-8") from None
    body = data[8 + size :]
    if not isinstance(header, dict):
        raise ValueError("the header is not a dict")
    metadata, begins = header.pop("__metadata__", {}), []
    check_metadata(metadata)
    for name in header:
        entry = header[name]
        if not isinstance(entry, dict) or not {"dtype", "shape", "data_offsets"} <= set(entry):
            raise ValueError(name + " lacks something")
        if not isinstance(entry["dtype"], str) or entry["dtype"] not in KINDS:
            raise ValueError(name + " has the dtype " + str(entry["dtype"]))
        offsets = entry["data_offsets"]
        if not isinstance(offsets, list) or len(offsets) != 2 or not isinstance(entry["shape"], list):
            raise ValueError(name + " is odd")
        numbers = 1
        for length in entry["shape"] + offsets:
            if type(length) is not int or length < 0:
                raise ValueError(name + " has a length of " + str(length))
        for length in entry["shape"]:
            numbers = numbers * length
        if offsets[1] - offsets[0] != numbers * KINDS[entry["dtype"]][1]:
            raise ValueError(name + " has a wrong number of bytes")
        begins.append((offsets[0], offsets[1], name))
    begins.sort()
    place = 0
    for i in range(len(begins)):
        if begins[i][0] != place:
            raise ValueError(begins[i][2] + " begins at a wrong place")
        place = begins[i][1]
    if place != len(body):
        raise ValueError("the file has a wrong length")
    tensors = {}
    for begin, end, name in begins:
        dtype = KINDS[header[name]["dtype"]][0]
        if begin == end:
            tensors[name] = torch.zeros(header[name]["shape"], dtype=dtype)
        else:
            tensors[name] = torch.frombuffer(body[begin:end], dtype=dtype).clone().reshape(header[name]["shape"])
    return tensors, metadata


class Config:
    model_type: str = ""

    def __init__(self, **settings):
        for cls in reversed(type(self).mro()):
            for name in vars(cls):
                value = vars(cls)[name]
                if not name.startswith("_") and not callable(value) and not isinstance(value, classmethod):
                    setattr(self, name, copy.deepcopy(value))
        for name in settings:
            setattr(self, name, copy.deepcopy(settings[name]))

    def to_dict(self):
        return {name: copy.deepcopy(self.__dict__[name]) for name in self.__dict__}

    @classmethod
    def from_dict(cls, settings):
        if cls.model_type != "" and settings.get("model_type", cls.model_type) != cls.model_type:
            raise ValueError("this is a " + str(settings["model_type"]) + " and not a " + cls.model_type)
        return cls(**settings)

    def save(self, folder):
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "config.json"), "w") as file:
            json.dump(self.to_dict(), file)

    @classmethod
    def load(cls, folder):
        with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
            return cls.from_dict(json.load(file))


def register(model_class):
    kind = model_class.config_class.model_type
    if kind == "":
        raise ValueError("this class has no model_type: ''")
    if kind in CLASSES and CLASSES[kind] != model_class:
        raise ValueError("there is already a class for " + kind)
    CLASSES[kind] = model_class
    return model_class


def auto_model(folder, **changes):
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        kind = json.load(file).get("model_type")
    if kind not in CLASSES:
        raise ValueError("I do not know " + str(kind) + ", only " + str(list(CLASSES)))
    return CLASSES[kind].from_pretrained(folder, **changes)


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
    index = json.dumps({"metadata": {"total_size": sum(sizes.values())}, "weight_map": places})
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
            setattr(config, name, copy.deepcopy(changes[name]))
        model = cls(config)
        missing, unexpected = fill_model(model, load_weights(folder))
        for name in missing + unexpected:
            warnings.warn("missing or unexpected: " + name, UserWarning, stacklevel=2)
        return model.eval()


class Trainer:
    def __init__(self, model, optimizer, loss, batches, accumulation=1, callbacks=()):
        self.model, self.optimizer, self.loss = model, optimizer, loss
        self.batches, self.size = batches, accumulation
        self.callbacks = list(callbacks)
        self.step, self.epoch, self.seen = 0, 0, 0
        self.losses = []
        self.random, self.stop = None, False

    def call(self, event):
        for callback in self.callbacks:
            method = getattr(callback, event, None)
            if method is not None:
                method(self)

    def put_random_back(self):
        if self.random is not None:
            torch.set_rng_state(self.random[0])
            random.setstate(self.random[1])
            self.random = None

    def train(self, epochs):
        self.stop = False
        self.call("on_train_begin")
        while self.epoch < epochs and not self.stop:
            self.call("on_epoch_begin")
            skip = self.seen
            if skip == 0:
                self.put_random_back()
            group = []
            for batch in self.batches(self.epoch):
                if skip > 0:
                    skip = skip - 1
                    if skip == 0:
                        self.put_random_back()
                    continue
                group.append(batch)
                if len(group) == self.size:
                    self.one_step(group)
                    group = []
                    if self.stop:
                        break
            if len(group) > 0:
                self.one_step(group)
            stopped = self.stop
            self.call("on_epoch_end")
            if not stopped:
                self.epoch = self.epoch + 1
                self.seen = 0
        self.call("on_train_end")
        return self.losses[:]

    def one_step(self, group):
        self.call("on_step_begin")
        self.model.train()
        loss = self.loss(self.model, group[0])
        for i in range(1, len(group)):
            self.call("on_substep_end")
            loss = loss + self.loss(self.model, group[i])
        loss = loss / len(group)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.losses.append(loss.item())
        self.seen = self.seen + len(group)
        self.step = self.step + 1
        self.call("on_step_end")

    def save(self, folder):
        os.makedirs(folder, exist_ok=True)
        everything = {"torch": torch.get_rng_state(), "random": random.getstate()}
        for name in ["step", "epoch", "seen", "losses"]:
            everything[name] = getattr(self, name)
        for name in ["model", "optimizer"]:
            everything[name] = getattr(self, name).state_dict()
        torch.save(everything, os.path.join(folder, "everything.pt"))

    def resume(self, folder):
        everything = torch.load(os.path.join(folder, "everything.pt"))
        for name in ["step", "epoch", "seen", "losses"]:
            setattr(self, name, everything[name])
        for name in ["model", "optimizer"]:
            getattr(self, name).load_state_dict(everything[name])
        self.random = (everything["torch"], everything["random"])


class TextGeneration:
    def __init__(self, model, encode, decode, generate, end_id=None):
        self.encode, self.decode, self.end = encode, decode, end_id
        self.model, self.generate = model, generate

    def __call__(self, texts, max_new_tokens=20, full_text=True, **settings):
        if type(texts) is list:
            return [self(text, max_new_tokens, full_text, **settings) for text in texts]
        if self.end is not None:
            settings["stop_tokens"] = (self.end,)
        ids = list(self.encode(texts))
        row = torch.tensor(ids, dtype=torch.long).unsqueeze(0)
        row = row.to(next(self.model.parameters()).device)
        new = []
        for token in self.generate(self.model, row, max_new_tokens, **settings)[0, len(ids) :].tolist():
            if token == self.end:
                break
            new.append(token)
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
