"""What the checks of m19_library need in the worker: folders, configs, small models, and what notes how it is used."""

import builtins
import io
import os
import warnings

import torch
from torch import nn

# ── folders ──


def put(path, files):
    """Write files into a folder beside `path`, which is one that the judge has placed; return the folder."""
    folder = os.path.join(os.path.dirname(path), "folder")
    os.makedirs(folder, exist_ok=True)
    for name, data in files.items():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(data)
    return folder


def files(folder):
    """Return what the files of a folder hold; of one that is none, nothing."""
    found = {}
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        with open(os.path.join(folder, name), "rb") as file:
            found[name] = file.read()
    return found


def opened(call, folder):
    """Call with a folder; return the result, and how often each file of it was opened by Python's open()."""
    counts = dict.fromkeys(os.listdir(folder), 0)
    plain = builtins.open

    def noting(file, *args, **kwargs):
        name = os.path.basename(os.fspath(file)) if isinstance(file, (str, os.PathLike)) else ""
        if name in counts:
            counts[name] += 1
        return plain(file, *args, **kwargs)

    builtins.open = io.open = noting
    try:
        result = call(folder)
    finally:
        builtins.open = io.open = plain
    return {"result": result, "counts": counts}


def storages(read, data):
    """Read a file, and change its tensors; return each one's bytes of memory, and whether the file is as it was."""
    before = bytes(memoryview(data))
    tensors, _ = read(data)
    found = {}
    for name, tensor in tensors.items():
        if tensor.numel():
            with warnings.catch_warnings():
                warnings.simplefilter("always")
                tensor.view(-1)[0] += 1
        found[name] = [tensor.untyped_storage().nbytes(), tensor.is_contiguous()]
    return [found, data == before]


def read_often(read, path, count):
    """Read a file's tensors so many times; return the sum of each one's bits, four bytes for a number."""
    with open(path, "rb") as file:
        data = file.read()
    for _ in range(count):
        tensors, _ = read(data)
    return {name: int(value.view(torch.int32).long().sum()) for name, value in tensors.items()}


def writing(write, numbers):
    """Write tensors that lie in memory in several ways; return the file and what the numbers hold afterwards."""
    base = numbers.clone()
    tensors = {
        "turned": base.T,
        "sliced": base[1:, ::2],
        "last": base[-1],
        "again": base.T,
        "grown": base[:1, :1].expand(2, 3),
        "trained": nn.Parameter(base[:, 1:]),
    }
    data = write(tensors)
    return {"data": data, "after": base}


# ── configs ──


def configs(config):
    """Return two configs' classes: "tiny", and "wide", which is derived from it and has another default."""

    class Tiny(config):  # type: ignore[misc, valid-type]
        """Three settings."""

        model_type = "tiny"
        width: int = 4
        names: list = ["a", "b"]  # noqa: RUF012
        rate: float = 0.5

    class Wide(Tiny):
        """One more."""

        model_type = "wide"
        width: int = 8
        depth: int = 2

    return [Tiny, Wide]


def shared(config, settings):
    """Change what is inside of configs, and return what others then are."""
    tiny, _ = configs(config)
    given = {name: dict(value) if isinstance(value, dict) else value for name, value in settings.items()}
    one, other, third = tiny(), tiny(), tiny.from_dict(given)
    one.names.append("c")
    third.inner["x"] = 7
    taken = other.to_dict()
    taken["names"].append("d")
    return {
        "other": other.to_dict(),
        "class": list(tiny.names),
        "new": tiny().to_dict(),
        "given": given,
        "own": third.to_dict()["inner"],
    }


def changed(config, **settings):
    """Set attributes of a config, and return its dict."""
    for name, value in settings.items():
        setattr(config, name, value)
    return config.to_dict()


def opener(config, kind):
    """Return a class with a config of this type, whose from_pretrained says what it was given."""

    class Settings(config):  # type: ignore[misc, valid-type]
        """Nothing but a type."""

        model_type = kind

    class Opened:
        """No model at all."""

        config_class = Settings

        @classmethod
        def from_pretrained(cls, folder, **changes):
            """Return what it was given."""
            return {"type": kind, "folder": os.fspath(folder), "changes": changes}

    return Opened


def registering(register, opened):
    """Register a class; return whether it came back."""
    return register(opened) is opened


# ── models ──


def shaped(config, base, dtype=torch.float32):
    """Return a model's class with everything that makes saving hard, and its config's."""

    class ShapedConfig(config):  # type: ignore[misc, valid-type]
        """Sizes."""

        model_type = "shaped"
        vocab_size: int = 7
        d_model: int = 4

    class Shaped(base):  # type: ignore[misc, valid-type]
        """An embedding that a head shares, a mean that counts, a buffer that is not kept, and one that is a view."""

        config_class = ShapedConfig

        def __init__(self, settings):
            super().__init__(settings)
            self.wte = nn.Embedding(settings.vocab_size, settings.d_model, dtype=dtype)
            self.norm = nn.BatchNorm1d(settings.d_model, dtype=dtype)
            self.head = nn.Linear(settings.d_model, settings.vocab_size, bias=False, dtype=dtype)
            self.head.weight = self.wte.weight
            self.register_buffer("scratch", torch.ones(3), persistent=False)
            self.register_buffer("pair", torch.arange(6.0).to(dtype).view(2, 3))
            self.register_buffer("row", self.pair[0])
            self.drop = nn.Dropout(0.5)

        def forward(self, ids):
            """Ids to scores."""
            return self.head(self.drop(self.norm(self.wte(ids).flatten(0, 1)))) + self.pair.sum()

    return Shaped


def plain(dtype=torch.float32):
    """Return a plain module whose head shares its embedding's weight, in training mode."""
    model = nn.Module()
    model.wte, model.norm = nn.Embedding(7, 4, dtype=dtype), nn.BatchNorm1d(4, dtype=dtype)
    model.head = nn.Linear(4, 7, bias=False, dtype=dtype)
    model.head.weight = model.wte.weight
    model.out = nn.Linear(4, 2, dtype=dtype)
    return model


def made(model_class, settings, values=None):
    """Make a model of its config, with values written into its state."""
    model = model_class(model_class.config_class(**settings))
    return set_state(model, values or {})


def set_state(model, values):
    """Write values into a model's state, in place."""
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name in values:
                tensor.copy_(values[name])
    return model


def state(model):
    """Return copies of what a model's state_dict holds."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def training(model):
    """Return the names of the modules that are in training mode."""
    return [name for name, module in model.named_modules() if module.training]


def opening(call, *args, **kwargs):
    """Open a model; return it, and the texts of the warnings by their category."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = call(*args, **kwargs)
    return {"model": model, "said": [[one.category.__name__, str(one.message)] for one in caught]}


def config_of(model):
    """Return a model's config as a dict, and its class's name."""
    return model.config.to_dict()


def overwrite(model, name, value):
    """Change a tensor of a model's state in place, as an optimizer does."""
    with torch.no_grad():
        model.state_dict()[name].copy_(value)
