"""m11_lora: a layer with an adapter, merging it, injecting it by name, saving it, and fine-tuning with it."""

import pytest
import torch

from grader.judge import (
    FLOAT32_LAYER,
    FLOAT32_MODEL,
    FLOAT32_OP,
    FLOAT64,
    expect,
    expect_close,
    expect_equal,
    expect_raises,
    expect_tensor,
)

from . import oracle, probes

START = "a new adapter changes the output: lora_B must be zero"
DEEP = "only layers at the top of the model are looked at: go down into modules inside of modules"
ALPHA, RANK = 6.5, 3  # of the small checks; 9 outputs, 7 inputs


def numbers(draw, bias=True, dtype=torch.float32):
    """Draw weight, bias, A and B of a layer, so that results are about one in magnitude, as tolerances suppose."""
    return [
        draw.normal(9, 7, scale=0.4, dtype=dtype),
        draw.normal(9, dtype=dtype) if bias else None,
        draw.normal(RANK, 7, scale=0.4, dtype=dtype),
        draw.normal(9, RANK, scale=0.3, dtype=dtype),
    ]


def expect_output(layer, x, parts, alpha=ALPHA, atol=FLOAT32_LAYER, what="the result"):
    """Compare a layer's output with the reference and the near misses."""
    expected = oracle.lora(x, *parts, scale=alpha / len(parts[2]))
    expect_close(layer(x), expected, atol=atol, misses=oracle.lora_misses(x, *parts, alpha=alpha), what=what)


def zoo(student, draw, targets=None, dropout=0.0):
    """Make a Zoo, injected if there are targets; return its state, the handle and the names replaced."""
    state = oracle.zoo_state(draw)
    made = student.plant(probes).zoo(state)
    names = student.inject_lora(made, targets, RANK, ALPHA, dropout) if targets else []
    return state, made, names


# ── m11.1 the layer ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.task("m11.1")
def test_two_by_two_as_in_the_docstring(student):
    """The docstring's layer makes [7, 3] of [1, 1]."""
    parts = [torch.tensor(rows) for rows in ([[1.0, 2.0], [3.0, 4.0]], [[1.0, 1.0]], [[1.0], [-1.0]])]
    layer = student.plant(probes).layer(student.LoRALinear, parts[0], None, parts[1], parts[2], 2.0)
    expect_output(layer, torch.ones(2), [parts[0], None, *parts[1:]], 2.0)


@pytest.mark.task("m11.1")
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
def test_base_and_adapter_add_up(student, draw, bias):
    """The output is base's, with its bias if it has one, plus alpha / rank times B A x, for any leading axes."""
    parts = numbers(draw, bias)
    layer = student.plant(probes).layer(student.LoRALinear, *parts, ALPHA)
    for shape in ((2, 5, 7), (4, 7), (7,)):
        expect_output(layer, draw.normal(*shape), parts)


@pytest.mark.task("m11.1")
@pytest.mark.warm("torch._dynamo")
def test_the_adapter_has_the_dtype_and_device_of_base(student, draw):
    """A float64 base gets a float64 adapter, and one on another device gets it there."""
    parts = numbers(draw, dtype=torch.float64)
    layer = student.LoRALinear(student.plant(probes).linear(*parts[:2]), RANK, ALPHA)
    expect_tensor(layer.lora_A, shape=(RANK, 7), dtype=torch.float64, what="lora_A")
    expect_tensor(layer.lora_B, shape=(9, RANK), dtype=torch.float64, what="lora_B")
    student.plant(probes).fill(layer, {"lora_A": parts[2], "lora_B": parts[3]})
    expect_output(layer, draw.normal(4, 7, dtype=torch.float64), parts, atol=FLOAT64)
    found = student.plant(probes).made_on_meta(student.LoRALinear, RANK)
    mistake = "the adapter is made on the default device instead of on base's"
    expect(set(found.values()) == {"meta"}, f"For a base on meta the adapter lies on {found}.", mistake=mistake)


@pytest.mark.task("m11.1")
def test_a_new_layer_gives_what_base_gives(student, draw):
    """Before any training the output is exactly base's, in training mode with dropout too."""
    weight, bias, *_ = numbers(draw)
    x = draw.normal(4, 7)
    base = student.plant(probes).linear(weight, bias)
    expected = torch.nn.functional.linear(x, weight, bias)
    for dropout in (0.0, 0.6):
        layer = student.LoRALinear(base, RANK, ALPHA, dropout)
        actual = layer(x)
        expect_tensor(actual, shape=(4, 9), dtype=torch.float32)
        gap = float((actual - expected).abs().max())
        said = f"With dropout {dropout} the output of a new layer differs from base's by up to {gap:.3g}."
        mistake = "dropout falls on base's part too; only the adapter has it" if dropout else START
        expect(gap <= FLOAT32_LAYER, said, mistake=mistake, evidence="value")


@pytest.mark.task("m11.1")
def test_a_is_drawn_and_b_is_zero(student, draw):
    """A is random with a spread of about 1 / sqrt(d_in), another one in every layer; B is exactly zero."""
    base = student.plant(probes).linear(draw.normal(5, 400))
    layers = [student.LoRALinear(base, 8, ALPHA) for _ in range(2)]
    first, second = (layer.lora_A for layer in layers)
    expect_equal(bool(layers[0].lora_B.any()), False, what="whether lora_B has entries that are not 0")
    for value in (first, second):
        expect_tensor(value, shape=(8, 400), dtype=torch.float32, what="lora_A")
    expect(
        not torch.equal(first, second),
        "Two new layers have the same lora_A: nothing random is in it.",
        evidence="value",
    )
    spread = float(first.square().mean().sqrt()) * 400**0.5
    mistake = "lora_A is not scaled: the spread of A x then grows with the root of d_in" if spread > 2 else None
    said = f"With d_in = 400 lora_A has a spread of {spread / 20:.3g}; expected about {1 / 20:.3g}."
    expect(0.25 < spread < 2, said, mistake=mistake, evidence="value")


def expect_gradients(student, layer, x, weights, parts, when):
    """Compare the gradients by x, A and B with the reference."""
    weight, bias, down, up = parts
    found = student.probe.gradients(layer, [x], weights)
    actual = [found["args"][0], *(found["parameters"].get(name) for name in ("lora_A", "lora_B"))]
    expected = oracle.gradients([x, weight, down, up], bias, ALPHA / RANK, weights)
    for name, value, wanted in zip(("x", "lora_A", "lora_B"), actual, expected, strict=True):
        misses = {"the gradient is cut: detach(), .data or no_grad stands on the way": torch.zeros_like(wanted)}
        atol = max(FLOAT32_LAYER, 1e-3 * float(wanted.abs().median()))
        what = f"the gradient by {name} in {when}"
        expect_close(value, wanted, atol=atol, rtol=1e-4, misses=misses, what=what)
    return actual


@pytest.mark.task("m11.1")
def test_gradients_reach_both_matrices(student, draw):
    """Gradients by x, A and B are right; in a new layer B has one, so that training can begin."""
    parts, x, weights = numbers(draw), draw.normal(4, 7), draw.normal(4, 9)
    layer = student.plant(probes).layer(student.LoRALinear, *parts, ALPHA)
    expect_gradients(student, layer, x, weights, parts, "a trained layer")
    layer = student.LoRALinear(student.plant(probes).linear(*parts[:2]), RANK, ALPHA)
    new = [*parts[:2], layer.lora_A, torch.zeros(9, RANK)]
    expect_tensor(new[2], shape=(RANK, 7), dtype=torch.float32, what="lora_A")
    *_, moving = expect_gradients(student, layer, x, weights, new, "a new layer")
    mistake = "A and B are both zero: neither ever gets a gradient"
    expect(bool(moving.any()), "In a new layer the gradient by lora_B is 0.", mistake=mistake, evidence="value")


@pytest.mark.task("m11.1")
def test_dropout_falls_on_what_a_is_given(student, draw):
    """In training mode entries of x are dropped before A, and the rest grow; in eval mode nothing is."""
    eye, x, p = torch.eye(50), draw.normal(80, 50), 0.3
    # A makes two copies of x and B adds them: what is dropped before A is missing from both.
    parts = (torch.zeros(50, 50), None, torch.cat([eye, eye]), torch.cat([eye, eye], dim=1))
    layer = student.plant(probes).layer(student.LoRALinear, *parts, 100.0, p)
    actual = layer(x)
    expect_tensor(actual, shape=(80, 50), dtype=torch.float32)
    kept = actual != 0
    misses = {
        "dropout is not applied in training mode": lambda: 2 * x,
        "the entries that are kept do not grow by 1 / (1 - dropout)": lambda: 2 * x * kept,
    }
    expect_close(actual, torch.where(kept, 2 * x / (1 - p), 0.0), atol=FLOAT32_LAYER, misses=misses)
    share = float((~kept).double().mean())  # its standard deviation is 0.0072
    said = f"{share:.0%} of the entries were dropped; expected about {p:.0%}."
    mistake = "dropout is the probability of being dropped, not of being kept" if abs(share - 1 + p) < 0.05 else None
    expect(abs(share - p) < 0.05, said, mistake=mistake, evidence="value")
    layer.eval()
    misses = {"dropout is still active after eval()": lambda: torch.where(asleep == 0, 0.0, 2 * x / (1 - p))}
    asleep = layer(x)
    expect_close(asleep, 2 * x, atol=FLOAT32_LAYER, misses=misses, what="the result in eval mode")


@pytest.mark.task("m11.1")
def test_base_the_adapter_and_nothing_else_is_state(student, draw):
    """The layer holds the very base it was given, takes over its mode, and has no other state than base, A and B."""
    weight, bias, *_ = numbers(draw)
    for given in (bias, None):
        base = student.plant(probes).linear(weight, given)
        found = student.plant(probes).anatomy(student.LoRALinear, base, RANK)
        expect(found["same"] is True, "base is another module than the one handed in.")
        mistake = "a new module is in training mode: an adapter in a sleeping model must sleep too"
        expect(found["training"] is False, "With a base in eval mode the layer is in training mode.", mistake=mistake)
        state = student.plant(probes).state(student.LoRALinear(base, RANK, ALPHA, 0.5))
        keys = ["base.bias", "base.weight", "lora_A", "lora_B"][given is None :]
        expect_equal(sorted(state), keys, what="the list of the layer's state")
        expect_close(state["base.weight"], weight, atol=FLOAT64, what="base.weight")
    for rank in (0, -2):
        expect_raises("ValueError", student.LoRALinear, base, rank, ALPHA, mentions=(str(rank),))


# ── m11.2 merging ─────────────────────────────────────────────────────────────────────────────────────────────────────


def expect_weight(layer, parts, merged=True):
    """Compare base's weight with what it is when merged, or when not."""
    weight, _, down, up = parts
    expected = oracle.merged(weight, down, up, ALPHA / RANK) if merged else weight
    misses = oracle.merge_misses(weight, down, up, ALPHA)
    if not merged:
        misses["the adapter's part is still in it"] = lambda: oracle.merged(weight, down, up, ALPHA / RANK)
    expect_close(layer.base.weight, expected, atol=FLOAT32_LAYER, misses=misses, what="base's weight")
    expect_equal(layer.merged, merged, what="merged")


@pytest.mark.task("m11.2")
def test_merging_adds_the_product_to_the_weight(student, draw):
    """Merging adds alpha / rank * B @ A to base's weight in place; A, B and base's bias stay what they are."""
    parts = numbers(draw)
    layer = student.plant(probes).layer(student.LoRALinear, *parts, ALPHA)
    found = student.plant(probes).merging(layer)
    expect_weight(layer, parts)
    for name, value, wanted in zip(("A", "B"), (layer.lora_A, layer.lora_B), parts[2:], strict=True):
        expect_close(value, wanted, atol=FLOAT64, what=f"lora_{name} after merge")
    expect(found["same"] is True, "After merge base.weight is another parameter: an optimizer would hold the old one.")
    expect(found["plain"], "merge makes base.weight hang on a graph, or changes whether it needs a gradient.")


@pytest.mark.task("m11.2")
def test_a_merged_layer_gives_what_it_gave(student, draw):
    """Merged or not, the outputs are the same, and equal to base's alone once merged."""
    parts, x = numbers(draw), draw.normal(2, 5, 7)
    layer = student.plant(probes).layer(student.LoRALinear, *parts, ALPHA, 0.5)
    layer.eval()
    layer.merge()
    expect_output(layer, x, parts, what="the result, merged,")
    expect_output(layer.base, x, parts, what="base's own result, merged,")
    layer.train()
    expect_output(layer, x, parts, what="the result, merged, in training mode with dropout,")
    layer.eval()
    layer.unmerge()
    expect_output(layer, x, parts, what="the result, unmerged again,")


@pytest.mark.task("m11.2")
def test_merging_twice_is_merging_once(student, draw):
    """Calling merge on a merged layer and unmerge on another one change nothing, and unmerge undoes merge."""
    parts = numbers(draw)
    layer = student.plant(probes).layer(student.LoRALinear, *parts, ALPHA)
    for call, merged in (("unmerge", False), ("merge", True), ("merge", True), ("unmerge", False), ("unmerge", False)):
        getattr(layer, call)()
        expect_weight(layer, parts, merged)


@pytest.mark.task("m11.2")
def test_an_adapter_can_change_between_two_merges(student, draw):
    """After unmerge, new values of A and B count, and are what the next merge adds."""
    parts = numbers(draw)
    layer = student.plant(probes).layer(student.LoRALinear, *parts, ALPHA)
    layer.merge()
    layer.unmerge()
    parts[2:] = numbers(draw)[2:]
    student.plant(probes).fill(layer, {"lora_A": parts[2], "lora_B": parts[3]})
    expect_output(layer, draw.normal(4, 7), parts)
    layer.merge()
    expect_weight(layer, parts)


# ── m11.3 injection and freezing ──────────────────────────────────────────────────────────────────────────────────────

CASES = {  # targets, and the layers that they fit, in the model's order
    "ends alike": (["proj"], ["cells.0.proj", "cells.1.proj"]),
    "top level": (["stem"], ["stem"]),
    "dotted": (["lora_head", "deep.2"], ["cells.0.deep.2", "cells.1.deep.2", "lora_head"]),
    "one place": (["cells.1.out_proj", "0"], ["cells.0.deep.0", "cells.1.out_proj", "cells.1.deep.0"]),
}


@pytest.mark.task("m11.3")
@pytest.mark.parametrize("case", CASES)
def test_the_layers_named_get_an_adapter(student, draw, case):
    """Exactly the linear layers that a target fits are replaced, however deep they lie, and their names returned."""
    targets, names = CASES[case]
    state, made, found = zoo(student, draw, targets)
    linear = [key.removesuffix(".weight") for key in state if key.endswith("weight") and "norm" not in key]
    misses = {
        "the targets are ignored: every linear layer is replaced": linear,
        DEEP: [name for name in names if "." not in name],
        oracle.DOTLESS: [name for name in linear if name.endswith(tuple(targets))],
        "the names are in the order of the targets, not in the model's": [
            name for target in targets for name in linear if f".{name}".endswith(f".{target}")
        ],
    }
    expect_equal(student.plant(probes).adapted(made), names, misses=misses, what="the list of layers with an adapter")
    expect_equal(found, names, misses=misses, what="the list of names returned")


@pytest.mark.task("m11.3")
def test_targets_may_be_read_only_once(student, draw):
    """Any iterable of targets will do, one that can be gone through a single time included."""
    targets, names = CASES["dotted"]
    made = student.plant(probes).zoo(oracle.zoo_state(draw))
    found = student.inject_lora(made, student.iterator(targets), RANK, ALPHA)
    misses = {"targets is gone through again, and an iterator has nothing left then: make a list of it first": found}
    expect_equal(found, names, misses=misses, what="the list of names returned")


@pytest.mark.task("m11.3")
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
    expect_raises("ValueError", student.inject_lora, made, ["base"], RANK, ALPHA, mentions=("base",))


@pytest.mark.task("m11.3")
def test_a_target_that_fits_nothing_is_refused(student, draw):
    """A target without a linear layer raises ValueError that names it, and nothing has been replaced then."""
    _, made, _ = zoo(student, draw)
    for target in ("head", "norm", "cells", "proj.", "c_attn"):
        expect_raises("ValueError", student.inject_lora, made, ["stem", target], RANK, ALPHA, mentions=(target,))
    expect_equal(student.plant(probes).adapted(made), [], what="the list of layers replaced before it was refused")


@pytest.mark.task("m11.3")
def test_a_sleeping_model_stays_asleep(student, draw):
    """After injection with dropout a model in eval mode has no module in training mode, and its outputs repeat."""
    state = oracle.zoo_state(draw)
    made, x = student.plant(probes).zoo(state), draw.normal(4, 6)
    made.eval()
    names = student.inject_lora(made, ["proj", "stem"], RANK, ALPHA, 0.5)
    adapter = oracle.adapters(draw, state, names, RANK)
    student.plant(probes).fill(made, adapter)
    expected = oracle.zoo_output(oracle.merged_state(state, adapter, ALPHA / RANK), x)
    atol = max(FLOAT32_LAYER, 1e-3 * float(expected.abs().median()))
    expect_close(made(x), expected, atol=atol, what="the result of a model in eval mode, injected with dropout,")
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


# ── m11.4 saving, loading, and what it is for ─────────────────────────────────────────────────────────────────────────


@pytest.mark.task("m11.4")
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
def test_a_state_that_does_not_fit_is_refused_whole(student, draw):
    """A missing key, an unknown one, another shape or a merged layer raises ValueError, and nothing is changed."""
    state, made, names = zoo(student, draw, ["out_proj", "stem"])
    student.plant(probes).fill(made, oracle.adapters(draw, state, names, RANK))
    made.cells[1].out_proj.merge()
    before = student.plant(probes).state(made)
    good = oracle.adapters(draw, state, names, RANK)
    expect_raises("ValueError", student.load_lora, made, good, mentions=("cells.1.out_proj",))
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
    for key, wrong in bad.items():
        expect_raises("ValueError", student.load_lora, made, wrong, mentions=(key,))
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
    expect(after < oracle.LEARNED * before, said, mistake=mistake, evidence="value")
    expected = logbook.logits(merged, windows[0])
    what = "the trained model's logits, compared with the same adapters merged,"
    expect_close(found["logits"], expected, atol=max(FLOAT32_MODEL, 1e-3 * float(expected.abs().median())), what=what)
