"""m11_lora: injection, freezing, saving, loading, fine-tuning."""

import pytest
import torch

from grader.judge import (
    FLOAT32_LAYER,
    FLOAT32_MODEL,
    FLOAT32_OP,
    FLOAT64,
    StudentError,
    achieve,
    expect,
    expect_bound,
    expect_close,
    expect_equal,
    expect_raises,
    expect_tensor,
)

from . import oracle, probes
from .steps import ALPHA, AWAKE, RANK

DEEP = "only layers at the top of the model are looked at: go down into modules inside of modules"


def zoo(student, draw, targets=None, dropout=0.0):
    """Make a Zoo, injected if there are targets; return its state, the handle and the names replaced."""
    state = oracle.zoo_state(draw)
    made = student.plant(probes).zoo(state)
    names = student.inject_lora(made, targets, RANK, ALPHA, dropout) if targets else []
    expect(type(names) is list and len(names) <= len(state), "inject_lora gives no list of the layers it replaced.")
    return state, made, names


SHAPES = "shapes are not compared: copy_ stretches a row over a matrix"
NO_PLACE = "a key that the model has no place for is passed over: compare the keys both ways"
LACKING = "a key that the state lacks keeps what the model had: compare the keys both ways"
OVERLOOKED = (LACKING, NO_PLACE, NO_PLACE, SHAPES)  # in the order of the states that don't fit
PARTS = {  # what a target is compared with, when it is not the end of a name in whole parts
    DEEP: lambda name, target: name == target and "." not in name,
    oracle.DOTLESS: lambda name, target: name.endswith(target),
    "a target is compared with the last part of a name alone: 'deep.2' is the end of a name, in two parts": (
        lambda name, target: name.rpartition(".")[2] == target
    ),
    "only the last part of a target is compared: 'deep.2' is the end of a name, in two parts": (
        lambda name, target: name.rpartition(".")[2] == target.rpartition(".")[2]
    ),
    "a target must be the whole name: it is the end of one": lambda name, target: name == target,
    "a target fits anywhere in a name, by its letters: it is the end of one, in whole parts": (
        lambda name, target: target in name
    ),
    "a target fits anywhere among a name's parts: it is the end of one": (
        lambda name, target: f".{target}." in f".{name}."
    ),
    "a target is the beginning of a name, in whole parts: it is the end of one": (
        lambda name, target: f"{name}.".startswith(f"{target}.")
    ),
}

CASES = {  # targets, and the layers that they fit, in the model's order
    "ends alike": (["proj"], ["cells.0.proj", "cells.1.proj"]),
    "top level": (["stem"], ["stem"]),
    "dotted": (
        [
            "lora_head",
            "deep.2",
            "proj",
        ],  # of one part, so that who compares the last part alone finds more than the top
        ["cells.0.proj", "cells.0.deep.2", "cells.1.proj", "cells.1.deep.2", "lora_head"],
    ),
    "one place": (["cells.1.out_proj", "0"], ["cells.0.deep.0", "cells.1.out_proj", "cells.1.deep.0"]),
}


def fitting(student, state, linear):
    """Return the one way of comparing names that explains which layers some targets fit, or None."""
    found = {}
    for target in ("proj", "stem", "deep.2", "cells.0.deep.2", "cells", "0"):
        try:
            found[target] = student.inject_lora(student.plant(probes).zoo(state), [target], RANK, ALPHA)
        except StudentError:
            found[target] = []
    explain = [
        mistake
        for mistake, fits in PARTS.items()
        if all([name for name in linear if fits(name, target)] == names for target, names in found.items())
    ]
    return explain[0] if len(explain) == 1 else None


@pytest.mark.task("m11.3")
@pytest.mark.holds(
    "Put a LoRALinear in the place of each nn.Linear that a target fits, and return their names in the model's order.",
    'A target is the end of a dotted name, in whole parts: "c_proj" fits h.0.attn.c_proj and h.0.mlp.c_proj, '
    '"mlp.c_proj" only the second, "proj" neither.',
    "Other modules are left alone.",
)
@pytest.mark.parametrize("case", CASES)
def test_the_layers_named_get_an_adapter(student, draw, case):
    """Exactly the linear layers that a target fits are replaced, however deep they lie, and their names returned."""
    targets, names = CASES[case]
    state = oracle.zoo_state(draw)
    linear = [key.removesuffix(".weight") for key in state if key.endswith("weight") and "norm" not in key]
    misses = {
        "the targets are ignored: every linear layer is replaced": linear,
        "the names are in the order of the targets, not in the model's": [
            name for target in targets for name in linear if f".{name}".endswith(f".{target}")
        ],
    }
    made = student.plant(probes).zoo(state)
    try:
        found = student.inject_lora(made, targets, RANK, ALPHA)
    except StudentError as error:
        said = f"Your code raised {error}."
        expect(error.kind != "ValueError", said, mistake=fitting(student, state, linear))
        raise
    expect(type(found) is list and len(found) <= len(state), "inject_lora gives no list of the layers it replaced.")
    adapted = student.plant(probes).adapted(made)
    if adapted not in (names, linear) and (way := fitting(student, state, linear)):
        misses = {way: adapted}
    expect_equal(adapted, names, misses=misses, what="the list of layers with an adapter")
    expect_equal(found, names, misses=misses, what="the list of names returned")


@pytest.mark.task("m11.3")
def test_targets_may_be_read_only_once(student, draw):
    """Any iterable of targets will do, one that can be gone through a single time included."""
    targets, names = CASES["dotted"]
    made = student.plant(probes).zoo(oracle.zoo_state(draw))
    found = student.inject_lora(made, student.iterator(targets), RANK, ALPHA)
    misses = {
        "targets is gone through again, and an iterator has nothing left then: make a list of it first": list[str]()
    }
    expect_equal(found, names, misses=misses, what="the list of names returned")


@pytest.mark.task("m11.3")
@pytest.mark.holds("Other modules are left alone.", "The model's outputs are the same as before.")
def test_injecting_changes_no_output_and_adapters_do(student, draw):
    """The injected model gives what it gave; with other numbers in A and B, what the merged matrices give."""
    targets, names = CASES["dotted"]
    state, made, _ = zoo(student, draw, targets)
    x = draw.normal(4, 6)
    expect_close(made(x), oracle.zoo_output(state, x), atol=FLOAT32_LAYER, what="the result, just injected,")
    adapter = oracle.adapters(draw, state, names, RANK)
    student.plant(probes).fill(made, adapter)
    expected = oracle.zoo_output(oracle.merged_state(state, adapter, ALPHA / RANK), x)
    misses = {
        "alpha or rank is not handed on to the layers": lambda: oracle.zoo_output(
            oracle.merged_state(state, adapter, 1.0), x
        ),
        "no adapter has any part in the output": lambda: oracle.zoo_output(state, x),
    }
    atol = max(FLOAT32_LAYER, 1e-3 * float(expected.abs().median()))
    expect_close(made(x), expected, atol=atol, misses=misses, what="the result with trained adapters")


@pytest.mark.task("m11.3")
@pytest.mark.holds(
    "Raises ValueError, naming the target, before anything is replaced, when one fits no layer, with or "
    "without adapter; the `base` inside of a LoRALinear is none.",
    "So are layers that have an adapter already, and what is inside of them.",
)
def test_a_second_call_wraps_nothing_twice(student, draw):
    """Layers that have an adapter keep it, base and all; a second call replaces and names the new ones alone."""
    _, made, _ = zoo(student, draw, ["proj"])
    before = student.plant(probes).state(made)
    names = CASES["ends alike"][1]
    misses = {
        "layers that have an adapter get another one around it": names,
        "a LoRALinear's own base is an nn.Linear too, and is wrapped again": [f"{name}.base" for name in names],
    }
    expect_equal(student.inject_lora(made, ["proj"], RANK, ALPHA), [], misses=misses, what="the second call's list")
    after = student.plant(probes).state(made)
    mistake = "a LoRALinear's own base is an nn.Linear too, and is wrapped again"
    expect(sorted(after) == sorted(before), "A second call changes the model's state_dict keys.", mistake=mistake)
    for name, value in before.items():
        expect(torch.equal(after[name], value), f"A second call changes {name}.", evidence="value")
    found = student.inject_lora(made, ["stem", "proj"], RANK, ALPHA)
    expect_equal(found, ["stem"], what="the third call's list, with stem as a new target,")
    what = "inject_lora with the target 'base', which only layers inside of a LoRALinear are called,"
    expect_raises("ValueError", student.inject_lora, made, ["base"], RANK, ALPHA, mentions=("base",), what=what)


@pytest.mark.task("m11.3")
@pytest.mark.holds(
    "Raises ValueError, naming the target, before anything is replaced, when one fits no layer, with or "
    "without adapter; the `base` inside of a LoRALinear is none.",
)
def test_a_target_that_fits_nothing_is_refused(student, draw):
    """A target without a linear layer raises ValueError that names it, and nothing has been replaced then."""
    _, made, _ = zoo(student, draw)
    for target in ("head", "norm", "cells", "proj.", "c_attn"):
        what = f"inject_lora with the targets 'stem' and {target!r}"
        given = student.inject_lora, made, ["stem", target], RANK, ALPHA
        mistake = "a target that fits no layer is passed over: a name that is misspelt must not go unseen"
        expect_raises("ValueError", *given, mentions=(target,), what=what, mistake=mistake)
    expect_equal(student.plant(probes).adapted(made), [], what="the list of layers replaced before it was refused")


@pytest.mark.task("m11.3")
def test_a_sleeping_model_stays_asleep(student, draw):
    """After injection with dropout a model in eval mode has no module in training mode, and its outputs repeat."""
    state = oracle.zoo_state(draw)
    made, x = student.plant(probes).zoo(state), draw.normal(4, 6)
    made.eval()
    names = student.inject_lora(made, ["proj", "stem"], RANK, ALPHA, 0.5)
    expect_equal(names, ["stem", *CASES["ends alike"][1]], what="the list of names returned")
    adapter = oracle.adapters(draw, state, names, RANK)
    student.plant(probes).fill(made, adapter)
    expected = oracle.zoo_output(oracle.merged_state(state, adapter, ALPHA / RANK), x)
    atol = max(FLOAT32_LAYER, 1e-3 * float(expected.abs().median()))
    first, second = made(x), made(x)
    same = type(first) is type(second) is torch.Tensor and torch.equal(first, second)
    misses = {} if same else {AWAKE: first}
    expect_close(
        first, expected, atol=atol, misses=misses, what="the result of a model in eval mode, injected with dropout,"
    )
    expect_equal(student.plant(probes).modes(made), [], what="the list of modules in training mode")


@pytest.mark.task("m11.3")
def test_dropout_is_handed_on_to_the_layers(student, draw):
    """Injected with dropout, a model in training mode drops something else in each call."""
    state, made, names = zoo(student, draw, ["proj", "stem"], 0.5)
    student.plant(probes).fill(made, oracle.adapters(draw, state, names, RANK))
    x = draw.normal(4, 6)
    first, second = made(x), made(x)
    for result in (first, second):
        expect_tensor(result, shape=(4, 7), dtype=torch.float32)
    mistake = "inject_lora does not hand dropout on to the layers"
    expect(not torch.equal(first, second), "Two calls in training mode agree.", mistake=mistake, evidence="value")


@pytest.mark.task("m11.3")
@pytest.mark.holds(
    "Let lora_A and lora_B of every LoRALinear need a gradient, and no other parameter, whatever it is called.",
)
def test_only_adapters_can_be_trained(student, draw):
    """After freeze_base exactly lora_A and lora_B of each adapter need a gradient, whatever else is called so."""
    _, made, names = zoo(student, draw, ["out_proj", "stem"])
    student.freeze_base(made)
    every = list(student.plant(probes).state(made))
    wanted = [f"{name}.lora_{end}" for name in names for end in "AB"]
    misses = {
        "parameters outside of the adapters are found by their names, like lora_head's": sorted(
            name for name in every if "lora_" in name
        ),
        "only the weights in the wrapped layers are frozen; norms, biases and other layers are base too": sorted(
            name for name in every if not name.endswith("base.weight")
        ),
        "only the wrapped layers are frozen; norms and other layers are base too": sorted(
            name for name in every if ".base." not in name
        ),
        "the adapters are frozen too": [],
        "nothing is frozen": sorted(every),
        "the biases of the wrapped layers are not frozen: they belong to base": sorted(
            [*wanted, *(name for name in every if name.endswith("base.bias"))]
        ),
    }
    found = student.plant(probes).trainable(made)
    expect_equal(sorted(found), sorted(wanted), misses=misses, what="the list of parameters that need a gradient")


@pytest.mark.task("m11.3")
def test_a_step_moves_the_adapters_alone(student, draw):
    """A step of gradient descent leaves every weight of the base bit for bit as it was, and moves the adapters."""
    state, made, names = zoo(student, draw, ["proj", "lora_head"])
    adapter = oracle.adapters(draw, state, names, RANK)
    student.plant(probes).fill(made, adapter)
    student.freeze_base(made)
    after = student.plant(probes).descend(made, draw.normal(4, 6), draw.normal(4, 7))
    base = oracle.plain_names(after)
    for name, value in state.items():
        same = name in base and torch.equal(base[name], value)
        expect(same, f"The step changed {name}.", mistake=oracle.SPOILED, evidence="value")
    for name, value in adapter.items():
        moved = name in after and not torch.equal(after[name], value)
        expect(moved, f"The step did not move {name}.", mistake="the adapters are frozen too", evidence="value")


@pytest.mark.task("m11.4")
@pytest.mark.holds(
    "Return detached copies of all adapters and of nothing else, by their names in the model.",
    "Example: a model whose one LoRALinear is h.0.c_fc gives h.0.c_fc.lora_A and h.0.c_fc.lora_B.",
)
def test_the_state_holds_the_adapters_alone(student, draw):
    """lora_state_dict has A and B of every adapter by their names in the model, and nothing else, merged or not."""
    state, made, names = zoo(student, draw, ["0", "stem"])
    adapter = oracle.adapters(draw, state, names, RANK)
    student.plant(probes).fill(made, adapter)
    made.stem.merge()
    found = student.lora_state_dict(made)
    every = list(student.plant(probes).state(made))
    misses = {
        "the whole model is saved: only the adapters belong here": sorted(every),
        "keys lack the names of the modules around a layer: they are the names in the model": sorted(
            {".".join(name.split(".")[-2:]) for name in adapter}
        ),
        "the adapters are found by their names: lora_head and lora_gain are the model's own": sorted(
            name for name in every if "lora_" in name
        ),
        "the adapters' base layers are saved too": sorted(
            name for name in every if name in adapter or ".base." in name or name.startswith("base.")
        ),
    }
    expect_equal(sorted(found), sorted(adapter), misses=misses, what="the list of keys")
    for name, value in adapter.items():
        expect_close(found[name], value, atol=FLOAT64, what=name)


@pytest.mark.task("m11.4")
@pytest.mark.holds("Return detached copies of all adapters and of nothing else, by their names in the model.")
def test_a_snapshot_does_not_change_with_the_model(student, draw):
    """What lora_state_dict returned are detached copies: they stay when training goes on."""
    state, made, names = zoo(student, draw, ["deep.0"])
    adapter = oracle.adapters(draw, state, names, RANK)
    student.plant(probes).fill(made, adapter)
    found = student.plant(probes).snapshot(student.lora_state_dict, made)
    for name, value in adapter.items():
        misses = {"the tensors are the model's own: copy them": lambda value=value: torch.full_like(value, 3.0)}
        expect_close(found["taken"].get(name), value, atol=FLOAT64, misses=misses, what=name)
    expect_equal(found["graph"], [], what="the list of tensors that need a gradient")


@pytest.mark.task("m11.4")
@pytest.mark.holds(
    "Copy what lora_state_dict gave into the model's own parameters, which stay the same ones and keep their dtype."
)
def test_an_adapter_moves_to_another_model(student, draw):
    """Loaded into another injected model, the adapters do there what they did, on that model's own base."""
    other, made, names = zoo(student, draw, ["0", "lora_head"])
    adapter = oracle.adapters(draw, other, names, RANK)
    student.freeze_base(made)
    student.load_lora(made, {name: adapter[name].double() for name in reversed(adapter)})
    x = draw.normal(4, 6)
    expected = oracle.zoo_output(oracle.merged_state(other, adapter, ALPHA / RANK), x)
    misses = {"nothing is loaded": lambda: oracle.zoo_output(other, x)}
    atol = max(FLOAT32_LAYER, 1e-3 * float(expected.abs().median()))
    expect_close(made(x), expected, atol=atol, misses=misses, what="the result after loading")
    after = student.plant(probes).state(made)
    for name, value in adapter.items():
        expect_close(after.get(name), value, atol=FLOAT32_OP, what=name)
    wanted = sorted(f"{name}.lora_{end}" for name in names for end in "AB")
    expect_equal(sorted(student.plant(probes).trainable(made)), wanted, what="the list of trainable parameters")


@pytest.mark.task("m11.4")
@pytest.mark.holds(
    "Copy what lora_state_dict gave into the model's own parameters, which stay the same ones and keep their dtype.",
)
def test_loading_keeps_the_parameters(student, draw):
    """After loading, in eval mode too, every parameter is the one that an optimizer made before has in its hands."""
    other, made, names = zoo(student, draw, ["0", "stem"])
    adapter = oracle.adapters(draw, other, names, RANK)
    made.eval()
    found = student.plant(probes).loading(student.load_lora, made, adapter)
    mistake = "new Parameters are put in the place of the old ones, which an optimizer still holds: copy into these"
    expect(found == [], f"{', '.join(found)} are other parameters than before.", mistake=mistake)
    x = draw.normal(4, 6)
    expected = oracle.zoo_output(oracle.merged_state(other, adapter, ALPHA / RANK), x)
    atol = max(FLOAT32_LAYER, 1e-3 * float(expected.abs().median()))
    expect_close(made(x), expected, atol=atol, what="the result after loading in eval mode")


@pytest.mark.task("m11.4")
@pytest.mark.holds(
    "Raises ValueError when a key is missing, unknown, or has another shape than the model's, naming the key, "
    "and when a layer is merged, naming the layer: base would keep the old adapter's part.",
    "Nothing is changed then.",
)
def test_a_state_that_does_not_fit_is_refused_whole(student, draw):
    """A missing key, an unknown one, another shape or a merged layer raises ValueError, and nothing is changed."""
    state, made, names = zoo(student, draw, ["out_proj", "stem"])
    student.plant(probes).fill(made, oracle.adapters(draw, state, names, RANK))
    made.cells[1].out_proj.merge()
    before = student.plant(probes).state(made)
    good = oracle.adapters(draw, state, names, RANK)
    mistake = "a merged layer is loaded into: base keeps the old adapter's part"
    expect_raises("ValueError", student.load_lora, made, good, mentions=("cells.1.out_proj",), mistake=mistake)
    for name, value in before.items():
        same = torch.equal(student.plant(probes).state(made)[name], value)
        expect(same, f"load_lora refused, and has changed {name}.", evidence="value")
    made.cells[1].out_proj.unmerge()
    before = student.plant(probes).state(made)
    last = "cells.1.out_proj.lora_B"
    bad = {
        last: {name: value for name, value in good.items() if name != last},
        "cells.0.proj.lora_A": good | {"cells.0.proj.lora_A": draw.normal(RANK, 10)},
        "stem.weight": good | {"stem.weight": state["stem.weight"]},
        "cells.1.out_proj.lora_A": good | {"cells.1.out_proj.lora_A": draw.normal(1, 8)},
    }
    for (key, wrong), mistake in zip(bad.items(), OVERLOOKED, strict=True):
        fine = (made, good)
        expect_raises("ValueError", student.load_lora, made, wrong, mentions=(key,), fine=fine, mistake=mistake)
        after = student.plant(probes).state(made)
        for name, value in before.items():
            mistake = "check every key and shape before the first copy"
            said = f"load_lora refused because of {key}, and has changed {name}."
            expect(torch.equal(after[name], value), said, mistake=mistake, evidence="value")


@pytest.mark.task("m11.4")
@pytest.mark.warm("torch._dynamo")
@pytest.mark.limits(seconds=60)
def test_a_model_of_stories_learns_to_keep_a_log(student, draw, data):
    """Sixty steps on a boat's log bring gpt2-nano's held-out loss to a third, and leave its own weights as they are."""
    logbook = oracle.Logbook(draw, data)
    trusted = student.plant(oracle.model).build(logbook.sizes, logbook.start)
    parts = {name: getattr(student, name) for name in ("inject_lora", "freeze_base", "lora_state_dict")}
    settings = {"rank": oracle.RANK, "alpha": oracle.ALPHA, "lr": oracle.RATE}
    windows = logbook.windows(draw)
    found = student.plant(probes).finetune(parts, trusted, oracle.TARGETS, windows, **settings)
    base, adapter = oracle.plain_names(found["state"]), found["adapter"]
    expect(bool(found["trainable"]), "No parameter needs a gradient after freeze_base.")
    for name, value in logbook.start.items():
        same = name in base and torch.equal(base[name], value)
        expect(same, f"{name} is not what it was before training.", mistake=oracle.SPOILED, evidence="value")
    for key, shape in oracle.adapter_shapes(logbook.start).items():
        expect_tensor(adapter.get(key), shape=shape, dtype=torch.float32, what=key)
    merged = oracle.merged_state(logbook.start, adapter, oracle.ALPHA / oracle.RANK)
    before, after = logbook.loss(logbook.start), logbook.loss(merged)
    said = f"The held-out loss went from {before:.2f} to {after:.2f}; expected below {oracle.LEARNED * before:.2f}."
    mistake = "nothing was learned: the adapters did not move" if after > before - 0.1 else None
    expect_bound(after / before, said, below=oracle.LEARNED, mistake=mistake)
    small, large = (sum(value.numel() for value in state.values()) for state in (adapter, logbook.start))
    achieve(
        f"With {small:,} numbers in your adapters, beside {large:,} that stay as they are, a boat's log costs "
        f"{after:.2f} nats a token instead of {before:.2f}."
    )
    expected = logbook.logits(merged, windows[0])
    what = "the trained model's logits, compared with the same adapters merged,"
    atol = max(FLOAT32_MODEL, 1e-3 * float(expected.abs().median()))
    expect_close(found["logits"], expected, atol=atol, what=what, follows=True)
