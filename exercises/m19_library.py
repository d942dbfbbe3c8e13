r"""m19_library: a tiny Hugging Face, in which what you have built is saved, opened, trained and asked.

In memory a model is a class and some numbers. A library makes it something that can be handed on: a file of numbers
that runs no code, settings beside it, one name that opens any model, a trainer that goes on where it stopped, and
pipelines from a text to an answer. Left out: downloads, tokenizers' files, models that lie on several devices.
What pipelines are made of is handed to them; they answer a text by itself, and a list of texts by a list in its order.
A model that one calls is in eval mode, without a graph, and each of its modules is in its old mode afterwards.
What a model is given lies on the device of its parameters.
Not allowed, since you build it: safetensors.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Self

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
    # TODO(m19.1): lay the numbers out first, then say where each tensor lies.
    raise NotImplementedError("m19.1")


def read_tensors(data: bytes) -> tuple[Tensors, dict[str, str]]:
    """Return what write_tensors was given: tensors, each in memory of its own, and metadata ({} where there are none).

    Others' files have tensors and keys in any order, and white space around the header or none. Nothing is believed:
    ValueError where length, JSON or metadata break the rules above, or the tensors take more or fewer bytes than there
    are; it names a tensor whose dtype is unknown, or whose begin or end disagrees with its shape, dtype or neighbours.
    """
    raise NotImplementedError("m19.1")


class Config:
    """A model's settings, as attributes. A subclass has its own as annotated class attributes, with their defaults.

    Each config has values of its own: what changes inside of one changes no other, and no class or dict it came from.
    """

    model_type: str = ""

    def __init__(self, **settings: Any) -> None:
        """Take settings in place of the defaults; those that the class does not know are kept too."""
        # TODO(m19.2): defaults of all bases, then what was given.
        raise NotImplementedError("m19.2")

    def to_dict(self) -> dict[str, Any]:
        """Return all settings as they are now, defaults and unknown ones included, and "model_type"."""
        raise NotImplementedError("m19.2")

    @classmethod
    def from_dict(cls, settings: dict[str, Any]) -> Self:
        """Return a config of this class; the reverse of to_dict. ValueError, naming both, for another's model_type.

        Only a class without a model_type takes any; then it keeps that one. A dict may have none.
        """
        raise NotImplementedError("m19.2")

    def save(self, folder: str | Path) -> None:
        """Write to_dict() as JSON to config.json in a folder, which is made where there is none."""
        raise NotImplementedError("m19.2")

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Return the config that was saved in a folder."""
        raise NotImplementedError("m19.2")


def register(model_class: Any) -> Any:
    """Let auto_model know a class by its config_class's model_type, and return it, so that it can decorate a class.

    The same class may come twice. Raises ValueError, naming the type, when it is "" or another class has it.
    """
    raise NotImplementedError("m19.2")


def auto_model(folder: str | Path, **changes: Any) -> Any:
    """Open a folder by the class that its config.json asks for: return that class's from_pretrained(folder, **changes).

    Raises ValueError, naming the type it asks for and all that are known, when no class has it.
    """
    raise NotImplementedError("m19.2")


def plan_shards(sizes: dict[str, int], most: int) -> list[list[str]]:
    """Share names out to files, in their order: each into the last file if that then has at most `most` bytes.

    One that is larger by itself has a file for itself. Example: sizes {"a": 3, "b": 4, "c": 2, "d": 9, "e": 1} with
    most 7 give [["a", "b"], ["c"], ["d"], ["e"]]. Raises ValueError, naming it, for a `most` below 1.
    """
    # TODO(m19.3): open a new file when the last one is full.
    raise NotImplementedError("m19.3")


def save_weights(tensors: Tensors, folder: str | Path, max_shard_bytes: int | None = None) -> None:
    """Write model.safetensors into a folder, which is made where there is none, with metadata {"format": "pt"}.

    Where plan_shards makes several files of them (None: never), these are model-00001-of-00003.safetensors and so on,
    with the same metadata, and model.safetensors.index.json says in which one a tensor is: {"metadata": {"total_size":
    bytes of all tensors}, "weight_map": {name: file}}. Of weights saved there before no file is left; others stay.
    """
    raise NotImplementedError("m19.3")


def load_weights(folder: str | Path) -> Tensors:
    """Return all tensors of model.safetensors, or where it is missing of the files in its index; each is read once.

    Raises ValueError, naming it, for a file of the index that lies elsewhere than in the folder, and FileNotFoundError
    where there are no weights.
    """
    raise NotImplementedError("m19.3")


def fill_model(model: nn.Module, tensors: Tensors) -> tuple[list[str], list[str]]:
    """Copy tensors into a model's own, which keep their dtype; return the missing names and the unexpected ones.

    Names are state_dict's. A tensor that the model has under several names needs one of them, and is missing under its
    first. What is missing stays as it was, and what is unexpected is left out; the lists are in the model's order, and
    in the order of `tensors`. Raises ValueError, naming it, for a tensor of another shape, and where several names of
    one tensor come with different numbers; the model is then as it was.
    """
    # TODO(m19.4): find which names are one tensor, compare everything, then copy.
    raise NotImplementedError("m19.4")


class PretrainedModel(nn.Module):
    """A model that can be saved and opened. A subclass has a config_class, and can be made of a config alone."""

    config_class: type[Config] = Config

    def __init__(self, config: Config) -> None:
        """Keep the config as `config`."""
        super().__init__()
        raise NotImplementedError("m19.4")

    def save_pretrained(self, folder: str | Path, max_shard_bytes: int | None = None) -> None:
        """Save config and weights, as state_dict has them; a tensor of several names is there once, under its first."""
        raise NotImplementedError("m19.4")

    @classmethod
    def from_pretrained(cls, folder: str | Path, **changes: Any) -> Self:
        """Return a model of this class, in eval mode, with the folder's weights, and its config with these changes.

        A UserWarning names all tensors that are missing or unexpected; where none is, nothing is said.
        """
        raise NotImplementedError("m19.4")


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
        # TODO(m19.5): what a step needs, and where training is.
        raise NotImplementedError("m19.5")

    def train(self, epochs: int) -> list[float]:
        """Train, in training mode, until so many epochs are over, from wherever it is; return the losses of all."""
        raise NotImplementedError("m19.5")

    def save(self, folder: str | Path) -> None:
        """Write, at a step's end or outside of training, all that the next steps depend on; the folder is made."""
        raise NotImplementedError("m19.5")

    def resume(self, folder: str | Path) -> None:
        """Bring a new trainer to where another was when it was saved, amid an epoch too: it makes the same next steps.

        Batches that were seen are asked for and passed over; torch's and Python's random numbers go on after that.
        """
        raise NotImplementedError("m19.5")


class TextGeneration:
    """Write on: generate(model, ids, max_new_tokens, **settings) returns longer ids (1, longer), as m07's does.

    What is new is what all ids decode to, behind what the text's own ids do: a beginning may decode otherwise. With an
    end_id, generate is given stop_tokens=(end_id,), and what is new ends before the first of these.
    """

    def __init__(self, model: nn.Module, encode: Encode, decode: Decode, generate: Callable[..., Tensor],
                 end_id: int | None = None) -> None:  # fmt: skip
        raise NotImplementedError("m19.6")

    def __call__(self, texts: Texts, max_new_tokens: int = 20, full_text: bool = True, **settings: Any) -> Any:
        """Return a text with what is new behind it, or without full_text what is new alone."""
        # TODO(m19.6): ids, longer ids, text.
        raise NotImplementedError("m19.6")


class TextClassification:
    """Sort texts: model(ids, mask) gives scores (batch n_classes), as m10's classifier does; labels are their names.

    Texts go in by batch_size, their ids padded on the right with pad_id to the batch's longest; mask is False there.
    """

    def __init__(self, model: nn.Module, encode: Encode, labels: Sequence[str], pad_id: int = 0,
                 batch_size: int = 8) -> None:  # fmt: skip
        raise NotImplementedError("m19.7")

    def __call__(self, texts: Texts, top_k: int = 1) -> Any:
        """Return a text's top_k classes (all, if there are fewer) as (label, probability), the likeliest first.

        Raises ValueError, naming the text, when it has no ids, and for a top_k below 1.
        """
        # TODO(m19.7): batches, scores, a softmax.
        raise NotImplementedError("m19.7")


class FillMask:
    """Fill a gap: model(ids) gives scores (1 seq vocab_size), and pieces[i] is how a token is written, as m16 has it.

    The ids are cls_id, those of what stands before mask_token, mask_id, those of what stands behind, and sep_id.
    """

    def __init__(self, model: nn.Module, encode: Encode, pieces: Sequence[str], cls_id: int, sep_id: int, mask_id: int,
                 mask_token: str = "[MASK]") -> None:  # fmt: skip
        raise NotImplementedError("m19.8")

    def __call__(self, texts: Texts, top_k: int = 5) -> Any:
        """Return the top_k likeliest as (piece, probability, the text filled with it); "##" is no part of a text.

        Raises ValueError, naming the number, unless there is exactly one mask_token in a text, and for a top_k below 1.
        """
        # TODO(m19.8): cut at the gap before anything else does.
        raise NotImplementedError("m19.8")


class Retrieval:
    """Find passages in documents: chunk(text) cuts one into parts with start, end and text, as m17's does.

    index(texts) is called once, with the chunks of all; it returns what has m17's search(query, k): a list of (index,
    score), the best first.
    """

    def __init__(self, documents: dict[str, str], chunk: Chunk, index: Callable[[list[str]], Any]) -> None:
        raise NotImplementedError("m19.9")

    def __call__(self, texts: Texts, k: int = 3) -> Any:
        """Return the best chunk of each of the k best documents, or of all that are found, the best first.

        Each is (document's name, start, end, text, score). Raises ValueError, naming it, for a k below 1.
        """
        # TODO(m19.9): one hit for each document.
        raise NotImplementedError("m19.9")
