"""Unusual: bytes by NumPy, wide dtypes first, tensors told apart by where they lie, a base for all pipelines."""

import contextlib
import copy
import itertools
import json
import os
import pathlib
import random
import re
import warnings
from collections import defaultdict

import numpy as np
import torch
from torch import nn

KINDS = "F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL".split()
TORCH = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32, torch.int16,
         torch.int8, torch.uint8, torch.bool]  # fmt: skip
_opened = []
NUMPY = ["<f8", "<f4", "<f2", "<i2", "<i8", "<i4", "<i2", "|i1", "|u1", "|b1"]


def write_tensors(tensors, metadata=None):
    head, chunks, offset = {}, [], 0
    for name in sorted(tensors, key=lambda n: (-tensors[n].element_size(), n)):
        t = tensors[name]
        if name == "__metadata__" or t.dtype not in TORCH:
            raise ValueError(f"cannot save {name} ({t.dtype})")
        t = t.detach()
        a = (t.view(torch.int16) if t.dtype == torch.bfloat16 and t.is_contiguous() else
             t.contiguous().view(torch.int16) if t.dtype == torch.bfloat16 else t).numpy()  # fmt: skip
        raw = np.ascontiguousarray(a).astype(NUMPY[TORCH.index(t.dtype)]).tobytes(order="C")
        head[name] = dict(dtype=KINDS[TORCH.index(t.dtype)], shape=[*t.shape], data_offsets=[offset, offset + len(raw)])
        chunks += [raw]
        offset += len(raw)
    if metadata is not None:
        _strings(metadata)
        head = {"__metadata__": metadata} | head
    text = json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode("utf8")
    text = text.ljust(-(-len(text) // 8) * 8)
    return b"".join([np.array([len(text)], "<u8").tobytes(), text, *chunks])


def _strings(metadata):
    if not isinstance(metadata, dict) or any(not isinstance(s, str) for kv in metadata.items() for s in kv):
        raise ValueError("metadata is a dict from str to str")


def read_tensors(data):
    view = memoryview(data)
    if len(view) < 8:
        raise ValueError("no room for a length")
    n = int(np.frombuffer(view[:8], "<u8")[0])
    if n > len(view) - 8:
        raise ValueError("truncated header")
    try:
        head = json.loads(bytes(view[8 : 8 + n]).decode("utf8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as e:
        raise ValueError("bad header") from e
    if not isinstance(head, dict):
        raise ValueError("bad header: no object")
    metadata = head.pop("__metadata__", {})
    _strings(metadata)
    body = view[8 + n :]
    for name, info in head.items():
        _look(name, info)
    spans = sorted((tuple(info["data_offsets"]), name) for name, info in head.items())
    expected = [0] + [span[1] for span, _ in spans]
    for want, ((begin, _), name) in zip(expected, spans, strict=False):
        if begin != want:
            raise ValueError(f"invalid offset for {name}: {begin}, not {want}")
    if expected[-1] != len(body):
        raise ValueError("file not fully covered")
    out = {}
    for name, info in head.items():
        which = KINDS.index(info["dtype"])
        begin, end = info["data_offsets"]
        array = np.frombuffer(body[begin:end], NUMPY[which]).copy().reshape(info["shape"])
        out[name] = torch.from_numpy(array)
        if info["dtype"] == "BF16":
            out[name] = out[name].view(torch.bfloat16)
    return out, metadata


def _look(name, info):
    ok = isinstance(info, dict) and info.get("dtype") in KINDS
    ok = ok and all(isinstance(info.get(key), list) for key in ("shape", "data_offsets"))
    ok = ok and len(info["data_offsets"]) == 2
    ok = ok and all(
        isinstance(x, int) and not isinstance(x, bool) and x >= 0 for x in info["shape"] + info["data_offsets"]
    )
    if not ok:
        raise ValueError(f"bad entry for {name}")
    width = np.dtype(NUMPY[KINDS.index(info["dtype"])]).itemsize
    begin, end = info["data_offsets"]
    if end - begin != width * int(np.prod(info["shape"], dtype=object)):
        raise ValueError(f"size of {name} does not match")


class Config:
    model_type: str = ""
    _own = ("model_type",)

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        new = (n for n, v in vars(cls).items() if n[0] != "_" and not callable(v) and not hasattr(v, "__func__"))
        cls._own = *cls._own, *new

    def __init__(self, **settings):
        for n in dict.fromkeys([*self._own, *settings]):
            vars(self)[n] = copy.deepcopy(settings[n] if n in settings else getattr(type(self), n))

    def to_dict(self):
        return dict(zip(vars(self), copy.deepcopy([*vars(self).values()]), strict=True))

    @classmethod
    def from_dict(cls, settings):
        match cls.model_type, settings.get("model_type", cls.model_type):
            case (own, asked) if own and own != asked:
                raise ValueError(f"model_type is {asked!r} here, {own!r} there")
        return cls(**settings)

    def save(self, folder):
        text = json.dumps(self.to_dict(), separators=(",\n", ": "))
        _write(folder, {"config.json": text.encode("utf8")})

    @classmethod
    def load(cls, folder):
        return cls.from_dict(json.loads(pathlib.Path(folder).joinpath("config.json").read_bytes()))


def _write(folder, contents, over="(?!)"):
    where = pathlib.Path(folder)
    where.mkdir(parents=True, exist_ok=True)
    for path in [path for path in where.iterdir() if re.fullmatch(over, path.name)]:
        path.unlink()
    for name, data in contents.items():
        where.joinpath(name).write_bytes(data)


def _classes(kind):
    return [c for c in _opened if c.config_class.model_type == kind]


def register(model_class):
    kind = model_class.config_class.model_type
    if kind == "" or _classes(kind) not in ([], [model_class]):
        raise ValueError(f"{model_class} cannot have the type {kind!r}")
    _opened[:] = dict.fromkeys([*_opened, model_class])
    return model_class


def auto_model(folder, **changes):
    kind = Config.load(folder).model_type
    found = _classes(kind)
    if not found:
        raise ValueError(f"{kind!r} is unknown: {[c.config_class.model_type for c in _opened]}")
    return found[0].from_pretrained(folder, **changes)


def plan_shards(sizes, most):
    if most < 1:
        raise ValueError(f"{most} bytes are too few")
    names, cuts, ends = [*sizes], [0], np.cumsum([0, *sizes.values()])  # ends[i] bytes lie before the i-th name
    while cuts[-1] < len(names):
        fits = np.searchsorted(ends, ends[cuts[-1]] + most, side="right") - 1
        cuts.append(max(int(fits), cuts[-1] + 1))
    return [names[a:b] for a, b in itertools.pairwise(cuts)]


def save_weights(tensors, folder, max_shard_bytes=None):
    nbytes = {n: t.numel() * t.element_size() for n, t in tensors.items()}
    plan = [[*tensors]] if max_shard_bytes is None else plan_shards(nbytes, max_shard_bytes)
    if len(plan) < 2:
        contents = {"model.safetensors": write_tensors(tensors, {"format": "pt"})}
    else:
        contents, weight_map = {}, {}
        for i, part in enumerate(plan):
            name = "model-%05d-of-%05d.safetensors" % (i + 1, len(plan))
            contents[name] = write_tensors({n: tensors[n] for n in part}, {"format": "pt"})
            weight_map.update((n, name) for n in part)
        index = dict(metadata=dict(total_size=sum(nbytes.values())), weight_map=weight_map)
        contents["model.safetensors.index.json"] = json.dumps(index).encode("utf8")
    _write(folder, contents, r"(model-\d+-of-\d+|model)\.safetensors|model\.safetensors\.index\.json")


def load_weights(folder):
    there = set(os.listdir(folder))
    if "model.safetensors" in there:
        files = np.array(["model.safetensors"])
    else:
        index = pathlib.Path(folder, "model.safetensors.index.json").read_bytes()
        files = np.unique([*json.loads(index)["weight_map"].values()])
    out = {}
    for name in files.tolist():
        if pathlib.PurePath(name).parts != (name,):
            raise ValueError(f"{name} does not lie beside the index")
        with open(os.path.join(folder, name), "rb") as file:
            out = {**out, **read_tensors(file.read())[0]}
    return out


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
