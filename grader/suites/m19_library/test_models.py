"""m19_library: tensors copied into a model, and models that are saved and opened."""

import json
from functools import partial
from typing import Any

import pytest
import torch

from grader.judge import expect, expect_answer, expect_close, expect_equal, expect_raises
from grader.suites.shared import in_place

from . import oracle, probes
from .steps import expect_file, expect_state, files_in, folder_with, header_of

WHOLE = "model.safetensors"

TWIN_MISSING = "the second name of a shared tensor is called missing, though its first has come"
FIRST_MISSING = "the first name of a shared tensor is called missing, though its second has come"
BOTH_MISSING = "a shared tensor is missing under all of its names: it is under its first"
NOT_COPIED = "nothing is copied into the model"
TWIN_LOST = "a tensor that comes under its second name alone is not copied"
BUFFERS = "buffers are left out: names are state_dict's"
ALIASED = "the model holds the file's own tensors: what changes one changes the other"
REPLACED = "new parameters stand in the model: what was shared is shared no more, and an optimizer holds the old ones"
BROADCAST = "shapes are not compared: copy_ broadcasts what is too small, or fails on the way"
DIFFERING = "two names of one tensor may come with different numbers"
HALF = "the model is changed before everything was compared"
SORTED = "names are sorted: they are in the model's order, or in that of the tensors"
TRAINING = "the model is left in training mode"
SILENT = "nothing is said of missing or unexpected tensors"
NOISY = "a warning is given where nothing is missing or unexpected"
STORED_TWICE = "a tensor of two names is stored twice"
SECOND_NAME = "a tensor of two names is stored under its second"
SCRATCH = "a buffer that is not persistent is stored: names are state_dict's"
VIEW_LOST = "a tensor that is a part of another's memory is taken for the same tensor, and left out"
NO_CONFIG = "config.json is not written"
NOT_CHANGED = "the changes do not reach the config before the model is made of it"
NOT_LOADED = "the weights are not loaded: the model is as it was made"
UNNAMED = "a warning is given, and does not name the tensors"
FRESH = {"pair": torch.arange(6.0).view(2, 3)}
OF_BASE = "the model is of another class than the one that was asked"


def plain_state(draw, dtype=torch.float32):
    """Return numbers for all that a plain model's state_dict holds, its shared tensor under both names."""
    wte = draw.normal(7, 4).to(dtype)
    return {
        "wte.weight": wte,
        "norm.weight": draw.normal(4).to(dtype),
        "norm.bias": draw.normal(4).to(dtype),
        "norm.running_mean": draw.normal(4).to(dtype),
        "norm.running_var": draw.normal(4).abs().to(dtype),
        "norm.num_batches_tracked": draw.integers(5, 90, 1)[0],
        "head.weight": wte.clone(),
        "out.weight": draw.normal(2, 4).to(dtype),
        "out.bias": draw.normal(2).to(dtype),
    }


def without(state, *names):
    """Return a state without some names."""
    return {name: value for name, value in state.items() if name not in names}


@pytest.mark.task("m19.4")
@pytest.mark.holds(
    "Copy tensors into a model's own, which keep their dtype; return the missing names and the unexpected ones.",
    "Names are state_dict's.",
    "A tensor that the model has under several names needs one of them, and is missing under its first.",
)
@pytest.mark.parametrize("given", ["both", "first", "second"])
def test_every_tensor_is_copied(student, draw, given):
    """All tensors arrive, buffers too; one of two names needs only one of them, whichever it is."""
    planted, state, before = student.plant(probes), plain_state(draw), plain_state(draw)
    names = {"both": (), "first": ("head.weight",), "second": ("wte.weight",)}[given]
    model = planted.set_state(planted.plain(), before)
    found = student.fill_model(model, without(state, *names))
    misses: dict[str, Any] = {TWIN_MISSING: (["head.weight"], []), FIRST_MISSING: (["wte.weight"], [])}
    misses[BUFFERS] = ([], ["norm.running_mean", "norm.running_var", "norm.num_batches_tracked"])
    expect_equal(found, ([], []), misses=misses, what="(missing, unexpected)")
    shared = {name: before[name] for name in ("wte.weight", "head.weight")}
    kept = {name: before[name] for name in before if name.startswith("norm.") and name[5:] not in ("weight", "bias")}
    wrong = {NOT_COPIED: before, BUFFERS: state | kept} | ({TWIN_LOST: state | shared} if given == "second" else {})
    expect_state(planted.state(model), state, "after filling", wrong)


@pytest.mark.task("m19.4")
@pytest.mark.holds(
    "What is missing stays as it was, and what is unexpected is left out; the lists are in the model's order, "
    "and in the order of `tensors`.",
    "A tensor that the model has under several names needs one of them, and is missing under its first.",
)
def test_missing_and_unexpected_names_are_listed(student, draw):
    """What the tensors lack stays as it was; it is listed in the model's order, and what has no place in theirs."""
    planted, state, before = student.plant(probes), plain_state(draw), plain_state(draw)
    lost = ["wte.weight", "norm.running_var", "out.bias"]
    more = ["z.bias", "classifier", "norm.gamma", "out"]
    given = without(state, *lost, "head.weight")
    given = {"z.bias": draw.normal(2)} | given | {name: draw.normal(3) for name in more[1:]}
    model = planted.set_state(planted.plain(), before)
    found = student.fill_model(model, given)
    both = sorted([*lost, "head.weight"])
    told_twice = type(found) is tuple and len(found) == 2 and sorted(map(str, found[0])) == both
    misses = {
        BOTH_MISSING: (found[0], more) if told_twice else ([], []),
        SORTED: (sorted(lost), sorted(more)),
        "the two lists are exchanged": (more, lost),
        "what is missing is not told": ([], more),
        "what is unexpected is not told": (lost, []),
    }
    expect_equal(found, (lost, more), misses=misses, what="(missing, unexpected)")
    right = state | {name: before[name] for name in (*lost, "head.weight")}
    expect_state(planted.state(model), right, "after filling", {NOT_COPIED: before})


@pytest.mark.task("m19.4")
@pytest.mark.holds(
    "Copy tensors into a model's own, which keep their dtype; return the missing names and the unexpected ones.",
    "Names are state_dict's.",
)
@pytest.mark.parametrize(
    "dtypes", [(torch.float32, torch.float16), (torch.float64, torch.float32)], ids=["half", "double"]
)
def test_a_model_keeps_its_dtype(student, draw, dtypes):
    """A float32 model filled from float16 stays float32, and a float64 one from float32 stays float64."""
    planted, (own, theirs) = student.plant(probes), dtypes
    state, model = plain_state(draw, theirs), planted.plain(own)
    student.fill_model(model, state)
    right = {name: value.to(own) if value.is_floating_point() else value for name, value in state.items()}
    expect_state(planted.state(model), right, "after filling")


@pytest.mark.task("m19.4")
@pytest.mark.holds(
    "Copy tensors into a model's own, which keep their dtype; return the missing names and the unexpected ones.",
    "Names are state_dict's.",
)
def test_a_model_keeps_its_tensors(student, draw):
    """Parameters are the ones from before, the shared one still shared, and `tensors` keep memory of their own."""
    planted, state = student.plant(probes), plain_state(draw)
    model = planted.plain()
    found = student.plant(in_place).replaced(student.fill_model, model, state)
    expect(found == [], f"Replaced by other parameters: {', '.join(map(str, found))}.", mistake=REPLACED)
    words = draw.normal(7, 4)
    planted.overwrite(model, "wte.weight", words)
    right = state | {"wte.weight": words, "head.weight": words}
    expect_state(planted.state(model), right, "after a change", {REPLACED: state | {"wte.weight": words}})
    after = student.plant(in_place).zeroed_afterwards(student.fill_model, planted.plain(), state)
    for name, value in state.items():
        if value.is_floating_point():
            misses = {ALIASED: torch.zeros_like(value)}
            expect_close(after[name], value, atol=0.0, misses=misses, what=f"the {name} that was handed in")


@pytest.mark.task("m19.4")
@pytest.mark.holds(
    "Raises ValueError, naming it, for a tensor of another shape, and where several names of one tensor come "
    "with different numbers; the model is then as it was.",
)
@pytest.mark.parametrize("fault", ["one", "turned", "longer", "twins", "buffer"])
def test_what_does_not_fit_changes_nothing(student, draw, fault):
    """A tensor of another shape, or two that should be one, raise ValueError with the name; the model is as before."""
    planted, state, before = student.plant(probes), plain_state(draw), plain_state(draw)
    model = planted.set_state(planted.plain(), before)
    name, value = {
        "one": ("out.bias", draw.normal(1)),
        "turned": ("out.weight", draw.normal(4, 2)),
        "longer": ("wte.weight", draw.normal(9, 4)),
        "twins": ("head.weight", state["head.weight"] + torch.eye(7, 4) * 0.001),
        "buffer": ("norm.running_var", draw.normal(1)),
    }[fault]
    broken = without(state, "head.weight") | {name: value}
    fine = (planted.plain(), state)
    mistake = DIFFERING if fault == "twins" else BROADCAST
    given: dict[str, Any] = {"mentions": (name,), "fine": fine, "mistake": mistake}
    expect_raises("ValueError", student.fill_model, model, broken, what=f"fill_model with another {name}", **given)
    found = planted.state(model)
    filled = {name: value for name, value in broken.items() if value.shape == before[name].shape}
    expect_state(
        found, before, "after a refused filling", {HALF: before | filled | {"head.weight": state["wte.weight"]}}
    )


# ── models ──

SIZES = {"vocab_size": 9, "d_model": 3}


def shaped_state(draw, dtype=torch.float32):
    """Return numbers for a Shaped of SIZES: its shared tensor under both names, a view's numbers in both places."""
    wte, pair = draw.normal(9, 3).to(dtype), draw.normal(2, 3).to(dtype)
    return {
        "pair": pair,
        "row": pair[0].clone(),
        "wte.weight": wte,
        "norm.weight": draw.normal(3).to(dtype),
        "norm.bias": draw.normal(3).to(dtype),
        "norm.running_mean": draw.normal(3).to(dtype),
        "norm.running_var": draw.normal(3).abs().to(dtype),
        "norm.num_batches_tracked": draw.integers(5, 90, 1)[0],
        "head.weight": wte.clone(),
    }


def shaped(student, draw, dtype=torch.float32):
    """Return a class, a model of it with drawn weights, and these."""
    planted, state = student.plant(probes), shaped_state(draw, dtype)
    made = planted.shaped(student.Config, student.PretrainedModel, dtype)
    return made, planted.made(made, SIZES, state), state


CONFIG = SIZES | {"model_type": "shaped"}


@pytest.mark.task("m19.4")
@pytest.mark.holds(
    "A model that can be saved and opened.",
    "A subclass has a config_class, and can be made of a config alone.",
    "Save config and weights, as state_dict has them; a tensor of several names is there once, under its first.",
    "Keep the config as `config`.",
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["float32", "bfloat16"])
def test_a_model_is_saved(student, draw, dtype):
    """The folder holds config.json and model.safetensors with all of state_dict, each tensor once, in its dtype."""
    _, model, state = shaped(student, draw, dtype)
    expect_equal(student.plant(probes).config_of(model), CONFIG, what="model.config as a dict")
    base = folder_with(student, {})
    model.save_pretrained(f"{base}/saved")
    found = files_in(student, f"{base}/saved")
    mistake = NO_CONFIG if WHOLE in found and "config.json" not in found else None
    said = f"The folder holds {', '.join(sorted(found))}."
    expect(sorted(found) == ["config.json", WHOLE], said[:500], mistake=mistake, evidence="value")
    try:
        config = json.loads(found["config.json"].decode())
    except (ValueError, RecursionError):
        config = None
    expect_equal(config, CONFIG, what="what config.json holds")
    names = sorted(name for name in header_of(found[WHOLE])[0] if name != oracle.META)
    once = without(state, "head.weight")
    misses = {
        STORED_TWICE: sorted(state),
        SECOND_NAME: sorted(without(state, "wte.weight")),
        SCRATCH: sorted([*once, "scratch"]),
        VIEW_LOST: sorted(without(once, "row")),
        BUFFERS: sorted(name for name in once if name in ("wte.weight", "norm.weight", "norm.bias")),
    }
    expect_equal(names, sorted(once), misses=misses, what="the list of names in model.safetensors")
    expect_file(found[WHOLE], once, {"format": "pt"}, what=WHOLE)


@pytest.mark.task("m19.4")
@pytest.mark.holds(
    "Save config and weights, as state_dict has them; a tensor of several names is there once, under its first.",
)
def test_a_large_model_is_saved_in_shards(student, draw):
    """With max_shard_bytes the weights are shards with an index, and the model opens from them."""
    made, model, state = shaped(student, draw)
    folder = f"{folder_with(student, {})}/saved"
    model.save_pretrained(folder, max_shard_bytes=110)
    found = files_in(student, folder)
    parts = [name for name in found if name.startswith("model-")]
    mistake = "max_shard_bytes is not handed on" if WHOLE in found else None
    expect(len(parts) > 1, f"The folder holds {', '.join(sorted(found))}.", mistake=mistake, evidence="value")
    names = [name for part in parts for name in header_of(found[part])[0] if name != oracle.META]
    expect_equal(sorted(names), sorted(without(state, "head.weight")), what="the list of names in all shards")
    opened = student.plant(probes).opening(made.from_pretrained, folder)
    expect_state(student.plant(probes).state(opened["model"]), state, "of the opened model", {NOT_LOADED: FRESH})


def saved(state, config=CONFIG):
    """Return the files of a folder with these weights, as another library writes them."""
    return {"config.json": json.dumps(config).encode(), WHOLE: oracle.assemble(state, {"format": "pt"})}


@pytest.mark.task("m19.4")
@pytest.mark.holds(
    "Return a model of this class, in eval mode, with the folder's weights, and its config with these changes.",
    "A UserWarning names all tensors that are missing or unexpected; where none is, nothing is said.",
    "A model that can be saved and opened.",
)
@pytest.mark.parametrize("shared", ["once", "twice"])
def test_a_model_opens(student, draw, shared):
    """A folder becomes a model of its sizes, with all weights, in eval mode, without a word; saved twice or once."""
    made, _, _ = shaped(student, draw)
    state = shaped_state(draw)
    files = saved(state if shared == "twice" else without(state, "head.weight"))
    found = student.plant(probes).opening(made.from_pretrained, folder_with(student, files))
    model = found["model"]
    expect_equal(student.plant(probes).config_of(model), CONFIG, what="the opened model's config")
    expect_state(student.plant(probes).state(model), state, "of the opened model", {NOT_LOADED: FRESH})
    left = student.plant(probes).training(model)
    expect(left == [], f"In training mode: {', '.join(repr(name) for name in left)}.", mistake=TRAINING)
    said = [text for kind, text in found["said"] if kind == "UserWarning"]
    expect(said == [], f"It is said: {said}", mistake=NOISY)
    ids = draw.integers(0, 9, 2, 3)
    rows = state["wte.weight"][ids].flatten(0, 1)
    normed = (rows - state["norm.running_mean"]) / (state["norm.running_var"] + 1e-5).sqrt()
    right = (normed * state["norm.weight"] + state["norm.bias"]) @ state["wte.weight"].T + state["pair"].sum()
    expect_close(model(ids), right, atol=float(right.abs().median()) * 1e-3, what="the opened model's scores")


@pytest.mark.task("m19.4")
@pytest.mark.holds(
    "Return a model of this class, in eval mode, with the folder's weights, and its config with these changes.",
)
def test_a_config_is_changed_on_the_way(student, draw):
    """Changes stand in the config before the model is made of it; what is unknown stays, known or new."""
    made, _, _ = shaped(student, draw)
    state = shaped_state(draw)
    config = CONFIG | {"vocab_size": 5, "note": "x"}
    folder = folder_with(student, saved(without(state, "head.weight"), config))
    changing = partial(student.plant(probes).opening, vocab_size=9, rate=0.5)
    plain = folder_with(student, saved(state))
    found = expect_answer(
        changing, made.from_pretrained, folder, simpler=(made.from_pretrained, plain), mistake=NOT_CHANGED
    )
    right = CONFIG | {"note": "x", "rate": 0.5}
    misses = {NOT_CHANGED: config, "the file's unknown settings are lost": CONFIG | {"rate": 0.5}}
    expect_equal(student.plant(probes).config_of(found["model"]), right, misses=misses, what="the config")
    expect_state(student.plant(probes).state(found["model"]), state, "of the opened model")


@pytest.mark.task("m19.4")
@pytest.mark.holds(
    "A UserWarning names all tensors that are missing or unexpected; where none is, nothing is said.",
)
def test_what_is_missing_or_unexpected_is_said(student, draw):
    """A UserWarning names what the file lacks and what the model has no place for; what did come is there."""
    made, _, _ = shaped(student, draw)
    state = shaped_state(draw)
    cases = {
        "missing": (["norm.bias", "wte.weight"], []),
        "unexpected": ([], ["h.3.attn.bias", "score.weight"]),
        "both": (["norm.running_mean"], ["lm_head.weight"]),
    }
    for what, (lost, more) in cases.items():
        given = without(state, *lost, "head.weight") | {name: draw.normal(2) for name in more}
        found = student.plant(probes).opening(made.from_pretrained, folder_with(student, saved(given)))
        said = " ".join(text for kind, text in found["said"] if kind == "UserWarning")
        unsaid = [name for name in (*lost, *more) if name not in said]
        silent = {"missing": "missing tensors are passed over in silence",
                  "unexpected": "unexpected tensors are passed over in silence"}.get(what)  # fmt: skip
        expect(not unsaid, f"Not named by a UserWarning: {', '.join(unsaid)}.", mistake=UNNAMED if said else silent)
        opened = student.plant(probes).state(found["model"])
        shared = ["head.weight", "wte.weight"] if "wte.weight" in lost else ["head.weight"] * 0
        right = without(state, *lost, *shared)
        expect_state(without(opened, *lost, *shared), right, "of the opened model")


@pytest.mark.task("m19.4")
@pytest.mark.holds(
    "A model that can be saved and opened.",
    "Return a model of this class, in eval mode, with the folder's weights, and its config with these changes.",
    "Save config and weights, as state_dict has them; a tensor of several names is there once, under its first.",
)
def test_what_was_saved_opens(student, draw):
    """A model that the student's code saved opens with the same weights, and is saved again alike."""
    made, model, state = shaped(student, draw)
    base = folder_with(student, {})
    model.save_pretrained(f"{base}/a")
    opened = made.from_pretrained(f"{base}/a")
    expect_state(student.plant(probes).state(opened), state, "of the opened model")
    opened.save_pretrained(f"{base}/b")
    first, second = files_in(student, f"{base}/a"), files_in(student, f"{base}/b")
    expect_equal(sorted(first), sorted(second), what="the list of files of the second save")
    expect_file(second[WHOLE], without(state, "head.weight"), {"format": "pt"}, what=WHOLE)
