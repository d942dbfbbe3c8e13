"""Unusual: shaped as the libraries are: a file that reads on demand, a trainer's state, pipelines of three stages."""

import contextlib
import copy
import io
import json
import operator
import os
import pathlib
import random
import re
import types
import warnings
from collections import ChainMap, defaultdict

import torch
from torch import nn

CODES = dict(F64=torch.float64, F32=torch.float32, F16=torch.float16, BF16=torch.bfloat16, I64=torch.int64,
             I32=torch.int32, I16=torch.int16, I8=torch.int8, U8=torch.uint8, BOOL=torch.bool)  # fmt: skip
SAFE, SAFE_INDEX = "model.safetensors", "model.safetensors.index.json"


class SafeFile:
    """An open file of tensors: the header is read and checked, a tensor is read when somebody asks for it."""

    def __init__(self, stream):
        self.stream, length = stream, stream.seek(0, io.SEEK_END)
        stream.seek(0)
        prefix = stream.read(8)
        self.start = 8 + sum(byte << 8 * place for place, byte in enumerate(prefix))
        if len(prefix) < 8 or self.start > length:
            raise ValueError(f"HeaderTooLarge: {self.start} of {length} bytes")
        header = json.loads(stream.read(self.start - 8).decode("utf-8"))
        if not hasattr(header, "items"):
            raise ValueError("InvalidHeader: no object")
        self.metadata = checked_metadata(header.pop("__metadata__", {}))
        self.infos = {name: self.info(name, found) for name, found in header.items()}
        begins, here = defaultdict(dict), 0
        for name, (_, begin, end) in self.infos.items():
            begins[begin][name] = end
        while here in begins:  # go from one tensor to the one that begins at its end; all have to be met
            longer = {name: end for name, end in begins.pop(here).items() if end > here}
            if len(longer) > 1:
                raise ValueError(f"InvalidOffset: {', '.join(longer)} begin at one place")
            here = max(longer.values(), default=here)
        for names in begins.values():
            raise ValueError(f"InvalidOffset: {', '.join(names)}, and {here} was expected")
        if here != length - self.start:
            raise ValueError(f"MetadataIncompleteBuffer: {here} of {length - self.start} bytes")

    def info(self, name, found):
        try:
            dtype, shape, offsets = operator.itemgetter("dtype", "shape", "data_offsets")(found)
            begin, end = offsets
            if {type(number) for number in [*shape, begin, end]} != {int} or min([*shape, begin, end]) < 0:
                raise TypeError("no natural numbers")
            empty = torch.empty(shape, dtype=CODES[dtype], device="meta")
        except (TypeError, KeyError, ValueError, RuntimeError, OverflowError) as error:
            raise ValueError(f"InvalidTensor: {name} ({error})") from error
        if empty.nbytes + begin != end:
            raise ValueError(f"TensorInvalidInfo: {name} takes {empty.nbytes} bytes, not {begin} to {end}")
        return empty, begin, end

    def tensors(self):
        for name, (empty, begin, _) in self.infos.items():
            self.stream.seek(self.start + begin)
            tensor = torch.empty_like(empty, device="cpu")
            self.stream.readinto(tensor.view(-1).view(torch.uint8).numpy())
            yield name, tensor


def checked_metadata(metadata):
    if type(metadata) is not dict or {type(one) for one in [*metadata, *metadata.values()]} - {str}:
        raise ValueError(f"InvalidMetadata: {metadata!r}")
    return metadata


def write_tensors(tensors, metadata=None):
    codes = {dtype: code for code, dtype in CODES.items()}
    header = {} if metadata is None else {"__metadata__": checked_metadata(metadata)}
    body = torch.empty(sum(tensor.nbytes for tensor in tensors.values()), dtype=torch.uint8)
    end = 0
    # Wide dtypes first: so each begins at a multiple of its width, and can be seen as what it is.
    for name, tensor in sorted(tensors.items(), key=lambda item: item[1].itemsize, reverse=True):
        if tensor.dtype not in codes or name == "__metadata__":
            raise ValueError(f"InvalidTensor: {name} of {tensor.dtype}")
        begin, end = end, end + tensor.nbytes
        body[begin:end].view(tensor.dtype).view(tensor.shape).copy_(tensor.detach())
        header[name] = {"dtype": codes[tensor.dtype], "shape": list(tensor.shape), "data_offsets": (begin, end)}
    text = json.dumps(header).encode()
    return bytes(len(text) >> 8 * place & 255 for place in range(8)) + text + body.numpy().tobytes()


def read_tensors(data):
    file = SafeFile(io.BytesIO(data))
    return dict(file.tensors()), file.metadata


class Config:
    model_type: str = ""

    def __new__(cls, **kwargs):
        config = super().__new__(cls)
        for name, value in ChainMap(*map(vars, cls.mro())).items():
            if not (name.startswith("_") or callable(value) or hasattr(value, "__func__")):
                setattr(config, name, copy.deepcopy(value))
        return config

    def __init__(self, **kwargs):
        for key in list(kwargs):
            setattr(self, key, copy.deepcopy(kwargs.pop(key)))

    def to_dict(self):
        return copy.deepcopy(self).__dict__

    @classmethod
    def from_dict(cls, settings):
        asked = settings.get("model_type", cls.model_type)
        if cls.model_type and asked != cls.model_type:
            raise ValueError(f"a {asked} config instantiates no {cls.model_type}")
        return cls(**settings)

    def save(self, folder):
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as writer:
            print(json.dumps(self.to_dict(), indent=2, sort_keys=True), file=writer)

    @classmethod
    def load(cls, folder):
        return cls.from_dict(json.loads(pathlib.Path(folder, "config.json").read_bytes()))


class Known(dict):
    def __missing__(self, kind):
        raise ValueError(f"unrecognized model_type {kind!r}; it should be one of {', '.join(self)}")


MODELS = Known()


def register(model_class):
    kind = model_class.config_class.model_type
    taken = MODELS.setdefault(kind, model_class) if kind else None
    if taken != model_class:
        raise ValueError(f"the model_type {kind!r} is used by {taken}")
    return taken


def auto_model(folder, **changes):
    return MODELS[Config.load(folder).model_type].from_pretrained(folder, **changes)


def plan_shards(sizes, most):
    if most <= 0:
        raise ValueError(f"max_shard_size {most} is too small")
    plan, current, used = [], [], 0
    for name in sizes:
        if current and used + sizes[name] > most:
            plan.append(current)
            current, used = [], 0
        current.append(name)
        used += sizes[name]
    return [*plan, current] if current else plan


def save_weights(tensors, folder, max_shard_bytes=None):
    home = pathlib.Path(folder)
    home.mkdir(exist_ok=True, parents=True)
    sizes = {name: tensor.nbytes for name, tensor in tensors.items()}
    plan = [list(sizes)] if max_shard_bytes is None else plan_shards(sizes, max_shard_bytes)
    pattern = "model-{:05d}-of-{:05d}.safetensors" if len(plan) > 1 else SAFE
    weight_map = {name: pattern.format(n, len(plan)) for n, names in enumerate(plan, 1) for name in names}
    parts = defaultdict(dict, {} if weight_map else {SAFE: {}})
    for name, file in weight_map.items():
        parts[file][name] = tensors[name]
    for file in parts:
        (home / file).write_bytes(write_tensors(parts[file], {"format": "pt"}))
    if len(parts) > 1:
        index = {"metadata": {"total_size": sum(sizes.values())}, "weight_map": weight_map}
        (home / SAFE_INDEX).write_text(json.dumps(index, indent=2), encoding="utf-8")
        parts[SAFE_INDEX] = index
    for path in list(home.glob(f"model*{SAFE[5:]}*")):  # what an earlier save has left
        if re.fullmatch(r"model(-\d+-of-\d+)?\.safetensors|model\.safetensors\.index\.json", path.name):
            if path.name not in parts:
                path.unlink()


def load_weights(folder):
    folder = os.path.abspath(folder)
    resolved, index = [os.path.join(folder, SAFE)], os.path.join(folder, SAFE_INDEX)
    if not os.path.isfile(resolved[0]):
        with open(index, encoding="utf-8") as reader:
            files = sorted(set(json.load(reader)["weight_map"].values()))
        resolved = [os.path.abspath(os.path.join(folder, file)) for file in files]
    state_dict = {}
    for path in resolved:
        if os.path.dirname(path) != folder:
            raise ValueError(f"{path} is not a part of {folder}")
        with open(path, "rb") as stream:
            state_dict.update(SafeFile(stream).tensors())
    return state_dict


def tied(model):
    """Return the tensors that a model's state_dict names, and for each name the first one of the same tensor."""
    own, first = {key: operator.attrgetter(key)(model) for key in model.state_dict()}, {}
    return own, {key: first.setdefault(id(own[key]), key) for key in own}


def fill_model(model, tensors):
    own, first = tied(model)
    loaded, errors = {}, []
    for key in [key for key in own if key in tensors]:
        if own[key].shape != tensors[key].shape:
            errors.append(f"size mismatch for {key}: {tuple(tensors[key].shape)} for {tuple(own[key].shape)}")
        elif not torch.equal(loaded.setdefault(first[key], tensors[key]), tensors[key]):
            errors.append(f"{key} is tied to {first[key]}, and differs")
    if errors:
        raise ValueError("\n\t".join(["Error(s) in loading:", *errors]))
    for key, value in loaded.items():
        own[key].data[...] = value
    missing_keys = [key for key in own if first[key] == key and key not in loaded]
    return missing_keys, [key for key in tensors if key not in own]


class PretrainedModel(nn.Module):
    config_class = Config

    def __init__(self, config):
        super().__init__()
        self.config = config

    def save_pretrained(self, folder, max_shard_bytes=None):
        self.config.save(folder)
        own, first = tied(self)
        save_weights({key: own[key] for key in first.values()}, folder, max_shard_bytes)

    @classmethod
    def from_pretrained(cls, folder, **changes):
        config = cls.config_class.load(folder)
        vars(config).update(copy.deepcopy(changes))
        model = cls(config)
        report = dict(zip(["MISSING", "UNEXPECTED"], fill_model(model, load_weights(folder)), strict=True))
        lines = [f"{key} | {what}" for what, keys in report.items() for key in keys]
        if lines:
            warnings.warn("\n".join([f"{cls.__name__} LOAD REPORT", *lines]), stacklevel=2)
        return model.eval()


class Trainer:
    rngs = {"cpu": (torch.get_rng_state, torch.set_rng_state), "python": (random.getstate, random.setstate)}  # noqa: RUF012
    step, epoch, losses = map(property, map(operator.attrgetter, ("state.step", "state.epoch", "state.losses")))

    def __init__(self, model, optimizer, loss, batches, accumulation=1, callbacks=()):
        self.model, self.callbacks, self.batches = model, callbacks, batches
        self.optimizer, self.compute_loss, self.accumulation = optimizer, loss, accumulation
        self.state = types.SimpleNamespace(step=0, epoch=0, batch=0, losses=[])
        self.stop, self.rng_states = False, {}

    def call_event(self, event):
        for callback in self.callbacks:
            getattr(callback, event, id)(self)  # who lacks it has a number computed, to no effect

    @contextlib.contextmanager
    def span(self, begin, end):
        self.call_event(begin)
        yield
        self.call_event(end)

    def train(self, epochs):
        self.stop = False
        with self.span("on_train_begin", "on_train_end"):
            while not self.stop and self.state.epoch < epochs:
                with self.span("on_epoch_begin", "on_epoch_end"):
                    complete = self.inner_loop()
                if complete:
                    self.state.batch = 0
                    self.state.epoch += 1
        return self.state.losses.copy()

    def inner_loop(self):
        """Train to the epoch's end, and say whether it was reached."""
        if not self.state.batch:
            self.load_rng_state()
        loader = iter(self.batches(self.state.epoch))
        self.batch_samples(loader, self.state.batch)
        self.load_rng_state()
        while not self.stop:
            samples = self.batch_samples(loader, self.accumulation)
            if not samples:
                return True
            with self.span("on_step_begin", "on_step_end"):
                self.training_step(samples)
        return False

    def batch_samples(self, loader, count):
        return [sample for _, sample in zip(range(count), loader, strict=False)]

    def training_step(self, samples):
        self.model.train()
        self.optimizer.zero_grad()
        step_loss = torch.zeros((), dtype=torch.float64)
        for left, inputs in zip(range(len(samples) - 1, -1, -1), samples, strict=True):
            loss = self.compute_loss(self.model, inputs).div(len(samples))
            loss.backward()
            step_loss += loss.detach().cpu()
            if left:
                self.call_event("on_substep_end")
        self.optimizer.step()
        self.state.step += 1
        self.state.batch += len(samples)
        self.state.losses.append(step_loss.item())

    def load_rng_state(self):
        while self.rng_states:
            name, state = self.rng_states.popitem()
            self.rngs[name][1](state)

    def save(self, folder):
        save_weights(self.model.state_dict(), pathlib.Path(folder, "weights"))
        rng_states = {name: get() for name, (get, _) in self.rngs.items()}
        torch.save((vars(self.state), self.optimizer.state_dict(), rng_states), pathlib.Path(folder, "training.bin"))

    def resume(self, folder):
        self.model.load_state_dict(load_weights(pathlib.Path(folder, "weights")))
        state, moments, self.rng_states = torch.load(pathlib.Path(folder, "training.bin"))
        self.optimizer.load_state_dict(moments)
        self.state = types.SimpleNamespace(**state)


class Pipeline:
    """Three stages: preprocess a text, forward a batch of what that gives, postprocess each output."""

    batch_size, defaults = 1, {"top_k": 1}

    def __call__(self, texts, *args, **kwargs):
        if isinstance(texts, str):
            return self([texts], *args, **kwargs).pop()
        settings = {**self.defaults, **dict(zip(self.defaults, args, strict=False)), **kwargs}
        for name in ("top_k", "k"):
            if name in self.defaults and settings[name] < 1:
                raise ValueError(f"{name}={settings[name]} is not positive")
        inputs, outputs = list(map(self.preprocess, texts)), []
        while len(outputs) < len(inputs):
            outputs += self.forward(inputs[len(outputs) :][: self.batch_size], settings)
        return [self.postprocess(*pair, settings) for pair in zip(inputs, outputs, strict=True)]

    def tensor(self, rows):
        return torch.tensor(rows, device=next((one.device for one in self.model.parameters()), None))

    def probabilities(self, *inputs):
        """Ask the model, in eval mode and without a graph, and put it back as it was."""
        training = [module for module in self.model.modules() if module.training]
        self.model.eval()
        try:
            with torch.no_grad():
                return self.model(*map(self.tensor, inputs)).softmax(-1)
        finally:
            for module in training:
                module.training = True


class TextGeneration(Pipeline):
    defaults = {"max_new_tokens": 20, "full_text": True}  # noqa: RUF012

    def __init__(self, model, encode, decode, generate, end_id=None):
        self.tokenizer, self.model, self.generate = (encode, decode), model, generate
        self.forced = {} if end_id is None else {"stop_tokens": (end_id,)}

    def preprocess(self, text):
        return text, list(self.tokenizer[0](text))

    def forward(self, batch, settings):
        chosen = {name: value for name, value in settings.items() if name != "full_text"} | self.forced
        rows = self.tensor([ids for _, ids in batch]).long()
        return self.generate(self.model, rows, chosen.pop("max_new_tokens"), **chosen).tolist()

    def postprocess(self, given, sequence, settings):
        (text, ids), decode = given, self.tokenizer[1]
        end = len(ids)
        while end < len(sequence) and sequence[end] not in self.forced.get("stop_tokens", ()):
            end += 1
        new = decode(sequence[:end])[len(decode(ids)) :]
        return "".join([text, new] if settings["full_text"] else [new])


class TextClassification(Pipeline):
    def __init__(self, model, encode, labels, pad_id=0, batch_size=8):
        self.tokenizer, self.padding, self.batch_size = encode, [pad_id], batch_size
        self.id2label, self.model = dict(enumerate(labels)), model

    def preprocess(self, text):
        ids = list(self.tokenizer(text))
        if len(ids) < 1:
            raise ValueError(f"{text!r} is empty when encoded")
        return ids

    def forward(self, batch, settings):
        width = max(map(len, batch))
        inputs = [ids + self.padding * (width - len(ids)) for ids in batch]
        mask = [[True] * len(ids) + [False] * (width - len(ids)) for ids in batch]
        return self.probabilities(inputs, mask).tolist()

    def postprocess(self, ids, scores, settings):
        ranked = sorted(enumerate(scores), key=operator.itemgetter(1), reverse=True)
        return [(self.id2label[number], score) for number, score in ranked[: settings["top_k"]]]


class FillMask(Pipeline):
    defaults = {"top_k": 5}  # noqa: RUF012

    def __init__(self, model, encode, pieces, cls_id, sep_id, mask_id, mask_token="[MASK]"):
        self.tokenizer, self.model, self.vocab, self.mask = encode, model, pieces, (mask_token, mask_id)
        self.special = cls_id, sep_id

    def preprocess(self, text):
        around = text.split(self.mask[0])
        if len(around) - 1 != 1:
            raise ValueError(f"{text!r} has {len(around) - 1} mask_tokens ({self.mask[0]}), and needs 1")
        return around

    def forward(self, batch, settings):
        (first, last), [around] = self.special, batch
        before, behind = map(self.tokenizer, around)
        return self.probabilities([[first, *before, self.mask[1], *behind, last]])[:, len(before) + 1]

    def postprocess(self, around, scores, settings):
        values, predictions = scores.topk(min(settings["top_k"], len(scores)))
        pieces = [self.vocab[prediction] for prediction in predictions.tolist()]
        texts = [re.sub(r"\A##", "", piece).join(around) for piece in pieces]
        return list(zip(pieces, values.tolist(), texts, strict=True))


class Retrieval(Pipeline):
    defaults, preprocess = {"k": 3}, str

    def __init__(self, documents, chunk, index):
        self.passages = [(name, passage) for name in documents for passage in chunk(documents[name])]
        self.retriever = index([passage.text for _, passage in self.passages])

    def forward(self, batch, settings):
        return [list(self.retriever.search(text, len(self.passages))) for text in batch]

    def postprocess(self, text, found, settings):
        # A better one of the same document comes later here, and stays.
        ranks = {self.passages[found[rank][0]][0]: rank for rank in range(len(found) - 1, -1, -1)}
        best = [found[rank] for rank in sorted(ranks.values())[: settings["k"]]]
        shown = operator.attrgetter("start", "end", "text")
        return [(self.passages[at][0], *shown(self.passages[at][1]), score) for at, score in best]
