"""BERT's checkpoints as Hugging Face lays them out, in names of today and of old, for m16_bert's loader."""

import re
from typing import Any

import torch

from grader.judge import CheckFailed, StudentError, expect_raises

from .oracle_model import SIZES, State, shapes

THEIRS = {
    r"embeddings\.words": "bert.embeddings.word_embeddings",
    r"embeddings\.positions": "bert.embeddings.position_embeddings",
    r"embeddings\.types": "bert.embeddings.token_type_embeddings",
    r"embeddings\.norm": "bert.embeddings.LayerNorm",
    r"blocks\.(\d+)\.(query|key|value)": r"bert.encoder.layer.\1.attention.self.\2",
    r"blocks\.(\d+)\.out": r"bert.encoder.layer.\1.attention.output.dense",
    r"blocks\.(\d+)\.norm_1": r"bert.encoder.layer.\1.attention.output.LayerNorm",
    r"blocks\.(\d+)\.up": r"bert.encoder.layer.\1.intermediate.dense",
    r"blocks\.(\d+)\.down": r"bert.encoder.layer.\1.output.dense",
    r"blocks\.(\d+)\.norm_2": r"bert.encoder.layer.\1.output.LayerNorm",
    r"pooler": "bert.pooler.dense",
    r"transform": "cls.predictions.transform.dense",
    r"transform_norm": "cls.predictions.transform.LayerNorm",
    r"decoder": "cls.predictions",
    r"follows": "cls.seq_relationship",
}
LAYOUTS = ("plain", "old", "positions", "decoder", "float16", "old_positions_decoder")
FROZEN = "the parameters are frozen: what was loaded is to be trained further"
ALIASED = "the model holds the checkpoint's own tensors: what changes one changes the other"
REPLACED = "new parameters stand in the model: an optimizer still holds the old ones"
HALF_LOADED = "the model is changed before everything was compared"
NOT_COPIED = "it is not copied into the model"
DTYPE = "the checkpoint's dtype has come along: the model keeps its own"


def their_name(name: str) -> str:
    """Return what Hugging Face calls a tensor of ours."""
    part, _, kind = name.rpartition(".")
    pattern = next(pattern for pattern in THEIRS if re.fullmatch(pattern, part))
    return f"{re.sub(pattern, THEIRS[pattern], part)}.{kind}"


def old_name(key: str) -> str:
    """Return what a norm's tensor was called in the first files."""
    return re.sub(r"LayerNorm\.(weight|bias)$", lambda found: f"LayerNorm.{OLD[found[1]]}", key)


OLD = {"weight": "gamma", "bias": "beta"}


def checkpoint(state: State, layout: str) -> State:
    """Return a checkpoint with these weights, as a file of this layout has it."""
    found = {their_name(name): value.clone() for name, value in state.items()}
    if "decoder" in layout:
        found["cls.predictions.decoder.weight"] = state["embeddings.words.weight"].clone()
        found["cls.predictions.decoder.bias"] = state["decoder.bias"].clone()
    if "positions" in layout:
        found["bert.embeddings.position_ids"] = torch.arange(len(state["embeddings.positions.weight"]))[None]
        found["bert.position_ids"] = found["bert.embeddings.position_ids"].clone()
    if "old" in layout:
        found = {old_name(key): value for key, value in found.items()}
    if layout == "float16":
        found = {key: value.half() for key, value in found.items()}
    return found


def from_file(tensors: State) -> State:
    """Return our names for the tensors of a file in today's names."""
    count = 1 + max(int(found[1]) for key in tensors if (found := re.search(r"layer\.(\d+)\.", key)))
    return {name: tensors[their_name(name)].float() for name in shapes(SIZES | {"n_layers": count})}


REPLACEABLE = "is missing, while the decoder has its own"
ACCEPTED = {
    "is missing": "a key that is missing is passed over: what is in its place stays as it was",
    REPLACEABLE: "the decoder's own tensor is taken for a key that is missing",
    "is there in both its names": "one of a norm's two names is passed over: both at once are one too many",
    "is one too many": "a key that has no place is passed over, as if it were a position_ids",
    "has another shape": "shapes are not compared: copy_ broadcasts what is too small, or fails on the way",
    "differs from what it shares": "the decoder's own tensor may differ from what it shares: it is to equal that",
}


def expect_refused(student: Any, model: Any, broken: State, key: str, why: str, fine: State) -> None:
    """Expect a ValueError that names the key; `fine` is a checkpoint that fits."""
    mistake = ACCEPTED[why]
    what = f"load_bert with a checkpoint whose {key} {why}"
    try:
        expect_raises(
            "ValueError",
            student.load_bert,
            model,
            broken,
            mentions=(key,),
            mistake=mistake,
            what=what,
            fine=(model, fine),
        )
    except CheckFailed as failed:
        if failed.mistake == ACCEPTED[REPLACEABLE] and _loads(student, model, fine, without="bert.pooler.dense.bias"):
            failed.mistake = ACCEPTED["is missing"]
        raise


def _loads(student: Any, model: Any, state: State, without: str) -> bool:
    try:
        student.load_bert(model, {key: value for key, value in state.items() if key != without})
    except StudentError:
        return False
    return True
