"""What the checks of m02_data need inside the worker: generators, odd texts, items that tell, and looks in between."""

import os
import random
import sys

import numpy
import torch

LOOKS = 3000  # at most, in one call


def generator(seed):
    """Return a torch.Generator, which stays here."""
    return torch.Generator().manual_seed(seed)


def seed_everything(seed):
    """Set all global dice."""
    random.seed(seed)
    numpy.random.seed(seed)
    torch.manual_seed(seed)


def next_rolls():
    """Roll each of the global dice: Python's, NumPy's, torch's."""
    return [random.getrandbits(32), int(numpy.random.randint(2**31)), int(torch.randint(2**31, ()))]


def length(thing):
    """Return `len(thing)`, whatever comes of it."""
    return len(thing)


def items(thing, most):
    """Go through something with a length or an iterator and return its items, `most` of them at most."""
    found: list = []
    for item in thing:
        if len(found) == most:
            break
        found.append(item)
    return found


def each(thing, count):
    """Return the first items by index."""
    return [thing[index] for index in range(count)]


def epochs(loader, count, most):
    """Return what some iterations over a loader give, each as a list."""
    return [items(loader, most) for _ in range(count)]


def after_poking(make, ids, *numbers):
    """Return all items of a dataset, made from ids that are overwritten afterwards."""
    dataset = make(ids, *numbers)
    for place in range(len(ids)):
        ids[place] = 0
    return items(dataset, 1000)


def after_scribbling(dataset, index, part):
    """Overwrite one part of an item; return the other part, and the item fetched anew."""
    item = dataset[index]
    item[part].fill_(-7)
    return item[1 - part], dataset[index]


class Text(str):
    """A text with a hash of its own, as every process has."""

    salt = 0

    def __new__(cls, text, salt):
        """Keep the salt."""
        made = super().__new__(cls, text)
        made.salt = salt
        return made

    def __eq__(self, other):
        return str.__eq__(self, other)

    def __hash__(self):
        return str.__hash__(self) * (2 * self.salt + 1) ^ (self.salt * 0x9E3779B97F4A7C15 & 2**61 - 1)


def split_as_process(salt, split, documents, fractions, seed):
    """Split texts whose hashes are those of another process."""
    return tuple(
        [str(text) for text in side] for side in split([Text(text, salt) for text in documents], fractions, seed)
    )


class Told:
    """A dataset that tells whenever an item is fetched."""

    def __init__(self, count, tell):
        self.count, self.tell = count, tell

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        if not -self.count <= index < self.count:
            raise IndexError(index)
        self.tell(int(index))
        return torch.tensor([index, 0]), torch.tensor([index, 1])


def told(count, tell):
    """Return such a dataset."""
    return Told(count, tell)


def repeat(path, times):
    """Have a file hold what it holds so often."""
    with open(path, "r+b") as file:
        content = file.read()
        for _ in range(times - 1):
            file.write(content)


def watched(function, look, *args):
    """Call a function, and `look` whenever something that it called has returned."""
    looks = 0

    def on_event(frame, event, arg):
        nonlocal looks
        if event in ("return", "c_return") and looks < LOOKS:
            looks += 1
            look()

    sys.setprofile(on_event)
    try:
        return function(*args)
    finally:
        sys.setprofile(None)


def device_of_collated(collate, texts, pad_id):
    """Collate with another default device in force; return the devices of the result, none if that can't be done."""
    try:
        with torch.device("meta"):
            return [part.device.type for part in collate(texts, pad_id)]
    except Exception:  # other checks compare what collate gives; this one only looks at where tensors are made
        return []  # what is made on the default device and then moved is right, and cannot be moved from meta


def protect(path):
    """Make a file one that may only be read."""
    os.chmod(path, 0o400)


def with_numpys_dtype(get_batch, kind, path, *args):
    """Draw a batch from a file of uint16, the dtype handed over as NumPy's own type or dtype, or by its name."""
    kinds = {"type": numpy.uint16, "dtype": numpy.dtype("uint16"), "name": "uint16"}
    return get_batch(path, kinds[kind], *args)
