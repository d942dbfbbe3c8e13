r"""m19_library: a tiny Hugging Face, in which what you have built is saved, opened, trained and asked.

In memory a model is a class and some numbers. A library makes it something that can be handed on: a file of numbers
that runs no code, settings beside it, one name that opens any model, a trainer that goes on where it stopped, and
pipelines from a text to an answer. Left out: downloads, tokenizers' files, models that lie on several devices.
What pipelines are made of is handed to them; they answer a text by itself, and a list of texts by a list in its order.
A model that one calls is in eval mode, without a graph, and each of its modules is in its old mode afterwards.
What a model is given lies on the device of its parameters.
Not allowed, since you build it: safetensors.
"""

import copy
import json
import math
import random
import re
import struct
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

Tensors = dict[str, Tensor]
Batches = Callable[[int], Iterable[Any]]
Encode = Callable[[str], list[int]]
Decode = Callable[[list[int]], str]
Chunk = Callable[[str], Sequence[Any]]
Texts = str | list[str]


def write_tensors(tensors: Tensors, metadata: dict[str, str] | None = None) -> bytes:
    """Return a safetensors file: the header's length in bytes (unsigned, 8 bytes, little-endian), the header, the data.

    The header is JSON in UTF-8: a dict with {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]} for each name,
    begin and end counted in bytes from the header's end, and "__metadata__" where metadata are given. Numbers lie row
    by row, each little-endian, one tensor's right behind another's, up to the file's end. Each byte belongs to one.
    The dtypes: F64, F32, F16, BF16, I64, I32, I16, I8, U8 and BOOL (a byte, 0 or 1). Spaces may end the header.
    Tensors may lie in memory in any way (transposed, sliced, shared), and stay as they are.
    Example: {"a": torch.tensor([1.0])} has the header {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}},
    and ends with the bytes 00 00 80 3f. Raises ValueError, naming it, for a tensor of another dtype or called
    __metadata__, and for metadata that are no strings.
    """
    header: dict[str, Any] = {}
    if metadata is not None:
        header["__metadata__"] = _strings(metadata)
    parts, end = [], 0
    for name, tensor in tensors.items():
        if name == "__metadata__" or tensor.dtype not in _NAMES:
            raise ValueError(f"{name} cannot be written: a tensor of {tensor.dtype}")
        part = _to_bytes(tensor)
        header[name] = {
            "dtype": _NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [end, end + len(part)],  # Pitfall: the end, and not the length
        }
        parts.append(part)
        end += len(part)
    text = json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # whoever maps the file finds the numbers at a multiple of 8
    return struct.pack("<Q", len(text)) + text + b"".join(parts)


_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


def _strings(metadata: Any) -> dict[str, str]:
    if type(metadata) is not dict or not all(type(part) is str for pair in metadata.items() for part in pair):
        raise ValueError(f"metadata are a dict of strings, not {metadata!r}")
    return metadata


def _to_bytes(tensor: Tensor) -> bytes:
    # NumPy has no bfloat16, so every tensor is taken for bytes first; a view as bytes needs an axis.
    flat = tensor.cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes()


def read_tensors(data: bytes) -> tuple[Tensors, dict[str, str]]:
    """Return what write_tensors was given: tensors, each in memory of its own, and metadata ({} where there are none).

    Others' files have tensors and keys in any order, and white space around the header or none. Nothing is believed:
    ValueError where length, JSON or metadata break the rules above, or the tensors take more or fewer bytes than there
    are; it names a tensor whose dtype is unknown, or whose begin or end disagrees with its shape, dtype or neighbours.
    """
    begin = 8 + int.from_bytes(data[:8], "little")
    if len(data) < 8 or begin > len(data):
        raise ValueError(f"a file of {len(data)} bytes is shorter than its header, which ends at {begin}")
    try:
        header = json.loads(data[8:begin].decode())
    except ValueError as error:  # of UTF-8 or of JSON
        raise ValueError(f"the header is no JSON: {error}") from None
    if type(header) is not dict:
        raise ValueError("the header is no JSON object")
    metadata = _strings(header.pop("__metadata__", {}))
    places = {name: _place(name, entry) for name, entry in header.items()}

    end = 0
    for name, (_, _, (first, last)) in sorted(places.items(), key=lambda item: item[1][2]):
        if first != end:  # a gap or an overlap
            raise ValueError(f"{name} begins at {first}, where {end} is expected")
        end = last
    if end != len(data) - begin:
        raise ValueError(f"the tensors end at {end}, the file at {len(data) - begin}")

    tensors = {}
    for name, (dtype, shape, (first, last)) in places.items():
        part = bytearray(data[begin + first : begin + last])  # memory of its own, that can be written
        flat = torch.frombuffer(part, dtype=dtype) if part else torch.empty(0, dtype=dtype)
        tensors[name] = flat.reshape(shape)
    return tensors, metadata


def _place(name: str, entry: Any) -> tuple[torch.dtype, list[int], list[int]]:
    """Return where a tensor lies, when that agrees with what it is."""
    try:
        dtype, shape, offsets = _DTYPES[entry["dtype"]], entry["shape"], entry["data_offsets"]
        if not all(type(number) is int and number >= 0 for number in (*shape, *offsets)):
            raise ValueError("negative numbers")
        first, last = offsets
    except (KeyError, TypeError, ValueError):
        raise ValueError(f"{name} is described by {entry!r}") from None
    if last - first != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"{name} of {entry['dtype']} and shape {shape} has {last - first} bytes")
    return dtype, shape, offsets


class Config:
    """A model's settings, as attributes. A subclass has its own as annotated class attributes, with their defaults.

    Each config has values of its own: what changes inside of one changes no other, and no class or dict it came from.
    """

    model_type: str = ""

    def __init__(self, **settings: Any) -> None:
        """Take settings in place of the defaults; those that the class does not know are kept too."""
        # Pitfall: a default that is a list belongs to the class, and so to all configs at once.
        for name, value in (self._defaults() | settings).items():
            setattr(self, name, copy.deepcopy(value))

    def to_dict(self) -> dict[str, Any]:
        """Return all settings as they are now, defaults and unknown ones included, and "model_type"."""
        return copy.deepcopy({"model_type": self.model_type} | vars(self))

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> Self:
        """Return a config of this class; the reverse of to_dict. ValueError, naming both, for another's model_type.

        Only a class without a model_type takes any; then it keeps that one. A dict may have none.
        """
        own, asked = cls.model_type, settings.get("model_type", cls.model_type)
        if own not in ("", asked):
            raise ValueError(f"a config of {own!r} cannot be made of one of {asked!r}")
        return cls(**settings)

    def save(self, folder: str | Path) -> None:
        """Write to_dict() as JSON to config.json in a folder, which is made where there is none."""
        text = json.dumps(self.to_dict(), indent=2, sort_keys=True, ensure_ascii=False)
        (_made(folder) / "config.json").write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Return the config that was saved in a folder."""
        return cls.from_dict(json.loads((Path(folder) / "config.json").read_text(encoding="utf-8")))

    @classmethod
    def _defaults(cls) -> dict[str, Any]:
        named = {name: getattr(cls, name) for name in dir(cls) if not name.startswith("_")}
        return {name: value for name, value in named.items() if not callable(value)}


def _made(folder: str | Path) -> Path:
    """Return a folder, made where there is none."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    return Path(folder)


def register(model_class: Any) -> Any:
    """Let auto_model know a class by its config_class's model_type, and return it, so that it can decorate a class.

    The same class may come twice. Raises ValueError, naming the type, when it is "" or another class has it.
    """
    name = model_class.config_class.model_type
    if not name or _CLASSES.get(name, model_class) is not model_class:
        raise ValueError(f"the model_type {name!r} of {model_class.__name__} is none, or another class has it")
    _CLASSES[name] = model_class
    return model_class


_CLASSES: dict[str, Any] = {}


def auto_model(folder: str | Path, **changes: Any) -> Any:
    """Open a folder by the class that its config.json asks for: return that class's from_pretrained(folder, **changes).

    Raises ValueError, naming the type it asks for and all that are known, when no class has it.
    """
    name = Config.load(folder).model_type
    if name not in _CLASSES:
        raise ValueError(f"no class is known for the model_type {name!r}; there are {', '.join(sorted(_CLASSES))}")
    return _CLASSES[name].from_pretrained(folder, **changes)


def plan_shards(sizes: dict[str, int], most: int) -> list[list[str]]:
    """Share names out to files, in their order: each into the last file if that then has at most `most` bytes.

    One that is larger by itself has a file for itself. Example: sizes {"a": 3, "b": 4, "c": 2, "d": 9, "e": 1} with
    most 7 give [["a", "b"], ["c"], ["d"], ["e"]]. Raises ValueError, naming it, for a `most` below 1.
    """
    if most < 1:
        raise ValueError(f"a file of at most {most} bytes holds no tensor")
    plan: list[list[str]] = []
    room = 0
    for name, size in sizes.items():
        if not plan or size > room:
            plan.append([])
            room = most
        plan[-1].append(name)
        room -= size  # below 0 behind one that is too large, so that nothing joins it
    return plan


def save_weights(tensors: Tensors, folder: str | Path, max_shard_bytes: int | None = None) -> None:
    """Write model.safetensors into a folder, which is made where there is none, with metadata {"format": "pt"}.

    Where plan_shards makes several files of them (None: never), these are model-00001-of-00003.safetensors and so on,
    with the same metadata, and model.safetensors.index.json says in which one a tensor is: {"metadata": {"total_size":
    bytes of all tensors}, "weight_map": {name: file}}. Of weights saved there before no file is left; others stay.
    """
    folder = _made(folder)
    for old in (*folder.glob("model*.safetensors"), folder / _INDEX):
        if old.name in (_WHOLE, _INDEX) or _is_shard(old.name):  # Pitfall: an old file would be found beside the new
            old.unlink(missing_ok=True)
    sizes = {name: tensor.numel() * tensor.itemsize for name, tensor in tensors.items()}
    plan = [list(sizes)] if max_shard_bytes is None else plan_shards(sizes, max_shard_bytes)
    if len(plan) < 2:
        (folder / _WHOLE).write_bytes(write_tensors(tensors, {"format": "pt"}))
        return
    where: dict[str, str] = {}
    for number, names in enumerate(plan, start=1):
        file = f"model-{number:05d}-of-{len(plan):05d}.safetensors"
        (folder / file).write_bytes(write_tensors({name: tensors[name] for name in names}, {"format": "pt"}))
        where |= dict.fromkeys(names, file)
    index = {"metadata": {"total_size": sum(sizes.values())}, "weight_map": where}
    (folder / _INDEX).write_text(json.dumps(index, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


_WHOLE = "model.safetensors"
_INDEX = "model.safetensors.index.json"


def _is_shard(name: str) -> bool:
    return re.fullmatch(r"model-\d{5,}-of-\d{5,}\.safetensors", name) is not None


def load_weights(folder: str | Path) -> Tensors:
    """Return all tensors of model.safetensors, or where it is missing of the files in its index; each is read once.

    Raises ValueError, naming it, for a file of the index that lies elsewhere than in the folder, and FileNotFoundError
    where there are no weights.
    """
    folder, files = Path(folder), [_WHOLE]
    if not (folder / _WHOLE).exists() and (folder / _INDEX).exists():
        index = json.loads((folder / _INDEX).read_text(encoding="utf-8"))
        files = list(dict.fromkeys(index["weight_map"].values()))
    for file in files:
        if Path(file).name != file:
            raise ValueError(f"the index names {file}, which does not lie in the folder")
    tensors: Tensors = {}
    for file in files:
        tensors |= read_tensors((folder / file).read_bytes())[0]
    return tensors


def fill_model(model: nn.Module, tensors: Tensors) -> tuple[list[str], list[str]]:
    """Copy tensors into a model's own, which keep their dtype; return the missing names and the unexpected ones.

    Names are state_dict's. A tensor that the model has under several names needs one of them, and is missing under its
    first. What is missing stays as it was, and what is unexpected is left out; the lists are in the model's order, and
    in the order of `tensors`. Raises ValueError, naming it, for a tensor of another shape, and where several names of
    one tensor come with different numbers; the model is then as it was.
    """
    groups = _groups(model)
    known = {name for names, _ in groups for name in names}
    missing = [names[0] for names, _ in groups if not any(name in tensors for name in names)]

    # All questions first, so that a refused file changes nothing.
    for names, place in groups:
        found = [(name, tensors[name]) for name in names if name in tensors]
        for name, tensor in found:
            if tensor.shape != place.shape:  # copy_ alone would broadcast
                raise ValueError(f"{name} has shape {tuple(tensor.shape)}, expected {tuple(place.shape)}")
            if not torch.equal(tensor, found[0][1]):
                raise ValueError(f"{name} and {found[0][0]} are one tensor in the model, and differ")
    with torch.no_grad():
        for names, place in groups:
            for name in names:
                if name in tensors:
                    place.copy_(tensors[name])
    return missing, [name for name in tensors if name not in known]


def _groups(model: nn.Module) -> list[tuple[list[str], Tensor]]:
    """Return each tensor of a model with all names that it has."""
    groups: dict[int, tuple[list[str], Tensor]] = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        groups.setdefault(id(tensor), ([], tensor))[0].append(name)
    return list(groups.values())


class PretrainedModel(nn.Module):
    """A model that can be saved and opened. A subclass has a config_class, and can be made of a config alone."""

    config_class: type[Config] = Config

    def __init__(self, config: Config) -> None:
        """Keep the config as `config`."""
        super().__init__()
        self.config = config

    def save_pretrained(self, folder: str | Path, max_shard_bytes: int | None = None) -> None:
        """Save config and weights, as state_dict has them; a tensor of several names is there once, under its first."""
        self.config.save(folder)
        save_weights({names[0]: tensor for names, tensor in _groups(self)}, folder, max_shard_bytes)

    @classmethod
    def from_pretrained(cls, folder: str | Path, **changes: Any) -> Self:
        """Return a model of this class, in eval mode, with the folder's weights, and its config with these changes.

        A UserWarning names all tensors that are missing or unexpected; where none is, nothing is said.
        """
        settings = cls.config_class.load(folder).to_dict() | changes
        model = cls(cls.config_class.from_dict(settings))
        missing, unexpected = fill_model(model, load_weights(folder))
        if missing:
            warnings.warn(f"left as they were drawn, since the file lacks them: {', '.join(missing)}", stacklevel=2)
        if unexpected:
            warnings.warn(f"left out, since the model has no place: {', '.join(unexpected)}", stacklevel=2)
        return model.eval()


class Trainer:
    """Train a model on batches(epoch) of epochs 0, 1, and so on: a step on each `accumulation` of them, or on the rest.

    A step's loss is the mean of loss(model, batch) over its batches; it goes along the gradient of that and no other.
    Asked twice for an epoch, batches gives the same ones.
    Callbacks hear of all that happens: on_train_begin; in each epoch on_epoch_begin; in each step on_step_begin,
    on_substep_end after every batch but its last, and on_step_end; on_epoch_end; on_train_end. Each is called with the
    trainer, for one callback after the other, in their order; one that a callback lacks is passed over.
    `step` counts the steps made, `epoch` is the number of this epoch, `losses` has the loss of each step, a float. Who
    sets `stop` to True ends training after this step; its epoch and training still end as always.
    """

    def __init__(self, model: nn.Module, optimizer: Any, loss: Callable[[nn.Module, Any], Tensor], batches: Batches,
                 accumulation: int = 1, callbacks: Sequence[Any] = ()) -> None:  # fmt: skip
        self.model, self.optimizer, self.loss, self.batches = model, optimizer, loss, batches
        self.accumulation, self.callbacks = accumulation, callbacks
        self.step, self.epoch, self.stop = 0, 0, False
        self.losses: list[float] = []
        self._seen, self._over = 0, False  # batches of this epoch, and whether these were all
        self._chance: Any = None  # random numbers to go on with, when training was resumed

    def train(self, epochs: int) -> list[float]:
        """Train, in training mode, until so many epochs are over, from wherever it is; return the losses of all."""
        self.stop = False
        self._tell("on_train_begin")
        while self.epoch < epochs and not self.stop:
            self._tell("on_epoch_begin")
            self._train_epoch()
            self._tell("on_epoch_end")
            if self._over:
                self.epoch, self._seen = self.epoch + 1, 0
        self._tell("on_train_end")
        return list(self.losses)

    def _train_epoch(self) -> None:
        if not self._seen:
            self._restore_chance()
        waiting = iter(self.batches(self.epoch))
        if self._seen:
            for _ in islice(waiting, self._seen):
                pass
            self._restore_chance()  # Pitfall: asking for batches draws as well, so this comes last
        self._over = False
        while not self.stop:
            # Pitfall: an epoch's last batches may be fewer, and their mean is over these.
            some = list(islice(waiting, self.accumulation))
            if not some:
                self._over = True
                return
            self._make_step(some)

    def _make_step(self, some: list[Any]) -> None:
        self._tell("on_step_begin")
        self.model.train()  # Pitfall: a callback may have looked at it in eval mode
        self.optimizer.zero_grad()
        total = 0.0
        for number, batch in enumerate(some, start=1):
            loss = self.loss(self.model, batch) / len(some)
            loss.backward()
            total += loss.item()
            if number < len(some):
                self._tell("on_substep_end")
        self.optimizer.step()
        self.step, self._seen = self.step + 1, self._seen + len(some)
        self.losses.append(total)
        self._tell("on_step_end")

    def _tell(self, event: str) -> None:
        for callback in self.callbacks:
            if hasattr(callback, event):
                getattr(callback, event)(self)

    def _restore_chance(self) -> None:
        if self._chance is not None:
            torch.set_rng_state(self._chance[0])
            random.setstate(self._chance[1])
        self._chance = None

    def save(self, folder: str | Path) -> None:
        """Write, at a step's end or outside of training, all that the next steps depend on; the folder is made."""
        place = {"step": self.step, "epoch": self.epoch, "seen": self._seen, "losses": self.losses}
        parts = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        chance = {"torch": torch.get_rng_state(), "python": random.getstate()}
        torch.save(parts | place | chance, _made(folder) / "trainer.pt")

    def resume(self, folder: str | Path) -> None:
        """Bring a new trainer to where another was when it was saved, amid an epoch too: it makes the same next steps.

        Batches that were seen are asked for and passed over; torch's and Python's random numbers go on after that.
        """
        state = torch.load(Path(folder) / "trainer.pt", weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.epoch, self._seen, self.losses = (state[name] for name in ("step", "epoch", "seen", "losses"))
        self._chance = state["torch"], state["python"]


class TextGeneration:
    """Write on: generate(model, ids, max_new_tokens, **settings) returns longer ids (1, longer), as m07's does.

    What is new is what all ids decode to, behind what the text's own ids do: a beginning may decode otherwise. With an
    end_id, generate is given stop_tokens=(end_id,), and what is new ends before the first of these.
    """

    def __init__(self, model: nn.Module, encode: Encode, decode: Decode, generate: Callable[..., Tensor],
                 end_id: int | None = None) -> None:  # fmt: skip
        self.model, self.encode, self.decode, self.generate, self.end_id = model, encode, decode, generate, end_id

    def __call__(self, texts: Texts, max_new_tokens: int = 20, full_text: bool = True, **settings: Any) -> Any:
        """Return a text with what is new behind it, or without full_text what is new alone."""
        if isinstance(texts, list):
            return [self(text, max_new_tokens, full_text, **settings) for text in texts]
        ids = self.encode(texts)
        if self.end_id is not None:
            settings["stop_tokens"] = (self.end_id,)
        given = torch.tensor([ids], dtype=torch.int64, device=_device(self.model))
        longer = self.generate(self.model, given, max_new_tokens, **settings)[0].tolist()
        if self.end_id in longer[len(ids) :]:
            longer = longer[: longer.index(self.end_id, len(ids))]
        # Pitfall: what is new, decoded by itself, may lose the space that it begins with.
        new = self.decode(longer)[len(self.decode(ids)) :]
        return texts + new if full_text else new


def _device(model: nn.Module) -> torch.device:
    return next((parameter.device for parameter in model.parameters()), torch.device("cpu"))


@contextmanager
def _looking(model: nn.Module) -> Iterator[None]:
    """Have a model answer in eval mode and without a graph; afterwards each module has its old mode."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        for module, training in modes.items():
            module.training = training


def _at_least_one(name: str, number: int) -> None:
    if number < 1:
        raise ValueError(f"{name} is {number}, and at least 1 is asked for")


class TextClassification:
    """Sort texts: model(ids, mask) gives scores (batch n_classes), as m10's classifier does; labels are their names.

    Texts go in by batch_size, their ids padded on the right with pad_id to the batch's longest; mask is False there.
    """

    def __init__(self, model: nn.Module, encode: Encode, labels: Sequence[str], pad_id: int = 0,
                 batch_size: int = 8) -> None:  # fmt: skip
        self.model, self.encode, self.labels = model, encode, labels
        self.pad_id, self.batch_size = pad_id, batch_size

    def __call__(self, texts: Texts, top_k: int = 1) -> Any:
        """Return a text's top_k classes (all, if there are fewer) as (label, probability), the likeliest first.

        Raises ValueError, naming the text, when it has no ids, and for a top_k below 1.
        """
        if isinstance(texts, str):
            return self([texts], top_k)[0]
        _at_least_one("top_k", top_k)
        rows = [self.encode(text) for text in texts]
        for text, row in zip(texts, rows, strict=True):
            if not row:
                raise ValueError(f"the text {text!r} has no ids")
        found = []
        with _looking(self.model):
            for start in range(0, len(rows), self.batch_size):
                for chances in self._scores(rows[start : start + self.batch_size]).softmax(dim=-1):
                    order = chances.sort(descending=True, stable=True).indices[:top_k].tolist()
                    found.append([(self.labels[place], chances[place].item()) for place in order])
        return found

    def _scores(self, rows: list[list[int]]) -> Tensor:
        longest, device = max(map(len, rows)), _device(self.model)
        ids = [row + [self.pad_id] * (longest - len(row)) for row in rows]
        mask = [[place < len(row) for place in range(longest)] for row in rows]
        return self.model(torch.tensor(ids, device=device), torch.tensor(mask, device=device))


class FillMask:
    """Fill a gap: model(ids) gives scores (1 seq vocab_size), and pieces[i] is how a token is written, as m16 has it.

    The ids are cls_id, those of what stands before mask_token, mask_id, those of what stands behind, and sep_id.
    """

    def __init__(self, model: nn.Module, encode: Encode, pieces: Sequence[str], cls_id: int, sep_id: int, mask_id: int,
                 mask_token: str = "[MASK]") -> None:  # fmt: skip
        self.model, self.encode, self.pieces = model, encode, pieces
        self.cls_id, self.sep_id, self.mask_id, self.mask_token = cls_id, sep_id, mask_id, mask_token

    def __call__(self, texts: Texts, top_k: int = 5) -> Any:
        """Return the top_k likeliest as (piece, probability, the text filled with it); "##" is no part of a text.

        Raises ValueError, naming the number, unless there is exactly one mask_token in a text, and for a top_k below 1.
        """
        if isinstance(texts, list):
            return [self(text, top_k) for text in texts]
        _at_least_one("top_k", top_k)
        if (count := texts.count(self.mask_token)) != 1:
            raise ValueError(f"the text {texts!r} has {count} times {self.mask_token}, and is to have one")
        # Pitfall: a tokenizer would take "[MASK]" for a bracket, a word and a bracket.
        left, right = texts.split(self.mask_token)
        before = [self.cls_id, *self.encode(left)]
        ids = torch.tensor([[*before, self.mask_id, *self.encode(right), self.sep_id]], device=_device(self.model))
        with _looking(self.model):
            chances = self.model(ids)[0, len(before)].softmax(dim=-1)
        order = chances.sort(descending=True, stable=True).indices[:top_k].tolist()
        return [
            (piece := self.pieces[place], chances[place].item(), left + piece.removeprefix("##") + right)
            for place in order
        ]


class Retrieval:
    """Find passages in documents: chunk(text) cuts one into parts with start, end and text, as m17's does.

    index(texts) is called once, with the chunks of all; it returns what has m17's search(query, k): a list of (index,
    score), the best first.
    """

    def __init__(self, documents: dict[str, str], chunk: Chunk, index: Callable[[list[str]], Any]) -> None:
        self.chunks = [(name, part) for name, text in documents.items() for part in chunk(text)]
        self.index = index([part.text for _, part in self.chunks])

    def __call__(self, texts: Texts, k: int = 3) -> Any:
        """Return the best chunk of each of the k best documents, or of all that are found, the best first.

        Each is (document's name, start, end, text, score). Raises ValueError, naming it, for a k below 1.
        """
        if isinstance(texts, list):
            return [self(text, k) for text in texts]
        _at_least_one("k", k)
        found: dict[str, tuple[str, int, int, str, float]] = {}
        # Pitfall: of the k best chunks several may be of one document; so ask for all.
        for place, score in self.index.search(texts, len(self.chunks)) if self.chunks else ():
            name, part = self.chunks[place]
            found.setdefault(name, (name, part.start, part.end, part.text, score))
        return list(found.values())[:k]
